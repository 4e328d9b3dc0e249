"""Building events and offers from the few things that a person says."""

import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    CalendarDuration,
    DistributeEvent,
    EiEvent,
    EventStatus,
    LocalProtocolError,
    PowerAttributes,
    RegisterReport,
    Report,
    ReportDescription,
    ResponseRequired,
    SamplingRate,
    Severity,
    Target,
    check,
    complete_event,
    data_point,
    encode,
    make_event,
    make_offer,
    measurement,
    part_to_dict,
)
from oadr_core.rules import refuse_event
from tests.core.kit import HOUR, MINUTE, NONE, NOON, event

CHANCE = random.Random(0)
QUARTER = MINUTE * 15


def made(**given: Any) -> EiEvent:
    """An event of which little is said."""
    told = {
        "signal_name": "SIMPLE",
        "signal_type": "level",
        "intervals": [{"duration": QUARTER, "signal_payload": 1}, {"duration": MINUTE * 5, "signal_payload": 2.0}],
    }
    return make_event(CHANCE, NOON, **{**told, **given})


def keeps_the_rules(one: EiEvent) -> None:
    """An event is what a VTN may send."""
    refuse_event(one)
    message = DistributeEvent(request_id="1", vtn_id="Grid", events=(one,))
    broken = [finding for finding in check(message) if finding.severity is Severity.ERROR]
    assert broken == []
    encode(message)


# --- make_event ------------------------------------------------------------------------------------------------------


@pytest.mark.rule(4)
def test_an_event_of_which_little_is_said() -> None:
    one = made()
    assert one.event_descriptor.event_status is EventStatus.FAR
    assert one.event_descriptor.modification_number == 0
    assert one.event_descriptor.created_date_time == NOON
    assert len(one.event_descriptor.event_id) == 32
    assert one.active_period.dtstart == NOON
    assert one.active_period.duration == MINUTE * 20
    assert one.active_period.notification == NONE, "it is compulsory (rule 105)"
    assert one.target == Target()
    assert one.response_required is ResponseRequired.ALWAYS
    keeps_the_rules(one)


@pytest.mark.rule(2, 8, 103)
def test_intervals_are_numbered_and_total_the_event() -> None:
    (signal,) = made(
        intervals=[{"duration": QUARTER, "signal_payload": value, "uid": 7} for value in range(4)]
    ).event_signals
    assert [one.uid for one in signal.intervals] == ["0", "1", "2", "3"]
    assert [one.signal_value for one in signal.intervals] == [0.0, 1.0, 2.0, 3.0]
    assert {one.dtstart for one in signal.intervals} == {None}


def test_the_first_interval_may_say_when_it_begins() -> None:
    later = NOON + HOUR
    intervals = [{"dtstart": later, "duration": HOUR, "signal_payload": 1}, {"duration": HOUR, "signal_payload": 0}]
    assert made(intervals=intervals).active_period.dtstart == later
    assert made(intervals=intervals, dtstart=NOON).active_period.dtstart == NOON, (
        "what is said of the event goes before"
    )
    assert made(intervals=intervals[::-1]).active_period.dtstart == NOON, "and only the first counts"


def test_all_that_can_be_said() -> None:
    one = made(
        event_id="mine",
        dtstart=datetime(2026, 12, 1, 13, 0, 0, 500_000, tzinfo=timezone(HOUR)),
        target={"group_id": ["all"], "resource_id": ["boiler"]},
        market_context="http://market.example",
        response_required="never",
        notification_period=HOUR,
        ramp_up_period=MINUTE,
        recovery_period=MINUTE * 2,
        startafter=MINUTE * 3,
        priority=1,
        test_event=True,
        vtn_comment="please",
        signal_name="LOAD_DISPATCH",
        signal_type="setpoint",
        measurement={
            "name": "power_real",
            "unit": "W",
            "scale": "k",
            "description": "RealPower",
            "power_attributes": {
                "hertz": 50.0,
                "voltage": 230.0,
                "ac": True,
            },
        },
        signal_target_mrid="Water_Heater",
    )
    period, descriptor, (signal,) = one.active_period, one.event_descriptor, one.event_signals
    assert descriptor.event_id == "mine"
    assert period.dtstart == datetime(2026, 12, 1, 12, 0, tzinfo=UTC), "without the fraction (rule 1)"
    assert one.target == Target(group_id=("all",), resource_id=("boiler",))
    assert descriptor.market_context == "http://market.example"
    assert one.response_required is ResponseRequired.NEVER
    assert (period.notification, period.ramp_up, period.recovery) == (HOUR, MINUTE, MINUTE * 2)
    assert period.tolerance is not None
    assert period.tolerance.tolerate.startafter == MINUTE * 3
    assert (descriptor.priority, descriptor.test_event, descriptor.vtn_comment) == (1, "true", "please")
    assert signal.measurement == measurement("power_real", scale="k")
    assert signal.target == Target(end_device_asset=("Water_Heater",))
    keeps_the_rules(one)


