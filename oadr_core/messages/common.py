"""Parts that several services share: the response block, intervals and their payloads, calendar properties."""

from datetime import datetime
from typing import Annotated, Final, TypeAlias

from oadr_core.codes import is_success
from oadr_core.messages.declare import (
    BOOLEAN,
    DATE_TIME,
    DURATION,
    FLOAT,
    STRING,
    At,
    Feed,
    Group,
    Part,
    Property,
    Scalar,
)
from oadr_core.messages.durations import Duration
from oadr_core.messages.enums import DataQuality

DATE_TIME_PROPERTY: Final = Property(None, "xcal:date-time", DATE_TIME)
DURATION_PROPERTY: Final = Property("xcal:DurationPropType", "xcal:duration~", DURATION)
TEXT_PROPERTY: Final = Property(None, "xcal:text", STRING)
UNIQUE_ID: Final = Scalar("string", "ei:UidType", "xs:string")
MARKET_CONTEXT: Final = Scalar("uri", "emix:MarketContextType", "xs:anyURI")
RESPONSE_CODE: Final = Scalar("code", "ei:ResponseCodeType", "xs:string", (("pattern", "[0-9][0-9][0-9]"),))
CONFIDENCE: Final = Scalar(
    "integer", "ei:ConfidenceType", "xs:unsignedInt", (("minInclusive", "0"), ("maxInclusive", "100"))
)
ACCURACY: Final = Scalar("float", "ei:AccuracyType", "xs:float")


class EiResponse(Part, frozen=True, kw_only=True):
    """How a request fared.

    :param response_code: three digits: 2xx success, 4xx the requester's error, 5xx the responder's; see
        :class:`~oadr_core.codes.ResponseCode`.
    :param response_description: free text.
    :param request_id: the requestID of the request; empty where it had none (section 8 of the profile).
    """

    __schema_type__ = "ei:EiResponseType"

    response_code: Annotated[int, At("ei:responseCode", RESPONSE_CODE)] = 200
    response_description: Annotated[str | None, At("ei:responseDescription?")] = None
    request_id: Annotated[str, At("pyld:requestID", forgiven="")] = ""

    @property
    def ok(self) -> bool:
        """Whether the code is of the success group."""
        return is_success(self.response_code)


class CalendarProperties(Part, frozen=True, kw_only=True):
    """When something takes place (section 8.1 of the profile).

    :param dtstart: when it begins.
    :param duration: how long it takes; zero means without end.
    :param tolerance: the window for a random start; in events alone (rules 30, 200 and 321).
    :param notification: how long before ``dtstart`` it is announced; in events alone, and required there (rule 105).
    :param ramp_up: the time to reach the requested state: before the start if positive, after it if negative.
    :param recovery: the time to go back: after the end if positive, before it if negative.
    """

    dtstart: Annotated[datetime, At("xcal:properties/xcal:dtstart", DATE_TIME_PROPERTY)]
    duration: Annotated[Duration, At("xcal:properties/xcal:duration", DURATION_PROPERTY)]
    tolerance: Annotated["Tolerance | None", At("xcal:properties/xcal:tolerance~?")] = None
    notification: Annotated[Duration | None, At("xcal:properties/ei:x-eiNotification?", DURATION_PROPERTY)] = None
    ramp_up: Annotated[Duration | None, At("xcal:properties/ei:x-eiRampUp?", DURATION_PROPERTY)] = None
    recovery: Annotated[Duration | None, At("xcal:properties/ei:x-eiRecovery?", DURATION_PROPERTY)] = None


class Tolerance(Part, frozen=True, kw_only=True):
    """How far the start of an event may be put off."""

    tolerate: Annotated["Tolerate", At("xcal:tolerate~")]


class Tolerate(Part, frozen=True, kw_only=True):
    """How far the start of an event may be put off.

    :param startafter: the width of the window in which each VEN picks its own random start (rule 30).
    """

    startafter: Annotated[Duration | None, At("xcal:startafter~?")] = None


class LoadControlState(Part, frozen=True, kw_only=True):
    """One quantity of a resource's load control state (rule 334)."""

    __schema_type__ = "oadr:oadrLoadControlStateTypeType"

    min: Annotated[float | None, At("oadr:oadrMin~?")] = None
    max: Annotated[float | None, At("oadr:oadrMax~?")] = None
    current: Annotated[float, At("oadr:oadrCurrent~")]
    normal: Annotated[float | None, At("oadr:oadrNormal~?")] = None


class LoadControl(Part, frozen=True, kw_only=True):
    """The load control state of a resource; its quantities mirror the signal LOAD_CONTROL (rule 334)."""

    __schema_type__ = "oadr:oadrLoadControlStateType"

    capacity: Annotated[LoadControlState | None, At("oadr:oadrCapacity~?")] = None
    level_offset: Annotated[LoadControlState | None, At("oadr:oadrLevelOffset~?")] = None
    percent_offset: Annotated[LoadControlState | None, At("oadr:oadrPercentOffset~?")] = None
    set_point: Annotated[LoadControlState | None, At("oadr:oadrSetPoint~?")] = None


