"""Tests of the HTTP adapter run on trio and on asyncio, over real loopback sockets, and end by themselves.

Whatever our side says in one of them is recorded as a driver records it, and must break no rule.
"""

import functools
import inspect
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from oadr_core import RecordedExchange, Role, Severity
from oadr_http import OpenADRClient, OpenADRServer
from tests.interop.judge import findings

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


@pytest.fixture(autouse=True)
def _what_we_say_breaks_no_rule(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Judge what our side has said, to its own kind or to whatever a test plays.

    Where an application steers a VEN by hand, the order of its requests (rule 405) is the application's.
    """
    traces: list[tuple[Role, set[str], list[RecordedExchange]]] = []

    def recorded(begin: Any, role: Role) -> Any:
        @functools.wraps(begin)
        def began(self: object, *arguments: Any, **named: Any) -> None:
            if named.get("trace") is None:
                theirs = set() if named.get("auto_polling", True) else {"R405"}
                traces.append((role, theirs, []))
                named["trace"] = traces[-1][2].append
            begin(self, *arguments, **named)

        return began

    for cls, role in ((OpenADRClient, Role.VEN), (OpenADRServer, Role.VTN)):
        monkeypatch.setattr(cls, "__init__", recorded(cls.__init__, role))
    yield
    for role, theirs, trace in traces:
        found = [one for one in findings(trace, role) if one.severity is Severity.ERROR]
        broken = [one for one in found if one.rule not in theirs]
        assert not broken, f"our {role}: {broken[0]}"
