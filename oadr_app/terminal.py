"""What the commands share: the two streams that people see, the options that several of them have, and asking a VTN."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from oadr_app import config
from oadr_app.checked import ConfigError
from oadr_app.control import ask
from oadr_app.texts import clean_lines

_WIDE: Final = 240
"""Columns of a line that goes into a file or to another program."""


def console(*, stderr: bool = False, width: int | None = None) -> Console:
    """A screen on which texts are shown as they are, whatever they hold: ``[red]`` is no colour, ``:AB:`` no picture.

    :param stderr: whether it is for trouble.
    :param width: its columns; those of the terminal if None.
    """
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


OUT: Final = console(width=None if sys.stdout.isatty() else _WIDE)
ERR: Final = console(stderr=True, width=None if sys.stderr.isatty() else _WIDE)

Json = Annotated[bool, typer.Option("--json", help="Print for machines.")]
VtnConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The configuration of the VTN, in TOML; vtn.toml if there is one.", dir_okay=False
    ),
]
Socket = Annotated[
    Path | None,
    typer.Option(help="The control socket of the VTN; the one of the configuration if not given.", dir_okay=False),
]


def bear_any_text() -> None:
    """Have what the terminal has no letters for shown as question marks, as names come from anywhere."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def fail(text: str) -> None:
    """Say what is wrong, and end with status 1."""
    ERR.print(f"oadr: {clean_lines(text)}", style="red", soft_wrap=True)
    sys.exit(1)


def found(config_file: Path | None, usual: str) -> Path | None:
    """The configuration that is meant: the one that is named, or the usual one if it is there."""
    return Path(usual) if config_file is None and Path(usual).exists() else config_file


def vtn_file(config_file: Path | None) -> config.VtnFile:
    """The configuration of the VTN that is meant."""
    return config.read(config.VtnFile, found(config_file, "vtn.toml"), {})


def socket_of(config_file: Path | None, socket: Path | None) -> Path:
    """The control socket that is meant: the one that is named, or that of the configuration."""
    return vtn_file(config_file).socket if socket is None else socket


def ask_vtn(config_file: Path | None, socket: Path | None, command: str, **content: object) -> Any:
    """Ask the VTN of a control socket, or of a configuration, for something.

    :raises ConfigError: the configuration cannot be used.
    :raises ControlError: the VTN cannot be asked, or refuses.
    """
    return ask(socket_of(config_file, socket), command, **content)


def show(answer: object, view: Callable[[Any], Any], as_json: bool) -> None:
    """Print an answer of the VTN, for machines or for people."""
    if as_json:
        print(json.dumps(answer))
    else:
        OUT.print(view(answer))


@contextmanager
def flag(name: str) -> Iterator[None]:
    """Name the flag in the error about its value."""
    try:
        yield
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None
