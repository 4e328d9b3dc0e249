"""The events of a VEN as they stand at present: by its own clock, with its own answer, in the order of the rules."""

from datetime import datetime

import msgspec

from oadr_core.messages import CreateOpt, EiEvent, EventStatus, OptType, urgency
from oadr_core.outputs import EventPhase, PresentSignal
from oadr_core.state.ven import EndingEvent, KnownEvent, VenState
from oadr_core.ven.event_schedule import schedule_of


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it stands at present for a VEN.

    :param event_id: the event.
    :param modification_number: its modification.
    :param event: the event as the VTN listed it last.
    :param status: where it stands by our own clock (rule 114, decision D35).
    :param phase: what the load does; None before the ramp-up and after the recovery.
    :param start: when it begins for us, the random part of the start included (rule 30).
    :param end: when it ends for us; None for an event without end.
    :param signals: what each signal asks for; nothing while it is not active.
    :param until: how long all this holds; None where nothing more changes.
    :param opt_type: whether we take part; None while the application decides.
    :param code: the code of our answer.
    :param description: the text of our answer.
    :param opts: what oadrCreateOpt says about parts of it, the latest last (rule 206).
    :param cancelled: whether it was cancelled, and goes on until its random end (rule 65).
    """

    event_id: str
    modification_number: int
    event: EiEvent
    status: EventStatus
    phase: EventPhase | None
    start: datetime
    end: datetime | None
    signals: tuple[PresentSignal, ...] = ()
    until: datetime | None = None
    opt_type: OptType | None = None
    code: int = 200
    description: str | None = None
    opts: tuple[CreateOpt, ...] = ()
    cancelled: bool = False

    @property
    def interval(self) -> int | None:
        """The number of the running interval of its first signal, from 0; None while it is not active."""
        return self.signals[0].interval if self.signals else None


def event_views(state: VenState, now: datetime) -> tuple[EventView, ...]:
    """Show the events that a VEN knows, in the order of rule 15: active ones first, the most urgent of them at the top.

    :param state: what the VEN remembers.
    :param now: the present.
    """
    known: tuple[KnownEvent | EndingEvent, ...] = (*state.events, *state.ending)
    return tuple(sorted((_view(one, state, now) for one in known), key=_place))


def _view(known: KnownEvent | EndingEvent, state: VenState, now: datetime) -> EventView:
    schedule = schedule_of(known)
    view = EventView(
        event_id=known.event_id,
        modification_number=known.event.event_descriptor.modification_number,
        event=known.event,
        status=schedule.status(now),
        phase=schedule.phase(now),
        start=schedule.start,
        end=schedule.end,
        signals=schedule.signals(now),
        until=schedule.until(now),
    )
    if isinstance(known, EndingEvent):  # only what we take part in has to end
        return msgspec.structs.replace(view, end=known.ends_at, opt_type=OptType.OPT_IN, cancelled=True)
    return msgspec.structs.replace(
        view,
        opt_type=known.opt_type,
        code=known.code,
        description=known.description,
        opts=tuple(one for one in state.opts.event_opts if one.event_id == known.event_id),
    )


def _place(view: EventView) -> tuple[int, int, datetime, str]:
    group = {EventStatus.ACTIVE: 0, EventStatus.COMPLETED: 2, EventStatus.CANCELLED: 2}.get(view.status, 1)
    return group, urgency(view.event.event_descriptor) if group == 0 else 0, view.start, view.event_id
