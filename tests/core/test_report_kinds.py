"""Every kind of report, in both directions: the side that reports and the side that asks are the same at either role.

Each test takes a pair that reports from the first to the second: a VEN to its VTN, or a VTN to its VEN.
"""

import itertools
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from oadr_core import (
    AutoVen,
    AutoVtn,
    CanceledReport,
    CreatedReport,
    CreateReport,
    DataPoint,
    EndReports,
    GreenButtonPayload,
    HandlerFailed,
    LoadControl,
    LoadControlState,
    LocalProtocolError,
    RegisterReport,
    Report,
    ReportEnded,
    ReportPayload,
    ReportRequest,
    ReportRule,
    ReportsReceived,
    ReportWish,
    ResourceStatus,
    UpdatedReport,
    UpdateReport,
    VenPolicy,
    VtnPolicy,
    data_point,
    make_offer,
)
from oadr_core.offers import METADATA
from oadr_core.reports import Source
from tests.core.kit import HOUR, MINUTE, NONE, NOON, Grid, request

SECOND = timedelta(seconds=1)
RATE = {"min_period": SECOND * 10, "max_period": MINUTE * 5, "on_change": True}
STATUS = ResourceStatus(
    online=True,
    manual_override=False,
    load_control_state=LoadControl(capacity=LoadControlState(current=50.0, min=0.0, max=100.0)),
)


class Pair:
    """A VTN and a VEN, one of which reports to the other.

    :ivar grid: the two.
    :ivar taken: the values that the application of the other was handed, by data point: seconds after noon, and value.
    :ivar reports: whole reports that it was handed.
    """

    def __init__(self, direction: str, *, pull: bool = True, **handlers: Callable[..., object]) -> None:
        self.direction = direction
        self.taken: dict[str, list[tuple[float, Any]]] = {}
        self.reports: list[Report] = []
        self.wishes: dict[str, list[ReportWish]] = {}
        self.verdict: object = None
        own = {"on_register_report": self.wanted, self.takes: self.take}
        at_source = {name: one for name, one in handlers.items() if name not in own}
        to_vtn = direction == "VEN to VTN"
        self.grid = Grid(vtn_handlers=own if to_vtn else at_source, vtn_policy=VtnPolicy())
        ven_handlers: Mapping[str, Callable[..., object]] = at_source if to_vtn else own
        self.grid.add_ven(pull=pull, handlers=ven_handlers)
        self.grid.drain()

    @property
    def takes(self) -> str:
        return "on_update_report" if self.direction == "VEN to VTN" else "on_report"

    @property
    def whole(self) -> str:
        """The handler of the source that makes whole reports."""
        return "next_report" if self.direction == "VEN to VTN" else "on_request_report"

    def wanted(self, report: Report) -> list[ReportWish]:
        return self.wishes.get(report.report_specifier_id, [])

    def take(self, report: Report) -> object:
        self.reports.append(report)
        return self.verdict

    def store(self, data: list[tuple[datetime, Any]], r_id: str) -> None:
        self.taken.setdefault(r_id, []).extend(((at - NOON).total_seconds(), value) for at, value in data)

    @property
    def source(self) -> AutoVen | AutoVtn:
        return self.grid.ven() if self.direction == "VEN to VTN" else self.grid.vtn

    def offer(self, specifier_id: str, *points: DataPoint, name: str = "TELEMETRY_USAGE", **rest: Any) -> None:
        made = make_offer(specifier_id, points, NOON, report_name=name, **rest)
        self.source.offer(made, {one.description.r_id: one for one in points}, self.grid.now)

    def want(self, specifier_id: str, *r_ids: str, **wish: Any) -> None:
        """Ask for data points, as soon as they are offered."""
        self.wishes[specifier_id] = [ReportWish(r_id=r_id, callback=self.store, **wish) for r_id in r_ids]

    def ask(self, *requests: ReportRequest) -> None:
        """Ask for reports by hand."""
        if self.direction == "VEN to VTN":
            self.grid.vtn.vtn.create_report(self.grid.ven_id(), requests, self.grid.now)
        else:
            self.grid.ven().ven.create_report(requests, self.grid.now)
        self.grid.drain()

    def cancel(self, *request_ids: str, to_follow: bool = False) -> None:
        if self.direction == "VEN to VTN":
            self.grid.vtn.vtn.cancel_report(self.grid.ven_id(), request_ids, self.grid.now, report_to_follow=to_follow)
        else:
            self.grid.ven().ven.cancel_report(request_ids, self.grid.now, report_to_follow=to_follow)
        self.grid.drain()

    @property
    def served(self) -> tuple[str, ...]:
        """What the source serves."""
        record = self.grid.ven().ven.state
        if self.direction != "VEN to VTN":
            return tuple(one.request.report_request_id for one in self.grid.vtn.vtn.vens[record.ven_id].report_requests)
        return tuple(one.request.report_request_id for one in record.report_requests)

    @property
    def expected(self) -> tuple[str, ...]:
        """What the other side expects."""
        record = self.grid.ven().ven.state
        if self.direction == "VEN to VTN":
            return tuple(one.request_id for one in self.grid.vtn.vtn.vens[record.ven_id].requests)
        return tuple(one.request_id for one in record.requests)

    @property
    def answers(self) -> list[tuple[int, tuple[str, ...]]]:
        """How requests were answered: the code, and what is pending."""
        return [
            (one.response.response_code, one.pending_reports)
            for one in self.grid.messages(CreatedReport) + self.grid.messages(CanceledReport)
        ]

    def data(self) -> list[Report]:
        """The reports that were sent."""
        return [report for one in self.grid.messages(UpdateReport) for report in one.reports]

    def seconds(self) -> float:
        return (self.grid.now.utc - NOON).total_seconds()


