"""What fuzzing has found, said in the terms of the protocol; each of these went wrong once."""

import base64
import random
from collections.abc import Callable

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from oadr_core import (
    VEN_HANDLERS,
    VTN_HANDLERS,
    AutoVen,
    AutoVtn,
    Call,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    DistributeEvent,
    EiResponse,
    HandlerFailed,
    Handlers,
    LocalProtocolError,
    Output,
    Peer,
    PlainSealer,
    Poll,
    ProfileName,
    RegisteredReport,
    RegisterReport,
    Reply,
    Response,
    Save,
    SchemaError,
    SealError,
    StateError,
    Transmit,
    TransportName,
    Trust,
    VenConfig,
    VenRecord,
    VenState,
    Vtn,
    VtnConfig,
    encode,
)
from oadr_core.seal.certificates import Certificate
from oadr_core.state.reports import AcceptedRequest
from oadr_core.testing import ManualClock
from oadr_http.trusted_proxy import HEADER, TrustedProxies
from tests.core.kit import NOON, create_opt, created, drained, event, offer, one, request
from tests.seal.kit import VEN, sealer, signed

NOW = ManualClock(NOON).now

# --- a peer that breaks the schema must not keep us from starting again ----------------------------------------------


@pytest.mark.parametrize(
    ("right", "wrong"), [("http://market.example", "%zz"), (">level<", ">levels<"), (">SIMPLE<", ">Sample<")]
)
def test_a_ven_starts_again_with_an_event_that_the_schema_refuses(right: str, wrong: str) -> None:
    core = a_ven({})
    for _ in range(2):  # it asks what there is, and registers
        for sent in [output for output in drained(core, NOW) if isinstance(output, Transmit)]:
            answer = (
                Response(response=EiResponse()) if isinstance(sent.message, Poll) else created("ven", "registration")
            )
            core.receive_response(sent.exchange, encode(answer), now=NOW)
    assert core.ven.state.registered
    made = encode(DistributeEvent(request_id="1", vtn_id="Grid", events=(event(),))).decode()
    assert right in made
    core.receive_request(made.replace(right, wrong).encode(), peer=Peer(), service=None, now=NOW)
    saved = kept(drained(core, NOW))
    assert len(VenState.load(saved["ven"]).events) == 1
    a_ven(saved)


def test_a_vtn_starts_again_with_an_offer_that_the_schema_refuses() -> None:
    record = VenRecord(ven_id="a", registration_id="registration")
    core = a_vtn({record.key: record.dump()})
    made = encode(RegisterReport(request_id="1", reports=(offer(),), ven_id="a")).decode()
    broken = made.replace(">Direct Read<", ">Read directly<").replace(">RealEnergy<", ">Energy<")
    assert broken != made
    core.receive_request(broken.encode(), peer=Peer(), service=None, now=NOW)
    saved = kept(drained(core, NOW))
    assert VenRecord.load(saved[record.key]).offered()
    a_vtn(saved)


def test_a_vtn_starts_again_with_an_opt_that_the_schema_refuses() -> None:
    record = VenRecord(ven_id="a", registration_id="registration")
    core = a_vtn({record.key: record.dump()})
    made = encode(msgspec.structs.replace(create_opt(), ven_id="a")).decode()
    broken = made.replace(">x-schedule<", ">because<")
    assert broken != made
    core.receive_request(broken.encode(), peer=Peer(), service=None, now=NOW)
    saved = kept(drained(core, NOW))
    assert VenRecord.load(saved[record.key]).opts.schedules
    a_vtn(saved)


def test_what_a_peer_said_still_has_the_right_types() -> None:
    for changed in (
        msgspec.structs.replace(create_opt(), created_date_time=NOON.replace(tzinfo=None)),
        msgspec.structs.replace(create_opt(), request_id="\0"),
    ):
        record = VenRecord(ven_id="a", registration_id="r")
        record = msgspec.structs.replace(record, opts=record.opts.with_opt(changed))
        with pytest.raises(StateError, match="the blob is damaged"):
            VenRecord.load(record.dump())


