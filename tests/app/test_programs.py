"""``oadr vtn`` and ``oadr ven`` as processes: how they begin, how they end, and what may befall them between."""

import resource
import signal
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from oadr_app.control import ControlError
from tests.app.program import Ended, Programs, Vtn, confirmed, is_answered, oadr, stored, until

Command = Callable[..., Ended]

LEVEL = {"signal_name": "SIMPLE", "signal_type": "level", "intervals": [{"duration": 3600, "signal_payload": 1}]}


# --- beginning -------------------------------------------------------------------------------------------------------


def test_a_vtn_says_where_it_listens_and_how_to_talk_to_it(programs: Programs, tmp_path: Path) -> None:
    vtn = programs.vtn(tmp_path)
    vtn.says(
        rf"^The VTN listens at http://127\.0\.0\.1:{vtn.port}/OpenADR2/Simple/2\.0b; its state is in vtn\.sqlite\.$"
    )
    vtn.says(r"^oadr vens, event and report talk to it; Ctrl-C stops it\.$")
    assert vtn.port != 0
    other = programs.start("vtn", "--port", "0", "--state", "other.sqlite", folder=tmp_path)
    other.says(r"oadr vens, event and report talk to it with --socket other\.sock; Ctrl-C stops it\.")


def test_a_vtn_runs_without_a_configuration(programs: Programs, tmp_path: Path) -> None:
    program = programs.start(
        "vtn", "--port", "0", "--vtn-id", "grid", "--poll", "2s", "--sampling", "1m", folder=tmp_path
    )
    program.says("The VTN listens at")
    assert is_answered(tmp_path)
    assert program.signal(signal.SIGTERM) == 0


def test_quiet_programs_say_nothing_while_all_is_well(programs: Programs, tmp_path: Path) -> None:
    vtn_program = programs.start("vtn", "--quiet", "--port", "0", folder=tmp_path)
    until(lambda: is_answered(tmp_path), "the VTN answers")
    assert vtn_program.signal(signal.SIGINT) == 0
    assert vtn_program.lines == []


def test_from_configuration_files_to_stored_readings(programs: Programs, tmp_path: Path) -> None:
    vtn = programs.vtn(tmp_path)
    (tmp_path / "ven.toml").write_text(
        f'name = "bakery"\nvtn = "{vtn.url}"\npoll = "1s"\n[[loads]]\nresource = "oven"\n[[loads]]\nresource = "fan"\n'
    )
    ven = programs.start("ven", "--config", "ven.toml", "--trace", "trace.jsonl", folder=tmp_path)
    ven.says(f"^The VEN bakery talks to {vtn.url}; its state is in bakery\\.state\\.$")
    until(lambda: vtn.vens().get("bakery", {}).get("readings", 0) >= 2, "readings of both loads")
    assert {r_id for _, r_id, _ in stored(tmp_path / "vtn.sqlite").readings} == {"oven-power", "fan-power"}
    assert ven.signal(signal.SIGINT) == 0
    judged = oadr("inspect", "trace.jsonl", folder=tmp_path)
    assert judged.status == 0, judged.out
    assert "✓ it breaks no rule that a trace shows" in judged.out


def test_a_vtn_with_a_list_registers_those_and_no_others(programs: Programs, tmp_path: Path) -> None:
    vtn = programs.start("vtn", "--port", "0", folder=tmp_path)
    url = vtn.says(r"listens at (http://\S+);")[1]
    vtn.signal(signal.SIGTERM)
    (tmp_path / "list.toml").write_text(
        f'[http]\nport = {url.split(":")[2].split("/")[0]}\n[[vens]]\nname = "bakery"\nid = "7"\n'
    )
    vtn = programs.start("vtn", "--config", "list.toml", folder=tmp_path)
    vtn.says("listens at")
    stranger = programs.start("ven", "--vtn", url, "--name", "mill", "--state", "mill.state", folder=tmp_path)
    stranger.says(r"WARNING the VTN does not register us: the VEN 'mill' is not expected \(code \d+\)$")
    guest = programs.start("ven", "--vtn", url, "--name", "bakery", "--state", "bakery.state", folder=tmp_path)
    guest.says(r"registered with the VTN oadr-VTN as 7$")


