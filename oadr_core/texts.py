"""Texts about what a peer said, as long as they need to be: a peer chooses how long its ids are, and how many."""

from collections.abc import Iterable, Sized
from itertools import islice
from typing import Final, Protocol

_MOST: Final = 8
"""How many things a text names; of the others it says how many they are."""

LONGEST: Final = 1000
"""Characters of a text that answers a peer, or stands in a line of the log."""

_LONGEST_PART: Final = 120
"""Characters of one of several things that a text names."""


class _Countable(Iterable[str], Sized, Protocol):
    """What can be counted and named."""


def shortened(text: str, longest: int = LONGEST) -> str:
    """Cut a text that is longer than it needs to be, and show that.

    :param text: the text.
    :param longest: how many characters are left at most.
    """
    return text if len(text) <= longest else text[: longest - 1] + "…"


def joined(texts: _Countable, separator: str = ", ", unsaid: int = 0) -> str:
    """Name several things, the first few of them.

    :param texts: what to name.
    :param separator: what stands between them.
    :param unsaid: how many more there are than are given.
    """
    said = [shortened(one, _LONGEST_PART) for one in islice(texts, _MOST)]
    more = len(texts) - len(said) + unsaid
    return separator.join(said) + (f" and {more} more" if more else "")
