"""A VTN over HTTP, for applications: handlers in, dicts out."""

import logging
import random
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
import anyio.abc

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
    Failure,
    Handlers,
    Limits,
    LocalProtocolError,
    Now,
    OptReceived,
    OptType,
    Payload,
    Peer,
    ProfileName,
    Report,
    ReportRequest,
    ReportRule,
    Role,
    SenderConfig,
    Service,
    Target,
    VenRecord,
    VtnConfig,
    VtnPolicy,
    arguments,
    availability,
    complete_event,
    from_dict,
    log_line,
    make_event,
    normalised_fingerprint,
    part_from_dict,
)
from oadr_http.asgi import AsgiApp
from oadr_http.client import HttpCarrier
from oadr_http.clock import system_now
from oadr_http.driver import Driver
from oadr_http.endpoints import PREFIX, Endpoints, usual_prefix_20a
from oadr_http.exposure import refuse_exposure
from oadr_http.fingerprints import bound
from oadr_http.offering import Offering
from oadr_http.recorder import Recorder, Trace
from oadr_http.server import Server, ServerLimits
from oadr_http.signatures import SignaturePolicy, vtn_sealer
from oadr_http.store import Store
from oadr_http.throttle import Throttle
from oadr_http.tls import TlsPolicy, vtn_tls
from oadr_http.tls_files import Files, OwnCertificate
from oadr_http.tls_keeper import TlsKeeper, keeping
from oadr_http.trusted_proxy import HEADER, TrustedProxies

_REGISTRATION: Final = "on_create_party_registration"

_LOG: Final = logging.getLogger("oadr.vtn")

Callback = Callable[..., object]
"""Takes ``ven_id``, ``event_id`` and ``opt_type``, or fewer of these, whenever a VEN answers an event.

Callbacks, and those of the kind below, are called one after the other for each VEN, in the order of what has happened;
one that takes longer than ``call_timeout`` is left to itself.
"""

DeliveryCallback = Callable[..., object]
"""Takes ``ven_id`` and ``event_id``, or fewer of these, whenever a VEN is handed an event."""

_ValueT = TypeVar("_ValueT")


