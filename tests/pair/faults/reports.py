"""Mistakes that either side can make about reports."""

from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest

from oadr_core.auto import readings, report_making, reporter, sampling
from oadr_core.auto.reporter import Reporter
from oadr_core.auto.sampling import Schedule
from oadr_core.auto.serving import Serving
from oadr_core.machines.report import ReportAtSourceInput
from oadr_core.reports import Requester, Source
from oadr_core.reports import requester as requester_module
from oadr_core.reports import source as source_module
from oadr_core.ven.reports import ReportService
from oadr_core.vtn import reports as vtn_reports
from tests.pair.faults import Faults
from tests.pair.machine import Reports, ReportsPair, TroubledReports

fault: Final = Faults()

# --- the source: what it reads and tells -----------------------------------------------------------------------------


@fault(Reports)
def _the_order_is_reversed(patch: pytest.MonkeyPatch) -> None:
    """A report tells its newest reading first."""
    right = report_making.ordered
    patch.setattr(report_making, "ordered", lambda intervals: right(intervals)[::-1])


@fault(Reports)
def _failures_leave_nothing(patch: pytest.MonkeyPatch) -> None:
    """A reading that fails is left out of its report, without a placeholder."""
    right = report_making.ordered

    def wrong(intervals: Any) -> Any:
        all_of_them = list(intervals)
        values = [one for one in all_of_them if not (one.payloads[0].data_quality or "").startswith("Quality Bad")]
        return right(values or all_of_them)

    patch.setattr(report_making, "ordered", wrong)


@fault(Reports)
def _the_end_is_read_too(patch: pytest.MonkeyPatch) -> None:
    """A bounded request is told of readings beyond its end."""
    right = Schedule.is_over
    patch.setattr(Schedule, "is_over", lambda self, number: right(self, number if self.once else max(0, number - 2)))


@fault(Reports)
def _the_start_is_now(patch: pytest.MonkeyPatch) -> None:
    """A request that begins later is served at once."""
    right = sampling.schedule

    def wrong(accepted: Any, *given: Any, **named: Any) -> Schedule:
        plan = right(accepted, *given, **named)
        begin = accepted.accepted_at
        return msgspec.structs.replace(plan, start=begin) if plan.start > begin and plan.spacing else plan

    patch.setattr(reporter, "schedule", wrong)


@fault(Reports)
def _once_is_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A report that is asked for once is told again."""
    right = Reporter._make

    def wrong(self: Reporter, serving: Serving, complete: Any, now: Any) -> None:
        right(self, serving, complete, now)
        if serving.schedule.once:
            right(self, serving, complete, now)

    patch.setattr(Reporter, "_make", wrong)


@fault(Reports)
def _all_are_read_at_arrival(patch: pytest.MonkeyPatch) -> None:
    """Readings are told for the time at which they were made, off the boundaries."""
    right = Schedule.due
    patch.setattr(Schedule, "due", lambda self, number: right(self, number) + timedelta(seconds=number % 2))


@fault(Reports)
def _what_is_unchanged_is_told(patch: pytest.MonkeyPatch) -> None:
    """A report on change tells readings that show none."""
    patch.setattr(readings.Changes, "of", lambda self, r_id, taken: list(taken))


# --- the source: what is pending -------------------------------------------------------------------------------------


@fault(Reports)
def _one_is_not_pending(patch: pytest.MonkeyPatch) -> None:
    """A pending list leaves out the request that was taken last."""
    right = Source.pending.fget
    assert right is not None
    patch.setattr(Source, "pending", property(lambda self: right(self)[:-1]))


@fault(TroubledReports)  # where nothing else goes wrong, who asks soon cancels what goes on
def _metadata_end_nothing(patch: pytest.MonkeyPatch) -> None:
    """A source goes on with what it was asked for before its new metadata."""
    patch.setattr(Source, "replace", lambda self, wanted, offers: None)


@fault(Reports)
def _all_is_accepted(patch: pytest.MonkeyPatch) -> None:
    """A request that asks for more than was offered is accepted."""
    patch.setattr(source_module, "check_request", lambda request, offers, now: None)


@fault(Reports)
def _one_of_several_is_enough(patch: pytest.MonkeyPatch) -> None:
    """Of several requests in a payload the first is taken."""
    right = Source.create

    def wrong(self: Source, carrier: Any, requests: Any, *given: Any, **named: Any) -> Any:
        return right(self, carrier, requests[:1], *given, **named)

    patch.setattr(Source, "create", wrong)


@fault(Reports)
def _the_last_one_does_not_follow(patch: pytest.MonkeyPatch) -> None:
    """A cancel with a report to follow ends a request at once."""
    right = Source.cancel

    def wrong(self: Source, message: Any) -> list[str]:
        return right(self, msgspec.structs.replace(message, report_to_follow=False))

    patch.setattr(Source, "cancel", wrong)


@fault(Reports)
def _the_end_of_a_bounded_one_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A bounded request is pending after its last report."""
    right = Source.note_made

    def wrong(self: Source, request_id: str, *, made: bool = True, last: bool = False, until: Any = None) -> None:
        if made:
            right(self, request_id, made=made, last=False, until=until)

    patch.setattr(Source, "note_made", wrong)


