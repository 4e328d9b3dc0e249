"""A VTN asks again for the reports that new metadata have ended, where it is told to (rule 306)."""

from typing import Any

import pytest

from oadr_core import CreateReport, HandlerFailed, ReportRequest, VtnPolicy, data_point, make_offer
from tests.core.kit import HOUR, MINUTE, NONE, NOON, Grid, request
from tests.core.test_report_kinds import RATE, SECOND


class Renewing:
    """A VTN that renews, and a VEN that reports to it; its application offers the same whenever it starts."""

    def __init__(self, *, renew: bool = True) -> None:
        self.taken: list[tuple[str, Any]] = []
        self.grid = Grid(vtn_policy=VtnPolicy(renew_reports=renew))
        self.grid.add_ven(offers={"load": lambda: 1.0})
        self.grid.run(30)

    def ask(self, *requests: ReportRequest) -> None:
        self.grid.vtn.vtn.create_report(self.grid.ven_id(), requests, self.grid.now)
        for one in requests:
            self.grid.vtn.bind(self.grid.ven_id(), one.report_request_id, "load", self.take)
        self.grid.run(30)

    def take(self, data: list[Any], report_request_id: str) -> None:
        self.taken += [(report_request_id, one) for one in data]

    def restart(self) -> None:
        self.grid.wire.boot(self.grid.hosts["ven"], self.grid.now)
        self.grid.run(60)

    @property
    def asked(self) -> tuple[ReportRequest, ...]:
        return tuple(one.request for one in self.grid.vtn.vtn.vens[self.grid.ven_id()].requests)


@pytest.mark.rule(306, 322)
def test_a_periodic_report_that_was_asked_for_by_hand_goes_on_after_a_restart_of_the_ven() -> None:
    site = Renewing()
    site.ask(request("mine", back=SECOND * 20, granularity=SECOND * 10))
    for _ in range(3):
        site.restart()
    (again,) = site.asked
    (served,) = site.grid.ven().ven.state.report_requests
    assert served.request == again
    assert again.report_request_id != "mine", "no id is used twice"
    (before,) = (
        one.report_requests[0]
        for one in site.grid.messages(CreateReport)
        if one.report_requests[0].report_request_id == "mine"
    )
    assert again.report_specifier == before.report_specifier
    assert {key for key, _ in site.taken} >= {"mine", again.report_request_id}, "its callback goes with it"


@pytest.mark.rule(306)
def test_what_is_asked_for_once_is_over_or_is_cancelled_is_not_asked_for_again() -> None:
    site = Renewing()
    over = request("over", back=SECOND * 10, granularity=SECOND * 10, length=SECOND * 20)
    once = request("once", back=NONE, granularity=NONE, begin=None)
    site.ask(once, over, request("cancelled", back=MINUTE, granularity=MINUTE))
    site.grid.run(120)
    site.grid.vtn.vtn.cancel_report(site.grid.ven_id(), ["cancelled"], site.grid.now)
    site.restart()
    assert site.asked == ()


@pytest.mark.rule(306)
def test_what_is_not_offered_any_more_is_not_asked_for_again() -> None:
    site = Renewing()
    site.ask(request("mine", back=MINUTE, granularity=MINUTE))
    point = data_point(lambda: 1.0, r_id="load", sampling_rate=RATE | {"max_period": SECOND * 30})
    made = make_offer("usage", [point], NOON, report_duration=HOUR)
    site.grid.ven().offer(made, {"load": point}, site.grid.now)
    site.grid.run(60)
    assert site.asked == ()
    assert len({one.request_id for one in site.grid.messages(CreateReport)}) == 1, "the VEN need not refuse it"
    assert not site.grid.told(HandlerFailed)


def test_nothing_is_asked_for_again_where_the_application_does_that_itself() -> None:
    site = Renewing(renew=False)
    site.ask(request("mine", back=MINUTE, granularity=MINUTE))
    site.restart()
    assert site.asked == ()
