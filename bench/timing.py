"""Measuring by turns: A B A B, in CPU time, so that what else the machine does disturbs all of them alike."""

from collections.abc import Callable, Mapping
from time import process_time

import msgspec

Sample = Callable[[int], float]
"""Does a piece of work a number of times, and returns the seconds of CPU that it took altogether."""


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How thoroughly to measure.

    :param rounds: how often the turns go round.
    :param sample: seconds of CPU that a turn takes at least.
    :param load_rounds: how often the turns go round where servers are under load.
    :param load: seconds that a server is under load in a turn.
    :param vens: how many VENs are registered to measure their memory.
    :param readings: how many readings are delivered in a long run.
    """

    rounds: int
    sample: float
    load_rounds: int
    load: float
    vens: int
    readings: int


QUICK = Effort(rounds=5, sample=0.01, load_rounds=3, load=1.5, vens=5_000, readings=500_000)
FULL = Effort(rounds=15, sample=0.05, load_rounds=7, load=4.0, vens=100_000, readings=10_000_000)


def here(work: Callable[[], object]) -> Sample:
    """Measure work in this process. Garbage is collected as ever: those who use the code pay for that as well."""

    def sample(times: int) -> float:
        began = process_time()
        for _ in range(times):
            work()
        return process_time() - began

    return sample


def by_turns(samples: Mapping[str, Sample], effort: Effort) -> dict[str, list[float]]:
    """Measure several pieces of work by turns.

    :param samples: the work, by name.
    :param effort: how thoroughly.
    :returns: seconds for each time the work is done, round by round, by name.
    """
    times = {name: _enough(sample, effort.sample) for name, sample in samples.items()}
    series: dict[str, list[float]] = {name: [] for name in samples}
    for _ in range(effort.rounds):
        for name, sample in samples.items():
            series[name].append(sample(times[name]) / times[name])
    return series


def _enough(sample: Sample, seconds: float) -> int:
    """Find out how often work has to be done to take so long; warms it up as well."""
    times = 1
    while True:
        took = sample(times)
        if took >= seconds:
            return times
        times *= 10 if took < seconds / 20 else 2
