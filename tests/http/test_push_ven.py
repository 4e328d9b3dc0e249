"""A VEN that is reached by push listens, tells the VTN where, and takes what the VTN pushes and nobody else does."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from oadr_app.authority import Kind
from oadr_core import (
    DistributeEvent,
    EventDecided,
    ExchangeSetBack,
    Failure,
    LocalProtocolError,
    OptType,
    Poll,
    Registered,
    RegistrationRefused,
    ReregistrationRequested,
    Response,
    Startup,
    VenDeregistered,
    VenOffline,
    VenRegistered,
    decode,
    encode,
)
from oadr_driver import MemoryStore
from oadr_http import OpenADRClient, Push
from tests.http.authorities import HOSTS, Folder, authority, foreign, ven_identity, vtn_identity
from tests.http.desk import until
from tests.http.test_tls import a_context
from tests.http.watch import Running, Told, Watch, intervals, ven, vtn

pytestmark = pytest.mark.anyio

XML = {"content-type": "application/xml"}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder for certificates."""
    return Folder(tmp_path)


def push_ven(url: str, name: str = "VEN", *, push: Push | None = None, **more: Any) -> OpenADRClient:
    """A VEN that is reached by push at a free port."""
    here = ven(url, name, push=push or Push(port=0, prefix="/ven/OpenADR2/Simple/2.0b"), **more)
    here.add_handler("on_event", yes)
    return here


async def yes(event: object) -> str:
    """Take part in everything."""
    return "optIn"


# --- what goes on ----------------------------------------------------------------------------------------------------


@pytest.mark.rule(38, 51, 402, 511)
async def test_an_event_is_pushed_and_answered_by_a_request_of_the_ven_which_never_polls() -> None:
    seen, told = Watch(), Told()
    there = vtn(observe=seen)
    async with Running() as running:
        await running.start(there)
        here = push_ven(there.url, observe=(watch := Watch()))
        here.add_report(lambda: 42.0, resource_id="boiler", report_specifier_id="usage", r_id="load")
        await running.start(here)
        ven_id = (await seen.sees(VenRegistered)).ven_id
        record = there.vens[ven_id]
        assert (record.pull, record.transport) == (False, "simpleHttp")
        assert record.address == here.address
        assert here.address is not None
        assert here.address.endswith("/ven/")
        event_id = there.add_event(
            ven_id, "SIMPLE", "level", intervals(1), callback=lambda opt_type: told.note("opt", {"opt": opt_type})
        )
        assert await told.hears("opt") == [{"opt": "optIn"}]
        there.cancel_event(event_id=event_id)
        await until(lambda: not here.active_events())
        await watch.sees(EventDecided)
        assert here.phase is Startup.RUNNING


async def test_what_is_said_is_what_push_is_made_of() -> None:
    exchanges: list[Any] = []
    there = vtn()
    async with Running() as running:
        await running.start(there)
        here = push_ven(there.url, trace=exchanges.append)
        await running.start(here)
        await until(lambda: here.phase is Startup.RUNNING)
        there.add_event(here.ven_id, "SIMPLE", "level", intervals(1))
        await until(lambda: any(_name(one.request) == "oadrCreatedEvent" for one in exchanges))
    said = [(_name(one.request), _name(one.answer)) for one in exchanges]
    assert ("oadrDistributeEvent", "") in said, "an empty answer, and then"
    assert said.index(("oadrCreatedEvent", "oadrResponse")) >= 0
    assert ("oadrRegisterReport", "oadrRegisteredReport") in said
    assert not [one for one in said if one[0] == "oadrPoll"]


def _name(document: str | None) -> str:
    return decode(document.encode()).message_type() if document else ""


