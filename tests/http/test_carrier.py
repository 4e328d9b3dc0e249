"""Carrying requests with httpx: what leaves, what is taken as an answer, and what as which failure."""

import gzip
import re
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

import anyio
import anyio.abc
import pytest

from oadr_core import Address, Failure, LocalProtocolError, PlainSealer, Poll, Service, Transmit
from oadr_core.outputs import ExchangeId
from oadr_http import ExchangeFailed, HttpCarrier
from oadr_http.client import LONGEST_ANSWER
from tests.http.desk import until

pytestmark = pytest.mark.anyio

Say = Callable[[anyio.abc.SocketStream], Awaitable[None]]


def transmit(base: str = "", service: Service = Service.OADR_POLL, timeout: float = 20.0) -> Transmit:
    """A request that wants to be sent."""
    return Transmit(ExchangeId(1), Address("simpleHttp", base), service, Poll(ven_id="V"), timeout, PlainSealer())


class Stranger:
    """A server that answers whatever a test wants, and writes down what it is asked.

    :ivar asked: the requests as they came, head and body.
    :ivar connections: how many there were.
    """

    def __init__(self, answers: Sequence[bytes | Say], port: int) -> None:
        self.answers: Final = list(answers)
        self.url: Final = f"http://127.0.0.1:{port}/OpenADR2/Simple/2.0b"
        self.asked: list[tuple[bytes, bytes]] = []
        self.connections = 0
        self.open = 0

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        """Serve a connection."""
        self.connections += 1
        self.open += 1
        try:
            async with stream:
                while await self._one(stream):
                    pass
        except (anyio.BrokenResourceError, anyio.EndOfStream):
            pass
        finally:
            self.open -= 1

    async def _one(self, stream: anyio.abc.SocketStream) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(body) < length:
            body += await stream.receive()
        self.asked.append((head, body))
        answer = self.answers.pop(0)
        if isinstance(answer, bytes):
            await stream.send(answer)
            return b"connection: close" not in answer
        await answer(stream)
        return False


@asynccontextmanager
async def stranger(*answers: bytes | Say) -> AsyncIterator[Stranger]:
    """Run such a server."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    opened = Stranger(answers, listener.extra(anyio.abc.SocketAttribute.local_port))
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, opened.serve)
        yield opened
        group.cancel_scope.cancel()


def response(body: bytes = b"<a/>", *headers: str, status: str = "200 OK") -> bytes:
    """The bytes of a response."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def fails(carrier: HttpCarrier, request: Transmit | None = None) -> Failure:
    """Send a request that must fail; say how it did."""
    with pytest.raises(ExchangeFailed) as caught:
        await carrier.exchange(request or transmit(), b"<m/>")
    return caught.value.why


# --- what leaves -----------------------------------------------------------------------------------------------------


@pytest.mark.rule(53)
async def test_a_request_leaves_with_exactly_these_headers() -> None:
    async with stranger(response()) as vtn, HttpCarrier(vtn.url) as carrier:
        assert await carrier.exchange(transmit(), b"<m/>") == b"<a/>"
    head, body = vtn.asked[0]
    first, *lines = head.decode().split("\r\n")
    assert first == "POST /OpenADR2/Simple/2.0b/OadrPoll HTTP/1.1"
    assert {line.split(": ")[0].lower(): line.split(": ")[1] for line in lines} == {
        "host": vtn.url.split("/")[2],
        "content-type": "application/xml",
        "content-length": "4",
        "accept": "application/xml",
        "accept-encoding": "gzip, deflate",
        "user-agent": "oadr",
        "connection": "keep-alive",
    }
    assert len(lines) == 7
    assert body == b"<m/>"


async def test_a_large_request_has_a_length_and_no_chunks() -> None:
    async with stranger(response()) as vtn, HttpCarrier(vtn.url) as carrier:
        await carrier.exchange(transmit(), b"x" * 1_000_000)
    head, body = vtn.asked[0]
    assert b"content-length: 1000000" in head.lower()
    assert b"transfer-encoding" not in head.lower()
    assert body == b"x" * 1_000_000


async def test_compression_can_be_declined() -> None:
    async with stranger(response()) as vtn, HttpCarrier(vtn.url, compression=False) as carrier:
        await carrier.exchange(transmit(), b"<m/>")
    assert b"accept-encoding: identity" in vtn.asked[0][0].lower()


