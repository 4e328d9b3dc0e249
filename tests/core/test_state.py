"""What is saved comes back as it was; and any bytes at all give a value or a StateError, never anything else."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oadr_core import (
    Audience,
    CancelReport,
    EarlierAnswer,
    EiEvent,
    Enrolment,
    EventRecord,
    EventStatus,
    LocalProtocolError,
    OptType,
    Payload,
    ProfileName,
    Report,
    ReportRequest,
    ResourceStatus,
    Standing,
    StateError,
    TransportName,
    VenRecord,
    VenState,
)
from oadr_core.auto.made_reports import MadeReport
from oadr_core.auto.outbox import UnsentReport
from oadr_core.auto.readings import Reading
from oadr_core.auto.samples import KeptSample
from oadr_core.auto.submitted import SubmittedValue
from oadr_core.auto.timekeeper import EventProgress
from oadr_core.machines.delivery import Delivery
from oadr_core.machines.event import EventAtVtn
from oadr_core.machines.report import ReportAtRequester, ReportAtSource
from oadr_core.state.audience import HandedEvents
from oadr_core.state.blobs import VERSION
from oadr_core.state.reports import AcceptedRequest, RequestedReport, digest, pack_offers
from oadr_core.state.ven import EndingEvent, KnownEvent
from oadr_core.state.vtn import QUEUED_MESSAGES, QueuedOperation
from oadr_core.testing.strategies import instants, parts, texts
from oadr_core.wire.verify import verify
from tests.core.kit import NOON, event, offer, request

plain = st.text(max_size=8)
codes = st.integers(100, 999)


def sendable(part: msgspec.Struct) -> bool:
    """Whether a part could be sent: what is saved was received, or is going to be sent."""
    try:
        verify(part)
    except LocalProtocolError:
        return False
    return True


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


known_events = st.builds(
    KnownEvent,
    event=parts(EiEvent).filter(sendable),
    request_id=plain,
    opt_type=maybe(st.sampled_from(OptType)),
    code=codes,
    description=maybe(texts),
    offset=st.timedeltas(),
    earlier_opt=maybe(st.sampled_from(OptType)),
)
ending_events = st.builds(EndingEvent, event=parts(EiEvent).filter(sendable), offset=st.timedeltas(), ends_at=instants)
accepted_requests = st.builds(
    AcceptedRequest,
    request=parts(ReportRequest).filter(sendable),
    accepted_at=instants,
    state=st.sampled_from(ReportAtSource),
)
ven_states = st.builds(
    VenState,
    registered=st.booleans(),
    ven_id=plain,
    registration_id=plain,
    vtn_id=plain,
    poll_freq=maybe(st.floats(allow_nan=False, allow_infinity=False)),
    events=st.lists(known_events, max_size=2).map(tuple),
    report_requests=st.lists(accepted_requests, max_size=2).map(tuple),
    ending=st.lists(ending_events, max_size=1).map(tuple),
)
operations = st.builds(
    QueuedOperation,
    id=plain,
    message=st.one_of([parts(cls) for cls in QUEUED_MESSAGES]).filter(sendable),
    state=st.sampled_from(Delivery),
    until=maybe(instants),
)
standings = st.builds(
    Standing,
    event_id=plain,
    modification_number=st.integers(0, 2**32 - 1),
    state=st.sampled_from(EventAtVtn),
    opt_type=maybe(st.sampled_from(OptType)),
    code=codes,
    description=maybe(texts),
    answered_at=maybe(instants),
    until=maybe(instants),
    times=st.integers(0, 100),
    told_at=maybe(instants),
    late=st.booleans(),
    changed=st.integers(0, 100),
    earlier=st.lists(
        st.builds(
            EarlierAnswer,
            modification_number=st.integers(0, 2**32 - 1),
            opt_type=st.sampled_from(OptType),
            code=codes,
            answered_at=maybe(instants),
        ),
        max_size=2,
    ).map(tuple),
)
requested_reports = st.builds(
    RequestedReport, request=parts(ReportRequest).filter(sendable), state=st.sampled_from(ReportAtRequester)
)
ven_records = st.builds(
    VenRecord,
    ven_id=plain,
    registration_id=plain,
    ven_name=plain,
    identity=maybe(plain),
    profile=st.sampled_from(ProfileName),
    transport=st.sampled_from(TransportName),
    pull=st.booleans(),
    address=maybe(plain),
    report_only=st.booleans(),
    xml_signature=st.booleans(),
    registered_with=plain,
    online=st.booleans(),
    standings=st.lists(standings, max_size=2).map(tuple),
    queue=st.lists(operations, max_size=2).map(tuple),
    offers=st.lists(parts(Report).filter(sendable), max_size=1).map(tuple).map(pack_offers),
    offered_with=plain,
    requests=st.lists(requested_reports, max_size=1).map(tuple),
    former=st.lists(requested_reports, max_size=1).map(tuple),
    recent=st.lists(plain, max_size=3).map(tuple),
)
names = st.lists(plain, max_size=3).map(tuple)
audiences = st.builds(
    Audience,
    ven_ids=names,
    group_ids=names,
    resource_ids=names,
    party_ids=names,
    market_contexts=names,
    everyone=st.booleans(),
)
enrolments = st.builds(Enrolment, group_ids=names, resource_ids=names, party_ids=names, market_contexts=names)
handed_events = st.builds(HandedEvents, event_ids=names)
event_records = st.builds(
    EventRecord,
    event=parts(EiEvent).filter(sendable),
    audience=audiences,
    created_at=instants,
    changed_at=instants,
)
unsent_reports = st.builds(UnsentReport, request_id=plain, report=parts(Report).filter(sendable))
made_reports = st.builds(MadeReport, peer=plain, report=parts(Report).filter(sendable))
own_readings = st.builds(
    Reading, value=st.floats(-1e9, 1e9) | st.none() | parts(ResourceStatus).filter(sendable), time=instants
)
kept_samples = st.builds(
    KeptSample,
    peer=plain,
    report_request_id=plain,
    due=instants,
    whole=st.booleans(),
    readings=st.dictionaries(plain, st.lists(own_readings, max_size=2).map(tuple), max_size=2),
)
submitted_values = st.builds(SubmittedValue, report_specifier_id=plain, r_id=plain, reading=own_readings)

progresses = st.builds(
    EventProgress,
    event_id=plain,
    modification_number=st.integers(0, 2**32 - 1),
    status=st.sampled_from(EventStatus),
    moment=maybe(instants),
)

KINDS = {
    EventProgress: progresses,
    VenState: ven_states,
    VenRecord: ven_records,
    EventRecord: event_records,
    Enrolment: enrolments,
    HandedEvents: handed_events,
    UnsentReport: unsent_reports,
    MadeReport: made_reports,
    KeptSample: kept_samples,
    SubmittedValue: submitted_values,
}
"""Everything that a core saves."""

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)

EXAMPLES: dict[Any, Any] = {
    EventProgress: EventProgress(event_id="event", modification_number=1, status=EventStatus.ACTIVE, moment=NOON),
    VenState: VenState(
        registered=True,
        ven_id="ven",
        registration_id="registration",
        vtn_id="Grid",
        poll_freq=10.0,
        events=(KnownEvent(event=event(), request_id="list", opt_type=OptType.OPT_IN),),
        report_requests=(AcceptedRequest(request=request(), accepted_at=NOON),),
    ),
    VenRecord: VenRecord(
        ven_id="ven",
        registration_id="registration",
        standings=(Standing(event_id="event", modification_number=1, state=EventAtVtn.TOLD, until=NOON),),
        queue=(QueuedOperation(id="1", message=CancelReport(request_id="1", report_request_id=("a",), ven_id="ven")),),
        offers=pack_offers((offer(),)),
        requests=(RequestedReport(request=request()),),
        recent=("digest",),
    ),
    EventRecord: EventRecord(event=event(), audience=Audience(ven_ids=("ven",)), created_at=NOON, changed_at=NOON),
    Enrolment: Enrolment(group_ids=("east",), market_contexts=("http://market.example",)),
    HandedEvents: HandedEvents(event_ids=("event",)),
    UnsentReport: UnsentReport(request_id="1", report=offer()),
    MadeReport: MadeReport(peer="ven", report=offer()),
    KeptSample: KeptSample(
        peer="ven", report_request_id="1", due=NOON, whole=False, readings={"load": (Reading(value=1.0, time=NOON),)}
    ),
    SubmittedValue: SubmittedValue(
        report_specifier_id="meter", r_id="load", reading=Reading(value=1.0, time=NOON, confidence=9)
    ),
}


def loads_or_says_why(kind: Any, blob: bytes) -> Any:
    """Load a blob; anything but a value or a StateError is a failure of the test."""
    value = why = None
    try:
        value = kind.load(blob)
    except StateError as error:
        why = str(error)
    if why is not None:
        assert why.startswith(kind.__name__), "an operator has to know which blob it is"
        return None
    assert isinstance(value, kind)
    return value


@kinds
@settings(max_examples=30)
@given(data=st.data())
def test_what_is_saved_comes_back_as_it_was(kind: Any, data: st.DataObject) -> None:
    value = data.draw(KINDS[kind])
    back = kind.load(value.dump())
    assert back == msgspec.structs.replace(value, version=VERSION)
    assert back.dump() == value.dump()


@kinds
def test_the_examples_below_are_good_ones(kind: Any) -> None:
    assert kind.load(EXAMPLES[kind].dump()) is not None


@kinds
@given(blob=st.binary(max_size=60))
def test_any_bytes_give_a_value_or_an_error(kind: Any, blob: bytes) -> None:
    assert loads_or_says_why(kind, blob) is None, "no random bytes are a blob: it has a version"


@kinds
@given(data=st.data())
def test_a_blob_with_damaged_bytes_gives_a_value_or_an_error(kind: Any, data: st.DataObject) -> None:
    blob = bytearray(EXAMPLES[kind].dump())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(len(blob) - 1, 0)))
        how = data.draw(st.sampled_from(["set", "cut", "insert"]))
        if how == "set":
            blob[place : place + 1] = bytes([data.draw(st.integers(0, 255))])
        elif how == "cut":
            del blob[place : place + data.draw(st.integers(1, 20))]
        else:
            blob[place:place] = data.draw(st.binary(min_size=1, max_size=4))
    loads_or_says_why(kind, bytes(blob))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in a JSON document."""
    found = [path]
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        found += places(one, (*path, key))
    return found


