"""Driving a core: outputs in order, nothing before what it depends on is durable, and nothing left at the end."""

import functools
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from oadr_core import (
    Address,
    Call,
    CallId,
    Deadline,
    Event,
    ExchangeId,
    Failure,
    InboundId,
    LocalProtocolError,
    Now,
    Output,
    Peer,
    PlainSealer,
    Poll,
    ProfileName,
    RecordedExchange,
    Reply,
    Response,
    Role,
    Save,
    Service,
    Transmit,
    VenOnline,
)
from oadr_core.messages import EiResponse
from oadr_driver.clock import system_now
from oadr_driver.recorder import Recorder
from oadr_http import Driver, ExchangeFailed, MemoryStore

pytestmark = pytest.mark.anyio

_PEER: Final = Peer("simpleHttp", None, "127.0.0.1:7")
_ANSWER: Final = Response(response=EiResponse(), ven_id="V")


class Script:
    """A core that puts out what a test says, and writes down what it is told."""

    def __init__(self, *outputs: Output) -> None:
        self.outputs: deque[Output] = deque(outputs)
        self.heard: list[tuple[Any, ...]] = []
        self.deadline: Deadline | None = None
        self.at_request: Callable[[InboundId], Sequence[Output]] = lambda _: ()
        self.at_timeout: Callable[[], Sequence[Output]] = lambda: ()
        self.told = anyio.Event()
        self._inbound = 0

    def _hear(self, *what: object) -> None:
        self.heard.append(what)
        self.told.set()
        self.told = anyio.Event()

    async def hears(self, count: int = 1) -> list[tuple[Any, ...]]:
        """Wait until it was told so many things."""
        while len(self.heard) < count:
            await self.told.wait()
        return self.heard

    def receive_request(
        self,
        body: bytes,
        *,
        peer: Peer,
        service: Service | None,
        now: Now,
        profile: ProfileName = ProfileName.V20B,
    ) -> InboundId:
        self._inbound += 1
        inbound = InboundId(self._inbound)
        self.outputs += self.at_request(inbound)
        self._hear("request", body)
        return inbound

    def receive_response(self, exchange: ExchangeId, body: bytes, *, now: Now) -> None:
        self._hear("response", exchange, body)

    def exchange_failed(self, exchange: ExchangeId, why: Failure, *, now: Now) -> None:
        self._hear("failed", exchange, why)

    def call_returned(self, call: CallId, value: object, *, now: Now) -> None:
        self._hear("returned", call, value)

    def call_raised(self, call: CallId, error: BaseException, *, now: Now) -> None:
        self._hear("raised", call, type(error))

    def handle_timeout(self, now: Now) -> None:
        self.deadline = None
        self.outputs += self.at_timeout()
        self._hear("timeout")

    def next_output(self, now: Now) -> Output | None:
        return self.outputs.popleft() if self.outputs else None

    def next_timeout(self) -> Deadline | None:
        return self.deadline


class Carrier:
    """Carries requests to nobody."""

    def __init__(self, answer: bytes | Exception = b"<a/>") -> None:
        self.answer = answer
        self.sent: list[ExchangeId] = []

    async def exchange(self, transmit: Transmit, body: bytes) -> bytes:
        self.sent.append(transmit.exchange)
        await anyio.lowlevel.checkpoint()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class SlowStore(MemoryStore):
    """Storage that takes as long as a test wants.

    :ivar asked: set when it is asked to save.
    :ivar ready: it saves when this is set.
    :ivar errors: what it raises first.
    """

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.asked = anyio.Event()
        self.ready = anyio.Event()
        self.errors = list(errors)
        self.writes: list[Sequence[tuple[str, bytes | None]]] = []

    async def save(self, changes: Sequence[tuple[str, bytes | None]]) -> None:
        self.asked.set()
        if self.errors:
            raise self.errors.pop(0)
        await self.ready.wait()
        self.writes.append(changes)
        await super().save(changes)


