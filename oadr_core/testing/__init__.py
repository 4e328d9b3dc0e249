"""For those who test what they build on this package: a clock, a wire, a check of drivers, strategies for messages.

:mod:`oadr_core.testing.strategies` needs the package ``hypothesis``; nothing else here does.
"""

from oadr_core.testing.check import DRIVER_CHECK, Scenario
from oadr_core.testing.clock import ManualClock
from oadr_core.testing.harness import Build, CoreT, Driven, Harness
from oadr_core.testing.on_wire import WireHarness, run_without_loop
from oadr_core.testing.wire import Flight, Host, PowerCut, Wire

__all__ = [
    "DRIVER_CHECK",
    "Build",
    "CoreT",
    "Driven",
    "Flight",
    "Harness",
    "Host",
    "ManualClock",
    "PowerCut",
    "Scenario",
    "Wire",
    "WireHarness",
    "run_without_loop",
]
