"""Reports where something goes wrong: what peers ask, what applications get wrong, restarts and lost answers."""

import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from oadr_core import (
    AutoVen,
    AutoVtn,
    CancelReport,
    CreatedReport,
    CreateReport,
    DataPoint,
    EiResponse,
    HandlerFailed,
    Interval,
    LocalProtocolError,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportDescription,
    ReportDropped,
    ReportInterval,
    ReportPayload,
    ReportRequest,
    ReportRule,
    ReportSpecifier,
    SamplingRate,
    SpecifierPayload,
    UpdatedReport,
    UpdateReport,
    VtnPolicy,
    data_point,
    make_offer,
)
from oadr_core.auto.submitted import Submitted
from oadr_core.machines.report import ReportAtRequesterInput
from oadr_core.offers import METADATA
from oadr_core.outputs import Output, Save
from oadr_core.reports import Requester, Source
from oadr_core.state.reports import AcceptedRequest, ReportsBlob
from oadr_core.state.ven import VenState
from oadr_core.testing import Host, PowerCut
from tests.core.kit import HOUR, MINUTE, NONE, NOON, Grid, offer, request
from tests.core.test_report_kinds import RATE, SECOND, Pair, both, direction, shown

__all__ = ["direction"]

NEVER = datetime.max.replace(microsecond=0, tzinfo=UTC)


def offering(pair: Pair, mode: str = "incremental", *r_ids: str, **details: Any) -> None:
    """Offer data points from now on and after every restart of the source, as an application does."""
    callbacks: Mapping[str, Callable[..., object] | None] = {
        "incremental": pair.seconds,
        "full": lambda date_from, date_to: [],
        "submit": None,
    }
    points = [
        data_point(callbacks[mode], r_id=r_id, data_collection_mode=mode, sampling_rate=RATE, **details)
        for r_id in r_ids or ("load",)
    ]
    pair.offer("meter", *points)
    offer_at_start(pair, *points)
    pair.grid.run(30)


def source_of(pair: Pair) -> Host:
    return pair.grid.hosts["ven"] if pair.direction == "VEN to VTN" else pair.grid.host


def offer_at_start(pair: Pair, *points: DataPoint) -> None:
    """Have the source offer data points whenever it starts."""
    host, build = source_of(pair), source_of(pair)._build
    role = AutoVen if pair.direction == "VEN to VTN" else AutoVtn

    class Offering(role):  # type: ignore[misc, valid-type]
        def start(self, now: Any) -> None:
            self.offer(make_offer("meter", points, NOON), {one.description.r_id: one for one in points})
            super().start(now)

    def rebuild(saved: Mapping[str, bytes], now: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"tests.core.kit.{role.__name__}", Offering)
            return build(saved, now)

    host._build = rebuild


def restart(pair: Pair, host: Host) -> None:
    pair.grid.wire.boot(host, pair.grid.now)
    pair.grid.drain()


def metadata(request_id: str, back: timedelta = NONE) -> ReportRequest:
    return request(request_id, specifier_id=METADATA, r_ids=("0",), granularity=NONE, back=back)


# --- what a peer asks for --------------------------------------------------------------------------------------------


@pytest.mark.rule(325)
@pytest.mark.parametrize(("mode", "details"), [("full", {}), ("submit", {}), ("incremental", {"accumulates": True})])
def test_a_request_for_the_end_of_time_is_accepted_and_harms_nothing(
    direction: str, mode: str, details: dict[str, Any]
) -> None:
    pair = Pair(direction)
    offering(pair, mode, **details)
    asked = request("later", specifier_id="meter", granularity=SECOND * 10, back=SECOND * 10)
    interval = ReportInterval(dtstart=NEVER, duration=NONE)
    specifier = msgspec.structs.replace(asked.report_specifier, report_interval=interval)
    pair.ask(msgspec.structs.replace(asked, report_specifier=specifier))
    pair.grid.run(60)
    assert pair.answers == [(200, ("later",))]
    assert pair.data() == []


