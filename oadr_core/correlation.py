"""Which message answers which, by what they say: for transports that do not tell (avob over XMPP, section 8.7)."""

from collections.abc import Mapping
from typing import Final

from oadr_core.answers import response_in
from oadr_core.machines.operations import SERVICE, VEN_REQUESTS, VTN_OPERATIONS, request_id_of
from oadr_core.messages import Payload, Response, Service
from oadr_core.rules.trace import Role


def _responses() -> Mapping[type[Payload], type[Payload]]:
    """What the response to a request holds, whoever asks; what is asked by both is answered the same way to both."""
    inline = {kind: one.answer for kind, one in VTN_OPERATIONS.items() if one.inline}
    return {kind: answer for kind, answer in {**VEN_REQUESTS, **inline}.items() if kind is not Response}


_RESPONSES: Final = _responses()


def expects_answer(request: Payload) -> bool:
    """Whether the response to a request holds a message.

    It holds none to oadrDistributeEvent, which is answered by a request of its own (section 8.4), and none to an
    oadrResponse that is sent as a request (decision D53).
    """
    return type(request) in _RESPONSES


def is_answer(message: Payload, request: Payload) -> bool:
    """Whether a message can be the answer to a request (rules 207 and 303, decision D14).

    It has to be of the kind that answers it, or an oadrResponse, and to repeat its requestID, or to repeat none.
    """
    kind = type(message)
    if not expects_answer(request) or kind not in (_RESPONSES[type(request)], Response):
        return False
    response = response_in(message)
    repeated = "" if response is None else response.request_id
    return repeated in ("", request_id_of(request))


def may_ask(role: Role, message: Payload) -> bool:
    """Whether a message that answers nothing can be a request of a VEN, or of a VTN.

    An oadrResponse never is: two who answer each other's oadrResponse would never end.
    """
    asked = VEN_REQUESTS if role is Role.VEN else VTN_OPERATIONS
    return type(message) in asked and not isinstance(message, Response)


def service_of(message: Payload) -> Service:
    """The service that a message belongs to (rule 511)."""
    return SERVICE[type(message)]
