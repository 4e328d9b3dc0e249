"""Certificates for tests, made anew by each run, and the files that they are read from."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from oadr_app.authority import Authority, Identity, Kind, Side, pem
from oadr_http import OpenADRClient, OpenADRServer
from tests.http.watch import POLL

HOSTS: Final = ("127.0.0.1", "localhost")


def authority(kind: Kind = Kind.EC) -> Authority:
    """The CA that both sides trust."""
    return _authority(kind)


@cache
def _authority(kind: Kind) -> Authority:
    return Authority.made(kind)


@cache
def foreign() -> Authority:
    """A CA that nobody trusts."""
    return Authority.made(Kind.EC)


def vtn_identity(kind: Kind = Kind.EC) -> Identity:
    """The certificate of a VTN."""
    return _vtn_identity(kind)


@cache
def _vtn_identity(kind: Kind) -> Identity:
    return authority(kind).vtn(HOSTS)


def ven_identity(name: str = "VEN", kind: Kind = Kind.EC) -> Identity:
    """The certificate of a VEN."""
    return _ven_identity(name, kind)


@cache
def _ven_identity(name: str, kind: Kind) -> Identity:
    return authority(kind).ven(name)


def der(identity: Identity) -> bytes:
    """A certificate in DER."""
    return identity.certificate.public_bytes(Encoding.DER)


class Folder:
    """A folder for files of certificates.

    :param path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def put(self, name: str, identity: Identity, passphrase: str | None = None) -> tuple[Path, Path]:
        """Write a certificate and its key; returns where they are."""
        certificate, key = self.path / f"{name}.crt", self.path / f"{name}.key"
        certificate.write_bytes(identity.pem)
        key.write_bytes(identity.key_pem(passphrase))
        key.chmod(0o600)
        return certificate, key

    def trusted(self, side: Side, *authorities: Authority) -> Path:
        """Write the CAs of one side; returns where they are."""
        path = self.path / f"{side}-ca.crt"
        path.write_bytes(pem(*(one.issuers[side].certificate for one in authorities or (authority(),))))
        return path

    def of_vtn(self, *identities: Identity, trusts: tuple[Authority, ...] = (), **options: Any) -> dict[str, Any]:
        """Write all that a VTN needs; returns the arguments that say so."""
        pairs = [self.put(f"vtn{number}", one) for number, one in enumerate(identities or (vtn_identity(),))]
        return {
            "http_cert": [certificate for certificate, _ in pairs],
            "http_key": [key for _, key in pairs],
            "http_ca_file": self.trusted(Side.VEN, *trusts),
            **options,
        }

    def of_ven(
        self, identity: Identity | None = None, *, trusts: tuple[Authority, ...] = (), **options: Any
    ) -> dict[str, Any]:
        """Write all that a VEN needs; returns the arguments that say so."""
        identity = identity or ven_identity()
        certificate, key = self.put(f"ven{identity.fingerprint.replace(':', '')}", identity)
        return {"cert": certificate, "key": key, "ca_file": self.trusted(Side.VTN, *trusts), **options}

    def vtn(self, *identities: Identity, **options: Any) -> OpenADRServer:
        """Make a VTN that speaks TLS."""
        given = {"http_port": 0, "requested_poll_freq": POLL, **self.of_vtn(*identities, **options)}
        return OpenADRServer("VTN", **given)

    def ven(self, url: str, identity: Identity | None = None, **options: Any) -> OpenADRClient:
        """Make a VEN that speaks TLS."""
        given = {"poll_interval": POLL, **self.of_ven(identity, **options)}
        return OpenADRClient("VEN", url, **given)
