"""What a benchmark brings home: figures, each with its spread, what it is held against, and its budget."""

from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec


class WrongAnswer(Exception):
    """Something that was measured did not do its work, so its speed means nothing."""


class Budget(msgspec.Struct, frozen=True):
    """What a figure should be.

    :param limit: the bound.
    :param at_most: whether the figure should stay below the bound, or reach it.
    """

    limit: float
    at_most: bool

    def met(self, value: float) -> bool:
        """Whether a figure keeps the budget."""
        return value <= self.limit if self.at_most else value >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {number(self.limit)}"


def at_most(limit: float) -> Budget:
    """Make a budget for what should be small."""
    return Budget(limit, at_most=True)


def at_least(limit: float) -> Budget:
    """Make a budget for what should be large."""
    return Budget(limit, at_most=False)


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure.

    :param benchmark: the benchmark that it comes from.
    :param name: what was measured.
    :param against: what it is held against; empty for a figure that stands alone.
    :param unit: ``×`` for a ratio, else a unit.
    :param value: the median of the rounds; a ratio is taken in each round between neighbours.
    :param low: the lowest of the rounds.
    :param high: the highest.
    :param budget: what it should be, if there is a budget.
    :param met: whether it is.
    """

    benchmark: str
    name: str
    against: str = ""
    unit: str
    value: float
    low: float
    high: float
    budget: Budget | None = None
    met: bool | None = None


def figure(
    benchmark: str, name: str, unit: str, rounds: Sequence[float], *, against: str = "", budget: Budget | None = None
) -> Figure:
    """Make a figure of what the rounds gave."""
    value = median(rounds)
    return Figure(
        benchmark=benchmark,
        name=name,
        against=against,
        unit=unit,
        value=value,
        low=min(rounds),
        high=max(rounds),
        budget=budget,
        met=None if budget is None else budget.met(value),
    )


def ratio(
    benchmark: str,
    name: str,
    above: Sequence[float],
    below: Sequence[float],
    *,
    against: str,
    budget: Budget | None = None,
) -> Figure:
    """Make a figure of two series that were measured by turns, pair by pair."""
    pairs = [one / other for one, other in zip(above, below, strict=True)]
    return figure(benchmark, name, "×", pairs, against=against, budget=budget)


class Result(msgspec.Struct, kw_only=True):
    """What a benchmark found.

    :param figures: the figures.
    :param notes: what a reader has to know to understand them.
    """

    figures: list[Figure] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)


_SMALL: Final = 10


def number(value: float) -> str:
    """Write a number with as many digits as mean something."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value == int(value) or value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= _SMALL else f"{value:.2f}"
