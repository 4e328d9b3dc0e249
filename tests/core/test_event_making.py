"""What an operator may make of an event, and change of it: what is bad is refused at once (rules 1 to 116)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    Audience,
    CalendarDuration,
    DeviceClass,
    DistributeEvent,
    EiEvent,
    EventBaseline,
    EventSignal,
    EventStatus,
    FeatureCollection,
    Interval,
    LocalProtocolError,
    Output,
    Save,
    Target,
    TransportInterface,
    check,
    decode,
    encode,
    event_status,
    latest_end,
    measurement,
    signal_interval,
    value_at,
)
from oadr_core.vtn.event_making import made, refuse_rewriting
from tests.core.desk import Desk
from tests.core.kit import HOUR, MINUTE, NONE, NOON, event

MONTH = CalendarDuration(months=1)


def but(one: EiEvent, **changes: Any) -> EiEvent:
    """An event with something changed in its descriptor, its period, its first signal or itself."""
    descriptor = {key[11:]: value for key, value in changes.items() if key.startswith("descriptor_")}
    period = {key[7:]: value for key, value in changes.items() if key.startswith("period_")}
    signal = {key[7:]: value for key, value in changes.items() if key.startswith("signal_")}
    rest = {key[6:]: value for key, value in changes.items() if key.startswith("event_")}
    parts = {
        "event_descriptor": msgspec.structs.replace(one.event_descriptor, **descriptor),
        "active_period": msgspec.structs.replace(one.active_period, **period),
        "event_signals": (msgspec.structs.replace(one.event_signals[0], **signal), *one.event_signals[1:]),
    }
    return msgspec.structs.replace(one, **{**parts, **rest})


def intervals(*parts: tuple[Any, float]) -> tuple[Interval, ...]:
    return tuple(signal_interval(number, length, value) for number, (length, value) in enumerate(parts))


def signal(name: str, kind: str, unit: str | None = None, value: float = 1.0, signal_id: str = "s") -> EventSignal:
    """A signal of an hour."""
    return EventSignal(
        intervals=intervals((HOUR, value)),
        signal_name=name,
        signal_type=kind,
        signal_id=signal_id,
        measurement=None if unit is None else measurement(unit, unit="USD" if "currency" in unit else None),
    )


def refusal(one: EiEvent) -> str:
    with pytest.raises(LocalProtocolError) as caught:
        made(one, NOON)
    return str(caught.value)


# --- what is refused -------------------------------------------------------------------------------------------------

BASELINE = EventBaseline(
    dtstart=NOON - HOUR * 24, duration=HOUR, intervals=intervals((HOUR, 5.0)), baseline_id="b", baseline_name="usual"
)
BACKWARDS = msgspec.structs.replace(BASELINE, duration=-HOUR, intervals=intervals((-HOUR, 5.0)))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"descriptor_event_id": " "}, "event_descriptor.event_id: is empty"),
        ({"descriptor_market_context": ""}, "event_descriptor.market_context: is empty; it is the URI"),
        ({"period_duration": -HOUR, "signal_intervals": intervals((-HOUR, 1))}, "active_period.duration: is -1:00:00"),
        ({"period_notification": -MINUTE}, "active_period.notification: is -0:01:00; it is zero or more"),
        ({"period_notification": None}, "active_period.notification: no x-eiNotification"),
        ({"period_ramp_up": -HOUR * 2}, "active_period.ramp_up: is -2:00:00; where it is part of the event"),
        ({"period_recovery": CalendarDuration(months=-1)}, "active_period.recovery: is -1 months"),
        (
            {"signal_intervals": intervals((HOUR * 2, 1), (-HOUR, 1))},
            "event_signals[0].intervals[1].duration: is -1:00:00; it is more than zero",
        ),
        (
            {"signal_intervals": intervals((HOUR, 1), (NONE, 1))},
            "event_signals[0].intervals[1].duration: is zero; one of no length never ends",
        ),
        (
            {"signal_intervals": intervals((MINUTE, 1))},
            "the intervals take 0:01:00; the active period takes 1:00:00 (R8)",
        ),
        ({"period_duration": NONE}, "no end, and so a single interval of no length"),
        ({"signal_intervals": intervals((HOUR, 4))}, "the value 4; SIMPLE has the values 0, 1, 2 and 3 (R9)"),
        ({"signal_signal_type": "delta"}, "SIMPLE has the type level (R116)"),
        ({"signal_signal_name": "SIMPEL"}, "signal_name: is 'SIMPEL'; it must be one of SIMPLE"),
        ({"signal_target": Target(resource_id=("boiler",))}, "only device classes"),
        ({"signal_target": Target(end_device_asset=("Toaster",))}, "one of the profile's list, or begins with x-"),
        (
            {"event_event_signals": (signal("SIMPLE", "level"), signal("x-mine", "delta"))},
            "the signalID 's'; it is unique in the event (R107)",
        ),
        (
            {"event_event_baseline": msgspec.structs.replace(BASELINE, duration=HOUR * 2)},
            "event_baseline.intervals: the intervals take 1:00:00; the baseline takes 2:00:00 (R102)",
        ),
        (
            {
                "event_event_baseline": msgspec.structs.replace(
                    BASELINE, duration=-HOUR, intervals=intervals((-HOUR, 1))
                )
            },
            "event_baseline.duration: is -1:00:00",
        ),
        ({"descriptor_priority": -1}, "event_descriptor.priority: is -1, not between 0"),
        ({"period_dtstart": datetime(2030, 1, 1)}, "active_period.dtstart: has no time zone"),
        ({"period_dtstart": "2030-01-01T00:00:00Z"}, "active_period.dtstart: must be a datetime, not str"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_bad_event_is_refused_with_where_and_what_would_be_right(changes: dict[str, Any], text: str) -> None:
    assert text in refusal(but(event(), **changes))


@pytest.mark.rule(66, 30)
@pytest.mark.rule(1)
def test_an_event_that_is_given_in_local_time_ends_where_a_ven_that_reads_it_ends_it() -> None:
    begin = datetime(2027, 3, 28, 0, 30, tzinfo=ZoneInfo("Europe/Berlin"))  # an hour later the clocks go on by one
    given = but(event(length=HOUR * 4), period_dtstart=begin)
    desk = Desk("ven")
    desk.vtn.add_event(given, ["ven"], desk.now)
    handed = decode(encode(desk.given("ven")))
    kept = desk.vtn.events["event"].event
    assert latest_end(kept.active_period) == latest_end(handed.events[0].active_period)
    assert latest_end(kept.active_period) == datetime(2027, 3, 28, 3, 30, tzinfo=UTC)


def test_a_window_is_not_negative() -> None:
    assert "startafter: is -0:01:00; it is zero or more" in refusal(event(startafter=-MINUTE))


def test_an_event_that_makes_lists_too_large_for_a_ven_is_refused() -> None:
    """It would be offered again and again, and nothing behind it would come through."""
    desk = Desk("ven")
    desk.vtn.add_event(with_intervals("event", 4_320), ["ven"], desk.now)
    assert decode(encode(desk.given("ven")))
    for large in (
        with_intervals("many", 5_000),
        but(event("long"), descriptor_vtn_comment="x" * 1_100_000),
    ):
        with pytest.raises(LocalProtocolError, match="a list is a document that VENs take whole"):
            desk.vtn.add_event(large, ["ven"], desk.now)
    assert desk.list_of("ven") == {"event"}


def with_intervals(event_id: str, number: int) -> EiEvent:
    """An event with some number of intervals, a minute each."""
    return but(
        event(event_id),
        signal_intervals=intervals(*[(MINUTE, 1.0)] * number),
        period_duration=number * MINUTE,
    )


@pytest.mark.rule(33)
def test_a_new_event_is_not_over_already() -> None:
    desk = Desk("ven")
    with pytest.raises(LocalProtocolError, match="the event would be over since"):
        desk.vtn.add_event(event(begin=-HOUR, length=HOUR), ["ven"], desk.now)
    desk.vtn.add_event(event("running", begin=-HOUR, length=HOUR + timedelta(seconds=1)), ["ven"], desk.now)
    desk.vtn.add_event(event("endless", begin=-HOUR, length=NONE), ["ven"], desk.now)
    assert desk.list_of("ven") == {"running", "endless"}


@pytest.mark.rule(4, 10, 70)
@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (event("other", number=1), "modification number 0"),
        (event("other", status=EventStatus.CANCELLED), "a new event is not cancelled"),
        (event(), "there is an event 'event' already"),
    ],
)
def test_a_new_event_is_new(wrong: EiEvent, text: str) -> None:
    desk = Desk("ven")
    desk.vtn.add_event(event(), ["ven"], desk.now)
    desk.outputs()
    with pytest.raises(LocalProtocolError, match=text):
        desk.vtn.add_event(wrong, ["ven"], desk.now)
    assert desk.outputs() == []


# --- what is taken ---------------------------------------------------------------------------------------------------

ANY = 123.4
SIGNALS = [
    *[("SIMPLE", "level", None, float(value)) for value in range(4)],
    ("simple", "level", None, 1.0),
    *[(name, "price", "currencyPerKWh", ANY) for name in ("ELECTRICITY_PRICE", "ENERGY_PRICE")],
    *[(name, "priceRelative", "currencyPerKWh", -ANY) for name in ("ELECTRICITY_PRICE", "ENERGY_PRICE")],
    *[(name, "priceMultiplier", None, ANY) for name in ("ELECTRICITY_PRICE", "ENERGY_PRICE", "DEMAND_CHARGE")],
    *[("DEMAND_CHARGE", kind, "currencyPerKW", ANY) for kind in ("price", "priceRelative")],
    ("BID_PRICE", "price", "currency", ANY),
    *[("BID_LOAD", "setpoint", unit, ANY) for unit in ("powerReal", "powerApparent", "powerReactive")],
    *[("BID_ENERGY", "setpoint", unit, ANY) for unit in ("energyReal", "energyApparent", "energyReactive")],
    *[("CHARGE_STATE", kind, "energyReal", -ANY) for kind in ("setpoint", "delta")],
    *[("CHARGE_STATE", "multiplier", None, value) for value in (0.0, 1.0)],
    *[("LOAD_DISPATCH", kind, "powerReal", -ANY) for kind in ("setpoint", "delta")],
    ("LOAD_DISPATCH", "multiplier", None, ANY),
    *[("LOAD_DISPATCH", "level", "powerReal", value) for value in (-10.0, 10.0)],
    *[("LOAD_CONTROL", "x-loadControlCapacity", None, value) for value in (0.0, 1.0)],
    ("LOAD_CONTROL", "x-loadControlLevelOffset", None, -3.0),
    *[("LOAD_CONTROL", f"x-loadControl{kind}", None, -ANY) for kind in ("Setpoint", "PercentOffset")],
    *[("x-comfort", kind, unit, ANY) for kind in ("setpoint", "price") for unit in (None, "powerReal", "temperature")],
]
"""Every line of table 1 at the edges of its values, and signals of one's own."""