ODD = st.sampled_from(
    [None, True, -1, 0, 1.5, 1e400, 2**70, "", "x" * 70, "\ud800", "\x00", "2026", "P1Y", [], [[]], {}, {"version": 1}]
)


@kinds
@given(data=st.data())
def test_a_blob_with_values_of_other_types_gives_a_value_or_an_error(kind: Any, data: st.DataObject) -> None:
    content = json.loads(EXAMPLES[kind].dump())
    path = data.draw(st.sampled_from(places(content)[1:]))
    target = content
    for key in path[:-1]:
        target = target[key]
    if data.draw(st.booleans()):
        del target[path[-1]]
    else:
        target[path[-1]] = data.draw(ODD)
    value = loads_or_says_why(kind, json.dumps(content).encode("utf-8", "surrogatepass"))
    if value is not None:
        assert kind.load(value.dump()) == value, "what was loaded can be saved"


@kinds
@pytest.mark.parametrize("version", [VERSION + 1, 99, 0, -1])
def test_a_blob_of_another_version_says_so(kind: Any, version: int) -> None:
    content = json.loads(EXAMPLES[kind].dump()) | {"version": version}
    with pytest.raises(StateError, match=f"{kind.__name__}: the blob has version {version}; this package reads 1 to"):
        kind.load(json.dumps(content).encode())


