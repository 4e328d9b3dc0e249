"""HTTP/1.1 on the wire of the server: connections, framing, limits, timeouts, and the end."""

import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime

import anyio
import anyio.abc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import Peer
from oadr_driver.throttle import Throttle
from oadr_http import Endpoints, Server, ServerLimits
from oadr_http.endpoints import normalised
from oadr_http.parser import Parser, Stage
from tests.http.desk import POLL, Desk, Line, Office, ending_office, office, request, until

pytestmark = pytest.mark.anyio

_SOON = 0.05
"""Seconds; a timeout that a test waits for."""


# --- connections -----------------------------------------------------------------------------------------------------


async def test_a_connection_serves_many_requests() -> None:
    async with office() as opened, opened.line() as line:
        for number in range(5):
            await line.say(request(b"<m>%d</m>" % number))
            answer = await line.answer()
            assert answer.status == 200
            assert "connection" not in answer.headers
    assert opened.desk.bodies == [b"<m>%d</m>" % number for number in range(5)]


async def test_requests_may_be_sent_ahead_and_are_answered_in_order() -> None:
    async with office() as opened, opened.line() as line:
        await line.say(request(b"<a/>") + request(path="/nowhere") + request(b"<b/>"))
        assert [(await line.answer()).status for _ in range(3)] == [200, 404, 200]
    assert opened.desk.bodies == [b"<a/>", b"<b/>"]


async def test_a_refused_request_does_not_end_the_connection() -> None:
    async with office() as opened, opened.line() as line:
        for wrong in (
            request(b"body", path="/nowhere"),
            request(b"", method="GET", length=""),
            request(media_type=None),
        ):
            await line.say(wrong)
            assert "connection" not in (await line.answer()).headers
        await line.say(request())
        assert (await line.answer()).status == 200


async def test_a_client_may_ask_to_close() -> None:
    async with office() as opened, opened.line() as line:
        await line.say(request(b"<m/>", "Connection: close"))
        answer = await line.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await line.ends()


async def test_what_follows_a_request_that_closes_is_not_read() -> None:
    async with office() as opened, opened.line() as line:
        await line.say(request(b"<m/>", "Connection: close") + request(b"<n/>"))
        assert (await line.answer()).status == 200
        assert await line.ends()
    assert opened.desk.bodies == [b"<m/>"]


async def test_http_1_0_closes_unless_it_is_asked_not_to() -> None:
    async with office() as opened:
        async with opened.line() as line:
            await line.say(request(version="1.0"))
            assert (await line.answer()).headers["connection"] == "close"
            assert await line.ends()
        async with opened.line() as line:
            for _ in range(2):
                await line.say(request(b"<m/>", "Connection: keep-alive", version="1.0"))
                assert (await line.answer()).headers["connection"] == "keep-alive"


async def test_a_request_may_arrive_byte_by_byte() -> None:
    async with office() as opened, opened.line() as line:
        data = request(b"<m/>")
        await line.say(*(data[index : index + 1] for index in range(len(data))))
        assert (await line.answer()).status == 200
    assert opened.desk.bodies == [b"<m/>"]


async def test_empty_lines_before_a_request_do_not_matter() -> None:
    async with office() as opened, opened.line() as line:
        for _ in range(2):
            await line.say(b"\r\n", b"\r\n" + request())
            assert (await line.answer()).status == 200


async def test_an_answer_carries_the_date() -> None:
    async with office() as opened:
        answer = await opened.ask(request())
    assert answer.headers["date"].endswith("GMT")
    assert parsedate_to_datetime(answer.headers["date"]).tzinfo is not None


async def test_an_offered_upgrade_is_passed_over() -> None:
    async with office() as opened, opened.line() as line:
        for number in range(2):  # the second in pieces
            offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
            data = request(b"<m>%d</m>" % number, *offer)
            await line.say(*(data[:-4], data[-4:]) if number else (data,))
            assert (await line.answer()).status == 200
    assert opened.desk.bodies == [b"<m>0</m>", b"<m>1</m>"]


