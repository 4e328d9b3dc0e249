"""A judge that reads along on the wire: what must be true of every message and of every answer, whatever is tested.

Its tables are written down once more, from the profile, so that a mistake in those of the cores does not hide here.
"""

from collections.abc import Mapping
from typing import Final

from oadr_core import (
    CanceledOpt,
    CanceledPartyRegistration,
    CanceledReport,
    CancelOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedOpt,
    CreatedPartyRegistration,
    CreatedReport,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    EiResponse,
    ExchangeId,
    Now,
    Payload,
    Poll,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    Reply,
    RequestEvent,
    RequestReregistration,
    Response,
    Service,
    Severity,
    Transmit,
    UpdatedReport,
    UpdateReport,
    check_document,
)
from oadr_core.testing import Flight, Host
from tests.pair.documents import read_once

ANSWERS_TO_VEN: Final[Mapping[type[Payload], tuple[type[Payload] | None, ...]]] = {
    QueryRegistration: (CreatedPartyRegistration,),
    CreatePartyRegistration: (CreatedPartyRegistration,),
    CancelPartyRegistration: (CanceledPartyRegistration,),
    CanceledPartyRegistration: (Response,),
    RequestEvent: (DistributeEvent,),
    CreatedEvent: (Response,),
    RegisterReport: (RegisteredReport,),
    RegisteredReport: (Response, CreatedReport),
    CreatedReport: (Response,),
    CreateReport: (CreatedReport,),
    CancelReport: (CanceledReport,),
    UpdateReport: (UpdatedReport,),
    UpdatedReport: (Response,),
    CanceledReport: (Response,),
    CreateOpt: (CreatedOpt,),
    CancelOpt: (CanceledOpt,),
    Poll: (
        Response,
        DistributeEvent,
        CreateReport,
        RegisterReport,
        CancelReport,
        UpdateReport,
        CancelPartyRegistration,
        RequestReregistration,
    ),
    Response: (None,),
}
"""What a VTN may answer to each request of a VEN; None is an empty success (section 8.6, Fig. 22)."""

ANSWERS_TO_VTN: Final[Mapping[type[Payload], tuple[type[Payload] | None, ...]]] = {
    DistributeEvent: (None,),
    CreateReport: (CreatedReport,),
    CreatedReport: (Response,),
    RegisterReport: (RegisteredReport,),
    CancelReport: (CanceledReport,),
    UpdateReport: (UpdatedReport,),
    CancelPartyRegistration: (CanceledPartyRegistration,),
    RequestReregistration: (Response,),
}
"""What a push VEN answers in the response to each operation of its VTN."""

SERVICES: Final[Mapping[Service, tuple[type[Payload], ...]]] = {
    Service.OADR_POLL: (Poll,),
    Service.EI_EVENT: (RequestEvent, DistributeEvent, CreatedEvent),
    Service.EI_REGISTER_PARTY: (
        QueryRegistration,
        CreatePartyRegistration,
        CancelPartyRegistration,
        CanceledPartyRegistration,
        RequestReregistration,
        Response,
    ),
    Service.EI_OPT: (CreateOpt, CancelOpt),
    Service.EI_REPORT: (
        RegisterReport,
        RegisteredReport,
        CreateReport,
        CreatedReport,
        UpdateReport,
        UpdatedReport,
        CancelReport,
        CanceledReport,
    ),
}
"""Where each request goes."""


