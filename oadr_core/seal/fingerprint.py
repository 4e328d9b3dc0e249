"""The short name of a certificate (section 10.5.1 of the profile)."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final

from oadr_core.errors import LocalProtocolError

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def fingerprint(certificate: str | bytes) -> str:
    """Make the fingerprint that a VEN and a VTN know each other by.

    :param certificate: in PEM (the first certificate of the text counts) or, as bytes, in DER.
    :returns: the last ten bytes of the SHA-256 of the DER form, as 20 upper-case hexadecimal digits in pairs joined by
        colons.
    :raises ValueError: the text holds no certificate.
    """
    data = certificate.encode() if isinstance(certificate, str) else certificate
    match = _PEM.search(data)
    if match is not None:
        try:
            data = base64.b64decode(b"".join(match[1].split()), validate=True)
        except binascii.Error:
            raise ValueError("the certificate's base64 is damaged") from None
    elif isinstance(certificate, str) or not data.startswith(b"\x30"):
        raise ValueError("there is no certificate: neither PEM nor DER")
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(data).digest()[-10:])


def normalised(text: str) -> str:
    """Spell a fingerprint that a person typed as :func:`fingerprint` does; colons and case do not matter.

    :raises LocalProtocolError: the text is not twenty hexadecimal digits.
    """
    digits = text.replace(":", "").replace(" ", "").upper()
    if not re.fullmatch("[0-9A-F]{20}", digits):
        raise LocalProtocolError(f"{text!r} is no fingerprint, which has ten pairs of hexadecimal digits")
    return ":".join(digits[index : index + 2] for index in range(0, 20, 2))


def all_normalised(given: str | Iterable[str]) -> tuple[str, ...]:
    """Spell one fingerprint, or several, as :func:`fingerprint` does.

    :raises LocalProtocolError: one of them is none; the text says which.
    """
    return tuple(map(normalised, [given] if isinstance(given, str) else given))


def certificate_after(fingerprints: Sequence[str], shown: str | None) -> str | None:
    """Find the certificate that follows another one in a list of those that a VEN has, the earliest first.

    :param fingerprints: the fingerprints of its certificates.
    :param shown: that of the one that it has shown.
    :returns: the fingerprint of its next one; None where that was the last, or none of them.
    """
    if shown not in fingerprints[:-1]:
        return None
    return fingerprints[fingerprints.index(shown) + 1]
