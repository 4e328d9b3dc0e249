"""Which reports an application wants, in the forms in which its handler may say it, and what it gets of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    Interval,
    LocalProtocolError,
    Report,
    ReportPayload,
    ReportWish,
    data_point,
    make_offer,
)
from oadr_core.auto.report_wishes import report_wish, report_wishes, request_of, told_of, values_of
from oadr_core.offers import check_request
from oadr_core.rules import refuse
from tests.core.kit import HOUR, MINUTE, NONE, NOON, offer

SECOND = timedelta(seconds=1)


def keep(data: object) -> None:
    """A callback."""


# --- the forms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((keep, MINUTE), ReportWish(r_id="load", sampling=MINUTE, callback=keep)),
        ([keep, MINUTE], ReportWish(r_id="load", sampling=MINUTE, callback=keep)),
        ((None, MINUTE), ReportWish(r_id="load", sampling=MINUTE)),
        ((keep, MINUTE, HOUR), ReportWish(r_id="load", sampling=MINUTE, reporting=HOUR, callback=keep)),
        ((keep, MINUTE, None), ReportWish(r_id="load", sampling=MINUTE, callback=keep)),
        (ReportWish(r_id="load", sampling=HOUR), ReportWish(r_id="load", sampling=HOUR)),
    ],
)
def test_a_wish_for_a_data_point(value: object, expected: ReportWish) -> None:
    assert report_wish(value, "load") == expected


@pytest.mark.parametrize(
    "value", ["load", 5, (keep,), (keep, 60), ("keep", MINUTE), (keep, MINUTE, 60), (keep, MINUTE, HOUR, HOUR), {}]
)
def test_what_is_no_wish_for_a_data_point(value: object) -> None:
    with pytest.raises(LocalProtocolError, match=r"for load, where None, \(callback, sampling\) or"):
        report_wish(value, "load")


def test_wishes_for_a_report() -> None:
    given = [("load", keep, MINUTE), None, ["sun", None, MINUTE, HOUR], ReportWish(r_id="wind", sampling=SECOND)]
    assert report_wishes(given) == [
        ReportWish(r_id="load", sampling=MINUTE, callback=keep),
        ReportWish(r_id="sun", sampling=MINUTE, reporting=HOUR),
        ReportWish(r_id="wind", sampling=SECOND),
    ]
    assert report_wishes([]) == []


@pytest.mark.parametrize(
    "value", ["load", 5, {}, [5], [("load",)], [("load", keep)], [(5, keep, MINUTE)], [("load", keep, 60)]]
)
def test_what_is_no_list_of_wishes(value: object) -> None:
    with pytest.raises(LocalProtocolError, match="on_register_report returned"):
        report_wishes(value)


# --- the request that comes of them ----------------------------------------------------------------------------------


@pytest.mark.rule(317, 321, 338)
@pytest.mark.parametrize("reporting", [None, MINUTE])
def test_a_request_is_one_that_may_be_sent_and_stays_within_the_offer(reporting: timedelta | None) -> None:
    wishes = [ReportWish(r_id=r_id, sampling=SECOND * 10, reporting=reporting) for r_id in ("load", "sun")]
    offered = offer(r_ids=("load", "sun", "wind"))
    made = request_of("request", offered, wishes, NOON + timedelta(milliseconds=5))
    specifier = made.report_specifier
    assert specifier.report_interval is not None
    assert (specifier.report_interval.dtstart, specifier.report_interval.duration) == (NOON, NONE), "for ever"
    assert specifier.granularity == SECOND * 10
    assert specifier.report_back_duration == (reporting or SECOND * 10)
    assert [one.r_id for one in specifier.specifier_payloads] == ["load", "sun"]
    refuse(made)
    check_request(made, [offered])


def test_what_the_compact_handler_is_told() -> None:
    point = data_point(
        len,
        r_id="load",
        resource_id="boiler",
        measurement="power_real",
        scale="k",
        sampling_rate={"min_period": SECOND, "max_period": HOUR},
    )
    offered = make_offer("usage", [point], NOON)
    told = told_of("ven", offered, offered.report_descriptions[0])
    assert told == {
        "ven_id": "ven",
        "resource_id": "boiler",
        "measurement": "RealPower",
        "unit": "W",
        "scale": "k",
        "min_sampling_interval": SECOND,
        "max_sampling_interval": HOUR,
        "report_specifier_id": "usage",
        "report_name": "TELEMETRY_USAGE",
        "r_id": "load",
    }


def test_what_is_not_known_of_a_data_point_is_none() -> None:
    (described,) = offer().report_descriptions
    bare = msgspec.structs.replace(described, report_data_source=None, measurement=None, sampling_rate=None)
    told = told_of("ven", offer(), bare)
    assert {key for key, value in told.items() if value is None} == {
        *("resource_id", "measurement", "unit", "min_sampling_interval", "max_sampling_interval")
    }
    assert told["scale"] == "none"


# --- the values that come of a report --------------------------------------------------------------------------------


def report(intervals: Sequence[Interval], **rest: Any) -> Report:
    return Report(
        report_request_id="request",
        report_specifier_id="usage",
        created_date_time=NOON,
        dtstart=NOON,
        intervals=tuple(intervals),
        **rest,
    )


def value(number: float, r_id: str = "load", quality: str | None = None) -> ReportPayload:
    return ReportPayload(r_id=r_id, value=number, data_quality=quality)


@pytest.mark.rule(314, 315)
def test_values_come_with_their_times_however_the_report_says_them() -> None:
    expected = {"load": [(NOON, 1.0), (NOON + MINUTE, 2.0), (NOON + MINUTE * 2, 3.0)]}
    said = [Interval(dtstart=NOON + MINUTE * step, payloads=(value(step + 1.0),)) for step in range(3)]
    counted = [Interval(duration=MINUTE, uid=str(step), payloads=(value(step + 1.0),)) for step in range(3)]
    both = [Interval(dtstart=NOON + MINUTE * step, duration=MINUTE, payloads=(value(step + 1.0),)) for step in range(3)]
    for intervals in (said, counted, both):
        assert values_of(report(intervals)) == expected


def test_the_values_of_several_data_points_are_told_apart() -> None:
    together = [Interval(dtstart=NOON, payloads=(value(1.0), value(2.0, "sun")))]
    apart = [Interval(dtstart=NOON, payloads=(value(1.0),)), Interval(dtstart=NOON, payloads=(value(2.0, "sun"),))]
    for intervals in (together, apart):
        assert values_of(report(intervals)) == {"load": [(NOON, 1.0)], "sun": [(NOON, 2.0)]}


@pytest.mark.rule(318)
@pytest.mark.parametrize(
    ("quality", "counts"),
    [
        (None, True),
        ("Quality Good - Non Specific", True),
        ("Quality Uncertain - Non Specific", True),
        ("x-mine", True),
        ("Quality Bad - Comm Failure", False),
        ("Quality Bad - Non Specific", False),
        ("No Quality - No Value", False),
    ],
)
def test_a_placeholder_is_no_value(quality: str | None, counts: bool) -> None:
    found = values_of(report([Interval(dtstart=NOON, payloads=(value(7.0, quality=quality),))]))
    assert found == ({"load": [(NOON, 7.0)]} if counts else {})


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(-1e6, 1e6)), max_size=8))
def test_every_value_of_good_quality_comes_out_once(readings: list[tuple[str, float]]) -> None:
    intervals = [
        Interval(dtstart=NOON + MINUTE * number, payloads=(value(one, r_id),))
        for number, (r_id, one) in enumerate(readings)
    ]
    found = values_of(report(intervals))
    out = sorted((at, r_id, one) for r_id, pairs in found.items() for at, one in pairs)
    assert out == [(NOON + MINUTE * number, r_id, one) for number, (r_id, one) in enumerate(readings)]
