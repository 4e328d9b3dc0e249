"""A VTN and its VENs over a bad wire, and over a perfect one."""

import os

from hypothesis import settings

from tests.pair.machine import Pair

TestPair = Pair.TestCase
TestPair.settings = settings(max_examples=int(os.environ.get("OADR_PAIR_EXAMPLES", "60")), stateful_step_count=50)
