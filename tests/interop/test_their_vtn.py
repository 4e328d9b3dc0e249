"""Our VEN against OpenLEADR's server: one dialogue over HTTP, and what both sides have seen of it."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree

from oadr_core import EventDecided, OptType, Registered, RegistrationEnded, ReportRequested, Role
from oadr_http import OpenADRClient
from tests.interop.judge import broken, documents, findings, kinds, refused
from tests.interop.ours import HOUR, SECOND, Ours
from tests.interop.peer import Peer, running_peer

RESOURCES: Final = ("boiler", "pump")


class Dialogue:
    """Their VTN, our VEN, and what the application of ours has heard."""

    def __init__(self, theirs: Peer) -> None:
        self.theirs = theirs
        self.ours = Ours()
        url = theirs.told("listening")[0]["url"]
        self.ven = OpenADRClient("Our VEN", url, observe=self.ours.observe, trace=self.ours.trace)
        self.began = datetime.now(UTC)
        self.read: dict[str, list[tuple[datetime, float]]] = {one: [] for one in RESOURCES}
        self.heard: dict[str, list[tuple[str, Mapping[str, Any]]]] = {"agreed": [], "refused": []}
        self.answers = {"agreed": "optIn", "refused": "optOut"}
        for handler in ("on_event", "on_update_event"):
            self.ven.add_handler(handler, self._answering(handler))
        for resource in RESOURCES:
            self.ven.add_report(
                self._reading(resource), resource, report_specifier_id="usage", r_id=resource, sampling_rate=SECOND
            )

    def _answering(self, handler: str) -> Callable[[Mapping[str, Any]], Coroutine[Any, Any, str]]:
        async def answer(event: Mapping[str, Any]) -> str:
            event_id = event["event_descriptor"]["event_id"]
            self.heard[event_id].append((handler, event))
            self.ours.note()
            return self.answers[event_id]

        return answer

    def _reading(self, resource: str) -> Callable[[datetime], Coroutine[Any, Any, float]]:
        async def read(due: datetime) -> float:
            value = len(self.read[resource]) / 2
            self.read[resource].append((due, value))
            return value

        return read

    # --- what happens ------------------------------------------------------------------------------------------------

    async def happens(self) -> None:
        """The whole of it, from the first poll to the end of the registration."""
        theirs = self.theirs
        await theirs.tells("received", type="oadrPoll")
        await self.events_come_and_go(self.ven.ven_id)
        for resource in RESOURCES:
            await theirs.tells("data", resource_id=resource, times=2)
        await self.ven.cancel_party_registration()
        await self.ours.tells(RegistrationEnded)
        await self.ours.until(lambda: len(self.heard["agreed"]) == 3, "the end of the event, as nobody asks for it now")

    async def events_come_and_go(self, ven_id: str) -> None:
        """Two events are made, one is modified, the other cancelled."""
        theirs = self.theirs
        for event_id, level, begin in (("agreed", 1, self.began), ("refused", 2, self.began + HOUR)):
            interval = {"dtstart": begin.isoformat(), "duration": 3600, "signal_payload": level}
            signal = {"signal_name": "SIMPLE", "signal_type": "level", "intervals": [interval]}
            await theirs.do("add_event", ven_id=ven_id, event_id=event_id, **signal)
        for event_id in self.heard:
            await theirs.tells("created_event", event_id=event_id, modification_number=0)
        self.answers["agreed"] = "optOut"
        await theirs.do("modify_event", ven_id=ven_id, event_id="agreed", signal_payload=3)
        await theirs.tells("created_event", event_id="agreed", modification_number=1)
        self.ven.change_opt("agreed", ("optIn", 200, "after all"))
        await theirs.tells("created_event", event_id="agreed", modification_number=1, opt_type="optIn")
        await theirs.do("cancel_event", ven_id=ven_id, event_id="refused")
        await theirs.tells("created_event", event_id="refused", modification_number=1)


@pytest.fixture(scope="module")
async def dialogue(anyio_backend: str, openleadr_python: Path) -> Dialogue:
    """The dialogue, which is over."""
    async with running_peer(openleadr_python, "vtn.py") as theirs:
        await theirs.do("run", vtn_id="VTN-Theirs", sampling=1, reporting=2)
        made = Dialogue(theirs)
        with made.ours.logging():
            async with made.ven.running():
                await made.happens()
    return made


# --- registration ----------------------------------------------------------------------------------------------------


def test_both_sides_know_the_same_registration(dialogue: Dialogue) -> None:
    (ours,) = dialogue.ours.told(Registered)
    (theirs,) = dialogue.theirs.told("registered")
    assert (ours.ven_id, ours.registration_id) == (theirs["ven_id"], theirs["registration_id"])
    assert ours.vtn_id == "VTN-Theirs"
    assert theirs["info"]["ven_name"] == "Our VEN"
    assert theirs["info"]["http_pull_model"] is True


def test_the_registration_ends_on_both_sides(dialogue: Dialogue) -> None:
    (ours,) = dialogue.ours.told(RegistrationEnded)
    assert (ours.cancelled, ours.by_peer) == (True, False)
    assert not dialogue.ven.registered
    (registered,) = dialogue.theirs.told("registered")
    (theirs,) = dialogue.theirs.told("deregistered")
    assert theirs["content"]["registration_id"] == registered["registration_id"]


def test_with_the_registration_an_event_ends_for_our_application(dialogue: Dialogue) -> None:
    handler, event = dialogue.heard["agreed"][-1]
    assert handler == "on_update_event"
    assert event["event_descriptor"]["event_status"] == "cancelled"


# --- reports ---------------------------------------------------------------------------------------------------------


def test_their_application_hears_what_our_client_offers(dialogue: Dialogue) -> None:
    offered = [(one["resource_id"], one["measurement"], one["unit"]) for one in dialogue.theirs.told("offered")]
    assert offered == [(one, "RealPower", "W") for one in RESOURCES]
    assert {(one["min"], one["max"]) for one in dialogue.theirs.told("offered")} == {(1.0, 1.0)}


def test_their_server_hears_that_the_report_will_come(dialogue: Dialogue) -> None:
    (asked,) = dialogue.ours.told(ReportRequested)
    (created,) = dialogue.theirs.told("created_report")
    assert created["content"]["pending_reports"] == [{"report_request_id": asked.report_request_id}]


@pytest.mark.parametrize("resource", RESOURCES)
def test_every_value_arrives_once_as_our_application_read_it(dialogue: Dialogue, resource: str) -> None:
    told = dialogue.theirs.told("data", resource_id=resource)
    arrived = [(datetime.fromisoformat(time), value) for one in told for time, value in one["values"]]
    assert len(arrived) >= 4
    assert arrived == dialogue.read[resource][: len(arrived)]


@pytest.mark.rule(324)
def test_the_reports_have_the_rhythm_that_their_server_asked_for(dialogue: Dialogue) -> None:
    """It asked for a reading each second and a report every two; a busy machine may miss a reading, but shifts none."""
    times = [time for time, _ in dialogue.read["boiler"]]
    assert all(later > earlier and (later - earlier) % SECOND == 0 * SECOND for earlier, later in pairwise(times))
    assert {len(one["values"]) for one in dialogue.theirs.told("data")} <= {1, 2}


# --- events ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("event_id", "level", "after"), [("agreed", 1, 0 * HOUR), ("refused", 2, HOUR)])
def test_our_application_hears_of_an_event_as_it_was_made(
    dialogue: Dialogue, event_id: str, level: int, after: timedelta
) -> None:
    handler, event = dialogue.heard[event_id][0]
    assert handler == "on_event"
    assert event["active_period"]["dtstart"] == dialogue.began + after
    (signal,) = event["event_signals"]
    (interval,) = signal["intervals"]
    assert (signal["signal_name"], signal["signal_type"]) == ("SIMPLE", "level")
    assert (interval["duration"], interval["signal_payload"]) == (HOUR, level)
    assert dialogue.theirs.told("delivered", event_id=event_id)


def test_their_server_hears_each_answer_that_our_handlers_gave_and_that_our_application_changes_its_mind(
    dialogue: Dialogue,
) -> None:
    """It hands only the first answer to an event to its application; for the later ones its messages have to tell."""
    opts = [(one["event_id"], one["opt_type"]) for one in dialogue.theirs.told("opt")]
    assert sorted(opts) == [("agreed", "optIn"), ("refused", "optOut")]
    told = dialogue.theirs.told("created_event", event_id="agreed")
    assert {(one["modification_number"], one["opt_type"]) for one in told} == {
        (0, "optIn"),
        (1, "optOut"),
        (1, "optIn"),
    }
    decided = dialogue.ours.told(EventDecided, event_id="agreed")
    assert [one.opt_type for one in decided] == [OptType.OPT_IN, OptType.OPT_OUT, OptType.OPT_IN]


def test_our_application_sees_the_modification(dialogue: Dialogue) -> None:
    handler, event = dialogue.heard["agreed"][1]
    assert handler == "on_update_event"
    assert event["event_descriptor"]["modification_number"] == 1
    assert event["event_signals"][0]["intervals"][0]["signal_payload"] == 3


def test_our_application_sees_the_cancellation_and_their_server_the_acknowledgement(dialogue: Dialogue) -> None:
    _, (handler, event) = dialogue.heard["refused"]
    assert handler == "on_update_event"
    assert event["event_descriptor"]["event_status"] == "cancelled"
    assert dialogue.theirs.told("created_event", event_id="refused", modification_number=1)


# --- the wire --------------------------------------------------------------------------------------------------------


def test_each_side_got_what_the_other_sent(dialogue: Dialogue) -> None:
    exchanges = dialogue.ours.exchanges
    assert documents(exchanges, Role.VEN) == [one["xml"] for one in dialogue.theirs.told("taken")]
    assert documents(exchanges, Role.VTN) == [one["xml"] for one in dialogue.theirs.told("given")]


def test_their_server_understood_every_document_of_ours(dialogue: Dialogue, official_schema: etree.XMLSchema) -> None:
    exchanges = dialogue.ours.exchanges
    assert refused(exchanges, Role.VEN, official_schema) == []
    assert [one["type"] for one in dialogue.theirs.told("received")] == kinds(exchanges, Role.VEN)
    assert [one["type"] for one in dialogue.theirs.told("answered")] == kinds(exchanges, Role.VTN)


def test_every_document_of_theirs_is_valid_and_our_strict_reader_takes_it(
    dialogue: Dialogue, official_schema: etree.XMLSchema
) -> None:
    exchanges = dialogue.ours.exchanges
    assert refused(exchanges, Role.VTN, official_schema) == []
    assert {"oadrCreatedPartyRegistration", "oadrDistributeEvent"} <= set(kinds(exchanges, Role.VTN))


def test_our_client_breaks_no_rule(dialogue: Dialogue) -> None:
    assert findings(dialogue.ours.exchanges, Role.VEN) == []


def test_the_rules_that_their_server_breaks_are_found_and_no_others(dialogue: Dialogue) -> None:
    assert broken(dialogue.ours.exchanges, Role.VTN) == {
        "R29",  # the current value of an active event is 0
        "R103",  # intervals of events have a dtstart
        "R105",  # events have no x-eiNotification
        "R115",  # each event has its own createdDateTime, that of its making
        "R324",  # a request for periodic reports has no reportInterval
        "R338",  # the readingType of a request is that of the offer, not x-notApplicable
        "R404",  # its answer to a query has an empty registrationID and an empty venID
    }


# --- the logs --------------------------------------------------------------------------------------------------------


def test_nothing_went_wrong_on_our_side_and_nothing_had_to_be_forgiven(dialogue: Dialogue) -> None:
    assert dialogue.ours.troubles() == []


def test_our_log_has_no_warning_but_that_the_registration_has_ended(dialogue: Dialogue) -> None:
    assert dialogue.ours.log == []


def test_their_log_has_no_warning_but_one_about_itself(dialogue: Dialogue) -> None:
    """Their server finds its own current value of an active event wrong, and makes it 0, which breaks rule 29."""
    (warning,) = set(dialogue.theirs.log())
    assert warning.startswith(
        "WARNING openleadr: The current_value for a SIMPLE event that is not yet active must be 0."
    )