def _transmit(number: int = 1) -> Transmit:
    to = Address("simpleHttp", "")
    return Transmit(ExchangeId(number), to, Service.OADR_POLL, Poll(ven_id="V"), 20.0, PlainSealer())


def _reply(inbound: InboundId, refusal: Failure | None = None) -> Reply:
    return Reply(inbound, None if refusal else _ANSWER, refusal, PlainSealer())


def _call(function: Callable[..., object], arguments: Mapping[str, object] | None = None, within: float = 20.0) -> Call:
    deadline = Deadline(system_now().mono + within, "a handler")
    return Call(CallId(1), "on_event", arguments or {}, deadline, function)


def _event(name: str) -> Event:
    return VenOnline(ven_id=name)


# --- saving comes first ----------------------------------------------------------------------------------------------


async def test_nothing_leaves_before_what_it_depends_on_is_durable() -> None:
    store, carrier, seen = SlowStore(), Carrier(), list[Event]()
    called: list[int] = []
    core = Script(
        _event("before"), Save("k", b"1"), _transmit(), _event("after"), _call(functools.partial(called.append, 1))
    )
    core.at_request = lambda inbound: [_reply(inbound)]
    driver = Driver(core, carrier=carrier, store=store, observe=seen.append)
    async with driver.running(), anyio.create_task_group() as group:
        await store.asked.wait()
        group.start_soon(driver.receive, b"<m/>", _PEER, None)
        await core.hears(1)
        assert (carrier.sent, seen, called) == ([], [_event("before")], [])
        assert core.heard == [("request", b"<m/>")]
        store.ready.set()
        heard = await core.hears(3)
        assert store.load() == {"k": b"1"}
        assert ("response", 1, b"<a/>") in heard
        assert (carrier.sent, seen, called) == ([1], [_event("before"), _event("after")], [1])


async def test_a_reply_behind_a_save_waits_for_it() -> None:
    store, core = SlowStore(), Script()
    core.at_request = lambda inbound: [Save("k", b"1"), _reply(inbound)]
    driver = Driver(core, store=store)
    answers: list[object] = []

    async def ask() -> None:
        answers.append(await driver.receive(b"<m/>", _PEER, None))

    async with driver.running(), anyio.create_task_group() as group:
        group.start_soon(ask)
        await store.asked.wait()
        assert answers == []
        store.ready.set()
    assert answers
    assert store.load() == {"k": b"1"}


async def test_what_is_to_be_saved_meanwhile_goes_into_one_write() -> None:
    store, core = SlowStore(), Script()
    core.at_request = lambda inbound: [Save(f"k{inbound}", b"1"), Save("k", b"%d" % inbound), _reply(inbound)]
    driver = Driver(core, store=store)
    async with driver.running(), anyio.create_task_group() as group:
        group.start_soon(driver.receive, b"", _PEER, None)
        await store.asked.wait()
        for _ in range(3):
            group.start_soon(driver.receive, b"", _PEER, None)
        await core.hears(4)
        store.ready.set()
    assert [len(one) for one in store.writes] == [2, 6]
    assert store.load() == {"k1": b"1", "k2": b"1", "k3": b"1", "k4": b"1", "k": b"4"}