# --- the source: what it keeps ---------------------------------------------------------------------------------------


@fault(Reports)
def _the_vtn_keeps_one_report(patch: pytest.MonkeyPatch) -> None:
    """A VTN replaces a report that waits for its VEN by the next, and does not tell."""
    right = vtn_reports._bound

    def wrong(turn: Any) -> None:
        waiting = [one for one in turn.ven().queue if type(one.message).__name__ == "UpdateReport"]
        turn.withdraw(lambda one: any(one is other for other in waiting[:-1]))
        right(turn)

    patch.setattr(vtn_reports, "_bound", wrong)


# --- who asks --------------------------------------------------------------------------------------------------------


@fault(Reports)
def _everybody_may_report(patch: pytest.MonkeyPatch) -> None:
    """Reports are taken that somebody else was asked for."""
    right = requester_module.wrong_with
    patch.setattr(
        requester_module,
        "wrong_with",
        lambda report, request, offer: None if request is None else right(report, request, offer),
    )


@fault(Reports)
def _offers_replace_nothing(patch: pytest.MonkeyPatch) -> None:
    """Who asks goes on waiting for what the new metadata of its peer have ended."""
    right = Requester.take_offers

    def wrong(self: Requester, *given: Any, **named: Any) -> set[str]:
        before = dict(self._requests)
        replaced = right(self, *given, **named)
        self._requests = before
        return replaced

    patch.setattr(Requester, "take_offers", wrong)


@fault(Reports)
def _the_last_report_is_none(patch: pytest.MonkeyPatch) -> None:
    """A cancel with a report to follow is confirmed, and nothing ends."""
    right = Source.move

    def wrong(self: Source, request_id: str, given: ReportAtSourceInput) -> bool:
        if given is ReportAtSourceInput.CANCEL_AFTER_NEXT:
            return request_id in self._accepted
        return right(self, request_id, given)

    patch.setattr(Source, "move", wrong)


@fault(Reports)
def _cancels_by_the_way_are_passed_over(patch: pytest.MonkeyPatch) -> None:
    """A cancel in the answer to a report is passed over."""
    patch.setattr(Source, "cancel_by_the_way", lambda self, sent, message: [])


@fault(ReportsPair)
def _deliveries_count_twice(patch: pytest.MonkeyPatch) -> None:
    """A delivery that comes again is taken again."""
    patch.setattr(Requester, "has_received", lambda self, key: False)


@fault(TroubledReports)
def _what_is_not_answered_is_said_once(patch: pytest.MonkeyPatch) -> None:
    """A VEN does not repeat after a restart what it had asked for, or cancelled, and was not answered."""
    patch.setattr(ReportService, "deliver_report_requests", lambda self, now: None)
