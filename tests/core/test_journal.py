"""Lines for people: one for everything that a core tells, or a reason why there is none."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from oadr_core import (
    CertificateFollowed,
    DistributeEvent,
    Event,
    EventDecided,
    EventOffered,
    EventProceeds,
    EventsOverlap,
    EventStatus,
    EventWithheld,
    ExchangeAbandoned,
    ExchangeSetBack,
    Failure,
    HandlerFailed,
    OptCancelled,
    OptConfirmed,
    OptReceived,
    OptRefused,
    OptTaken,
    OptType,
    OtherProfileFound,
    PeerForgiven,
    PeerMisbehaved,
    Poll,
    PollsTooSeldom,
    PresentSignal,
    Queried,
    Registered,
    RegistrationEnded,
    RegistrationRefused,
    ReportDropped,
    ReportEnded,
    ReportGap,
    ReportRequested,
    ReportsReceived,
    ReregistrationRequested,
    Service,
    TicketId,
    UpdateReport,
    VenDeregistered,
    VenOffline,
    VenOnline,
    VenRegistered,
    log_line,
)
from tests.core.kit import MINUTE, NOON, create_opt, offer

SILENT = {
    "EventsReceived",  # every list says the same; what is decided has its line
    "ExchangeDone",  # every answer would have one
}

OPT = {"ven_id": "ven", "event_id": "event", "modification_number": 2, "opt_type": OptType.OPT_OUT}

NO_EVENTS = DistributeEvent(request_id="1", vtn_id="Grid")

LINES: list[tuple[Event, str, str]] = [
    (
        Queried(vtn_id="Grid", profiles=(("2.0b", "simpleHttp"), ("2.0b", "xmpp"))),
        "DEBUG",
        "the VTN Grid offers 2.0b over simpleHttp, 2.0b over xmpp",
    ),
    (
        Registered(ven_id="ven", registration_id="r", vtn_id="Grid", again=False),
        "INFO",
        "registered with the VTN Grid as ven",
    ),
    (
        Registered(ven_id="ven", registration_id="r", vtn_id="Grid", again=True),
        "INFO",
        "registered again with the VTN Grid as ven",
    ),
    (
        RegistrationRefused(code=463, description="who are you?", again=False),
        "WARNING",
        "the VTN does not register us: who are you? (code 463)",
    ),
    (
        RegistrationEnded(by_peer=True, cancelled=True),
        "WARNING",
        "the registration has ended: the VTN cancelled it",
    ),
    (RegistrationEnded(by_peer=False, cancelled=True), "INFO", "the registration has ended: cancelled"),
    (
        RegistrationEnded(by_peer=True, cancelled=False),
        "WARNING",
        "the registration has ended: the VTN does not know us any more",
    ),
    (ReregistrationRequested(), "INFO", "the VTN asks us to register again"),
    (
        EventDecided(event_id="event", modification_number=2, opt_type=OptType.OPT_IN),
        "INFO",
        "event event (modification 2): optIn",
    ),
    (
        EventDecided(
            event_id="event",
            modification_number=2,
            opt_type=OptType.OPT_OUT,
            code=462,
            description="the event is meant for others",
        ),
        "INFO",
        "event event (modification 2): optOut, the event is meant for others (code 462)",
    ),
    (
        EventProceeds(event_id="event", modification_number=2, status=EventStatus.NEAR),
        "INFO",
        "event event is near",
    ),
    (
        EventProceeds(
            event_id="event",
            modification_number=2,
            status=EventStatus.ACTIVE,
            interval=3,
            signals=(
                PresentSignal(signal_id="0", signal_name="SIMPLE", signal_type="level", interval=3, value=2.0),
                PresentSignal(signal_id="1", signal_name="x-ours", signal_type="price"),
            ),
        ),
        "INFO",
        "event event is active, interval 3: SIMPLE 2",
    ),
    (ReportRequested(report_request_id="r1"), "INFO", "report r1 was asked for"),
    (ReportEnded(report_request_id="r1"), "INFO", "report r1 has come to its end"),
    (ReportDropped(report_request_id="r1", why="no room"), "WARNING", "a report for r1 was dropped: no room"),
    (
        ReportGap(report_request_id="r1", since=NOON, until=NOON + MINUTE, ven_id="ven"),
        "WARNING",
        "report r1 has a gap from 2026-11-20 12:00:00+00:00 to 2026-11-20 12:01:00+00:00 (VEN ven)",
    ),
    (VenRegistered(ven_id="ven", ven_name="House", again=False), "INFO", "VEN ven (House) is registered"),
    (VenRegistered(ven_id="ven", ven_name="", again=True), "INFO", "VEN ven (no name) is registered again"),
    (VenDeregistered(ven_id="ven", by_peer=True), "INFO", "VEN ven is no longer registered: it cancelled"),
    (VenDeregistered(ven_id="ven", by_peer=False), "INFO", "VEN ven is no longer registered: we cancelled"),
    (VenOnline(ven_id="ven"), "INFO", "VEN ven is back"),
    (
        CertificateFollowed(ven_id="ven", fingerprint="BB", former="AA"),
        "INFO",
        "VEN ven has come with its new certificate, BB, after AA",
    ),
    (VenOffline(ven_id="ven"), "WARNING", "VEN ven is silent"),
    (
        OptTaken(ven_id="ven", message=create_opt(opt_id="o")),
        "INFO",
        "VEN ven says optOut by oadrCreateOpt for the schedule o (x-schedule)",
    ),
    (
        OptTaken(ven_id="ven", message=create_opt(event_id="event")),
        "INFO",
        "VEN ven says optOut by oadrCreateOpt for event event (x-schedule)",
    ),
    (OptConfirmed(opt_id="o", cancelled=False), "INFO", "the VTN has taken our opt o"),
    (OptConfirmed(opt_id="o", cancelled=True), "INFO", "the VTN has taken back our opt o"),
    (
        OptRefused(opt_id="o", code=451, description="not now", cancelling=False),
        "WARNING",
        "the VTN does not take our opt o: not now (code 451)",
    ),
    (
        OptRefused(opt_id="o", code=0, description="silence", cancelling=True),
        "WARNING",
        "the VTN does not take back our opt o: silence",
    ),
    (OptCancelled(ven_id="ven", opt_id="o"), "INFO", "VEN ven takes its schedule o back"),
    (OptReceived(code=200, **OPT), "INFO", "VEN ven answers event event (modification 2) with optOut"),
    (OptReceived(code=460, **OPT), "INFO", "VEN ven answers event event (modification 2) with optOut (code 460)"),
    (
        OptReceived(code=200, late=True, **OPT),
        "INFO",
        "VEN ven answers event event (modification 2) with optOut, late",
    ),
    (
        OptReceived(code=200, instead_of=OptType.OPT_IN, **OPT),
        "INFO",
        "VEN ven answers event event (modification 2) with optOut instead of optIn",
    ),
    (
        PollsTooSeldom(event_id="event", interval=timedelta(seconds=90)),
        "WARNING",
        "event event is short for polls every 90 s; changes of it may come late",
    ),
    (
        EventsOverlap(event_id="event", others=("a", "b")),
        "WARNING",
        "event event overlaps a, b for some VENs; what a VEN does then is not defined",
    ),
    (
        OtherProfileFound(profile="2.0a", falling_back=True),
        "WARNING",
        "the VTN speaks OpenADR 2.0a alone, and so do we from now on",
    ),
    (
        OtherProfileFound(profile="2.0a", falling_back=False),
        "WARNING",
        "the VTN speaks OpenADR 2.0a alone; a VEN of that profile can talk to it",
    ),
    (
        EventWithheld(event_id="e", modification_number=1, ven_ids=("a", "b", "c", "d", "e", "f"), why="no words"),
        "WARNING",
        "event e (modification 1) is not given to 6 of its VENs, a, b, c, d, e …: no words",
    ),
    (EventOffered(ven_id="ven", event_ids=("a", "b")), "DEBUG", "VEN ven was told of a, b"),
    (
        ReportsReceived(ven_id="ven", message=UpdateReport(request_id="1", reports=(offer(),), ven_id="ven")),
        "DEBUG",
        "VEN ven delivered 0 intervals",
    ),
    (
        ExchangeSetBack(ticket=TicketId(1), service=Service.OADR_POLL, why=Failure.UNREACHABLE, wait=2.04),
        "WARNING",
        "OadrPoll: the peer cannot be reached; trying again in 2.0 s",
    ),
    (
        ExchangeAbandoned(ticket=TicketId(1), request=Poll(ven_id="ven"), why=Failure.FORBIDDEN),
        "WARNING",
        (
            "oadrPoll is given up: the peer does not accept us (does it know our certificate, and are both clocks "
            "right to the minute?)"
        ),
    ),
    (
        ExchangeSetBack(ticket=TicketId(0), service=Service.EI_EVENT, why=Failure.BUSY, wait=1.0, ven_id="ven"),
        "WARNING",
        "VEN ven: EiEvent: the peer is overloaded or down for now; trying again in 1.0 s",
    ),
    (
        ExchangeAbandoned(ticket=TicketId(0), request=NO_EVENTS, why=Failure.TOO_LARGE, ven_id="ven"),
        "WARNING",
        (
            "VEN ven: oadrDistributeEvent is given up: the message is larger than the peer takes, or the way to it "
            "carries; it has 0 events, and none of them can be told until there are fewer or smaller ones"
        ),
    ),
    (
        ExchangeAbandoned(ticket=TicketId(0), request=NO_EVENTS, why=Failure.UNSUPPORTED, ven_id="ven"),
        "WARNING",
        (
            "VEN ven: oadrDistributeEvent is given up: the peer does not know the operation; it has 0 events, and is "
            "tried again later"
        ),
    ),
    (PeerMisbehaved(who="Grid", what="sent nonsense", code=459), "WARNING", "Grid: sent nonsense (code 459)"),
    (PeerMisbehaved(who="Grid", what="sent nonsense"), "WARNING", "Grid: sent nonsense"),
    (
        PeerForgiven(who="Grid", message_type="oadrPoll", forgiven=("a", "b", "c", "d")),
        "INFO",
        "Grid sent oadrPoll that the schema refuses: a; b; c",
    ),
    (
        HandlerFailed(handler="on_event", error="raised OSError: no"),
        "WARNING",
        "the handler on_event raised OSError: no",
    ),
]


@pytest.mark.parametrize(("event", "level", "line"), LINES, ids=lambda one: type(one).__name__)
def test_what_is_told_has_its_line(event: Event, level: str, line: str) -> None:
    found = log_line(event)
    assert found is not None
    assert (found[0].name, found[1]) == (level, line)
    assert found[0] == getattr(logging, level)


def every_event() -> set[type[Event]]:
    found: set[type[Event]] = set()
    ahead: list[type[Any]] = [Event]
    while ahead:
        found |= {one for one in ahead if one.__module__ == "oadr_core.outputs"} - {Event}
        ahead = [below for one in ahead for below in one.__subclasses__()]
    return found


def test_every_event_has_a_line_or_is_silent_on_purpose() -> None:
    assert {one.__name__ for one in every_event()} == {type(event).__name__ for event, _, _ in LINES} | SILENT


def test_events_of_other_packages_have_no_line() -> None:
    class Mine(Event, frozen=True, kw_only=True):
        pass

    assert log_line(Mine()) is None


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[31mred", "back\rspace", "\u2028", "\x00"])
def test_a_peer_cannot_break_lines_or_paint_the_terminal(text: str) -> None:
    found = log_line(PeerMisbehaved(who=text, what=text))
    assert found is not None
    assert found[1].isprintable()