async def test_a_store_that_fails_is_tried_until_it_works(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oadr_driver.driver._STORE_PAUSE", 0.0)
    store, carrier = SlowStore(OSError("the disk is full"), OSError("still")), Carrier()
    store.ready.set()
    core = Script(Save("k", b"1"), _transmit())
    async with Driver(core, carrier=carrier, store=store).running():
        await core.hears()
    assert core.heard == [("response", 1, b"<a/>")]
    assert store.load() == {"k": b"1"}
    assert "the disk is full" in caplog.text


async def test_any_other_error_of_the_store_ends_the_driver_as_it_was_raised() -> None:
    core, store = Script(Save("k", b"1"), _transmit()), SlowStore(KeyError("a mistake"))
    store.ready.set()
    carrier = Carrier()
    with pytest.raises(KeyError, match="a mistake"):
        async with Driver(core, carrier=carrier, store=store).running():
            await anyio.sleep_forever()
    assert carrier.sent == []


async def test_timers_run_while_the_store_is_busy() -> None:
    store, core = SlowStore(), Script()
    store.ready.set()
    rounds = 0

    async def again(changes: object) -> None:
        nonlocal rounds
        rounds += 1
        core.outputs.append(Save("k", b"%d" % rounds))  # there is always something to save
        if rounds == 5:
            core.deadline = Deadline(system_now().mono, "due")
        await anyio.lowlevel.checkpoint()

    store.save = again  # type: ignore[method-assign]
    core.outputs.append(Save("k", b"0"))
    async with Driver(core, store=store).running():
        assert await core.hears() == [("timeout",)]
        core.outputs.clear()


async def test_without_a_store_nothing_waits() -> None:
    core, carrier = Script(Save("k", b"1"), _transmit()), Carrier()
    async with Driver(core, carrier=carrier).running():
        assert await core.hears() == [("response", 1, b"<a/>")]


# --- exchanges and timers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", [Failure.SILENCE, Failure.UNREACHABLE])
async def test_a_failed_exchange_is_told_with_its_reason(why: Failure) -> None:
    core = Script(_transmit())
    async with Driver(core, carrier=Carrier(ExchangeFailed(why))).running():
        assert await core.hears() == [("failed", 1, why)]


async def test_a_carrier_that_fails_in_a_way_of_its_own_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    core = Script(_transmit())
    async with Driver(core, carrier=Carrier(ZeroDivisionError("odd"))).running():
        assert await core.hears() == [("failed", 1, Failure.BROKEN)]
    assert "odd" in caplog.text


async def test_a_message_that_cannot_be_made_is_not_acceptable() -> None:
    class Refusing(PlainSealer):
        def seal(self, message: object, now: Now) -> bytes:
            raise LocalProtocolError("no")

    core = Script(Transmit(ExchangeId(1), Address("simpleHttp"), Service.OADR_POLL, Poll(ven_id="V"), 20.0, Refusing()))
    carrier = Carrier()
    async with Driver(core, carrier=carrier).running():
        assert await core.hears() == [("failed", 1, Failure.NOT_ACCEPTABLE)]
    assert carrier.sent == []


async def test_the_core_is_woken_when_it_wants_to_be() -> None:
    core = Script()
    core.deadline = Deadline(system_now().mono + 0.01, "soon")
    async with Driver(core).running():
        assert await core.hears() == [("timeout",)]


async def test_a_deadline_that_an_input_brings_forward_is_kept() -> None:
    core = Script()
    core.deadline = Deadline(system_now().mono + 1000, "late")

    def at_request(inbound: InboundId) -> Sequence[Output]:
        core.deadline = Deadline(system_now().mono, "now")
        return [_reply(inbound)]

    core.at_request = at_request
    driver = Driver(core)
    async with driver.running():
        await driver.receive(b"<m/>", _PEER, None)
        assert await core.hears(2) == [("request", b"<m/>"), ("timeout",)]


async def test_both_clocks_come_from_where_the_driver_is_told() -> None:
    times: list[Now] = []
    core = Script()

    def at_request(inbound: InboundId) -> Sequence[Output]:
        return [_reply(inbound)]

    core.at_request = at_request
    fixed = Now(1000.0, datetime(2030, 1, 1, tzinfo=UTC))
    receive = core.receive_request
    core.receive_request = lambda body, **told: times.append(told["now"]) or receive(body, **told)  # type: ignore
    driver = Driver(core, now=lambda: fixed)
    async with driver.running():
        await driver.receive(b"", _PEER, None)
    assert times == [fixed]


# --- requests of peers -----------------------------------------------------------------------------------------------


async def test_a_request_gets_its_own_reply() -> None:
    core = Script()
    core.at_request = lambda inbound: [_reply(inbound, Failure.FORBIDDEN if inbound % 2 else None)]
    driver = Driver(core)
    async with driver.running():
        assert await driver.receive(b"", _PEER, None) == (Failure.FORBIDDEN, b"")
        refusal, body = await driver.receive(b"", _PEER, None)
    assert refusal is None
    assert b"oadrResponse" in body


async def test_a_reply_may_come_much_later_and_once() -> None:
    core = Script()
    driver = Driver(core)
    answers: list[object] = []

    async def ask() -> None:
        answers.append(await driver.receive(b"", _PEER, None))

    async with driver.running(), anyio.create_task_group() as group:
        group.start_soon(ask)
        await core.hears()
        core.outputs += [_reply(InboundId(9)), _reply(InboundId(1)), _reply(InboundId(1), Failure.BUSY)]
        driver.pump()
    assert len(answers) == 1
    assert driver._replies == {}
    assert driver._waiting == {}


async def test_a_peer_that_no_longer_waits_leaves_nothing_behind() -> None:
    core = Script()
    driver = Driver(core)
    async with driver.running():
        async with anyio.create_task_group() as group:
            group.start_soon(driver.receive, b"", _PEER, None)
            await core.hears()
            group.cancel_scope.cancel()
        assert (driver._replies, driver._waiting) == ({}, {})
        core.outputs.append(_reply(InboundId(1)))
        driver.pump()
        assert (driver._replies, driver._waiting) == ({}, {})


async def test_a_driver_that_does_not_run_is_busy() -> None:
    core = Script()
    driver = Driver(core)
    assert await driver.receive(b"", _PEER, None) == (Failure.BUSY, b"")
    async with driver.running():
        pass
    assert await driver.receive(b"", _PEER, None) == (Failure.BUSY, b"")
    assert core.heard == []


async def test_a_request_that_waits_when_the_driver_ends_is_let_go() -> None:
    core, driver, answers = Script(), None, list[object]()
    driver = Driver(core)

    async def ask() -> None:
        answers.append(await driver.receive(b"", _PEER, None))

    async with anyio.create_task_group() as group, driver.running():
        group.start_soon(ask)
        await core.hears()
    assert answers == [(Failure.BUSY, b"")]


# --- handlers --------------------------------------------------------------------------------------------------------


async def test_a_plain_handler_runs_in_a_thread_and_a_coroutine_in_place() -> None:
    threads: list[int] = []

    def plain(event: str) -> str:
        threads.append(threading.get_ident())
        return event.upper()

    async def coroutine(event: str) -> str:
        threads.append(threading.get_ident())
        return event.upper()

    class Callable_:  # noqa: N801
        async def __call__(self, event: str) -> str:
            return await coroutine(event)

    core = Script(
        *(_call(one, {"event": "e"}) for one in (plain, coroutine, Callable_(), functools.partial(coroutine)))
    )
    async with Driver(core).running():
        heard = await core.hears(4)
    assert heard == [("returned", 1, "E")] * 4
    assert threads.count(threading.get_ident()) == 3


async def test_what_a_plain_handler_returns_may_be_awaited() -> None:
    async def later() -> str:
        return "E"

    core = Script(_call(lambda: later()))
    async with Driver(core).running():
        assert await core.hears() == [("returned", 1, "E")]


async def test_a_handler_that_blocks_stalls_nobody() -> None:
    go = threading.Event()
    core, carrier = Script(_call(go.wait), _transmit()), Carrier()
    core.at_request = lambda inbound: [_reply(inbound)]
    driver = Driver(core, carrier=carrier)
    async with driver.running():
        try:
            assert (await driver.receive(b"<m/>", _PEER, None))[0] is None
            assert len(await core.hears(2)) == 2
            assert ("response", 1, b"<a/>") in core.heard
        finally:
            go.set()
        assert ("returned", 1, True) in await core.hears(3)


async def test_no_more_plain_handlers_run_at_once_than_allowed() -> None:
    go, lock = threading.Event(), threading.Lock()
    running = [0, 0]

    def count() -> None:
        with lock:
            running[0] += 1
            running[1] = max(running)
        go.wait()
        with lock:
            running[0] -= 1

    core = Script(*(_call(count) for _ in range(10)))
    async with Driver(core, threads=2).running():
        await anyio.to_thread.run_sync(lambda: None)
        go.set()
        await core.hears(10)
    assert running[1] <= 2


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
async def test_a_handler_that_raises_ends_nothing(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    def plain() -> None:
        raise LookupError("mine")

    async def coroutine() -> None:
        plain()

    core = Script(_call(plain if kind == "plain" else coroutine))
    async with Driver(core).running():
        assert await core.hears() == [("raised", 1, LookupError)]
    assert "mine" in caplog.text


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
async def test_a_handler_ends_at_its_deadline(kind: str) -> None:
    go, ended = threading.Event(), anyio.Event()

    async def coroutine() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    core = Script(_call(go.wait if kind == "plain" else coroutine, within=0.02))
    try:
        async with Driver(core).running():
            assert await core.hears() == [("raised", 1, TimeoutError)]
            if kind == "coroutine":
                await ended.wait()
    finally:
        go.set()


async def test_a_handler_may_call_into_the_event_loop_from_its_thread() -> None:
    core = Script()
    driver = Driver(core)
    thread = threading.get_ident()
    core.outputs.append(_call(lambda: driver.in_loop(threading.get_ident)))
    async with driver.running():
        assert await core.hears() == [("returned", 1, thread)]
        assert driver.in_loop(threading.get_ident) == thread


async def test_a_thread_of_another_kind_is_told_how() -> None:
    driver = Driver(Script())
    errors: list[Exception] = []

    def foreign() -> None:
        try:
            driver.in_loop(lambda: None)
        except LocalProtocolError as error:
            errors.append(error)

    async with driver.running():
        thread = threading.Thread(target=foreign)
        thread.start()
        await anyio.to_thread.run_sync(thread.join)
    assert "anyio.from_thread" in str(errors[0])


async def test_a_callback_that_raises_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    done = anyio.Event()

    async def good(number: int) -> None:
        done.set()

    def bad() -> None:
        raise LookupError("mine")

    driver = Driver(Script())
    driver.start(bad, {}, turn="ven", patience=60)  # before it runs: nothing happens
    async with driver.running():
        driver.start(bad, {}, turn="ven", patience=60)
        driver.start(good, {"number": 1}, turn="ven", patience=60)
        await done.wait()
        while "mine" not in caplog.text:  # noqa: ASYNC110
            await anyio.sleep(0.001)


async def test_callbacks_of_one_turn_are_run_one_after_the_other_and_those_of_others_meanwhile() -> None:
    order: list[str] = []
    slow, other, done = anyio.Event(), anyio.Event(), anyio.Event()

    async def first() -> None:
        await slow.wait()
        order.append("first")

    def second() -> None:
        order.append("second")
        anyio.from_thread.run_sync(done.set)

    async def meanwhile() -> None:
        order.append("other")
        other.set()

    driver = Driver(Script())
    async with driver.running():
        driver.start(first, {}, turn="ven", patience=60)
        driver.start(second, {}, turn="ven", patience=60)
        driver.start(meanwhile, {}, turn="other", patience=60)
        await other.wait()
        slow.set()
        await done.wait()
    assert order == ["other", "first", "second"]


async def test_a_callback_that_never_ends_does_not_keep_the_others_of_its_turn() -> None:
    done = anyio.Event()

    async def good() -> None:
        done.set()

    driver = Driver(Script())
    async with driver.running():
        driver.start(anyio.sleep_forever, {}, turn="ven", patience=0.01)
        driver.start(good, {}, turn="ven", patience=60)
        await done.wait()


# --- observers and traces --------------------------------------------------------------------------------------------


async def test_an_observer_that_raises_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def observe(event: Event) -> None:
        raise LookupError("mine")

    core = Script(_event("a"), _event("b"), _transmit())
    async with Driver(core, carrier=Carrier(), observe=observe).running():
        await core.hears()
    assert caplog.text.count("LookupError: mine") == 2


@pytest.mark.parametrize("works", [True, False])
async def test_exchanges_of_both_directions_are_recorded(works: bool) -> None:
    recorded: list[RecordedExchange] = []

    def trace(exchange: RecordedExchange) -> None:
        recorded.append(exchange)
        if not works:
            raise OSError("the disk is full")

    core = Script(_transmit(1))
    core.at_request = lambda inbound: [_reply(inbound)]
    carrier = Carrier()
    driver = Driver(core, carrier=carrier, recorder=Recorder(Role.VTN, trace))
    async with driver.running():
        await core.hears()
        await driver.receive(b"<m/>", _PEER, Service.OADR_POLL)
        carrier.answer = ExchangeFailed(Failure.BUSY)
        core.outputs.append(_transmit(2))
        driver.pump()
        await core.hears(3)
    pushed, received, failed = recorded
    assert (pushed.requester, pushed.answer, pushed.failure) == (Role.VTN, "<a/>", None)
    assert "oadrPoll" in pushed.request
    assert (received.requester, received.request, received.peer) == (Role.VEN, "<m/>", "127.0.0.1:7")
    assert received.answer is not None
    assert (failed.answer, failed.failure) == (None, Failure.BUSY.value)


# --- the end ---------------------------------------------------------------------------------------------------------


async def test_at_the_end_what_waits_to_be_saved_is_saved() -> None:
    core, store = Script(Save("k", b"1"), _transmit()), SlowStore()
    carrier = Carrier()
    async with Driver(core, carrier=carrier, store=store).running():
        await store.asked.wait()
        core.outputs.append(Save("l", b"2"))
        store.ready.set()
    assert store.load() == {"k": b"1", "l": b"2"}


async def test_cancellation_saves_too_and_leaves_nothing_running() -> None:
    core, store = Script(Save("k", b"1")), SlowStore()
    ended: list[str] = []

    async def handler() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("handler")

    core.outputs.appendleft(_call(handler))
    with anyio.CancelScope() as scope:
        async with Driver(core, store=store).running():
            await store.asked.wait()
            store.ready.set()
            scope.cancel()
            await anyio.sleep_forever()
    assert ended == ["handler"]
    assert store.load() == {"k": b"1"}


async def test_a_store_that_does_not_answer_at_the_end_is_not_waited_for_for_ever(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oadr_driver.driver._LAST_SAVE", 0.01)
    store = SlowStore()
    async with Driver(Script(Save("k", b"1")), store=store).running():
        await store.asked.wait()
    assert "cannot be saved" in caplog.text


async def test_a_store_that_fails_at_the_end_is_told(caplog: pytest.LogCaptureFixture) -> None:
    store = SlowStore(OSError("the disk is full"), OSError("the disk is full"))
    async with Driver(Script(Save("k", b"1")), store=store).running():
        await store.asked.wait()
    assert "the last changes of the state cannot be saved: the disk is full" in caplog.text


async def test_an_error_of_the_body_leaves_as_it_was_raised_and_the_state_is_saved() -> None:
    store = SlowStore()
    store.ready.set()
    with pytest.raises(LookupError, match="mine"):
        async with Driver(Script(Save("k", b"1")), store=store).running():
            raise LookupError("mine")
    assert store.load() == {"k": b"1"}
