"""The benchmarks run, look at the answers, and tell their figures in a form that a machine can read.

Nothing here is judged by the clock: how fast something was is told, and never asserted.
"""

import json
import os
import random
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bench import over_tls, readings
from bench.documents import documents
from bench.figures import WrongAnswer, at_least, at_most, figure, ratio
from bench.load import OverTls, load
from bench.one_for_all import _see_that_all_have_answered
from bench.one_for_all import main as one_for_all
from bench.poll import CONFIG, NOW
from bench.resident import resident, resident_of
from bench.timing import Effort
from bench.worker import ours
from oadr_app.authority import Kind
from oadr_core import Audience, EiResponse, PlainSealer, Response, Vtn, check, decode, encode, verify
from tests.core.kit import event

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 120.0


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


@pytest.fixture(scope="module")
def told() -> Any:
    done = bench("--quick", "--only", "codec", "--only", "poll", "--only", "report", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_run_tells_where_it_was_made(told: Any) -> None:
    assert told["quick"] is True
    assert told["seconds"] > 0
    assert told["cores"] >= 1
    assert told["python"]
    assert told["system"]


def test_every_document_is_measured_both_ways_against_its_floor(told: Any) -> None:
    ratios = {(one["name"], one["against"]) for one in told["figures"] if one["unit"] == "×"}
    for name in documents():
        assert (f"read and validate, {name}", "hardened lxml parse") in ratios
        assert (f"write, {name}", "written by hand") in ratios


def test_both_cores_answer_idle_polls(told: Any) -> None:
    names = [one["name"] for one in told["figures"] if one["benchmark"] == "poll"]
    assert names == ["idle poll through Vtn", "idle poll through AutoVtn"]


def test_a_report_of_a_day_is_read_taken_and_stored(told: Any) -> None:
    names = [one["name"] for one in told["figures"] if one["benchmark"] == "report" and one["unit"] == "×"]
    taken = ("read and validated", "read, and taken by the core", "filed and stored")
    assert names == [f"a report of 1,440 readings is {one}" for one in taken]


def test_all_readings_that_are_confirmed_under_load_are_stored() -> None:
    short = Effort(rounds=1, sample=0.0, load_rounds=1, load=0.1, vens=0, readings=30_000)
    found = readings.run(short)  # raises where the file does not hold what was confirmed
    rates = [one for one in found.figures if one.unit == "readings/s"]
    assert [one.name for one in rates][:3] == [
        "stored, 1 reading a report",
        "stored, 60 readings a report",
        "stored, 1,440 readings a report",
    ]
    assert all(one.value > 0 for one in rates)
    assert any(one.against == "growth of the file" for one in found.figures)


def test_every_figure_has_a_spread_and_a_verdict_where_it_has_a_budget(told: Any) -> None:
    for one in told["figures"]:
        assert 0 < one["low"] <= one["value"] <= one["high"], one
        assert (one["met"] is None) == (one["budget"] is None), one
    assert len(told["missed"]) == sum(one["met"] is False for one in told["figures"])


def test_the_documents_are_what_a_party_may_send() -> None:
    for name, message in documents().items():
        verify(message)
        assert [*check(message)] == [], name
        assert decode(encode(message)) == message, name


def test_help_names_every_option() -> None:
    done = bench("--help")
    assert done.returncode == 0, done.stderr
    for option in ("--quick", "--only", "--rounds", "--json"):
        assert option in done.stdout


def test_an_unknown_benchmark_is_refused() -> None:
    done = bench("--only", "luck")
    assert done.returncode == 2
    assert "codec" in done.stderr


def test_ratios_are_taken_pair_by_pair() -> None:
    # the machine was half as fast in the second round, and both felt it
    found = ratio("any", "any", [2.0, 4.0, 6.0], [1.0, 2.0, 3.0], against="a floor", budget=at_most(2))
    assert (found.low, found.value, found.high) == (2.0, 2.0, 2.0)
    assert found.met is True


@pytest.mark.parametrize(("budget", "met"), [(at_most(5), True), (at_most(4), False), (at_least(6), False)])
def test_the_median_is_held_against_the_budget(budget: Any, met: bool) -> None:
    assert figure("any", "any", "µs", [1.0, 5.0, 90.0], budget=budget).met is met


def test_one_event_for_many_vens_is_made_once_and_answered_by_all() -> None:
    told = one_for_all(20)
    assert told["documents"] == 1
    assert all(told[name] > 0 for name in ("made", "made for one", "exchange", "idle", "all"))


def test_a_ven_that_has_not_answered_spoils_the_measurement() -> None:
    core = Vtn(CONFIG, sealer=PlainSealer(), entropy=random.Random(1))
    core.add_event(event("for all"), Audience(everyone=True), NOW)
    with pytest.raises(WrongAnswer, match="1 VENs have not answered, such as ven"):
        _see_that_all_have_answered(core, ["ven"])


# --- load ------------------------------------------------------------------------------------------------------------

FINE = encode(Response(response=EiResponse()))
ERROR = encode(Response(response=EiResponse(response_code=452)))


@contextmanager
def answering(status: int, body: bytes, posted: list[bytes] | None = None) -> Iterator[str]:
    """A server that has one answer to everything, and notes what is posted."""
    seen = [] if posted is None else posted

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            seen.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.block_on_close = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/OadrPoll"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(params=["wrk", "sockets"])
def generator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either load generator; where wrk is not installed, the built-in one does the work of both."""
    if request.param == "sockets":
        monkeypatch.setattr("bench.load.shutil.which", lambda name: None)
    return str(request.param)


def test_load_counts_the_answers_that_are_right(generator: str) -> None:
    with answering(200, FINE) as url:
        loaded = load(url, b"<poll/>", 0.2, core=0)
    assert loaded.right > 0
    assert loaded.wrong == loaded.failed == 0
    assert loaded.rate > 0


@pytest.mark.parametrize("each", [False, True])
def test_load_comes_over_tls_with_certificates_on_both_sides(tmp_path: Path, each: bool) -> None:
    """The bare server takes nobody without one, and answers each request."""
    over_tls._write_files(tmp_path, Kind.EC)
    for version in ("1.2", "1.3"):
        with ours("bench.bare", str(tmp_path), version) as server:
            loaded = load(f"{server.greeting}/OadrPoll", b"<poll/>", 0.2, 0, OverTls(tmp_path, version, each))
            assert loaded.right > 0
            assert loaded.wrong == loaded.failed == 0
            with pytest.raises((ssl.SSLError, urllib.error.URLError, ConnectionError)):
                asks_without_certificate(server.greeting, tmp_path)


def asks_without_certificate(url: str, folder: Path) -> None:
    context = ssl.create_default_context(cafile=folder / "vtn-ca.crt")
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_ciphers((folder / "ciphers").read_text())
    urllib.request.urlopen(f"{url}/OadrPoll", b"<poll/>", PATIENCE, context=context).read()


def test_several_documents_are_posted_by_turns(generator: str) -> None:
    posted: list[bytes] = []
    with answering(200, FINE, posted) as url:
        load(url, [b"<one/>", b"<two/>", b"<three/>"], 0.2, core=0)
    assert set(posted) == {b"<one/>", b"<two/>", b"<three/>"}


@pytest.mark.parametrize(("status", "body"), [(200, ERROR), (503, FINE)])
def test_a_wrong_answer_under_load_ends_the_measurement(generator: str, status: int, body: bytes) -> None:
    with answering(status, body) as url, pytest.raises(WrongAnswer):
        load(url, b"<poll/>", 0.2, core=0)


def test_the_memory_of_other_processes_is_found_by_their_session() -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as other:
        found = resident_of(other.pid)
        other.kill()
    assert found is not None
    assert 0 < found < resident()
    assert resident_of(os.getsid(0)) != found
    assert resident_of(0x7FFFFFFF) is None