@pytest.mark.rule(3)
@pytest.mark.parametrize("priority", [None, 0])
def test_no_priority_is_left_out(priority: int | None) -> None:
    assert made(priority=priority).event_descriptor.priority is None


@pytest.mark.rule(47)
def test_an_event_without_an_end_is_one_interval_without_a_length() -> None:
    one = made(intervals=[{"duration": NONE, "signal_payload": 1}])
    assert one.active_period.duration == NONE
    keeps_the_rules(one)


@pytest.mark.parametrize(
    "target", [{"ven_id": "ven"}, [{"ven_id": "ven"}], Target(ven_id=("ven",)), {"ven_id": ["ven"]}]
)
def test_a_target_in_each_of_its_forms(target: object) -> None:
    assert made(target=target).target == Target(ven_id=("ven",))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"intervals": []}, "an event needs at least one interval"),
        ({"intervals": [{"signal_payload": 1}]}, "intervals[0].duration is missing"),
        ({"intervals": [{"duration": QUARTER, "signal_payload": 1}, {"signal_payload": 1}]}, "intervals[1].duration"),
        (
            {"intervals": [{"duration": CalendarDuration(months=1), "signal_payload": 1}]},
            "calendar months has no length",
        ),
        ({"dtstart": datetime(2026, 11, 20)}, "dtstart: 2026-11-20 00:00:00 has no time zone; use datetime.now("),
        ({"signal_type": "levle"}, "signal_type is 'levle'; it must be one of delta, level, multiplier"),
        ({"response_required": "sometimes"}, "response_required is 'sometimes'; it must be one of always, never"),
        ({"target": {"vne_id": "ven"}}, "vne_id"),
        ({"measurement": "parsecs per fortnight"}, "parsecs"),
        ({"intervals": [{"duration": "an hour", "signal_payload": 1}]}, "duration"),
        ({"intervals": [3]}, "3"),
    ],
)
def test_what_cannot_be_meant_so(given: dict[str, Any], text: str) -> None:
    with pytest.raises(LocalProtocolError) as error:
        made(**given)
    assert text in str(error.value)


@given(
    st.lists(st.integers(1, 10_000).map(lambda seconds: timedelta(seconds=seconds)), min_size=1, max_size=6),
    st.sampled_from([0.0, 1.0, 2.0, 3.0]),
    st.none() | st.integers(0, 10),
    st.none() | st.integers(0, 3600).map(lambda seconds: timedelta(seconds=seconds)),
)
def test_every_event_that_is_made_keeps_the_rules(
    lengths: list[timedelta], value: float, priority: int | None, startafter: timedelta | None
) -> None:
    intervals = [{"duration": length, "signal_payload": value} for length in lengths]
    keeps_the_rules(made(intervals=intervals, priority=priority, startafter=startafter))


# --- complete_event --------------------------------------------------------------------------------------------------


def completed(**given: Any) -> EiEvent:
    told: dict[str, Any] = {
        "event_descriptor": {"market_context": "http://market.example"},
        "event_signals": [
            {
                "signal_name": "SIMPLE",
                "signal_type": "level",
                "intervals": [{"duration": QUARTER, "signal_payload": 1}, {"duration": QUARTER, "signal_payload": 2}],
            }
        ],
    }
    return complete_event({**told, **given}, CHANCE, NOON)


