"""Calling user code: which handler, with which arguments, in which form.

A handler is a plain function or a coroutine function; a driver runs either. It takes what it names: a handler for
``on_created_event`` may be written as ``f(ven_id, event_id, opt_type)`` or ask for fewer of these. Messages and parts
come as dicts, or as instances of their classes where the handlers are declared ``typed``.
"""

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from oadr_core.errors import LocalProtocolError
from oadr_core.messages import Payload
from oadr_core.outputs import PresentSignal
from oadr_core.wire.plain import part_to_dict

Handler: TypeAlias = Callable[..., object]

_WHOLE_REPORT: Final = (
    "ven_id",
    "report_request_id",
    "report_specifier_id",
    "r_ids",
    "date_from",
    "date_to",
    "sampling_interval",
)

VEN_HANDLERS: Final[Mapping[str, tuple[str, ...]]] = {
    "on_event": ("event",),
    "on_update_event": ("event",),
    "on_event_status": ("event", "status", "signals", "interval", "event_id", "phase", "until"),
    "on_created_opt": ("opt_id", "response_code", "response_description"),
    "on_canceled_opt": ("opt_id", "response_code", "response_description"),
    "on_cancel_party_registration": ("payload",),
    "next_report": _WHOLE_REPORT,
    "on_create_report": ("payload",),
    "on_registered_report": ("payload",),
    "on_register_report": ("report", "ven_id"),
    "on_created_report": ("payload",),
    "on_report": ("report", "ven_id"),
}
"""The handlers of a VEN, and the arguments each may ask for."""

VTN_HANDLERS: Final[Mapping[str, tuple[str, ...]]] = {
    "ven_lookup": ("ven_id",),
    "on_query_registration": ("payload",),
    "on_create_party_registration": ("registration_info", "fingerprint", "jid"),
    "on_cancel_party_registration": ("payload", "ven_id"),
    "on_register_report": ("report", "ven_id"),
    "on_registered_report": ("payload", "ven_id"),
    "on_created_report": ("payload", "ven_id"),
    "on_update_report": ("report", "ven_id"),
    "on_create_report": ("payload", "ven_id"),
    "on_request_report": _WHOLE_REPORT,
    "on_create_opt": ("payload", "ven_id"),
    "on_cancel_opt": ("payload", "ven_id"),
    "on_poll": ("ven_id",),
    "on_request_event": ("ven_id",),
    "on_created_event": ("ven_id", "event_id", "opt_type"),
    "on_ven_online": ("ven_id",),
    "on_ven_offline": ("ven_id",),
}
"""The handlers of a VTN, and the arguments each may ask for."""

COMPACT: Final = (
    "ven_id",
    "resource_id",
    "measurement",
    "unit",
    "scale",
    "min_sampling_interval",
    "max_sampling_interval",
    "report_specifier_id",
    "report_name",
    "r_id",
)
"""What the compact form of ``on_register_report`` may ask for, which is called once for each data point."""

_TELLING: Final = frozenset(COMPACT) - {"ven_id"}


class Handlers:
    """The handlers of an application.

    :param known: the names that there are, with the arguments of each; :data:`VEN_HANDLERS` or :data:`VTN_HANDLERS`.
    :param typed: whether messages come as instances of their classes instead of dicts.
    """

    def __init__(self, known: Mapping[str, tuple[str, ...]], *, typed: bool = False) -> None:
        self._known = known
        self._typed = typed
        self._functions: dict[str, Handler] = {}

    def add(self, name: str, function: Handler) -> None:
        """Declare a handler; a second one of the name replaces the first.

        :param name: one of the known names.
        :param function: a function or a coroutine function.
        :raises LocalProtocolError: there is no handler of the name, or it cannot be called.
        """
        if name not in self._known:
            close = difflib.get_close_matches(name, self._known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(self._known)}"
            raise LocalProtocolError(f"there is no handler {name!r}; {hint}")
        if not callable(function):
            raise LocalProtocolError(f"the handler {name!r} must be a function, not {type(function).__name__}")
        self._functions[name] = by_name(function)

    def __contains__(self, name: object) -> bool:
        """Whether there is a handler of the name."""
        return name in self._functions

    def __iter__(self) -> Iterator[str]:
        """The names that have a handler."""
        return iter(self._functions)

    def get(self, name: str) -> Handler | None:
        """Find the handler of a name."""
        return self._functions.get(name)

    def arguments(self, name: str, values: Mapping[str, object]) -> dict[str, object]:
        """Make the keyword arguments that a handler asks for.

        :param name: the handler.
        :param values: what can be told it, by argument; messages and parts as instances of their classes.
        """
        function = self._functions[name]
        return {key: self.view(value) for key, value in arguments(function, values).items()}

    def view(self, value: object) -> object:
        """Show a message or a part of one, or several, the way this application wants it."""
        if self._typed:
            return value
        if isinstance(value, tuple):
            return [self.view(one) for one in value]
        if isinstance(value, PresentSignal):
            return msgspec.structs.asdict(value)
        if not isinstance(value, msgspec.Struct):
            return value
        return part_to_dict(value)

    def is_compact(self, name: str) -> bool:
        """Whether a handler for ``on_register_report`` is written in the compact form."""
        names = set(_parameters(self._functions[name]) or ())
        return bool(names & _TELLING) and names <= set(COMPACT)


def arguments(function: Handler, values: Mapping[str, object]) -> dict[str, object]:
    """Choose the arguments of a function: those that it names, or as many as it needs, in their order.

    :param function: the function.
    :param values: what can be told it, the most important first.
    :returns: keyword arguments for it.
    """
    parameters = _parameters(function)
    if parameters is None:
        return dict(values)
    if any(name in values for name in parameters):
        return {name: values[name] for name in parameters if name in values}
    unnamed = [name for name, one in parameters.items() if one.default is inspect.Parameter.empty]
    return dict(zip(unnamed, values.values(), strict=False))


def by_name(function: Handler) -> Handler:
    """Make a function that takes all its arguments by name, as a driver hands them over; ``list.append`` does not."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a builtin that does not tell
        return function
    parameters = signature.parameters.values()
    nameless = [one.name for one in parameters if one.kind is inspect.Parameter.POSITIONAL_ONLY]
    if not nameless:
        return function

    def called(**told: object) -> object:
        first = [told.pop(name) for name in nameless if name in told]
        return function(*first, **told)

    async def awaited(**told: object) -> object:
        result: Any = called(**told)
        return await result

    named: Any = awaited if inspect.iscoroutinefunction(function) else called
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    named.__signature__ = signature.replace(
        parameters=[one.replace(kind=either) if one.name in nameless else one for one in parameters]
    )
    chosen: Handler = named
    return chosen


def _parameters(function: Handler) -> dict[str, inspect.Parameter] | None:
    """A function's parameters by their names; None where it takes any."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin that does not tell
        return None
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters):
        return None
    return {one.name: one for one in parameters if one.kind is not inspect.Parameter.VAR_POSITIONAL}


def info(message: Payload, fingerprint: str | None) -> dict[str, object]:
    """What ``on_create_party_registration`` is told: the registration, and the fingerprint of a certificate."""
    told = part_to_dict(message)
    if fingerprint is not None:
        told["fingerprint"] = fingerprint
    return told
