"""XML signatures: keys and certificates from files, and what follows from which of them are given."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from oadr_core import (
    Accepted,
    Canonicalization,
    Entropy,
    Limits,
    LocalProtocolError,
    PlainSealer,
    ReplayGuard,
    Sealer,
    SigningKey,
    SigningSealer,
    TransportName,
    Trust,
)
from oadr_driver.clock import system_now
from oadr_driver.tls_files import FilePath, OwnCertificate, Stamps, certificate_of, read_file, stamps_of

_PKCS12: Final = (".p12", ".pfx")


class SignaturePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How signatures are made, and which are accepted; what stands here is what the profile asks for.

    :param tolerance: how far the time in a signature may be from ours, both ways.
    :param accepted: what is accepted beyond the usual; see :class:`oadr_core.Accepted`.
    :param canonicalization: how XML is made into octets to be signed.
    :param prefixes: whether names in a signed document have prefixes.
    :param warn_before: how long before the certificate that signs expires that is told, once a day.
    :param look_every: how often the files of keys and certificates are looked at, whether they have been replaced.
    """

    tolerance: timedelta = timedelta(minutes=1)
    accepted: Accepted = Accepted()
    canonicalization: Canonicalization = Canonicalization.INCLUSIVE
    prefixes: bool = True
    warn_before: timedelta = timedelta(days=30)
    look_every: timedelta = timedelta(seconds=10)


class SignatureFiles:
    """The files that signatures are made and checked with; read anew whenever that is wanted.

    :param cert: our certificate.
    :param key: its key; None where it is in the same file.
    :param passphrase: opens it.
    :param trusted: another file that says whose signatures are believed, if one does.
    :param trust: reads it, and says whose are; None where nobody's are looked at.
    """

    def __init__(
        self,
        *,
        cert: FilePath | None,
        key: FilePath | None,
        passphrase: str | None,
        trusted: FilePath | None,
        trust: Callable[[], Trust] | None,
    ) -> None:
        self.cert: Final = None if cert is None else Path(cert)
        self.key: Final = None if key is None else Path(key)
        self._passphrase = passphrase
        self._trusted = None if trusted is None else Path(trusted)
        self._trust = trust

    def read(self, now: datetime) -> tuple[SigningKey | None, Trust | None]:
        """Read them.

        :raises LocalProtocolError: one cannot be used.
        """
        own = None if self.cert is None else signing_key(self.cert, self.key, self._passphrase, now)
        return own, None if self._trust is None else self._trust()

    def stamps(self) -> Stamps:
        """What shows whether they have changed."""
        return stamps_of(one for one in (self.cert, self.key, self._trusted) if one is not None)


class FiledSealer(SigningSealer):
    """A sealer whose key and certificates come from files, and are read again when those are replaced.

    :param entropy: the source of nonces.
    :param files: the files.
    :param read: what they hold.
    :param policy: how it signs, and what it accepts.
    :param settings: what else a :class:`oadr_core.SigningSealer` takes.
    """

    def __init__(
        self,
        entropy: Entropy,
        files: SignatureFiles,
        read: tuple[SigningKey | None, Trust | None],
        policy: SignaturePolicy,
        **settings: Any,
    ) -> None:
        key, trust = read
        super().__init__(
            entropy,
            key=key,
            trust=trust,
            accepted=policy.accepted,
            canonicalization=policy.canonicalization,
            prefixes=policy.prefixes,
            **settings,
        )
        self._files = files
        self._policy = policy
        self._key = key
        self._seen = files.stamps()

    @property
    def own(self) -> tuple[OwnCertificate, ...]:
        """Our certificate, as it is in use; none where nothing is signed."""
        if self._key is None or self._files.cert is None:
            return ()
        return (certificate_of(self._key, self._files.cert, self._files.key or self._files.cert),)

    @property
    def look_every(self) -> timedelta:
        """How often the files are looked at."""
        return self._policy.look_every

    def expires(self) -> tuple[OwnCertificate, ...]:
        """Our certificate, where it expires soon, or has."""
        soon = system_now().utc + self._policy.warn_before
        return tuple(one for one in self.own if one.not_after <= soon)

    def changed(self) -> bool:
        """Tell whether a file has changed since it was last read, or tried to be."""
        return self._files.stamps() != self._seen

    def reload(self) -> None:
        """Read the files again; what is sealed from now on is signed with the new key.

        :raises LocalProtocolError: they cannot be used; what was read before stays in use.
        """
        self._seen = self._files.stamps()
        key, trust = self._files.read(system_now().utc)
        self.renew(key=key, trust=trust)
        self._key = key


XMPP_SIGNATURES: Final = SignaturePolicy(prefixes=False, accepted=Accepted(exclusive=True))
"""How signatures are made that XMPP servers pass on unbroken, and which are accepted (section 9.3, rule 514).

Servers give names other prefixes than they had, so none are sent. What others sign by exclusive canonicalization is
taken as well, as it is what XML signatures in stanzas are usually made with."""


def usual_signatures(transports: Iterable[str]) -> SignaturePolicy:
    """How signatures are made where nothing else is said: such that they hold on all transports that are served.

    :param transports: their names.
    """
    return XMPP_SIGNATURES if TransportName.XMPP in transports else SignaturePolicy()


