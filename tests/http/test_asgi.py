"""The ASGI application: its life, and requests that break off. What it shares with the server is in test_endpoints."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from oadr_app.authority import Identity
from oadr_core import CreatedPartyRegistration, DistributeEvent, Payload, RequestEvent, decode, encode
from oadr_http import PREFIX, AsgiApp, Endpoints
from oadr_http.asgi import peer_of
from tests.http.authorities import ven_identity
from tests.http.desk import POLL, Desk
from tests.http.test_tls import registering
from tests.http.watch import vtn

pytestmark = pytest.mark.anyio

_QUERY = """<oadrPayload xmlns="http://openadr.org/oadr-2.0b/2012/07"><oadrSignedObject>
<oadrQueryRegistration d:schemaVersion="2.0b" xmlns:d="http://docs.oasis-open.org/ns/energyinterop/201110">
<requestID xmlns="http://docs.oasis-open.org/ns/energyinterop/201110/payloads">q</requestID>
</oadrQueryRegistration></oadrSignedObject></oadrPayload>"""


class Life:
    """What an application runs."""

    def __init__(self, *, begin: Exception | None = None, end: Exception | None = None) -> None:
        self.begin, self.end = begin, end
        self.states: list[str] = []

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        if self.begin is not None:
            raise self.begin
        self.states.append("running")
        yield
        self.states.append("over")
        if self.end is not None:
            raise self.end


async def _said(app: AsgiApp, scope: dict[str, Any], messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What an application says to some messages."""
    coming, sent = list(messages), []

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


_LIFESPAN = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]


async def test_what_has_to_run_runs_as_long_as_the_server() -> None:
    life = Life()
    said = await _said(AsgiApp(Endpoints(Desk()), life), {"type": "lifespan"}, _LIFESPAN)
    assert [one["type"] for one in said] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert life.states == ["running", "over"]


async def test_a_start_that_fails_is_told() -> None:
    app = AsgiApp(Endpoints(Desk()), Life(begin=OSError("the state is damaged")))
    assert await _said(app, {"type": "lifespan"}, _LIFESPAN) == [
        {"type": "lifespan.startup.failed", "message": "the state is damaged"}
    ]


async def test_a_failure_while_it_runs_is_raised() -> None:
    app = AsgiApp(Endpoints(Desk()), Life(end=LookupError("mine")))
    with pytest.raises(LookupError, match="mine"):
        await _said(app, {"type": "lifespan"}, _LIFESPAN)


async def test_other_protocols_are_not_spoken() -> None:
    with pytest.raises(NotImplementedError, match="websocket"):
        await _said(AsgiApp(Endpoints(Desk()), Life()), {"type": "websocket"}, [])


def _scope(*headers: tuple[bytes, bytes], length: int = 8) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": POLL,
        "http_version": "1.1",
        "headers": [
            (b"Host", b"vtn.example"),
            (b"content-type", b"application/xml"),
            (b"content-length", str(length).encode()),
            *headers,
        ],
    }


@pytest.mark.parametrize("begin", [[], [{"type": "http.request", "body": b"<poll", "more_body": True}]])
async def test_a_request_that_breaks_off_is_no_request(begin: list[dict[str, Any]]) -> None:
    desk = Desk()
    app = AsgiApp(Endpoints(desk), Life())
    assert await _said(app, _scope(), [*begin, {"type": "http.disconnect"}]) == []
    assert desk.taken == []


async def test_a_body_that_is_longer_than_it_says_is_not_read_for_ever() -> None:
    desk = Desk()
    app = AsgiApp(Endpoints(desk), Life(), longest_body=10)
    piece = {"type": "http.request", "body": b"x" * 6, "more_body": True}
    begin, _ = await _said(app, _scope(), [piece] * 2)
    assert (begin["status"], desk.taken) == (413, [])


@pytest.mark.parametrize("length", [b"many", b"9" * 5000, b"0" * 5000 + b"8"], ids=["word", "nines", "noughts"])
async def test_a_length_that_is_no_number_or_of_no_use_is_refused(length: bytes) -> None:
    app = AsgiApp(Endpoints(Desk()), Life())
    scope = _scope()
    scope["headers"][2] = (b"content-length", length)
    begin, _ = await _said(app, scope, [])
    assert begin["status"] == 400


