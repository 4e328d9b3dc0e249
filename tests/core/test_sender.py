"""Sending requests to one peer: in order, one at a time, and again after a failure (sections 9.1.4 to 9.1.7)."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    Address,
    CreatedEvent,
    Deadline,
    EiResponse,
    Failure,
    Now,
    Payload,
    PlainSealer,
    Poll,
    QueryRegistration,
    RequestEvent,
    Sealer,
    SenderConfig,
    TicketId,
    Transmit,
)
from oadr_core.machines.exchange import REMEDY, ExchangeState, Remedy
from oadr_core.sender import Sender
from oadr_core.testing import ManualClock

REMEDIES = """
    CUT_OFF         RETRY_ALL     it is we who are not connected
    UNREACHABLE     RETRY_ALL     connection refused, name not found: nothing gets through
    BROKEN          RETRY_ALL     the connection went away
    SILENCE         RETRY_ALL     no answer within the time-out
    BUSY            RETRY_ALL     503: come back later
    PEER_ERROR      RETRY_THIS    500: it stumbles over this request
    BAD_ANSWER      RETRY_THIS    it is there, but what it says cannot be trusted
    UNSUPPORTED     GIVE_UP       404, 501: asking again helps nobody
    NOT_ACCEPTABLE  GIVE_UP       406: never unmodified again
    FORBIDDEN       GIVE_UP       403
    TOO_LARGE       GIVE_UP       it would be as large the next time