@pytest.fixture(params=["VEN to VTN", "VTN to VEN"])
def direction(request: pytest.FixtureRequest) -> str:
    return str(request.param)


both = pytest.mark.parametrize("pull", [True, False], ids=["pull", "push"])


def shown(report: Report) -> list[tuple[float, str, object, str | None]]:
    """The values of a report: seconds after noon, data point, value, quality."""
    return [
        ((one.dtstart - NOON).total_seconds(), payload.r_id, payload.value, payload.data_quality)
        for one in report.intervals
        for payload in one.payloads
        if one.dtstart is not None and isinstance(payload, ReportPayload)
    ]


# --- telemetry -------------------------------------------------------------------------------------------------------


@both
@pytest.mark.rule(300, 301, 302, 306, 309, 317, 344)
def test_periodic_telemetry_of_several_data_points_and_resources(direction: str, pull: bool) -> None:
    pair = Pair(direction, pull=pull)
    pair.want("meter", "load", "sun", sampling=SECOND * 10, reporting=SECOND * 30)
    pair.offer(
        "meter",
        data_point(pair.seconds, r_id="load", resource_id="hall", sampling_rate=RATE, scale="k"),
        data_point(lambda: 7, r_id="sun", resource_id="roof", measurement="energy_real", sampling_rate=RATE),
    )
    pair.grid.run(100)
    times = [at for at, _ in pair.taken["load"]]
    assert len(times) >= 6
    assert times == [times[0] + 10 * number for number in range(len(times))], "every sample, in order, once"
    assert pair.taken["sun"] == [(at, 7) for at in times]
    assert pair.served == pair.expected
    assert len(pair.reports) * 3 == len(times)


@both
@pytest.mark.rule(324)
def test_a_report_that_is_asked_for_once_comes_once_and_is_pending_until_then(direction: str, pull: bool) -> None:
    pair = Pair(direction, pull=pull)
    pair.offer("meter", data_point(lambda: 5, r_id="load", sampling_rate=RATE))
    pair.grid.run(30)
    pair.ask(request("once", specifier_id="meter", back=NONE, granularity=HOUR * 9, begin=None))
    pair.grid.run(60)
    assert pair.answers == [(200, ("once",))], "rule 329"
    (report,) = pair.data()
    assert [value for _, _, value, _ in shown(report)] == [5.0]
    assert (pair.served, pair.expected) == ((), ())


@pytest.mark.rule(325)
def test_nothing_comes_before_the_start_nor_after_the_end(direction: str) -> None:
    pair = Pair(direction)
    pair.offer("meter", data_point(pair.seconds, r_id="load", sampling_rate=RATE))
    pair.grid.run(30)
    asked = {"granularity": SECOND * 10, "back": SECOND * 20, "begin": MINUTE * 5, "length": MINUTE}
    pair.ask(request("later", specifier_id="meter", **asked))
    pair.grid.run(240)
    assert pair.data() == []
    pair.grid.run(110)
    assert (pair.served, pair.expected) == ((), ()), "both are done with the last value (rule 329)"
    pair.grid.run(290)
    assert [at for report in pair.data() for at, *_ in shown(report)] == [300, 310, 320, 330, 340, 350]


