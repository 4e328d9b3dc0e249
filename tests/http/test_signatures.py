"""Signatures over real sockets: a VEN and a VTN that sign, and the attacks that a peer of ours once fell for."""

import base64
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.abc
import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

from oadr_core import (
    CertificateFollowed,
    CreatedEvent,
    CreatedPartyRegistration,
    CreatedReport,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    Event,
    EventResponse,
    ExchangeSetBack,
    Failure,
    LocalProtocolError,
    Now,
    Opened,
    OptType,
    Payload,
    Peer,
    Poll,
    ProfileName,
    QueryRegistration,
    Registered,
    RegisteredReport,
    RegisterReport,
    RegistrationRefused,
    RequestEvent,
    Response,
    Service,
    SigningSealer,
    Trust,
    UpdatedReport,
    UpdateReport,
    VenRecord,
    encode,
)
from oadr_core.answers import response_to
from oadr_http import (
    PREFIX,
    CertificateExpires,
    CertificatesReloaded,
    Endpoints,
    MemoryStore,
    OpenADRClient,
    OpenADRServer,
    Server,
    SignaturePolicy,
)
from tests.core.kit import HOUR, NOON, created, event
from tests.http.authorities import Folder
from tests.http.desk import Desk, office
from tests.http.test_attacks import BOMB
from tests.http.watch import POLL, Told, Watch, intervals, ven, vtn
from tests.rules.samples import REQUEST, USAGE
from tests.seal.kit import Tree, sealer
from tests.seal.people import Person, person

pytestmark = pytest.mark.anyio

VEN: Final = person("ven")
VTN: Final = person("vtn")
OTHER: Final = person("other ven")

OADR: Final = "{http://openadr.org/oadr-2.0b/2012/07}"
DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"


