"""The documents of 2.0a: what its messages look like, what they must not hold, and that either profile is told apart.

The official schema of 2.0a is not at hand here, so what it says is said again by hand; and as 2.0a is a smaller
language of the same words, what we write in it has to please the official schema of 2.0b once its namespace is changed.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lxml import etree

from oadr_core import (
    CreatedEvent,
    DistributeEvent,
    EiEvent,
    LocalProtocolError,
    OtherProfile,
    Payload,
    Poll,
    ProfileName,
    RequestEvent,
    Response,
    SchemaError,
    check_document,
    decode,
    encode,
    read,
)
from oadr_core.testing.strategies import parts, payloads
from oadr_core.vtn.profile_20a import simplified, why_unfit
from oadr_core.wire.dialects import PROFILE_A, within
from oadr_core.wire.schema import schema
from oadr_core.wire.verify import problems
from tests.core.kit import event
from tests.wire.mutants import ATTRIBUTES, TEXTS, Mutator

A, B = ProfileName.V20A, ProfileName.V20B

EI: Final = "http://docs.oasis-open.org/ns/energyinterop/201110"
XCAL: Final = "urn:ietf:params:xml:ns:icalendar-2.0"
OADR: Final = "http://openadr.org/oadr-2.0a/2012/07"
NAMES: Final = (
    f'xmlns="{OADR}" xmlns:ei="{EI}" xmlns:p="{EI}/payloads" xmlns:m="http://docs.oasis-open.org/ns/emix/2011/06" '
    f'xmlns:x="{XCAL}" xmlns:s="{XCAL}:stream" xmlns:w="http://docs.oasis-open.org/ns/emix/2011/06/power"'
)

SIGNAL: Final = """<ei:eiEventSignal><s:intervals><ei:interval>
<x:duration><x:duration>PT1H</x:duration></x:duration><x:uid><x:text>0</x:text></x:uid>
<ei:signalPayload><ei:payloadFloat><ei:value>2</ei:value></ei:payloadFloat></ei:signalPayload></ei:interval>
</s:intervals><ei:signalName>simple</ei:signalName><ei:signalType>level</ei:signalType><ei:signalID>s</ei:signalID>
<ei:currentValue><ei:payloadFloat><ei:value>0</ei:value></ei:payloadFloat></ei:currentValue></ei:eiEventSignal>"""

LIST: Final = f"""<oadrDistributeEvent {NAMES}><ei:eiResponse><ei:responseCode>200</ei:responseCode><p:requestID/>
</ei:eiResponse><p:requestID>1</p:requestID><ei:vtnID>Grid</ei:vtnID><oadrEvent><ei:eiEvent><ei:eventDescriptor>
<ei:eventID>e</ei:eventID><ei:modificationNumber>0</ei:modificationNumber><ei:priority>1</ei:priority>
<ei:eiMarketContext><m:marketContext>http://market.example</m:marketContext></ei:eiMarketContext>
<ei:createdDateTime>2026-11-20T12:00:00Z</ei:createdDateTime><ei:eventStatus>far</ei:eventStatus>
<ei:testEvent>false</ei:testEvent><ei:vtnComment>hot</ei:vtnComment></ei:eventDescriptor><ei:eiActivePeriod>
<x:properties><x:dtstart><x:date-time>2026-11-20T13:00:00Z</x:date-time></x:dtstart>
<x:duration><x:duration>PT1H</x:duration></x:duration>
<x:tolerance><x:tolerate><x:startafter>PT5M</x:startafter></x:tolerate></x:tolerance>
<ei:x-eiNotification><x:duration>PT10M</x:duration></ei:x-eiNotification>
<ei:x-eiRampUp><x:duration>PT2M</x:duration></ei:x-eiRampUp></x:properties><x:components/></ei:eiActivePeriod>
<ei:eiEventSignals>{SIGNAL}</ei:eiEventSignals>
<ei:eiTarget><ei:groupID>g</ei:groupID><ei:resourceID>r</ei:resourceID><ei:venID>old</ei:venID><ei:partyID>p</ei:partyID>
</ei:eiTarget></ei:eiEvent><oadrResponseRequired>always</oadrResponseRequired></oadrEvent></oadrDistributeEvent>"""

DOCUMENTS: Final[Mapping[str, str]] = {
    "oadrRequestEvent": f"<oadrRequestEvent {NAMES}><p:eiRequestEvent><p:requestID>1</p:requestID>"
    "<ei:venID>old</ei:venID><p:replyLimit>5</p:replyLimit></p:eiRequestEvent></oadrRequestEvent>",
    "oadrDistributeEvent": LIST,
    "oadrCreatedEvent": f"<oadrCreatedEvent {NAMES}><p:eiCreatedEvent><ei:eiResponse><ei:responseCode>200"
    "</ei:responseCode><p:requestID/></ei:eiResponse><ei:eventResponses><ei:eventResponse><ei:responseCode>200"
    "</ei:responseCode><p:requestID>1</p:requestID><ei:qualifiedEventID><ei:eventID>e</ei:eventID>"
    "<ei:modificationNumber>0</ei:modificationNumber></ei:qualifiedEventID><ei:optType>optIn</ei:optType>"
    "</ei:eventResponse></ei:eventResponses><ei:venID>old</ei:venID></p:eiCreatedEvent></oadrCreatedEvent>",
    "oadrResponse": f"<oadrResponse {NAMES}><ei:eiResponse><ei:responseCode>200</ei:responseCode>"
    "<ei:responseDescription>OK</ei:responseDescription><p:requestID>1</p:requestID></ei:eiResponse></oadrResponse>",
}
"""One document for each of the four payloads that 2.0a has."""


# --- what a document is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_four_payloads_are_read_written_and_read_again(name: str) -> None:
    document = read(DOCUMENTS[name].encode(), profile=A)
    assert (document.valid, document.profile, document.message.message_type()) == (True, A, name)
    assert document.message.schema_version == "2.0a", "the message says what it was read from"
    written = encode(document.message, profile=A)
    assert decode(written, profile=A) == document.message
    root = etree.fromstring(written)
    assert root.tag == f"{{{OADR}}}{name}", "there is no wrapper"
    assert not root.attrib, "and no schemaVersion"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_either_profile_is_refused_where_the_other_is_spoken(name: str) -> None:
    in_20a = DOCUMENTS[name].encode()
    in_20b = encode(msgspec.structs.replace(decode(in_20a, profile=A), schema_version="2.0b"))
    for strict in (True, False):
        for written, is_of, wanted in ((in_20a, A, B), (in_20b, B, A)):
            with pytest.raises(OtherProfile, match=f"a document of the {is_of} profile") as caught:
                read(written, strict=strict, profile=wanted)
            assert caught.value.profile == is_of
            assert read(written, strict=strict, profile=None).profile is is_of


@pytest.mark.parametrize("strict", [True, False])
def test_what_is_of_neither_profile_is_refused(strict: bool) -> None:
    for text in ("<x/>", f'<oadrPoll xmlns="{OADR}"/>', f'<oadrPayload xmlns="{OADR}"/>'):
        for profile in (A, None):
            with pytest.raises(SchemaError):
                read(text.encode(), strict=strict, profile=profile)


def test_a_payload_that_20a_does_not_have_is_not_written() -> None:
    with pytest.raises(LocalProtocolError, match=r"OpenADR 2\.0a has no oadrPoll; it has oadrRequestEvent, oadrDis"):
        encode(Poll(ven_id="old"), profile=A)


def test_a_message_that_cannot_be_written_is_named_with_its_place() -> None:
    made = DistributeEvent(request_id="1", vtn_id="Grid", events=(event(),))
    with pytest.raises(LocalProtocolError, match=r"events\[0\]\.event_signals\[0\]\.current_value: is missing"):
        encode(made, profile=A)


# --- what only 2.0b has ----------------------------------------------------------------------------------------------

B_ONLY: Final[Mapping[str, tuple[str, str, str]]] = {
    "schemaVersion": ("oadrDistributeEvent", "<oadrDistributeEvent ", '<oadrDistributeEvent ei:schemaVersion="2.0a" '),
    "venID in oadrResponse": ("oadrResponse", "</oadrResponse>", "<ei:venID>old</ei:venID></oadrResponse>"),
    "modificationDateTime": (
        "oadrDistributeEvent",
        "<ei:priority>",
        "<ei:modificationDateTime>2026-11-20T12:00:00Z</ei:modificationDateTime><ei:priority>",
    ),
    "modificationReason": (
        "oadrDistributeEvent",
        "<ei:priority>",
        "<ei:modificationReason>heat</ei:modificationReason><ei:priority>",
    ),
    "groupName": ("oadrDistributeEvent", "<ei:resourceID>", "<ei:groupName>n</ei:groupName><ei:resourceID>"),
    **{
        kind: (
            "oadrDistributeEvent",
            "<ei:eiTarget>",
            f"<ei:eiTarget><w:{kind}><w:{inner}>t</w:{inner}></w:{kind}>",
        )
        for kind, inner in {
            "aggregatedPnode": "node",
            "endDeviceAsset": "mrid",
            "meterAsset": "mrid",
            "pnode": "node",
            "serviceDeliveryPoint": "node",
        }.items()
    },
    "eiTarget of a signal": ("oadrDistributeEvent", "<ei:signalName>", "<ei:eiTarget/><ei:signalName>"),
    "dtstart of an interval": (
        "oadrDistributeEvent",
        "<ei:interval>",
        "<ei:interval><x:dtstart><x:date-time>2026-11-20T13:00:00Z</x:date-time></x:dtstart>",
    ),
    "eiEventBaseline": (
        "oadrDistributeEvent",
        "</ei:eiEventSignals>",
        (
            "<ei:eiEventBaseline><x:dtstart><x:date-time>2026-11-20T13:00:00Z</x:date-time></x:dtstart>"
            "<x:duration><x:duration>PT1H</x:duration></x:duration><s:intervals><ei:interval/></s:intervals>"
            "<ei:baselineID>b</ei:baselineID><ei:baselineName>n</ei:baselineName></ei:eiEventBaseline></ei:eiEventSignals>"
        ),
    ),
}
"""What section 7.1 takes out of 2.0a, by where it would stand: a document, a text in it, and what is put there."""

MISSING: Final = {
    "x-eiNotification": "<ei:x-eiNotification><x:duration>PT10M</x:duration></ei:x-eiNotification>",
    "currentValue": "<ei:currentValue><ei:payloadFloat><ei:value>0</ei:value></ei:payloadFloat></ei:currentValue>",
    "duration": "<x:duration><x:duration>PT1H</x:duration></x:duration><x:uid>",
    "uid": "<x:uid><x:text>0</x:text></x:uid>",
}
"""What 2.0b may leave out and 2.0a may not."""


@pytest.mark.parametrize("what", B_ONLY)
def test_what_only_20b_has_is_refused_strictly_and_overlooked_leniently(what: str) -> None:
    name, place, instead = B_ONLY[what]
    assert DOCUMENTS[name].count(place) == 1
    changed = DOCUMENTS[name].replace(place, instead).encode()
    with pytest.raises(SchemaError):
        read(changed, profile=A)
    lenient = read(changed, profile=A, strict=False)
    assert lenient.forgiven
    assert lenient.message == decode(DOCUMENTS[name].encode(), profile=A)


@pytest.mark.parametrize("what", MISSING)
def test_what_20a_must_have_is_missed_strictly_and_done_without_leniently(what: str) -> None:
    kept = "<x:uid>" if what == "duration" else ""
    changed = LIST.replace(MISSING[what], kept)
    assert changed != LIST
    with pytest.raises(SchemaError, match=r"not expected|Missing child"):
        read(changed.encode(), profile=A)
    forgiven = read(changed.encode(), profile=A, strict=False).forgiven
    assert any("missing" in one.what for one in forgiven)


def test_an_interval_has_one_payload() -> None:
    payload = "<ei:signalPayload><ei:payloadFloat><ei:value>2</ei:value></ei:payloadFloat></ei:signalPayload>"
    changed = LIST.replace(payload, payload * 2)
    with pytest.raises(SchemaError):
        read(changed.encode(), profile=A)
    lenient = read(changed.encode(), profile=A, strict=False).message
    assert isinstance(lenient, DistributeEvent)
    assert len(lenient.events[0].event_signals[0].intervals[0].payloads) == 1
    twice = msgspec.structs.replace(lenient.events[0].event_signals[0].intervals[0])
    twice = msgspec.structs.replace(twice, payloads=twice.payloads * 2)
    assert any("has one" in problem for problem in problems(twice, PROFILE_A))


@pytest.mark.rule(69)
@pytest.mark.parametrize(
    ("kind", "valid"),
    [
        ("level", True),
        ("delta", True),
        ("product", True),
        ("setpoint", True),
        ("x-loadControlCapacity", False),
        ("other", False),
    ],
)
def test_the_types_of_signals_are_those_of_20a(kind: str, valid: bool) -> None:
    changed = LIST.replace(">level<", f">{kind}<").encode()
    assert read(changed, profile=A, strict=False).valid is valid


@pytest.mark.rule(7)
def test_a_signal_may_have_any_name_for_the_schema_and_one_for_the_rules() -> None:
    assert [one.rule for one in check_document(read(LIST.encode(), profile=A))] == []
    for changed in (LIST.replace(">simple<", ">LOAD<"), LIST.replace(SIGNAL, SIGNAL * 2)):
        document = read(changed.encode(), profile=A)
        assert document.valid
        assert "R7" in {one.rule for one in check_document(document)}


@pytest.mark.rule(69)
def test_a_hint_breaks_no_rule() -> None:
    document = read(LIST.replace(">level<", ">delta<").encode(), profile=A)
    assert check_document(document) == []


# --- any message -----------------------------------------------------------------------------------------------------


def lists_for_20a() -> st.SearchStrategy[Payload]:
    """Lists of any events of 2.0b, said in 2.0a."""

    def level(made: EiEvent) -> EiEvent:
        signal = msgspec.structs.replace(made.event_signals[0], signal_name="SIMPLE", signal_type="level")
        intervals = tuple(
            msgspec.structs.replace(
                one,
                duration=made.active_period.duration if one.duration is None else one.duration,
                uid=one.uid or "0",
                payloads=event().event_signals[0].intervals[0].payloads,
            )
            for one in signal.intervals
        )
        return msgspec.structs.replace(made, event_signals=(msgspec.structs.replace(signal, intervals=intervals),))

    lists = st.lists(parts(EiEvent).map(level), max_size=2).map(tuple)
    return st.builds(
        lambda said, events: simplified(msgspec.structs.replace(said, events=events)),
        parts(DistributeEvent),
        lists,
    )


@given(said=lists_for_20a() | st.sampled_from([RequestEvent, CreatedEvent, Response]).flatmap(parts))
def test_any_message_said_in_20a_is_valid_and_comes_back(said: Payload) -> None:
    said = within(PROFILE_A, said)
    assert problems(said, PROFILE_A) == []
    document = read(encode(said, profile=A), profile=A)
    assert document.valid
    assert document.message == msgspec.structs.replace(said, schema_version="2.0a")


@given(said=lists_for_20a())
def test_what_is_said_in_20a_could_be_said_in_20b(official_schema: etree.XMLSchema, said: Payload) -> None:
    text = encode(said, profile=A).replace(OADR.encode(), b"http://openadr.org/oadr-2.0b/2012/07")
    assert official_schema.validate(etree.fromstring(text)), official_schema.error_log.last_error


@given(made=parts(EiEvent))
def test_an_event_is_unfit_unless_it_has_one_level(made: EiEvent) -> None:
    levels = [one for one in made.event_signals if one.signal_name.upper() == "SIMPLE"]
    assert (why_unfit(made, A) is None) is (len(levels) == 1)
    assert why_unfit(made, B) is None


@given(said=payloads("oadrDistributeEvent"))
def test_only_what_20a_has_no_words_for_is_taken_out(said: Payload) -> None:
    once = within(PROFILE_A, said)
    assert within(PROFILE_A, once) == once
    assume(once == said)
    assert not any("does not exist" in problem for problem in problems(said, PROFILE_A))


@pytest.mark.parametrize("name", DOCUMENTS)
@given(seed=st.integers(0, 2**32))
def test_a_changed_document_of_20a_gives_a_message_or_a_schema_error(name: str, seed: int) -> None:
    mutant = mutated(DOCUMENTS[name], seed)
    for strict in (True, False):
        try:
            document = read(mutant, strict=strict, profile=None)
        except SchemaError:
            continue
        assert document.valid or not strict
        if document.profile is A and document.valid:
            assert schema(PROFILE_A).validate(etree.fromstring(mutant))
            assert read(encode(document.message, profile=A), profile=A).valid


def mutated(text: str, seed: int) -> bytes:
    """A document with something changed in it."""
    return Mutator(seed, TEXTS, ATTRIBUTES).mutant(text).text.encode()
