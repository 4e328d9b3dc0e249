"""What the leading VTN and VEN fall for, tried against ours over real sockets: each attack does no harm.

Those on signatures are in test_signatures.py, and those on the handshake in test_tls.py.
"""

import base64
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.abc
import httpx
import msgspec
import pytest

from oadr_app.authority import Kind
from oadr_core import (
    CreatedEvent,
    CreatedPartyRegistration,
    CreatedReport,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    ExchangeSetBack,
    Failure,
    LocalProtocolError,
    Payload,
    Peer,
    Poll,
    ProfileName,
    QueryRegistration,
    Registered,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    Response,
    Service,
    UpdatedReport,
    UpdateReport,
    VenRegistered,
    decode,
    encode,
)
from oadr_core.answers import response_to
from oadr_http import PREFIX, Endpoints, OpenADRServer, Server
from tests.core.kit import created, event
from tests.http.authorities import Folder, authority, der, ven_identity
from tests.http.desk import office
from tests.http.test_carrier import response, stranger
from tests.http.test_tls import a_context, ask, code_of, registering
from tests.http.watch import Told, Watch, ven, vtn
from tests.rules.samples import REQUEST, USAGE, but

pytestmark = pytest.mark.anyio

BOMB: Final = (
    b'<!DOCTYPE oadrPayload [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    b'<oadrPayload xmlns="http://openadr.org/oadr-2.0b/2012/07"><oadrSignedObject><oadrPoll>&b;</oadrPoll>'
    b"</oadrSignedObject></oadrPayload>"
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder for certificates."""
    return Folder(tmp_path)


async def post(there: OpenADRServer, body: bytes, service: str = "OadrPoll", **headers: str) -> httpx.Response:
    """Post something to a VTN without TLS."""
    async with httpx.AsyncClient() as client:
        named = {
            "content-type": "application/xml",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return await client.post(f"{there.url}/{service}", content=body, headers=named)


async def said(there: OpenADRServer, message: Payload, service: str, **headers: str) -> Payload:
    """What a VTN without TLS answers."""
    answer = await post(there, encode(message), service, **headers)
    assert answer.status_code == 200
    return decode(answer.content)


async def is_well(there: OpenADRServer) -> bool:
    """Whether a VTN still does its work."""
    return isinstance(await said(there, QueryRegistration(request_id="1"), "EiRegisterParty"), CreatedPartyRegistration)


# --- 1: a small document that ends the process -----------------------------------------------------------------------


async def test_an_entity_ends_no_vtn() -> None:
    there = vtn()
    async with there.running():
        for _ in range(3):
            answer = await post(there, BOMB)
            assert (answer.status_code, answer.content) == (406, b"")
        assert await is_well(there)


async def test_an_entity_ends_no_ven() -> None:
    watch = Watch()
    async with office() as opened:
        opened.desk.content = BOMB
        async with ven(f"http://127.0.0.1:{opened.port}{PREFIX}", observe=watch).running():
            await watch.sees(ExchangeSetBack, why=Failure.BAD_ANSWER)
        assert opened.desk.taken


# --- 4, 5, 7: acting for another -------------------------------------------------------------------------------------


class Pair:
    """A VTN with TLS, and two VENs, one of which is the attacker."""

    def __init__(self, folder: Folder, server: OpenADRServer, told: Told) -> None:
        self.server, self.told = server, told
        self.contexts = {name: a_context(folder, ven_identity(name)) for name in ("victim", "attacker")}
        self.ids: dict[str, str] = {}

    async def says(self, who: str, message: Payload, service: str) -> Payload:
        """What one of them is answered."""
        return await ask(self.server, self.contexts[who], service, message)

    async def register(self, who: str) -> None:
        """Register one of them."""
        answer = await self.says(who, registering(who), "EiRegisterParty")
        assert isinstance(answer, CreatedPartyRegistration)
        self.ids[who] = answer.ven_id or ""


@asynccontextmanager
async def a_pair(folder: Folder, **handlers: Callable[..., object]) -> AsyncIterator[Pair]:
    """Run them."""
    told = Told()
    there = folder.vtn()
    there.add_handler("on_update_report", lambda report: told.note("report", {"report": report}))
    for name, handler in handlers.items():
        there.add_handler(name, handler)
    async with there.running():
        pair = Pair(folder, there, told)
        await pair.register("victim")
        await pair.register("attacker")
        yield pair


async def is_asked(pair: Pair, who: str) -> None:
    """Have one of them asked for a report, and say that it will deliver it."""
    ven_id = pair.ids[who]
    pair.server.create_report(ven_id, REQUEST)
    while True:
        handed = await pair.says(who, Poll(ven_id=ven_id), "OadrPoll")
        if isinstance(handed, CreateReport):
            break
        assert isinstance(handed, RegisterReport)
        await pair.says(who, RegisteredReport(response=response_to(handed), ven_id=ven_id), "EiReport")
    answer = CreatedReport(response=response_to(handed), pending_reports=(REQUEST.report_request_id,), ven_id=ven_id)
    await pair.says(who, answer, "EiReport")


@pytest.mark.rule(304, 517)
@pytest.mark.parametrize("name", ["of the victim", "of the attacker", "none"])
async def test_nobody_delivers_reports_for_another_with_or_without_a_ven_id(folder: Folder, name: str) -> None:
    async with a_pair(folder) as pair:
        victim = pair.ids["victim"]
        await is_asked(pair, "victim")
        before = pair.server.vens[victim]
        ven_id = {"of the victim": victim, "of the attacker": pair.ids["attacker"], "none": None}[name]
        forged = UpdateReport(request_id="1", reports=(USAGE,), ven_id=ven_id)
        answer = await pair.says("attacker", forged, "EiReport")
        assert isinstance(answer, UpdatedReport)
        assert answer.response.response_code == 452
        assert not pair.told.calls, "no handler has seen it"
        assert pair.server.vens[victim] == before
        answer = await pair.says("victim", but(forged, ven_id=victim), "EiReport")
        assert isinstance(answer, UpdatedReport)
        assert answer.response.ok
        assert len(pair.told.of("report")) == 1, "of the victim it is taken"


@pytest.mark.rule(517)
async def test_nobody_gets_the_registration_of_another_by_giving_himself_its_name(folder: Folder) -> None:
    known = {"victim": ("plant", "registration"), "attacker": ("mill", "another")}
    async with a_pair(
        folder, on_create_party_registration=lambda registration_info: known[registration_info["ven_name"]]
    ) as pair:
        assert pair.ids == {"victim": "plant", "attacker": "mill"}
        before = pair.server.vens["plant"]
        answer = await pair.says("attacker", registering("victim"), "EiRegisterParty")
        assert isinstance(answer, CreatedPartyRegistration)
        assert (answer.response.response_code, answer.registration_id) == (463, None)
        assert pair.server.vens["plant"] == before
        assert isinstance(await pair.says("victim", Poll(ven_id="plant"), "OadrPoll"), Payload)


@pytest.mark.rule(517)
async def test_a_ven_whose_certificate_was_renewed_comes_back_once_the_new_one_is_known(folder: Folder) -> None:
    """It registers anew by itself; for an attacker with another valid certificate that brings nothing."""
    old, new = ven_identity("VEN"), ven_identity("VEN", Kind.RSA)
    known = {"plant": old.fingerprint}
    watch = Watch()
    there = folder.vtn(trusts=(authority(), authority(Kind.RSA)), fingerprint_lookup=known.get)
    async with there.running():
        async with folder.ven(there.url, old, ven_id="plant", observe=watch).running():
            await watch.sees(Registered)
        before = there.vens["plant"]
        again = registering("VEN", ven_id="plant")
        for identity in (ven_identity("attacker"), new):
            context = a_context(folder, identity)
            assert code_of(await ask(there, context, "EiRegisterParty", again)) == 463
            assert code_of(await ask(there, context, "OadrPoll", Poll(ven_id="plant"))) == 463
        assert msgspec.structs.replace(there.vens["plant"], online=before.online) == before
        known["plant"] = new.fingerprint
        watch = Watch()
        async with folder.ven(there.url, new, ven_id="plant", observe=watch).running():
            await watch.sees(Registered)
        assert there.vens["plant"].identity == new.fingerprint
        old_one = a_context(folder, old)
        assert code_of(await ask(there, old_one, "OadrPoll", Poll(ven_id="plant"))) == 463


@pytest.mark.rule(517)
async def test_the_operator_tells_of_a_new_certificate_and_the_ven_goes_on_without_registering(folder: Folder) -> None:
    there = folder.vtn()
    async with there.running():
        first, second = (a_context(folder, ven_identity(name)) for name in ("first", "second"))
        answer = await ask(there, first, "EiRegisterParty", registering("VEN"))
        assert isinstance(answer, CreatedPartyRegistration)
        ven_id = answer.ven_id or ""
        with pytest.raises(ValueError, match="fingerprint"):
            there.change_certificate(ven_id, "no fingerprint")
        there.change_certificate(ven_id, ven_identity("second").fingerprint)
        assert code_of(await ask(there, first, "OadrPoll", Poll(ven_id=ven_id))) == 463
        handed = await ask(there, second, "OadrPoll", Poll(ven_id=ven_id))
        assert isinstance(handed, RegisterReport), "it gets what waits for it"
        there.forget_ven(ven_id)
        assert code_of(await ask(there, second, "OadrPoll", Poll(ven_id=ven_id))) == 463
        assert not there.vens


# --- 6: no proof of who it is ----------------------------------------------------------------------------------------


async def test_a_vtn_without_any_proof_of_who_a_ven_is_listens_to_nobody_else() -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "vtn.example"):
        with pytest.raises(LocalProtocolError, match="anybody could pose as any VEN"):
            vtn(http_host=host)
        with pytest.raises(LocalProtocolError, match="anybody could pose as any VEN"):
            vtn(http_host=host, ven_lookup=lambda ven_id: None)


def shown(name: str) -> dict[str, str]:
    """The header in which a proxy shows a certificate."""
    return {"client_cert": f":{base64.b64encode(der(ven_identity(name))).decode()}:"}


@pytest.mark.rule(517)
@pytest.mark.decision(1)
async def test_a_certificate_in_a_header_is_believed_from_the_proxy_alone() -> None:
    there = vtn(trusted_proxies=["192.0.2.1"])
    async with there.running():
        for headers in ({}, shown("victim")):
            answer = await post(there, encode(registering("victim")), "EiRegisterParty", **headers)
            assert (answer.status_code, answer.content) == (403, b"")
    assert not there.vens


@pytest.mark.rule(517)
async def test_behind_a_proxy_a_ven_is_known_by_its_certificate_as_everywhere() -> None:
    there = vtn(trusted_proxies=["127.0.0.1"])
    async with there.running():
        answer = await said(there, registering("victim"), "EiRegisterParty", **shown("victim"))
        assert isinstance(answer, CreatedPartyRegistration)
        poll = Poll(ven_id=answer.ven_id or "")
        assert code_of(await said(there, poll, "OadrPoll", **shown("attacker"))) == 463
        refused = await post(there, encode(poll))
        assert refused.status_code == 403
        both = f"{shown('attacker')['client_cert']}, {shown('victim')['client_cert']}"
        assert (await post(there, encode(poll), client_cert=both)).status_code == 403


# --- 8: markup in texts ----------------------------------------------------------------------------------------------

MARKUP: Final = (
    "1</ei:requestID><ei:qualifiedEventID><ei:eventID>other</ei:eventID></ei:qualifiedEventID><ei:requestID>",
    "]]>",
    "<![CDATA[x]]>",
    "&lt;&amp;&#60;",
    "'\"><!--",
    "a & b < c > d",
)


class Scripted:
    """A VTN of a test's making: it answers each kind of message with a message.

    :ivar heard: what it was asked.
    """

    def __init__(self, answers: dict[type[Payload], Callable[[Any], Payload]]) -> None:
        self.answers = answers
        self.heard: list[bytes] = []
        self.more = anyio.Event()

    async def receive(
        self, body: bytes, peer: Peer, service: Service | None, profile: ProfileName = ProfileName.V20B
    ) -> tuple[Failure | None, bytes]:
        """Take a request."""
        self.heard.append(body)
        self.more.set()
        self.more = anyio.Event()
        message = decode(body)
        answer = self.answers.get(type(message))
        if answer is None:
            return None, encode(Response(response=response_to(message), ven_id=getattr(message, "ven_id", None)))
        return None, encode(answer(message))

    async def hears(self, kind: type[Payload]) -> bytes:
        """Wait for a message of a kind."""
        while True:
            for one in self.heard:
                if isinstance(decode(one), kind):
                    return one
            await self.more.wait()


@asynccontextmanager
async def scripted(desk: Scripted) -> AsyncIterator[str]:
    """Run such a VTN; gives its URL."""
    server = Server(Endpoints(desk))
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with server.serving(listener):
        yield f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}{PREFIX}"


@pytest.mark.parametrize("markup", MARKUP)
async def test_a_vtn_cannot_put_markup_into_what_a_ven_says(markup: str) -> None:
    desk = Scripted(
        {
            QueryRegistration: lambda message: created("ven", ""),
            CreatePartyRegistration: lambda message: created("ven", "registration"),
            RegisterReport: lambda message: RegisteredReport(response=response_to(message), ven_id="ven"),
            RequestEvent: lambda message: DistributeEvent(request_id=markup, vtn_id="Grid", events=(event(markup),)),
        }
    )
    async with scripted(desk) as url, ven(url).running():
        answer = await desk.hears(CreatedEvent)
    assert len(re.findall(rb"<ei:eventResponse>", answer)) == 1
    message = decode(answer)
    assert isinstance(message, CreatedEvent)
    (only,) = message.event_responses or ()
    assert (only.request_id, only.event_id) == (markup, markup)


@pytest.mark.parametrize("markup", MARKUP)
async def test_a_ven_cannot_put_markup_into_what_a_vtn_says(markup: str) -> None:
    there = vtn()
    async with there.running():
        message = CreatePartyRegistration(
            request_id=markup,
            profile_name="2.0b",
            transport_name="simpleHttp",
            report_only=False,
            xml_signature=False,
            ven_name=markup,
            ven_id=markup,
            http_pull_model=True,
        )
        answer = await said(there, message, "EiRegisterParty")
    assert isinstance(answer, CreatedPartyRegistration)
    assert (answer.response.request_id, answer.ven_id) == (markup, markup)
    assert list(there.vens) == [markup]


# --- 9: settings that silently protect nothing -----------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["http_ca_file", "http_cert", "http_key"])
async def test_half_a_configuration_of_tls_is_an_error_and_no_plain_http(folder: Folder, missing: str) -> None:
    options = folder.of_vtn()
    del options[missing]
    with pytest.raises(LocalProtocolError):
        OpenADRServer("VTN", http_port=0, **options)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"content_type": "text/plain"}, 406), ({"content_type": "application/xml; charset=utf-16"}, 406)],
)
async def test_what_is_no_xml_is_no_error_of_ours(headers: dict[str, str], status: int) -> None:
    there = vtn()
    async with there.running():
        async with httpx.AsyncClient() as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = await client.post(f"{there.url}/OadrPoll", content=encode(Poll(ven_id="v")), headers=named)
        assert (answer.status_code, answer.content) == (status, b"")
        assert await is_well(there)


# --- 11: two VTNs in one process -------------------------------------------------------------------------------------


async def test_two_vtns_in_one_process_share_neither_vens_nor_handlers_nor_certificates(folder: Folder) -> None:
    told = Told()
    first, second = folder.vtn(), vtn("Other")
    first.add_handler(
        "on_create_party_registration", lambda fingerprint: told.note("first", {"is": fingerprint}) or True
    )
    second.add_handler("on_create_party_registration", lambda fingerprint: told.note("second", {"is": fingerprint}))
    context = a_context(folder, ven_identity("victim"))
    async with first.running(), second.running():
        answer = await ask(first, context, "EiRegisterParty", registering("victim"))
        assert isinstance(answer, CreatedPartyRegistration)
        refused = await said(second, registering("victim"), "EiRegisterParty")
        assert code_of(refused) == 463
        assert code_of(await said(second, Poll(ven_id=answer.ven_id or ""), "OadrPoll")) == 463
    assert [name for name, _ in told.calls] == ["first", "second"]
    assert told.of("second") == [{"is": None}]
    assert (len(first.vens), len(second.vens)) == (1, 0)


# --- 13: logs and sizes ----------------------------------------------------------------------------------------------


async def test_what_is_sent_does_not_get_into_the_log_when_it_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    watch = Watch()
    async with (
        stranger(*[response(b"the body of a refusal", status="500 No")] * 20) as there,
        ven(there.url, "the name of the VEN", observe=watch).running(),
    ):
        await watch.sees(ExchangeSetBack)
        assert there.asked
    text = "\n".join(one.getMessage() for one in caplog.records if one.name.startswith("oadr"))
    assert text, "that it was refused is told"
    assert "the body of a refusal" not in text
    assert "the name of the VEN" not in text, "what was sent has it"
    assert "<" not in text, "no part of a document"


async def test_a_document_that_is_too_large_is_told_to_be_so_and_is_not_read() -> None:
    there = vtn()
    async with there.running():
        async with await anyio.connect_tcp("127.0.0.1", there.port) as stream:
            head = f"POST {PREFIX}/EiReport HTTP/1.1\r\nHost: a\r\nContent-Type: application/xml\r\n"
            await stream.send(f"{head}Content-Length: {3 * 2**20}\r\n\r\n".encode())
            assert (await stream.receive()).startswith(b"HTTP/1.1 413 ")
        assert await is_well(there)


async def test_an_answer_that_is_too_large_ends_no_ven() -> None:
    watch, seen = Watch(), Watch()
    async with (
        stranger(*[response(b"x" * (2**21 + 1))] * 3) as there,
        ven(there.url, observe=watch).running(),
    ):
        await watch.sees(ExchangeSetBack, why=Failure.BAD_ANSWER)
    other = vtn(observe=seen)
    async with other.running(), ven(other.url, observe=watch).running():
        await watch.sees(Registered)
        await seen.sees(VenRegistered)


@pytest.mark.parametrize("name", ["a\nWARNING all is well", "\x9b2J\u202e", "\u2028[red]x[/red]\t", "]]><x/>&e;"])
async def test_no_text_of_a_ven_makes_a_line_of_the_log_or_commands_a_terminal(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "oadr")
    told, there = Told(), vtn()

    def on_create_party_registration(registration_info: dict[str, Any]) -> tuple[str, str]:
        told.note("info", registration_info)
        return f"id of {name}", "registration"

    there.add_handler("on_create_party_registration", on_create_party_registration)
    async with there.running():
        answer = await said(there, registering(name), "EiRegisterParty")
        assert isinstance(answer, CreatedPartyRegistration)
        assert answer.ven_id == f"id of {name}"
        assert (await told.hears("info"))[0]["ven_name"] == name
        assert code_of(await said(there, Poll(ven_id=name), "OadrPoll")) == 463
    lines = [one.getMessage() for one in caplog.records if one.name.startswith("oadr")]
    assert any("id of " in one for one in lines)
    assert all(one.isprintable() for one in lines)