class Files:
    """A folder with the keys of people."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, who: Person, passphrase: str | None = None) -> dict[str, Any]:
        """The arguments that name somebody's files."""
        certificate, key = self.path / f"{who.fingerprint}.crt", self.path / f"{who.fingerprint}.key"
        certificate.write_text(who.pem)
        key.write_text(who.key_pem(passphrase))
        key.chmod(0o600)
        return {"cert": certificate, "key": key, "passphrase": passphrase}

    def vtn(self, who: Person = VTN, **more: Any) -> OpenADRServer:
        """A VTN that signs."""
        return vtn(**self.of(who), **more)

    def ven(self, url: str, who: Person = VEN, **more: Any) -> OpenADRClient:
        """A VEN that signs, and knows the VTN by its fingerprint."""
        return ven(url, **{**self.of(who), "vtn_fingerprint": VTN.fingerprint, **more})


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A folder for keys."""
    return Files(tmp_path)


# --- a VEN and a VTN that sign ---------------------------------------------------------------------------------------


@pytest.mark.rule(514)
@pytest.mark.parametrize("kind", ["rsa", "ec"])
async def test_both_sides_sign_and_everything_works(files: Files, kind: str) -> None:
    told, watch = Told(), Watch()
    there = files.vtn(person("vtn", kind))

    def on_create_party_registration(registration_info: dict[str, Any]) -> bool:
        told.note("info", registration_info)
        return True

    def on_opt(opt_type: str) -> None:
        told.note("opt", {"is": opt_type})

    there.add_handler("on_create_party_registration", on_create_party_registration)
    async with there.running():
        fingerprint = person("vtn", kind).fingerprint
        here = files.ven(there.url, person("ven", kind), vtn_fingerprint=fingerprint, observe=watch)

        def on_event(event: dict[str, Any]) -> str:
            told.note("event", event)
            return "optIn"

        here.add_handler("on_event", on_event)
        async with here.running():
            await watch.sees(Registered)
            (info,) = await told.hears("info")
            assert (info["fingerprint"], info["xml_signature"]) == (person("ven", kind).fingerprint, True)
            there.add_event(
                here.ven_id,
                "SIMPLE",
                "level",
                intervals(1.0),
                callback=on_opt,
            )
            await told.hears("event")
            assert await told.hears("opt") == [{"is": "optIn"}]
    (record,) = there.vens.values()
    assert record.xml_signature
    assert record.signer == record.identity == person("ven", kind).fingerprint


async def test_a_key_may_be_encrypted_or_come_as_pkcs12(files: Files) -> None:
    secret = "correct horse"
    here = ven("http://127.0.0.1:1/x", **files.of(VEN, secret), vtn_fingerprint=VTN.fingerprint)
    assert secret not in repr(vars(here))
    both = files.path / "ven.p12"
    both.write_bytes(VEN.pkcs12(secret))
    ven("http://127.0.0.1:1/x", cert=both, passphrase=secret, vtn_fingerprint=VTN.fingerprint)
    for wrong in (None, "a guess"):
        with pytest.raises(LocalProtocolError) as caught:
            ven(
                "http://127.0.0.1:1/x",
                **{**files.of(VEN, secret), "passphrase": wrong},
                vtn_fingerprint=VTN.fingerprint,
            )
        assert ".key: the private key" in str(caught.value)
        assert "guess" not in str(caught.value)
    with pytest.raises(LocalProtocolError, match="there is no such file"):
        vtn(cert=files.path / "missing.crt", key=files.path / "missing.key")


@pytest.mark.rule(516)
async def test_an_expired_certificate_is_not_signed_with(files: Files) -> None:
    old = Person("old", end=datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(LocalProtocolError, match="has expired"):
        files.vtn(old)


async def test_a_ven_has_to_say_by_what_it_knows_the_vtn(files: Files) -> None:
    url = "http://127.0.0.1:1/x"
    for nothing in ({}, {"vtn_fingerprint": []}, {"vtn_fingerprint": ""}):
        with pytest.raises(LocalProtocolError, match="nothing says by what the signatures"):
            ven(url, **files.of(VEN), **nothing)
    for enough in (
        {"vtn_fingerprint": VTN.fingerprint},
        {"verification_cert": files.of(VTN)["cert"]},
        {"ca_file": files.of(VTN)["cert"]},
        {"disable_signature": True},
        {"verify_message_signatures": False},
    ):
        ven(url, **files.of(VEN), **enough)
    with pytest.raises(LocalProtocolError, match="has no signatures"):
        files.ven(url, fall_back=True, ven_id="v")
    with pytest.raises(LocalProtocolError, match="has no signatures"):
        ven(url, profile="2.0a", ven_id="v", vtn_fingerprint=VTN.fingerprint)
    files.ven(url.replace("http:", "https:"), fall_back=True, ven_id="v")  # TLS tells who the VTN is


async def test_a_vtn_that_requires_signatures_may_be_reached_by_others(files: Files) -> None:
    files.vtn(http_host="0.0.0.0")
    with pytest.raises(LocalProtocolError, match="which others can reach"):
        files.vtn(http_host="0.0.0.0", require_signatures=False)
    with pytest.raises(LocalProtocolError, match="which others can reach"):
        vtn(http_host="0.0.0.0")


@pytest.mark.rule(514)
async def test_only_the_known_fingerprint_is_registered(files: Files) -> None:
    known = {"plant": VEN.fingerprint.lower().replace(":", "")}
    there = files.vtn(fingerprint_lookup=known.get)
    async with there.running():
        seen, refused, unknown = Watch(), Watch(), Watch()
        async with (
            files.ven(there.url, ven_id="plant", observe=seen).running(),
            files.ven(there.url, OTHER, ven_id="plant", observe=refused).running(),
            files.ven(there.url, OTHER, ven_id="mill", observe=unknown).running(),
        ):
            await seen.sees(Registered)
            await refused.sees(RegistrationRefused, code=463)
            await unknown.sees(RegistrationRefused, code=463)
    assert [one.signer for one in there.vens.values()] == [VEN.fingerprint]


@pytest.mark.rule(514, 516)
async def test_a_ven_of_several_known_fingerprints_is_known_by_the_next_as_soon_as_it_is_registered(
    files: Files,
) -> None:
    theirs, ours = Watch(), Watch()
    known = {"plant": [VEN.fingerprint.lower(), OTHER.fingerprint]}
    there = files.vtn(fingerprint_lookup=known.get, observe=theirs)
    async with there.running():
        here = files.ven(there.url, ven_id="plant", observe=ours)
        async with here.running():
            await ours.sees(Registered)
            replace(files, VEN, OTHER)
            assert await here.reload_certificates()
            told = await theirs.sees(CertificateFollowed)
    assert (told.fingerprint, told.former) == (OTHER.fingerprint, VEN.fingerprint)


async def test_a_ven_that_does_not_sign_is_served_where_the_vtn_says_so(files: Files) -> None:
    there = files.vtn(require_signatures=False)
    async with there.running():
        watch, other = Watch(), Watch()
        async with ven(there.url, observe=watch).running(), files.ven(there.url, observe=other).running():
            await watch.sees(Registered)
            await other.sees(Registered)
    assert {one.signer for one in there.vens.values()} == {None, VEN.fingerprint}


@pytest.mark.rule(514)
@pytest.mark.parametrize("wrong", ["unsigned", "other key"])
async def test_a_ven_drops_answers_that_are_not_signed_as_they_must_be(files: Files, wrong: str) -> None:
    watch = Watch()
    there = vtn() if wrong == "unsigned" else files.vtn(OTHER)
    async with there.running(), files.ven(there.url, observe=watch).running():
        await watch.sees(ExchangeSetBack, why=Failure.BAD_ANSWER)
    assert not [one for one in watch.events if isinstance(one, Registered)]


async def test_with_tls_the_signature_is_of_the_same_certificate(tmp_path: Path) -> None:
    folder, watch = Folder(tmp_path), Watch()
    options = folder.of_vtn()
    signing = {"cert": options["http_cert"][0], "key": options["http_key"][0]}
    there = OpenADRServer("VTN", http_port=0, requested_poll_freq=POLL, **options, **signing)
    async with there.running(), folder.ven(there.url, observe=watch).running():
        await watch.sees(Registered)
    (record,) = there.vens.values()
    assert record.signer == record.identity


# --- attacks ---------------------------------------------------------------------------------------------------------


class Site:
    """A VTN that signs, with two VENs that are registered, and whatever an attacker sends it."""

    def __init__(self, server: OpenADRServer, told: Told) -> None:
        self.server = server
        self.told = told
        self.sealers = {
            one.fingerprint: sealer(one, trust=Trust(fingerprints=[VTN.fingerprint])) for one in (VEN, OTHER)
        }
        self.ids: dict[str, str] = {}

    @property
    def now(self) -> Now:
        """A little ahead, as what was signed in the second of the start is to be signed anew."""
        return Now(0.0, datetime.now(UTC) + timedelta(seconds=2))

    def signed(self, message: Payload, who: Person = VEN) -> bytes:
        """A document of somebody."""
        return self.sealers[who.fingerprint].seal(message, self.now)

    async def post(self, data: bytes, service: Service = Service.OADR_POLL) -> httpx.Response:
        """Send a document."""
        async with httpx.AsyncClient() as client:
            headers = {"Content-Type": "application/xml"}
            return await client.post(f"{self.server.url}/{service}", content=data, headers=headers)

    async def said(self, message: Payload, service: Service, who: Person = VEN) -> Opened:
        """What is answered to somebody's message."""
        answer = await self.post(self.signed(message, who), service)
        assert answer.status_code == 200
        return self.sealers[who.fingerprint].open(answer.content, Now(0.0, datetime.now(UTC)))

    async def is_refused(self, data: bytes, service: Service = Service.OADR_POLL) -> bool:
        """Whether a document is refused without a word (decision D21)."""
        before = dict(self.server.vens), list(self.told.calls)
        answer = await self.post(data, service)
        assert before == (dict(self.server.vens), self.told.calls)
        return (answer.status_code, answer.content) == (403, b"")

    async def register(self, who: Person) -> None:
        """Register somebody."""
        message = CreatePartyRegistration(
            request_id="1",
            profile_name="2.0b",
            transport_name="simpleHttp",
            report_only=False,
            xml_signature=True,
            ven_name=f"name {who.fingerprint}",
            http_pull_model=True,
        )
        answer = (await self.said(message, Service.EI_REGISTER_PARTY, who)).message
        assert isinstance(answer, CreatedPartyRegistration)
        assert answer.ven_id
        self.ids[who.fingerprint] = answer.ven_id

    def poll(self, who: Person = VEN) -> Poll:
        """A poll of somebody."""
        return Poll(ven_id=self.ids[who.fingerprint])

    def reports(self, ven_id: str | None) -> UpdateReport:
        """Data, as somebody's."""
        return UpdateReport(request_id="1", reports=(USAGE,), ven_id=ven_id)


