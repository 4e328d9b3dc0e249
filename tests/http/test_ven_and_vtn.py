"""A VEN and a VTN over real sockets, as an application sees them."""

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import anyio
import anyio.abc
import pytest

from oadr_core import (
    EiEvent,
    EventDecided,
    ExchangeSetBack,
    Failure,
    HandlerFailed,
    LocalProtocolError,
    OptReceived,
    RecordedExchange,
    Registered,
    RegistrationEnded,
    RegistrationRefused,
    Report,
    ReportEnded,
    Startup,
    VenOffline,
    VenPolicy,
    VenRegistered,
    check_trace,
)
from oadr_http import MemoryStore, OpenADRClient, OpenADRServer
from tests.http.desk import until
from tests.http.watch import Running, Told, Watch, intervals, ven, vtn

pytestmark = pytest.mark.anyio


# --- registration ----------------------------------------------------------------------------------------------------


async def test_a_ven_registers_by_itself() -> None:
    there, watch = vtn(), Watch()
    async with there.running():
        here = ven(there.url, observe=watch)
        assert (here.registered, here.ven_id, here.registration_id, here.phase) == (False, "", "", Startup.OFF)
        async with here.running():
            done = await watch.sees(Registered)
            assert (here.ven_id, here.registration_id) == (done.ven_id, done.registration_id)
            assert here.registered
            assert done.vtn_id == "VTN"
            assert [one.ven_name for one in there.vens.values()] == ["VEN"]
            assert list(there.vens) == [here.ven_id]
    assert here.registered


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
async def test_the_application_gives_the_ids(kind: str) -> None:
    told, there, watch = Told(), vtn(), Watch()

    def plain(registration_info: dict[str, Any]) -> tuple[str, str]:
        assert registration_info["ven_name"] == "VEN"
        return "ven-7", "reg-7"

    async def coroutine(registration_info: dict[str, Any]) -> tuple[str, str]:
        told.note("register", registration_info)
        return plain(registration_info)

    there.add_handler("on_create_party_registration", plain if kind == "plain" else coroutine)
    async with there.running(), ven(there.url, observe=watch).running() as here:
        await watch.sees(Registered)
        assert (here.ven_id, here.registration_id) == ("ven-7", "reg-7")
    if kind == "coroutine":
        info = told.of("register")[0]
        assert info["profile_name"] == "2.0b"
        assert info["transport_name"] == "simpleHttp"
        assert (info["report_only"], info["xml_signature"], info["http_pull_model"]) == (False, False, True)
        assert isinstance(info["request_id"], str)


async def test_a_registration_id_alone_is_enough() -> None:
    there, watch = vtn(), Watch()
    there.add_handler("on_create_party_registration", lambda info: "reg-7")
    async with there.running(), ven(there.url, observe=watch).running() as here:
        assert (await watch.sees(Registered)).registration_id == "reg-7"
        assert here.ven_id


@pytest.mark.parametrize("answer", [False, None, (None, None)])
async def test_a_ven_that_is_refused_tries_again_later(answer: object) -> None:
    there, watch = vtn(), Watch()
    answers = [answer, True]
    there.add_handler("on_create_party_registration", lambda: answers.pop(0))
    policy = VenPolicy(registration_retry=0.05, poll_interval=0.05, shortest_poll_interval=0.05)
    async with there.running(), ven(there.url, observe=watch, policy=policy).running():
        await watch.sees(RegistrationRefused)
        await watch.sees(Registered)


async def test_a_registration_handler_that_fails_is_no_fault_of_the_ven() -> None:
    theirs, ours = Watch(), Watch()
    there = vtn(observe=theirs)

    def broken() -> None:
        raise LookupError("mine")

    there.add_handler("on_create_party_registration", broken)
    async with there.running(), ven(there.url, observe=ours).running() as here:
        assert (await ours.sees(ExchangeSetBack)).why is Failure.PEER_ERROR
        failed = await theirs.sees(HandlerFailed)
        assert (failed.handler, here.registered) == ("on_create_party_registration", False)
        assert "mine" in failed.error


async def test_a_ven_registers_with_the_id_that_was_agreed() -> None:
    there, watch = vtn(), Watch()
    async with there.running(), ven(there.url, observe=watch, ven_id="agreed").running():
        assert (await watch.sees(Registered)).ven_id == "agreed"


async def test_a_query_can_be_answered_by_the_application() -> None:
    told, there, watch = Told(), vtn(), Watch()

    async def query(payload: dict[str, Any]) -> dict[str, object]:
        told.note("query", payload)
        return {"requested_oadr_poll_freq": timedelta(seconds=30)}

    there.add_handler("on_query_registration", query)
    async with there.running(), ven(there.url, observe=watch).running():
        await watch.sees(Registered)
    assert list(told.of("query")[0]) == ["request_id"]


async def test_a_ven_can_leave() -> None:
    told, there, watch = Told(), vtn(), Watch()
    there.add_handler("on_cancel_party_registration", lambda payload, ven_id: told.note(ven_id, payload))
    async with there.running(), ven(there.url, observe=watch).running() as here:
        await watch.sees(Registered)
        ven_id, registration_id = here.ven_id, here.registration_id
        await here.cancel_party_registration()
        ended = await watch.sees(RegistrationEnded)
        assert (ended.by_peer, ended.cancelled) == (False, True)
        assert (here.registered, there.vens) == (False, {})
        assert (await told.hears(ven_id))[0]["registration_id"] == registration_id


