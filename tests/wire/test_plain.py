"""The dict view: the keys of OpenLEADR, native values, forgiving input, and mistakes named where they are made."""

import copy
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oadr_core.errors import LocalProtocolError
from oadr_core.messages import (
    PAYLOADS,
    Available,
    CalendarDuration,
    CanceledReport,
    CancelReport,
    CreateOpt,
    DistributeEvent,
    EiResponse,
    EventSignal,
    GreenButtonPayload,
    Interval,
    Measurement,
    OptType,
    Part,
    Payload,
    Poll,
    Report,
    ReportDescription,
    ReportPayload,
    ReportSpecifier,
    ResourceStatus,
    Response,
    ServiceInfo,
    SignalPayload,
    Target,
    UpdateReport,
    Vavailability,
    measurement,
)
from oadr_core.testing import strategies
from oadr_core.wire import envelope
from oadr_core.wire.plain import from_dict, part_from_dict, part_to_dict, to_dict
from oadr_core.wire.verify import problems
from tests.wire.documents import DOCUMENTS, message_type

NOON: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)


def message(name: str) -> Payload:
    return envelope.decode(DOCUMENTS[name].encode())


def paths(value: object, place: str = "") -> Iterator[str]:
    """Every key in a dict view, with the keys above it; what is in a list has ``[]`` in between."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{place}{key}"
            yield from paths(inner, f"{place}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{place.removesuffix('.')}[].")


def leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


# --- messages to dicts -----------------------------------------------------------------------------------------------


def under(place: str, *keys: str) -> tuple[str, ...]:
    """Keys with the key above them."""
    return tuple(f"{place}.{key}" for key in keys)


RESPONSE: Final = ("response", *under("response", "response_code", "response_description", "request_id"))
PENDING: Final = (*RESPONSE, "pending_reports[].report_request_id", "ven_id")
REQUESTS: Final = (
    *under("report_requests[]", "report_request_id", "report_specifier"),
    *under(
        "report_requests[].report_specifier",
        *("report_specifier_id", "granularity", "report_back_duration"),
        *("report_interval.dtstart", "report_interval.duration"),
        *("specifier_payloads[].r_id", "specifier_payloads[].reading_type"),
    ),
    "ven_id",
)
REPORT: Final = ("report_request_id", "report_specifier_id", "report_name", "created_date_time")

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "oadrQueryRegistration": ("request_id",),
    "oadrCreatePartyRegistration": (
        *("request_id", "registration_id", "ven_id", "profile_name", "transport_name", "transport_address"),
        *("report_only", "xml_signature", "ven_name", "http_pull_model"),
    ),
    "oadrCreatedPartyRegistration": (
        *RESPONSE,
        *("registration_id", "ven_id", "vtn_id", "requested_oadr_poll_freq"),
        *under("profiles[]", "profile_name", "transports[].transport_name"),
    ),
    "oadrCancelPartyRegistration": ("request_id", "registration_id", "ven_id"),
    "oadrCanceledPartyRegistration": (*RESPONSE, "registration_id", "ven_id"),
    "oadrRequestReregistration": ("ven_id",),
    "oadrPoll": ("ven_id",),
    "oadrResponse": (*RESPONSE, "ven_id"),
    "oadrRequestEvent": ("request_id", "ven_id", "reply_limit"),
    "oadrDistributeEvent": (
        *RESPONSE,
        *("request_id", "vtn_id"),
        *under(
            "events[]",
            *under("event_descriptor", "event_id", "modification_number", "modification_date_time", "priority"),
            *under("event_descriptor", "market_context", "created_date_time", "event_status", "test_event"),
            "event_descriptor.vtn_comment",
            *under("active_period", "dtstart", "duration", "tolerance.tolerate.startafter"),
            *under("active_period", "notification", "ramp_up", "recovery"),
            *under("event_signals[]", "signal_name", "signal_type", "signal_id", "current_value", "measurement"),
            *under("event_signals[].intervals[]", "duration", "uid", "signal_payload"),
            *("targets[].ven_id", "targets_by_type.ven_id", "response_required"),
        ),
    ),
    "oadrCreatedEvent": (
        *RESPONSE,
        *under("event_responses[]", "response_code", "response_description", "request_id"),
        *under("event_responses[]", "event_id", "modification_number", "opt_type"),
        "ven_id",
    ),
    "oadrRegisterReport": (
        *("request_id", "ven_id", "reports[].duration"),
        *under("reports[]", *REPORT),
        *under(
            "reports[].report_descriptions[]",
            *("r_id", "report_subject", "report_data_source", "report_type", "reading_type", "market_context"),
            *under("measurement", "name", "description", "unit", "scale", "power_attributes", "pulse_factor"),
            *under("measurement.power_attributes", "hertz", "voltage", "ac"),
            *under("sampling_rate", "min_period", "max_period", "on_change"),
        ),
    ),
    "oadrRegisteredReport": (*RESPONSE, *REQUESTS),
    "oadrCreateReport": ("request_id", *REQUESTS),
    "oadrCreatedReport": PENDING,
    "oadrCanceledReport": (*RESPONSE, "pending_reports", "ven_id"),
    "oadrCancelReport": ("request_id", "report_request_id", "report_to_follow", "ven_id"),
    "oadrUpdateReport": (
        *("request_id", "ven_id", "reports[].dtstart"),
        *under("reports[]", *REPORT),
        *under("reports[].intervals[]", "dtstart", "duration"),
        *under("reports[].intervals[].report_payload", "r_id", "value", "data_quality"),
        *under("reports[].intervals[].report_payloads[]", "r_id", "value", "confidence", "accuracy", "data_quality"),
    ),
    "oadrUpdatedReport": (
        *RESPONSE,
        *under("cancel_report", "request_id", "report_request_id", "report_to_follow", "ven_id"),
        "ven_id",
    ),
    "oadrCreateOpt": (
        *("opt_id", "opt_type", "opt_reason", "market_context", "event_id", "modification_number", "ven_id"),
        *("vavailability.components[].dtstart", "vavailability.components[].duration"),
        *("targets", "created_date_time", "request_id", "device_class"),
    ),
    "oadrCreatedOpt": (*RESPONSE, "opt_id"),
    "oadrCancelOpt": ("request_id", "opt_id", "ven_id"),
    "oadrCanceledOpt": (*RESPONSE, "opt_id"),
}
"""The keys by which programs written for OpenLEADR look things up."""


@pytest.mark.parametrize("name", PAYLOADS)
def test_keys_are_those_of_openleadr(name: str) -> None:
    views = [to_dict(message(one)) for one in DOCUMENTS if message_type(one) == name]
    assert {view[0] for view in views} == {name}
    assert set(KEYS[name]) <= {path for _, view in views for path in paths(view)}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_values_are_native(name: str) -> None:
    for value in leaves(to_dict(message(name))[1]):
        assert isinstance(value, str | int | float | bool | datetime | timedelta | CalendarDuration)
        assert not isinstance(value, StrEnum)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_dict_view_says_everything(name: str) -> None:
    assert from_dict(*to_dict(message(name))) == message(name)


def test_a_view_is_the_same_however_a_value_came_about() -> None:
    """As a member of its enumeration or as a plain string, as it is when read back from a database."""
    read = message("oadrDistributeEvent")
    stored = msgspec.json.decode(msgspec.json.encode(read), type=DistributeEvent)
    assert to_dict(stored) == to_dict(read)


def test_what_is_absent_has_no_key() -> None:
    assert to_dict(Poll(ven_id="ven-1")) == ("oadrPoll", {"ven_id": "ven-1"})
    assert to_dict(Response(response=EiResponse())) == (
        "oadrResponse",
        {"response": {"response_code": 200, "request_id": ""}},
    )


@pytest.mark.parametrize("version", ["2.0a", "x-1", None])
def test_only_an_unusual_schema_version_is_shown(version: str | None) -> None:
    unusual = Poll(ven_id="ven-1", schema_version=version)
    assert to_dict(unusual)[1] == {"schema_version": version, "ven_id": "ven-1"}
    assert from_dict(*to_dict(unusual)) == unusual


def test_targets_are_shown_one_by_one_and_by_kind() -> None:
    target = Target(ven_id=("ven-1", "ven-2"), group_id=("pumps",), end_device_asset=("Thermostat",))
    view = part_to_dict(
        EventSignal(intervals=(), target=target, signal_name="SIMPLE", signal_type="level", signal_id="1")
    )
    assert view["targets"] == [
        {"end_device_asset": {"mrid": "Thermostat"}},
        {"group_id": "pumps"},
        {"ven_id": "ven-1"},
        {"ven_id": "ven-2"},
    ]
    assert view["targets_by_type"] == {
        "end_device_asset": [{"mrid": "Thermostat"}],
        "group_id": ["pumps"],
        "ven_id": ["ven-1", "ven-2"],
    }


def test_every_kind_of_target_is_shown() -> None:
    view: Any = to_dict(message("oadrDistributeEvent of all sorts"))[1]
    assert tuple(view["events"][0]["targets_by_type"]) == Target.__struct_fields__
    assert view["events"][0]["targets_by_type"]["transport_interface"] == [
        {"point_of_receipt": "north", "point_of_delivery": "south"}
    ]


def test_payloads_of_an_interval_are_shown_under_the_name_of_their_kind() -> None:
    number, other = ReportPayload(r_id="a", value=1.0), ReportPayload(r_id="b", value=2.0)
    signal, button = SignalPayload(value=3.0), GreenButtonPayload(feed=strategies.FEEDS[0])
    assert part_to_dict(Interval(payloads=(signal,))) == {"signal_payload": 3.0}
    assert part_to_dict(Interval(payloads=(number,))) == {"report_payload": {"r_id": "a", "value": 1.0}}
    assert part_to_dict(Interval(payloads=(number, other))) == {
        "report_payloads": [{"r_id": "a", "value": 1.0}, {"r_id": "b", "value": 2.0}]
    }
    assert part_to_dict(Interval(payloads=(button,))) == {"green_button_payload": strategies.FEEDS[0]}
    assert part_to_dict(Interval(payloads=(signal, number))) == {
        "payloads": [{"signal_payload": 3.0}, {"report_payload": {"r_id": "a", "value": 1.0}}]
    }
    assert part_to_dict(Interval(uid="0", payloads=())) == {"uid": "0"}


def test_units_are_shown_with_what_they_have() -> None:
    assert part_to_dict(measurement("voltage", scale="k")) == {
        "name": "voltage",
        "description": "Voltage",
        "unit": "V",
        "scale": "k",
    }
    assert part_to_dict(measurement("pulseCount", pulse_factor=10)) == {
        "name": "pulseCount",
        "description": "pulse count",
        "unit": "count",
        "pulse_factor": 10,
    }
    view: Any = part_to_dict(measurement("powerReal"))
    assert view["power_attributes"] == {"hertz": 50, "voltage": 230, "ac": True}


def test_pending_reports_are_shown_as_dicts() -> None:
    answer = CanceledReport(response=EiResponse(), pending_reports=("1", "2"))
    assert to_dict(answer)[1]["pending_reports"] == [{"report_request_id": "1"}, {"report_request_id": "2"}]


# --- dicts to messages -----------------------------------------------------------------------------------------------

EVENT: Final[Mapping[str, Any]] = {
    "event_descriptor": {
        "event_id": "event-1",
        "modification_number": 0,
        "market_context": "http://program.example/peak",
        "created_date_time": NOON,
        "event_status": "far",
        "test_event": False,
    },
    "active_period": {"dtstart": NOON + 4 * HOUR, "duration": HOUR, "notification": 4 * HOUR},
    "event_signals": [
        {
            "signal_name": "SIMPLE",
            "signal_type": "level",
            "signal_id": "signal-1",
            "intervals": [{"duration": HOUR, "uid": 0, "signal_payload": 1}],
        }
    ],
    "targets": [{"ven_id": "ven-1"}],
    "response_required": "always",
}
"""An event as a program written for OpenLEADR makes it."""


def distribute(**changes: object) -> DistributeEvent:
    """Build a list of one event; a change is given by the key in the event."""
    event = {**copy.deepcopy(dict(EVENT)), **changes}
    built = from_dict("oadrDistributeEvent", {"request_id": "1", "vtn_id": "vtn-1", "events": [event]})
    assert isinstance(built, DistributeEvent)
    return built


def test_an_event_made_for_openleadr_is_an_event() -> None:
    built = distribute().events[0]
    assert built.event_descriptor.test_event == "false"
    assert built.event_signals[0].intervals == (Interval(duration=HOUR, uid="0", payloads=(SignalPayload(value=1.0),)),)
    assert built.target == Target(ven_id=("ven-1",))
    assert envelope.decode(envelope.encode(distribute())) == distribute()


@pytest.mark.parametrize(
    "targets",
    [
        [{"resource_id": "a"}, {"resource_id": "b"}],
        [{"resource_id": ["a", "b"]}],
        {"resource_id": ["a", "b"]},
        {"resource_id": ("a", "b"), "group_id": None},
        [Target(resource_id=("a",)), {"resource_id": "b"}],
        Target(resource_id=("a", "b")),
    ],
)
@pytest.mark.parametrize("key", ["targets", "targets_by_type", "target"])
def test_targets_may_be_given_in_many_forms(key: str, targets: object) -> None:
    changes: dict[str, object] = {"targets": None, key: targets}
    assert distribute(**changes).events[0].target == Target(resource_id=("a", "b"))


@pytest.mark.parametrize("asset", ["Thermostat", {"mrid": "Thermostat"}, ["Thermostat"], [{"mrid": "Thermostat"}]])
def test_a_device_class_may_be_given_with_or_without_mrid(asset: object) -> None:
    assert part_from_dict(Target, {"end_device_asset": asset}) == Target(end_device_asset=("Thermostat",))


def test_the_device_class_of_an_opt_may_be_given_as_in_openleadr() -> None:
    _, view = to_dict(message("oadrCreateOpt"))
    del view["device_class"]
    assert from_dict("oadrCreateOpt", {**view, "signal_target_mrid": "Water_Heater"}) == message("oadrCreateOpt")


@pytest.mark.parametrize(
    "duration",
    [timedelta(seconds=90), 90, 90.0, "PT90S", "PT1M30S", {"duration": timedelta(seconds=90)}, {"duration": "PT90S"}],
)
def test_a_duration_may_be_given_in_many_forms(duration: object) -> None:
    built = part_from_dict(Available, {"dtstart": NOON, "duration": duration})
    assert built == Available(dtstart=NOON, duration=timedelta(seconds=90))


@pytest.mark.parametrize(
    "instant", [NOON, NOON.isoformat(), "2026-11-20T12:00:00Z", "2026-11-20T13:00:00+01:00", "2026-11-20T12:00:00"]
)
def test_a_time_may_be_given_as_text(instant: object) -> None:
    assert part_from_dict(Available, {"dtstart": instant, "duration": 0}).dtstart == NOON


@pytest.mark.parametrize(
    ("given", "built"),
    [
        ("powerReal", measurement("powerReal")),
        ("power_real", measurement("powerReal")),
        ({"name": "voltage"}, measurement("voltage")),
        ({"name": "energyReal", "scale": "k", "unit": None}, measurement("energyReal", scale="k")),
        ({"name": "boxes", "unit": "box"}, measurement("boxes", unit="box")),
        (
            {"name": "powerReal", "power_attributes": {"hertz": 60, "voltage": 110, "ac": False}},
            msgspec.structs.replace(
                measurement("powerReal"),
                power_attributes=part_from_dict(
                    type(measurement("powerReal").power_attributes),  # type: ignore[arg-type]
                    {"hertz": 60, "voltage": 110, "ac": False},
                ),
            ),
        ),
        (measurement("current"), measurement("current")),
    ],
)
def test_a_unit_may_be_given_by_its_name(given: object, built: Measurement) -> None:
    point = {"r_id": "a", "report_type": "usage", "reading_type": "Net", "measurement": given}
    assert part_from_dict(ReportDescription, point).measurement == built


@pytest.mark.parametrize(
    ("given", "payloads"),
    [
        ({"signal_payload": 1}, (SignalPayload(value=1.0),)),
        ({"signal_payloads": [1, 2.5]}, (SignalPayload(value=1.0), SignalPayload(value=2.5))),
        ({"payloads": [{"signal_payload": 1}]}, (SignalPayload(value=1.0),)),
        ({"payloads": (SignalPayload(value=1.0),)}, (SignalPayload(value=1.0),)),
        ({"signal_payload": SignalPayload(value=1.0)}, (SignalPayload(value=1.0),)),
        ({"report_payload": {"r_id": "a", "value": 1}}, (ReportPayload(r_id="a", value=1.0),)),
        (
            {"report_payload": {"r_id": "a", "value": {"online": True, "manual_override": False}}},
            (ReportPayload(r_id="a", value=ResourceStatus(online=True, manual_override=False)),),
        ),
        ({"green_button_payload": strategies.FEEDS[0]}, (GreenButtonPayload(feed=strategies.FEEDS[0]),)),
        ({"signal_payload": 1, "dtstart": None, "payloads": None}, (SignalPayload(value=1.0),)),
    ],
)
def test_the_payloads_of_an_interval_may_be_given_in_many_forms(given: object, payloads: tuple[object, ...]) -> None:
    assert part_from_dict(Interval, given) == Interval(payloads=payloads)  # type: ignore[arg-type]


def test_numbers_may_be_given_for_ids_and_one_id_for_several() -> None:
    built = from_dict("oadrCancelReport", {"request_id": 7, "report_request_id": "17", "report_to_follow": True})
    assert built == CancelReport(request_id="7", report_request_id=("17",), report_to_follow=True)
    several = from_dict("oadrCancelReport", {"request_id": "7", "report_request_id": [17, 18]})
    assert several == CancelReport(request_id="7", report_request_id=("17", "18"))


def test_pending_reports_may_be_given_as_ids() -> None:
    for pending in (["1", "2"], [{"report_request_id": "1"}, "2"], ("1", {"report_request_id": 2})):
        built = from_dict("oadrCanceledReport", {"response": {}, "pending_reports": pending})
        assert built == CanceledReport(response=EiResponse(), pending_reports=("1", "2"))


def test_the_longer_names_of_the_periods_are_taken() -> None:
    period = {"dtstart": NOON, "duration": HOUR, "notification_period": 60, "ramp_up_period": 30, "recovery_period": 15}
    built = distribute(active_period=period).events[0].active_period
    assert (built.notification, built.ramp_up, built.recovery) == tuple(timedelta(seconds=n) for n in (60, 30, 15))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_instances_are_accepted_wherever_a_dict_is(name: str) -> None:
    original = message(name)

    def as_given(part: Part) -> dict[str, object]:
        """A dict of what a part holds, which are instances again."""
        return {field: getattr(part, field) for field in part.__struct_fields__}

    assert part_from_dict(type(original), original) == original
    assert from_dict(original.message_type(), as_given(original)) == original
    for field in original.__struct_fields__:
        value = getattr(original, field)
        if isinstance(value, Part):
            assert part_from_dict(type(value), as_given(value)) == value
            assert from_dict(original.message_type(), {**as_given(original), field: as_given(value)}) == original
        elif isinstance(value, tuple) and value and isinstance(value[0], Part):
            inner = [as_given(one) for one in value]
            assert from_dict(original.message_type(), {**as_given(original), field: inner}) == original


# --- mistakes --------------------------------------------------------------------------------------------------------

MISTAKES: Final[Mapping[str, tuple[type[Part], object, str]]] = {
    "key that is misspelt": (Poll, {"venid": "ven-1"}, "Poll has no 'venid'; did you mean 'ven_id'?"),
    "key that is unknown": (Poll, {"ven_id": "ven-1", "zzz": 1}, "Poll has no 'zzz'"),
    "key that is no text": (Poll, {5: 1}, "Poll has no 5"),
    "field that is missing": (Poll, {}, "Poll.ven_id is missing"),
    "field that is None": (Poll, {"ven_id": None}, "Poll.ven_id is missing"),
    "text that is none": (Poll, {"ven_id": 1.5}, "Poll.ven_id: must be text, not float '1.5'"),
    "text that XML cannot carry": (
        Poll,
        {"ven_id": "\x00"},
        "Poll.ven_id: holds the character U+0000, which XML cannot carry",
    ),
    "list for a dict": (Response, {"response": [200]}, "Response.response must be a dict, not list '[200]'"),
    "number for a dict": (Poll, 5, "Poll must be a dict, not int '5'"),
    "text for a list": (Report, {"intervals": "all"}, "Report.intervals must be a list, not str 'all'"),
    "set for a list": (CanceledReport, {"pending_reports": {"1"}}, "CanceledReport.pending_reports must be a list"),
    "place in a list": (
        Report,
        {"intervals": [{"signal_payload": 1}, {"signal_payload": 1, "uuid": "0"}]},
        "Report.intervals[1] has no 'uuid'; did you mean 'uid'?",
    ),
    "payload that is misspelt": (
        Interval,
        {"signal_paylod": 1},
        "Interval has no 'signal_paylod'; did you mean 'signal_payload'?",
    ),
    "payload beside another": (
        Interval,
        {"payloads": [{"signal_payload": 1, "value": 2}]},
        "Interval.payloads[0] has no 'value'",
    ),
    "interval without payload": (Interval, {"uid": "0"}, "Interval.payloads: is empty; at least one is needed"),
    "payload of the wrong kind": (
        Interval,
        {"payloads": [1.0]},
        "Interval.payloads[0]: must be a SignalPayload or a ReportPayload or a GreenButtonPayload, not float",
    ),
    "value that is no number": (
        Interval,
        {"signal_payload": "high"},
        "Interval.payloads[0].value: must be a number or a ResourceStatus, not str",
    ),
    "status that lacks something": (
        Interval,
        {"report_payload": {"r_id": "a", "value": {"online": True}}},
        "Interval.report_payload.value.manual_override is missing",
    ),
    "token in another case": (
        EventSignal,
        {"signal_name": "SIMPLE", "signal_type": "Level", "signal_id": "1"},
        "EventSignal.signal_type is 'Level'; it must be one of delta, level, ",
    ),
    "token that extends nothing": (
        EventSignal,
        {"signal_name": "WATER"},
        "EventSignal.signal_name is 'WATER'; it must be one of SIMPLE, ",
    ),
    "token of a closed list": (
        CreateOpt,
        {"opt_type": "optin"},
        "CreateOpt.opt_type is 'optin'; it must be one of optIn, optOut; did you mean 'optIn'?",
    ),
    "service that is unknown": (
        ServiceInfo,
        {"service_name": "EiEvents"},
        "ServiceInfo.service_name is 'EiEvents'; it must be one of EiEvent, EiOpt, EiReport, EiRegisterParty, ",
    ),
    "time without zone": (
        Available,
        {"dtstart": NOON.replace(tzinfo=None), "duration": HOUR},
        "Available.dtstart: has no time zone; use datetime.now(timezone.utc) or .astimezone()",
    ),
    "time that is none": (
        Available,
        {"dtstart": "tomorrow"},
        "Available.dtstart: 'tomorrow' is no date and time such as 2026-11-20T12:00:00Z",
    ),
    "duration that is none": (
        Available,
        {"dtstart": NOON, "duration": "1 hour"},
        "Available.duration: '1 hour' is no duration such as PT1H30M",
    ),
    "duration with a fraction": (
        Available,
        {"dtstart": NOON, "duration": 1.5},
        "Available.duration: is 0:00:01.500000; OpenADR knows whole seconds only (rule 1)",
    ),
    "duration without end": (
        Available,
        {"dtstart": NOON, "duration": float("inf")},
        "Available.duration: cannot convert float infinity to integer",
    ),
    "duration of another kind": (
        Available,
        {"dtstart": NOON, "duration": True},
        "Available.duration: must be a timedelta, not bool 'True'",
    ),
    "target of no kind": (
        Target,
        [{"ven_ids": "ven-1"}],
        "Target[0]: 'ven_ids' is no kind of target; did you mean 'ven_id'?",
    ),
    "target that is a text": (Target, "ven-1", "Target must be a list, not str 'ven-1'"),
    "target in a list that is a text": (Target, ["ven-1"], "Target[0] must be a dict, not str 'ven-1'"),
    "targets that differ": (
        CreateOpt,
        {"targets": [{"ven_id": "a"}], "targets_by_type": {"ven_id": ["b"]}},
        "CreateOpt: targets and targets_by_type say different things",
    ),
    "pending report of another shape": (
        CanceledReport,
        {"response": {}, "pending_reports": [{"id": "1"}]},
        "CanceledReport.pending_reports[0]: must be text, not dict \"{'id': '1'}\"",
    ),
    "half an event": (
        CreateOpt,
        {**to_dict(message("oadrCreateOpt"))[1], "event_id": "event-1"},
        "CreateOpt: event_id and modification_number go together",
    ),
    "no components": (Vavailability, {"components": 5}, "Vavailability.components must be a list, not int '5'"),
    "unit without name": (
        Measurement,  # type: ignore[dict-item]
        {"unit": "W"},
        "Measurement.name is missing; it is a quantity such as powerReal, or one of your own",
    ),
    "unit that is misspelt": (
        Measurement,  # type: ignore[dict-item]
        {"name": "powerRael"},
        "Measurement: 'powerRael' is none of voltage, energyReal, ",
    ),
    "unit of another quantity": (
        Measurement,  # type: ignore[dict-item]
        {"name": "energyReal", "unit": "kWh"},
        "Measurement: the unit of energyReal is 'kWh'; it must be one of Wh",
    ),
    "currency without code": (
        Measurement,  # type: ignore[dict-item]
        {"name": "currencyPerKWh"},
        "Measurement: the unit of currencyPerKWh is not given; it must be one of AED, ",
    ),
    "unknown scale": (
        Measurement,  # type: ignore[dict-item]
        {"name": "voltage", "scale": "kilo"},
        "Measurement: the scale is 'kilo'; it must be one of p, n, micro, ",
    ),
    "key that a unit does not have": (
        Measurement,  # type: ignore[dict-item]
        {"name": "voltage", "units": "V"},
        "Measurement has no 'units'; did you mean 'unit'?",
    ),
    "power attributes of a voltage": (
        Measurement,  # type: ignore[dict-item]
        {"name": "voltage", "power_attributes": {"hertz": 50, "voltage": 230, "ac": True}},
        "Measurement: power_attributes does not belong in voltage",
    ),
    "pulse factor of a power": (
        Measurement,  # type: ignore[dict-item]
        {"name": "powerReal", "pulse_factor": 1},
        "Measurement: pulse_factor does not belong in powerReal",
    ),
    "feed that is none": (
        Interval,
        {"green_button_payload": "<x/>"},
        "Interval.payloads[0].feed: is x, not an Atom feed",
    ),
    "feed that is no XML": (
        Interval,
        {"green_button_payload": "hello"},
        "Interval.payloads[0].feed: is no XML: the document is no well-formed XML",
    ),
    "feed that the schema refuses": (
        Interval,
        {"green_button_payload": '<feed xmlns="http://www.w3.org/2005/Atom"><x/></feed>'},
        "Interval.payloads[0].feed: is not what the schema admits: Element 'atom:x': This element is not",
    ),
    "list without what it needs": (
        ReportSpecifier,
        {"report_specifier_id": "a", "granularity": 0, "report_back_duration": 0},
        "ReportSpecifier.specifier_payloads: is empty; at least one is needed",
    ),
}
"""What a program may get wrong, and what it is told."""


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_by_its_place_with_what_would_be_right(name: str) -> None:
    cls, content, told = MISTAKES[name]
    with pytest.raises(LocalProtocolError) as caught:
        part_from_dict(cls, content)
    assert str(caught.value).startswith(told)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("oadrPol", "'oadrPol' is no payload of OpenADR 2.0b; did you mean 'oadrPoll'?"),
        ("Zzz", "'Zzz' is no payload of OpenADR 2.0b"),
        ("", "'' is no payload of OpenADR 2.0b"),
    ],
)
def test_a_payload_that_is_unknown_is_named(name: str, told: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        from_dict(name, {})
    assert str(caught.value) == told


def test_an_instance_that_cannot_be_sent_is_refused_too() -> None:
    wrong = Response(response=EiResponse(response_code=1000))
    with pytest.raises(
        LocalProtocolError, match=r"^Response\.response\.response_code: is 1000, not between 0 and 999$"
    ):
        part_from_dict(Response, wrong)


GARBAGE: Final = (
    None,
    True,
    -1,
    1.5,
    float("nan"),
    "",
    "x",
    b"x",
    [],
    {},
    [None],
    {"a": 1},
    (1,),
    {1},
    NOON,
    object(),
    OptType,
)


def spoil(view: dict[str, object], random: Random) -> dict[str, object]:
    """Change one thing in a dict view."""
    view = copy.deepcopy(view)
    places: list[tuple[Any, Any]] = []

    def look(value: Any) -> None:
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            places.append((value, key))
            look(value[key])

    look(view)
    holder, key = random.choice(places)
    match random.randrange(3):
        case 0:
            holder[key] = random.choice(GARBAGE)
        case 1:
            del holder[key]
        case _ if isinstance(holder, dict):
            holder[random.choice(("x", f"{key}s", 5, None))] = holder.pop(key)
    return view


@settings(max_examples=1000)
@given(name=st.sampled_from(sorted(DOCUMENTS)), random=st.randoms(use_true_random=True))
def test_a_spoilt_dict_gives_a_message_that_can_be_sent_or_a_local_protocol_error(name: str, random: Random) -> None:
    message_name, view = to_dict(message(name))
    try:
        built = from_dict(message_name, spoil(view, random))
    except LocalProtocolError as error:
        assert str(error).startswith(type(message(name)).__name__)  # noqa: PT017 - most spoilt dicts give a message
    else:
        assert problems(built) == []
        envelope.decode(envelope.encode(built))


# --- what is wrong with instances ------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_listed() -> None:
    wrong = UpdateReport(
        request_id=5,  # type: ignore[arg-type]
        reports=[Report(report_request_id="1", report_specifier_id="2", created_date_time=NOON.replace(tzinfo=None))],  # type: ignore[arg-type]
        ven_id="\x00",
    )
    assert problems(wrong) == [
        "UpdateReport.request_id: must be text, not int '5'",
        "UpdateReport.reports[0].created_date_time: has no time zone; use datetime.now(timezone.utc) or .astimezone()",
        "UpdateReport.ven_id: holds the character U+0000, which XML cannot carry",
    ]


def test_a_document_that_cannot_be_written_says_why() -> None:
    with pytest.raises(LocalProtocolError, match=r"^Poll\.ven_id: is missing$"):
        envelope.encode(Poll(ven_id=None))  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match=r"^Poll\.schema_version: is '3'; it must be one of 2\.0a, 2\.0b"):
        envelope.encode(Poll(ven_id="ven-1", schema_version="3"))


def test_identifiers_are_unique_in_a_document() -> None:
    event = message("oadrDistributeEvent of all sorts").events[0]  # type: ignore[attr-defined]
    twice = DistributeEvent(request_id="1", vtn_id="vtn-1", events=(event, event))
    again = "again; an identifier is unique in the document"
    assert problems(twice) == [
        f"DistributeEvent.events[1].target.service_{kind}[0].{field}: is {name!r} {again}"
        for kind in ("area", "location")
        for field, name in (("id", kind), ("polygon_id", f"{kind}-ring"))
    ]


def test_a_number_of_another_library_is_a_number() -> None:
    class Watt(float):
        """As numpy's float64 is one."""

    sent = Interval(payloads=(SignalPayload(value=Watt(2.5)),))
    assert problems(sent) == []
    signal = EventSignal(intervals=(sent,), signal_name="SIMPLE", signal_type="level", signal_id="1")
    event = msgspec.structs.replace(distribute().events[0], event_signals=(signal,))
    again = envelope.decode(envelope.encode(DistributeEvent(request_id="1", vtn_id="v", events=(event,))))
    assert again.events[0].event_signals[0].intervals[0].signal_value == 2.5  # type: ignore[attr-defined]