@pytest.mark.rule(340)
def test_metadata_of_every_few_million_years_are_refused(direction: str) -> None:
    pair = Pair(direction)
    offering(pair)
    pair.ask(metadata("seldom", timedelta(days=999_999_999)))
    pair.grid.run(60)
    assert pair.answers == [(454, ())]


@pytest.mark.rule(314)
def test_intervals_that_end_before_they_begin_are_refused(direction: str) -> None:
    pair = Pair(direction)
    offering(pair)
    pair.ask(request("mine", specifier_id="meter", begin=HOUR))
    pair.grid.run(30)
    backwards = Interval(duration=-MINUTE, payloads=(ReportPayload(r_id="load", value=1.0),))
    report = Report(
        dtstart=NOON,
        intervals=(backwards, backwards),
        report_request_id="mine",
        report_specifier_id="meter",
        report_name="TELEMETRY_USAGE",
        created_date_time=NOON,
    )
    record = ReportsBlob(requests=pair_requests(pair))
    examined = Requester(record).examine(UpdateReport(request_id="1", reports=(report,)))
    assert examined.response.response_code == 454


def pair_requests(pair: Pair) -> Any:
    """What the receiving side has asked for."""
    record = pair.grid.ven().ven.state
    return record.requests if pair.direction == "VTN to VEN" else pair.grid.vtn.vtn.vens[pair.grid.ven_id()].requests


@pytest.mark.rule(306)
def test_an_offer_that_changes_lets_running_reports_go_on_until_they_are_replaced(direction: str) -> None:
    pair = Pair(direction)
    offering(pair)
    pair.ask(request("request", specifier_id="meter", granularity=SECOND * 10, back=SECOND * 30))
    pair.grid.run(15)
    pair.offer("meter", data_point(lambda: 1, r_id="other", sampling_rate=RATE))
    pair.grid.clock.advance(10)
    pair.grid.wire.wake(pair.grid.now)
    pair.grid.run(60)
    assert (pair.served, pair.expected) == ((), ())


def test_an_application_that_offers_less_after_a_restart_serves_what_was_asked_for_no_more(direction: str) -> None:
    pair = Pair(direction)
    offering(pair, "incremental", "load", "sun")
    both_points = request("request", specifier_id="meter", r_ids=("load", "sun"), granularity=SECOND * 10)
    pair.ask(both_points)
    pair.grid.run(15)
    offer_at_start(pair, data_point(lambda: 1, r_id="load", sampling_rate=RATE))
    pair.grid.wire.boot(source_of(pair), pair.grid.now)
    pair.grid.clock.advance(30)
    pair.grid.wire.wake(pair.grid.now)
    pair.grid.run(60)
    assert (pair.served, pair.expected) == ((), ())


@pytest.mark.parametrize(
    "rate",
    [(HOUR, SECOND * 5), (timedelta(days=900_000_000), timedelta(days=999_999_999)), (-HOUR, -MINUTE)],
    ids=["shortest above longest", "ages", "negative"],
)
def test_whatever_a_ven_offers_a_rule_asks_for_what_may_be_asked_for(rate: tuple[timedelta, timedelta]) -> None:
    one = ReportDescription(
        r_id="load",
        report_type="usage",
        reading_type="Direct Read",
        sampling_rate=SamplingRate(min_period=rate[0], max_period=rate[1], on_change=True),
    )
    offered = msgspec.structs.replace(offer(), report_descriptions=(one,), duration=timedelta(days=999_999_999))
    history = msgspec.structs.replace(offered, report_name="METADATA_HISTORY_USAGE", report_specifier_id="past")
    for rule in (ReportRule(names=None, reporting=SECOND), ReportRule(names=None, on_change=True, reporting=SECOND)):
        grid = Grid(vtn_policy=VtnPolicy(report_rules=(rule,)))
        grid.add_ven()
        grid.run(5)
        grid.log.clear()
        grid.ven().ven.register_report([offered, history], grid.now)
        grid.run(5)
        (answer,) = grid.messages(RegisteredReport)
        assert answer.response.ok


