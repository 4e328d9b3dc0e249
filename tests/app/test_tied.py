"""Programs that run no longer than we do: servers of the demo and of the tests, whatever ends us."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from oadr_app.tied import Tied
from tests.app.program import PATIENCE
from tests.conftest import ROOT
from tests.xmpp.servers import Prosody

A_PROGRAM = """
import sys, time
from oadr_app.tied import Tied
tied = Tied(["sh", "-c", 'exec sleep 600 >"$0"', sys.argv[1]])
time.sleep(600)
"""
"""Runs a program that holds a file open."""

A_SERVER = """
import sys, time
from pathlib import Path
from tests.xmpp.servers import Login, Prosody
server = Prosody(Path(sys.argv[1]), Login.PASSWORD)
server.start()
print(server.port, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_us_however_we_end(tmp_path: Path, how: signal.Signals) -> None:
    held = tmp_path / "held"
    os.mkfifo(held)
    with subprocess.Popen([sys.executable, "-c", A_PROGRAM, held], cwd=ROOT) as us, held.open("rb") as file:
        us.send_signal(how)
        assert us.wait(PATIENCE) == -how
        assert select.select([file], [], [], PATIENCE)[0], "it has ended, and so has what it holds"
        assert file.read() == b""


def test_a_server_of_the_tests_ends_with_tests_that_are_killed(tmp_path: Path) -> None:
    Prosody.needed()
    command = [sys.executable, "-c", A_SERVER, tmp_path]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as us:
        assert us.stdout is not None
        port = int(us.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            us.kill()
            with contextlib.suppress(ConnectionResetError):  # nobody had taken it yet
                assert client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), PATIENCE)


def test_what_it_says_is_awaited_until_it_can_say_no_more() -> None:
    tied = Tied(["sh", "-c", "echo one; echo two; read line || echo no input; echo three >&2"])
    assert tied.says(["two", "one"], patience=PATIENCE)
    assert not tied.says(["four"], patience=PATIENCE)
    assert tied.output == ["one", "two", "no input", "three"]
    tied.stop(PATIENCE)
    assert not tied.running


def test_what_makes_waiting_vain_ends_it() -> None:
    tied = Tied(["sh", "-c", "echo the port is taken; exec sleep 600"])
    assert not tied.says(["ready"], patience=PATIENCE, unless="taken")
    assert tied.running
    tied.stop(PATIENCE)
    assert not tied.running


def test_it_is_asked_to_end_and_killed_where_it_does_not() -> None:
    polite = Tied(["sh", "-c", "trap 'echo bye; exit' TERM; echo here; while :; do sleep 0.01; done"])
    assert polite.says(["here"], patience=PATIENCE)
    polite.stop(PATIENCE)
    assert polite.output == ["here", "bye"]
    stubborn = Tied(["sh", "-c", "trap '' TERM; echo here; while :; do sleep 0.01; done"])
    assert stubborn.says(["here"], patience=PATIENCE)
    stubborn.stop(0.1)
    assert not stubborn.running
    stubborn.kill()


def test_a_program_that_is_not_there_says_so() -> None:
    tied = Tied(["/no/such/program"])
    assert not tied.says(["ready"], patience=PATIENCE)
    assert "/no/such/program" in tied.output[0]
    tied.kill()
