"""What a core makes of documents that do not fit: unreadable, of the wrong kind, misplaced, or for somebody else."""

import random
from typing import Any

import pytest

from oadr_core import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedReport,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    EiResponse,
    ExchangeAbandoned,
    ExchangeDone,
    ExchangeSetBack,
    Failure,
    LocalProtocolError,
    Now,
    Opened,
    Payload,
    Peer,
    PeerMisbehaved,
    PlainSealer,
    Poll,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    Registration,
    RegistrationEnded,
    Reply,
    RequestEvent,
    RequestReregistration,
    Response,
    SealError,
    SenderConfig,
    Service,
    Transmit,
    Ven,
    VenConfig,
    VenState,
    encode,
)
from oadr_core.core import Core
from oadr_core.testing import ManualClock
from tests.core.kit import NOON, Grid, asked, created, drained, event, one, request
from tests.core.test_registration import code_of, registered

OK = EiResponse()
LENIENT = PlainSealer(strict=False)


class Bench:
    """A registered VEN by itself."""

    def __init__(self, *, is_registered: bool = True, sealer: Any = LENIENT, **config: Any) -> None:
        self.clock = ManualClock(NOON)
        state = VenState(registered=True, ven_id="ven", registration_id="r", vtn_id="Grid") if is_registered else None
        self.ven = Ven(VenConfig(**config), sealer=sealer, entropy=random.Random(0), state=state)

    @property
    def now(self) -> Now:
        return self.clock.now

    def sent(self) -> Transmit:
        return one(Transmit, drained(self.ven, self.now))

    def answer(self, transmit: Transmit, answer: Payload | bytes) -> list[Any]:
        body = answer if isinstance(answer, bytes) else encode(answer)
        self.ven.receive_response(transmit.exchange, body, now=self.now)
        return drained(self.ven, self.now)


# --- answers that a VEN gets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>502</html>",
        b"\x00",
        RegisteredReport(response=OK, ven_id="ven"),
        CanceledPartyRegistration(response=OK, registration_id="r", ven_id="ven"),
        Poll(ven_id="ven"),
    ],
    ids=["no document", "no text", "the answer to another request", "an answer that nobody asked for", "a request"],
)
def test_an_answer_that_does_not_fit_sets_the_request_back(answer: Payload | bytes) -> None:
    bench = Bench()
    bench.ven.poll(bench.now)
    outputs = bench.answer(bench.sent(), answer)
    assert one(ExchangeSetBack, outputs).why is Failure.BAD_ANSWER
    assert one(PeerMisbehaved, outputs).who == "Grid"
    assert not [output for output in outputs if isinstance(output, ExchangeDone)]


def test_a_query_cannot_be_answered_by_nothing() -> None:
    bench = Bench(is_registered=False)
    bench.ven.query_registration(bench.now)
    assert one(ExchangeSetBack, bench.answer(bench.sent(), b"")).why is Failure.BAD_ANSWER


@pytest.mark.parametrize("code", [500, 503, 599])
def test_a_vtn_that_failed_is_asked_again(code: int) -> None:
    bench = Bench()
    bench.ven.poll(bench.now)
    outputs = bench.answer(bench.sent(), Response(response=EiResponse(response_code=code), ven_id="ven"))
    assert one(ExchangeSetBack, outputs).why is Failure.PEER_ERROR


def test_a_request_that_makes_the_vtn_fail_again_and_again_is_given_up() -> None:
    bench = Bench(sender=SenderConfig(tries=3))
    ticket = bench.ven.poll(bench.now)
    outputs: list[Any] = []
    for _ in range(3):
        transmit = one(Transmit, drained(bench.ven, bench.now))
        outputs = bench.answer(transmit, Response(response=EiResponse(response_code=500)))
        bench.clock.advance(10)
    abandoned = one(ExchangeAbandoned, outputs)
    assert (abandoned.ticket, abandoned.why) == (ticket, Failure.PEER_ERROR)


