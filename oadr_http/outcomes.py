"""HTTP status codes and what they mean for an exchange, both ways (section 9.1.5 of the profile)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from oadr_core import Failure

_FAILURES: Final[Mapping[int, Failure]] = {
    HTTPStatus.UNAUTHORIZED: Failure.FORBIDDEN,
    HTTPStatus.FORBIDDEN: Failure.FORBIDDEN,
    HTTPStatus.NOT_FOUND: Failure.UNSUPPORTED,
    HTTPStatus.METHOD_NOT_ALLOWED: Failure.UNSUPPORTED,
    HTTPStatus.NOT_IMPLEMENTED: Failure.UNSUPPORTED,
    HTTPStatus.REQUEST_TIMEOUT: Failure.BUSY,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Failure.TOO_LARGE,
    HTTPStatus.TOO_MANY_REQUESTS: Failure.BUSY,
    HTTPStatus.BAD_GATEWAY: Failure.BUSY,
    HTTPStatus.SERVICE_UNAVAILABLE: Failure.BUSY,
    HTTPStatus.GATEWAY_TIMEOUT: Failure.BUSY,
}

_STATUSES: Final[Mapping[Failure, HTTPStatus]] = {
    Failure.NOT_ACCEPTABLE: HTTPStatus.NOT_ACCEPTABLE,
    Failure.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Failure.UNSUPPORTED: HTTPStatus.NOT_FOUND,
    Failure.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
}


def failure(status: int) -> Failure | None:
    """What a status means for the request it answers; None for success, which is any 2xx (decision D48).

    A 4xx that says nothing else is not worth a retry (decision D29), a 5xx that says nothing else is.
    """
    if 200 <= status < 300:
        return None
    known = _FAILURES.get(status)
    if known is not None:
        return known
    return Failure.PEER_ERROR if status >= 500 else Failure.NOT_ACCEPTABLE


def status(refusal: Failure | None) -> HTTPStatus:
    """The status that tells a peer how its request fared."""
    return HTTPStatus.OK if refusal is None else _STATUSES.get(refusal, HTTPStatus.INTERNAL_SERVER_ERROR)
