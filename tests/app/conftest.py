"""Tests of the application: programs run as processes of their own, in folders and on ports of their own."""

import sys
from collections.abc import Callable, Iterator

import pytest

from oadr_app import cli
from tests.app.program import Ended, Programs


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop of tests that need one."""
    backend: str = request.param
    return backend


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Starts programs, and ends those that still run after the test."""
    with Programs() as started:
        yield started


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs a command to its end within this process, which is faster than in one of its own."""

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys, "argv", ["oadr", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        assert isinstance(ended.value.code, int | None)
        return Ended(ended.value.code or 0, *capsys.readouterr())

    return run
