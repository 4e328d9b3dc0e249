"""Lists of events, which a VTN hands to many VENs: what is made of one for all of them is made once."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from oadr_core.messages import Payload

_MadeT = TypeVar("_MadeT")

_MOST: Final = 16
"""What was made of so many messages is kept."""


class MadeOnce(Generic[_MadeT]):
    """Keeps what was made of the last messages.

    It is replaced as a whole, as it may be asked in several threads.
    """

    def __init__(self) -> None:
        self._kept: tuple[tuple[Payload, _MadeT], ...] = ()

    def __len__(self) -> int:
        """Of how many messages something is kept."""
        return len(self._kept)

    def of(self, message: Payload, make: Callable[[Payload], _MadeT]) -> _MadeT:
        """Find what was made of a message, of this very one, or make it.

        :param make: makes it.
        """
        for known, made in self._kept:
            if known is message:
                return made
        made = make(message)
        self._kept = ((message, made), *self._kept[: _MOST - 1])
        return made
