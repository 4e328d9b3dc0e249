"""Whoever asks for help finds every command and every flag explained."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from oadr_app.cli import app
from tests.app.program import oadr

GROUP = typer.main.get_command(app)


def commands() -> Iterator[list[str]]:
    """All commands, as they are typed."""
    yield []
    for name, one in GROUP.commands.items():  # type: ignore[attr-defined]
        yield [name]
        yield from ([name, under] for under in getattr(one, "commands", {}))


def test_there_are_the_commands_that_there_should_be() -> None:
    programs = {"", "vtn", "ven", "demo", "inspect", "fingerprint", "certificates"}
    of_events = {f"event {name}" for name in ("create", "modify", "list", "show", "cancel")}
    verbs = ("list", "show", "available", "enrol", "ask", "reregister", "remove", "forget", "certificate")
    of_vens = {f"vens {name}" for name in verbs}
    reporting = {"report", "report list", "report request", "report cancel", "report show", "report export"}
    operating = {"vens", "event", *of_events, *of_vens}
    assert {" ".join(one) for one in commands()} == programs | operating | reporting


@pytest.mark.parametrize("names", list(commands()), ids=" ".join)
def test_every_command_and_every_flag_is_explained(names: list[str]) -> None:
    command = GROUP
    for name in names:
        command = command.commands[name]  # type: ignore[attr-defined]
    assert command.help
    for parameter in command.params:
        if not getattr(parameter, "hidden", False):
            assert getattr(parameter, "help", None), f"{names}: {parameter.name}"
    for flag in ("--help", "-h"):
        told = CliRunner().invoke(app, [*names, flag], env={"COLUMNS": "400"}, color=False)
        assert told.exit_code == 0
        assert command.help.splitlines()[0] in told.stdout
        for parameter in command.params:
            if not getattr(parameter, "hidden", False):
                assert parameter.opts[0] in told.stdout or parameter.name in told.stdout


def test_a_paragraph_of_help_is_broken_where_the_terminal_ends_and_nowhere_else() -> None:
    told = CliRunner().invoke(app, ["report", "request", "--help"], env={"COLUMNS": "400"}, color=False).stdout
    assert "sent every minute; --once for one report; --last 24h for what a history holds" in told


def test_the_version_is_told(tmp_path: Path) -> None:
    assert oadr("--version", folder=tmp_path) == (0, f"oadr {version('oadr')}\n", "")


def test_without_anything_the_command_tells_what_there_is(tmp_path: Path) -> None:
    ended = oadr(folder=tmp_path)
    assert "Usage: " in ended.out
    assert all(name in ended.out for name in ("vtn", "ven", "event", "demo", "inspect"))
