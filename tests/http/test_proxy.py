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


def test_a_vtn_without_proof_of_who_its_vens_are_listens_on_loopback_alone() -> None:
    for host in ("0.0.0.0", "::", "vtn.example", ""):
        with pytest.raises(LocalProtocolError, match="which others can reach"):
            OpenADRServer("VTN", http_host=host)
        OpenADRServer("VTN", http_host=host, allow_insecure=True)
    for host in ("127.0.0.1", "::1", "localhost"):
        OpenADRServer("VTN", http_host=host)
