"""Compressed answers.

Whatever the bytes and the coding, decompressing gives no more bytes than are taken, or raises BadCoding. Whatever the
Accept-Encoding header, what is sent is read the same under the coding that is named.
"""

import gzip
import zlib
from typing import Final

from fuzz.draws import Draws
from fuzz.target import Target
from oadr_http.compression import BadCoding, compressed, decompressed

_LONGEST: Final = 64 * 1024
_CODINGS: Final = ("gzip", "deflate", "x-gzip", "identity", "", " GZIP ", "br", "gzip, gzip")


def check(data: bytes) -> None:
    """Decompress an input, and compress it as a header made of it wants."""
    draws = Draws(data)
    coding = draws.choose(_CODINGS)
    content = draws.take(draws.left)
    try:
        plain = decompressed(content, coding, _LONGEST)
    except BadCoding:
        pass
    else:
        assert len(plain) <= max(_LONGEST, len(content))
    sent, chosen = compressed(content, content[:60])
    assert decompressed(sent, (chosen or b"").decode(), len(content)) == content


def _seeds() -> list[bytes]:
    bomb = b"\0" * 2_000_000
    raw = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    contents = [b"", b"<a/>", bomb]
    headers = [b"gzip;q=0.5, deflate;q=1", b"*", b"*;q=0", b"deflate", b"gzip;q=x, identity;q=0.1"]
    return [
        *(b"\0" + gzip.compress(one, mtime=0) for one in contents),
        *(b"\1" + zlib.compress(one) for one in contents),
        b"\1" + raw.compress(b"<a/>") + raw.flush(),
        *(b"\3" + one for one in headers),
    ]


TARGET: Final = Target(check=check, seeds=_seeds, modules=("oadr_http.compression",), longest=4096)
