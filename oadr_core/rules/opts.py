"""Rules about opts: 200 to 211."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from oadr_core.codes import ResponseCode
from oadr_core.messages import (
    Available,
    CancelOpt,
    CreateOpt,
    DistributeEvent,
    EiEvent,
    Payload,
    ResponseRequired,
    add_duration,
    as_timedelta,
    is_zero,
)
from oadr_core.rules.events import device_classes_only
from oadr_core.rules.registry import Fault, rule, within
from oadr_core.rules.trace import Dialogue, Exchange, Role

# --- single messages -------------------------------------------------------------------------------------------------


@rule("R200", Available)
def bare_schedule(available: Available) -> Iterator[Fault]:
    """A schedule has no tolerance, notification, ramp-up or recovery."""
    for name in ("tolerance", "notification", "ramp_up", "recovery"):
        if getattr(available, name) is not None:
            yield Fault(f"{name} in a schedule", "it does not belong there", name)


@rule("R204", CreateOpt)
@rule("R204", CancelOpt)
def opt_id(message: CreateOpt | CancelOpt) -> Iterator[Fault]:
    """An opt has an id."""
    if not message.opt_id:
        yield Fault("an empty optID", "it has a value", "opt_id")


@rule("R206", CreateOpt)
def one_shape(message: CreateOpt) -> Iterator[Fault]:
    """An opt names an event or holds a schedule, not both."""
    if (message.event_id is None) == (message.vavailability is None):
        found = "neither an event nor a schedule" if message.event_id is None else "an event and a schedule"
        yield Fault(found, "it is one of them")
    if message.event_id is not None and message.market_context is not None:
        yield Fault("a marketContext beside an event", "it belongs to schedules", "market_context")


@rule("R209", CreateOpt)
def device_class(message: CreateOpt) -> Iterator[Fault]:
    """The device class of an opt names device classes and nothing else, or is left out."""
    if message.device_class is not None:
        yield from within("device_class", device_classes_only(message.device_class))


@rule("R210", Available)
def length_of_stretch(available: Available) -> Iterator[Fault]:
    """A stretch of a schedule has a length, or zero for no end."""
    if as_timedelta(available.duration, available.dtstart) < timedelta(0):
        yield Fault("a negative duration", "zero is open-ended, and nothing is shorter", "duration")


# --- dialogues -------------------------------------------------------------------------------------------------------


def _opts(dialogue: Dialogue) -> Iterator[tuple[int, Exchange, CreateOpt | CancelOpt]]:
    """Every exchange in which a VEN creates or cancels an opt, with its number."""
    for number, exchange in dialogue.exchanges:
        if exchange.requester is Role.VEN and isinstance(exchange.request, CreateOpt | CancelOpt):
            yield number, exchange, exchange.request


def _code(exchange: Exchange) -> int:
    """The code of the answer; 0 where it was lost."""
    response = getattr(exchange.answer, "response", None)
    return 0 if response is None else int(response.response_code)


def _is_taken(exchange: Exchange) -> bool:
    return 200 <= _code(exchange) < 300


@rule("R206", Dialogue)
def opts_for_events(dialogue: Dialogue) -> Iterator[Fault]:
    """An opt for an event is about one that takes answers, and about its targets alone."""
    listed: dict[tuple[str, int], list[EiEvent]] = {}
    for number, exchange in dialogue.exchanges:
        for _, _, message in exchange.said:
            for event in message.events if isinstance(message, DistributeEvent) else ():
                key = (event.event_descriptor.event_id, event.event_descriptor.modification_number)
                listed.setdefault(key, []).append(event)
        opt = exchange.request
        if exchange.requester is not Role.VEN or not isinstance(opt, CreateOpt) or opt.event_id is None:
            continue
        forms = listed.get((opt.event_id, opt.modification_number or 0), [])
        if forms and all(one.response_required is ResponseRequired.NEVER for one in forms):
            yield Fault("an opt for an event that must not be answered", "none is sent", f"[{number}].request")
        foreign = [one for one in forms if one.target.names_resources and opt.target.beyond(one.target)]
        if forms and foreign == forms and _is_taken(exchange):
            right = "it is refused, as the event is not about that"
            yield Fault("a target that is none of the event's", right, f"[{number}].answer.response")


@rule("R211", Dialogue)
def cancelled_opts(dialogue: Dialogue) -> Iterator[Fault]:
    """Opts for events are not cancelled, and to cancel a superseded schedule is no error."""
    for_events: set[str] = set()
    schedules: list[CreateOpt] = []
    for number, exchange, message in _opts(dialogue):
        if isinstance(message, CreateOpt):
            if not _is_taken(exchange):
                continue
            if message.event_id is not None:
                for_events.add(message.opt_id)
            else:
                schedules.append(message)
            continue
        if message.opt_id in for_events:
            right = "schedules alone are cancelled"
            yield Fault(f"the optID {message.opt_id!r} of an event", right, f"[{number}].request.opt_id")
        elif _code(exchange) == ResponseCode.INVALID_ID and _may_be_superseded(message, schedules, exchange.time):
            right = "a superseded schedule may be cancelled"
            yield Fault(f"{message.opt_id!r} is refused", right, f"[{number}].answer.response")
        schedules = [one for one in schedules if one.opt_id != message.opt_id]


def _may_be_superseded(message: Payload, schedules: list[CreateOpt], now: datetime) -> bool:
    """Whether a schedule that was not cancelled and is not over may have been superseded since."""
    assert isinstance(message, CancelOpt)
    own = [one for one in schedules if one.opt_id == message.opt_id and not _is_over(one, now)]
    return bool(own) and schedules[-1] is not own[0]


def _is_over(opt: CreateOpt, now: datetime) -> bool:
    stretches = () if opt.vavailability is None else opt.vavailability.components
    return not any(is_zero(one.duration) or now < add_duration(one.dtstart, one.duration) for one in stretches)
