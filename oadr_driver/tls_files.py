"""Certificates and keys from files: read, checked against each other, and refused in words that say what is wrong."""

import re
import stat
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from oadr_core import LocalProtocolError, SigningKey
from oadr_driver.logs import logger

_LOG: Final = logger("oadr.tls")

FilePath: TypeAlias = str | Path
Files: TypeAlias = FilePath | Sequence[FilePath] | None
"""The path of a file, or several."""

_KEY: Final = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)

_OPEN_TO_ALL: Final = stat.S_IROTH | stat.S_IWOTH


class OwnCertificate(msgspec.Struct, frozen=True):
    """A certificate that we show, with its key.

    :param file: where it is; certificates of the CAs between it and the root may follow it there.
    :param key_file: where its key is.
    :param subject: whose it is, as in RFC 4514.
    :param fingerprint: by which peers know it.
    :param kind: ``RSA`` or ``EC``.
    :param not_before: when it begins to be valid.
    :param not_after: when it expires.
    """

    file: Path
    key_file: Path
    subject: str
    fingerprint: str
    kind: str
    not_before: datetime
    not_after: datetime


def listed(files: Files) -> tuple[Path, ...]:
    """The paths of several files, of one, or of none."""
    if files is None:
        return ()
    return tuple(Path(one) for one in ([files] if isinstance(files, str | Path) else files))


def read_own(file: Path, key_file: Path, passphrase: str | None) -> OwnCertificate:
    """Read a certificate and its key, and see that they can be used.

    :param file: the certificate, in PEM.
    :param key_file: its key, in PEM; may be the same file.
    :param passphrase: what the key is encrypted with, if it is.
    :raises LocalProtocolError: a file is missing or damaged, the passphrase is wrong, the two do not belong together,
        or the key is too short (rule 68).
    """
    _certificates(file)
    return certificate_of(_key_of(file, key_file, passphrase), file, key_file)


def certificate_of(key: SigningKey, file: Path, key_file: Path) -> OwnCertificate:
    """Describe the certificate of a key.

    :param key: the key.
    :param file: where the certificate was read from.
    :param key_file: where the key was read from.
    """
    return OwnCertificate(
        file=file,
        key_file=key_file,
        subject=key.certificate.x509.subject.rfc4514_string(),
        fingerprint=key.certificate.fingerprint,
        kind="RSA" if isinstance(key.certificate.key, RSAPublicKey) else "EC",
        not_before=key.certificate.not_before,
        not_after=key.certificate.not_after,
    )


def _key_of(file: Path, key_file: Path, passphrase: str | None) -> SigningKey:
    """Read a key, and see that it is that of a certificate."""
    match = _KEY.search(read_file(key_file))
    if match is None:
        raise LocalProtocolError(f"{key_file}: there is no private key in PEM, which begins with BEGIN … PRIVATE KEY")
    encrypted = b"ENCRYPTED" in match[0]
    if encrypted and not passphrase:
        raise LocalProtocolError(f"{key_file}: the key is encrypted, and no passphrase is given")
    if not encrypted and key_file.stat().st_mode & _OPEN_TO_ALL:
        _LOG.warning("%s: everybody on this machine can read the key; chmod 600 keeps it to you", key_file)
    try:
        return SigningKey(read_file(file), match[0], passphrase if encrypted else None)
    except LocalProtocolError as error:
        raise LocalProtocolError(f"{key_file}: {error} (the certificate is {file})") from None


def check_trusted(file: Path) -> None:
    """See that a file holds certificates of CAs.

    :param file: the certificates, in PEM.
    :raises LocalProtocolError: it is missing or damaged, or one of them is none of a CA.
    """
    for one in _certificates(file):
        try:
            is_ca = one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            is_ca = one.version is x509.Version.v1 or one.subject == one.issuer
        except ValueError:
            raise LocalProtocolError(f"{file}: a certificate is damaged") from None
        if not is_ca and one.subject != one.issuer:
            raise LocalProtocolError(
                f"{file}: the certificate of {one.subject.rfc4514_string()} is none of a CA; "
                "give that of the CA which has signed it"
            )


def expired(certificate: OwnCertificate, now: datetime) -> LocalProtocolError | None:
    """Tell whether a certificate has expired, and must not be used any more (section 10.4, rule 516).

    :returns: the error that says so; None while it may be used.
    """
    if now < certificate.not_after:
        return None
    when = certificate.not_after.astimezone(UTC)
    return LocalProtocolError(f"{certificate.file}: the certificate has expired, on {when:%Y-%m-%d %H:%M:%SZ} (R516)")


def read_file(file: Path) -> bytes:
    """Read a file.

    :raises LocalProtocolError: it is missing, or cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise LocalProtocolError(f"{file}: there is no such file") from None
    except OSError as error:
        raise LocalProtocolError(f"{file}: it cannot be read: {error.strerror or error}") from None


Stamps: TypeAlias = tuple[tuple[int, int, int] | None, ...]
"""What shows whether files have changed."""


def stamps_of(files: Iterable[Path]) -> Stamps:
    """Look at files, to see later whether they have changed; None for one that is missing."""
    return tuple(map(_stamp, files))


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _certificates(file: Path) -> list[x509.Certificate]:
    data = read_file(file)
    if b"-----BEGIN CERTIFICATE-----" not in data:
        raise LocalProtocolError(f"{file}: there is no certificate in PEM, which begins with BEGIN CERTIFICATE")
    try:
        found = x509.load_pem_x509_certificates(data)
        for one in found:
            one.public_key()
    except (ValueError, TypeError):
        raise LocalProtocolError(f"{file}: the certificate is damaged") from None
    return found
