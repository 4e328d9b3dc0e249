"""When to read what for a report: exact periods on the wall clock, and no instant twice (rules 317, 324, 325, 341)."""

import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import LocalProtocolError, Reading, ResourceStatus
from oadr_core.auto.readings import interval_of, reading
from oadr_core.auto.sampling import Schedule, schedule
from oadr_core.state.reports import AcceptedRequest
from tests.core.kit import HOUR, MINUTE, NONE, NOON, request

SECOND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)


def plan(*, accepted: timedelta = NONE, resumed: timedelta | None = None, **asked: Any) -> Schedule:
    """The schedule of a request that was accepted some time after noon."""
    known = AcceptedRequest(request=request(**asked), accepted_at=NOON + accepted)
    return schedule(known, None if resumed is None else NOON + resumed)


def due(one: Schedule, count: int = 4) -> list[timedelta]:
    """When the first readings are due, after noon."""
    numbers = []
    number = one.first
    while len(numbers) < count and not one.is_over(number):
        numbers.append(number)
        number += 1
    return [one.due(number) - NOON for number in numbers]


# --- when readings are due -------------------------------------------------------------------------------------------


@pytest.mark.rule(317, 341)
def test_readings_are_due_at_the_start_and_then_every_period() -> None:
    one = plan(granularity=SECOND * 10, back=SECOND * 30)
    assert due(one) == [NONE, SECOND * 10, SECOND * 20, SECOND * 30]
    assert (one.together, one.once) == (3, False)


@pytest.mark.rule(324)
@pytest.mark.parametrize("resumed", [None, SECOND * 7 + TICK])
def test_what_is_asked_for_once_is_read_for_the_full_second_that_it_is_told_for(resumed: timedelta | None) -> None:
    one = plan(accepted=SECOND * 7 + TICK, resumed=resumed, granularity=NONE, back=NONE, begin=None)
    assert due(one, 1) == [SECOND * 7]


@pytest.mark.rule(325)
def test_nothing_is_read_before_the_start() -> None:
    assert due(plan(begin=HOUR, granularity=MINUTE, back=MINUTE), 2) == [HOUR, HOUR + MINUTE]


@pytest.mark.rule(325)
def test_the_end_ends_it() -> None:
    one = plan(granularity=SECOND * 10, back=SECOND * 10, length=SECOND * 30)
    assert due(one) == [NONE, SECOND * 10, SECOND * 20]
    assert one.is_over(3)
    assert due(plan(granularity=SECOND * 10, back=SECOND * 10, length=SECOND * 25)) == [NONE, SECOND * 10, SECOND * 20]


def test_a_request_that_comes_in_the_middle_of_its_period_begins_at_the_next_boundary() -> None:
    one = plan(begin=-SECOND * 7, granularity=SECOND * 10, back=SECOND * 10)
    assert due(one, 2) == [SECOND * 3, SECOND * 13]


def test_a_request_takes_time_to_arrive() -> None:
    """The VTN wants it from now on, and its now is a little before ours."""
    assert due(plan(begin=-SECOND * 2, granularity=SECOND * 10, back=SECOND * 10), 1) == [-SECOND * 2]
    assert due(plan(begin=-SECOND * 2, granularity=SECOND * 2, back=SECOND * 2), 1) == [NONE]


@pytest.mark.rule(324)
def test_a_report_that_is_asked_for_once_is_read_once_and_at_once() -> None:
    one = plan(back=NONE, begin=None, accepted=MINUTE)
    assert (due(one), one.once, one.together) == ([MINUTE], True, 1)
    assert due(plan(back=NONE, begin=-HOUR, accepted=MINUTE)) == [MINUTE]
    assert due(plan(back=NONE, begin=HOUR)) == [HOUR], "or at the time it is wanted"


def test_a_period_without_a_start_begins_when_it_was_accepted() -> None:
    assert due(plan(begin=None, accepted=MINUTE, granularity=MINUTE, back=MINUTE), 2) == [MINUTE, MINUTE * 2]


@pytest.mark.parametrize(("granularity", "back", "together"), [(10, 10, 1), (10, 30, 3), (7, 30, 4), (20, 30, 2)])
def test_a_report_holds_as_many_readings_as_fit(granularity: int, back: int, together: int) -> None:
    assert plan(granularity=SECOND * granularity, back=SECOND * back).together == together


lengths = st.integers(1, 5000).map(lambda seconds: timedelta(seconds=seconds))
offsets = st.integers(-10_000_000_000, 10_000_000_000).map(lambda ticks: timedelta(microseconds=ticks))


@given(lengths, st.integers(1, 10), offsets, offsets, st.none() | lengths)
def test_readings_lie_on_exact_boundaries_within_the_wanted_time(
    granularity: timedelta, readings: int, begin: timedelta, accepted: timedelta, length: timedelta | None
) -> None:
    one = plan(
        granularity=granularity,
        back=granularity * readings,
        begin=begin,
        accepted=accepted,
        length=NONE if length is None else length,
    )
    found = due(one)
    for at in found:
        assert (at - begin) % granularity == NONE, "a whole number of periods after the start"
        assert at >= begin
        assert length is None or at < begin + length
        assert at >= accepted - SECOND * 5, "nothing of the past is made up"
    if length is None:
        assert found[0] < max(accepted, begin) + granularity, "and nothing is left out"


