"""Our own VENs and VTN, over a wire that loses, repeats and reorders: what each of them records accuses nobody.

It shows that they conform, and that rules do not take misfortune for a breach.
"""

from collections.abc import Callable
from typing import Any, Final

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from oadr_core import Reply, Transmit
from oadr_core.rules import RecordedExchange, Role, Severity, check_trace
from oadr_core.testing import Flight, Host
from tests.pair.machine import Pair


class RecordedPair(Pair):
    """The pair of cores; every host records its exchanges as they end, as a driver does."""

    def __init__(self) -> None:
        super().__init__()
        self.traces: Final[dict[str, list[RecordedExchange]]] = {}

    def transmitted(self, flight: Flight, transmit: Transmit) -> None:
        if not self.traces:  # the first request: from now on answers and ends are recorded
            self.wire.on_reply = self.first(self.replied, self.wire.on_reply)
            self.wire.on_over = self.first(self.over, self.wire.on_over)
            self.traces |= {host.name: [] for host in self.hosts}
        super().transmitted(flight, transmit)

    @staticmethod
    def first(action: Callable[..., None], then: Callable[..., None] | None) -> Callable[..., None]:
        def both(*arguments: Any) -> None:
            action(*arguments)
            if then is not None:
                then(*arguments)

        return both

    def replied(self, host: Host, flight: Flight | None, reply: Reply, body: bytes) -> None:
        """A host has answered."""
        if flight is not None:
            self.record(host, flight, flight.source.name, None if reply.refusal else body)

    def over(self, flight: Flight) -> None:
        """A host has the answer to its request, or knows that none will come."""
        got = flight.answered and flight.refusal is None
        self.record(flight.source, flight, flight.to.base, flight.answer if got else None)

    def record(self, host: Host, flight: Flight, peer: str, answer: bytes | None) -> None:
        one = RecordedExchange(
            time=self.now.utc,
            requester=Role.VTN if flight.source is self.vtn.host else Role.VEN,
            transport="simpleHttp",
            peer=peer,
            service=flight.service,
            request=flight.body.decode(),
            answer=None if answer is None else answer.decode(),
        )
        self.traces[host.name].append(one)

    def teardown(self) -> None:
        super().teardown()
        for name, trace in self.traces.items():
            found = [one for one in check_trace(trace).findings if one.severity is Severity.ERROR]
            assert not found, f"{name}: {found[0]}"


def test_what_our_own_hosts_record_accuses_nobody() -> None:
    run_state_machine_as_test(RecordedPair, settings=settings(max_examples=25, stateful_step_count=50))
