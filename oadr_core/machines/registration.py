"""A VEN's registration with its VTN (section 8.4 of the profile, rules 400 to 407)."""

from enum import Enum
from typing import Final

from oadr_core.machines.table import Machine


class Registration(Enum):
    """Where a VEN stands with its VTN."""

    UNREGISTERED = "the VTN does not know us"
    REGISTERING = "we have asked to be registered"
    REGISTERED = "we are registered"
    REREGISTERING = "we have asked to be registered again, with our ids"
    CANCELLING = "we have asked to be forgotten"


class RegistrationInput(Enum):
    """What can happen to a registration."""

    SEND_CREATE = "oadrCreatePartyRegistration without ids is sent"
    SEND_CREATE_AGAIN = "oadrCreatePartyRegistration with our ids is sent"
    SEND_CANCEL = "oadrCancelPartyRegistration is sent"
    ACCEPTED = "oadrCreatedPartyRegistration accepts us"
    REFUSED = "the request is refused"
    GIVEN_UP = "the request cannot be delivered"
    CANCELED = "oadrCanceledPartyRegistration confirms the cancel"
    CANCELED_BY_VTN = "the VTN sends oadrCancelPartyRegistration"
    UNKNOWN_TO_VTN = "the VTN answers that it does not know us"


_STATE, _INPUT = Registration, RegistrationInput

REGISTRATION: Final = Machine(
    name="Registration (VEN)",
    states=Registration,
    inputs=RegistrationInput,
    initial=Registration.UNREGISTERED,
    table={
        (_STATE.UNREGISTERED, _INPUT.SEND_CREATE): _STATE.REGISTERING,
        # an answer of the VTN that was under way when the registration ended
        (_STATE.UNREGISTERED, _INPUT.UNKNOWN_TO_VTN): _STATE.UNREGISTERED,
        (_STATE.REGISTERING, _INPUT.ACCEPTED): _STATE.REGISTERED,
        (_STATE.REGISTERING, _INPUT.REFUSED): _STATE.UNREGISTERED,
        (_STATE.REGISTERING, _INPUT.GIVEN_UP): _STATE.UNREGISTERED,
        (_STATE.REGISTERING, _INPUT.UNKNOWN_TO_VTN): _STATE.REGISTERING,
        # a plain registration while registered begins all over (rule 406)
        (_STATE.REGISTERED, _INPUT.SEND_CREATE): _STATE.REGISTERING,
        (_STATE.REGISTERED, _INPUT.SEND_CREATE_AGAIN): _STATE.REREGISTERING,
        (_STATE.REGISTERED, _INPUT.SEND_CANCEL): _STATE.CANCELLING,
        (_STATE.REGISTERED, _INPUT.CANCELED_BY_VTN): _STATE.UNREGISTERED,
        (_STATE.REGISTERED, _INPUT.UNKNOWN_TO_VTN): _STATE.UNREGISTERED,
        (_STATE.REREGISTERING, _INPUT.ACCEPTED): _STATE.REGISTERED,
        (_STATE.REREGISTERING, _INPUT.REFUSED): _STATE.UNREGISTERED,
        (_STATE.REREGISTERING, _INPUT.GIVEN_UP): _STATE.REGISTERED,
        (_STATE.REREGISTERING, _INPUT.CANCELED_BY_VTN): _STATE.UNREGISTERED,
        (_STATE.REREGISTERING, _INPUT.UNKNOWN_TO_VTN): _STATE.UNREGISTERED,
        (_STATE.CANCELLING, _INPUT.CANCELED): _STATE.UNREGISTERED,
        (_STATE.CANCELLING, _INPUT.REFUSED): _STATE.REGISTERED,
        (_STATE.CANCELLING, _INPUT.GIVEN_UP): _STATE.REGISTERED,
        (_STATE.CANCELLING, _INPUT.CANCELED_BY_VTN): _STATE.UNREGISTERED,
        (_STATE.CANCELLING, _INPUT.UNKNOWN_TO_VTN): _STATE.UNREGISTERED,
    },
)