async def test_a_vtn_can_end_a_registration() -> None:
    told, there, watch = Told(), vtn(), Watch()
    here_told = Told()
    async with there.running():
        here = ven(there.url, observe=watch)

        async def ended(payload: dict[str, Any]) -> None:
            here_told.note("ended", payload)

        here.add_handler("on_cancel_party_registration", ended)
        async with here.running():
            await watch.sees(Registered)
            ven_id = here.ven_id
            there.cancel_party_registration(ven_id)
            assert (await watch.sees(RegistrationEnded)).by_peer
            assert (await here_told.hears("ended"))[0]["ven_id"] == ven_id
    assert told.calls == []


async def test_a_vtn_can_ask_to_register_again() -> None:
    there, watch = vtn(), Watch()
    async with there.running(), ven(there.url, observe=watch).running() as here:
        first = await watch.sees(Registered)
        there.request_reregistration(here.ven_id)
        second = await watch.sees(Registered, 2)
        assert (second.again, second.ven_id, second.registration_id) == (True, first.ven_id, first.registration_id)


async def test_a_vtn_asks_the_application_about_vens_that_it_does_not_know() -> None:
    told, store, watch = Told(), MemoryStore(), Watch()
    before = vtn()
    async with before.running(), ven(before.url, observe=watch, store=store).running() as here:
        await watch.sees(Registered)
        ids = {"ven_id": here.ven_id, "registration_id": here.registration_id}

    async def lookup(ven_id: str) -> dict[str, str]:
        told.note("lookup", {"ven_id": ven_id})
        return {**ids, "ven_name": "VEN"}

    after, again = vtn(ven_lookup=lookup), Watch()
    async with after.running(), ven(after.url, observe=again, store=store).running():
        done = await again.sees(Registered)
        assert (done.again, done.ven_id, done.registration_id) == (True, *ids.values())
    assert told.of("lookup")[0] == {"ven_id": ids["ven_id"]}


# --- what a VTN may ask of a VEN -------------------------------------------------------------------------------------


def asked_for(there: OpenADRServer, ven_id: str) -> dict[str, Any]:
    """What can be queued by its name, with a content."""
    registration_id = there.vens[ven_id].registration_id
    wanted = {
        "report_request_id": "wanted",
        "report_specifier": {
            "report_specifier_id": "METADATA",
            "granularity": timedelta(0),
            "report_back_duration": timedelta(0),
            "specifier_payloads": [{"r_id": "0", "reading_type": "x-notApplicable"}],
        },
    }
    return {
        "oadrRegisterReport": {"request_id": "1", "reports": []},
        "oadrCreateReport": {"request_id": "2", "report_requests": [wanted]},
        "oadrCancelReport": {"request_id": "3", "report_request_id": ["unknown"], "report_to_follow": False},
        "oadrRequestReregistration": {},
        "oadrCancelPartyRegistration": {"request_id": "4", "registration_id": registration_id},
    }


@pytest.mark.rule(500, 508)
async def test_whatever_a_vtn_may_ask_of_a_ven_can_be_queued_and_is_answered() -> None:
    exchanges: list[RecordedExchange] = []
    ours, theirs = Watch(), Watch()
    there = vtn(trace=exchanges.append, observe=theirs)
    async with there.running():
        here = ven(there.url, observe=ours, policy=VenPolicy(poll_interval=0.05, registration_pause=None))
        here.add_report(lambda: 1.0, "meter")
        async with here.running():
            ven_id = (await theirs.sees(VenRegistered)).ven_id
            await until(lambda: here.phase is Startup.RUNNING)
            for name, content in asked_for(there, ven_id).items():
                there.queue(ven_id, name, content)
                await until(lambda: ven_id not in there.vens or not there.vens[ven_id].queue)
            await ours.sees(RegistrationEnded)
    sent = [str(one.request) for one in exchanges]
    for answer in (
        "RegisteredReport",
        "CreatedReport",
        "CanceledReport",
        "CanceledPartyRegistration",
    ):
        assert any(answer in one for one in sent), f"{answer} was sent by a request of its own"
    assert (await ours.sees(Registered, 2)).again, "it has registered again, as it was asked"


async def test_what_cannot_be_asked_of_a_ven_is_refused() -> None:
    there = vtn()
    async with there.running(), ven(there.url).running() as here:
        await until(lambda: here.phase is Startup.RUNNING and not there.vens[here.ven_id].queue)
        for name, content, why in [
            ("oadrPoll", {}, "oadrPoll is not asked of a VEN this way; oadrCreateReport"),
            ("oadrRequestReregistration", {"ven_id": "other"}, "for the VEN 'other'"),
            ("oadrCancelReport", {"request_id": "1"}, "report_request_id"),
            ("oadrReport", {}, "oadrReport"),
        ]:
            with pytest.raises(LocalProtocolError, match=why):
                there.queue(here.ven_id, name, content)
        with pytest.raises(LocalProtocolError, match="there is no VEN 'other'"):
            there.queue("other", "oadrRequestReregistration")
        assert there.vens[here.ven_id].queue == ()


