"""A check of drivers: what a VTN and its VENs have to get through, whatever carries their messages.

Each scenario takes a :class:`~oadr_core.testing.Harness`, runs a VTN and VENs in it, and asserts what must have come of
that at both ends. It is a coroutine function that awaits nothing but the harness, so it runs in any event loop.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeAlias

from oadr_core.auto.ven import AutoVen, VenPolicy
from oadr_core.auto.vtn import AutoVtn, VtnPolicy
from oadr_core.build import data_point, make_event, make_offer, make_opt
from oadr_core.clock import Now
from oadr_core.codes import ResponseCode
from oadr_core.errors import RemoteProtocolError
from oadr_core.handlers import VEN_HANDLERS, VTN_HANDLERS, Handlers
from oadr_core.machines.exchange import Failure
from oadr_core.machines.startup import Startup
from oadr_core.messages import (
    CreatedEvent,
    CreatedPartyRegistration,
    EiEvent,
    EiResponse,
    EventResponse,
    OptType,
    Payload,
    ReportRequest,
    ReportSpecifier,
    RequestEvent,
    Response,
    Service,
    SpecifierPayload,
)
from oadr_core.outputs import ExchangeId
from oadr_core.seal import PlainSealer
from oadr_core.sender import SenderConfig
from oadr_core.testing.harness import Driven, Harness
from oadr_core.ven import VenConfig
from oadr_core.vtn import VtnConfig
from oadr_core.wire.envelope import decode, encode

Scenario: TypeAlias = Callable[[Harness], Awaitable[None]]
"""Something that a VTN and its VENs have to get through; raises AssertionError if they do not."""

_VTN_ID: Final = "vtn-under-check"
_SOON: Final = 0.05
"""Seconds between polls, and before a first retry: a check should not take long."""
_HOUR: Final = timedelta(hours=1)
_METER: Final = "meter"


class _Stage:
    """A VTN, its VENs, and all that their applications have heard."""

    def __init__(self, harness: Harness) -> None:
        self.harness: Final = harness
        self.heard: Final[list[tuple[str, str, Any]]] = []
        """Who heard it, from which handler, and what it was."""
        self.vtn: Driven[AutoVtn]
        self.vens: Final[dict[str, Driven[AutoVen]]] = {}

    # --- the cast ----------------------------------------------------------------------------------------------------

    async def opens(self, *vens: str, cls: type[AutoVen] = AutoVen, **handlers: Callable[..., object]) -> None:
        """Run a VTN, and VENs until all that they do by themselves is done."""
        self.vtn = await self.harness.vtn(self._new_vtn)
        for name in vens:
            self.vens[name] = await self.harness.ven(name, self._new_ven(name, cls, handlers))
        await self.harness.until(lambda: all(one.core.phase is Startup.RUNNING for one in self.vens.values()))

    def _new_vtn(self, saved: Mapping[str, bytes], now: Now) -> AutoVtn:
        def created_event(ven_id: str, event_id: str, opt_type: object) -> None:
            self.heard.append((_VTN_ID, "on_created_event", (ven_id, event_id, opt_type)))

        def update_report(ven_id: str, report: object) -> None:
            self.heard.append((_VTN_ID, "on_update_report", (ven_id, report)))

        handlers = Handlers(VTN_HANDLERS)
        handlers.add("on_created_event", created_event)
        handlers.add("on_update_report", update_report)
        config = VtnConfig(vtn_id=_VTN_ID, transports=(self.harness.transport,), answer_timeout=timedelta(seconds=2))
        core = AutoVtn(
            config,
            VtnPolicy(),
            sealer=PlainSealer(),
            entropy=self.harness.entropy,
            handlers=handlers,
            saved=saved,
            push=SenderConfig(first_wait=_SOON, longest_wait=4 * _SOON),
        )
        core.start(now)
        return core

    def _new_ven(
        self, name: str, cls: type[AutoVen], more: Mapping[str, Callable[..., object]]
    ) -> Callable[[Mapping[str, bytes], Now], AutoVen]:
        def event(event: Mapping[str, Any]) -> OptType:
            self.heard.append((name, "on_event", event["event_descriptor"]["event_id"]))
            return OptType.OPT_IN

        def event_status(event_id: str, status: str) -> None:
            self.heard.append((name, "on_event_status", (event_id, status)))

        def build(saved: Mapping[str, bytes], now: Now) -> AutoVen:
            handlers = Handlers(VEN_HANDLERS)
            usual: dict[str, Callable[..., object]] = {"on_event": event, "on_event_status": event_status}
            for handler, function in {**usual, **more}.items():
                handlers.add(handler, function)
            config = VenConfig(
                ven_name=name,
                transport=self.harness.transport,
                pull=self.harness.pull,
                call_timeout=1.0,
                sender=SenderConfig(first_wait=_SOON, longest_wait=4 * _SOON),
            )
            policy = VenPolicy(poll_interval=_SOON, shortest_poll_interval=_SOON, registration_pause=_SOON)
            entropy = self.harness.entropy
            core = cls(config, policy, sealer=PlainSealer(), entropy=entropy, handlers=handlers, saved=saved)
            core.start(now)
            return core

        return build

    # --- what they do ------------------------------------------------------------------------------------------------

    def ven_id(self, name: str) -> str:
        """The id that a VEN has."""
        return self.vens[name].core.ven.state.ven_id

    async def adds_event(self, event_id: str, *vens: str, begin: timedelta = timedelta(0)) -> None:
        """Have the VTN make an event for some VENs."""

        def add(core: AutoVtn, now: Now) -> None:
            event = self._event(event_id, now.utc + begin, 1.0, now)
            core.vtn.add_event(event, [self.ven_id(name) for name in vens], now)

        await self.vtn.do(add)

    async def modifies_event(self, event_id: str) -> int:
        """Have the VTN ask for more; returns the number of the modification."""

        def modify(core: AutoVtn, now: Now) -> int:
            begin = core.vtn.events[event_id].event.active_period.dtstart
            return core.vtn.modify_event(self._event(event_id, begin, 2.0, now), now)

        return await self.vtn.do(modify)

    def _event(self, event_id: str, begin: datetime, level: float, now: Now) -> EiEvent:
        return make_event(
            self.harness.entropy,
            now.utc,
            event_id=event_id,
            signal_name="SIMPLE",
            signal_type="level",
            intervals=[{"duration": timedelta(minutes=30), "signal_payload": level}],
            dtstart=begin,
        )

    async def answered(self, event_id: str, *names: str, modification: int = 0) -> None:
        """Wait until the VTN knows that VENs have agreed to a modification of an event."""
        for name in names:
            await self.harness.until(partial(self._answer, event_id, name, modification))
            answer = self._answer(event_id, name, modification)
            assert answer is OptType.OPT_IN, f"{name} has answered {answer}"

    def _answer(self, event_id: str, name: str, modification: int) -> OptType | None:
        """What a VEN has answered to a modification of an event."""
        record = self.vtn.core.vtn.vens.get(self.ven_id(name))
        standings = () if record is None else record.standings
        asked = (event_id, modification)
        return next((one.opt_type for one in standings if (one.event_id, one.modification_number) == asked), None)

    def of(self, whom: str, handler: str) -> list[Any]:
        """What somebody's handler was told."""
        return [what for who, called, what in self.heard if (who, called) == (whom, handler)]


