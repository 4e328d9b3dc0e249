"""Calling user code: with the arguments it asks for, in the form it wants."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import VEN_HANDLERS, VTN_HANDLERS, EiEvent, Handlers, LocalProtocolError, Poll, arguments
from oadr_core.handlers import COMPACT, by_name, info
from tests.core.kit import event

OPT = {"ven_id": "ven", "event_id": "event", "opt_type": "optIn"}


class Bound:
    """An object whose methods are handlers, and which is one itself."""

    def method(self, event_id: object) -> object:
        return event_id

    async def coroutine(self, opt_type: object) -> object:
        return opt_type

    @staticmethod
    def static(ven_id: object) -> object:
        return ven_id

    def __call__(self, opt_type: object) -> object:
        return opt_type


def everything(ven_id: object, event_id: object, opt_type: object) -> object: ...
def keywords_alone(*, opt_type: object) -> object: ...
def with_a_default(event_id: object, retries: int = 3) -> object: ...
def anything(**told: object) -> object: ...
def some_and_the_rest(event_id: object, **rest: object) -> object: ...
def nothing() -> object: ...
def own_names(who: object, what: object) -> object: ...
def positions(*told: object) -> object: ...
async def coroutine(ven_id: object, opt_type: object) -> object: ...


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (everything, OPT),
        (keywords_alone, {"opt_type": "optIn"}),
        (with_a_default, {"event_id": "event"}),
        (anything, OPT),
        (some_and_the_rest, OPT),
        (nothing, {}),
        (own_names, {"who": "ven", "what": "event"}),
        (positions, {}),
        (coroutine, {"ven_id": "ven", "opt_type": "optIn"}),
        (lambda opt_type: None, {"opt_type": "optIn"}),
        (lambda it: None, {"it": "ven"}),
        (Bound().method, {"event_id": "event"}),
        (Bound().coroutine, {"opt_type": "optIn"}),
        (Bound.static, {"ven_id": "ven"}),
        (Bound(), {"opt_type": "optIn"}),
        (functools.partial(everything, opt_type="fixed"), OPT),
        (functools.partial(everything, "fixed"), {"event_id": "event", "opt_type": "optIn"}),
    ],
)
def test_a_handler_is_told_what_it_asks_for(function: Callable[..., object], expected: dict[str, object]) -> None:
    assert arguments(function, OPT) == expected


@pytest.mark.parametrize(
    "function",
    [everything, keywords_alone, with_a_default, anything, some_and_the_rest, nothing, own_names, positions, Bound()],
)
def test_what_is_chosen_can_be_called(function: Callable[..., object]) -> None:
    function(**arguments(function, OPT))


def test_a_function_that_takes_its_arguments_by_place_alone_can_be_a_handler() -> None:
    kept: list[object] = []
    append = by_name(kept.append)
    append(**arguments(append, OPT))
    assert kept == ["ven"]

    def mixed(event_id: object, /, opt_type: object) -> object:
        return event_id, opt_type

    async def later(event_id: object, /) -> object:
        return event_id

    assert by_name(mixed)(**arguments(by_name(mixed), OPT)) == ("event", "optIn")
    assert inspect.iscoroutinefunction(by_name(later)), "a driver can still tell"
    coroutine: Any = by_name(later)(**arguments(by_name(later), OPT))
    with pytest.raises(StopIteration) as result:
        coroutine.send(None)
    assert result.value.value == "event"
    assert by_name(everything) is everything
    assert by_name(dict) is dict


def test_a_builtin_that_does_not_tell_its_parameters_is_told_everything() -> None:
    assert arguments(dict, OPT) == OPT


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.dictionaries(st.sampled_from("abc"), st.integers()))
def test_nobody_is_told_what_he_does_not_name(names: list[str], values: dict[str, int]) -> None:
    function = eval(f"lambda {', '.join(names)}: None")
    chosen = arguments(function, values)
    assert set(chosen) <= set(names)
    if set(names) & set(values):
        assert chosen == {name: values[name] for name in names if name in values}
    else:
        assert list(chosen.values()) == list(values.values())[: len(names)]


# --- the form --------------------------------------------------------------------------------------------------------


def test_messages_come_as_dicts_or_as_instances_where_handlers_are_typed() -> None:
    loose, typed = Handlers(VEN_HANDLERS), Handlers(VEN_HANDLERS, typed=True)
    for handlers in (loose, typed):
        handlers.add("on_event", lambda event: None)
    one = event()
    assert typed.arguments("on_event", {"event": one}) == {"event": one}
    told: Any = loose.arguments("on_event", {"event": one})["event"]
    assert told["event_descriptor"]["event_id"] == "event"
    assert isinstance(told["active_period"]["dtstart"], type(one.active_period.dtstart))
    assert not isinstance(told, EiEvent)


def test_what_is_no_message_stays_as_it_is() -> None:
    handlers = Handlers(VTN_HANDLERS)
    assert handlers.view("ven") == "ven"
    assert handlers.view(None) is None


def test_a_registration_is_shown_with_the_fingerprint_of_its_certificate() -> None:
    assert info(Poll(ven_id="ven"), None) == {"ven_id": "ven"}
    assert info(Poll(ven_id="ven"), "AA:BB") == {"ven_id": "ven", "fingerprint": "AA:BB"}


# --- declaring -------------------------------------------------------------------------------------------------------


def test_handlers_are_found_by_their_names() -> None:
    handlers = Handlers(VEN_HANDLERS)
    assert "on_event" not in handlers
    handlers.add("on_event", nothing)
    handlers.add("on_event", anything)
    assert "on_event" in handlers
    assert list(handlers) == ["on_event"]
    assert handlers.get("on_event") is anything, "the second of a name replaces the first"
    assert handlers.get("on_update_event") is None


def test_a_name_that_was_mistyped_gets_a_hint() -> None:
    handlers = Handlers(VTN_HANDLERS)
    with pytest.raises(LocalProtocolError, match=r"no handler 'on_creatd_event'; did you mean 'on_created_event'\?"):
        handlers.add("on_creatd_event", nothing)
    with pytest.raises(LocalProtocolError, match="there is no handler 'zzz'; there are ven_lookup, on_query"):
        handlers.add("zzz", nothing)


def test_a_handler_has_to_be_callable() -> None:
    bad: Any = "a text"
    with pytest.raises(LocalProtocolError, match="'on_event' must be a function, not str"):
        Handlers(VEN_HANDLERS).add("on_event", bad)


# --- the two forms of on_register_report -----------------------------------------------------------------------------


def compact(ven_id: object, resource_id: object, measurement: object, unit: object) -> object: ...
def compact_with_less(r_id: object) -> object: ...
def full(report: object) -> object: ...
def full_with_ven(report: object, ven_id: object) -> object: ...
def of_ven_alone(ven_id: object) -> object: ...


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (compact, True),
        (compact_with_less, True),
        (full, False),
        (full_with_ven, False),
        (of_ven_alone, False),
        (anything, False),
    ],
)
def test_the_form_of_on_register_report_is_told_by_its_parameters(
    function: Callable[..., object], expected: bool
) -> None:
    handlers = Handlers(VTN_HANDLERS)
    handlers.add("on_register_report", function)
    assert handlers.is_compact("on_register_report") == expected
    assert {"resource_id", "measurement", "min_sampling_interval", "max_sampling_interval", "unit", "scale"} < set(
        COMPACT
    )


def test_a_parameter_that_has_a_default_and_another_name_keeps_it() -> None:
    there = object()

    def take(info: object, of: object = there) -> object:
        return info, of

    assert arguments(take, {"registration_info": 1, "fingerprint": None}) == {"info": 1}