async def test_a_ven_that_runs_by_itself_registers_again_when_it_is_told_to() -> None:
    there, watch = vtn(), Watch()
    async with there.running(), ven(there.url, observe=watch).running() as here:
        first = await watch.sees(Registered)
        await until(lambda: here.phase is Startup.RUNNING)
        assert await here.create_party_registration() == ("", {})
        second = await watch.sees(Registered, 2)
        assert (second.again, second.registration_id) == (True, first.registration_id)
        await until(lambda: here.phase is Startup.RUNNING)
        await here.create_party_registration(anew=True)
        third = await watch.sees(Registered, 3)
        assert not third.again
        assert third.registration_id != first.registration_id


# --- events ----------------------------------------------------------------------------------------------------------


def decide(told: Told, answer: object) -> Any:
    """A handler for events."""

    async def on_event(event: dict[str, Any]) -> object:
        told.note("on_event", event)
        return answer

    return on_event


@pytest.mark.parametrize(
    ("answer", "opt_type"),
    [
        ("optIn", "optIn"),
        ("optOut", "optOut"),
        (True, "optIn"),
        (False, "optOut"),
        ({"opt_type": "optOut", "response_code": 460, "response_description": "no such signal"}, "optOut"),
        (None, "optOut"),  # no answer: the policy
    ],
)
async def test_an_event_is_decided_and_the_answer_comes_back(answer: object, opt_type: str) -> None:
    here_told, there_told, theirs = Told(), Told(), Watch()
    there = vtn(observe=theirs)
    there.add_handler(
        "on_created_event",
        lambda ven_id, event_id, opt_type: there_told.note("created", {"ids": (ven_id, event_id), "opt": opt_type}),
    )

    async def answered(ven_id: str, event_id: str, opt_type: str) -> None:
        there_told.note("callback", {"ids": (ven_id, event_id), "opt": opt_type})

    async with there.running():
        here = ven(there.url)
        here.add_handler("on_event", decide(here_told, answer))
        async with here.running():
            ven_id = (await theirs.sees(VenRegistered)).ven_id
            event_id = there.add_event(ven_id, "SIMPLE", "level", intervals(1, 2), answered)
            (event,) = await here_told.hears("on_event")
            expected = {"ids": (ven_id, event_id), "opt": opt_type}
            assert await there_told.hears("callback") == [expected]
            assert await there_told.hears("created") == [expected]
    assert event["event_descriptor"]["event_id"] == event_id
    assert event["event_descriptor"]["modification_number"] == 0
    assert event["event_descriptor"]["market_context"] == "oadr://unknown.context"
    assert event["active_period"]["duration"] == timedelta(minutes=10)
    assert event["active_period"]["dtstart"].tzinfo is not None
    (signal,) = event["event_signals"]
    assert (signal["signal_name"], signal["signal_type"]) == ("SIMPLE", "level")
    assert [one["signal_payload"] for one in signal["intervals"]] == [1.0, 2.0]
    assert event["response_required"] == "always"


async def test_handlers_may_ask_for_instances() -> None:
    seen: list[object] = []
    theirs = Watch()
    there = vtn(observe=theirs, typed=True)
    there.add_handler("on_register_report", lambda report: seen.append(report) or [])
    there.add_handler("on_query_registration", lambda payload: seen.append(payload))
    async with there.running():
        here = ven(there.url, typed=True)
        here.add_handler("on_event", lambda event: seen.append(event) or "optIn")
        here.add_report(lambda: 1.0, "meter", sampling_rate=timedelta(seconds=1))
        async with here.running():
            ven_id = (await theirs.sees(VenRegistered)).ven_id
            there.add_event(ven_id, "SIMPLE", "level", intervals(1))
            await theirs.sees(OptReceived, opt_type="optIn")
    assert [type(one).__name__ for one in seen] == ["QueryRegistration", "Report", "EiEvent"]
    assert isinstance(seen[1], Report)
    assert isinstance(seen[2], EiEvent)


async def test_an_event_is_changed_and_cancelled() -> None:
    told, theirs = Told(), Watch()
    there = vtn(observe=theirs)
    opts: list[str] = []
    async with there.running():
        here = ven(there.url)
        here.add_handler("on_event", decide(told, "optIn"))

        def update(event: dict[str, Any]) -> str:
            told.note("on_update_event", event)
            return "optOut"

        here.add_handler("on_update_event", update)
        async with here.running():
            ven_id = (await theirs.sees(VenRegistered)).ven_id
            signal = {"signal_name": "SIMPLE", "signal_type": "level"}
            made = {
                "event_descriptor": {"event_id": "shed", "market_context": "http://program"},
                "event_signals": [{**signal, "intervals": intervals(1, begin=timedelta(hours=1))}],
                "targets": [{"resource_id": "boiler"}],
            }
            assert there.add_raw_event(ven_id, made, lambda opt_type: opts.append(opt_type)) == "shed"
            await theirs.sees(OptReceived, modification_number=0, opt_type="optIn")
            changed = {**signal, "intervals": intervals(3, begin=timedelta(hours=2))}
            assert there.modify_event({**made, "event_signals": [changed]}) == 1
            await theirs.sees(OptReceived, modification_number=1, opt_type="optOut")
            assert there.cancel_event(ven_id, "shed") == 2
            await theirs.sees(OptReceived, modification_number=2)
            assert there.cancel_event(event_id="shed") == 2, "once is enough"
            await told.hears("on_update_event", 2)  # a cancellation is answered whatever the application does with it
    first, second, third = (told.of("on_event") + told.of("on_update_event"))[:3]
    assert first["targets"] == [{"resource_id": "boiler"}]
    assert first["targets_by_type"] == {"resource_id": ["boiler"]}
    assert second["event_signals"][0]["intervals"][0]["signal_payload"] == 3.0
    assert third["event_descriptor"]["event_status"] == "cancelled"
    assert opts[:2] == ["optIn", "optOut"]
    assert there.events["shed"].modification_number == 2