def test_true_and_false_are_no_numbers() -> None:
    wrong = Interval(payloads=(SignalPayload(value=True),))
    told = "Interval.payloads[0].value: must be a number or a ResourceStatus, not bool"
    assert problems(wrong) == [told]
    report = Report(intervals=(wrong,), report_request_id="1", report_specifier_id="2", created_date_time=NOON)
    with pytest.raises(LocalProtocolError, match="must be a number or a ResourceStatus, not bool"):
        envelope.encode(UpdateReport(request_id="1", reports=(report,)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "power"}, ".name: 'power' is no quantity; use measurement('power', …) to make a custom unit"),
        ({"unit": "MW"}, ".unit: is 'MW'; in powerReal it is W or J/s"),
        ({"description": "Power"}, ".description: is 'Power'; in powerReal it is RealPower"),
        ({"scale": None}, ".scale: is missing in powerReal"),
        ({"scale": "kilo"}, ".scale: is 'kilo'; it must be one of p, n, micro, m, c, d, k, M, G, T, none"),
        ({"pulse_factor": 1.0}, ".pulse_factor: does not belong in powerReal"),
        ({"power_attributes": None}, ".power_attributes: is missing in powerReal"),
        ({"power_attributes": 5}, ".power_attributes: must be a PowerAttributes, not int"),
        ({"unit": 5}, ".unit: must be text, not int '5'"),
    ],
)
def test_what_is_wrong_with_a_unit_is_said(changes: dict[str, Any], told: str) -> None:
    wrong = msgspec.structs.replace(measurement("powerReal"), **changes)
    assert problems(wrong)[0] == f"Measurement{told}"
