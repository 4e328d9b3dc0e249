"""Tests of the HTTP adapter run on trio and on asyncio, over real loopback sockets, and end by themselves."""

import functools
import inspect
from typing import Any

import anyio
import pytest

_LONGEST = 30.0
"""Seconds after which a test that waits for something has failed."""


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop."""
    backend: str = request.param
    return backend


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let no test wait for ever."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.obj = _limited(item.obj)


def _limited(test: Any) -> Any:
    @functools.wraps(test)
    async def limited(**arguments: Any) -> None:
        with anyio.fail_after(_LONGEST):
            await test(**arguments)

    return limited
