"""A VTN that runs by itself: it registers VENs, asks for the reports its application wants, and routes what comes.

It stands on a :class:`~oadr_core.vtn.Vtn` and has the same surface, so the same driver drives either.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from oadr_core.auto.asker import OFFERS, REPORTS, Asker
from oadr_core.auto.report_wishes import ReportCallback, ReportRule
from oadr_core.auto.reporter import Reporter
from oadr_core.auto.serving import Key
from oadr_core.build import DataPoint
from oadr_core.clock import Deadline, Now
from oadr_core.entropy import Entropy
from oadr_core.handlers import Handler, Handlers, info
from oadr_core.machines.exchange import Failure
from oadr_core.messages import (
    CreatePartyRegistration,
    Payload,
    ProfileName,
    Report,
    ReportRequest,
    Service,
    TransportName,
)
from oadr_core.outputs import (
    Call,
    CallId,
    ExchangeId,
    InboundId,
    Output,
    ReportEnded,
    ReportRequested,
    VenDeregistered,
)
from oadr_core.seal import Peer, Sealer
from oadr_core.sender import SenderConfig
from oadr_core.state.reports import AcceptedRequest
from oadr_core.state.vtn import VenRecord
from oadr_core.vtn import AddressCheck, Vtn, VtnConfig, any_address


class _Asks:
    """What the core asks: the application's handlers, and the two that are answered here."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    def __contains__(self, name: object) -> bool:
        return name in (OFFERS, REPORTS) or name in self._handlers


class VtnPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a VTN runs by itself.

    :param request_reports: whether reports are asked for where no ``on_register_report`` handler says which: all
        telemetry of usage, at the shortest sampling period that is offered, but not below ``shortest_sampling``.
    :param shortest_sampling: the spacing of readings at least, for ``request_reports``.
    :param reporting: how often to report, for ``request_reports``; None for every reading.
    :param report_rules: which other reports are asked for where no ``on_register_report`` handler says which.
    :param renew_reports: whether periodic reports that were asked for by hand are asked for again, under new ids, where
        a VEN registers its reports anew, as after its restart: that ends them (rule 306). Else the application does it.
    :param missed_polls: after how many polls that did not come a VEN counts as offline.
    """

    request_reports: bool = False
    shortest_sampling: timedelta = timedelta(seconds=10)
    reporting: timedelta | None = None
    report_rules: tuple[ReportRule, ...] = ()
    renew_reports: bool = False
    missed_polls: int = 3

    def rules(self) -> tuple[ReportRule, ...]:
        """Which reports are asked for by themselves."""
        usage = ReportRule(shortest_sampling=self.shortest_sampling, reporting=self.reporting)
        return (*self.report_rules, usage) if self.request_reports else self.report_rules


class _VtnParty:
    """Where a VTN keeps report requests, those of its VENs and its own."""

    def __init__(self, vtn: Vtn, handlers: Handlers) -> None:
        self._vtn = vtn
        self._handlers = handlers

    @property
    def call_timeout(self) -> float:
        """Seconds that a callback may take."""
        return self._vtn.config.call_timeout

    def new_call(self) -> CallId:
        """Make the id of a call."""
        return self._vtn.new_call()

    def record(self, peer: str) -> VenRecord | None:
        """What is remembered of a VEN."""
        return self._vtn.vens.get(peer)

    def accepted(self, peer: str) -> tuple[AcceptedRequest, ...]:
        """The requests of a VEN."""
        record = self._vtn.vens.get(peer)
        return () if record is None else record.report_requests

    def register(self, peer: str, report_request_id: str, now: Now) -> bool:
        """Answer a request of a VEN for metadata; a VTN that has none to tell of tells that once (rule 510)."""
        if peer in self._vtn.vens:
            self._vtn.offer_to(peer, now, report_request_id=report_request_id)
        return bool(self._vtn.offers)

    def made(
        self, key: Key, report: Report | None, now: Now, *, made: bool = True, last: bool, until: datetime | None = None
    ) -> None:
        """Queue a report for its VEN."""
        self._vtn.report_made(*key, report, now, made=made, last=last, until=until)

    def next_report(self, told: Mapping[str, object]) -> tuple[Handler, Mapping[str, object]] | None:
        """Find the handler that makes whole reports."""
        function = self._handlers.get("on_request_report")
        return None if function is None else (function, told)

    def ask(self, peer: str, requests: Sequence[ReportRequest], now: Now) -> None:
        """Ask for reports."""
        self._vtn.create_report(peer, requests, now)

    def call_returned(self, call: CallId, value: object, *, now: Now) -> None:
        """Answer a question of the core."""
        self._vtn.call_returned(call, value, now=now)

    def call_raised(self, call: CallId, error: BaseException, *, now: Now) -> None:
        """Tell the core that its question cannot be answered."""
        self._vtn.call_raised(call, error, now=now)


class AutoVtn:
    """The VTN that runs by itself.

    :param config: what it is.
    :param policy: how it runs.
    :param sealer: opens and seals documents.
    :param entropy: the source of ids and jitter.
    :param handlers: the application's handlers.
    :param saved: what an earlier run saved, by key.
    :param push: how patient it is with push VENs.
    :param refuse_address: says why an address that a VEN registers with is not pushed to.
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
        refuse_address: AddressCheck = any_address,
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
            refuse_address=refuse_address,
        )
        self._entropy = entropy
        self._outputs: deque[Output] = deque()
        self._now: Now | None = None
        self._runs = False
        party = _VtnParty(self.vtn, handlers)
        rules = self.policy.rules()
        renew = self.policy.renew_reports
        self._asker = Asker(party, handlers, self._outputs.append, entropy, rules, "on_update_report", renew=renew)
        self._reporter = Reporter(party, self._outputs.append, saved)

    def start(self, now: Now) -> None:
        """Begin, or go on after a restart."""
        self._now, self._runs = now, True
        self.vtn.offer_reports((*self.vtn.config.reports, *self._reporter.metadata(now)))
        self._reporter.start(now)
        for ven_id, record in self.vtn.vens.items():
            for accepted in record.report_requests:
                self._reporter.begin(ven_id, accepted.request.report_request_id, now, resumed=True)
        self._reporter.resumed(
            [
                (ven_id, one.request.report_request_id)
                for ven_id, record in self.vtn.vens.items()
                for one in record.report_requests
            ]
        )
        self.vtn.start(now)

    # --- its own reports ---------------------------------------------------------------------------------------------

    def offer(self, report: Report, points: Mapping[str, Handler | DataPoint], now: Now | None = None) -> None:
        """Offer a report to all VENs.

        :param report: the offer, as oadrRegisterReport will hold it.
        :param points: for each rID the function or coroutine function that reads it, or the data point as
            :func:`oadr_core.build.data_point` describes it.
        :param now: the present, where the VTN runs already.
        :raises LocalProtocolError: the offer breaks a rule, or a data point has no callback.
        """
        self._reporter.offer(report, points, now)
        if self._runs and now is not None:
            self._now = now
            self.vtn.offer_reports((*self.vtn.config.reports, *self._reporter.metadata(now)), now)

    def submit(
        self, report_specifier_id: str, r_id: str, value: object, now: Now, time: datetime | None = None
    ) -> None:
        """Hand over a value of a data point whose application owns its timing; see :meth:`AutoVen.submit`."""
        self._reporter.submit(report_specifier_id, r_id, value, now, time)

    def resend_report(
        self,
        ven_id: str,
        report_request_id: str,
        now: Now,
        *,
        values: Mapping[str, object] | None = None,
        dtstart: datetime | None = None,
    ) -> None:
        """Send a report once more, as it was or corrected; see :meth:`AutoVen.resend_report`."""
        report = self._reporter.corrected(report_request_id, values, dtstart, now, ven_id)
        self.vtn.update_report(ven_id, [report], now)

    def bind(self, ven_id: str, report_request_id: str, r_id: str, callback: ReportCallback) -> None:
        """Have a callback take the values of a data point that a VEN was asked for by hand."""
        self._asker.bind(ven_id, report_request_id, r_id, callback)

    def attach(self, ven_id: str, report_request_id: str, callback: ReportCallback) -> None:
        """Have a callback take what a request brings that was made before, as before a restart.

        :raises LocalProtocolError: the VEN was not asked for that.
        """
        self._asker.attach(ven_id, report_request_id, callback)

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

    def link_is_back(self, transport: TransportName, now: Now) -> None:
        """Push at once what waits for want of a connection of our own; see :meth:`oadr_core.vtn.Vtn.link_is_back`.

        :param transport: over which there is one again.
        :param now: the present.
        """
        self.vtn.link_is_back(transport, now)

    def call_returned(self, call: CallId, value: object, *, now: Now) -> None:
        """Take what a handler or a callback returned; see :class:`~oadr_core.core.Core`."""
        self._now = now
        if self._asker.owns(call):
            self._asker.returned(call, value, now)
        elif self._reporter.owns(call):
            self._reporter.returned(call, value, now)
        else:
            self.vtn.call_returned(call, value, now=now)

    def call_raised(self, call: CallId, error: BaseException, *, now: Now) -> None:
        """Take note that a handler or a callback raised; see :class:`~oadr_core.core.Core`."""
        self._now = now
        if self._asker.owns(call):
            self._asker.raised(call, error, now)
        elif self._reporter.owns(call):
            self._reporter.raised(call, error, now)
        else:
            self.vtn.call_raised(call, error, now=now)

    def handle_timeout(self, now: Now) -> None:
        """Do what is due; see :class:`~oadr_core.core.Core`."""
        self._now = now
        self.vtn.handle_timeout(now)
        self._reporter.handle_timeout(now)

    def next_output(self, now: Now) -> Output | None:
        """Take the next thing to do; see :class:`~oadr_core.core.Core`."""
        self._now = now
        while True:
            if self._outputs:
                return self._outputs.popleft()
            output = self.vtn.next_output(now)
            if isinstance(output, VenDeregistered) and output.ven_id not in self.vtn.vens:
                self._asker.forget(output.ven_id)
            elif isinstance(output, ReportRequested):
                self._reporter.begin(output.ven_id, output.report_request_id, now)
            elif isinstance(output, ReportEnded):
                self._reporter.end(output.ven_id, output.report_request_id)
            if not isinstance(output, Call):
                return output
            self._call(output, now)

    def next_timeout(self) -> Deadline | None:
        """Say when to call ``handle_timeout``; see :class:`~oadr_core.core.Core`."""
        found = self.vtn.next_timeout()
        mine = None if self._now is None else self._reporter.next_timeout(self._now)
        if found is None or mine is None:
            return found or mine
        return min(found, mine, key=lambda one: one.at)

    def _call(self, call: Call, now: Now) -> None:
        """Turn a question of the core into calls of the application's handlers."""
        if self._asker.take(call, now):
            return
        chosen = self._handlers.arguments(call.handler, _told(call))
        function = self._handlers.get(call.handler)
        self._outputs.append(msgspec.structs.replace(call, arguments=chosen, function=function))


def _told(call: Call) -> dict[str, object]:
    """What a handler is told, by the names it may ask for."""
    message = call.arguments.get("message")
    if call.handler == "on_create_party_registration":
        assert isinstance(message, CreatePartyRegistration)
        identity, signer = call.arguments.get("identity"), call.arguments.get("signer")
        over_xmpp = message.transport_name is TransportName.XMPP
        fingerprint = signer if over_xmpp else identity
        told = {"fingerprint": fingerprint, "jid": identity if over_xmpp else None}
        return {"registration_info": info(message, None if fingerprint is None else str(fingerprint)), **told}
    if message is None:
        return dict(call.arguments)
    assert isinstance(message, Payload)
    ven_id = call.arguments.get("ven_id") or getattr(message, "ven_id", None)
    return {"payload": message, "ven_id": ven_id}
