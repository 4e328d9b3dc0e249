"""The examples of the README: a VEN and a VTN that know nothing of each other do their main job together."""

import runpy
import sys
from typing import Any

import anyio
import pytest

from tests.conftest import ROOT


def load(monkeypatch: pytest.MonkeyPatch, name: str, argument: str) -> dict[str, Any]:
    """Load an example as if it had been called with an argument."""
    path = ROOT / "examples" / name
    monkeypatch.setattr(sys, "argv", [str(path), argument])
    return runpy.run_path(str(path))


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_they_register_report_and_answer(
    backend: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = ""

    async def until_printed(*texts: str) -> None:
        nonlocal printed
        while not all(text in printed for text in texts):
            printed += capsys.readouterr().out
            await anyio.sleep(0.02)

    async def scenario() -> None:
        vtn = load(monkeypatch, "vtn.py", "0")["vtn"]
        async with vtn.running():
            ven = load(monkeypatch, "ven.py", vtn.url)["ven"]
            async with ven.running():
                with anyio.fail_after(30):
                    await until_printed("SIMPLE [1.0]", "with optIn", "boiler: ", " kW\n")

    anyio.run(scenario, backend=backend)
