"""What a handler's answer means.

Handlers return what is natural to write; the functions here make a decision of it, or say what would have been right.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import msgspec

from oadr_core.build import complete_event
from oadr_core.codes import ResponseCode, is_success
from oadr_core.entropy import Entropy
from oadr_core.errors import LocalProtocolError
from oadr_core.messages import (
    CreatedPartyRegistration,
    DistributeEvent,
    EiEvent,
    EiResponse,
    EventResponse,
    OptType,
    Payload,
    ReportRequest,
    Response,
)
from oadr_core.messages.declare import STRING
from oadr_core.rules import refuse_event
from oadr_core.seal.fingerprint import all_normalised
from oadr_core.state.vtn import QUEUED_MESSAGES, QueuedMessage
from oadr_core.wire.plain import from_dict, part_to_dict
from oadr_core.wire.scalars import converter
from oadr_core.wire.verify import verify

_Read = ParamSpec("_Read")
_DecisionT = TypeVar("_DecisionT", bound=msgspec.Struct | None)


def _sendable(read: Callable[_Read, _DecisionT]) -> Callable[_Read, _DecisionT]:
    """Have what reads an answer refuse one whose texts can be neither sent nor saved."""

    @wraps(read)
    def checked(*values: _Read.args, **named: _Read.kwargs) -> _DecisionT:
        decision = read(*values, **named)
        for name in () if decision is None else decision.__struct_fields__:
            text = getattr(decision, name)
            problem = converter(STRING).problem(text) if isinstance(text, str) else None
            if problem is not None:
                raise LocalProtocolError(f"{name} {problem}")
        return decision

    return checked


class EventDecision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a VEN takes part in an event.

    :param opt_type: in or out.
    :param code: 200, or why the event cannot be carried out; then ``opt_type`` should be out (rule 48).
    :param description: why, in words.
    """

    opt_type: OptType
    code: int = ResponseCode.OK
    description: str | None = None


@_sendable
def event_decision(value: object) -> EventDecision:
    """Read what ``on_event`` or ``on_update_event`` returned.

    :param value: ``"optIn"``, ``"optOut"``, an :class:`~oadr_core.messages.enums.OptType` or a bool (True is in); with
        a code and a text of one's own ``(opt, code)`` or ``(opt, code, text)``, a dict with ``opt_type`` and if wanted
        ``response_code`` and ``response_description``, an :class:`~oadr_core.messages.event.EventResponse`, or an
        :class:`EventDecision`.
    :raises LocalProtocolError: it is none of these, or it takes part with the code of an error (rule 48).
    """
    if isinstance(value, EventDecision):
        return _decision(value.opt_type, value.code, value.description)
    if isinstance(value, EventResponse):
        return _decision(value.opt_type, value.response_code, value.response_description)
    if isinstance(value, bool):
        return EventDecision(opt_type=OptType.OPT_IN if value else OptType.OPT_OUT)
    if isinstance(value, str):
        return EventDecision(opt_type=opt_type(value))
    if isinstance(value, Mapping):
        code = value.get("response_code", ResponseCode.OK)
        return _decision(value.get("opt_type"), code, value.get("response_description"))
    if isinstance(value, tuple | list) and len(value) in (2, 3):
        return _decision(value[0], value[1], value[2] if len(value) == 3 else None)
    raise LocalProtocolError(
        f"{_shown(value)}, where 'optIn', 'optOut', (opt, code, text) or a dict with 'opt_type' is expected"
    )


def _decision(opt: object, code: object, description: object) -> EventDecision:
    """A decision with a code and a text of the application's own."""
    if isinstance(code, bool) or not isinstance(code, int) or not 100 <= code <= 999:
        raise LocalProtocolError(f"the response code is {code!r}; it must be a number of three digits")
    chosen = opt_type(opt)
    if chosen is OptType.OPT_IN and not is_success(code):
        raise LocalProtocolError(f"the response code {code} is that of an error, which goes with 'optOut' (rule 48)")
    return EventDecision(opt_type=chosen, code=code, description=None if description is None else str(description))


def opt_type(value: object) -> OptType:
    """Read an opt type that a person wrote, such as ``optIn`` or ``opt_out``.

    :raises LocalProtocolError: it is none.
    """
    for member in OptType:
        if isinstance(value, str) and value.lower().replace("_", "") == member.value.lower():
            return member
    raise LocalProtocolError(f"the opt type is {_shown(value)}, where 'optIn' or 'optOut' is expected")