@asynccontextmanager
async def a_site(files: Files, **more: Any) -> AsyncIterator[Site]:
    """Run a VTN with two VENs."""
    told = Told()
    there = files.vtn(**more)
    there.add_handler("on_update_report", lambda **what: told.note("report", what))
    async with there.running():
        site = Site(there, told)
        await site.register(VEN)
        await site.register(OTHER)
        yield site


@pytest.mark.rule(514)
@pytest.mark.parametrize("required", [True, False])
async def test_a_captured_message_wrapped_around_a_forged_one_does_no_harm(files: Files, required: bool) -> None:
    async with a_site(files, require_signatures=required) as site:
        victim = site.ids[VEN.fingerprint]
        forged = CreatedEvent(
            response=response_to(site.poll()),
            event_responses=(
                EventResponse(
                    response_code=200, request_id="1", event_id="e", modification_number=0, opt_type=OptType.OPT_OUT
                ),
            ),
            ven_id=victim,
        )
        for places in ("object", "key info", "beside"):
            tree = Tree(site.signed(site.poll()))
            genuine, signature = tree.find("oadr:oadrSignedObject"), tree.find("ds:Signature")
            if places == "object":
                etree.SubElement(signature, f"{DS}Object").append(genuine)
            elif places == "key info":
                tree.find(".//ds:KeyInfo").append(genuine)
            tree.root.append(etree.fromstring(encode(forged))[0])
            assert await site.is_refused(tree.data, Service.EI_EVENT)
        stripped = Tree(encode(forged))
        assert await site.is_refused(stripped.data, Service.EI_EVENT)