class _Listening(AutoVen):
    """A VEN that remembers what it was answered."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.heard: Final[list[type[Payload]]] = []

    def receive_response(self, exchange: ExchangeId, body: bytes, *, now: Now) -> None:
        """Take an answer."""
        if body:
            self.heard.append(type(decode(body)))
        super().receive_response(exchange, body, now=now)


# --- registration ----------------------------------------------------------------------------------------------------


async def a_ven_registers(harness: Harness) -> None:
    """Both sides agree on the ids, and on how the VEN is reached."""
    stage = _Stage(harness)
    await stage.opens("mill", "bakery")
    vens = stage.vtn.core.vtn.vens
    assert {one.ven_name for one in vens.values()} == {"mill", "bakery"}
    for name, ven in stage.vens.items():
        state, record = ven.core.ven.state, vens[stage.ven_id(name)]
        assert state.registered
        assert (record.registration_id, record.ven_name) == (state.registration_id, name)
        assert (record.transport, record.pull) == (harness.transport, harness.pull)
        assert record.pull or record.address, "the VTN has no way to the VEN"


async def a_ven_registers_again_when_it_is_asked_to(harness: Harness) -> None:
    """It keeps its ids, and its events."""
    stage = _Stage(harness)
    await stage.opens("mill", cls=_Listening)
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")
    ven_id, core = stage.ven_id("mill"), stage.vens["mill"].core
    assert isinstance(core, _Listening)
    await stage.vtn.do(lambda core, now: core.vtn.request_reregistration(ven_id, now))
    await harness.until(lambda: core.heard.count(CreatedPartyRegistration) > 1 and core.phase is Startup.RUNNING)
    assert stage.ven_id("mill") == ven_id
    assert list(stage.vtn.core.vtn.vens) == [ven_id]
    await stage.adds_event("again", "mill", begin=_HOUR)
    await stage.answered("again", "mill")


async def a_ven_leaves(harness: Harness) -> None:
    """A VEN that ends its registration is not known any more."""
    stage = _Stage(harness)
    await stage.opens("mill", "bakery")
    leaver = stage.ven_id("mill")
    await stage.vens["mill"].do(lambda core, now: core.cancel_party_registration(now))
    await harness.until(lambda: not stage.vens["mill"].core.ven.state.registered)
    assert list(stage.vtn.core.vtn.vens) == [stage.ven_id("bakery")]
    assert leaver != stage.ven_id("bakery")


async def a_vtn_sends_a_ven_away(harness: Harness) -> None:
    """A VEN whose registration the VTN ends registers anew, as a stranger."""
    stage = _Stage(harness)
    await stage.opens("mill")
    state = stage.vens["mill"].core.ven.state
    await stage.vtn.do(lambda core, now: core.vtn.cancel_party_registration(state.ven_id, now))
    core = stage.vens["mill"].core
    await harness.until(lambda: core.ven.state.registration_id not in ("", state.registration_id))
    await harness.until(lambda: core.phase is Startup.RUNNING)
    assert list(stage.vtn.core.vtn.vens) == [stage.ven_id("mill")]


# --- events ----------------------------------------------------------------------------------------------------------


async def an_event_is_answered(harness: Harness) -> None:
    """Each VEN gets its events and no others, and is asked once."""
    stage = _Stage(harness)
    await stage.opens("mill", "bakery")
    await stage.adds_event("for-both", "mill", "bakery")
    await stage.adds_event("for-one", "bakery", begin=_HOUR)
    await stage.answered("for-both", "mill", "bakery")
    await stage.answered("for-one", "bakery")
    assert stage.of("mill", "on_event") == ["for-both"]
    assert sorted(stage.of("bakery", "on_event")) == ["for-both", "for-one"]
    await harness.until(lambda: len(stage.of(_VTN_ID, "on_created_event")) >= 3)
    assert len(stage.of(_VTN_ID, "on_created_event")) == 3


async def an_event_is_modified(harness: Harness) -> None:
    """The new form is answered as well."""
    stage = _Stage(harness)
    await stage.opens("mill")
    await stage.adds_event("shed", "mill", begin=_HOUR)
    await stage.answered("shed", "mill")
    assert await stage.modifies_event("shed") == 1
    await stage.answered("shed", "mill", modification=1)
    (known,) = stage.vens["mill"].core.ven.state.events
    assert known.event.event_descriptor.modification_number == 1


async def an_event_is_cancelled(harness: Harness) -> None:
    """The VEN is told, says that it knows, and its application hears that the event is over."""
    stage = _Stage(harness)
    await stage.opens("mill")
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")
    await harness.until(lambda: ("shed", "active") in stage.of("mill", "on_event_status"))
    await stage.vtn.do(lambda core, now: core.vtn.cancel_event("shed", now))
    await stage.answered("shed", "mill", modification=1)
    await harness.until(lambda: ("shed", "cancelled") in stage.of("mill", "on_event_status"))


async def many_vens_answer_at_once(harness: Harness) -> None:
    """An event for many is answered by each of them."""
    stage, names = _Stage(harness), [f"ven-{number}" for number in range(8)]
    await stage.opens(*names)
    await stage.adds_event("shed", *names)
    await stage.answered("shed", *names)
    assert len({stage.ven_id(name) for name in names}) == len(names)


# --- handlers --------------------------------------------------------------------------------------------------------


async def a_handler_may_be_a_coroutine_function(harness: Harness) -> None:
    """It is awaited, and what it returns counts."""

    async def on_event() -> OptType:
        return OptType.OPT_IN

    stage = _Stage(harness)
    await stage.opens("mill", on_event=on_event)
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")


async def a_handler_that_fails_disturbs_nothing_else(harness: Harness) -> None:
    """The event that it was asked about is refused, and the next one is answered."""
    asked: list[str] = []

    def on_event(event: Mapping[str, Any]) -> OptType:
        asked.append(event["event_descriptor"]["event_id"])
        if asked[-1] == "bad":
            raise LookupError("this fails on purpose")
        return OptType.OPT_IN

    stage = _Stage(harness)
    await stage.opens("mill", on_event=on_event)
    await stage.adds_event("bad", "mill")
    await harness.until(lambda: stage.of(_VTN_ID, "on_created_event"))
    ((_, event_id, opt_type),) = stage.of(_VTN_ID, "on_created_event")
    assert (event_id, opt_type) == ("bad", OptType.OPT_OUT)
    await stage.adds_event("good", "mill", begin=_HOUR)
    await stage.answered("good", "mill")


# --- reports and opts ------------------------------------------------------------------------------------------------


async def a_report_is_asked_for_and_delivered(harness: Harness) -> None:
    """The VTN learns of the offer, asks for it once, and gets what the data point shows."""
    stage = _Stage(harness)
    await stage.opens("mill")

    def offer(core: AutoVen, now: Now) -> None:
        point = data_point(lambda: 21.5, r_id="load", sampling_rate=timedelta(seconds=1))
        core.offer(make_offer(_METER, [point], now.utc), {"load": point}, now)

    await stage.vens["mill"].do(offer)
    ven_id = stage.ven_id("mill")
    await harness.until(lambda: stage.vtn.core.vtn.vens[ven_id].offers)
    specifier = ReportSpecifier(
        report_specifier_id=_METER,
        granularity=timedelta(0),
        report_back_duration=timedelta(0),
        specifier_payloads=(SpecifierPayload(r_id="load"),),
    )
    request = ReportRequest(report_request_id="once", report_specifier=specifier)
    await stage.vtn.do(lambda core, now: core.vtn.create_report(ven_id, [request], now))
    await harness.until(lambda: stage.of(_VTN_ID, "on_update_report"))
    sender, report = stage.of(_VTN_ID, "on_update_report")[0]
    assert (sender, report["report_request_id"]) == (ven_id, "once")
    assert report["intervals"][0]["report_payload"]["value"] == 21.5


async def a_ven_says_when_it_is_not_available(harness: Harness) -> None:
    """The VTN keeps that, until the VEN takes it back."""
    stage = _Stage(harness)
    await stage.opens("mill")
    ven_id = stage.ven_id("mill")

    def opt_out(core: AutoVen, now: Now) -> str:
        schedule = [{"dtstart": now.utc + _HOUR, "duration": _HOUR}]
        opt = make_opt(harness.entropy, now.utc, opt_type="optOut", opt_reason="x-maintenance", vavailability=schedule)
        return core.create_opt(opt, now)

    opt_id = await stage.vens["mill"].do(opt_out)
    await harness.until(lambda: stage.vtn.core.vtn.vens[ven_id].opts.schedules)
    (schedule,) = stage.vtn.core.vtn.vens[ven_id].opts.schedules
    assert schedule.opt.opt_id == opt_id
    await harness.until(lambda: not stage.vens["mill"].core.ven.state.unanswered_opts)
    await stage.vens["mill"].do(lambda core, now: core.cancel_opt(opt_id, now))
    await harness.until(lambda: not stage.vtn.core.vtn.vens[ven_id].opts.schedules)


# --- restarts --------------------------------------------------------------------------------------------------------


async def a_vtn_starts_again(harness: Harness) -> None:
    """It knows its VENs and its events, and VENs go on with it."""
    stage = _Stage(harness)
    await stage.opens("mill", "bakery")
    await stage.adds_event("before", "mill")
    await stage.answered("before", "mill")
    known = dict(stage.vtn.core.vtn.vens)
    await stage.vtn.restart()
    assert {key: one.registration_id for key, one in stage.vtn.core.vtn.vens.items()} == {
        key: one.registration_id for key, one in known.items()
    }
    await stage.answered("before", "mill")
    await stage.adds_event("after", "mill", "bakery", begin=_HOUR)
    await stage.answered("after", "mill", "bakery")
    assert stage.of("mill", "on_event") == ["before", "after"], "no application is asked again"


async def a_ven_starts_again(harness: Harness) -> None:
    """It is the same VEN, and its application is not asked again about what it has answered."""
    stage = _Stage(harness)
    await stage.opens("mill")
    await stage.adds_event("before", "mill")
    await stage.answered("before", "mill")
    ven_id = stage.ven_id("mill")
    await stage.vens["mill"].restart()
    await harness.until(lambda: stage.vens["mill"].core.phase is Startup.RUNNING)
    assert list(stage.vtn.core.vtn.vens) == [ven_id] == [stage.ven_id("mill")]
    await stage.adds_event("after", "mill", begin=_HOUR)
    await stage.answered("after", "mill")
    assert stage.of("mill", "on_event") == ["before", "after"]


# --- what goes wrong -------------------------------------------------------------------------------------------------


class _HardOfHearing(AutoVen):
    """A VEN that does not hear the first two answers of some kinds."""

    deaf_to: Final = (CreatedPartyRegistration, Response)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.missed: Final[list[type[Payload]]] = []

    def receive_response(self, exchange: ExchangeId, body: bytes, *, now: Now) -> None:
        """Take an answer, or miss it."""
        kind = type(decode(body)) if body else None
        if kind in self.deaf_to and self.missed.count(kind) < 2:
            self.missed.append(kind)
            self.exchange_failed(exchange, Failure.BROKEN, now=now)
        else:
            super().receive_response(exchange, body, now=now)


async def answers_are_lost(harness: Harness) -> None:
    """What was answered and not heard is asked again, and has happened once."""
    stage = _Stage(harness)
    await stage.opens("mill", cls=_HardOfHearing)
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")
    core = stage.vens["mill"].core
    assert isinstance(core, _HardOfHearing)
    await harness.until(lambda: len(core.missed) == 2 * len(core.deaf_to))
    await stage.adds_event("later", "mill", begin=_HOUR)
    await stage.answered("later", "mill")
    assert list(stage.vtn.core.vtn.vens) == [stage.ven_id("mill")]
    assert stage.of("mill", "on_event") == ["shed", "later"]
    await harness.until(lambda: len(stage.of(_VTN_ID, "on_created_event")) >= 2)
    assert len(stage.of(_VTN_ID, "on_created_event")) == 2, "an answer that is repeated is no new one"


async def a_request_is_too_large(harness: Harness) -> None:
    """It is refused, and nobody else notices."""
    if harness.limit is None:
        return
    stage = _Stage(harness)
    await stage.opens("mill")
    body = encode(RequestEvent(request_id="r" * harness.limit, ven_id=stage.ven_id("mill")))
    assert isinstance(await harness.say(Service.EI_EVENT, body), Failure)
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")


async def a_request_is_malformed(harness: Harness) -> None:
    """It is refused by the transport, or answered with an error; and nobody else notices."""
    stage = _Stage(harness)
    await stage.opens("mill")
    whole = encode(RequestEvent(request_id="1", ven_id=stage.ven_id("mill")))
    for body in (whole.replace(b"requestID>", b"requestId>"), whole.replace(b"oadrSignedObject", b"oadrOther")):
        assert body != whole
        assert _is_refused(await harness.say(Service.EI_EVENT, body))
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")


async def a_peer_is_unknown(harness: Harness) -> None:
    """Who has not registered gets nothing, and changes nothing."""
    stage = _Stage(harness)
    await stage.opens("mill")
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")
    known = dict(stage.vtn.core.vtn.vens)
    opt = EventResponse(event_id="shed", modification_number=0, opt_type=OptType.OPT_OUT, request_id="1")
    answer = CreatedEvent(response=EiResponse(), ven_id="nobody", event_responses=(opt,))
    for message in (RequestEvent(request_id="1", ven_id="nobody"), answer):
        assert _is_refused(await harness.say(Service.EI_EVENT, encode(message)))
    assert {key: one.standings for key, one in stage.vtn.core.vtn.vens.items()} == {
        key: one.standings for key, one in known.items()
    }


def _is_refused(answer: bytes | Failure) -> bool:
    """Whether a request was refused, in whichever way."""
    if isinstance(answer, Failure):
        return True
    try:
        message = decode(answer)
    except RemoteProtocolError:
        return False
    response = getattr(message, "response", None)
    return response is not None and response.response_code != ResponseCode.OK


DRIVER_CHECK: Final[tuple[Scenario, ...]] = (
    a_ven_registers,
    a_ven_registers_again_when_it_is_asked_to,
    a_ven_leaves,
    a_vtn_sends_a_ven_away,
    an_event_is_answered,
    an_event_is_modified,
    an_event_is_cancelled,
    many_vens_answer_at_once,
    a_handler_may_be_a_coroutine_function,
    a_handler_that_fails_disturbs_nothing_else,
    a_report_is_asked_for_and_delivered,
    a_ven_says_when_it_is_not_available,
    a_vtn_starts_again,
    a_ven_starts_again,
    answers_are_lost,
    a_request_is_too_large,
    a_request_is_malformed,
    a_peer_is_unknown,
)
"""Every scenario. A driver passes if none of them raises, each in a harness of its own."""
