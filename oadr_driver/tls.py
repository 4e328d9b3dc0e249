"""TLS as the profile wants it: versions, cipher suites, certificates on both sides (section 10, rules 67 and 68)."""

import ssl
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from oadr_core import LocalProtocolError, normalised_fingerprints
from oadr_driver.logs import logger
from oadr_driver.tls_files import Files, OwnCertificate, Stamps, check_trusted, expired, listed, read_own, stamps_of
from oadr_driver.tls_guard import guard

_LOG: Final = logger("oadr.tls")

PROFILE_CIPHERS: Final = ("ECDHE-ECDSA-AES128-SHA256", "AES128-SHA256")
"""The cipher suites of the profile in the names of OpenSSL: TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 and
TLS_RSA_WITH_AES_128_CBC_SHA256 (section 10.4, rule 67)."""

TlsVersion: TypeAlias = Literal["1.2", "1.3"]
"""A version of TLS."""

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class TlsPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How TLS is spoken; as it comes, exactly as the profile says (rule 67).

    :param minimum_version: the lowest version of TLS.
    :param maximum_version: the highest one.
    :param ciphers: the cipher suites of TLS 1.2, in the names of OpenSSL, the best first. Those of TLS 1.3 are always
        the same.
    :param warn_before: how long before a certificate of ours expires that is told, once a day; must not be negative.
    :param look_every: how often certificates are looked at, whether they have been replaced; must be more than nothing.
    """

    minimum_version: TlsVersion = "1.2"
    maximum_version: TlsVersion = "1.2"
    ciphers: tuple[str, ...] = PROFILE_CIPHERS
    warn_before: timedelta = timedelta(days=30)
    look_every: timedelta = timedelta(seconds=10)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        :raises LocalProtocolError: a setting is none; the text says which, and what would be right.
        """
        for name in ("minimum_version", "maximum_version"):
            if getattr(self, name) not in _VERSIONS:
                raise LocalProtocolError(f"{name} is {getattr(self, name)!r}; it must be 1.2 or 1.3")
        if self.minimum_version > self.maximum_version:
            raise LocalProtocolError("minimum_version is 1.3 and maximum_version 1.2, so no version is left")
        if self.warn_before < timedelta(0):
            raise LocalProtocolError(f"warn_before is {self.warn_before}; it must not be negative")
        if self.look_every <= timedelta(0):
            raise LocalProtocolError(f"look_every is {self.look_every}; it must be more than nothing")