@pytest.mark.rule(514)
async def test_a_fresh_time_in_front_of_a_stale_message_does_no_harm(files: Files) -> None:
    async with a_site(files) as site:
        past = Now(0.0, datetime.now(UTC) - timedelta(minutes=5))
        stale = site.sealers[VEN.fingerprint].seal(site.poll(), past)
        assert await site.is_refused(stale)
        tree = Tree(stale)
        fresh = Tree(site.signed(site.poll())).find(".//dsp:ReplayProtect")
        for place in (tree.root, tree.find("ds:Signature"), tree.find(".//ds:Object"), tree.find(".//ds:KeyInfo")):
            place.insert(0, fresh)
            assert await site.is_refused(tree.data)


@pytest.mark.rule(514)
async def test_nothing_is_heard_twice_or_from_the_future(files: Files) -> None:
    async with a_site(files) as site:
        data = site.signed(site.poll())
        assert (await site.post(data)).status_code == 200
        for _ in range(3):
            assert await site.is_refused(data)
        future = Now(0.0, datetime.now(UTC) + timedelta(minutes=5))
        assert await site.is_refused(site.sealers[VEN.fingerprint].seal(site.poll(), future))


@pytest.mark.rule(508, 514)
async def test_without_a_ven_id_a_message_needs_its_signature_as_well(files: Files) -> None:
    async with a_site(files) as site:
        for message in (site.reports(None), RegisterReport(request_id="1", reports=(), ven_id=None)):
            assert await site.is_refused(encode(message), Service.EI_REPORT)
        registration = CreatePartyRegistration(
            request_id="9",
            profile_name="2.0b",
            transport_name="simpleHttp",
            report_only=False,
            xml_signature=False,
            ven_name="mallory",
            http_pull_model=True,
        )
        assert await site.is_refused(encode(registration), Service.EI_REGISTER_PARTY)