@pytest.mark.rule(317)
def test_on_change_tells_changes_and_else_that_there_is_nothing_new(direction: str) -> None:
    pair = Pair(direction)
    shows = [1.0]
    pair.offer(
        "meter",
        data_point(lambda: shows[0], r_id="load", sampling_rate=RATE),
        data_point(pair.seconds, r_id="clock", sampling_rate=RATE),
    )
    pair.grid.run(30)
    asked = request("changes", specifier_id="meter", r_ids=("load", "clock"), granularity=NONE, back=MINUTE)
    pair.ask(asked)
    pair.grid.run(100)
    shows[0] = 2.0
    pair.grid.run(70)
    found = [[(value, quality) for _, r_id, value, quality in shown(one) if r_id == "load"] for one in pair.data()]
    nothing = (1.0, "No New Value - Previous Value Used")
    assert found == [[(1.0, None)], [nothing], [(2.0, None)]]
    clock = [at for one in pair.data() for at, r_id, *_ in shown(one) if r_id == "clock"]
    assert clock == [30 + 10 * number for number in range(15)], "never closer than that"


@pytest.mark.rule(315, 337, 342)
def test_what_accumulates_is_told_with_its_length_and_is_known_at_once(direction: str) -> None:
    pair = Pair(direction)
    point = data_point(
        lambda date_from, date_to: (date_to - date_from).total_seconds(),
        r_id="load",
        measurement="energy_real",
        report_type="deltaUsage",
        sampling_rate=RATE,
    )
    pair.offer("meter", point, name="x-energy")
    pair.grid.run(35)
    pair.ask(request("once", specifier_id="meter", back=NONE, granularity=NONE, begin=None))
    pair.grid.run(15)
    (report,) = pair.data()
    (interval,) = report.intervals
    assert (interval.duration, interval.payloads[0].value) == (SECOND * 10, 10.0)
    assert interval.dtstart + interval.duration <= pair.grid.now.utc, "it was sampled in advance"
    pair.ask(request("minutes", specifier_id="meter", granularity=MINUTE, back=MINUTE, begin=MINUTE * 2))
    pair.grid.run(200)
    intervals = [one for report in pair.data()[1:] for one in report.intervals]
    assert [(one.dtstart - NOON, one.duration) for one in intervals] == [
        (MINUTE * 2, MINUTE),
        (MINUTE * 3, MINUTE),
    ], "each is told when its time is over"


# --- status ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule(318, 319, 331, 334)
def test_the_status_of_a_resource_with_its_load_control_state(direction: str) -> None:
    pair = Pair(direction)
    shows: list[object] = [STATUS]
    pair.want("state", "boiler", sampling=SECOND * 10)
    pair.offer(
        "state",
        data_point(lambda: shows[0], r_id="boiler", resource_id="boiler", report_name="TELEMETRY_STATUS"),
        name="TELEMETRY_STATUS",
    )
    pair.grid.run(15)
    assert {value for _, value in pair.taken["boiler"]} == {STATUS}
    shows[0] = None
    pair.grid.run(25)
    values = [(value, quality) for report in pair.data() for _, _, value, quality in shown(report)]
    assert values[-1] == (STATUS, "Quality Bad - Non Specific"), "the parts stay the same"
    shows[0] = 5.0
    pair.grid.run(25)
    source = pair.grid.hosts["ven"] if direction == "VEN to VTN" else pair.grid.host
    (failed, *_) = pair.grid.told(HandlerFailed, source)
    assert "where the status of a resource is expected in TELEMETRY_STATUS (rule 331)" in failed.error


# --- history ---------------------------------------------------------------------------------------------------------


@both
@pytest.mark.rule(317, 324, 325, 341)
def test_history_of_a_stretch_and_of_all_that_there_is(direction: str, pull: bool) -> None:
    pair = Pair(direction, pull=pull)
    asked: list[tuple[datetime, datetime]] = []

    def stored(date_from: datetime, date_to: datetime) -> list[tuple[datetime, float]]:
        asked.append((date_from, date_to))
        return [(NOON - MINUTE * ago, float(ago)) for ago in (5, 90, 30) if date_from <= NOON - MINUTE * ago < date_to]

    pair.offer(
        "past",
        data_point(stored, r_id="load", report_name="HISTORY_USAGE"),
        name="HISTORY_USAGE",
        report_duration=HOUR * 24,
    )
    pair.grid.run(30)
    wanted = {"specifier_id": "past", "granularity": NONE, "back": NONE}
    pair.ask(
        request("a stretch", begin=-HOUR * 2, length=HOUR, **wanted),
        request("all", begin=-HOUR * 24, length=NONE, **wanted),
        request("none", begin=-MINUTE * 3, length=MINUTE, **wanted),
    )
    pair.grid.run(30)
    found = {one.report_request_id: shown(one) for one in pair.data()}
    assert found["a stretch"] == [(-5400, "load", 90.0, None)]
    assert [value for _, _, value, _ in found["all"]] == [90.0, 30.0, 5.0], "from old to new (rule 314)"
    assert found["none"] == [(-180, "load", 0.0, "Quality Bad - Non Specific")], "rule 318"
    assert asked[0] == (NOON - HOUR * 2, NOON - HOUR)
    assert (pair.served, pair.expected) == ((), ())
    assert {one.report_name for one in pair.data()} == {"HISTORY_USAGE"}


