"""What a peer can pile up at a VTN, and where that ends: each collection has a bound, and an answer beyond it."""

import random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    Call,
    CallId,
    CanceledReport,
    CancelReport,
    CreatedEvent,
    CreatedPartyRegistration,
    CreatedReport,
    CreateReport,
    EiResponse,
    EventResponse,
    Failure,
    LocalProtocolError,
    Now,
    OptType,
    PlainSealer,
    Poll,
    RegisteredReport,
    RegisterReport,
    Reply,
    ReportRequest,
    RequestEvent,
    SpecifierPayload,
    TokenBuckets,
    VenRecord,
    Vtn,
    VtnConfig,
    VtnLimits,
    encode,
)
from oadr_core.offers import METADATA
from oadr_core.seal import Peer
from tests.core.kit import NONE, NOON, asked, create_opt, drained, event, offer, one, request
from tests.core.test_registration import create
from tests.rules.samples import but

NOW: Final = Now(0.0, NOON)


def a_vtn(*asks: str, known: int = 1, **limits: int) -> Vtn:
    """A VTN that knows some VENs."""
    records = [VenRecord(ven_id=f"ven-{number}", registration_id="registration") for number in range(known)]
    settings = VtnConfig(vtn_id="Grid", reports=(offer(),), limits=VtnLimits(**limits))
    saved = {one.key: one.dump() for one in records}
    vtn = Vtn(settings, sealer=PlainSealer(), entropy=random.Random(0), asks=asks, saved=saved)
    vtn.start(NOW)
    drained(vtn, NOW)
    return vtn


def registers(vtn: Vtn, name: str, *, address: str = "192.0.2.1:1", identity: str | None = None, at: Now = NOW) -> int:
    """The code that somebody gets who wants to be registered."""
    message = create(request_id=name, ven_name=name)
    vtn.receive_request(encode(message), peer=Peer(address=address, identity=identity), service=None, now=at)
    answer = one(Reply, drained(vtn, at)).message
    assert isinstance(answer, CreatedPartyRegistration)
    return answer.response.response_code


# --- registrations ---------------------------------------------------------------------------------------------------


def test_there_are_no_more_vens_than_the_operator_allows() -> None:
    vtn = a_vtn(known=2, vens=3)
    assert registers(vtn, "third", identity="AA") == 200
    for identity in (None, "BB"):
        assert registers(vtn, "fourth", identity=identity) == 469
    assert registers(vtn, "third", identity="AA") == 200, "one that is there may register again"
    assert len(vtn.vens) == 3


def test_of_two_that_are_decided_on_at_once_the_last_place_goes_to_one() -> None:
    vtn = a_vtn("on_create_party_registration", vens=2)
    calls = [one(Call, asked(vtn, create(request_id=who), NOW, who)) for who in ("AA", "BB")]
    for call, code in zip(calls, (200, 469), strict=True):
        vtn.call_returned(call.call, True, now=NOW)
        answer = one(Reply, drained(vtn, NOW)).message
        assert isinstance(answer, CreatedPartyRegistration)
        assert answer.response.response_code == code
    assert len(vtn.vens) == 2


def test_from_one_address_only_so_many_register_that_show_no_certificate() -> None:
    vtn = a_vtn(known=0, new_vens=3)
    codes = [registers(vtn, f"ven {number}", address=f"192.0.2.1:{number}") for number in range(5)]
    assert codes == [200, 200, 200, 469, 469]
    assert registers(vtn, "another", address="192.0.2.2:1") == 200
    assert registers(vtn, "with a certificate", identity="AA") == 200
    assert registers(vtn, "ven 0") == 200, "one that is there may register again"
    assert registers(vtn, "later", at=Now(1201.0, NOON)) == 200


def test_one_certificate_is_one_ven_whatever_names_it_gives_itself() -> None:
    vtn = a_vtn(known=0)
    for number in range(20):
        assert registers(vtn, f"name {number}", identity="AA") == 200
    assert len(vtn.vens) == 1


# --- what a VEN can pile up ------------------------------------------------------------------------------------------


def test_offers_beyond_their_bound_are_refused_and_those_of_before_stay() -> None:
    vtn = a_vtn(offered=2000)
    answers = []
    for specifier, points in (("few", 2), ("many", 50)):
        reports = (offer(specifier, tuple(f"point {number}" for number in range(points))),)
        message = RegisterReport(request_id=specifier, reports=reports, ven_id="ven-0")
        answer = one(Reply, asked(vtn, message, NOW)).message
        assert isinstance(answer, RegisteredReport)
        answers.append(answer.response.response_code)
    assert answers == [200, 469]
    assert [one.report_specifier_id for one in vtn.vens["ven-0"].offered()] == ["few"]