@pytest.mark.rule(304, 517)
async def test_one_ven_cannot_deliver_the_data_of_another_that_was_asked_for_them(files: Files) -> None:
    async with a_site(files) as site:
        victim = site.ids[VEN.fingerprint]
        site.server.create_report(victim, REQUEST)
        handed = (await site.said(site.poll(), Service.OADR_POLL)).message
        while not isinstance(handed, CreateReport):
            assert isinstance(handed, RegisterReport)
            await site.said(RegisteredReport(response=response_to(handed), ven_id=victim), Service.EI_REPORT)
            handed = (await site.said(site.poll(), Service.OADR_POLL)).message
        answer = CreatedReport(
            response=response_to(handed), pending_reports=(REQUEST.report_request_id,), ven_id=victim
        )
        await site.said(answer, Service.EI_REPORT)
        for named in (victim, None, site.ids[OTHER.fingerprint]):
            refused = (await site.said(site.reports(named), Service.EI_REPORT, OTHER)).message
            assert isinstance(refused, UpdatedReport)
            assert refused.response.response_code == 452
        assert not site.told.of("report")
        taken = (await site.said(site.reports(victim), Service.EI_REPORT)).message
        assert isinstance(taken, UpdatedReport)
        assert taken.response.ok
        assert len(site.told.of("report")) == 1, "and by the one that was asked they are taken"


# --- attacks on a VEN ------------------------------------------------------------------------------------------------


class Between:
    """Somebody between a VEN and its VTN, who answers with what the VTN has signed, or with what he makes of that.

    :param lists: makes the answer to each request for events, and to each poll, out of the list that the VTN signs; the
        last one goes on.
    :ivar heard: what the VEN has said.
    """

    def __init__(self, *lists: Callable[[bytes], bytes], listed: DistributeEvent) -> None:
        self.signs = sealer(VTN, trust=Trust(fingerprints=[VEN.fingerprint]))
        self.lists = list(lists)
        self.listed = listed
        self.heard: list[tuple[bytes, Payload]] = []
        self.more = anyio.Event()

    async def receive(
        self, body: bytes, peer: Peer, service: Service | None, profile: ProfileName = ProfileName.V20B
    ) -> tuple[Failure | None, bytes]:
        """Take a request."""
        now = Now(0.0, datetime.now(UTC))
        message = self.signs.open(body, now).message
        self.heard.append((body, message))
        self.more.set()
        self.more = anyio.Event()
        if isinstance(message, RequestEvent | Poll):
            make = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
            return None, make(self.signs.seal(self.listed, now))
        usual = {QueryRegistration: created("ven", ""), CreatePartyRegistration: created("ven", "registration")}
        registered = RegisteredReport(response=response_to(message), ven_id="ven")
        answers = {**usual, RegisterReport: registered}
        answer = answers.get(type(message), Response(response=response_to(message), ven_id="ven"))
        return None, self.signs.seal(answer, now)

    async def hears(self, kind: type[Payload]) -> bytes:
        """Wait for a message of a kind."""
        while True:
            for body, message in self.heard:
                if isinstance(message, kind):
                    return body
            await self.more.wait()


@asynccontextmanager
async def between(desk: Between) -> AsyncIterator[str]:
    """Run one; gives the URL."""
    server = Server(Endpoints(desk))
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with server.serving(listener):
        yield f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}{PREFIX}"


def a_list(*names: str, request_id: str = "1") -> DistributeEvent:
    """A list of events that begin in an hour or so."""
    begin = datetime.now(UTC).replace(microsecond=0) - NOON + HOUR
    made = tuple(event(name, begin=begin) for name in names)
    return DistributeEvent(request_id=request_id, vtn_id="Grid", events=made)


def wrapped(genuine: bytes) -> bytes:
    """A captured list around a forged one."""
    tree = Tree(genuine)
    etree.SubElement(tree.find("ds:Signature"), f"{DS}Object").append(tree.find("oadr:oadrSignedObject"))
    tree.root.append(etree.fromstring(encode(a_list("forged")))[0])
    return tree.data


def beside(genuine: bytes) -> bytes:
    """A captured list with a forged one in front of it."""
    tree = Tree(genuine)
    tree.root.insert(0, etree.fromstring(encode(a_list("forged")))[0])
    return tree.data


def sent_later(minutes: int) -> Callable[[bytes], bytes]:
    """A forged list that the VTN has signed, at another time than now."""
    at = Now(0.0, datetime.now(UTC) + timedelta(minutes=minutes))
    return lambda genuine: sealer(VTN).seal(a_list("forged"), at)


