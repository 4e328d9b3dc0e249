"""A VEN over XMPP, for applications: handlers in, dicts out."""

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from oadr_core import Event, TransportName, VenLimits, VenPolicy, normalised_fingerprints
from oadr_driver.clock import system_now
from oadr_driver.recorder import Trace
from oadr_driver.settings import patience, ven_config
from oadr_driver.signatures import XMPP_SIGNATURES, SignaturePolicy, ven_sealer
from oadr_driver.store import Store
from oadr_driver.tls import TlsPolicy
from oadr_driver.ven import DrivenVen
from oadr_xmpp.dialects import XmppDialect, named
from oadr_xmpp.limits import XmppLimits
from oadr_xmpp.login import XmppClient
from oadr_xmpp.transport import XmppToVtn


class OpenADRClient(DrivenVen):
    """A VEN that the VTN reaches over XMPP, at any time, so that it does not poll.

    It runs by itself: declare handlers with :meth:`add_handler` and reports with :meth:`add_report`, then enter
    :meth:`running` or await :meth:`run`, on asyncio. It logs in, finds the VTN, registers, answers and reports, and
    recovers from whatever fails.

    All methods are to be called from the event loop that runs it; those that are no coroutines also from a handler that
    runs in a thread. Several clients may run in one process; they share nothing.

    :param ven_name: a name for people.
    :param jid: its JID, such as ``0013a20040f1@oadr.example/client``. Its user name is the CN of the certificate (rule
        515); where it names no resource, ``client`` is asked for.
    :param anonymous: whether the server gives it a user name (SASL ANONYMOUS), as avob has it; ``jid`` is its domain
        then.
    :param vtn_address: where the services of the VTN are found, its domain or its JID; the domain of ``jid`` if None.
    :param dialect: how the VTN is spoken to, an :class:`XmppDialect` or its name. With ``avob``, the services of the
        VTN are at ``xmpp.`` before the domain if ``vtn_address`` is None, and its server knows it by a
        ``vtn_fingerprint``.
    :param host: the address of the XMPP server; it is looked up by the domain of ``jid`` if None.
    :param port: its port.
    :param password: its password, which is shown by SCRAM; None where it logs in with ``cert``.
    :param cert: its certificate, in PEM, for logging in and for signing.
    :param key: the key, in PEM; None where it is in the file of the certificate.
    :param passphrase: what the key is encrypted with, if it is.
    :param vtn_fingerprint: the fingerprint of the certificate that the VTN signs with, or several; nothing is taken
        that another one has signed.
    :param verification_cert: the certificates that the VTN may sign with, in PEM; where they are known as a whole.
    :param ca_file: the CAs of the certificate of the XMPP server; those of the system if None.
    :param disable_signature: not to sign although there is a ``cert``.
    :param verify_message_signatures: whether everything that the VTN says has to be signed (rule 514). If None, what is
        signed has to be signed well, where it is said by what the VTN is known, and what is not is taken as well: who
        the VTN is, the XMPP server tells.
    :param signature_policy: how signatures are made, and which are accepted; :data:`XMPP_SIGNATURES` if None.
    :param check_hostname: whether the certificate of the XMPP server must be for the domain of ``jid``.
    :param tls_policy: how TLS is spoken with the XMPP server; 1.2 or 1.3, with the suites of the
        profile and the usual ones, if None.
    :param ven_id: an id that was agreed beforehand, if one was.
    :param call_timeout: how long a handler may take before the policy decides instead of it.
    :param request_timeout: how long to wait for an answer of the VTN; 5 seconds at least (section 9.1.6), and not
        longer than ``answer_timeout`` of the limits.
    :param longest_wait: how long it waits at most before it tries again what did not get through; the first time it
        waits a second, and then twice as long each time.
    :param strict: whether to refuse answers that the schema refuses.
    :param typed: whether handlers get instances of the message classes instead of dicts.
    :param market_contexts: the programs that it is part of; events of others are refused with 462, and nobody is asked.
        None accepts any, here and in what follows.
    :param group_ids: the groups that it is in; an event that is meant for none of what the VEN is gets 462.
    :param resource_ids: the resources that it has.
    :param party_ids: the parties that it acts for.
    :param device_classes: the classes of its devices; an event that is meant for none of them gets 469.
    :param signals: the signals that it supports, as pairs of name and type; an event with another gets 460.
    :param policy: how it runs; see :class:`oadr_core.VenPolicy`.
    :param limits: what it puts up with, and how patient the connection is; see :class:`XmppLimits`.
    :param ven_limits: how much the VTN can make it keep, of events, requests, offers and so on; see
        :class:`oadr_core.VenLimits`.
    :param store: keeps the state; in memory if None.
    :param observe: is told everything that the core tells; must not block.
    :param trace: takes every exchange once it is over; ``oadr inspect`` judges what was written down of them.
    :raises LocalProtocolError: an address, a fingerprint or the dialect is none, nothing says how to log in,
        ``longest_wait`` is nothing, or a file of certificates cannot be used; the text says what would be right.
    """

    def __init__(
        self,
        ven_name: str,
        jid: str,
        *,
        anonymous: bool = False,
        vtn_address: str | None = None,
        dialect: XmppDialect | str = XmppDialect.PROFILE,
        host: str | None = None,
        port: int = 5222,
        password: str | None = None,
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
        call_timeout: timedelta = timedelta(seconds=60),
        request_timeout: timedelta = timedelta(seconds=30),
        longest_wait: timedelta = timedelta(minutes=1),
        strict: bool = False,
        typed: bool = False,
        market_contexts: Sequence[str] | None = None,
        group_ids: Sequence[str] | None = None,
        resource_ids: Sequence[str] | None = None,
        party_ids: Sequence[str] | None = None,
        device_classes: Sequence[str] | None = None,
        signals: Sequence[tuple[str, str]] | None = None,
        policy: VenPolicy | None = None,
        limits: XmppLimits | None = None,
        ven_limits: VenLimits | None = None,
        store: Store | None = None,
        observe: Callable[[Event], None] | None = None,
        trace: Trace | None = None,
    ) -> None:
        entropy, limits = random.SystemRandom(), limits or XmppLimits()
        login = XmppClient(
            jid,
            anonymous=anonymous,
            password=password,
            cert=cert,
            key=key,
            passphrase=passphrase,
            ca_file=ca_file,
            check_hostname=check_hostname,
            tls_policy=tls_policy,
            host=host,
            port=port,
        )
        config = ven_config(
            ven_name=ven_name,
            ven_id=ven_id,
            transport=TransportName.XMPP,
            pull=False,
            call_timeout=call_timeout,
            market_contexts=market_contexts,
            group_ids=group_ids,
            resource_ids=resource_ids,
            party_ids=party_ids,
            device_classes=device_classes,
            signals=signals,
            ven_limits=ven_limits,
            sender=patience(longest_wait, request_timeout),
        )
        saved = None if store is None else store.load()
        sealer = ven_sealer(
            entropy,
            f"https://{vtn_address or login.domain}",  # the server has proved to each who the other is, as TLS does
            cert=cert,
            key=key,
            passphrase=passphrase,
            disable_signature=disable_signature,
            verify=verify_message_signatures,
            fingerprints=vtn_fingerprint,
            verification_cert=verification_cert,
            ca_file=ca_file,
            policy=signature_policy or XMPP_SIGNATURES,
            strict=strict,
            began=system_now().utc,
            restarted=bool(saved),
            limits=limits.documents,
        )
        super().__init__(
            config,
            transport=XmppToVtn(
                login,
                vtn=vtn_address,
                dialect=named(dialect),
                speaks_as=_known_as(vtn_fingerprint, login.domain),
                limits=limits,
            ),
            sealer=sealer,
            entropy=entropy,
            policy=policy,
            typed=typed,
            store=store,
            saved=saved,
            observe=observe,
            trace=trace,
            tls=login.tls,
        )


def _known_as(fingerprints: str | Sequence[str] | None, domain: str) -> list[str]:
    """The JIDs that the server of avob's gives the VTN: those of its certificates."""
    return [f"{one.replace(':', '').lower()}@{domain}" for one in normalised_fingerprints(fingerprints or ())]
