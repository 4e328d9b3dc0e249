"""The stateful test can fail: it finds each of these faults, every one a plausible mistake, in the cores it tests."""

from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.pair.faults import reports, ven, vtn

pytestmark = pytest.mark.slow

FAULTS: Final = {**vtn.fault, **ven.fault, **reports.fault}

_MISPLACED: Final = (TypeError, AttributeError, NameError)
"""What a fault raises that does not fit the code any more. It would be found at once, and prove nothing."""

_SEARCH: Final = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


_SEARCHES: Final = ((12, 40), (30, 200), (50, 200))
"""How many steps, and how often; what goes wrong early in a long dialogue is often put right later in it."""


_MORE_SEEDS: Final = (1, 2, 3, 4, 5, 6)
"""Where the usual draws are out of luck, which is always so then: the same is searched with others.

Draws depend on what is imported, as Hypothesis takes constants from there; a fault must not be found by luck alone.
"""


@pytest.mark.parametrize("name", FAULTS)
def test_it_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS[name]
    fault.seed(monkeypatch)
    with pytest.raises(Exception) as broken:  # noqa: PT011, PT012 - whatever a fault breaks
        for steps, examples in _SEARCHES:
            search = settings(_SEARCH, stateful_step_count=steps, max_examples=examples)
            run_state_machine_as_test(fault.site, settings=search)
        for number in _MORE_SEEDS:
            site = seed(number)(type(fault.site.__name__, (fault.site,), {}))
            run_state_machine_as_test(site, settings=search)
    assert not broken.errisinstance(_MISPLACED), f"the fault itself is broken: {broken.value!r}"
