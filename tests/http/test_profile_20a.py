"""Profile 2.0a over sockets: its own path at a server and in an ASGI application, and a VEN that speaks it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from oadr_core import (
    DistributeEvent,
    EiResponse,
    EventWithheld,
    Failure,
    LocalProtocolError,
    OptReceived,
    OtherProfileFound,
    Peer,
    Poll,
    ProfileName,
    RecordedExchange,
    Registered,
    RequestEvent,
    Response,
    Service,
    Startup,
    VenOnline,
    check_trace,
    decode,
    encode,
)
from oadr_http import Endpoints, MemoryStore, OpenADRServer
from oadr_http.endpoints import usual_prefix_20a
from tests.http.desk import Desk
from tests.http.watch import Watch, intervals, ven, vtn

pytestmark = pytest.mark.anyio

A = ProfileName.V20A
HEAD = {"Content-Type": "application/xml"}
ASKED = encode(RequestEvent(request_id="1", ven_id="old"), profile=A)

Serve = Callable[[OpenADRServer], Any]


@asynccontextmanager
async def over_sockets(there: OpenADRServer) -> AsyncIterator[httpx.AsyncClient]:
    async with there.running(), httpx.AsyncClient(base_url=f"http://127.0.0.1:{there.port}") as client:
        yield client


@asynccontextmanager
async def as_application(there: OpenADRServer) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=there.asgi())  # type: ignore[arg-type]
    async with there.driving(), httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@pytest.mark.rule(511)
@pytest.mark.parametrize("serve", [over_sockets, as_application])
async def test_each_profile_is_served_at_its_own_path(serve: Serve) -> None:
    there = vtn()
    there.add_ven("old", ven_name="mill")
    async with serve(there) as client:
        told = await client.post("/OpenADR2/Simple/EiEvent", content=ASKED, headers=HEAD)
        assert told.status_code == 200
        answer = decode(told.content, profile=A)
        assert isinstance(answer, DistributeEvent)
        assert answer.response is not None
        assert answer.response.response_code == 200

        wrong_path = await client.post("/OpenADR2/Simple/2.0b/EiEvent", content=ASKED, headers=HEAD)
        assert wrong_path.status_code == 406
        in_20b = encode(RequestEvent(request_id="1", ven_id="old"))
        wrong_words = await client.post("/OpenADR2/Simple/EiEvent", content=in_20b, headers=HEAD)
        assert wrong_words.status_code == 406
        right_words = await client.post("/OpenADR2/Simple/2.0b/EiEvent", content=in_20b, headers=HEAD)
        refused = decode(right_words.content)
        assert isinstance(refused, DistributeEvent)
        assert refused.response is not None
        assert refused.response.response_code == 463
        for service in ("OadrPoll", "EiRegisterParty", "EiReport", "EiOpt"):
            assert (await client.post(f"/OpenADR2/Simple/{service}", content=ASKED, headers=HEAD)).status_code == 404


@pytest.mark.parametrize(
    ("prefix", "usual"),
    [
        ("/OpenADR2/Simple/2.0b", "/OpenADR2/Simple"),
        ("vtn/OpenADR2/Simple/2.0B/", "/vtn/OpenADR2/Simple"),
        ("/2.0b", ""),
        ("/vtn", None),
        ("", None),
    ],
)
def test_the_path_of_20a_is_that_of_20b_without_its_last_part(prefix: str, usual: str | None) -> None:
    assert usual_prefix_20a(prefix) == usual


def test_both_profiles_cannot_share_a_path() -> None:
    with pytest.raises(LocalProtocolError, match="need paths of their own, and both have /vtn"):
        Endpoints(Desk(), prefix="/vtn/", prefix_20a="vtn")


def test_where_there_is_no_path_for_20a_no_such_ven_is_made_known() -> None:
    there = OpenADRServer("VTN", http_path_prefix="/vtn")
    assert there.url_20a is None
    with pytest.raises(LocalProtocolError, match="http_path_prefix_20a"):
        there.add_ven("old")
    there = OpenADRServer("VTN", http_path_prefix="/vtn", http_path_prefix_20a="/old")
    assert there.url_20a == "http://127.0.0.1:8080/old"
    there.add_ven("old")
    assert there.vens["old"].profile is A


async def test_a_ven_of_20a_takes_part_in_events() -> None:
    theirs, trace = Watch(), list[RecordedExchange]()
    there = vtn(observe=theirs, trace=trace.append)
    there.add_ven("old", poll_interval=timedelta(seconds=1))
    asked: list[dict[str, Any]] = []

    def on_event(event: dict[str, Any]) -> str:
        asked.append(event)
        return "optIn"

    async with there.running():
        assert there.url_20a is not None
        here = ven(there.url_20a, ven_id="old", profile="2.0a", vtn_id="VTN")
        here.add_handler("on_event", on_event)
        assert (here.registered, here.profile) == (True, A)
        async with here.running():
            await theirs.sees(VenOnline)
            event_id = there.add_event("old", "SIMPLE", "level", intervals(1.0))
            told = await theirs.sees(OptReceived, event_id=event_id)
            assert (told.ven_id, told.opt_type) == ("old", "optIn")
            there.cancel_event(event_id=event_id)
            await theirs.sees(OptReceived, event_id=event_id, modification_number=1)
            with pytest.raises(LocalProtocolError, match="no EiOpt"):
                await here.create_opt("optOut", "economic", event_id=event_id)
            with pytest.raises(LocalProtocolError, match="no reports"):
                here.add_report(lambda: 1.0, "boiler")
            withheld = there.add_event("old", "LOAD_CONTROL", "x-loadControlCapacity", intervals(1.0))
            assert (await theirs.sees(EventWithheld)).event_id == withheld
    assert asked[0]["event_signals"][0]["signal_name"] == "SIMPLE"
    assert {one.service for one in trace} == {"EiEvent"}
    assert check_trace(trace).findings == ()


async def test_vens_of_both_profiles_are_served_side_by_side() -> None:
    theirs, ours = Watch(), Watch()
    there = vtn(observe=theirs)
    there.add_ven("old")
    async with there.running():
        old = ven(f"{there.url}", ven_id="old", profile="2.0a")  # the base URL of 2.0b serves as well
        new = ven(there.url, observe=ours)
        for one in (old, new):
            one.add_handler("on_event", lambda event: "optIn")
        async with old.running(), new.running():
            await ours.sees(Registered)
            there.add_event(["old", new.ven_id], "SIMPLE", "level", intervals(1.0))
            await theirs.sees(OptReceived, ven_id="old")
            await theirs.sees(OptReceived, ven_id=new.ven_id)


async def test_a_ven_of_20a_by_hand() -> None:
    there = vtn()
    there.add_ven("old")
    async with there.running():
        here = ven(there.url, ven_id="old", profile="2.0a", auto_polling=False)
        event_id = there.add_event("old", "SIMPLE", "level", intervals(1.0))
        name, said = await here.poll()
        assert name == "oadrDistributeEvent"
        (event,) = said["events"]  # type: ignore[misc]
        assert event["event_descriptor"]["event_id"] == event_id
        name, said = await here.created_event(str(said["request_id"]), event_id, "optOut")
        assert name == "oadrResponse"
        assert "ven_id" not in said
        for ask_for in (here.query_registration(), here.create_party_registration(), here.send(Poll(ven_id="old"))):
            with pytest.raises(LocalProtocolError, match=r"OpenADR 2\.0a, which this VEN speaks, has no"):
                await ask_for
        await here.stop()
    assert there.vens["old"].standings[0].opt_type == "optOut"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"profile": "2.0c"}, "there is no profile '2.0c'; there are 2.0a and 2.0b"),
        ({"profile": "2.0a"}, "ven_id has to be agreed"),
        ({"fall_back": True}, "fall_back needs a ven_id"),
    ],
)
def test_a_client_that_cannot_be_is_not_made(given: dict[str, Any], told: str) -> None:
    with pytest.raises(LocalProtocolError, match=told):
        ven("http://127.0.0.1:1/OpenADR2/Simple", **given)


async def test_a_ven_of_20a_that_is_known_stays_known() -> None:
    store = MemoryStore()
    there = vtn(store=store)
    async with there.running():
        there.add_ven("old", poll_interval=timedelta(minutes=1))
        await there.saved()
    again = vtn(store=store)
    assert (again.vens["old"].profile, again.vens["old"].poll_interval) == (A, 60.0)
    again.remove_ven("old")
    assert dict(again.vens) == {}


class OldVtn(OpenADRServer):
    """A VTN that answers whatever is said in 2.0b in 2.0a."""

    async def receive(
        self, body: bytes, peer: Peer, service: Service | None, profile: ProfileName = ProfileName.V20B
    ) -> tuple[Failure | None, bytes]:
        """Take a request."""
        if profile is A:
            return await super().receive(body, peer, service, profile)
        return None, encode(Response(response=EiResponse(response_code=459)), profile=A)


@pytest.mark.rule(506)
async def test_a_ven_falls_back_to_20a_and_its_path() -> None:
    watch, theirs = Watch(), Watch()
    there = OldVtn("VTN", http_port=0, observe=theirs)
    there.add_ven("new")
    async with there.running():
        here = ven(there.url, ven_id="new", fall_back=True, observe=watch)
        here.add_handler("on_event", lambda event: "optIn")
        async with here.running():
            assert (await watch.sees(OtherProfileFound)).falling_back
            there.add_event("new", "SIMPLE", "level", intervals(1.0))
            await theirs.sees(OptReceived, ven_id="new")
            assert (here.profile, here.phase) == (A, Startup.RUNNING)
