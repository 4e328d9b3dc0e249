"""A VTN over HTTP, for applications: handlers in, dicts out."""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from oadr_core import Event, Limits, LocalProtocolError, ReportRule, TransportName, VtnConfig, VtnPolicy
from oadr_driver.clock import system_now
from oadr_driver.recorder import Trace
from oadr_driver.settings import patience, vtn_limits
from oadr_driver.signatures import SignaturePolicy, usual_signatures, vtn_sealer
from oadr_driver.store import Store
from oadr_driver.tls import TlsPolicy, vtn_tls
from oadr_driver.tls_files import Files
from oadr_driver.transport import VtnTransport
from oadr_driver.vtn import DrivenVtn
from oadr_http.asgi import AsgiApp
from oadr_http.endpoints import PREFIX
from oadr_http.exposure import is_loopback, refuse_exposure
from oadr_http.server import ServerLimits
from oadr_http.targets import LOOPBACK, PUBLIC, PushTargets
from oadr_http.transport import HttpToVens
from oadr_http.trusted_proxy import HEADER, TrustedProxies


class OpenADRServer(DrivenVtn):
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
    :param signature_policy: how signatures are made, and which are accepted; as the profile says if None, and where
        XMPP is served as well without prefixes, which are not left alone there.
    :param fingerprint_lookup: a function or a coroutine function that takes a ``ven_id``, and returns the fingerprint
        of that VEN, a list of several where its certificate is renewed, the earliest first, or None; only those VENs
        are registered then, and only with such a certificate.
    :param trusted_proxies: addresses or networks of proxies that end TLS in front of it, and hand the certificates of
        VENs on in a header, which is believed from nobody else.
    :param proxy_header: that header.
    :param proxy_address_header: a header such as ``X-Forwarded-For`` in which these proxies add the address of who asks
        them, so that VENs without certificates are told apart; None where they do not.
    :param require_certificate: whether requests without a valid certificate are refused with 403 (rule 517); if None,
        where there is TLS or a trusted proxy. For :meth:`asgi`, where the server hands certificates on.
    :param allow_insecure: serve others than this machine, without proof of who they are: anybody can pose as any VEN.
    :param push_to: where VENs are pushed to that register with an address: networks and addresses, such as
        ``192.168.1.0/24``; and the words ``public`` for all that anybody can reach, ``private`` for private networks,
        and ``loopback`` for this machine. A VEN that is anywhere else cannot register for push. If None, it is
        ``public``, and where nobody else can reach the VTN ``loopback`` as well.
    :param request_timeout: how long the answer of a push VEN is awaited; 5 seconds at least (section 9.1.6).
    :param longest_wait: how long it waits at most before it tries a push VEN again that it could not reach; the first
        time it waits a second, and then twice as long each time.
    :param most_pushes: how many requests may be under way to push VENs at a time, one to each.
    :param transports: other ways to VENs that it serves beside HTTP, by the names that VENs register with, such as
        ``xmpp``.
    :param ven_lookup: the handler of that name; see :meth:`add_handler`.
    :param requested_poll_freq: how often VENs are asked to poll.
    :param answer_timeout: how long the answer of a VEN is awaited before it is asked again.
    :param certificate_overlap: how long a VEN that has shown the certificate that was announced for it is known by its
        former one as well, for connections that are open; see :meth:`announce_certificate`.
    :param call_timeout: how long a handler may take before the policy decides instead of it.
    :param missed_polls: after how many polls that did not come a VEN counts as offline.
    :param request_reports: whether telemetry of usage is asked for where no ``on_register_report`` handler says which
        reports are wanted; the values go to ``on_update_report``.
    :param shortest_sampling: the spacing of readings at least, where ``request_reports`` asks for them.
    :param reporting: how often they are reported then; None for every reading.
    :param report_rules: which other reports are asked for whenever they are offered, where there is no such handler.
    :param renew_reports: whether periodic reports that ``create_report`` asked for are asked for again, under new ids,
        where a VEN registers its reports anew, as after its restart: that ends them (rule 306).
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
        proxy_address_header: str | None = None,
        require_certificate: bool | None = None,
        allow_insecure: bool = False,
        push_to: Sequence[str] | None = None,
        request_timeout: timedelta = timedelta(seconds=30),
        longest_wait: timedelta = timedelta(minutes=1),
        most_pushes: int = 256,
        transports: Mapping[str, VtnTransport] | None = None,
        ven_lookup: Callable[..., object] | None = None,
        requested_poll_freq: timedelta = timedelta(seconds=10),
        answer_timeout: timedelta = timedelta(seconds=60),
        certificate_overlap: timedelta = timedelta(minutes=2),
        call_timeout: timedelta = timedelta(seconds=60),
        missed_polls: int = 3,
        request_reports: bool = False,
        shortest_sampling: timedelta = timedelta(seconds=10),
        reporting: timedelta | None = None,
        report_rules: Sequence[ReportRule] = (),
        renew_reports: bool = False,
        strict: bool = True,
        typed: bool = False,
        store: Store | None = None,
        limits: ServerLimits | None = None,
        observe: Callable[[Event], None] | None = None,
        trace: Trace | None = None,
    ) -> None:
        entropy, limits = random.SystemRandom(), limits or ServerLimits()
        proxies = TrustedProxies(trusted_proxies, proxy_header, proxy_address_header) if trusted_proxies else None
        tls = vtn_tls(
            http_cert, http_key, http_key_passphrase, http_ca_file, tls_policy, behind_proxy=proxies is not None
        )
        secure = tls is not None and tls.serving
        known = secure or proxies is not None
        sealer = vtn_sealer(
            entropy,
            cert=cert,
            key=key,
            passphrase=passphrase,
            verify=verify_message_signatures,
            required=require_signatures,
            ca_file=signing_ca_file,
            policy=signature_policy or usual_signatures(transports or ()),
            strict=strict,
            began=system_now().utc,
            limits=Limits(size=limits.body, tags=limits.tags),
        )
        if not secure and not allow_insecure and not sealer.requires:
            refuse_exposure(http_host)
        local = (
            is_loopback(http_host) and proxies is None and not allow_insecure and (secure or not require_certificate)
        )
        self._http = HttpToVens(
            http_host,
            http_port,
            prefix=http_path_prefix,
            prefix_20a=http_path_prefix_20a,
            proxies=proxies,
            identified=known if require_certificate is None else require_certificate,
            limits=limits,
            tls=tls,
            targets=PushTargets(_usual_targets(local) if push_to is None else push_to, secure=known),
        )
        self._endpoints = self._http.endpoints(self)
        self._exposed = self._http.identified or allow_insecure
        config = VtnConfig(
            vtn_id=vtn_id,
            poll_freq=requested_poll_freq,
            answer_timeout=answer_timeout,
            certificate_overlap=certificate_overlap,
            call_timeout=call_timeout.total_seconds(),
            limits=vtn_limits(limits),
            most_pushes=most_pushes,
        )
        super().__init__(
            config,
            transports={TransportName.SIMPLE_HTTP: self._http, **(transports or {})},
            sealer=sealer,
            entropy=entropy,
            policy=VtnPolicy(
                missed_polls=missed_polls,
                request_reports=request_reports,
                shortest_sampling=shortest_sampling,
                reporting=reporting,
                report_rules=tuple(report_rules),
                renew_reports=renew_reports,
            ),
            push=patience(longest_wait, request_timeout),
            typed=typed,
            fingerprint_lookup=fingerprint_lookup,
            ven_lookup=ven_lookup,
            store=store,
            observe=observe,
            trace=trace,
            tls=tls,
        )

    @property
    def port(self) -> int:
        """The port it listens on; the one that was asked for, until it listens."""
        return self._http.port

    @property
    def url(self) -> str:
        """The base URL that VENs need."""
        return self._http.url

    @property
    def url_20a(self) -> str | None:
        """The base URL that VENs of 2.0a need; None where they are not served."""
        return self._http.url_20a

    def _check_profile_20a(self) -> None:
        if self.url_20a is None:
            raise LocalProtocolError("VENs of 2.0a are not served; give http_path_prefix_20a= a path for them")

    @asynccontextmanager
    async def driving(self) -> AsyncIterator[None]:
        """Run the VTN without listening, for those who bring a server of their own; see :meth:`asgi`.

        Over its other ``transports`` it serves its VENs itself.
        """
        async with self._http.carrying() as carrier, self._serving({TransportName.SIMPLE_HTTP: carrier}):
            yield

    def asgi(self) -> AsgiApp:
        """The same endpoints as an ASGI application, for a server of yours.

        Wherever it is mounted there, ``http_path_prefix`` may be the whole path or what follows that of the mount.
        Who a VEN is shows where the server supports the TLS extension of ASGI (then say ``require_certificate=True``),
        or from ``trusted_proxies``; else clients on other machines are refused, unless there is ``allow_insecure``.
        """
        return AsgiApp(self._endpoints, self.driving, longest_body=self._http.longest_body, exposed=self._exposed)


def _usual_targets(local: bool) -> tuple[str, ...]:
    """Where VENs are pushed to if nothing is said.

    :param local: whether nobody but this machine can reach the VTN, so that nobody gains anything by having it call it.
    """
    return (PUBLIC, LOOPBACK) if local else (PUBLIC,)