@pytest.mark.rule(514, 516)
@pytest.mark.parametrize(
    "forge",
    [
        *(wrapped, beside, sent_later(5), sent_later(-5)),
        lambda genuine: encode(a_list("forged")),
        lambda genuine: sealer(OTHER).seal(a_list("forged"), Now(0.0, datetime.now(UTC))),
        lambda genuine: BOMB,
    ],
    ids=["wrapped", "beside", "from the future", "stale", "unsigned", "of another", "an entity"],
)
async def test_a_ven_takes_part_in_nothing_that_its_vtn_has_not_signed_just_now(
    files: Files, forge: Callable[[bytes], bytes]
) -> None:
    told, watch = Told(), Watch()
    desk = Between(forge, lambda genuine: genuine, listed=a_list("genuine"))
    async with between(desk) as url:
        here = files.ven(url, observe=watch, longest_wait=timedelta(milliseconds=50))
        here.add_handler("on_event", lambda event: told.note("event", event) or "optIn")
        async with here.running():
            await watch.sees(ExchangeSetBack, why=Failure.BAD_ANSWER)
            await desk.hears(CreatedEvent)
    assert [one["event_descriptor"]["event_id"] for one in told.of("event")] == ["genuine"]


@pytest.mark.rule(514)
async def test_an_answer_that_a_ven_has_heard_is_not_heard_again(files: Files) -> None:
    told, watch = Told(), Watch()
    captured: list[bytes] = []

    def twice(genuine: bytes) -> bytes:
        captured.append(genuine)
        return captured[0]

    async with between(Between(twice, listed=a_list("genuine"))) as url:
        here = files.ven(url, observe=watch, longest_wait=timedelta(milliseconds=50))
        here.add_handler("on_event", lambda event: told.note("event", event) or "optIn")
        async with here.running():
            await told.hears("event")
            await watch.sees(ExchangeSetBack, why=Failure.BAD_ANSWER)
    assert len(told.of("event")) == 1


@pytest.mark.rule(514)
async def test_a_vtn_cannot_put_words_into_what_a_ven_signs(files: Files) -> None:
    """Whatever ids it gives, they are text in what is signed, and no elements."""
    evil = '"/></x><oadr:oadrPoll xmlns:oadr="http://openadr.org/oadr-2.0b/2012/07"/>&<!--]]>'
    more = "1</ei:requestID><ei:qualifiedEventID><ei:eventID>other</ei:eventID></ei:qualifiedEventID><ei:requestID>"
    for markup in (evil, more):
        desk = Between(lambda genuine: genuine, listed=a_list(markup, request_id=markup))
        async with between(desk) as url, files.ven(url).running():
            data = await desk.hears(CreatedEvent)
        message = next(one for _, one in desk.heard if isinstance(one, CreatedEvent))
        (only,) = message.event_responses or ()
        assert (only.request_id, only.event_id) == (markup, markup)
        assert len(list(Tree(data).all(".//ei:eventResponse"))) == 1


# --- certificates and algorithms that must not count -----------------------------------------------------------------


@pytest.mark.rule(516)
async def test_an_expired_certificate_is_refused(files: Files) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=800)
    old = Person("old", begin=long_ago, end=long_ago + timedelta(days=400))
    async with a_site(files) as site:
        assert await site.is_refused(sealer(old).seal(site.poll(), site.now))


_SHA: Final = {
    "http://www.w3.org/2001/04/xmlenc#sha256": hashes.SHA256(),
    "http://www.w3.org/2007/05/xmldsig-more#sha3-256": hashes.SHA3_256(),
    "http://www.w3.org/2000/09/xmldsig#sha1": hashes.SHA1(),
    "http://www.w3.org/2001/04/xmlenc#sha512": hashes.SHA512(),
}
_ECDSA: Final = {
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256": hashes.SHA256(),
    "http://www.w3.org/2021/04/xmldsig-more#ecdsa-sha3-256": hashes.SHA3_256(),
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1": hashes.SHA1(),
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512": hashes.SHA512(),
}


