"""Compressed answers: choosing and making them, and reading them within bounds (section 9.1.9.2 of the profile)."""

import gzip
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Final

_WEIGHT: Final = re.compile(rb"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*")

_COMPRESS: Final[Mapping[bytes, Callable[[bytes], bytes]]] = {
    b"gzip": lambda content: gzip.compress(content, 1, mtime=0),
    b"deflate": lambda content: zlib.compress(content, 1),
}
"""The codings that are offered, the preferred first. The lowest level costs least, and XML is still a tenth."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS


class BadCoding(Exception):
    """Content that cannot be decompressed, or grows beyond bounds."""


def compressed(content: bytes, accepted: bytes) -> tuple[bytes, bytes | None]:
    """Compress an answer if the peer accepts that.

    :param content: the answer.
    :param accepted: the Accept-Encoding header of the request.
    :returns: what to send, and its Content-Encoding, or None.
    """
    if not accepted:
        return content, None
    weights = {name: weight for name, weight in map(_weighed, accepted.lower().split(b",")) if name}
    others = weights.get(b"*", 0.0)
    coding = max(_COMPRESS, key=lambda name: weights.get(name, others))  # of equal ones the first
    if weights.get(coding, others) > 0:
        return _COMPRESS[coding](content), coding
    return content, None


def _weighed(one: bytes) -> tuple[bytes, float]:
    """Read a coding and its weight; one whose weight cannot be read is better not used."""
    name, _, parameter = one.partition(b";")
    weight = _WEIGHT.fullmatch(parameter)
    if weight is None:
        return name.strip(), 0.0 if parameter.strip() else 1.0
    return name.strip(), min(float(weight[1]), 1.0)


def decompressed(content: bytes, coding: str, longest: int) -> bytes:
    """Decompress an answer.

    :param content: what came.
    :param coding: its Content-Encoding.
    :param longest: bytes that it may grow to.
    :raises BadCoding: the coding is not known, the content is damaged, or it grows longer.
    """
    coding = coding.strip().lower()
    if not content or coding in ("", "identity"):
        return content  # an empty success stays empty, whatever its headers say
    if coding in ("gzip", "x-gzip"):
        return _inflated(content, _GZIP, longest)
    if coding == "deflate":  # with a header, as it should be, or without, as some send it
        has_header = len(content) > 1 and content[0] & 0x0F == 8 and int.from_bytes(content[:2], "big") % 31 == 0
        return _inflated(content, zlib.MAX_WBITS if has_header else _RAW, longest)
    raise BadCoding(f"the content coding {coding!r} was not offered")


def _inflated(content: bytes, window: int, longest: int) -> bytes:
    machine = zlib.decompressobj(window)
    try:
        plain = machine.decompress(content, longest + 1)
    except zlib.error as error:
        raise BadCoding(str(error)) from None
    if len(plain) > longest:
        raise BadCoding(f"the content grows beyond {longest} bytes")
    if not machine.eof:
        raise BadCoding("the content ends too early")
    if machine.unused_data:
        raise BadCoding("the content goes on after its end")
    return plain
