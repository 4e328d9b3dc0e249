"""Servers of tests end with the tests, even with such as are killed."""

import os
import subprocess
import sys

import pytest

from tests.xmpp.servers import Login, Prosody, leashed

_SERVER = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"

_TESTS = f"""
import subprocess, time
server = subprocess.Popen({leashed([sys.executable, "-c", _SERVER])!r}, stdin=subprocess.PIPE, start_new_session=True)
time.sleep(600)
"""


def test_a_server_ends_with_tests_that_are_killed() -> None:
    tests = subprocess.Popen([sys.executable, "-c", _TESTS], stdout=subprocess.PIPE)
    assert tests.stdout is not None
    with tests.stdout as said:
        os.kill(int(said.readline()), 0)  # it runs
        tests.kill()
        tests.wait()
        assert said.read() == b"", "it holds the other end, which is at its end now, so it has ended"


def test_a_server_that_ends_by_itself_is_seen_to_have_ended() -> None:
    command = leashed([sys.executable, "-c", "print('cannot start')"])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as server:
        assert server.stdout is not None
        assert server.stdout.read() == b"cannot start\n"


def test_prosody_is_stopped_killed_and_started_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Prosody(tmp_path_factory.mktemp("prosody"), Login.PASSWORD)
    server.start()
    server.restart()
    server.kill()
    server.start()
    server.stop()
