"""Push VENs have their turns: one exchange at a time with each, not too many with all, and nobody waits for ever."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    CreatedPartyRegistration,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    Failure,
    Now,
    PlainSealer,
    Reply,
    ResponseRequired,
    SenderConfig,
    Transmit,
    VenOffline,
    VenOnline,
    Vtn,
    VtnConfig,
)
from oadr_core.outputs import Address, ExchangeId
from oadr_core.vtn.pushing import Turns
from tests.core.desk import Desk
from tests.core.kit import HOUR, NOON, asked, event, one, request
from tests.core.test_registration import create


def many(count: int, most: int) -> tuple[Desk, list[str]]:
    """A VTN with many push VENs that have one event, of which so many may be pushed to at a time."""
    names = [f"ven {number}" for number in range(count)]
    desk = Desk(*names, pushed=names, most_pushes=most)
    desk.vtn.add_event(event(length=HOUR * 9, required=ResponseRequired.NEVER), names, desk.now)
    return desk, names


def transmits(desk: Desk) -> list[Transmit]:
    return [output for output in desk.outputs() if isinstance(output, Transmit)]


def whom(transmits: list[Transmit]) -> list[str]:
    """The VENs that something is sent to."""
    return [transmit.to.base.removeprefix("https://").removesuffix(".example/") for transmit in transmits]


def wait(desk: Desk) -> None:
    """Let time pass until something is due."""
    due = desk.vtn.next_timeout()
    assert due is not None
    desk.clock.advance_to(due.at)
    desk.vtn.handle_timeout(desk.now)


def test_no_more_vens_are_pushed_to_at_a_time_than_the_limit_says_and_all_have_their_turn_in_order() -> None:
    desk, names = many(count=1000, most=7)
    in_flight = transmits(desk)
    served = whom(in_flight)
    assert len(in_flight) == 7
    while in_flight:
        desk.vtn.receive_response(in_flight.pop(0).exchange, b"", now=desk.now)
        more = transmits(desk)
        in_flight += more
        served += whom(more)
        assert len(in_flight) <= 7
    assert served == names


def test_a_ven_that_has_more_to_come_goes_behind_those_that_wait() -> None:
    desk, _ = many(count=3, most=1)
    desk.vtn.create_report("ven 0", [request()], desk.now)
    served = []
    while found := transmits(desk):
        (transmit,) = found
        served.append((*whom(found), type(transmit.message)))
        desk.vtn.receive_response(transmit.exchange, b"", now=desk.now)
    assert [ven for ven, _ in served] == ["ven 0", "ven 1", "ven 2", "ven 0"]
    assert {kind for ven, kind in served if ven == "ven 0"} == {DistributeEvent, CreateReport}


def test_vens_that_cannot_be_reached_do_not_hold_the_others() -> None:
    """Each of these takes up a place until the timeout, or for five seconds where others wait for it."""
    desk, names = many(count=400, most=20)
    gone = set(names[::2])
    reached: dict[str, float] = {}

    def serve(seconds: float) -> None:
        """Have those that are there answer at once, for some time."""
        until = desk.now.mono + seconds
        while desk.now.mono < until:
            if not (found := transmits(desk)):
                wait(desk)
            for transmit in found:
                (name,) = whom([transmit])
                if name not in gone:
                    reached.setdefault(name, desk.now.mono)
                    desk.vtn.receive_response(transmit.exchange, b"", now=desk.now)

    serve(600)
    assert len(reached) == 200
    assert max(reached.values()) <= 100, "200 of them, 10 at least at a time, for 5 seconds each"
    reached.clear()
    began = desk.now.mono
    desk.vtn.add_event(event("second", length=HOUR * 9, required=ResponseRequired.NEVER), names, desk.now)
    serve(1)
    assert len(reached) == 200
    assert max(reached.values()) == began, "those that are known to be gone hold nobody"


def test_a_ven_that_comes_back_is_found_though_many_others_are_gone() -> None:
    desk, names = many(count=50, most=4)
    back_from = 400.0
    while desk.now.mono < 1200:
        for transmit in transmits(desk):
            (name,) = whom([transmit])
            if name == "ven 17" and desk.now.mono >= back_from:
                return
        wait(desk)
    raise AssertionError(f"{names[17]} was never tried again")


@given(st.data(), st.integers(1, 6))
def test_turns_hold_whatever_happens(data: st.DataObject, most: int) -> None:
    """Each VEN has one exchange at most, all together not too many; and who waits comes to its turn."""
    turns = Turns(SenderConfig(), most, random.Random(0))
    flying: dict[str, ExchangeId] = {}
    waiting: list[str] = []
    paused: set[str] = set()
    names = [f"ven {number}" for number in range(8)]
    to, now = Address("simpleHttp"), Now(0.0, NOON)
    message = CreateReport(request_id="r", ven_id="v", report_requests=())
    for number in range(data.draw(st.integers(0, 60))):
        name = data.draw(st.sampled_from(names))
        match data.draw(st.sampled_from(["wait", "answer", "fail", "resume", "reconnect", "forget", "reset"])):
            case "wait":
                turns.wait(name)
                if name not in flying and name not in waiting and name not in paused:
                    waiting.append(name)
            case "answer" if name in flying:
                assert turns.answered(name)[0].exchange is None
                del flying[name]
            case "fail" if name in flying:
                turns.failed(name, data.draw(st.sampled_from(list(Failure))), now)
                del flying[name]
                paused.add(name)
            case "resume":
                turns.resume(name)
                paused.discard(name)
            case "reconnect" if turns.reconnect(name):
                assert name in paused
                paused.discard(name)
            case "reset":
                turns.reset(name)
                paused.discard(name)
            case "forget":
                turns.forget(name)
                flying.pop(name, None)
                paused.discard(name)
                waiting = [one for one in waiting if one != name]
        for taken in turns.taken():
            assert taken in waiting
            waiting.remove(taken)
            if data.draw(st.booleans()):
                flying[taken] = ExchangeId(number * 100 + len(flying))
                turns.fly(taken, flying[taken], message, "", to, now)
        assert len(flying) <= most
        assert {turns.whose(exchange) for exchange in flying.values()} == set(flying)
    for name in list(flying):
        turns.answered(name)
    assert sorted(turns.taken()) == sorted(waiting), "with room for all, all that wait have their turn"


def test_those_that_were_gone_before_we_were_cut_off_get_half_of_the_places_when_we_are_back() -> None:
    turns = Turns(SenderConfig(), 2, random.Random(0))
    to, now = Address("xmpp"), Now(0.0, NOON)
    message = CreateReport(request_id="r", ven_id="v", report_requests=())
    numbers = iter(range(100))

    def fails(name: str, why: Failure) -> None:
        turns.wait(name)
        (taken,) = turns.taken()
        turns.fly(taken, ExchangeId(next(numbers)), message, "operation", to, now)
        turns.failed(taken, why, now)

    for name in ("gone", "gone too"):
        fails(name, Failure.SILENCE)
        turns.resume(name)
        fails(name, Failure.CUT_OFF)
    for name in ("gone", "gone too"):
        assert turns.reconnect(name)
        turns.wait(name)
    turns.wait("there")
    served = []
    for taken in turns.taken():
        served.append(taken)
        turns.fly(taken, ExchangeId(next(numbers)), message, "operation", to, now)
    assert "there" in served


# --- a VEN that begins anew, or moves --------------------------------------------------------------------------------


def create_again(address: str) -> CreatePartyRegistration:
    """The VEN registers again, and says where it is."""
    return create(
        http_pull_model=False, transport_address=address, ven_id="ven 0", registration_id="registration of ven 0"
    )


def test_a_ven_that_registers_again_is_pushed_to_at_once_whatever_it_failed_at_before() -> None:
    desk, _ = many(count=1, most=4)
    for _ in range(8):
        for transmit in transmits(desk):
            desk.vtn.exchange_failed(transmit.exchange, Failure.UNREACHABLE, now=desk.now)
        wait(desk)
    for transmit in transmits(desk):
        desk.vtn.exchange_failed(transmit.exchange, Failure.UNREACHABLE, now=desk.now)
    assert transmits(desk) == [], "a pause is being waited out"
    outputs = asked(desk.vtn, create_again("https://ven 0.example/"), desk.now)
    (transmit,) = (output for output in outputs if isinstance(output, Transmit))
    assert isinstance(transmit.message, DistributeEvent)


@pytest.mark.rule(402)
def test_what_is_under_way_to_where_a_ven_was_is_sent_to_where_it_is() -> None:
    desk, _ = many(count=1, most=1)
    (before,) = transmits(desk)
    outputs = asked(desk.vtn, create_again("https://elsewhere.example/"), desk.now)
    after = one(Transmit, outputs)
    assert (before.to.base, after.to.base) == ("https://ven 0.example/", "https://elsewhere.example/")
    assert isinstance(after.message, DistributeEvent)
    desk.vtn.receive_response(before.exchange, b"", now=desk.now)
    assert desk.outputs() == [], "nobody waits for that answer any more"
    desk.vtn.receive_response(after.exchange, b"", now=desk.now)
    assert transmits(desk) == [], "nothing is sent twice after an answer"


def test_a_push_ven_that_cannot_be_reached_counts_as_offline_until_it_is_reached() -> None:
    desk, _ = many(count=1, most=1)
    told: list[object] = []
    while not any(isinstance(output, VenOffline) for output in told):
        assert desk.now.mono < 60
        for output in (outputs := desk.outputs()):
            if isinstance(output, Transmit):
                desk.vtn.exchange_failed(output.exchange, Failure.UNREACHABLE, now=desk.now)
        told += outputs
        if not outputs:
            wait(desk)
    assert not desk.vtn.vens["ven 0"].online
    while not (found := transmits(desk)):
        wait(desk)
    desk.vtn.receive_response(found[0].exchange, b"", now=desk.now)
    assert one(VenOnline, desk.outputs()).ven_id == "ven 0"
    assert desk.vtn.vens["ven 0"].online


# --- where it may be pushed to ---------------------------------------------------------------------------------------


@pytest.mark.rule(402)
def test_an_address_that_is_not_pushed_to_cannot_be_registered_and_the_operator_is_told() -> None:
    def refuse(transport: str, address: str) -> str | None:
        return f"nothing is pushed to {address} over {transport}" if "secret" in address else None

    vtn = Vtn(VtnConfig(vtn_id="Grid"), sealer=PlainSealer(), entropy=random.Random(0), refuse_address=refuse)
    now = Desk().now
    vtn.start(now)
    bad = create(http_pull_model=False, transport_address="http://secret.example/")
    answer = one(Reply, asked(vtn, bad, now)).message
    assert isinstance(answer, CreatedPartyRegistration)
    assert answer.response.response_code == 454
    assert answer.response.response_description == "nothing is pushed to http://secret.example/ over simpleHttp"
    assert not vtn.vens
    pull = create(http_pull_model=True, transport_address="http://secret.example/")
    asked(vtn, pull, now)
    assert len(vtn.vens) == 1, "a VEN that polls is pushed to nowhere"


@pytest.mark.parametrize("text", ["None", ""])
def test_the_text_none_is_no_address(text: str) -> None:
    desk = Desk()
    answer = desk.ask(create(http_pull_model=False, transport_address=text))
    assert answer.response.response_code == 454
    assert desk.ask(create(http_pull_model=True, transport_address=text)).response.ok
    assert [record.address for record in desk.vtn.vens.values()] == [None]