async def test_an_application_is_told_when_an_event_begins_and_when_it_ends() -> None:
    told, theirs = Told(), Watch()
    there = vtn(observe=theirs)
    async with there.running():
        here = ven(there.url)
        here.add_handler("on_event", decide(told, "optIn"))

        def follow(event: dict[str, Any], status: str, signals: list[dict[str, Any]], interval: int | None) -> None:
            told.note("on_event_status", {"event": event, "now": (status, interval, [one["value"] for one in signals])})

        here.add_handler("on_event_status", follow)
        async with here.running():
            ven_id = (await theirs.sees(VenRegistered)).ven_id
            event_id = there.add_event(ven_id, "SIMPLE", "level", intervals(2))
            await told.hears("on_event_status")
            there.cancel_event(ven_id, event_id)
            first, second = await told.hears("on_event_status", 2)
    assert first["event"]["event_descriptor"]["event_id"] == event_id
    assert [first["now"], second["now"]] == [("active", 0, [2.0]), ("cancelled", None, [])]


async def test_an_event_that_is_not_meant_for_a_ven_is_refused_without_asking() -> None:
    told, theirs = Told(), Watch()
    there = vtn(observe=theirs)
    async with there.running():
        here = ven(there.url, market_contexts=["http://program.example"], signals=[("SIMPLE", "level")])
        here.add_handler("on_event", decide(told, "optIn"))
        async with here.running():
            ven_id = (await theirs.sees(VenRegistered)).ven_id
            there.add_event(ven_id, "SIMPLE", "level", intervals(1))
            refused = await theirs.sees(OptReceived)
    assert (refused.code, refused.opt_type) == (462, "optOut")
    assert told.of("on_event") == []


async def test_arguments_come_in_the_order_that_openleadr_has() -> None:
    told, theirs = Told(), Watch()
    there = vtn(observe=theirs)
    async with there.running():
        here = ven(there.url)
        here.add_handler("on_event", decide(told, "optIn"))
        async with here.running():
            ven_id = (await theirs.sees(VenRegistered)).ven_id

            async def opted(opt_type: str) -> None:
                told.note("opt", {"opt_type": opt_type})

            async def delivered() -> None:
                told.note("delivered", {})

            target = [{"resource_id": "boiler"}]
            event_id = there.add_event(ven_id, "SIMPLE", "level", intervals(1), opted, delivered, "shed", target)
            assert event_id == "shed"
            await told.hears("delivered")
            assert await told.hears("opt") == [{"opt_type": "optIn"}]
            assert (await told.hears("on_event"))[0]["targets"] == target


@pytest.mark.parametrize(
    "details",
    [
        {"targets": [{"resource_id": "boiler"}]},
        {"targets_by_type": {"resource_id": ["boiler"]}},
        {"target": {"resource_id": "boiler"}},
    ],
)
async def test_targets_have_several_forms(details: dict[str, Any]) -> None:
    there = vtn()
    event_id = there.add_event("ven", "SIMPLE", "level", intervals(1), **details)
    target = there.events[event_id].event.target
    assert target.resource_id == ("boiler",)


async def test_an_event_may_be_made_before_its_ven_is_there() -> None:
    told, there = Told(), vtn()
    there.add_handler("on_create_party_registration", lambda: ("ven-7", "reg-7"))
    details = {
        "response_required": "never",
        "market_context": "http://program",
        "notification_period": timedelta(minutes=1),
        "ramp_up_period": timedelta(minutes=2),
        "recovery_period": timedelta(minutes=3),
        "priority": 1,
        "test_event": True,
        "vtn_comment": "try",
    }
    begin = timedelta(hours=1)
    there.add_event(["ven-7", "ven-8"], "SIMPLE", "level", intervals(1, begin=begin), **details)
    async with there.running():
        here = ven(there.url)
        here.add_handler("on_event", decide(told, "optIn"))
        async with here.running():
            (event,) = await told.hears("on_event")
    assert event["response_required"] == "never"
    assert event["event_descriptor"]["priority"] == 1
    assert event["event_descriptor"]["vtn_comment"] == "try"
    assert event["active_period"]["notification"] == timedelta(minutes=1)
    assert event["active_period"]["ramp_up"] == timedelta(minutes=2)
    assert event["active_period"]["recovery"] == timedelta(minutes=3)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"signal_type": "levle"}, "signal_type"),
        ({"intervals": []}, "interval"),
        ({"intervals": [{"signal_payload": 1}]}, "duration"),
        ({"ven_id": []}, "no VEN"),
        ({"callback": "optIn"}, "callback"),
        ({"delivery_callback": 7}, "callback"),
        ({"targets": [{"ven_id": "a"}], "target": {"ven_id": "b"}}, "one of targets"),
        ({"event_id": "taken"}, "taken"),
        ({"response_required": "maybe"}, "response_required"),
        ({"intervals": [{"duration": timedelta(1), "signal_payload": float("nan")}]}, "nan"),
        ({"intervals": [{"dtstart": datetime(2030, 1, 1), "duration": timedelta(1), "signal_payload": 1}]}, "zone"),
    ],
)
async def test_an_event_that_cannot_be_meant_so_is_a_local_mistake(change: dict[str, Any], text: str) -> None:
    there = vtn()
    there.add_event("ven", "SIMPLE", "level", intervals(1), event_id="taken")
    usual = {"ven_id": "ven", "signal_name": "SIMPLE", "signal_type": "level", "intervals": intervals(1)}
    with pytest.raises(LocalProtocolError, match=text):
        there.add_event(**{**usual, **change})
    assert list(there.events) == ["taken"]


