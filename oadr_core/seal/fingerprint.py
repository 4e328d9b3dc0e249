"""The short name of a certificate (section 10.5.1 of the profile)."""

import base64
import binascii
import hashlib
import re
from typing import Final

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

    :raises ValueError: the text is not twenty hexadecimal digits.
    """
    digits = text.replace(":", "").replace(" ", "").upper()
    if not re.fullmatch("[0-9A-F]{20}", digits):
        raise ValueError(f"{text!r} is no fingerprint, which has ten pairs of hexadecimal digits")
    return ":".join(digits[index : index + 2] for index in range(0, 20, 2))
