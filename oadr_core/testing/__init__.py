"""For those who test what they build on this package: a clock, a wire, and strategies for every message.

:mod:`oadr_core.testing.strategies` needs the package ``hypothesis``; nothing else here does.
"""

from oadr_core.testing.clock import ManualClock
from oadr_core.testing.wire import Flight, Host, PowerCut, Wire

__all__ = ["Flight", "Host", "ManualClock", "PowerCut", "Wire"]
