"""The application is told what an event asks of it when it asks it: each moment once, whatever happens meanwhile."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    VEN_HANDLERS,
    Audience,
    AutoVen,
    EiEvent,
    EventProceeds,
    EventSchedule,
    EventStatus,
    HandlerFailed,
    Handlers,
    Now,
    OptType,
    PlainSealer,
    PresentSignal,
    VenConfig,
    VenState,
    signal_interval,
)
from oadr_core.state.ven import EndingEvent, KnownEvent
from oadr_core.testing import Host, ManualClock, Wire
from oadr_core.testing.wire import PowerCut
from tests.core.kit import HOUR, MINUTE, NONE, NOON, Grid, event
from tests.core.test_events import add

NEAR, ACTIVE = EventStatus.NEAR, EventStatus.ACTIVE
COMPLETED, CANCELLED = EventStatus.COMPLETED, EventStatus.CANCELLED

Told = tuple[datetime, EventStatus, int | None, float | None]
"""When the application was told what: the time, the status, the interval and the value of the first signal."""


def in_intervals(made: EiEvent, *lengths: timedelta) -> EiEvent:
    """The event with several intervals, whose values are 1, 2, 3, 1, 2, 3 and so on."""
    intervals = tuple(signal_interval(uid, one, uid % 3 + 1.0) for uid, one in enumerate(lengths))
    signal = msgspec.structs.replace(made.event_signals[0], intervals=intervals)
    period = msgspec.structs.replace(made.active_period, duration=sum(lengths, NONE))
    return msgspec.structs.replace(made, active_period=period, event_signals=(signal,))


def in_three(**rest: Any) -> EiEvent:
    """An event of an hour in three intervals."""
    return in_intervals(event(**rest), MINUTE * 20, MINUTE * 20, MINUTE * 20)


# --- with a VTN ------------------------------------------------------------------------------------------------------


class Home:
    """A VEN with an application that notes what it is told, and its VTN."""

    def __init__(self, opt: str = "optIn") -> None:
        self.opt = opt
        self.told: list[Told] = []
        self.grid = Grid()
        handlers = {
            "on_event": lambda event: self.opt,
            "on_update_event": lambda event: self.opt,
            "on_event_status": self.note,
        }
        self.grid.add_ven(handlers=handlers)
        self.grid.run(30)

    def note(self, status: EventStatus, signals: tuple[PresentSignal, ...], interval: int | None) -> None:
        """What the application is told."""
        value = signals[0].value if signals else None
        self.told.append((self.grid.now.utc.replace(microsecond=0), status, interval, value))

    def news(self) -> list[Told]:
        """What it was told since the last time."""
        found, self.told = self.told, []
        return found

    def restart(self) -> None:
        """Start the VEN again."""
        self.grid.wire.boot(self.grid.hosts["ven"], self.grid.now)
        self.grid.run(5)

    def run_to(self, minutes: float) -> None:
        """Let time pass, until some minutes past noon."""
        self.grid.run(((NOON + MINUTE * minutes) - self.grid.now.utc).total_seconds())


@pytest.mark.rule(13, 31, 32)
def test_an_application_is_told_when_to_prepare_to_begin_to_change_and_to_end() -> None:
    home = Home()
    add(home.grid, in_three(ramp_up=MINUTE * 5))
    home.run_to(120)
    assert home.news() == [
        (NOON + MINUTE * 5, NEAR, None, None),
        (NOON + MINUTE * 10, ACTIVE, 0, 1.0),
        (NOON + MINUTE * 30, ACTIVE, 1, 2.0),
        (NOON + MINUTE * 50, ACTIVE, 2, 3.0),
        (NOON + MINUTE * 70, COMPLETED, None, None),
    ]
    told = home.grid.told(EventProceeds, home.grid.hosts["ven"])
    assert [one.status for one in told] == [NEAR, ACTIVE, ACTIVE, ACTIVE, COMPLETED]
    add(home.grid, event("next", begin=HOUR * 5))
    assert not any(key.startswith("progress/") for key in home.grid.hosts["ven"].saved), "nothing is left of it"


@pytest.mark.rule(30)
def test_all_of_it_is_shifted_by_the_random_start() -> None:
    home = Home()
    add(home.grid, in_three(ramp_up=MINUTE * 5, startafter=MINUTE * 30))
    (known,) = home.grid.ven().ven.state.events
    home.run_to(120)
    expected = [NOON + known.offset + MINUTE * one for one in (5, 10, 30, 50, 70)]
    assert [one[0] for one in home.news()] == [one.replace(microsecond=0) for one in expected]


def test_an_application_that_stays_out_is_told_nothing() -> None:
    home = Home("optOut")
    add(home.grid, in_three())
    home.run_to(120)
    assert home.news() == []


def test_a_restart_in_the_middle_of_an_event_loses_nothing_and_tells_nothing_twice() -> None:
    home = Home()
    add(home.grid, in_three())
    for minutes in (5, 15, 31, 55, 72):
        home.run_to(minutes)
        home.restart()
    assert [one[1:] for one in home.news()] == [
        (ACTIVE, 0, 1.0),
        (ACTIVE, 1, 2.0),
        (ACTIVE, 2, 3.0),
        (COMPLETED, None, None),
    ]


def test_what_was_missed_is_told_once_as_things_stand() -> None:
    home = Home()
    add(home.grid, in_three(ramp_up=MINUTE))
    home.grid.clock.advance(MINUTE.total_seconds() * 45)  # asleep
    home.grid.run(60)
    assert [one[1:] for one in home.news()] == [(ACTIVE, 1, 2.0)]


@pytest.mark.rule(57)
def test_a_modification_is_told_as_soon_as_it_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    # other VTNs move the start of an event that runs; ours refuses that (rule 20)
    monkeypatch.setattr("oadr_core.vtn.event_service.refuse_rewriting", lambda *told: None)
    home = Home()
    add(home.grid, in_three())
    home.run_to(15)
    assert [one[1:] for one in home.news()] == [(ACTIVE, 0, 1.0)]
    home.grid.vtn.vtn.modify_event(event(value=3.0), home.grid.now)
    home.run_to(16)
    assert [one[1:] for one in home.news()] == [(ACTIVE, 0, 3.0)]
    home.grid.vtn.vtn.modify_event(in_three(begin=MINUTE * 40), home.grid.now)
    home.run_to(120)
    assert [one[1:] for one in home.news()] == [
        (EventStatus.FAR, None, None),
        (ACTIVE, 0, 1.0),
        (ACTIVE, 1, 2.0),
        (ACTIVE, 2, 3.0),
        (COMPLETED, None, None),
    ]


def test_what_has_begun_is_told_to_end_where_the_application_leaves_at_a_modification() -> None:
    home = Home()
    add(home.grid, in_three())
    home.run_to(15)
    home.news()
    home.opt = "optOut"
    home.grid.vtn.vtn.modify_event(event(value=3.0), home.grid.now)
    home.run_to(120)
    assert [one[1] for one in home.news()] == [CANCELLED]


@pytest.mark.rule(59)
@pytest.mark.parametrize("minutes", [7, 15])
def test_one_that_is_cancelled_after_it_has_begun_ends_at_once(minutes: float) -> None:
    home = Home()
    add(home.grid, event(ramp_up=MINUTE * 5))
    home.run_to(minutes)
    home.news()
    home.grid.vtn.vtn.cancel_event("event", home.grid.now)
    home.run_to(120)
    ((at, status, _, _),) = home.news()
    assert status is CANCELLED
    assert at - (NOON + MINUTE * minutes) <= timedelta(seconds=15)
    assert home.grid.ven().ven.state.ending == ()


@pytest.mark.rule(59)
def test_one_that_is_cancelled_before_anything_of_it_has_begun_never_happens() -> None:
    home = Home()
    add(home.grid, event())
    home.grid.vtn.vtn.cancel_event("event", home.grid.now)
    home.run_to(120)
    assert home.news() == []


@pytest.mark.rule(65)
@pytest.mark.parametrize("restarts", [False, True])
def test_one_with_a_window_goes_on_for_a_random_time_when_it_is_cancelled(restarts: bool) -> None:
    home = Home()
    add(home.grid, in_intervals(event(begin=MINUTE, startafter=MINUTE * 30), *[MINUTE] * 60))
    home.run_to(40)
    home.news()
    home.grid.vtn.vtn.cancel_event("event", home.grid.now)
    home.run_to(40.5)
    (ends,) = home.grid.ven().ven.state.ending
    if restarts:
        home.restart()
    home.run_to(120)
    told = home.news()
    assert [one[1] for one in told[:-1]] == [ACTIVE] * (len(told) - 1)
    assert told[-1] == (ends.ends_at.replace(microsecond=0), CANCELLED, None, None)
    assert home.grid.ven().ven.state.ending == ()


@pytest.mark.rule(407)
def test_what_runs_when_the_registration_ends_is_told_to_end() -> None:
    """Decision D36."""
    home = Home()
    add(home.grid, event())
    home.run_to(15)
    home.news()
    home.grid.ven().cancel_party_registration(home.grid.now)
    home.grid.run(5)
    assert [one[1] for one in home.news()] == [CANCELLED]


@pytest.mark.rule(30, 407)
def test_an_event_that_comes_back_with_a_new_registration_goes_on_as_it_did() -> None:
    """Decision D36: without that it would end, and begin at random, once more."""
    home = Home()
    vtn = home.grid.host
    made = event(startafter=MINUTE * 30, length=HOUR * 2)
    home.grid.vtn.vtn.add_event(made, Audience(everyone=True), home.grid.now)
    home.run_to(60)
    assert [one[1] for one in home.news()] == [ACTIVE]
    (before,) = home.grid.ven().ven.state.events
    del vtn.saved[f"ven/{home.grid.ven_id()}"]
    home.grid.wire.boot(vtn, home.grid.now)
    home.run_to(62)
    (after,) = home.grid.ven().ven.state.events
    assert (after.offset, home.grid.ven().ven.state.ending) == (before.offset, ())
    assert home.news() == []
    home.run_to(200)
    ((ended_at, status, _, _),) = home.news()
    assert (ended_at, status) == ((NOON + MINUTE * 130 + before.offset).replace(microsecond=0), COMPLETED)


def test_a_handler_that_is_not_typed_gets_plain_values() -> None:
    handlers = Handlers(VEN_HANDLERS)
    handlers.add("on_event_status", lambda **everything: None)
    signal = PresentSignal(signal_id="0", signal_name="SIMPLE", signal_type="level", interval=0, value=1.0)
    found = handlers.arguments("on_event_status", {"event": event(), "signals": (signal,), "interval": 0})
    assert found["signals"] == [
        {"signal_id": "0", "signal_name": "SIMPLE", "signal_type": "level", "interval": 0, "value": 1.0}
    ]
    assert isinstance(found["event"], dict)


# --- several events --------------------------------------------------------------------------------------------------


def told_by_name(alone: "Alone") -> list[tuple[str, EventStatus]]:
    """What was told of which event, in order."""
    return [(one.event_id, one.status) for one in alone.told]


@pytest.mark.rule(18)
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("asleep", [False, True])
def test_where_two_events_touch_the_first_one_ends_before_the_second_begins(
    names: tuple[str, str], asleep: bool
) -> None:
    first, second = names
    alone = Alone(known(event(second, begin=MINUTE * 70)), known(event(first)))
    if asleep:
        alone.run(MINUTE.total_seconds() * 20)
        alone.clock.advance(MINUTE.total_seconds() * 60)
    alone.run(MINUTE.total_seconds() * 100)
    assert told_by_name(alone)[:3] == [(first, ACTIVE), (first, COMPLETED), (second, ACTIVE)]


@pytest.mark.rule(3, 15, 18)
def test_of_events_that_begin_unnoticed_the_later_one_is_told_last_and_of_equal_ones_the_more_urgent() -> None:
    urgent, unhurried = event("a", priority=1), event("b", priority=0)
    alone = Alone(known(event("c", begin=MINUTE * 5)), known(urgent), known(unhurried))
    alone.clock.advance(MINUTE.total_seconds() * 30)
    alone.run(61)
    assert told_by_name(alone) == [("c", ACTIVE), ("b", ACTIVE), ("a", ACTIVE)]


class Slow:
    """A VEN whose application takes its time."""

    def __init__(self, *events: KnownEvent) -> None:
        self.alone = Alone(*events, handlers=("on_event_status",))
        self.heard: list[tuple[str, EventStatus, int | None]] = []

    def wait(self, minutes: float) -> None:
        self.alone.run(MINUTE.total_seconds() * minutes)

    def returns(self) -> None:
        """It is done with what it was told."""
        (call,) = self.alone.host.calls
        told = call.arguments
        self.heard.append((told["event_id"], told["status"], told["interval"]))  # type: ignore[arg-type]
        self.alone.wire.run(self.alone.host, call, None, self.alone.clock.now)


def test_an_application_is_told_one_thing_after_the_other() -> None:
    slow = Slow(known(event("a")), known(event("b", begin=MINUTE * 70)))
    slow.wait(10)
    slow.returns()
    slow.wait(60.5)
    for _ in range(2):
        slow.returns()
    assert not slow.alone.host.calls
    assert slow.heard == [("a", ACTIVE, 0), ("a", COMPLETED, None), ("b", ACTIVE, 0)]


def test_what_is_news_no_more_when_a_slow_application_is_ready_is_not_told() -> None:
    made = in_intervals(event(), *[timedelta(seconds=10)] * 360)
    slow = Slow(known(made), known(event("other", begin=MINUTE * 10 + timedelta(seconds=25))))
    slow.wait(10.9)
    for _ in range(3):
        slow.returns()
    assert slow.heard == [("event", ACTIVE, 0), ("other", ACTIVE, 0), ("event", ACTIVE, 5)]
    slow.wait(1)
    slow.returns()


def test_an_application_that_never_returns_is_told_on_once_its_time_is_over() -> None:
    slow = Slow(known(in_three()))
    slow.wait(30)
    assert [call.arguments["interval"] for call in slow.alone.host.calls] == [0, 1]
    failed = [one.handler for one in slow.alone.failed]
    assert failed == ["on_event_status"]


# --- alone, whatever happens -----------------------------------------------------------------------------------------


class Alone:
    """A VEN that knows an event, and whose VTN is not there."""

    def __init__(
        self, *known: KnownEvent, ending: tuple[EndingEvent, ...] = (), handlers: tuple[str, ...] = ()
    ) -> None:
        self.handlers = Handlers(VEN_HANDLERS, typed=True)
        for name in handlers:
            self.handlers.add(name, lambda **told: None)
        self.failed: list[HandlerFailed] = []
        self.clock = ManualClock(NOON)
        self.wire = Wire()
        self.told: list[EventProceeds] = []
        self.at: list[datetime] = []
        self.host = Host("ven", self.build)
        state = VenState(registered=True, ven_id="ven", registration_id="r", events=known, ending=ending)
        self.host.saved["ven"] = state.dump()
        self.wire.hosts["ven"] = self.host
        self.restart()

    def build(self, saved: Mapping[str, bytes], now: Now) -> AutoVen:
        core = AutoVen(VenConfig(), sealer=PlainSealer(), entropy=random.Random(1), handlers=self.handlers, saved=saved)
        core.start(now)
        return core

    def restart(self) -> None:
        self.host.boot(self.clock.now)
        self.drain()

    def drain(self) -> None:
        """Do what there is to do; where the power fails meanwhile, start again."""
        try:
            self.wire.drain(self.host, self.clock.now)
        except PowerCut:
            self.note()
            self.restart()
        self.wire.flights.clear()
        self.note()

    def note(self) -> None:
        told = [one for one in self.host.events if isinstance(one, EventProceeds)]
        self.failed += [one for one in self.host.events if isinstance(one, HandlerFailed)]
        self.host.events.clear()
        self.told += told
        self.at += [self.clock.now.utc] * len(told)

    def look(self, ahead: timedelta) -> None:
        """Set the clock, and have the VEN notice."""
        self.clock.set_utc(self.clock.now.utc + ahead)
        self.host.core.handle_timeout(self.clock.now)
        self.drain()

    def run(self, seconds: float) -> None:
        end = self.clock.now.mono + seconds
        while (due := self.host.core.next_timeout()) is not None and due.at <= end:
            self.clock.advance_to(due.at)
            self.host.core.handle_timeout(self.clock.now)
            self.drain()
        self.clock.advance_to(end)


def known(made: EiEvent, **rest: Any) -> KnownEvent:
    """An event that the VEN takes part in."""
    return KnownEvent(event=made, request_id="list", opt_type=OptType.OPT_IN, **rest)


HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(1, 3000)),
        st.tuples(st.just("sleep"), st.integers(1, 3000)),
        st.tuples(st.just("set"), st.integers(-3000, 3000)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("cut"), st.integers(0, 6)),
    ),
    max_size=12,
)


@pytest.mark.rule(30, 114)
@given(HAPPENINGS, st.timedeltas(NONE, MINUTE * 10))
def test_every_moment_is_told_once_whatever_the_clock_and_the_power_do(
    happenings: list[tuple[str, int]], offset: timedelta
) -> None:
    made = in_three(ramp_up=MINUTE * 5, startafter=MINUTE * 10)
    alone, schedule = Alone(known(made, offset=offset)), EventSchedule(made, offset)
    for what, much in happenings:
        if what == "run":
            alone.run(much)
        elif what == "sleep":
            alone.clock.advance(much)
        elif what == "set":
            alone.clock.set_utc(alone.clock.now.utc + timedelta(seconds=much))
        elif what == "restart":
            alone.restart()
        else:
            alone.host.fuse = much
    alone.host.fuse = None
    alone.clock.set_utc(max(alone.clock.now.utc, NOON + HOUR * 2))
    alone.run(61)
    last: datetime | None = None
    for at in alone.at:
        moment = schedule.last_moment(at)
        was_wrong = last is not None and last - at > MINUTE
        assert moment is not None or was_wrong, "nothing is told before anything has begun"
        assert last is None or was_wrong or (moment is not None and moment > last), "each once, and in order"
        last = moment
    for at, told in zip(alone.at, alone.told, strict=True):
        assert (told.status, told.signals) == (schedule.status(at), schedule.signals(at)), "as things stand"
    cuts = any(what == "cut" for what, _ in happenings)
    assert cuts or alone.told[-1].status is COMPLETED, "the end is told"


FAR = EventStatus.FAR


@pytest.mark.rule(114)
@pytest.mark.parametrize(
    ("ahead", "first", "back", "later"),
    [
        (HOUR * 24, COMPLETED, HOUR * 24, [EventStatus.FAR, ACTIVE, COMPLETED]),
        (HOUR * 24, COMPLETED, HOUR * 23 + MINUTE * 30, [ACTIVE, COMPLETED]),
        (MINUTE * 30, ACTIVE, MINUTE * 30, [EventStatus.FAR, ACTIVE, COMPLETED]),
        (MINUTE * 10, ACTIVE, MINUTE, [COMPLETED]),
    ],
)
@pytest.mark.parametrize("restarts", [False, True])
def test_what_a_clock_that_was_wrong_has_told_is_put_right(
    ahead: timedelta, first: EventStatus, back: timedelta, later: list[EventStatus], restarts: bool
) -> None:
    alone = Alone(known(event()))
    alone.look(ahead)
    assert [one.status for one in alone.told] == [first]
    alone.look(-back)
    if restarts:
        alone.restart()
    alone.run(HOUR.total_seconds() * 3)
    assert [one.status for one in alone.told[1:]] == later


@given(st.timedeltas(NONE, MINUTE * 10))
def test_nothing_is_left_out_while_the_clock_runs(offset: timedelta) -> None:
    made = in_three(ramp_up=MINUTE * 5)
    alone = Alone(known(made, offset=offset))
    alone.run(7200)
    moments = EventSchedule(made, offset).moments
    assert len(alone.at) == len(moments)
    for at, moment in zip(alone.at, moments, strict=True):
        assert NONE <= at - moment < timedelta(milliseconds=1)


def test_an_event_that_the_application_still_decides_on_does_not_proceed() -> None:
    undecided = KnownEvent(event=event(), request_id="list", earlier_opt=OptType.OPT_IN)
    alone = Alone(undecided)
    alone.run(7200)
    assert alone.told == []


@pytest.mark.rule(114)
def test_a_clock_that_is_put_right_at_once_after_a_restart_is_noticed() -> None:
    alone = Alone(known(event()))
    alone.look(HOUR)
    alone.restart()
    alone.look(-HOUR)
    assert [one.status for one in alone.told] == [ACTIVE, FAR]


@pytest.mark.rule(30)
def test_what_runs_by_one_random_start_and_is_over_by_another_is_told_to_end() -> None:
    alone = Alone(known(in_three(), offset=MINUTE * 30))
    alone.run(MINUTE.total_seconds() * 90)
    assert [one.interval for one in alone.told] == [0, 1, 2]
    state = VenState.load(alone.host.saved["ven"])
    alone.host.saved["ven"] = msgspec.structs.replace(state, events=(known(in_three()),)).dump()
    alone.restart()
    assert [one.status for one in alone.told[3:]] == [COMPLETED]


@pytest.mark.rule(65)
def test_what_ends_at_random_ends_also_where_the_clock_is_set_back_meanwhile() -> None:
    alone = Alone(known(event(), offset=NONE))
    alone.run(MINUTE.total_seconds() * 20)
    ends = EndingEvent(event=event(), ends_at=NOON + MINUTE * 10)
    alone.host.saved["ven"] = VenState(ending=(ends,)).dump()
    alone.restart()
    assert [one.status for one in alone.told] == [ACTIVE, CANCELLED]
    assert VenState.load(alone.host.saved["ven"]).ending == ()


@pytest.mark.rule(65)
@pytest.mark.parametrize("minutes", [-10, 20])
def test_what_was_never_told_to_begin_is_not_told_to_end(minutes: float) -> None:
    """It was cancelled before the application heard of its start, in a sleep for instance."""
    ends = EndingEvent(event=event(begin=-HOUR, length=HOUR * 2), ends_at=NOON + MINUTE * minutes)
    alone = Alone(ending=(ends,))
    alone.run(MINUTE.total_seconds() * 30)
    assert alone.told == []
    assert VenState.load(alone.host.saved["ven"]).ending == ()


def test_what_is_left_of_an_event_that_is_gone_is_forgotten() -> None:
    alone = Alone(known(event()))
    alone.run(MINUTE.total_seconds() * 20)
    assert "progress/event" in alone.host.saved
    alone.host.saved["ven"] = VenState().dump()
    alone.restart()
    assert set(alone.host.saved) == {"ven"}
    assert [one.status for one in alone.told] == [ACTIVE]


def test_an_event_without_end_goes_on() -> None:
    alone = Alone(known(event(length=NONE)))
    alone.run(100 * HOUR.total_seconds())
    assert [one.status for one in alone.told] == [ACTIVE]


def test_an_event_of_thousands_of_intervals_needs_one_timer() -> None:
    made = in_intervals(event(begin=NONE), *[timedelta(seconds=1)] * 3000)
    alone = Alone(known(made))
    alone.run(3001)
    assert [one.interval for one in alone.told[:-1]] == list(range(3000))
    assert alone.told[-1].status is COMPLETED