async def test_what_is_not_there_cannot_be_changed() -> None:
    there = vtn()
    event_id = there.add_event("ven", "SIMPLE", "level", intervals(1))
    with pytest.raises(LocalProtocolError, match="no event"):
        there.cancel_event("ven", "other")
    with pytest.raises(LocalProtocolError, match="not for the VEN"):
        there.cancel_event("other", event_id)
    with pytest.raises(LocalProtocolError, match="which event"):
        there.cancel_event("ven")
    with pytest.raises(LocalProtocolError, match="no VEN"):
        there.request_reregistration("other")
    with pytest.raises(LocalProtocolError, match="no VEN"):
        there.offered_reports("other")
    with pytest.raises(LocalProtocolError, match="no VEN"):
        there.create_report("other")


async def test_callbacks_of_forgotten_events_are_forgotten() -> None:
    there = vtn()
    for number in range(20):
        there.add_event("ven", "SIMPLE", "level", intervals(1), lambda: None, lambda: None, f"e{number}")
        there._core.vtn._forget_event(f"e{number}")
    assert len(there._callbacks) <= 1
    assert len(there._delivery_callbacks) <= 1


async def test_a_plain_handler_may_use_the_vtn_from_its_thread() -> None:
    told, there = Told(), vtn()

    def register(registration_info: dict[str, Any]) -> tuple[str, str]:
        there.add_event("ven-7", "SIMPLE", "level", intervals(1), event_id="shed")
        return "ven-7", "reg-7"

    there.add_handler("on_create_party_registration", register)
    async with there.running():
        here = ven(there.url)
        here.add_handler("on_event", decide(told, "optIn"))
        async with here.running():
            assert (await told.hears("on_event"))[0]["event_descriptor"]["event_id"] == "shed"


# --- events and messages of the application's own -----------------------------------------------------------------


async def test_the_application_may_keep_the_events_itself() -> None:
    told, theirs = Told(), Watch()
    there = vtn(observe=theirs)
    event = {
        "event_descriptor": {"event_id": "mine", "market_context": "http://program"},
        "event_signals": [{"signal_name": "SIMPLE", "signal_type": "level", "intervals": intervals(1)}],
    }

    async def requested(ven_id: str) -> list[dict[str, Any]]:
        told.note("on_request_event", {"ven_id": ven_id})
        return [event]

    there.add_handler("on_request_event", requested)
    async with there.running():
        here = ven(there.url)
        here.add_handler("on_event", decide(told, "optIn"))
        async with here.running():
            opted = await theirs.sees(OptReceived)
            assert (opted.event_id, opted.opt_type) == ("mine", "optIn")
            assert told.of("on_request_event")[0] == {"ven_id": here.ven_id}


async def test_the_application_may_answer_polls() -> None:
    there, ours = vtn(), Watch()
    answers: list[object] = [("oadrRequestReregistration", {"ven_id": "ven-7"})]

    def poll(ven_id: str) -> object:
        assert ven_id == "ven-7"
        return answers.pop() if answers else None

    there.add_handler("on_create_party_registration", lambda: ("ven-7", "reg-7"))
    there.add_handler("on_poll", poll)
    async with there.running(), ven(there.url, observe=ours).running():
        assert (await ours.sees(Registered, 2)).again
    assert answers == []


