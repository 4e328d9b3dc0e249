"""Inputs never raise for what a peer did, and every request is answered once: whatever documents come, and when."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oadr_core import (
    VEN_HANDLERS,
    VTN_HANDLERS,
    AutoVen,
    AutoVtn,
    Call,
    CallId,
    CreatePartyRegistration,
    EiResponse,
    ExchangeId,
    Failure,
    Handlers,
    InboundId,
    LocalProtocolError,
    Output,
    Payload,
    Peer,
    PlainSealer,
    Poll,
    ProfileName,
    Reply,
    Response,
    Save,
    Service,
    Startup,
    Transmit,
    TransportName,
    VenConfig,
    VenRecord,
    VenState,
    VtnConfig,
    encode,
)
from oadr_core.core import Core
from oadr_core.messages import PAYLOADS
from oadr_core.testing import ManualClock
from oadr_core.testing.strategies import payloads
from tests.core.kit import NOON, created, drained, event, offer, one, request

BODIES = {name: payloads(name) for name in PAYLOADS}


class Attacked:
    """A core, and what is known of its exchanges, calls and requests."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.clock = ManualClock(NOON)
        self.exchanges: list[ExchangeId] = []
        self.calls: list[CallId] = []
        self.unanswered: set[InboundId] = set()
        self.saved: dict[str, bytes] = {}

    def drain(self) -> None:
        while (output := self.core.next_output(self.clock.now)) is not None:
            self.perform(output)

    def perform(self, output: Output) -> None:
        if isinstance(output, Transmit):
            assert output.render(self.clock.now)
            self.exchanges.append(output.exchange)
        elif isinstance(output, Reply):
            body = output.render(self.clock.now)
            assert not (body and output.refusal), "a refusal of the transport holds no payload"
            assert output.inbound in self.unanswered, "a request is answered once"
            self.unanswered.discard(output.inbound)
        elif isinstance(output, Call):
            self.calls.append(output.call)
        elif isinstance(output, Save) and output.blob is not None:
            self.saved[output.key] = output.blob
        elif isinstance(output, Save):
            self.saved.pop(output.key, None)

    def run(self, data: st.DataObject, ids: list[str], steps: int) -> None:
        """Let a peer do what it likes."""
        self.drain()
        for _ in range(data.draw(st.integers(1, steps))):
            what = data.draw(st.sampled_from(["request", "answer", "answer", "fail", "return", "raise", "wait"]))
            now = self.clock.now
            if what == "request":
                peer = Peer(identity=data.draw(st.sampled_from([None, None, "AA:BB"])), address="somewhere")
                service = data.draw(st.sampled_from([None, *Service]))
                self.unanswered.add(
                    self.core.receive_request(self.body(data, ids), peer=peer, service=service, now=now)
                )
            elif what == "answer" and self.exchanges:
                exchange = data.draw(st.sampled_from(self.exchanges[-3:]))
                self.core.receive_response(exchange, self.body(data, ids), now=now)
            elif what == "fail" and self.exchanges:
                exchange = data.draw(st.sampled_from(self.exchanges[-3:]))
                self.core.exchange_failed(exchange, data.draw(st.sampled_from(Failure)), now=now)
            elif what == "return" and self.calls:
                value = data.draw(st.sampled_from(["optIn", None, True, 5.0, (), 452, ("ven", "registration")]))
                self.core.call_returned(data.draw(st.sampled_from(self.calls)), value, now=now)
            elif what == "raise" and self.calls:
                self.core.call_raised(data.draw(st.sampled_from(self.calls)), ValueError("no"), now=now)
            elif what == "wait":
                due = self.core.next_timeout()
                self.clock.advance_to(now.mono if due is None else due.at)
                self.core.handle_timeout(self.clock.now)
            self.drain()
        self.clock.advance(3600)
        self.core.handle_timeout(self.clock.now)
        self.drain()
        assert not self.unanswered, "every request is answered in the end"

    def body(self, data: st.DataObject, ids: list[str]) -> bytes:
        """A document: valid, about things that exist, or nonsense."""
        kind = data.draw(st.sampled_from(["valid", "valid", "valid", "empty", "nonsense"]))
        if kind == "empty":
            return b""
        if kind == "nonsense":
            return data.draw(st.binary(max_size=20))
        message = data.draw(BODIES[data.draw(st.sampled_from(sorted(BODIES)))])
        try:
            return encode(_about(message, data, ids))
        except LocalProtocolError:
            return b"<"


def _about(message: Payload, data: st.DataObject, ids: list[str]) -> Payload:
    """The message with ids that the core knows, so that more of it is taken."""
    known: dict[str, Any] = {
        "ven_id": "ven",
        "registration_id": "registration",
        "vtn_id": "Grid",
        "response": EiResponse(),
    }
    changes = {
        name: value
        for name, value in known.items()
        if getattr(message, name, None) is not None and data.draw(st.integers(0, 4))
    }
    if hasattr(message, "report_request_id") and isinstance(message.report_request_id, tuple):
        changes["report_request_id"] = tuple(data.draw(st.lists(st.sampled_from(ids), min_size=1, max_size=2)))
    if hasattr(message, "pending_reports"):
        changes["pending_reports"] = tuple(data.draw(st.lists(st.sampled_from(ids), max_size=2)))
    if hasattr(message, "events") and data.draw(st.booleans()):
        numbers = st.integers(0, 3)
        changes["events"] = tuple(
            event(one, number=data.draw(numbers)) for one in data.draw(st.lists(st.sampled_from(ids)))
        )
    if hasattr(message, "report_requests") and data.draw(st.booleans()):
        changes["report_requests"] = tuple(
            request(one) for one in data.draw(st.lists(st.sampled_from(ids), min_size=1, max_size=2))
        )
    return type(message)(**{**{name: getattr(message, name) for name in message.__struct_fields__}, **changes})


