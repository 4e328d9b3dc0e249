"""A target whose code has a fault, so that it shows that an engine finds it."""

from typing import Final

from fuzz.target import Target
from oadr_core import decode


def check(data: bytes) -> None:
    """Break, for a document that says so."""
    try:
        message = decode(data, strict=False)
    except Exception:
        return
    if len(getattr(message, "ven_id", "")) > 1:
        raise RuntimeError("a fault that was put here")


TARGET: Final = Target(
    check=check,
    seeds=lambda: [b'<oadrPoll xmlns="http://openadr.org/oadr-2.0b/2012/07"><venID>A</venID></oadrPoll>'],
    modules=("oadr_core.wire.lenient",),
)
