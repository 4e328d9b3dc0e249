"""The targets hold for what they begin with, and find faults that are put into the code; the engine does too."""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fuzz import __main__ as program
from fuzz import campaign, guard, mutations, reach
from fuzz.guard import Guard, TooSlow
from fuzz.target import NAMES, contract, find
from oadr_core.seal import checking
from oadr_core.state import blobs
from oadr_core.vtn import Vtn
from oadr_core.wire import envelope
from oadr_http import compression, parser
from oadr_xmpp import apart, dialects
from tests.conftest import IN_CI, ROOT

targets = pytest.mark.parametrize("name", NAMES)


@targets
def test_a_target_begins_with_its_contract(name: str) -> None:
    first, empty, *rest = contract(name).splitlines()
    assert first.endswith(".")
    assert not empty
    assert len(" ".join(rest)) > 100


@targets
def test_a_target_holds_for_what_it_begins_with(name: str) -> None:
    target = find(name)
    seeds = list(target.seeds())
    assert seeds == list(target.seeds()), "always the same"
    for seed in seeds[:10]:
        target.check(seed)


@targets
@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 50, b"<", b"\x03\0\xff\n"])
def test_a_target_holds_for_next_to_nothing(name: str, data: bytes) -> None:
    find(name).check(data)


# --- a target can fail -----------------------------------------------------------------------------------------------


def _believes_every_digest(reference: Any, octets: bytes) -> bytes:
    value: bytes = reference.value
    return value


def _believes_whatever_is_said(vtn: Any, message: Any, *who: Any) -> Any:
    return vtn._records.get(getattr(message, "ven_id", None))