def _asking(*requests: ReportRequest) -> CreateReport:
    return CreateReport(request_id="1", report_requests=requests, ven_id="ven-0")


def test_report_requests_have_a_number_and_a_size_beyond_which_they_are_refused() -> None:
    vtn = a_vtn(report_requests=2)
    answer = one(Reply, asked(vtn, _asking(*(request(f"request {number}") for number in range(4))), NOW)).message
    assert isinstance(answer, CreatedReport)
    assert (answer.response.response_code, answer.pending_reports) == (469, ("request 0", "request 1"))
    vtn = a_vtn()
    large = [
        but(
            request(f"request {number}"), report_specifier__specifier_payloads=(SpecifierPayload(r_id="load"),) * 12_000
        )
        for number in range(4)
    ]
    codes = []
    for each in large:
        answer = one(Reply, asked(vtn, _asking(each), NOW)).message
        assert isinstance(answer, CreatedReport)
        codes.append(answer.response.response_code)
    assert codes[0] == 200
    assert codes[-1] == 469
    assert len(vtn.vens["ven-0"].dump()) < 8 * 2**20


def test_opts_have_a_size_beyond_which_they_are_refused() -> None:
    vtn = a_vtn()
    for number in range(40):
        long = but(create_opt(f"opt {number}"), ven_id="ven-0", opt_reason="x-" + "y" * 20_000)
        asked(vtn, long, NOW)
    assert len(vtn.vens["ven-0"].dump()) < 2 * 2**18
    assert 0 < len(vtn.vens["ven-0"].opts.schedules) < 40


def test_what_a_ven_is_said_to_be_called_has_a_length_beyond_which_it_is_refused() -> None:
    for long in ({"ven_name": "x" * 2001}, {"ven_id": "x" * 2001}, {"transport_address": "x" * 2001}):
        vtn = a_vtn(known=0)
        answer = one(Reply, asked(vtn, create(request_id="1", **{"ven_name": "x" * 2000, **long}), NOW)).message
        assert isinstance(answer, CreatedPartyRegistration)
        assert answer.response.response_code == 454
        assert not vtn.vens


def test_answers_to_events_add_nothing_but_one_standing_for_each_event_and_a_text_that_is_cut() -> None:
    vtn = a_vtn()
    for number in range(3):
        vtn.add_event(event(f"event {number}"), ["ven-0"], NOW)
    for turn in range(30):
        responses = tuple(
            EventResponse(
                request_id="1",
                event_id=f"event {number}",
                modification_number=0,
                opt_type=(OptType.OPT_IN, OptType.OPT_OUT)[turn % 2],
                response_description=f"{turn} {'x' * 10_000}",
            )
            for number in range(6)
        )
        message = CreatedEvent(response=EiResponse(), event_responses=responses, ven_id="ven-0")
        asked(vtn, message, NOW)
    (*_, last) = standings = vtn.vens["ven-0"].standings
    assert len(standings) == 3, "an event that is not its own leaves nothing"
    assert (len(last.earlier), len(last.description or "")) == (4, 1000)
    assert len(vtn.vens["ven-0"].dump()) < 10_000


def test_operations_that_wait_for_a_ven_have_a_number_beyond_which_the_application_is_told() -> None:
    vtn = a_vtn(queued=5)
    for number in range(5 - len(vtn.vens["ven-0"].queue)):
        vtn.create_report("ven-0", [request(f"request {number}")], NOW)
    with pytest.raises(LocalProtocolError, match="5 operations wait for the VEN 'ven-0' already"):
        vtn.create_report("ven-0", [request("one more")], NOW)
    vtn.cancel_party_registration("ven-0", NOW)  # what ends it all is never one too many
    vtn.request_reregistration("ven-0", NOW)
    vtn.cancel_party_registration("ven-0", NOW)
    assert len(vtn.vens["ven-0"].queue) == 7


def test_metadata_that_a_ven_asks_for_and_cancels_do_not_pile_up_for_it() -> None:
    vtn = a_vtn()
    once = {"specifier_id": METADATA, "granularity": NONE, "back": NONE, "begin": None}
    for number in range(50):
        asked(vtn, _asking(request(f"request {number}", **once)), NOW)
        vtn.offer_to("ven-0", NOW, report_request_id=f"request {number}")  # as a VTN that runs by itself does
        if number % 3 == 0:
            asked(vtn, Poll(ven_id="ven-0"), NOW)
        ids = (f"request {number}",)
        cancel = CancelReport(request_id="1", report_request_id=ids, report_to_follow=False, ven_id="ven-0")
        asked(vtn, cancel, NOW)
    assert len(vtn.vens["ven-0"].queue) < 5


