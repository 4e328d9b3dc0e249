"""The form of an event for people: what is read from a file is the event, and what the event is can be read again."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_app.checked import ConfigError
from oadr_app.event_file import (
    AreaForm,
    AudienceForm,
    BaselineForm,
    DescriptorForm,
    EventForm,
    IntervalForm,
    PeriodForm,
    SignalForm,
    TargetsForm,
    TransportForm,
    UnitForm,
    differences,
    event_of,
    form_of,
    read_file,
    read_form,
    written_form,
)
from oadr_app.periods import Length, Moment
from oadr_core import DeviceClass, EiEvent, ResponseRequired, SignalName

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

SIMPLE: Final = '[[event_signals]]\nsignal_name = "SIMPLE"\nsignal_type = "level"\n'
ONE: Final = SIMPLE + 'intervals = [{duration = "1h", signal_payload = 1}]\n'

# --- strategies ------------------------------------------------------------------------------------------------------

names = st.text("abcdefXYZ 0123456789-äß\"'\\<&>", min_size=1, max_size=8).map(str.strip).filter(bool)
lengths = st.integers(1, 10**6).map(lambda seconds: Length(timedelta(seconds=seconds)))
signed = st.integers(-(10**6), 10**6).map(lambda seconds: Length(timedelta(seconds=seconds)))
moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(
    lambda at: Moment(at.replace(microsecond=0, tzinfo=UTC))
)
values = st.integers(-(10**6), 10**6).map(lambda thousandths: thousandths / 1000)
areas = st.builds(
    AreaForm, positions=st.lists(st.integers(-90, 90), min_size=2).map(lambda ring: " ".join(map(str, ring)))
)


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """A few of a kind, each once."""
    return st.lists(strategy, max_size=3, unique_by=repr).map(tuple)


units = {
    "currencyPerKWh": st.builds(
        UnitForm, name=st.just("currencyPerKWh"), unit=st.sampled_from(["EUR", "USD"]), scale=st.just("none")
    ),
    "powerReal": st.builds(
        UnitForm, name=st.just("powerReal"), unit=st.just("W"), scale=st.sampled_from(["k", "none"])
    ),
    "energyReal": st.just(UnitForm(name="energyReal")),
    "customUnit": st.builds(UnitForm, name=st.just("customUnit"), unit=names, description=names),
    "pulseCount": st.just(UnitForm(name="pulseCount", pulse_factor=2.0)),
    "": st.none(),
}
_SIGNALS = [
    ("SIMPLE", "level", "", st.integers(0, 3).map(float)),
    ("ELECTRICITY_PRICE", "price", "currencyPerKWh", values),
    ("ENERGY_PRICE", "priceMultiplier", "", values),
    ("BID_LOAD", "setpoint", "powerReal", values),
    ("BID_ENERGY", "setpoint", "energyReal", values),
    ("LOAD_DISPATCH", "level", "powerReal", st.integers(-10, 10).map(float)),
    ("LOAD_CONTROL", "x-loadControlCapacity", "", st.floats(0, 1, width=16)),
    ("x-tariff", "price", "customUnit", values),
    ("x-counter", "delta", "pulseCount", values),
]


@st.composite
def intervals(
    draw: Callable[[Any], Any], whole: Length, payloads: st.SearchStrategy[float]
) -> tuple[IntervalForm, ...]:
    """Intervals that take as long as the whole."""
    seconds = int(whole.duration.total_seconds())  # type: ignore[union-attr]
    cuts = sorted(draw(st.sets(st.integers(1, max(seconds - 1, 1)), max_size=4))) if seconds > 1 else []
    edges = [0, *cuts, seconds]
    pairs = list(pairwise(edges))
    if seconds and any(begin == end for begin, end in pairs):
        pairs = [(0, seconds)]
    return tuple(
        IntervalForm(duration=Length(timedelta(seconds=end - begin)), signal_payload=draw(payloads))
        for begin, end in pairs
    )


@st.composite
def forms(draw: Callable[[Any], Any]) -> EventForm:
    """Any event that the rules admit, as a person may write it."""
    whole = draw(lengths | st.just(Length(timedelta(0))))
    signals = []
    for number, (name, kind, unit, payloads) in enumerate(
        draw(st.lists(st.sampled_from(_SIGNALS), min_size=1, max_size=3))
    ):
        signals.append(
            SignalForm(
                signal_name=name,
                signal_type=kind,
                signal_id=draw(st.none() | st.just(f"signal {number}")),
                measurement=draw(units[unit]),
                device_classes=draw(some(st.sampled_from([one.value for one in DeviceClass]) | st.just("x-oven"))),
                intervals=draw(intervals(whole, payloads)),
            )
        )
    baseline_length = draw(lengths)
    baseline = st.builds(
        BaselineForm,
        dtstart=moments,
        duration=st.just(baseline_length),
        baseline_id=names,
        baseline_name=names,
        resource_id=some(names),
        measurement=units["powerReal"],
        intervals=intervals(baseline_length, values),
    )
    maybe = lambda strategy: draw(st.none() | strategy)  # noqa: E731
    return EventForm(
        event_descriptor=DescriptorForm(
            event_id=maybe(names),
            modification_reason=maybe(names),
            market_context=maybe(st.just("http://market.example/a")),
            priority=maybe(st.integers(0, 9)),
            test_event=maybe(st.booleans() | names),
            vtn_comment=maybe(names),
        ),
        active_period=PeriodForm(
            dtstart=draw(moments),
            duration=whole,
            startafter=maybe(lengths),
            notification=maybe(lengths),
            ramp_up=maybe(signed),
            recovery=maybe(signed),
        ),
        event_signals=tuple(signals),
        event_baseline=maybe(baseline),
        targets=TargetsForm(
            **{name: draw(some(names)) for name in ("group_id", "resource_id", "party_id", "pnode", "meter_asset")},
            service_area=draw(some(areas)),
            transport_interface=draw(some(st.builds(TransportForm, point_of_receipt=names, point_of_delivery=names))),
        ),
        response_required=draw(st.sampled_from(ResponseRequired)),
        audience=draw(st.builds(AudienceForm, vens=some(names), group_ids=some(names), everyone=st.booleans())),
    )


def made(form: EventForm) -> EiEvent:
    """The event of a form."""
    return event_of(form, random.Random(0), NOW)


# --- round trips -----------------------------------------------------------------------------------------------------


@given(forms())
def test_what_is_written_is_read_as_the_same(form: EventForm) -> None:
    text = json.dumps(written_form(form))
    assert read_form(json.loads(text), NOW) == form


@given(forms())
def test_an_event_is_the_same_after_it_was_shown_and_read(form: EventForm) -> None:
    """As by ``oadr event show --json`` and ``oadr event modify --file``."""
    event = made(form)
    shown = form_of(event, form.audience)
    again = read_form(json.loads(json.dumps({**written_form(shown), "state": {"status": "active"}})), NOW)
    assert made(again) == event
    assert again == shown
    assert differences(shown, again) == []


@given(forms(), forms())
def test_forms_that_differ_say_where(one: EventForm, other: EventForm) -> None:
    same = written_form(one) == written_form(other)
    assert bool(differences(one, other)) is not same


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(ONE + "[active_period]\ndtstart = 2026-11-20T18:00:00Z\n")
    content = {
        "event_signals": [
            {"signal_name": "SIMPLE", "signal_type": "level", "intervals": [{"duration": "1h", "signal_payload": 1}]}
        ],
        "active_period": {"dtstart": "2026-11-20T18:00:00Z"},
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read_file(tmp_path / "a.toml", NOW) == read_file(tmp_path / "a.json", NOW)


def test_times_may_be_relative_and_lengths_may_be_written_in_several_ways(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(ONE + '[active_period]\ndtstart = "+15m"\nduration = 3600\nramp_up = "PT5M"\nrecovery = "-1m"\n')
    period = made(read_file(path, NOW)).active_period
    assert period.dtstart == NOW + timedelta(minutes=15)
    assert (period.duration, period.ramp_up) == (timedelta(hours=1), timedelta(minutes=5))
    assert period.recovery == timedelta(minutes=-1)


def test_the_only_interval_of_a_signal_takes_as_long_as_the_event(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('active_period.duration = "P1M"\n' + SIMPLE + "intervals = [{signal_payload = 1}]\n")
    event = made(read_file(path, NOW))
    assert event.event_signals[0].intervals[0].duration == event.active_period.duration
    assert str(form_of(event).active_period.duration) == "P1M"


def test_every_well_known_signal_can_be_read() -> None:
    for name in SignalName:
        content = json.loads(
            json.dumps(
                msgspec.to_builtins(
                    SignalForm(signal_name=name, signal_type="x", intervals=(IntervalForm(signal_payload=1),))
                )
            )
        )
        assert read_form({"event_signals": [content]}, NOW).event_signals[0].signal_name == name


# --- what is wrong is said with its place ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "`event_signals` is missing"),
        ("event_signals = []", "event_signals: it must not be empty"),
        (ONE + "x = 1", "event_signals[0]: there is no setting `x`; there are signal_name, signal_type, "),
        (ONE + "[active_period]\ndtsart = 1", "active_period: there is no setting `dtsart`; did you mean `dtstart`?"),
        (ONE + "[active_period]\ndtstart = 5", "active_period.dtstart: expected a time, such as 2026-11-20T18:00:00Z"),
        (ONE + '[active_period]\ndtstart = "soon"', "active_period.dtstart: 'soon' is no time; write now, +15m or "),
        (ONE + '[active_period]\nramp_up = "long"', "active_period.ramp_up: 'long' is no length of time; write 90s, "),
        (ONE + "[active_period]\nramp_up = true", "active_period.ramp_up: expected a length of time, such as "),
        (
            ONE + '[event_descriptor]\npriority = "1"',
            "event_descriptor.priority: expected a whole number, got a text in ",
        ),
        (ONE + "[event_descriptor]\npriority = -4", "event_descriptor.priority: expected a whole number >= 0, not -4"),
        ('response_required = "nevr"\n' + ONE, "response_required: 'nevr' is not possible; write always or never"),
        (
            SIMPLE + 'intervals = [{duration = "1h", signal_payload = "x"}]',
            "event_signals[0].intervals[0].signal_payload: expected a number, got a text in quotes: 'x'",
        ),
        (
            SIMPLE + "measurement = 5\nintervals = [{signal_payload = 1}]",
            "event_signals[0].measurement: expected a text in quotes or a table, got a whole number: 5",
        ),
        (ONE + "[targets]\nresource = ['a']", "targets: there is no setting `resource`; did you mean `resource_id`?"),
        (ONE + "[targets]\nresource_id = 'a'", "targets.resource_id: expected a list, got a text in quotes: 'a'"),
        (ONE + "[audience]\ngroups = ['a']", "audience: there is no setting `groups`; did you mean `group_ids`?"),
        ("x", "this is no TOML: "),
        ("{x", "this is no JSON: "),
        ("[" * 5000, "this is no TOML: "),
        ('{"a":' * 100_000, "this is no JSON: "),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "event.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_file(path, NOW)
    assert str(raised.value).startswith(f"{path}: {complaint}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            SIMPLE + 'intervals = [{duration = "1h", signal_payload = 7}]',
            "event_signals[0].intervals[0]: the value 7; SIMPLE has the values 0, 1, 2 and 3 (R9)",
        ),
        (
            ONE + 'device_classes = ["Toaster"]',
            "event_signals[0].device_classes: the device class 'Toaster'; it is one of the profile's list",
        ),
        (ONE.replace("SIMPLE", "SIMPEL"), "event_signals[0].signal_name is 'SIMPEL'; it must be one of SIMPLE"),
        (
            ONE + '[active_period]\nstartafter = "250ms"',
            "active_period.startafter: is 0:00:00.250000; OpenADR knows whole ",
        ),
        (ONE + '[active_period]\nduration = "2h"', "event_signals[0].intervals: the intervals take 1:00:00; "),
        (ONE + '[targets]\nven_id = ["a", "b"]', ""),
        (
            SIMPLE + "intervals = [{duration = 60, signal_payload = nan}]",
            "event_signals[0].intervals[0].signal_payload",
        ),
        (
            SIMPLE + "intervals = [{duration = 60, signal_payload = inf}]",
            "event_signals[0].intervals[0].signal_payload",
        ),
    ],
)
def test_an_event_that_breaks_a_rule_is_refused_in_the_words_of_the_file(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = tmp_path / "event.toml"
    path.write_text(text)
    form = read_file(path, NOW)
    if not complaint:  # each VEN is handed its own id (rule 63)
        assert made(form).target.ven_id == ("a", "b")
        return
    with pytest.raises(ConfigError) as raised:
        made(form)
    assert complaint in str(raised.value)


def test_differences_are_told_with_their_places() -> None:
    before = read_form(
        {
            "event_signals": [
                {
                    "signal_name": "SIMPLE",
                    "signal_type": "level",
                    "intervals": [{"duration": "1h", "signal_payload": 1}],
                }
            ]
        },
        NOW,
    )
    signal = before.event_signals[0]
    longer = IntervalForm(duration=Length(timedelta(minutes=30)), signal_payload=2.0)
    after = msgspec.structs.replace(
        before,
        event_descriptor=DescriptorForm(modification_number=7, vtn_comment="hot"),
        event_signals=(
            msgspec.structs.replace(
                signal, intervals=(msgspec.structs.replace(signal.intervals[0], signal_payload=2.0), longer)
            ),
        ),
    )
    assert differences(before, after) == [
        "event_descriptor.vtn_comment: hot, where there was nothing",
        "event_signals[0].intervals[0].signal_payload: 1 → 2",
        "event_signals[0].intervals[1]: {duration=30m, signal_payload=2}, where there was nothing",
    ]
    assert "event_signals[0].intervals[1]: nothing, where there was {duration=30m, signal_payload=2}" in differences(
        after, before
    )