def test_what_is_left_out_of_an_event_is_filled_in() -> None:
    one = completed()
    assert len(one.event_descriptor.event_id) == 32
    assert (one.event_descriptor.modification_number, one.event_descriptor.created_date_time) == (0, NOON)
    assert (one.active_period.dtstart, one.active_period.duration) == (NOON, QUARTER * 2)
    assert one.active_period.notification == NONE
    assert [signal.signal_id for signal in one.event_signals] == ["0"]
    assert one.response_required is ResponseRequired.ALWAYS
    keeps_the_rules(one)


def test_what_is_said_of_an_event_is_kept() -> None:
    one = completed(
        event_descriptor={"event_id": "mine", "priority": 2, "vtn_comment": None, "market_context": "http://a.example"},
        active_period={"dtstart": NOON + HOUR, "duration": QUARTER * 2, "notification": MINUTE, "ramp_up": MINUTE},
        response_required="never",
    )
    assert (one.event_descriptor.event_id, one.event_descriptor.priority) == ("mine", 2)
    assert (one.active_period.dtstart, one.active_period.notification) == (NOON + HOUR, MINUTE)
    assert one.response_required is ResponseRequired.NEVER


def test_a_whole_event_is_taken_as_it_is() -> None:
    assert complete_event(event(), CHANCE, NOON) == event()
    assert complete_event(part_to_dict(event()), CHANCE, NOON) == event(), "also as the dict that a handler is told"


@pytest.mark.rule(3)
@pytest.mark.parametrize("priority", [0, None])
def test_priority_zero_is_none(priority: int | None) -> None:
    assert completed(event_descriptor={"priority": priority}).event_descriptor.priority is None


@pytest.mark.parametrize(
    "given",
    [
        {"event_signals": []},
        {"event_signals": None},
        {"event_signals": [1]},
        {"event_signals": [{"signal_name": "SIMPLE", "signal_type": "level", "intervals": []}]},
        {"event_signals": 1},
        {"event_signals": [{"signal_name": "SIMPLE", "signal_type": "level", "intervals": 1}]},
        {"event_signals": [{"signal_name": "SIMPLE", "signal_type": "level"}]},
        {"event_descriptor": "text"},
        {"event_descriptor": {"modification_number": "one"}},
        {"active_period": "tomorrow"},
        {"active_period": {"dtstart": "tomorrow"}},
        {"no_such_key": 1},
    ],
)
def test_what_is_no_event(given: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        completed(**given)


@pytest.mark.parametrize("value", [None, 1, "event", [], object()])
def test_what_is_no_event_at_all(value: object) -> None:
    with pytest.raises(LocalProtocolError):
        complete_event(value, CHANCE, NOON)


# --- data_point and make_offer ---------------------------------------------------------------------------------------


def described(**given: Any) -> ReportDescription:
    return data_point(len, r_id="load", **given).description


def test_a_data_point_of_which_little_is_said() -> None:
    one = described(resource_id="boiler")
    assert one.r_id == "load"
    assert one.report_data_source == Target(resource_id=("boiler",))
    assert (one.report_type, one.reading_type) == ("usage", "Direct Read")
    assert one.measurement == measurement("power_real")
    assert one.sampling_rate == SamplingRate(min_period=timedelta(seconds=10), max_period=HOUR)
    assert one.report_subject is None
    assert data_point(len, r_id="load").callback is len


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"measurement": "energy_real", "scale": "k"}, measurement("energy_real", scale="k")),
        ({"measurement": "voltage"}, measurement("voltage")),
        ({"measurement": "temperature", "unit": "celsius"}, measurement("temperature", unit="celsius")),
        ({"measurement": measurement("voltage")}, measurement("voltage")),
        ({"measurement": part_to_dict(measurement("voltage"))}, measurement("voltage")),
        ({"measurement": "parsecs", "unit": "pc"}, measurement("parsecs", unit="pc")),
        ({"measurement": None}, None),
        (
            {"power_hertz": 60.0, "power_voltage": 110.0, "power_ac": False},
            measurement("power_real", power_attributes=PowerAttributes(hertz=60.0, voltage=110.0, ac=False)),
        ),
    ],
)
def test_what_a_data_point_measures(given: dict[str, Any], expected: object) -> None:
    assert described(**given).measurement == expected


