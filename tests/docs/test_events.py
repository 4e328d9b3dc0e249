"""What the documentation shows of events is what happens."""

import os
import random
import re
import shlex
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import pytest

from oadr_app import event_file
from oadr_app.event_file import EventForm, event_of, form_of, read_file, written_form
from tests.app.program import COMMAND, PATIENCE, Programs, until
from tests.conftest import ROOT
from tests.docs.test_docs import README, blocks

_TIMES: Final = re.compile(r"\d\d:\d\d:\d\d|\d+d(\d+h)? earlier")


def test_every_field_of_an_event_is_explained(tmp_path: Path) -> None:
    """The file in the documentation is an event, and holds each field that there is."""
    (text,) = blocks((ROOT / "docs" / "events.md").read_text(), "toml")
    path = tmp_path / "event.toml"
    path.write_text(text)
    now = datetime.now(UTC)
    form = read_file(path, now)
    event = event_of(form, random.Random(0), now)
    assert event_of(form_of(event), random.Random(0), now) == event
    shown = _keys(tomllib.loads(text)) | {"state", "feed"}  # the text below it speaks of these
    tables = [one for one in vars(event_file).values() if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    known = {name for one in tables if one.__module__ == event_file.__name__ for name in one.__struct_fields__}
    assert shown == known
    assert written_form(form)["event_descriptor"]["event_id"] == "peak"
    assert isinstance(form, EventForm)


def _keys(content: object) -> set[str]:
    if isinstance(content, dict):
        return set(content) | {key for one in content.values() for key in _keys(one)}
    return {key for one in content for key in _keys(one)} if isinstance(content, list) else set()


@pytest.fixture
def programs() -> Programs:
    """Starts programs; used with ``with``."""
    return Programs()


def test_the_readme_shows_what_the_commands_print(programs: Programs, tmp_path: Path) -> None:
    """Only times of day differ, and how far away the event is."""
    (transcript,) = [one for one in blocks(README, "console") if "oadr event modify" in one]
    said = re.split(r"^\$ oadr ", transcript, flags=re.MULTILINE)[1:]
    with programs:
        (tmp_path / "vtn.toml").write_text(
            'poll = "1s"\n[http]\nport = 0\n[[vens]]\nname = "bakery"\nid = "1"\n[[vens]]\nname = "mill"\nid = "2"\n'
        )
        vtn = programs.start("vtn", folder=tmp_path)
        url = vtn.says(r"listens at (http://\S+);")[1]
        for name, opt in (("bakery", "optIn"), ("mill", "optOut")):
            flags = ("--vtn", url, "--name", name, "--state", f"{name}.state", "--opt", opt)
            programs.start("ven", *flags, folder=tmp_path)
        until(lambda: _run("vens", tmp_path).count("online") == 2, "both VENs are there")
        for one in said:
            arguments, _, expected = one.partition("\n")
            if arguments.startswith("event show"):
                until(lambda arguments=arguments: _run(arguments, tmp_path).count(" opts ") == 2, "both answer")
            assert _timeless(_run(arguments, tmp_path)) == _timeless(expected)


def _run(arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [*COMMAND, *shlex.split(arguments)],
        cwd=folder,
        env={**os.environ, "TZ": "UTC"},
        capture_output=True,
        timeout=PATIENCE,
        check=True,
        text=True,
    )
    return done.stdout


def _timeless(text: str) -> list[str]:
    return [" ".join(_TIMES.sub("…", line).split()) for line in text.splitlines() if line.strip()]
