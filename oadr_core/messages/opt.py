"""EiOpt: a VEN's availability, and its opt changes for events (section 8.5, rules 200 to 211)."""

from datetime import datetime
from typing import Annotated

from oadr_core.messages.common import MARKET_CONTEXT, CalendarProperties, EiResponse
from oadr_core.messages.declare import At, Part, Payload
from oadr_core.messages.enums import OptReason, OptType
from oadr_core.messages.targets import Target


class Available(CalendarProperties, frozen=True, kw_only=True):
    """A stretch of an availability schedule; a duration of zero is open-ended (rule 210)."""

    __schema_type__ = "xcal:AvailableType"


class Vavailability(Part, frozen=True, kw_only=True):
    """An availability schedule."""

    __schema_type__ = "xcal:VavailabilityType"

    components: Annotated[tuple[Available, ...], At("xcal:components~/xcal:available*")] = ()


class CreateOpt(Payload, frozen=True, kw_only=True):
    """A VEN opts in or out: for one event, or by a schedule (rule 206).

    :param opt_id: made by the VEN; need not be unique (rule 204).
    :param opt_type: in or out.
    :param opt_reason: one of :class:`~oadr_core.messages.enums.OptReason`, or an ``x-`` text.
    :param market_context: limits a schedule to the events of a program (rule 205).
    :param ven_id: the sender.
    :param vavailability: the schedule; absent where an event is named.
    :param created_date_time: when it was made.
    :param request_id: may be empty (rule 207).
    :param event_id: the event; absent in a schedule.
    :param modification_number: its modification; absent in a schedule.
    :param target: which resources; empty means all (rules 202 and 206).
    :param device_class: which device classes (rule 209).
    """

    __element__ = "oadr:oadrCreateOpt"
    __schema_type__ = "oadr:oadrCreateOptType"

    opt_id: Annotated[str, At("ei:optID")]
    opt_type: Annotated[OptType, At("ei:optType")]
    opt_reason: Annotated[str, At("ei:optReason", OptReason)]
    market_context: Annotated[str | None, At("emix:marketContext?", MARKET_CONTEXT)] = None
    ven_id: Annotated[str, At("ei:venID")]
    vavailability: Annotated[Vavailability | None, At("xcal:vavailability?")] = None
    created_date_time: Annotated[datetime, At("ei:createdDateTime")]
    request_id: Annotated[str, At("pyld:requestID", forgiven="")] = ""
    event_id: Annotated[str | None, At("ei:qualifiedEventID?/ei:eventID")] = None
    modification_number: Annotated[int | None, At("ei:qualifiedEventID?/ei:modificationNumber")] = None
    target: Annotated[Target, At("ei:eiTarget", forgiven=Target())] = Target()
    device_class: Annotated[Target | None, At("oadr:oadrDeviceClass?")] = None


class CreatedOpt(Payload, frozen=True, kw_only=True):
    """The answer to oadrCreateOpt."""

    __element__ = "oadr:oadrCreatedOpt"
    __schema_type__ = "oadr:oadrCreatedOptType"

    response: Annotated[EiResponse, At("ei:eiResponse")]
    opt_id: Annotated[str, At("ei:optID", forgiven="")]


class CancelOpt(Payload, frozen=True, kw_only=True):
    """A VEN takes a schedule back (rule 211)."""

    __element__ = "oadr:oadrCancelOpt"
    __schema_type__ = "oadr:oadrCancelOptType"

    request_id: Annotated[str, At("pyld:requestID", forgiven="")] = ""
    opt_id: Annotated[str, At("ei:optID")]
    ven_id: Annotated[str, At("ei:venID")]


class CanceledOpt(Payload, frozen=True, kw_only=True):
    """The answer to oadrCancelOpt."""

    __element__ = "oadr:oadrCanceledOpt"
    __schema_type__ = "oadr:oadrCanceledOptType"

    response: Annotated[EiResponse, At("ei:eiResponse")]
    opt_id: Annotated[str | None, At("ei:optID?")] = None
