"""Whether a report request stays within what was offered, and the code that says why not (rules 300, 304, 317, 340)."""

import math
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    CalendarDuration,
    RemoteProtocolError,
    Report,
    ReportRequest,
    SamplingRate,
    SpecifierPayload,
    measurement,
)
from oadr_core.offers import METADATA, check_request
from oadr_core.rules.offered import data_name
from tests.core.kit import HOUR, MINUTE, NONE, NOON, offer, request

SECOND = timedelta(seconds=1)
OFFERS = (offer("usage", ("load", "sun")), offer("other", ("wind",)))


def code(asked: ReportRequest, offers: tuple[Report, ...] = OFFERS, now: datetime | None = None) -> int:
    """The code that a request is answered with."""
    try:
        check_request(asked, offers, now)
    except RemoteProtocolError as error:
        return int(error.code)
    return 200


def sampled(least: Any, most: Any, kept: Any = HOUR) -> tuple[Report, ...]:
    """The offer of one data point that can be sampled so often."""
    one = offer()
    rate = SamplingRate(min_period=least, max_period=most)
    described = tuple(msgspec.structs.replace(point, sampling_rate=rate) for point in one.report_descriptions)
    return (msgspec.structs.replace(one, report_descriptions=described, duration=kept),)


@pytest.mark.rule(304, 322)
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request(), 200),
        (request(r_ids=("load", "sun")), 200),
        (request(""), 452),
        (request("0"), 452),
        (request(specifier_id="unknown"), 452),
        (request(r_ids=("load", "unknown")), 452),
        (request(r_ids=("wind",)), 452),
        (request(specifier_id="other", r_ids=("wind",)), 200),
    ],
    ids=["one", "several", "empty id", "id 0", "unknown report", "unknown point", "another's point", "other report"],
)
def test_ids_have_to_be_known(asked: ReportRequest, expected: int) -> None:
    assert code(asked) == expected


def test_nothing_is_known_where_nothing_was_offered() -> None:
    assert code(request(), ()) == 452


@pytest.mark.rule(308, 327, 510)
def test_metadata_can_always_be_asked_for() -> None:
    assert code(request(specifier_id=METADATA, r_ids=("0",)), ()) == 200


@pytest.mark.rule(340)
@pytest.mark.parametrize(
    ("granularity", "back", "expected"),
    [
        (SECOND, MINUTE, 200),
        (MINUTE * 5, HOUR, 200),
        (MINUTE, MINUTE, 200),
        (SECOND / 2, MINUTE, 454),
        (MINUTE * 6, HOUR, 454),
        (MINUTE, SECOND * 30, 454),
        (MINUTE, HOUR + SECOND, 454),
        (NONE, MINUTE, 454),
        (-SECOND, MINUTE, 454),
        (SECOND, -MINUTE, 454),
        (CalendarDuration(months=1), CalendarDuration(months=1), 454),
    ],
    ids=[
        *("the shortest", "the longest", "each in its own report", "too short", "too long", "longer than the report"),
        *("more than is kept", "on change", "negative", "negative report", "months"),
    ],
)
def test_times_have_to_be_within_the_offer(granularity: Any, back: Any, expected: int) -> None:
    asked = request()
    specifier = msgspec.structs.replace(asked.report_specifier, granularity=granularity, report_back_duration=back)
    assert code(msgspec.structs.replace(asked, report_specifier=specifier)) == expected


@pytest.mark.rule(324)
@pytest.mark.parametrize("granularity", [NONE, SECOND / 2, HOUR * 9])
def test_a_report_that_is_asked_for_once_may_have_any_granularity(granularity: timedelta) -> None:
    assert code(request(back=NONE, granularity=granularity)) == 200


def test_every_data_point_has_to_be_within_its_own_rate() -> None:
    (one,) = sampled(SECOND, MINUTE)
    slow = msgspec.structs.replace(
        one.report_descriptions[0], r_id="slow", sampling_rate=SamplingRate(min_period=MINUTE, max_period=HOUR)
    )
    both = (msgspec.structs.replace(one, report_descriptions=(*one.report_descriptions, slow)),)
    asked = {"granularity": SECOND * 10, "back": MINUTE}
    assert code(request(r_ids=("load",), **asked), both) == 200
    assert code(request(r_ids=("load", "slow"), **asked), both) == 454


def test_a_rate_without_a_longest_period_has_none() -> None:
    assert code(request(granularity=HOUR, back=HOUR), sampled(SECOND, NONE)) == 200


