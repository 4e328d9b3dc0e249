"""``oadr event``: making, changing, cancelling and looking at the events of a running VTN."""

import inspect
import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from oadr_app import event_views
from oadr_app.checked import ConfigError, name_of
from oadr_app.event_file import EventForm, event_of, read_file, read_form, written_form
from oadr_app.event_flags import NEW_EVENT, EventFlags, with_flags
from oadr_app.prose import Prose
from oadr_app.terminal import OUT, Json, Socket, VtnConfigFile, ask_vtn, show
from oadr_core import EventStatus

events: Final = typer.Typer(
    cls=Prose, help="Make, change, list, show and cancel events of a running VTN.", no_args_is_help=True
)

_File = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="The event as a file, in TOML or JSON; - reads the standard input."),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be made.")]
_EventId = Annotated[str, typer.Argument(help="The event, by its id or the beginning of it.", show_default=False)]


def _with_event_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all flags of an event; it takes them as one, by the name ``flags``."""
    own = inspect.signature(command).parameters
    flags = inspect.signature(EventFlags).parameters
    keyword = inspect.Parameter.KEYWORD_ONLY
    first = [one for one in own.values() if one.default is inspect.Parameter.empty and one.name != "flags"]
    rest = [one for one in own.values() if one.default is not inspect.Parameter.empty]
    parameters = [one.replace(kind=keyword) for one in (*first, *flags.values(), *rest)]

    @wraps(command)
    def run(**given: Any) -> None:
        said = EventFlags(**{name: given.pop(name) for name in flags})
        command(flags=said, **given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


@events.command("create")
@_with_event_flags
def create_event(
    flags: EventFlags,
    file: _File = None,
    event_id: Annotated[str | None, typer.Option("--id", help="Its id; made up if not given.")] = None,
    dry_run: _DryRun = False,
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Make an event, of flags, of a file, or of a file with flags over it.

    oadr event create --value 2 --duration 1h asks all VENs to shed load at level 2 for an hour, now.
    """
    now = datetime.now(UTC)
    form = with_flags(NEW_EVENT if file is None else read_file(file, now), flags, now)
    if event_id is not None:
        descriptor = msgspec.structs.replace(form.event_descriptor, event_id=event_id)
        form = msgspec.structs.replace(form, event_descriptor=descriptor)
    _check(form, file, now)
    if dry_run:
        _preview(form, now, as_json)
        return
    answer = ask_vtn(config_file, socket, "event/create", event=written_form(form))
    show(answer, event_views.was_made, as_json)


@events.command("modify")
@_with_event_flags
def modify_event(
    event_id: _EventId,
    flags: EventFlags,
    file: _File = None,
    dry_run: _DryRun = False,
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Change an event, before it begins or while it runs: what flags say, or to what a file says.

    oadr event show ID --json > event.json writes a file that can be edited and given to --file.
    """
    if file is None and flags == EventFlags():
        raise ConfigError("what is to change? say it with flags, or with --file")
    now = datetime.now(UTC)
    known = read_form(ask_vtn(config_file, socket, "event/show", event_id=event_id), now)
    form = with_flags(_without_reason(known) if file is None else _as_a_form_of(known, file, now), flags, now)
    _check(form, file, now)
    if dry_run:
        _preview(form, now, as_json)
        return
    answer = ask_vtn(config_file, socket, "event/modify", event=written_form(form))
    show(answer, event_views.was_modified, as_json)


def _without_reason(form: EventForm) -> EventForm:
    """The reason of the last change is none for the next."""
    descriptor = msgspec.structs.replace(form.event_descriptor, modification_reason=None)
    return msgspec.structs.replace(form, event_descriptor=descriptor)


def _as_a_form_of(known: EventForm, file: Path, now: datetime) -> EventForm:
    """The file of an event as another form of one that is known, which says what event it is and when it begins."""
    form = read_file(file, now)
    given, own = form.event_descriptor.event_id, known.event_descriptor.event_id
    if given not in (None, own):
        raise ConfigError(f"{name_of(file)}: event_descriptor.event_id: this is the event {given!r}, not {own!r}")
    descriptor = msgspec.structs.replace(form.event_descriptor, event_id=own)
    begins = form.active_period.dtstart or known.active_period.dtstart
    period = msgspec.structs.replace(form.active_period, dtstart=begins)
    return msgspec.structs.replace(form, event_descriptor=descriptor, active_period=period)


def _check(form: EventForm, file: Path | None, now: datetime) -> None:
    """Have it refused here what the VTN would refuse, with the name of the file."""
    try:
        event_of(form, random.SystemRandom(), now)
    except ConfigError as error:
        raise ConfigError(f"{name_of(file)}: {error}" if file is not None else str(error)) from None


def _preview(form: EventForm, now: datetime, as_json: bool) -> None:
    """Show what would be made."""
    if as_json:
        print(json.dumps(written_form(form)))
    else:
        OUT.print(event_views.preview(form, now))


@events.command("list")
def list_events(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over or cancelled as well.")] = False,
    status: Annotated[
        list[EventStatus] | None, typer.Option(help="Those that stand so; may be repeated.", metavar="STATUS")
    ] = None,
    ven: Annotated[str | None, typer.Option(help="Those of a VEN, by its name or id.")] = None,
    market_context: Annotated[str | None, typer.Option(help="Those of a program.")] = None,
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """List events, and how many VENs answered what."""
    asked: Mapping[str, object] = {
        "all": everything,
        "status": [one.value for one in status or ()],
        "ven": ven,
        "market_context": market_context,
    }
    show(ask_vtn(config_file, socket, "event/list", **asked), event_views.events, as_json)


@events.command("show")
def show_event(
    event_id: _EventId, config_file: VtnConfigFile = None, socket: Socket = None, as_json: Json = False
) -> None:
    """Show an event as a timeline, who was told of it, and who answered what and when."""
    answer = ask_vtn(config_file, socket, "event/show", event_id=event_id)
    show(answer, lambda one: event_views.event(one, datetime.now(UTC)), as_json)


@events.command("cancel")
def cancel_event(
    event_id: _EventId, config_file: VtnConfigFile = None, socket: Socket = None, as_json: Json = False
) -> None:
    """Cancel an event; its VENs are told until they acknowledge it."""
    answer = ask_vtn(config_file, socket, "event/cancel", event_id=event_id)
    show(answer, lambda one: f"{one['event_id']} is cancelled", as_json)
