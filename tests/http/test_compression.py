"""Compressed answers are read within bounds, whoever made them."""

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_http.compression import BadCoding, compressed, decompressed

_BOUND = 10_000


@given(st.binary(max_size=_BOUND), st.sampled_from([b"gzip", b"deflate", b"gzip, deflate", b"identity", b"br"]))
def test_what_is_compressed_can_be_read(content: bytes, accepted: bytes) -> None:
    sent, coding = compressed(content, accepted)
    assert decompressed(sent, (coding or b"").decode(), _BOUND) == content


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", " gzip "])
def test_gzip_has_several_names(coding: str) -> None:
    assert decompressed(gzip.compress(b"<m/>"), coding, _BOUND) == b"<m/>"


@pytest.mark.parametrize("window", [zlib.MAX_WBITS, -zlib.MAX_WBITS], ids=["with a header", "raw"])
def test_deflate_comes_with_and_without_a_header(window: int) -> None:
    machine = zlib.compressobj(wbits=window)
    content = machine.compress(b"<m/>" * 10) + machine.flush()
    assert decompressed(content, "deflate", _BOUND) == b"<m/>" * 10


@pytest.mark.parametrize("coding", ["", "identity", "gzip", "deflate", "br"])
def test_nothing_stays_nothing_whatever_its_coding(coding: str) -> None:
    assert decompressed(b"", coding, _BOUND) == b""


@pytest.mark.parametrize("length", [_BOUND, _BOUND - 1])
@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_content_may_grow_up_to_the_bound(compress: object, length: int) -> None:
    coding = "gzip" if compress is gzip.compress else "deflate"
    assert len(decompressed(compress(b"x" * length), coding, _BOUND)) == length  # type: ignore[operator]


@pytest.mark.parametrize(
    ("content", "coding"),
    [
        (gzip.compress(b"x" * (_BOUND + 1)), "gzip"),
        (gzip.compress(bytes(50_000_000)), "gzip"),
        (zlib.compress(bytes(50_000_000)), "deflate"),
        (gzip.compress(b"<m/>")[:-1], "gzip"),
        (gzip.compress(b"<m/>")[:-8] + b"12345678", "gzip"),
        (gzip.compress(b"<m/>") + gzip.compress(b"<n/>"), "gzip"),
        (gzip.compress(b"<m/>") + b"\0", "gzip"),
        (b"<m/>", "gzip"),
        (b"<m/>", "deflate"),
        (b"x", "deflate"),
        (zlib.compress(b"<m/>"), "gzip"),
        (b"<m/>", "br"),
        (gzip.compress(gzip.compress(b"<m/>")), "gzip, gzip"),
    ],
    ids=[
        "one byte beyond the bound",
        "a bomb",
        "another bomb",
        "cut off",
        "a wrong sum",
        "two in one",
        "a tail",
        "not gzip",
        "not deflate",
        "a single byte",
        "deflate called gzip",
        "a coding that was not offered",
        "twice",
    ],
)
def test_what_is_damaged_or_grows_without_bound_is_refused(content: bytes, coding: str) -> None:
    with pytest.raises(BadCoding):
        decompressed(content, coding, _BOUND)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_no_bytes_break_the_reader(content: bytes, coding: str) -> None:
    with suppress(BadCoding):
        assert len(decompressed(content, coding, 100)) <= 100
