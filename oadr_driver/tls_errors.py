"""Why there is no TLS with a peer, in words for people; libraries tell it in those of OpenSSL."""

import ssl
from collections.abc import Iterator, Mapping
from typing import Final

_WRONG_CERTIFICATES: Final[Mapping[int, str]] = {
    9: "its certificate is not valid yet; or our clock is wrong",
    10: "its certificate has expired",
    18: "its certificate is signed by itself, and not by a CA that we trust",
    19: "the CA of its certificate is not one that we trust",
    20: "its certificate was issued by a CA that we do not trust",
    21: "its certificate was issued by a CA that we do not trust",
    23: "its certificate was revoked",
    26: "its certificate is not meant for this side of a connection",
    66: "the key of its certificate is too short",
    67: "the key of a CA of its certificate is too short",
    68: "its certificate is signed with a digest that is not safe any more",
}
"""By the code of X509_verify_cert_error_string."""

_HOST_NAME: Final = (62, 64)

_REASONS: Final[Mapping[str, str]] = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate, which it must",
    "NO_SHARED_CIPHER": "it offers no cipher suite that we take; or only such as need another kind of certificate",
    "UNSUPPORTED_PROTOCOL": "it speaks only versions of TLS that we do not",
    "VERSION_TOO_LOW": "it speaks only versions of TLS that we do not",
    "WRONG_VERSION_NUMBER": "it does not speak TLS here",
    "HTTP_REQUEST": "it speaks plain HTTP, where TLS is spoken",
    "HTTPS_PROXY_REQUEST": "it speaks plain HTTP, where TLS is spoken",
    "UNKNOWN_PROTOCOL": "it does not speak TLS",
    "RECORD_LAYER_FAILURE": "it does not speak TLS",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it does not take our versions of TLS",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it takes none of our cipher suites, or wants a certificate, and we have none",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": "it takes none of our cipher suites",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of us, and we have none",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not take our certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it does not take certificates of our kind",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it says that our certificate was revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that our certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not take our certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust the CA of our certificate",
    "TLSV1_ALERT_ACCESS_DENIED": "it does not let us in",
    "TLSV1_ALERT_DECRYPT_ERROR": "it finds our proof wrong that the certificate is ours",
    "TLSV1_ALERT_INTERNAL_ERROR": "something is wrong on its side",
    "TLSV1_UNRECOGNIZED_NAME": "it has no certificate for the name that we call it by",
}
"""By the reason that OpenSSL gives."""

_CLOSED: Final = "it closed the connection in the middle of the handshake; perhaps it does not take our certificate"


class NotTrusted(ssl.SSLCertVerificationError):
    """A peer has shown a certificate that is valid, and may not be used here all the same.

    :param why: what is wrong with it, in words.
    """

    def __init__(self, why: str) -> None:
        super().__init__(1, why)
        self.why: Final = why


def reason(error: BaseException) -> str | None:
    """Say why there is no TLS with a peer, which the text calls "it".

    :param error: what was raised; its causes are looked at as well.
    :returns: None where the error has nothing to do with TLS.
    """
    for one in _causes(error):
        if isinstance(one, NotTrusted):
            return one.why
        if isinstance(one, ssl.SSLCertVerificationError):
            return _wrong_certificate(one)
        if isinstance(one, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
            return _CLOSED
        if isinstance(one, ssl.SSLError):
            return _REASONS.get(one.reason or "") or f"TLS fails: {one.reason or one}"
    return None


def _wrong_certificate(error: ssl.SSLCertVerificationError) -> str:
    code = getattr(error, "verify_code", 0)
    if code in _HOST_NAME:
        return "its certificate is for another host name (check_hostname says whether that matters)"
    return _WRONG_CERTIFICATES.get(code) or f"its certificate is not valid: {getattr(error, 'verify_message', error)}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
