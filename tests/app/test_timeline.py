"""The timeline of an event: it is true, it fits, and no event is too odd for it."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from oadr_app.event_file import event_of
from oadr_app.event_flags import NEW_EVENT, EventFlags, with_flags
from oadr_app.timeline import Timeline
from oadr_core import EiEvent, EventStatus, SignalType
from oadr_core.testing.strategies import instants, parts

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)


def event(**flags: Any) -> EiEvent:
    """An event at noon, for an hour if nothing else is said."""
    form = with_flags(NEW_EVENT, EventFlags(**{"start": "2026-11-20T12:00:00Z", **flags}), NOW)
    return event_of(form, random.Random(0), NOW)


def drawn(
    shown: EiEvent,
    now: datetime = NOW,
    width: int = 100,
    status: EventStatus | None = None,
    cancelled_at: datetime | None = None,
) -> list[str]:
    """The lines of a timeline."""
    return [line.plain for line in Timeline(shown, now, status, cancelled_at).lines(width)]


def row(lines: list[str], name: str) -> str:
    """What is drawn for a phase or a signal."""
    return next(line for line in lines if line.startswith(f"{name} "))


def extent(line: str, glyph: str) -> tuple[int, int]:
    """The first column of a glyph, and the one behind its last."""
    return line.index(glyph), line.rindex(glyph) + 1


# --- it is true ------------------------------------------------------------------------------------------------------


def test_the_phases_follow_one_another() -> None:
    lines = drawn(event(ramp_up="10m", recovery="20m", notification="30m"))
    notice, ramp_up = extent(row(lines, "notification"), "·"), extent(row(lines, "ramp-up"), "╱")
    active, recovery = extent(row(lines, "active"), "█"), extent(row(lines, "recovery"), "╲")
    assert notice[0] < ramp_up[0] < active[0] < recovery[0]
    assert notice[1] == ramp_up[1] == active[0]
    assert recovery[0] == active[1]
    length = active[1] - active[0]
    assert ramp_up[1] - ramp_up[0] == pytest.approx(length / 6, abs=1)
    assert recovery[1] - recovery[0] == pytest.approx(length / 3, abs=1)


def test_negative_ramp_up_and_recovery_lie_within_the_event() -> None:
    lines = drawn(event(ramp_up="-10m", recovery="-20m"))
    active = extent(row(lines, "active"), "█")
    assert extent(row(lines, "ramp-up"), "╱")[0] == active[0]
    assert extent(row(lines, "recovery"), "╲")[1] == active[1]


def test_the_window_for_random_starts_is_drawn_at_both_ends() -> None:
    lines = drawn(event(startafter="10m"))
    active, window = extent(row(lines, "active"), "█"), extent(row(lines, "random"), "░")
    assert active[0] == window[0]
    assert window[1] > active[1]
    assert "░ " in row(lines, "random"), "between them there is none"


def test_values_are_bars_with_their_numbers_where_the_intervals_begin() -> None:
    lines = drawn(event(intervals="30m=1,15m=3,15m=0"))
    bars = row(lines, "SIMPLE")
    numbers = lines[lines.index(bars) + 1]
    for glyph, number in (("▃", "1"), ("█", "3"), ("▁", "0")):
        assert bars.index(glyph) == numbers.index(number)


def test_what_is_below_nothing_is_lower_than_nothing() -> None:
    flags = {"signal": "LOAD_DISPATCH", "signal_type": SignalType.DELTA, "measurement": "power_real"}
    bars = row(drawn(event(intervals="20m=-10,20m=0,20m=10", **flags)), "LOAD_DISPATCH")
    assert bars.split()[-1].strip("▁▄█") == ""
    assert bars.index("▁") < bars.index("▄") < bars.index("█")


@pytest.mark.parametrize(
    ("now", "mark"),
    [
        (NOW + 30 * MINUTE, "▲ "),
        (NOW - timedelta(days=3), "◂ now, 3d earlier"),
        (NOW + timedelta(days=3), "now, 2d22h later ▸"),
    ],
)
def test_the_present_is_marked_or_it_is_said_how_far_away_it_is(now: datetime, mark: str) -> None:
    assert mark in row(drawn(event(), now), "now")


def test_in_the_middle_of_an_event_the_mark_is_in_the_middle() -> None:
    lines = drawn(event(), NOW + 30 * MINUTE)
    begin, end = extent(row(lines, "active"), "█")
    assert row(lines, "now").index("▲") == pytest.approx((begin + end) / 2, abs=1)


def test_an_event_without_end_goes_on_at_the_right_edge() -> None:
    for hours in (0, 1, 1000):
        lines = drawn(event(open_ended=True), NOW + timedelta(hours=hours))
        assert row(lines, "active").endswith("▸")
        assert "▲" in row(lines, "now")
        assert lines[-1].endswith("until it is cancelled")


def test_when_an_event_was_cancelled_is_marked() -> None:
    shown = event(open_ended=True)
    lines = drawn(shown, NOW + 40 * MINUTE, status=EventStatus.CANCELLED, cancelled_at=NOW + 20 * MINUTE)
    at, now = row(lines, "cancelled"), row(lines, "now")
    begin = extent(row(lines, "active"), "█")[0]
    assert at.endswith("▲ 12:20:00")
    assert at.index("▲") - begin == pytest.approx((now.index("▲") - begin) / 2, abs=1)
    assert "1 until it was cancelled" in lines[-1]
    assert "1 until it is cancelled" in drawn(shown)[-1]
    before = drawn(event(), NOW, status=EventStatus.CANCELLED, cancelled_at=NOW - timedelta(days=2))
    assert "◂ cancelled, 2d earlier" in row(before, "cancelled")


def test_of_a_long_notification_a_part_is_shown() -> None:
    lines = drawn(event(notification="9d"))
    begin, end = extent(row(lines, "active"), "█")
    assert end - begin > 30
    assert "◂·" in row(lines, "notification")


def test_many_intervals_are_told_in_short() -> None:
    lines = drawn(event(intervals=",".join(["1m=0,1m=1,1m=2"] * 50)))
    assert len(lines) < 30
    assert "  … 138 more, from 0 to 2, 1 on average" in lines


def test_each_signal_says_its_unit_and_the_devices_it_is_for() -> None:
    flags = {"signal": "ELECTRICITY_PRICE", "signal_type": SignalType.PRICE, "measurement": "currency_per_kwh"}
    lines = drawn(event(value=0.3, unit="EUR", device_class=["Thermostat"], **flags))
    assert "ELECTRICITY_PRICE price, EUR/kWh, for Thermostat" in lines


# --- it fits ---------------------------------------------------------------------------------------------------------


@given(parts(EiEvent), instants, st.integers(1, 200))
def test_no_event_is_too_odd_and_no_terminal_too_narrow(shown: EiEvent, now: datetime, width: int) -> None:
    """Whatever the schema admits, rules or no rules."""
    console = Console(width=width, color_system=None, markup=False)
    with console.capture() as capture:
        console.print(Timeline(shown, now))
    assert all(cell_len(line) <= width for line in capture.get().splitlines())


@given(parts(EiEvent), instants, st.integers(60, 120))
def test_no_line_of_the_chart_is_wrapped(shown: EiEvent, now: datetime, width: int) -> None:
    chart = list(Timeline(shown, now).lines(width))
    for line in chart[: next(number for number, line in enumerate(chart) if not line.plain.strip())]:
        assert cell_len(line.plain) <= width


def test_a_terminal_that_knows_ascii_alone_gets_ascii() -> None:
    console = Console(width=80, color_system=None)
    options = console.options.update(width=80)
    options.encoding = "ascii"
    shown = event(ramp_up="10m", recovery="10m", startafter="5m", notification="1d")
    lines = list(Timeline(shown, NOW).__rich_console__(console, options))
    assert "".join(str(line) for line in lines).isascii()


def test_a_narrow_terminal_gets_words_alone() -> None:
    assert drawn(event(), width=20)[0] == "SIMPLE level"