class RegistrationDecision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a VTN registers a VEN.

    :param accepted: whether it does.
    :param ven_id: the VEN's id; None leaves it to the core.
    :param registration_id: the registration's id; None leaves it to the core.
    :param code: the code of a refusal.
    :param description: why it is refused, in words.
    :param certificate_checked: whether the application has made sure that the certificate is that of the VEN, so that
        it may take the place of another one. Else the id of a VEN that has registered with a certificate is not given
        to anybody who shows another, whatever name he gives himself (section 10.5.1 of the profile).
    :param successor: the fingerprint of the certificate that the VEN will have next, where that is known already: it
        is known by that one as well then, as :meth:`oadr_core.Vtn.announce_certificate` says.
    """

    accepted: bool = True
    ven_id: str | None = None
    registration_id: str | None = None
    code: int = ResponseCode.NOT_REGISTERED_OR_AUTHORIZED
    description: str | None = None
    certificate_checked: bool = False
    successor: str | None = None


@_sendable
def registration_decision(value: object) -> RegistrationDecision:
    """Read what ``on_create_party_registration`` returned.

    :param value: ``(ven_id, registration_id)``, a registration id, True to accept with ids of the core's choice,
        False or None to refuse, or a :class:`RegistrationDecision`.
    :raises LocalProtocolError: it is none of these, or its ``successor`` is no fingerprint.
    """
    if isinstance(value, RegistrationDecision):
        if value.successor is None:
            return value
        return msgspec.structs.replace(value, successor=all_normalised(value.successor)[0])
    if value is None or isinstance(value, bool):
        return RegistrationDecision(accepted=bool(value))
    if isinstance(value, str) and value:
        return RegistrationDecision(registration_id=value)
    if isinstance(value, tuple | list) and len(value) == 2:
        ven_id, registration_id = value
        if isinstance(ven_id, str) and isinstance(registration_id, str) and ven_id and registration_id:
            return RegistrationDecision(ven_id=ven_id, registration_id=registration_id)
        if not ven_id or not registration_id:
            return RegistrationDecision(accepted=False)
    raise LocalProtocolError(
        f"{_shown(value)}, where (ven_id, registration_id), a registration id, True, False or None is expected"
    )


class KnownVen(msgspec.Struct, frozen=True, kw_only=True):
    """A VEN that the application knows, though the VTN does not.

    :param ven_id: its id.
    :param registration_id: its registration; empty for a 2.0a VEN, which has none.
    :param ven_name: its name for people.
    :param fingerprint: the fingerprint of its certificate; the VEN has to show that one then. Or several, where its
        certificate is renewed, the earliest first: the VEN has to show one of these, and is known by the next as well.
    """

    ven_id: str
    registration_id: str = ""
    ven_name: str = ""
    fingerprint: str | tuple[str, ...] | None = None

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Those of its certificates, the earliest first; nothing where it may show any."""
        return () if self.fingerprint is None else all_normalised(self.fingerprint)

    def is_shown(self, fingerprint: str | None) -> bool:
        """Whether a VEN shows a certificate that it may show."""
        return self.fingerprint is None or fingerprint in self.fingerprints


@_sendable
def known_ven(value: object, *, registers: bool = True) -> KnownVen | None:
    """Read what ``ven_lookup`` returned.

    :param value: None for a VEN that is not known, a :class:`KnownVen`, or a dict with ``ven_id`` and
        ``registration_id`` and if wanted ``ven_name`` and ``fingerprint``. A VEN without a registration is not known.
    :param registers: whether VENs of its profile register at all; else it needs no registration to be known.
    :raises LocalProtocolError: it is none of these, or a fingerprint is none.
    """
    if value is None:
        return None
    if isinstance(value, KnownVen):
        all_normalised(value.fingerprint or ())
        return value
    if not isinstance(value, Mapping):
        raise LocalProtocolError(f"{_shown(value)}, where a dict with ven_id and registration_id, or None, is expected")
    if registers and not value.get("registration_id"):
        return None
    told = {key: value[key] for key in KnownVen.__struct_fields__ if value.get(key) is not None}
    return known_ven(msgspec.convert(told, KnownVen))


def query_answer(value: object, usual: CreatedPartyRegistration) -> CreatedPartyRegistration:
    """Read what ``on_query_registration`` returned.

    :param value: None to answer as configured, or an oadrCreatedPartyRegistration: as a message, a pair of name and
        content, or a dict of what is different from the usual answer.
    :param usual: the answer as configured.
    :raises LocalProtocolError: it is none of these.
    """
    name = CreatedPartyRegistration.message_type()
    if value is None:
        return usual
    message = _message((name, {**part_to_dict(usual), **value}) if isinstance(value, Mapping) else value)
    if isinstance(message, CreatedPartyRegistration):
        return msgspec.structs.replace(message, response=usual.response, vtn_id=usual.vtn_id)
    raise LocalProtocolError(f"{message.message_type()}, where {name} is expected")


class PollDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What an application has for a VEN that polls.

    :param messages: what the VEN is to be asked.
    :param events: its events.
    """

    messages: tuple[QueuedMessage, ...] = ()
    events: tuple[EiEvent, ...] = ()


def poll_decision(entropy: Entropy, now: datetime) -> Callable[[object], PollDecision]:
    """Make what reads what ``on_poll`` returned: nothing, operations, events, or a list of these.

    An operation is a message, or a pair of the name and the content of one; an event is an
    :class:`~oadr_core.messages.event.EiEvent` or a dict.

    :param entropy: the source of ids.
    :param now: the present.
    """

    def read(value: object) -> PollDecision:
        messages: list[QueuedMessage] = []
        events: list[object] = []
        for one in _listed(value):
            message = _message(one) if isinstance(one, Payload | tuple) else None
            if isinstance(message, DistributeEvent):
                events += message.events
            elif isinstance(message, QUEUED_MESSAGES):
                messages.append(message)
            elif message is None:
                events.append(one)
            elif not isinstance(message, Response):
                raise LocalProtocolError(f"{message.message_type()}, which is nothing that a VEN can be handed")
        return PollDecision(messages=tuple(messages), events=application_events(events, entropy, now))

    return read


def application_events(value: object, entropy: Entropy, now: datetime) -> tuple[EiEvent, ...]:
    """Read what ``on_request_event`` returned.

    :param value: None, an event or a list of events, each as an :class:`~oadr_core.messages.event.EiEvent` or a dict
        with an ``event_id`` and a ``dtstart``.
    :param entropy: the source of ids.
    :param now: the present.
    :raises LocalProtocolError: it is none of these, or an event breaks a rule.
    """
    events = []
    for one in _listed(value):
        if isinstance(one, Mapping) and not _can_be_known_again(one):
            raise LocalProtocolError(
                "an event that a handler returns needs an event_id and a dtstart to be known again"
            )
        event = complete_event(one, entropy, now)
        refuse_event(event)
        events.append(event)
    return tuple(events)


def _can_be_known_again(event: Mapping[str, Any]) -> bool:
    """Whether an event says of itself what would be made up anew each time."""
    if not (_get(event, "event_descriptor", "event_id")):
        return False
    first = _get(event, "event_signals", 0, "intervals", 0)
    return _get(event, "active_period", "dtstart") is not None or _get(first, "dtstart") is not None


def _get(value: Any, *path: str | int) -> Any:
    """Look into dicts, lists and instances of message classes; None where there is nothing."""
    for key in path:
        if isinstance(key, int):
            value = value[key] if isinstance(value, tuple | list) and len(value) > key else None
        else:
            value = value.get(key) if isinstance(value, Mapping) else getattr(value, key, None)
    return value


def _listed(value: object) -> Iterable[object]:
    """Several things, one, or nothing. A pair of name and dict is one."""
    if value is None:
        return ()
    if isinstance(value, tuple | list) and not (len(value) == 2 and isinstance(value[0], str)):
        return value
    return (value,)


def _message(value: object) -> Payload:
    """A message, or a pair of the name and the content of one."""
    if isinstance(value, Payload):
        return value
    if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[0], str):
        return from_dict(value[0], value[1])
    raise LocalProtocolError(f"{_shown(value)}, where a message, or a pair of its name and its content, is expected")


def report_requests(value: object) -> tuple[ReportRequest, ...]:
    """Read what ``on_register_report`` came to, once :mod:`oadr_core.handlers` has made requests of it.

    :param value: None, or a sequence of :class:`~oadr_core.messages.report.ReportRequest`.
    :raises LocalProtocolError: it is none of these.
    """
    requests = tuple(value) if isinstance(value, tuple | list) else () if value is None else None
    if requests is None or not all(isinstance(one, ReportRequest) for one in requests):
        raise LocalProtocolError(f"{_shown(value)}, where a list of report requests is expected")
    for one in requests:
        verify(one)
    return requests


@_sendable
def verdict(value: object) -> EiResponse:
    """Read what a handler returned that takes something: nothing for yes, or an error for the peer.

    :param value: None or True, an :class:`~oadr_core.messages.common.EiResponse`, a code, or ``(code, text)``.
    :raises LocalProtocolError: it is none of these.
    """
    if value is None or value is True:
        return EiResponse()
    if isinstance(value, EiResponse):
        return value
    code, text = value if isinstance(value, tuple | list) and len(value) == 2 else (value, None)
    if isinstance(code, int) and not isinstance(code, bool) and 100 <= code <= 999:
        return EiResponse(response_code=code, response_description=None if text is None else str(text))
    raise LocalProtocolError(f"{_shown(value)}, where nothing, a response code or (code, text) is expected")


class EndReports(msgspec.Struct, frozen=True, kw_only=True):
    """The reports were taken, and no more of them are wanted: they are cancelled in the answer (rules 328 and 335).

    :param report_request_ids: those of the delivered reports that end; all of them if None.
    :param report_to_follow: whether one last report is wanted (rule 345).
    """

    report_request_ids: tuple[str, ...] | None = None
    report_to_follow: bool = False

    def names(self, report_request_id: str) -> bool:
        """Whether a report is one that ends."""
        return self.report_request_ids is None or report_request_id in self.report_request_ids


def taking(value: object) -> EiResponse | EndReports:
    """Read what a handler returned that takes reports.

    :param value: what :func:`verdict` reads, or an :class:`EndReports`.
    :raises LocalProtocolError: it is none of these.
    """
    return value if isinstance(value, EndReports) else verdict(value)


def nothing(value: object) -> None:
    """Read what a handler returned whose answer does not matter."""
    return


def _shown(value: object) -> str:
    return f"{type(value).__name__} {str(value)[:60]!r}"
