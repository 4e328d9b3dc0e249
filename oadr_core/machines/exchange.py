"""One request that we send: until it is answered or given up (sections 9.1.4 to 9.1.7 of the profile)."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from oadr_core.machines.table import Machine


class Failure(Enum):
    """Why an exchange brought no answer, whatever the transport; adapters translate into these.

    Values are what a person is told.
    """

    CUT_OFF = "we have no connection ourselves, and know nothing of the peer"
    UNREACHABLE = "the peer cannot be reached"
    BROKEN = "the connection broke before the answer came"
    SILENCE = "no answer came in time"
    BUSY = "the peer is overloaded or down for now"
    PEER_ERROR = "the peer failed while it handled the request"
    UNSUPPORTED = "the peer does not know the operation"
    NOT_ACCEPTABLE = "the peer finds the request malformed"
    FORBIDDEN = "the peer does not accept us"
    BAD_ANSWER = "the answer cannot be read or trusted"
    TOO_LARGE = "the message is larger than the peer takes, or the way to it carries"


class Remedy(Enum):
    """What a failure calls for (section 9.1.5 of the profile)."""

    RETRY_ALL = "wait, then go on with this request"
    """Nothing gets through at present: everything waits."""
    RETRY_THIS = "set this request aside for a while"
    """The peer is there: other requests go on."""
    GIVE_UP = "never send this request again"


REMEDY: Final[Mapping[Failure, Remedy]] = {
    Failure.CUT_OFF: Remedy.RETRY_ALL,
    Failure.UNREACHABLE: Remedy.RETRY_ALL,
    Failure.BROKEN: Remedy.RETRY_ALL,
    Failure.SILENCE: Remedy.RETRY_ALL,
    Failure.BUSY: Remedy.RETRY_ALL,
    Failure.PEER_ERROR: Remedy.RETRY_THIS,
    Failure.BAD_ANSWER: Remedy.RETRY_THIS,
    Failure.UNSUPPORTED: Remedy.GIVE_UP,
    Failure.NOT_ACCEPTABLE: Remedy.GIVE_UP,
    Failure.FORBIDDEN: Remedy.GIVE_UP,
    Failure.TOO_LARGE: Remedy.GIVE_UP,
}


class ExchangeState(Enum):
    """Where a request stands."""

    QUEUED = "waits for its turn"
    IN_FLIGHT = "is with the peer"
    SET_ASIDE = "failed, and waits to be sent again"
    ANSWERED = "is answered"
    ABANDONED = "is given up"


class ExchangeInput(Enum):
    """What can happen to a request."""

    TRANSMIT = "it is sent"
    ANSWER = "its answer comes"
    FAIL = "it fails in a way that a later try may mend"
    REFUSE = "it fails for good, or too often"
    RESUME = "the pause is over"
    WITHDRAW = "it is no longer wanted"


EXCHANGE: Final = Machine(
    name="Exchange",
    states=ExchangeState,
    inputs=ExchangeInput,
    initial=ExchangeState.QUEUED,
    table={
        (ExchangeState.QUEUED, ExchangeInput.TRANSMIT): ExchangeState.IN_FLIGHT,
        (ExchangeState.QUEUED, ExchangeInput.WITHDRAW): ExchangeState.ABANDONED,
        (ExchangeState.IN_FLIGHT, ExchangeInput.ANSWER): ExchangeState.ANSWERED,
        (ExchangeState.IN_FLIGHT, ExchangeInput.FAIL): ExchangeState.SET_ASIDE,
        (ExchangeState.IN_FLIGHT, ExchangeInput.REFUSE): ExchangeState.ABANDONED,
        (ExchangeState.IN_FLIGHT, ExchangeInput.WITHDRAW): ExchangeState.ABANDONED,
        (ExchangeState.SET_ASIDE, ExchangeInput.RESUME): ExchangeState.QUEUED,
        (ExchangeState.SET_ASIDE, ExchangeInput.WITHDRAW): ExchangeState.ABANDONED,
    },
    final=frozenset({ExchangeState.ANSWERED, ExchangeState.ABANDONED}),
)
