"""Handlers of the application: how they are called, and what comes of it where they fail."""

from collections.abc import Mapping
from typing import Any

from oadr_core.messages import OptType
from oadr_core.testing.check.stage import HOUR, VTN_ID, Stage
from oadr_core.testing.harness import Harness


async def a_handler_may_be_a_coroutine_function(harness: Harness) -> None:
    """It is awaited, and what it returns counts."""

    async def on_event() -> OptType:
        return OptType.OPT_IN

    stage = Stage(harness)
    await stage.opens("mill", on_event=on_event)
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")


async def a_handler_that_fails_disturbs_nothing_else(harness: Harness) -> None:
    """The event that it was asked about is refused, and the next one is answered."""
    asked: list[str] = []

    def on_event(event: Mapping[str, Any]) -> OptType:
        asked.append(event["event_descriptor"]["event_id"])
        if asked[-1] == "bad":
            raise LookupError("this fails on purpose")
        return OptType.OPT_IN

    stage = Stage(harness)
    await stage.opens("mill", on_event=on_event)
    await stage.adds_event("bad", "mill")
    await harness.until(lambda: stage.of(VTN_ID, "on_created_event"))
    ((_, event_id, opt_type),) = stage.of(VTN_ID, "on_created_event")
    assert (event_id, opt_type) == ("bad", OptType.OPT_OUT)
    await stage.adds_event("good", "mill", begin=HOUR)
    await stage.answered("good", "mill")
