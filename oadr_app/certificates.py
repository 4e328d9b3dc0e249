"""Certificates for trying things out: a test CA, a VTN, VENs, and configuration files that fit them, in one folder.

An XMPP server that they log in to can have its certificate from there as well.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from oadr_app.authority import Authority, Identity, Kind, Side, name_of_host, pem
from oadr_app.checked import ConfigError
from oadr_core import fingerprint
from oadr_http import PREFIX
from oadr_http.exposure import is_loopback

KINDS: Final = tuple(Kind)

_DOMAIN: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VTN: Final = "vtn"
_XMPP: Final = "xmpp"
_PORT: Final = 8443


class Issued(msgspec.Struct, frozen=True):
    """A certificate that was made.

    :param name: whose it is.
    :param kind: the kind of its key.
    :param certificate: its file.
    :param key: the file of its key.
    :param fingerprint: by which peers know it.
    """

    name: str
    kind: Kind
    certificate: Path
    key: Path
    fingerprint: str


class Made(msgspec.Struct, frozen=True):
    """What was made.

    :param issued: the certificates.
    :param trusted_by_vens: the file with the CAs of VTNs, which VENs trust.
    :param trusted_by_vtn: the file with the CAs of VENs, which a VTN trusts.
    :param trusted_by_xmpp_server: the file with the CAs of both, and the roots above them, which an XMPP server trusts;
        None without XMPP.
    :param configurations: the configuration files.
    """

    issued: tuple[Issued, ...]
    trusted_by_vens: Path
    trusted_by_vtn: Path
    trusted_by_xmpp_server: Path | None
    configurations: tuple[Path, ...]


class CertificateFolder:
    """A folder of certificates, which more can be put into.

    Nothing in it is ever written over. The keys of the CAs are there as well, for their owner alone: whoever has them
    can be anybody, so they are of use for tests and nothing else.

    :param folder: the folder; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder

    def make(
        self,
        hosts: Sequence[str],
        vens: Sequence[str],
        kinds: Sequence[Kind],
        life: timedelta,
        xmpp_domain: str | None = None,
    ) -> Made:
        """Make the certificates that are missing.

        The VTN gets one of each kind of key, as rule 68 wants it, and a VEN and an XMPP server one of the first kind.

        :param hosts: the names and addresses of the VTN; where it has its certificates already they are passed over.
        :param vens: the names of the VENs to make certificates for.
        :param kinds: the kinds of keys.
        :param life: how long the certificates are valid.
        :param xmpp_domain: the domain of an XMPP server, which gets a certificate, and which the others can log in to
            with theirs (rule 515); if None, that of the server that has its certificate already, if one has.
        :raises ConfigError: a name is taken, or cannot be a name; or there are other things in the folder, or a server
            of another domain.
        """
        there_already = self._xmpp_domain()
        xmpp_domain = (xmpp_domain or there_already or "").lower() or None
        self._check(hosts, vens)
        self._check_domain(hosts, xmpp_domain, there_already)
        has_vtn = any(self._certificate(_VTN, kind).exists() for kind in KINDS)
        self._folder.mkdir(parents=True, exist_ok=True)
        authorities = {kind: self._authority(kind, begins=not has_vtn and kind in kinds) for kind in KINDS}
        there = {kind: one for kind, one in authorities.items() if one is not None}
        own = next((kind for kind in kinds if kind in there), next(iter(there)))
        issued = []
        if not has_vtn:
            vtns = {kind: one.vtn(hosts, life=life, xmpp_domain=xmpp_domain) for kind, one in there.items()}
            issued += [self._issue(_VTN, vtn, kind) for kind, vtn in vtns.items()]
        issued += [self._issue(name, there[own].ven(name, life=life, xmpp_domain=xmpp_domain), own) for name in vens]
        if xmpp_domain is not None and there_already is None:
            issued.append(self._issue(_XMPP, there[own].vtn([xmpp_domain], life=life), own))
        trusted = [self._trusted(side, there.values()) for side in Side]
        by_server = None if xmpp_domain is None else self._trusted_by_xmpp_server(there.values())
        host = _host_of(_certificate_in(self._certificate(_VTN, next(iter(there)))))
        configurations = [] if has_vtn else [self._configure_vtn(list(there), host)]
        configurations += [self._configure_ven(one, host, list(there)) for one in issued if one.name in vens]
        return Made(tuple(issued), trusted[0], trusted[1], by_server, tuple(configurations))

    def _check(self, hosts: Sequence[str], vens: Sequence[str]) -> None:
        """Refuse what cannot be made before anything is."""
        for host in hosts:
            try:
                name_of_host(host)
            except ValueError as error:
                raise ConfigError(f"--host: {error}") from None
        for name in vens:
            if not _NAME.fullmatch(name) or name in (_VTN, _XMPP, *(f"ca-of-{side}s" for side in Side)):
                raise ConfigError(f"--ven: {name!r} cannot be a name here; letters, digits, dots, - and _ can")
            taken = [self._certificate(name, kind) for kind in KINDS if self._certificate(name, kind).exists()]
            if taken or self._configuration(name).exists():
                raise ConfigError(f"--ven: there is {(taken or [self._configuration(name)])[0]} already")
        if len(set(vens)) < len(vens):
            raise ConfigError("--ven: a name is given twice")
        begun = any(self._ca(kind).exists() for kind in KINDS)
        if not begun and self._folder.exists() and any(self._folder.iterdir()):
            raise ConfigError(f"{self._folder} holds other things; name a new folder, or one of this command")

    def _check_domain(self, hosts: Sequence[str], domain: str | None, there_already: str | None) -> None:
        """Refuse an XMPP server that cannot be had."""
        if domain is None:
            return
        if there_already not in (None, domain):
            raise ConfigError(f"--xmpp: the XMPP server of {self._folder} is {there_already}, and there is but one")
        if not _DOMAIN.fullmatch(domain):
            raise ConfigError(f"--xmpp: {domain!r} is not the name of a domain")
        if ":" in hosts[0]:
            raise ConfigError(f"--host: {hosts[0]} cannot be the name of a user of XMPP; give a name of the VTN first")

    def _xmpp_domain(self) -> str | None:
        """The domain of the XMPP server that has its certificate already."""
        there = [self._certificate(_XMPP, kind) for kind in KINDS if self._certificate(_XMPP, kind).exists()]
        return _host_of(_certificate_in(there[0])) if there else None

    # --- where things are --------------------------------------------------------------------------------------------

    def _certificate(self, name: str, kind: Kind) -> Path:
        return self._folder / f"{name}-{kind}.crt"

    def _configuration(self, name: str) -> Path:
        return self._folder / f"{name}.toml"

    def _ca(self, kind: Kind) -> Path:
        return self._folder / f"ca-{kind}"

    # --- making ------------------------------------------------------------------------------------------------------

    def _authority(self, kind: Kind, *, begins: bool) -> Authority | None:
        """The CA of a kind of key: the one that is there, or a new one."""
        folder = self._ca(kind)
        if folder.exists():
            root = _read(folder, "root")
            return Authority(root, {side: _read(folder, side) for side in Side})
        if not begins:
            return None
        folder.mkdir(mode=0o700)
        made = Authority.made(kind)
        for name, identity in (("root", made.root), *made.issuers.items()):
            _write(folder / f"{name}.crt", pem(identity.certificate))
            _write(folder / f"{name}.key", identity.key_pem(), secret=True)
        return made

    def _issue(self, name: str, identity: Identity, kind: Kind) -> Issued:
        certificate = self._certificate(name, kind)
        key = certificate.with_suffix(".key")
        _write(key, identity.key_pem(), secret=True)
        _write(certificate, identity.pem)
        return Issued(name, kind, certificate, key, identity.fingerprint)

    def _trusted(self, side: Side, authorities: Iterable[Authority]) -> Path:
        """Write the CAs of one side, and not the root above them: it stands above those of the other side as well."""
        path = self._folder / f"ca-of-{side}s.crt"
        if not path.exists():
            _write(path, pem(*(one.issuers[side].certificate for one in authorities)))
        return path

    def _trusted_by_xmpp_server(self, authorities: Iterable[Authority]) -> Path:
        """Write what an XMPP server believes its clients by.

        The VTN may be one of them; and as these servers follow a chain of CAs to its end, the roots have to be there.
        """
        path = self._folder / "ca-of-xmpp-clients.crt"
        if not path.exists():
            chains = [(*one.issuers.values(), one.root) for one in authorities]
            _write(path, pem(*(one.certificate for chain in chains for one in chain)))
        return path

    def _configure_vtn(self, kinds: Sequence[Kind], host: str) -> Path:
        path = self._configuration(_VTN)
        listens = host if is_loopback(host) else "0.0.0.0"  # noqa: S104 - who may come is told by the certificates
        files = [self._certificate(_VTN, kind) for kind in kinds]
        _write(
            path,
            f'state = "vtn.sqlite"\n\n[http]\nhost = "{listens}"\nport = {_PORT}\n\n[tls]\n'
            f"certificates = [{_listed(one.name for one in files)}]\n"
            f"keys = [{_listed(one.with_suffix('.key').name for one in files)}]\n"
            f'authorities = "ca-of-{Side.VEN}s.crt"\n'.encode(),
        )
        return path

    def _configure_ven(self, ven: Issued, host: str, kinds: Sequence[Kind]) -> Path:
        path = self._configuration(ven.name)
        vtn = [fingerprint(self._certificate(_VTN, kind).read_bytes()) for kind in kinds]
        _write(
            path,
            f'name = "{ven.name}"\nvtn = "https://{_in_url(host)}:{_PORT}{PREFIX}"\nstate = "{ven.name}.state"\n\n'
            f'[tls]\ncertificate = "{ven.certificate.name}"\nkey = "{ven.key.name}"\n'
            f'authorities = "ca-of-{Side.VTN}s.crt"\nvtn_fingerprints = [{_listed(vtn)}]\n'.encode(),
        )
        return path


