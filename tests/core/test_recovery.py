"""What fails and comes back: a VTN that is down, restarts from saved state, and the power cut after every output."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from oadr_core import (
    AutoVen,
    AutoVtn,
    CreatedEvent,
    CreatePartyRegistration,
    DistributeEvent,
    EiEvent,
    ExchangeSetBack,
    Failure,
    Now,
    OptReceived,
    Output,
    Poll,
    QueryRegistration,
    Registration,
    RegistrationEnded,
    ReportDropped,
    ReportWish,
    Save,
    Startup,
    UpdateReport,
    VenPolicy,
    VenRegistered,
)
from oadr_core.machines.event import EventAtVtn
from oadr_core.testing import Host, PowerCut
from tests.core.kit import HOUR, MINUTE, NOON, Grid, event

both = pytest.mark.parametrize("pull", [True, False], ids=["pull", "push"])


class Site:
    """A VTN that wants the load every ten seconds, and a VEN whose application changes its mind every time."""

    def __init__(self, *, pull: bool = True) -> None:
        self.stored: dict[datetime, float] = {}
        self.read_at: dict[datetime, float] = {}
        self.decisions = 0
        self.grid = Grid(vtn_handlers={"on_register_report": self.wishes})
        self.host = self.grid.add_ven(
            pull=pull,
            handlers={"on_event": self.decide, "on_update_event": self.decide},
            offers={"load": self.read},
            policy=VenPolicy(registration_pause=60.0),
        )

    def wishes(self) -> list[ReportWish]:
        every, together = timedelta(seconds=10), timedelta(seconds=30)
        return [ReportWish(r_id="load", sampling=every, reporting=together, callback=self.store)]

    def store(self, data: list[tuple[datetime, float]]) -> None:
        self.stored.update(data)

    def read(self, due: datetime) -> float:
        self.read_at[due] = float(len(self.read_at))
        return self.read_at[due]

    def decide(self, event: EiEvent) -> str:
        self.decisions += 1
        descriptor = event.event_descriptor
        for record in self.grid.vtn.vtn.vens.values():
            for one in record.standings:
                same = (one.event_id, one.modification_number) == (descriptor.event_id, descriptor.modification_number)
                assert not same or one.opt_type is None, "the application is asked again what it has answered"
        return "optIn" if self.decisions % 2 else "optOut"

    def agree(self) -> None:
        """What must hold once everything works again."""
        ven, vtn = self.grid.ven(), self.grid.vtn.vtn
        assert (ven.phase, ven.ven.registration) == (Startup.RUNNING, Registration.REGISTERED)
        state = ven.ven.state
        assert set(vtn.vens) == {state.ven_id}
        record = vtn.vens[state.ven_id]
        assert record.registration_id == state.registration_id
        assert record.queue == ()
        asked = {one.request.report_request_id for one in record.requests}
        assert asked == {one.request.report_request_id for one in state.report_requests}
        assert len(asked) == 1
        known = {one.event.event_descriptor.event_id: one for one in state.events}
        assert set(known) == set(vtn.events)
        for standing in record.standings:
            assert standing.state is EventAtVtn.SETTLED
            assert standing.opt_type is known[standing.event_id].opt_type, "both believe the same of it"
        assert len(record.standings) == len(vtn.events)
        for due, value in self.stored.items():
            assert self.read_at[due] == value


# --- a VTN that is away ----------------------------------------------------------------------------------------------


@both
def test_a_vtn_that_is_down_at_the_start_is_no_reason_to_stop(pull: bool) -> None:
    site = Site(pull=pull)
    grid = site.grid
    grid.run_without(grid.host, 3600)
    assert grid.ven().phase is Startup.QUERYING
    tries = grid.times(QueryRegistration)
    assert 55 <= len(tries) <= 80, "every minute or so, after a faster start"
    assert tries[1] - tries[0] < 1.11
    assert max(after - before for before, after in pairwise(tries)) <= 66
    grid.run(200)
    site.agree()


def test_a_vtn_that_goes_away_for_an_hour_finds_everything_when_it_is_back() -> None:
    site = Site()
    grid = site.grid
    grid.run(120)
    grid.vtn.vtn.add_event(event(length=HOUR * 5), [grid.ven_id()], grid.now)
    grid.run(60)
    grid.log.clear()
    grid.run_without(grid.host, 3600)
    assert grid.ven().phase is Startup.RUNNING
    assert len(grid.times(Poll)) + len(grid.times(UpdateReport)) <= 80, "it is not flooded by its own VENs"
    assert grid.ven().unsent >= 115
    assert {one.why for one in grid.told(ExchangeSetBack, site.host)} == {Failure.BROKEN}
    grid.run(300)
    site.agree()
    assert not grid.told(RegistrationEnded, site.host)
    assert not grid.told(ReportDropped, site.host)
    assert grid.ven().unsent <= 1
    expected = {NOON + timedelta(seconds=10 * number) for number in range(400)}
    assert expected <= set(site.stored), "every reading of that hour is there"


# --- restarts --------------------------------------------------------------------------------------------------------


@both
def test_a_vtn_that_restarts_serves_its_vens_as_if_nothing_had_happened(pull: bool) -> None:
    site = Site(pull=pull)
    grid = site.grid
    grid.run(60)
    grid.vtn.vtn.add_event(event("answered", length=HOUR * 5), [grid.ven_id()], grid.now)
    grid.run(30)
    decided = site.decisions
    grid.vtn.vtn.add_event(event("not yet told", length=HOUR * 5), [grid.ven_id()], grid.now)
    grid.wire.drain(grid.host, grid.now)
    before = grid.vtn.vtn.vens
    grid.log.clear()
    grid.wire.boot(grid.host, grid.now)
    assert {key: one.registration_id for key, one in grid.vtn.vtn.vens.items()} == {
        key: one.registration_id for key, one in before.items()
    }
    grid.run(120)
    site.agree()
    assert grid.messages(CreatePartyRegistration) == [], "nobody has to register again"
    assert not grid.told(RegistrationEnded, site.host)
    assert site.decisions == decided + 1, "what was answered is not asked again"


def test_a_ven_that_restarts_remembers_what_was_decided() -> None:
    site = Site()
    grid = site.grid
    grid.run(60)
    grid.vtn.vtn.add_event(event(length=HOUR * 5), [grid.ven_id()], grid.now)
    grid.run(30)
    assert site.decisions == 1
    grid.wire.boot(site.host, grid.now)
    grid.run(120)
    assert site.decisions == 1
    site.agree()


def test_a_ven_that_restarts_in_the_middle_of_a_decision_asks_again() -> None:
    grid = Grid()
    host = grid.add_ven()
    grid.run(30)
    grid.vtn.vtn.add_event(event(), [grid.ven_id()], grid.now)
    while not host.calls:
        due = grid.wire.next_timeout()
        assert due is not None
        grid.clock.advance_to(due)
        grid.wire.wake(grid.now)
        grid.wire.settle(grid.now)
    assert grid.ven().ven.state.events[0].opt_type is None
    grid.wire.boot(host, grid.now)
    grid.run(60)
    assert len(grid.told(OptReceived)) == 1


@both
def test_what_is_on_the_wire_when_a_vtn_restarts_is_sent_again(pull: bool) -> None:
    site = Site(pull=pull)
    grid = site.grid
    for _ in range(12):
        grid.run(7)
        grid.wire.wake(grid.clock.advance(3))
        grid.wire.boot(grid.host, grid.now)
    grid.run(200)
    site.agree()


# --- the power fails -------------------------------------------------------------------------------------------------


def play(site: Site, host: Host | None = None, fuse: int | None = None) -> None:
    """A short day: registration, an event, a change of it, and reports; the power of a host fails once."""
    grid = site.grid
    if host is not None:
        host.fuse = fuse
    acts: list[Callable[[], object]] = [
        lambda: run(grid, 45),
        lambda: command(
            grid, lambda: grid.vtn.vtn.add_event(event(length=HOUR * 5), sorted(grid.vtn.vtn.vens), grid.now)
        ),
        lambda: run(grid, 30),
        lambda: command(grid, lambda: grid.vtn.vtn.modify_event(event(length=HOUR * 5, value=2.0), grid.now)),
        lambda: run(grid, 30),
    ]
    for act in acts:
        act()
    for one in grid.wire.hosts.values():
        one.fuse = None
    run(grid, 200)


def run(grid: Grid, seconds: float) -> None:
    """Let time pass; a host whose power fails starts again at once."""
    end = grid.now.mono + seconds
    while grid.now.mono < end or seconds == 0:
        try:
            grid.run(end - grid.now.mono)
            return
        except PowerCut:
            again(grid)


def command(grid: Grid, action: Callable[[], object]) -> None:
    """The operator asks for something; where the power fails before it is done, he asks again."""
    saved = dict(grid.host.saved)
    if not grid.vtn.vtn.vens:
        return
    action()
    try:
        grid.wire.drain(grid.host, grid.now)
    except PowerCut:
        again(grid)
        if {key: blob for key, blob in grid.host.saved.items() if key.startswith("event/")} == {
            key: blob for key, blob in saved.items() if key.startswith("event/")
        }:
            command(grid, action)


def again(grid: Grid) -> None:
    """Start every host without power again."""
    for host in grid.wire.hosts.values():
        if host.fuse is not None and host.fuse < 0:
            grid.wire.boot(host, grid.now)


def cut_everywhere(who: str, *, pull: bool) -> int:
    """Live through the short day as often as a host has outputs, and cut its power after each; returns how often."""
    cuts = 0
    for fuse in range(200):
        site = Site(pull=pull)
        grid = site.grid
        host = grid.wire.hosts[who]
        boots = host.boots
        play(site, host, fuse)
        if host.boots == boots:
            break  # the day is over before the power fails
        cuts += 1
        site.agree()
        if who == "vtn":
            ended = grid.told(RegistrationEnded, site.host)
            assert not ended, f"cut {fuse}: what the VTN has answered it remembers"
            assert len({one.ven_id for one in grid.told(VenRegistered)}) <= 1
        lost = {due for due in site.read_at if due < grid.now.utc - MINUTE} - set(site.stored)
        assert who == "ven" or not lost, f"cut {fuse}: no reading that was confirmed or kept is lost"
    return cuts


@both
@pytest.mark.parametrize("who", ["vtn", "ven"])
def test_the_power_may_fail_after_any_output(pull: bool, who: str) -> None:
    assert cut_everywhere(who, pull=pull) > 20, "else there was little to cut"


@pytest.mark.parametrize(("who", "core"), [("vtn", AutoVtn), ("ven", AutoVen)])
def test_a_core_that_saves_after_what_follows_from_it_is_noticed(
    who: str, core: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = core.next_output

    def next_output(self: Any, now: Now) -> Output | None:
        late = self.__dict__.setdefault("late", [])
        if not late:
            late += sorted(iter(lambda: original(self, now), None), key=lambda output: isinstance(output, Save))
        return late.pop(0) if late else None

    monkeypatch.setattr(core, "next_output", next_output)
    with pytest.raises(AssertionError):
        cut_everywhere(who, pull=True)


def test_messages_of_a_quiet_hour_are_polls_and_reports_alone() -> None:
    site = Site()
    site.grid.run(200)
    site.grid.log.clear()
    site.grid.run(3600)
    kinds = {what for _, what, _, _ in site.grid.log}
    assert kinds == {"oadrPoll", "(oadrResponse)", "oadrUpdateReport", "(oadrUpdatedReport)"}
    assert site.grid.messages(DistributeEvent) == site.grid.messages(CreatedEvent) == []