@pytest.mark.rule(9, 104, 116)
@pytest.mark.parametrize(("name", "kind", "unit", "value"), SIGNALS)
def test_every_signal_of_the_table_may_be_sent(name: str, kind: str, unit: str | None, value: float) -> None:
    one = made(but(event(), event_event_signals=(signal(name, kind, unit, value),)), NOON)
    assert check(one) == []


@pytest.mark.rule(9, 104)
@pytest.mark.parametrize(
    ("name", "kind", "unit", "value", "text"),
    [
        ("SIMPLE", "level", "powerReal", 1.0, "the unit powerReal for SIMPLE of type level; it has none"),
        ("ELECTRICITY_PRICE", "price", None, 1.0, "no unit for ELECTRICITY_PRICE of type price; it has currencyPerKWh"),
        ("ELECTRICITY_PRICE", "price", "currencyPerKW", 1.0, "it has currencyPerKWh"),
        ("DEMAND_CHARGE", "price", "currencyPerKWh", 1.0, "it has currencyPerKW"),
        ("BID_PRICE", "setpoint", "currency", 1.0, "BID_PRICE has the types price"),
        ("BID_LOAD", "setpoint", "energyReal", 1.0, "it has powerReal or powerApparent or powerReactive"),
        ("CHARGE_STATE", "multiplier", None, 1.1, "the value 1.1; there are numbers from 0 to 1"),
        ("LOAD_DISPATCH", "level", "powerReal", 0.5, "whole numbers from -10 to 10"),
        ("LOAD_DISPATCH", "level", "powerReal", 11.0, "whole numbers from -10 to 10"),
        ("LOAD_CONTROL", "x-loadControlCapacity", None, -0.1, "numbers from 0 to 1"),
        ("LOAD_CONTROL", "x-loadControlLevelOffset", None, 0.5, "whole numbers"),
        ("LOAD_CONTROL", "level", None, 1.0, "LOAD_CONTROL has the types x-loadControlCapacity"),
    ],
)
def test_what_the_table_does_not_have_is_refused(
    name: str, kind: str, unit: str | None, value: float, text: str
) -> None:
    assert text in refusal(but(event(), event_event_signals=(signal(name, kind, unit, value),)))


