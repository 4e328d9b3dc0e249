"""Who may ask whom for what, where, and what answers it (sections 8.1 to 8.6 and tables 2 and 5 of the profile).

The answer to a VTN's operation is the one thing that differs between pull and push: :data:`VTN_OPERATIONS` says which
answers a push VEN gives inline. Everything else is the same on every transport.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from oadr_core.messages import (
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
    Payload,
    Poll,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    RequestReregistration,
    Response,
    Service,
    UpdatedReport,
    UpdateReport,
)

SERVICE: Final[Mapping[type[Payload], Service]] = {
    QueryRegistration: Service.EI_REGISTER_PARTY,
    CreatePartyRegistration: Service.EI_REGISTER_PARTY,
    CreatedPartyRegistration: Service.EI_REGISTER_PARTY,
    CancelPartyRegistration: Service.EI_REGISTER_PARTY,
    CanceledPartyRegistration: Service.EI_REGISTER_PARTY,
    RequestReregistration: Service.EI_REGISTER_PARTY,
    Response: Service.EI_REGISTER_PARTY,  # posted only to answer oadrRequestReregistration
    RequestEvent: Service.EI_EVENT,
    DistributeEvent: Service.EI_EVENT,
    CreatedEvent: Service.EI_EVENT,
    RegisterReport: Service.EI_REPORT,
    RegisteredReport: Service.EI_REPORT,
    CreateReport: Service.EI_REPORT,
    CreatedReport: Service.EI_REPORT,
    UpdateReport: Service.EI_REPORT,
    UpdatedReport: Service.EI_REPORT,
    CancelReport: Service.EI_REPORT,
    CanceledReport: Service.EI_REPORT,
    CreateOpt: Service.EI_OPT,
    CreatedOpt: Service.EI_OPT,
    CancelOpt: Service.EI_OPT,
    CanceledOpt: Service.EI_OPT,
    Poll: Service.OADR_POLL,
}
"""The service that each payload belongs to; a request goes to the endpoint of that service (rule 511)."""

VEN_REQUESTS: Final[Mapping[type[Payload], type[Payload]]] = {
    QueryRegistration: CreatedPartyRegistration,
    CreatePartyRegistration: CreatedPartyRegistration,
    CancelPartyRegistration: CanceledPartyRegistration,
    CanceledPartyRegistration: Response,
    RequestEvent: DistributeEvent,
    CreatedEvent: Response,
    RegisterReport: RegisteredReport,
    RegisteredReport: Response,
    CreateReport: CreatedReport,
    CreatedReport: Response,
    UpdateReport: UpdatedReport,
    UpdatedReport: Response,
    CancelReport: CanceledReport,
    CanceledReport: Response,
    CreateOpt: CreatedOpt,
    CancelOpt: CanceledOpt,
    Poll: Response,
    Response: Response,
}
"""What a VEN may send as a request, and the payload that answers it, also where the answer is an error (rule 517)."""


@dataclass(frozen=True)
class Operation:
    """Something that a VTN asks of a VEN.

    :param answer: the payload that answers it.
    :param inline: whether a push VEN answers in the response to the request. Where it does not, the response is empty
        and the answer follows as a request of its own, as it always does in pull.
    :param urgent: whether it goes before what was queued earlier (decision D20).
    """

    answer: type[Payload]
    inline: bool = True
    urgent: bool = False


VTN_OPERATIONS: Final[Mapping[type[Payload], Operation]] = {
    DistributeEvent: Operation(CreatedEvent, inline=False),
    CreateReport: Operation(CreatedReport),
    CreatedReport: Operation(Response),  # answers requests that a push VEN made in oadrRegisteredReport (rule 344)
    RegisterReport: Operation(RegisteredReport),
    CancelReport: Operation(CanceledReport),
    UpdateReport: Operation(UpdatedReport),
    CancelPartyRegistration: Operation(CanceledPartyRegistration, urgent=True),
    RequestReregistration: Operation(Response, urgent=True),
}
"""What a VTN may ask of a VEN: pushed, or in the response to a poll (rules 51 and 500)."""

ANSWERS_TO_VTN: Final = frozenset(operation.answer for operation in VTN_OPERATIONS.values())
"""What a pull VEN may post as the answer to an operation of the VTN."""


def request_id_of(message: Payload) -> str:
    """The requestID that an answer has to repeat; empty where the request has none (rules 207 and 303).

    In a piggy-backed exchange, the one in the eiResponse of the payload that carried the request is repeated.
    """
    own = getattr(message, "request_id", None)
    if own is not None:
        return str(own)
    response = getattr(message, "response", None)
    return "" if response is None else str(response.request_id)