def signed_anew(data: bytes, who: Person, digest: str, signature: str) -> bytes:
    """A signed document with other methods, and with the digests and the signature that these give."""
    tree = Tree(data)
    by_id = {value: one for one in tree.root.iter() for name, value in one.attrib.items() if name.endswith("Id")}
    for reference in tree.all(".//ds:SignedInfo/ds:Reference"):
        reference.find(f"{DS}DigestMethod").set("Algorithm", digest)
        hashing = hashes.Hash(_SHA[digest])
        hashing.update(etree.tostring(by_id[reference.get("URI")[1:]], method="c14n"))
        reference.find(f"{DS}DigestValue").text = base64.b64encode(hashing.finalize()).decode()
    tree.find(".//ds:SignatureMethod").set("Algorithm", signature)
    assert isinstance(who.key, ec.EllipticCurvePrivateKey)
    info = etree.tostring(tree.find(".//ds:SignedInfo"), method="c14n")
    r, s = decode_dss_signature(who.key.sign(info, ec.ECDSA(_ECDSA[signature])))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    tree.find(".//ds:SignatureValue").text = base64.b64encode(raw).decode()
    return tree.data


@pytest.mark.rule(514)
async def test_a_signature_that_is_right_but_made_by_another_method_is_refused(files: Files) -> None:
    (digest, *digests), (signature, *signatures) = _SHA, _ECDSA
    async with a_site(files) as site:
        usual = signed_anew(site.signed(site.poll()), VEN, digest, signature)
        assert (await site.post(usual)).status_code == 200, "that is how one is made"
        for methods in (*((one, signature) for one in digests), *((digest, one) for one in signatures)):
            assert await site.is_refused(signed_anew(site.signed(site.poll()), VEN, *methods))


@pytest.mark.rule(516)
async def test_a_registered_certificate_that_has_expired_meanwhile_is_refused(files: Files) -> None:
    ago = datetime.now(UTC) - timedelta(days=400)
    old = Person("old", begin=ago, end=ago + timedelta(days=399))
    store = MemoryStore()
    record = VenRecord(
        ven_id="old", registration_id="r", identity=old.fingerprint, signer=old.fingerprint, xml_signature=True
    )
    await store.save([(record.key, record.dump())])
    async with a_site(files, store=store) as site:
        assert await site.is_refused(sealer(old).seal(Poll(ven_id="old"), site.now))
        assert site.server.vens["old"].signer == old.fingerprint