FULL = but(
    event(startafter=MINUTE * 5, ramp_up=MINUTE, priority=1),
    descriptor_modification_reason="why not",
    descriptor_test_event="true",
    descriptor_vtn_comment="a comment <&>",
    period_recovery=-MINUTE,
    period_notification=MINUTE * 3,
    signal_target=Target(end_device_asset=(*DeviceClass, "x-mine")),
    event_event_baseline=msgspec.structs.replace(
        BASELINE, resource_id=("boiler", "pump"), measurement=measurement("powerReal")
    ),
    event_target=Target(
        aggregated_pnode=("a",),
        end_device_asset=("Thermostat",),
        meter_asset=("m",),
        pnode=("p",),
        service_area=(FeatureCollection(positions="1 2 3 4"),),
        service_delivery_point=("s",),
        service_location=(FeatureCollection(positions="5 6 7 8"),),
        transport_interface=(TransportInterface(point_of_receipt="a", point_of_delivery="b"),),
        group_id=("g",),
        group_name=("G",),
        resource_id=("boiler",),
        ven_id=("ven",),
        party_id=("party",),
    ),
)


@pytest.mark.rule(22, 31, 63, 108, 111)
def test_an_event_with_everything_reaches_a_ven_as_it_was_made() -> None:
    desk = Desk("ven")
    desk.vtn.add_event(FULL, None, desk.now)
    document = encode(desk.given("ven"))
    handed = decode(document)
    assert isinstance(handed, DistributeEvent)
    (one,) = handed.events
    assert check(handed) == []
    assert one.target == FULL.target
    assert one.event_baseline == FULL.event_baseline
    assert one.active_period == FULL.active_period
    assert one.event_signals[0].target == FULL.event_signals[0].target
    assert one.event_descriptor == msgspec.structs.replace(FULL.event_descriptor, event_status=EventStatus.FAR)


