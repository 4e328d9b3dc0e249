"""Where a client looks for the server of its domain (RFC 6120, 3.2; RFC 2782; XEP-0368): Prosody, and real look-ups."""

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_app.authority import Identity
from oadr_core import Registered
from oadr_xmpp import XmppClient, XmppLimits
from oadr_xmpp import session as sessions
from oadr_xmpp.exchanges import Exchanges
from oadr_xmpp.places import Place, Record, in_order, places
from oadr_xmpp.session import Session
from tests.xmpp.names import DIRECT_TLS, REFUSED, STARTTLS, asked
from tests.xmpp.pair import as_client, vtn
from tests.xmpp.pair import ven as a_ven
from tests.xmpp.servers import DOMAIN, Login, Prosody, Servers, XmppServer, free_ports

pytestmark = pytest.mark.anyio

HERE = "localhost."
MACHINE = "xmpp1.oadr.example"
"""The machine that the server of the domain is on."""


@pytest.fixture
def server(servers: Servers) -> XmppServer:
    """A Prosody; how a client gets there has nothing to do with what it is."""
    return servers.shared(Prosody.kind, Login.CERTIFICATE)


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Has some names be those of ports of this machine; gets to know which others are looked up."""
    ports: dict[str, int] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        if host in ports:
            return real("127.0.0.1", ports[host], *more, **named)
        return real(host, port, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return ports


@asynccontextmanager
async def coming(server: XmppServer) -> AsyncIterator[Session]:
    """A client that knows the domain of a server, and not where that is."""
    account = server.account()
    login = XmppClient(account.address, cert=account.certificate, key=account.key, ca_file=server.ca_file)
    limits = XmppLimits(longest_wait=0.2)
    session = Session(
        login.stream(limits),
        login.address,
        limits=limits,
        present=False,
        entropy=random.Random(0),
        exchanges=Exchanges(limits),
    )
    async with session.open():
        yield session


@asynccontextmanager
async def somebody_else(certificate: Identity, folder: Path, *, direct_tls: bool) -> AsyncIterator[int]:
    """A server that shows a certificate, to which nobody may say anything behind it; gives its port."""
    heard = bytearray()
    for name, content in (("else.crt", certificate.pem), ("else.key", certificate.key_pem())):
        (folder / name).write_bytes(content)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "else.crt", folder / "else.key")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not direct_tls:
                await reader.readuntil(b"<stream:stream")
                writer.write(
                    b"<stream:stream from='oadr.example' xmlns='jabber:client' version='1.0' id='1' "
                    b"xmlns:stream='http://etherx.jabber.org/streams'><stream:features>"
                    b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"
                )
                await reader.readuntil(b"xmpp-tls")
                writer.write(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
                await reader.read(100)
                await writer.start_tls(context)
            heard.extend(await reader.read(-1))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    fake = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context if direct_tls else None)
    try:
        yield fake.sockets[0].getsockname()[1]
    finally:
        fake.close()
        await fake.wait_closed()
    assert heard == b""


async def says(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Wait until something stands in the log."""
    while text not in caplog.text:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


# --- with records ----------------------------------------------------------------------------------------------------


async def test_vtn_and_ven_find_the_server_of_their_domain(monkeypatch: pytest.MonkeyPatch, server: XmppServer) -> None:
    login = as_client(server)
    nowhere: dict[str, Any] = {"host": None, "port": 5222}
    async with (
        asked(monkeypatch, {STARTTLS + DOMAIN: [(0, 5, server.port, HERE)]}) as names,
        vtn(server, login) as grid,
        a_ven(server, at=grid.one.jid, **nowhere) as site,
    ):
        await site.watch.sees(Registered)
        assert set(names.asked) == {STARTTLS + DOMAIN, DIRECT_TLS + DOMAIN}


async def test_the_second_place_is_tried_when_nobody_is_at_the_first(
    monkeypatch: pytest.MonkeyPatch, server: XmppServer, caplog: pytest.LogCaptureFixture
) -> None:
    (closed,) = free_ports(1)
    records = {STARTTLS + DOMAIN: [(20, 0, server.port, HERE), (10, 0, closed, HERE)]}
    async with asked(monkeypatch, records), coming(server) as session:
        await session.reached()
        assert f"localhost:{closed} cannot be reached" in caplog.text


async def test_a_place_that_takes_no_connection_does_not_keep_us_from_the_second(
    monkeypatch: pytest.MonkeyPatch, server: XmppServer, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sessions, "_TO_CONNECT", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        port = silent.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]  # so many that it takes no more
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        records = {STARTTLS + DOMAIN: [(10, 0, port, "xmpp1.localhost."), (20, 0, server.port, HERE)]}
        monkeypatch.setattr(socket, "getaddrinfo", _as_loopback)
        async with asked(monkeypatch, records), coming(server) as session:
            await session.reached()
            assert f"xmpp1.localhost:{port} does not take a connection in time" in caplog.text
        for one in waiting:
            one.close()


def _as_loopback(host: object, port: int, *_: object, **__: object) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.mark.parametrize("direct_tls", [False, True])
async def test_the_certificate_has_to_be_for_the_domain_and_not_for_the_machine(
    monkeypatch: pytest.MonkeyPatch,
    server: XmppServer,
    caplog: pytest.LogCaptureFixture,
    looked_up: dict[str, int],
    tmp_path: Path,
    direct_tls: bool,
) -> None:
    """RFC 6120, 13.7.2.1: who answers for the DNS could name a machine of his own, and has a certificate for that."""
    of_the_machine = server.authority.vtn([MACHINE])
    async with somebody_else(of_the_machine, tmp_path, direct_tls=direct_tls) as port:
        looked_up[MACHINE] = port
        service = DIRECT_TLS if direct_tls else STARTTLS
        records = {
            service + DOMAIN: [(10, 0, port, MACHINE)],
            STARTTLS + DOMAIN: [(20, 0, server.port, HERE)],
        }
        if not direct_tls:
            records = {service + DOMAIN: [(10, 0, port, MACHINE), (20, 0, server.port, HERE)]}
        async with asked(monkeypatch, records), coming(server) as session:
            await session.reached()
            assert f"no TLS with {MACHINE}:{port}" in caplog.text
            assert DOMAIN in caplog.text.partition("no TLS with")[2], "the log says for whom it would have to be"


