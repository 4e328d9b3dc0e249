"""The liberal receiver: what it understands although the schema refuses it, and what it says about it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from oadr_core.errors import LocalProtocolError, SchemaError
from oadr_core.messages import PAYLOADS, Payload, Target
from oadr_core.messages.declare import shape
from oadr_core.messages.namespaces import NAMESPACES, clark
from oadr_core.rules import check_document
from oadr_core.testing.strategies import payloads
from oadr_core.wire import envelope
from oadr_core.wire.plain import to_dict
from tests.wire.documents import DOCUMENTS, document, message_type, payload, unit
from tests.wire.mutants import ATTRIBUTES, TEXTS, Mutator, remove

NOON: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROOT_IS_MISSING: Final = ("", "the root is the payload, not oadrPayload")


def strictly(text: str) -> Payload:
    return envelope.decode(text.encode())


def leniently(text: str) -> envelope.Document:
    return envelope.read(text.encode(), strict=False)


def refused(text: str) -> str:
    """Make sure that a document is refused by a strict receiver, and say why."""
    with pytest.raises(SchemaError) as caught:
        envelope.read(text.encode(), strict=True)
    return str(caught.value)


def told(found: envelope.Document) -> list[tuple[str, str]]:
    return [(one.place, one.what) for one in found.forgiven]


# --- what goes around a payload --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_payload_without_oadr_payload_is_understood(name: str) -> None:
    signed_object = etree.fromstring(DOCUMENTS[name])[0]
    for root, what in (
        (signed_object, ("", "the root is oadrSignedObject, not oadrPayload")),
        (signed_object[0], ROOT_IS_MISSING),
    ):
        text = etree.tostring(root, encoding="unicode")
        refused(text)
        found = leniently(text)
        assert found.message == strictly(DOCUMENTS[name])
        assert not found.valid
        assert told(found) == [what]


@pytest.mark.parametrize("strict", [True, False])
def test_prefixes_mean_nothing(strict: bool) -> None:
    text = DOCUMENTS["oadrDistributeEvent of all sorts"]
    other = etree.fromstring(text)
    for number, (prefix, uri) in enumerate(NAMESPACES.items()):
        text = text.replace(f"xmlns:{prefix}=", f"xmlns:ns{number}=") if uri in other.nsmap.values() else text
        for before in ("<", "</", " ", '="'):
            text = text.replace(f"{before}{prefix}:", f"{before}ns{number}:")
    assert "oadr:" not in text
    found = envelope.read(text.encode(), strict=strict)
    assert found.message == strictly(DOCUMENTS["oadrDistributeEvent of all sorts"])
    assert found.valid


@pytest.mark.parametrize("place", ["<oadr:oadrPayload", "<oadr:oadrSignedObject", "<oadr:oadrPoll", "<ei:venID"])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.rule(45)
def test_a_schema_location_is_valid_and_noticed(strict: bool, place: str) -> None:
    text = DOCUMENTS["oadrPoll"].replace(place, f'{place} xsi:schemaLocation="urn:x x.xsd"', 1)
    found = envelope.read(text.encode(), strict=strict)
    assert found.schema_location
    assert found.valid
    assert not leniently(DOCUMENTS["oadrPoll"]).schema_location
    assert not leniently(DOCUMENTS["oadrPoll"].replace("ven-1", "schemaLocation")).schema_location


def test_a_valid_document_is_read_strictly_even_by_a_lenient_receiver() -> None:
    for text in DOCUMENTS.values():
        found = leniently(text)
        assert found.valid
        assert found.forgiven == ()
        assert found.message == strictly(text)


# --- departures ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Departure:
    """How a document departs from the schema.

    :param name: the document.
    :param old: a text in it.
    :param new: what stands there instead.
    :param place: where something is forgiven.
    :param what: what is forgiven there.
    :param value: looks at the message that comes of it; by default nothing is lost.
    :param expected: what it finds.
    """

    name: str
    old: str
    new: str
    place: str
    what: str
    value: Callable[[Any], object] | None = None
    expected: object = None

    @property
    def text(self) -> str:
        """The document that departs."""
        assert self.old in DOCUMENTS[self.name], self.old
        return DOCUMENTS[self.name].replace(self.old, self.new, 1)


def _event(message: Any) -> Any:
    return message.events[0]


def _signal(message: Any) -> Any:
    return message.events[0].event_signals[0]


def _point(message: Any) -> Any:
    return message.reports[0].report_descriptions[0]


def _specifier(message: Any) -> Any:
    return message.report_requests[0].report_specifier


def _value(message: Any) -> Any:
    return message.reports[0].intervals[0].payloads[0]


EVENT: Final = "oadrDistributeEvent/oadrEvent/eiEvent"
DESCRIPTOR: Final = f"{EVENT}/eventDescriptor"
PROPERTIES: Final = f"{EVENT}/eiActivePeriod/properties"
SIGNAL: Final = f"{EVENT}/eiEventSignals/eiEventSignal"
SPECIFIER: Final = "oadrCreateReport/oadrReportRequest/reportSpecifier"
POINT: Final = "oadrRegisterReport/oadrReport/oadrReportDescription"
VALUE: Final = "oadrUpdateReport/oadrReport/intervals/interval/oadrReportPayload"
ABSENT: Final = "an empty element counts as absent (rule 46)"
VOLTAGE: Final = unit("power:voltage", "Voltage", "V")
PROFILES: Final = DOCUMENTS["oadrCreatedPartyRegistration of a query"].split("oadr:oadrProfiles>")[1].removesuffix("</")
PLAIN_DURATION: Final = "plain text, where xcal:duration should hold it"

DEPARTURES: Final[Mapping[str, Departure]] = {
    # names and order
    "element out of order": Departure(
        "oadrCancelOpt",
        "<pyld:requestID>request-1</pyld:requestID><ei:optID>opt-1</ei:optID>",
        "<ei:optID>opt-1</ei:optID><pyld:requestID>request-1</pyld:requestID>",
        "oadrCancelOpt",
        "requestID stands behind what it should precede",
    ),
    "element of another namespace": Departure(
        "oadrPoll",
        "<ei:venID>ven-1</ei:venID>",
        "<oadr:venID>ven-1</oadr:venID>",
        "oadrPoll",
        f"{clark('oadr:venID')} for ei:venID",
    ),
    "element without namespace": Departure(
        "oadrQueryRegistration",
        "<pyld:requestID>request-1</pyld:requestID>",
        "<requestID>request-1</requestID>",
        "oadrQueryRegistration",
        "requestID for pyld:requestID",
    ),
    "element in lower case": Departure(
        "oadrPoll",
        "<ei:venID>ven-1</ei:venID>",
        "<ei:venid>ven-1</ei:venid>",
        "oadrPoll",
        f"{clark('ei:venid')} for ei:venID",
    ),
    "unit of another namespace": Departure(
        "oadrRegisterReport",
        VOLTAGE,
        VOLTAGE.replace("power:voltage", "oadr:voltage"),
        POINT,
        f"{clark('oadr:voltage')} for emix:itemBase",
    ),
    "element more than once": Departure(
        "oadrPoll",
        "<ei:venID>ven-1</ei:venID>",
        "<ei:venID>ven-1</ei:venID><ei:venID>ven-2</ei:venID>",
        "oadrPoll",
        "venID stands there more than once; the first is taken",
    ),
    "two baselines": Departure(
        "oadrDistributeEvent of all sorts",
        "</ei:eiEventBaseline>",
        "</ei:eiEventBaseline><ei:eiEventBaseline/>",
        f"{EVENT}/eiEventSignals/eiEventBaseline",
        ABSENT,
    ),
    "unknown element": Departure(
        "oadrPoll",
        "</oadr:oadrPoll>",
        "<ei:extra>1</ei:extra></oadr:oadrPoll>",
        "oadrPoll",
        "unknown element extra",
    ),
    "unknown element beside the signed object": Departure(
        "oadrPoll",
        "</oadr:oadrPayload>",
        "<TLS/></oadr:oadrPayload>",
        "oadrPayload",
        "unknown element TLS",
    ),
    "signature behind what it signs": Departure(
        "oadrPoll",
        "</oadr:oadrPayload>",
        "<ds:Signature/></oadr:oadrPayload>",
        "oadrPayload",
        "Signature stands behind what it should precede",
        lambda message: message.ven_id,
        "ven-1",
    ),
    "text between elements": Departure(
        "oadrPoll", "<ei:venID>", "hello <ei:venID>", "oadrPoll", "text between the elements"
    ),
    "text beside the payload": Departure(
        "oadrPoll", "</oadr:oadrPoll>", "</oadr:oadrPoll> hello", "oadrSignedObject", "text between the elements"
    ),
    # attributes
    "schemaVersion without its namespace": Departure(
        "oadrPoll",
        "ei:schemaVersion",
        "schemaVersion",
        "oadrPoll",
        "attribute schemaVersion without its namespace",
    ),
    "schemaVersion on oadrPayload": Departure(
        "oadrPoll",
        "<oadr:oadrPayload ",
        '<oadr:oadrPayload ei:schemaVersion="2.0b" ',
        "oadrPayload",
        f"unknown attribute {clark('ei:schemaVersion')}",
    ),
    "schemaVersion that is unknown": Departure(
        "oadrPoll",
        '"2.0b"',
        '"2.0"',
        "oadrPoll/@{http://docs.oasis-open.org/ns/energyinterop/201110}schemaVersion",
        "'2.0', which is not listed and no x- extension",
        lambda message: message.schema_version,
        "2.0",
    ),
    "Id without its namespace": Departure("oadrPoll", "oadr:Id=", "Id=", "oadrSignedObject", "unknown attribute Id"),
    "foreign attribute": Departure(
        "oadrPoll",
        "<ei:venID>",
        '<ei:venID xml:lang="en">',
        "oadrPoll/venID",
        f"unknown attribute {clark('xml:lang')}",
    ),
    # empty means absent
    "empty number": Departure(
        "oadrRequestEvent",
        "<pyld:replyLimit>5</pyld:replyLimit>",
        "<pyld:replyLimit/>",
        "oadrRequestEvent/eiRequestEvent/replyLimit",
        ABSENT,
        lambda message: message.reply_limit,
        None,
    ),
    "empty token": Departure(
        "oadrUpdateReport",
        "<ei:reportName>TELEMETRY_USAGE</ei:reportName>",
        "<ei:reportName> </ei:reportName>",
        "oadrUpdateReport/oadrReport/reportName",
        ABSENT,
        lambda message: message.reports[0].report_name,
        None,
    ),
    "empty duration": Departure(
        "oadrCreatedPartyRegistration",
        "<xcal:duration>PT10S</xcal:duration>",
        "",
        "oadrCreatedPartyRegistration/oadrRequestedOadrPollFreq",
        ABSENT,
        lambda message: message.requested_oadr_poll_freq,
        None,
    ),
    "empty part": Departure(
        "oadrDistributeEvent",
        "<xcal:duration><xcal:duration>PT1H</xcal:duration></xcal:duration>",
        "<xcal:duration><xcal:duration>PT1H</xcal:duration></xcal:duration><xcal:tolerance/>",
        f"{PROPERTIES}/tolerance",
        ABSENT,
    ),
    "empty list": Departure(
        "oadrRegisterReport",
        "<ei:eiReportID>unused</ei:eiReportID>",
        "<strm:intervals/><ei:eiReportID>unused</ei:eiReportID>",
        "oadrRegisterReport/oadrReport/intervals",
        ABSENT,
    ),
    "empty target": Departure(
        "oadrDistributeEvent",
        "<ei:eiTarget>",
        "<ei:eiTarget><power:meterAsset/>",
        f"{EVENT}/eiTarget/meterAsset",
        ABSENT,
    ),
    "empty current value": Departure(
        "oadrDistributeEvent",
        "<ei:currentValue><ei:payloadFloat><ei:value>0.0</ei:value></ei:payloadFloat></ei:currentValue>",
        "<ei:currentValue/>",
        f"{SIGNAL}/currentValue",
        ABSENT,
        lambda message: _signal(message).current_value,
        None,
    ),
    "element that is nil": Departure(
        "oadrResponse",
        "<ei:venID>ven-1</ei:venID>",
        '<ei:venID xsi:nil="true"/>',
        "oadrResponse/venID",
        ABSENT,
        lambda message: message.ven_id,
        None,
    ),
    # what is missing
    "no components": Departure(
        "oadrDistributeEvent",
        "<xcal:components/>",
        "",
        f"{EVENT}/eiActivePeriod",
        "xcal:components is missing",
    ),
    "no profile among the profiles": Departure(
        "oadrCreatedPartyRegistration of a query",
        PROFILES,
        "",
        "oadrCreatedPartyRegistration/oadrProfiles",
        "oadr:oadrProfile is missing",
        lambda message: message.profiles,
        (),
    ),
    # durations and times
    "plain duration": Departure(
        "oadrCreateReport",
        "<ei:reportBackDuration><xcal:duration>PT1H</xcal:duration></ei:reportBackDuration>",
        "<ei:reportBackDuration> PT1H </ei:reportBackDuration>",
        f"{SPECIFIER}/reportBackDuration",
        PLAIN_DURATION,
    ),
    "plain notification": Departure(
        "oadrDistributeEvent",
        "<ei:x-eiNotification><xcal:duration>PT4H</xcal:duration></ei:x-eiNotification>",
        "<ei:x-eiNotification>PT4H</ei:x-eiNotification>",
        f"{PROPERTIES}/x-eiNotification",
        PLAIN_DURATION,
    ),
    "plain dtstart": Departure(
        "oadrDistributeEvent",
        "<xcal:date-time>2026-11-20T16:00:00Z</xcal:date-time>",
        "2026-11-20T16:00:00Z",
        f"{PROPERTIES}/dtstart",
        "plain text, where xcal:date-time should hold it",
    ),
    "plain uid": Departure(
        "oadrDistributeEvent",
        "<xcal:text>0</xcal:text>",
        "0",
        f"{SIGNAL}/intervals/interval/uid",
        "plain text, where xcal:text should hold it",
    ),
    "nested duration where it should be plain": Departure(
        "oadrDistributeEvent of all sorts",
        "<xcal:startafter>PT5M</xcal:startafter>",
        "<xcal:startafter><xcal:duration>PT5M</xcal:duration></xcal:startafter>",
        f"{PROPERTIES}/tolerance/tolerate/startafter",
        "duration inside, where the text should stand",
    ),
    "weeks": Departure(
        "oadrRegisterReport",
        "<xcal:duration>P1D</xcal:duration>",
        "<xcal:duration>P1W</xcal:duration>",
        "oadrRegisterReport/oadrReport/duration/duration",
        "'P1W' for a duration",
        lambda message: message.reports[0].duration,
        timedelta(weeks=1),
    ),
    "fraction of a duration": Departure(
        "oadrRegisterReport",
        "<xcal:duration>P1D</xcal:duration>",
        "<xcal:duration>PT1.5S</xcal:duration>",
        "oadrRegisterReport/oadrReport/duration/duration",
        "a fraction in 'PT1.5S', of which whole seconds are kept",
        lambda message: message.reports[0].duration,
        timedelta(seconds=1),
    ),
    "duration in lower case": Departure(
        "oadrRegisterReport",
        "<oadr:oadrMinPeriod>PT1M",
        "<oadr:oadrMinPeriod>pt1m",
        f"{POINT}/oadrSamplingRate/oadrMinPeriod",
        "'pt1m' for a duration",
    ),
    "time with an offset": Departure(
        "oadrDistributeEvent",
        "2026-11-20T12:00:00Z",
        "2026-11-20T13:00:00.5+01:00",
        f"{DESCRIPTOR}/createdDateTime",
        "a time with the zone +01:00",
        lambda message: _event(message).event_descriptor.created_date_time,
        NOON.replace(microsecond=500_000),
    ),
    "time in lower case": Departure(
        "oadrDistributeEvent",
        "2026-11-20T12:00:00Z",
        "2026-11-20T12:00:00z",
        f"{DESCRIPTOR}/createdDateTime",
        "a time with the zone z",
    ),
    # tokens and numbers
    "simpleHTTP": Departure(
        "oadrCreatePartyRegistration",
        ">simpleHttp<",
        ">simpleHTTP<",
        "oadrCreatePartyRegistration/oadrTransportName",
        "'simpleHTTP' for 'simpleHttp'",
    ),
    "XMPP": Departure(
        "oadrCreatePartyRegistration again",
        ">xmpp<",
        ">XMPP<",
        "oadrCreatePartyRegistration/oadrTransportName",
        "'XMPP' for 'xmpp'",
    ),
    "a profile by the name of a transport": Departure(
        "oadrCreatePartyRegistration again",
        ">2.0b<",
        ">xmpp<",
        "oadrCreatePartyRegistration/oadrProfileName",
        "'xmpp' for '2.0b'",
    ),
    "canceled with one l": Departure(
        "oadrDistributeEvent",
        ">far<",
        ">canceled<",
        f"{DESCRIPTOR}/eventStatus",
        "'canceled' for 'cancelled'",
        lambda message: _event(message).event_descriptor.event_status,
        "cancelled",
    ),
    "Simple": Departure("oadrDistributeEvent", ">SIMPLE<", ">Simple<", f"{SIGNAL}/signalName", "'Simple' for 'SIMPLE'"),
    "unknown signal name": Departure(
        "oadrDistributeEvent",
        ">SIMPLE<",
        ">WATER<",
        f"{SIGNAL}/signalName",
        "'WATER', which is not listed and no x- extension",
        lambda message: _signal(message).signal_name,
        "WATER",
    ),
    "unknown signal type": Departure(
        "oadrDistributeEvent",
        ">level<",
        ">product<",
        f"{SIGNAL}/signalType",
        "'product', which is not listed",
        lambda message: _signal(message).signal_type,
        "product",
    ),
    "custom signal type": Departure(
        "oadrDistributeEvent",
        ">level<",
        ">x-tide<",
        f"{SIGNAL}/signalType",
        "'x-tide', which is not listed",
        lambda message: _signal(message).signal_type,
        "x-tide",
    ),
    "report name without x-": Departure(
        "oadrUpdateReport",
        ">TELEMETRY_USAGE<",
        ">WATER_USAGE<",
        "oadrUpdateReport/oadrReport/reportName",
        "'WATER_USAGE', which is not listed and no x- extension",
        lambda message: message.reports[0].report_name,
        "WATER_USAGE",
    ),
    "METADATA_ before a custom name": Departure(
        "oadrRegisterReport",
        ">METADATA_TELEMETRY_USAGE<",
        ">METADATA_x-water<",
        "oadrRegisterReport/oadrReport/reportName",
        "'METADATA_x-water', which is not listed and no x- extension",
        lambda message: message.reports[0].report_name,
        "METADATA_x-water",
    ),
    "opt reason without x-": Departure(
        "oadrCreateOpt for an event",
        ">economic<",
        ">holiday<",
        "oadrCreateOpt/optReason",
        "'holiday', which is not listed and no x- extension",
        lambda message: message.opt_reason,
        "holiday",
    ),
    "unknown data quality": Departure(
        "oadrUpdateReport",
        ">Quality Good - Non Specific<",
        ">good<",
        f"{VALUE}/oadrDataQuality",
        "'good', which is not listed and no x- extension",
        lambda message: _value(message).data_quality,
        "good",
    ),
    "response code that is no number": Departure(
        "oadrResponse",
        ">200<",
        ">OK<",
        "oadrResponse/eiResponse/responseCode",
        "the response code 'OK', which counts as a failure",
        lambda message: (message.response.response_code, message.response.ok),
        (500, False),
    ),
    "response code of one digit": Departure(
        "oadrResponse",
        ">200<",
        ">0<",
        "oadrResponse/eiResponse/responseCode",
        "the response code '0', which counts as a failure",
        lambda message: message.response.ok,
        False,
    ),
    "boolean in upper case": Departure(
        "oadrCancelReport",
        ">true<",
        ">TRUE<",
        "oadrCancelReport/reportToFollow",
        "'TRUE' for a boolean",
    ),
    "whole number with a point": Departure(
        "oadrDistributeEvent",
        "<ei:modificationNumber>0<",
        "<ei:modificationNumber>0.0<",
        f"{DESCRIPTOR}/modificationNumber",
        "'0.0' for a whole number",
    ),
    "confidence above 100": Departure(
        "oadrUpdateReport",
        ">100<",
        ">101<",
        f"{VALUE}/confidence",
        "101, which is more than 100",
        lambda message: _value(message).confidence,
        101,
    ),
    "market context that is no URI": Departure(
        "oadrDistributeEvent",
        "http://program.example/peak",
        "http://[peak",
        f"{DESCRIPTOR}/eiMarketContext/marketContext",
        "'http://[peak', which is no emix:MarketContextType",
        lambda message: _event(message).event_descriptor.market_context,
        "http://[peak",
    ),
    # units
    "unit that is not the one": Departure(
        "oadrRegisterReport",
        "<power:itemUnits>Wh<",
        "<power:itemUnits>kWh<",
        f"{POINT}/energyReal/itemUnits",
        "'kWh', which the schema does not know",
        lambda message: message.reports[0].report_descriptions[1].measurement.unit,
        "kWh",
    ),
    "unit with blanks": Departure(
        "oadrRegisterReport",
        "<power:itemUnits>Wh<",
        "<power:itemUnits> Wh <",
        f"{POINT}/energyReal/itemUnits",
        "' Wh ' for 'Wh'",
    ),
    "unit without the text that is fixed": Departure(
        "oadrRegisterReport",
        "<power:itemUnits>Wh</power:itemUnits>",
        "",
        f"{POINT}/energyReal",
        "power:itemUnits is missing",
    ),
    "unit without scale": Departure(
        "oadrRegisterReport",
        "<power:itemUnits>V</power:itemUnits><scale:siScaleCode>none</scale:siScaleCode>",
        "<power:itemUnits>V</power:itemUnits>",
        f"{POINT}/voltage",
        "scale:siScaleCode is missing",
    ),
    "power without attributes": Departure(
        "oadrRegisterReport",
        "<power:powerAttributes><power:hertz>50</power:hertz><power:voltage>230.0</power:voltage>"
        "<power:ac>true</power:ac></power:powerAttributes>",
        "",
        f"{POINT}/powerReal",
        "power:powerAttributes is missing",
        lambda message: _point(message).measurement.power_attributes,
        None,
    ),
    "description of a currency per therm": Departure(
        "oadrDistributeEvent of all sorts",
        "<oadr:itemDescription>currencyPerKWh<",
        "<oadr:itemDescription>currencyPerThm<",
        f"{SIGNAL}/currencyPerKWh/itemDescription",
        "'currencyPerThm', which the schema does not know",
        lambda message: _signal(message).measurement.description,
        "currencyPerThm",
    ),
}


@pytest.mark.parametrize("name", DEPARTURES)
def test_a_departure_is_understood_named_and_refused_by_a_strict_receiver(name: str) -> None:
    departure = DEPARTURES[name]
    refused(departure.text)
    found = leniently(departure.text)
    assert not found.valid
    assert told(found) == [(departure.place, departure.what)]
    if departure.value is None:
        assert found.message == strictly(DOCUMENTS[departure.name])
    else:
        assert departure.value(found.message) == departure.expected


@pytest.mark.parametrize("name", DEPARTURES)
def test_what_was_understood_can_be_told_to_a_handler_and_judged(name: str) -> None:
    found = leniently(DEPARTURES[name].text)
    assert to_dict(found.message)[0] == message_type(DEPARTURES[name].name)
    check_document(found)


def test_several_departures_are_all_named() -> None:
    text = document(payload("oadrCancelOpt").replace(' ei:schemaVersion="2.0b"', ' schemaVersion="2.0b"'))
    text = text.replace("<pyld:requestID>request-1</pyld:requestID>", "").replace("<ei:optID>", "<ei:x/><optID>")
    text = text.replace("</ei:optID>", "</optID>")
    found = leniently(text)
    assert told(found) == [
        ("oadrCancelOpt", "attribute schemaVersion without its namespace"),
        ("oadrCancelOpt", "unknown element x"),
        ("oadrCancelOpt", "optID for ei:optID"),
        ("oadrCancelOpt", "pyld:requestID is missing"),
    ]


def test_no_more_departures_are_named_than_anybody_reads() -> None:
    found = leniently(DOCUMENTS["oadrPoll"].replace("<ei:venID>", "<ei:x/>" * 5000 + "<ei:venID>"))
    assert len(found.forgiven) == 100
    assert found.message == strictly(DOCUMENTS["oadrPoll"])


def test_what_has_no_better_name_is_told_in_the_words_of_the_schema() -> None:
    found = leniently(DOCUMENTS["oadrPoll"].replace("<ei:venID>", '<ei:venID xsi:type="xs:date">'))
    ((place, what),) = told(found)
    assert place == "line 1"
    assert what.startswith("Element 'ei:venID'")
    assert "}date" in what


def forgivable() -> list[tuple[str, str, str, object]]:
    """What may be missing: a document, the path to the element, the field, and what is taken for it."""
    return [
        (name, "/".join(step.name for step in field.steps[: 1 if field.repeated else None]), field.name, field.forgiven)
        for name in DOCUMENTS
        for field in shape(PAYLOADS[message_type(name)]).fields
        if field.forgiven is not msgspec.UNSET
    ]


@pytest.mark.parametrize(("name", "path", "field", "taken"), forgivable())
def test_what_every_receiver_can_do_without_may_be_missing(name: str, path: str, field: str, taken: object) -> None:
    root = etree.fromstring(DOCUMENTS[name])
    missing = root[0][0].find(path, NAMESPACES)
    assert missing is not None
    remove(missing)
    text = etree.tostring(root, encoding="unicode")
    refused(text)
    found = leniently(text)
    assert getattr(found.message, field) == taken
    ((_, what),) = told(found)
    assert what.endswith("is missing")
    assert path.rpartition("/")[2] in what


def test_what_may_be_missing_is_what_the_answers_of_peers_lack() -> None:
    fields = {field for _, _, field, _ in forgivable()}
    assert fields >= {"request_id", "vtn_id", "profiles", "target", "pending_reports", "report_to_follow", "opt_id"}


def test_the_response_block_and_the_parts_of_an_event_may_lack_what_nobody_needs() -> None:
    text = DOCUMENTS["oadrResponse"].replace("<pyld:requestID>request-1</pyld:requestID>", "")
    refused(text)
    found = leniently(text)
    assert told(found) == [("oadrResponse/eiResponse", "pyld:requestID is missing")]
    assert found.message.response.request_id == ""  # type: ignore[attr-defined]

    text = DOCUMENTS["oadrDistributeEvent"].replace("<ei:eiTarget><ei:venID>ven-1</ei:venID></ei:eiTarget>", "")
    text = text.replace("<ei:signalID>signal-1</ei:signalID>", "")
    refused(text)
    found = leniently(text)
    assert told(found) == [(SIGNAL, "ei:signalID is missing"), (EVENT, "ei:eiTarget is missing")]
    assert _event(found.message).target == Target()
    assert _signal(found.message).signal_id == ""


# --- what is hopeless ------------------------------------------------------------------------------------------------

POLL: Final = payload("oadrPoll")

HOPELESS: Final = {
    "no payload": (document(""), "oadrSignedObject: there are 0 payloads, not one"),
    "two payloads": (document(POLL + POLL), "oadrSignedObject: there are 2 payloads, not one"),
    "no signed object": (
        '<oadrPayload xmlns="http://openadr.org/oadr-2.0b/2012/07"/>',
        "oadrPayload: there are 0 oadrSignedObject, not one",
    ),
    "two signed objects": (
        document(POLL).replace("</oadr:oadrPayload>", "<oadr:oadrSignedObject/></oadr:oadrPayload>"),
        "oadrPayload: there are 2 oadrSignedObject, not one",
    ),
    "unknown payload": (document("<oadr:oadrQuote/>"), f"{clark('oadr:oadrQuote')} is no payload of OpenADR 2.0b"),
    "payload without namespace": (document("<oadrPoll/>"), "oadrPoll is no payload of OpenADR 2.0b"),
    "unknown root": ("<html/>", "the root is html, not oadrPayload"),
    "profile 2.0a": (
        '<oadrRequestEvent xmlns="http://openadr.org/oadr-2.0a/2012/07"/>',
        "this is a document of the 2.0a profile",
    ),
    "venID is missing": (document("<oadr:oadrPoll/>"), "oadrPoll: ei:venID is missing"),
    "everything is missing": (
        document("<oadr:oadrCreatedEvent/>"),
        "oadrCreatedEvent: pyld:eiCreatedEvent/ei:eiResponse is missing",
    ),
    "event without descriptor": (
        DOCUMENTS["oadrDistributeEvent"].replace("eventDescriptor", "descriptor"),
        f"{EVENT}: ei:eventDescriptor is missing",
    ),
    "event without duration": (
        DOCUMENTS["oadrDistributeEvent"].replace(
            "<xcal:duration><xcal:duration>PT1H</xcal:duration></xcal:duration>", ""
        ),
        f"{PROPERTIES}: xcal:duration is missing",
    ),
    "signal without intervals": (
        DOCUMENTS["oadrDistributeEvent"].replace("ei:interval>", "ei:inter>"),
        f"{SIGNAL}/intervals: ei:interval is missing",
    ),
    "half a qualified event id": (
        DOCUMENTS["oadrCreateOpt for an event"].replace("<ei:modificationNumber>1</ei:modificationNumber>", ""),
        "oadrCreateOpt/qualifiedEventID: ei:modificationNumber is missing",
    ),
    "value that is no number": (
        DOCUMENTS["oadrDistributeEvent"].replace("<ei:value>2.0<", "<ei:value>high<"),
        f"{SIGNAL}/intervals/interval/signalPayload/payloadFloat/value: 'high' is no number",
    ),
    "number below zero": (
        DOCUMENTS["oadrDistributeEvent"].replace("<ei:modificationNumber>0<", "<ei:modificationNumber>-1<"),
        f"{DESCRIPTOR}/modificationNumber: -1 is not between 0 and 4294967295",
    ),
    "unknown status": (
        DOCUMENTS["oadrDistributeEvent"].replace(">far<", ">soon<"),
        f"{DESCRIPTOR}/eventStatus: 'soon' is none of none, far, near, active, completed, cancelled",
    ),
    "unknown opt type": (
        DOCUMENTS["oadrCreateOpt"].replace(">optOut<", ">maybe<"),
        "oadrCreateOpt/optType: 'maybe' is none of optIn, optOut",
    ),
    "duration that is none": (
        DOCUMENTS["oadrRegisterReport"].replace(">P1D<", ">a day<"),
        "oadrRegisterReport/oadrReport/duration/duration: 'a day' is no duration such as PT1H30M",
    ),
    "time that is none": (
        DOCUMENTS["oadrDistributeEvent"].replace("2026-11-20T12:00:00Z", "today"),
        f"{DESCRIPTOR}/createdDateTime: 'today' is no date and time such as 2026-11-20T12:00:00Z",
    ),
    "time before the year 1": (
        DOCUMENTS["oadrDistributeEvent"].replace("2026-11-20T12:00:00Z", "-0044-03-15T12:00:00Z"),
        "'-0044-03-15T12:00:00Z' is no date and time such as 2026-11-20T12:00:00Z",
    ),
    "currency without code": (
        DOCUMENTS["oadrDistributeEvent of all sorts"].replace("<oadr:itemUnits>EUR</oadr:itemUnits>", ""),
        f"{SIGNAL}/currencyPerKWh: oadr:itemUnits is missing",
    ),
    "unit that nobody chose": (
        DOCUMENTS["oadrRegisterReport"].replace(' xsi:type="power:PowerRealType"', ""),
        f"{POINT}/powerItem: no xsi:type says which unit is meant",
    ),
    "unit of another namespace that nobody chose": (
        DOCUMENTS["oadrRegisterReport"].replace("power:powerItem", "oadr:powerItem").replace("xsi:type", "xsi:kind"),
        f"{POINT}/powerItem: no xsi:type says which unit is meant",
    ),
    "unknown scale": (
        DOCUMENTS["oadrRegisterReport"].replace(">k<", ">kilo<"),
        f"{POINT}/powerReal/siScaleCode: 'kilo' is none of p, n, micro, m, c, d, k, M, G, T, none",
    ),
    "pulses that stand for nothing": (
        DOCUMENTS["oadrRegisterReport"].replace(">0.125<", ">many<"),
        f"{POINT}/pulseCount/pulseFactor: 'many' is no number",
    ),
    "Green Button without feed": (
        DOCUMENTS["oadrUpdateReport of Green Button"].replace("atom:feed", "atom:fed"),
        "oadrUpdateReport/oadrReport/intervals/interval/oadrGBPayload: atom:feed is missing",
    ),
}
"""Documents of which nothing can be made, and what a lenient receiver says."""


@pytest.mark.parametrize("name", HOPELESS)
def test_a_hopeless_document_is_refused_in_both_modes(name: str) -> None:
    text, why = HOPELESS[name]
    refused(text)
    with pytest.raises(SchemaError) as caught:
        leniently(text)
    assert str(caught.value) == why


# --- any document ----------------------------------------------------------------------------------------------------


def read_in_some_way(text: str) -> None:
    """Read a document leniently: it gives a message that the rest of the package can live with, or a SchemaError."""
    try:
        found = leniently(text)
    except SchemaError:
        return
    assert found.valid == (found.forgiven == ())
    assert to_dict(found.message)[0] in PAYLOADS
    check_document(found)
    with suppress(LocalProtocolError):  # what was kept raw is not sent on
        strictly(envelope.encode(found.message).decode())


@pytest.mark.parametrize("name", DOCUMENTS)
@given(seed=st.integers(0, 2**32))
def test_a_changed_document_gives_a_message_or_a_schema_error(name: str, seed: int) -> None:
    read_in_some_way(Mutator(seed, TEXTS, ATTRIBUTES).mutant(DOCUMENTS[name]).text)


@given(message=payloads(), seed=st.integers(0, 2**32))
def test_a_changed_message_gives_a_message_or_a_schema_error(message: Payload, seed: int) -> None:
    read_in_some_way(Mutator(seed, TEXTS, ATTRIBUTES).mutant(envelope.encode(message).decode()).text)