def test_what_is_filled_in_later_and_what_means_nothing_does_not_matter() -> None:
    given_ = but(
        event(priority=0, status=EventStatus.COMPLETED),
        signal_current_value=7.0,
        period_dtstart=NOON + HOUR + timedelta(milliseconds=500),
    )
    one = made(given_, NOON)
    assert one.event_descriptor.priority is None, "0 is none, and only one of them is sent (decision D15)"
    assert one.event_descriptor.event_status is EventStatus.FAR
    assert one.event_signals[0].current_value is None
    assert one.active_period.dtstart == NOON + HOUR


@pytest.mark.rule(8, 102)
@pytest.mark.parametrize(
    ("whole", "parts", "fits"),
    [
        (MONTH, [MONTH], True),
        (CalendarDuration(months=12), [MONTH] * 12, True),
        (CalendarDuration(months=1, rest=HOUR), [HOUR, MONTH], True),
        (MONTH, [timedelta(days=30)], True),
        (timedelta(days=30), [MONTH], True),
        (MONTH, [timedelta(days=31)], False),
        (MONTH, [HOUR], False),
        (HOUR, [MONTH], False),
        (CalendarDuration(months=2), [MONTH, timedelta(days=31)], True),
        (CalendarDuration(months=2), [MONTH, timedelta(days=30)], False),
        (NONE, [MONTH], False),
    ],
    ids=str,
)
def test_intervals_of_months_add_up_by_the_calendar(whole: Any, parts: list[Any], fits: bool) -> None:
    begin = datetime(2026, 11, 20, 12, tzinfo=UTC)  # November has 30 days, December 31
    one = but(
        event(), period_dtstart=begin, period_duration=whole, signal_intervals=intervals(*((part, 1) for part in parts))
    )
    if fits:
        assert made(one, NOON).active_period.duration == whole
    else:
        assert "the intervals take" in refusal(one)
    baseline = msgspec.structs.replace(
        BASELINE, dtstart=begin, duration=whole, intervals=intervals(*((part, 1) for part in parts))
    )
    found = [one.rule for one in check(baseline)]
    assert found == ([] if fits else ["R102"])


