"""XML signatures: keys and certificates from files, and what follows from which of them are given."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
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
from oadr_driver.tls_files import FilePath, read_file

_PKCS12: Final = (".p12", ".pfx")


class SignaturePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How signatures are made, and which are accepted; what stands here is what the profile asks for.

    :param tolerance: how far the time in a signature may be from ours, both ways.
    :param accepted: what is accepted beyond the usual; see :class:`oadr_core.Accepted`.
    :param canonicalization: how XML is made into octets to be signed.
    :param prefixes: whether names in a signed document have prefixes.
    """

    tolerance: timedelta = timedelta(minutes=1)
    accepted: Accepted = Accepted()
    canonicalization: Canonicalization = Canonicalization.INCLUSIVE
    prefixes: bool = True


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
    own = signing_key(cert, key, passphrase, began) if cert is not None and not disable_signature else None
    secure = url.startswith("https:")
    known = fingerprints is not None or verification_cert is not None
    demanded = (not secure and (own is not None or known)) if verify is None else verify
    trust = None
    if known and verify is not False:
        listed = [fingerprints] if isinstance(fingerprints, str) else fingerprints
        given = None if verification_cert is None else read_file(Path(verification_cert))
        trust = Trust(fingerprints=listed or None, certificates=given)
    elif demanded and ca_file is not None:
        trust = Trust(authorities=read_file(Path(ca_file)), host=urlsplit(url).hostname)
    elif demanded:
        raise LocalProtocolError(
            "nothing says by what the signatures of the VTN are known: give vtn_fingerprint, verification_cert or "
            "ca_file; or disable_signature=True, or verify_message_signatures=False, where it does not sign"
        )
    since = began if restarted else None
    return _sealer(entropy, own, trust, demanded, policy, strict=strict, since=since, limits=limits)


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
    own = None if cert is None else signing_key(cert, key, passphrase, began)
    trust = None
    if verify and own is not None:
        trust = Trust(authorities=None if ca_file is None else read_file(Path(ca_file)))
    return _sealer(entropy, own, trust, required, policy, strict=strict, since=began, limits=limits)


def _sealer(
    entropy: Entropy,
    key: SigningKey | None,
    trust: Trust | None,
    required: bool,
    policy: SignaturePolicy | None,
    *,
    strict: bool,
    since: datetime | None,
    limits: Limits,
) -> Sealer:
    if key is None and trust is None:
        return PlainSealer(strict=strict, limits=limits)
    policy = policy or SignaturePolicy()
    return SigningSealer(
        entropy,
        key=key,
        trust=trust,
        required=required,
        accepted=policy.accepted,
        replay=ReplayGuard(policy.tolerance, since=since),
        canonicalization=policy.canonicalization,
        prefixes=policy.prefixes,
        strict=strict,
        limits=limits,
    )