async def test_an_entity_in_what_is_signed_ends_no_vtn(files: Files) -> None:
    async with a_site(files) as site:
        declared = b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + site.signed(site.poll())
        for data in (BOMB, declared):
            answer = await site.post(data)
            assert (answer.status_code // 100, answer.content) == (4, b"")
        assert (await site.post(site.signed(site.poll()))).status_code == 200


async def test_two_vtns_in_one_process_know_their_own_vens_and_keys(files: Files) -> None:
    async with a_site(files) as site:
        other = files.vtn(OTHER, vtn_id="second")
        async with other.running():
            assert not other.vens
            data = site.signed(site.poll())
            async with httpx.AsyncClient() as client:
                headers = {"Content-Type": "application/xml"}
                answer = await client.post(f"{other.url}/OadrPoll", content=data, headers=headers)
            found = SigningSealer(random.SystemRandom(), trust=Trust(fingerprints=[OTHER.fingerprint]))
            message = found.open(answer.content, Now(0.0, datetime.now(UTC))).message
            assert isinstance(message, Response)
            assert message.response.response_code == 463
            assert (await site.post(data)).status_code == 200


@pytest.mark.rule(514)
async def test_a_forged_empty_answer_is_no_answer(files: Files) -> None:
    """Nobody has to sign nothing, so whoever is between the two could pretend that a message was delivered."""
    watch = Watch()
    async with office() as there:
        there.desk.content = b""
        url = f"http://127.0.0.1:{there.port}{PREFIX}"
        async with files.ven(url, observe=watch).running():
            await watch.sees(ExchangeSetBack, why=Failure.BAD_ANSWER)
    assert isinstance(there.desk, Desk)


async def test_a_restart_forgets_nothing_that_would_let_a_message_in_twice(files: Files) -> None:
    store = MemoryStore()
    async with a_site(files, store=store) as site:
        poll = site.signed(site.poll())
        assert (await site.post(poll)).status_code == 200
        again = files.vtn(store=store)
        async with again.running():
            site.server = again
            answer = await site.post(poll)
            assert (answer.status_code, answer.content) == (503, b"")


async def test_how_far_clocks_may_differ_is_a_matter_of_configuration(files: Files) -> None:
    policy = SignaturePolicy(tolerance=timedelta(minutes=10))
    async with a_site(files, signature_policy=policy) as site:
        future = Now(0.0, datetime.now(UTC) + timedelta(minutes=5))
        answer = await site.post(site.sealers[VEN.fingerprint].seal(site.poll(), future))
        assert answer.status_code == 200


# --- certificates that are replaced ----------------------------------------------------------------------------------

SOON: Final = SignaturePolicy(look_every=timedelta(milliseconds=20))


def replace(files: Files, before: Person, after: Person) -> None:
    """Put the key of somebody in the place of another one."""
    named = files.of(before)
    named["key"].write_text(after.key_pem())
    named["cert"].write_text(after.pem)


@pytest.mark.rule(514, 516)
async def test_a_ven_signs_with_a_new_key_once_its_files_are_replaced_and_goes_on_without_a_restart(
    files: Files,
) -> None:
    watch, told = Watch(), Told()
    there = files.vtn()

    def observe(event: Event) -> None:
        if isinstance(event, CertificatesReloaded):  # the operator of the VTN is told at once
            there.change_certificate(here.ven_id or "", OTHER.fingerprint)
        watch(event)

    async with there.running():
        here = files.ven(there.url, observe=observe, signature_policy=SOON)
        here.add_handler("on_event", lambda event: told.note("event", event) or "optIn")
        async with here.running():
            ven_id = (await watch.sees(Registered)).ven_id
            replace(files, VEN, OTHER)
            reloaded = await watch.sees(CertificatesReloaded, error=None)
            assert reloaded.fingerprints == (OTHER.fingerprint,)
            there.add_event(ven_id, "SIMPLE", "level", intervals(1.0), callback=lambda opt_type: told.note("opt", {}))
            await told.hears("opt")
            assert there.vens[ven_id].signer == OTHER.fingerprint
            assert len(there.vens) == 1


@pytest.mark.rule(514)
async def test_a_vtn_signs_with_a_new_key_once_its_files_are_replaced(files: Files) -> None:
    there, watch = files.vtn(), Watch()
    async with there.running():
        replace(files, VTN, OTHER)
        assert await there.reload_certificates()
        async with files.ven(there.url, vtn_fingerprint=OTHER.fingerprint, observe=watch).running():
            await watch.sees(Registered)


async def test_files_that_cannot_be_used_change_nothing_and_that_is_told(files: Files) -> None:
    watch, again = Watch(), Watch()
    there = files.vtn(observe=watch)
    async with there.running():
        files.of(VTN)["key"].write_text("no key")
        assert not await there.reload_certificates()
        told = await watch.sees(CertificatesReloaded)
        assert told.error is not None
        assert str(files.of(VTN)["key"]) in told.error
        async with files.ven(there.url, observe=again).running():
            await again.sees(Registered)


async def test_whose_signatures_are_believed_is_read_again_as_well(files: Files) -> None:
    given = files.path / "vtn.pem"
    given.write_text(OTHER.pem)
    watch = Watch()
    there = files.vtn()
    async with there.running():
        here = files.ven(there.url, vtn_fingerprint=None, verification_cert=given, observe=watch, signature_policy=SOON)
        async with here.running():
            await watch.sees(ExchangeSetBack)
            given.write_text(VTN.pem)
            await watch.sees(CertificatesReloaded)
            await watch.sees(Registered)


async def test_a_certificate_that_signs_and_expires_soon_is_told_of(files: Files) -> None:
    watch = Watch()
    policy = SignaturePolicy(warn_before=timedelta(days=365 * 100))
    async with files.vtn(observe=watch, signature_policy=policy).running():
        told = await watch.sees(CertificateExpires)
    assert told.fingerprint == VTN.fingerprint
