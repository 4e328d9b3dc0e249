"""A VTN for applications, whatever carries its messages: handlers in, dicts out."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, Self

from msgspec import structs

from oadr_core import (
    VTN_HANDLERS,
    AudienceLike,
    AutoVtn,
    Availability,
    EiEvent,
    Enrolment,
    Event,
    EventAnswer,
    EventOffered,
    EventRecord,
    Handlers,
    LocalProtocolError,
    Now,
    OptReceived,
    OptType,
    Payload,
    Report,
    ReportRequest,
    Role,
    Sealer,
    SenderConfig,
    Target,
    TransportName,
    VenRecord,
    VtnConfig,
    VtnPolicy,
    arguments,
    availability,
    complete_event,
    from_dict,
    make_event,
    normalised_fingerprint,
    part_from_dict,
)
from oadr_driver.clock import system_now
from oadr_driver.driven import Driven
from oadr_driver.fingerprints import bound
from oadr_driver.logs import logger
from oadr_driver.offering import Offering
from oadr_driver.recorder import Trace
from oadr_driver.store import Store
from oadr_driver.tls import Tls
from oadr_driver.transport import Carrier, Carriers, VtnTransport

_REGISTRATION: Final = "on_create_party_registration"

_LOG: Final = logger("oadr.vtn")

Callback = Callable[..., object]
"""Takes ``ven_id``, ``event_id`` and ``opt_type``, or fewer of these, whenever a VEN answers an event.

