"""Where a driver keeps what a core wants saved."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class Store(Protocol):
    """Durable storage for blobs by key.

    ``oadr_app`` has one in a file and one in SQLite; a database of your own needs these two methods.
    """

    def load(self) -> Mapping[str, bytes]:
        """Read everything that was saved; called once, before the driver starts."""
        ...

    async def save(self, changes: Sequence[tuple[str, bytes | None]]) -> None:
        """Make changes durable, all or none of them.

        :param changes: keys with their new blobs, in order; None forgets a key.
        :raises OSError: it cannot be done at present; the driver will try again, and do nothing else meanwhile that
            depends on it.
        """
        ...


class MemoryStore:
    """Storage that lasts as long as the process."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def load(self) -> Mapping[str, bytes]:
        """Read everything that was saved."""
        return dict(self._blobs)

    async def save(self, changes: Sequence[tuple[str, bytes | None]]) -> None:
        """Take changes."""
        for key, blob in changes:
            if blob is None:
                self._blobs.pop(key, None)
            else:
                self._blobs[key] = blob