@pytest.mark.parametrize("again", [True, False])
def test_a_registration_that_cannot_be_delivered_leaves_things_as_they_were(again: bool) -> None:
    bench = Bench(is_registered=again)
    bench.ven.create_party_registration(bench.now)
    bench.ven.exchange_failed(bench.sent().exchange, Failure.FORBIDDEN, now=bench.now)
    assert isinstance(one(ExchangeAbandoned, drained(bench.ven, bench.now)).request, CreatePartyRegistration)
    assert bench.ven.registration is (Registration.REGISTERED if again else Registration.UNREGISTERED)
    bench.ven.create_party_registration(bench.now)


def test_silence_is_noticed() -> None:
    bench = Bench()
    bench.ven.poll(bench.now)
    first = bench.sent()
    bench.ven.handle_timeout(bench.clock.advance(30))
    assert one(ExchangeSetBack, drained(bench.ven, bench.now)).why is Failure.SILENCE
    assert bench.answer(first, Response(response=OK)) == [], "an answer that comes too late is for nobody"


def test_a_plain_response_answers_every_request() -> None:
    bench = Bench()
    bench.ven.register_report([], bench.now)
    assert one(ExchangeDone, bench.answer(bench.sent(), Response(response=OK, ven_id="ven")))
    bench.ven.request_event(bench.now)
    assert one(ExchangeDone, bench.answer(bench.sent(), Response(response=OK, ven_id="ven")))
    bench.ven.cancel_party_registration(bench.now)
    assert one(RegistrationEnded, bench.answer(bench.sent(), Response(response=OK, ven_id="ven"))).cancelled


@pytest.mark.parametrize("code", [452, 463])
def test_a_poll_that_is_answered_so_ends_the_registration(code: int) -> None:
    bench = Bench()
    bench.ven.poll(bench.now)
    outputs = bench.answer(bench.sent(), Response(response=EiResponse(response_code=code)))
    assert one(RegistrationEnded, outputs) == RegistrationEnded(by_peer=True, cancelled=False)
    assert not bench.ven.state.registered


@pytest.mark.parametrize(("code", "ended"), [(463, True), (452, False)])
def test_a_cancel_that_is_refused(code: int, ended: bool) -> None:
    bench = Bench()
    bench.ven.cancel_party_registration(bench.now)
    refusal = CanceledPartyRegistration(response=EiResponse(response_code=code))
    outputs = bench.answer(bench.sent(), refusal)
    assert any(isinstance(output, RegistrationEnded) for output in outputs) == ended
    assert bench.ven.registration is (Registration.UNREGISTERED if ended else Registration.REGISTERED)


def test_a_request_that_is_taken_back_is_not_sent_and_its_answer_ignored() -> None:
    bench = Bench()
    bench.ven.withdraw(bench.ven.poll(bench.now))
    assert drained(bench.ven, bench.now) == []
    assert bench.ven.idle
    ticket = bench.ven.create_party_registration(bench.now)
    transmit = bench.sent()
    bench.ven.withdraw(ticket)
    assert bench.ven.registration is Registration.REGISTERED
    assert bench.answer(transmit, Response(response=OK)) == []


def test_a_request_for_a_renewal_may_answer_anything_and_what_was_asked_is_asked_again_after_it() -> None:
    bench = Bench()
    bench.ven.request_event(bench.now)
    outputs = bench.answer(bench.sent(), RequestReregistration(ven_id="ven"))
    sent = [output.message for output in outputs if isinstance(output, Transmit)]
    assert isinstance(sent[0], RequestEvent | Response)
    assert bench.ven.sending(RequestEvent)


# --- the manual VEN --------------------------------------------------------------------------------------------------


