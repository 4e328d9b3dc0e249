"""For those who test what they build on this package: a clock, a wire, a check of drivers, strategies for messages.

:mod:`oadr_core.testing.strategies` needs the package ``hypothesis``; nothing else here does.
"""

from oadr_core.testing.check import DRIVER_CHECK, driver_check
from oadr_core.testing.check.stage import Scenario
from oadr_core.testing.clock import ManualClock
from oadr_core.testing.harness import STRANGER, Build, CoreT, Driven, Harness
from oadr_core.testing.on_wire import WireHarness, run_without_loop
from oadr_core.testing.seals import PlainSeals, Seals, SignedSeals
from oadr_core.testing.wire import Flight, Host, PowerCut, Wire

__all__ = [
    "DRIVER_CHECK",
    "STRANGER",
    "Build",
    "CoreT",
    "Driven",
    "Flight",
    "Harness",
    "Host",
    "ManualClock",
    "PlainSeals",
    "PowerCut",
    "Scenario",
    "Seals",
    "SignedSeals",
    "Wire",
    "WireHarness",
    "driver_check",
    "run_without_loop",
]
