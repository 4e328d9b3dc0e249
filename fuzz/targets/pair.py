"""The stateful test of a VTN and its VENs back to back, with its decisions read from the input.

Whatever happens in the network, to the machines and by the wishes of people, what the test claims holds: nobody is
stuck, no report and no answer is lost, and once all is well both sides agree. An input that is too short for a
dialogue is passed over.
"""

from functools import partial
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis.stateful import get_state_machine_test

from fuzz import sessions
from fuzz.target import Target
from tests.pair.machine import Pair, ReportsPair

_SETTINGS: Final = settings(
    database=None, deadline=None, stateful_step_count=12, suppress_health_check=list(HealthCheck), print_blob=False
)


def _runner(machine: Any) -> Any:
    test: Any = get_state_machine_test(machine, settings=_SETTINGS)
    return test.hypothesis.fuzz_one_input


_RUNNERS: Final = (_runner(Pair), _runner(ReportsPair))


def check(data: bytes) -> None:
    """Run the dialogue that an input is: the first byte chooses the site."""
    _RUNNERS[data[0] % 2 if data else 0](data[1:])


TARGET: Final = Target(
    check=check,
    seeds=partial(sessions.seeds, 12, 3000),
    modules=(
        "oadr_core.vtn.core",
        "oadr_core.vtn.consequences",
        "oadr_core.vtn.event_service",
        "oadr_core.vtn.push_service",
        "oadr_core.ven.core",
        "oadr_core.auto.ven",
        "oadr_core.sender",
    ),
    longest=4096,
    runs=16,
)
