"""The stateful test can fail: it finds each of these faults, every one a plausible mistake, in the cores it tests."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from oadr_core import EventStatus, OptType, Save, Ven
from oadr_core.auto.outbox import Outbox
from oadr_core.auto.ven import AutoVen
from oadr_core.auto.vtn import AutoVtn
from oadr_core.machines import event as event_machine
from oadr_core.machines.event import EventAtVenInput, EventAtVtn
from oadr_core.sender import Sender
from oadr_core.ven import events as ven_events
from oadr_core.ven.event_list import EventList
from oadr_core.ven.opts import OptService
from oadr_core.vtn import Vtn, delivery, events, registration, reports
from tests.pair.machine import Pair

pytestmark = pytest.mark.slow

Fault = Callable[[pytest.MonkeyPatch], None]
FAULTS: Final[dict[str, Fault]] = {}

_MISPLACED: Final = (TypeError, AttributeError, NameError)
"""What a fault raises that does not fit the code any more. It would be found at once, and prove nothing."""


def fault(seed: Fault) -> Fault:
    """List a fault under what it says."""
    assert seed.__doc__ is not None
    FAULTS[seed.__doc__] = seed
    return seed


# --- the VTN ---------------------------------------------------------------------------------------------------------


@fault
def _telling_is_enough(patch: pytest.MonkeyPatch) -> None:
    """An event counts as delivered when it was handed out, though the response may be lost."""
    right = delivery.has_to_be_told

    def wrong(record: Any, standing: Any, now: Any, patience: Any) -> bool:
        told = standing is not None and standing.state is EventAtVtn.TOLD
        same = told and standing.modification_number == record.modification_number
        return not same and right(record, standing, now, patience)

    patch.setattr(delivery, "has_to_be_told", wrong)


@fault
def _changes_are_not_told(patch: pytest.MonkeyPatch) -> None:
    """An event that was answered once is not handed out again when it changes."""
    right = delivery.has_to_be_told

    def wrong(record: Any, standing: Any, now: Any, patience: Any) -> bool:
        return standing is None and right(record, standing, now, patience)

    patch.setattr(delivery, "has_to_be_told", wrong)


@fault
def _cancellations_end_unheard(patch: pytest.MonkeyPatch) -> None:
    """A cancelled event leaves the lists at once, instead of staying until it is acknowledged."""
    patch.setattr(events, "is_listed", _not_cancelled(events.is_listed))


@fault
def _opts_are_not_saved(patch: pytest.MonkeyPatch) -> None:
    """A VTN answers before it has saved what it answers about."""
    right = Vtn._apply

    def wrong(self: Vtn, before: Any, result: Any, now: Any) -> None:
        right(self, before, msgspec.structs.replace(result, durable=before is None), now)

    patch.setattr(Vtn, "_apply", wrong)


@fault
def _every_registration_is_new(patch: pytest.MonkeyPatch) -> None:
    """A registration that comes again, as its answer was lost, makes a new one."""
    count = iter(range(10**9))
    patch.setattr(registration, "digest", lambda message: str(next(count)))


@fault
def _repeated_offers_are_new(patch: pytest.MonkeyPatch) -> None:
    """Metadata that come again, as the answer was lost, make new report requests, and the VEN is told of the old."""
    count = iter(range(10**9))
    patch.setattr(reports, "digest", lambda message: str(next(count)))
    patch.setattr(reports, "move_requests", lambda turn, request_ids, given: None)


@fault
def _callbacks_are_lost(patch: pytest.MonkeyPatch) -> None:
    """A VTN that was started again confirms reports that it hands to nobody."""
    patch.setattr(AutoVtn, "_bind_known", lambda self, ven_id, wishes: self._bound.add(ven_id))


# --- the VEN ---------------------------------------------------------------------------------------------------------


@fault
def _no_implied_cancel(patch: pytest.MonkeyPatch) -> None:
    """An event that is left out of a list goes on."""
    right = ven_events.take_list
    patch.setattr(
        ven_events, "take_list", lambda known, message, now, *, complete: right(known, message, now, complete=False)
    )
    # otherwise the VEN would be told of the cancellation openly
    patch.setattr(events, "is_listed", _not_cancelled(events.is_listed))


def _not_cancelled(right: Callable[[Any, Any, Any], bool]) -> Callable[[Any, Any, Any], bool]:
    def wrong(record: Any, standing: Any, now: Any) -> bool:
        status = record.event.event_descriptor.event_status
        return status is not EventStatus.CANCELLED and right(record, standing, now)

    return wrong


@fault
def _modifications_are_ignored(patch: pytest.MonkeyPatch) -> None:
    """A higher modification number counts as the one that is known."""
    right = event_machine._relation

    def wrong(number: Any, listed: Any) -> EventAtVenInput:
        found = right(number, listed)
        return EventAtVenInput.SAME if found is EventAtVenInput.HIGHER else found

    patch.setattr(event_machine, "_relation", wrong)


@fault
def _decisions_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What the application has decided is not kept, so it is asked again."""
    patch.setattr(ven_events, "decided", lambda known, decision: known)


