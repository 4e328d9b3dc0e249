"""Prosody and ejabberd, as processes of the tests' own.

They run on free loopback ports as whoever runs the tests, by the very configuration files that docs/xmpp.md explains:
only ports, folders and the way of logging in are put in their places. A server is there when it has said that it
listens, and it ends when the tests end, however they do. Where one is not installed, the tests that need it are skipped
with that reason; in continuous integration they fail instead.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from oadr_app.authority import Authority, Identity, Kind, Side, pem, xmpp_address
from oadr_app.local_prosody import in_file_name
from oadr_app.tied import Tied
from tests.conftest import IN_CI, ROOT

EXAMPLES: Final = ROOT / "examples" / "xmpp"
DOMAIN: Final = "oadr.example"
"""The domain that VENs log in to."""
COMPONENT: Final = "vtn.oadr.example"
"""The domain of a VTN that is a component."""
VTN: Final = "vtn.example"
"""The name of the user that a VTN is which logs in as a client; the servers let this one talk to everybody."""
SECRET: Final = "a long secret of your own"
"""The secret of the component."""
STANZA_LIMIT: Final = 1_048_576
"""Octets of a stanza above which a server closes the stream."""

_LOOPBACK: Final = "127.0.0.1"
_TO_START: Final = 60.0
"""Seconds in which a server has to be there."""
_TO_STOP: Final = 20.0
_TRIES: Final = 3
"""How often a server is started, as somebody else may take a port that was free."""


class Login(StrEnum):
    """How users log in."""

    CERTIFICATE = "certificate"
    """SASL EXTERNAL (rule 515)."""
    PASSWORD = "password"
    """SCRAM."""


class Account(NamedTuple):
    """Somebody who can log in.

    :param name: the name of the user.
    :param address: the bare address.
    :param password: the password, or None where the certificate is what counts.
    :param certificate: the file of the certificate.
    :param key: the file of its key.
    :param identity: both of them.
    """

    name: str
    address: str
    password: str | None
    certificate: Path
    key: Path
    identity: Identity


class Listens(NamedTuple):
    """What a server says when it listens, and when it cannot."""

    ready: tuple[str, ...]
    taken: str


class XmppServer(ABC):
    """A server of XMPP.

    :param folder: where its files go; an empty one.
    :param login: how users log in.
    :param authority: who makes the certificates; a new one if None.
    """

    kind: str
    """Its name."""
    programs: tuple[str, ...]
    """What has to be installed."""
    package: str
    """Where that comes from."""

    def __init__(self, folder: Path, login: Login, authority: Authority | None = None) -> None:
        self.needed()
        self.folder: Final = folder
        self.login: Final = login
        self.authority: Final = authority or Authority.made(Kind.EC)
        self.host: Final = _LOOPBACK
        self.port = 0
        self.component_port = 0
        self._numbers: Final = count(1)
        self._accounts: Final[dict[str, Account]] = {}
        self._process: Tied | None = None
        self.ca_file: Final = self._write("ca-of-vtns.crt", pem(self.authority.issuers[Side.VTN].certificate))
        self._write_certificates()

    @classmethod
    def is_installed(cls) -> bool:
        """Whether it is here."""
        return all(shutil.which(one) for one in cls.programs)

    @classmethod
    def needed(cls) -> None:
        """Skip the test where it is not installed; in continuous integration fail."""
        missing = [one for one in cls.programs if shutil.which(one) is None]
        if missing:
            reason = f"{cls.kind} is not installed: {missing[0]} is missing; it comes with `apt install {cls.package}`"
            if IN_CI:
                pytest.fail(reason)
            pytest.skip(reason)

    # --- what tests ask for ------------------------------------------------------------------------------------------

    def account(self, name: str | None = None) -> Account:
        """Make somebody who can log in; a VEN, unless the name is that of the VTN.

        :param name: the name of the user; a new one if None.
        """
        name = name or f"ven{next(self._numbers)}"
        if name not in self._accounts:
            made = self.authority.vtn if name == VTN else self.authority.ven
            argument = [name] if name == VTN else name
            identity = made(argument, xmpp_domain=DOMAIN)  # type: ignore[operator]
            certificate, key = self.put(name, identity)
            password = f"secret of {name}" if self.login is Login.PASSWORD else None
            if password is not None:
                self._register(name, password)
            self._accounts[name] = Account(name, xmpp_address(name, DOMAIN), password, certificate, key, identity)
        return self._accounts[name]

    def put(self, name: str, identity: Identity) -> tuple[Path, Path]:
        """Write a certificate and its key; returns where they are."""
        certificate = self._write(f"{name}.crt", identity.pem)
        return certificate, self._write(f"{name}.key", identity.key_pem())

    def start(self) -> None:
        """Start it, on ports that it keeps from then on; returns when it listens."""
        keeps = self.port != 0
        for _ in range(1 if keeps else _TRIES):
            if not keeps:
                self.port, self.component_port = free_ports(2)
            if self._started():
                return
        assert self._process is not None
        raise AssertionError(f"{self.kind} did not start:\n" + "\n".join(self._process.output))

    def stop(self) -> None:
        """End it as an operator does."""
        if self._process is not None:
            self._process.stop(_TO_STOP)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()

    def restart(self) -> None:
        """End it, and start it again on the same ports."""
        self.stop()
        self.start()

    def use(self, certificates: Path) -> None:
        """Show the certificate of a folder of ``oadr certificates`` instead, and believe its CAs."""
        for theirs, ours in (("xmpp-ec.crt", "xmpp.crt"), ("xmpp-ec.key", "xmpp.key")):
            shutil.copy(certificates / theirs, self.folder / ours)
        shutil.copy(certificates / "ca-of-xmpp-clients.crt", self.folder)

    # --- what is of one kind of server -------------------------------------------------------------------------------

    @abstractmethod
    def _command(self) -> list[str]:
        """What starts it."""

    def _environment(self) -> dict[str, str]:
        return {}

    @abstractmethod
    def _listens(self) -> Listens:
        """What it says when it listens."""

    @abstractmethod
    def _configure(self) -> None:
        """Write its configuration."""

    @abstractmethod
    def _register(self, name: str, password: str) -> None:
        """Make an account."""

    # --- the process -------------------------------------------------------------------------------------------------

    def _started(self) -> bool:
        self._configure()
        process = self._process = Tied(self._command(), {"LANG": "C.UTF-8", **self._environment()})
        listens = self._listens()
        started = process.says(listens.ready, patience=_TO_START, unless=listens.taken)
        if not started:
            process.kill()
        return started

    @property
    def session(self) -> int:
        """The session that its processes are in, and no others."""
        assert self._process is not None
        return self._process.session

    # --- files -------------------------------------------------------------------------------------------------------

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        return path

    def _write_certificates(self) -> None:
        """Write what the server shows, and whom it believes."""
        server = self.authority.vtn([DOMAIN, COMPONENT])
        self._write("xmpp.crt", server.pem)
        self._write("xmpp.key", server.key_pem())
        trusted = (*self.authority.issuers.values(), self.authority.root)
        self._write("ca-of-xmpp-clients.crt", pem(*(one.certificate for one in trusted)))


class Prosody(XmppServer):
    """Prosody."""

    kind = "prosody"
    programs = ("prosody",)
    package = "prosody prosody-modules"

    def _command(self) -> list[str]:
        return ["prosody", "--config", str(self.folder / "prosody.cfg.lua"), "-F"]

    def _listens(self) -> Listens:
        return Listens(
            ready=(
                f"Activated service 'c2s' on [{_LOOPBACK}]:{self.port}",
                f"Activated service 'component' on [{_LOOPBACK}]:{self.component_port}",
            ),
            taken="Failed to open server port",
        )

    def _configure(self) -> None:
        shutil.copy(EXAMPLES / "vens-apart.pfw", self.folder / "vens-apart.pfw")
        text = _replaced(
            (EXAMPLES / "prosody.cfg.lua").read_text(),
            ('"/var/lib/prosody"', f'"{self.folder}/data"'),
            ('"/run/prosody/prosody.pid"', f'"{self.folder}/prosody.pid"'),
            ('"/var/log/prosody/prosody.log"', '"*console"'),
            ("/etc/prosody/certs/", f"{self.folder}/"),
            ("/etc/prosody/", f"{self.folder}/"),
            ('interfaces = { "*" }', f'interfaces = {{ "{_LOOPBACK}" }}'),
            ("c2s_ports = { 5222 }", f"c2s_ports = {{ {self.port} }}"),
            ("component_ports = { 5347 }", f"component_ports = {{ {self.component_port} }}"),
        )
        if self.login is Login.PASSWORD:
            text = _replaced(text, ('authentication = "ccert"', 'authentication = "internal_hashed"'))
        if os.getuid() == 0:
            text = "run_as_root = true\n" + text
        (self.folder / "data").mkdir(exist_ok=True)
        self._write("prosody.cfg.lua", text.encode())

    def _register(self, name: str, password: str) -> None:
        accounts = self.folder / "data" / in_file_name(DOMAIN) / "accounts"
        accounts.mkdir(parents=True, exist_ok=True)
        (accounts / f"{in_file_name(name)}.dat").write_text(f'return {{ ["password"] = {json.dumps(password)}; }};')


class Ejabberd(XmppServer):
    """Ejabberd, started as a program of Erlang, since its own command insists on a user of its own."""

    kind = "ejabberd"
    programs = ("erl", "erlc", "ejabberdctl")
    package = "ejabberd"

    def __init__(self, folder: Path, login: Login, authority: Authority | None = None) -> None:
        super().__init__(folder, login, authority)
        self._api_port = 0

    def _command(self) -> list[str]:
        spool = f'"{self.folder}/spool"'
        return ["erl", "-noinput", "+S", "2", "-pa", str(self.folder), "-mnesia", "dir", spool, "-s", "ejabberd"]

    def _environment(self) -> dict[str, str]:
        script = Path(shutil.which("ejabberdctl") or "").read_text()
        libraries = re.search(r"^ERL_LIBS='([^']+)'", script, re.MULTILINE)
        return {
            "ERL_LIBS": libraries[1] if libraries else "",
            "EJABBERD_CONFIG_PATH": str(self.folder / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"),
            "ERL_CRASH_DUMP_BYTES": "0",
            "HOME": str(self.folder),
        }

    def _listens(self) -> Listens:
        ports = (
            (self.port, "ejabberd_c2s"),
            (self.component_port, "ejabberd_service"),
            (self._api_port, "ejabberd_http"),
        )
        return Listens(
            ready=tuple(f"Start accepting TCP connections at {_LOOPBACK}:{port} for {what}" for port, what in ports),
            taken="Failed to open socket",
        )

    def _configure(self) -> None:
        if not (self.folder / "mod_vens_apart.beam").exists():
            source = str(EXAMPLES / "mod_vens_apart.erl")
            subprocess.run(
                ["erlc", "-o", str(self.folder), source], check=True, env={**os.environ, **self._environment()}
            )
        self._api_port = self._api_port or free_ports(1)[0]
        api = f'  - port: {self._api_port}\n    ip: "{_LOOPBACK}"\n    module: ejabberd_http\n'
        api += "    request_handlers:\n      /api: mod_http_api\n"
        rights = f'api_permissions:\n  tests:\n    who:\n      ip: "{_LOOPBACK}"\n    what: register\n\n'
        text = _replaced(
            (EXAMPLES / "ejabberd.yml").read_text(),
            ("/etc/ejabberd/certs/", f"{self.folder}/"),
            ("listen:\n", rights + "listen:\n" + api),
            ('port: 5222\n    ip: "::"', f'port: {self.port}\n    ip: "{_LOOPBACK}"'),
            ("port: 5347", f"port: {self.component_port}"),
        )
        if self.login is Login.PASSWORD:
            text = _replaced(text, ("    tls_verify: true\n", ""))
        self._write("ejabberd.yml", text.encode())

    def _register(self, name: str, password: str) -> None:
        wanted = json.dumps({"user": name, "host": DOMAIN, "password": password}).encode()
        url = f"http://{_LOOPBACK}:{self._api_port}/api/register"
        request = urllib.request.Request(url, wanted, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=_TO_START) as answer:
            assert answer.status == 200


KINDS: Final[dict[str, type[XmppServer]]] = {one.kind: one for one in (Prosody, Ejabberd)}


class Servers:
    """Servers that are started when the first test asks for them, and shared from then on.

    :param new_folder: makes an empty folder of a name like this.
    """

    def __init__(self, new_folder: Callable[[str], Path]) -> None:
        self._new_folder: Final = new_folder
        self._shared: Final[dict[tuple[str, Login], XmppServer]] = {}
        self._own: Final[list[XmppServer]] = []

    def shared(self, kind: str, login: Login) -> XmppServer:
        """A server that other tests use as well."""
        if (kind, login) not in self._shared:
            self._shared[kind, login] = self.own(kind, login)
        return self._shared[kind, login]

    def own(self, kind: str, login: Login, certificates: Path | None = None) -> XmppServer:
        """A server of nobody else, which can be stopped.

        :param kind: which one.
        :param login: how users log in.
        :param certificates: a folder of ``oadr certificates``, which has the server's certificate; one of its own if
            None.
        """
        server = KINDS[kind](self._new_folder(kind), login)
        if certificates is not None:
            server.use(certificates)
        self._own.append(server)
        server.start()
        return server

    def end(self, servers: Iterable[XmppServer] = ()) -> None:
        """Stop these, or all."""
        for one in list(servers) or self._own:
            one.stop()


def servers_in(new_folder: Callable[[str], Path]) -> Iterator[Servers]:
    """Have servers for a while."""
    servers = Servers(new_folder)
    try:
        yield servers
    finally:
        servers.end()


def free_ports(number: int) -> list[int]:
    """Ports of loopback that are free now."""
    sockets = [socket.create_server((_LOOPBACK, 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Put something else in some places of a file, each of which has to be there."""
    for place, instead in pairs:
        assert place in text, f"the example has no {place!r} any more"
        text = text.replace(place, instead)
    return text