# --- what cannot be sent is never queued -----------------------------------------------------------------------------


def test_a_vtn_asks_for_one_report_at_least() -> None:
    record = VenRecord(ven_id="a", registration_id="registration")
    core = a_vtn({record.key: record.dump()})
    with pytest.raises(LocalProtocolError, match="report_requests: is empty; at least one is needed"):
        core.vtn.create_report("a", [], NOW)
    with pytest.raises(LocalProtocolError, match="report_request_id: is empty; at least one is needed"):
        core.vtn.cancel_report("a", [], NOW)
    assert not core.vtn.vens["a"].queue


# --- the same message on two ways at once ----------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["request first", "answer first"])
@pytest.mark.rule(344)
def test_what_comes_as_a_request_and_as_the_answer_to_a_push_is_asked_about_once(order: str) -> None:
    record = VenRecord(ven_id="a", registration_id="r", identity="AA", pull=False, address="https://a.example/")
    core = a_vtn({record.key: record.dump()}, "on_create_report")
    core.offer(offer(), {"load": lambda: 1.0}, NOW)
    push = one(Transmit, drained(core, NOW))
    said = encode(RegisteredReport(response=EiResponse(), report_requests=(request(),), ven_id="a"))
    outputs: list[Output] = []
    for way in ("request", "answer") if order == "request first" else ("answer", "request"):
        if way == "request":
            inbound = core.receive_request(said, peer=Peer(identity="AA"), service=None, now=NOW)
        else:
            core.receive_response(push.exchange, said, now=NOW)
        outputs += drained(core, NOW)
    asked = one(Call, outputs)
    core.call_returned(asked.call, None, now=NOW)
    reply = one(Reply, drained(core, NOW))
    assert (reply.inbound, reply.refusal) == (inbound, None)
    assert [one.request.report_request_id for one in core.vtn.vens["a"].report_requests] == ["request"]


# --- the cores -------------------------------------------------------------------------------------------------------


def a_ven(saved: dict[str, bytes]) -> AutoVen:
    handlers = Handlers(VEN_HANDLERS)
    handlers.add("on_event", lambda event: "optIn")
    core = AutoVen(
        VenConfig(ven_name="ven", pull=False, address="here"),
        sealer=PlainSealer(strict=False),
        entropy=random.Random(0),
        handlers=handlers,
        saved=saved,
    )
    core.start(NOW)
    return core


def a_vtn(saved: dict[str, bytes], *handled: str) -> AutoVtn:
    handlers = Handlers(VTN_HANDLERS)
    for name in handled:
        handlers.add(name, lambda payload: None)
    core = AutoVtn(
        VtnConfig(vtn_id="Grid"),
        sealer=PlainSealer(strict=False),
        entropy=random.Random(0),
        handlers=handlers,
        saved=saved,
    )
    core.start(NOW)
    return core


def kept(outputs: list[Output]) -> dict[str, bytes]:
    """What is saved in the end."""
    return {one.key: one.blob for one in outputs if isinstance(one, Save) and one.blob is not None}


# --- state that somebody has changed ---------------------------------------------------------------------------------


def test_a_state_that_has_a_request_twice_is_no_reason_not_to_start() -> None:
    twice = (AcceptedRequest(request=request("METADATA", specifier_id="METADATA"), accepted_at=NOON),) * 2
    state = VenState(registered=True, ven_id="ven", registration_id="registration", report_requests=twice)
    drained(a_ven({"ven": state.dump()}), NOW)


# --- signatures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [b"<ds:SignedInfo", b"<oadr:oadrPoll", b"<dsp:ReplayProtect"])
def test_a_signed_document_that_has_no_canonical_form_is_refused(place: bytes) -> None:
    document = signed(Poll(ven_id="a"))
    assert place in document
    changed = document.replace(place, place + b' xmlns:x="relative"')
    with pytest.raises((SchemaError, SealError)):
        sealer().open(changed, NOW)
    core = Vtn(VtnConfig(vtn_id="Grid"), sealer=sealer(), entropy=random.Random(0))
    inbound = core.receive_request(changed, peer=Peer(), service=None, now=NOW)
    reply = one(Reply, drained(core, NOW))
    assert (reply.inbound, reply.message, reply.refusal is None) == (inbound, None, False)


