"""EiEvent: what a VTN asks of its VENs (section 8.1, rules 1 to 116)."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from oadr_core.messages.common import (
    DATE_TIME_PROPERTY,
    DURATION_PROPERTY,
    MARKET_CONTEXT,
    PAYLOAD_FLOAT,
    RESPONSE_CODE,
    CalendarProperties,
    EiResponse,
    Interval,
)
from oadr_core.messages.declare import At, Part, Payload
from oadr_core.messages.durations import Duration, add_duration, as_timedelta, is_zero, subtract_duration
from oadr_core.messages.enums import EventStatus, OptType, ResponseRequired, SignalName, SignalType
from oadr_core.messages.targets import Target
from oadr_core.messages.units import ITEM_BASE, GreenButtonDescription, Measurement


class EventDescriptor(Part, frozen=True, kw_only=True):
    """What an event is.

    :param event_id: unique within the VEN (rule 70).
    :param modification_number: 0 at first, one more at each change (rules 4 and 5).
    :param modification_date_time: when it was last changed.
    :param modification_reason: why it was last changed.
    :param priority: 1 is the most urgent; 0 or absent the least (rule 3, decision D15).
    :param market_context: the program it belongs to, a URI.
    :param created_date_time: when the payload was made (rule 115).
    :param event_status: where it stands at ``created_date_time``.
    :param test_event: any text but ``false`` makes it a test (rule 6); absent and empty are normal (decision D33).
    :param vtn_comment: free text.
    """

    __schema_type__ = "ei:eventDescriptorType"

    event_id: Annotated[str, At("ei:eventID")]
    modification_number: Annotated[int, At("ei:modificationNumber")]
    modification_date_time: Annotated[datetime | None, At("ei:modificationDateTime~?")] = None
    modification_reason: Annotated[str | None, At("ei:modificationReason~?")] = None
    priority: Annotated[int | None, At("ei:priority~?")] = None
    market_context: Annotated[str, At("ei:eiMarketContext~/emix:marketContext", MARKET_CONTEXT)]
    created_date_time: Annotated[datetime, At("ei:createdDateTime")]
    event_status: Annotated[EventStatus, At("ei:eventStatus")]
    test_event: Annotated[str | None, At("ei:testEvent~?")] = None
    vtn_comment: Annotated[str | None, At("ei:vtnComment~?")] = None

    @property
    def is_test(self) -> bool:
        """Whether the event is a test, which any text but ``false`` makes it (rule 6, decision D33)."""
        return self.test_event not in (None, "", "false")


class ActivePeriod(CalendarProperties, frozen=True, kw_only=True):
    """When an event takes place."""

    __schema_type__ = "ei:eiActivePeriodType"

    __trailing__ = ("xcal:components",)


class EventSignal(Part, frozen=True, kw_only=True):
    """One thing that an event asks for, interval by interval (rule 104).

    :param intervals: what is asked for when; their durations total the active period (rule 8).
    :param target: the device classes it is meant for, and nothing else (rule 111).
    :param signal_name: one of :class:`~oadr_core.messages.enums.SignalName`, or an ``x-`` text.
    :param signal_type: how the values are meant, one of :class:`~oadr_core.messages.enums.SignalType`; from a lenient
        receiver it may be any text (decision D12).
    :param signal_id: unique within the event (rule 107).
    :param measurement: the unit of the values, where the signal has one.
    :param current_value: what holds now (rules 14, 29 and 110).
    """

    __schema_type__ = "ei:eiEventSignalType"

    intervals: Annotated[tuple[Interval, ...], At("strm:intervals/ei:interval+")]
    target: Annotated[Target | None, At("ei:eiTarget?")] = None
    signal_name: Annotated[str, At("ei:signalName", SignalName)]
    signal_type: Annotated[str, At("ei:signalType", SignalType)]
    signal_id: Annotated[str, At("ei:signalID~", forgiven="")]
    measurement: Annotated[Measurement | GreenButtonDescription | None, At("emix:itemBase?", ITEM_BASE)] = None
    current_value: Annotated[float | None, At("ei:currentValue?/ei:payloadFloat", PAYLOAD_FLOAT)] = None


def urgency(descriptor: EventDescriptor) -> int:
    """Tell how urgent an event is: the lower, the more; no priority, or 0, is the least (rule 3, decision D15)."""
    return descriptor.priority or 2**32


def latest_end(period: ActivePeriod) -> datetime | None:
    """Find when the last of those that start at random have ended (rules 30, 47 and 66).

    :param period: the active period of an event.
    :returns: its end, and the window for random starts after it; None for an open-ended event.
    """
    if is_zero(period.duration):
        return None
    end = add_duration(period.dtstart, period.duration)
    if period.tolerance is not None and period.tolerance.tolerate.startafter is not None:
        end = add_duration(end, period.tolerance.tolerate.startafter)
    return end


_SHARE: Final = 0.2
"""What share of an event may pass between two polls."""


def outruns(period: ActivePeriod, interval: timedelta) -> bool:
    """Tell whether an event is too short for those that poll so seldom: its end could come before the news (rule 500).

    :param period: the active period of the event.
    :param interval: the time between two polls.
    """
    length = as_timedelta(period.duration, period.dtstart)
    return timedelta(0) < length * _SHARE < interval


def status_at(period: ActivePeriod, now: datetime) -> EventStatus:
    """Find where an event stands at a time: far, near, active or completed (rules 13 and 47).

    :param period: its active period. An event is near from the beginning of its ramp-up on, and not at all where the
        ramp-up is absent, zero or negative, and so has no part before the start; one without end is never completed.
    :param now: the time.
    """
    if now < period.dtstart:
        ramps_up = period.ramp_up is not None and subtract_duration(period.dtstart, period.ramp_up) <= now
        return EventStatus.NEAR if ramps_up else EventStatus.FAR
    if is_zero(period.duration) or now < add_duration(period.dtstart, period.duration):
        return EventStatus.ACTIVE
    return EventStatus.COMPLETED


def value_at(signal: EventSignal, period: ActivePeriod, now: datetime) -> float | None:
    """Find the value of a signal at a time: that of the interval in which it lies.

    :param signal: the signal.
    :param period: the active period, at whose start the first interval begins.
    :param now: the time.
    :returns: None before the start, and after the last interval; one of no length never ends (decision D32).
    """
    begin = period.dtstart
    if now < begin:
        return None
    for interval in signal.intervals:
        if interval.duration is None or is_zero(interval.duration):
            return interval.signal_value
        begin = add_duration(begin, interval.duration)
        if now < begin:
            return interval.signal_value
    return None


class EventBaseline(Part, frozen=True, kw_only=True):
    """The load that would have been without the event (rules 100 to 103 and 108)."""

    __schema_type__ = "ei:eiEventBaselineType"

    dtstart: Annotated[datetime, At("xcal:dtstart", DATE_TIME_PROPERTY)]
    duration: Annotated[Duration, At("xcal:duration", DURATION_PROPERTY)]
    intervals: Annotated[tuple[Interval, ...], At("strm:intervals/ei:interval+")]
    baseline_id: Annotated[str, At("ei:baselineID~")]
    resource_id: Annotated[tuple[str, ...], At("ei:resourceID*")] = ()
    baseline_name: Annotated[str, At("ei:baselineName~")]
    measurement: Annotated[Measurement | GreenButtonDescription | None, At("emix:itemBase?", ITEM_BASE)] = None


class EiEvent(Part, frozen=True, kw_only=True):
    """A demand response event: the elements ``oadrEvent`` and ``eiEvent`` in one.

    :param event_descriptor: what it is.
    :param active_period: when it takes place.
    :param event_signals: what it asks for.
    :param event_baseline: the load that would have been without it.
    :param target: whom it is meant for; empty means the receiver (rule 22).
    :param response_required: whether it must be answered.
    """

    event_descriptor: Annotated[EventDescriptor, At("ei:eiEvent/ei:eventDescriptor")]
    active_period: Annotated[ActivePeriod, At("ei:eiEvent/ei:eiActivePeriod")]
    event_signals: Annotated[tuple[EventSignal, ...], At("ei:eiEvent/ei:eiEventSignals/ei:eiEventSignal+")]
    event_baseline: Annotated[EventBaseline | None, At("ei:eiEvent/ei:eiEventSignals/ei:eiEventBaseline?")] = None
    target: Annotated[Target, At("ei:eiEvent/ei:eiTarget", forgiven=Target())] = Target()
    response_required: Annotated[ResponseRequired, At("oadr:oadrResponseRequired")] = ResponseRequired.ALWAYS


class RequestEvent(Payload, frozen=True, kw_only=True):
    """A VEN asks for all its events.

    :param request_id: any text, echoed in the answer.
    :param ven_id: the sender.
    :param reply_limit: how many events the answer may hold (rule 27); our VEN sends none (decision D30).
    """

    __element__ = "oadr:oadrRequestEvent"
    __schema_type__ = "oadr:oadrRequestEventType"

    request_id: Annotated[str, At("pyld:eiRequestEvent/pyld:requestID", forgiven="")]
    ven_id: Annotated[str, At("pyld:eiRequestEvent/ei:venID")]
    reply_limit: Annotated[int | None, At("pyld:eiRequestEvent/pyld:replyLimit?")] = None


class DistributeEvent(Payload, frozen=True, kw_only=True):
    """A VTN tells a VEN all its events (rules 15, 40, 41 and 50).

    :param response: how the request fared that this answers; absent in push.
    :param request_id: never empty; echoed in each event response.
    :param vtn_id: the sender.
    :param events: all that are far, near or active, and the cancelled ones not yet acknowledged.
    """

    __element__ = "oadr:oadrDistributeEvent"
    __schema_type__ = "oadr:oadrDistributeEventType"

    response: Annotated[EiResponse | None, At("ei:eiResponse?")] = None
    request_id: Annotated[str, At("pyld:requestID", forgiven="")]
    vtn_id: Annotated[str, At("ei:vtnID", forgiven="")]
    events: Annotated[tuple[EiEvent, ...], At("oadr:oadrEvent~*")] = ()


class EventResponse(Part, frozen=True, kw_only=True):
    """A VEN's answer to one event (rules 12, 42 and 48).

    :param response_code: 200, or what is wrong with the event.
    :param response_description: free text.
    :param request_id: the requestID of the oadrDistributeEvent that brought the event.
    :param event_id: the event.
    :param modification_number: the modification that is answered.
    :param opt_type: whether the VEN takes part.
    """

    response_code: Annotated[int, At("ei:responseCode", RESPONSE_CODE)] = 200
    response_description: Annotated[str | None, At("ei:responseDescription?")] = None
    request_id: Annotated[str, At("pyld:requestID", forgiven="")]
    event_id: Annotated[str, At("ei:qualifiedEventID/ei:eventID")]
    modification_number: Annotated[int, At("ei:qualifiedEventID/ei:modificationNumber")]
    opt_type: Annotated[OptType, At("ei:optType")]


class CreatedEvent(Payload, frozen=True, kw_only=True):
    """A VEN answers events.

    :param response: its requestID is empty where event responses are present (rule 42).
    :param event_responses: one for each event that needs an answer; None only where ``response`` is an error (rule 35).
    :param ven_id: the sender.
    """

    __element__ = "oadr:oadrCreatedEvent"
    __schema_type__ = "oadr:oadrCreatedEventType"

    response: Annotated[EiResponse, At("pyld:eiCreatedEvent/ei:eiResponse")]
    event_responses: Annotated[
        tuple[EventResponse, ...] | None, At("pyld:eiCreatedEvent/ei:eventResponses?/ei:eventResponse~*")
    ] = None
    ven_id: Annotated[str, At("pyld:eiCreatedEvent/ei:venID")]