# --- what an application gets wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wish",
    [
        {"sampling": MINUTE, "reporting": SECOND},
        {"begin": datetime(2026, 11, 20)},
        {"sampling": timedelta(milliseconds=1)},
    ],
    ids=["reported more often than sampled", "no time zone", "part of a second"],
)
def test_a_wish_that_cannot_be_asked_for_is_told_with_its_reason(direction: str, wish: dict[str, Any]) -> None:
    pair = Pair(direction)
    pair.want("meter", "load", **wish)
    offering(pair)
    asks = pair.grid.host if direction == "VEN to VTN" else pair.grid.hosts["ven"]
    (failed, *_) = pair.grid.told(HandlerFailed, asks)
    assert "what is wanted of load in meter cannot be asked for" in failed.error
    assert (pair.served, pair.expected) == ((), ())


@pytest.mark.rule(321, 322, 324)
def test_a_request_that_breaks_a_rule_is_refused_where_it_is_made(direction: str) -> None:
    pair = Pair(direction)
    offering(pair)
    endless = request("one", specifier_id="meter", begin=None)
    with pytest.raises(LocalProtocolError, match="a periodic request has one"):
        pair.ask(endless)
    specifier = request("one", specifier_id="meter").report_specifier
    assert specifier.report_interval is not None
    late = msgspec.structs.replace(specifier.report_interval, ramp_up=MINUTE)
    with pytest.raises(LocalProtocolError, match="ramp_up in the interval"):
        pair.ask(
            ReportRequest(
                report_request_id="one", report_specifier=msgspec.structs.replace(specifier, report_interval=late)
            )
        )
    with pytest.raises(LocalProtocolError, match="give each one of its own"):
        pair.ask(request("one", specifier_id="meter"), request("one", specifier_id="meter"))
    assert pair.expected == ()


@pytest.mark.rule(338)
def test_a_reading_type_in_a_request_is_sent_as_the_rule_wants_it(direction: str) -> None:
    pair = Pair(direction)
    offering(pair)
    specifier = ReportSpecifier(
        report_specifier_id="meter",
        granularity=NONE,
        report_back_duration=NONE,
        specifier_payloads=(SpecifierPayload(r_id="load", reading_type="Direct Read"),),
    )
    pair.ask(ReportRequest(report_request_id="one", report_specifier=specifier))
    pair.grid.run(30)
    (sent,) = {one for message in pair.grid.messages(CreateReport) for one in message.report_requests}
    assert sent.report_specifier.specifier_payloads[0].reading_type == "x-notApplicable"
    assert len(pair.data()) == 1


def test_a_submitted_value_needs_a_time_that_means_something(direction: str) -> None:
    pair = Pair(direction)
    offering(pair, "submit")
    with pytest.raises(LocalProtocolError, match="has no time zone"):
        pair.source.submit("meter", "load", 1.0, pair.grid.now, datetime(2026, 11, 20, 12))


# --- submitted values ------------------------------------------------------------------------------------------------


def test_submitted_values_outlive_a_restart(direction: str) -> None:
    pair = Pair(direction)
    offering(pair, "submit")
    pair.source.submit("meter", "load", 4.0, pair.grid.now)
    pair.grid.drain()
    restart(pair, source_of(pair))
    pair.grid.run(30)
    pair.ask(request("once", specifier_id="meter", back=NONE, granularity=NONE, begin=None))
    pair.grid.run(30)
    assert [shown(one) for one in pair.data()] == [[(30, "load", 4.0, None)]]