async def test_a_vtn_answers_over_asgi_while_it_runs() -> None:
    there = vtn(http_path_prefix=PREFIX)
    transport = httpx.ASGITransport(there.asgi())
    async with httpx.AsyncClient(transport=transport, base_url="http://vtn.example") as client:

        async def ask() -> httpx.Response:
            url = f"{PREFIX}/EiRegisterParty"
            return await client.post(url, content=_QUERY, headers={"content-type": "application/xml"})

        assert (await ask()).status_code == 503
        async with there.driving():
            answer = await ask()
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml")
            assert "oadrCreatedPartyRegistration" in answer.text
            assert (await client.post(f"{PREFIX}/EiOther", content=_QUERY)).status_code == 404
        assert (await ask()).status_code == 503


async def test_a_vtn_lives_as_long_as_its_asgi_server() -> None:
    there = vtn()
    app = there.asgi()
    to_app, from_app = anyio.Event(), anyio.Event()
    received = [{"type": "lifespan.startup"}]

    async def receive() -> dict[str, Any]:
        if received:
            return received.pop()
        await to_app.wait()
        return {"type": "lifespan.shutdown"}

    async def send(message: Any) -> None:
        from_app.set()

    async with anyio.create_task_group() as group:
        group.start_soon(app, {"type": "lifespan"}, receive, send)
        await from_app.wait()
        assert there._driver is not None
        to_app.set()
    assert there._driver is None


# --- who a VEN is ----------------------------------------------------------------------------------------------------


def tls_scope(path: str, **tls: Any) -> dict[str, Any]:
    """A request over TLS, as servers tell of it that support the TLS extension."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": f"{PREFIX}/{path}",
        "headers": [(b"host", b"vtn.example"), (b"content-type", b"application/xml"), (b"content-length", b"1")],
        "client": ("192.0.2.7", 4711),
        "extensions": {"tls": {"server_cert": None, "tls_version": 0x0303, "cipher_suite": 0xC023, **tls}},
    }


async def _asked(app: AsgiApp, service: str, message: Payload, **tls: Any) -> tuple[int, Payload | None]:
    """The status of an answer, and what it holds."""
    told = [{"type": "http.request", "body": encode(message)}]
    start, body = await _said(app, tls_scope(service, **tls), told)
    return start["status"], decode(body["body"]) if body["body"] else None


def shown(*identities: Identity, error: str | None = None) -> dict[str, Any]:
    """What the extension tells of the certificate of a client, and of those that vouch for it."""
    return {"client_cert_chain": [one.pem.decode() for one in identities], "client_cert_error": error}


@pytest.mark.rule(517)
async def test_the_certificate_of_the_tls_extension_is_who_the_ven_is() -> None:
    there = vtn(require_certificate=True)
    app = there.asgi()
    async with there.driving():
        mine, other = shown(ven_identity("mine")), shown(ven_identity("other"))
        status, answer = await _asked(app, "EiRegisterParty", registering("mine"), **mine)
        assert isinstance(answer, CreatedPartyRegistration)
        assert answer.response.ok
        ven_id = answer.ven_id or ""
        assert there.vens[ven_id].identity == ven_identity("mine").fingerprint
        for tls, code in ((mine, 200), (other, 463)):
            status, answer = await _asked(app, "EiEvent", RequestEvent(request_id="1", ven_id=ven_id), **tls)
            assert isinstance(answer, DistributeEvent)
            assert answer.response is not None
            assert (status, answer.response.response_code) == (200, code)


@pytest.mark.rule(516, 517)
@pytest.mark.decision(1)
@pytest.mark.parametrize(
    "tls",
    [
        {},
        {"client_cert_chain": [], "client_cert_error": None},
        {"client_cert_chain": None},
        shown(ven_identity("mine"), error="certificate has expired"),
        {"client_cert_chain": ["no certificate"], "client_cert_error": None},
    ],
    ids=["nothing", "none", "null", "one that is not valid", "nonsense"],
)
async def test_who_shows_no_certificate_that_the_server_finds_valid_gets_403_unread(tls: dict[str, Any]) -> None:
    there = vtn(require_certificate=True)
    app = there.asgi()
    async with there.driving():
        assert await _asked(app, "EiRegisterParty", registering("mine"), **tls) == (403, None)
    assert not there.vens


async def test_the_first_certificate_of_a_chain_is_that_of_the_client() -> None:
    identity = ven_identity("mine")
    peer = peer_of(tls_scope("OadrPoll", **shown(identity, ven_identity("other"))))
    assert (peer.identity, peer.address) == (identity.fingerprint, "192.0.2.7:4711")
