"""Readings from VENs over HTTP into SQLite: how many in a second, at what cost, and in how much memory over a long run.

Sixteen VENs deliver reports to the VTN as a program, each the next one when the last is confirmed; and it is confirmed
when it is on the disk. Afterwards the file must hold exactly what was confirmed.
"""

import tempfile
from typing import Final

from bench.deliver import ReportingVen, deliver
from bench.figures import Result, WrongAnswer, at_most, figure
from bench.timing import Effort
from bench.worker import Worker, on_core, ours

_VENS: Final = 16
_SIZES: Final = (1, 60, 1440)
_SERVER_CORE: Final = 0
_LOAD_CORE: Final = 1
_STRETCHES: Final = 20
"""How often in a long run memory is looked at."""

_LONGEST: Final = 900.0
"""Seconds that a long run may take, however many readings were delivered then."""

_SETTLED: Final = 2
"""After how many of the stretches the memory has settled: buffers and caches are full then."""


def run(effort: Effort) -> Result:
    """Measure the way of readings into the file."""
    result = Result()
    with tempfile.TemporaryDirectory(prefix="oadr-bench-") as folder:
        with on_core(_SERVER_CORE):
            server = ours("bench.serve_readings", folder)
        with server, on_core(_LOAD_CORE):
            vens = [ReportingVen(server.greeting, f"ven_{number}") for number in range(_VENS)]
            confirmed = 0
            for size in _SIZES:
                confirmed += _rates(server, vens, size, effort, result)
            confirmed += _long_run(server, vens, effort, result)
            for ven in vens:
                ven.close()
            stored = server.ask("tell")["readings"]
            if stored != confirmed:
                raise WrongAnswer(f"readings: {confirmed} were confirmed, and {stored} are stored")
    return result


def _rates(server: Worker, vens: list[ReportingVen], size: int, effort: Effort, result: Result) -> int:
    """How many readings a second there are in reports of one size."""
    confirmed = deliver(vens, size, most=size * len(vens)).readings  # documents are made, and caches are filled
    rates, costs = [], []
    for _ in range(effort.load_rounds):
        before = server.ask("tell")["cpu"]
        delivered = deliver(vens, size, seconds=effort.load)
        confirmed += delivered.readings
        rates.append(delivered.readings / delivered.seconds)
        costs.append((server.ask("tell")["cpu"] - before) / delivered.readings * 1e6)
    what = f"stored, {size:,} {'reading' if size == 1 else 'readings'} a report"
    result.figures.append(figure("readings", what, "readings/s", rates))
    result.figures.append(figure("readings", what, "µs", costs, against="CPU of the VTN a reading"))
    return confirmed


def _long_run(server: Worker, vens: list[ReportingVen], effort: Effort, result: Result) -> int:
    """How memory and file grow."""
    size = _SIZES[-1]
    sizes, confirmed, seconds = [], 0, 0.0
    before = server.ask("tell")
    for _ in range(_STRETCHES):
        if seconds > _LONGEST:
            result.notes.append(f"readings: the long run was ended after {_LONGEST:.0f} seconds")
            break
        delivered = deliver(vens, size, most=effort.readings // _STRETCHES)
        confirmed += delivered.readings
        seconds += delivered.seconds
        sizes.append(server.ask("tell")["resident"] / 1e6)
    after = server.ask("tell")
    settled = sizes[_SETTLED - 1 :]
    what = f"a run of {confirmed:,} readings"
    result.figures += [
        figure("readings", what, "readings/s", [confirmed / seconds]),
        figure("readings", what, "MB", [settled[-1]], against="memory of the VTN at its end"),
        figure(
            "readings",
            what,
            "× of memory",
            [one / settled[0] for one in settled[1:]],
            against="when a tenth of it was done",
            budget=at_most(1.1),
        ),
        figure(
            "readings",
            what,
            "bytes/reading",
            [(after["file"] - before["file"]) / confirmed],
            against="growth of the file",
        ),
    ]
    told = ", ".join(f"{one:.0f}" for one in sizes)
    result.notes.append(f"readings: memory of the VTN in MB, after each twentieth of the run: {told}")
    return confirmed