# --- reports ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
async def test_readings_go_to_the_callback_that_the_application_names(kind: str) -> None:
    told, there = Told(), vtn()

    async def take(data: Sequence[tuple[datetime, float]]) -> None:
        told.note("data", {"data": list(data)})

    def wanted(  # the compact form: exactly OpenLEADR's
        ven_id: str,
        resource_id: str,
        measurement: str,
        unit: str,
        scale: str,
        min_sampling_interval: timedelta,
        max_sampling_interval: timedelta,
    ) -> tuple[object, timedelta]:
        told.calls.append(("offer", {key: value for key, value in locals().items() if key not in ("told", "take")}))
        return take, min_sampling_interval

    there.add_handler("on_register_report", wanted)

    def plain() -> float:
        return 3.5

    async def coroutine() -> float:
        return 3.5

    async with there.running():
        here = ven(there.url)
        ids = here.add_report(
            plain if kind == "plain" else coroutine,
            "boiler",
            "power_real",
            scale="k",
            report_specifier_id="meter",
            r_id="power",
            sampling_rate=timedelta(seconds=1),
        )
        assert ids == ("meter", "power")
        async with here.running():
            (first, *_) = await told.hears("data")
            assert there.offered_reports(here.ven_id)[0].report_specifier_id == "meter"
            ven_id = here.ven_id
    assert told.of("offer") == [
        {
            "ven_id": ven_id,
            "resource_id": "boiler",
            "measurement": "RealPower",
            "unit": "W",
            "scale": "k",
            "min_sampling_interval": timedelta(seconds=1),
            "max_sampling_interval": timedelta(seconds=1),
        }
    ]
    ((time, value),) = first["data"]
    assert (value, time.tzinfo is not None) == (3.5, True)


async def test_the_full_form_of_the_report_handler_and_the_whole_reports() -> None:
    told, there = Told(), vtn()

    async def take(data: Sequence[tuple[datetime, float]]) -> None:
        told.note("data", {"data": list(data)})

    async def wanted(report: dict[str, Any], ven_id: str) -> list[object]:
        told.note("offer", {"report": report, "ven_id": ven_id})
        return [None, ("power", take, timedelta(seconds=1))]

    async def created(payload: dict[str, Any], ven_id: str) -> None:
        told.note("created", payload)

    async def updated(report: dict[str, Any], ven_id: str) -> None:
        told.note("update", report)

    there.add_handler("on_register_report", wanted)
    there.add_handler("on_created_report", created)
    there.add_handler("on_update_report", updated)
    async with there.running():
        here = ven(there.url)
        for r_id in ("power", "energy"):
            here.add_report(
                lambda: {"value": 1.0, "data_quality": "Quality Good - Non Specific"},
                "boiler",
                f"{r_id}_real",
                report_specifier_id="meter",
                r_id=r_id,
                sampling_rate={"min_period": timedelta(seconds=1), "max_period": timedelta(seconds=9)},
            )
        async with here.running():
            await told.hears("data")
            (report, *_) = await told.hears("update")
            await told.hears("created")
            ven_id = here.ven_id
    (offer,) = told.of("offer")
    assert offer["ven_id"] == ven_id
    assert offer["report"]["report_name"] == "METADATA_TELEMETRY_USAGE"
    assert [one["r_id"] for one in offer["report"]["report_descriptions"]] == ["power", "energy"]
    assert report["report_name"] == "TELEMETRY_USAGE"
    assert report["report_specifier_id"] == "meter"
    payload = report["intervals"][0]["report_payload"]
    assert (payload["r_id"], payload["value"]) == ("power", 1.0)
    assert told.of("created")[0]["pending_reports"][0]["report_request_id"] == report["report_request_id"]


async def test_reports_can_be_asked_for_without_a_handler_and_cancelled() -> None:
    told, there, theirs = Told(), vtn(request_reports=True, shortest_sampling=timedelta(seconds=1)), Watch()
    there.add_handler("on_update_report", lambda report: told.note("update", report))
    async with there.running():
        here = ven(there.url, observe=theirs)
        here.add_report(lambda: 2, "boiler", sampling_rate=timedelta(seconds=1))
        async with here.running():
            (report, *_) = await told.hears("update")
            there.cancel_report(here.ven_id, report["report_request_id"])
            assert (await theirs.sees(ReportEnded)).report_request_id == report["report_request_id"]


async def test_a_report_can_be_asked_for_at_any_time() -> None:
    told, there, ours = Told(), vtn(), Watch()
    there.add_handler("on_update_report", lambda report, ven_id: told.note("update", report))
    async with there.running():
        here = ven(there.url, observe=ours)
        here.add_report(lambda: 2, "boiler", report_specifier_id="meter", r_id="power")
        async with here.running():
            await ours.sees(Registered)
            while not there.offered_reports(here.ven_id):  # noqa: ASYNC110
                await anyio.sleep(0.001)
            there.create_report(
                here.ven_id,
                {
                    "report_request_id": "once",
                    "report_specifier": {
                        "report_specifier_id": "meter",
                        "granularity": timedelta(0),
                        "report_back_duration": timedelta(0),
                        "specifier_payloads": [{"r_id": "power", "reading_type": "x-notApplicable"}],
                    },
                },
            )
            (report,) = await told.hears("update")
    assert report["report_request_id"] == "once"


async def test_a_report_may_be_offered_while_the_ven_runs() -> None:
    told, there, ours = Told(), vtn(), Watch()
    there.add_handler("on_register_report", lambda report: told.note("offer", report) or [])
    async with there.running(), ven(there.url, observe=ours).running() as here:
        while here.phase is not Startup.RUNNING:  # noqa: ASYNC110
            await anyio.sleep(0.001)
        here.add_report(lambda: 1, "boiler", report_specifier_id="meter")
        assert (await told.hears("offer"))[0]["report_specifier_id"] == "meter"