def _host_of(certificate: x509.Certificate) -> str:
    """The first name or address that a certificate is for."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return str(next(iter(names)).value)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(f'"{one}"' for one in texts)


# --- files -----------------------------------------------------------------------------------------------------------


def _write(path: Path, content: bytes, *, secret: bool = False) -> None:
    """Write a new file; a key where none but the owner can read it from the beginning."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _certificate_in(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _read(folder: Path, name: str) -> Identity:
    """Read a CA.

    :raises ConfigError: it is damaged.
    """
    try:
        key = load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
        certificate = _certificate_in(folder / f"{name}.crt")
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{folder}: the CA {name} cannot be used: {error}") from None
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return Identity(certificate, key)


def lines_of(made: Made) -> Iterator[str]:
    """Say what was made, and what to do with it."""
    for one in made.issued:
        yield f"{one.fingerprint}  {one.name} ({one.kind})  {one.certificate}"
    yield ""
    yield f"VENs trust {made.trusted_by_vens}, the VTN trusts {made.trusted_by_vtn}. For tests alone: the CA's keys are"
    yield "beside them, and whoever has those can be anybody."
    if made.trusted_by_xmpp_server is not None:
        yield f"The XMPP server trusts {made.trusted_by_xmpp_server}."
    if made.configurations:
        yield ""
        yield "Now, each in a terminal of its own:"
    for path in made.configurations:
        yield f"  oadr {_VTN if path.stem == _VTN else 'ven'} --config {path}"
