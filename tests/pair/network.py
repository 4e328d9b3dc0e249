"""What a network does while time passes: it delivers, loses, repeats, delays and reorders, and sometimes it works."""

from collections.abc import Callable
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oadr_core.testing import Flight
from tests.pair.world import World


class Time(World):
    """Time passes, and things come to rest or do not."""

    @rule(extra=st.sampled_from([0.0, 0.0, 0.0, 0.01, 3.0, 100.0]))
    def tick(self, extra: float) -> None:
        """Time passes until something is due, and a little beyond."""
        self.pass_time(extra)

    def pass_time(self, extra: float) -> None:
        """Let time pass until something is due, and some seconds more."""
        due = self.wire.next_timeout()
        if due is not None:
            self.clock.advance_to(due)
        before = self.now.utc
        self.clock.advance(extra)
        if extra:
            self.ledger.slept(before, self.now.utc)
        self.guarded(lambda: self.wire.wake(self.now))

    @rule()
    def everything_arrives(self) -> None:
        """Whatever is on the wire arrives; handlers take their time."""
        self.guarded(lambda: self.wire.settle(self.now))

    @rule(seconds=st.sampled_from([1.0, 15.0, 90.0, 240.0]))
    def quiet(self, seconds: float) -> None:
        """For some time everything works."""
        self.heal(seconds)


class Network(Time):
    """Whatever can happen to what is on the wire meanwhile."""

    @precondition(lambda self: any(flight.inbound is None for flight in self.wire.flights))
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """A request arrives; any of them, so that they overtake each other."""
        flight = data.draw(st.sampled_from([one for one in self.wire.flights if one.inbound is None]))
        self.guarded(lambda: self.wire.deliver(flight, self.now))

    @precondition(lambda self: self.wire.flights)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """A request arrives once more."""
        flight = data.draw(st.sampled_from(self.wire.flights))
        self.guarded(lambda: self.wire.deliver(flight.copy(), self.now))

    @rule()
    def everything_comes_twice(self) -> None:
        """Whatever was sent arrives, and arrives once more."""
        for flight in [one for one in self.wire.flights if one.inbound is None]:
            for arrival in (flight, flight.copy()):
                self.guarded(partial(self.wire.deliver, arrival, self.now))

    @precondition(lambda self: any(flight.answered for flight in self.wire.flights))
    @rule(data=st.data(), keep=st.booleans())
    def answer(self, data: st.DataObject, keep: bool) -> None:
        """An answer arrives, and may do so again, which changes nothing."""
        flight = data.draw(st.sampled_from([one for one in self.wire.flights if one.answered]))
        again = flight in self.spent
        self.spent.add(flight)
        before = self._observable()
        self.guarded(lambda: self.wire.answer(flight, self.now, keep=keep))
        if again:
            assert before == self._observable(removed=not keep), "an answer counted twice"

    def _observable(self, *, removed: bool = False) -> tuple[object, ...]:
        flights = len(self.wire.flights) + (1 if removed else 0)
        return flights, [len(host.calls) for host in self.hosts], [dict(host.saved) for host in self.hosts]

    @precondition(lambda self: self.wire.flights)
    @rule(data=st.data(), told=st.booleans())
    def lose(self, data: st.DataObject, told: bool) -> None:
        """A request or its answer is lost; who sent it learns of it at once, or never."""
        flight = data.draw(st.sampled_from(self.wire.flights))
        self.guarded(lambda: self.wire.lose(flight, self.now, told=told))

    @rule(count=st.integers(0, 3), told=st.booleans())
    def one_answer_is_lost(self, count: int, told: bool) -> None:
        """Everything works until a few answers have arrived; the next one is lost."""
        for number in range(count + 1):
            flight = self.works_until(lambda one: one.answered)
            if flight is not None and number < count:
                self.move(flight)
            elif flight is not None:
                self.guarded(partial(self.wire.lose, flight, self.now, told=told))

    def works_until(self, wanted: Callable[[Flight], bool]) -> Flight | None:
        """Have everything work until something is on the wire; None where that takes too long.

        :param wanted: what is waited for.
        """
        for _ in range(100):
            found = next((flight for flight in self.wire.flights if wanted(flight)), None)
            moving = [one for one in self.wire.flights if one.answered or one.inbound is None]
            if found is not None:
                return found
            if moving:
                self.move(moving[0])
            elif self.calls:
                self.guarded(partial(self.run, *self.calls[0]))
            else:
                self.pass_time(0.0)
        return None

    def move(self, flight: Flight) -> None:
        """A request arrives, or the answer to it."""
        if flight.answered:
            self.spent.add(flight)
            self.guarded(partial(self.wire.answer, flight, self.now))
        else:
            self.guarded(partial(self.wire.deliver, flight, self.now))
