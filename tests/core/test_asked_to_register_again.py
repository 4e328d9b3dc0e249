"""A VEN whose request is answered with oadrRequestReregistration: it registers, and then goes on where it was.

So a VTN speaks that knows the VEN no more (decision D27).
"""

import random
from collections.abc import Mapping
from typing import Final

import msgspec
import pytest

from oadr_core import (
    VEN_HANDLERS,
    AutoVen,
    CancelPartyRegistration,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    DistributeEvent,
    EiResponse,
    Event,
    ExchangeDone,
    ExchangeSetBack,
    Failure,
    Handlers,
    Payload,
    PlainSealer,
    Poll,
    Profile,
    ProfileName,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RegistrationEnded,
    Report,
    RequestEvent,
    RequestReregistration,
    ReregistrationRequested,
    Response,
    Transmit,
    Transport,
    TransportName,
    UpdatedReport,
    UpdateReport,
    Ven,
    VenConfig,
    VenPolicy,
    VenState,
    encode,
)
from oadr_core.auto.outbox import UnsentReport
from oadr_core.core import Core
from oadr_core.testing import ManualClock
from tests.core.kit import NOON, drained, offer

AGAIN: Final = RequestReregistration(ven_id="ven")
OK: Final = EiResponse(response_code=200, request_id="")
UNKNOWN: Final = EiResponse(response_code=463, request_id="")
REGISTERED: Final = CreatedPartyRegistration(
    response=OK,
    registration_id="registration",
    ven_id="ven",
    vtn_id="vtn",
    profiles=(
        Profile(profile_name=ProfileName.V20B, transports=(Transport(transport_name=TransportName.SIMPLE_HTTP),)),
    ),
)


