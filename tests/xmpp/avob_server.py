"""A server as avob has it: everybody logs in as nobody, and is known by the certificate that he shows for TLS.

avob's own is an Openfire with a plugin. This is a Prosody with two modules that do what peers see of it.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from oadr_core import fingerprint
from oadr_xmpp import XmppClient
from tests.conftest import ROOT
from tests.xmpp.servers import DOMAIN, VTN, Account, Login, Prosody

_MODULES: Final = ROOT / "tests" / "xmpp" / "avob"

_CONFIGURATION: Final = """
admins = {{}}
plugin_paths = {{ "{folder}" }}
data_path = "{folder}/data"
pidfile = "{folder}/prosody.pid"
log = {{ info = "*console" }}
modules_enabled = {{ "disco"; "ping"; "posix"; "saslauth"; "smacks"; "tls" }}
modules_disabled = {{ "offline", "s2s" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_require_encryption = true
c2s_stanza_size_limit = 1048576
component_interface = "127.0.0.1"
component_ports = {{ {component_port} }}

VirtualHost "{domain}"
	authentication = "anonymous"
	modules_enabled = {{ "avob" }}
	avob_vtn = "{vtn}"
	avob_admitted = {{ {admitted} }}
	ssl = {{
		certificate = "{folder}/xmpp.crt";
		key = "{folder}/xmpp.key";
		cafile = "{folder}/ca-of-xmpp-clients.crt";
		verify = {{ "peer" }};
	}}

Component "xmpp.{domain}"
	modules_enabled = {{ "avob_services" }}

Component "vtn.{domain}"
	component_secret = "unused"
"""


def digits(certificate: Path) -> str:
    """The fingerprint of a certificate, as avob writes it."""
    return fingerprint(certificate.read_text()).replace(":", "").lower()


class AvobServer(Prosody):
    """Prosody, with modules that do what avob's plugin does.

    :param folder: where its files go; an empty one.
    :param vens: how many VENs there are.
    :ivar of_vtn: the certificate that it knows the VTN by.
    :ivar of_vens: those of whom else it lets in.
    """

    def __init__(self, folder: Path, vens: int = 0) -> None:
        super().__init__(folder, Login.CERTIFICATE)
        self.vens: Final = [self.account() for _ in range(vens)]
        self.of_vtn = self.account(VTN).certificate
        self.of_vens = [one.certificate for one in self.vens]
        for module in _MODULES.glob("*.lua"):
            shutil.copy(module, folder)

    def _configure(self) -> None:
        admitted = "; ".join(f'"{digits(one)}"' for one in self.of_vens)
        text = _CONFIGURATION.format(
            folder=self.folder,
            port=self.port,
            component_port=self.component_port,
            domain=DOMAIN,
            vtn=digits(self.of_vtn),
            admitted=admitted,
        )
        (self.folder / "data").mkdir(exist_ok=True)
        self._write("prosody.cfg.lua", ("run_as_root = true\n" + text).encode())

    def known_as(self, account: Account) -> str:
        """What the server puts in the place of the bare JID of somebody."""
        return f"{digits(account.certificate)}@{DOMAIN}"

    def credentials(self, account: Account) -> dict[str, Any]:
        """How somebody logs in: as nobody, with a certificate."""
        return {
            "anonymous": True,
            "cert": account.certificate,
            "key": account.key,
            "host": self.host,
            "port": self.port,
            "ca_file": self.ca_file,
        }

    def vtn_login(self) -> XmppClient:
        """How the VTN logs in."""
        return XmppClient(DOMAIN, **self.credentials(self.account(VTN)))


def avob_server(new_folder: Callable[[str], Path]) -> Iterator[AvobServer]:
    """Have such a server for a while."""
    server = AvobServer(new_folder("avob"), vens=6)
    server.start()
    try:
        yield server
    finally:
        server.stop()
