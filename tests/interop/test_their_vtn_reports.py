"""Our VEN as the source of reports, OpenLEADR's server as their receiver: status, history, and their ends.

What OpenLEADR's server (0.5.36) cannot do by itself, and how it is tested nevertheless:

* A status that its application asks for in ``on_register_report`` goes to a callback, where the server looks for a
  number, finds none, and answers with HTTP 500. It takes a status where nobody has given it a callback, in its
  ``on_update_report``, and so it is asked for in the answer to a poll, which its ``on_poll`` may give.
* It never asks for history, and cancels no report. Its ``on_poll`` can answer with either message.
* It does not know oadrCanceledReport, and refuses it with 459. Our VEN tells that, and nothing else comes of it.
* It offers no reports itself.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from lxml import etree

from oadr_core import PeerMisbehaved, ReportEnded, Role
from oadr_http import OpenADRClient
from tests.interop.judge import broken, findings, kinds, refused
from tests.interop.ours import HOUR, SECOND, Ours
from tests.interop.peer import Peer, Told, running_peer
from tests.interop.theirs import listening

STATUS: Final = {
    "online": True,
    "manual_override": False,
    "load_control_state": {"capacity": {"current": 80.0, "min": 0.0, "max": 100.0}},
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop: what is done about reports is the same on both."""
    return "trio"


class Dialogue:
    """Their VTN, our VEN, and what it has recorded."""

    def __init__(self, theirs: Peer, url: str) -> None:
        self.theirs = theirs
        self.ours = Ours()
        self.ven = OpenADRClient("Our VEN", url, observe=self.ours.observe, trace=self.ours.trace)
        self.began = datetime.now(UTC).replace(microsecond=0)
        self.recorded = [(self.began - HOUR + timedelta(minutes=10 * one), 4.5 * one) for one in range(9)]
        self.ven.add_report(
            lambda: STATUS,
            "boiler",
            report_name="TELEMETRY_STATUS",
            report_specifier_id="status",
            r_id="state",
            sampling_rate=SECOND,
        )
        self.ven.add_report(
            self._recall,
            "boiler",
            "energy_real",
            report_name="HISTORY_USAGE",
            report_specifier_id="past",
            r_id="energy",
            report_duration=HOUR * 24,
        )

    def _recall(self, date_from: datetime, date_to: datetime) -> Sequence[tuple[datetime, float]]:
        return [(time, value) for time, value in self.recorded if date_from <= time < date_to]

    def reports(self, request_id: str) -> list[Told]:
        """The reports that their application has got for a request."""
        told = [one["report"] for one in self.theirs.told("unclaimed_report")]
        return [one for one in told if one["report_request_id"] == request_id]

    # --- what happens ------------------------------------------------------------------------------------------------

    async def happens(self) -> None:
        """Two reports are asked for; the periodic one is cancelled twice, which is once too often."""
        theirs, hour_ago = self.theirs, self.began - HOUR
        await theirs.tells("received", type="oadrPoll")
        await self.ask("status", "state", rhythm=1, since=self.began, length=0)
        await self.ask("past", "energy", rhythm=0, since=hour_ago, length=3600)
        await theirs.until(lambda: self.reports("past") and len(self.reports("status")) >= 2, "three reports")
        await theirs.do("cancel_report", report_request_id="status", report_to_follow=True)
        await self.ours.tells(ReportEnded, report_request_id="status")
        await theirs.do("cancel_report", report_request_id="status", report_to_follow=False)
        await theirs.tells("received", type="oadrCanceledReport", times=2)
        polls = len(theirs.told("received", type="oadrPoll"))
        await theirs.tells("received", type="oadrPoll", times=polls + 1)
        await self.ours.until(lambda: len(self.ours.told(PeerMisbehaved)) == 2, "both refusals")

    async def ask(self, name: str, r_id: str, *, rhythm: float, since: datetime, length: float) -> None:
        """Have their server ask for a report whose offer has the same name."""
        await self.theirs.do(
            "create_report",
            report_request_id=name,
            report_specifier_id=name,
            r_id=r_id,
            granularity=rhythm,
            report_back_duration=rhythm,
            dtstart=since.isoformat(),
            duration=length,
        )