Callbacks, and those of the kind below, are called one after the other for each VEN, in the order of what has happened;
one that takes longer than ``call_timeout`` is left to itself.
"""

DeliveryCallback = Callable[..., object]
"""Takes ``ven_id`` and ``event_id``, or fewer of these, whenever a VEN is handed an event."""


class DrivenVtn(Driven):
    """A VTN for applications, whatever carries its messages; the servers of the adapters are such.

    :param config: what the VTN is, but for its transports.
    :param transports: the ways to its VENs, by the names that VENs register with, such as ``simpleHttp``.
    :param sealer: opens and seals documents.
    :param entropy: the source of ids, and of chance.
    :param policy: how it runs.
    :param push: how patient it is with VENs that are reached by push; as :class:`oadr_core.SenderConfig` says if None.
    :param typed: whether handlers get instances of the message classes instead of dicts.
    :param fingerprint_lookup: a function or a coroutine function that takes a ``ven_id``, and returns the fingerprint
        of that VEN, a list of several where its certificate is renewed, the earliest first, or None; only those VENs
        are registered then, and only with such a certificate.
    :param ven_lookup: the handler of that name.
    :param store: keeps the state; in memory if None.
    :param observe: is told everything that the core tells; must not block.
    :param trace: takes every exchange once it is over.
    :param tls: its certificates, where it has any for TLS.
    :raises LocalProtocolError: the VTN has no id, or may push to nobody.
    """

    def __init__(
        self,
        config: VtnConfig,
        *,
        transports: Mapping[str, VtnTransport],
        sealer: Sealer,
        entropy: Random,
        policy: VtnPolicy,
        push: SenderConfig | None = None,
        typed: bool = False,
        fingerprint_lookup: Callable[..., object] | None = None,
        ven_lookup: Callable[..., object] | None = None,
        store: Store | None = None,
        observe: Callable[[Event], None] | None = None,
        trace: Trace | None = None,
        tls: Tls | None = None,
    ) -> None:
        if not config.vtn_id:
            raise LocalProtocolError("the VTN needs a vtn_id")
        if config.most_pushes < 1:
            raise LocalProtocolError(f"most_pushes is {config.most_pushes}; it must be 1 at least")
        if config.certificate_overlap < timedelta(0):
            raise LocalProtocolError(f"certificate_overlap is {config.certificate_overlap}; it must not be less than 0")
        super().__init__(Role.VTN, sealer, _LOG, store=store, observe=observe, trace=trace, tls=tls)
        self._transports = dict(transports)
        self._entropy = entropy
        self._handlers = Handlers(VTN_HANDLERS, typed=typed)
        self._fingerprints = fingerprint_lookup
        if fingerprint_lookup is not None:
            self._handlers.add(_REGISTRATION, bound(None, fingerprint_lookup))
        if ven_lookup is not None:
            self._handlers.add("ven_lookup", ven_lookup)
        self._callbacks: dict[str, Callback] = {}
        self._delivery_callbacks: dict[str, DeliveryCallback] = {}
        self._core = AutoVtn(
            structs.replace(
                config,
                transports=tuple(TransportName(name) for name in self._transports),
                largest={
                    TransportName(name): one.largest
                    for name, one in self._transports.items()
                    if one.largest is not None
                },
                own_addresses=all(one.own_addresses for one in self._transports.values()),
            ),
            policy,
            sealer=sealer,
            entropy=entropy,
            handlers=self._handlers,
            saved=None if store is None else store.load(),
            push=push,
            refuse_address=self._refuse_address,
        )
        self._offering = Offering(self._core, entropy)

    # --- what it knows -----------------------------------------------------------------------------------------------

    @property
    def vens(self) -> Mapping[str, VenRecord]:
        """The registered VENs by their ids."""
        return self._core.vtn.vens

    @property
    def events(self) -> Mapping[str, EventRecord]:
        """All events by their ids, those that are over included."""
        return self._core.vtn.events

    @property
    def enrolments(self) -> Mapping[str, Enrolment]:
        """What VENs belong to, by their ids; those that belong to nothing are missing."""
        return self._core.vtn.enrolments

    def vens_of(self, event_id: str) -> list[str]:
        """The VENs that an event is for, also those that are named or enrolled and not registered.

        :raises LocalProtocolError: there is no such event.
        """
        return self._core.vtn.vens_of(event_id)

    def overlaps(self, event_id: str) -> tuple[str, ...]:
        """The events of the same program that overlap an event for any VEN; what VENs do then is not defined.

        Making or changing an event that overlaps others is no mistake, nor is enrolling a VEN where it gets several
        such; it is logged as a warning, and told to ``observe`` as :class:`oadr_core.EventsOverlap`.

        :returns: their ids, in the order of their starts.
        :raises LocalProtocolError: there is no such event.
        """
        return self._core.vtn.overlaps(event_id)

    def answers(self, event_id: str) -> list[EventAnswer]:
        """Who was told of an event, who answered what and when, and who is silent.

        :returns: one for each VEN that the event is for, then for those that were told and that it is for no more.
        :raises LocalProtocolError: there is no such event.
        """
        return self._core.vtn.answers(event_id, system_now())

    # --- handlers ----------------------------------------------------------------------------------------------------

    def add_handler(self, name: str, handler: Callable[..., object]) -> None:
        """Declare a handler: a plain function, which runs in a thread, or a coroutine function.

        :param name: one of :data:`oadr_core.VTN_HANDLERS`.
        :param handler: takes the arguments that the name lists, or fewer of them.
        :raises LocalProtocolError: there is no handler of the name.
        """
        if name == _REGISTRATION and self._fingerprints is not None:
            handler = bound(handler, self._fingerprints)
        self._handlers.add(name, handler)

    # --- whom events are for -----------------------------------------------------------------------------------------

    def enrol(
        self,
        ven_id: str,
        *,
        group_ids: Iterable[str] = (),
        resource_ids: Iterable[str] = (),
        party_ids: Iterable[str] = (),
        market_contexts: Iterable[str] = (),
    ) -> None:
        """Say what a VEN belongs to, instead of what was said before, so that events for that find it.

        It outlives registrations. Events that are alive reach the VEN when it comes to what they are for, and are taken
        from its list when it leaves.

        :param ven_id: the VEN; it need not be registered yet.
        :param group_ids: the groups that it is in.
        :param resource_ids: the resources behind it.
        :param party_ids: the parties that it stands for.
        :param market_contexts: the programs that it takes part in, as URIs.
        :raises LocalProtocolError: one of these is no list of texts.
        """
        enrolment = Enrolment(
            group_ids=_listed(group_ids),
            resource_ids=_listed(resource_ids),
            party_ids=_listed(party_ids),
            market_contexts=_listed(market_contexts),
        )
        self._do(lambda now: self._core.vtn.enrol(ven_id, enrolment, now))

    # --- events ------------------------------------------------------------------------------------------------------

    def add_event(
        self,
        ven_id: str | Iterable[str] | None,
        signal_name: str,
        signal_type: str,
        intervals: Sequence[object],
        callback: Callback | None = None,
        delivery_callback: DeliveryCallback | None = None,
        event_id: str | None = None,
        targets: object = None,
        targets_by_type: object = None,
        target: object = None,
        *,
        audience: AudienceLike | None = None,
        **details: Any,
    ) -> str:
        """Make an event with one signal.

        :param ven_id: the VEN that it is for, or several; None where ``audience`` says it, or else the target by its
            VENs, groups, resources and parties.
        :param signal_name: such as ``SIMPLE``.
        :param signal_type: such as ``level``.
        :param intervals: dicts with ``duration`` and ``signal_payload``, the first also with ``dtstart``.
        :param callback: is called whenever a VEN answers the event.
        :param delivery_callback: is called whenever a VEN is handed the event.
        :param event_id: its id; made up if None.
        :param targets: whom it is for within a VEN, as a list of dicts of kinds.
        :param targets_by_type: the same, as a dict of kinds.
        :param target: the same, in either form or as a :class:`oadr_core.Target`.
        :param audience: whom it is for, see :class:`oadr_core.Audience`; a dict of one will do.
        :param details: what else :func:`oadr_core.build.make_event` takes.
        :returns: the id of the event.
        :raises LocalProtocolError: the event breaks a rule; the text says which, and what would be right.
        """
        given = [one for one in (targets, targets_by_type, target) if one]
        if len(given) > 1:
            raise LocalProtocolError("give one of targets, targets_by_type and target, not several")
        made = make_event(
            self._entropy,
            system_now().utc,
            signal_name=signal_name,
            signal_type=signal_type,
            intervals=intervals,
            event_id=event_id,
            target=given[0] if given else None,
            **details,
        )
        return self.add_raw_event(ven_id, made, callback, delivery_callback, audience=audience)

    def add_raw_event(
        self,
        ven_id: str | Iterable[str] | None,
        event: EiEvent | Mapping[str, object],
        callback: Callback | None = None,
        delivery_callback: DeliveryCallback | None = None,
        *,
        audience: AudienceLike | None = None,
    ) -> str:
        """Make an event as a whole.

        :param ven_id: the VEN that it is for, or several; None where ``audience`` says it, or else the target by its
            VENs, groups, resources and parties.
        :param event: the event; what can be left out is filled in, see :func:`oadr_core.build.complete_event`.
        :param callback: is called whenever a VEN answers the event.
        :param delivery_callback: is called whenever a VEN is handed the event.
        :param audience: whom it is for, see :class:`oadr_core.Audience`; a dict of one will do.
        :returns: the id of the event.
        :raises LocalProtocolError: the event breaks a rule or is for nobody; the text says which, and what would be
            right.
        """
        if ven_id is not None and audience is not None:
            raise LocalProtocolError("give ven_id or audience, not both: an audience names VENs by its ven_ids")
        for one in (callback, delivery_callback):
            if one is not None and not callable(one):
                raise LocalProtocolError(f"a callback must be a function, not {type(one).__name__}")
        whom = audience if ven_id is None else ven_id

        def add(now: Now) -> str:
            event_id = self._core.vtn.add_event(complete_event(event, self._entropy, now.utc), whom, now)
            self._call_back(event_id, callback, delivery_callback)
            return event_id

        return self._do(add)

    def _call_back(self, event_id: str, opt: Callback | None, delivery: DeliveryCallback | None) -> None:
        """Remember the callbacks of an event, and forget those of events that are forgotten."""
        for known, one in ((self._callbacks, opt), (self._delivery_callbacks, delivery)):
            if len(known) >= len(self.events):
                for gone in known.keys() - self.events.keys():
                    del known[gone]
            if one is not None:
                known[event_id] = one

    def modify_event(self, event: EiEvent | Mapping[str, object], *, audience: AudienceLike | None = None) -> int:
        """Replace an event by another form of it.

        :param event: the event, with the id of the one it replaces.
        :param audience: whom it is for from now on; None leaves that as it is. VENs that it is no longer for have it
            taken from their lists.
        :returns: its new modification number.
        :raises LocalProtocolError: there is no such event, it or its new form is cancelled, the new form breaks a rule,
            or it changes what lies in the past.
        """
        return self._do(
            lambda now: self._core.vtn.modify_event(complete_event(event, self._entropy, now.utc), now, audience),
        )

    def cancel_event(self, ven_id: str | None = None, event_id: str | None = None) -> int:
        """Cancel an event for all its VENs.

        :param ven_id: one of them; may be left out.
        :param event_id: the event.
        :returns: its new modification number.
        :raises LocalProtocolError: there is no such event, or it is not for this VEN.
        """
        if event_id is None:
            raise LocalProtocolError("which event? give event_id=")
        record = self.events.get(event_id)
        if record is not None and ven_id is not None and not self._core.vtn.is_for(ven_id, event_id):
            raise LocalProtocolError(f"the event {event_id!r} is not for the VEN {ven_id!r}")
        return self._do(lambda now: self._core.vtn.cancel_event(event_id, now))

    async def saved(self) -> None:
        """Wait until all that was done so far is durable: what was made or cancelled then outlives a crash.

        :raises OSError: it never will be, as the VTN has ended.
        """
        if self._driver is not None:
            await self._driver.saved()

    # --- VENs and reports --------------------------------------------------------------------------------------------

    def add_ven(
        self,
        ven_id: str,
        *,
        ven_name: str = "",
        fingerprint: str | None = None,
        poll_interval: timedelta | None = None,
        address: str | None = None,
    ) -> None:
        """Make a VEN of 2.0a known, whose ids were agreed beforehand as it cannot register.

        It is served at :attr:`url_20a`. VENs of 2.0b register themselves.

        :param ven_id: its id.
        :param ven_name: a name for people.
        :param fingerprint: that of its certificate, which it has to show then; needed where VENs show certificates.
        :param poll_interval: how often it polls, to tell when it is silent; as often as 2.0b VENs are asked to if None.
        :param address: the base URL where it is reached by push; it polls if None.
        :raises LocalProtocolError: there is a VEN of the id already, nothing is pushed to the address, or 2.0a is not
            served.
        :raises LocalProtocolError: the fingerprint is none.
        """
        self._check_profile_20a()
        identity = None if fingerprint is None else normalised_fingerprint(fingerprint)
        self._do(
            lambda now: self._core.vtn.add_ven(
                ven_id, now, ven_name=ven_name, identity=identity, poll_interval=poll_interval, address=address
            )
        )

    def remove_ven(self, ven_id: str) -> None:
        """Forget a VEN of 2.0a; what it is enrolled in is kept.

        :raises LocalProtocolError: there is no such VEN, or it has registered itself.
        """
        self._do(lambda now: self._core.vtn.remove_ven(ven_id, now))

    def forget_ven(self, ven_id: str) -> None:
        """Forget a VEN that is gone, and all that is kept of it, without asking it.

        That is its registration, its answers, opts and reports, what waits for it, and what it is enrolled in; not the
        events that name it. Should it be there after all, it is refused (463), and may register again. To end the
        registration of a VEN that is there, use :meth:`cancel_party_registration`.

        :param ven_id: the VEN; it need not be registered, where it is enrolled.
        :raises LocalProtocolError: nothing is known of such a VEN.
        """
        self._do(lambda now: self._core.vtn.forget_ven(ven_id, now))

    def change_certificate(self, ven_id: str, fingerprint: str) -> None:
        """Say that a VEN has another certificate, for TLS and for its signatures.

        From now on it is known by that alone, and goes on as before: it need not register again. Said of the
        certificate that it has, it takes back what :meth:`announce_certificate` has announced.

        :param ven_id: the VEN.
        :param fingerprint: that of the new certificate, with colons or without.
        :raises LocalProtocolError: there is no such VEN, another one has the certificate, or it is known by its JID.
        :raises LocalProtocolError: the fingerprint is none.
        """
        identity = normalised_fingerprint(fingerprint)
        self._do(lambda now: self._core.vtn.change_certificate(ven_id, identity, now))

    def announce_certificate(self, ven_id: str, fingerprint: str) -> None:
        """Say which certificate a VEN will have next, for TLS and for its signatures, before it has it.

        It goes on with either until it has shown the next one, and is known by that alone soon afterwards; see
        ``certificate_overlap``. :class:`oadr_core.CertificateFollowed` tells when it has.

        :param ven_id: the VEN.
        :param fingerprint: that of the next certificate, with colons or without, instead of one announced before.
        :raises LocalProtocolError: there is no such VEN, it or another one has the certificate, or it is known without
            any.
        :raises LocalProtocolError: the fingerprint is none.
        """
        identity = normalised_fingerprint(fingerprint)
        self._do(lambda now: self._core.vtn.announce_certificate(ven_id, identity, now))

    def queue(self, ven_id: str, message: Payload | str, content: Mapping[str, object] | None = None) -> None:
        """Ask anything of a VEN that a VTN may ask; it is handed over when the VEN polls, and again until it answers.

        Events are not queued: a VEN gets the list of those that it has not heard of. The methods below make the usual
        messages.

        :param ven_id: the VEN.
        :param message: a message, or its name: ``oadrRegisterReport``, ``oadrCreateReport``, ``oadrUpdateReport``,
            ``oadrCancelReport``, ``oadrRequestReregistration`` or ``oadrCancelPartyRegistration``.
        :param content: its content as a dict, where ``message`` is a name; the ``ven_id`` may be left out.
        :raises LocalProtocolError: there is no such VEN; the message is no such operation, is for another VEN, or
            breaks a rule.
        """
        made = from_dict(message, {"ven_id": ven_id, **(content or {})}) if isinstance(message, str) else message
        self._do(lambda now: self._core.vtn.queue(ven_id, made, now))

    def request_reregistration(self, ven_id: str) -> None:
        """Ask a VEN to register again."""
        self._do(lambda now: self._core.vtn.request_reregistration(ven_id, now))

    def cancel_party_registration(self, ven_id: str) -> None:
        """End the registration of a VEN, once it has confirmed."""
        self._do(lambda now: self._core.vtn.cancel_party_registration(ven_id, now))

    def offered_reports(self, ven_id: str) -> tuple[Report, ...]:
        """The reports that a VEN offers.

        :raises LocalProtocolError: there is no such VEN.
        """
        if ven_id not in self.vens:
            raise LocalProtocolError(f"there is no VEN {ven_id!r}")
        return self.vens[ven_id].offered()

    def create_report(
        self,
        ven_id: str,
        *requests: ReportRequest | Mapping[str, object],
        callback: Callable[..., object] | None = None,
    ) -> None:
        """Ask a VEN for reports; they go to ``callback``, and to the handler ``on_update_report``.

        :param ven_id: the VEN.
        :param requests: what is asked for.
        :param callback: takes the values of each data point as ``data``, pairs of times and values; it may ask for
            more, see :data:`oadr_core.auto.report_wishes.ReportCallback`.
        """
        asked = [part_from_dict(ReportRequest, one) for one in requests]

        def ask(now: Now) -> None:
            self._core.vtn.create_report(ven_id, asked, now)
            points = [(one, point.r_id) for one in asked for point in one.report_specifier.specifier_payloads]
            for one, r_id in points:
                if callback is not None:
                    self._core.bind(ven_id, one.report_request_id, r_id, callback)

        self._do(ask)

    def attach_callback(self, ven_id: str, report_request_id: str, callback: Callable[..., object]) -> None:
        """Have a callback take what a request brings that was made before.

        A request outlives a restart, and a callback does not. Attached before the VTN runs, it misses no report.

        :param ven_id: the VEN.
        :param report_request_id: a request that :meth:`create_report` has made.
        :param callback: what takes the values from now on.
        :raises LocalProtocolError: the VEN was not asked for that.
        """
        self._do(lambda _: self._core.attach(ven_id, report_request_id, callback))

    def cancel_report(self, ven_id: str, *report_request_ids: str, report_to_follow: bool = False) -> None:
        """Ask a VEN for no more of some reports.

        :param ven_id: the VEN.
        :param report_request_ids: the requests that end.
        :param report_to_follow: whether one last report is wanted.
        """
        self._do(
            lambda now: self._core.vtn.cancel_report(ven_id, report_request_ids, now, report_to_follow=report_to_follow)
        )

    # --- its own reports ---------------------------------------------------------------------------------------------

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
        """Offer a data point to all VENs, as a VEN does; see :meth:`OpenADRClient.add_report`.

        The handler ``on_request_report`` makes reports whose mode is ``next``; it is also told the ``ven_id``.

        :returns: the ids of the report and of the data point.
        :raises LocalProtocolError: the offer breaks a rule; the text says which, and what would be right.
        """
        return self._do(
            lambda now: self._offering.add(
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
        self._do(lambda now: self._core.submit(report_specifier_id, r_id, value, now, time))

    def resend_report(
        self,
        ven_id: str,
        report_request_id: str,
        values: Mapping[str, object] | None = None,
        dtstart: datetime | None = None,
    ) -> None:
        """Send a report to a VEN once more, as it was or corrected (rule 346).

        :param ven_id: the VEN.
        :param report_request_id: the request that it answers.
        :param values: by data point, pairs of the time and the value that replaces the one of that time; or the value
            alone, where the report has one.
        :param dtstart: when the report begins; the last one if None.
        :raises LocalProtocolError: no such report is remembered, or it has no value of such a time.
        """
        self._do(lambda now: self._core.resend_report(ven_id, report_request_id, now, values=values, dtstart=dtstart))

    # --- opts --------------------------------------------------------------------------------------------------------

    def availability(
        self,
        ven_id: str,
        at: datetime | None = None,
        resource: str | Target | None = None,
        *,
        event_id: str | None = None,
        market_context: str | None = None,
        device_class: str | None = None,
        otherwise: bool = True,
        overlap: OptType = OptType.OPT_OUT,
    ) -> Availability:
        """Tell whether a resource of a VEN is available, and why, by all that the VEN has said.

        :param ven_id: the VEN.
        :param at: the time; now if None.
        :param resource: its resourceID, or all that it can be targeted by; None for the whole VEN.
        :param event_id: the event that it is to take part in.
        :param market_context: the program that it is to take part in; that of the event if None.
        :param device_class: the class of the devices in question.
        :param otherwise: whether it is available where the VEN has said nothing.
        :param overlap: which counts where schedules opt it both in and out.
        :raises LocalProtocolError: there is no such VEN, or no such event.
        """
        if ven_id not in self.vens:
            raise LocalProtocolError(f"there is no VEN {ven_id!r}")
        if event_id is not None and event_id not in self.events:
            raise LocalProtocolError(f"there is no event {event_id!r}")
        if event_id is not None and market_context is None:
            market_context = self.events[event_id].event.event_descriptor.market_context
        return availability(
            self.vens[ven_id],
            at or system_now().utc,
            resource,
            event_id=event_id,
            market_context=market_context,
            device_class=device_class,
            otherwise=otherwise,
            overlap=overlap,
        )

    # --- running -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Run the VTN while the body runs; it serves its VENs from the first line of the body on.

        At the end it serves nobody new, finishes what is under way, and closes.
        """
        async with self._serving({}):
            yield self

    @asynccontextmanager
    async def _serving(self, given: Mapping[str, Carrier]) -> AsyncIterator[None]:
        """Run the VTN over all of its transports.

        :param given: carries its requests over those over which somebody else serves, by their names.
        """
        others = {name: one for name, one in self._transports.items() if name not in given}
        async with AsyncExitStack() as stack:
            carriers = {name: await stack.enter_async_context(one.opened()) for name, one in others.items()}
            await stack.enter_async_context(self._driving(self._core, Carriers({**given, **carriers})))
            for one in others.values():
                await stack.enter_async_context(one.serving(self))
            yield

    def link_is_back(self, transport: TransportName) -> None:
        """Push at once what has failed for want of a connection of our own; for the transports.

        :param transport: the one that has a connection again.
        """
        self._do(lambda now: self._core.link_is_back(transport, now))

    def _refuse_address(self, transport: str, address: str) -> str | None:
        """Say why an address that a VEN registers with is not pushed to."""
        return self._transports[transport].refuse_address(address)

    def _check_profile_20a(self) -> None:
        """See that VENs of 2.0a are served.

        :raises LocalProtocolError: they are not.
        """
        raise LocalProtocolError("VENs of 2.0a are served over HTTP alone")

    def _observed(self, event: Event) -> None:
        super()._observed(event)
        if isinstance(event, OptReceived):
            told = {"ven_id": event.ven_id, "event_id": event.event_id, "opt_type": str(event.opt_type)}
            self._start(self._callbacks.get(event.event_id), told)
        elif isinstance(event, EventOffered):
            for event_id in event.event_ids:
                self._start(self._delivery_callbacks.get(event_id), {"ven_id": event.ven_id, "event_id": event_id})

    def _start(self, callback: Callable[..., object] | None, told: Mapping[str, object]) -> None:
        if callback is not None and self._driver is not None:
            patience = self._core.vtn.config.call_timeout
            self._driver.start(callback, arguments(callback, told), turn=str(told["ven_id"]), patience=patience)


def _listed(given: Iterable[str]) -> tuple[str, ...]:
    """Several texts, or a single one by itself."""
    return (given,) if isinstance(given, str) else tuple(given)