async def test_no_cookie_is_kept() -> None:
    async with (
        stranger(response(b"", "set-cookie: who=me; path=/"), response()) as vtn,
        HttpCarrier(vtn.url) as carrier,
    ):
        await carrier.exchange(transmit(), b"<m/>")
        await carrier.exchange(transmit(), b"<m/>")
    assert b"cookie" not in vtn.asked[1][0].lower()


async def test_a_connection_is_used_again() -> None:
    async with stranger(*[response()] * 5) as vtn, HttpCarrier(vtn.url) as carrier:
        for _ in range(5):
            await carrier.exchange(transmit(), b"<m/>")
        assert vtn.connections == 1


async def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    async with stranger(response(b"", "connection: close"), response()) as vtn, HttpCarrier(vtn.url) as carrier:
        await carrier.exchange(transmit(), b"<m/>")
        await until(lambda: not vtn.open)
        await carrier.exchange(transmit(), b"<m/>")
        assert vtn.connections == 2


async def test_many_requests_may_be_under_way_and_be_cancelled() -> None:
    async def silence(stream: anyio.abc.SocketStream) -> None:
        await stream.receive()

    async with stranger(*[silence] * 50, response()) as vtn, HttpCarrier(vtn.url) as carrier:
        for _ in range(2):
            before = len(vtn.asked)
            async with anyio.create_task_group() as group:
                for _ in range(25):
                    group.start_soon(carrier.exchange, transmit(), b"<m/>")
                await until(lambda before=before: len(vtn.asked) == before + 25)
                group.cancel_scope.cancel()
        assert await carrier.exchange(transmit(), b"<m/>") == b"<a/>"


async def test_no_connection_is_left_open() -> None:
    async with stranger(response()) as vtn:
        async with HttpCarrier(vtn.url) as carrier:
            await carrier.exchange(transmit(), b"<m/>")
            assert vtn.open == 1
        await until(lambda: not vtn.open)


# --- where to --------------------------------------------------------------------------------------------------------


@pytest.mark.rule(511)
@pytest.mark.parametrize("slashes", ["", "/", "//"])
async def test_the_service_follows_the_base_after_one_slash(slashes: str) -> None:
    async with stranger(response()) as vtn, HttpCarrier(vtn.url + slashes) as carrier:
        await carrier.exchange(transmit(service=Service.EI_REGISTER_PARTY), b"<m/>")
    assert vtn.asked[0][0].startswith(b"POST /OpenADR2/Simple/2.0b/EiRegisterParty HTTP/1.1")


@pytest.mark.rule(511)
@pytest.mark.parametrize(
    ("registered", "path"),
    [
        ("", "/OpenADR2/Simple/2.0b/EiEvent"),
        ("/", "/OpenADR2/Simple/2.0b/EiEvent"),
        ("/site/7/", "/site/7/OpenADR2/Simple/2.0b/EiEvent"),
        ("/OpenADR2/Simple/2.0b", "/OpenADR2/Simple/2.0b/EiEvent"),
        ("/site/OpenADR2/Simple/2.0b/", "/site/OpenADR2/Simple/2.0b/EiEvent"),
    ],
)
async def test_a_push_ven_may_have_registered_its_root_or_the_whole_path(registered: str, path: str) -> None:
    async with stranger(response()) as ven, HttpCarrier() as carrier:
        root = ven.url.removesuffix("/OpenADR2/Simple/2.0b")
        await carrier.exchange(transmit(root + registered, Service.EI_EVENT), b"<m/>")
    assert ven.asked[0][0].split(b" ")[1].decode() == path


@pytest.mark.parametrize(
    "address",
    [
        "None",
        "10.0.0.1",
        "http://",
        "http:///x",
        "ftp://127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        f"http://{'a' * 70}.invalid/",
        "http://\N{SNOWMAN}/",
        "http://a b/",
        "javascript:alert(1)",
    ],
)
async def test_an_address_that_is_none_is_unreachable_and_breaks_nothing(address: str) -> None:
    async with HttpCarrier() as carrier:
        assert await fails(carrier, transmit(address)) is Failure.UNREACHABLE


@pytest.mark.parametrize("url", ["vtn.example", "ftp://vtn.example", "http://", "http:///x", "http://h/x?y", "", "\0"])
def test_a_url_that_is_none_is_a_local_mistake(url: str) -> None:
    with pytest.raises(LocalProtocolError, match="URL"):
        HttpCarrier(url or "no")