@pytest.mark.rule(51, 500)
def test_a_ven_that_is_called_instead_of_polling(programs: Programs, tmp_path: Path) -> None:
    vtn = programs.vtn(tmp_path)
    (tmp_path / "ven.toml").write_text(f'name = "bakery"\nvtn = "{vtn.url}"\n[push]\nport = 0\n')
    programs.start("ven", "--config", "ven.toml", "--trace", "trace.jsonl", folder=tmp_path)
    until(lambda: vtn.vens().get("bakery", {}).get("readings", 0) >= 2, "readings of a VEN that was called")
    assert vtn.vens()["bakery"]["transport"] == "simpleHttp push"
    vtn.ask("event/create", event={"event_descriptor": {"event_id": "shed"}, "event_signals": [LEVEL]})
    until(lambda: vtn.opts("shed").get("bakery"), "its answer")
    assert "oadrPoll" not in (tmp_path / "trace.jsonl").read_text()


# --- ending ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_programs_end_well_when_they_are_told_to(programs: Programs, tmp_path: Path, number: signal.Signals) -> None:
    vtn = programs.vtn(tmp_path)
    ven = programs.ven(vtn, "bakery")
    assert ven.signal(number) == 0
    assert vtn.signal(number) == 0
    for program in (vtn, ven):
        assert "Traceback" not in program.text
        assert "Exception ignored" not in program.text
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "bakery.state",
        "bakery.state.lock",
        "vtn.sqlite",
        "vtn.sqlite.lock",
        "vtn.toml",
    ]
    assert stored(tmp_path / "vtn.sqlite").readings


# --- what may befall them --------------------------------------------------------------------------------------------


def test_a_ven_whose_vtn_is_down_says_so_and_keeps_trying(programs: Programs, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}/OpenADR2/Simple/2.0b"
    ven = programs.start("ven", "--vtn", url, "--name", "bakery", folder=tmp_path)
    ven.says(r"WARNING EiRegisterParty: the peer cannot be reached; trying again in \d+\.\d s$", times=2)
    vtn = programs.vtn(tmp_path, port=port)
    ven.says("registered with the VTN test-VTN as ")
    until(lambda: vtn.vens().get("bakery", {}).get("readings"), "readings")
    assert "Traceback" not in ven.text
    assert ven.signal(signal.SIGTERM) == 0


def test_a_second_vtn_is_refused_before_it_does_anything(programs: Programs, tmp_path: Path) -> None:
    vtn = programs.vtn(tmp_path)
    same = oadr("vtn", folder=tmp_path)
    assert same == (
        1,
        "",
        f"oadr: vtn.sqlite is in use by the process {vtn.process.pid}; give this one a state file of its own\n",
    )
    control = oadr("vtn", "--state", "other.sqlite", "--socket", "vtn.sock", folder=tmp_path)
    assert control == (1, "", "oadr: another VTN has the control socket vtn.sock; is it running already?\n")
    port = oadr("vtn", "--state", "other.sqlite", "--port", vtn.port, folder=tmp_path)
    assert port == (1, "", f"oadr: the VTN cannot listen at 127.0.0.1:{vtn.port}: Address already in use\n")
    assert is_answered(tmp_path)
    assert not stored(tmp_path / "other.sqlite").events