@kinds
def test_a_later_version_is_told_even_where_nothing_else_can_be_understood(kind: Any) -> None:
    with pytest.raises(StateError, match="version 2"):
        kind.load(b'{"version": 2, "entirely": "different"}')


@kinds
@pytest.mark.parametrize(
    "blob",
    [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"version": "1"}', b'{"version": 1', b"1e999999"],
)
def test_what_was_never_a_blob_is_damaged(kind: Any, blob: bytes) -> None:
    with pytest.raises(StateError):
        kind.load(blob)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (VenState, lambda blob: blob["events"][0]["event"]["event_descriptor"].update(modification_number=-1)),
        (
            VenState,
            lambda blob: blob["report_requests"][0]["request"]["report_specifier"].update(specifier_payloads=[]),
        ),
        (VenRecord, lambda blob: blob["queue"][0]["message"].update(report_request_id=[])),
        (VenRecord, lambda blob: blob["requests"][0]["request"]["report_specifier"].update(specifier_payloads=[])),
        (EventRecord, lambda blob: blob["event"]["event_descriptor"].update(event_id="\x00")),
        (UnsentReport, lambda blob: blob["report"].update(report_name="no such report")),
        (MadeReport, lambda blob: blob["report"].update(report_name="no such report")),
        (VenState, lambda blob: blob["report_requests"][0].update(accepted_at="2026-11-20T12:00:00")),
        (EventRecord, lambda blob: blob.update(created_at="2026-11-20T12:00:00")),
        (EventRecord, lambda blob: blob["event"]["active_period"].update(dtstart="2026-11-20T12:00:00")),
        (VenRecord, lambda blob: blob["standings"][0].update(until="2026-11-20T12:00:00")),
    ],
)
def test_content_that_could_not_be_sent_or_compared_is_damaged(kind: Any, change: Callable[[Any], None]) -> None:
    content = json.loads(EXAMPLES[kind].dump())
    change(content)
    with pytest.raises(StateError, match="the blob is damaged"):
        kind.load(json.dumps(content).encode())


