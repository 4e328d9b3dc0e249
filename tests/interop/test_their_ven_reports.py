"""OpenLEADR's client as the source of reports, our VTN as their receiver: status, history, and their ends.

What OpenLEADR's client (0.5.36) cannot do, and so is not tested as it ought to be:

* It writes every value as a number, so the values of its TELEMETRY_STATUS are numbers, where rule 331 has
  oadrPayloadResourceStatus. Our VTN takes them, and the rule is found to be broken.
* It plans the report about a stretch of the past for the begin of that stretch, which is over, so that its scheduler
  leaves it out. It tells what is recorded when the request is cancelled, as it tells everything once more then.
* It reads oadrUpdatedReport, and does not see the oadrCancelReport in it. The reports go on, and our VTN cancels them
  by a message of its own (rule 335).
* It follows a cancel by two reports where one is to follow (rule 345), and takes none from a VTN.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree

from oadr_core import EndReports, Role, UpdatedReport, read
from oadr_http import OpenADRServer
from tests.interop.judge import broken, documents, findings, kinds, refused
from tests.interop.ours import HOUR, SECOND, Ours
from tests.interop.peer import Peer, running_peer
from tests.interop.theirs import BOILER

ZERO: Final = timedelta(0)

USAGE: Final = {**BOILER, "report_specifier_id": "usage", "report_type": "usage"}
STATUS: Final = {
    "r_id": "state",
    "resource_id": "boiler",
    "report_name": "TELEMETRY_STATUS",
    "report_specifier_id": "status",
    "report_type": "x-resourceStatus",
    "reading_type": "x-notApplicable",
    "first": 1.0,
    "sampling_rate": 1,
}
HISTORY: Final = {
    "r_id": "energy",
    "resource_id": "boiler",
    "report_name": "HISTORY_USAGE",
    "report_specifier_id": "past",
    "report_type": "usage",
    "measurement": "energy_real",
    "sampling_rate": 1,
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop: what is done about reports is the same on both."""
    return "trio"


class Dialogue:
    """Our VTN, their VEN, and the reports that came."""

    def __init__(self, theirs: Peer) -> None:
        self.theirs = theirs
        self.ours = Ours()
        self.vtn = OpenADRServer(
            "VTN-Ours", http_port=0, requested_poll_freq=SECOND, observe=self.ours.observe, trace=self.ours.trace
        )
        self.began = datetime.now(UTC).replace(microsecond=0)
        self.recorded = [(self.began - HOUR + timedelta(minutes=10 * one), 4.5 * one) for one in range(6)]
        self.reports: list[Mapping[str, Any]] = []
        self.vtn.add_handler("on_update_report", self._take)

    async def _take(self, report: Mapping[str, Any]) -> object:
        self.reports.append(report)
        self.ours.note()
        return EndReports() if report["report_request_id"] == "usage" and len(self.of("usage")) >= 2 else None

    def of(self, request_id: str) -> list[Mapping[str, Any]]:
        """The reports that have answered a request."""
        return [one for one in self.reports if one["report_request_id"] == request_id]

    def values(self, request_id: str) -> list[tuple[datetime, float]]:
        """The values in the reports that have answered a request."""
        intervals = (interval for report in self.of(request_id) for interval in report["intervals"])
        return [(one["dtstart"], one["report_payload"]["value"]) for one in intervals]

    # --- what happens ------------------------------------------------------------------------------------------------

    async def happens(self) -> None:
        """Three reports are asked for, and each ends in another way."""
        recorded = [(time.isoformat(), value) for time, value in self.recorded]
        reports = [USAGE, STATUS, {**HISTORY, "recorded": recorded}]
        await self.theirs.do("run", url=self.vtn.url, ven_name="Their VEN", reports=reports)
        (self.ven_id,) = self.vtn.vens
        self.ask("usage", "power", {"dtstart": self.began, "duration": ZERO}, SECOND)
        self.ask("status", "state", {"dtstart": self.began, "duration": ZERO}, SECOND)
        self.ask("past", "energy", {"dtstart": self.began - HOUR, "duration": HOUR}, ZERO)
        await self.ours.until(lambda: len(self.of("usage")) >= 2 and len(self.of("status")) >= 2, "two reports of each")
        await self.theirs.tells("received", type="oadrCreateReport", times=3)
        await self.theirs.tells("received", type="oadrCancelReport")  # of the usage
        self.vtn.cancel_report(self.ven_id, "past")
        await self.ours.until(lambda: self.of("past"), "what is recorded")
        self.vtn.cancel_report(self.ven_id, "status", report_to_follow=True)
        await self.ours.until(lambda: not self.vtn.vens[self.ven_id].requests, "the end of all reports")
        await self.theirs.tells("sent", type="oadrCanceledReport", times=3)
        await self.theirs.until(lambda: len(self.theirs.told("sent")) == len(self.theirs.told("taken")), "it is idle")
        await self.theirs.do("stop")

    def ask(self, name: str, r_id: str, interval: Mapping[str, object], rhythm: timedelta) -> None:
        """Ask for a report whose offer has the same name."""
        specifier = {
            "report_specifier_id": name,
            "granularity": rhythm,
            "report_back_duration": rhythm,
            "report_interval": interval,
            "specifier_payloads": [{"r_id": r_id}],
        }
        self.vtn.create_report(self.ven_id, {"report_request_id": name, "report_specifier": specifier})