async def test_a_vtn_that_cannot_read_an_empty_answer_gets_a_response() -> None:
    exchanges: list[Any] = []
    there = vtn(trace=exchanges.append)
    async with Running() as running:
        await running.start(there)
        here = push_ven(there.url, push=Push(port=0, answers_lists=True))
        await running.start(here)
        await until(lambda: here.phase is Startup.RUNNING)
        event_id = there.add_event(here.ven_id, "SIMPLE", "level", intervals(1))
        await until(lambda: [one.opt_type for one in there.answers(event_id)] == [OptType.OPT_IN])
    assert [_name(one.answer) for one in exchanges if _name(one.request) == "oadrDistributeEvent"][-1] == "oadrResponse"


async def test_reports_are_asked_for_by_push_and_the_registration_is_ended_by_push() -> None:
    told, seen = Told(), Watch()
    there = vtn(request_reports=True, shortest_sampling=timedelta(seconds=1), observe=seen)
    there.add_handler("on_update_report", lambda payload: told.note("report", {}))
    async with Running() as running:
        await running.start(there)
        here = push_ven(there.url)
        rate = {"min_period": timedelta(seconds=1), "max_period": timedelta(seconds=1)}
        here.add_report(lambda: 42.0, resource_id="boiler", sampling_rate=rate)
        await running.start(here)
        await told.hears("report")
        there.cancel_party_registration(here.ven_id)
        await seen.sees(VenDeregistered)
        await until(lambda: not here.registered)


# --- restarts --------------------------------------------------------------------------------------------------------


@pytest.mark.rule(402, 405)
async def test_a_ven_that_comes_back_at_another_port_is_pushed_to_there() -> None:
    there, store, seen = vtn(), MemoryStore(), Watch()
    async with there.running():
        async with push_ven(there.url, store=store, observe=seen).running() as here:
            await until(lambda: here.phase is Startup.RUNNING)
            ven_id, before = here.ven_id, here.address
        event_id = there.add_event(ven_id, "SIMPLE", "level", intervals(1))
        async with push_ven(there.url, store=store).running() as here:
            await until(lambda: [one.opt_type for one in there.answers(event_id)] == [OptType.OPT_IN])
            assert here.ven_id == ven_id
            assert here.address != before
            assert there.vens[ven_id].address == here.address


async def test_what_a_vtn_has_for_a_ven_outlives_its_restart() -> None:
    kept, own = MemoryStore(), MemoryStore()
    patience = {"longest_wait": timedelta(milliseconds=100)}
    first = vtn(store=kept)
    async with first.running():
        async with push_ven(first.url, store=own, **patience).running() as here:
            await until(lambda: here.phase is Startup.RUNNING)
        later = intervals(1, begin=timedelta(hours=1))
        first.add_event(here.ven_id, "SIMPLE", "level", later, event_id="later")
        first.request_reregistration(here.ven_id)
        port, seen = first.port, Watch()
    there = vtn(store=kept, http_port=port)
    async with there.running(), push_ven(first.url, store=own, observe=seen, **patience).running() as here:
        await until(lambda: [one.opt_type for one in there.answers("later")] == [OptType.OPT_IN])
        await seen.sees(ReregistrationRequested)
        await until(lambda: here.phase is Startup.RUNNING)


async def test_a_ven_that_runs_on_while_its_vtn_restarts_is_pushed_to_again() -> None:
    kept = MemoryStore()
    async with vtn().running() as probe:
        port = probe.port
    first = vtn(store=kept, http_port=port)
    async with push_ven(first.url, longest_wait=timedelta(milliseconds=100)).running() as here:
        async with first.running():
            await until(lambda: here.phase is Startup.RUNNING)
        second = vtn(store=kept, http_port=port)
        async with second.running():
            event_id = second.add_event(here.ven_id, "SIMPLE", "level", intervals(1))
            await until(lambda: [one.opt_type for one in second.answers(event_id)] == [OptType.OPT_IN])


async def test_an_application_that_knows_better_tells_where_its_ven_is() -> None:
    there, seen = vtn(), Watch()
    async with there.running(), push_ven(there.url, observe=seen).running() as here:
        await until(lambda: here.phase is Startup.RUNNING)
        here.reached_at("http://127.0.0.1:1/moved/")
        await seen.sees(Registered, 2)
        assert there.vens[here.ven_id].address == "http://127.0.0.1:1/moved/"


