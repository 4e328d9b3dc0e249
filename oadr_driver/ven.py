"""A VEN for applications, whatever carries its messages: handlers in, dicts out."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, Self

from oadr_core import (
    VEN_HANDLERS,
    AutoVen,
    Event,
    EventView,
    Handlers,
    LocalProtocolError,
    Now,
    Payload,
    ProfileName,
    Report,
    ReportRequest,
    Role,
    Sealer,
    Startup,
    VenConfig,
    VenLimits,
    VenPolicy,
    VenState,
    event_decision,
    make_opt,
    part_from_dict,
)
from oadr_driver.clock import system_now
from oadr_driver.driven import Driven
from oadr_driver.logs import logger
from oadr_driver.manual import ManualVen, Spoken
from oadr_driver.offering import Offering
from oadr_driver.recorder import Trace
from oadr_driver.store import Store
from oadr_driver.tls import Tls
from oadr_driver.transport import VenTransport

_LOG: Final = logger("oadr.ven")


class DrivenVen(Driven):
    """A VEN for applications, whatever carries its messages; the clients of the adapters are such.

    :param config: what the VEN is. Where it is ``manual``, nothing happens by itself.
    :param transport: the way to its VTN.
    :param sealer: opens and seals documents.
    :param entropy: the source of ids, and of chance.
    :param policy: how it runs; as :class:`oadr_core.VenPolicy` says if None.
    :param typed: whether handlers get instances of the message classes instead of dicts.
    :param store: keeps the state; in memory if None.
    :param saved: what the store has kept.
    :param observe: is told everything that the core tells; must not block.
    :param trace: takes every exchange once it is over.
    :param tls: its certificates, where it has any for TLS.
    """

    def __init__(
        self,
        config: VenConfig,
        *,
        transport: VenTransport,
        sealer: Sealer,
        entropy: Random,
        policy: VenPolicy | None = None,
        typed: bool = False,
        store: Store | None = None,
        saved: Mapping[str, bytes] | None = None,
        observe: Callable[[Event], None] | None = None,
        trace: Trace | None = None,
        tls: Tls | None = None,
    ) -> None:
        super().__init__(Role.VEN, sealer, _LOG, store=store, observe=observe, trace=trace, tls=tls)
        self._handlers = Handlers(VEN_HANDLERS, typed=typed)
        self._transport = transport
        self._entropy = entropy
        self._auto: AutoVen | None = None
        self._offers: Offering | None = None
        self._manual: ManualVen | None = None
        if not config.manual:
            policy = policy or VenPolicy()
            self._auto = AutoVen(config, policy, sealer=sealer, entropy=entropy, handlers=self._handlers, saved=saved)
            self._offers = Offering(self._auto, entropy)
        else:
            if self._keeper is not None:
                self._keeper.warn()
            self._manual = ManualVen(
                config, transport.by_hand(), sealer=sealer, store=store, observe=self._observed, recorder=self._recorder
            )
        self._ran = False

    # --- what it knows -----------------------------------------------------------------------------------------------

    @property
    def ven_id(self) -> str:
        """Its id; empty until the VTN has given it one."""
        return self._state.ven_id

    @property
    def registration_id(self) -> str:
        """The registration; empty where there is none."""
        return self._state.registration_id

    @property
    def registered(self) -> bool:
        """Whether the VTN knows it; in 2.0a that was agreed beforehand."""
        return self._state.registered or self.profile is ProfileName.V20A

    @property
    def profile(self) -> ProfileName:
        """The profile that it speaks; not always the one that it was made with, see ``fall_back``."""
        return (self._auto or self._by_hand()).ven.profile

    @property
    def limits(self) -> VenLimits:
        """How much its VTN can make it keep."""
        return (self._auto or self._by_hand()).ven.config.limits

    @property
    def phase(self) -> Startup:
        """How far it has come; always ``OFF`` where it does not run by itself."""
        return Startup.OFF if self._auto is None else self._auto.phase

    @property
    def _state(self) -> VenState:
        return (self._auto or self._by_hand()).ven.state

    @property
    def address(self) -> str | None:
        """Where the VTN reaches it by push; None where it polls, or is not reached yet."""
        return (self._auto or self._by_hand()).ven.address

    # --- handlers and reports ----------------------------------------------------------------------------------------

    def add_handler(self, name: str, handler: Callable[..., object]) -> None:
        """Declare a handler: a plain function, which runs in a thread, or a coroutine function.

        :param name: one of :data:`oadr_core.VEN_HANDLERS`.
        :param handler: takes the arguments that the name lists, or fewer of them.
        :raises LocalProtocolError: there is no handler of the name, or the VEN does not run by itself.
        """
        self._by_itself()
        self._handlers.add(name, handler)

    def add_report(
        self,
        callback: Callable[..., object] | None = None,
        resource_id: str | None = None,
        measurement: object = "power_real",
        data_collection_mode: str = "incremental",
        *,
        report_specifier_id: str | None = None,
        r_id: str | None = None,
        report_name: str = "TELEMETRY_USAGE",
        report_duration: timedelta | None = None,
        **details: Any,
    ) -> tuple[str, str]:
        """Offer a data point; whatever is asked for of it within that is served by itself.

        :param callback: a function or coroutine function that reads it. ``incremental`` calls it at each sample, and it
            returns the value; ``full`` calls it once for each report with ``date_from``, ``date_to`` and
            ``sampling_interval``, and it returns pairs of times and values. A value is a number, the status of a
            resource, None where there is none, or a dict with ``value`` and if wanted ``data_quality``, ``confidence``,
            ``accuracy`` and ``time``.
        :param resource_id: the resource that it is read from.
        :param measurement: what it measures, such as ``power_real``; any other name makes a custom unit.
        :param data_collection_mode: ``incremental``; ``full``, as history always is; ``submit`` for values that are
            handed over with :meth:`submit`; or ``next`` for reports that the handler ``next_report`` makes.
        :param report_specifier_id: the report that it belongs to; a report of its own if None.
        :param r_id: its id within the report; made up if None.
        :param report_name: ``TELEMETRY_USAGE``, ``TELEMETRY_STATUS``, ``HISTORY_USAGE``, ``HISTORY_GREENBUTTON``, or an
            ``x-`` name.
        :param report_duration: how much data is kept; an hour, or the longest sampling period, if None.
        :param details: what else :func:`oadr_core.build.data_point` takes, such as ``sampling_rate``, ``unit`` and
            ``scale``.
        :returns: the ids of the report and of the data point.
        :raises LocalProtocolError: the offer breaks a rule, or the VEN does not run by itself; the text says which,
            and what would be right.
        """
        offering = self._offering()
        return self._do(
            lambda now: offering.add(
                callback,
                now,
                report_specifier_id=report_specifier_id,
                r_id=r_id,
                report_name=report_name,
                report_duration=report_duration,
                resource_id=resource_id,
                measurement=measurement,
                data_collection_mode=data_collection_mode,
                **details,
            )
        )

    def submit(self, report_specifier_id: str, r_id: str, value: object, time: datetime | None = None) -> None:
        """Hand over a value of a data point that was offered with ``data_collection_mode="submit"``.

        :param report_specifier_id: the report.
        :param r_id: the data point.
        :param value: what it shows, in any form that a callback may return.
        :param time: when that was; now if None.
        :raises LocalProtocolError: there is no such data point, or the value is none.
        """
        core = self._by_itself()
        self._do(lambda now: core.submit(report_specifier_id, r_id, value, now, time))

    def resend_report(
        self, report_request_id: str, values: Mapping[str, object] | None = None, dtstart: datetime | None = None
    ) -> None:
        """Send a report once more, as it was or corrected (rule 346).

        :param report_request_id: the request that it answers.
        :param values: by data point, pairs of the time and the value that replaces the one of that time; or the value
            alone, where the report has one.
        :param dtstart: when the report begins; the last one if None.
        :raises LocalProtocolError: no such report is remembered, or it has no value of such a time.
        """
        core = self._by_itself()
        self._do(lambda now: core.resend_report(report_request_id, now, values=values, dtstart=dtstart))

    # --- reports of the VTN ------------------------------------------------------------------------------------------

    def offered_reports(self) -> tuple[Report, ...]:
        """The reports that the VTN offers."""
        return self._state.offered()

    def create_report(
        self, *requests: ReportRequest | Mapping[str, object], callback: Callable[..., object] | None = None
    ) -> None:
        """Ask the VTN for reports; they go to ``callback``, and to the handler ``on_report``.

        :param requests: what is asked for.
        :param callback: takes the values of each data point as ``data``, pairs of times and values.
        :raises LocalProtocolError: the VEN is not registered, or a request breaks a rule.
        """
        core = self._by_itself()
        asked = [part_from_dict(ReportRequest, one) for one in requests]

        def ask(now: Now) -> None:
            core.ven.create_report(asked, now)
            points = [(one, point.r_id) for one in asked for point in one.report_specifier.specifier_payloads]
            for one, r_id in points:
                if callback is not None:
                    core.bind(one.report_request_id, r_id, callback)

        self._do(ask)

    def attach_callback(self, report_request_id: str, callback: Callable[..., object]) -> None:
        """Have a callback take what a request brings that was made before.

        A request outlives a restart, and a callback does not. Attached before the VEN runs, it misses no report.

        :param report_request_id: a request that :meth:`create_report` has made.
        :param callback: what takes the values from now on.
        :raises LocalProtocolError: the VTN was not asked for that.
        """
        core = self._by_itself()
        self._do(lambda _: core.attach(report_request_id, callback))

    def cancel_report(self, *report_request_ids: str, report_to_follow: bool = False) -> None:
        """Ask the VTN for no more of some reports.

        :param report_request_ids: the requests that end.
        :param report_to_follow: whether one last report is wanted.
        """
        core = self._by_itself()
        self._do(lambda now: core.ven.cancel_report(report_request_ids, now, report_to_follow=report_to_follow))

    # --- running by itself -------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Run the VEN while the body runs.

        :raises LocalProtocolError: it does not run by itself, or ran before.
        """
        core = self._by_itself()
        if self._ran:
            raise LocalProtocolError("the VEN ran before; make another one, with the same store if it has one")
        self._ran = True
        async with self._transport.opened() as carrier, self._driving(core, carrier):
            try:
                async with self._transport.serving(self):
                    yield self
            finally:
                core.stop(system_now())

    def reached_at(self, address: str) -> None:
        """Be reached by push at another address from now on; the VTN is told, by registering again if need be.

        For the transport; an application that knows better than its transport may call it as well.

        :param address: a base URL or a full JID.
        :raises LocalProtocolError: the VEN polls, or does not run by itself.
        """
        core = self._by_itself()
        self._do(lambda now: core.reached_at(address, now))

    async def stop(self) -> None:
        """End :meth:`run`, or close the connections of a VEN that does not run by itself."""
        if self._manual is not None:
            await self._manual.close()
        else:
            await super().stop()

    # --- events ------------------------------------------------------------------------------------------------------

    def events(self) -> tuple[EventView, ...]:
        """The events that it knows, as they stand by its own clock; active ones first, the most urgent at the top.

        :raises LocalProtocolError: the VEN does not run by itself.
        """
        return self._by_itself().events(system_now())

    def active_events(self) -> tuple[EventView, ...]:
        """Those of :meth:`events` that it takes part in and that are active: what they ask for is what to do now.

        :raises LocalProtocolError: the VEN does not run by itself.
        """
        return self._by_itself().active_events(system_now())

    def change_opt(self, event_id: str, opt_type: object) -> None:
        """Take part in an event, or no longer, whatever the handler answered.

        Kept, over a restart too, until the VTN has it. While the handler still decides, this is its decision.

        :param event_id: an event that must be answered and whose time is not over.
        :param opt_type: ``optIn`` or ``optOut``, or whatever else ``on_event`` may return, such as
            ``("optOut", 200, "the owner has come home")``.
        :raises LocalProtocolError: there is no such event, it is over, or must not be answered; it cannot be carried
            out; :meth:`create_opt` has decided about it (rule 206); or the VEN is not registered, or does not run by
            itself.
        """
        core, decision = self._by_itself(), event_decision(opt_type)

        self._do(lambda now: core.change_opt(event_id, decision, now))

    # --- opts --------------------------------------------------------------------------------------------------------

    async def create_opt(
        self,
        opt_type: str,
        opt_reason: str,
        targets: object = None,
        vavailability: object = None,
        event_id: str | None = None,
        modification_number: int | None = None,
        opt_id: str | None = None,
        request_id: str | None = None,
        market_context: str | None = None,
        signal_target_mrid: str | None = None,
    ) -> str:
        """Opt in or out: for an event or a part of it, or by a schedule of availability.

        A VEN that runs by itself keeps the opt, over a restart too, until the VTN has answered; what it answers is told
        as :class:`oadr_core.OptConfirmed` or :class:`oadr_core.OptRefused`. Else the answer is awaited.

        :param opt_type: ``optIn`` or ``optOut``.
        :param opt_reason: such as ``economic``, or an ``x-`` text; see :class:`oadr_core.OptReason`.
        :param targets: which resources, as a dict of kinds or a list of such; all if None.
        :param vavailability: the stretches of a schedule: dicts with ``dtstart`` and ``duration``, in a list or under
            ``components``; a duration of zero is open-ended.
        :param event_id: the event, where there is no schedule.
        :param modification_number: its modification; the one that was last heard of if None.
        :param opt_id: made up if None; need not be unique.
        :param request_id: made up if None.
        :param market_context: limits a schedule to the events of a program.
        :param signal_target_mrid: limits it to a device class.
        :returns: the id of the opt.
        :raises LocalProtocolError: the opt breaks a rule, or the VEN is not registered.
        :raises ExchangeFailed: there was no answer, where the VEN does not run by itself.
        :raises OptFailed: the VTN does not take it, where the VEN does not run by itself.
        """
        now = system_now()
        opt = make_opt(
            self._entropy,
            now.utc,
            opt_type=opt_type,
            opt_reason=opt_reason,
            targets=targets,
            vavailability=vavailability,
            event_id=event_id,
            modification_number=modification_number,
            opt_id=opt_id,
            request_id=request_id,
            market_context=market_context,
            signal_target_mrid=signal_target_mrid,
        )
        if self._auto is None:
            await self._by_hand().create_opt(opt)
        else:
            self._auto.create_opt(opt, now)
            self._pump()
        return opt.opt_id

    async def cancel_opt(self, opt_id: str) -> None:
        """Take all schedules of an id back; kept, or awaited, like :meth:`create_opt`.

        :raises LocalProtocolError: the id was used for an event, or the VEN is not registered.
        :raises ExchangeFailed: there was no answer, where the VEN does not run by itself.
        :raises OptFailed: the VTN does not take them back, where the VEN does not run by itself.
        """
        if self._auto is None:
            await self._by_hand().cancel_opt(opt_id)
        else:
            self._auto.cancel_opt(opt_id, system_now())
            self._pump()

    # --- requests, one at a time -------------------------------------------------------------------------------------

    async def query_registration(self) -> Spoken:
        """Ask the VTN what it supports. Needs ``auto_polling=False``, as do the requests below.

        :returns: the name and the content of the answer.
        :raises ExchangeFailed: there was no answer.
        """
        return await self._by_hand().query_registration()

    async def create_party_registration(self, *, anew: bool = False) -> Spoken:
        """Register; again with the present ids where there is a registration (rule 402).

        A VEN that runs by itself registers by itself; it can be told to do it once more, and offers and fetches
        everything again then.

        :param anew: register as new all the same; the VTN forgets what it knew, and all events end (rule 406).
        :returns: the name and the content of the answer; empty where the VEN runs by itself, which tells what comes of
            it as :class:`oadr_core.Registered` or :class:`oadr_core.RegistrationRefused`.
        :raises LocalProtocolError: the VEN runs by itself and is not registered, or registers already.
        :raises ExchangeFailed: there was no answer.
        :raises RegistrationFailed: the VTN does not register the VEN.
        """
        if self._auto is not None:
            self._auto.create_party_registration(system_now(), anew=anew)
            self._pump()
            return "", {}
        return await self._by_hand().create_party_registration(anew=anew)

    async def cancel_party_registration(self) -> None:
        """End the registration; a VEN that runs by itself does nothing more then (rule 407).

        :raises LocalProtocolError: there is no registration.
        :raises ExchangeFailed: there was no answer, where the VEN does not run by itself.
        """
        if self._auto is None:
            await self._by_hand().cancel_party_registration()
            return
        self._auto.cancel_party_registration(system_now())
        self._pump()

    async def register_reports(self, reports: Sequence[Report | Mapping[str, object]]) -> Spoken:
        """Say all that can be reported (rule 306).

        :param reports: the offers.
        """
        return await self._by_hand().register_reports(reports)

    async def request_event(self, reply_limit: int | None = None) -> Spoken:
        """Ask for all events.

        :param reply_limit: how many events the answer may hold.
        """
        return await self._by_hand().request_event(reply_limit)

    async def created_event(
        self, request_id: str, event_id: str, opt_type: str, modification_number: int = 0
    ) -> Spoken:
        """Answer an event.

        :param request_id: the ``request_id`` of the oadrDistributeEvent that brought it.
        :param event_id: the event.
        :param opt_type: ``optIn`` or ``optOut``.
        :param modification_number: the modification that is answered.
        """
        return await self._by_hand().created_event(request_id, event_id, opt_type, modification_number)

    async def poll(self) -> Spoken:
        """Ask whether the VTN has anything (rule 500).

        :returns: the name and the content of what it has; ``oadrResponse`` where it has nothing.
        :raises ExchangeFailed: there was no answer.
        """
        return await self._by_hand().poll()

    async def send(self, message: Payload | str, content: Mapping[str, object] | None = None) -> Spoken:
        """Send any message that a VEN may send.

        :param message: the message, or its name.
        :param content: its content as a dict, where ``message`` is a name.
        """
        return await self._by_hand().send(message, content)

    # --- within ------------------------------------------------------------------------------------------------------

    def _by_itself(self) -> AutoVen:
        if self._auto is None:
            raise LocalProtocolError("the VEN does not run by itself, as it was made with auto_polling=False")
        return self._auto

    def _by_hand(self) -> ManualVen:
        if self._manual is None:
            raise LocalProtocolError("the VEN runs by itself; make it with auto_polling=False to send single requests")
        return self._manual

    def _offering(self) -> Offering:
        self._by_itself()
        assert self._offers is not None
        return self._offers