@both
def test_a_history_that_is_too_long_for_one_message_comes_in_parts_which_tell_of_all_data_points(
    direction: str, pull: bool
) -> None:
    pair = Pair(direction, pull=pull)
    values = {"often": [(NOON - SECOND * ago, float(ago)) for ago in range(5000, 0, -1)], "once": [(NOON - HOUR, 7.0)]}
    pair.want("past", "often", "once")
    pair.offer(
        "past",
        *(data_point(lambda r_id: values[r_id], r_id=r_id, report_name="HISTORY_USAGE", scale="k") for r_id in values),
        name="HISTORY_USAGE",
        report_duration=HOUR * 24,
    )
    pair.grid.run(120)
    assert [len(one.intervals) for one in pair.data()] == [2000, 2001, 1002], "the later ones lack a value of one"
    for each in pair.data():
        assert {r_id for _, r_id, _, _ in shown(each)} == {"often", "once"}, "rule 300"
    assert pair.taken["often"] == [(-ago, float(ago)) for ago in range(5000, 0, -1)]
    assert pair.taken["once"] == [(-3600, 7.0)]
    assert (pair.served, pair.expected) == ((), ()), "it was asked for once, and all of it is there"


HIGH = "Quality Limit - Field/High"
FEED = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:uuid:1</id><title>usage</title>'
    "<updated>2026-11-20T12:00:00Z</updated></feed>"
)


@pytest.mark.rule(316)
def test_green_button_data_are_carried_whole(direction: str) -> None:
    pair = Pair(direction)
    pair.want("green", "usage")
    pair.offer(
        "green",
        data_point(
            lambda date_from, date_to: GreenButtonPayload(feed=FEED), r_id="usage", report_name="HISTORY_GREENBUTTON"
        ),
        name="HISTORY_GREENBUTTON",
        report_duration=HOUR * 24,
    )
    pair.grid.run(30)
    ((_, feed),) = pair.taken["usage"]
    assert "urn:uuid:1" in feed
    (interval,) = pair.data()[0].intervals
    assert (interval.uid, interval.duration) == (None, None)


# --- metadata --------------------------------------------------------------------------------------------------------


@both
@pytest.mark.rule(301, 306, 311, 324, 327, 329)
def test_metadata_once_and_periodically_until_that_is_cancelled(direction: str, pull: bool) -> None:
    pair = Pair(direction, pull=pull)
    pair.offer("meter", data_point(lambda: 1, r_id="load", sampling_rate=RATE))
    pair.grid.run(30)
    pair.grid.log.clear()
    zero = {"specifier_id": METADATA, "r_ids": ("0",), "granularity": NONE}
    pair.ask(request("once", back=NONE, begin=None, **zero), request("often", back=MINUTE, begin=None, **zero))
    pair.grid.run(150)
    assert pair.answers == [(200, ("once", "often"))]
    told = [one.report_request_id for one in pair.grid.messages(RegisterReport)]
    assert (told.count("once"), told.count("often")) == (1, 3)
    assert (pair.served, pair.expected) == (("often",), ("often",)), "new metadata do not end it"
    pair.cancel("often")
    pair.grid.run(200)
    assert len(pair.grid.messages(RegisterReport)) == 4
    assert (pair.served, pair.expected) == ((), ())


@both
@pytest.mark.rule(510)
def test_a_vtn_without_reports_answers_a_periodic_request_for_metadata_once(pull: bool) -> None:
    pair = Pair("VTN to VEN", pull=pull)
    pair.grid.run(30)
    pair.grid.log.clear()
    zero = {"specifier_id": METADATA, "r_ids": ("0",), "granularity": NONE}
    pair.ask(request("often", back=MINUTE, begin=None, **zero))
    pair.grid.run(300)
    assert pair.answers == [(200, ("often",))]
    told = [(one.report_request_id, one.reports) for one in pair.grid.messages(RegisterReport)]
    assert told == [("often", ())]
    assert (pair.served, pair.expected) == ((), ())


