"""Whether a resource of a VEN is available at a time, and why, by all that the VEN has said (sections 8.1 and 8.5)."""

from datetime import datetime
from enum import StrEnum

import msgspec

from oadr_core.codes import is_success
from oadr_core.messages import CreateOpt, OptType, Target
from oadr_core.messages.uris import normal_uri
from oadr_core.state.opts import Scope
from oadr_core.state.vtn import VenRecord


class Why(StrEnum):
    """What decides whether a resource is available."""

    EVENT_OPT = "an opt for the event"
    EVENT_ANSWER = "the answer to the event"
    SCHEDULE = "a schedule"
    NOTHING = "nothing was said"


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a resource is available.

    :param available: whether it is.
    :param why: what decides so.
    :param opt: the oadrCreateOpt that decides so, where one does.
    """

    available: bool
    why: Why
    opt: CreateOpt | None = None


def availability(
    record: VenRecord,
    at: datetime,
    resource: str | Target | None = None,
    *,
    event_id: str | None = None,
    market_context: str | None = None,
    device_class: str | None = None,
    otherwise: bool = True,
    overlap: OptType = OptType.OPT_OUT,
) -> Availability:
    """Tell whether a resource of a VEN is available, by all that the VEN has said.

    What it said about an event goes before its schedules, and of that an opt before the answer to the event (rule 206),
    unless that says that the event cannot be carried out: then nothing of the VEN is available for it. A schedule that
    is limited to a program, to resources or to device classes counts for these alone.

    :param record: the VEN.
    :param at: the time, now or later; what a schedule has superseded is not remembered.
    :param resource: its resourceID, or all that it can be targeted by, such as its groups; None for the whole VEN.
    :param event_id: the event that it is to take part in.
    :param market_context: the program that it is to take part in (rule 205).
    :param device_class: the class of the devices in question (rule 209).
    :param otherwise: whether it is available where the VEN has said nothing (rule 201).
    :param overlap: which counts where schedules opt it both in and out (rule 201).
    """
    target = Target(resource_id=(resource,)) if isinstance(resource, str) else resource or Target()
    classes = () if device_class is None else (device_class,)
    asked = Scope(target=msgspec.structs.replace(target, ven_id=()), device_classes=classes)
    if event_id is not None:
        said = _about_event(record, event_id, asked)
        if said is not None:
            return said
    asked = msgspec.structs.replace(asked, market_context=normal_uri(market_context) if market_context else None)
    for opt_type in sorted(OptType, key=lambda one: one is not overlap):
        opt = record.opts.scheduled(opt_type, asked, at)
        if opt is not None:
            return Availability(available=opt_type is OptType.OPT_IN, why=Why.SCHEDULE, opt=opt)
    return Availability(available=otherwise, why=Why.NOTHING)


def _about_event(record: VenRecord, event_id: str, asked: Scope) -> Availability | None:
    opt = record.opts.for_event(event_id, asked)
    answer = next((one for one in record.standings if one.event_id == event_id and one.opt_type is not None), None)
    fails = answer is not None and not is_success(answer.code)
    if opt is not None and (opt.opt_type is OptType.OPT_OUT or not fails):
        return Availability(available=opt.opt_type is OptType.OPT_IN, why=Why.EVENT_OPT, opt=opt)
    if answer is None:
        return None
    return Availability(available=answer.opt_type is OptType.OPT_IN and not fails, why=Why.EVENT_ANSWER)
