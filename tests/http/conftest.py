"""Tests of the HTTP adapter run on trio and on asyncio, over real loopback sockets, and end by themselves.

Whatever our side says in one of them is recorded as a driver records it, and must break no rule.
"""

from collections.abc import Iterator

import pytest

from oadr_http import OpenADRClient, OpenADRServer
from tests.driver.judged import judged, limit

_LONGEST = 30.0
"""Seconds after which a test that waits for something has failed."""


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop."""
    backend: str = request.param
    return backend


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let no test wait for ever."""
    limit(item, _LONGEST)


@pytest.fixture(autouse=True)
def _what_we_say_breaks_no_rule(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Judge what our side has said, to its own kind or to whatever a test plays."""
    yield from judged(monkeypatch, OpenADRClient, OpenADRServer)
