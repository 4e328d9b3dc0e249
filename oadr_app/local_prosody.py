"""An XMPP server of our own on this machine, for trying XMPP out: Prosody, with a domain that nobody else knows."""

import os
import secrets
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from oadr_app.authority import Authority, Kind, Side, pem
from oadr_app.tied import Tied

DOMAIN: Final = "oadr.example"
"""The domain that VENs log in to."""

COMPONENT: Final = "vtn.oadr.example"
"""The domain of the VTN, which is a component."""

_HOST: Final = "127.0.0.1"
_TO_START: Final = 30.0
_TO_STOP: Final = 10.0
"""Seconds."""

_CONFIGURATION: Final = """\
{root}data_path = "{folder}/data"
pidfile = "{folder}/prosody.pid"
log = {{ info = "*console" }}
modules_enabled = {{ "disco"; "ping"; "posix"; "roster"; "saslauth"; "smacks"; "tls" }}
modules_disabled = {{ "offline", "s2s" }}
interfaces = {{ "{host}" }}
c2s_ports = {{ {port} }}
c2s_require_encryption = true
component_interface = "{host}"
component_ports = {{ {component_port} }}
component_conflict_resolve = "kick_old"

VirtualHost "{domain}"
	authentication = "internal_hashed"
	ssl = {{ certificate = "{folder}/xmpp.crt"; key = "{folder}/xmpp.key" }}

Component "{component}"
	component_secret = "{secret}"
"""


class NoProsody(Exception):
    """There is none, or it does not start; the text says what to do."""


class LocalProsody:
    """A Prosody that runs while it is entered.

    :param folder: where its files go; an empty one.
    :param users: the names of those who can log in.
    :raises NoProsody: it is not installed.
    :ivar host: where it listens.
    :ivar port: the port for clients.
    :ivar component_port: the port for the component.
    :ivar authorities: the file with the CA of its certificate.
    :ivar secret_file: a file with the secret of the component.
    :ivar password_files: files with the passwords of the users.
    """

    def __init__(self, folder: Path, users: tuple[str, ...]) -> None:
        program = shutil.which("prosody")
        if program is None:
            raise NoProsody(
                "XMPP needs a server, and Prosody is not installed here; it comes with `apt install prosody`, or see "
                "https://prosody.im/download. --transport pull and push do without"
            )
        self._program: Final = program
        self._folder: Final = folder
        self.host: Final = _HOST
        self.port, self.component_port = _free_ports()
        self.authorities: Final = folder / "ca.crt"
        self.secret_file: Final = folder / "component.secret"
        self.password_files: Final[Mapping[str, Path]] = {name: folder / f"{name}.password" for name in users}
        self._process: Tied | None = None
        self._write()

    def _write(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        authority, secret = Authority.made(Kind.EC), secrets.token_urlsafe(16)
        server = authority.vtn([DOMAIN])
        self._put(self.authorities, pem(authority.issuers[Side.VTN].certificate))
        self._put(self._folder / "xmpp.crt", server.pem)
        self._put(self._folder / "xmpp.key", server.key_pem())
        self._put(self.secret_file, secret.encode())
        accounts = self._folder / "data" / in_file_name(DOMAIN) / "accounts"
        accounts.mkdir(parents=True, exist_ok=True)
        for name, file in self.password_files.items():
            password = secrets.token_urlsafe(16)
            self._put(file, password.encode())
            stored = accounts / f"{in_file_name(name)}.dat"
            self._put(stored, f'return {{ ["password"] = "{password}"; }};'.encode())
        configuration = _CONFIGURATION.format(
            root="run_as_root = true\n" if os.getuid() == 0 else "",
            folder=self._folder,
            host=self.host,
            port=self.port,
            component_port=self.component_port,
            domain=DOMAIN,
            component=COMPONENT,
            secret=secret,
        )
        self._put(self._folder / "prosody.cfg.lua", configuration.encode())

    @staticmethod
    def _put(file: Path, content: bytes) -> None:
        file.write_bytes(content)
        file.chmod(0o600)

    def __enter__(self) -> Self:
        """Start it.

        :raises NoProsody: it does not start.
        """
        process = self._process = Tied([self._program, "--config", str(self._folder / "prosody.cfg.lua"), "-F"])
        ports = {"c2s": self.port, "component": self.component_port}
        listens = [f"Activated service '{what}' on [{self.host}]:{port}" for what, port in ports.items()]
        if not process.says(listens, patience=_TO_START):
            self._stop()
            raise NoProsody(f"Prosody does not start: {' / '.join(process.output[-3:]) or 'it says nothing'}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.stop(_TO_STOP)


def in_file_name(text: str) -> str:
    """A name as Prosody writes it in the names of its files."""
    return "".join(one if one.isalnum() else f"%{ord(one):02x}" for one in text)


def _free_ports() -> tuple[int, int]:
    """Two ports that are free now."""
    with socket.create_server((_HOST, 0)) as one, socket.create_server((_HOST, 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]