async def test_hundreds_of_upgrades_that_are_offered_ahead_end_nothing() -> None:
    few = b"POST / HTTP/1.1\r\nHost:a\r\nConnection:upgrade\r\nUpgrade:x\r\nContent-Length:0\r\n\r\n"
    async with office() as opened:
        async with opened.line() as line:
            await line.say(few * (64 * 1024 // len(few)))
            assert [(await line.answer()).status for _ in range(800)] == [404] * 800
        assert (await opened.ask(request())).status == 200


async def test_what_is_wrong_behind_an_offered_upgrade_is_told_as_what_it_is() -> None:
    async with office() as opened, opened.line() as line:
        await line.say(
            request(b"<m/>", "Connection: Upgrade", "Upgrade: h2c")
            + request(b"", "Transfer-Encoding: chunked", length="")
        )
        assert [(await line.answer()).status for _ in range(2)] == [200, 411]
        assert await line.ends()


async def test_a_fault_of_ours_ends_one_connection_and_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    feed = Parser.feed

    def fails(parser: Parser, data: bytes) -> None:
        if b"<fault/>" in data:
            raise RuntimeError
        feed(parser, data)

    monkeypatch.setattr(Parser, "feed", fails)
    async with office() as opened, opened.line() as other:
        await other.say(request())
        assert (await other.answer()).status == 200
        async with opened.line() as line:
            await line.say(request(b"<fault/>"))
            assert await line.ends()
        await other.say(request())
        assert (await other.answer()).status == 200
    assert "a connection has failed" in caplog.text


async def test_nobody_is_connected_through() -> None:
    async with office() as opened, opened.line() as line:
        await line.say(request(b"", method="CONNECT", path="elsewhere.example:80", length=""))
        assert (await line.answer()).status == 501
        assert await line.ends()


# --- 100 Continue ----------------------------------------------------------------------------------------------------


async def test_a_client_that_waits_is_told_to_continue() -> None:
    async with office() as opened, opened.line() as line:
        head, _, body = request(b"<m/>", "Expect: 100-continue").partition(b"\r\n\r\n")
        await line.say(head + b"\r\n\r\n")
        assert (await line.answer()).status == 100
        await line.say(body)
        assert (await line.answer()).status == 200
    assert opened.desk.bodies == [b"<m/>"]


async def test_a_client_that_does_not_wait_is_not_told() -> None:
    async with office() as opened, opened.line() as line:
        await line.say(request(b"<m/>", "Expect: 100-continue"))
        assert (await line.answer()).status == 200


async def test_http_1_0_knows_no_continue() -> None:
    async with office() as opened, opened.line() as line:
        head, _, body = request(b"<m/>", "Expect: 100-continue", version="1.0").partition(b"\r\n\r\n")
        await line.say(head + b"\r\n\r\n")
        await line.say(body)
        assert (await line.answer()).status == 200


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (request(b"<m/>", "Expect: 100-continue", path="/nowhere"), 404),
        (request(b"<m/>", "Expect: 100-continue", method="PUT"), 501),
        (request(b"<m/>", "Expect: 100-continue", media_type="text/plain"), 406),
        (request(b"<m/>", "Expect: 100-continue", length=10**9), 413),
    ],
)
async def test_a_body_that_is_not_wanted_is_refused_before_it_comes(wrong: bytes, status: int) -> None:
    async with office() as opened, opened.line() as line:
        await line.say(wrong.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        answer = await line.answer()
        assert (answer.status, answer.headers["connection"]) == (status, "close")


# --- what is no request ----------------------------------------------------------------------------------------------

_SMUGGLING = {
    "two lengths": request(b"ab", "Content-Length: 2"),
    "two lengths that differ": request(b"ab", "Content-Length: 1"),
    "a list of lengths": request(b"ab", length="2, 2"),
    "a length and chunks": request(b"0\r\n\r\n", "Transfer-Encoding: chunked"),
    "chunks and a length": request(b"0\r\n\r\n", "Transfer-Encoding: chunked", "Content-Length: 5", length=""),
    "a length with a sign": request(b"ab", length="+2"),
    "a length in hexadecimal": request(b"ab", length="0x2"),
    "a length below zero": request(b"ab", length="-2"),
    "an empty length": request(b"ab", "Content-Length: ", length=""),
    "a length that overflows": request(b"ab", length=2**64 + 2),
    "a length behind thousands of noughts": request(b"ab", length="0" * 5000 + "2"),
    "a folded header": request(b"ab", "X-Note: a", " b"),
    "a space before the colon": request(b"ab", "X-Note : a"),
    "a header without a name": request(b"ab", ": a"),
    "a header without a colon": request(b"ab", "X-Note"),
    "a NUL in a header": request(b"ab", "X-Note: a\0b"),
    "a bare CR in a header": request(b"ab", "X-Note: a\rb"),
    "bare line feeds": request(b"ab").replace(b"\r\n", b"\n"),
    "no version": b"POST %s\r\n\r\n" % POLL.encode(),
    "a blank in the target": request(b"ab", path=f"{POLL} x"),
    "no slash": request(b"ab", path=POLL[1:]),
}

_GARBAGE = {
    "another method": request(method="SHOUT"),
    "a TLS client": bytes.fromhex("16030100a1010000 9d0303") + bytes(100),
    "HTTP/2 at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "zeros": bytes(100),
    "a PROXY line": b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + request(),
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("data", [*_SMUGGLING.values(), *_GARBAGE.values()], ids=[*_SMUGGLING, *_GARBAGE])
async def test_what_could_be_read_in_two_ways_is_refused_and_ends_the_connection(data: bytes) -> None:
    async with office() as opened, opened.line() as line:
        await line.say(data)
        answer = await line.answer()
        assert 400 <= answer.status < 506
        assert answer.status != 500, "it is a fault of the peer, not ours"
        assert (answer.body, answer.headers["connection"]) == (b"", "close")
        assert await line.ends()
    assert opened.desk.taken == []


@pytest.mark.parametrize("version", ["0.9", "2.0", "1.2", "3.0"])
async def test_other_versions_of_http_are_refused(version: str) -> None:
    async with office() as opened:
        answer = await opened.ask(request(version=version))
    assert answer.status in (400, 505)
    assert opened.desk.taken == []


async def test_a_request_before_a_wrong_one_is_answered_first() -> None:
    async with office() as opened, opened.line() as line:
        await line.say(request(b"<m/>") + b"\0\0\0\0")
        assert [(await line.answer()).status for _ in range(2)] == [200, 400]
        assert await line.ends()
    assert opened.desk.bodies == [b"<m/>"]


async def test_a_peer_that_leaves_in_the_middle_disturbs_nobody() -> None:
    async with office() as opened:
        whole = request(b"<m/>")
        for length in (1, 20, len(whole) - 1):
            async with opened.line() as line:
                await line.say(whole[:length])
        assert (await opened.ask(whole)).status == 200
    assert opened.desk.bodies == [b"<m/>"]


@given(st.binary(min_size=1, max_size=200))
async def test_no_bytes_can_disturb_the_next_client(data: bytes) -> None:
    async with office(ServerLimits(head_timeout=_SOON, idle_timeout=_SOON)) as opened:
        async with opened.line() as line:
            await line.say(data)
            await line.stream.send_eof()
            await line.ends()
        assert (await opened.ask(request(b"<m/>"))).status == 200


# --- limits ----------------------------------------------------------------------------------------------------------


async def test_a_head_may_be_as_long_as_the_limit_and_no_longer() -> None:
    async with office(ServerLimits(head=1000)) as opened:
        assert (await opened.ask(request(b"<m/>", f"X-Note: {'x' * 700}"))).status == 200
        assert (await opened.ask(request(b"<m/>", f"X-Note: {'x' * 1000}"))).status == 431
        assert (await opened.ask(request(path="/" + "x" * 1000))).status == 431
    assert opened.desk.bodies == [b"<m/>"]


@pytest.mark.parametrize("endless", [b"X-Note: " + b"x" * 5000, b"X: y\r\n" * 900], ids=["a header", "headers"])
async def test_a_head_that_does_not_end_is_refused(endless: bytes) -> None:
    async with office(ServerLimits(head=1000)) as opened, opened.line() as line:
        await line.say(b"POST / HTTP/1.1\r\n", endless)
        assert (await line.answer()).status == 431


async def test_a_target_that_does_not_end_is_refused() -> None:
    async with office(ServerLimits(head=1000)) as opened, opened.line() as line:
        await line.say(b"POST /", b"x" * 5000)
        assert (await line.answer()).status == 431


async def test_a_body_too_long_is_refused_and_the_refusal_arrives() -> None:
    async with office(ServerLimits(body=1000)) as opened, opened.line() as line:
        await line.say(request(b"x" * 3_000_000))
        answer = await line.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert opened.desk.taken == []


async def test_all_bodies_together_have_a_limit() -> None:
    async with office(ServerLimits(bodies=1500)) as opened:
        async with opened.line() as first, opened.line() as second:
            head, body = request(b"x" * 1000)[:-500], b"x" * 500
            await first.say(head)
            await until(lambda: opened.server._reserved == 1000)
            await second.say(head)
            answer = await second.answer()
            assert (answer.status, answer.headers["connection"]) == (503, "close")
            await first.say(body)
            assert (await first.answer()).status == 200
            await first.say(head, body)
            assert (await first.answer()).status == 200
            await first.say(head)
            await until(lambda: opened.server._reserved == 1000)
        await until(lambda: not opened.server._connections)
        assert opened.server._reserved == 0
    assert opened.desk.bodies == [b"x" * 1000] * 2


async def test_further_connections_are_told_to_come_back() -> None:
    async with office(ServerLimits(connections=2)) as opened:
        async with opened.line() as first, opened.line() as second:
            for line in (first, second):
                await line.say(request())
                assert (await line.answer()).status == 200
            async with opened.line() as third:
                await third.say(request())
                answer = await third.answer()
                assert (answer.status, answer.headers["connection"]) == (503, "close")
            await first.say(request())
            assert (await first.answer()).status == 200
        await until(lambda: not opened.server._connections)
        assert (await opened.ask(request())).status == 200


async def test_far_too_many_connections_are_closed_without_a_word() -> None:
    async with office(ServerLimits(connections=1)) as opened, opened.line() as first:
        await first.say(request())
        assert (await first.answer()).status == 200
        async with _many(opened.port, 9) as _:
            await until(lambda: len(opened.server._connections) >= 9)
            async with opened.line() as one_more:
                assert await one_more.ends()


@asynccontextmanager
async def _many(port: int, count: int) -> AsyncIterator[list[socket.socket]]:
    """Connections that only listen."""
    sockets = []
    try:
        for _ in range(count):
            one = socket.socket()
            sockets.append(one)
            one.connect(("127.0.0.1", port))
        yield sockets
    finally:
        for one in sockets:
            one.close()


# --- timeouts --------------------------------------------------------------------------------------------------------


async def test_a_silent_connection_is_closed() -> None:
    async with office(ServerLimits(idle_timeout=_SOON)) as opened:
        async with opened.line() as line:
            assert await line.ends()
        async with opened.line() as line:
            await line.say(request())
            assert (await line.answer()).status == 200
            assert await line.ends()


async def test_empty_lines_do_not_keep_a_connection_open() -> None:
    async with office(ServerLimits(idle_timeout=_SOON)) as opened, opened.line() as line:
        assert await _trickle(line, b"\r\n" * 1000)


async def test_a_head_has_its_time_however_often_a_byte_comes() -> None:
    async with office(ServerLimits(head_timeout=_SOON)) as opened, opened.line() as line:
        assert await _trickle(line, request(b"<m/>", f"X-Note: {'x' * 1000}"))
        assert (await line.answer()).status == 408
    assert opened.desk.taken == []


async def test_a_body_has_its_time_however_often_a_byte_comes() -> None:
    async with office(ServerLimits(body_timeout=_SOON)) as opened, opened.line() as line:
        assert await _trickle(line, request(b"x" * 1000))
        answer = await line.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert opened.desk.taken == []


async def _trickle(line: Line, data: bytes) -> bool:
    """Send a byte now and then; tell whether the server had enough of it."""
    over = False

    async def watch() -> None:
        nonlocal over
        over = await line.hears()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        for index in range(len(data)):
            if over:
                break
            try:
                await line.say(data[index : index + 1])
            except anyio.BrokenResourceError:
                break
            await anyio.sleep(_SOON / 20)
        group.cancel_scope.cancel()
    return over


async def test_a_peer_that_does_not_read_its_answer_is_cut_off() -> None:
    async with office(ServerLimits(write_timeout=_SOON)) as opened:
        opened.desk.content = b"x" * 20_000_000
        async with opened.line() as line:
            await line.say(request())
            await opened.desk.arrived.wait()
            await until(lambda: not opened.server._connections)
            await line.ends()
            assert b"408" not in line.rest


async def test_a_handler_may_take_longer_than_any_timeout() -> None:
    tight = ServerLimits(head_timeout=_SOON, body_timeout=_SOON, idle_timeout=_SOON, write_timeout=_SOON)
    async with office(tight) as opened, opened.line() as line:
        opened.desk.open = anyio.Event()
        await line.say(request())
        await opened.desk.arrived.wait()
        await anyio.sleep(3 * _SOON)
        opened.desk.open.set()
        assert (await line.answer()).status == 200


# --- peers that leave, and the end -----------------------------------------------------------------------------------


async def test_a_peer_that_leaves_while_its_answer_is_made_disturbs_nobody() -> None:
    async with office() as opened:
        opened.desk.open = anyio.Event()
        async with opened.line() as line:
            await line.say(request(b"<m/>"))
            await opened.desk.arrived.wait()
            raw = line.stream.extra(anyio.abc.SocketAttribute.raw_socket)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closing resets the connection
        opened.desk.open.set()
        assert (await opened.ask(request(b"<n/>"))).status == 200
        await until(lambda: not opened.server._connections)
    assert opened.desk.bodies == [b"<m/>", b"<n/>"]


async def test_at_the_end_a_request_under_way_is_finished_and_idle_connections_are_closed() -> None:
    async with ending_office() as (opened, end), opened.line() as busy, opened.line() as idle:
        await idle.say(request(b"<i/>"))
        assert (await idle.answer()).status == 200
        opened.desk.arrived, opened.desk.open = anyio.Event(), anyio.Event()
        await busy.say(request(b"<m/>"))
        await opened.desk.arrived.wait()
        end.set()
        assert await idle.ends()
        with pytest.raises(OSError, match=r"."):
            await opened.ask(request())
        opened.desk.open.set()
        answer = await busy.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await busy.ends()


async def test_at_the_end_a_request_half_arrived_is_finished() -> None:
    async with ending_office() as (opened, end), opened.line() as line, opened.line() as idle:
        await idle.say(request(b"<i/>"))
        assert (await idle.answer()).status == 200
        data = request(b"<m/>")
        await line.say(data[:-2])
        await until(lambda: any(one.stage is Stage.BODY for one in opened.server._connections))
        end.set()
        assert await idle.ends()
        await line.say(data[-2:])
        assert (await line.answer()).status == 200
        assert await line.ends()


async def test_at_the_end_no_further_request_is_served() -> None:
    async with ending_office() as (opened, end), opened.line() as line:
        opened.desk.open = anyio.Event()
        await line.say(request(b"<m/>") + request(b"<n/>"))
        await opened.desk.arrived.wait()
        end.set()
        await until(lambda: opened.server._stopping)
        opened.desk.open.set()
        assert (await line.answer()).headers["connection"] == "close"
        assert await line.ends()
    assert opened.desk.bodies == [b"<m/>"]


async def test_the_end_waits_no_longer_than_its_grace() -> None:
    async with ending_office(ServerLimits(grace=_SOON)) as (opened, end), opened.line() as line:
        opened.desk.open = anyio.Event()
        await line.say(request())
        await opened.desk.arrived.wait()
        end.set()
        assert await line.ends()


async def test_an_error_within_leaves_as_it_was_raised() -> None:
    with pytest.raises(LookupError, match="mine"):
        async with office():
            raise LookupError("mine")


class _Exhausted(anyio.abc.Listener[anyio.abc.SocketStream]):
    """A listener that has no means for a connection, once."""

    def __init__(self, listener: anyio.abc.Listener[anyio.abc.SocketStream]) -> None:
        self.listener = listener
        self.failed = False

    async def serve(self, handler: object, task_group: object = None) -> None:
        if not self.failed:
            self.failed = True
            raise OSError(24, "Too many open files")
        await self.listener.serve(handler, task_group)  # type: ignore[arg-type]

    async def aclose(self) -> None:
        await self.listener.aclose()


async def test_a_system_without_means_for_one_more_connection_does_not_end_the_server(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oadr_http.server._ACCEPT_PAUSE", 0.0)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    server, desk = Server(Endpoints(Desk())), Desk()
    async with server.serving(_Exhausted(listener)):
        assert (await Office(desk, server, port).ask(request())).status == 200
    assert "Too many open files" in caplog.text


# --- paths -----------------------------------------------------------------------------------------------------------


@pytest.mark.rule(511)
@given(st.text("abcXYZ019-._~/%2eE?#:@", max_size=60))
def test_what_is_normalised_once_is_normalised(path: str) -> None:
    once = normalised("/" + path)
    assert once.startswith("/")
    assert "/../" not in once
    assert "/./" not in once


@pytest.mark.rule(511)
@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/a/b/../c", "/a/c"),
        ("/a/./b", "/a/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/../a", "/a"),
        ("/%7Ea%2Eb", "/~a.b"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a?b/../c", "/a"),
        ("http://host", "/"),
        ("HTTPS://Host:1/a/../b?c", "/b"),
        ("/", "/"),
    ],
)
def test_paths_are_normalised_as_rfc_3986_says(path: str, normal: str) -> None:
    assert normalised(path) == normal


# --- one peer and all ------------------------------------------------------------------------------------------------


async def test_a_head_may_have_as_many_headers_as_the_limit_and_no_more() -> None:
    async with office(ServerLimits(headers=10)) as opened:
        assert (await opened.ask(request(b"<m/>", *[f"X-{number}: y" for number in range(7)]))).status == 200
        for more in ([f"X-{number}: y" for number in range(8)], ["X: y"] * 8):
            assert (await opened.ask(request(b"<m/>", *more))).status == 431
    assert len(opened.desk.taken) == 1


async def test_one_address_gets_only_so_many_connections() -> None:
    async with office(ServerLimits(connections_per_address=2)) as opened:
        async with opened.line() as one, opened.line() as other:
            for line in (one, other):
                await line.say(request())
                assert (await line.answer()).status == 200
            refused = await opened.ask(request())
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            await one.say(request())
            assert (await one.answer()).status == 200
        await until(lambda: not opened.server._connections)
        assert not opened.server._of_address, "an address without connections is not remembered"
        assert (await opened.ask(request())).status == 200


async def test_who_asks_too_often_is_told_when_to_come_back_and_nobody_else_suffers() -> None:
    time = 0.0
    throttle = Throttle(math.inf, 0.5, clock=lambda: time)
    desk = Desk()
    server = Server(Endpoints(desk, throttle=throttle))
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with server.serving(listener):
        opened = Office(desk, server, listener.extra(anyio.abc.SocketAttribute.local_port))
        async with opened.line() as line:
            await line.say(request() * 5)
            assert [(await line.answer()).status for _ in range(5)] == [200] * 5
            await line.say(request(b"<flood/>") * 100)
            answers = [await line.answer() for _ in range(100)]
            assert {(one.status, one.headers["retry-after"]) for one in answers} == {(503, "2")}
            time = 2.0
            await line.say(request(b"<later/>"))
            assert (await line.answer()).status == 200
    assert desk.bodies == [b"<poll/>"] * 5 + [b"<later/>"], "what was too much was not even read as a document"


def test_vens_behind_one_address_are_counted_each_by_its_certificate() -> None:
    throttle = Throttle(1.0, 1.0, clock=lambda: 0.0)
    busy, other = (Peer(identity=identity, address="192.0.2.1:1") for identity in ("AA", "BB"))
    assert [throttle.wait(busy) == 0 for _ in range(12)] == [True] * 10 + [False] * 2
    assert throttle.wait(other) == 0
    assert throttle.wait(Peer(address="192.0.2.1:2")) == 0
    elsewhere = Peer(identity="AA", address="198.51.100.7:1")
    assert throttle.wait(elsewhere) > 0, "nor does another address help it"


async def test_requests_that_are_sent_ahead_are_taken_up_one_by_one() -> None:
    few = request(b"<m/>")
    async with office() as opened, opened.line() as line:
        opened.desk.open = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(line.say, few * 20_000)
            await opened.desk.arrived.wait()
            (connection,) = opened.server._connections
            with anyio.move_on_after(_SOON):
                await anyio.sleep_forever()
            assert len(opened.desk.taken) == 1, "the next waits until this one is answered"
            assert connection.stage is Stage.ANSWER
            group.cancel_scope.cancel()
        opened.desk.open.set()