@given(lengths, offsets, offsets.filter(lambda at: at >= NONE))
def test_no_instant_is_read_twice_over_a_restart(granularity: timedelta, begin: timedelta, stopped: timedelta) -> None:
    asked = {"granularity": granularity, "back": granularity, "begin": begin}
    before = plan(**asked)
    number = before.first
    while before.due(number) <= NOON + stopped:
        number = max(number + 1, before.present(number + 1, NOON + stopped))
    last = before.due(number - 1)
    after = plan(resumed=stopped, **asked)
    assert after.due(after.first) > NOON + stopped
    assert before.first == number or after.due(after.first) > last
    assert after.due(after.first) == before.due(max(number, before.first)), "the next one is the one that is due"


def test_a_single_reading_that_was_not_made_is_made_after_a_restart() -> None:
    assert due(plan(back=NONE, begin=None, resumed=HOUR)) == [HOUR]


# --- which reading it is ---------------------------------------------------------------------------------------------


@given(st.integers(0, 50), st.integers(0, 100_000_000_000).map(lambda ticks: timedelta(microseconds=ticks)))
def test_a_reading_that_is_taken_late_counts_for_the_latest_boundary(number: int, late: timedelta) -> None:
    one = plan(granularity=SECOND * 10, back=SECOND * 10)
    now: datetime = one.due(number) + late
    present = one.present(number, now)
    assert present >= number
    assert one.due(present) <= now < one.due(present) + SECOND * 10
    following = one.after(present, now)
    assert following > present
    assert one.due(following) >= now
    assert one.due(following - 1) <= now or following == present + 1


def test_a_clock_that_was_set_back_numbers_nothing_again() -> None:
    one = plan(granularity=SECOND * 10, back=SECOND * 10)
    assert one.present(7, NOON) == 7
    assert one.after(7, NOON) == 8


def test_a_single_reading_stays_the_only_one() -> None:
    one = plan(back=NONE)
    assert one.present(0, NOON + HOUR) == 0
    assert one.after(0, NOON + HOUR) == 1
    assert one.is_over(1)
    assert not one.is_over(0)


# --- what callbacks may return ---------------------------------------------------------------------------------------

STATUS = ResourceStatus(online=True, manual_override=False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, Reading(value=5.0)),
        (5.5, Reading(value=5.5)),
        (None, Reading(value=None)),
        (Reading(value=1.0), Reading(value=1.0)),
        (STATUS, Reading(value=STATUS)),
        ({"online": True, "manual_override": False}, Reading(value=STATUS)),
        ({"value": 5}, Reading(value=5.0)),
        ({"value": None}, Reading(value=None)),
        (
            {"value": 5, "data_quality": "Quality Good - Non Specific", "confidence": 90, "accuracy": 0.5},
            Reading(value=5.0, data_quality="Quality Good - Non Specific", confidence=90, accuracy=0.5),
        ),
    ],
)
def test_a_reading(value: object, expected: Reading) -> None:
    assert reading(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "5",
        True,
        {},
        {"value": "5"},
        {"value": True},
        [5],
        {"online": "perhaps", "manual_override": False},
        math.nan,
        {"value": math.inf},
        {"value": 1.0, "accuracy": math.nan},
        {"value": 1.0, "confidence": 101},
        {"value": 1.0, "data_quality": "good"},
        {"online": True, "manual_override": False, "load_control_state": {"capacity": {"current": math.nan}}},
        {"online": True},
    ],
)
def test_what_is_no_reading(value: object) -> None:
    with pytest.raises(LocalProtocolError):
        reading(value)


@pytest.mark.rule(318)
def test_where_there_is_no_value_a_placeholder_of_bad_quality_is_sent() -> None:
    one = interval_of("load", Reading(value=None), NOON)
    (payload,) = one.payloads
    assert (one.dtstart, payload.r_id, payload.value) == (NOON, "load", 0.0)
    assert payload.data_quality == "Quality Bad - Non Specific"
    other = interval_of("load", Reading(value=None, data_quality="Quality Bad - Comm Failure"), NOON)
    assert other.payloads[0].data_quality == "Quality Bad - Comm Failure"


@pytest.mark.rule(300)
def test_every_data_point_is_in_the_report_with_all_that_was_said_of_it() -> None:
    values = {"load": Reading(value=1.0, confidence=90, accuracy=0.5), "sun": Reading(value=STATUS)}
    payloads = [payload for r_id, one in values.items() for payload in interval_of(r_id, one, NOON).payloads]
    assert [(one.r_id, one.value) for one in payloads] == [("load", 1.0), ("sun", STATUS)]
    assert (payloads[0].confidence, payloads[0].accuracy) == (90, 0.5)
