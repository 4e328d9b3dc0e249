"""TLS between a VEN and a VTN: who is let in, who is recognised as whom, and what both sides are told if not."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import httpx
import msgspec
import pytest
from anyio.streams.tls import TLSAttribute, TLSStream

from oadr_app.authority import Identity, Kind, Side
from oadr_core import (
    Address,
    CertificateFollowed,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    DistributeEvent,
    ExchangeId,
    ExchangeSetBack,
    Failure,
    LocalProtocolError,
    OptReceived,
    Payload,
    PeerMisbehaved,
    PlainSealer,
    Poll,
    Registered,
    RegistrationEnded,
    RequestEvent,
    Response,
    Service,
    Transmit,
    TransportName,
    VenRegistered,
    decode,
    encode,
)
from oadr_driver.tls_errors import reason
from oadr_http import (
    CertificateExpires,
    CertificatesReloaded,
    Endpoints,
    ExchangeFailed,
    HttpCarrier,
    OpenADRClient,
    OpenADRServer,
    Server,
    ServerLimits,
    Tls,
    TlsPolicy,
)
from tests.http.authorities import HOSTS, Folder, authority, der, foreign, ven_identity, vtn_identity
from tests.http.desk import Desk, Line, request, until
from tests.http.test_carrier import response, stranger
from tests.http.watch import POLL, Watch, intervals

pytestmark = pytest.mark.anyio

RSA, EC = Kind.RSA, Kind.EC
TLS_1_3 = TlsPolicy(maximum_version="1.3")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder for certificates."""
    return Folder(tmp_path)