@pytest.mark.rule(325)
def test_history_holds_all_that_was_submitted_in_its_time(direction: str) -> None:
    pair = Pair(direction)
    point = data_point(r_id="load", report_name="HISTORY_USAGE", data_collection_mode="submit")
    pair.offer("past", point, name="HISTORY_USAGE", report_duration=HOUR * 24)
    pair.grid.run(30)
    for ago in (50, 5, 30, 70):
        pair.source.submit("past", "load", ago, pair.grid.now, NOON - MINUTE * ago)
    pair.ask(request("hour", specifier_id="past", begin=-HOUR, length=HOUR, back=NONE, granularity=NONE))
    pair.grid.run(30)
    assert [[value for _, _, value, _ in shown(one)] for one in pair.data()] == [[50.0, 30.0, 5.0]]


def test_what_no_report_can_need_is_forgotten_and_the_newest_value_stays() -> None:
    pair = Pair("VEN to VTN")
    offering(pair, "submit")
    saved = source_of(pair).saved
    for _ in range(6):
        pair.source.submit("meter", "load", 1.0, pair.grid.now)
        pair.grid.run(HOUR.total_seconds())
    kept = [key for key in saved if key.startswith("submitted/")]
    assert len(kept) <= 3, "an hour is offered, and twice that is kept"
    emitted: list[Output] = []
    again = Submitted(emitted.append, saved)
    again.forget(NOON + timedelta(days=9), {("meter", "load"): HOUR})
    assert len(again.newest(("meter", "load"))) == 1
    again = Submitted(emitted.append, saved)
    again.forget(NOON + timedelta(days=9), {})
    assert again.newest(("meter", "load")) == ()
    assert {one.key for one in emitted if isinstance(one, Save)} == set(kept), "it is offered no more"


@pytest.mark.rule(317)
def test_what_a_vtn_has_read_for_a_report_that_is_not_complete_outlives_a_restart() -> None:
    pair = Pair("VTN to VEN")
    offering(pair)
    pair.ask(request("mine", specifier_id="meter", back=MINUTE, granularity=timedelta(seconds=10)))
    pair.grid.run(15)
    kept = [key for key in source_of(pair).saved if key.startswith("sample/")]
    assert len(kept) == 2
    restart(pair, source_of(pair))
    pair.grid.run(100)
    first = pair.data()[0]
    assert [(one.dtstart - NOON).total_seconds() for one in first.intervals if one.dtstart] == [30, 40, 50]
    assert not {*kept} & {*source_of(pair).saved}, "what is told is not kept"
    ids = [one.report_request_id for one in pair.reports]
    assert ids == ["mine"] * len(ids)


@pytest.mark.rule(317)
def test_what_a_ven_has_read_for_a_report_that_is_not_complete_outlives_a_restart_while_its_vtn_is_away() -> None:
    pair = Pair("VEN to VTN")
    offering(pair)
    pair.ask(request("mine", specifier_id="meter", back=MINUTE, granularity=timedelta(seconds=10)))
    pair.grid.run(15)
    kept = [key for key in source_of(pair).saved if key.startswith("sample/")]
    assert len(kept) == 2
    pair.grid.wire.boot(source_of(pair), pair.grid.now)
    pair.grid.run_without(pair.grid.host, 60)
    assert not {*kept} & {*source_of(pair).saved}, "what is told is not kept"
    assert pair.data() == []
    pair.grid.run(100)
    first = pair.data()[0]
    assert [(one.dtstart - NOON).total_seconds() for one in first.intervals if one.dtstart] == [30, 40, 50]


@pytest.mark.rule(306)
def test_the_metadata_that_a_ven_sends_after_a_restart_end_what_it_had_read() -> None:
    pair = Pair("VEN to VTN")
    offering(pair)
    pair.ask(request("mine", specifier_id="meter", back=MINUTE, granularity=timedelta(seconds=10)))
    pair.grid.run(15)
    restart(pair, source_of(pair))
    pair.grid.run(60)
    assert pair.data() == []
    assert not [key for key in source_of(pair).saved if key.startswith("sample/")]


