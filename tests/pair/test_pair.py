"""A VTN and its VENs over a bad wire: some dialogues in the ordinary run, many in the long one."""

import pytest
from hypothesis import settings

from tests.pair.machine import Pair

TestPair = Pair.TestCase
TestPair.settings = settings(max_examples=40, stateful_step_count=40)


@pytest.mark.slow
class TestPairForLong(Pair.TestCase):
    """The same, for longer."""

    settings = settings(max_examples=500, stateful_step_count=80)
