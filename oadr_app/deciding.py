"""Whether a VEN takes part in an event, by what its configuration says."""

from collections.abc import Iterable

from oadr_app.config import Decision
from oadr_core import EiEvent, OptType


def opt_for(event: EiEvent, decisions: Iterable[Decision], otherwise: OptType) -> OptType:
    """Decide whether a VEN takes part in an event.

    :param event: the event.
    :param decisions: what the configuration says; the first that the event meets counts.
    :param otherwise: what counts where it meets none.
    """
    return next((one.opt for one in decisions if meets(event, one)), otherwise)


def meets(event: EiEvent, decision: Decision) -> bool:
    """Tell whether an event is one that a decision is about: all that it names has to be so."""
    descriptor = event.event_descriptor
    if decision.market_context not in (None, descriptor.market_context):
        return False
    if decision.test_event not in (None, descriptor.test_event not in (None, "", "false")):
        return False
    signals = [one for one in event.event_signals if decision.signal in (None, one.signal_name)]
    values = [interval.signal_value or 0.0 for one in signals for interval in one.intervals]
    return bool(signals) and (decision.at_least is None or max(values) >= decision.at_least)
