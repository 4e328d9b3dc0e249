"""A VTN over XMPP, for applications: handlers in, dicts out."""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from oadr_core import Event, ReportRule, TransportName, VtnConfig, VtnLimits, VtnPolicy
from oadr_driver.clock import system_now
from oadr_driver.recorder import Trace
from oadr_driver.settings import patience
from oadr_driver.signatures import XMPP_SIGNATURES, SignaturePolicy, vtn_sealer
from oadr_driver.store import Store
from oadr_driver.transport import VtnTransport
from oadr_driver.vtn import DrivenVtn
from oadr_xmpp.dialects import XmppDialect, named
from oadr_xmpp.limits import XmppLimits
from oadr_xmpp.login import XmppClient, XmppComponent
from oadr_xmpp.transport import XmppToVens


class OpenADRServer(DrivenVtn):
    """A VTN that is reached over XMPP, as a component of a server or as a client of one.

    Declare handlers with :meth:`add_handler`, then enter :meth:`running` or await :meth:`run`, on asyncio. All methods
    are to be called from the event loop that runs it; those that are no coroutines also from a handler that runs in a
    thread. Several servers may run in one process; they share nothing.

    A VEN is known by its bare JID, which the XMPP server vouches for: there the user name is the CN of its certificate
    (rule 515).

    :param vtn_id: its id.
    :param login: how it gets onto the XMPP server: an :class:`XmppComponent` or an :class:`XmppClient`.
    :param dialects: what VENs may speak beside what the profile has, as :class:`XmppDialect` or its names; each is
        spoken to as it speaks.
    :param transports: other ways to VENs that it serves beside XMPP, by the names that VENs register with.
    :param cert: the certificate that it signs with, in PEM, or a PKCS#12 file; nothing is signed if None, and the
        signatures of others are not looked at.
    :param key: the key; None where it is in the file of the certificate.
    :param passphrase: what the key is encrypted with, if it is.
    :param verify_message_signatures: whether it looks at signatures where it has a ``cert``.
    :param require_signatures: whether every VEN has to sign (rule 514). If not, one that registers without a signature
        may go on so, and is answered so; one that registers with a signature always has to sign.
    :param signing_ca_file: the CAs of the certificates that VENs sign with; None takes any certificate.
    :param signature_policy: how signatures are made, and which are accepted; :data:`XMPP_SIGNATURES` if None.
    :param fingerprint_lookup: a function or a coroutine function that takes a ``ven_id``, and returns the fingerprint
        of the certificate that the VEN signs with, a list of several where that is renewed, the earliest first, or
        None; only those VENs are registered then.
    :param longest_wait: how long it waits at most before it tries again to push what a VEN did not take; the first time
        it waits a second, and then twice as long each time.
    :param most_pushes: how many pushes are under way at a time; the other VENs wait for their turn.
    :param answer_timeout: how long the answer of a VEN is awaited before it is asked again.
    :param certificate_overlap: how long a VEN that has shown the certificate that was announced for it is known by its
        former one as well, for connections that are open; see :meth:`announce_certificate`.
    :param call_timeout: how long a handler may take before the policy decides instead of it.
    :param request_reports: whether telemetry of usage is asked for where no ``on_register_report`` handler says which
        reports are wanted; the values go to ``on_update_report``.
    :param shortest_sampling: the spacing of readings at least, where ``request_reports`` asks for them.
    :param reporting: how often they are reported then; None for every reading.
    :param report_rules: which other reports are asked for whenever they are offered, where there is no such handler.
    :param renew_reports: whether periodic reports that ``create_report`` asked for are asked for again, under new ids,
        where a VEN registers its reports anew, as after its restart: that ends them (rule 306).
    :param vtn_limits: how much its VENs can make it keep: how many VENs there may be, their offers, opts, requests and
        so on; see :class:`oadr_core.VtnLimits`.
    :param strict: whether to refuse documents that the schema refuses.
    :param typed: whether handlers get instances of the message classes instead of dicts.
    :param store: keeps the state; in memory if None.
    :param limits: what it puts up with, and how patient the connection is; see :class:`XmppLimits`.
    :param observe: is told everything that the core tells; must not block.
    :param trace: takes every exchange once it is over; ``oadr inspect`` judges what was written down of them.
    :raises LocalProtocolError: the ``vtn_id`` is empty, a dialect is none, a number is none that can be, or a file of
        certificates cannot be used; the text says what would be right.
    """

    def __init__(
        self,
        vtn_id: str,
        login: XmppClient | XmppComponent,
        *,
        dialects: Collection[XmppDialect | str] = (),
        transports: Mapping[str, VtnTransport] | None = None,
        cert: str | Path | None = None,
        key: str | Path | None = None,
        passphrase: str | None = None,
        verify_message_signatures: bool = True,
        require_signatures: bool = True,
        signing_ca_file: str | Path | None = None,
        signature_policy: SignaturePolicy | None = None,
        fingerprint_lookup: Callable[..., object] | None = None,
        longest_wait: timedelta = timedelta(minutes=1),
        most_pushes: int = 256,
        answer_timeout: timedelta = timedelta(seconds=60),
        certificate_overlap: timedelta = timedelta(minutes=2),
        call_timeout: timedelta = timedelta(seconds=60),
        request_reports: bool = False,
        shortest_sampling: timedelta = timedelta(seconds=10),
        reporting: timedelta | None = None,
        report_rules: Sequence[ReportRule] = (),
        renew_reports: bool = False,
        vtn_limits: VtnLimits | None = None,
        strict: bool = True,
        typed: bool = False,
        store: Store | None = None,
        limits: XmppLimits | None = None,
        observe: Callable[[Event], None] | None = None,
        trace: Trace | None = None,
    ) -> None:
        entropy, limits = random.SystemRandom(), limits or XmppLimits()
        sealer = vtn_sealer(
            entropy,
            cert=cert,
            key=key,
            passphrase=passphrase,
            verify=verify_message_signatures,
            required=require_signatures,
            ca_file=signing_ca_file,
            policy=signature_policy or XMPP_SIGNATURES,
            strict=strict,
            began=system_now().utc,
            limits=limits.documents,
        )
        self._xmpp = XmppToVens(login, dialects=[named(one) for one in dialects], limits=limits)
        config = VtnConfig(
            vtn_id=vtn_id,
            answer_timeout=answer_timeout,
            certificate_overlap=certificate_overlap,
            call_timeout=call_timeout.total_seconds(),
            limits=vtn_limits or VtnLimits(),
            most_pushes=most_pushes,
        )
        super().__init__(
            config,
            transports={TransportName.XMPP: self._xmpp, **(transports or {})},
            sealer=sealer,
            entropy=entropy,
            policy=VtnPolicy(
                request_reports=request_reports,
                shortest_sampling=shortest_sampling,
                reporting=reporting,
                report_rules=tuple(report_rules),
                renew_reports=renew_reports,
            ),
            typed=typed,
            fingerprint_lookup=fingerprint_lookup,
            push=patience(longest_wait),
            store=store,
            observe=observe,
            trace=trace,
            tls=login.tls,
        )

    @property
    def jid(self) -> str | None:
        """Where VENs find it; None while it is not connected."""
        return self._xmpp.jid