@fault
def _another_answer(patch: pytest.MonkeyPatch) -> None:
    """The VEN answers the opposite of what the application has decided."""
    right = EventList.respond

    def wrong(self: EventList, event: Any, decision: Any) -> None:
        other = OptType.OPT_OUT if decision.opt_type is OptType.OPT_IN else OptType.OPT_IN
        right(self, event, msgspec.structs.replace(decision, opt_type=other))

    patch.setattr(EventList, "respond", wrong)


@fault
def _silence_lasts(patch: pytest.MonkeyPatch) -> None:
    """A request that is never answered is waited for, for ever."""
    patch.setattr(Sender, "silent", lambda self, now: False)


@fault
def _reports_are_not_kept(patch: pytest.MonkeyPatch) -> None:
    """Reports that were made wait in memory alone, and a restart loses them."""
    right = Outbox.put

    def wrong(self: Outbox, report: Any) -> str:
        keep, self._emit = self._emit, lambda output: None
        try:
            return right(self, report)
        finally:
            self._emit = keep

    patch.setattr(Outbox, "put", wrong)


@fault
def _sent_is_delivered(patch: pytest.MonkeyPatch) -> None:
    """A report counts as delivered when it was sent."""
    right = Outbox.deliver

    def wrong(self: Outbox, key: str, now: Any) -> None:
        right(self, key, now)
        if key in self._unsent and self._unsent[key].request_id in self._sent:
            del self._sent[self._unsent.pop(key).request_id]
            self._emit(Save(key, None))

    patch.setattr(Outbox, "deliver", wrong)


@fault
def _lost_registrations_stay_lost(patch: pytest.MonkeyPatch) -> None:
    """A VEN that its VTN does not know any more goes on as if it were registered."""
    patch.setattr(Ven, "_unknown_to_vtn", lambda self, now: None)


@fault
def _the_end_is_the_end(patch: pytest.MonkeyPatch) -> None:
    """A VEN whose registration the VTN has cancelled never registers again."""
    right = AutoVen._wait

    def wrong(self: AutoVen, given: Any, pause: Any, now: Any) -> None:
        right(self, given, None, now)

    patch.setattr(AutoVen, "_wait", wrong)


@fault
def _opts_are_sent_for_ever(patch: pytest.MonkeyPatch) -> None:
    """An opt that the VTN has taken is sent again after every restart."""
    patch.setattr(OptService, "_forget_opt", lambda self, message, now: None)


_SEARCH: Final = settings(
    max_examples=500,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


@pytest.mark.parametrize("name", FAULTS)
def test_it_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[name](monkeypatch)
    with pytest.raises(Exception) as broken:  # noqa: PT011, PT012 - whatever a fault breaks
        for steps in (12, 25, 50):  # what goes wrong early in a long dialogue is often put right later in it
            run_state_machine_as_test(Pair, settings=settings(_SEARCH, stateful_step_count=steps))
    assert not broken.errisinstance(_MISPLACED), f"the fault itself is broken: {broken.value!r}"