@pytest.mark.rule(510)
def test_a_vtn_without_reports_that_answers_before_a_restart_does_not_answer_again() -> None:
    pair = Pair("VTN to VEN")
    pair.grid.run(30)
    zero = {"specifier_id": METADATA, "r_ids": ("0",), "granularity": NONE}
    pair.ask(request("often", back=MINUTE, begin=None, **zero))
    pair.grid.run(5)
    pair.grid.wire.boot(pair.grid.host, pair.grid.now)
    pair.grid.run(300)
    told = [one.report_request_id for one in pair.grid.messages(RegisterReport)]
    assert told.count("often") == 1
    assert (pair.served, pair.expected) == ((), ())


# --- requests --------------------------------------------------------------------------------------------------------


@both
@pytest.mark.rule(304, 329, 336, 340)
def test_of_several_requests_each_is_judged_by_itself(direction: str, pull: bool) -> None:
    pair = Pair(direction, pull=pull)
    pair.offer("meter", data_point(lambda: 1, r_id="load", sampling_rate=RATE))
    pair.grid.run(30)
    pair.ask(
        request("good", specifier_id="meter"),
        request("fast", specifier_id="meter", granularity=SECOND),
        request("strange", specifier_id="other"),
    )
    pair.grid.run(20)
    assert pair.answers == [(454, ("good",))]
    assert (pair.served, pair.expected) == (("good",), ("good",))
    pair.grid.log.clear()
    pair.cancel("good", "other")
    pair.grid.run(20)
    assert pair.answers == [(452, ())], "decision D38"
    assert (pair.served, pair.expected) == ((), ())


@both
@pytest.mark.rule(329, 345)
def test_with_a_report_to_follow_both_sides_wait_for_one_more(direction: str, pull: bool) -> None:
    pair = Pair(direction, pull=pull)
    pair.offer("meter", data_point(lambda: 1, r_id="load", sampling_rate=RATE))
    pair.grid.run(30)
    pair.ask(request("request", specifier_id="meter", granularity=SECOND * 10, back=MINUTE))
    pair.grid.run(100)
    pair.grid.log.clear()
    pair.cancel("request", to_follow=True)
    pair.grid.run(15)
    assert pair.answers == [(200, ("request",))]
    assert (pair.served, pair.expected) == (("request",), ("request",))
    pair.grid.run(300)
    assert len(pair.data()) == 1
    assert (pair.served, pair.expected) == ((), ())


@both
@pytest.mark.rule(328, 335)
def test_a_cancel_may_ride_in_the_answer_to_a_report(direction: str, pull: bool) -> None:
    pair = Pair(direction, pull=pull)
    pair.offer("meter", data_point(lambda: 1, r_id="load", sampling_rate=RATE))
    pair.grid.run(30)
    pair.verdict = EndReports()
    pair.ask(request("request", specifier_id="meter", granularity=SECOND * 10, back=SECOND * 10))
    pair.grid.run(100)
    (answer, *_) = (one for one in pair.grid.messages(UpdatedReport) if one.cancel_report is not None)
    assert answer.cancel_report.report_request_id == ("request",)
    assert pair.served == ()
    assert len(pair.data()) <= 2
    assert pair.grid.messages(CanceledReport) == [], "it is not confirmed"


@pytest.mark.rule(335)
def test_where_reports_go_on_after_that_they_are_cancelled_properly(
    direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Source, "cancel_by_the_way", lambda self, sent, message: [])  # a source that does not listen
    pair = Pair(direction)
    pair.offer("meter", data_point(lambda: 1, r_id="load", sampling_rate=RATE))
    pair.grid.run(30)
    pair.ask(request("request", specifier_id="meter", granularity=SECOND * 10, back=SECOND * 10))
    pair.grid.run(25)
    pair.verdict = EndReports()
    pair.grid.run(60)
    assert len(pair.grid.messages(CanceledReport)) == 1
    assert (pair.served, pair.expected) == ((), ())


@pytest.mark.rule(330, 343)
def test_an_r_id_is_any_text_and_without_a_resource_it_is_about_all_of_them(direction: str) -> None:
    pair = Pair(direction)
    pair.want("meter", "Zähler 7/a", sampling=SECOND * 10)
    point = data_point(lambda: 1, r_id="Zähler 7/a", sampling_rate=RATE)
    assert point.description.report_data_source is None, "all that there is"
    pair.offer("meter", point)
    pair.grid.run(40)
    assert {value for _, value in pair.taken["Zähler 7/a"]} == {1.0}


