"""The command ``oadr``."""

import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import anyio
import anyio.to_thread
import msgspec
import typer
from rich.logging import RichHandler

from oadr_app import config
from oadr_app.authority import Kind
from oadr_app.control import ControlError
from oadr_app.event_cli import events
from oadr_app.prose import Prose
from oadr_app.report_cli import reports
from oadr_app.terminal import ERR, OUT, Json, VtnConfigFile, bear_any_text, fail, found
from oadr_app.tracing import TraceFile, is_trace
from oadr_app.ven_cli import vens
from oadr_app.ven_flags import reporting
from oadr_core import OptType, ProfileName, ProtocolError
from oadr_driver.groups import alone

app = typer.Typer(
    cls=Prose,
    name="oadr",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(events, name="event")
app.add_typer(vens, name="vens")
app.add_typer(reports, name="report")

TraceOption = Annotated[
    Path | None,
    typer.Option("--trace", help="Write every exchange to this file; oadr inspect judges it.", dir_okay=False),
]
_REPORTS: Final = "What it reports"

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Tell of trouble only.")]


def _tell_version(wanted: bool) -> None:
    if wanted:
        OUT.print(f"oadr {version('oadr')}")
        raise typer.Exit


@app.callback()
def whole(
    told: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """OpenADR 2.0b: run a VTN or a VEN, make events, look at messages."""


def main() -> None:
    """Run the command, and turn errors into a line and an exit status."""
    bear_any_text()
    try:
        app()
    except (config.ConfigError, ControlError, ProtocolError) as error:
        fail(str(error))
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_BROKEN_PIPE)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


_BROKEN_PIPE: Final = 128 + signal.SIGPIPE


# --- programs --------------------------------------------------------------------------------------------------------


@app.command()
def vtn(
    config_file: VtnConfigFile = None,
    vtn_id: Annotated[str | None, typer.Option(help="Its id.")] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0 takes a free one.")] = None,
    state: Annotated[Path | None, typer.Option(help="The file that keeps its state and its readings.")] = None,
    socket: Annotated[
        Path | None,
        typer.Option(help="The control socket, for oadr event, vens and report; beside the state if not given."),
    ] = None,
    poll: Annotated[str | None, typer.Option(help="How often VENs are asked to poll, such as 10s.")] = None,
    sampling: Annotated[str | None, typer.Option(help="The spacing of the readings it asks for, such as 1m.")] = None,
    allow_insecure: Annotated[
        bool,
        typer.Option(
            "--allow-insecure", help="Listen where others can reach it, without TLS: anybody can pose as any VEN."
        ),
    ] = False,
    trace: TraceOption = None,
    until_input_ends: Annotated[bool, typer.Option("--until-input-ends", hidden=True)] = False,
    quiet: Quiet = False,
) -> None:
    """Run a VTN: it registers VENs, asks for their telemetry, stores it, and distributes events."""
    from oadr_app.vtn import VtnProgram

    flags: dict[str, Any] = {
        "vtn_id": vtn_id,
        "http.host": host,
        "http.port": port,
        "http.allow_insecure": allow_insecure or None,
        "state": None if state is None else str(state),
        "control": None if socket is None else str(socket),
        "poll": poll,
        "reports.sampling": sampling,
    }
    config_file = found(config_file, "vtn.toml")
    usual = config.read(config.VtnFile, config_file, {}).socket
    _log(quiet)
    program = VtnProgram(config.read(config.VtnFile, config_file, flags), trace=_trace(trace))
    file = program.file

    def welcome() -> None:
        xmpp = "" if program.xmpp is None else ", and is logging in at its XMPP server"
        _say(f"The VTN listens at {program.server.url}{xmpp}; its state is in {file.state}.")
        how = "" if file.socket.absolute() == usual.absolute() else f" with --socket {file.socket}"
        _say(f"oadr vens, event and report talk to it{how}; Ctrl-C stops it.", style="dim")

    _run(
        program.running,
        None if quiet else welcome,
        event_loop=program.event_loop,
        until_input_ends=until_input_ends,
    )


@app.command()
def ven(
    config_file: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="The configuration of the VEN, in TOML; ven.toml if there is one.", dir_okay=False
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    vtn_url: Annotated[str | None, typer.Option("--vtn", help="The base URL of its VTN.")] = None,
    transport: Annotated[
        config.Way | None,
        typer.Option(help="How it and its VTN reach each other; [push] and [xmpp] of the configuration say more."),
    ] = None,
    ven_id: Annotated[str | None, typer.Option(help="An id that was agreed beforehand.")] = None,
    openadr: Annotated[
        ProfileName | None, typer.Option(help="The profile that it speaks; 2.0a needs --ven-id, and has events alone.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="The file that keeps its state; its name and .state if not given.")
    ] = None,
    poll: Annotated[str | None, typer.Option(help="How often to poll; as the VTN wishes if not given.")] = None,
    opt: Annotated[OptType | None, typer.Option(help="Whether it takes part in events.")] = None,
    sampling: Annotated[
        str | None, typer.Option(help="How often it can be read at most.", rich_help_panel=_REPORTS)
    ] = None,
    kilowatt: Annotated[
        float | None, typer.Option(help="What its simulated load takes on average.", rich_help_panel=_REPORTS)
    ] = None,
    profile: Annotated[
        config.Profile | None, typer.Option(help="How that goes through the day.", rich_help_panel=_REPORTS)
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Report values from this file instead: columns time and value, or values alone, which are taken one "
            "after the other, --sampling apart.",
            dir_okay=False,
            rich_help_panel=_REPORTS,
        ),
    ] = None,
    loop: Annotated[
        bool, typer.Option("--loop", help="Begin the file again at its end.", rich_help_panel=_REPORTS)
    ] = False,
    kept: Annotated[
        str | None,
        typer.Option(
            help="How long a stretch of the past can be asked for, where the file has times; a month, or as much as it "
            "holds, if not given.",
            rich_help_panel=_REPORTS,
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(help="Report what this command prints, each time that it is run.", rich_help_panel=_REPORTS),
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(help="How long the command may take.", rich_help_panel=_REPORTS)
    ] = None,
    resource: Annotated[str | None, typer.Option(help="What is read.", rich_help_panel=_REPORTS)] = None,
    measurement: Annotated[
        str | None,
        typer.Option(help="What is measured, such as power_real, or any other name.", rich_help_panel=_REPORTS),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="The unit, where the measurement leaves a choice.", rich_help_panel=_REPORTS)
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="The power of ten of the unit, such as k.", rich_help_panel=_REPORTS)
    ] = None,
    report_name: Annotated[
        str | None,
        typer.Option(
            help="The kind of report: TELEMETRY_USAGE for power and energy, HISTORY_USAGE for what a file has recorded "
            "of them, or x-… for anything.",
            rich_help_panel=_REPORTS,
        ),
    ] = None,
    trace: TraceOption = None,
    quiet: Quiet = False,
) -> None:
    """Run a VEN: it registers, answers events, and reports a simulated load, a file, or what a command prints.

    A simulated load sheds some of what it takes when an event asks for that.
    """
    from oadr_app.ven import VenProgram

    flags: dict[str, Any] = {
        "name": name,
        "vtn": vtn_url,
        "transport": transport,
        "ven_id": ven_id,
        "openadr": openadr,
        "state": None if state is None else str(state),
        "poll": poll,
        "opt": None if opt is None else opt.value,
        "sampling": sampling,
        **reporting(
            kilowatt=kilowatt,
            profile=None if profile is None else profile.value,
            csv=csv,
            command=command,
            resource=resource,
            loop=loop,
            kept=kept,
            timeout=timeout,
            measurement=measurement,
            unit=unit,
            scale=scale,
            report_name=report_name,
        ),
    }
    _log(quiet)
    program = VenProgram(
        config.read(config.VenFile, found(config_file, "ven.toml"), flags),
        trace=_trace(trace),
    )

    def welcome() -> None:
        where = "" if program.client.address is None else f", which reaches it at {program.client.address}"
        _say(f"The VEN {program.file.name} talks to {program.vtn}{where}; its state is in {program.file.storage}.")
        _say("Ctrl-C stops it.", style="dim")

    _run(program.running, None if quiet else welcome, event_loop=program.event_loop)