# --- applications ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["\ud800", "\0", ("a", "\ud800"), ("\0", "b")])
def test_an_id_that_cannot_be_sent_is_a_fault_of_the_handler(wrong: object) -> None:
    handlers = Handlers(VTN_HANDLERS)
    handlers.add("on_create_party_registration", lambda registration_info: wrong)
    core = AutoVtn(VtnConfig(vtn_id="Grid"), sealer=PlainSealer(), entropy=random.Random(0), handlers=handlers)
    core.start(NOW)
    create = CreatePartyRegistration(
        request_id="1",
        profile_name=ProfileName.V20B,
        transport_name=TransportName.SIMPLE_HTTP,
        report_only=False,
        xml_signature=False,
        http_pull_model=True,
    )
    core.receive_request(encode(create), peer=Peer(), service=None, now=NOW)
    core.call_returned(one(Call, drained(core, NOW)).call, wrong, now=NOW)
    outputs = drained(core, NOW)
    assert "which XML cannot carry" in one(HandlerFailed, outputs).error
    answer = one(Reply, outputs).message
    assert isinstance(answer, CreatedPartyRegistration)
    assert not answer.response.ok
    assert not core.vtn.vens


# --- certificates ----------------------------------------------------------------------------------------------------


def certificate_with(change: Callable[[bytes], bytes]) -> bytes:
    """A certificate, changed in its DER form."""
    der = VEN.certificate.public_bytes(Encoding.DER)
    changed = change(der)
    assert changed != der
    return changed


def test_a_signature_with_a_certificate_of_no_version_is_refused() -> None:
    odd = certificate_with(lambda der: der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x32", 1))
    with pytest.raises(ValueError, match=r"is no X\.509 certificate"):
        Certificate(odd)
    right = base64.b64encode(VEN.certificate.public_bytes(Encoding.DER))
    document = b"".join(signed(Poll(ven_id="a")).split(b"\n"))
    assert right in document
    with pytest.raises(SealError, match=r"is no X\.509 certificate"):
        sealer().open(document.replace(right, base64.b64encode(odd)), NOW)


@pytest.mark.parametrize("kind", [b"\x05\x03v", b"\x03\x03\0"], ids=["null", "bits"])
def test_a_certificate_whose_name_cannot_be_read_is_for_nobody(kind: bytes) -> None:
    odd = certificate_with(lambda der: der.replace(b"\x55\x04\x03\x0c\x03v", b"\x55\x04\x03" + kind))
    certificate = Certificate(odd)
    assert certificate.names() == []
    with pytest.raises(SealError, match=r"is not for vtn\.example"):
        Trust(host="vtn.example").check([certificate], NOON)
    authority = VEN.certificate.public_bytes(Encoding.PEM)
    with pytest.raises(SealError, match="no authority that is trusted here"):
        Trust(authorities=authority).check([certificate], NOON)


def test_a_proxy_that_hands_on_a_certificate_of_no_version_tells_of_nobody() -> None:
    odd = certificate_with(lambda der: der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x32", 1))
    proxies = TrustedProxies(["192.0.2.7"])
    told = proxies.told_by(Peer(address="192.0.2.7:4000"), {HEADER.lower().encode(): base64.b64encode(odd)})
    assert told.identity is None


def test_a_value_that_was_kept_without_a_time_zone_is_a_damaged_state() -> None:
    """A time without one cannot be compared with others, so the VEN would not have started."""
    kept = {
        "version": 1,
        "report_specifier_id": "usage",
        "r_id": "load",
        "reading": {"value": 1.0, "time": "2026-11-20T12:00:00"},
    }
    blob = msgspec.json.encode(kept)
    with pytest.raises(StateError, match="timezone"):
        AutoVen(
            VenConfig(ven_name="ven"),
            sealer=PlainSealer(),
            entropy=random.Random(0),
            handlers=Handlers(VEN_HANDLERS),
            saved={"submitted/1": blob},
        )
