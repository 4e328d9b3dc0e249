"""Plots: whatever was reported is drawn within the width that there is, and what is missing shows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from oadr_app.archive import Bucket
from oadr_app.plotting import BRAILLE, PLAIN, Plot, Style, gaps, longest_pause
from oadr_app.readings import Series
from oadr_app.report_views import plotted, style_for
from oadr_app.scales import Numbers, time_marks
from tests.app.test_views import printed

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def bucket(number: int, low: float | None, high: float | None = None, **details: Any) -> Bucket:
    """What a stretch of a minute holds: one reading, if nothing else is said."""
    high = low if high is None else high
    time = NOON + number * MINUTE
    known = {"first": time, "last": time, "readings": 1, "values": int(low is not None), "bad": 0, "doubtful": 0}
    return Bucket(number=number, low=low, high=high, mean=low, **{**known, **details})


def drawn(
    buckets: list[Bucket], width: int = 41, height: int = 3, style: Style = PLAIN, minutes: int = 31
) -> list[str]:
    """The lines of a plot of half an hour, without colours."""
    return [line.plain for line in Plot(NOON, NOON + minutes * MINUTE, width, height, style).lines(buckets)]


def test_a_rising_line_rises() -> None:
    lines = drawn([bucket(number, number) for number in range(31)])
    assert [line[10:] for line in lines[:3]] == [
        "                       ********",
        "        ***************        ",
        "********                       ",
    ]
    assert lines[2].startswith("        0+")
    assert lines[3].startswith("         ++---")


def test_where_readings_are_missing_there_is_a_gap() -> None:
    buckets = [bucket(number, 1.0) for number in range(31) if not 10 <= number < 15]
    line = next(line for line in drawn(buckets) if "*" in line)
    assert line[10:] == "*" * 10 + " " * 5 + "*" * 16
    assert gaps(buckets) == 1


def test_readings_that_come_seldom_are_joined_by_a_line() -> None:
    buckets = [bucket(number, 1.0) for number in range(0, 31, 5)]
    line = next(line for line in drawn(buckets) if "*" in line)
    assert line[10:] == "*" * 31
    assert gaps(buckets) == 0


def test_readings_on_change_have_no_gaps_where_nothing_changed_for_a_while() -> None:
    buckets = [bucket(number, 1.0) for number in (0, 1, 2, 7, 9, 10, 16, 18, 19, 25, 30)]
    assert gaps(buckets) == 0


@pytest.mark.rule(318)
def test_what_is_of_bad_or_doubtful_quality_is_marked_and_no_line_goes_through_it() -> None:
    buckets = [bucket(number, 1.0) for number in range(31)]
    buckets[5] = bucket(5, None, bad=1)
    buckets[20] = bucket(20, 1.0, doubtful=1)
    lines = drawn(buckets)
    line = next(line for line in lines if "*" in line)
    assert line[10:] == "*" * 5 + " " + "*" * 25
    assert lines[3] == "  quality|" + " " * 5 + "x" + " " * 14 + "~" + " " * 10
    assert "quality" not in "".join(drawn([bucket(0, 1.0)]))


def test_many_readings_of_a_column_reach_from_the_lowest_to_the_highest() -> None:
    lines = drawn([bucket(15, 0.0, 10.0, readings=60)])
    assert [line[25] for line in lines[:3]] == ["*"] * 3


def test_a_status_holds_until_the_next() -> None:
    plot = Plot(NOON, NOON + 31 * MINUTE, 41, 3, PLAIN)
    lines = [line.plain[10:] for line in plot.lines([bucket(0, 1.0), bucket(10, 0.0), bucket(20, 0.0)], steps=True)]
    assert lines[0] == "*" * 11 + " " * 20
    assert lines[2] == " " * 10 + "*" * 11 + " " * 10


def test_times_are_those_of_the_clock_on_the_wall() -> None:
    assert time_marks(NOON, NOON + 30 * MINUTE, 40) == [
        (13 * number, (NOON + 10 * number * MINUTE).astimezone().strftime("%H:%M")) for number in range(3)
    ]
    assert time_marks(NOON, NOON, 40) == []


def test_numbers_are_round() -> None:
    assert [text for _, text in Numbers(0.2, 7.8, 5).marks()] == ["2", "4", "6"]
    assert [text for _, text in Numbers(-0.03, 0.05, 5).marks()] == ["-0.02", "0.00", "0.02", "0.04"]
    assert [text for _, text in Numbers(0, 3e9, 4).marks()] == ["0", "1e+09", "2e+09", "3e+09"]


def test_what_the_terminal_cannot_show_is_drawn_in_plain_characters() -> None:
    assert style_for("utf-8") is BRAILLE
    assert style_for("ascii") is style_for("latin-1") is style_for(None) is style_for("unheard-of") is PLAIN


EDGE = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def series(draw: st.DrawFn) -> tuple[Plot, list[Bucket], datetime, datetime]:
    """A plot of any size, and what there may be in it."""
    begin = draw(st.datetimes(timezones=st.just(UTC)))
    span = draw(st.timedeltas(timedelta(microseconds=1), timedelta(days=10**6)))
    end = min(begin, datetime.max.replace(tzinfo=UTC) - span) + span
    begin = end - span
    plot = Plot(
        begin, end, draw(st.integers(1, 130)), draw(st.integers(1, 20)), draw(st.sampled_from([BRAILLE, PLAIN]))
    )
    buckets = []
    for number in sorted(draw(st.sets(st.integers(0, plot.dots - 1), max_size=12))):
        first = begin + span * number / plot.dots
        low, high = draw(EDGE), draw(EDGE)
        if low is None or high is None:
            low = high = None
        else:
            low, high = min(low, high), max(low, high)
        count = draw(st.integers(1, 100))
        bad, doubtful = draw(st.integers(0, count)), draw(st.integers(0, count))
        values = 0 if low is None else count
        buckets.append(Bucket(number, first, first, count, values, low, high, low, bad, doubtful))
    return plot, buckets, begin, end


@given(series(), st.integers(1, 130), st.text(max_size=200), st.booleans())
@example(
    (Plot(NOON, NOON + MINUTE, 1, 1), [bucket(0, 1.7e308, 1.79e308), bucket(1, -1.79e308)], NOON, NOON), 1, "", True
)
@example((Plot(NOON, NOON + MINUTE, 30, 5), [bucket(0, 5e-324), bucket(1, 0.0)], NOON, NOON), 30, "", False)
def test_whatever_was_reported_is_drawn_within_the_width(
    drawn: tuple[Plot, list[Bucket], datetime, datetime], width: int, name: str, steps: bool
) -> None:
    plot, buckets, begin, end = drawn
    whole = plot.columns + (0 if plot.columns < 13 else 10)
    for line in plot.lines(buckets, steps=steps):
        assert cell_len(line.plain) <= whole
        assert "\n" not in line.plain
    assert gaps(buckets) <= max(len(buckets) - 1, 0)
    pause = longest_pause(buckets)
    assert pause is None or pause >= timedelta(0)
    status = (0, None, None, None, None, '{"online":true}')
    shown = plotted(Series(name, name, name, unit=name), buckets, plot, begin, end, status, width)
    for line in shown.renderables:  # type: ignore[attr-defined]
        assert cell_len(line.plain) <= max(width, 1)
        assert not set("\n\t\x1b") & set(line.plain)


def test_a_name_can_neither_style_nor_command_the_terminal() -> None:
    plot = Plot(NOON, NOON + MINUTE, 80, 3)
    made = Series("1", "[red]x[/red]", "p", "\x1b]0;x", resource="\x9b2J", unit="\x1b[2J", quantity="q\n")
    text = printed(plotted(made, [bucket(0, 1.0)], plot, NOON, NOON + MINUTE, None, 80))
    assert "[red]x[/red]" in text
    assert "\x1b" not in text.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert "\x9b" not in text