def test_a_point_without_a_rate_and_an_offer_without_a_length_set_no_limits() -> None:
    one = offer()
    described = tuple(msgspec.structs.replace(point, sampling_rate=None) for point in one.report_descriptions)
    free = msgspec.structs.replace(one, report_descriptions=described, duration=None)
    assert code(request(granularity=HOUR * 50, back=HOUR * 100), (free,)) == 200


@pytest.mark.rule(317)
@pytest.mark.parametrize(("back", "expected"), [(MINUTE, 200), (MINUTE / 2, 454)])
def test_changes_may_be_asked_for_where_they_are_offered(back: timedelta, expected: int) -> None:
    one = offer()
    rate = SamplingRate(min_period=MINUTE, max_period=MINUTE, on_change=True)
    described = tuple(msgspec.structs.replace(point, sampling_rate=rate) for point in one.report_descriptions)
    offered = (msgspec.structs.replace(one, report_descriptions=described),)
    assert code(request(granularity=NONE, back=back), offered) == expected


@pytest.mark.rule(317, 324, 325, 340)
@pytest.mark.parametrize("name", ["HISTORY_USAGE", "HISTORY_GREENBUTTON"])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"begin": -HOUR, "length": HOUR}, 200),
        ({"begin": -HOUR * 9, "length": NONE}, 200),
        ({"begin": -HOUR, "length": HOUR, "granularity": MINUTE}, 454),
        ({"begin": -HOUR, "length": HOUR, "back": MINUTE}, 454),
        ({"begin": None}, 454),
        ({"begin": HOUR, "length": HOUR}, 454),
        ({"begin": -HOUR * 9, "length": HOUR * 2}, 454),
    ],
    ids=["a stretch", "all", "spaced", "periodic", "no stretch", "the future", "more than is kept"],
)
def test_history_is_told_once_as_recorded_of_a_stretch_of_the_past(
    name: str, asked: dict[str, Any], expected: int
) -> None:
    history = msgspec.structs.replace(offer(), report_name=f"METADATA_{name}")
    wanted = request(**{"back": NONE, "granularity": NONE, **asked})
    assert code(wanted, (history,), NOON) == expected


@pytest.mark.rule(325, 340)
def test_telemetry_is_not_of_the_past() -> None:
    assert code(request(begin=-HOUR, length=MINUTE), now=NOON) == 454
    assert code(request(begin=-HOUR, length=HOUR * 2), now=NOON) == 200


@pytest.mark.rule(313, 331)
def test_the_name_of_data_lacks_the_prefix_of_its_offer() -> None:
    assert data_name("METADATA_TELEMETRY_USAGE") == "TELEMETRY_USAGE"
    assert data_name("x-mine") == "x-mine"
    assert data_name(None) is None


durations = st.one_of(
    st.integers(-100, 10_000).map(lambda seconds: timedelta(seconds=seconds)),
    st.builds(CalendarDuration, months=st.integers(-2, 2)),
)


@given(durations, durations, durations, durations, st.none() | durations)
def test_any_times_give_a_code_and_what_is_accepted_is_within_the_offer(
    granularity: Any, back: Any, least: Any, most: Any, kept: Any
) -> None:
    asked = request()
    specifier = msgspec.structs.replace(asked.report_specifier, granularity=granularity, report_back_duration=back)
    found = code(msgspec.structs.replace(asked, report_specifier=specifier), sampled(least, most, kept))
    assert found in (200, 454)
    if found == 200 and back != NONE and back != CalendarDuration(months=0):
        assert least <= granularity <= back
        assert most == NONE or granularity <= most
        assert kept is None or back <= kept


def test_what_is_wrong_is_said_in_words() -> None:
    with pytest.raises(RemoteProtocolError, match="usage has no rID moon"):
        check_request(request(r_ids=("moon",)), OFFERS)
    with pytest.raises(RemoteProtocolError, match="load is sampled every PT1S to PT5M, not every PT10M"):
        check_request(request(granularity=MINUTE * 10, back=HOUR), OFFERS)


def test_a_request_with_numbers_that_mean_nothing_is_refused() -> None:
    one = request()
    counted = SpecifierPayload(r_id="load", measurement=measurement("pulseCount", pulse_factor=math.inf))
    specifier = msgspec.structs.replace(one.report_specifier, specifier_payloads=(counted,))
    assert code(msgspec.structs.replace(one, report_specifier=specifier)) == 454