def test_a_manual_ven_leaves_everything_to_its_application() -> None:
    bench = Bench(manual=True)
    bench.ven.poll(bench.now)
    listed = DistributeEvent(response=OK, request_id="1", vtn_id="Grid", events=(event(),))
    outputs = bench.answer(bench.sent(), listed)
    assert one(ExchangeDone, outputs).answer == listed
    assert len(outputs) == 1
    assert bench.ven.state.events == ()
    bench.ven.send(CreatedReport(response=OK, ven_id="ven"), bench.now)
    assert isinstance(bench.sent().message, CreatedReport)
    with pytest.raises(LocalProtocolError, match="not sent this way"):
        bench.ven.send(listed, bench.now)
    with pytest.raises(LocalProtocolError, match="not sent this way"):
        bench.ven.send(CancelPartyRegistration(request_id="1", registration_id="r", ven_id="ven"), bench.now)


# --- requests that do not fit ----------------------------------------------------------------------------------------


def refusal(core: Core, body: bytes, service: Service | None = None) -> tuple[Failure | None, int | None]:
    """How a request is answered: by the transport, or with a code."""
    now = ManualClock(NOON).now
    core.receive_request(body, peer=Peer(), service=service, now=now)
    reply = one(Reply, drained(core, now))
    response = getattr(reply.message, "response", None)
    return reply.refusal, None if response is None else response.response_code


@pytest.mark.rule(33)
def test_what_cannot_be_read_is_refused_by_the_transport() -> None:
    for core in (Bench().ven, Grid().vtn):
        for body in (b"", b"<poll/>", b"\xff"):
            assert refusal(core, body) == (Failure.NOT_ACCEPTABLE, None)


@pytest.mark.rule(514)
def test_what_is_not_signed_as_it_must_be_is_refused_by_the_transport() -> None:
    class Strict(PlainSealer):
        def open(self, data: bytes, now: Now) -> Opened:
            raise SealError("no signature")

    assert refusal(Bench(sealer=Strict()).ven, encode(Poll(ven_id="ven"))) == (Failure.FORBIDDEN, None)


@pytest.mark.rule(511)
def test_a_request_at_the_wrong_endpoint_is_refused() -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    assert refusal(grid.vtn, encode(Poll(ven_id=ven_id)), Service.EI_EVENT) == (None, 459)
    assert refusal(grid.vtn, encode(Poll(ven_id=ven_id)), Service.OADR_POLL)[1] in (None, 200)
    create = CreateReport(request_id="1", report_requests=(request(),), ven_id="ven")
    assert refusal(Bench().ven, encode(create), Service.EI_EVENT) == (None, 459)


@pytest.mark.parametrize(
    "message", [Poll(ven_id="ven"), QueryRegistration(request_id="1"), RequestEvent(request_id="1", ven_id="ven")]
)
def test_a_ven_is_not_asked_what_only_a_vtn_knows(message: Payload) -> None:
    assert refusal(Bench().ven, encode(message)) == (None, 459)


@pytest.mark.rule(508)
def test_a_request_without_a_ven_id_is_refused() -> None:
    grid = Grid()
    registered(grid)
    assert code_of(grid, RegisterReport(request_id="1", reports=())) == 459


@pytest.mark.rule(400)
def test_what_is_meant_for_another_ven_is_refused_and_not_done() -> None:
    bench = Bench(pull=False, address="here")
    message = CreateReport(request_id="1", report_requests=(request(),), ven_id="other")
    assert one(Reply, asked(bench.ven, message, bench.now)).refusal is Failure.BUSY, (
        "not before it has registered again"
    )
    bench.ven.create_party_registration(bench.now)
    bench.answer(bench.sent(), created("ven", "r"))
    reply = one(Reply, asked(bench.ven, message, bench.now)).message
    assert isinstance(reply, CreatedReport)
    assert reply.response.response_code == 452
    cancel = CancelPartyRegistration(request_id="1", registration_id="other", ven_id="ven")
    answer = one(Reply, asked(bench.ven, cancel, bench.now)).message
    assert isinstance(answer, CanceledPartyRegistration)
    assert answer.response.response_code == 452
    assert bench.ven.state.registered
