"""A VTN that runs by itself: it registers VENs, asks for the reports its application wants, and routes what comes.

It stands on a :class:`~oadr_core.vtn.Vtn` and has the same surface, so the same driver drives either.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from oadr_core.auto.report_wishes import (
    ReportCallback,
    ReportWish,
    report_wish,
    report_wishes,
    request_of,
    told_of,
    values_of,
)
from oadr_core.clock import Deadline, Now
from oadr_core.entropy import Entropy, new_id
from oadr_core.errors import LocalProtocolError
from oadr_core.handlers import Handler, Handlers, arguments, by_name, info
from oadr_core.machines.exchange import Failure
from oadr_core.messages import (
    CreatePartyRegistration,
    Payload,
    ProfileName,
    RegisterReport,
    Report,
    Service,
    UpdateReport,
)
from oadr_core.offers import data_name
from oadr_core.outputs import Call, CallId, ExchangeId, HandlerFailed, InboundId, Output, VenDeregistered
from oadr_core.rules import refuse
from oadr_core.seal import Peer, Sealer
from oadr_core.sender import SenderConfig
from oadr_core.vtn import Vtn, VtnConfig


class _Asks:
    """What the core asks: the application's handlers, and the two that are answered here."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    def __contains__(self, name: object) -> bool:
        return name in ("on_update_report", "on_register_report") or name in self._handlers


class VtnPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a VTN runs by itself.

    :param request_reports: whether reports are asked for where no ``on_register_report`` handler says which: all
        telemetry of usage, at the shortest sampling period that is offered, but not below ``shortest_sampling``.
    :param shortest_sampling: the spacing of readings at least, for ``request_reports``.
    :param reporting: how often to report, for ``request_reports``; None for every reading.
    :param missed_polls: after how many polls that did not come a VEN counts as offline.
    """

    request_reports: bool = False
    shortest_sampling: timedelta = timedelta(seconds=10)
    reporting: timedelta | None = None
    missed_polls: int = 3


class _Gather:
    """Calls whose values are awaited together."""

    def __init__(self, finish: Callable[[dict[object, object], Now], None]) -> None:
        self.finish: Final = finish
        self.waiting: set[CallId] = set()
        self.values: dict[object, object] = {}
        self.failed = False


_Binding = tuple[str, str]
"""What a report callback of a VEN is bound to: report request, data point."""


class AutoVtn:
    """The VTN that runs by itself.

    :param config: what it is.
    :param policy: how it runs.
    :param sealer: opens and seals documents.
    :param entropy: the source of ids and jitter.
    :param handlers: the application's handlers.
    :param saved: what an earlier run saved, by key.
    :param push: how patient it is with push VENs.
    :raises StateError: something in ``saved`` is damaged.
    """

    def __init__(
        self,
        config: VtnConfig,
        policy: VtnPolicy | None = None,
        *,
        sealer: Sealer,
        entropy: Entropy,
        handlers: Handlers,
        saved: Mapping[str, bytes] | None = None,
        push: SenderConfig | None = None,
    ) -> None:
        self.policy: Final = policy or VtnPolicy()
        self._handlers = handlers
        self.vtn: Final = Vtn(
            config,
            sealer=sealer,
            entropy=entropy,
            saved=saved,
            asks=_Asks(handlers),
            push=push,
            missed_polls=self.policy.missed_polls,
        )
        self._entropy = entropy
        self._callbacks: dict[str, dict[_Binding, ReportCallback]] = {}  # by VEN
        self._bound: set[str] = set()  # VENs whose callbacks are known since the start of this run
        self._gathers: dict[CallId, tuple[_Gather, object]] = {}
        self._outputs: deque[Output] = deque()

    def start(self, now: Now) -> None:
        """Begin, or go on after a restart."""
        self.vtn.start(now)

    # --- inputs ------------------------------------------------------------------------------------------------------

    def receive_request(
        self,
        body: bytes,
        *,
        peer: Peer,
        service: Service | None,
        now: Now,
        profile: ProfileName = ProfileName.V20B,
    ) -> InboundId:
        """Take a request of a VEN; see :class:`~oadr_core.core.Core`."""
        return self.vtn.receive_request(body, peer=peer, service=service, now=now, profile=profile)

    def receive_response(self, exchange: ExchangeId, body: bytes, *, now: Now) -> None:
        """Take the answer of a push VEN; see :class:`~oadr_core.core.Core`."""
        self.vtn.receive_response(exchange, body, now=now)

    def exchange_failed(self, exchange: ExchangeId, why: Failure, *, now: Now) -> None:
        """Take note that a push failed; see :class:`~oadr_core.core.Core`."""
        self.vtn.exchange_failed(exchange, why, now=now)

    def call_returned(self, call: CallId, value: object, *, now: Now) -> None:
        """Take what a handler or a callback returned; see :class:`~oadr_core.core.Core`."""
        if call in self._gathers:
            self._gathered(call, value, now)
        else:
            self.vtn.call_returned(call, value, now=now)

    def call_raised(self, call: CallId, error: BaseException, *, now: Now) -> None:
        """Take note that a handler or a callback raised; see :class:`~oadr_core.core.Core`."""
        if call in self._gathers:
            self._failed(call, f"raised {type(error).__name__}: {error}", now)
        else:
            self.vtn.call_raised(call, error, now=now)

    def handle_timeout(self, now: Now) -> None:
        """Do what is due; see :class:`~oadr_core.core.Core`."""
        self.vtn.handle_timeout(now)

    def next_output(self, now: Now) -> Output | None:
        """Take the next thing to do; see :class:`~oadr_core.core.Core`."""
        while True:
            if self._outputs:
                return self._outputs.popleft()
            output = self.vtn.next_output(now)
            if isinstance(output, VenDeregistered) and output.ven_id not in self.vtn.vens:
                self._forget(output.ven_id)
                self._bound.discard(output.ven_id)
            if not isinstance(output, Call):
                return output
            self._call(output, now)

    def next_timeout(self) -> Deadline | None:
        """Say when to call ``handle_timeout``; see :class:`~oadr_core.core.Core`."""
        return self.vtn.next_timeout()

    # --- calling handlers --------------------------------------------------------------------------------------------

    def _call(self, call: Call, now: Now) -> None:
        """Turn a question of the core into calls of the application's handlers."""
        if call.handler == "on_register_report":
            self._ask_which_reports(call, now)
        elif call.handler == "on_update_report":
            self._route_reports(call, now)
        else:
            chosen = self._handlers.arguments(call.handler, _told(call))
            function = self._handlers.get(call.handler)
            self._outputs.append(msgspec.structs.replace(call, arguments=chosen, function=function))

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
            self.vtn.call_raised(outer.call, LocalProtocolError("a handler failed"), now=now)
        else:
            finish(values, now)

    def _also_call(
        self, gather: _Gather, outer: Call, key: object, function: Handler, chosen: Mapping[str, object]
    ) -> None:
        call = self.vtn.new_call()
        gather.waiting.add(call)
        self._gathers[call] = (gather, key)
        self._outputs.append(Call(call, outer.handler, chosen, outer.deadline, function))

    def _gathered(self, call: CallId, value: object, now: Now) -> None:
        gather, key = self._gathers.pop(call)
        gather.values[key] = value
        self._settle(gather, call, now)

    def _failed(self, call: CallId, why: str, now: Now) -> None:
        gather, key = self._gathers.pop(call)
        gather.failed = True
        self._outputs.append(HandlerFailed(handler=str(key), error=why))
        self._settle(gather, call, now)

    def _settle(self, gather: _Gather, call: CallId, now: Now) -> None:
        gather.waiting.discard(call)
        if not gather.waiting:
            gather.finish(gather.values, now)

    # --- which reports -----------------------------------------------------------------------------------------------

    def _ask_which_reports(self, call: Call, now: Now) -> None:
        """Ask the application which of the offers it wants, in the form that its handler has."""
        message = call.arguments["message"]
        ven_id = str(call.arguments["ven_id"])
        assert isinstance(message, RegisterReport)
        self._ask_about_offers(
            call,
            ven_id,
            message.reports,
            lambda wishes, later: self._request_reports(call, ven_id, message.reports, wishes, later),
            now,
        )

    def _ask_about_offers(
        self,
        call: Call,
        ven_id: str,
        offers: Sequence[Report],
        then: Callable[[Mapping[str, Sequence[ReportWish]], Now], None],
        now: Now,
    ) -> None:
        name = "on_register_report"
        function = self._handlers.get(name)
        if function is None or not offers:
            then({one.report_specifier_id: self._default_wishes(one) for one in offers}, now)
            return

        def finish(values: dict[object, object], later: Now) -> None:
            try:
                wishes = self._wishes(offers, values)
            except Exception as error:  # whatever a value of the application may raise when it is looked at
                self.vtn.call_raised(call.call, error, now=later)
            else:
                then(wishes, later)

        gather = self._gather(call, finish)
        for offer in offers:
            if self._handlers.is_compact(name):
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

    def _default_wishes(self, offer: Report) -> list[ReportWish]:
        if not self.policy.request_reports or data_name(offer.report_name) != "TELEMETRY_USAGE":
            return []
        wishes = []
        for one in offer.report_descriptions:
            rate = one.sampling_rate
            if rate is not None and isinstance(rate.min_period, timedelta) and isinstance(rate.max_period, timedelta):
                spacing = min(max(rate.min_period, self.policy.shortest_sampling), rate.max_period or rate.min_period)
                wishes.append(ReportWish(r_id=one.r_id, sampling=spacing, reporting=self.policy.reporting))
        return wishes

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
        ven_id: str,
        offers: Sequence[Report],
        wishes: Mapping[str, Sequence[ReportWish]],
        now: Now,
    ) -> None:
        """Make requests of wishes: one for each rhythm of each offer."""
        self._forget(ven_id)
        self._bind_known(ven_id, wishes)
        requests = []
        for offer in offers:
            for rhythm in dict.fromkeys((one.sampling, one.reporting) for one in wishes[offer.report_specifier_id]):
                alike = [one for one in wishes[offer.report_specifier_id] if (one.sampling, one.reporting) == rhythm]
                request = request_of(new_id(self._entropy), offer, alike, now.utc)
                refuse(request)
                requests.append(request)
                for one in alike:
                    self._bind(ven_id, (request.report_request_id, one.r_id), one.callback)
        self.vtn.call_returned(call.call, requests, now=now)

    def _bind(self, ven_id: str, binding: _Binding, callback: ReportCallback | None) -> None:
        if callback is not None:
            self._callbacks.setdefault(ven_id, {})[binding] = by_name(callback)

    def _bind_known(self, ven_id: str, wishes: Mapping[str, Sequence[ReportWish]]) -> None:
        """Bind callbacks to requests that were made before this run; data for them may still be on their way."""
        self._bound.add(ven_id)
        record = self.vtn.vens.get(ven_id)
        for requested in () if record is None else (*record.requests, *record.former):
            specifier = requested.request.report_specifier
            callbacks = {one.r_id: one.callback for one in wishes.get(specifier.report_specifier_id, ())}
            for payload in specifier.specifier_payloads:
                binding = (requested.request.report_request_id, payload.r_id)
                if binding not in self._callbacks.get(ven_id, {}):
                    self._bind(ven_id, binding, callbacks.get(payload.r_id))

    def _forget(self, ven_id: str) -> None:
        """Forget callbacks of requests that have ended."""
        record = self.vtn.vens.get(ven_id)
        known = set()
        if record is not None:
            known = {one.request.report_request_id for one in (*record.requests, *record.former)}
        bound = self._callbacks.pop(ven_id, {})
        kept = {binding: callback for binding, callback in bound.items() if binding[0] in known}
        if kept:
            self._callbacks[ven_id] = kept

    # --- what comes of them ------------------------------------------------------------------------------------------

    def _route_reports(self, call: Call, now: Now) -> None:
        """Hand reports to their callbacks and to ``on_update_report``; they are confirmed when all have taken them."""
        message = call.arguments["message"]
        ven_id = str(call.arguments["ven_id"])
        assert isinstance(message, UpdateReport)
        if ven_id not in self._bound and "on_register_report" in self._handlers:
            self._bind_again(call, ven_id, message, now)
            return
        gather = self._gather(call, lambda said, later: self.vtn.call_returned(call.call, _verdict(said), now=later))
        for report in message.reports:
            for r_id, values in values_of(report).items():
                callback = self._callbacks.get(ven_id, {}).get((report.report_request_id, r_id))
                if callback is not None:
                    chosen = arguments(callback, {"data": values})
                    self._also_call(gather, call, f"report callback of {ven_id}/{r_id}", callback, chosen)
            function = self._handlers.get("on_update_report")
            if function is not None:
                told = {"report": self._handlers.view(report), "ven_id": ven_id}
                self._also_call(gather, call, ("on_update_report", id(report)), function, arguments(function, told))
        if not gather.waiting:
            self.vtn.call_returned(call.call, None, now=now)

    def _bind_again(self, call: Call, ven_id: str, message: UpdateReport, now: Now) -> None:
        """After a restart the callbacks are unknown: ask the application again, without asking the VEN anything."""
        record = self.vtn.vens.get(ven_id)
        offers = () if record is None else record.offered()

        def then(wishes: Mapping[str, Sequence[ReportWish]], later: Now) -> None:
            self._bind_known(ven_id, wishes)
            self._route_reports(call, later)

        self._ask_about_offers(call, ven_id, offers, then, now)


def _verdict(values: Mapping[object, object]) -> object:
    """What ``on_update_report`` says of the reports of a message: the first that it refuses refuses all of them.

    What report callbacks return means nothing.
    """
    said = (value for key, value in values.items() if isinstance(key, tuple) and key[0] == "on_update_report")
    return next((value for value in said if value is not None and value is not True), None)


def _told(call: Call) -> dict[str, object]:
    """What a handler is told, by the names it may ask for."""
    message = call.arguments.get("message")
    if call.handler == "on_create_party_registration":
        assert isinstance(message, CreatePartyRegistration)
        identity = call.arguments.get("identity")
        fingerprint = None if identity is None else str(identity)
        return {"registration_info": info(message, fingerprint), "fingerprint": fingerprint}
    if message is None:
        return dict(call.arguments)
    assert isinstance(message, Payload)
    ven_id = call.arguments.get("ven_id") or getattr(message, "ven_id", None)
    return {"payload": message, "ven_id": ven_id}
