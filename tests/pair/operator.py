"""What the operator of the VTN orders: events, and their changes."""

from collections.abc import Callable
from typing import Final

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oadr_core import AutoVtn, LocalProtocolError, Now
from oadr_core.testing import PowerCut
from tests.pair.actors import Booking
from tests.pair.programs import changes, programs
from tests.pair.world import World

_MOST_EVENTS: Final = 6


class Operator(World):
    """Whatever the operator of the VTN may order."""

    @precondition(lambda self: self.may_order())
    @rule(data=st.data(), arrives=st.booleans())
    def new_event(self, data: st.DataObject, arrives: bool) -> None:
        """An event for some of the VENs; often they have it before anything else happens."""
        ven_ids = data.draw(st.lists(st.sampled_from(sorted(self.vtn.records)), min_size=1, unique=True))
        program = data.draw(programs(f"event{len(self.vtn.editions)}", self.clock_of(self.vtn.host)))
        event = program.event(self.now.utc)
        booking = Booking(program=program, ven_ids=tuple(ven_ids))
        self.order(booking, lambda core, now: core.vtn.add_event(event, ven_ids, now))
        if arrives:
            self.heal(15.0)

    @precondition(lambda self: self.going_on())
    @rule(data=st.data())
    def modify_event(self, data: st.DataObject) -> None:
        """An event changes, before it begins or while it runs (rule 20)."""
        known = data.draw(st.sampled_from(self.going_on()))
        program = data.draw(changes(known.program, self.clock_of(self.vtn.host)))
        event = program.event(self.now.utc)
        same = program.means_the_same_as(known.program)
        if not same and not known.program.may_become(program, self.clock_of(self.vtn.host)):
            self.refused(lambda core, now: core.vtn.modify_event(event, now))
            return
        number = known.number + (not same)  # what is the same is no modification (rule 5)
        booking = msgspec.structs.replace(known, program=program, number=number)
        self.order(booking, lambda core, now: core.vtn.modify_event(event, now))

    @precondition(lambda self: self.going_on())
    @rule(data=st.data())
    def cancel_event(self, data: st.DataObject) -> None:
        """An event is cancelled (rule 10)."""
        known = data.draw(st.sampled_from(self.going_on()))
        event_id = known.program.event_id
        booking = msgspec.structs.replace(known, number=known.number + 1, cancelled=True)
        self.order(booking, lambda core, now: core.vtn.cancel_event(event_id, now))

    def refused(self, action: Callable[[AutoVtn, Now], object]) -> None:
        """The operator orders what would rewrite the past, and is told so."""
        with pytest.raises(LocalProtocolError, match=r"\(rule 20\)"):
            action(self.vtn.core, self.vtn.host.reads(self.now))

    def may_order(self) -> bool:
        """Whether there is somebody to whom an event can be sent, and not yet too many events."""
        return bool(self.vtn.records) and len(self.vtn.book) < _MOST_EVENTS

    def going_on(self) -> list[Booking]:
        """The events that can still be changed."""
        now = self.clock_of(self.vtn.host)
        return [one for one in self.vtn.book.values() if not one.cancelled and not one.is_over(now)]

    def order(self, booking: Booking, action: Callable[[AutoVtn, Now], object]) -> None:
        """The operator orders something of an event."""
        event_id = booking.program.event_id
        before = self.vtn.book.get(event_id)

        def give() -> None:
            action(self.vtn.core, self.vtn.host.reads(self.now))
            self.vtn.record(booking)
            try:
                self.wire.drain(self.vtn.host, self.now)
            except PowerCut:
                self.vtn.revise(event_id, before)
                raise

        self.guarded(give)
