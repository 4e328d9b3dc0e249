"""OpenLEADR's client against our VTN: one dialogue over HTTP, and what both sides have seen of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from lxml import etree

from oadr_core import EventAtVtn, OptReceived, OptType, Role, VenDeregistered, VenRecord, VenRegistered
from oadr_http import OpenADRServer
from tests.interop.judge import broken, documents, findings, kinds, refused
from tests.interop.ours import HOUR, SECOND, Ours
from tests.interop.peer import Peer, Told, running_peer
from tests.interop.theirs import BOILER

GRID: Final = {**BOILER, "r_id": "volt", "resource_id": "grid", "measurement": "voltage", "first": 230.0}


class Dialogue:
    """Our VTN, their VEN, and what the application of ours has heard."""

    def __init__(self, theirs: Peer) -> None:
        self.theirs = theirs
        self.ours = Ours()
        self.vtn = OpenADRServer(
            "VTN-Ours", http_port=0, requested_poll_freq=SECOND, observe=self.ours.observe, trace=self.ours.trace
        )
        self.began = datetime.now(UTC).replace(microsecond=0)
        self.offered: list[tuple[str, str, str, timedelta]] = []
        self.data: dict[str, list[tuple[datetime, float]]] = {"power": [], "volt": []}
        self.opts: dict[str, list[str]] = {"agreed": [], "refused": []}
        self.record: VenRecord | None = None
        self.vtn.add_handler("on_register_report", self._which_reports)

    async def _which_reports(
        self, resource_id: str, measurement: str, unit: str, r_id: str, min_sampling_interval: timedelta
    ) -> object:
        self.offered.append((resource_id, measurement, unit, min_sampling_interval))

        async def take(data: Sequence[tuple[datetime, float]]) -> None:
            self.data[r_id] += data
            self.ours.note()

        return take, SECOND

    async def _opted(self, event_id: str, opt_type: str) -> None:
        self.opts[event_id].append(opt_type)
        self.ours.note()

    # --- what happens ------------------------------------------------------------------------------------------------

    async def happens(self) -> None:
        """The whole of it, from the registration to its end."""
        theirs, ours = self.theirs, self.ours
        await theirs.do(
            "run",
            url=self.vtn.url,
            ven_name="Their VEN",
            reports=[BOILER, GRID],
        )
        await self.events_come_and_go(str(theirs.told("running")[0]["ven_id"]))
        await ours.until(lambda: all(len(values) >= 3 for values in self.data.values()), "three values of each")
        (record,) = self.vtn.vens.values()
        (requested,) = record.requests
        self.vtn.cancel_report(record.ven_id, requested.request.report_request_id)
        await ours.until(lambda: not self.vtn.vens[record.ven_id].requests, "the end of the report")
        self.record = self.vtn.vens[record.ven_id]
        self.vtn.cancel_party_registration(record.ven_id)
        await ours.tells(VenDeregistered)
        await theirs.until(lambda: len(theirs.told("sent")) == len(theirs.told("taken")), "it is idle")
        await theirs.do("stop")

    async def events_come_and_go(self, ven_id: str) -> None:
        """Two events are made, one is modified, the other cancelled."""
        theirs, ours = self.theirs, self.ours
        await theirs.do("answer", event_id="refused", opt="optOut")
        for event_id, level, begin in (("agreed", 1, self.began), ("refused", 2, self.began + HOUR)):
            interval = {"dtstart": begin, "duration": HOUR, "signal_payload": level}
            self.vtn.add_event(ven_id, "SIMPLE", "level", [interval], self._opted, event_id=event_id)
        await ours.until(lambda: all(self.opts.values()), "an answer to each")
        await theirs.do("answer", event_id="agreed", opt="optOut")
        self.vtn.modify_event(_agreed(self.began, 3))
        await ours.until(lambda: len(self.opts["agreed"]) == 2, "an answer to the modification")
        self.vtn.cancel_event(ven_id, "refused")
        await ours.until(lambda: len(self.opts["refused"]) == 2, "an answer to the cancellation")

    # --- what the other side has heard -------------------------------------------------------------------------------

    def heard(self, event_id: str) -> list[Told]:
        """What their event handlers were called with for an event."""
        calls = self.theirs.told("event")
        return [one for one in calls if one["event"]["event_descriptor"]["event_id"] == event_id]


def _agreed(begin: datetime, level: int) -> Mapping[str, object]:
    interval = {"dtstart": begin, "duration": HOUR, "signal_payload": level}
    signal = {"signal_name": "SIMPLE", "signal_type": "level", "intervals": [interval]}
    return {"event_descriptor": {"event_id": "agreed"}, "event_signals": [signal]}


@pytest.fixture(scope="module")
async def dialogue(anyio_backend: str, openleadr_python: Path) -> Dialogue:
    """The dialogue, which is over."""
    async with running_peer(openleadr_python, "ven.py") as theirs:
        made = Dialogue(theirs)
        with made.ours.logging():
            async with made.vtn.running():
                await made.happens()
    return made


# --- registration ----------------------------------------------------------------------------------------------------


def test_both_sides_know_the_same_registration(dialogue: Dialogue) -> None:
    (registered,) = dialogue.ours.told(VenRegistered)
    (running,) = dialogue.theirs.told("running")
    assert dialogue.record is not None
    assert running["ven_id"] == registered.ven_id == dialogue.record.ven_id
    assert running["registration_id"] == dialogue.record.registration_id
    assert dialogue.record.ven_name == "Their VEN"
    assert running["poll_frequency"] == 1.0


def test_the_registration_ends_on_both_sides(dialogue: Dialogue) -> None:
    (ended,) = dialogue.ours.told(VenDeregistered)
    assert not ended.by_peer
    assert not dialogue.vtn.vens
    assert len(dialogue.theirs.told("received", type="oadrCancelPartyRegistration")) == 1
    assert "oadrCanceledPartyRegistration" in kinds(dialogue.ours.exchanges, Role.VEN)


# --- reports ---------------------------------------------------------------------------------------------------------


def test_our_application_hears_what_their_client_offers(dialogue: Dialogue) -> None:
    assert sorted(dialogue.offered) == [("boiler", "RealPower", "W", SECOND), ("grid", "Voltage", "V", SECOND)]


@pytest.mark.parametrize("r_id", ["power", "volt"])
def test_every_value_arrives_once_as_their_client_read_it(dialogue: Dialogue, r_id: str) -> None:
    arrived = dialogue.data[r_id]
    was_read = [(datetime.fromisoformat(one["time"]), one["value"]) for one in dialogue.theirs.told("read", r_id=r_id)]
    assert len(arrived) >= 3
    assert arrived == was_read[: len(arrived)]


def test_a_report_that_our_vtn_cancels_ends_on_both_sides(dialogue: Dialogue) -> None:
    assert dialogue.record is not None
    assert not dialogue.record.requests
    (cancelled,) = dialogue.theirs.told("received", type="oadrCancelReport")
    (former,) = dialogue.record.former
    assert cancelled["content"]["report_request_id"] == former.request.report_request_id
    assert kinds(dialogue.ours.exchanges, Role.VEN).count("oadrCanceledReport") == 1


# --- events ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("event_id", "level", "after"), [("agreed", 1, 0 * HOUR), ("refused", 2, HOUR)])
def test_their_client_hears_of_an_event_as_it_was_made(
    dialogue: Dialogue, event_id: str, level: int, after: timedelta
) -> None:
    first = dialogue.heard(event_id)[0]
    assert first["handler"] == "on_event"
    assert datetime.fromisoformat(first["event"]["active_period"]["dtstart"]) == dialogue.began + after
    (signal,) = first["event"]["event_signals"]
    (interval,) = signal["intervals"]
    assert (signal["signal_name"], signal["signal_type"]) == ("SIMPLE", "level")
    assert (interval["duration"], interval["signal_payload"]) == (3600.0, level)


def test_our_application_hears_each_answer_that_their_handlers_gave(dialogue: Dialogue) -> None:
    assert dialogue.opts == {"agreed": ["optIn", "optOut"], "refused": ["optOut", "optOut"]}
    for event_id, opts in dialogue.opts.items():
        assert [one["answer"] for one in dialogue.heard(event_id)] == opts
        told = dialogue.ours.told(OptReceived, event_id=event_id)
        assert [(one.modification_number, one.opt_type) for one in told] == list(enumerate(map(OptType, opts)))


def test_their_client_sees_the_modification(dialogue: Dialogue) -> None:
    _, modified = dialogue.heard("agreed")
    assert modified["handler"] == "on_update_event"
    assert modified["event"]["event_descriptor"]["modification_number"] == 1
    assert modified["event"]["event_signals"][0]["intervals"][0]["signal_payload"] == 3


def test_their_client_sees_the_cancellation_and_our_vtn_the_acknowledgement(dialogue: Dialogue) -> None:
    _, cancelled = dialogue.heard("refused")
    assert cancelled["handler"] == "on_update_event"
    assert cancelled["event"]["event_descriptor"]["event_status"] == "cancelled"
    assert dialogue.record is not None
    states = {one.event_id: one.state for one in dialogue.record.standings}
    assert states == {"agreed": EventAtVtn.SETTLED, "refused": EventAtVtn.GONE}


# --- the wire --------------------------------------------------------------------------------------------------------


def test_each_side_got_what_the_other_sent(dialogue: Dialogue) -> None:
    exchanges = dialogue.ours.exchanges
    assert documents(exchanges, Role.VEN) == [one["xml"] for one in dialogue.theirs.told("sent")]
    assert documents(exchanges, Role.VTN) == [one["xml"] for one in dialogue.theirs.told("taken")]


def test_their_client_understood_every_document_of_ours(dialogue: Dialogue, official_schema: etree.XMLSchema) -> None:
    exchanges = dialogue.ours.exchanges
    assert refused(exchanges, Role.VTN, official_schema) == []
    assert [one["type"] for one in dialogue.theirs.told("received")] == kinds(exchanges, Role.VTN)


def test_every_document_of_theirs_is_valid_and_our_strict_reader_takes_it(
    dialogue: Dialogue, official_schema: etree.XMLSchema
) -> None:
    exchanges = dialogue.ours.exchanges
    assert refused(exchanges, Role.VEN, official_schema) == []
    assert {"oadrCreatePartyRegistration", "oadrUpdateReport", "oadrCreatedEvent"} <= set(kinds(exchanges, Role.VEN))


def test_our_vtn_breaks_no_rule(dialogue: Dialogue) -> None:
    assert findings(dialogue.ours.exchanges, Role.VTN) == []


def test_the_rules_that_their_client_breaks_are_found_and_no_others(dialogue: Dialogue) -> None:
    assert broken(dialogue.ours.exchanges, Role.VEN) == {
        "R331",  # it offers a voltage as TELEMETRY_USAGE, which has energy, power and pulses
        "R402",  # though it polls, it sends an oadrTransportAddress: the text None
    }


# --- the logs --------------------------------------------------------------------------------------------------------


def test_nothing_went_wrong_on_our_side_and_nothing_had_to_be_forgiven(dialogue: Dialogue) -> None:
    assert dialogue.ours.troubles() == []


def test_our_log_has_no_warning(dialogue: Dialogue) -> None:
    assert dialogue.ours.log == []


def test_their_log_has_no_warning_but_that_it_takes_no_reports(dialogue: Dialogue) -> None:
    """Our VTN offers its own reports to a new VEN, even if there are none; their client says that it ignores them."""
    assert dialogue.theirs.log() == [
        "WARNING openleadr: The VTN offered reports, but OpenLEADR does not support reports in this direction."
    ]
