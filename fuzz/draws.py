"""Decisions read from bytes, so that an engine that changes bytes changes decisions."""

from collections.abc import Sequence
from typing import Final, TypeVar

_T = TypeVar("_T")


class Draws:
    """Reads decisions from an input; behind its end every decision is the first one that there is.

    :param data: the input.
    :param ids: the ids to choose from, by the names of the fields that hold one.
    """

    def __init__(self, data: bytes, ids: dict[str, list[str]] | None = None) -> None:
        self._data: Final = data
        self._at = 0
        self.ids: Final[dict[str, list[str]]] = {} if ids is None else ids

    @property
    def left(self) -> int:
        """The bytes that were not read yet."""
        return max(0, len(self._data) - self._at)

    def byte(self) -> int:
        """Read a byte."""
        at = self._at
        self._at += 1
        return self._data[at] if at < len(self._data) else 0

    def take(self, length: int) -> bytes:
        """Read some bytes as they are; fewer at the end."""
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken

    def below(self, limit: int) -> int:
        """Read a number from zero to below a limit of 65536 at most."""
        return (self.byte() if limit <= 256 else self.byte() << 8 | self.byte()) % limit

    def flag(self) -> bool:
        """Read a yes or a no."""
        return bool(self.byte() & 1)

    def choose(self, options: Sequence[_T]) -> _T:
        """Choose one of several; there must be one."""
        return options[self.below(len(options))]

    def id(self, name: str) -> str:
        """Choose an id for a field; there must be one that is known."""
        return self.choose(self.ids[name])
