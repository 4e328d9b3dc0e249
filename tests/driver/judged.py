"""What tests of adapters have in common: none waits for ever, and whatever our side says in one breaks no rule."""

import functools
import inspect
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from oadr_core import RecordedExchange, Role, Severity
from oadr_driver import DrivenVen, DrivenVtn
from tests.interop.judge import findings


def limit(item: pytest.Item, seconds: float) -> None:
    """Have a test that waits for something fail after some time."""
    if not isinstance(item, pytest.Function) or not inspect.iscoroutinefunction(item.obj):
        return
    test = item.obj

    @functools.wraps(test)
    async def limited(**arguments: Any) -> None:
        with anyio.fail_after(seconds):
            await test(**arguments)

    item.obj = limited


def judged(monkeypatch: pytest.MonkeyPatch, client: type[DrivenVen], server: type[DrivenVtn]) -> Iterator[None]:
    """Record what clients and servers say while a test runs, as a driver records it, and judge it afterwards.

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

    for cls, role in ((client, Role.VEN), (server, Role.VTN)):
        monkeypatch.setattr(cls, "__init__", recorded(cls.__init__, role))
    yield
    for role, theirs, trace in traces:
        found = [one for one in findings(trace, role) if one.severity is Severity.ERROR]
        broken = [one for one in found if one.rule not in theirs]
        assert not broken, f"our {role}: {broken[0]}"
