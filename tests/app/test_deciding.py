"""A VEN takes part in events as its configuration says."""

import random
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from oadr_app.config import Decision
from oadr_app.deciding import opt_for
from oadr_app.event_file import event_of
from oadr_app.event_flags import NEW_EVENT, EventFlags, with_flags
from oadr_core import EiEvent, OptType

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
OUT: Final = OptType.OPT_OUT


def event(**flags: Any) -> EiEvent:
    """An event at the first level."""
    return event_of(with_flags(NEW_EVENT, EventFlags(**flags), NOW), random.Random(0), NOW)


@pytest.mark.parametrize(
    ("decision", "flags", "meets"),
    [
        (Decision(opt=OUT), {}, True),
        (Decision(opt=OUT, market_context="http://a"), {"market_context": "http://a"}, True),
        (Decision(opt=OUT, market_context="http://a"), {"market_context": "http://b"}, False),
        (Decision(opt=OUT, signal="SIMPLE"), {}, True),
        (Decision(opt=OUT, signal="LOAD_CONTROL"), {}, False),
        (Decision(opt=OUT, at_least=2.0), {"intervals": "30m=1,30m=2"}, True),
        (Decision(opt=OUT, at_least=2.0), {}, False),
        (Decision(opt=OUT, signal="LOAD_CONTROL", at_least=0.0), {"value": 3.0}, False),
        (Decision(opt=OUT, test_event=True), {"test": True}, True),
        (Decision(opt=OUT, test_event=True), {}, False),
        (Decision(opt=OUT, test_event=False), {}, True),
    ],
)
def test_a_decision_is_about_events_of_which_all_is_true(
    decision: Decision, flags: dict[str, Any], meets: bool
) -> None:
    assert opt_for(event(**flags), [decision], OptType.OPT_IN) is (OUT if meets else OptType.OPT_IN)


def test_the_first_decision_that_fits_counts() -> None:
    decisions = [Decision(opt=OptType.OPT_IN, at_least=3.0), Decision(opt=OUT)]
    assert opt_for(event(value=3.0), decisions, OptType.OPT_IN) is OptType.OPT_IN
    assert opt_for(event(value=2.0), decisions, OptType.OPT_IN) is OUT
