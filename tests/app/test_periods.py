"""Times and lengths of time, as people write them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_app.periods import instant, period, shown, steps

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("2d", timedelta(days=2)),
        ("1.5h", timedelta(minutes=90)),
        ("250ms", timedelta(milliseconds=250)),
        ("1m30s500ms", timedelta(seconds=90.5)),
        ("PT15M", timedelta(minutes=15)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("0s", timedelta(0)),
        ("-5m", timedelta(minutes=-5)),
        ("-PT5M", timedelta(minutes=-5)),
    ],
)
def test_a_length_of_time_is_written_as_people_or_as_the_standard_write_it(text: str, length: timedelta) -> None:
    assert period(text) == length


@pytest.mark.parametrize("text", ["", "5", "m", "5x", "5 m", "1h 30m", "P", "PT", "P1M", "P1Y", "PT1.5S", "--5m", "٥x"])
def test_what_is_no_length_of_time_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="is no length of time; write 90s, 15m, 1h30m or PT15M"):
        period(text)


@pytest.mark.parametrize("text", ["9999999999d", "P9999999999D", "9" * 400 + "s", "P" + "9" * 5000 + "D"])
def test_a_length_beyond_all_times_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is too long a time"):
        period(text)


@given(
    st.timedeltas(timedelta(days=-1000), timedelta(days=1000)).map(
        lambda one: timedelta(seconds=one // timedelta(seconds=1))
    )
)
def test_a_length_that_is_shown_can_be_read(length: timedelta) -> None:
    assert period(shown(length)) == length


def test_intervals_are_lengths_and_values() -> None:
    assert steps("30m=1, 1h=2.5,PT5M=-1") == [
        (timedelta(minutes=30), 1.0),
        (timedelta(hours=1), 2.5),
        (timedelta(minutes=5), -1.0),
    ]


@pytest.mark.parametrize("text", ["", "30m", "30m=", "30m=x", "30m=1,", "30m=nan", "30m=inf"])
def test_what_is_no_interval_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="is no interval; write its length and its value, as 30m=1,30m=2"):
        steps(text)


def test_an_interval_needs_a_length_that_is_one() -> None:
    with pytest.raises(ValueError, match="'soon' is no length of time"):
        steps("soon=1")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("now", NOW),
        ("+15m", NOW + timedelta(minutes=15)),
        ("+-15m", NOW - timedelta(minutes=15)),
        ("2026-11-20T18:00:00Z", NOW + timedelta(hours=6)),
        ("2026-11-20T18:00:00+02:00", NOW + timedelta(hours=4)),
    ],
)
def test_a_point_in_time_is_absolute_or_a_while_from_now(text: str, time: datetime) -> None:
    assert instant(text, NOW) == time
    assert instant(text, NOW).tzinfo is UTC


def test_a_point_in_time_without_a_zone_is_that_of_the_machine() -> None:
    local = datetime(2026, 11, 20, 18, 0).astimezone()
    assert instant("2026-11-20T18:00:00", NOW) == local


@pytest.mark.parametrize("text", ["", "soon", "18:00", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time; write now, \+15m or 2026-11-20T18:00:00Z"):
        instant(text, NOW)


def test_a_while_that_is_none_is_refused_as_such() -> None:
    with pytest.raises(ValueError, match="'soon' is no length of time"):
        instant("+soon", NOW)


@pytest.mark.parametrize("text", ["+9999999d", "0001-01-01T00:00:00+23:00"])
def test_a_time_out_of_reach_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is too far away"):
        instant(text, NOW)