def _trace(path: Path | None) -> TraceFile | None:
    return None if path is None else TraceFile(path)


def _say(text: str, style: str = "") -> None:
    """Print a line at once, whatever reads it."""
    OUT.print(text, style=style, soft_wrap=True)
    sys.stdout.flush()


def _run(
    running: Callable[[], AbstractAsyncContextManager[object]],
    welcome: Callable[[], None] | None,
    *,
    event_loop: str,
    until_input_ends: bool = False,
) -> None:
    """Run a program until it is told to stop, which is how it ends well."""

    async def until_told() -> None:
        with alone(), anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_when_told, signals, group.cancel_scope)
                if until_input_ends:
                    group.start_soon(_cancel_when_input_ends, group.cancel_scope)
                async with running():
                    if welcome is not None:
                        welcome()
                    await anyio.sleep_forever()

    anyio.run(until_told, backend=event_loop)


async def _cancel_when_told(signals: AsyncIterator[signal.Signals], scope: anyio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel()


async def _cancel_when_input_ends(scope: anyio.CancelScope) -> None:
    """End together with the process that started this one, however that ends."""
    await anyio.to_thread.run_sync(sys.stdin.buffer.read, abandon_on_cancel=True)
    scope.cancel()


def _log(quiet: bool) -> None:
    """Log for people at a terminal, and line by line for files and journals."""
    if ERR.is_terminal:
        handler: logging.Handler = RichHandler(console=ERR, show_path=False, markup=False, log_time_format="%X")
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    logging.basicConfig(level=logging.WARNING if quiet else logging.INFO, handlers=[handler])
    for library in ("httpx", "httpcore", "slixmpp"):
        logging.getLogger(library).setLevel(logging.WARNING)


# --- the rest --------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(help="How long it runs; 8 at least.", max=86400)] = 40.0,
    transport: Annotated[
        str,
        typer.Option(
            help="How the VENs and the VTN reach each other: pull, push, xmpp, or all, which is each its own way. XMPP "
            "needs Prosody on this machine.",
            metavar="WAY",
        ),
    ] = config.Way.PULL.value,
    folder: Annotated[
        Path | None, typer.Option(help="Keep the state of the VTN here, in a folder without any.", file_okay=False)
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print for machines, a line each: where the VTN is, and at last what came of it all."
        ),
    ] = False,
) -> None:
    """Run a VTN and three VENs that behave differently, send them an event, and watch what comes of it."""
    from oadr_app.child import ChildFailed
    from oadr_app.demo import Demo
    from oadr_app.local_prosody import NoProsody

    try:
        sys.exit(Demo(seconds, _ways(transport), as_json=as_json, folder=folder).run())
    except (ChildFailed, NoProsody) as error:
        fail(str(error))


