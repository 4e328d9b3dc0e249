"""Errors of stanzas and what they mean for an exchange, both ways (section 9.3.4.4.2, rule 517; RFC 6120, 8.3)."""

from collections.abc import Mapping
from typing import Final

from oadr_core import Failure

_FAILURES: Final[Mapping[str, Failure]] = {
    "bad-request": Failure.NOT_ACCEPTABLE,
    "not-acceptable": Failure.NOT_ACCEPTABLE,
    "forbidden": Failure.FORBIDDEN,
    "not-allowed": Failure.FORBIDDEN,
    "not-authorized": Failure.FORBIDDEN,
    "registration-required": Failure.FORBIDDEN,
    "subscription-required": Failure.FORBIDDEN,
    "feature-not-implemented": Failure.UNSUPPORTED,
    # nobody is there at present: a peer that is away, or a server that cannot find it, tells so in any of these ways
    "item-not-found": Failure.UNREACHABLE,
    "gone": Failure.UNREACHABLE,
    "recipient-unavailable": Failure.UNREACHABLE,
    "remote-server-not-found": Failure.UNREACHABLE,
    "remote-server-timeout": Failure.UNREACHABLE,
    "service-unavailable": Failure.UNREACHABLE,
    "resource-constraint": Failure.BUSY,
    "policy-violation": Failure.BUSY,
    "unexpected-request": Failure.BUSY,
    "conflict": Failure.PEER_ERROR,
    "internal-server-error": Failure.PEER_ERROR,
    "undefined-condition": Failure.PEER_ERROR,
}

_CONDITIONS: Final[Mapping[Failure, tuple[str, str]]] = {
    Failure.NOT_ACCEPTABLE: ("bad-request", "modify"),
    Failure.FORBIDDEN: ("forbidden", "auth"),
    Failure.UNSUPPORTED: ("feature-not-implemented", "cancel"),
    Failure.BUSY: ("resource-constraint", "wait"),
}


def failure(condition: str, kind: str) -> Failure:
    """What an error means for the request it answers.

    One that nobody knows is worth a retry if its kind says "wait", and else counts as a failure of the peer.

    :param condition: the condition that is defined, such as ``bad-request``.
    :param kind: the type of the error, such as ``modify``.
    """
    known = _FAILURES.get(condition)
    if known is not None:
        return known
    return Failure.BUSY if kind == "wait" else Failure.PEER_ERROR


def error(refusal: Failure) -> tuple[str, str]:
    """The condition and the type of error that tell a peer why its request is refused."""
    return _CONDITIONS.get(refusal, ("internal-server-error", "cancel"))
