"""The check of drivers, on a wire: it passes there, and tells a driver that does not do what it should."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import pytest

from oadr_core import Call, Failure, LocalProtocolError, Now
from oadr_core.testing import DRIVER_CHECK, Flight, Host, Scenario, WireHarness, run_without_loop


@pytest.mark.parametrize("pull", [True, False], ids=["pull", "push"])
@pytest.mark.parametrize("scenario", DRIVER_CHECK, ids=lambda one: one.__name__)
def test_cores_on_a_wire_pass(scenario: Scenario, pull: bool) -> None:
    run_without_loop(scenario(WireHarness(random.Random(1), pull=pull)))


class Forgets(WireHarness):
    """Keeps nothing over a restart."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        boot = self.wire.boot

        def forgetful(host: Host, now: Now) -> None:
            host.saved.clear()
            boot(host, now)

        self.wire.boot = forgetful  # type: ignore[method-assign]


class Oversleeps(WireHarness):
    """Wakes no core."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.wire.wake = lambda now: None  # type: ignore[method-assign]


class TakesRefusalsForSuccess(WireHarness):
    """Does not look at why a request was refused."""

    async def say(self, *arguments: Any) -> bytes | Failure:
        said = await super().say(*arguments)
        return b"" if isinstance(said, Failure) else said


class DropsAnswers(WireHarness):
    """Brings no answer back to whoever has asked."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        answer = self.wire.answer

        def without(flight: Flight, now: Now, **more: Any) -> None:
            flight.answer = b""
            answer(flight, now, **more)

        self.wire.answer = without  # type: ignore[method-assign]


class AwaitsNothing(WireHarness):
    """Takes what a coroutine function gives it for its value."""

    def _run(self, host: Host, call: Call) -> None:
        value = call.function(**call.arguments) if call.function is not None else None
        with suppress(AttributeError):
            value.close()
        self.wire.run(host, call, value, self.clock.now)


class LetsErrorsThrough(WireHarness):
    """Does not catch what a handler raises."""

    def _run(self, host: Host, call: Call) -> None:
        assert call.function is not None
        value = call.function(**call.arguments)
        self.wire.run(host, call, run_without_loop(value) if hasattr(value, "send") else value, self.clock.now)


FAULTS: Final[tuple[Callable[..., WireHarness], ...]] = (
    Forgets,
    Oversleeps,
    TakesRefusalsForSuccess,
    DropsAnswers,
    AwaitsNothing,
    LetsErrorsThrough,
)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_driver_with_a_fault_does_not_pass(fault: Callable[..., WireHarness]) -> None:
    assert any(failed(fault))


def failed(fault: Callable[..., WireHarness]) -> Iterator[bool]:
    """Whether each scenario finds the fault."""
    for scenario in DRIVER_CHECK:
        try:
            run_without_loop(scenario(fault(random.Random(1))))
        except (AssertionError, LookupError, LocalProtocolError):
            yield True
        else:
            yield False


def test_a_scenario_that_waits_for_an_event_loop_is_told_so() -> None:
    class Waits:
        def __await__(self) -> Iterator[None]:
            yield

    async def waits() -> None:
        await Waits()

    with pytest.raises(RuntimeError, match="there is none here"):
        run_without_loop(waits())
