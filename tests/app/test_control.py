"""The control endpoint: for those who may read its token alone, and not to be tripped by what they send."""

import json
import logging
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import httpx
import pytest

from oadr_app.control import ControlError, ControlSocket, ask, token_file
from oadr_core import LocalProtocolError
from tests.app.program import PATIENCE

pytestmark = pytest.mark.anyio


async def echo(asked: Mapping[str, Any]) -> object:
    """Answer with what was asked."""
    return asked


async def refuse(asked: Mapping[str, Any]) -> object:
    """Refuse."""
    raise LocalProtocolError("there is no such thing")


async def fail(asked: Mapping[str, Any]) -> object:
    """Fail as no command should."""
    raise ZeroDivisionError("oh")


COMMANDS: Final = {"echo": echo, "event/refuse": refuse, "fail": fail}


def names(folder: Path) -> list[str]:
    """What there is in a folder."""
    return [one.name for one in folder.iterdir()]


@asynccontextmanager
async def listening(path: Path) -> AsyncIterator[None]:
    """Have a control socket."""
    with anyio.fail_after(PATIENCE):
        async with ControlSocket.claimed(path) as control, control.serving(COMMANDS):
            yield


async def asked(path: Path, command: str, **content: object) -> Any:
    """Ask as the commands do."""
    return await anyio.to_thread.run_sync(lambda: ask(path, command, **content))


async def post(
    path: Path, command: str, body: bytes, token: bytes | None = None, method: str = "POST"
) -> tuple[int, Any]:
    """Send any request; returns the status and the content of the answer."""
    shown = token if token is not None else token_file(path).read_bytes()
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path))) as client:
        headers = {b"authorization": b"Bearer " + shown}
        response = await client.request(method, f"http://vtn/v1/{command}", content=body, headers=headers)
    return response.status_code, json.loads(response.content) if response.content else None


async def test_a_command_is_asked_and_answered(tmp_path: Path) -> None:
    path = tmp_path / "vtn.sock"
    async with listening(path):
        assert await asked(path, "echo", a=1, b=["é"], c=None) == {"a": 1, "b": ["é"], "c": None}


async def test_a_refusal_is_told_in_the_words_of_the_command(tmp_path: Path) -> None:
    path = tmp_path / "vtn.sock"
    async with listening(path):
        with pytest.raises(ControlError, match=r"^there is no such thing$"):
            await asked(path, "event/refuse")


async def test_a_command_that_fails_does_not_end_the_vtn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "vtn.sock"
    async with listening(path):
        with (
            caplog.at_level(logging.CRITICAL, "oadr.control"),
            pytest.raises(ControlError, match=r"the VTN failed: Zero"),
        ):
            await asked(path, "fail")
        assert await asked(path, "echo", a=1) == {"a": 1}


@pytest.mark.parametrize("token", [b"wrong", b"wr\xc3\xb6ng", b"x" * 43])
async def test_whoever_has_a_wrong_token_is_refused(tmp_path: Path, token: bytes) -> None:
    path = tmp_path / "vtn.sock"
    async with listening(path):
        assert await post(path, "echo", b"{}", token) == (403, {"error": "the token is wrong"})
        assert await asked(path, "echo") == {}


@pytest.mark.parametrize(
    ("command", "method"), [("nothing", "POST"), ("", "POST"), ("echo", "GET"), ("../echo", "POST")]
)
async def test_an_unknown_command_is_refused(tmp_path: Path, command: str, method: str) -> None:
    path = tmp_path / "vtn.sock"
    async with listening(path):
        status, answer = await post(path, command, b"{}", method=method)
        assert status == 404
        assert answer["error"].startswith(f"there is no {method} /")


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "the body is no JSON: "),
        (b"{", "the body is no JSON: "),
        (b"\xff", "the body is no JSON: "),
        (b"[" * 100_000, "the body is no JSON: "),
        (b"[]", "the body must be a JSON object"),
        (b"null", "the body must be a JSON object"),
    ],
)
async def test_what_is_no_json_object_is_refused(tmp_path: Path, body: bytes, complaint: str) -> None:
    path = tmp_path / "vtn.sock"
    async with listening(path):
        status, answer = await post(path, "echo", body)
        assert status == 400
        assert answer["error"].startswith(complaint)
        assert await asked(path, "echo") == {}


async def test_too_large_a_request_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vtn.sock"
    async with listening(path):
        with pytest.raises(ControlError, match=r"^the VTN refuses: Request Entity Too Large$"):
            await asked(path, "echo", large="x" * 9_000_000)
        assert await asked(path, "echo") == {}


async def test_socket_and_token_are_for_their_owner_alone_and_go_with_the_vtn(tmp_path: Path) -> None:
    path = tmp_path / "run" / "vtn.sock"
    async with listening(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(token_file(path).stat().st_mode) == 0o600
        first = token_file(path).read_text()
        assert len(first) >= 43
    assert names(path.parent) == []
    async with listening(path):
        assert token_file(path).read_text() != first


async def test_a_second_vtn_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "vtn.sock"
    async with listening(path):
        with pytest.raises(
            ControlError, match=r"another VTN has the control socket .*vtn\.sock; is it running already\?"
        ):
            async with listening(path):
                raise AssertionError("there are two")
        assert await asked(path, "echo") == {}


async def test_a_socket_that_a_dead_vtn_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "vtn.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    token_file(path).write_text("old")
    with pytest.raises(ControlError, match=r"no VTN is running with the control socket .*vtn\.sock; start one"):
        await asked(path, "echo")
    async with listening(path):
        assert await asked(path, "echo") == {}


async def test_too_long_a_name_is_refused_with_what_can_be_done(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 104)
    with pytest.raises(ControlError, match=r"has \d+ bytes, and 103 are possible; name another with `control` in the"):
        async with listening(path):
            raise AssertionError("it cannot be")
    assert names(tmp_path) == []


async def test_where_no_vtn_runs_those_that_do_are_named(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"start one with oadr vtn, or say which with --config or --socket$"):
        await asked(tmp_path / "vtn.sock", "echo")
    async with listening(tmp_path / "grid.sock"):
        with pytest.raises(ControlError, match=r"there is (?P<other>.*grid\.sock), try --socket (?P=other)$"):
            await asked(tmp_path / "vtn.sock", "echo")


async def test_what_is_asked_before_the_vtn_serves_waits(tmp_path: Path) -> None:
    path = tmp_path / "vtn.sock"
    answers: list[object] = []
    answered = anyio.Event()

    async def ask_early() -> None:
        answers.append(await asked(path, "echo"))
        answered.set()

    with anyio.fail_after(PATIENCE):
        async with ControlSocket.claimed(path) as control, anyio.create_task_group() as group:
            group.start_soon(ask_early)
            await anyio.wait_all_tasks_blocked()
            assert answers == []
            async with control.serving(COMMANDS):
                await answered.wait()
    assert answers == [{}]