class OpenADRServer:
    """A VTN.

    Declare handlers with :meth:`add_handler`, then enter :meth:`running` or await :meth:`run`. All methods are to be
    called from the event loop that runs it; those that are no coroutines also from a handler that runs in a thread.
    Several servers may run in one process; they share nothing.

    :param vtn_id: its id.
    :param http_host: the address to listen on. Without TLS there is no proof of who a VEN is, so anything but loopback
        needs ``allow_insecure`` then.
    :param http_port: the port to listen on; 0 takes a free one, see :attr:`port`.
    :param http_path_prefix: the path before the name of a service.
    :param http_path_prefix_20a: the path before EiEvent for VENs of 2.0a, see :meth:`add_ven`. If None it is
        ``http_path_prefix`` without its last part where that is ``2.0b``; else VENs of 2.0a are not served.
    :param http_cert: its certificate for TLS in PEM, or several, one RSA and one EC (rule 68); plain HTTP if None.
    :param http_key: their keys, in the same order; None where each is in the file of its certificate.
    :param http_key_passphrase: what the keys are encrypted with, if they are.
    :param http_ca_file: the CAs of its VENs, which have to show certificates. Push VENs must be at their address with
        the certificate that they have registered with.
    :param tls_policy: how TLS is spoken; as the profile says if None.
    :param cert: the certificate that it signs with, in PEM, or a PKCS#12 file; nothing is signed if None, and the
        signatures of others are not looked at. A VEN is known by the fingerprint that it has registered with; where
        there is TLS as well, both have to be the same.
    :param key: the key; None where it is in the file of the certificate.
    :param passphrase: what the key is encrypted with, if it is.
    :param verify_message_signatures: whether it looks at signatures where it has a ``cert``.
    :param require_signatures: whether every VEN of 2.0b has to sign (rule 514). If not, one that registers without a
        signature may go on so, and is answered so; one that registers with a signature always has to sign.
    :param signing_ca_file: the CAs of the certificates that VENs sign with; None takes any certificate, and leaves it
        to ``fingerprint_lookup``, ``ven_lookup`` or ``on_create_party_registration`` whose it is.
    :param signature_policy: how signatures are made, and which are accepted; as the profile says if None.
    :param fingerprint_lookup: a function or a coroutine function that takes a ``ven_id``, and returns the fingerprint
        of that VEN, or None; only those VENs are registered then, and only with that certificate.
    :param trusted_proxies: addresses or networks of proxies that end TLS in front of it, and hand the certificates of
        VENs on in a header, which is believed from nobody else.
    :param proxy_header: that header.
    :param require_certificate: whether requests without a valid certificate are refused with 403 (rule 517); if None,
        where there is TLS or a trusted proxy. For :meth:`asgi`, where the server hands certificates on.
    :param allow_insecure: serve others than this machine, without proof of who they are: anybody can pose as any VEN.
    :param ven_lookup: the handler of that name; see :meth:`add_handler`.
    :param requested_poll_freq: how often VENs are asked to poll.
    :param answer_timeout: how long the answer of a VEN is awaited before it is asked again.
    :param call_timeout: how long a handler may take before the policy decides instead of it.
    :param missed_polls: after how many polls that did not come a VEN counts as offline.
    :param request_reports: whether telemetry of usage is asked for where no ``on_register_report`` handler says which
        reports are wanted; the values go to ``on_update_report``.
    :param shortest_sampling: the spacing of readings at least, where ``request_reports`` asks for them.
    :param reporting: how often they are reported then; None for every reading.
    :param report_rules: which other reports are asked for whenever they are offered, where there is no such handler.
    :param strict: whether to refuse documents that the schema refuses.
    :param typed: whether handlers get instances of the message classes instead of dicts.
    :param store: keeps the state; in memory if None.
    :param limits: what it puts up with, from one peer and from all together; see :class:`ServerLimits`.
    :param observe: is told everything that the core tells; must not block.
    :param trace: takes every exchange once it is over; ``oadr inspect`` judges what was written down of them.
    :raises LocalProtocolError: the settings contradict each other, a file of certificates cannot be used, or others
        could reach it without proof of who they are; the text says which, and what would be right.
    """

    def __init__(
        self,
        vtn_id: str,
        *,
        http_host: str = "127.0.0.1",
        http_port: int = 8080,
        http_path_prefix: str = PREFIX,
        http_path_prefix_20a: str | None = None,
        http_cert: Files = None,
        http_key: Files = None,
        http_key_passphrase: str | None = None,
        http_ca_file: str | Path | None = None,
        tls_policy: TlsPolicy | None = None,
        cert: str | Path | None = None,
        key: str | Path | None = None,
        passphrase: str | None = None,
        verify_message_signatures: bool = True,
        require_signatures: bool = True,
        signing_ca_file: str | Path | None = None,
        signature_policy: SignaturePolicy | None = None,
        fingerprint_lookup: Callable[..., object] | None = None,
        trusted_proxies: Sequence[str] = (),
        proxy_header: str = HEADER,
        require_certificate: bool | None = None,
        allow_insecure: bool = False,
        ven_lookup: Callable[..., object] | None = None,
        requested_poll_freq: timedelta = timedelta(seconds=10),
        answer_timeout: timedelta = timedelta(seconds=60),
        call_timeout: timedelta = timedelta(seconds=60),
        missed_polls: int = 3,
        request_reports: bool = False,
        shortest_sampling: timedelta = timedelta(seconds=10),
        reporting: timedelta | None = None,
        report_rules: Sequence[ReportRule] = (),
        strict: bool = True,
        typed: bool = False,
        store: Store | None = None,
        limits: ServerLimits | None = None,
        observe: Callable[[Event], None] | None = None,
        trace: Trace | None = None,
    ) -> None:
        if not vtn_id:
            raise LocalProtocolError("the VTN needs a vtn_id")
        self._entropy = random.SystemRandom()
        self._limits = limits or ServerLimits()
        self._handlers = Handlers(VTN_HANDLERS, typed=typed)
        self._fingerprints = fingerprint_lookup
        if fingerprint_lookup is not None:
            self._handlers.add(_REGISTRATION, bound(None, fingerprint_lookup))
        if ven_lookup is not None:
            self._handlers.add("ven_lookup", ven_lookup)
        self._host, self._port, self._prefix = http_host, http_port, f"/{http_path_prefix.strip('/')}"
        self._prefix_20a = usual_prefix_20a(self._prefix) if http_path_prefix_20a is None else http_path_prefix_20a
        proxies = TrustedProxies(trusted_proxies, proxy_header) if trusted_proxies else None
        self._tls = vtn_tls(
            http_cert, http_key, http_key_passphrase, http_ca_file, tls_policy, behind_proxy=proxies is not None
        )
        self._secure = self._tls is not None and self._tls.serving
        known = self._secure or proxies is not None
        self._insecure, self._identified = allow_insecure, known if require_certificate is None else require_certificate
        sealer = vtn_sealer(
            self._entropy,
            cert=cert,
            key=key,
            passphrase=passphrase,
            verify=verify_message_signatures,
            required=require_signatures,
            ca_file=signing_ca_file,
            policy=signature_policy,
            strict=strict,
            began=system_now().utc,
            limits=Limits(size=self._limits.body, tags=self._limits.tags),
        )
        if not self._secure and not allow_insecure and not sealer.requires:
            refuse_exposure(http_host)
        self._endpoints = Endpoints(
            self,
            prefix=self._prefix,
            prefix_20a=self._prefix_20a,
            proxies=proxies,
            identified=self._identified,
            throttle=Throttle(self._limits.requests_per_ven, self._limits.requests_per_address),
        )
        self._store = store
        self._observe = observe
        self._recorder = None if trace is None else Recorder(Role.VTN, trace)
        self._callbacks: dict[str, Callback] = {}
        self._delivery_callbacks: dict[str, DeliveryCallback] = {}
        config = VtnConfig(
            vtn_id=vtn_id,
            poll_freq=requested_poll_freq,
            answer_timeout=answer_timeout,
            call_timeout=call_timeout.total_seconds(),
            most_vens=self._limits.vens,
            new_vens=self._limits.new_vens,
            most_undecided=self._limits.undecided,
            most_offered=self._limits.offered,
        )
        self._core = AutoVtn(
            config,
            VtnPolicy(
                missed_polls=missed_polls,
                request_reports=request_reports,
                shortest_sampling=shortest_sampling,
                reporting=reporting,
                report_rules=tuple(report_rules),
            ),
            sealer=sealer,
            entropy=self._entropy,
            handlers=self._handlers,
            saved=None if store is None else store.load(),
            push=SenderConfig(),
        )
        self._offering = Offering(self._core, self._entropy)
        self._driver: Driver | None = None
        self._stop: anyio.Event | None = None
        self._bound: int | None = None
        self._keeper = None if self._tls is None else TlsKeeper(self._tls, self._observed)

    # --- what it knows -----------------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port it listens on; the one that was asked for, until it listens."""
        return self._port if self._bound is None else self._bound

    @property
    def url(self) -> str:
        """The base URL that VENs need."""
        return f"{self._origin}{self._prefix}"

    @property
    def url_20a(self) -> str | None:
        """The base URL that VENs of 2.0a need; None where they are not served."""
        return None if self._prefix_20a is None else f"{self._origin}/{self._prefix_20a.strip('/')}"

    @property
    def _origin(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._secure else 'http'}://{host}:{self.port}"

    @property
    def certificates(self) -> tuple[OwnCertificate, ...]:
        """Its certificates for TLS, as they are in use."""
        return () if self._tls is None else self._tls.own

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
        :raises LocalProtocolError: there is a VEN of the id already, or 2.0a is not served.
        :raises ValueError: the fingerprint is none.
        """
        if self._prefix_20a is None:
            raise LocalProtocolError("VENs of 2.0a are not served; give http_path_prefix_20a= a path for them")
        identity = None if fingerprint is None else normalised_fingerprint(fingerprint)
        self._do(
            lambda now: self._core.vtn.add_ven(
                ven_id, now, ven_name=ven_name, identity=identity, poll_interval=poll_interval, address=address
            )
        )

    def remove_ven(self, ven_id: str) -> None:
        """Forget a VEN of 2.0a.

        :raises LocalProtocolError: there is no such VEN, or it has registered itself.
        """
        self._do(lambda now: self._core.vtn.remove_ven(ven_id, now))

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
        specifier_id, point = self._offering.point(
            callback,
            report_specifier_id=report_specifier_id,
            r_id=r_id,
            report_name=report_name,
            resource_id=resource_id,
            measurement=measurement,
            data_collection_mode=data_collection_mode,
            **details,
        )
        self._do(lambda now: self._offering.add(specifier_id, point, report_name, report_duration, now))
        return specifier_id, point.description.r_id

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
    async def driving(self) -> AsyncIterator[None]:
        """Run the VTN without listening, for those who bring a server of their own; see :meth:`asgi`."""
        longest = self._limits.body
        carrier = HttpCarrier(compression=False, longest=longest, tls=self._tls)  # nothing lets a VEN compress
        async with carrier, keeping(self._keeper):
            driver = Driver(
                self._core, carrier=carrier, store=self._store, observe=self._observed, recorder=self._recorder
            )
            self._core.start(system_now())
            async with driver.running():
                self._driver = driver
                try:
                    yield
                finally:
                    self._driver = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator["OpenADRServer"]:
        """Run the VTN while the body runs; it listens from the first line of the body on.

        At the end it stops listening, finishes what is under way, and closes.
        """
        listener = await anyio.create_tcp_listener(local_host=self._host, local_port=self._port)
        self._bound = listener.extra(anyio.abc.SocketAttribute.local_port)
        server = Server(self._endpoints, self._limits, tls=self._server_tls if self._secure else None)
        async with listener, self.driving(), server.serving(listener):
            _LOG.debug("the VTN listens at %s", self.url)
            yield self

    def _server_tls(self) -> ssl.SSLContext:
        assert self._tls is not None
        return self._tls.server

    async def reload_certificates(self) -> bool:
        """Read the certificates for TLS again, as happens by itself soon after their files have changed.

        Connections that are open go on as they were.

        :returns: whether they can be used; if not, the log says why, and those of before stay in use.
        """
        return True if self._keeper is None else await self._keeper.reload()

    async def run(self) -> None:
        """Run the VTN until it is cancelled, or :meth:`stop` is called."""
        self._stop = anyio.Event()
        async with self.running():
            await self._stop.wait()

    async def stop(self) -> None:
        """End :meth:`run`."""
        if self._stop is not None:
            self._stop.set()

    def asgi(self) -> AsgiApp:
        """The same endpoints as an ASGI application, for a server of yours.

        Wherever it is mounted there, ``http_path_prefix`` may be the whole path or what follows that of the mount.
        Who a VEN is shows where the server supports the TLS extension of ASGI (then say ``require_certificate=True``),
        or from ``trusted_proxies``; else clients on other machines are refused, unless there is ``allow_insecure``.
        """
        exposed = self._identified or self._insecure
        return AsgiApp(self._endpoints, self.driving, longest_body=self._limits.body, exposed=exposed)

    async def receive(
        self, body: bytes, peer: Peer, service: Service | None, profile: ProfileName = ProfileName.V20B
    ) -> tuple[Failure | None, bytes]:
        """Take a request; for the HTTP servers."""
        if self._driver is None:
            return Failure.BUSY, b""
        return await self._driver.receive(body, peer, service, profile)

    def _do(self, work: Callable[[Now], _ValueT]) -> _ValueT:
        """Do something with the core, then what follows from it."""

        def done() -> _ValueT:
            value = work(system_now())
            if self._driver is not None:
                self._driver.pump()
            return value

        return done() if self._driver is None else self._driver.in_loop(done)

    def _observed(self, event: Event) -> None:
        written = log_line(event)
        if written is not None:
            _LOG.log(*written)
        if self._observe is not None:
            self._observe(event)
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