def test_the_application_may_refuse_requests(direction: str) -> None:
    pair = Pair(direction, on_create_report=lambda payload: (461, "not today"))
    pair.offer("meter", data_point(lambda: 1, r_id="load", sampling_rate=RATE))
    pair.grid.run(30)
    pair.ask(request("request", specifier_id="meter"))
    pair.grid.run(30)
    assert pair.answers == [(461, ())]
    assert (pair.served, pair.expected) == ((), ())
    assert pair.grid.messages(CreatedReport)[0].response.response_description == "not today"


@pytest.mark.rule(306)
def test_new_offers_end_what_was_asked_for_and_it_is_asked_for_again(direction: str) -> None:
    pair = Pair(direction)
    pair.want("meter", "load", sampling=SECOND * 10)
    pair.offer("meter", data_point(lambda: 1, r_id="load", sampling_rate=RATE))
    pair.grid.run(60)
    before = pair.served
    pair.offer("more", data_point(lambda: 1, r_id="sun", sampling_rate=RATE))
    pair.grid.run(60)
    assert len(before) == len(pair.served) == 1
    assert pair.served != before
    assert pair.served == pair.expected
    source = pair.grid.hosts["ven"] if direction == "VEN to VTN" else pair.grid.host
    assert [one.report_request_id for one in pair.grid.told(ReportEnded, source)] == list(before)


# --- where values come from ------------------------------------------------------------------------------------------


def test_a_full_callback_is_asked_for_all_the_values_of_a_report(direction: str) -> None:
    pair = Pair(direction)
    told = []

    def read(date_from: datetime, date_to: datetime, sampling_interval: timedelta) -> list[tuple[datetime, float]]:
        told.append((date_from, date_to, sampling_interval))
        return [(date_from + sampling_interval * number, number) for number in range(3)]

    pair.want("meter", "load", sampling=SECOND * 10, reporting=SECOND * 30)
    pair.offer("meter", data_point(read, r_id="load", sampling_rate=RATE, data_collection_mode="full"))
    pair.grid.run(125)
    assert len(told) >= 3
    assert all(until - since == SECOND * 30 and spacing == SECOND * 10 for since, until, spacing in told)
    assert [one[0] for one in told[1:]] == [one[1] for one in told[:-1]], "one stretch after the other"
    assert len(pair.taken["load"]) == len(pair.data()) * 3


def test_submitted_values_are_told_one_for_each_sample(direction: str) -> None:
    pair = Pair(direction)
    pair.want("meter", "load", sampling=SECOND * 10, reporting=SECOND * 30)
    pair.offer("meter", data_point(r_id="load", sampling_rate=RATE, data_collection_mode="submit"))
    pair.grid.run(3)
    for _ in range(45):
        pair.source.submit("meter", "load", pair.seconds(), pair.grid.now)
        pair.grid.run(2)
    values = pair.taken["load"]
    assert len(values) >= 6
    assert all(at == int(value) for at, value in values), "each at its own time"
    assert all(5 < later - earlier < 15 for (earlier, _), (later, _) in itertools.pairwise(values))


@pytest.mark.rule(318)
def test_where_nothing_was_submitted_the_report_says_so(direction: str) -> None:
    pair = Pair(direction)
    pair.want("meter", "load", sampling=SECOND * 10, reporting=SECOND * 30)
    pair.offer("meter", data_point(r_id="load", sampling_rate=RATE, data_collection_mode="submit"))
    pair.grid.run(70)
    assert {quality for report in pair.data() for *_, quality in shown(report)} == {"Quality Bad - Non Specific"}
    assert pair.taken == {}


def test_a_handler_may_make_whole_reports(direction: str) -> None:
    told: list[dict[str, object]] = []

    def report(r_ids: list[str], date_from: datetime, report_specifier_id: str) -> dict[str, object]:
        told.append({"r_ids": r_ids, "specifier": report_specifier_id})
        return {"load": [(date_from, 1.0)], "sun": {"value": 2.0, "data_quality": "Quality Good - Non Specific"}}

    name = "next_report" if direction == "VEN to VTN" else "on_request_report"
    pair = Pair(direction, **{name: report})
    pair.want("meter", "load", "sun", sampling=SECOND * 10, reporting=SECOND * 30)
    pair.offer(
        "meter", *(data_point(r_id=one, sampling_rate=RATE, data_collection_mode="next") for one in ("load", "sun"))
    )
    pair.grid.run(70)
    assert told[0] == {"r_ids": ["load", "sun"], "specifier": "meter"}
    assert {value for _, value in pair.taken["load"]} == {1.0}
    assert {value for _, value in pair.taken["sun"]} == {2.0}