@pytest.mark.parametrize(
    ("details", "text"),
    [
        ({"unit": "furlong"}, "unit"),
        ({"scale": "huge"}, "scale"),
        ({"report_name": "TELEMETRY_STATUS", "report_specifier_id": "meter"}, "TELEMETRY_USAGE"),
    ],
)
def test_an_offer_that_cannot_be_meant_so_is_a_local_mistake(details: dict[str, Any], text: str) -> None:
    here = ven("http://127.0.0.1:1")
    here.add_report(lambda: 1, "boiler", report_specifier_id="meter", r_id="a")
    with pytest.raises(LocalProtocolError, match=text):
        here.add_report(lambda: 1, "boiler", r_id="b", **details)


# --- presence --------------------------------------------------------------------------------------------------------


async def test_a_ven_that_stops_polling_is_offline_and_one_that_polls_again_is_online() -> None:
    told = Told()
    theirs, store = Watch(), MemoryStore()
    there = vtn(requested_poll_freq=timedelta(seconds=1), missed_polls=1, observe=theirs)
    for name in ("on_ven_online", "on_ven_offline"):
        there.add_handler(name, lambda ven_id, name=name: told.note(name, {"ven_id": ven_id}))
    async with there.running():
        watch = Watch()
        async with ven(there.url, store=store, observe=watch).running():
            ven_id = (await watch.sees(Registered)).ven_id
        assert await told.hears("on_ven_offline") == [{"ven_id": ven_id}]
        assert not there.vens[ven_id].online
        async with ven(there.url, store=store).running():
            assert await told.hears("on_ven_online") == [{"ven_id": ven_id}]
            assert there.vens[ven_id].online
    await theirs.sees(VenOffline)


# --- several in one process ------------------------------------------------------------------------------------------


def named_after(vtn_id: str, registration_info: dict[str, Any]) -> tuple[str, str]:
    """Give a VEN an id that tells where it is registered."""
    return f"{registration_info['ven_name']}@{vtn_id}", "reg"


async def test_several_vtns_and_vens_share_nothing() -> None:
    told = Told()
    async with Running() as running:
        vtns = [vtn(f"VTN{number}") for number in range(2)]
        for number, there in enumerate(vtns):
            there.add_handler(
                "on_create_party_registration",
                functools.partial(named_after, f"VTN{number}"),
            )
            await running.start(there)
        watches = {}
        for first in range(2):
            for second in range(2):  # each VEN name at each VTN
                watch = watches[first, second] = Watch()
                here = ven(vtns[second].url, f"VEN{first}", observe=watch)
                here.add_handler("on_event", decide(told, "optIn" if first else "optOut"))
                await running.start(here)
        for (first, second), watch in watches.items():
            registered = await watch.sees(Registered)
            assert (registered.ven_id, registered.vtn_id) == (f"VEN{first}@VTN{second}", f"VTN{second}")
        for second, there in enumerate(vtns):
            assert sorted(there.vens) == [f"VEN0@VTN{second}", f"VEN1@VTN{second}"]
            there.add_event(list(there.vens), "SIMPLE", "level", intervals(1), event_id=f"only-{second}")
        for (first, second), watch in watches.items():
            decided = await watch.sees(EventDecided)
            assert (decided.event_id, decided.opt_type) == (f"only-{second}", "optIn" if first else "optOut")
    assert len(told.of("on_event")) == 4


# --- trouble and restarts --------------------------------------------------------------------------------------------


async def _free_port() -> int:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as listener:
        port: int = listener.extra(anyio.abc.SocketAttribute.local_port)
        return port


async def test_a_vtn_that_comes_later_is_found() -> None:
    there, watch = vtn(http_port=await _free_port()), Watch()
    async with ven(there.url, observe=watch).running():
        await watch.sees(ExchangeSetBack)
        async with there.running():
            await watch.sees(Registered)


async def test_a_vtn_that_starts_again_serves_its_vens_as_if_nothing_had_happened() -> None:
    store, port, watch, told = MemoryStore(), await _free_port(), Watch(), Told()
    first, second_watch = vtn(store=store, http_port=port), Watch()
    here = ven(first.url, observe=watch)
    here.add_handler("on_event", decide(told, "optIn"))
    async with here.running():
        async with first.running():
            await watch.sees(Registered)
            first.add_event(here.ven_id, "SIMPLE", "level", intervals(1), told_of_opt(told), event_id="before")
            await told.hears("opt")
        await watch.sees(ExchangeSetBack, 2)  # it may have been down before the VEN came, and is down again
        second = vtn(store=store, http_port=port, observe=second_watch)
        (record,) = second.vens.values()
        assert (record.ven_id, [str(one.opt_type) for one in record.standings]) == (here.ven_id, ["optIn"])
        async with second.running():
            second.add_event(here.ven_id, "SIMPLE", "level", intervals(2), event_id="after")
            assert (await second_watch.sees(OptReceived)).event_id == "after"
    assert [one["event_descriptor"]["event_id"] for one in told.of("on_event")] == ["before", "after"]
    assert len([one for one in watch.events if isinstance(one, Registered)]) == 1


def told_of_opt(told: Told) -> Any:
    """A callback for opts."""

    async def opted(ven_id: str, event_id: str, opt_type: str) -> None:
        told.note("opt", {"ids": (ven_id, event_id), "opt": opt_type})

    return opted


