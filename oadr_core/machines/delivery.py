"""What a VTN has for a VEN: until the VEN has answered it (section 8.6 and annex C of the profile, rule 500).

Handing something out proves nothing, as the response may be lost on its way. Only the answer does.
"""

from enum import Enum
from typing import Final

from oadr_core.machines.table import Machine


class Delivery(Enum):
    """Where an operation for a VEN stands."""

    QUEUED = "waits to be handed out"
    OFFERED = "was handed out, and its answer is awaited"
    ANSWERED = "was answered"
    WITHDRAWN = "is no longer wanted"


class DeliveryInput(Enum):
    """What can happen to an operation."""

    OFFER = "it is pushed, or answers a poll"
    ANSWER = "its answer comes"
    EXPIRE = "no answer came in time, or the push failed"
    WITHDRAW = "it is taken back, or the registration ends"


DELIVERY: Final = Machine(
    name="Operation (VTN)",
    states=Delivery,
    inputs=DeliveryInput,
    initial=Delivery.QUEUED,
    table={
        (Delivery.QUEUED, DeliveryInput.OFFER): Delivery.OFFERED,
        # an answer that comes after its time is an answer all the same
        (Delivery.QUEUED, DeliveryInput.ANSWER): Delivery.ANSWERED,
        (Delivery.QUEUED, DeliveryInput.WITHDRAW): Delivery.WITHDRAWN,
        (Delivery.OFFERED, DeliveryInput.ANSWER): Delivery.ANSWERED,
        (Delivery.OFFERED, DeliveryInput.EXPIRE): Delivery.QUEUED,
        (Delivery.OFFERED, DeliveryInput.WITHDRAW): Delivery.WITHDRAWN,
    },
    final=frozenset({Delivery.ANSWERED, Delivery.WITHDRAWN}),
)