@pytest.mark.rule(8)
def test_months_at_the_end_of_a_month_may_be_counted_either_way() -> None:
    begin = datetime(2027, 1, 31, tzinfo=UTC)
    for parts in ([MONTH, MONTH], [timedelta(days=59)]):
        one = but(
            event(),
            period_dtstart=begin,
            period_duration=CalendarDuration(months=2),
            signal_intervals=intervals(*((part, 1) for part in parts)),
        )
        assert made(one, NOON)


# --- changes ---------------------------------------------------------------------------------------------------------


def kept(outputs: list[Output]) -> list[str]:
    return [output.key for output in outputs if isinstance(output, Save)]


@pytest.mark.rule(5)
def test_a_modification_that_changes_nothing_has_no_number_and_is_told_to_nobody() -> None:
    desk = Desk("ven")
    desk.vtn.add_event(event(), ["ven"], desk.now)
    desk.answer("ven", desk.given("ven"))
    before = desk.vtn.events["event"]
    desk.clock.advance_to(desk.now.mono + 5.0)
    for same in (event(), event(number=7), event(status=EventStatus.NEAR), but(event(), signal_current_value=1.0)):
        assert desk.vtn.modify_event(same, desk.now) == 0
    assert kept(desk.outputs()) == []
    assert desk.vtn.events["event"] is before
    assert desk.polled("ven") is None


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    "changes",
    [
        {"descriptor_modification_reason": "a reason"},
        {"descriptor_priority": 2},
        {"descriptor_market_context": "http://another.example"},
        {"descriptor_test_event": "true"},
        {"descriptor_vtn_comment": "a comment"},
        {"period_dtstart": NOON + HOUR},
        {"period_notification": MINUTE},
        {"period_ramp_up": MINUTE},
        {"period_recovery": MINUTE},
        {"signal_signal_id": "another"},
        {"signal_intervals": intervals((HOUR, 2))},
        {"event_target": Target(resource_id=("boiler",))},
        {"event_event_baseline": BASELINE},
    ],
    ids=str,
)
def test_any_change_of_an_event_counts(changes: dict[str, Any]) -> None:
    desk = Desk("ven")
    desk.vtn.add_event(event(), ["ven"], desk.now)
    desk.answer("ven", desk.given("ven"))
    changed = but(event(), **changes)
    assert desk.vtn.modify_event(changed, desk.now) == 1
    (handed,) = desk.given("ven").events
    assert handed.event_descriptor.modification_number == 1
    assert handed.event_descriptor.modification_date_time == NOON
    assert desk.vtn.modify_event(changed, desk.now) == 1


