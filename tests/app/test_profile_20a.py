"""Profile 2.0a in the programs: VENs that are made known, a VEN that speaks it, and documents of it."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from oadr_app.checked import ConfigError
from oadr_app.config import VenFile, VtnFile, read
from oadr_app.ven import VenProgram
from oadr_app.vtn import VtnProgram
from oadr_core import ProfileName, RequestEvent, encode
from tests.app.program import Ended, Programs, oadr

Command = Callable[..., Ended]

A = ProfileName.V20A


def vtn_file(folder: Path, text: str) -> VtnFile:
    path = folder / "vtn.toml"
    path.write_text(text)
    return read(VtnFile, path, {})


def test_vens_of_20a_are_made_known_once(tmp_path: Path) -> None:
    file = vtn_file(
        tmp_path, '[[vens]]\nname = "mill"\nid = "7"\nopenadr = "2.0a"\npoll = "1m"\n[[vens]]\nname = "b"\n'
    )
    for _ in range(2):
        program = VtnProgram(file)
        known = program.server.vens["7"]
        assert (known.profile, known.ven_name, known.poll_interval) == (A, "mill", 60.0)
        assert len(program.server.vens) == 1
        program.store.close()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[vens]]\nname = "mill"\nopenadr = "2.0a"', "vens: 'mill' needs an `id`"),
        (
            'http.prefix = "/x"\n[[vens]]\nname = "mill"\nid = "7"\nopenadr = "2.0a"',
            "vens: VENs of 2.0a are not",
        ),
        ('[[vens]]\nname = "mill"\nopenadr = "2"', r"'2' is not possible; write 2\.0a or 2\.0b"),
    ],
)
def test_a_ven_that_cannot_be_made_known_is_said(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        VtnProgram(vtn_file(tmp_path, text))


def test_a_ven_of_20a_reports_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ven.toml"
    path.write_text('ven_id = "7"\nopenadr = "2.0a"\n[[reports]]\nresource = "a"\ncommand = "true"\n')
    with pytest.raises(ConfigError, match=r"a VEN of OpenADR 2\.0a reports nothing"):
        VenProgram(read(VenFile, path, {}))
    path.write_text('ven_id = "7"\nopenadr = "2.0a"\n')
    program = VenProgram(read(VenFile, path, {}))
    assert program.client.profile is A
    program.close()


def test_a_ven_of_20a_takes_part_in_an_event(programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "vtn.toml").write_text('[http]\nport = 0\n[[vens]]\nname = "mill"\nid = "7"\nopenadr = "2.0a"\n')
    vtn = programs.start("vtn", folder=tmp_path)
    url = vtn.says(r"listens at (http://\S+);")[1]
    flags = ("--vtn", url, "--ven-id", "7", "--openadr", "2.0a", "--poll", "200ms", "--trace", "trace.jsonl")
    ven = programs.start("ven", *flags, folder=tmp_path)
    made = oadr("event", "create", "--ven", "7", "--value", "2", "--duration", "1h", folder=tmp_path)
    assert made.status == 0, made.err
    vtn.says("VEN 7 answers event .* with optIn")
    dispatch = ("--signal", "LOAD_DISPATCH", "--type", "setpoint", "--measurement", "power_real", "--id", "dispatch")
    made = oadr("event", "create", "--ven", "7", *dispatch, folder=tmp_path)
    assert "! it is not given to mill: OpenADR 2.0a has no words for it" in made.out
    shown = oadr("event", "show", "dispatch", folder=tmp_path)
    assert "– cannot be told in 2.0a" in shown.out
    assert "1 VEN: 0 in, 0 out, 0 silent" in shown.out
    assert ven.signal(signal.SIGINT) == 0
    judged = oadr("inspect", "trace.jsonl", folder=tmp_path)
    assert judged.status == 0, judged.out
    assert "oadrPoll" not in judged.out


def test_a_document_of_20a_is_shown_with_its_verdict(tmp_path: Path, command: Command) -> None:
    path = tmp_path / "asked.xml"
    path.write_bytes(encode(RequestEvent(request_id="1", ven_id="7"), profile=A))
    shown = command("inspect", path)
    assert shown.status == 0
    assert "✓ the schema of 2.0a accepts it" in shown.out
    path.write_bytes(path.read_bytes().replace(b"</pyld:eiRequestEvent>", b"<x/></pyld:eiRequestEvent>"))
    shown = command("inspect", path)
    assert "✗ the schema of 2.0a refuses it" in shown.out + shown.err
