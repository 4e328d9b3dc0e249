"""The message classes: what they declare, what they refuse to declare, and the helpers that stand beside them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from oadr_core.messages import (
    PAYLOADS,
    ActivePeriod,
    CalendarDuration,
    DataQuality,
    DeviceClass,
    Duration,
    EiResponse,
    EventSignal,
    EventStatus,
    Interval,
    OptReason,
    OptType,
    PowerAttributes,
    ProfileName,
    ReadingType,
    ReportName,
    ReportType,
    ResourceStatus,
    ResponseRequired,
    Service,
    SignalName,
    SignalPayload,
    SignalType,
    SiScaleCode,
    Target,
    TransportName,
    add_duration,
    as_timedelta,
    is_zero,
    measurement,
    signal_interval,
    value_at,
)
from oadr_core.messages.common import DURATION_PROPERTY, RESPONSE_CODE
from oadr_core.messages.declare import (
    BOOLEAN,
    FLOAT,
    STRING,
    At,
    Occurs,
    Part,
    Step,
    enumeration_of,
    scalar_of,
    shape,
)
from oadr_core.messages.namespaces import NAMESPACES, clark
from oadr_core.messages.units import CURRENCY_CODES, ITEMS
from oadr_core.testing import strategies
from oadr_core.wire.verify import problems
from tests.rules.samples import EVENT

XS: Final = "{http://www.w3.org/2001/XMLSchema}"
NOON: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)

# --- declarations that contradict themselves -------------------------------------------------------------------------


class Inner(Part, frozen=True, kw_only=True):
    text: Annotated[str, At("ei:text")]


class Unlisted(StrEnum):
    ONE = "one"


CONTRADICTIONS: Final[Mapping[str, tuple[Mapping[str, Any], str]]] = {
    "no place": ({"a": str}, "a has no At"),
    "notes, but no place": ({"a": Annotated[str, "note"]}, "a has no At"),
    "repeated in the path alone": ({"a": Annotated[str, At("ei:a*")]}, "a: the path and the annotation disagree"),
    "repeated in the annotation alone": (
        {"a": Annotated[tuple[str, ...], At("ei:a")]},
        "a: the path and the annotation disagree",
    ),
    "repeated twice": (
        {"a": Annotated[tuple[str, ...], At("ei:b*/ei:a*")]},
        "a: more than one step may occur more than once",
    ),
    "None where something is required": (
        {"a": Annotated[str | None, At("ei:a")]},
        "a may be None, but its path is required",
    ),
    "no None where nothing may be": ({"a": Annotated[str, At("ei:a?")]}, "a may be absent, but not None"),
    "no None in a wrapper that may be absent": (
        {"a": Annotated[str, At("ei:b?/ei:a")]},
        "a may be absent, but not None",
    ),
    "type without a kind": ({"a": Annotated[bytes, At("ei:a")]}, "a: no kind is known for <class 'bytes'>"),
    "enumeration that is not declared": ({"a": Annotated[Unlisted, At("ei:a")]}, "a: no kind is known for"),
    "text annotated as a number": (
        {"a": Annotated[int, At("ei:a", STRING)]},
        "a: a xs:string is str, and the annotation says otherwise",
    ),
    "code annotated as text": (
        {"a": Annotated[str, At("ei:a", RESPONSE_CODE)]},
        "a: a ei:ResponseCodeType is int, and the annotation says otherwise",
    ),
    "duration annotated as half of one": (
        {"a": Annotated[timedelta, At("ei:a", DURATION_PROPERTY)]},
        "a: a xcal:DurationValueType is CalendarDuration | timedelta, and",
    ),
    "number annotated as one or a text": (
        {"a": Annotated[float | str, At("ei:a", FLOAT)]},
        "a: a xs:float is float, and the annotation says otherwise",
    ),
    "closed list annotated as text": (
        {"a": Annotated[str, At("ei:a", OptType)]},
        "a: a ei:OptTypeType is OptType, and the annotation says otherwise",
    ),
    "open list annotated as its enumeration": (
        {"a": Annotated[OptReason, At("ei:a")]},
        "a: a ei:OptReasonType is str, and the annotation says otherwise",
    ),
    "one wrapper in two ways": (
        {"a": Annotated[str, At("ei:w/ei:a")], "b": Annotated[str | None, At("ei:w?/ei:b")]},
        "b: ei:w was declared before, and not as a wrapper of several fields",
    ),
    "wrapper that is a value": (
        {"a": Annotated[str, At("ei:w")], "b": Annotated[str, At("ei:w/ei:b")]},
        "b: ei:w was declared before, and not as a wrapper of several fields",
    ),
    "two fields under what is repeated": (
        {"a": Annotated[tuple[str, ...], At("ei:w*/ei:a")], "b": Annotated[tuple[str, ...], At("ei:w*/ei:b")]},
        "b: ei:w was declared before, and not as a wrapper of several fields",
    ),
    "two fields at one place": (
        {"a": Annotated[str, At("ei:a")], "b": Annotated[str, At("ei:a")]},
        "b: ei:a was declared before",
    ),
}
"""What a class may say about its fields that cannot be true, and what it is told."""


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradictory_declaration_is_refused(name: str) -> None:
    annotations, told = CONTRADICTIONS[name]
    cls = msgspec.defstruct("Wrong", list(annotations.items()), bases=(Part,), frozen=True, kw_only=True)
    with pytest.raises(TypeError) as caught:
        shape(cls)
    assert str(caught.value).startswith(f"Wrong.{told}")


def test_a_declaration_becomes_a_tree() -> None:
    class Right(Part, frozen=True, kw_only=True):
        version: Annotated[str | None, At("@ei:version?")] = None
        a: Annotated[str, At("ei:w~/ei:a")]
        b: Annotated[bool | None, At("ei:w~/ei:b?", BOOLEAN)] = None
        parts: Annotated[tuple[Inner, ...], At("ei:part+")]
        __trailing__ = ("ei:end",)

    declared = shape(Right)
    assert [field.name for field in declared.fields] == ["version", "a", "b", "parts"]
    assert [node.step for node in declared.attributes] == [Step("ei:version", Occurs.OPTIONAL, attribute=True)]
    wrapper, parts, end = declared.children
    assert wrapper.step == Step("ei:w", local=True)
    assert [field.name for field in wrapper.fields()] == ["a", "b"]
    assert parts.step == Step("ei:part", Occurs.MANY)
    assert parts.field is not None
    assert (parts.field.kind, parts.field.repeated, parts.field.default) == (Inner, True, msgspec.NODEFAULT)
    assert (end.step, end.field, end.children) == (Step("ei:end"), None, [])


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("ei:a", Step("ei:a")),
        ("ei:a~", Step("ei:a", local=True)),
        ("ei:a?", Step("ei:a", Occurs.OPTIONAL)),
        ("ei:a~*", Step("ei:a", Occurs.ANY, local=True)),
        ("ei:a+", Step("ei:a", Occurs.MANY)),
        ("@ei:a?", Step("ei:a", Occurs.OPTIONAL, attribute=True)),
    ],
)
def test_a_step_is_a_name_with_marks(text: str, step: Step) -> None:
    assert Step.parse(text) == step


def classes() -> set[type[msgspec.Struct]]:
    """Every class that a message may hold."""
    found: set[type[msgspec.Struct]] = set()

    def look(hint: Any) -> None:
        if isinstance(hint, type) and issubclass(hint, Part) and hint not in found:
            found.add(hint)
            for annotation in msgspec.structs.fields(hint):
                look(annotation.type)
        for inner in get_args(hint):
            look(inner)

    for cls in PAYLOADS.values():
        look(cls)
    return found


def test_every_class_declares_its_place() -> None:
    for cls in classes():
        if cls.__name__ != "Measurement":  # the declaration of units is a table
            assert [field.name for field in shape(cls).fields] == list(cls.__struct_fields__)


def test_there_are_twenty_three_payloads() -> None:
    assert len(PAYLOADS) == 23
    assert all(cls.message_type() == name for name, cls in PAYLOADS.items())
    assert all(name == "oadr" + cls.__name__ for name, cls in PAYLOADS.items())


def test_messages_are_values() -> None:
    one, other = Target(ven_id=("ven-1",)), Target(ven_id=("ven-1",))
    assert one == other
    assert hash(one) == hash(other)
    with pytest.raises(AttributeError):
        one.ven_id = ()  # type: ignore[misc]


def test_a_prefix_that_nobody_declared_is_refused() -> None:
    with pytest.raises(KeyError):
        clark("zz:venID")


# --- enumerations ----------------------------------------------------------------------------------------------------

ENUMERATIONS: Final = (
    *(EventStatus, OptType, OptReason, ResponseRequired, SignalName, SignalType, ReportName, ReportType),
    *(ReadingType, DataQuality, ProfileName, TransportName, Service, SiScaleCode),
)


@pytest.fixture(scope="module")
def official_types(official_schema_file: Path) -> Mapping[str, etree._Element]:
    """The simple types of the official schema, by prefixed name."""
    prefixes = {uri: prefix for prefix, uri in NAMESPACES.items()}
    found = {}
    for file in official_schema_file.parent.glob("*.xsd"):
        root = etree.parse(file).getroot()
        prefix = prefixes.get(root.get("targetNamespace", ""))
        found |= {f"{prefix}:{one.get('name')}": one for one in root.iterchildren(f"{XS}simpleType")}
    return found


@pytest.mark.parametrize("cls", ENUMERATIONS, ids=lambda cls: cls.__name__)
def test_an_enumeration_is_that_of_the_official_schema(
    cls: type[StrEnum], official_types: Mapping[str, etree._Element]
) -> None:
    declared = scalar_of(cls)
    assert enumeration_of(declared) is cls
    official = official_types[declared.schema_type]
    restriction = official.find(f"{XS}restriction")
    assert restriction is not None
    assert restriction.get("base", "").partition(":")[2] == (declared.base or "").partition(":")[2]
    assert {one.get("value") for one in restriction} == {member.value for member in cls}
    extended = {name for name, one in official_types.items() if declared.schema_type in members(one)}
    assert extended == ({declared.extended_type} if declared.extended_type else set())


def members(official: etree._Element) -> set[str]:
    """The types of which a simple type is the union, by prefixed name."""
    union = official.find(f"{XS}union")
    prefixes = {uri: prefix for prefix, uri in NAMESPACES.items()}
    named = [] if union is None else union.get("memberTypes", "").split()
    return {f"{prefixes[official.nsmap[one.rpartition(':')[0] or None]]}:{one.rpartition(':')[2]}" for one in named}


def test_currencies_are_those_of_the_official_schema(official_types: Mapping[str, etree._Element]) -> None:
    official = official_types["iso4217:ISO3AlphaCurrencyCodeContentType"]
    assert {one.get("value") for one in official.iter(f"{XS}enumeration")} == set(CURRENCY_CODES)


@pytest.mark.parametrize("code", SiScaleCode)
def test_a_scale_is_a_power_of_ten(code: SiScaleCode) -> None:
    powers = {"p": -12, "n": -9, "micro": -6, "m": -3, "c": -2, "d": -1, "none": 0, "k": 3, "M": 6, "G": 9, "T": 12}
    assert code.exponent == powers[code]


@pytest.mark.rule(111)
def test_device_classes_are_spelt_as_in_the_profile() -> None:
    assert len(DeviceClass) == 22
    assert {"Thermostat", "Hot_tub", "EVSE", "Managed_Commercial_and_Industrial_Loads"} <= set(DeviceClass)


# --- units -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("element", ITEMS)
def test_a_unit_is_complete_once_it_has_a_name(element: str) -> None:
    name = element.partition(":")[2]
    needs = {"oadr:customUnit": "box"} | {one: "EUR" for one in ITEMS if "currency" in one}
    made = measurement(name, unit=needs.get(element), description="boxes" if name == "customUnit" else None)
    assert made.name == name
    assert problems(made) == []


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("powerReal", "powerReal"),
        ("power_real", "powerReal"),
        ("POWERREAL", "powerReal"),
        ("pulse_count", "pulseCount"),
        ("currency_per_kWh", "currencyPerKWh"),
        ("therm", "Therm"),
    ],
)
def test_a_unit_is_found_by_any_spelling_of_its_name(name: str, known: str) -> None:
    assert measurement(name, unit="EUR" if "currency" in name else None).name == known


def test_a_power_has_attributes_and_pulses_have_a_factor() -> None:
    assert measurement("powerReal").power_attributes == PowerAttributes(hertz=50, voltage=230, ac=True)
    direct = PowerAttributes(hertz=0, voltage=12, ac=False)
    assert measurement("powerReal", power_attributes=direct).power_attributes == direct
    assert (measurement("pulseCount").pulse_factor, measurement("pulseCount").scale) == (1.0, None)
    assert measurement("pulseCount", pulse_factor=0.5).pulse_factor == 0.5


def test_a_unit_that_the_schema_does_not_know_is_a_custom_one() -> None:
    made = measurement("crates", unit="crate", scale="k")
    assert (made.name, made.description, made.unit, made.scale) == ("customUnit", "crates", "crate", SiScaleCode.KILO)


def test_a_currency_is_described_by_its_own_name_where_the_schema_has_it() -> None:
    described = {name: measurement(name, unit="EUR").description for name in ("currencyPerKW", "currencyPerThm")}
    assert described == {"currencyPerKW": "currencyPerKW", "currencyPerThm": "currency"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": "energyReal", "unit": "kWh"}, "the unit of energyReal is 'kWh'; it must be one of Wh"),
        (
            {"name": "voltage", "description": "volts"},
            "the description of voltage is 'volts'; it must be one of Voltage",
        ),
        ({"name": "currency"}, "the unit of currency is not given; it must be one of AED, AFN, "),
        ({"name": "customUnit"}, "the unit of customUnit is not given"),
        ({"name": "crates"}, "'crates' is none of voltage, energyReal, "),
        ({"name": "voltage", "scale": "kilo"}, "the scale is 'kilo'; it must be one of p, n, "),
        ({"name": "voltage", "pulse_factor": 1.0}, "pulse_factor does not belong in voltage"),
        (
            {"name": "voltage", "power_attributes": PowerAttributes(hertz=50, voltage=230, ac=True)},
            "power_attributes does not belong in voltage",
        ),
    ],
)
def test_a_unit_that_the_schema_refuses_is_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        measurement(**arguments)
    assert str(caught.value).startswith(told)


# --- durations -------------------------------------------------------------------------------------------------------


@pytest.mark.rule(31)
@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-11-20T12:00:00Z", HOUR, "2026-11-20T13:00:00Z"),
        ("2026-11-20T12:00:00Z", -HOUR, "2026-11-20T11:00:00Z"),
        ("2026-11-20T12:00:00Z", CalendarDuration(months=1), "2026-12-20T12:00:00Z"),
        ("2026-12-31T12:00:00Z", CalendarDuration(months=2), "2027-02-28T12:00:00Z"),
        ("2028-01-31T12:00:00Z", CalendarDuration(months=1), "2028-02-29T12:00:00Z"),
        ("2026-01-31T12:00:00Z", CalendarDuration(months=-2), "2025-11-30T12:00:00Z"),
        ("2026-01-31T12:00:00Z", CalendarDuration(months=1, rest=HOUR), "2026-02-28T13:00:00Z"),
        ("2024-02-29T00:00:00Z", CalendarDuration(months=12), "2025-02-28T00:00:00Z"),
        ("2026-11-20T12:00:00Z", CalendarDuration(months=0, rest=HOUR), "2026-11-20T13:00:00Z"),
    ],
)
def test_months_keep_the_day_or_take_the_last_of_a_shorter_month(start: str, duration: Duration, end: str) -> None:
    begin = datetime.fromisoformat(start)
    assert add_duration(begin, duration) == datetime.fromisoformat(end)
    assert as_timedelta(duration, begin) == datetime.fromisoformat(end) - begin


@pytest.mark.parametrize(
    ("duration", "end"),
    [
        (timedelta.max, datetime.max),
        (timedelta.min, datetime.min),
        (CalendarDuration(months=12 * 10**12), datetime.max),
        (CalendarDuration(months=-(12 * 10**12)), datetime.min),
        (CalendarDuration(months=12 * 7900, rest=timedelta(days=40_000)), datetime.max),
    ],
)
def test_a_time_that_cannot_be_told_is_the_last_that_can(duration: Duration, end: datetime) -> None:
    zone = timezone(timedelta(hours=1))
    assert add_duration(NOON.astimezone(zone), duration) == end.replace(tzinfo=zone)


@given(strategies.instants, strategies.durations)
def test_any_duration_can_be_added_to_any_time(start: datetime, duration: Duration) -> None:
    end = add_duration(start, duration)
    assert end.tzinfo is UTC
    assert as_timedelta(duration, start) in (end - start, duration)
    if not isinstance(duration, CalendarDuration) and datetime.min.replace(tzinfo=UTC) < end < datetime.max.replace(
        tzinfo=UTC
    ):
        assert end - start == duration


@pytest.mark.rule(47)
@pytest.mark.rule(210)
@pytest.mark.rule(325)
@pytest.mark.parametrize(
    ("duration", "zero"),
    [
        (timedelta(0), True),
        (CalendarDuration(months=0), True),
        (timedelta(seconds=1), False),
        (CalendarDuration(months=1), False),
        (CalendarDuration(months=0, rest=HOUR), False),
    ],
)
def test_a_duration_of_no_length_has_no_end(duration: Duration, zero: bool) -> None:
    assert is_zero(duration) is zero


# --- helpers of the messages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "ok"), [(200, True), (299, True), (199, False), (300, False), (452, False), (500, False)]
)
def test_a_code_of_the_success_group_is_success(code: int, ok: bool) -> None:
    assert EiResponse(response_code=code).ok is ok


def test_a_target_is_true_once_it_has_a_criterion() -> None:
    assert not Target()
    assert all(Target(**{name: ("x",)}) for name in Target.__struct_fields__)


def signal(*intervals: Interval) -> EventSignal:
    return EventSignal(intervals=intervals, signal_name="SIMPLE", signal_type="level", signal_id="1")


PERIOD: Final = ActivePeriod(dtstart=NOON, duration=2 * HOUR)


@pytest.mark.rule(29)
@pytest.mark.parametrize(
    ("after", "value"),
    [
        (timedelta(seconds=-1), None),
        (timedelta(0), 1.0),
        (HOUR - timedelta(seconds=1), 1.0),
        (HOUR, 2.0),
        (2 * HOUR - timedelta(seconds=1), 2.0),
        (2 * HOUR, None),
    ],
)
def test_the_value_of_a_signal_is_that_of_the_interval_in_force(after: timedelta, value: float | None) -> None:
    two = signal(signal_interval(0, HOUR, 1), signal_interval(1, HOUR, 2))
    assert value_at(two, PERIOD, NOON + after) == value


@pytest.mark.rule(47)
@pytest.mark.parametrize("last", [timedelta(0), CalendarDuration(months=0), None])
def test_the_last_interval_of_an_open_ended_event_never_ends(last: Duration | None) -> None:
    open_ended = signal(signal_interval(0, HOUR, 1), Interval(duration=last, payloads=(SignalPayload(value=2.0),)))
    assert value_at(open_ended, PERIOD, NOON) == 1.0
    assert value_at(open_ended, PERIOD, datetime.max.replace(tzinfo=UTC)) == 2.0


def test_an_interval_without_a_number_has_no_value() -> None:
    status = SignalPayload(value=ResourceStatus(online=True, manual_override=False))
    assert Interval(payloads=(status,)).signal_value is None
    assert Interval(payloads=(status, SignalPayload(value=3))).signal_value == 3.0
    assert value_at(signal(Interval(duration=HOUR, payloads=(status,))), PERIOD, NOON) is None


@given(st.integers(0, 100), strategies.durations, st.floats(allow_nan=False))
def test_an_interval_of_a_signal_is_as_the_rules_want_it(uid: int, duration: Duration, value: float) -> None:
    made = signal_interval(uid, duration, value)
    assert (made.dtstart, made.duration, made.uid, made.signal_value) == (None, duration, str(uid), value)
    assert problems(made) == []


@pytest.mark.rule(6, 46)
@pytest.mark.parametrize(
    ("text", "is_test"),
    [(None, False), ("", False), ("false", False), ("true", True), ("FALSE", True), ("no", True), ("1", True)],
)
def test_any_text_but_false_makes_an_event_a_test(text: str | None, is_test: bool) -> None:
    descriptor = msgspec.structs.replace(EVENT.event_descriptor, test_event=text)
    assert descriptor.is_test is is_test
