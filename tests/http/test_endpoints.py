"""Which requests are let in, and how answers leave: the server of the package and the ASGI app behave alike."""

import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from oadr_core import Failure, Service
from oadr_http import PREFIX, AsgiApp, Endpoints, ServerLimits
from tests.http.desk import POLL, Answered, Desk, office, request

pytestmark = pytest.mark.anyio

Ask = Callable[[bytes], Awaitable[Answered]]
Counter = Callable[..., Any]

_LIMITS = ServerLimits(body=1000)


@asynccontextmanager
async def _own_server(prefix: str = PREFIX) -> AsyncIterator[tuple[Desk, Ask]]:
    async with office(_LIMITS, prefix=prefix) as opened:
        yield opened.desk, opened.ask


@asynccontextmanager
async def _asgi(prefix: str = PREFIX) -> AsyncIterator[tuple[Desk, Ask]]:
    desk = Desk()
    app = AsgiApp(Endpoints(desk, prefix=prefix), _nothing, longest_body=_LIMITS.body)

    async def ask(data: bytes) -> Answered:
        return await asked(app, data)

    yield desk, ask


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


async def asked(app: AsgiApp, data: bytes, root_path: str = "") -> Answered:
    """Ask an ASGI application, as a server would that has read these bytes."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, target, version = first.decode().split(" ")
    pieces = [body[:3], body[3:]]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": target,
        "root_path": root_path,
        "http_version": version.removeprefix("HTTP/"),
        "headers": [tuple(line.split(b": ", 1)) for line in lines],
        "client": ("127.0.0.1", 7),
    }
    await app(scope, receive, send)
    begin, content = sent
    headers = {name.decode(): value.decode() for name, value in begin["headers"]}
    assert headers["content-length"] == str(len(content["body"]))
    return Answered(begin["status"], headers, content["body"])


@pytest.fixture(params=[_own_server, _asgi], ids=["server", "asgi"])
def counter(request: pytest.FixtureRequest) -> Counter:
    """Opens either, and gives what stands behind it and a way to ask it."""
    opened: Counter = request.param
    return opened


@pytest.mark.parametrize(
    ("service", "path"),
    [
        (Service.OADR_POLL, f"{PREFIX}/OadrPoll"),
        (Service.EI_EVENT, f"{PREFIX}/EiEvent"),
        (Service.EI_REPORT, f"{PREFIX}/EiReport"),
        (Service.EI_OPT, f"{PREFIX}/EiOpt"),
        (Service.EI_REGISTER_PARTY, f"{PREFIX}/EiRegisterParty"),
        (Service.OADR_POLL, f"{PREFIX}/%4FadrPoll"),
        (Service.OADR_POLL, f"{PREFIX}/x/../OadrPoll"),
        (Service.OADR_POLL, "/./OpenADR2/Simple/%32.%30b/./OadrPoll"),
        (Service.OADR_POLL, "/../OpenADR2/Simple/2%2e0b/OadrPoll"),
        (Service.OADR_POLL, f"{PREFIX}/OadrPoll?who=knows"),
        (Service.OADR_POLL, f"http://VTN.example:80{PREFIX}/OadrPoll"),
    ],
)
@pytest.mark.rule(511)
async def test_equivalent_paths_are_one_service(counter: Counter, service: Service, path: str) -> None:
    async with counter() as (desk, ask):
        answer = await ask(request(b"<m/>", path=path))
    assert answer.status == 200
    assert [(body, to) for body, _, to in desk.taken] == [(b"<m/>", service)]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/OadrPoll",
        f"{PREFIX}",
        f"{PREFIX}/",
        f"{PREFIX}/oadrpoll",
        f"{PREFIX}/EiOther",
        f"{PREFIX}/OadrPoll/",
        f"{PREFIX}/OadrPoll/.",
        f"{PREFIX}/OadrPoll/x/..",
        f"{PREFIX}//OadrPoll",
        f"{PREFIX}/OadrPoll%2F",
        f"{PREFIX}/..%2F2.0b/OadrPoll",
        "/openadr2/simple/2.0b/OadrPoll",
        "/OpenADR2/Simple/EiEvent",
    ],
)
async def test_other_paths_are_not_found(counter: Counter, path: str) -> None:
    async with counter() as (desk, ask):
        answer = await ask(request(path=path))
    assert (answer.status, answer.body, desk.taken) == (404, b"", [])


@pytest.mark.rule(511)
@pytest.mark.parametrize(
    "prefix", ["/site/OpenADR2/Simple/2.0b", "site/OpenADR2/Simple/2.0b/", "/site/OpenADR2/Simple/%32.0b"]
)
async def test_a_prefix_may_be_anything(counter: Counter, prefix: str) -> None:
    async with counter(prefix) as (_, ask):
        assert (await ask(request(path="/site/OpenADR2/Simple/2.0b/OadrPoll"))).status == 200
        assert (await ask(request())).status == 404


async def test_the_prefix_may_be_empty(counter: Counter) -> None:
    async with counter("/") as (_, ask):
        assert (await ask(request(path="/OadrPoll"))).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_every_method_but_post_is_not_implemented(counter: Counter, method: str) -> None:
    async with counter() as (desk, ask):
        answer = await ask(request(b"", method=method, length=""))
    assert (answer.status, answer.headers["allow"], desk.taken) == (501, "POST", [])


@pytest.mark.rule(53)
@pytest.mark.parametrize(
    "media_type",
    [
        "application/xml",
        "Application/XML",
        "application/xml; charset=utf-8",
        "application/xml;charset=UTF-8",
        'application/xml; charset="utf-8"',
    ],
)
async def test_xml_in_utf_8_is_taken(counter: Counter, media_type: str) -> None:
    async with counter() as (_, ask):
        assert (await ask(request(media_type=media_type))).status == 200


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "",
        "text/xml",
        "application/json",
        "application/xmlx",
        "application/xml; charset=utf-16",
        "application/xml; charset=iso-8859-1",
    ],
)
async def test_every_other_content_is_not_acceptable(counter: Counter, media_type: str | None) -> None:
    async with counter() as (desk, ask):
        answer = await ask(request(media_type=media_type))
    assert (answer.status, desk.taken) == (406, [])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZIP"])
async def test_nothing_lets_a_ven_compress_its_request(counter: Counter, coding: str) -> None:
    async with counter() as (desk, ask):
        answer = await ask(request(gzip.compress(b"<poll/>"), f"Content-Encoding: {coding}"))
        assert (answer.status, desk.taken) == (406, [])
        assert (await ask(request(b"<poll/>", "Content-Encoding: identity"))).status == 200


@pytest.mark.rule(53)
async def test_http_1_1_needs_a_host_and_1_0_does_not(counter: Counter) -> None:
    async with counter() as (desk, ask):
        assert (await ask(request(host=None))).status == 400
        assert desk.taken == []
        assert (await ask(request(host=None, version="1.0"))).status == 200


@pytest.mark.rule(53)
@pytest.mark.parametrize("name", ["Host: other", "Content-Type: application/xml"])
async def test_a_header_that_says_two_things_is_refused(counter: Counter, name: str) -> None:
    async with counter() as (desk, ask):
        answer = await ask(request(b"<poll/>", name))
    assert (answer.status, desk.taken) == (400, [])


async def test_other_headers_may_be_repeated_and_count_as_a_list(counter: Counter) -> None:
    async with counter() as (_, ask):
        answer = await ask(request(b"<poll/>", "Accept-Encoding: br", "Accept-Encoding: gzip"))
    assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.rule(53)
async def test_a_body_needs_a_length(counter: Counter) -> None:
    async with counter() as (desk, ask):
        assert (await ask(request(b"", length=""))).status == 411
        assert (await ask(request(b"0\r\n\r\n", "Transfer-Encoding: chunked", length=""))).status == 411
    assert desk.taken == []


async def test_a_body_may_be_as_long_as_the_limit_and_no_longer(counter: Counter) -> None:
    async with counter() as (desk, ask):
        assert (await ask(request(b"x" * 1000))).status == 200
        assert (await ask(request(b"x" * 1001))).status == 413
    assert desk.bodies == [b"x" * 1000]


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (Failure.NOT_ACCEPTABLE, 406),
        (Failure.FORBIDDEN, 403),
        (Failure.UNSUPPORTED, 404),
        (Failure.BUSY, 503),
        (Failure.PEER_ERROR, 500),
        (Failure.SILENCE, 500),
    ],
)
async def test_each_refusal_has_its_status(counter: Counter, refusal: Failure, status: int) -> None:
    async with counter() as (desk, ask):
        desk.refusal, desk.content = refusal, b""
        answer = await ask(request())
    assert (answer.status, answer.body, answer.headers["content-length"]) == (status, b"", "0")


async def test_what_goes_wrong_within_is_500_and_ends_nothing(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    async with counter() as (desk, ask):
        desk.error = RuntimeError("a mistake of ours")
        answer = await ask(request())
        assert (answer.status, answer.body) == (500, b"")
        desk.error = None
        assert (await ask(request())).status == 200
    assert "a mistake of ours" in caplog.text


@pytest.mark.rule(53)
async def test_an_answer_says_what_it_is_and_how_long(counter: Counter) -> None:
    async with counter() as (_, ask):
        answer = await ask(request())
    assert answer.body == b"<answer/>"
    assert answer.headers["content-type"] == "application/xml"
    assert answer.headers["content-length"] == "9"
    assert "content-encoding" not in answer.headers


@pytest.mark.rule(53)
async def test_an_empty_answer_has_a_length_too(counter: Counter) -> None:
    async with counter() as (desk, ask):
        desk.content = b""
        answer = await ask(request(b"<m/>", "Accept-Encoding: gzip"))
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "0", b"")
    assert "content-type" not in answer.headers
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate", "gzip"),
        ("deflate, gzip", "gzip"),
        ("gzip;q=0.5, deflate;q=0.9", "deflate"),
        ("gzip;q=0, deflate", "deflate"),
        ("GZIP", "gzip"),
        ("br, gzip;q=0.001", "gzip"),
        ("*", "gzip"),
        ("gzip;q=0, *;q=0.5", "deflate"),
        ("br", None),
        ("identity", None),
        ("", None),
        ("gzip;q=0", None),
        ("gzip;q=0, deflate;q=0", None),
        ("gzip;q=much", None),
        ("*;q=0", None),
        ("gzip ; q=1.0", "gzip"),
    ],
)
async def test_an_answer_is_compressed_where_the_ven_accepts_it(
    counter: Counter, accepted: str, coding: str | None
) -> None:
    async with counter() as (desk, ask):
        desk.content = b"<answer/>" * 100
        answer = await ask(request(b"<m/>", f"Accept-Encoding: {accepted}"))
    assert answer.headers.get("content-encoding") == coding
    plain = {None: bytes, "gzip": gzip.decompress, "deflate": zlib.decompress}[coding](answer.body)
    assert plain == b"<answer/>" * 100
    assert (answer.headers.get("vary") == "accept-encoding") == (coding is not None)


async def test_the_peer_is_known_by_its_address(counter: Counter) -> None:
    async with counter() as (desk, ask):
        await ask(request())
    peer = desk.taken[0][1]
    assert (peer.transport, peer.identity) == ("simpleHttp", None)
    assert peer.address is not None
    assert peer.address.startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("root_path", "path"),
    [
        ("", POLL),
        ("/mounted", f"/mounted{POLL}"),  # as servers do it now
        ("/mounted", POLL),  # as they did
        ("/mounted/", POLL),
        (PREFIX, POLL),  # mounted at the prefix itself
        (PREFIX, "/OadrPoll"),
    ],
)
async def test_the_asgi_app_is_found_wherever_it_is_mounted(root_path: str, path: str) -> None:
    async with _asgi() as (desk, _):
        app = AsgiApp(Endpoints(desk), _nothing)
        assert (await asked(app, request(path=path), root_path)).status == 200
        assert (await asked(app, request(path="/elsewhere/OadrPoll"), root_path)).status == 404