def test_a_second_ven_of_one_state_is_refused(programs: Programs, tmp_path: Path) -> None:
    first = programs.start("ven", "--vtn", "http://127.0.0.1:9/", folder=tmp_path)
    first.says("cannot be reached")
    other = programs.start("ven", "--name", "other", "--vtn", "http://127.0.0.1:9/", folder=tmp_path)
    other.says("cannot be reached")  # it has a state of its own
    ended = oadr("ven", "--vtn", "http://127.0.0.1:9/", folder=tmp_path)
    assert ended.status == 1
    assert (
        ended.err
        == f"oadr: ven.state is in use by the process {first.process.pid}; give this one a state file of its own\n"
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("vtn", "--config", "absent.toml"), "oadr: absent.toml: No such file or directory"),
        (("vtn", "--config", "bad.toml"), "oadr: bad.toml: http: there is no setting `prt`; did you mean `port`?"),
        (("vtn", "--poll", "soon"), "oadr: --poll: 'soon' is no length of time; write 90s, 15m, 1h30m or PT15M"),
        (("vtn", "--state", "bad.toml"), "oadr: bad.toml: file is not a database"),
        (("vtn", "--state", "folder"), "oadr: folder: unable to open database file"),
        (("vtn", "--state", "bad.toml/vtn.sqlite"), "oadr: bad.toml: File exists"),
        (("vtn", "--state", "x" * 150), "oadr: the name of the control socket, "),
        (("vtn", "--trace", "absent/trace"), "oadr: absent/trace: No such file or directory"),
        (
            ("vtn", "--host", "0.0.0.0"),
            "oadr: http.host is 0.0.0.0, which others can reach, and there are neither [tls] nor [signatures]",
        ),
        (("vtn", "--host", "vtn.example"), "oadr: http.host is vtn.example, which others can reach"),
        (("ven", "--vtn", "vtn.example"), "oadr: --vtn: it must begin with http:// or https://, and a host"),
        (("ven", "--kilowatt", "nan"), "oadr: --kilowatt: "),
        (("ven", "--state", "bad.toml"), "oadr: bad.toml: this is no state file of a VEN"),
        (("ven", "--state", "folder"), "oadr: folder: Is a directory"),
    ],
)
def test_what_cannot_run_says_why_in_one_line(
    tmp_path: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    complaint: str,
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "bad.toml").write_text("[http]\nprt = 1\n")
    monkeypatch.chdir(tmp_path)
    ended = command(*arguments)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(complaint)
    assert ended.err.count("\n") == 1


def test_a_state_that_is_damaged_is_named(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("vtn", "--host", "0.0.0.0").status == 1
    assert not (tmp_path / "vtn.sqlite").exists(), "nothing is made by a VTN that must not run"
    command("vtn", "--host", "999.1.1.1", "--allow-insecure")
    with closing(sqlite3.connect(tmp_path / "vtn.sqlite")) as database, database:
        database.execute("INSERT INTO blobs VALUES ('ven/7', x'7b7d')")
    ended = command("vtn", "--port", "0")
    assert ended.status == 1
    assert ended.err.startswith("oadr: vtn.sqlite: VenRecord: ")


def limit_files(vtn: Vtn, size: int) -> None:
    """Let no file of a VTN grow beyond a size: to it, the disk is full."""
    _, hard = resource.prlimit(vtn.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(vtn.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def test_a_vtn_whose_disk_is_full_confirms_nothing_and_goes_on_when_there_is_room(
    programs: Programs, tmp_path: Path
) -> None:
    vtn = programs.vtn(tmp_path)
    ven = programs.start("ven", "--vtn", vtn.url, "--name", "bakery", "--trace", "trace.jsonl", folder=tmp_path)
    until(lambda: vtn.vens().get("bakery", {}).get("readings"), "readings")
    limit_files(vtn, 1)
    vtn.says(r"ERROR .* cannot be (saved|stored)\b.*: vtn\.sqlite: ", times=2)
    before, full_at = stored(tmp_path / "vtn.sqlite"), datetime.now(UTC).timestamp() * 10**6
    vtn.says(r"ERROR .* cannot be (saved|stored)\b", times=3)
    assert stored(tmp_path / "vtn.sqlite") == before
    assert confirmed(tmp_path / "trace.jsonl").items() <= before.values.items()
    assert list(vtn.vens()) == ["bakery"], "an operator sees what there is all the same"
    with pytest.raises(ControlError, match="it was done, but it cannot be saved at present; the VTN keeps trying"):
        vtn.ask("event/create", event={"event_descriptor": {"event_id": "late"}, "event_signals": [LEVEL]})
    room_at = datetime.now(UTC).timestamp() * 10**6
    limit_files(vtn, resource.RLIM_INFINITY)
    until(lambda: max(when for _, when in stored(tmp_path / "vtn.sqlite").values) > room_at, "new readings")
    assert ven.signal(signal.SIGTERM) == 0
    assert vtn.signal(signal.SIGTERM) == 0
    assert "Traceback" not in vtn.text + ven.text
    after = stored(tmp_path / "vtn.sqlite").values
    assert confirmed(tmp_path / "trace.jsonl").items() <= after.items()
    assert "late" in stored(tmp_path / "vtn.sqlite").events
    assert [when for _, when in after if full_at < when < room_at], "what was measured meanwhile came later"
