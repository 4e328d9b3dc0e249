"""What happens to machines: they start again, their power fails, their memory is lost, their clocks are wrong."""

from datetime import timedelta
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.pair.world import World

_MOST: Final = 6
"""How many troubles come to a world; with more of them nothing else would happen."""


class Clocks(World):
    """Whatever can happen to the wall clock of a machine; the monotonic one is never wrong."""

    times_set = 0

    @precondition(lambda self: self.times_set < _MOST and self.clocks_wander)
    @rule(data=st.data(), seconds=st.sampled_from([-3600, -90, -5, 5, 90, 3600]))
    def clock_is_set(self, data: st.DataObject, seconds: int) -> None:
        """Somebody sets the wall clock of a machine, or puts it right."""
        self.times_set += 1
        host = data.draw(st.sampled_from([self.vtn.host, *self.hosts]))
        self.set_clock(host, timedelta(0) if host.clock_error else timedelta(seconds=seconds))


class Restarts(World):
    """Machines are started again now and then."""

    restarts = 0

    @precondition(lambda self: self.restarts < _MOST)
    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        """A machine is started again."""
        self.restarts += 1
        host = data.draw(st.sampled_from(self.hosts))
        self.guarded(lambda: self.boot(host))


class Troubles(Clocks, Restarts):
    """Whatever can happen to a machine. The machine goes on with what it had saved."""

    troubles = 0

    @precondition(lambda self: self.troubles < _MOST)
    @rule(data=st.data(), outputs=st.integers(0, 6))
    def power_will_fail(self, data: st.DataObject, outputs: int) -> None:
        """The power of a machine fails, in the middle of what it does."""
        self.troubles += 1
        data.draw(st.sampled_from(self.hosts)).fuse = outputs

    @precondition(lambda self: self.troubles < _MOST and self.vtn.records)
    @rule(data=st.data())
    def vtn_loses_a_ven(self, data: st.DataObject) -> None:
        """An operator brings back an old copy of the VTN's state, in which a VEN is missing."""
        self.troubles += 1
        ven_id = data.draw(st.sampled_from(sorted(self.vtn.records)))
        self.ledger.break_off((self._name_of(ven_id), self.vtn.host.name))
        del self.vtn.host.saved[f"ven/{ven_id}"]
        self.guarded(lambda: self.boot(self.vtn.host))