class Line:
    """A VEN, and a test in the place of its VTN."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.clock = ManualClock(NOON)
        self.events: list[Event] = []
        self._sent: list[Transmit] = []

    def sends(self) -> Payload | None:
        """What the VEN sends now, if anything."""
        for output in drained(self.core, self.clock.now):
            if isinstance(output, Transmit):
                self._sent.append(output)
            elif isinstance(output, Event):
                self.events.append(output)
        return self._sent[0].message if self._sent else None

    def answer(self, message: Payload | None) -> None:
        """Answer what it sent."""
        body = b"" if message is None else encode(message)
        self.core.receive_response(self._sent.pop(0).exchange, body, now=self.clock.now)
        self.sends()

    def told(self, kind: type[Event]) -> list[Event]:
        """What it has told of a kind."""
        return [one for one in self.events if isinstance(one, kind)]


def registered() -> Ven:
    state = VenState(registered=True, ven_id="ven", registration_id="registration")
    return Ven(VenConfig(), sealer=PlainSealer(), entropy=random.Random(0), state=state)


def report(name: str) -> Report:
    """A report that is told by the request it answers."""
    return msgspec.structs.replace(offer(), report_request_id=name, report_name="TELEMETRY_USAGE", dtstart=NOON)


def test_what_was_answered_so_goes_first_after_the_registration() -> None:
    ven = registered()
    line = Line(ven)
    for name in ("first", "second"):
        ven.update_report([report(name)], line.clock.now)
    assert isinstance(line.sends(), UpdateReport)
    line.answer(AGAIN)
    assert isinstance(line.sends(), Response)
    line.answer(None)
    ven.create_party_registration(line.clock.now)
    assert isinstance(line.sends(), CreatePartyRegistration)
    line.answer(REGISTERED)
    delivered = []
    while isinstance(sent := line.sends(), UpdateReport):
        delivered.append(sent.reports[0].report_request_id)
        line.answer(UpdatedReport(response=msgspec.structs.replace(OK, request_id=sent.request_id), ven_id="ven"))
    assert delivered == ["first", "second"]


def test_what_was_answered_so_is_not_done() -> None:
    ven = registered()
    line = Line(ven)
    ven.update_report([report("first")], line.clock.now)
    line.sends()
    line.answer(AGAIN)
    assert line.told(ReregistrationRequested)
    assert not line.told(ExchangeDone)


@pytest.mark.rule(405)
def test_nothing_but_the_registration_is_sent_until_it_is_done() -> None:
    ven = registered()
    line = Line(ven)
    ven.poll(line.clock.now)
    line.sends()
    ven.update_report([report("first")], line.clock.now)
    ven.request_event(line.clock.now)
    line.answer(AGAIN)
    assert isinstance(line.sends(), Response)
    line.answer(None)
    assert line.sends() is None
    ven.create_party_registration(line.clock.now)
    assert isinstance(line.sends(), CreatePartyRegistration)
    line.answer(REGISTERED)
    assert isinstance(line.sends(), UpdateReport)


@pytest.mark.rule(407)
def test_there_is_nothing_to_cancel_at_a_vtn_that_does_not_know_the_ven() -> None:
    ven = registered()
    line = Line(ven)
    ven.cancel_party_registration(line.clock.now)
    assert isinstance(line.sends(), CancelPartyRegistration)
    line.answer(AGAIN)
    assert line.told(RegistrationEnded) == [RegistrationEnded(by_peer=False, cancelled=True)]
    assert line.sends() is None


def test_it_is_no_answer_to_a_registration() -> None:
    ven = registered()
    line = Line(ven)
    ven.create_party_registration(line.clock.now)
    line.sends()
    line.answer(AGAIN)
    (set_back,) = line.told(ExchangeSetBack)
    assert isinstance(set_back, ExchangeSetBack)
    assert set_back.why is Failure.BAD_ANSWER


def test_a_vtn_that_says_so_to_everything_is_obeyed_now_and_then() -> None:
    policy = VenPolicy(registration_retry=60.0)
    ven = AutoVen(VenConfig(), policy, sealer=PlainSealer(), entropy=random.Random(0), handlers=Handlers(VEN_HANDLERS))
    line = Line(ven)
    ven.start(line.clock.now)
    sent = _sent_within(line, 3600.0, {"oadrQueryRegistration": REGISTERED, "oadrCreatePartyRegistration": REGISTERED})
    assert 50 <= sent["oadrCreatePartyRegistration"] <= 70
    assert sum(sent.values()) < 5 * sent["oadrCreatePartyRegistration"]


def _sent_within(line: Line, seconds: float, answers: Mapping[str, Payload]) -> dict[str, int]:
    """Let time pass; whatever has no other answer is answered with oadrRequestReregistration. Tells what was sent."""
    sent: dict[str, int] = {}
    while line.clock.now.mono < seconds:
        while (message := line.sends()) is not None:
            kind = message.message_type()
            sent[kind] = sent.get(kind, 0) + 1
            line.answer(None if isinstance(message, Response) else answers.get(kind, AGAIN))
        due = line.core.next_timeout()
        assert due is not None
        line.clock.advance_to(due.at)
        line.core.handle_timeout(line.clock.now)
    return sent


def test_reports_outlive_a_registration_that_the_vtn_will_not_renew() -> None:
    """The VEN forgets then what it was to send; what keeps the reports must not think that they are on their way."""
    kept = UnsentReport(request_id="kept", report=report("first"))
    state = VenState(registered=True, ven_id="ven", registration_id="registration")
    saved = {"ven": state.dump(), "report/000000000001": kept.dump()}
    ven = AutoVen(
        VenConfig(), sealer=PlainSealer(), entropy=random.Random(0), handlers=Handlers(VEN_HANDLERS), saved=saved
    )
    line = Line(ven)
    ven.start(line.clock.now)
    sent = []
    while (message := line.sends()) is not None and not isinstance(message, Poll):
        sent.append(type(message))
        line.answer(_lost_memory(message, sent.count(UpdateReport), sent.count(CreatePartyRegistration)))
    assert sent.count(CreatePartyRegistration) == 3, "again after the start, in vain as it was asked to, and anew"
    assert sent.count(UpdateReport) == 2
    assert ven.unsent == 0


def _lost_memory(message: Payload, reported: int, registered: int) -> Payload | None:
    """What a VTN answers that loses what it knew of the VEN when the first report comes."""
    if isinstance(message, QueryRegistration | CreatePartyRegistration):
        knows = registered != 2
        return REGISTERED if knows else msgspec.structs.replace(REGISTERED, response=UNKNOWN)
    if isinstance(message, RegisterReport):
        return RegisteredReport(response=OK, ven_id="ven")
    if isinstance(message, RequestEvent):
        return DistributeEvent(response=OK, request_id="list", vtn_id="vtn")
    if isinstance(message, UpdateReport):
        return AGAIN if reported == 1 else UpdatedReport(response=OK, ven_id="ven")
    return None
