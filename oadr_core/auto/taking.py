"""Taking what is due for a request, wherever it comes from: a callback, what was submitted, or a handler."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from oadr_core.auto.ahead import Ahead
from oadr_core.auto.callbacks import Asked, Callbacks
from oadr_core.auto.serving import Serving, Taking
from oadr_core.auto.source_party import SourceParty
from oadr_core.auto.submitted import Submitted
from oadr_core.build import Collection
from oadr_core.clock import Now
from oadr_core.outputs import HandlerFailed, Output

_MINUTE: Final = timedelta(minutes=1)


class Taker:
    """Takes samples and ranges; what is known at once is given to the request, and callbacks give theirs later.

    :param party: finds the handler that makes whole reports.
    :param callbacks: read data points.
    :param ahead: what was sampled ahead of requests.
    :param submitted: what the application has handed over.
    :param emit: takes what has to be told.
    """

    def __init__(
        self,
        party: SourceParty,
        callbacks: Callbacks,
        ahead: Ahead,
        submitted: Submitted,
        emit: Callable[[Output], None],
    ) -> None:
        self._party = party
        self._callbacks = callbacks
        self._ahead = ahead
        self._submitted = submitted
        self._emit = emit

    def take(self, serving: Serving, taking: Taking, now: Now) -> None:
        """Take what is due."""
        if taking.number is not None:
            self._take_sample(serving, taking, taking.number, now)
        else:
            self._take_ranges(serving, taking, now)

    def _take_sample(self, serving: Serving, taking: Taking, number: int, now: Now) -> None:
        """Take what each data point shows now."""
        plan = serving.schedule
        begin = plan.due(number)
        end = begin + (plan.lag or plan.spacing)
        for r_id in serving.sampled:
            known = self._ahead.latest((plan.report_specifier_id, r_id)) if plan.once and not plan.lag else None
            if known is not None:  # rule 337
                serving.give(taking, r_id, (known,))
                continue
            callback = serving.offer.points[r_id].callback
            assert callback is not None
            told = {"r_id": r_id, "due": begin, "date_from": begin, "date_to": end, "sampling_interval": plan.spacing}
            self._callbacks.call(Asked(serving.key, taking, (r_id,), serving.offer), callback, told, now)

    def _take_ranges(self, serving: Serving, taking: Taking, now: Now) -> None:
        """Take what each data point has shown over the time that a report is about."""
        plan, offer = serving.schedule, serving.offer
        begin, end = serving.history or plan.window(taking.report)
        if plan.once and serving.history is None:
            begin = end - max(offer.shortest(serving.ranged), _MINUTE)
        wanted = [r_id for r_id in serving.ranged if offer.points[r_id].collection is Collection.NEXT]
        if wanted:
            self._ask_for_report(serving, taking, tuple(wanted), begin, end, now)
        for r_id in serving.ranged:
            point = offer.points[r_id]
            if point.collection is Collection.SUBMIT:
                self._take_submitted(serving, taking, r_id, begin, end)
            elif point.callback is not None:
                told = {"date_from": begin, "date_to": end, "sampling_interval": plan.spacing, "r_id": r_id}
                self._callbacks.call(Asked(serving.key, taking, (r_id,), offer), point.callback, told, now)

    def _take_submitted(self, serving: Serving, taking: Taking, r_id: str, begin: datetime, end: datetime) -> None:
        plan, kept = serving.schedule, self._submitted
        data_point = plan.report_specifier_id, r_id
        is_latest = plan.once and serving.history is None
        found = kept.newest(data_point) if is_latest else kept.between(data_point, begin, end, plan.spacing)
        serving.give(taking, r_id, found)

    def _ask_for_report(
        self, serving: Serving, taking: Taking, r_ids: tuple[str, ...], begin: datetime, end: datetime, now: Now
    ) -> None:
        """Have the application make a report as a whole."""
        plan, (peer, request_id) = serving.schedule, serving.key
        told: dict[str, object] = {
            "ven_id": peer,
            "report_request_id": request_id,
            "report_specifier_id": plan.report_specifier_id,
            "r_ids": list(r_ids),
            "date_from": begin,
            "date_to": end,
            "sampling_interval": plan.spacing,
        }
        chosen = self._party.next_report(told)
        if chosen is None:
            self._emit(HandlerFailed(handler="next_report", error=f"there is none, for {', '.join(r_ids)}"))
            for r_id in r_ids:
                serving.give(taking, r_id, ())
            return
        self._callbacks.call(Asked(serving.key, taking, r_ids, serving.offer), chosen[0], chosen[1], now)