# --- what counts as an answer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "204 No Content", "299 Fine"])
async def test_any_success_is_a_success_and_may_be_empty(status: str) -> None:
    async with stranger(response(b"", status=status)) as vtn, HttpCarrier(vtn.url) as carrier:
        assert await carrier.exchange(transmit(), b"<m/>") == b""


async def test_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    async with stranger(interim + response()) as vtn, HttpCarrier(vtn.url) as carrier:
        assert await carrier.exchange(transmit(), b"<m/>") == b"<a/>"


async def test_a_chunked_answer_is_read_though_nobody_should_send_one() -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n<a\r\n2\r\n/>\r\n0\r\n\r\n"
    async with stranger(chunked) as vtn, HttpCarrier(vtn.url) as carrier:
        assert await carrier.exchange(transmit(), b"<m/>") == b"<a/>"


async def test_an_answer_that_ends_with_the_connection_is_read() -> None:
    async def old(stream: anyio.abc.SocketStream) -> None:
        await stream.send(b"HTTP/1.0 200 OK\r\n\r\n<a/>")

    async with stranger(old) as vtn, HttpCarrier(vtn.url) as carrier:
        assert await carrier.exchange(transmit(), b"<m/>") == b"<a/>"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"<a/>", mtime=0)),
        ("deflate", zlib.compress(b"<a/>")),
        ("identity", b"<a/>"),
        ("gzip", b""),
    ],
)
async def test_a_compressed_answer_is_read(coding: str, body: bytes) -> None:
    async with stranger(response(body, f"content-encoding: {coding}")) as vtn, HttpCarrier(vtn.url) as carrier:
        assert await carrier.exchange(transmit(), b"<m/>") == (b"<a/>" if body else b"")


async def test_an_answer_may_be_as_long_as_the_limit() -> None:
    longest = b"x" * LONGEST_ANSWER
    async with stranger(response(longest)) as vtn, HttpCarrier(vtn.url) as carrier:
        assert await carrier.exchange(transmit(), b"<m/>") == longest


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (301, Failure.NOT_ACCEPTABLE),
        (304, Failure.NOT_ACCEPTABLE),
        (400, Failure.NOT_ACCEPTABLE),
        (401, Failure.FORBIDDEN),
        (403, Failure.FORBIDDEN),
        (404, Failure.UNSUPPORTED),
        (405, Failure.UNSUPPORTED),
        (406, Failure.NOT_ACCEPTABLE),
        (408, Failure.BUSY),
        (411, Failure.NOT_ACCEPTABLE),
        (413, Failure.TOO_LARGE),
        (415, Failure.NOT_ACCEPTABLE),
        (429, Failure.BUSY),
        (431, Failure.NOT_ACCEPTABLE),
        (500, Failure.PEER_ERROR),
        (501, Failure.UNSUPPORTED),
        (502, Failure.BUSY),
        (503, Failure.BUSY),
        (504, Failure.BUSY),
        (599, Failure.PEER_ERROR),
        (999, Failure.PEER_ERROR),
    ],
)
async def test_each_status_is_a_failure_of_its_kind(status: int, why: Failure) -> None:
    async with stranger(response(b"no", status=f"{status} No")) as vtn, HttpCarrier(vtn.url) as carrier:
        assert await fails(carrier) is why


@pytest.mark.rule(514)
@pytest.mark.parametrize(
    ("apart", "told"), [(-300, "its clock is 300 s behind ours"), (300, "its clock is 300 s ahead of ours"), (30, "")]
)
async def test_that_a_clock_may_be_why_a_peer_does_not_accept_us_is_told(
    apart: int, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=apart), usegmt=True)
    async with (
        stranger(*[response(b"", f"date: {date}", status="403 No")] * 2) as vtn,
        HttpCarrier(vtn.url) as carrier,
    ):
        for _ in range(2):
            assert await fails(carrier) is Failure.FORBIDDEN
    lines = [one.getMessage() for one in caplog.records if "clock" in one.getMessage()]
    assert len(lines) == bool(told), "once, and not at each request"
    assert not told or re.sub(r"\b(299|301)\b", "300", lines[0]).find(told) > 0


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 26 Nov 2026 04:00:00", "Thu, 26 Nov 99999 04:00:00 GMT"])
async def test_a_date_that_is_none_tells_nothing(date: str, caplog: pytest.LogCaptureFixture) -> None:
    async with stranger(response(b"", f"date: {date}", status="403 No")) as vtn, HttpCarrier(vtn.url) as carrier:
        assert await fails(carrier) is Failure.FORBIDDEN
    assert "clock" not in caplog.text