FAULTS: dict[str, tuple[str, object, str, object]] = {
    "forged messages are believed": ("open_signed", checking, "digest_of", _believes_every_digest),
    "a VEN is whom it says it is": ("vtn_session", Vtn, "_identify", _believes_whatever_is_said),
    "damaged state is looked at no further": ("stored", blobs, "StateError", KeyError),
    "what is forgiven has no bounds": ("decode_lenient", envelope, "_MOST_FORGIVEN", -1),
    "a body of any length is taken": ("http_request", parser, "length_fault", lambda *_: None),
    "an envelope is put around whatever comes": ("xmpp_dialects", dialects, "_ROOT", re.compile(b"never")),
    "anybody answers for anything": ("xmpp_dialects", apart, "is_answer", lambda *_: True),
    "an answer of any length is taken": (
        "compression",
        compression,
        "_inflated",
        lambda content, window, longest: b"x" * 70_000,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, place, attribute, wrong = FAULTS[fault]
    target = find(name)
    series = list(reach.inputs(target))[:400]
    monkeypatch.setattr(place, attribute, wrong)
    assert any(_breaks(target.check, data) for data in series)


def _breaks(check: Callable[[bytes], None], data: bytes) -> bool:
    try:
        check(data)
    except Exception:
        return True
    return False


def test_an_input_that_takes_long_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "LONGEST", 0.01)
    slow = Guard(lambda data: sum(number * number for number in range(300_000)) and None)
    with pytest.raises(TooSlow, match=r"where 0\.01 s are allowed"):
        slow(b"")
    assert slow.slowest > 0.01


_HOLDS_MUCH = """
from fuzz import guard
guard.LARGEST = 1
held = []
try:
    guard.Guard(lambda data: held.append(b"x" * (int(guard.memory()) << 20)))(b"")
except guard.TooLarge as error:
    print(error)
"""


def test_an_input_that_takes_much_memory_is_a_finding() -> None:
    # in a process of its own: what counts is the most that a process ever held, and the one of the tests has held much
    done = subprocess.run([sys.executable, "-c", _HOLDS_MUCH], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "MB are allowed" in done.stdout


def test_changing_json_leaves_nothing_behind_that_would_come_into_itself() -> None:
    data = b'{"a": [1, {"b": [[]]}], "c": {}}'
    once = [mutations.of_json(data, Random(seed)) for seed in range(2000)]
    assert once == [mutations.of_json(data, Random(seed)) for seed in range(2000)]


# --- the engine ------------------------------------------------------------------------------------------------------


@pytest.fixture
def engine() -> None:
    """Skip where there is no engine; in continuous integration fail."""
    if importlib.util.find_spec("atheris") is None:
        reason = "atheris is not installed; `make test` does that where it can be had"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.usefixtures("engine")
def test_the_engine_finds_a_fault_and_says_where_it_is(tmp_path: Path) -> None:
    told: list[str] = []
    result = campaign.run_one("tests.fuzz.faulty", 60, tmp_path, told.append)
    assert result.finding is not None, told
    assert "RuntimeError: a fault that was put here" in result.finding.what
    assert (result.passed, result.inputs > 0, result.memory > 0, result.cpu > 0) == (False, True, True, True)
    with pytest.raises(RuntimeError):
        find("tests.fuzz.faulty").check(Path(result.finding.file).read_bytes())


def test_a_campaign_says_what_was_done_and_what_was_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    fine = campaign.Result("compression", 20_000, 10.0, 12.0, 37, 66, 0.004)
    broken = campaign.Result("pair", 5, 1.0, 60.0, 9, 70, 0.5, campaign.Finding(".fuzz/findings/pair/crash-1", "Ouch"))
    for results, status in (
        ([fine], 0),
        ([fine, broken], 1),
        ([campaign.Result("pair", 0, 0, 0, 0, 0, 0, None, True)], 1),
    ):
        monkeypatch.setattr(campaign, "run", lambda *_, found=results: found)
        assert program.main(["--seconds", "1"]) == status
        said = capsys.readouterr()
        if fine in results:
            row = next(line for line in said.out.splitlines() if line.startswith("compression"))
            assert " ".join(row.split()) == "compression 20,000 2,000 37 4.0 ms 66 MB 12 s nothing"
        if broken in results:
            assert "20,005 inputs in 1.2 minutes" in said.out
            assert "python -m fuzz --replay pair .fuzz/findings/pair/crash-1" in said.err
        program.main(["--json"])
        assert [one["target"] for one in json.loads(capsys.readouterr().out)] == [one.target for one in results]


# --- the reach -------------------------------------------------------------------------------------------------------


def test_every_module_of_every_target_has_a_floor() -> None:
    floors = reach.read_floors()
    assert {name: set(find(name).modules) for name in NAMES} == {name: set(one) for name, one in floors.items()}
    assert all(0 < floor < 100 for modules in floors.values() for floor in modules.values())


def test_the_reach_is_counted_in_lines_of_functions() -> None:
    reached, lines = reach.lines_reached(find("compression"))["oadr_http.compression"]
    assert reached <= lines
    assert len(reached) > len(lines) / 2
    source = Path(compression.__file__).read_text(encoding="utf-8").splitlines()
    assert any("machine.decompress(" in source[line - 1] for line in reached)
    assert not any(source[line - 1].startswith(("import ", "def ", "class ")) for line in lines)


def test_a_reach_below_its_floor_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    low = reach.Reach("compression", "oadr_http.compression", 10, 40, 50)
    monkeypatch.setattr(program, "_measured", lambda name: [low])
    assert program.main(["--check", "--only", "compression"]) == 1
    said = capsys.readouterr()
    assert "10 of 40   25.0 %   50 %  BELOW" in said.out
    assert "python -m fuzz --set-floors" in said.err
    high = reach.Reach("compression", "oadr_http.compression", 20, 40, 50)
    monkeypatch.setattr(program, "_measured", lambda name: [high])
    assert program.main(["--check", "--only", "compression"]) == 0


# --- the command line ------------------------------------------------------------------------------------------------


def test_an_input_is_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"\x01x")
    assert program.main(["--replay", "compression", str(file)]) == 0
    assert "compression holds for these 2 bytes" in capsys.readouterr().out
    assert program.main(["--replay", "nothing", str(file)]) == 2


def test_the_contracts_are_listed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--list"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in NAMES:
        assert f"{name}\n{'-' * len(name)}\n{contract(name)}" in done.stdout
