"""A VTN pushes to where it may, and nowhere else, however a VEN writes the address and whatever a name turns into."""

import socket
import threading
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import anyio
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import Failure, LocalProtocolError
from oadr_http import ExchangeFailed, HttpCarrier, OpenADRServer, targets
from oadr_http.targets import PushTargets
from tests.http.test_carrier import response, stranger, transmit

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "::1",
    "::",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "fd00::1",
    "fec0::1",
    "ff02::1",
    "224.0.0.1",
    "255.255.255.255",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:7f00:1",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "2001:0:1::1",
    "2001:db8::1",
]
OUTSIDE = ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::93.184.216.34"]


@pytest.mark.parametrize("address", INSIDE)
def test_what_only_some_can_reach_is_not_pushed_to_in_any_form(address: str) -> None:
    assert not PushTargets(["public"]).allow(address)
    assert PushTargets(["public"]).refuse(f"http://[{address}]:80/" if ":" in address else f"http://{address}/")


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_anybody_can_reach_is_pushed_to(address: str) -> None:
    assert PushTargets(["public"]).allow(address)
    assert not PushTargets([]).allow(address)
    assert not PushTargets(["private"]).allow(address)


@pytest.mark.parametrize(
    ("allowed", "address"),
    [
        ("loopback", "127.0.0.1"),
        ("loopback", "::1"),
        ("loopback", "::ffff:127.0.0.1"),
        ("private", "10.0.0.9"),
        ("private", "fd12::1"),
        ("192.168.7.0/24", "192.168.7.9"),
        ("192.168.7.0/24", "::ffff:192.168.7.9"),
        ("192.168.7.9", "192.168.7.9"),
        ("fe80::/10", "fe80::1"),
    ],
)
def test_what_the_operator_allows_is_pushed_to(allowed: str, address: str) -> None:
    assert PushTargets([allowed]).allow(address)
    assert not PushTargets([allowed]).allow("192.168.8.9") or allowed == "private"
    assert not PushTargets([allowed]).allow("169.254.169.254")


@given(st.ip_addresses(v=4))
def test_the_forms_of_an_ipv4_address_are_allowed_together_or_not_at_all(address: IPv4Address) -> None:
    targets = PushTargets(["public", "192.168.0.0/17"])
    mapped, translated = IPv6Address(f"::ffff:{address}"), IPv6Address(f"64:ff9b::{address}")
    assert {targets.allow(str(one)) for one in (address, mapped, translated)} in ({True}, {False})


@given(st.text(max_size=60))
def test_whatever_a_ven_writes_is_refused_or_is_a_url(text: str) -> None:
    assert PushTargets(["public"]).refuse(text) or text.strip().lower().startswith("http")


@pytest.mark.parametrize("wrong", ["localhost", "10.0.0.1/8", "10.0.0.0/99", "", "everything"])
def test_what_is_no_network_is_refused(wrong: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"push_to has .* which is no network"):
        PushTargets([wrong])
    with pytest.raises(LocalProtocolError, match="it must be a list"):
        PushTargets("public")


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({}, False),
        ({"allow_insecure": True}, True),
        ({"http_host": "0.0.0.0", "allow_insecure": True}, True),
        ({"trusted_proxies": ["127.0.0.1"]}, True),
        ({"require_certificate": True}, True),
        ({"push_to": ["public"]}, True),
        ({"push_to": ["loopback"], "http_host": "0.0.0.0", "allow_insecure": True}, False),
    ],
)
def test_a_vtn_that_nobody_else_can_reach_pushes_to_its_own_machine(settings: dict[str, Any], refused: bool) -> None:
    there = OpenADRServer("Grid", **settings)
    scheme = "https" if "trusted_proxies" in settings else "http"
    why = there._refuse_address("simpleHttp", f"{scheme}://127.0.0.1:8081/")
    assert (why is not None) is refused


def test_a_vtn_that_knows_its_vens_by_tls_pushes_over_tls_alone() -> None:
    there = OpenADRServer("Grid", trusted_proxies=["127.0.0.1"])
    assert "must begin with https" in (there._refuse_address("simpleHttp", "http://93.184.216.34/") or "")
    assert there._refuse_address("simpleHttp", "https://ven.example/") is None


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What names are looked up as: by name, what each look-up gives in turn; the last one again and again."""
    found: dict[str, list[list[str]]] = {}

    def ask(host: str, port: int) -> list[Any]:
        answers = found.get(host, [[host]])
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "there is no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(targets, "_ask", ask)
    return found


@pytest.mark.anyio
async def test_a_name_is_looked_up_once_and_what_was_checked_is_connected_to(
    names: dict[str, list[list[str]]], caplog: pytest.LogCaptureFixture
) -> None:
    async with stranger(response(b""), response(b"")) as ven:
        port = ven.url.split(":")[2].split("/")[0]
        names["ven.example"] = [["127.0.0.1"], ["127.0.0.2"]]  # it changes after it was looked at
        async with HttpCarrier(targets=PushTargets(["127.0.0.1"])) as carrier:
            assert await carrier.exchange(transmit(f"http://ven.example:{port}"), b"<a/>") == b""
            assert b"host: ven.example" in ven.asked[0][0].lower(), "it is still asked for by its name"
            names["inside.example"] = [["127.0.0.2", "169.254.169.254"]]
            with pytest.raises(ExchangeFailed) as caught:
                await carrier.exchange(transmit(f"http://inside.example:{port}"), b"<a/>")
            assert caught.value.why is Failure.UNREACHABLE
            names["both.example"] = [["127.0.0.2", "127.0.0.1"]]
            assert await carrier.exchange(transmit(f"http://both.example:{port}"), b"<a/>") == b""
    assert ven.connections == 2
    assert "pushes nothing to inside.example, which is at 127.0.0.2, 169.254.169.254" in caplog.text


@pytest.mark.anyio
async def test_a_name_that_there_is_not_is_nobody(names: dict[str, list[list[str]]]) -> None:
    names["ven.example"] = [[]]
    async with HttpCarrier(targets=PushTargets(["public"])) as carrier:
        with pytest.raises(ExchangeFailed) as caught:
            await carrier.exchange(transmit("http://ven.example"), b"<a/>")
    assert caught.value.why is Failure.UNREACHABLE


@pytest.mark.anyio
async def test_names_that_take_long_to_look_up_leave_threads_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def ask(*_: object) -> list[Any]:
        over.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "nobody answers")

    async def push(number: int) -> None:
        with pytest.raises(ExchangeFailed):
            await carrier.exchange(transmit(f"http://ven{number}.example"), b"<a/>")

    monkeypatch.setattr(targets, "_ask", ask)
    async with HttpCarrier(targets=PushTargets(["public"])) as carrier, anyio.create_task_group() as pushes:
        for number in range(50):
            pushes.start_soon(push, number)
        await anyio.wait_all_tasks_blocked()
        try:
            with anyio.fail_after(10):
                assert await anyio.to_thread.run_sync(lambda: "saved") == "saved"
        finally:
            over.set()


@pytest.mark.anyio
async def test_a_redirect_is_not_followed() -> None:
    async with stranger(response(b"<a/>")) as inside:
        moved = f"HTTP/1.1 307 Temporary Redirect\r\nlocation: {inside.url}\r\ncontent-length: 0\r\n\r\n".encode()
        async with stranger(moved) as ven, HttpCarrier(targets=PushTargets(["loopback"])) as carrier:
            with pytest.raises(ExchangeFailed):
                await carrier.exchange(transmit(ven.url), b"<a/>")
    assert inside.asked == []