async def test_a_ven_that_starts_again_goes_on() -> None:
    store, told, theirs = MemoryStore(), Told(), Watch()
    there = vtn(observe=theirs)
    async with there.running():
        for count in range(2):
            watch = Watch()
            here = ven(there.url, store=store, observe=watch)
            here.add_handler("on_event", decide(told, "optIn"))
            async with here.running():
                done = await watch.sees(Registered)
                assert done.again == (count == 1)
                if count == 0:
                    there.add_event(here.ven_id, "SIMPLE", "level", intervals(1))
                    await theirs.sees(OptReceived)
                assert len(there.vens) == 1
    assert len(told.of("on_event")) == 1, "it is not asked twice about the same event"


async def test_a_port_that_is_taken_is_told_and_nothing_has_begun() -> None:
    first = vtn()
    async with first.running():
        second = vtn(http_port=first.port)
        with pytest.raises(OSError, match=r"."):
            await second.run()
        assert second._driver is None


async def test_an_error_of_the_application_leaves_as_it_was_raised() -> None:
    there = vtn()
    with pytest.raises(LookupError, match="mine"):
        async with there.running(), ven(there.url).running():
            raise LookupError("mine")


# --- run, stop and names ---------------------------------------------------------------------------------------------


async def test_both_run_until_they_are_stopped() -> None:
    there, watch = vtn(http_port=await _free_port()), Watch()
    here = ven(there.url, observe=watch)
    await there.stop()  # nothing runs yet
    await here.stop()
    async with anyio.create_task_group() as group:
        group.start_soon(there.run)
        group.start_soon(here.run)
        await watch.sees(Registered)
        await here.stop()
        await there.stop()
    assert here.phase is Startup.OFF


async def test_a_ven_runs_once() -> None:
    here = ven("http://127.0.0.1:1")
    async with here.running():
        pass
    with pytest.raises(LocalProtocolError, match="ran before"):
        async with here.running():
            pass


@pytest.mark.parametrize(
    ("name", "hint"), [("on_evnt", "did you mean 'on_event'"), ("whatever", "there are on_event, on_update_event")]
)
def test_a_handler_that_does_not_exist_is_a_local_mistake_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(LocalProtocolError, match=hint):
        ven("http://127.0.0.1:1").add_handler(name, lambda: None)


def test_a_handler_of_a_vtn_that_does_not_exist_is_a_local_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="did you mean 'on_poll'"):
        vtn().add_handler("on_pol", lambda: None)
    with pytest.raises(LocalProtocolError, match="must be a function"):
        vtn().add_handler("on_poll", "optIn")  # type: ignore[arg-type]


def test_a_vtn_needs_an_id_and_a_ven_a_url() -> None:
    with pytest.raises(LocalProtocolError, match="vtn_id"):
        OpenADRServer("")
    for url in ("vtn.example", "ftp://vtn.example", "https://", ""):
        with pytest.raises(LocalProtocolError, match="URL"):
            OpenADRClient("VEN", url)


@pytest.mark.parametrize(
    ("host", "prefix", "url"),
    [
        ("127.0.0.1", "/OpenADR2/Simple/2.0b", "http://127.0.0.1:8080/OpenADR2/Simple/2.0b"),
        ("::1", "/OpenADR2/Simple/2.0b/", "http://[::1]:8080/OpenADR2/Simple/2.0b"),
        ("localhost", "site/OpenADR2/Simple/2.0b", "http://localhost:8080/site/OpenADR2/Simple/2.0b"),
    ],
)
def test_a_vtn_tells_its_url(host: str, prefix: str, url: str) -> None:
    assert OpenADRServer("VTN", http_host=host, http_path_prefix=prefix).url == url


@pytest.mark.parametrize(
    "place", [{"http_path_prefix": "/site/OpenADR2/Simple/2.0b"}, {"http_path_prefix": ""}, {"http_host": "localhost"}]
)
async def test_a_vtn_is_found_where_it_says(place: dict[str, str]) -> None:
    there, watch = vtn(**place), Watch()
    async with there.running(), ven(there.url + "/", observe=watch).running():
        await watch.sees(Registered)


# --- the same over ASGI, and traces ----------------------------------------------------------------------------------


async def test_what_both_recorded_keeps_the_rules() -> None:
    ours: list[RecordedExchange] = []
    theirs: list[RecordedExchange] = []
    there, watch, told = vtn(trace=theirs.append), Watch(), Told()
    async with there.running():
        here = ven(there.url, observe=watch, trace=ours.append)
        here.add_handler("on_event", decide(told, "optIn"))
        async with here.running():
            await watch.sees(Registered)
            there.add_event(here.ven_id, "SIMPLE", "level", intervals(1))
            await watch.sees(EventDecided)
            await until(lambda: "oadrPoll>" in ours[-1].request)
    said = "".join(one.request for one in ours)
    for name in ("QueryRegistration", "CreatePartyRegistration", "RegisterReport", "RequestEvent", "Poll"):
        assert f"oadr{name}>" in said
    assert [one.request for one in theirs][: len(ours)] == [one.request for one in ours]
    for recorded in (ours, theirs):
        assert check_trace(recorded).findings == ()