@pytest.mark.rule(306)
def test_what_was_read_for_a_request_that_ends_is_forgotten() -> None:
    pair = Pair("VTN to VEN")
    offering(pair)
    pair.ask(request("mine", specifier_id="meter", back=MINUTE, granularity=timedelta(seconds=10)))
    pair.grid.run(15)
    assert [key for key in source_of(pair).saved if key.startswith("sample/")]
    pair.cancel("mine")
    pair.grid.run(15)
    assert not [key for key in source_of(pair).saved if key.startswith("sample/")]


# --- restarts and lost answers ---------------------------------------------------------------------------------------


def cut(pair: Pair, fuse: int, *asked: ReportRequest) -> bool:
    """Ask for reports, and have the source fail after some outputs; it reads again before it has registered again.

    :returns: whether it failed.
    """
    host, grid = source_of(pair), pair.grid
    grid.vtn.vtn.create_report(grid.ven_id(), asked, grid.now)
    host.fuse = fuse
    try:
        grid.run(12)
    except PowerCut:
        grid.wire.boot(host, grid.now)
        grid.wire.wake(grid.now)
        for call in list(host.calls):
            assert call.function is not None
            grid.wire.run(host, call, call.function(**call.arguments), grid.now)
        grid.run(300)
        return True
    host.fuse = None
    grid.run(300)
    return False


@pytest.mark.rule(324, 329)
def test_wherever_the_power_fails_a_report_that_is_asked_for_once_is_made_once() -> None:
    for fuse in itertools.count():
        pair = Pair("VEN to VTN")
        offering(pair)
        failed = cut(pair, fuse, request("once", specifier_id="meter", back=NONE, granularity=NONE, begin=None))
        made = {one.request_id for one in pair.grid.messages(UpdateReport)}
        assert len(made) == len(pair.reports) == 1, f"cut {fuse}"
        assert (pair.served, pair.expected) == ((), ()), f"cut {fuse}"
        if not failed:
            assert fuse > 10
            return


@pytest.mark.rule(311, 324, 329)
def test_wherever_the_power_fails_metadata_that_are_asked_for_are_an_answer() -> None:
    for fuse in itertools.count():
        pair = Pair("VEN to VTN")
        offering(pair)
        failed = cut(pair, fuse, metadata("all"))
        assert "all" in {one.report_request_id for one in pair.grid.messages(RegisterReport)}, f"cut {fuse}"
        assert (pair.served, pair.expected) == ((), ()), f"cut {fuse}"
        if not failed:
            assert fuse > 8
            return


@pytest.mark.rule(317)
def test_what_was_made_is_not_made_again_where_the_clock_was_set_back_meanwhile() -> None:
    accepted = AcceptedRequest(request=request(), accepted_at=NOON)
    source = Source(VenState(report_requests=(accepted,)))
    source.note_made("request", until=NOON + MINUTE)
    (known,) = source.accepted
    assert known.made_until == NOON + MINUTE
    source = Source(VenState(report_requests=(msgspec.structs.replace(known, state=known.state),)))
    source.cancel(CancelReport(request_id="1", report_request_id=("request",), report_to_follow=True))
    source.note_made("request", until=NOON + MINUTE)  # once more, after a restart
    assert source.pending == ("request",)
    source.note_made("request", until=NOON + MINUTE * 2)
    source.delivered(["request"], ())
    assert source.pending == (), "that was the one to follow (rule 345)"


def test_periodic_metadata_do_not_add_up_while_the_vtn_is_away() -> None:
    pair = Pair("VEN to VTN")
    offering(pair)
    pair.ask(metadata("often", SECOND * 10))
    pair.grid.run(30)
    pair.grid.run_without(pair.grid.host, 3600)
    assert len(list(pair.grid.ven().ven._sender.messages(RegisterReport))) <= 2


