"""Versioned blobs: what a core has saved comes back as a value, or as a StateError, and never as anything else."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final, Self, TypeAlias

import msgspec

from oadr_core.errors import LocalProtocolError, StateError
from oadr_core.wire.verify import verify, verify_received

VERSION: Final = 1
"""The version of the blobs that this package writes. It reads all earlier ones; none was ever retyped."""

Instant: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""An instant in a blob; without a time zone it could be compared with no other."""


def _plain(value: object) -> object:
    """What an application's own kind of time stands for: the encoder knows the plain kinds alone."""
    if isinstance(value, timedelta):
        return timedelta(value.days, value.seconds, value.microseconds)
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.timetz())
    raise TypeError(f"no {type(value).__name__} can be saved")


def numbered(key: str, prefix: str) -> int:
    """Read the number in the key of a blob that is one of many.

    :raises StateError: there is none.
    """
    number = key.removeprefix(prefix)
    if not (number.isascii() and number.isdecimal()):
        raise StateError(f"the key {key!r} has no number after {prefix}")
    return int(number)


class _Versioned(msgspec.Struct):
    version: int = 0


class Blob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is saved as one versioned blob.

    :param version: the version of the blob.
    """

    version: int = 0

    def parts(self) -> Iterable[msgspec.Struct]:
        """The messages, and parts of messages, that it holds and that we made ourselves."""
        return ()

    def received(self) -> Iterable[msgspec.Struct]:
        """Those that a peer has made; what was read liberally could not be sent."""
        return ()

    def dump(self) -> bytes:
        """Write the blob."""
        return msgspec.json.encode(msgspec.structs.replace(self, version=VERSION), enc_hook=_plain)

    @classmethod
    def load(cls, blob: bytes) -> Self:
        """Read a blob of this version or an earlier one.

        :raises StateError: the blob is damaged, or was written by a later version.
        """
        try:
            version = msgspec.json.decode(blob, type=_Versioned).version
            if not 1 <= version <= VERSION:
                raise StateError(f"{cls.__name__}: the blob has version {version}; this package reads 1 to {VERSION}")
            state = msgspec.json.decode(blob, type=cls)
            for part in state.parts():
                verify(part)  # what could not be sent was never saved
            for part in state.received():
                verify_received(part)
        except (msgspec.MsgspecError, LocalProtocolError, UnicodeDecodeError, RecursionError) as error:
            raise StateError(f"{cls.__name__}: the blob is damaged: {error}") from None
        return state

    @classmethod
    def load_all(cls, saved: Mapping[str, bytes], prefix: str) -> Iterator[tuple[str, Self]]:
        """Read the blobs of one kind among all that was saved, in the order of their keys.

        :param saved: blobs by key.
        :param prefix: what the keys of this kind begin with.
        :raises StateError: one is damaged, or was written by a later version.
        """
        return ((key, cls.load(blob)) for key, blob in sorted(saved.items()) if key.startswith(prefix))
