"""Asking a peer for the reports that the application wants, and handing what comes of them to it.

A VTN asks its VENs and a VEN its VTN alike. What differs is where requests are kept: a :class:`RequesterParty`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import msgspec

from oadr_core.auto.report_wishes import (
    ReportCallback,
    ReportRule,
    ReportWish,
    report_wish,
    report_wishes,
    reported_values,
    request_of,
    told_of,
    wishes_of,
)
from oadr_core.clock import Now
from oadr_core.decisions import EndReports
from oadr_core.entropy import Entropy, new_id
from oadr_core.errors import LocalProtocolError
from oadr_core.handlers import Handler, Handlers, arguments, by_name
from oadr_core.machines.report import ReportAtRequester
from oadr_core.messages import RegisterReport, Report, ReportRequest, UpdateReport
from oadr_core.offers import is_for_metadata, is_offered, is_once
from oadr_core.outputs import Call, CallId, HandlerFailed, Output
from oadr_core.reports import is_over
from oadr_core.rules import refuse
from oadr_core.state.reports import ReportsBlob

OFFERS: Final = "on_register_report"
"""What the core asks when a peer says what it can report."""

REPORTS: Final = "on_update_report"
"""What the core asks when a peer delivers reports."""


class RequesterParty(Protocol):
    """Where the requests for reports are kept."""

    def record(self, peer: str) -> ReportsBlob | None:
        """What is remembered of a peer."""
        ...

    def new_call(self) -> CallId:
        """Make the id of a call."""
        ...

    def ask(self, peer: str, requests: Sequence[ReportRequest], now: Now) -> None:
        """Ask a peer for reports.

        :raises LocalProtocolError: a request breaks a rule.
        """
        ...

    def call_returned(self, call: CallId, value: object, *, now: Now) -> None:
        """Answer a question of the core."""
        ...

    def call_raised(self, call: CallId, error: BaseException, *, now: Now) -> None:
        """Tell the core that its question cannot be answered."""
        ...


class _Gather:
    """Calls whose values are awaited together."""

    def __init__(self, finish: Callable[[dict[object, object], Now], None]) -> None:
        self.finish: Final = finish
        self.waiting: set[CallId] = set()
        self.values: dict[object, object] = {}
        self.failed = False


_Binding = tuple[str, str]
"""What a report callback of a peer is bound to: report request, data point."""


class Asker:
    """Asks for reports.

    :param party: keeps the requests.
    :param handlers: the application's handlers.
    :param emit: takes calls, and what has to be told.
    :param entropy: the source of ids.
    :param rules: what is asked for where no ``on_register_report`` handler says what is wanted.
    :param takes: the name of the handler that takes whole reports.
    :param renew: whether periodic reports that were asked for by hand are asked for again where new offers end them.
    """

    def __init__(
        self,
        party: RequesterParty,
        handlers: Handlers,
        emit: Callable[[Output], None],
        entropy: Entropy,
        rules: Sequence[ReportRule],
        takes: str,
        *,
        renew: bool = False,
    ) -> None:
        self._party = party
        self._handlers = handlers
        self._emit = emit
        self._entropy = entropy
        self._rules = tuple(rules)
        self._takes = takes
        self._renew = renew
        self._callbacks: dict[str, dict[_Binding, ReportCallback]] = {}  # by peer
        self._bound: set[str] = set()  # peers whose callbacks are known since the start of this run
        self._gathers: dict[CallId, tuple[_Gather, object]] = {}

    # --- calling handlers --------------------------------------------------------------------------------------------

    def take(self, call: Call, now: Now) -> bool:
        """Turn a question of the core into calls of the application's handlers, if it is about reports of a peer."""
        if call.handler == OFFERS:
            self._ask_which_reports(call, now)
        elif call.handler == REPORTS:
            self._route_reports(call, now)
        else:
            return False
        return True

    def owns(self, call: CallId) -> bool:
        """Whether a call is one of those."""
        return call in self._gathers

    def returned(self, call: CallId, value: object, now: Now) -> None:
        """Take what a handler or a callback returned."""
        gather, key = self._gathers.pop(call)
        gather.values[key] = value
        self._settle(gather, call, now)

    def raised(self, call: CallId, error: BaseException, now: Now) -> None:
        """Take note that a handler or a callback raised."""
        gather, key = self._gathers.pop(call)
        gather.failed = True
        self._emit(HandlerFailed(handler=str(key), error=f"raised {type(error).__name__}: {error}"))
        self._settle(gather, call, now)

    def _settle(self, gather: _Gather, call: CallId, now: Now) -> None:
        gather.waiting.discard(call)
        if not gather.waiting:
            gather.finish(gather.values, now)

    def _gather(self, outer: Call, finish: Callable[[dict[object, object], Now], None]) -> _Gather:
        """Await several calls for one question of the core."""
        gather = _Gather(lambda values, now: self._finish(outer, gather, finish, values, now))
        return gather

    def _finish(
        self,
        outer: Call,
        gather: _Gather,
        finish: Callable[[dict[object, object], Now], None],
        values: dict[object, object],
        now: Now,
    ) -> None:
        if gather.failed:
            self._party.call_raised(outer.call, LocalProtocolError("a handler failed"), now=now)
        else:
            finish(values, now)

    def _also_call(
        self, gather: _Gather, outer: Call, key: object, function: Handler, chosen: Mapping[str, object]
    ) -> None:
        call = self._party.new_call()
        gather.waiting.add(call)
        self._gathers[call] = (gather, key)
        self._emit(Call(call, outer.handler, chosen, outer.deadline, function))

    # --- which reports -----------------------------------------------------------------------------------------------

    def _ask_which_reports(self, call: Call, now: Now) -> None:
        """Ask the application which of the offers it wants, in the form that its handler has."""
        message, peer = call.arguments["message"], _peer(call)
        assert isinstance(message, RegisterReport)
        self._ask_about_offers(
            call,
            message.reports,
            lambda wishes, later: self._request_reports(call, peer, message.reports, wishes, later),
            now,
        )

    def _ask_about_offers(
        self,
        call: Call,
        offers: Sequence[Report],
        then: Callable[[Mapping[str, Sequence[ReportWish]], Now], None],
        now: Now,
    ) -> None:
        function = self._handlers.get(OFFERS)
        if function is None or not offers:
            then({one.report_specifier_id: wishes_of(self._rules, one) for one in offers}, now)
            return

        def finish(values: dict[object, object], later: Now) -> None:
            try:
                wishes = self._wishes(offers, values)
            except Exception as error:  # whatever a value of the application may raise when it is looked at
                self._party.call_raised(call.call, error, now=later)
            else:
                then(wishes, later)

        gather = self._gather(call, finish)
        ven_id = _ven_id(call)
        for offer in offers:
            if self._handlers.is_compact(OFFERS):
                for one in offer.report_descriptions:
                    told = told_of(ven_id, offer, one)
                    key = (offer.report_specifier_id, one.r_id)
                    self._also_call(gather, call, key, function, arguments(function, told))
            else:
                told = {"report": self._handlers.view(offer), "ven_id": ven_id}
                chosen = arguments(function, told)
                self._also_call(gather, call, (offer.report_specifier_id, None), function, chosen)
        if not gather.waiting:
            finish({}, now)

    def _wishes(self, offers: Sequence[Report], values: Mapping[object, object]) -> Mapping[str, Sequence[ReportWish]]:
        """Read what the handler said, whichever form it has."""
        wishes: dict[str, list[ReportWish]] = {}
        for offer in offers:
            known = {one.r_id for one in offer.report_descriptions}
            found = wishes.setdefault(offer.report_specifier_id, [])
            full = values.get((offer.report_specifier_id, None))
            if full is not None:
                found += report_wishes(full)
            for r_id in known:
                compact = values.get((offer.report_specifier_id, r_id))
                if compact is not None:
                    found.append(report_wish(compact, r_id))
            foreign = {one.r_id for one in found} - known
            if foreign:
                raise LocalProtocolError(f"{offer.report_specifier_id} has no rID {', '.join(sorted(foreign))}")
        return wishes

    def _request_reports(
        self,
        call: Call,
        peer: str,
        offers: Sequence[Report],
        wishes: Mapping[str, Sequence[ReportWish]],
        now: Now,
    ) -> None:
        """Make requests of wishes, and have their callbacks take what comes of them."""
        try:
            made = [
                (request, alike) for offer in offers for request, alike in self._requests_of(offer, wishes, now.utc)
            ]
        except LocalProtocolError as error:
            self._party.call_raised(call.call, error, now=now)
            return
        self.forget(peer)
        self._bind_known(peer, wishes)
        for request, alike in made:
            for one in alike:
                self._bind(peer, (request.report_request_id, one.r_id), one.callback)
        before = self._by_hand(peer, now) if self._renew else ()
        self._party.call_returned(call.call, [request for request, _ in made], now=now)
        self._ask_again(peer, before, offers, now)

    def _by_hand(self, peer: str, now: Now) -> Sequence[ReportRequest]:
        """The periodic reports that a peer was asked for by hand, and is still to deliver."""
        record = self._party.record(peer)
        return tuple(
            one.request
            for one in (() if record is None else record.requests)
            if one.state is ReportAtRequester.RUNNING
            and not (one.by_the_way or is_for_metadata(one.request) or is_once(one.request) or is_over(one, now.utc))
        )

    def _ask_again(self, peer: str, before: Sequence[ReportRequest], offers: Sequence[Report], now: Now) -> None:
        """Ask once more for what new offers have ended, as far as it is still offered (rule 306)."""
        record = self._party.record(peer)
        if record is None:
            return
        stands = {one.request_id for one in record.requests}
        for request in before:
            if request.report_request_id in stands or not is_offered(request, offers):
                continue
            again = msgspec.structs.replace(request, report_request_id=new_id(self._entropy))
            for (request_id, r_id), callback in list(self._callbacks.get(peer, {}).items()):
                if request_id == request.report_request_id:
                    self._bind(peer, (again.report_request_id, r_id), callback)
            self._party.ask(peer, [again], now)

    def _requests_of(
        self, offer: Report, wishes: Mapping[str, Sequence[ReportWish]], now: datetime
    ) -> Iterator[tuple[ReportRequest, Sequence[ReportWish]]]:
        """Make the requests about an offer: one for each rhythm, with the wishes that it stands for.

        :raises LocalProtocolError: a wish cannot be asked for; the text says which, and why.
        """
        wanted = wishes[offer.report_specifier_id]
        for rhythm in dict.fromkeys(one.rhythm for one in wanted):
            alike = [one for one in wanted if one.rhythm == rhythm]
            try:
                request = request_of(new_id(self._entropy), offer, alike, now)
                refuse(request)
            except LocalProtocolError as error:
                r_ids = ", ".join(one.r_id for one in alike)
                raise LocalProtocolError(
                    f"what is wanted of {r_ids} in {offer.report_specifier_id} cannot be asked for: {error}"
                ) from None
            yield request, alike

    def bind(self, peer: str, report_request_id: str, r_id: str, callback: ReportCallback) -> None:
        """Have a callback take the values of a data point that was asked for by hand."""
        self.forget(peer)  # else single requests would add up
        self._bind(peer, (report_request_id, r_id), callback)

    def attach(self, peer: str, report_request_id: str, callback: ReportCallback) -> None:
        """Have a callback take all data points of a request that was made before, as by an earlier run.

        :raises LocalProtocolError: there is no such request.
        """
        record = self._party.record(peer)
        known = () if record is None else (*record.former, *record.requests)
        found = next((one for one in reversed(known) if one.request_id == report_request_id), None)
        if found is None:
            raise LocalProtocolError(
                f"there is no report request {report_request_id!r}; callbacks are attached to those that were made"
            )
        for payload in found.request.report_specifier.specifier_payloads:
            self._bind(peer, (report_request_id, payload.r_id), callback)

    def _bind(self, peer: str, binding: _Binding, callback: ReportCallback | None) -> None:
        if callback is not None:
            self._callbacks.setdefault(peer, {})[binding] = by_name(callback)

    def _bind_known(self, peer: str, wishes: Mapping[str, Sequence[ReportWish]]) -> None:
        """Bind callbacks to requests that were made before this run; data for them may still be on their way."""
        self._bound.add(peer)
        record = self._party.record(peer)
        for requested in () if record is None else (*record.requests, *record.former):
            specifier = requested.request.report_specifier
            callbacks = {one.r_id: one.callback for one in wishes.get(specifier.report_specifier_id, ())}
            for payload in specifier.specifier_payloads:
                binding = (requested.request.report_request_id, payload.r_id)
                if binding not in self._callbacks.get(peer, {}):
                    self._bind(peer, binding, callbacks.get(payload.r_id))

    def forget(self, peer: str) -> None:
        """Forget callbacks of requests that have ended."""
        record = self._party.record(peer)
        known = set()
        if record is not None:
            known = {one.request_id for one in (*record.requests, *record.former)}
        else:
            self._bound.discard(peer)
        bound = self._callbacks.pop(peer, {})
        kept = {binding: callback for binding, callback in bound.items() if binding[0] in known}
        if kept:
            self._callbacks[peer] = kept

    # --- what comes of them ------------------------------------------------------------------------------------------

    def _route_reports(self, call: Call, now: Now) -> None:
        """Hand reports to their callbacks and to the handler; they are confirmed when all have taken them."""
        message, peer = call.arguments["message"], _peer(call)
        assert isinstance(message, UpdateReport)
        if peer not in self._bound and OFFERS in self._handlers:
            self._bind_again(call, peer, now)
            return
        gather = self._gather(call, lambda said, later: self._party.call_returned(call.call, _verdict(said), now=later))
        for report in message.reports:
            self._hand_over(gather, call, peer, report)
            function = self._handlers.get(self._takes)
            if function is not None:
                told = {"report": self._handlers.view(report), "ven_id": _ven_id(call)}
                self._also_call(gather, call, (self._takes, id(report)), function, arguments(function, told))
        if not gather.waiting:
            self._party.call_returned(call.call, None, now=now)

    def _hand_over(self, gather: _Gather, call: Call, peer: str, report: Report) -> None:
        """Hand the values of a report to the callbacks of their data points."""
        values = tuple(reported_values(report))
        for (request_id, r_id), callback in self._callbacks.get(peer, {}).items():
            if request_id != report.report_request_id:
                continue
            mine = [one for one in values if one.r_id in (r_id, "")]
            told = {
                "data": [(one.time, one.value) for one in mine if one.value is not None],
                "values": mine,
                "ven_id": _ven_id(call),
                "report_specifier_id": report.report_specifier_id,
                "report_request_id": request_id,
                "r_id": r_id,
                "report": self._handlers.view(report),
            }
            chosen = arguments(callback, told)
            if told["data"] or (mine and {"values", "report"} & set(chosen)):
                self._also_call(gather, call, f"report callback of {_ven_id(call)}/{r_id}", callback, chosen)

    def _bind_again(self, call: Call, peer: str, now: Now) -> None:
        """After a restart the callbacks are unknown: ask the application again, without asking the peer anything."""
        record = self._party.record(peer)
        offers = () if record is None else record.offered()

        def then(wishes: Mapping[str, Sequence[ReportWish]], later: Now) -> None:
            self._bind_known(peer, wishes)
            self._route_reports(call, later)

        self._ask_about_offers(call, offers, then, now)


def _peer(call: Call) -> str:
    """Who offers or delivers: a VEN, or the only VTN, which needs no name."""
    return str(call.arguments.get("ven_id") or "")


def _ven_id(call: Call) -> str:
    """The VEN of the two."""
    return str(call.arguments.get("ven_id") or getattr(call.arguments["message"], "ven_id", None) or "")


def _verdict(values: Mapping[object, object]) -> object:
    """What is said of the reports of a message: the first that is refused refuses all of them.

    What report callbacks return means nothing, save that no more is wanted.
    """
    said = [value for key, value in values.items() if isinstance(key, tuple) or isinstance(value, EndReports)]
    wrong = (one for one in said if one is not None and one is not True and not isinstance(one, EndReports))
    return next(wrong, next((one for one in said if isinstance(one, EndReports)), None))