"""
"""What section 9.1.5 has done about each failure."""


class Steady:
    """Chance that always draws the middle, or whatever share of the range it is told."""

    def __init__(self, share: float = 0.5) -> None:
        self.share = share

    def getrandbits(self, k: int, /) -> int:
        return 0

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self.share


class Signing(PlainSealer):
    """One that says that it signs."""

    @property
    def signs(self) -> bool:
        return True


class Bench:
    """A sender, and a clock to try it with."""

    def __init__(
        self,
        config: SenderConfig | None = None,
        entropy: Steady | random.Random | None = None,
        sealer: Sealer | None = None,
    ) -> None:
        self.clock = ManualClock()
        numbers = itertools.count(1)
        self.sender = Sender(
            Address("simpleHttp"), sealer or PlainSealer(), entropy or Steady(), config or SenderConfig(), numbers
        )
        self.tickets = itertools.count(100)

    @property
    def now(self) -> Now:
        return self.clock.now

    def push(self, message: Payload, lane: str = "", *, patient: bool = False) -> TicketId:
        ticket = TicketId(next(self.tickets))
        self.sender.push(message, ticket, lane=lane, patient=patient)
        return ticket

    def next(self) -> Transmit | None:
        return self.sender.next_transmit(self.now, lambda _: True)

    def sent(self) -> Payload:
        transmit = self.next()
        assert transmit is not None
        return transmit.message

    def fail(self, why: Failure) -> float | None:
        return self.sender.failed(why, self.now)[1]

    def wait(self) -> None:
        """Let time pass until the sender has something to do."""
        deadline = self.sender.next_deadline(self.now)
        assert deadline is not None
        self.clock.advance_to(deadline.at)


def poll(name: str = "a") -> Poll:
    return Poll(ven_id=name)


# --- what a failure calls for ----------------------------------------------------------------------------------------


def test_every_failure_has_the_remedy_of_the_profile() -> None:
    expected = {line.split()[0]: line.split()[1] for line in REMEDIES.strip().splitlines()}
    assert {one.name: REMEDY[one].name for one in Failure} == expected


@pytest.mark.parametrize("why", [one for one in Failure if REMEDY[one] is Remedy.RETRY_ALL])
def test_where_nothing_gets_through_everything_waits_and_goes_on_in_order_for_ever(why: Failure) -> None:
    bench = Bench(SenderConfig(tries=3))
    bench.push(poll("first"), "polls")
    bench.push(poll("second"), "others")
    for _ in range(50):
        assert bench.sent() == poll("first")
        assert bench.fail(why) is not None
        assert bench.next() is None, "other lanes wait too"
        bench.wait()
    assert bench.sent() == poll("first")
    bench.sender.answered()
    assert bench.sent() == poll("second")


@pytest.mark.parametrize("why", [one for one in Failure if REMEDY[one] is Remedy.RETRY_THIS])
def test_where_a_request_makes_the_peer_fail_others_go_on_and_it_is_given_up_in_the_end(why: Failure) -> None:
    bench = Bench(SenderConfig(tries=3))
    bench.push(poll("bad"), "polls")
    bench.push(poll("behind it"), "polls")
    bench.push(poll("other"), "others")
    assert bench.sent() == poll("bad")
    assert bench.fail(why) == 1.0
    assert bench.sent() == poll("other"), "another lane goes on at once"
    bench.sender.answered()
    assert bench.next() is None, "its own lane keeps its order"
    bench.wait()
    assert bench.sent() == poll("bad")
    assert bench.fail(why) == 2.0
    bench.wait()
    assert bench.sent() == poll("bad")
    request, wait = bench.sender.failed(why, bench.now)
    assert (request.message, wait, request.state) == (poll("bad"), None, ExchangeState.ABANDONED)
    assert bench.sent() == poll("behind it")


@pytest.mark.parametrize("why", [one for one in Failure if REMEDY[one] is Remedy.RETRY_THIS])
def test_a_patient_request_is_never_given_up_for_that(why: Failure) -> None:
    bench = Bench(SenderConfig(tries=2))
    bench.push(poll(), patient=True)
    for _ in range(20):
        assert bench.sent() == poll()
        assert bench.fail(why) is not None
        bench.wait()


@pytest.mark.parametrize("why", [one for one in Failure if REMEDY[one] is Remedy.GIVE_UP])
@pytest.mark.parametrize("patient", [False, True])
def test_what_the_peer_will_not_have_is_given_up_at_once(why: Failure, patient: bool) -> None:
    bench = Bench()
    bench.push(poll(), patient=patient)
    assert bench.sent() == poll()
    assert bench.fail(why) is None
    assert bench.sender.idle


# --- how long it waits -----------------------------------------------------------------------------------------------


def test_waits_double_up_to_the_longest() -> None:
    bench = Bench(SenderConfig(first_wait=1.0, longest_wait=60.0))
    bench.push(poll())
    waits = []
    for _ in range(9):
        assert bench.sent()
        waits.append(bench.fail(Failure.UNREACHABLE))
        bench.wait()
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_an_answer_makes_the_next_failure_the_first_again() -> None:
    bench = Bench()
    for _ in range(3):
        bench.push(poll())
    for _ in range(4):
        assert bench.sent()
        bench.fail(Failure.SILENCE)
        bench.wait()
    assert bench.sent()
    bench.sender.answered()
    assert bench.sent()
    assert bench.fail(Failure.SILENCE) == 1.0


@given(st.integers(0, 2**32), st.integers(1, 200), st.sampled_from([Failure.BROKEN, Failure.PEER_ERROR]))
def test_each_wait_varies_by_ten_per_cent_around_the_doubled_one(seed: int, failures: int, why: Failure) -> None:
    config = SenderConfig(first_wait=1.0, longest_wait=60.0)
    bench = Bench(config, random.Random(seed))
    bench.push(poll(), patient=True)
    for number in range(failures):
        assert bench.sent()
        wait = bench.fail(why)
        assert wait is not None
        nominal = min(2.0**number, 60.0)
        assert 0.9 * nominal <= wait <= 1.1 * nominal
        due = bench.now.mono + wait
        deadline = bench.sender.next_deadline(bench.now)
        assert deadline == Deadline(due, "retry")
        bench.clock.advance(wait * 0.99)
        assert bench.next() is None
        bench.clock.advance_to(due)


def test_waits_are_not_all_the_same() -> None:
    waits = set()
    for seed in range(20):
        bench = Bench(entropy=random.Random(seed))
        bench.push(poll())
        assert bench.sent()
        waits.add(bench.fail(Failure.BUSY))
    assert len(waits) > 10, "VENs that lost their VTN at one moment must not all come back at one moment"


def test_a_sign_of_life_ends_the_pause() -> None:
    bench = Bench()
    bench.push(poll("failed"), "polls")
    bench.push(poll("other"), "others")
    assert bench.sent()
    bench.fail(Failure.UNREACHABLE)
    bench.sender.resume(bench.now)
    assert bench.sent() == poll("failed")


def test_a_pause_that_the_peer_has_asked_for_is_waited_out() -> None:
    bench = Bench()
    bench.push(poll())
    assert bench.sent()
    bench.fail(Failure.BUSY)
    bench.sender.resume(bench.now)
    assert bench.next() is None


def test_a_sign_of_life_says_nothing_of_a_request_that_the_peer_fails_at() -> None:
    bench = Bench()
    bench.push(poll("failed"), "polls")
    bench.push(poll("other"), "others")
    assert bench.sent()
    bench.fail(Failure.PEER_ERROR)
    bench.sender.resume(bench.now)
    assert bench.sent() == poll("other")
    bench.sender.answered()
    assert bench.next() is None


# --- order -----------------------------------------------------------------------------------------------------------


def test_one_request_is_under_way_at_a_time() -> None:
    bench = Bench()
    bench.push(poll("first"), "polls")
    bench.push(poll("second"), "others")
    assert bench.sent() == poll("first")
    assert bench.sender.in_flight == poll("first")
    assert bench.next() is None
    assert bench.sender.answered().message == poll("first")
    assert bench.sender.in_flight is None
    assert bench.sent() == poll("second")


def test_what_may_not_be_sent_at_present_holds_up_its_own_lane_alone() -> None:
    bench = Bench()
    bench.push(poll("not yet"), "polls")
    bench.push(QueryRegistration(request_id="1"), "registration")
    transmit = bench.sender.next_transmit(bench.now, lambda message: not isinstance(message, Poll))
    assert transmit is not None
    assert isinstance(transmit.message, QueryRegistration)
    bench.sender.answered()
    assert bench.sender.next_transmit(bench.now, lambda message: False) is None
    assert bench.sender.next_deadline(bench.now) is None, "it waits for something else than time"
    assert bench.sent() == poll("not yet")


@given(
    st.lists(st.sampled_from("xyz"), min_size=1, max_size=12),
    st.lists(st.sampled_from([None, *Failure]), max_size=60),
)
def test_requests_of_one_lane_never_overtake_each_other(lanes: list[str], fates: list[Failure | None]) -> None:
    bench = Bench(SenderConfig(tries=3))
    for number, lane in enumerate(lanes):
        bench.push(poll(f"{lane}{number:02}"), lane)
    done: list[str] = []
    for fate in itertools.chain(fates, itertools.repeat(None)):
        transmit = bench.next()
        if transmit is None:
            if bench.sender.idle:
                break
            bench.wait()
            continue
        assert isinstance(transmit.message, Poll)
        if fate is None:
            done.append(transmit.message.ven_id)
            bench.sender.answered()
        elif bench.fail(fate) is None:
            done.append(transmit.message.ven_id)
    assert len(done) == len(lanes), "every request is answered or given up, and only once"
    for lane in set(lanes):
        own = [name for name in done if name.startswith(lane)]
        assert own == sorted(own)


# --- the exchange ----------------------------------------------------------------------------------------------------


def test_a_request_goes_to_the_endpoint_of_its_service_with_a_new_exchange_each_time() -> None:
    bench = Bench(SenderConfig(timeout=7.0))
    bench.push(RequestEvent(request_id="1", ven_id="a"))
    first = bench.next()
    assert first is not None
    assert (first.service, first.timeout, first.to) == ("EiEvent", 7.0, Address("simpleHttp"))
    bench.fail(Failure.SILENCE)
    bench.wait()
    second = bench.next()
    assert second is not None
    assert second.exchange != first.exchange
    assert second.message == first.message, "a retry is the same request"
    assert bench.sender.awaits(second.exchange)
    assert not bench.sender.awaits(first.exchange), "the answer to the first try comes too late"


def test_a_request_without_an_answer_is_silent_after_its_time() -> None:
    bench = Bench(SenderConfig(timeout=30.0))
    bench.push(poll())
    assert not bench.sender.silent(bench.now)
    assert bench.sent()
    assert bench.sender.next_deadline(bench.now) == Deadline(30.0, "no answer yet")
    bench.clock.advance(29.9)
    assert not bench.sender.silent(bench.now)
    bench.clock.advance(0.1)
    assert bench.sender.silent(bench.now)


def test_the_time_to_wait_is_what_the_profile_asks_for_at_least() -> None:
    assert SenderConfig().timeout >= 5.0
    assert SenderConfig().first_wait == 1.0


def test_a_sender_without_work_wants_nothing() -> None:
    bench = Bench()
    assert bench.sender.idle
    assert bench.next() is None
    assert bench.sender.next_deadline(bench.now) is None


# --- taking back -----------------------------------------------------------------------------------------------------


def test_a_request_can_be_taken_back_while_it_waits_while_it_is_set_aside_and_while_it_is_under_way() -> None:
    bench = Bench()
    waiting, aside, flying = (bench.push(poll(name), name) for name in ("waiting", "aside", "flying"))
    bench.sender.withdraw_ticket(waiting)
    assert bench.sent() == poll("aside")
    bench.fail(Failure.PEER_ERROR)
    transmit = bench.next()
    assert transmit is not None
    assert transmit.message == poll("flying")
    assert [one.ticket for one in bench.sender.withdraw_ticket(aside)] == [aside]
    assert [one.state for one in bench.sender.withdraw_ticket(flying)] == [ExchangeState.ABANDONED]
    assert bench.sender.idle
    assert not bench.sender.awaits(transmit.exchange), "its answer is ignored"
    assert bench.sender.withdraw_ticket(flying) == []


def test_requests_can_be_taken_back_by_what_they_are() -> None:
    bench = Bench()
    bench.push(poll())
    answer = CreatedEvent(response=EiResponse(response_code=452), ven_id="a")
    bench.push(answer)
    assert bench.sender.waiting(Poll)
    bench.sender.withdraw(lambda message: isinstance(message, Poll))
    assert not bench.sender.waiting(Poll)
    assert bench.sent() == answer
    assert bench.sender.waiting(CreatedEvent), "also while it is under way"


@pytest.mark.rule(514)
@pytest.mark.parametrize(("signs", "patient"), [(True, True), (True, False), (False, True), (False, False)])
def test_what_is_not_accepted_is_sent_again_where_it_is_signed_anew_and_must_not_be_lost(
    signs: bool, patient: bool
) -> None:
    """A clock that is off makes every signature a refused one, until somebody sets it."""
    bench = Bench(sealer=Signing() if signs else PlainSealer())
    bench.push(Poll(ven_id="1"), patient=patient)
    for _ in range(20):
        if bench.next() is None:
            break
        bench.sender.failed(Failure.FORBIDDEN, bench.now)
        bench.clock.advance(120)
    assert bench.sender.idle == (not (signs and patient))
