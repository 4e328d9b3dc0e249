"""The example that embeds the core in a blocking socket loop: it is short, needs no event loop, and does its job."""

import ast
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import anyio
import pytest

from oadr_http import OpenADRServer

EXAMPLE: Final = Path(__file__).resolve().parents[2] / "examples" / "blocking_ven.py"


def test_it_has_sixty_lines_at_most() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 60


def test_it_needs_no_event_loop_and_no_thread() -> None:
    tree = ast.parse(EXAMPLE.read_text())
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"random", "socket", "sys", "time", "datetime", "urllib.parse", "oadr_core"}
    assert not any(isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in ast.walk(tree))


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_it_registers_answers_an_event_and_reports(backend: str) -> None:
    readings: list[tuple[datetime, float]] = []
    opts: list[tuple[str, str]] = []

    async def scenario() -> None:
        vtn = OpenADRServer("VTN", http_port=0, requested_poll_freq=timedelta(seconds=1))
        all_there = anyio.Event()

        async def take(data: list[tuple[datetime, float]]) -> None:
            readings.extend(data)
            seen()

        async def opted(ven_id: str, event_id: str, opt_type: str) -> None:
            opts.append((event_id, opt_type))
            seen()

        async def wanted(ven_id: str, r_id: str) -> object:
            interval = {"dtstart": datetime.now(UTC), "duration": timedelta(minutes=5), "signal_payload": 1}
            vtn.add_event(ven_id, "SIMPLE", "level", [interval], event_id="shed")
            return take, timedelta(seconds=1)

        def seen() -> None:
            if len(readings) >= 2 and opts:
                all_there.set()

        vtn.add_handler("on_register_report", wanted)
        vtn.add_handler("on_created_event", opted)
        with anyio.fail_after(60):
            async with vtn.running(), anyio.create_task_group() as group:
                group.start_soon(anyio.run_process, [sys.executable, str(EXAMPLE), vtn.url, "60"])
                await all_there.wait()
                assert [record.ven_name for record in vtn.vens.values()] == ["blocking"]
                group.cancel_scope.cancel()

    anyio.run(scenario, backend=backend)
    assert opts[0] == ("shed", "optIn")
    assert {value for _, value in readings} == {3.5}
    times = [time for time, _ in readings]
    assert times == sorted(set(times)), "each reading comes once, in order"
