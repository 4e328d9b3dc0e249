"""A VEN over HTTP, for applications: handlers in, dicts out."""

import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio

from oadr_core import (
    VEN_HANDLERS,
    AutoVen,
    Event,
    EventView,
    Handlers,
    Limits,
    LocalProtocolError,
    Now,
    Payload,
    ProfileName,
    Report,
    ReportRequest,
    Role,
    SenderConfig,
    Startup,
    VenConfig,
    VenPolicy,
    VenState,
    event_decision,
    log_line,
    make_opt,
    part_from_dict,
)
from oadr_http.client import HttpCarrier, base_url
from oadr_http.clock import system_now
from oadr_http.driver import Driver
from oadr_http.manual import ManualVen, Spoken
from oadr_http.offering import Offering
from oadr_http.recorder import Recorder, Trace
from oadr_http.signatures import SignaturePolicy, ven_sealer
from oadr_http.store import Store
from oadr_http.tls import Tls, TlsPolicy
from oadr_http.tls_files import OwnCertificate
from oadr_http.tls_keeper import TlsKeeper, keeping

_T = TypeVar("_T")

_LOG: Final = logging.getLogger("oadr.ven")


class OpenADRClient:
    """A VEN.

    As it comes it runs by itself: declare handlers with :meth:`add_handler` and reports with :meth:`add_report`, then
    enter :meth:`running` or await :meth:`run`. It registers, polls, answers and reports, and recovers from whatever
    fails.

    With ``auto_polling=False`` nothing happens by itself: await :meth:`create_party_registration` once, then
    :meth:`poll` and the other requests whenever you want, and :meth:`stop` at the end.

    All methods are to be called from the event loop that runs it; those that are no coroutines also from a handler that
    runs in a thread. Several clients may run in one process; they share nothing.

    :param ven_name: a name for people.
    :param vtn_url: the base URL of the VTN, such as ``https://vtn.example/OpenADR2/Simple/2.0b``.
    :param ven_id: an id that was agreed beforehand, if one was; one of 2.0a must have one.
    :param cert: its certificate, in PEM, for TLS and for signing; without TLS also a PKCS#12 file.
    :param key: the key, in PEM; None where it is in the file of the certificate.
    :param passphrase: what the key is encrypted with, if it is.
    :param vtn_fingerprint: the fingerprint of the VTN's certificate, or several where it has several; to another one
        nothing is said over TLS, and nothing is taken that another one has signed. None takes any that the CAs vouch
        for.
    :param verification_cert: the certificates that the VTN may sign with, in PEM; where they are known as a whole.
    :param ca_file: the CAs of the VTN's certificate; over TLS those of the system if None.
    :param disable_signature: not to sign although there is a ``cert``.
    :param verify_message_signatures: whether everything that the VTN says has to be signed (rule 514). If None, it does
        without TLS, wherever there is a ``cert`` that signs, or it is said by what the VTN is known. With TLS, which
        tells who the VTN is, what is signed has to be signed well, and what is not is taken as well.
    :param signature_policy: how signatures are made, and which are accepted; as the profile says if None.
    :param check_hostname: whether the VTN's certificate must be for the host name of ``vtn_url``.
    :param tls_policy: how TLS is spoken; as the profile says if None.
    :param profile: the profile that it speaks, ``2.0b`` or ``2.0a``. In 2.0a there are events alone: it registers
        nowhere, offers no reports and has no opts. The base URL is then such as ``https://vtn.example/OpenADR2/Simple``.
    :param vtn_id: the id of a VTN of 2.0a, where it was agreed beforehand; lists of events of another are refused.
    :param fall_back: whether it goes on in 2.0a with a VTN that answers its registration in 2.0a (rule 506); needs a
        ``ven_id``. Either way :class:`oadr_core.OtherProfileFound` is told.
    :param auto_polling: whether it runs by itself.
    :param poll_interval: how often to poll; None follows the VTN's wish.
    :param call_timeout: how long a handler may take before the policy decides instead of it.
    :param request_timeout: how long to wait for an answer of the VTN; 5 seconds at least (section 9.1.6).
    :param longest_wait: how long it waits at most before it tries again what did not get through; the first time it
        waits a second, and then twice as long each time.
    :param strict: whether to refuse answers that the schema refuses.
    :param typed: whether handlers get instances of the message classes instead of dicts.
    :param compression: whether the VTN may compress its answers.
    :param market_contexts: the programs that it is part of; events of others are refused with 462, and nobody is asked.
        None accepts any, here and in what follows.
    :param group_ids: the groups that it is in; an event that is meant for none of what the VEN is gets 462.
    :param resource_ids: the resources that it has.
    :param party_ids: the parties that it acts for.
    :param device_classes: the classes of its devices; an event that is meant for none of them gets 469.
    :param signals: the signals that it supports, as pairs of name and type; an event with another gets 460.
    :param policy: how it runs; see :class:`oadr_core.VenPolicy`.
    :param limits: how large an answer may be, also once it is decompressed; see :class:`oadr_core.Limits`.
    :param store: keeps the state; in memory if None.
    :param observe: is told everything that the core tells; must not block.
    :param trace: takes every exchange once it is over; ``oadr inspect`` judges what was written down of them.
    :raises LocalProtocolError: ``vtn_url`` is no URL, there is no such profile, a ``ven_id`` is missing,
        ``longest_wait`` is nothing, or a file of certificates cannot be used; the text says what would be right.
    """

    def __init__(
        self,
        ven_name: str,
        vtn_url: str,
        *,
        cert: str | Path | None = None,
        key: str | Path | None = None,
        passphrase: str | None = None,
        vtn_fingerprint: str | Sequence[str] | None = None,
        verification_cert: str | Path | None = None,
        ca_file: str | Path | None = None,
        disable_signature: bool = False,
        verify_message_signatures: bool | None = None,
        signature_policy: SignaturePolicy | None = None,
        check_hostname: bool = True,
        tls_policy: TlsPolicy | None = None,
        ven_id: str | None = None,
        profile: str = ProfileName.V20B,
        vtn_id: str = "",
        fall_back: bool = False,
        auto_polling: bool = True,
        poll_interval: timedelta | None = None,
        call_timeout: timedelta = timedelta(seconds=60),
        request_timeout: timedelta = timedelta(seconds=30),
        longest_wait: timedelta = timedelta(minutes=1),
        strict: bool = False,
        typed: bool = False,
        compression: bool = True,
        market_contexts: Sequence[str] | None = None,
        group_ids: Sequence[str] | None = None,
        resource_ids: Sequence[str] | None = None,
        party_ids: Sequence[str] | None = None,
        device_classes: Sequence[str] | None = None,
        signals: Sequence[tuple[str, str]] | None = None,
        policy: VenPolicy | None = None,
        limits: Limits | None = None,
        store: Store | None = None,
        observe: Callable[[Event], None] | None = None,
        trace: Trace | None = None,
    ) -> None:
        if longest_wait <= timedelta(0):
            raise LocalProtocolError(f"longest_wait is {longest_wait}; it must be more than nothing")
        self._entropy = random.SystemRandom()
        self._handlers = Handlers(VEN_HANDLERS, typed=typed)
        self._url, self._compression = base_url(vtn_url), compression
        self._tls: Tls | None = None
        if self._url.startswith("https:"):
            self._tls = Tls(
                cert=cert,
                key=key,
                passphrase=passphrase,
                ca_file=ca_file,
                fingerprints=vtn_fingerprint or (),
                check_hostname=check_hostname,
                policy=tls_policy,
            )
        self._keeper = None if self._tls is None else TlsKeeper(self._tls, self._observed)
        self._store = store
        self._observe = observe
        self._recorder = None if trace is None else Recorder(Role.VEN, trace)
        config = VenConfig(
            ven_name=ven_name,
            ven_id=ven_id or "",
            profile=_profile(profile),
            vtn_id=vtn_id,
            fall_back=fall_back,
            call_timeout=call_timeout.total_seconds(),
            market_contexts=_maybe(market_contexts),
            group_ids=_maybe(group_ids),
            resource_ids=_maybe(resource_ids),
            party_ids=_maybe(party_ids),
            device_classes=_maybe(device_classes),
            signals=_maybe(signals),
            manual=not auto_polling,
            sender=SenderConfig(timeout=request_timeout.total_seconds(), longest_wait=longest_wait.total_seconds()),
        )
        self._limits = limits or Limits()
        saved = None if store is None else store.load()
        sealer = ven_sealer(
            self._entropy,
            self._url,
            cert=cert,
            key=key,
            passphrase=passphrase,
            disable_signature=disable_signature,
            verify=verify_message_signatures,
            fingerprints=vtn_fingerprint,
            verification_cert=verification_cert,
            ca_file=ca_file,
            policy=signature_policy,
            strict=strict,
            began=system_now().utc,
            restarted=bool(saved),
            limits=self._limits,
        )
        if sealer.requires and (fall_back or config.profile is ProfileName.V20A):
            raise LocalProtocolError(
                "OpenADR 2.0a has no signatures, so they cannot be required where it is spoken; use TLS, or say "
                "disable_signature=True and give nothing that signatures of the VTN are known by"
            )
        self._auto: AutoVen | None = None
        self._offers: Offering | None = None
        self._manual: ManualVen | None = None
        if auto_polling:
            policy = policy or _policy(poll_interval)
            self._auto = AutoVen(
                config, policy, sealer=sealer, entropy=self._entropy, handlers=self._handlers, saved=saved
            )
            self._offers = Offering(self._auto, self._entropy)
        else:
            if self._keeper is not None:
                self._keeper.warn()
            self._manual = ManualVen(
                config, self._carrier(), sealer=sealer, store=store, observe=self._observed, recorder=self._recorder
            )
        self._driver: Driver | None = None
        self._ran = False
        self._stop: anyio.Event | None = None

    @property
    def certificates(self) -> tuple[OwnCertificate, ...]:
        """Its certificates for TLS, as they are in use."""
        return () if self._tls is None else self._tls.own

    def _carrier(self) -> HttpCarrier:
        longest = self._limits.size
        return HttpCarrier(self._url, compression=self._compression, longest=longest, tls=self._tls)

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
    def phase(self) -> Startup:
        """How far it has come; always ``OFF`` where it does not run by itself."""
        return Startup.OFF if self._auto is None else self._auto.phase

    @property
    def _state(self) -> VenState:
        return (self._auto or self._by_hand()).ven.state

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
        specifier_id, point = offering.point(
            callback,
            report_specifier_id=report_specifier_id,
            r_id=r_id,
            report_name=report_name,
            resource_id=resource_id,
            measurement=measurement,
            data_collection_mode=data_collection_mode,
            **details,
        )
        self._do(lambda now: offering.add(specifier_id, point, report_name, report_duration, now))
        return specifier_id, point.description.r_id

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
    async def running(self) -> AsyncIterator["OpenADRClient"]:
        """Run the VEN while the body runs.

        :raises LocalProtocolError: it does not run by itself, or ran before.
        """
        core = self._by_itself()
        if self._ran:
            raise LocalProtocolError("the VEN ran before; make another one, with the same store if it has one")
        self._ran = True
        async with self._carrier() as carrier, keeping(self._keeper):
            driver = Driver(core, carrier=carrier, store=self._store, observe=self._observed, recorder=self._recorder)
            core.start(system_now())
            async with driver.running():
                self._driver = driver
                try:
                    yield self
                finally:
                    self._driver = None
                    core.stop(system_now())

    async def reload_certificates(self) -> bool:
        """Read the certificates for TLS again, as happens by itself soon after their files have changed.

        One that does not run by itself looks at them only here.

        :returns: whether they can be used; if not, the log says why, and those of before stay in use.
        """
        return True if self._keeper is None else await self._keeper.reload()

    async def run(self) -> None:
        """Run the VEN until it is cancelled, or :meth:`stop` is called.

        :raises LocalProtocolError: it does not run by itself, or ran before.
        """
        self._stop = anyio.Event()
        async with self.running():
            await self._stop.wait()

    async def stop(self) -> None:
        """End :meth:`run`, or close the connections of a VEN that does not run by itself."""
        if self._manual is not None:
            await self._manual.close()
        elif self._stop is not None:
            self._stop.set()

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

    def _do(self, work: Callable[[Now], _T]) -> _T:
        """Do something with the core, then what follows from it."""

        def done() -> _T:
            value = work(system_now())
            self._pump()
            return value

        return done() if self._driver is None else self._driver.in_loop(done)

    def _pump(self) -> None:
        if self._driver is not None:
            self._driver.pump()

    def _observed(self, event: Event) -> None:
        written = log_line(event)
        if written is not None:
            _LOG.log(*written)
        if self._observe is not None:
            self._observe(event)


def _maybe(listed: Sequence[_T] | None) -> tuple[_T, ...] | None:
    return None if listed is None else tuple(listed)


def _profile(name: str) -> ProfileName:
    try:
        return ProfileName(name)
    except ValueError:
        known = " and ".join(ProfileName)
        raise LocalProtocolError(f"there is no profile {name!r}; there are {known}") from None


def _policy(poll_interval: timedelta | None) -> VenPolicy:
    poll = None if poll_interval is None else poll_interval.total_seconds()
    return VenPolicy(poll_interval=poll, shortest_poll_interval=min(1.0, poll or 1.0))
