"""A VTN and its VENs, on good days and on bad ones: some dialogues in the ordinary run, many in the long one."""

import pytest
from hypothesis import settings

from tests.pair.machine import Orderly, Pair, Reports, ReportsPair, Troubled

TestOrderly = Orderly.TestCase
TestOrderly.settings = settings(max_examples=15, stateful_step_count=30)

TestTroubled = Troubled.TestCase
TestTroubled.settings = settings(max_examples=15, stateful_step_count=30)

TestPair = Pair.TestCase
TestPair.settings = settings(max_examples=30, stateful_step_count=50)

TestReports = Reports.TestCase
TestReports.settings = settings(max_examples=10, stateful_step_count=15)

TestReportsPair = ReportsPair.TestCase
TestReportsPair.settings = settings(max_examples=8, stateful_step_count=25)


@pytest.mark.slow
class TestPairForLong(Pair.TestCase):
    """The same, for longer."""

    settings = settings(max_examples=300, stateful_step_count=80)


@pytest.mark.slow
class TestTroubledForLong(Troubled.TestCase):
    """The same, for longer."""

    settings = settings(max_examples=200, stateful_step_count=50)


@pytest.mark.slow
class TestReportsForLong(ReportsPair.TestCase):
    """The same, for longer."""

    settings = settings(max_examples=60, stateful_step_count=40)
