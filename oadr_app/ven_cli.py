"""``oadr vens``: looking at the VENs of a running VTN, enrolling them, and asking something of them."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from oadr_app import ven_views
from oadr_app.checked import ConfigError, read_toml_or_json
from oadr_app.prose import Prose
from oadr_app.terminal import Json, Socket, VtnConfigFile, ask_vtn, show
from oadr_app.texts import clean

vens: Final = typer.Typer(
    cls=Prose, help="List the VENs of a running VTN; and look at them, enrol them, ask something of them."
)

_Ven = Annotated[str, typer.Argument(help="The VEN, by its name or id.", show_default=False)]


@vens.callback(invoke_without_command=True)
def vens_or_one_of_their_commands(
    context: typer.Context, config_file: VtnConfigFile = None, socket: Socket = None, as_json: Json = False
) -> None:
    """List the VENs of a running VTN; and look at them, enrol them, ask something of them."""
    if context.invoked_subcommand is None:
        list_vens(config_file, socket, as_json)


@vens.command("list")
def list_vens(config_file: VtnConfigFile = None, socket: Socket = None, as_json: Json = False) -> None:
    """List the VENs of a running VTN."""
    show(ask_vtn(config_file, socket, "vens"), ven_views.vens, as_json)


@vens.command("show")
def show_ven(ven: _Ven, config_file: VtnConfigFile = None, socket: Socket = None, as_json: Json = False) -> None:
    """Show a VEN: its registration, enrolment, reports, opts and events, and what waits for it."""
    show(ask_vtn(config_file, socket, "vens/show", ven=ven), ven_views.ven, as_json)


@vens.command("available")
def available(
    ven: _Ven,
    at: Annotated[str | None, typer.Option(help="When: now, +2h, or 2026-11-20T18:00:00Z; now if not given.")] = None,
    resource: Annotated[str | None, typer.Option(help="The resource; the whole VEN if not given.")] = None,
    event: Annotated[str | None, typer.Option(help="The event that it is to take part in.")] = None,
    market_context: Annotated[str | None, typer.Option(help="The program that it is to take part in.")] = None,
    device_class: Annotated[str | None, typer.Option(help="The class of the devices in question.")] = None,
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Tell whether a VEN, or a resource of it, is available at a time, and why."""
    asked: dict[str, Any] = {
        "ven": ven,
        "at": at,
        "resource_id": resource,
        "event_id": event,
        "market_context": market_context,
        "device_class": device_class,
    }
    show(ask_vtn(config_file, socket, "vens/available", **asked), ven_views.available, as_json)


_LISTS: Final = "; may be repeated. none for none; those of before if not given."


@vens.command("enrol")
def enrol(
    ven: Annotated[str, typer.Argument(help="The VEN, by its name or id.", show_default=False)],
    group: Annotated[list[str] | None, typer.Option(help=f"A group that it is in{_LISTS}")] = None,
    resource: Annotated[list[str] | None, typer.Option(help=f"A resource behind it{_LISTS}")] = None,
    party: Annotated[list[str] | None, typer.Option(help=f"A party that it stands for{_LISTS}")] = None,
    program: Annotated[list[str] | None, typer.Option(help=f"A program, by its market context{_LISTS}")] = None,
    new: Annotated[bool, typer.Option("--new", help="It is not registered yet, and gets this id when it is.")] = False,
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Say what a VEN belongs to, so that events for that find it."""
    given = {"group_ids": group, "resource_ids": resource, "party_ids": party, "market_contexts": program}
    lists = {name: [] if one == ["none"] else one for name, one in given.items()}
    show(ask_vtn(config_file, socket, "vens/enrol", ven=ven, new=new, **lists), ven_views.enrolled, as_json)


@vens.command("ask")
def ask(
    ven: _Ven,
    operation: Annotated[
        str,
        typer.Argument(
            help="What is asked: oadrRegisterReport, oadrCreateReport, oadrUpdateReport, oadrCancelReport, "
            "oadrRequestReregistration or oadrCancelPartyRegistration.",
            show_default=False,
        ),
    ],
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Its content, in TOML or JSON; - reads the standard input.")
    ] = None,
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Ask anything of a VEN that a VTN may ask; it is handed over when the VEN polls, until it answers."""
    content = {} if file is None else read_toml_or_json(file)
    if content:
        content = json.loads(json.dumps(content, default=lambda one: one.isoformat()))  # times of TOML are texts here
    answer = ask_vtn(config_file, socket, "vens/ask", ven=ven, operation=operation, content=content)
    show(answer, lambda one: f"{clean(one['ven_id'])} will be asked for {clean(one['operation'])}", as_json)


@vens.command("reregister")
def reregister(ven: _Ven, config_file: VtnConfigFile = None, socket: Socket = None, as_json: Json = False) -> None:
    """Ask a VEN to register again."""
    answer = ask_vtn(config_file, socket, "vens/reregister", ven=ven)
    show(answer, lambda one: f"{clean(one['ven_id'])} will be asked to register again", as_json)


@vens.command("remove")
def remove(ven: _Ven, config_file: VtnConfigFile = None, socket: Socket = None, as_json: Json = False) -> None:
    """End the registration of a VEN; it is gone once it has confirmed, and may register again."""
    answer = ask_vtn(config_file, socket, "vens/remove", ven=ven)
    show(answer, lambda one: f"{clean(one['ven_id'])} will be told that its registration ends", as_json)


@vens.command("forget")
def forget(
    ven: Annotated[str, typer.Argument(help="The VEN, by its name or id.", show_default=False)],
    readings: Annotated[bool, typer.Option("--readings", help="Delete what it has reported as well.")] = False,
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Forget a VEN that is gone: its registration, enrolment, opts, answers and requests, without asking it.

    Should it be there after all, it is refused until it registers again. `remove` ends the registration of a VEN that
    is there.
    """
    answer = ask_vtn(config_file, socket, "vens/forget", ven=ven, readings=readings)
    show(answer, ven_views.forgotten, as_json)


@vens.command("certificate")
def certificate(
    ven: _Ven,
    certificate: Annotated[
        str,
        typer.Argument(help="Its new certificate: a file in PEM or DER, or the fingerprint.", show_default=False),
    ],
    also: Annotated[
        bool,
        typer.Option("--also", help="It will have it; until it has shown it, it is known by its present one as well."),
    ] = False,
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Say that a VEN has a new certificate: from now on it is known by that alone, and goes on as before.

    With `--also` nobody has to hurry: it is known by both until it has shown the new one. The command with its present
    certificate takes that back.
    """
    answer = ask_vtn(config_file, socket, "vens/certificate", ven=ven, fingerprint=_fingerprint(certificate), also=also)
    show(answer, ven_views.certificate, as_json)


def _fingerprint(given: str) -> str:
    """The fingerprint of a certificate in a file, or one that is given as such.

    :raises ConfigError: it is neither.
    """
    from oadr_core import fingerprint, normalised_fingerprint

    try:
        return normalised_fingerprint(given)
    except ValueError as error:
        try:
            data = Path(given).read_bytes()
        except OSError as unread:
            raise ConfigError(f"{given!r} is no fingerprint ({error}), and no file: {unread.strerror}") from None
    try:
        return fingerprint(data)
    except ValueError as error:
        raise ConfigError(f"{given}: {error}") from None
