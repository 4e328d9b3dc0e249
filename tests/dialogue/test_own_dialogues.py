"""Our own VENs and VTN, over a wire that loses, repeats and reorders: what each of them records accuses nobody.

It shows that they conform, and that rules do not take misfortune for a breach.
"""

from datetime import datetime
from typing import Final

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from oadr_core import Reply, Transmit
from oadr_core.rules import RecordedExchange, Role, Severity, check_trace
from oadr_core.testing import Flight, Host
from tests.pair.machine import Pair


class RecordedPair(Pair):
    """The pair of cores; every host records its exchanges as they end, as a driver does.

    They do so by a clock that is right, as a trace is read in the order of its times: by one that is set back it would
    be another story.
    """

    recorded = 0
    """How many exchanges of all examples were judged: a test that has seen none has shown nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.traces: Final[dict[str, list[RecordedExchange]]] = {}
        self.sent: Final[dict[Flight, datetime]] = {}

    def _transmitted(self, flight: Flight, transmit: Transmit) -> None:
        self.sent[flight] = self.now.utc
        super()._transmitted(flight, transmit)

    def _replied(self, host: Host, flight: Flight | None, reply: Reply, body: bytes) -> None:
        super()._replied(host, flight, reply, body)
        if flight is not None:
            answer = None if reply.refusal else body
            self.record(host, self.now.utc, flight, flight.source.name, answer)

    def _over(self, flight: Flight) -> None:
        super()._over(flight)
        got = flight.answered and flight.refusal is None
        peer = flight.to.base or self.vtn.host.name
        self.record(flight.source, self.sent[flight], flight, peer, flight.answer if got else None)

    def record(self, host: Host, time: datetime, flight: Flight, peer: str, answer: bytes | None) -> None:
        one = RecordedExchange(
            time=time,
            requester=Role.VTN if flight.source is self.vtn.host else Role.VEN,
            transport="simpleHttp",
            peer=peer,
            service=flight.service,
            request=flight.body.decode(),
            answer=None if answer is None else answer.decode(),
        )
        self.traces.setdefault(host.name, []).append(one)

    def teardown(self) -> None:
        super().teardown()
        for name, trace in self.traces.items():
            RecordedPair.recorded += len(trace)
            found = [one for one in check_trace(trace).findings if one.severity is Severity.ERROR]
            assert not found, f"{name}: {found[0]}"


def test_what_our_own_hosts_record_accuses_nobody() -> None:
    RecordedPair.recorded = 0
    run_state_machine_as_test(RecordedPair, settings=settings(max_examples=25, stateful_step_count=50))
    assert RecordedPair.recorded > 500
