"""What a target is, and where targets are found."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Final

import fuzz.targets
from fuzz import mutations


@dataclass(frozen=True)
class Target:
    """Something that takes bytes from outside.

    :param check: takes an input, and raises whatever it likes where the contract is broken.
    :param seeds: makes the inputs to begin with, always the same ones; of our own messages alone.
    :param modules: the modules whose lines the floor counts.
    :param mutate: changes an input with a knowledge of its structure; the same series of random numbers makes the same
        change.
    :param longest: bytes that an input may have.
    :param runs: how many inputs the reach is measured with.
    """

    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    modules: tuple[str, ...]
    mutate: Callable[[bytes, Random], bytes] = mutations.of_bytes
    longest: int = 8192
    runs: int = 1000


NAMES: Final = tuple(sorted(one.name for one in pkgutil.iter_modules(fuzz.targets.__path__)))
"""The names of all targets."""


def find(name: str) -> Target:
    """Load a target.

    :param name: its name; with dots in it, that of a module elsewhere.
    :raises KeyError: there is none of the name.
    """
    if name not in NAMES and "." not in name:
        raise KeyError(name)
    target = importlib.import_module(name if "." in name else f"fuzz.targets.{name}").TARGET
    assert isinstance(target, Target)
    return target


def contract(name: str) -> str:
    """The first lines of a target."""
    text = importlib.import_module(f"fuzz.targets.{name}").__doc__
    assert text is not None
    return text.strip()