def test_of_what_a_slow_application_has_not_heard_only_so_much_waits_and_the_rest_comes_back_later() -> None:
    vtn = a_vtn("on_created_event", known=2, untold=10)
    vtn.add_event(event(), ["ven-0", "ven-1"], NOW)

    def answers(turn: int, ven_id: str = "ven-0") -> Reply:
        response = EventResponse(
            request_id="1", event_id="event", modification_number=0, opt_type=list(OptType)[turn % 2]
        )
        message = CreatedEvent(response=EiResponse(), event_responses=(response,), ven_id=ven_id)
        outputs = asked(vtn, message, NOW)
        calls.extend(each.call for each in outputs if isinstance(each, Call))
        return one(Reply, outputs)

    calls: list[CallId] = []
    refusals = [answers(turn).refusal for turn in range(30)]
    assert refusals == [None] * 11 + [Failure.BUSY] * 19
    assert one(Reply, asked(vtn, Poll(ven_id="ven-0"), NOW)).refusal is None
    assert answers(0, "ven-1").refusal is None, "another VEN does not suffer"
    vtn.call_returned(calls[0], None, now=NOW)
    drained(vtn, NOW)
    assert answers(0).refusal is None


def test_thousands_of_refusals_are_answered_in_a_few_words() -> None:
    vtn = a_vtn()
    wrong = tuple(request(f"{number} {'x' * 300}", specifier_id="unknown") for number in range(2000))
    answer = one(Reply, asked(vtn, _asking(*wrong), NOW)).message
    assert isinstance(answer, CreatedReport)
    assert answer.response.response_code == 452
    assert (answer.response.response_description or "").endswith(" and 1992 more")
    unknown = CancelReport(
        request_id="1",
        report_request_id=tuple(f"{number} {'x' * 300}" for number in range(2000)),
        report_to_follow=False,
        ven_id="ven-0",
    )
    outputs = asked(vtn, unknown, NOW)
    cancelled = one(Reply, outputs).message
    assert isinstance(cancelled, CanceledReport)
    assert len(cancelled.response.response_description or "") <= 1000


def test_of_what_the_application_has_not_decided_only_so_much_waits_and_the_rest_comes_back_later() -> None:
    vtn = a_vtn("on_request_event", known=2, undecided=2)
    for number in range(2):
        one(Call, asked(vtn, RequestEvent(request_id=f"request {number}", ven_id="ven-0"), NOW))
    for number in range(2, 5):
        reply = one(Reply, asked(vtn, RequestEvent(request_id=f"request {number}", ven_id="ven-0"), NOW))
        assert (reply.message, reply.refusal) == (None, Failure.BUSY)
    again = asked(vtn, RequestEvent(request_id="request 0", ven_id="ven-0"), NOW)
    assert not again, "the same again waits for the same answer"
    call = one(Call, asked(vtn, RequestEvent(request_id="1", ven_id="ven-1"), NOW))  # another VEN does not suffer
    vtn.call_returned(call.call, (), now=NOW)
    assert one(Reply, drained(vtn, NOW)).refusal is None
    assert one(Reply, asked(vtn, Poll(ven_id="ven-0"), NOW)).refusal is None, "nor what needs no decision"


def test_there_is_room_again_when_the_application_has_decided() -> None:
    vtn = a_vtn("on_request_event", undecided=1)
    for number in range(3):
        call = one(Call, asked(vtn, RequestEvent(request_id=f"request {number}", ven_id="ven-0"), NOW))
        vtn.call_returned(call.call, (), now=NOW)
        assert one(Reply, drained(vtn, NOW)).refusal is None


# --- token buckets ---------------------------------------------------------------------------------------------------


@given(
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 50),
    steps=st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_never_more_passes_than_the_burst_and_what_has_flowed_in_since(
    rate: float, burst: int, steps: list[float]
) -> None:
    buckets, now, passed = TokenBuckets(rate, burst), 0.0, 0
    for step in steps:
        now += step
        wait = buckets.take("peer", now)
        passed += wait == 0
        assert passed <= burst + rate * now + 1e-6
        assert wait == 0 or buckets.take("peer", now + wait) == 0
        if wait:
            now += wait
            passed += 1


def test_peers_that_come_from_everywhere_fill_nothing() -> None:
    buckets = TokenBuckets(1.0, 1, most=100)
    passed = [buckets.take(number, 0.0) == 0 for number in range(10_000)]
    assert passed.count(True) == 101, "those that are told apart, and one of all others"
    assert len(buckets) == 101
    assert buckets.take("later", 10.0) == 0
    assert len(buckets) == 1


def test_without_a_rate_everything_passes_and_nothing_is_remembered() -> None:
    buckets = TokenBuckets(float("inf"), 1)
    assert not any(buckets.take("peer", 0.0) for _ in range(1000))
    assert len(buckets) == 0