@pytest.mark.rule(313, 318)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, (5.0, None, None, None)),
        (None, (0.0, "Quality Bad - Non Specific", None, None)),
        ({"value": 5, "confidence": 90, "accuracy": 0.5}, (5.0, None, 90, 0.5)),
        ([(NOON, 5)], (5.0, None, None, None)),
        (
            (NOON, {"value": 5, "data_quality": "Quality Limit - Field/High"}),
            (5.0, "Quality Limit - Field/High", None, None),
        ),
    ],
)
def test_a_value_may_have_many_forms(direction: str, value: object, expected: object) -> None:
    pair = Pair(direction)
    pair.offer("meter", data_point(lambda: value, r_id="load", sampling_rate=RATE))
    pair.grid.run(30)
    pair.ask(request("once", specifier_id="meter", back=NONE, begin=None))
    pair.grid.run(15)
    (interval,) = pair.data()[0].intervals
    (payload,) = interval.payloads
    assert isinstance(payload, ReportPayload)
    assert (payload.value, payload.data_quality, payload.confidence, payload.accuracy) == expected


# --- once more -------------------------------------------------------------------------------------------------------


@pytest.mark.rule(346)
def test_a_report_may_be_sent_again_corrected(direction: str) -> None:
    pair = Pair(direction)
    pair.want("meter", "load", sampling=SECOND * 10, reporting=SECOND * 30)
    pair.offer("meter", data_point(lambda: 1, r_id="load", sampling_rate=RATE))
    pair.grid.run(70)
    first = pair.data()[0]
    peer = [] if isinstance(pair.source, AutoVen) else [pair.grid.ven_id()]
    middle = first.intervals[1].dtstart
    pair.source.resend_report(
        *peer, first.report_request_id, pair.grid.now, values={"load": [(middle, 9.0)]}, dtstart=first.dtstart
    )
    pair.grid.run(15)
    (again,) = (one for one in pair.data() if one.dtstart == first.dtstart and one != first)
    assert [value for _, _, value, _ in shown(again)] == [1.0, 9.0, 1.0]
    assert [one.dtstart for one in again.intervals] == [one.dtstart for one in first.intervals]
    assert (middle - NOON).total_seconds() in [at for at, value in pair.taken["load"] if value == 9.0]


@pytest.mark.rule(346)
def test_a_report_may_be_sent_again_after_a_restart(direction: str) -> None:
    pair = Pair(direction)
    grid = pair.grid
    pair.want("meter", "load", sampling=SECOND * 10, reporting=SECOND * 30)
    pair.offer("meter", data_point(lambda: 1, r_id="load", sampling_rate=RATE))
    grid.run(70)
    first = pair.data()[0]
    grid.wire.boot(grid.hosts["ven"] if direction == "VEN to VTN" else grid.host, grid.now)
    grid.run(30)
    peer = [] if isinstance(pair.source, AutoVen) else [grid.ven_id()]
    again = {"values": {"load": [(first.dtstart, 9.0)]}, "dtstart": first.dtstart}
    pair.source.resend_report(*peer, first.report_request_id, grid.now, **again)  # type: ignore[arg-type]
    grid.run(15)
    (corrected,) = (one for one in pair.data() if one.dtstart == first.dtstart and one != first)
    assert [value for _, _, value, _ in shown(corrected)] == [9.0, 1.0, 1.0]


@pytest.mark.rule(346)
def test_a_correction_says_which_value_it_is_about_where_a_report_has_several(direction: str) -> None:
    pair = Pair(direction)
    pair.want("meter", "load", sampling=SECOND * 10, reporting=SECOND * 30)
    pair.want("door", "door", sampling=SECOND * 30)
    for specifier_id, r_id in (("meter", "load"), ("door", "door")):
        pair.offer(specifier_id, data_point(lambda: 1, r_id=r_id, sampling_rate=RATE))
    pair.grid.run(70)
    peer = [] if isinstance(pair.source, AutoVen) else [pair.grid.ven_id()]
    asked = {one.report_specifier_id: one for one in pair.data()}
    with pytest.raises(LocalProtocolError, match="3 values of load; give pairs"):
        pair.source.resend_report(*peer, asked["meter"].report_request_id, pair.grid.now, values={"load": 9.0})
    pair.source.resend_report(*peer, asked["door"].report_request_id, pair.grid.now, values={"door": 9.0})
    pair.grid.run(15)
    assert [value for _, value in pair.taken["door"]].count(9.0) == 1
    missing = [(NOON - MINUTE, 9.0)]
    with pytest.raises(LocalProtocolError, match="no value of load at"):
        pair.source.resend_report(*peer, asked["meter"].report_request_id, pair.grid.now, values={"load": missing})