async def test_a_redirection_is_not_followed() -> None:
    async with stranger(response()) as elsewhere:
        moved = response(b"", f"location: {elsewhere.url}/OadrPoll", status="307 Temporary Redirect")
        async with stranger(moved) as vtn, HttpCarrier(vtn.url) as carrier:
            assert await fails(carrier) is Failure.NOT_ACCEPTABLE
        assert elsewhere.asked == []


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with HttpCarrier(f"http://127.0.0.1:{taken.getsockname()[1]}") as carrier:
            assert await fails(carrier) is Failure.UNREACHABLE


async def test_there_is_no_such_host() -> None:
    async with HttpCarrier("http://vtn.invalid") as carrier:
        assert await fails(carrier) is Failure.UNREACHABLE


async def _reset(stream: anyio.abc.SocketStream) -> None:
    raw = stream.extra(anyio.abc.SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


async def _close(stream: anyio.abc.SocketStream) -> None:
    await stream.aclose()


def _then_close(data: bytes) -> Say:
    async def say(stream: anyio.abc.SocketStream) -> None:
        await stream.send(data)

    return say


@pytest.mark.parametrize(
    "say",
    [
        _reset,
        _close,
        _then_close(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n<a"),
        _then_close(b"HTTP/1.1 200 OK\r\ncont"),
        _then_close(b"SSH-2.0-OpenSSH_9.2\r\n"),
        _then_close(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc"),
        _then_close(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
        _then_close(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000),
        _then_close(bytes(100)),
    ],
    ids=["reset", "closed", "body cut", "head cut", "not HTTP", "two lengths", "bad chunk", "endless head", "zeros"],
)
async def test_a_connection_that_breaks_off_or_speaks_no_http_is_broken(say: Say) -> None:
    async with stranger(say) as vtn, HttpCarrier(vtn.url) as carrier:
        assert await fails(carrier) is Failure.BROKEN


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n<a"])
@pytest.mark.parametrize("whose", ["the core's", "its own"])
async def test_an_answer_that_does_not_come_in_time_is_silence(begin: bytes, whose: str) -> None:
    async def wait(stream: anyio.abc.SocketStream) -> None:
        await stream.send(begin or b"HTTP/1.1 100 Continue\r\n\r\n")
        await stream.receive()

    async with stranger(wait) as vtn:
        async with HttpCarrier(vtn.url, timeout=0.05 if whose == "its own" else None) as carrier:
            request = transmit(timeout=0.05 if whose == "the core's" else 20.0)
            assert await fails(carrier, request) is Failure.SILENCE
        await until(lambda: not vtn.open)


@pytest.mark.parametrize(
    "answer",
    [
        response(b"x" * (LONGEST_ANSWER + 1)),
        response(gzip.compress(bytes(50_000_000)), "content-encoding: gzip"),
        response(b"<a/>", "content-encoding: gzip"),
        response(b"<a/>", "content-encoding: br"),
    ],
    ids=["too long", "a bomb", "not gzip", "a coding that was not offered"],
)
async def test_an_answer_that_cannot_be_taken_is_a_bad_one(answer: bytes) -> None:
    async with stranger(answer) as vtn, HttpCarrier(vtn.url) as carrier:
        assert await fails(carrier) is Failure.BAD_ANSWER


async def test_an_answer_without_end_is_given_up() -> None:
    async def endless(stream: anyio.abc.SocketStream) -> None:
        await stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send(b"x" * 65536)

    async with stranger(endless) as vtn, HttpCarrier(vtn.url) as carrier:
        assert await fails(carrier) is Failure.BAD_ANSWER


async def test_after_a_failure_the_next_request_succeeds() -> None:
    async with stranger(_close, response(b"", status="503 Busy"), response()) as vtn, HttpCarrier(vtn.url) as carrier:
        assert await fails(carrier) is Failure.BROKEN
        assert await fails(carrier) is Failure.BUSY
        assert await carrier.exchange(transmit(), b"<m/>") == b"<a/>"