class ResourceStatus(Part, frozen=True, kw_only=True):
    """The value of a TELEMETRY_STATUS data point (rule 331).

    :param online: whether the resource can be reached.
    :param manual_override: whether somebody has taken it out of control.
    :param load_control_state: what it can do and does now.
    """

    __schema_type__ = "oadr:oadrPayloadResourceStatusType"

    online: Annotated[bool, At("oadr:oadrOnline~", BOOLEAN)]
    manual_override: Annotated[bool, At("oadr:oadrManualOverride~", BOOLEAN)]
    load_control_state: Annotated[LoadControl | None, At("oadr:oadrLoadControlState?")] = None


PAYLOAD_FLOAT: Final = Property("ei:PayloadFloatType", "ei:value~", FLOAT)
PAYLOAD_BASE: Final = Group(
    "ei:payloadBase",
    "ei:PayloadBaseType",
    {"ei:payloadFloat": PAYLOAD_FLOAT, "oadr:oadrPayloadResourceStatus": ResourceStatus},
)


class SignalPayload(Part, frozen=True, kw_only=True):
    """The value of a signal in an interval; a float by rule 100, though the schema admits a status as well."""

    __schema_type__ = "ei:signalPayloadType"

    value: Annotated[float | ResourceStatus, At("ei:payloadBase", PAYLOAD_BASE)]


class ReportPayload(Part, frozen=True, kw_only=True):
    """The value of a data point in an interval.

    :param r_id: the data point.
    :param confidence: from 0 to 100 (decision D13).
    :param accuracy: in the unit of the value; not for a status (rule 319).
    :param value: a number, or the status of a resource.
    :param data_quality: one of :class:`~oadr_core.messages.enums.DataQuality`, or an ``x-`` text.
    """

    __schema_type__ = "oadr:oadrReportPayloadType"

    r_id: Annotated[str, At("ei:rID")]
    confidence: Annotated[int | None, At("ei:confidence?", CONFIDENCE)] = None
    accuracy: Annotated[float | None, At("ei:accuracy?", ACCURACY)] = None
    value: Annotated[float | ResourceStatus, At("ei:payloadBase", PAYLOAD_BASE)]
    data_quality: Annotated[str | None, At("oadr:oadrDataQuality?", DataQuality)] = None


class GreenButtonPayload(Part, frozen=True, kw_only=True):
    """Green Button data: an Atom feed of ESPI resources, carried whole.

    :param feed: the ``atom:feed`` element as XML text.
    """

    __schema_type__ = "oadr:oadrGBStreamPayloadBase"

    feed: Annotated[str, At("atom:feed", Feed())]


StreamPayload: TypeAlias = SignalPayload | ReportPayload | GreenButtonPayload

STREAM_PAYLOAD: Final = Group(
    "strm:streamPayloadBase",
    "strm:StreamPayloadBaseType",
    {
        "ei:signalPayload": SignalPayload,
        "oadr:oadrReportPayload": ReportPayload,
        "oadr:oadrGBPayload": GreenButtonPayload,
    },
)


class Interval(Part, frozen=True, kw_only=True):
    """A stretch of time and what holds in it.

    :param dtstart: when it begins; in reports alone (rule 103). Without it the interval follows the one before.
    :param duration: how long it takes; without it the value holds at ``dtstart`` (rule 315).
    :param uid: its number, from 0; required in signals (rule 2).
    :param payloads: one value for a signal (rule 100), one for each data point in a report.
    """

    __schema_type__ = "ei:IntervalType"

    dtstart: Annotated[datetime | None, At("xcal:dtstart?", DATE_TIME_PROPERTY)] = None
    duration: Annotated[Duration | None, At("xcal:duration?", DURATION_PROPERTY)] = None
    uid: Annotated[str | None, At("xcal:uid?", TEXT_PROPERTY)] = None
    payloads: Annotated[tuple[StreamPayload, ...], At("strm:streamPayloadBase+", STREAM_PAYLOAD)]

    @property
    def signal_value(self) -> float | None:
        """The number that a signal asks for in this interval, or None where it holds no such number."""
        for payload in self.payloads:
            if isinstance(payload, SignalPayload) and isinstance(payload.value, float | int):
                return float(payload.value)
        return None


def signal_interval(uid: int, duration: Duration, value: float) -> Interval:
    """Build an interval of a signal as rules 2, 100, 102 and 103 want it."""
    return Interval(duration=duration, uid=str(uid), payloads=(SignalPayload(value=float(value)),))