class Judge:
    """Looks at everything that hosts put on the wire.

    :param vtn: the name of the VTN's host.
    """

    def __init__(self, vtn: str = "vtn") -> None:
        self._vtn = vtn
        self._out: dict[str, dict[tuple[int, ExchangeId], tuple[Payload, float]]] = {}
        self._last_poll: dict[tuple[str, int], Payload | None] = {}

    # --- requests ----------------------------------------------------------------------------------------------------

    def transmitted(self, flight: Flight, transmit: Transmit, now: Now) -> None:
        """A request leaves a host."""
        host = flight.source
        message = self.document(host, flight.body)
        assert type(message) in SERVICES[transmit.service], f"{message.message_type()} to {transmit.service}"
        allowed = ANSWERS_TO_VTN if host.name == self._vtn else ANSWERS_TO_VEN
        assert type(message) in allowed, f"{host.name} asks for {message.message_type()}"
        if isinstance(message, DistributeEvent):
            assert message.response is None, "a pushed list answers nothing (rule 40)"
        if host.name != self._vtn:
            self._one_at_a_time(host, transmit, message, now)

    def _one_at_a_time(self, host: Host, transmit: Transmit, message: Payload, now: Now) -> None:
        """A VEN waits for the answer to one request before it sends the next."""
        out = self._out.setdefault(host.name, {})
        patient = {key: one for key, one in out.items() if key[0] == host.boots and one[1] > now.mono}
        registers = type(message) in SERVICES[Service.EI_REGISTER_PARTY]  # it makes what was under way void
        if patient and not registers:
            (waiting, _), *_ = patient.values()
            raise AssertionError(f"{message.message_type()} leaves while {waiting.message_type()} is unanswered")
        out.clear()
        out[host.boots, transmit.exchange] = (message, now.mono + transmit.timeout)

    def over(self, flight: Flight) -> None:
        """An exchange is over for the host that began it: the answer is there, or it knows that none will come."""
        self._out.get(flight.source.name, {}).pop((flight.boot, flight.exchange), None)
        if flight.answered and flight.refusal is None and isinstance(read_once(flight.body).message, Poll):
            answer = read_once(flight.answer).message if flight.answer else None
            self._last_poll[flight.source.name, flight.boot] = answer

    def has_asked_for_all(self, host: Host) -> None:
        """A VEN at rest has polled until there was nothing more (rule 500)."""
        answer = self._last_poll.get((host.name, host.boots))
        assert answer is None or isinstance(answer, Response), f"{host.name} rests after {answer.message_type()}"

    # --- answers -----------------------------------------------------------------------------------------------------

    def replied(self, host: Host, flight: Flight | None, reply: Reply, body: bytes) -> None:
        """A host answers a request."""
        answer = self.document(host, body) if body else None
        assert reply.refusal is None or answer is None, "a refusal of the transport holds no payload"
        if flight is None or reply.refusal is not None:
            return
        request = read_once(flight.body).message
        to_vtn = flight.source.name == self._vtn
        allowed = (ANSWERS_TO_VTN if to_vtn else ANSWERS_TO_VEN).get(type(request))
        found = None if answer is None else type(answer)
        response = getattr(answer, "response", None)
        refused = isinstance(answer, Response) and not answer.response.ok and isinstance(request, Response)
        assert allowed is None or found in allowed or refused, f"{request.message_type()} is answered by {answer}"
        if isinstance(response, EiResponse):
            assert response.request_id == _request_id(request), "the answer repeats the requestID (rules 40 and 303)"
        if isinstance(answer, DistributeEvent):
            assert response is not None, "a list that answers has an eiResponse (rule 40)"

    # --- every document ----------------------------------------------------------------------------------------------

    def document(self, host: Host, body: bytes) -> Payload:
        """Any document that a host puts on the wire."""
        document = read_once(body)
        broken = [one for one in check_document(document) if one.severity is Severity.ERROR]
        assert not broken, f"{host.name} sends {document.message.message_type()}: {broken[0]}"
        message = document.message
        if host.name != self._vtn:
            _look_at_ven_id(message)
        if isinstance(message, CreatedEvent):
            empty = message.response.request_id == ""
            assert not message.event_responses or empty, "the requestID of the block stays empty (rule 42)"
            assert message.event_responses or not message.response.ok, "success needs responses (rule 35)"
        if isinstance(message, DistributeEvent):
            assert message.request_id, "a list has a requestID (rule 41)"
            made = {one.event_descriptor.created_date_time for one in message.events}
            assert len(made) <= 1, "all events of a list were made at one time (rule 115)"
        return message


def _look_at_ven_id(message: Payload) -> None:
    """A VEN names itself wherever there is room for it (rule 508)."""
    if isinstance(message, CreatePartyRegistration):
        assert bool(message.registration_id) <= bool(message.ven_id), "a re-registration has both ids (rule 402)"
    elif not isinstance(message, QueryRegistration):
        assert getattr(message, "ven_id", None), f"{message.message_type()} lacks the venID (rule 508)"


def _request_id(request: Payload) -> str:
    own = getattr(request, "request_id", None)
    if own is not None:
        return str(own)
    response = getattr(request, "response", None)
    return response.request_id if isinstance(response, EiResponse) else ""
