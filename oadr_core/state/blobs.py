"""Versioned blobs: what a core has saved comes back as a value, or as a StateError, and never as anything else."""

from datetime import datetime
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec

from oadr_core.errors import LocalProtocolError, StateError
from oadr_core.wire.verify import verify

VERSION: Final = 1
"""The version of the blobs that this package writes. It reads all earlier ones; none was ever retyped."""

Instant: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""An instant in a blob; without a time zone it could be compared with no other."""

_StateT = TypeVar("_StateT", bound=msgspec.Struct)


class _Versioned(msgspec.Struct):
    version: int = 0


def load(cls: type[_StateT], blob: bytes, name: str) -> _StateT:
    """Read a versioned blob.

    :raises StateError: the blob is damaged, or was written by a later version.
    """
    try:
        version = msgspec.json.decode(blob, type=_Versioned).version
        if not 1 <= version <= VERSION:
            raise StateError(f"{name}: the blob has version {version}; this package reads 1 to {VERSION}")
        return msgspec.json.decode(blob, type=cls)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StateError(f"{name}: the blob is damaged: {error}") from None


def check_part(part: msgspec.Struct, name: str) -> None:
    """Check that a message part from a blob could be sent.

    :raises StateError: it could not.
    """
    try:
        verify(part)
    except LocalProtocolError as error:
        raise StateError(f"{name}: the blob is damaged: {error}") from None
