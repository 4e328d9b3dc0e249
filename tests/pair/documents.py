"""Reading what is on the wire; many look at each document, and it is read once."""

from functools import lru_cache

from oadr_core import read
from oadr_core.wire.envelope import Document


@lru_cache(maxsize=512)
def read_once(body: bytes) -> Document:
    """Read a document."""
    return read(body)