def signing_key(cert: FilePath, key: FilePath | None, passphrase: str | None, now: datetime) -> SigningKey:
    """Read what is signed with.

    :param cert: the certificate, in PEM or DER; or a PKCS#12 file, ``.p12`` or ``.pfx``, that holds the key as well.
    :param key: the key; None where it is in the file of the certificate.
    :param passphrase: what the key is encrypted with, if it is.
    :param now: the present.
    :raises LocalProtocolError: a file is missing or damaged, the passphrase is wrong, they do not belong together, or
        the certificate has expired (rule 516).
    """
    cert = Path(cert)
    content, secret = read_file(cert), None if key is None else read_file(Path(key))
    try:
        if secret is None and cert.suffix.lower() in _PKCS12:
            found = SigningKey.from_pkcs12(content, passphrase)
        else:
            found = SigningKey(content, content if secret is None else secret, passphrase)
    except LocalProtocolError as error:
        raise LocalProtocolError(f"{cert if key is None else key}: {error}") from None
    if now > found.certificate.not_after:
        raise LocalProtocolError(f"{cert}: the certificate has expired, on {found.certificate.not_after:%F %TZ} (R516)")
    return found


def ven_sealer(
    entropy: Entropy,
    url: str,
    *,
    cert: FilePath | None,
    key: FilePath | None,
    passphrase: str | None,
    disable_signature: bool,
    verify: bool | None,
    fingerprints: str | Sequence[str] | None,
    verification_cert: FilePath | None,
    ca_file: FilePath | None,
    policy: SignaturePolicy | None,
    strict: bool,
    began: datetime,
    restarted: bool,
    limits: Limits,
) -> Sealer:
    """Make the sealer of a VEN; see :class:`oadr_http.OpenADRClient` for the parameters.

    :param began: when the VEN was started.
    :param restarted: whether it has run before, so that answers from before may come again.
    :param limits: how large a document may be.
    :raises LocalProtocolError: what is given does not say whose signatures are believed, or cannot be used.
    """
    signs = cert is not None and not disable_signature
    secure = url.startswith("https:")
    known = bool(fingerprints) or verification_cert is not None
    demanded = (not secure and (signs or known)) if verify is None else verify
    trust: Callable[[], Trust] | None = None
    trusted: FilePath | None = None
    if known and verify is not False:
        listed = [fingerprints] if isinstance(fingerprints, str) else fingerprints
        trusted = verification_cert
        trust = partial(_trust_in, listed or None, verification_cert)
    elif demanded and ca_file is not None:
        trusted = ca_file
        trust = partial(_trust_of, ca_file, urlsplit(url).hostname)
    since = began if restarted else None
    files = SignatureFiles(cert=cert if signs else None, key=key, passphrase=passphrase, trusted=trusted, trust=trust)
    if demanded and trust is None:
        files.read(began)  # what is wrong with a key of our own is said first
        raise LocalProtocolError(
            "nothing says by what the signatures of the VTN are known: give vtn_fingerprint, verification_cert or "
            "ca_file; or disable_signature=True, or verify_message_signatures=False, where it does not sign"
        )
    return _sealer(entropy, files, demanded, policy, strict=strict, now=began, since=since, limits=limits)


def _trust_in(fingerprints: Sequence[str] | None, certificate: FilePath | None) -> Trust:
    """Believe who has one of some fingerprints, or the very certificate."""
    given = None if certificate is None else read_file(Path(certificate))
    return Trust(fingerprints=fingerprints, certificates=given)


def _trust_of(authorities: FilePath | None, host: str | None = None) -> Trust:
    """Believe who has a certificate of some authorities; anybody where there are none."""
    return Trust(authorities=None if authorities is None else read_file(Path(authorities)), host=host)


def vtn_sealer(
    entropy: Entropy,
    *,
    cert: FilePath | None,
    key: FilePath | None,
    passphrase: str | None,
    verify: bool,
    required: bool,
    ca_file: FilePath | None,
    policy: SignaturePolicy | None,
    strict: bool,
    began: datetime,
    limits: Limits,
) -> Sealer:
    """Make the sealer of a VTN; see :class:`oadr_http.OpenADRServer` for the parameters.

    :param began: when the VTN was started: what was signed before may have been taken already.
    :param limits: how large a document may be.
    :raises LocalProtocolError: a file cannot be used.
    """
    trust = partial(_trust_of, ca_file) if verify and cert is not None else None
    files = SignatureFiles(cert=cert, key=key, passphrase=passphrase, trusted=ca_file, trust=trust)
    return _sealer(entropy, files, required, policy, strict=strict, now=began, since=began, limits=limits)


def _sealer(
    entropy: Entropy,
    files: SignatureFiles,
    required: bool,
    policy: SignaturePolicy | None,
    *,
    strict: bool,
    now: datetime,
    since: datetime | None,
    limits: Limits,
) -> Sealer:
    read = files.read(now)
    if read == (None, None):
        return PlainSealer(strict=strict, limits=limits)
    policy = policy or SignaturePolicy()
    return FiledSealer(
        entropy,
        files,
        read,
        policy,
        required=required,
        replay=ReplayGuard(policy.tolerance, since=since),
        strict=strict,
        limits=limits,
    )