class Tls:
    """What one side needs for TLS: its certificates, whom it trusts, and how it is spoken.

    Everything is read and checked at once, so that nothing is wrong later; :meth:`reload` reads it again.

    :param cert: our certificate in PEM, or several of different kinds, of which the peer takes the one it can: a VTN
        must have an RSA and an EC one (rule 68).
    :param key: the keys, in the same order; None where each is in the file of its certificate.
    :param passphrase: what the keys are encrypted with, if they are.
    :param ca_file: the CAs that we trust, in PEM; those of the system if None, which a server may not rely on.
    :param fingerprints: those of the certificates of which a peer that we call must have one; any that the CAs vouch
        for if empty.
    :param check_hostname: whether a peer that we call must have a certificate for the host name that we call (decision
        D46).
    :param serving: whether we are called.
    :param policy: how TLS is spoken.
    :param prefix: what the names of the settings begin with, for texts.
    :param clock: tells the time, in seconds since 1970.
    :ivar serving: whether we are called.
    :raises LocalProtocolError: a file is missing or damaged, a passphrase is wrong, a key does not fit its certificate,
        a certificate has expired (rule 516), or the settings contradict each other; the text says which, and what would
        be right.
    """

    def __init__(
        self,
        *,
        cert: Files = None,
        key: Files = None,
        passphrase: str | None = None,
        ca_file: str | Path | None = None,
        fingerprints: str | Sequence[str] = (),
        check_hostname: bool = True,
        serving: bool = False,
        policy: TlsPolicy | None = None,
        prefix: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.policy: Final = policy or TlsPolicy()
        self.check_hostname: Final = check_hostname
        self.fingerprints: Final = frozenset(normalised_fingerprints(fingerprints))
        self._pairs = _pairs(listed(cert), listed(key), prefix)
        self._passphrase = passphrase
        self._ca_file = None if ca_file is None else Path(ca_file)
        self._clock = clock
        self.serving: Final = serving
        if serving and not self._pairs:
            raise LocalProtocolError(f"{prefix}cert is missing: a server must have a certificate")
        if serving and self._ca_file is None:
            raise LocalProtocolError(
                f"{prefix}ca_file is missing: it says whose certificates clients may show, which they must"
            )
        self._load()
        self._seen = self._stamps()

    def _load(self) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        own = tuple(read_own(file, key, self._passphrase) for file, key in self._pairs)
        for one in own:
            error = expired(one, now)
            if error is not None:
                raise error
            if now < one.not_before:
                _LOG.warning(
                    "%s: the certificate is valid from %s on only; is the clock right?", one.file, one.not_before
                )
        if len({one.kind for one in own}) < len(own):
            raise LocalProtocolError("there are two certificates of one kind; a peer would never see one of them")
        if self._ca_file is not None:
            check_trusted(self._ca_file)
        client = self._context(ssl.PROTOCOL_TLS_CLIENT, own)
        client.check_hostname = self.check_hostname
        server = None
        if self.serving:
            server = self._context(ssl.PROTOCOL_TLS_SERVER, own)
            server.verify_mode = ssl.CERT_REQUIRED  # section 9.2.1.1: client certificates are compulsory
            server.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        self._own, self._client, self._server = own, client, server

    def _context(self, protocol: int, own: tuple[OwnCertificate, ...]) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = _VERSIONS[self.policy.minimum_version]
        context.maximum_version = _VERSIONS[self.policy.maximum_version]
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # so that the CA of VENs can be trusted, and not its root
        try:
            context.set_ciphers(":".join(self.policy.ciphers))
        except ssl.SSLError:
            raise LocalProtocolError(
                f"OpenSSL knows none of the cipher suites {', '.join(self.policy.ciphers)}"
            ) from None
        for one in own:
            try:
                context.load_cert_chain(one.file, one.key_file, password=self._passphrase or "")
            except (ssl.SSLError, OSError) as error:
                raise LocalProtocolError(f"{one.file}: OpenSSL cannot use it: {error}") from None
        if self._ca_file is None:
            context.load_default_certs()
        else:
            try:
                context.load_verify_locations(self._ca_file)
            except (ssl.SSLError, OSError) as error:
                raise LocalProtocolError(f"{self._ca_file}: OpenSSL cannot use it: {error}") from None
        guard(context, min((one.not_after for one in own), default=None), self._clock)
        return context

    # --- what it is used for -----------------------------------------------------------------------------------------

    @property
    def own(self) -> tuple[OwnCertificate, ...]:
        """Our certificates, as they are in use."""
        return self._own

    @property
    def client(self) -> ssl.SSLContext:
        """For connections that we begin; another one after each :meth:`reload`."""
        return self._client

    @property
    def server(self) -> ssl.SSLContext:
        """For connections that others begin; another one after each :meth:`reload`."""
        assert self._server is not None, "it serves nobody"
        return self._server

    @property
    def look_every(self) -> timedelta:
        """How often they are looked at."""
        return self.policy.look_every

    def expires(self) -> tuple[OwnCertificate, ...]:
        """Those of our certificates that expire soon, or have, as the policy says what soon is."""
        soon = datetime.fromtimestamp(self._clock(), UTC) + self.policy.warn_before
        return tuple(one for one in self._own if one.not_after <= soon)

    # --- reading it again --------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Read the files again. Connections that are open go on as they were; new ones are made with what was read.

        :raises LocalProtocolError: they cannot be used; what was read before stays in use.
        """
        self._seen = self._stamps()
        self._load()

    def changed(self) -> bool:
        """Tell whether a file has changed since it was last read, or tried to be."""
        return self._stamps() != self._seen

    def _stamps(self) -> Stamps:
        """What shows whether the files have changed."""
        files = [file for pair in self._pairs for file in pair]
        return stamps_of([*files, self._ca_file] if self._ca_file is not None else files)


def _pairs(certificates: tuple[Path, ...], keys: tuple[Path, ...], prefix: str) -> tuple[tuple[Path, Path], ...]:
    """Each certificate with its key."""
    if keys and not certificates:
        raise LocalProtocolError(f"{prefix}key is given, and no {prefix}cert that it belongs to")
    if keys and len(keys) != len(certificates):
        raise LocalProtocolError(
            f"there are {len(certificates)} certificates in {prefix}cert and {len(keys)} keys in {prefix}key; "
            "each needs its own, in the same order"
        )
    return tuple(zip(certificates, keys or certificates, strict=True))


def vtn_tls(
    cert: Files,
    key: Files,
    passphrase: str | None,
    ca_file: str | Path | None,
    policy: TlsPolicy | None,
    *,
    behind_proxy: bool,
) -> Tls | None:
    """Make what a VTN needs for TLS: where it is called, and where it calls push VENs.

    Their certificates have no names of hosts, so nobody looks at these; it is the fingerprint that they are known by
    (decision D46).

    :param behind_proxy: whether a proxy ends TLS, so that ``ca_file`` alone makes sense.
    :returns: None where it speaks plain HTTP.
    :raises LocalProtocolError: see :class:`Tls`.
    """
    if ca_file is not None and not listed(cert) and not behind_proxy:
        raise LocalProtocolError("http_ca_file is given, and no http_cert: the VTN would speak plain HTTP")
    if ca_file is None and not listed(cert) and not listed(key):
        return None
    return Tls(
        cert=cert,
        key=key,
        passphrase=passphrase,
        ca_file=ca_file,
        check_hostname=False,
        serving=bool(listed(cert)) or not behind_proxy,
        policy=policy,
        prefix="http_",
    )