async def test_a_ven_whose_address_is_not_allowed_is_told_why() -> None:
    there, seen = vtn(push_to=["public"]), Watch()
    async with there.running(), push_ven(there.url, observe=seen).running():
        refused = await seen.sees(RegistrationRefused)
    assert refused.code == 454
    assert "pushes nothing to 127.0.0.1" in refused.description


async def test_a_push_ven_that_has_gone_counts_as_offline() -> None:
    seen = Watch()
    there = vtn(observe=seen)
    async with there.running():
        async with push_ven(there.url).running() as here:
            await until(lambda: here.phase is Startup.RUNNING)
        there.add_event(here.ven_id, "SIMPLE", "level", intervals(1))
        assert (await seen.sees(VenOffline)).ven_id == here.ven_id
        assert (await seen.sees(ExchangeSetBack, why=Failure.UNREACHABLE)).wait > 0


# --- who is let in ---------------------------------------------------------------------------------------------------


async def post(url: str, body: bytes, context: Any = True) -> httpx.Response:
    """Push something as anybody might."""
    async with httpx.AsyncClient(verify=context) as client:
        return await client.post(url, content=body, headers=XML)


LIST = DistributeEvent(request_id="r", vtn_id="VTN", events=())


@pytest.mark.decision(46)
@pytest.mark.parametrize("by", ["host", "fingerprint"])
async def test_over_tls_both_sides_look_at_each_other(folder: Folder, by: str) -> None:
    there = folder.vtn()
    more: dict[str, Any] = {}
    if by == "fingerprint":
        more = {"vtn_fingerprint": vtn_identity().fingerprint, "check_hostname": False}
    async with there.running():
        here = folder.ven(there.url, push=Push(port=0, prefix="/ven/OpenADR2/Simple/2.0b"), **more)
        here.add_handler("on_event", yes)
        async with here.running():
            await until(lambda: here.phase is Startup.RUNNING)
            assert here.address is not None
            assert here.address.startswith("https://127.0.0.1:")
            event_id = there.add_event(here.ven_id, "SIMPLE", "level", intervals(1))
            await until(lambda: [one.opt_type for one in there.answers(event_id)] == [OptType.OPT_IN])


