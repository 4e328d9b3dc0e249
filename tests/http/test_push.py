"""A VTN reaches VENs that do not poll by requests of its own (rules 500 and 511)."""

from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Final

import anyio.abc
import httpx
import pytest

from oadr_core import (
    CreatedPartyRegistration,
    CreatePartyRegistration,
    DistributeEvent,
    EiResponse,
    ExchangeAbandoned,
    ExchangeSetBack,
    Failure,
    LocalProtocolError,
    Payload,
    PeerMisbehaved,
    RegisteredReport,
    RegisterReport,
    Response,
    TransportName,
    decode,
    encode,
)
from oadr_http import OpenADRServer
from tests.http.desk import until
from tests.http.test_carrier import Say, Stranger, response, stranger
from tests.http.watch import Told, Watch, intervals, vtn

pytestmark = pytest.mark.anyio

_XML: Final = {"content-type": "application/xml"}


async def ask(there: OpenADRServer, service: str, message: Payload) -> Payload:
    """Send a request to a VTN as a VEN would."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{there.url}/{service}", content=encode(message), headers=_XML)
    assert answer.status_code == 200
    return decode(answer.content)


async def register(there: OpenADRServer, address: str, name: str = "VEN") -> str:
    """Register a VEN that is reached by push."""
    answer = await ask(there, "EiRegisterParty", registration(address, name))
    assert isinstance(answer, CreatedPartyRegistration)
    assert answer.ven_id
    return answer.ven_id


def registration(address: str, name: str = "VEN") -> CreatePartyRegistration:
    """How a VEN registers that is reached by push."""
    return CreatePartyRegistration(
        request_id="1",
        profile_name="2.0b",
        transport_name=TransportName.SIMPLE_HTTP,
        transport_address=address,
        report_only=False,
        xml_signature=False,
        ven_name=name,
        http_pull_model=False,
    )


def pushed(ven: Stranger) -> list[Payload]:
    """What a VEN was told, in order."""
    return [decode(body) for _, body in ven.asked]


@pytest.mark.rule(38, 51, 402, 511)
@pytest.mark.parametrize("whole", [True, False])
async def test_an_event_is_pushed_to_the_address_that_the_ven_registered(whole: bool) -> None:
    told, there = Told(), vtn()
    there.add_handler("on_registered_report", lambda payload, ven_id: told.note(ven_id, payload))
    answered = encode(RegisteredReport(response=EiResponse(request_id="1"), ven_id="ven-7"))
    there.add_handler("on_create_party_registration", lambda: ("ven-7", "reg-7"))
    kind = "content-type: application/xml"
    async with stranger(response(answered, kind), response(b"")) as ven, there.running():
        await register(there, ven.url if whole else ven.url.removesuffix("/OpenADR2/Simple/2.0b"))
        assert (await told.hears("ven-7"))[0]["response"]["response_code"] == 200
        there.add_event("ven-7", "SIMPLE", "level", intervals(1), event_id="shed")
        await until(lambda: len(ven.asked) == 2)
        offer, events = pushed(ven)
    assert isinstance(offer, RegisterReport)
    assert isinstance(events, DistributeEvent)
    assert events.events[0].event_descriptor.event_id == "shed"
    for (head, body), service in zip(ven.asked, (b"EiReport", b"EiEvent"), strict=True):
        lines = head.lower().split(b"\r\n")
        assert lines[0] == b"post /openadr2/simple/2.0b/%b http/1.1" % service.lower()
        assert b"content-length: %d" % len(body) in lines
        assert b"accept-encoding: identity" in lines, "nothing lets a VEN compress"
        assert not [line for line in lines if line.startswith((b"content-encoding", b"transfer-encoding"))]


async def test_a_push_that_fails_is_made_again() -> None:
    watch = Watch()
    there = vtn(observe=watch)

    async def close(stream: anyio.abc.SocketStream) -> None:
        await stream.aclose()

    async with stranger(close, response(b""), response(b"")) as ven, there.running():
        ven_id = await register(there, ven.url)
        assert (await watch.sees(ExchangeSetBack)).why is Failure.BROKEN
        await until(lambda: len(ven.asked) >= 2)
        first, second, *_ = pushed(ven)
        assert type(first) is type(second)
    assert ven_id in there.vens


@pytest.mark.rule(402)
@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        f"http://{'a' * 70}.example/",
        "http://[::1/",
        "ftp://127.0.0.1/",
        "http://127.1:8080/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://user:secret@127.0.0.1/",
        "http://127.0.0.1/?a=b",
        "http:///EiEvent",
        "nonsense",
        "http://169.254.169.254/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
    ],
)
async def test_an_address_that_is_none_or_not_allowed_cannot_be_registered(address: str) -> None:
    watch = Watch()
    there = vtn(observe=watch)
    async with there.running():
        answer = await ask(there, "EiRegisterParty", registration(address))
        assert isinstance(answer, CreatedPartyRegistration)
        assert (answer.response.response_code, answer.ven_id) == (454, None)
        told = await watch.sees(PeerMisbehaved)
        assert answer.response.response_description in told.what, "the operator reads the same as the VEN"
        assert "secret" not in told.what
        assert not there.vens


async def test_a_ven_that_answers_nonsense_disturbs_nobody_else() -> None:
    watch = Watch()
    there = vtn(observe=watch)
    nonsense = response(b"<html>It works!</html>", "content-type: text/html")
    async with stranger(nonsense) as bad, stranger(response(b""), response(b"")) as ven, there.running():
        await register(there, bad.url, "bad")
        assert (await watch.sees(ExchangeSetBack)).why is Failure.BAD_ANSWER
        await register(there, ven.url, "good")
        await until(lambda: ven.asked)


async def test_a_response_is_taken_where_the_profile_has_an_empty_body() -> None:
    watch = Watch()
    there = vtn(observe=watch)
    offered = encode(RegisteredReport(response=EiResponse(request_id="1"), ven_id="ven-7"))
    taken = encode(Response(response=EiResponse(), ven_id="ven-7"))
    there.add_handler("on_create_party_registration", lambda: ("ven-7", "reg-7"))
    async with stranger(response(offered), response(taken)) as ven, there.running():
        await register(there, ven.url)
        there.add_event("ven-7", "SIMPLE", "level", intervals(1))
        await until(lambda: len(ven.asked) == 2)
    assert not [one for one in watch.events if isinstance(one, ExchangeSetBack)]


async def silent(stream: anyio.abc.SocketStream) -> None:
    """Say nothing, ever."""
    await anyio.sleep_forever()


async def test_a_ven_that_does_not_answer_is_asked_again_and_keeps_nobody_waiting() -> None:
    watch = Watch()
    there = vtn(observe=watch, request_timeout=timedelta(milliseconds=200), longest_wait=timedelta(milliseconds=100))
    there.add_handler("on_create_party_registration", lambda registration_info: (registration_info["ven_name"], "r"))
    answers = [response(b"") for _ in range(4)]
    async with stranger(silent, *answers) as slow, stranger(*answers) as prompt, there.running():
        await register(there, slow.url, "slow")
        await register(there, prompt.url, "prompt")
        await until(lambda: prompt.asked)
        assert (await watch.sees(ExchangeSetBack)).why is Failure.SILENCE
        await until(lambda: len(slow.asked) >= 2)
        first, second, *_ = pushed(slow)
    assert isinstance(first, RegisterReport)
    assert first == second, "the same is sent again"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (response(b"", status="500 Oh"), Failure.PEER_ERROR),
        (response(b"", status="503 Busy"), Failure.BUSY),
        (response(b"<html/>"), Failure.BAD_ANSWER),
        (response(encode(RegisteredReport(response=EiResponse(), ven_id="another"))), Failure.BAD_ANSWER),
        (b"nonsense\r\n\r\n", Failure.BROKEN),
    ],
    ids=["an error", "too busy", "no document", "another VEN", "no HTTP"],
)
async def test_what_a_ven_answers_wrongly_is_sent_again_until_it_is_answered_and_then_no_more(
    said: bytes, why: Failure
) -> None:
    watch = Watch()
    there = vtn(observe=watch, longest_wait=timedelta(milliseconds=100))
    there.add_handler("on_create_party_registration", lambda: ("ven-7", "reg-7"))
    answered = response(encode(RegisteredReport(response=EiResponse(), ven_id="ven-7")))
    async with stranger(said, answered, response(b"")) as ven, there.running():
        await register(there, ven.url)
        assert (await watch.sees(ExchangeSetBack)).why is why
        await until(lambda: len(ven.asked) == 2)
        there.add_event("ven-7", "SIMPLE", "level", intervals(1))
        await until(lambda: len(ven.asked) == 3)
        kinds = [type(one) for one in pushed(ven)]
    assert kinds == [RegisterReport, RegisterReport, DistributeEvent]


async def slow(stream: anyio.abc.SocketStream) -> None:
    """Answer well, and too late."""
    with suppress(anyio.BrokenResourceError):
        for one in response(b""):
            await stream.send(bytes([one]))
            await anyio.sleep(0.05)


@pytest.mark.parametrize(
    "said",
    [slow, silent, response(b"", "connection: close", status="500 Oh"), response(b"<html/>", "connection: close")],
    ids=["slowly", "not at all", "wrongly", "with a body"],
)
async def test_what_a_ven_never_takes_holds_up_nothing_else_and_is_given_up_at_last(said: bytes | Say) -> None:
    watch, brief = Watch(), timedelta(milliseconds=200)
    there = vtn(observe=watch, request_timeout=brief, longest_wait=timedelta(milliseconds=10))
    there.add_handler("on_create_party_registration", lambda: ("ven-7", "reg-7"))

    async def answer(stream: anyio.abc.SocketStream) -> None:
        here = said if b"<oadr:oadrRegisterReport" in ven.asked[-1][1] else response(b"", "connection: close")
        await (stream.send(here) if isinstance(here, bytes) else here(stream))

    async with stranger(*[answer] * 1000) as ven, there.running():
        await register(there, ven.url)
        events = 0
        while not (abandoned := [one for one in watch.events if isinstance(one, ExchangeAbandoned)]):
            there.add_event("ven-7", "SIMPLE", "level", intervals(1))
            events += 1
            await until(partial(told_of, ven, events))
        vens = dict(there.vens)
    assert [(type(one.request), one.ven_id) for one in abandoned] == [(RegisterReport, "ven-7")]
    assert events >= 8, "it was tried again whenever something else got through"
    assert vens["ven-7"].queue == ()


def told_of(ven: Stranger, events: int) -> bool:
    """Whether a VEN was pushed a list of so many events."""
    return any(body.count(b"<oadr:oadrEvent>") == events for _, body in ven.asked)


@pytest.mark.parametrize("name", ["most_pushes", "request_timeout", "longest_wait"])
def test_settings_of_pushing_that_cannot_be_meant_are_refused(name: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"{name} is 0"):
        vtn(**{name: 0 if name == "most_pushes" else timedelta(0)})