@pytest.mark.parametrize("offers", ["", "AAAA", "////", "kw=="])
def test_packed_offers_are_checked_too(offers: str) -> None:
    content = json.loads(EXAMPLES[VenRecord].dump()) | {"offers": offers}
    loads_or_says_why(VenRecord, json.dumps(content).encode())


def test_a_record_of_an_idle_ven_is_small() -> None:
    idle = VenRecord(ven_id="v" * 32, registration_id="r" * 32, ven_name="name", identity="AA:" * 10)
    assert len(idle.dump()) < 300


def test_keys_name_what_they_hold() -> None:
    assert EXAMPLES[VenRecord].key == "ven/ven"
    assert EXAMPLES[EventRecord].key == "event/event"


def test_a_retry_has_the_same_digest_and_another_request_has_not() -> None:
    first = CancelReport(request_id="1", report_request_id=("a",), ven_id="ven")
    again: Payload = msgspec.structs.replace(first)
    assert digest(first) == digest(again)
    assert digest(first) != digest(msgspec.structs.replace(first, request_id="2"))
    assert digest(first) != digest(msgspec.structs.replace(first, report_to_follow=True))


def test_instants_keep_their_zone() -> None:
    loaded = EventRecord.load(EXAMPLES[EventRecord].dump())
    assert loaded.created_at == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert loaded.created_at.tzinfo is not None


class Minutes(timedelta):
    """A length of time of an application's own, as libraries have them too."""


class Timestamp(datetime):
    """An instant of an application's own."""


def test_times_of_an_applications_own_kind_are_saved_as_what_they_are() -> None:
    at = Timestamp(2026, 11, 20, 12, tzinfo=UTC)
    made = event("a", length=Minutes(minutes=5))
    saved = EventRecord(event=made, audience=Audience(everyone=True), created_at=at, changed_at=at)
    loaded = EventRecord.load(saved.dump())
    assert loaded.created_at == at
    assert loaded.event.active_period.duration == timedelta(minutes=5)
    with pytest.raises(TypeError, match="no complex can be saved"):
        EventRecord.dump(msgspec.structs.replace(saved, created_at=1j))
