"""Flags say what is different about an event, and nothing else."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest

from oadr_app.checked import ConfigError
from oadr_app.event_file import AudienceForm, EventForm, event_of, form_of, read_form
from oadr_app.event_flags import NEW_EVENT, EventFlags, with_flags
from oadr_app.periods import Length
from oadr_core import EiEvent, SignalType, SiScaleCode

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

TWO_SIGNALS: Final = read_form(
    {
        "active_period": {"dtstart": "2026-11-20T18:00:00Z", "ramp_up": "5m", "startafter": "2m"},
        "event_signals": [
            {
                "signal_name": "SIMPLE",
                "signal_type": "level",
                "intervals": [{"duration": "30m", "signal_payload": 1}, {"duration": "30m", "signal_payload": 2}],
            },
            {
                "signal_name": "ELECTRICITY_PRICE",
                "signal_type": "price",
                "signal_id": "price",
                "measurement": {"name": "currencyPerKWh", "unit": "EUR"},
                "intervals": [{"duration": "1h", "signal_payload": 0.3}],
            },
        ],
    },
    NOW,
)


def flagged(form: EventForm = NEW_EVENT, **flags: Any) -> EventForm:
    """A form with flags over it."""
    return with_flags(form, EventFlags(**flags), NOW)


def made(form: EventForm) -> EiEvent:
    """The event of a form."""
    return event_of(form, random.Random(0), NOW)


def test_no_flag_changes_nothing() -> None:
    for form in (NEW_EVENT, TWO_SIGNALS, form_of(made(TWO_SIGNALS))):
        assert flagged(form) == form


def test_a_value_or_a_duration_alone_leaves_the_other() -> None:
    (signal,) = flagged(value=3.0).event_signals
    assert [(str(one.duration), one.signal_payload) for one in signal.intervals] == [("1h", 3.0)]
    form = flagged(duration="2h")
    assert (str(form.active_period.duration), str(form.event_signals[0].intervals[0].duration)) == ("2h", "2h")


def test_intervals_say_how_long_the_event_takes() -> None:
    event = made(flagged(flagged(duration="5h"), intervals="30m=1,1h=2"))
    assert event.active_period.duration == timedelta(minutes=90)


def test_a_longer_event_has_a_longer_last_interval_in_each_signal() -> None:
    event = made(flagged(TWO_SIGNALS, duration="2h"))
    assert event.active_period.duration == timedelta(hours=2)
    lengths = [[one.duration for one in signal.intervals] for signal in event.event_signals]
    assert lengths == [[timedelta(minutes=30), timedelta(minutes=90)], [timedelta(hours=2)]]


def test_an_event_may_lose_its_end_and_get_one() -> None:
    event = made(flagged(open_ended=True))
    assert event.active_period.duration == event.event_signals[0].intervals[0].duration == timedelta(0)
    assert made(flagged(form_of(event), duration="3h")).active_period.duration == timedelta(hours=3)


def test_none_takes_away() -> None:
    period = flagged(TWO_SIGNALS, ramp_up="none", startafter="none").active_period
    assert (period.ramp_up, period.startafter) == (None, None)
    form = flagged(flagged(target=["group_id=a"], device_class=["Thermostat"]), target=["none"], device_class=["none"])
    assert (form.targets, form.event_signals[0].device_classes) == (NEW_EVENT.targets, ())
    form = flagged(flagged(test=True, comment="hot"), test=False, comment="")
    assert form == NEW_EVENT


def test_the_only_signal_may_become_another() -> None:
    flags = {"signal": "LOAD_DISPATCH", "signal_type": SignalType.SETPOINT, "value": 25.0}
    form = flagged(measurement="power_real", scale=SiScaleCode.KILO, **flags)
    (signal,) = made(form).event_signals
    assert (signal.signal_name, signal.signal_type, getattr(signal.measurement, "scale", None)) == (
        "LOAD_DISPATCH",
        "setpoint",
        "k",
    )


@pytest.mark.parametrize("name", ["ELECTRICITY_PRICE", "price"])
def test_of_several_signals_one_is_named(name: str) -> None:
    form = flagged(TWO_SIGNALS, signal=name, value=0.5, unit="USD")
    assert form.event_signals[0] == TWO_SIGNALS.event_signals[0]
    changed = made(form).event_signals[1]
    assert (changed.intervals[0].signal_value, getattr(changed.measurement, "unit", None)) == (0.5, "USD")


def test_whoever_is_named_replaces_who_was() -> None:
    form = flagged(flagged(ven=["a"], group=["north"]), program=["http://p"], resource=["r"], party=["p"])
    assert form.audience == AudienceForm(market_contexts=("http://p",), resource_ids=("r",), party_ids=("p",))
    assert flagged(form, everyone=True).audience == AudienceForm(everyone=True)


def test_a_month_is_a_length_too() -> None:
    event = made(flagged(duration="P1M"))
    assert str(Length(event.active_period.duration)) == "P1M"


@pytest.mark.parametrize(
    ("form", "flags", "complaint"),
    [
        (NEW_EVENT, {"start": "soon"}, "--start: 'soon' is no time"),
        (NEW_EVENT, {"duration": "long"}, "--duration: 'long' is no length of time"),
        (NEW_EVENT, {"recovery": "x"}, "--recovery: 'x' is no length of time"),
        (NEW_EVENT, {"open_ended": True, "duration": "1h"}, "--open-ended: an event without end has no --duration"),
        (NEW_EVENT, {"intervals": "1h=1", "value": 1.0}, "--intervals: it says lengths and values"),
        (NEW_EVENT, {"value": float("inf")}, "--value: it must be a number"),
        (NEW_EVENT, {"unit": "EUR"}, "--unit: a unit of what? name it with --measurement"),
        (NEW_EVENT, {"scale": SiScaleCode.KILO}, "--scale: a unit of what? name it with --measurement"),
        (NEW_EVENT, {"target": ["boiler"]}, "--target: 'boiler' is no target"),
        (TWO_SIGNALS, {"value": 2.0}, "--signal: which signal is meant? name one, or its id in brackets: SIMPLE (0), "),
        (TWO_SIGNALS, {"value": 2.0, "signal": "x"}, "--signal: no one signal is called 'x'? name one"),
        (TWO_SIGNALS, {"value": 2.0, "signal": "SIMPLE"}, "--value: SIMPLE has 2 intervals; say all of them with "),
        (TWO_SIGNALS, {"duration": "30m"}, "--duration: SIMPLE has 2 intervals, and the last would begin after that"),
        (TWO_SIGNALS, {"duration": "P1M"}, "--duration: SIMPLE has 2 intervals; say their lengths with --intervals"),
        (
            TWO_SIGNALS,
            {"open_ended": True},
            "--open-ended: SIMPLE has 2 intervals, and the last would begin after that",
        ),
    ],
)
def test_a_flag_that_cannot_be_meant_so_is_named(form: EventForm, flags: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        flagged(form, **flags)
    assert str(raised.value).startswith(complaint)


def test_what_flags_do_not_say_stays_as_the_file_has_it() -> None:
    changed = flagged(TWO_SIGNALS, priority=1)
    descriptor = msgspec.structs.replace(changed.event_descriptor, priority=None)
    assert msgspec.structs.replace(changed, event_descriptor=descriptor) == TWO_SIGNALS