@pytest.fixture(scope="module")
async def dialogue(anyio_backend: str, openleadr_python: Path) -> Dialogue:
    """The dialogue, which is over."""
    async with running_peer(openleadr_python, "vtn.py") as theirs:
        made = Dialogue(theirs, await listening(theirs, queueing=True))
        with made.ours.logging():
            async with made.ven.running():
                await made.happens()
    return made


@pytest.mark.rule(331)
def test_a_status_arrives_as_our_application_gave_it(dialogue: Dialogue) -> None:
    for report in dialogue.reports("status"):
        (interval,) = report["intervals"]
        assert report["report_name"] == "TELEMETRY_STATUS"
        assert interval["report_payload"] == {"r_id": "state", "payload_resource_status": STATUS}


@pytest.mark.rule(324, 341)
def test_a_status_is_told_each_second_and_no_second_twice(dialogue: Dialogue) -> None:
    told = [datetime.fromisoformat(one["dtstart"]) for one in dialogue.reports("status")]
    assert told == sorted(set(told))
    assert all(one.microsecond == 0 for one in told)


@pytest.mark.rule(325)
def test_what_our_application_has_recorded_of_an_hour_arrives_whole_and_once(dialogue: Dialogue) -> None:
    (report,) = dialogue.reports("past")
    arrived = [(one["dtstart"], one["report_payload"]["value"]) for one in report["intervals"]]
    assert report["report_name"] == "HISTORY_USAGE"
    assert arrived == [(time.isoformat(), value) for time, value in dialogue.recorded[:6]]


@pytest.mark.rule(329)
def test_their_server_is_told_what_is_pending(dialogue: Dialogue) -> None:
    created = [one["content"]["pending_reports"] for one in dialogue.theirs.told("created_report")]
    status, past = {"report_request_id": "status"}, {"report_request_id": "past"}
    assert created == [[status], [status, past]]


@pytest.mark.rule(336, 345)
def test_one_report_follows_the_cancel_and_a_second_cancel_is_of_something_unknown(dialogue: Dialogue) -> None:
    first, second = dialogue.theirs.told("received", type="oadrCanceledReport")
    assert first["content"]["response"]["response_code"] == 200
    assert first["content"]["pending_reports"] == [{"report_request_id": "status"}]
    assert second["content"]["response"]["response_code"] == 452
    assert second["content"]["pending_reports"] == []
    story = [one["content"] for one in dialogue.theirs.told("received")]
    after = story[story.index(first["content"]) :]
    following = [report for one in after for report in one.get("reports", ()) if report["intervals"]]
    assert [one["report_request_id"] for one in following] == ["status"]


def test_both_sides_read_what_the_other_has_sent(dialogue: Dialogue, official_schema: etree.XMLSchema) -> None:
    exchanges = dialogue.ours.exchanges
    assert refused(exchanges, Role.VTN, official_schema) == []
    assert refused(exchanges, Role.VEN, official_schema) == []
    received = [one["type"] for one in dialogue.theirs.told("received")]
    assert sorted(received) == sorted(kinds(exchanges, Role.VEN)), "our VEN polls and reports at the same time"


def test_our_ven_breaks_no_rule_and_the_rules_that_their_server_breaks_are_found(dialogue: Dialogue) -> None:
    assert findings(dialogue.ours.exchanges, Role.VEN) == []
    assert broken(dialogue.ours.exchanges, Role.VTN) == {
        "R404",  # its answer to a query has an empty registrationID and an empty venID
    }


def test_nothing_went_wrong_on_our_side_but_that_their_server_knows_no_end_of_reports(dialogue: Dialogue) -> None:
    assert dialogue.ours.troubles() == dialogue.ours.told(PeerMisbehaved, code=459)
    assert all("refused oadrCanceledReport" in line for line in dialogue.ours.log)
    assert dialogue.theirs.log() == []