IDS = ["a", "b", "request"]


def a_ven(*, pull: bool, registered: bool) -> AutoVen:
    handlers = Handlers(VEN_HANDLERS)
    for name in VEN_HANDLERS:
        handlers.add(name, lambda: None)
    state = VenState(registered=True, ven_id="ven", registration_id="registration", vtn_id="Grid")
    core = AutoVen(
        VenConfig(ven_name="ven", pull=pull, address=None if pull else "here"),
        sealer=PlainSealer(strict=False),
        entropy=random.Random(0),
        handlers=handlers,
        saved={"ven": state.dump()} if registered else {},
    )
    core.offer(offer(), {"load": lambda: 1.0})
    now = ManualClock(NOON).now
    core.start(now)
    while registered and core.phase in (Startup.QUERYING, Startup.REGISTERING):  # the VTN knows it still
        transmit = one(Transmit, drained(core, now))
        core.receive_response(transmit.exchange, encode(created("ven", "registration")), now=now)
    return core


def a_vtn(*, pull: bool, registered: bool) -> AutoVtn:
    handlers = Handlers(VTN_HANDLERS)
    for name in VTN_HANDLERS:
        handlers.add(name, lambda: None)
    record = VenRecord(ven_id="ven", registration_id="registration", pull=pull, address=None if pull else "there")
    core = AutoVtn(
        VtnConfig(vtn_id="Grid"),
        sealer=PlainSealer(strict=False),
        entropy=random.Random(0),
        handlers=handlers,
        saved={record.key: record.dump()} if registered else {},
    )
    now = ManualClock(NOON).now
    core.start(now)
    core.vtn.add_event(event("a"), ["ven"], now)
    if registered:
        core.vtn.create_report("ven", [request("request")], now)
        core.vtn.cancel_report("ven", ["request"], now)
    return core


ways = pytest.mark.parametrize(("pull", "registered"), [(True, True), (False, True), (True, False)])
often = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@ways
@often
@given(data=st.data())
def test_whatever_a_vtn_does_its_ven_goes_on(pull: bool, registered: bool, data: st.DataObject) -> None:
    attacked = Attacked(a_ven(pull=pull, registered=registered))
    attacked.run(data, IDS, 12)
    if "ven" in attacked.saved:
        VenState.load(attacked.saved["ven"])


@ways
@often
@given(data=st.data())
def test_whatever_a_ven_does_its_vtn_goes_on(pull: bool, registered: bool, data: st.DataObject) -> None:
    attacked = Attacked(a_vtn(pull=pull, registered=registered))
    attacked.run(data, IDS, 12)
    for key, blob in attacked.saved.items():
        if key.startswith("ven/"):
            VenRecord.load(blob)


@pytest.mark.parametrize("name", sorted(PAYLOADS))
@pytest.mark.parametrize("pull", [True, False])
@settings(max_examples=6)
@given(data=st.data())
def test_each_payload_is_survived_at_each_side(name: str, pull: bool, data: st.DataObject) -> None:
    message = data.draw(BODIES[name])
    for core in (a_ven(pull=pull, registered=True), a_vtn(pull=pull, registered=True)):
        attacked = Attacked(core)
        attacked.drain()
        now = attacked.clock.now
        attacked.unanswered.add(core.receive_request(encode(message), peer=Peer(), service=None, now=now))
        for exchange in attacked.exchanges:
            core.receive_response(exchange, encode(message), now=now)
        attacked.drain()


def test_a_registration_that_answers_nothing_but_success_is_no_registration() -> None:
    attacked = Attacked(a_ven(pull=True, registered=False))
    attacked.drain()
    nameless = created("", "")
    for answer in (nameless, nameless, Response(response=EiResponse())):
        attacked.core.receive_response(attacked.exchanges[-1], encode(answer), now=attacked.clock.now)
        attacked.drain()
    assert not VenState.load(attacked.saved["ven"]).registered


def test_the_attack_reaches_the_core() -> None:
    """The tests above would be worth little if everything that they send were refused at the door."""
    attacked = Attacked(a_vtn(pull=True, registered=True))
    now = attacked.clock.now
    poll = attacked.core.receive_request(encode(Poll(ven_id="ven")), peer=Peer(), service=None, now=now)
    replies = [one for one in iter(lambda: attacked.core.next_output(now), None) if isinstance(one, Reply)]
    assert [(one.inbound, one.refusal) for one in replies] == [(poll, None)]
    assert not isinstance(replies[0].message, Response), "there is an event for it"
    create = CreatePartyRegistration(
        request_id="1",
        profile_name=ProfileName.V20B,
        transport_name=TransportName.SIMPLE_HTTP,
        report_only=False,
        xml_signature=False,
        http_pull_model=True,
    )
    attacked.unanswered.add(attacked.core.receive_request(encode(create), peer=Peer(), service=None, now=now))
    attacked.drain()
    assert attacked.calls, "the application is asked"
