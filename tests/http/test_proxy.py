"""Certificates that a proxy tells of: believed from the listed addresses, and from nobody else."""

import base64
from urllib.parse import quote

import anyio
import pytest

from oadr_app.authority import Identity
from oadr_core import LocalProtocolError, Peer
from oadr_http import Endpoints, OpenADRServer, Server, TrustedProxies
from tests.http.authorities import authority, der, ven_identity
from tests.http.desk import Desk, Office, request
from tests.http.test_tls import LONG_AGO

pytestmark = pytest.mark.anyio


def written(identity: Identity) -> dict[str, str]:
    """The forms in which proxies write a certificate."""
    bare = base64.b64encode(der(identity)).decode()
    pem = identity.pem.decode().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----"
    return {"RFC 9440": f":{bare}:", "base64": bare, "escapes": quote(pem), "blanks": pem.replace("\n", " ")}


async def ask(proxies: TrustedProxies, *headers: str) -> tuple[int, list[Peer]]:
    """Ask a server behind proxies; returns the status, and whom it has taken the request to be from."""
    desk = Desk()
    server = Server(Endpoints(desk, proxies=proxies, identified=True))
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with server.serving(listener):
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        answer = await Office(desk, server, port).ask(request(b"<m/>", *headers))
    return answer.status, [peer for _, peer, _ in desk.taken]


@pytest.mark.rule(517)
@pytest.mark.parametrize("form", ["RFC 9440", "base64", "escapes", "blanks"])
async def test_the_certificate_that_a_listed_proxy_tells_of_is_who_the_ven_is(form: str) -> None:
    status, peers = await ask(TrustedProxies(["127.0.0.0/8"]), f"Client-Cert: {written(ven_identity())[form]}")
    assert (status, [one.identity for one in peers]) == (200, [ven_identity().fingerprint])


@pytest.mark.rule(516, 517)
@pytest.mark.decision(1)
async def test_whoever_else_writes_the_header_is_refused_with_403() -> None:
    told = f"Client-Cert: {written(ven_identity())['RFC 9440']}"
    assert await ask(TrustedProxies(["10.0.0.1"]), told) == (403, [])
    listed = TrustedProxies(["127.0.0.1"])
    assert await ask(listed) == (403, [])
    assert await ask(listed, told, told) == (403, []), "one of them may be of the client"
    assert await ask(listed, "Client-Cert: :bm9uZQ==:") == (403, [])
    expired = written(authority().ven("VEN", begins=LONG_AGO))["base64"]
    assert await ask(listed, f"Client-Cert: {expired}") == (403, [])


@pytest.mark.parametrize(
    ("told", "host"),
    [
        (("X-Forwarded-For: 192.0.2.7",), "192.0.2.7"),
        (("X-Forwarded-For: 198.51.100.1, 192.0.2.7",), "192.0.2.7"),  # the first is what the client has written
        (("X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 192.0.2.7"), "192.0.2.7"),
        (("X-Forwarded-For: 192.0.2.7, 127.0.0.2",), "192.0.2.7"),  # one proxy behind the other
        (("X-Forwarded-For: 2001:db8::7",), "2001:db8::7"),
        (("X-Forwarded-For: 192.0.2.7, unknown",), "127.0.0.1"),
        (("X-Forwarded-For: 127.0.0.2",), "127.0.0.1"),
        (("Forwarded: for=192.0.2.7",), "127.0.0.1"),
        ((), "127.0.0.1"),
    ],
)
async def test_who_asks_a_listed_proxy_is_told_apart_by_the_address_that_it_adds(
    told: tuple[str, ...], host: str
) -> None:
    certificate = f"Client-Cert: {written(ven_identity())['base64']}"
    proxies = TrustedProxies(["127.0.0.0/8"], address_header="X-Forwarded-For")
    status, (peer,) = await ask(proxies, certificate, *told)
    assert (status, peer.host) == (200, host)
    status, (peer,) = await ask(TrustedProxies(["127.0.0.0/8"]), certificate, *told)
    assert peer.host == "127.0.0.1", "it is not believed unless it was said that the proxy writes it"


async def test_an_address_in_a_header_is_not_believed_from_anybody_else() -> None:
    proxies = TrustedProxies(["10.0.0.1"], address_header="X-Forwarded-For")
    peer = Peer(address="192.0.2.1:5")
    assert proxies.told_by(peer, {b"x-forwarded-for": b"192.0.2.7"}) == peer


def test_a_vtn_without_proof_of_who_its_vens_are_listens_on_loopback_alone() -> None:
    for host in ("0.0.0.0", "::", "vtn.example", ""):
        with pytest.raises(LocalProtocolError, match="which others can reach"):
            OpenADRServer("VTN", http_host=host)
        OpenADRServer("VTN", http_host=host, allow_insecure=True)
    for host in ("127.0.0.1", "::1", "localhost"):
        OpenADRServer("VTN", http_host=host)