@pytest.mark.rule(336)
def test_a_cancel_without_an_id_of_its_own_is_done_each_time(direction: str) -> None:
    pair = Pair(direction)
    offering(pair)
    for _ in range(2):
        pair.ask(request("mine", specifier_id="meter"))
        pair.grid.run(15)
        assert pair.served == ("mine",)
        cancel = CancelReport(request_id="", report_request_id=("mine",), ven_id=pair.grid.ven_id())
        if direction == "VEN to VTN":
            pair.grid.vtn.vtn._queue(pair.grid.vtn.vtn.vens[pair.grid.ven_id()], cancel, pair.grid.now)
        else:
            pair.grid.ven().ven._send(cancel, pair.grid.now)
            pair.grid.ven().ven._move_requested({"mine"}, ReportAtRequesterInput.CANCEL, pair.grid.now)
        pair.grid.run(30)
        assert pair.served == ()


def test_a_delivery_that_was_taken_in_part_is_answered_the_same_when_it_comes_again(direction: str) -> None:
    pair = Pair(direction)
    offering(pair)
    pair.ask(request("mine", specifier_id="meter", granularity=SECOND * 10, back=SECOND * 10))
    pair.grid.run(30)
    good = pair.data()[-1]
    other = msgspec.structs.replace(good, report_request_id="other")
    for _ in range(2):
        pair.grid.log.clear()
        if direction == "VEN to VTN":
            pair.grid.ven().ven.update_report([good, other], pair.grid.now, request_id="both")
        else:
            message = UpdateReport(request_id="both", reports=(good, other), ven_id=pair.grid.ven_id())
            pair.grid.vtn.vtn._queue(pair.grid.vtn.vtn.vens[pair.grid.ven_id()], message, pair.grid.now)
        pair.grid.run(12)
        assert 452 in {one.response.response_code for one in pair.grid.messages(UpdatedReport)}


@pytest.mark.rule(345, 346)
def test_a_correction_is_not_the_report_to_follow(direction: str) -> None:
    pair = Pair(direction)
    offering(pair)
    pair.ask(request("mine", specifier_id="meter", granularity=SECOND * 10, back=MINUTE))
    pair.grid.run(100)
    pair.cancel("mine", to_follow=True)
    pair.grid.run(12)
    last = pair.data()[-1].dtstart
    where = (pair.grid.ven_id(),) if direction == "VTN to VEN" else ()
    pair.source.resend_report(*where, "mine", pair.grid.now)  # type: ignore[arg-type]
    pair.grid.run(200)
    assert last is not None
    assert pair.data()[-1].dtstart == last + MINUTE
    assert (pair.served, pair.expected) == ((), ())


def test_a_report_that_meets_a_vtn_without_its_register_is_kept() -> None:
    grid = Grid(vtn_policy=VtnPolicy(request_reports=True))
    grid.add_ven(offers={"load": lambda: 1.0})
    grid.run(30)
    outbox = grid.ven()._outbox
    report = grid.messages(UpdateReport)[-1].reports[0]
    outbox.deliver(outbox.put(report, grid.now), grid.now)
    (sent,) = grid.ven().ven._sender.messages(UpdateReport)
    assert isinstance(sent, UpdateReport)
    answer = UpdatedReport(response=EiResponse(response_code=463, request_id=sent.request_id))
    outbox.confirmed(sent, answer, given_up=False)
    assert len(outbox) == 1
    assert grid.told(ReportDropped, grid.hosts["ven"]) == []


# --- what both sides believe -----------------------------------------------------------------------------------------


@pytest.mark.rule(329)
def test_a_request_whose_time_passed_without_a_report_is_expected_no_more(direction: str) -> None:
    pair = Pair(direction)
    offering(pair)
    pair.ask(request("soon", specifier_id="meter", granularity=MINUTE, back=MINUTE, begin=HOUR, length=MINUTE * 5))
    pair.grid.run(30)
    assert (pair.served, pair.expected) == (("soon",), ("soon",))
    pair.grid.clock.advance(HOUR.total_seconds() * 3)  # nobody was awake
    pair.grid.wire.wake(pair.grid.now)
    pair.grid.run(60)
    assert (pair.served, pair.expected) == ((), ())