def _ways(transport: str) -> tuple[config.Way, ...]:
    """The ways of the three VENs of the demo."""
    if transport == "all":
        return tuple(config.Way)
    try:
        return (config.Way(transport),) * len(config.Way)
    except ValueError:
        known = ", ".join(config.Way)
        raise config.ConfigError(f"--transport: {transport!r} is none; it is one of {known} or all") from None


@app.command()
def inspect(
    files: Annotated[
        list[Path], typer.Argument(help="Messages or traces; - reads one from the standard input.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Show messages as a person wants to read them, with their verdict and every rule they break.

    A trace, as oadr vtn --trace and oadr ven --trace write it, is shown as a list of exchanges, and judged as a whole.
    The exit status is 0 if the schema accepts all messages and they break no rule, else 1.
    """
    from oadr_app import inspecting

    fine = True
    for file in files:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        try:
            found = inspecting.inspect_trace(data) if is_trace(data) else inspecting.inspect(data)
        except ValueError as error:
            raise config.ConfigError(f"{file}: {error}") from None
        fine = fine and found.ok
        if as_json:
            print(inspecting.as_json(found))
        else:
            OUT.print(inspecting.render(found, "standard input" if str(file) == "-" else str(file)))
            OUT.print()
    sys.exit(0 if fine else 1)


@app.command()
def fingerprint(
    certificates: Annotated[list[Path], typer.Argument(help="Certificates, in PEM or DER.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Print the fingerprints by which a VTN knows its VENs, and they know it."""
    from oadr_core import fingerprint as of

    found = {}
    for file in certificates:
        try:
            found[str(file)] = of(file.read_bytes())
        except ValueError as error:
            raise config.ConfigError(f"{file}: {error}") from None
    if as_json:
        print(json.dumps(found))
    for name, text in () if as_json else found.items():
        OUT.print(text if len(found) == 1 else f"{text}  {name}")


@app.command()
def certificates(
    folder: Annotated[Path, typer.Argument(help="The folder to write them to.", file_okay=False, show_default=False)],
    host: Annotated[
        list[str] | None,
        typer.Option(help="A name or an address of the VTN; 127.0.0.1 and localhost if none is given."),
    ] = None,
    ven: Annotated[
        list[str] | None, typer.Option(help="The name of a VEN. More than one may be given, and more later on.")
    ] = None,
    kind: Annotated[
        list[Kind] | None,
        typer.Option(help="A kind of key; the VTN gets both if not given, as it must have, and VENs the first."),
    ] = None,
    days: Annotated[int, typer.Option(help="How long they are valid.", min=1, max=3650)] = 365,
    xmpp: Annotated[
        str | None,
        typer.Option(help="The domain of an XMPP server: it gets a certificate, and those of the others log in there."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make certificates for trying TLS out: a test CA, a VTN, VENs, and configuration files that fit them.

    They have the shape of those in the field. Nothing is written over; run again, it makes those that are missing.
    """
    from oadr_app.certificates import KINDS, CertificateFolder, lines_of

    made = CertificateFolder(folder).make(
        host or ["127.0.0.1", "localhost"], ven or [], kind or KINDS[::-1], timedelta(days=days), xmpp
    )
    if as_json:
        print(json.dumps(msgspec.to_builtins(made, enc_hook=str)))
        return
    for line in lines_of(made):
        OUT.print(line, highlight=False, soft_wrap=True)
