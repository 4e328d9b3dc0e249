"""What the head of a request must hold before its body is read, whichever server reads it (section 9.1.9)."""

from collections.abc import Iterable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Final

_ONLY_ONCE: Final = (b"content-length", b"content-type", b"host")
"""Headers that say different things to different readers where they are repeated."""

_MOST_DIGITS: Final = 19
"""Digits of a length at most, so that every reader can hold it; noughts in front count, as int() refuses thousands."""


class RepeatedHeader(Exception):
    """A header that may come once has come again."""


def add_header(headers: MutableMapping[bytes, bytes], name: bytes, value: bytes) -> None:
    """Take a header; a repeated one counts as a list.

    :param headers: those that came before, by their names in lower case.
    :raises RepeatedHeader: it may not be repeated.
    """
    name = name.lower()
    known = headers.get(name)
    if known is not None and name in _ONLY_ONCE:
        raise RepeatedHeader
    headers[name] = value if known is None else known + b", " + value


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Take all headers of a request.

    :raises RepeatedHeader: one that may not be repeated is.
    """
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        add_header(headers, bytes(name), bytes(value))
    return headers


def framing_fault(version: str, headers: Mapping[bytes, bytes]) -> HTTPStatus | None:
    """Find what forbids to look at a request at all: a body without an end that was announced, or no Host (rule 53).

    :param version: the version of HTTP, such as ``1.1``.
    :param headers: the headers by their names in lower case.
    :returns: the status that refuses it, or None.
    """
    if version == "1.1" and b"host" not in headers:
        return HTTPStatus.BAD_REQUEST
    if b"transfer-encoding" in headers:  # forbidden both ways (section 9.1.9.4 of the profile)
        return HTTPStatus.LENGTH_REQUIRED
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > _MOST_DIGITS:
        return HTTPStatus.BAD_REQUEST
    return None


def length_fault(headers: Mapping[bytes, bytes], longest: int) -> HTTPStatus | None:
    """Find what forbids to read the body of a request that is welcome otherwise.

    :param headers: the headers by their names in lower case.
    :param longest: bytes of a body that are taken.
    :returns: the status that refuses it, or None.
    """
    length = headers.get(b"content-length")
    if length is None:
        return HTTPStatus.LENGTH_REQUIRED
    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if int(length) > longest else None
