"""The stateful test can fail: it finds each of these faults, every one a plausible mistake, in the cores it tests."""

from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.pair.faults import ven, vtn
from tests.pair.machine import Orderly, OutOfTime, Pair, Troubled

pytestmark = pytest.mark.slow

FAULTS: Final = {**vtn.FAULTS, **ven.FAULTS}

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


_WHERE: Final = (
    (Orderly, 30, 60),
    (OutOfTime, 30, 60),
    (Troubled, 30, 100),
    (Pair, 12, 300),
    (Pair, 25, 300),
    (Pair, 50, 300),
)
"""Where to search, in how many steps, and how often: most mistakes show on good days, and what goes wrong early in a
long dialogue is often put right later in it."""


@pytest.mark.parametrize("name", FAULTS)
def test_it_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[name](monkeypatch)
    with pytest.raises(Exception) as broken:  # noqa: PT011, PT012 - whatever a fault breaks
        for site, steps, examples in _WHERE:
            search = settings(_SEARCH, stateful_step_count=steps, max_examples=examples)
            run_state_machine_as_test(site, settings=search)
    assert not broken.errisinstance(_MISPLACED), f"the fault itself is broken: {broken.value!r}"