@pytest.fixture(scope="module")
async def dialogue(anyio_backend: str, openleadr_python: Path) -> Dialogue:
    """The dialogue, which is over."""
    async with running_peer(openleadr_python, "ven.py") as theirs:
        made = Dialogue(theirs)
        with made.ours.logging():
            async with made.vtn.running():
                await made.happens()
    return made


def test_a_status_arrives_as_their_client_read_it_though_as_a_number(dialogue: Dialogue) -> None:
    arrived = dialogue.values("status")
    was_read = [
        (datetime.fromisoformat(one["time"]), one["value"]) for one in dialogue.theirs.told("read", r_id="state")
    ]
    assert len(arrived) >= 3
    assert arrived == was_read[: len(arrived)]
    assert {one["report_name"] for one in dialogue.of("status")} == {"TELEMETRY_STATUS"}


@pytest.mark.rule(325)
def test_what_their_client_has_recorded_arrives_whole_and_once(dialogue: Dialogue) -> None:
    (report,) = dialogue.of("past")
    assert report["report_name"] == "HISTORY_USAGE"
    assert dialogue.values("past") == dialogue.recorded


@pytest.mark.rule(335)
def test_a_report_that_goes_on_after_a_cancel_in_its_answer_is_cancelled_by_a_message(dialogue: Dialogue) -> None:
    answers = [read(one.encode()).message for one in documents(dialogue.ours.exchanges, Role.VTN)]
    by_the_way = [one.cancel_report for one in answers if isinstance(one, UpdatedReport) and one.cancel_report]
    assert {one.report_request_id for one in by_the_way} == {("usage",)}
    cancels = dialogue.theirs.told("received", type="oadrCancelReport")
    assert [one["content"]["report_request_id"] for one in cancels] == ["usage", "past", "status"]


@pytest.mark.rule(345)
def test_a_report_follows_the_cancel_that_wants_one(dialogue: Dialogue) -> None:
    cancels = dialogue.theirs.told("received", type="oadrCancelReport")
    assert [one["content"]["report_to_follow"] for one in cancels] == [False, False, True]
    confirmed = dialogue.theirs.told("sent", type="oadrCanceledReport")
    assert ["reportRequestID>status<" in one["xml"] for one in confirmed] == [False, False, True]


def test_every_report_has_ended_on_both_sides(dialogue: Dialogue) -> None:
    former = {one.request.report_request_id for one in dialogue.vtn.vens[dialogue.ven_id].former}
    assert former == {"usage", "past", "status"}
    assert kinds(dialogue.ours.exchanges, Role.VEN).count("oadrCanceledReport") == 3


def test_both_sides_read_what_the_other_has_sent(dialogue: Dialogue, official_schema: etree.XMLSchema) -> None:
    exchanges = dialogue.ours.exchanges
    assert refused(exchanges, Role.VTN, official_schema) == []
    assert refused(exchanges, Role.VEN, official_schema) == []
    received = [one["type"] for one in dialogue.theirs.told("received")]
    assert sorted(received) == sorted(kinds(exchanges, Role.VTN)), "it polls and reports at the same time"


def test_our_vtn_breaks_no_rule_and_the_rules_that_their_client_breaks_are_found(dialogue: Dialogue) -> None:
    assert findings(dialogue.ours.exchanges, Role.VTN) == []
    assert broken(dialogue.ours.exchanges, Role.VEN) == {
        "R329",  # it lists as pending what it was just asked for, and nothing else
        "R331",  # the values of its status are numbers
        "R402",  # though it polls, it sends an oadrTransportAddress: the text None
    }


def test_nothing_went_wrong_on_our_side(dialogue: Dialogue) -> None:
    assert dialogue.ours.troubles() == []
    assert dialogue.ours.log == []
