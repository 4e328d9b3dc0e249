"""Building answers, and reading how a request of ours fared (section 8.7 of the profile, rules 33, 48 and 517)."""

from collections.abc import Callable, Mapping
from typing import Final

from oadr_core.codes import ResponseCode
from oadr_core.machines.operations import VEN_REQUESTS, VTN_OPERATIONS, request_id_of
from oadr_core.messages import (
    CanceledOpt,
    CanceledPartyRegistration,
    CanceledReport,
    CreatedEvent,
    CreatedOpt,
    CreatedPartyRegistration,
    CreatedReport,
    CreateOpt,
    DistributeEvent,
    EiResponse,
    Payload,
    Profile,
    RegisteredReport,
    Response,
    UpdatedReport,
)
from oadr_core.texts import shortened

_TEXTS: Final[Mapping[int, str]] = {
    ResponseCode.OK: "OK",
    ResponseCode.OUT_OF_SEQUENCE: "out of sequence",
    ResponseCode.NOT_ALLOWED: "not allowed",
    ResponseCode.INVALID_ID: "invalid id",
    ResponseCode.NOT_RECOGNIZED: "not recognised",
    ResponseCode.INVALID_DATA: "invalid data",
    ResponseCode.COMPLIANCE_ERROR: "compliance error",
    ResponseCode.SIGNAL_NOT_SUPPORTED: "signal not supported",
    ResponseCode.REPORT_NOT_SUPPORTED: "report not supported",
    ResponseCode.TARGET_MISMATCH: "target mismatch",
    ResponseCode.NOT_REGISTERED_OR_AUTHORIZED: "not registered or authorised",
    ResponseCode.DEPLOYMENT_ERROR: "deployment error",
    ResponseCode.RESPONDER_ERROR: "the responder failed",
}


def response_to(request: Payload, code: int = ResponseCode.OK, description: str | None = None) -> EiResponse:
    """Build the response block that answers a request, with its requestID (rule 303); a long description is cut."""
    text = _TEXTS.get(code) if description is None else shortened(description)
    return EiResponse(response_code=int(code), response_description=text, request_id=request_id_of(request))


_OF_A_VTN: Final = frozenset({CreatedPartyRegistration, DistributeEvent})
"""Answers that only a VTN can give, as they name it; a VEN that is asked such a thing has nothing but oadrResponse."""


class Refuser:
    """Builds the error answer that fits a request (rule 517 and decision D14).

    :param vtn_id: the VTN, for the answers that name it; empty at a VEN.
    :param profiles: what the VTN supports, for the answers that list it.
    """

    def __init__(self, vtn_id: str = "", profiles: tuple[Profile, ...] = ()) -> None:
        self._vtn_id = vtn_id
        self._profiles = profiles

    def refuse(self, request: Payload, code: int, description: str, ven_id: str | None = None) -> Payload:
        """Answer a request with an error.

        :param request: what is refused.
        :param code: why, as an application code.
        :param description: why, in words.
        :param ven_id: the VEN, for the answers that name it.
        """
        answer = VEN_REQUESTS.get(type(request))
        if answer is None:
            operation = VTN_OPERATIONS.get(type(request))
            answer = Response if operation is None else operation.answer
        if answer in _OF_A_VTN and not self._vtn_id:
            answer = Response
        response = response_to(request, code, description)
        return _BUILDERS[answer](self, request, response, ven_id or None)

    def _registration(self, request: Payload, response: EiResponse, ven_id: str | None) -> Payload:
        return CreatedPartyRegistration(response=response, vtn_id=self._vtn_id, profiles=self._profiles)

    def _events(self, request: Payload, response: EiResponse, ven_id: str | None) -> Payload:
        return DistributeEvent(response=response, request_id=response.request_id or "0", vtn_id=self._vtn_id)

    def _created_opt(self, request: Payload, response: EiResponse, ven_id: str | None) -> Payload:
        return CreatedOpt(response=response, opt_id=request.opt_id if isinstance(request, CreateOpt) else "")


_Builder = Callable[[Refuser, Payload, EiResponse, str | None], Payload]

_BUILDERS: Final[Mapping[type[Payload], _Builder]] = {
    CreatedPartyRegistration: Refuser._registration,
    CanceledPartyRegistration: lambda _, __, response, ven: CanceledPartyRegistration(response=response, ven_id=ven),
    DistributeEvent: Refuser._events,
    CreatedEvent: lambda _, __, response, ven: CreatedEvent(response=response, ven_id=ven or ""),
    RegisteredReport: lambda _, __, response, ven: RegisteredReport(response=response, ven_id=ven),
    CreatedReport: lambda _, __, response, ven: CreatedReport(response=response, ven_id=ven),
    UpdatedReport: lambda _, __, response, ven: UpdatedReport(response=response, ven_id=ven),
    CanceledReport: lambda _, __, response, ven: CanceledReport(response=response, ven_id=ven),
    CreatedOpt: Refuser._created_opt,
    CanceledOpt: lambda _, __, response, ___: CanceledOpt(response=response),
    Response: lambda _, __, response, ven: Response(response=response, ven_id=ven),
}


def in_kind(operation: Payload, answer: Response) -> Payload:
    """Read a plain oadrResponse as the answer that fits an operation (decision D14)."""
    return _BUILDERS[VTN_OPERATIONS[type(operation)].answer](Refuser(), operation, answer.response, answer.ven_id)


def response_in(message: Payload) -> EiResponse | None:
    """Find how a request fared in the answer to it."""
    response = getattr(message, "response", None)
    return response if isinstance(response, EiResponse) else None
