"""Comparing URIs, by which market contexts are told apart (rule 512)."""

import re
from functools import lru_cache
from typing import Final

_UNRESERVED: Final = re.compile(r"%(2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")
_ESCAPE: Final = re.compile(r"%[0-9a-fA-F]{2}")
_PARTS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)(//[^/?#]*)?(.*)", re.DOTALL)


@lru_cache(maxsize=1024)
def normal_uri(uri: str) -> str:
    """Write a URI in its normal form: scheme and host in lower case, and nothing escaped that need not be."""
    plain = _UNRESERVED.sub(lambda found: chr(int(found[1], 16)), uri.strip())
    plain = _ESCAPE.sub(lambda found: found[0].upper(), plain)
    parts = _PARTS.fullmatch(plain)
    if parts is None:
        return plain
    scheme, authority, rest = parts[1].lower(), parts[2] or "", parts[3]
    user, at, host = authority.rpartition("@")
    if authority and not rest.startswith("/"):
        rest = f"/{rest}"
    return f"{scheme}{user}{at}{host.lower()}{rest}"


def same_uri(one: str, other: str) -> bool:
    """Compare URIs after the syntax-based normalisation of RFC 3986, section 6.2.2 (rule 512)."""
    return normal_uri(one) == normal_uri(other)
