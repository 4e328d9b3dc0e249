"""What the documentation shows is true: its examples run, its commands exist, its settings are the ones there are."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from typer.testing import CliRunner

from oadr_app.cli import app
from oadr_app.config import (
    Decision,
    Http,
    KeptLimits,
    KnownVen,
    Limits,
    Load,
    Readings,
    Reports,
    VenFile,
    VenPush,
    VenReport,
    VenSignatures,
    VtnFile,
    VtnSignatures,
    read,
)
from oadr_app.tls_config import VenTls, VtnTls
from oadr_app.xmpp_config import VenXmpp, VtnXmpp
from tests.conftest import ROOT

README: Final = (ROOT / "README.md").read_text()
PAGES: Final = sorted((ROOT / "docs").glob("*.md"))
_LINK: Final = re.compile(r"\]\((?!https?:)([^)#]+)")


def blocks(text: str, language: str) -> list[str]:
    """The blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run_one_after_the_other(page: Path) -> None:
    known: dict[str, object] = {}
    for number, code in enumerate(blocks(page.read_text(), "python")):
        exec(compile(code, f"{page.name}, example {number}", "exec"), known)


def test_the_readme_shows_the_examples_as_they_are() -> None:
    ven, _, vtn = blocks(README, "python")
    assert [ven, vtn] == [(ROOT / "examples" / name).read_text() for name in ("ven.py", "vtn.py")]


def test_the_page_on_xmpp_shows_the_configurations_as_they_are() -> None:
    page, folder = (ROOT / "docs" / "xmpp.md").read_text(), ROOT / "examples" / "xmpp"
    for language, name in (("lua", "prosody.cfg.lua"), ("yaml", "ejabberd.yml")):
        assert blocks(page, language) == [(folder / name).read_text()]
    assert f"```\n{(folder / 'vens-apart.pfw').read_text()}```\n" in page


def test_what_the_readme_adds_to_its_ven_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["ven.py"])
    known: dict[str, Any] = {}
    for code in blocks(README, "python")[:2]:
        exec(compile(code, "README.md", "exec"), known)
    known["somebody_has_come_home"]()
    known["on_event_status"]("event", "active", "steady", [{"value": 1.0}], None)


def test_the_commands_that_the_readme_shows_exist() -> None:
    verbs = "create|modify|list|show|cancel|request|export"
    commands = re.findall(rf"^\$ oadr ([a-z]+(?: (?:{verbs}))?)(.*?)(?:  +#.*)?$", README, re.MULTILINE)
    assert len(commands) >= 10
    for command, rest in commands:
        told = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"}, color=False)
        assert told.exit_code == 0, command
        for flag in re.findall(r"--[a-z-]+", rest):
            assert flag in told.stdout, f"oadr {command} has no {flag}"


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} points at {target}"


@pytest.mark.parametrize(
    ("number", "file", "tables"),
    [
        (
            0,
            VtnFile,
            {
                "http": Http,
                "limits": Limits,
                "reports": Reports,
                "readings": Readings,
                "tls": VtnTls,
                "signatures": VtnSignatures,
                "xmpp": VtnXmpp,
                "vens": KnownVen,
            },
        ),
        (
            1,
            VenFile,
            {
                "loads": Load,
                "decisions": Decision,
                "limits": KeptLimits,
                "reports": VenReport,
                "tls": VenTls,
                "signatures": VenSignatures,
                "push": VenPush,
                "xmpp": VenXmpp,
            },
        ),
    ],
)
def test_every_setting_is_explained(
    number: int, file: type[VtnFile] | type[VenFile], tables: dict[str, type[msgspec.Struct]], tmp_path: Path
) -> None:
    text = blocks((ROOT / "docs" / "configuration.md").read_text(), "toml")[number]
    shown = tomllib.loads(text)
    assert set(shown) == set(file.__struct_fields__)
    for name, table in tables.items():
        content = shown[name]
        told = content if isinstance(content, list) else [content]
        instead = set(re.findall(r"^# (\w+) = ", text.partition(f"\n[{name}]")[2].partition("\n[")[0], re.MULTILINE))
        assert {field for one in told for field in one} | instead == set(table.__struct_fields__)
    path = tmp_path / "shown.toml"
    path.write_text(text)
    assert read(file, path, {})