@pytest.mark.rule(5, 61)
def test_another_audience_alone_is_no_modification() -> None:
    desk = Desk("ven", "other")
    desk.vtn.add_event(event(), ["ven"], desk.now)
    desk.answer("ven", desk.given("ven"))
    assert desk.vtn.modify_event(event(), desk.now, Audience(everyone=True)) == 0
    assert desk.polled("ven") is None, "for whom it was before, nothing has changed"
    assert desk.given("other").events[0].event_descriptor.modification_number == 0


def test_a_bad_change_leaves_the_event_as_it_is() -> None:
    desk = Desk("ven")
    desk.vtn.add_event(event(), ["ven"], desk.now)
    before = desk.vtn.events["event"]
    cancelled = event(status=EventStatus.CANCELLED)  # cancel_event does that, and changes nothing else
    for wrong in (event(value=7.0), event(length=-HOUR), event("other"), cancelled):
        with pytest.raises(LocalProtocolError):
            desk.vtn.modify_event(wrong, desk.now)
    assert desk.vtn.events["event"] is before


# --- the past --------------------------------------------------------------------------------------------------------

THREE = but(
    event(begin=NONE, length=HOUR * 3, startafter=MINUTE),
    signal_intervals=intervals((HOUR, 1), (HOUR, 2), (HOUR, 3)),
)
"""Begins at noon, and asks for something else each hour."""

NOW = NOON + HOUR * 1.5


@pytest.mark.rule(20)
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"period_dtstart": NOON + HOUR}, "it has begun at 2026-11-20 12:00:00+00:00 already"),
        ({"period_dtstart": NOON - HOUR}, "it has begun"),
        (
            {"period_duration": HOUR, "signal_intervals": intervals((HOUR, 1))},
            "it would be over since 2026-11-20 13:00:00+00:00; cancel it to end it at once",
        ),
        ({"period_ramp_up": MINUTE}, "active_period.ramp_up: the time for that is over"),
        ({"period_ramp_up": -HOUR}, "active_period.ramp_up: the time for that is over"),
        (
            {"signal_intervals": intervals((HOUR, 3), (HOUR, 2), (HOUR, 3))},
            "SIMPLE has asked for 1 from 2026-11-20 12:00:00+00:00 to 2026-11-20 13:00:00+00:00, in the past",
        ),
        ({"signal_intervals": intervals((HOUR * 3, 1))}, None),
        ({"signal_intervals": intervals((HOUR, 1), (MINUTE * 30, 2), (MINUTE * 90, 0))}, None),
        ({"signal_intervals": intervals((MINUTE * 30, 1), (MINUTE * 30, 0), (HOUR * 2, 2))}, "has asked for 1 from"),
        ({"signal_intervals": intervals((HOUR, 1), (MINUTE * 10, 0), (MINUTE * 110, 2))}, "has not asked for 0 from"),
        ({"signal_intervals": intervals((HOUR, 1), (HOUR, 3), (HOUR, 0))}, None),
        (
            {"period_duration": HOUR * 2, "signal_intervals": intervals((HOUR, 1), (HOUR, 2))},
            None,
        ),
        ({"period_ramp_up": -HOUR * 2}, None),
        ({"period_recovery": MINUTE}, None),
        ({"descriptor_priority": 1, "descriptor_test_event": "true", "descriptor_market_context": "urn:x"}, None),
        ({"signal_signal_id": "made up anew"}, None),
        ({"event_event_signals": (signal("x-mine", "delta"),)}, "SIMPLE has asked for 1"),
    ],
    ids=str,
)
def test_what_lies_in_the_past_of_a_running_event_stays(changes: dict[str, Any], text: str | None) -> None:
    changed = but(THREE, **changes)
    if text is None:
        refuse_rewriting(THREE, changed, NOW)
    else:
        with pytest.raises(LocalProtocolError, match=re.escape(text) + r".*\(rule 20\)"):
            refuse_rewriting(THREE, changed, NOW)


