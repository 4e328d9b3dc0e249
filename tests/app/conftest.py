"""Tests of the application: programs run as processes of their own, in folders and on ports of their own."""

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from oadr_app import cli
from tests.app.program import Ended, Programs, Vtn

Command = Callable[..., Ended]

_IDS: Final = count(1)


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop of tests that need one."""
    backend: str = request.param
    return backend


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Starts programs, and ends those that still run after the test."""
    with Programs() as started:
        yield started


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs a command to its end within this process, which is faster than in one of its own."""

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys, "argv", ["oadr", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        assert isinstance(ended.value.code, int | None)
        return Ended(ended.value.code or 0, *capsys.readouterr())

    return run


# --- a VTN that operators talk to ------------------------------------------------------------------------------------


class Field(NamedTuple):
    """A VTN, and a VEN that takes part and one that does not."""

    vtn: Vtn
    folder: Path


@pytest.fixture(scope="session")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """A VTN with two VENs, which many tests share: each makes events of its own."""
    folder = tmp_path_factory.mktemp("field")
    with Programs() as programs:
        vtn = programs.vtn(folder)
        for name, opt in (("bakery", "optIn"), ("mill", "optOut")):
            programs.ven(vtn, name, "--opt", opt)
        yield Field(vtn, folder)


@pytest.fixture
def asked(field: Field, command: Command) -> Command:
    """Runs a command that asks the VTN."""

    def run(*arguments: object) -> Ended:
        return command(*arguments, "--socket", field.folder / "vtn.sock")

    return run


@pytest.fixture
def create(field: Field, asked: Command) -> Callable[..., dict[str, Any]]:
    """Makes an event with an id of its own, and returns it as the VTN shows it."""

    def make(*flags: object) -> dict[str, Any]:
        event_id = f"event-{next(_IDS)}."
        ended = asked("event", "create", "--id", event_id, *flags)
        assert (ended.status, ended.err) == (0, "")
        shown: dict[str, Any] = field.vtn.ask("event/show", event_id=event_id)
        return shown

    return make
