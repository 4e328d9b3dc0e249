"""Chance, as a core knows it: it is handed in.

The core draws ids, nonces and jitter from an :class:`Entropy` that the driver makes, so that a test can replay a run to
the last bit.
"""

from typing import Protocol


class Entropy(Protocol):
    """A source of randomness. ``random.SystemRandom()`` is one, and ``random.Random(seed)`` is one for tests."""

    def getrandbits(self, k: int, /) -> int:
        """Draw ``k`` random bits."""
        ...

    def uniform(self, a: float, b: float) -> float:
        """Draw a number between ``a`` and ``b``."""
        ...


def new_id(entropy: Entropy) -> str:
    """Make an identifier that nobody can guess: 128 random bits in hexadecimal."""
    return f"{entropy.getrandbits(128):032x}"


def jittered(entropy: Entropy, seconds: float, share: float = 0.1) -> float:
    """Vary a waiting time by a share both ways (section 9.1.7 of the profile: 10 %)."""
    return seconds * entropy.uniform(1 - share, 1 + share)
