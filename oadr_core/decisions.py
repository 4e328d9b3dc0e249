"""What a handler's answer means.

Handlers return what is natural to write; the functions here make a decision of it, or say what would have been right.
"""

from collections.abc import Mapping

import msgspec

from oadr_core.codes import ResponseCode
from oadr_core.errors import LocalProtocolError
from oadr_core.messages import EiResponse, OptType, ReportRequest
from oadr_core.wire.verify import verify


class EventDecision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a VEN takes part in an event.

    :param opt_type: in or out.
    :param code: 200, or why the event cannot be carried out; then ``opt_type`` should be out (rule 48).
    :param description: why, in words.
    """

    opt_type: OptType
    code: int = ResponseCode.OK
    description: str | None = None


def event_decision(value: object) -> EventDecision:
    """Read what ``on_event`` or ``on_update_event`` returned.

    :param value: ``"optIn"``, ``"optOut"``, an :class:`~oadr_core.messages.enums.OptType`, a bool (True is in), an
        :class:`EventDecision`, or a dict with ``opt_type`` and if wanted ``response_code`` and
        ``response_description``.
    :raises LocalProtocolError: it is none of these.
    """
    if isinstance(value, EventDecision):
        return value
    if isinstance(value, bool):
        return EventDecision(opt_type=OptType.OPT_IN if value else OptType.OPT_OUT)
    if isinstance(value, str):
        return EventDecision(opt_type=_opt_type(value))
    if isinstance(value, Mapping):
        code = value.get("response_code", ResponseCode.OK)
        if isinstance(code, bool) or not isinstance(code, int) or not 100 <= code <= 999:
            raise LocalProtocolError(f"the response code is {code!r}; it must be a number of three digits")
        description = value.get("response_description")
        return EventDecision(
            opt_type=_opt_type(value.get("opt_type")),
            code=code,
            description=None if description is None else str(description),
        )
    raise LocalProtocolError(f"{_shown(value)}, where 'optIn', 'optOut' or a dict with 'opt_type' is expected")


def _opt_type(value: object) -> OptType:
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
    """

    accepted: bool = True
    ven_id: str | None = None
    registration_id: str | None = None
    code: int = ResponseCode.NOT_REGISTERED_OR_AUTHORIZED
    description: str | None = None


def registration_decision(value: object) -> RegistrationDecision:
    """Read what ``on_create_party_registration`` returned.

    :param value: ``(ven_id, registration_id)``, a registration id, True to accept with ids of the core's choice,
        False or None to refuse, or a :class:`RegistrationDecision`.
    :raises LocalProtocolError: it is none of these.
    """
    if isinstance(value, RegistrationDecision):
        return value
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


def nothing(value: object) -> None:
    """Read what a handler returned whose answer does not matter."""
    return


def _shown(value: object) -> str:
    return f"{type(value).__name__} {str(value)[:60]!r}"