# --- what is asked for by itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (ReportRule(), {"load", "sun"}),
        (ReportRule(r_ids=("sun",)), {"sun"}),
        (ReportRule(resources=("hall",)), {"load"}),
        (ReportRule(types=("demand",)), set()),
        (ReportRule(names=("TELEMETRY_STATUS",)), {"state"}),
        (ReportRule(names=None, sampling=SECOND * 20, reporting=SECOND * 20), {"load", "sun", "state"}),
        (ReportRule(names=None, on_change=True), {"load", "sun", "state"}),
        (ReportRule(names=None, once=True), {"load", "sun", "state"}),
    ],
)
def test_reports_are_asked_for_by_rule(rule: ReportRule, expected: set[str]) -> None:
    grid = Grid(vtn_policy=VtnPolicy(report_rules=(rule,)))
    grid.add_ven()
    points = [
        data_point(lambda: 1, r_id="load", resource_id="hall", sampling_rate=RATE),
        data_point(lambda: 2, r_id="sun", resource_id="roof", sampling_rate=RATE),
    ]
    status = [data_point(lambda: STATUS, r_id="state", report_name="TELEMETRY_STATUS", sampling_rate=RATE)]
    grid.ven().offer(make_offer("usage", points, NOON), {one.description.r_id: one for one in points}, grid.now)
    made = make_offer("status", status, NOON, report_name="TELEMETRY_STATUS")
    grid.ven().offer(made, {"state": status[0]}, grid.now)
    grid.run(60)
    found = {
        payload.r_id
        for one in grid.told(ReportsReceived)
        for report in one.message.reports
        for interval in report.intervals
        for payload in interval.payloads
    }
    assert found == expected


def test_a_ven_asks_its_vtn_by_rule() -> None:
    grid = Grid()
    point = data_point(lambda: 1, r_id="price", measurement="currencyPerKWh", unit="EUR", sampling_rate=RATE)
    grid.vtn.offer(make_offer("x-prices", [point], NOON, report_name="x-prices"), {"price": point}, grid.now)
    host = grid.add_ven(policy=VenPolicy(report_rules=(ReportRule(names=("x-prices",)),)))
    grid.run(60)
    assert grid.told(ReportsReceived, host)


# --- restarts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["source", "requester"])
def test_reports_go_on_after_a_restart_of_either_side(direction: str, who: str) -> None:
    pair = Pair(direction)
    grid = pair.grid
    pair.want("meter", "load", sampling=SECOND * 10, reporting=SECOND * 30)
    pair.offer("meter", data_point(pair.seconds, r_id="load", sampling_rate=RATE))
    grid.run(70)
    host = grid.hosts["ven"] if (direction == "VEN to VTN") == (who == "source") else grid.host
    grid.wire.boot(host, grid.now)
    if who == "source":
        pair.offer("meter", data_point(pair.seconds, r_id="load", sampling_rate=RATE))
    grid.drain()
    count = len(pair.taken["load"])
    grid.run(100)
    times = [at for at, _ in pair.taken["load"]]
    assert len(times) > count + 3
    assert len(times) == len(set(times)), "no instant is read twice"
    assert pair.served == pair.expected


def test_a_request_that_was_not_answered_before_a_restart_is_made_again() -> None:
    pair = Pair("VTN to VEN")
    grid = pair.grid
    pair.offer("meter", data_point(lambda: 1, r_id="load", sampling_rate=RATE))
    grid.run(30)
    grid.ven().ven.create_report([request("mine", specifier_id="meter")], grid.now)
    grid.wire.drain(grid.hosts["ven"], grid.now)
    grid.wire.boot(grid.hosts["ven"], grid.now)
    grid.drain()
    grid.run(60)
    asked = [one for message in grid.messages(CreateReport) for one in message.report_requests]
    assert {one.report_request_id for one in asked} == {"mine"}
    assert pair.served == pair.expected == ("mine",)