async def test_tls_begins_at_once_where_the_records_say_so(
    monkeypatch: pytest.MonkeyPatch, servers: Servers, tmp_path: Path
) -> None:
    server = DirectTls(tmp_path, Login.CERTIFICATE)
    server.start()
    try:
        async with (
            asked(monkeypatch, {DIRECT_TLS + DOMAIN: [(0, 0, server.direct_port, HERE)]}),
            coming(server) as session,
        ):
            await session.reached()
    finally:
        server.stop()


class DirectTls(Prosody):
    """A Prosody with a port where TLS begins at once, and no other."""

    direct_port = 0

    def _configure(self) -> None:
        super()._configure()
        (self.direct_port,) = free_ports(1)
        files = f'certificate = "{self.folder}/xmpp.crt"; key = "{self.folder}/xmpp.key"'
        trust = f'cafile = "{self.folder}/ca-of-xmpp-clients.crt"; verify = {{ "peer" }}'
        head = f"c2s_direct_tls_ports = {{ {self.direct_port} }}\nc2s_direct_tls_ssl = {{ {files}; {trust} }}\n"
        path = self.folder / "prosody.cfg.lua"
        self._write(path.name, head.encode() + path.read_bytes())


async def test_a_domain_that_says_that_it_has_no_server_is_not_tried(
    monkeypatch: pytest.MonkeyPatch,
    server: XmppServer,
    caplog: pytest.LogCaptureFixture,
    looked_up: dict[str, int],
) -> None:
    looked_up[DOMAIN] = server.port
    async with asked(monkeypatch, {STARTTLS + DOMAIN: [(0, 0, 0, ".")]}), coming(server) as session:
        await says(caplog, f"{DOMAIN} has no XMPP server")
        assert not session.online
        assert await places(DOMAIN, random.Random(0)) == []


# --- without records -------------------------------------------------------------------------------------------------


async def test_without_records_it_is_the_usual_port_of_the_domain(
    monkeypatch: pytest.MonkeyPatch, server: XmppServer, looked_up: dict[str, int]
) -> None:
    looked_up[DOMAIN] = server.port
    async with asked(monkeypatch, {}), coming(server) as session:
        await session.reached()
        assert await places(DOMAIN, random.Random(0)) == [Place(DOMAIN, 5222)]


async def test_a_look_up_that_fails_is_told_and_the_usual_port_is_tried(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked(monkeypatch, {}, unknown=REFUSED):
        assert await places(DOMAIN, random.Random(0)) == [Place(DOMAIN, 5222)]
    assert f"the SRV records of {STARTTLS}{DOMAIN} cannot be looked up" in caplog.text


@pytest.mark.parametrize("domain", ["127.0.0.1", "[::1]"])
async def test_an_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch, domain: str) -> None:
    async with asked(monkeypatch, {}) as names:
        assert await places(domain, random.Random(0)) == [Place(domain.strip("[]"), 5222)]
        assert names.asked == []


@pytest.mark.parametrize(("domain", "name"), [("bücher.example", "xn--bcher-kva.example"), (f"{'a' * 64}.example", "")])
async def test_a_domain_is_looked_up_as_the_dns_writes_it_if_it_can(
    monkeypatch: pytest.MonkeyPatch, domain: str, name: str
) -> None:
    async with asked(monkeypatch, {}) as names:
        assert await places(domain, random.Random(0)) == [Place(domain, 5222)]
        assert names.asked in ([], [STARTTLS + name, DIRECT_TLS + name], [DIRECT_TLS + name, STARTTLS + name])
        assert bool(names.asked) is bool(name)


# --- their order -----------------------------------------------------------------------------------------------------

RECORDS = st.lists(
    st.builds(
        Record,
        priority=st.integers(0, 3),
        weight=st.integers(0, 3) | st.integers(0, 65535),
        place=st.builds(Place, host=st.just("a"), port=st.integers(0, 65535), direct_tls=st.booleans()),
    ),
    max_size=8,
)


@given(RECORDS, st.integers())
def test_each_place_is_tried_once_and_lower_priorities_first(records: list[Record], seed: int) -> None:
    ordered = in_order(records, random.Random(seed))
    assert sorted(ordered) == sorted(one.place for one in records)
    by_priority: list[Place] = []
    for priority in range(4):
        group = [one.place for one in records if one.priority == priority]
        assert sorted(ordered[len(by_priority) : len(by_priority) + len(group)]) == sorted(group)
        by_priority += group


class Drawn(random.Random):
    """Draws what a test says first."""

    def __init__(self, first: int) -> None:
        super().__init__(0)
        self.first: int | None = first

    def randint(self, a: int, b: int) -> int:
        first, self.first = self.first, None
        return super().randint(a, b) if first is None else first


def test_weights_are_shares_of_those_who_come() -> None:
    records = [Record(1, weight, Place(str(weight), 1)) for weight in (60, 30, 0, 10)]
    firsts = [in_order(records, Drawn(number))[0].host for number in range(101)]
    assert {host: firsts.count(host) for host in firsts} == {"0": 1, "10": 10, "30": 30, "60": 60}
