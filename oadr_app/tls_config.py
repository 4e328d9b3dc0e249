"""``[tls]`` in the files of ``oadr vtn`` and ``oadr ven``, and what it and ``[signatures]`` say together."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from oadr_app.checked import ConfigError
from oadr_app.periods import Period
from oadr_http import PROFILE_CIPHERS, TlsPolicy

Fingerprint = Annotated[str, msgspec.Meta(pattern="^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){9}$")]
"""The fingerprint of a certificate, with colons or without."""


def passphrase_in(file: Path | None, place: str) -> str | None:
    """Read a passphrase.

    :param file: the file with it in its first line; None where there is none.
    :param place: the setting that names the file.
    :raises ConfigError: the file cannot be read.
    """
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"{place}: {file} cannot be read: {reason}") from None


class TlsFile(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What both sides can say in ``[tls]``.

    :param passphrase_file: a file with the passphrase of the keys, in its first line.
    :param minimum_version: the lowest version of TLS.
    :param maximum_version: the highest one.
    :param ciphers: the cipher suites of TLS 1.2, in the names of OpenSSL.
    :param warn_before: how long before a certificate of ours expires that is told, once a day.
    """

    passphrase_file: Path | None = None
    minimum_version: Literal["1.2", "1.3"] = "1.2"
    maximum_version: Literal["1.2", "1.3"] = "1.2"
    ciphers: list[str] = msgspec.field(default_factory=lambda: list(PROFILE_CIPHERS))
    warn_before: Period = Period(days=30)

    @property
    def policy(self) -> TlsPolicy:
        """How TLS is spoken.

        :raises LocalProtocolError: the settings contradict each other.
        """
        return TlsPolicy(
            minimum_version=self.minimum_version,
            maximum_version=self.maximum_version,
            ciphers=tuple(self.ciphers),
            warn_before=self.warn_before,
        )

    def passphrase(self) -> str | None:
        """Read the passphrase.

        :raises ConfigError: the file cannot be read.
        """
        return passphrase_in(self.passphrase_file, "tls.passphrase_file")


class VtnTls(TlsFile, forbid_unknown_fields=True, kw_only=True):
    """``[tls]`` of a VTN.

    :param certificates: its certificates in PEM: one with an RSA key and one with an EC key (rule 68).
    :param keys: their keys, in the same order; empty where each is in the file of its certificate.
    :param authorities: the CAs of its VENs, which have to show certificates.
    """

    certificates: Annotated[list[Path], msgspec.Meta(min_length=1)]
    keys: list[Path] = msgspec.field(default_factory=list)
    authorities: Path

    def arguments(self) -> dict[str, Any]:
        """Say it in the arguments of an OpenADRServer."""
        return {
            "http_cert": self.certificates,
            "http_key": self.keys or None,
            "http_key_passphrase": self.passphrase(),
            "http_ca_file": self.authorities,
            "tls_policy": self.policy,
        }


class VenTls(TlsFile, forbid_unknown_fields=True, kw_only=True):
    """``[tls]`` of a VEN.

    :param certificate: its certificate in PEM.
    :param key: its key; None where it is in the same file.
    :param authorities: the CAs of the VTN's certificate; those of the system if None.
    :param vtn_fingerprints: the fingerprints of the VTN's certificates; any that the CAs vouch for if empty.
    :param check_hostname: whether the VTN's certificate must be for the host that is called (decision D46).
    """

    certificate: Path
    key: Path | None = None
    authorities: Path | None = None
    vtn_fingerprints: list[Fingerprint] = msgspec.field(default_factory=list)
    check_hostname: bool = True

    def arguments(self, signing: dict[str, Any]) -> dict[str, Any]:
        """Say it in the arguments of an OpenADRClient, which has one certificate for TLS and for signing.

        :param signing: the arguments that say how it signs; empty where it does not.
        :raises ConfigError: the two contradict each other.
        """
        own: dict[str, Any] = {"cert": self.certificate, "key": self.key, "ca_file": self.authorities}
        for name, setting in (("cert", "certificate"), ("key", "key"), ("ca_file", "authorities")):
            if signing.get(name) not in (None, own[name]):
                raise ConfigError(f"tls.{setting} and signatures.{setting} differ; a VEN has one certificate for both")
        if not signing:
            own |= {"disable_signature": True, "verify_message_signatures": False}
        own["passphrase"] = self.passphrase() or signing.get("passphrase")
        fingerprints = [*self.vtn_fingerprints, *(signing.get("vtn_fingerprint") or [])]
        return {
            **signing,
            **own,
            "vtn_fingerprint": fingerprints or None,
            "check_hostname": self.check_hostname,
            "tls_policy": self.policy,
        }