@pytest.mark.parametrize(
    ("who", "status"),
    [
        (lambda: authority().vtn(["elsewhere.example"]), 403),
        (lambda: ven_identity("thief"), None),
        (lambda: foreign().vtn(HOSTS), None),
        (lambda: None, None),
    ],
    ids=["of another VTN", "of a VEN", "of a foreign CA", "none"],
)
async def test_nobody_but_the_vtn_gets_in_over_tls(
    folder: Folder, who: Callable[[], Any], status: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    there = folder.vtn()
    async with there.running():
        here = folder.ven(there.url, push=Push(port=0))
        async with here.running():
            await until(lambda: here.phase is Startup.RUNNING)
            context = a_context(folder, who())
            url = f"{here.address}OpenADR2/Simple/2.0b/EiEvent"
            if status is not None:
                assert (await post(url, encode(LIST), context)).status_code == status
                assert "is not one of those that are expected here" in caplog.text
            else:
                with pytest.raises(httpx.TransportError):
                    await post(url, encode(LIST), context)
            assert here.events() == ()


async def test_only_the_services_of_a_ven_are_there_and_nothing_is_compressed() -> None:
    there = vtn()
    async with there.running(), push_ven(there.url).running() as here:
        await until(lambda: here.phase is Startup.RUNNING)
        base = f"{here.address}OpenADR2/Simple/2.0b"
        for service, status in {
            "EiEvent": 200,
            "EiReport": 200,
            "EiRegisterParty": 200,
            "EiOpt": 404,
            "OadrPoll": 404,
        }.items():
            answer = await post(f"{base}/{service}", encode(Poll(ven_id=here.ven_id)))
            assert answer.status_code == status
            assert "content-encoding" not in answer.headers
            if status == 200:
                message = decode(answer.content)
                assert isinstance(message, Response)
                assert message.response.response_code == 459
        assert (await post(f"{here.address}EiEvent", b"<a/>")).status_code == 404
        assert (await post(f"{base}/EiEvent", b"<a/>")).status_code == 406


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"host": "0.0.0.0"}, "which is no address that a VTN can call"),
        ({"host": "192.168.1.7"}, "anybody could pose as the VTN"),
        ({"url": "ftp://ven.example/"}, "the URL is 'ftp"),
        ({"prefix": "/ven"}, "VTNs append /OpenADR2/Simple/2.0b"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(LocalProtocolError, match=why):
        ven("http://127.0.0.1:1/OpenADR2/Simple/2.0b", push=Push(**settings))


def test_who_says_so_listens_where_others_can_reach_it() -> None:
    push = Push(host="192.168.1.7", allow_insecure=True)
    ven("http://127.0.0.1:1/OpenADR2/Simple/2.0b", push=push)


def test_a_ven_that_cannot_tell_its_vtn_from_other_vens_is_refused(folder: Folder) -> None:
    with pytest.raises(LocalProtocolError, match="nothing says by what the VTN is known when it pushes"):
        folder.ven("https://127.0.0.1:1/", push=Push(), check_hostname=False)


def test_a_ven_by_hand_polls() -> None:
    with pytest.raises(LocalProtocolError, match="runs by itself"):
        ven("http://127.0.0.1:1/", push=Push(), auto_polling=False)


@pytest.mark.rule(511)
@pytest.mark.parametrize(
    ("settings", "path", "address"),
    [
        ({}, "/OpenADR2/Simple/2.0b", "http://127.0.0.1:9/"),
        ({"host": "::1"}, "/OpenADR2/Simple/2.0b", "http://[::1]:9/"),
        ({"prefix": "ven/OpenADR2/Simple/2.0b/"}, "/ven/OpenADR2/Simple/2.0b", "http://127.0.0.1:9/ven/"),
        ({"url": "https://ven.example:8443"}, "/OpenADR2/Simple/2.0b", "https://ven.example:8443"),
        ({"url": "https://ven.example/a/"}, "/a/OpenADR2/Simple/2.0b", "https://ven.example/a/"),
        (
            {"url": "https://ven.example/OpenADR2/Simple/2.0b"},
            "/OpenADR2/Simple/2.0b",
            "https://ven.example/OpenADR2/Simple/2.0b",
        ),
        ({"url": "https://ven.example/a", "prefix": "/x"}, "/x", "https://ven.example/a"),
    ],
)
def test_a_ven_is_told_of_where_it_is(settings: dict[str, Any], path: str, address: str) -> None:
    push = Push(**settings)
    assert (push.path, push.address(9, secure=False)) == (path, address)


@pytest.mark.rule(67, 68)
@pytest.mark.parametrize("kind", [Kind.RSA, Kind.EC])
async def test_a_vtn_with_a_certificate_of_each_kind_pushes_to_vens_of_either(folder: Folder, kind: Kind) -> None:
    both = (authority(Kind.RSA), authority(Kind.EC))
    there = folder.vtn(vtn_identity(Kind.RSA), vtn_identity(Kind.EC), trusts=both)
    async with there.running():
        here = folder.ven(there.url, ven_identity(kind=kind), trusts=both, push=Push(port=0))
        here.add_handler("on_event", yes)
        async with here.running():
            await until(lambda: here.phase is Startup.RUNNING)
            event_id = there.add_event(here.ven_id, "SIMPLE", "level", intervals(1))
            await until(lambda: [one.opt_type for one in there.answers(event_id)] == [OptType.OPT_IN])
