"""What docs/xmpp.md shows, done: certificates by the command, a server, a VTN, and a VEN that answers an event."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from oadr_app.certificates import KINDS, CertificateFolder
from oadr_core import Startup, fingerprint
from oadr_xmpp import OpenADRClient, OpenADRServer
from tests.conftest import ROOT
from tests.docs.test_docs import blocks
from tests.http.desk import until
from tests.http.watch import Told, intervals
from tests.xmpp.avob_server import AvobServer, digits
from tests.xmpp.servers import SECRET, VTN, Login, Servers, XmppServer

pytestmark = pytest.mark.anyio


def made(folder: Path) -> Path:
    """What ``oadr certificates`` of the page makes."""
    CertificateFolder(folder).make([VTN], ["bakery"], KINDS[::-1], timedelta(days=1), "oadr.example")
    return folder


def shown() -> dict[str, Any]:
    """What the page defines."""
    known: dict[str, Any] = {}
    for code in blocks((ROOT / "docs" / "xmpp.md").read_text(), "python"):
        exec(compile(code, "docs/xmpp.md", "exec"), known)
    return known


@pytest.mark.rule(507, 515)
@pytest.mark.parametrize("vtn", ["component", "client"])
async def test_the_page_leads_to_an_answered_event(servers: Servers, kind: str, vtn: str, tmp_path: Path) -> None:
    folder, page, told = made(tmp_path / "pki"), shown(), Told()
    server = servers.own(kind, Login.CERTIFICATE, folder)
    at = {"host": server.host, "port": server.port}
    there = page["a_client"](folder, **at) if vtn == "client" else page["a_component"](SECRET, server.component_port)
    address = "vtn.example@oadr.example/vtn" if vtn == "client" else "vtn.oadr.example"
    here = page["a_ven"](folder, address, **at)
    await answered(there, here, told, server)
    assert told.of("answered") == [{"opt": "optIn"}]


@pytest.mark.decision(24)
async def test_the_page_leads_to_an_answered_event_at_a_server_of_avob(tmp_path: Path) -> None:
    folder, page, told = made(tmp_path / "pki"), shown(), Told()
    (tmp_path / "avob").mkdir()
    server = AvobServer(tmp_path / "avob")
    server.use(folder)
    server.of_vtn, server.of_vens = folder / "vtn-ec.crt", [folder / "bakery-ec.crt"]
    server.start()
    at = {"host": server.host, "port": server.port}
    there = page["a_vtn_at_avobs"](folder, **at)
    here = page["a_ven_at_avobs"](folder, fingerprint(server.of_vtn.read_text()), **at)
    here.add_handler("on_event", lambda event: "optIn")
    await answered(there, here, told, server, digits(folder / "bakery-ec.crt"))
    assert told.of("answered") == [{"opt": "optIn"}]


async def answered(
    there: OpenADRServer, here: OpenADRClient, told: Told, server: XmppServer, user: str = "bakery"
) -> None:
    """Have a VEN answer an event, which the server knows by a name."""
    async with there.running(), here.running():
        await until(lambda: here.phase is Startup.RUNNING)
        assert [one.identity for one in there.vens.values()] == [f"{user}@oadr.example"]
        there.add_event(
            here.ven_id, "SIMPLE", "level", intervals(1), lambda opt_type: told.note("answered", {"opt": opt_type})
        )
        await told.hears("answered")
    server.stop()