def a_context(
    folder: Folder,
    identity: Identity | None,
    *,
    ciphers: str = "ALL:@SECLEVEL=0",
    lowest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> ssl.SSLContext:
    """A client of somebody else's, which speaks TLS as it likes, and does not care who the VTN is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(ciphers)
    context.minimum_version, context.maximum_version = lowest, highest
    if identity is not None:
        context.load_cert_chain(*folder.put("stranger", identity))
    return context


@asynccontextmanager
async def connected(there: OpenADRServer, context: ssl.SSLContext) -> AsyncIterator[TLSStream]:
    """Begin a TLS connection to a VTN."""
    async with await anyio.connect_tcp("127.0.0.1", there.port) as stream:
        yield await TLSStream.wrap(stream, server_side=False, ssl_context=context, standard_compatible=False)


async def status_on(tls: TLSStream) -> int:
    """Ask something; returns the status of the response."""
    await tls.send(request())
    return int((await tls.receive()).split()[1])


async def refused(there: OpenADRServer, context: ssl.SSLContext) -> str:
    """Begin a TLS connection to a VTN that does not let us in; returns what we can tell of it."""
    with pytest.raises((ssl.SSLError, anyio.EndOfStream, anyio.BrokenResourceError)) as caught:
        async with connected(there, context) as tls:
            await status_on(tls)
    return reason(caught.value) or str(caught.value)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What operators are told."""
    return [one.getMessage() for one in caplog.records if one.name in ("oadr.http", "oadr.tls")]


async def told(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Wait until a line of the log holds a text."""
    await until(lambda: any(text in one for one in lines(caplog)))


# --- versions and suites ---------------------------------------------------------------------------------------------


@pytest.mark.rule(67, 68)
@pytest.mark.parametrize(("suite", "kind"), [("ECDHE-ECDSA-AES128-SHA256", EC), ("AES128-SHA256", RSA)])
async def test_one_port_serves_both_suites_of_the_profile_each_with_its_kind_of_certificate(
    folder: Folder, suite: str, kind: Kind
) -> None:
    there = folder.vtn(vtn_identity(RSA), vtn_identity(EC), trusts=(authority(RSA), authority(EC)))
    async with there.running():
        for mine in (ven_identity(kind=RSA), ven_identity(kind=EC)):
            async with connected(there, a_context(folder, mine, ciphers=suite)) as tls:
                chosen = tls.extra(TLSAttribute.cipher)
                assert tls.extra(TLSAttribute.peer_certificate_binary) == der(vtn_identity(kind))
                assert await status_on(tls) == 406, "it is let in; only that what it says is no document"
            assert (chosen[0], tls.extra(TLSAttribute.tls_version)) == (suite, "TLSv1.2")


@pytest.mark.rule(67)
async def test_a_suite_of_the_profile_is_chosen_whatever_else_is_offered(folder: Folder) -> None:
    there = folder.vtn(vtn_identity(RSA), vtn_identity(EC))
    async with there.running(), connected(there, a_context(folder, ven_identity(), ciphers="ALL")) as tls:
        assert tls.extra(TLSAttribute.tls_version) == "TLSv1.2"
        assert tls.extra(TLSAttribute.cipher)[0] == "ECDHE-ECDSA-AES128-SHA256"


@pytest.mark.rule(67)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_3])
async def test_other_versions_of_tls_are_refused_unless_they_are_configured(
    folder: Folder, version: ssl.TLSVersion, caplog: pytest.LogCaptureFixture
) -> None:
    there = folder.vtn()
    async with there.running():
        ours = await refused(there, a_context(folder, ven_identity(), lowest=version, highest=version))
        assert ours == "it does not take our versions of TLS"
        await told(caplog, "no TLS with 127.0.0.1: it speaks only versions of TLS that we do not")


@pytest.mark.rule(67)
async def test_other_suites_are_refused_unless_they_are_configured(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    suite = "ECDHE-ECDSA-AES256-GCM-SHA384"
    context = a_context(folder, ven_identity(), ciphers=suite, highest=ssl.TLSVersion.TLSv1_2)
    there = folder.vtn()
    async with there.running():
        assert "takes none of our cipher suites" in await refused(there, context)
        await told(caplog, "it offers no cipher suite that we take")
    there = folder.vtn(tls_policy=TlsPolicy(ciphers=(suite,)))
    async with there.running(), connected(there, context) as tls:
        assert tls.extra(TLSAttribute.cipher)[0] == suite


@pytest.mark.rule(67)
async def test_tls_1_3_can_be_configured_on_both_sides(folder: Folder) -> None:
    seen = Watch()
    there = folder.vtn(tls_policy=TLS_1_3)
    async with there.running(), connected(there, a_context(folder, ven_identity("other"))) as tls:
        assert tls.extra(TLSAttribute.tls_version) == "TLSv1.3"
        async with folder.ven(there.url, observe=seen, tls_policy=TLS_1_3).running():
            registered = await seen.sees(Registered)
    assert there.vens[registered.ven_id].identity == ven_identity().fingerprint


@pytest.mark.rule(67)
@pytest.mark.parametrize("kind", [RSA, EC])
async def test_a_ven_offers_both_suites_of_the_profile_and_tls_1_2_alone(folder: Folder, kind: Kind) -> None:
    offered: list[list[str]] = []

    async def take(stream: anyio.abc.SocketStream) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*folder.put("server", vtn_identity(kind)))
        context.set_ciphers("ALL")
        tls = await TLSStream.wrap(stream, server_side=True, ssl_context=context, standard_compatible=False)
        assert tls.extra(TLSAttribute.tls_version) == "TLSv1.2"
        offered.append([one[0] for one in tls.extra(TLSAttribute.shared_ciphers) or []])
        await tls.aclose()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    url = f"https://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, take)
        seen = Watch()
        async with folder.ven(url, trusts=(authority(kind),), observe=seen).running():
            await seen.sees(ExchangeSetBack)
        group.cancel_scope.cancel()
    assert set(offered[0]) == {"ECDHE-ECDSA-AES128-SHA256", "AES128-SHA256"}


# --- whom a VTN lets in ----------------------------------------------------------------------------------------------


@pytest.mark.rule(517)
@pytest.mark.decision(1)
@pytest.mark.parametrize("policy", [TlsPolicy(), TLS_1_3], ids=["1.2", "1.3"])
async def test_a_client_without_a_certificate_is_not_let_in(
    folder: Folder, policy: TlsPolicy, caplog: pytest.LogCaptureFixture
) -> None:
    there = folder.vtn(tls_policy=policy)
    async with there.running():
        ours = await refused(there, a_context(folder, None))
        assert "wants a certificate" in ours
        await told(caplog, "no TLS with 127.0.0.1: it shows no certificate, which it must")


@pytest.mark.rule(516, 517)
@pytest.mark.parametrize(
    ("identity", "ours", "theirs"),
    [
        (
            lambda: foreign().ven("VEN"),
            "does not trust the CA of our certificate",
            "issued by a CA that we do not trust",
        ),
        (
            lambda: authority().ven("VEN", begins=LONG_AGO),
            "says that our certificate has expired",
            "its certificate has expired",
        ),
        (
            lambda: authority().ven("VEN", begins=datetime.now(UTC) + timedelta(days=1)),
            "does not take our certificate",
            "its certificate is not valid yet",
        ),
        (lambda: vtn_identity(), "does not trust the CA of our certificate", "issued by a CA that we do not trust"),
    ],
    ids=["foreign", "expired", "early", "of a VTN"],
)
@pytest.mark.parametrize("policy", [TlsPolicy(), TLS_1_3], ids=["1.2", "1.3"])
async def test_a_certificate_that_is_not_valid_is_refused_and_both_sides_know_why(
    folder: Folder, identity: Any, ours: str, theirs: str, policy: TlsPolicy, caplog: pytest.LogCaptureFixture
) -> None:
    there = folder.vtn(tls_policy=policy)
    async with there.running():
        assert ours in await refused(there, a_context(folder, identity()))
        await told(caplog, f"no TLS with 127.0.0.1: {theirs}" if "expired" in theirs else theirs)


async def test_plain_http_is_not_answered_where_tls_is_spoken(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    there = folder.vtn()
    async with there.running(), await anyio.connect_tcp("127.0.0.1", there.port) as stream:
        line = Line(stream)
        await line.say(request())
        await line.ends()
        assert b"HTTP" not in line.rest
        await told(caplog, "no TLS with 127.0.0.1: it speaks plain HTTP, where TLS is spoken")


async def test_a_handshake_has_its_time_and_no_more(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    there = folder.vtn(limits=ServerLimits(handshake_timeout=0.1))
    async with there.running(), await anyio.connect_tcp("127.0.0.1", there.port) as stream:
        await stream.send(b"\x16\x03\x01")
        assert await Line(stream).ends()
        await told(caplog, "no TLS with 127.0.0.1: the handshake takes too long")


async def test_of_too_many_handshakes_the_oldest_gives_way(folder: Folder) -> None:
    there = folder.vtn(limits=ServerLimits(handshakes=2))
    async with there.running():
        silent = [await anyio.connect_tcp("127.0.0.1", there.port) for _ in range(6)]
        for stream in silent[:4]:
            assert await Line(stream).ends()
        async with connected(there, a_context(folder, ven_identity())) as tls:
            assert await status_on(tls) == 406
        for stream in silent:
            await stream.aclose()


async def test_the_same_failure_is_told_once_in_a_while(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    there = folder.vtn()
    async with there.running():
        for _ in range(20):
            await refused(there, a_context(folder, None))
        async with connected(there, a_context(folder, ven_identity())) as tls:
            assert await status_on(tls) == 406
    assert sum("no certificate" in one for one in lines(caplog)) == 1


# --- who a VEN is ----------------------------------------------------------------------------------------------------


async def ask(there: OpenADRServer, context: ssl.SSLContext, service: str, message: Payload) -> Payload:
    """Send a request to a VTN as a VEN would."""
    async with httpx.AsyncClient(verify=context) as client:
        answer = await client.post(
            f"{there.url}/{service}", content=encode(message), headers={"content-type": "application/xml"}
        )
    assert answer.status_code == 200
    return decode(answer.content)


def code_of(answer: Payload) -> int:
    """The code of an answer."""
    assert isinstance(answer, Response | CreatedPartyRegistration | DistributeEvent)
    assert answer.response is not None
    return answer.response.response_code


def registering(name: str = "VEN", **more: Any) -> CreatePartyRegistration:
    """The request of a VEN that wants to be registered."""
    return CreatePartyRegistration(
        request_id="1",
        profile_name="2.0b",
        transport_name=TransportName.SIMPLE_HTTP,
        report_only=False,
        xml_signature=False,
        ven_name=name,
        http_pull_model=True,
        **more,
    )


@pytest.mark.rule(517)
async def test_a_ven_is_known_by_its_certificate_and_the_application_is_told_it(folder: Folder) -> None:
    seen, shown = Watch(), []
    there = folder.vtn(observe=seen)
    there.add_handler("on_create_party_registration", lambda fingerprint: shown.append(fingerprint) or True)
    async with there.running(), folder.ven(there.url).running():
        registered = await seen.sees(VenRegistered)
    assert shown == [ven_identity().fingerprint]
    assert there.vens[registered.ven_id].identity == ven_identity().fingerprint


@pytest.mark.rule(517)
@pytest.mark.decision(28)
async def test_a_certificate_that_has_not_registered_gets_463_and_ids_of_another_452(folder: Folder) -> None:
    there = folder.vtn()
    mine, yours = (a_context(folder, ven_identity(name)) for name in ("mine", "yours"))
    async with there.running():
        answer = await ask(there, mine, "EiRegisterParty", registering("mine"))
        assert isinstance(answer, CreatedPartyRegistration)
        ven_id = answer.ven_id or ""
        poll, events = Poll(ven_id=ven_id), RequestEvent(request_id="2", ven_id=ven_id)
        # not registered
        assert code_of(await ask(there, yours, "OadrPoll", poll)) == 463
        assert code_of(await ask(there, yours, "EiEvent", events)) == 463
        # registered, as somebody else
        answer = await ask(there, yours, "EiRegisterParty", registering("yours"))
        assert isinstance(answer, CreatedPartyRegistration)
        assert answer.ven_id not in ("", ven_id)
        assert code_of(await ask(there, yours, "OadrPoll", poll)) == 452
        assert code_of(await ask(there, yours, "EiEvent", events)) == 452
        taking = registering("mine", ven_id=ven_id, registration_id=there.vens[ven_id].registration_id)
        assert code_of(await ask(there, yours, "EiRegisterParty", taking)) == 452
        # and the one that it is still is
        assert isinstance(await ask(there, mine, "OadrPoll", poll), Payload)
        assert there.vens[ven_id].identity == ven_identity("mine").fingerprint


# --- whom a VEN believes ---------------------------------------------------------------------------------------------


class Impostor:
    """A server that speaks TLS with a certificate of a test's choice.

    :ivar url: where it is.
    :ivar heard: what was said to it, out of TLS.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.heard = b""


@asynccontextmanager
async def impostor(folder: Folder, identity: Identity) -> AsyncIterator[Impostor]:
    """Run one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL")
    context.load_cert_chain(*folder.put("impostor", identity))
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    there = Impostor(f"https://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}")

    async def take(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            with suppress(ssl.SSLError, anyio.EndOfStream, anyio.BrokenResourceError):
                tls = await TLSStream.wrap(stream, server_side=True, ssl_context=context, standard_compatible=False)
                while True:
                    there.heard += await tls.receive()

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, take)
        yield there
        group.cancel_scope.cancel()


async def is_not_believed(folder: Folder, there: Impostor, **options: Any) -> None:
    """See that a VEN says nothing to a server."""
    seen = Watch()
    async with folder.ven(there.url, observe=seen, **options).running():
        back = await seen.sees(ExchangeSetBack)
    assert back.why is Failure.UNREACHABLE
    assert there.heard == b""


def reached_at(address: str) -> CreatePartyRegistration:
    """The request of a VEN that wants to be registered, and called at an address."""
    return msgspec.structs.replace(registering(), http_pull_model=False, transport_address=address)


@pytest.mark.decision(46)
@pytest.mark.parametrize(
    ("identity", "is_it"),
    [(ven_identity, True), (lambda: ven_identity("thief"), False), (lambda: foreign().ven("VEN"), False)],
    ids=["the VEN", "another VEN", "of a foreign CA"],
)
async def test_a_vtn_calls_a_ven_by_the_certificate_that_it_has_registered_with_and_no_other(
    folder: Folder, identity: Any, is_it: bool
) -> None:
    seen = Watch()
    there = folder.vtn(observe=seen)
    async with impostor(folder, identity()) as ven, there.running():
        await ask(there, a_context(folder, ven_identity()), "EiRegisterParty", reached_at(ven.url))
        if is_it:
            await until(lambda: b"oadrRegisterReport" in ven.heard)
        else:
            assert (await seen.sees(ExchangeSetBack)).why is Failure.UNREACHABLE
            assert ven.heard == b""


@pytest.mark.decision(46)
async def test_a_vtn_says_nothing_in_clear_to_a_ven_that_has_a_certificate(folder: Folder) -> None:
    seen = Watch()
    there = folder.vtn(observe=seen)
    async with stranger(response(b"")) as ven, there.running():
        await ask(there, a_context(folder, ven_identity()), "EiRegisterParty", reached_at(ven.url))
        assert "must begin with https" in (await seen.sees(PeerMisbehaved)).what
        assert not there.vens
        known = Address("simpleHttp", ven.url, identity="AA")  # as it may have registered before there was TLS
        async with HttpCarrier() as carrier:
            request = Transmit(ExchangeId(1), known, Service.EI_EVENT, Poll(ven_id="V"), 5.0, PlainSealer())
            with pytest.raises(ExchangeFailed) as caught:
                await carrier.exchange(request, b"<a/>")
            assert caught.value.why is Failure.UNREACHABLE
            assert not ven.asked
            await carrier.exchange(
                msgspec.structs.replace(request, to=msgspec.structs.replace(known, signed=True)), b""
            )
    assert len(ven.asked) == 1, "whose signatures are looked at may be reached in clear"


@pytest.mark.rule(516)
@pytest.mark.decision(46)
@pytest.mark.parametrize(
    ("identity", "why"),
    [
        (lambda: foreign().vtn(HOSTS), "its certificate was issued by a CA that we do not trust"),
        (lambda: authority().vtn(HOSTS, begins=LONG_AGO), "its certificate has expired"),
        (lambda: authority().vtn(["vtn.example"]), "its certificate is for another host name"),
        (lambda: ven_identity("thief"), "its certificate was issued by a CA that we do not trust"),
    ],
    ids=["foreign", "expired", "of another host", "of a VEN"],
)
async def test_a_ven_says_nothing_to_a_server_whose_certificate_is_not_valid_for_it(
    folder: Folder, identity: Any, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with impostor(folder, identity()) as there:
        await is_not_believed(folder, there)
    assert any(f"no TLS with 127.0.0.1: {why}" in one for one in lines(caplog))


async def test_the_name_of_the_host_does_not_matter_where_that_is_said(folder: Folder) -> None:
    there, seen = folder.vtn(authority().vtn(["vtn.example"])), Watch()
    async with there.running(), folder.ven(there.url, observe=seen, check_hostname=False).running():
        await seen.sees(Registered)


async def test_a_ven_says_nothing_to_a_vtn_with_another_fingerprint_than_was_agreed(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    agreed = vtn_identity().fingerprint
    other = authority().vtn(HOSTS)
    async with impostor(folder, other) as there:
        await is_not_believed(folder, there, vtn_fingerprint=agreed)
    assert any(f"its certificate has the fingerprint {other.fingerprint}" in one for one in lines(caplog))


@pytest.mark.parametrize("spelling", [str.lower, lambda one: one.replace(":", ""), lambda one: ("AA" * 10, one)])
async def test_a_ven_talks_to_the_vtn_whose_fingerprint_was_agreed(folder: Folder, spelling: Any) -> None:
    there, seen = folder.vtn(), Watch()
    fingerprint = spelling(vtn_identity().fingerprint)
    async with there.running(), folder.ven(there.url, observe=seen, vtn_fingerprint=fingerprint).running():
        await seen.sees(Registered)


async def test_a_ven_that_steers_itself_by_hand_speaks_tls_too(folder: Folder) -> None:
    there = folder.vtn()
    async with there.running():
        here = folder.ven(there.url, auto_polling=False, vtn_fingerprint=vtn_identity().fingerprint)
        await here.create_party_registration()
        await here.poll()
        await here.stop()
    assert there.vens[here.ven_id].identity == ven_identity().fingerprint


# --- time goes by ----------------------------------------------------------------------------------------------------


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> float:
        """The time, in seconds since 1970."""
        return (datetime.now(UTC) + self.ahead).timestamp()


@pytest.mark.rule(516)
@pytest.mark.parametrize("whose", ["its", "our own"])
async def test_a_vtn_takes_nothing_more_on_a_connection_when_a_certificate_expires(folder: Folder, whose: str) -> None:
    clock, soon = Clock(), timedelta(hours=1)
    vtn_life, ven_life = (timedelta(days=9), soon) if whose == "its" else (soon, timedelta(days=9))
    given = folder.of_vtn(authority().vtn(HOSTS, life=vtn_life))
    names = {name.removeprefix("http_"): value for name, value in given.items()}
    tls, desk = Tls(serving=True, clock=clock, **names), Desk()
    server = Server(Endpoints(desk, identified=True), tls=lambda: tls.server)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    context = a_context(folder, authority().ven("VEN", life=ven_life), highest=ssl.TLSVersion.TLSv1_2)
    async with server.serving(listener), await anyio.connect_tcp("127.0.0.1", port) as stream:
        line = await TLSStream.wrap(stream, server_side=False, ssl_context=context, standard_compatible=False)
        assert await status_on(line) == 200
        clock.ahead = timedelta(hours=2)
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await status_on(line)
    assert len(desk.taken) == 1


@pytest.mark.rule(516)
async def test_a_ven_says_nothing_more_on_a_connection_when_a_certificate_expires(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    clock, given = Clock(), folder.of_ven()
    there = folder.vtn(authority().vtn(HOSTS, life=timedelta(hours=1)))
    async with there.running(), HttpCarrier(there.url, tls=Tls(clock=clock, **given)) as carrier:
        asked = Transmit(ExchangeId(1), Address("simpleHttp"), Service.OADR_POLL, Poll(ven_id="V"), 20.0, PlainSealer())
        assert code_of(decode(await carrier.exchange(asked, encode(Poll(ven_id="V"))))) == 463
        clock.ahead = timedelta(hours=2)
        for why in (Failure.BROKEN, Failure.UNREACHABLE):  # on the connection that was open, and on another
            with pytest.raises(ExchangeFailed) as caught:
                await carrier.exchange(asked, encode(Poll(ven_id="V")))
            assert caught.value.why is why
    assert "no TLS with 127.0.0.1: its certificate has expired" in lines(caplog)


@pytest.mark.rule(516)
def test_an_expired_certificate_of_ours_is_not_used(folder: Folder) -> None:
    with pytest.raises(LocalProtocolError, match=r"vtn0\.crt: the certificate has expired, on 2020-12-31 00:00:00Z"):
        folder.vtn(authority().vtn(HOSTS, begins=LONG_AGO))
    with pytest.raises(LocalProtocolError, match="the certificate has expired"):
        folder.ven("https://vtn.example", authority().ven(begins=LONG_AGO))


@pytest.mark.rule(516)
async def test_that_a_certificate_expires_soon_is_told(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    soon, seen = authority().vtn(HOSTS, life=timedelta(days=10)), Watch()
    async with folder.vtn(soon, observe=seen).running():
        warning = await seen.sees(CertificateExpires)
    assert warning.fingerprint == soon.fingerprint
    assert warning.expires == soon.certificate.not_valid_after_utc
    assert any("vtn0.crt: the certificate expires at" in one for one in lines(caplog))
    caplog.clear()
    async with folder.vtn(soon, tls_policy=TlsPolicy(warn_before=timedelta(days=9))).running():
        pass
    folder.ven("https://vtn.example", authority().ven(life=timedelta(days=10)), auto_polling=False)
    assert len(lines(caplog)) == 1, "of the VEN alone"


# --- certificates are replaced ---------------------------------------------------------------------------------------


async def test_certificates_are_replaced_while_connections_are_open(folder: Folder) -> None:
    before, after = vtn_identity(), authority().vtn(HOSTS)
    there = folder.vtn(before)
    context = a_context(folder, ven_identity())
    async with there.running(), connected(there, context) as old:
        assert await status_on(old) == 406
        folder.put("vtn0", after)
        assert await there.reload_certificates()
        assert [one.fingerprint for one in there.certificates] == [after.fingerprint]
        async with connected(there, context) as new:
            assert new.extra(TLSAttribute.peer_certificate_binary) == der(after)
            assert await status_on(new) == 406
        assert old.extra(TLSAttribute.peer_certificate_binary) == der(before)
        assert await status_on(old) == 406


async def test_a_ca_that_is_not_trusted_any_more_lets_nobody_in(folder: Folder) -> None:
    there = folder.vtn()
    context = a_context(folder, ven_identity(), highest=ssl.TLSVersion.TLSv1_2)
    async with there.running():
        async with connected(there, context) as tls:
            assert await status_on(tls) == 406
        folder.trusted(Side.VEN, foreign())
        assert await there.reload_certificates()
        assert "does not trust the CA" in await refused(there, context)


async def test_files_that_change_are_read_again_by_themselves(folder: Folder) -> None:
    seen, policy = Watch(), TlsPolicy(look_every=timedelta(milliseconds=20))
    there, after = folder.vtn(observe=seen, tls_policy=policy), authority().vtn(HOSTS)
    async with there.running():
        folder.put("vtn0", after)
        await until(lambda: [one.fingerprint for one in there.certificates] == [after.fingerprint])
    assert (await seen.sees(CertificatesReloaded, error=None)).fingerprints == (after.fingerprint,)


async def test_files_that_cannot_be_used_change_nothing(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    there, seen = folder.vtn(), Watch()
    async with there.running():
        (folder.path / "vtn0.key").write_bytes(authority().vtn(HOSTS).key_pem())
        assert not await there.reload_certificates()
        async with folder.ven(there.url, observe=seen).running():
            await seen.sees(Registered)
    assert any("vtn0.key: the key is not that of the certificate" in one for one in lines(caplog))


@pytest.mark.rule(516, 517)
async def test_a_ven_whose_next_certificate_was_announced_is_locked_out_at_no_moment(folder: Folder) -> None:
    theirs, ours = Watch(), Watch()
    there = folder.vtn(observe=theirs, certificate_overlap=timedelta(milliseconds=200))
    before, after = ven_identity(), authority().ven("VEN")
    old, files = a_context(folder, before), folder.of_ven(before)
    async with there.running():
        async with OpenADRClient("VEN", there.url, poll_interval=POLL, observe=ours, **files).running() as here:
            here.add_handler("on_event", lambda event: "optIn")
            ven_id = (await ours.sees(Registered)).ven_id
            assert code_of(await ask(there, a_context(folder, after), "OadrPoll", Poll(ven_id=ven_id))) == 463
            there.announce_certificate(ven_id, after.fingerprint)
            there.add_event(ven_id, "SIMPLE", "level", intervals(1.0), event_id="with the old")
            await theirs.sees(OptReceived, event_id="with the old")
            folder.put(files["cert"].stem, after)
            assert await here.reload_certificates()
            told = await theirs.sees(CertificateFollowed)
            there.add_event(ven_id, "SIMPLE", "level", intervals(1.0), event_id="with the new")
            await theirs.sees(OptReceived, event_id="with the new")
        assert told == CertificateFollowed(ven_id=ven_id, fingerprint=after.fingerprint, former=before.fingerprint)
        await until(lambda: there.vens[ven_id].renewal is None)
        assert code_of(await ask(there, old, "OadrPoll", Poll(ven_id=ven_id))) == 463
    assert len([one for one in ours.events if isinstance(one, Registered)]) == 1
    assert not [one for one in ours.events if isinstance(one, ExchangeSetBack | RegistrationEnded)]


async def test_a_ven_goes_on_with_its_new_certificate(folder: Folder) -> None:
    there, ours = folder.vtn(), Watch()
    async with there.running():
        files = folder.of_ven()
        async with OpenADRClient("VEN", there.url, poll_interval=POLL, observe=ours, **files).running() as here:
            await ours.sees(Registered)
            renewed = authority().ven("VEN")
            folder.put(files["cert"].stem, renewed)
            assert await here.reload_certificates()
            # the VTN does not know this certificate, and the VEN registers again
            await ours.sees(Registered, 2)
    assert renewed.fingerprint in [one.identity for one in there.vens.values()]


async def test_a_connection_that_is_given_up_in_the_middle_of_the_handshake_is_closed() -> None:
    begun, ended = anyio.Event(), anyio.Event()

    async def says_nothing(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            async for _ in stream:
                begun.set()
            ended.set()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as group, HttpCarrier(f"https://127.0.0.1:{port}/") as carrier:
        group.start_soon(listener.serve, says_nothing)
        poll = Transmit(ExchangeId(1), Address("simpleHttp"), Service.OADR_POLL, Poll(ven_id="V"), 60.0, PlainSealer())
        async with anyio.create_task_group() as exchange:
            exchange.start_soon(carrier.exchange, poll, b"")
            await begun.wait()
            exchange.cancel_scope.cancel()
        await ended.wait()
        group.cancel_scope.cancel()