@pytest.mark.parametrize(
    ("given", "least", "most", "on_change"),
    [
        (MINUTE, MINUTE, MINUTE, False),
        ({"min_period": MINUTE, "max_period": HOUR}, MINUTE, HOUR, False),
        ({"min_period": MINUTE, "max_period": HOUR, "on_change": True}, MINUTE, HOUR, True),
        (SamplingRate(min_period=MINUTE, max_period=HOUR), MINUTE, HOUR, False),
    ],
)
def test_how_often_it_can_be_read(given: object, least: timedelta, most: timedelta, on_change: bool) -> None:
    rate = described(sampling_rate=given).sampling_rate
    assert rate == SamplingRate(min_period=least, max_period=most, on_change=on_change)


@pytest.mark.rule(331)
@pytest.mark.parametrize("name", ["TELEMETRY_STATUS", "METADATA_TELEMETRY_STATUS"])
def test_the_status_of_a_resource_has_the_values_of_its_profile(name: str) -> None:
    one = described(report_name=name)
    assert (one.report_type, one.reading_type, one.measurement) == ("x-resourceStatus", "x-notApplicable", None)


def test_what_else_can_be_said_of_a_data_point() -> None:
    one = described(
        report_type="demand",
        reading_type="Mean",
        market_context="http://market.example",
        end_device_asset_mrid="Water_Heater",
        report_data_source={"group_id": ["all"]},
    )
    assert (one.report_type, one.reading_type, one.market_context) == ("demand", "Mean", "http://market.example")
    assert one.report_subject == Target(end_device_asset=("Water_Heater",))
    assert one.report_data_source == Target(group_id=("all",))


@pytest.mark.parametrize(
    "given",
    [
        {"measurement": 1},
        {"measurement": {"name": 1}},
        {"measurement": "voltage", "unit": "A"},
        {"scale": "much"},
        {"sampling_rate": 10},
        {"sampling_rate": {"min_period": MINUTE}},
        {"report_data_source": {"no_such_kind": "a"}},
        {"report_data_source": 1},
    ],
)
def test_what_is_no_data_point(given: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        described(**given)


@pytest.mark.rule(305, 311, 312, 331, 333)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TELEMETRY_USAGE", "METADATA_TELEMETRY_USAGE"),
        ("METADATA_TELEMETRY_USAGE", "METADATA_TELEMETRY_USAGE"),
        ("x-mine", "x-mine"),
    ],
)
def test_an_offer_is_what_metadata_must_be(name: str, expected: str) -> None:
    one = make_offer("usage", [data_point(len, r_id="load", resource_id="boiler")], NOON, report_name=name)
    assert (one.report_name, one.report_request_id, one.report_specifier_id) == (expected, "0", "usage")
    assert (one.intervals, one.dtstart, one.created_date_time) == ((), None, NOON)
    found = check(RegisterReport(request_id="1", reports=(one,), ven_id="ven"))
    assert [finding for finding in found if finding.severity is Severity.ERROR] == []


@pytest.mark.rule(312)
@pytest.mark.parametrize(
    ("longest", "said", "expected"), [(MINUTE, None, HOUR), (HOUR * 3, None, HOUR * 3), (MINUTE, HOUR * 24, HOUR * 24)]
)
def test_an_offer_keeps_as_much_as_its_slowest_point_needs(
    longest: timedelta, said: timedelta | None, expected: timedelta
) -> None:
    points = [data_point(len, r_id="load", sampling_rate={"min_period": MINUTE, "max_period": longest})]
    one: Report = make_offer("usage", points, NOON, report_duration=said)
    assert one.duration == expected


@pytest.mark.parametrize(
    "rate", [timedelta(seconds=-1), {"min_period": timedelta(0), "max_period": -timedelta(days=1)}]
)
def test_a_sampling_rate_is_not_negative(rate: object) -> None:
    with pytest.raises(LocalProtocolError, match="a period is not negative"):
        data_point(len, r_id="load", sampling_rate=rate)
