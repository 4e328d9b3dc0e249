"""Tests of the application: programs run as processes of their own, in folders and on ports of their own."""

from collections.abc import Iterator

import pytest

from tests.app.program import Programs


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