@pytest.mark.rule(20)
def test_of_an_event_that_has_not_begun_anything_may_be_changed_save_that_it_has_begun() -> None:
    desk = Desk("ven")
    desk.vtn.add_event(event(begin=MINUTE, ramp_up=MINUTE * 5), ["ven"], desk.now)
    assert desk.vtn.modify_event(event(begin=HOUR, length=HOUR * 2), desk.now) == 1
    assert desk.vtn.modify_event(event(begin=NONE), desk.now) == 2
    desk.vtn.add_event(event("second", begin=HOUR), ["ven"], desk.now)
    with pytest.raises(LocalProtocolError, match="it would have begun at"):
        desk.vtn.modify_event(event("second", begin=-timedelta(seconds=1)), desk.now)


@pytest.mark.rule(20, 66)
def test_an_event_that_is_over_is_not_changed_and_cancelled_only_while_its_window_runs() -> None:
    desk = Desk("ven")
    desk.vtn.add_event(event(begin=NONE, length=MINUTE, startafter=MINUTE), ["ven"], desk.now)
    desk.wait(MINUTE)
    with pytest.raises(LocalProtocolError, match="cannot be changed so: it is over since"):
        desk.vtn.modify_event(event(begin=NONE, length=MINUTE, value=2.0), desk.now)
    desk.vtn.add_event(event("second", begin=MINUTE, length=MINUTE), ["ven"], desk.now)
    assert desk.vtn.cancel_event("event", desk.now) == 1, "some VENs may still carry it out"
    desk.wait(MINUTE)
    with pytest.raises(LocalProtocolError, match="the event 'second' is over since"):
        desk.vtn.cancel_event("second", desk.now)
    assert desk.vtn.cancel_event("event", desk.now) == 1, "cancelled it is all the same"


courses = st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0.0, 1.0, 2.0])), min_size=1, max_size=5)


@pytest.mark.rule(20)
@given(courses, courses, st.integers(0, 15))
def test_no_change_that_is_taken_says_anything_else_of_intervals_that_are_over(
    before: list[tuple[int, float]], after: list[tuple[int, float]], minutes: int
) -> None:
    def course(parts: list[tuple[int, float]]) -> EiEvent:
        length = MINUTE * sum(part for part, _ in parts)
        stretches = intervals(*((MINUTE * part, value) for part, value in parts))
        return but(event(begin=NONE, length=length), signal_intervals=stretches)

    known, changed, now = course(before), course(after), NOON + MINUTE * minutes
    if event_status(known, now) is not EventStatus.ACTIVE or event_status(changed, now) is not EventStatus.ACTIVE:
        return
    ends = []
    for parts in (before, after):
        begins = 0
        for part, _ in parts:
            if begins + part > minutes:
                break
            begins += part
        ends.append(begins)

    def values(one: EiEvent, until: int) -> list[float | None]:
        return [value_at(one.event_signals[0], one.active_period, NOON + MINUTE * at) for at in range(until)]

    past = max(ends)
    same = values(known, past) == values(changed, past)
    try:
        refuse_rewriting(known, changed, now)
    except LocalProtocolError:
        assert not same
    else:
        assert same
