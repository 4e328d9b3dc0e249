"""The command ``oadr``."""

import json
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import anyio
import typer
from rich.console import Console
from rich.logging import RichHandler

from oadr_app import config, views
from oadr_app.control import ControlError, ask
from oadr_app.periods import instant, period, steps
from oadr_app.tracing import TraceFile, is_trace
from oadr_core import OptType, ProtocolError, SignalName, SignalType

app = typer.Typer(
    name="oadr",
    help="OpenADR 2.0b: run a VTN or a VEN, make events, look at messages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
events = typer.Typer(help="Make, list, show and cancel events of a running VTN.", no_args_is_help=True)
app.add_typer(events, name="event")

_WIDE: Final = 240
"""Columns of a line that goes into a file or to another program."""

_OUT: Final = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
_ERR: Final = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _WIDE)

Json = Annotated[bool, typer.Option("--json", help="Print for machines.")]
VtnConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="The configuration of the VTN, in TOML.", dir_okay=False)
]
TraceOption = Annotated[
    Path | None,
    typer.Option("--trace", help="Write every exchange to this file; oadr inspect judges it.", dir_okay=False),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Tell of trouble only.")]


def main() -> None:
    """Run the command, and turn errors into a line and an exit status."""
    try:
        app()
    except (config.ConfigError, ControlError, ProtocolError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(str(error))


def _fail(text: str) -> None:
    _ERR.print(f"oadr: {text}", style="red", markup=False)
    sys.exit(1)


# --- programs --------------------------------------------------------------------------------------------------------


@app.command()
def vtn(
    config_file: VtnConfigFile = None,
    vtn_id: Annotated[str | None, typer.Option(help="Its id.")] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0 takes a free one.")] = None,
    state: Annotated[Path | None, typer.Option(help="The file that keeps its state and its readings.")] = None,
    poll: Annotated[str | None, typer.Option(help="How often VENs are asked to poll, such as 10s.")] = None,
    sampling: Annotated[str | None, typer.Option(help="The spacing of the readings it asks for, such as 1m.")] = None,
    allow_insecure: Annotated[
        bool, typer.Option(help="Listen where others can reach it, without TLS: anybody can pose as any VEN.")
    ] = False,
    trace: TraceOption = None,
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
        "poll": poll,
        "reports.sampling": sampling,
    }
    program = VtnProgram(config.read(config.VtnFile, config_file, flags), trace=_trace(trace))
    _log(quiet)

    async def welcome() -> None:
        if not quiet:
            file = program.file
            _OUT.print(f"The VTN listens at [bold]{program.server.url}[/bold]; its state is in {file.state}.")
            found = _socket(None, None) == file.socket
            how = "" if found else f" with --socket {file.socket}"
            _OUT.print(f"oadr vens and oadr event talk to it{how}; Ctrl-C stops it.", style="dim")

    _run(program.running, welcome)


@app.command()
def ven(
    config_file: Annotated[
        Path | None, typer.Option("--config", "-c", help="The configuration of the VEN, in TOML.", dir_okay=False)
    ] = None,
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    vtn_url: Annotated[str | None, typer.Option("--vtn", help="The base URL of its VTN.")] = None,
    ven_id: Annotated[str | None, typer.Option(help="An id that was agreed beforehand.")] = None,
    state: Annotated[Path | None, typer.Option(help="The file that keeps its state.")] = None,
    poll: Annotated[str | None, typer.Option(help="How often to poll; as the VTN wishes if not given.")] = None,
    opt: Annotated[OptType | None, typer.Option(help="Whether it takes part in events.")] = None,
    kilowatt: Annotated[float | None, typer.Option(help="What its simulated load takes.")] = None,
    trace: TraceOption = None,
    quiet: Quiet = False,
) -> None:
    """Run a VEN with a simulated load: it registers, reports its load, and sheds some when an event asks for that."""
    from oadr_app.ven import VenProgram

    flags: dict[str, Any] = {
        "name": name,
        "vtn": vtn_url,
        "ven_id": ven_id,
        "state": None if state is None else str(state),
        "poll": poll,
        "opt": None if opt is None else opt.value,
        "loads": None if kilowatt is None else [{"kilowatt": kilowatt}],
    }
    program = VenProgram(config.read(config.VenFile, config_file, flags), trace=_trace(trace))
    _log(quiet)

    async def welcome() -> None:
        if not quiet:
            _OUT.print(f"The VEN [bold]{program.file.name}[/bold] talks to {program.file.vtn}; Ctrl-C stops it.")

    _run(program.running, welcome)


def _trace(path: Path | None) -> TraceFile | None:
    return None if path is None else TraceFile(path)


def _run(running: Callable[[], AbstractAsyncContextManager[object]], welcome: Callable[[], Awaitable[None]]) -> None:
    """Run a program until it is told to stop."""

    async def until_told() -> None:
        async with running():
            await welcome()
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    return

    anyio.run(until_told, backend="trio")


def _log(quiet: bool) -> None:
    """Log for people at a terminal, and line by line for files and journals."""
    if _ERR.is_terminal:
        handler: logging.Handler = RichHandler(console=_ERR, show_path=False, markup=False, log_time_format="%X")
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    logging.basicConfig(level=logging.WARNING if quiet else logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)


# --- events ----------------------------------------------------------------------------------------------------------

Socket = Annotated[
    Path | None,
    typer.Option(help="The control socket of the VTN; the one of the configuration if not given.", dir_okay=False),
]


def _socket(config_file: Path | None, socket: Path | None) -> Path:
    if socket is not None:
        return socket
    if config_file is None and Path("vtn.toml").exists():
        config_file = Path("vtn.toml")
    return config.read(config.VtnFile, config_file, {}).socket


def _show(answer: object, view: Callable[[Any], Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer))
    else:
        _OUT.print(view(answer))


@app.command()
def vens(config_file: VtnConfigFile = None, socket: Socket = None, as_json: Json = False) -> None:
    """List the VENs of a running VTN."""
    _show(ask(_socket(config_file, socket), "vens"), views.vens, as_json)


@events.command("create")
def create_event(
    ven_names: Annotated[
        list[str] | None,
        typer.Option("--ven", help="A VEN it is for, by name or id; may be repeated. All if not given."),
    ] = None,
    signal_name: Annotated[SignalName, typer.Option("--signal", help="What it is about.")] = SignalName.SIMPLE,
    signal_type: Annotated[SignalType, typer.Option("--type", help="How its values are meant.")] = SignalType.LEVEL,
    start: Annotated[str, typer.Option(help="When it begins: now, +15m, or 2026-11-20T18:00:00Z.")] = "now",
    duration: Annotated[str, typer.Option(help="How long it takes, such as 1h.")] = "1h",
    value: Annotated[float, typer.Option(help="The value of its signal.")] = 1.0,
    intervals: Annotated[
        str | None, typer.Option(help="Several intervals instead of one: their lengths and values, as 30m=1,30m=2.")
    ] = None,
    event_id: Annotated[str | None, typer.Option("--id", help="Its id; made up if not given.")] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Whom it is for within a VEN, as resource_id=boiler; may be repeated.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="What the values measure, such as power_real.")] = None,
    scale: Annotated[str, typer.Option(help="The power of ten of the unit, such as k.")] = "none",
    market_context: Annotated[str | None, typer.Option(help="The program it belongs to, a URI.")] = None,
    notification: Annotated[str | None, typer.Option(help="How long before its start it is announced.")] = None,
    ramp_up: Annotated[str | None, typer.Option(help="The time to reach the requested state.")] = None,
    recovery: Annotated[str | None, typer.Option(help="The time to go back.")] = None,
    startafter: Annotated[str | None, typer.Option(help="The window in which each VEN picks a random start.")] = None,
    priority: Annotated[int | None, typer.Option(help="1 is the most urgent; the least if not given.")] = None,
    test: Annotated[bool, typer.Option(help="Mark it as a test.")] = False,
    no_answer: Annotated[bool, typer.Option(help="Want no answer of the VENs.")] = False,
    comment: Annotated[str | None, typer.Option(help="A word to whom it concerns.")] = None,
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Make an event, for the VENs that are named or for all."""
    with _flag("--intervals" if intervals else "--duration"):
        parts = steps(intervals) if intervals else [(period(duration), value)]
        listed = [{"duration": length.total_seconds(), "signal_payload": one} for length, one in parts]
    with _flag("--start"):
        begins = instant(start, datetime.now(UTC))
    signal_part: dict[str, Any] = {"signal_name": signal_name, "signal_type": signal_type, "intervals": listed}
    if unit is not None:
        signal_part["measurement"] = {"name": unit, "scale": scale}
    descriptor = {
        "event_id": event_id,
        "market_context": market_context,
        "priority": priority,
        "test_event": "true" if test else None,
        "vtn_comment": comment,
    }
    times: dict[str, Any] = {"dtstart": begins.strftime("%Y-%m-%dT%H:%M:%SZ")}
    for name, text in (("notification", notification), ("ramp_up", ramp_up), ("recovery", recovery)):
        with _flag("--" + name.replace("_", "-")):
            times[name] = None if text is None else period(text).total_seconds()
    if startafter is not None:
        with _flag("--startafter"):
            times["tolerance"] = {"tolerate": {"startafter": period(startafter).total_seconds()}}
    content: dict[str, Any] = {
        "event_descriptor": {key: one for key, one in descriptor.items() if one is not None},
        "active_period": times,
        "event_signals": [signal_part],
        "response_required": "never" if no_answer else "always",
    }
    if target:
        with _flag("--target"):
            content["targets"] = [dict([one.split("=", 1)]) for one in target]
    answer = ask(_socket(config_file, socket), "event/create", event=content, vens=ven_names)
    _show(answer, lambda one: f"{one['event_id']} was made for {len(one['vens'])} VENs", as_json)


class _flag:  # noqa: N801 - reads as a word
    """Names the flag in the error about its value."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError | TypeError):
            raise config.ConfigError(f"{self._name}: {error}") from None


@events.command("list")
def list_events(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over or cancelled as well.")] = False,
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """List events, and how many VENs answered what."""
    answer = ask(_socket(config_file, socket), "event/list", all=everything)
    _show(answer, views.events, as_json)


@events.command("show")
def show_event(
    event_id: Annotated[str, typer.Argument(help="The event, by its id or the beginning of it.", show_default=False)],
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show an event: what it asks for, who was told, and who answered what and when."""
    _show(ask(_socket(config_file, socket), "event/show", event_id=event_id), views.event, as_json)


@events.command("cancel")
def cancel_event(
    event_id: Annotated[str, typer.Argument(help="The event, by its id or the beginning of it.", show_default=False)],
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Cancel an event; its VENs are told until they acknowledge it."""
    answer = ask(_socket(config_file, socket), "event/cancel", event_id=event_id)
    _show(answer, lambda one: f"{one['event_id']} is cancelled", as_json)


# --- the rest --------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(help="How long it runs.")] = 40.0,
    folder: Annotated[Path | None, typer.Option(help="Keep the state of the VTN here.", file_okay=False)] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print for machines: the last line tells what came of it.")
    ] = False,
) -> None:
    """Run a VTN and three VENs that behave differently, send them an event, and watch what comes of it."""
    from oadr_app.demo import Demo

    sys.exit(Demo(seconds, as_json=as_json, folder=folder).run())


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
            _OUT.print(inspecting.render(found, "standard input" if str(file) == "-" else str(file)))
            _OUT.print()
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
        _OUT.print(text if len(found) == 1 else f"{text}  {name}")