@pytest.mark.rule(344)
@both
def test_the_application_may_refuse_what_is_asked_for_by_the_way(pull: bool) -> None:
    asked = []

    def refuse(payload: object) -> tuple[int, str]:
        asked.append(payload)
        return 461, "not today"

    pair = Pair("VTN to VEN", pull=pull, on_create_report=refuse)
    wanted = request("by the way", specifier_id="meter")
    answered = RegisteredReport(
        response=EiResponse(request_id="x"), report_requests=(wanted,), ven_id=pair.grid.ven_id()
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oadr_core.ven.reports.RegisteredReport", lambda **_: answered)
        offering(pair)
    assert len(asked) == 1
    assert pair.served == ()
    assert [one.response.response_code for one in pair.grid.messages(CreatedReport)] == [461]


@pytest.mark.rule(329, 344)
def test_a_refusal_of_what_was_asked_for_by_the_way_is_about_nothing_else() -> None:
    waiting, by_the_way = request("waiting"), request("by the way")
    requester = Requester(ReportsBlob())
    requester.ask([waiting, by_the_way])
    under_way = [CreateReport(request_id="1", report_requests=(waiting,))]
    refusal = CreatedReport(response=EiResponse(response_code=452), pending_reports=())
    assert requester.take_created(refusal, requester.unconfirmed(under_way)) == {"by the way"}
    assert [one.request_id for one in requester.requests] == ["waiting"]


@pytest.mark.rule(329, 344)
def test_what_is_confirmed_by_the_way_does_not_confirm_a_request_for_metadata_that_a_restart_has_kept() -> None:
    metadata = request("metadata", specifier_id=METADATA, r_ids=("0",), granularity=NONE, back=NONE, begin=None)
    requester = Requester(ReportsBlob())
    requester.ask([metadata, request("by the way")])
    assert requester.unconfirmed([]) == {"by the way"}


def test_callbacks_of_single_requests_do_not_add_up(direction: str) -> None:
    pair = Pair(direction)
    offering(pair)
    asker: Any = (pair.grid.vtn if direction == "VEN to VTN" else pair.grid.ven())._asker
    peer = (pair.grid.ven_id(),) if direction == "VEN to VTN" else ()
    for number in range(40):
        pair.ask(request(f"once {number}", specifier_id="meter", back=NONE, granularity=NONE, begin=None))
        side: Any = pair.grid.vtn if direction == "VEN to VTN" else pair.grid.ven()
        side.bind(*peer, f"once {number}", "load", lambda data: None)
        pair.grid.run(12)
    assert len(pair.data()) == 40
    assert len(next(iter(asker._callbacks.values()))) <= 20


# --- callbacks -------------------------------------------------------------------------------------------------------


def test_a_callback_is_attached_again_to_a_request_that_outlives_a_restart(direction: str) -> None:
    pair = Pair(direction)
    offering(pair)
    pair.ask(request("mine", specifier_id="meter", back=timedelta(seconds=10), granularity=timedelta(seconds=10)))
    pair.grid.run(15)
    assert pair.taken == {}
    asker = pair.grid.host if direction == "VEN to VTN" else pair.grid.hosts["ven"]
    restart(pair, asker)
    core = asker.core
    assert isinstance(core, AutoVen | AutoVtn)
    peer = [] if isinstance(core, AutoVen) else [pair.grid.ven_id()]
    core.attach(*peer, "mine", pair.store)  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="no report request 'other'"):
        core.attach(*peer, "other", pair.store)  # type: ignore[arg-type]
    pair.grid.run(25)
    assert len(pair.taken["load"]) >= 2
