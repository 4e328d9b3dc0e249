"""What shows in the whole of what a VTN and a VEN say to each other.

Each rule has traces that break it, and many more that nearly do: a rule must never accuse a peer that conforms, however
many answers are lost, come late or twice, and wherever a trace begins.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import pytest

from oadr_core.messages import (
    CanceledOpt,
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedEvent,
    CreatedOpt,
    CreatedReport,
    CreateReport,
    EiEvent,
    EiResponse,
    EventResponse,
    EventStatus,
    OptType,
    QueryRegistration,
    RegisterReport,
    RequestEvent,
    RequestReregistration,
    Response,
    ResponseRequired,
    SignalPayload,
    Target,
    UpdatedReport,
)
from oadr_core.rules import RecordedExchange, Rule, Severity, check_trace, rules
from oadr_core.rules.trace import Dialogue, dialogues
from tests.dialogue.report_breaches import CANCEL as CANCEL_REPORT
from tests.dialogue.report_breaches import GONE as CANCELED_REPORT
from tests.dialogue.report_breaches import REPORT_BREACHES, TOO_MUCH, answering, wanted
from tests.dialogue.traces import (
    EMPTY,
    LOST,
    NOTHING,
    OK,
    POLL,
    answered,
    asks,
    event,
    judged,
    listing,
    of_ven,
    offered,
    polled,
    pushed,
    pushes,
    registered,
    requested,
    rule_marks,
    status,
    when,
)
from tests.rules.samples import (
    BASELINE,
    CANCEL_OPT,
    HOUR,
    OFFERS,
    ONE,
    OPEN_ENDED,
    PULL,
    QUALIFIED,
    REGISTERED,
    REQUEST,
    SCHEDULE,
    SIGNAL,
    WINDOW,
    but,
)

FAR: Final = EventStatus.FAR
NEAR: Final = EventStatus.NEAR
ACTIVE: Final = EventStatus.ACTIVE
COMPLETED: Final = EventStatus.COMPLETED
NEVER: Final = ResponseRequired.NEVER

ECHO: Final = EiResponse(request_id="1")
UPDATED: Final = UpdatedReport(response=ECHO)
CREATE_OPT: Final = but(SCHEDULE, request_id="1")
CREATED_OPT: Final = CreatedOpt(response=ECHO, opt_id="opt-1")
CANCELED_OPT: Final = CanceledOpt(response=ECHO, opt_id="opt-1")
FOR_EVENT: Final = but(QUALIFIED, request_id="1")
PUMP: Final = Target(resource_id=("pump",))
FAN: Final = Target(resource_id=("fan",))
REQUEST_REPORT: Final = CreateReport(request_id="1", report_requests=(REQUEST,), ven_id="ven-1")
REQUEST_METADATA: Final = but(
    REQUEST_REPORT,
    report_requests__report_specifier__report_specifier_id="METADATA",
    report_requests__report_specifier__report_interval=None,
    report_requests__report_specifier__specifier_payloads__r_id="0",
)
CREATED: Final = CreatedReport(response=ECHO, pending_reports=("17",), ven_id="ven-1")
OFFERS_OF_VTN: Final = RegisterReport(request_id="1", reports=(), ven_id="ven-1")
CANCEL: Final = CancelPartyRegistration(request_id="1", registration_id="registration-1", ven_id="ven-1")
CANCELED: Final = CanceledPartyRegistration(response=ECHO, ven_id="ven-1")
ENDLESS: Final = but(OPEN_ENDED, response_required=NEVER)

Trace = Sequence[RecordedExchange]


def cancelled(number: int = 1) -> EiEvent:
    """An event that was cancelled."""
    return status(event(number), EventStatus.CANCELLED)


def quiet(number: int = 0, event_id: str = "event-1", **changes: Any) -> EiEvent:
    """An event that wants no answer."""
    return event(number, event_id, response_required=NEVER, **changes)


def ramped(number: int = 0) -> EiEvent:
    """An event that is near from the beginning of a trace on."""
    return quiet(number, active_period__ramp_up=HOUR)


def refused(minute: float, of: EiEvent, code: int, request_id: str = "list-1") -> RecordedExchange:
    """A VEN that answers an event with an error."""
    response = EventResponse(
        response_code=code,
        request_id=request_id,
        event_id=of.event_descriptor.event_id,
        modification_number=of.event_descriptor.modification_number,
        opt_type=OptType.OPT_OUT,
    )
    return asks(minute, CreatedEvent(response=EiResponse(), event_responses=(response,), ven_id="ven-1"), NOTHING)


def polls(count: int, seconds: float) -> tuple[RecordedExchange, ...]:
    """A VEN that polls again and again, though there is nothing for it."""
    return tuple(asks(1 + number * seconds / 60, POLL, NOTHING) for number in range(count))


def strangely(minute: float, vtn_id: str) -> RecordedExchange:
    """A list from a VTN of some name."""
    return asks(minute, POLL, but(listing(minute, quiet(), answers=EiResponse()), vtn_id=vtn_id))


def said_to_be(of: EiEvent, value: float, number: int) -> EiEvent:
    """An event whose first signal has another value in one of its intervals."""
    signal, *others = of.event_signals
    intervals = list(signal.intervals)
    intervals[number] = but(intervals[number], payloads=(SignalPayload(value=value),))
    return but(of, event_signals=(but(signal, intervals=tuple(intervals)), *others))


def asked_in_20a(minute: float, *ids: str) -> RecordedExchange:
    """A VEN of 2.0a that polls, and gets events that want an answer."""
    events = (event(event_id=one, event_signals=(SIGNAL,), event_baseline=None) for one in ids)
    request = RequestEvent(schema_version="2.0a", request_id="1", ven_id="ven-1")
    return asks(minute, request, but(listing(minute, *events, answers=ECHO), schema_version="2.0a"))


def updates(minute: float, request_id: str = "17", **rest: Any) -> RecordedExchange:
    """A VEN that delivers data."""
    return asks(minute, but(ONE, reports__report_request_id=request_id), UPDATED, **rest)


def asked_for(minute: float, request_id: str = "17", **rest: Any) -> RecordedExchange:
    """A VTN that asks for data in push."""
    request = but(REQUEST_REPORT, report_requests__report_request_id=request_id)
    return pushes(minute, request, but(CREATED, pending_reports=(request_id,)), **rest)


def piggy_backed(minute: float, request_id: str = "17") -> RecordedExchange:
    """A VEN that makes offers, and a VTN that asks for one in its answer."""
    return offered(minute, but(OK, report_requests=(but(REQUEST, report_request_id=request_id),)))


START: Final = (registered(0), offered(0.1), requested(0.2))
ADDRESS: Final = "https://ven-1.example/"
REREGISTERED: Final = but(PULL, registration_id="registration-1", ven_id="ven-1")
TO_PUSH: Final = but(REREGISTERED, http_pull_model=False, transport_address=ADDRESS)
GRANTED: Final = but(REGISTERED, response=ECHO)
FOREIGN: Final = but(CANCEL, registration_id="registration-2")
RUNNING: Final = status(quiet(), ACTIVE)
RUNNING_AGAIN: Final = status(quiet(1), ACTIVE)
KNOWN_AND_CANCELLED: Final = (polled(0, event()), answered(0.5, event()), polled(1, cancelled()))

# --- traces that break a rule ----------------------------------------------------------------------------------------

BREACHES: Final[tuple[tuple[str, str, Trace, str], ...]] = (
    # registration
    (
        "R405",
        "data before metadata",
        (registered(0), asked_for(1), updates(2)),
        (
            "[2].request: the VEN sends oadrUpdateReport; "
            "oadrRegisterReport and oadrRequestEvent must come first, after a new registration"
        ),
    ),
    (
        "R405",
        "an opt before oadrRequestEvent",
        (registered(0), offered(1), asks(2, CREATE_OPT, CREATED_OPT)),
        "[2].request: the VEN sends oadrCreateOpt; oadrRequestEvent must come first, after a new registration",
    ),
    (
        "R405",
        "a request for reports that are not known yet",
        (registered(0), requested(1), asks(2, REQUEST_REPORT, but(CREATED, ven_id=None))),
        "[2].request: the VEN sends oadrCreateReport; oadrRegisterReport must come first, after a new registration",
    ),
    (
        "R405",
        "polls that go on when the metadata of the VTN are there",
        (
            registered(0),
            asks(1, POLL, OFFERS_OF_VTN),
            asks(2, OK, NOTHING),
            asks(3, POLL, NOTHING),
            asks(4, POLL, LOST),
        ),
        (
            "[4].request: the VEN sends oadrPoll; "
            "oadrRegisterReport and oadrRequestEvent must come first, after a new registration"
        ),
    ),
    (
        "R405",
        "a second registration, which needs all of it again",
        (registered(0), offered(1), requested(2), registered(3), offered(4), asks(5, CREATE_OPT, CREATED_OPT)),
        "[5].request: the VEN sends oadrCreateOpt; oadrRequestEvent must come first, after a new registration",
    ),
    (
        "R400",
        "a cancellation of another registration",
        (*START, asks(1, FOREIGN, CANCELED)),
        ("[3].answer.response: the registrationID 'registration-2' is taken; the registration is 'registration-1'"),
    ),
    (
        "R407",
        "a VEN that is served though its registration is cancelled",
        (*START, asks(1, CANCEL, CANCELED), asks(9, POLL, NOTHING), asks(10, POLL, NOTHING)),
        (
            "[4].answer: oadrPoll is answered with oadrResponse; "
            "the registration was cancelled, so it is refused with 463"
        ),
    ),
    (
        "R407",
        "a VEN that is served though it has acknowledged that its registration is cancelled",
        (*START, asks(1, POLL, CANCEL), asks(1.1, CANCELED, NOTHING), requested(9)),
        (
            "[5].answer: oadrRequestEvent is answered with oadrDistributeEvent; "
            "the registration was cancelled, so it is refused with 463"
        ),
    ),
    # polling
    (
        "R51",
        "a push to a VEN that polls",
        (*START, pushed(5, quiet())),
        "[3].request: a push of oadrDistributeEvent; the VEN has registered as one that polls",
    ),
    (
        "R500",
        "a poll of a VEN that is pushed to",
        (
            registered(0, http_pull_model=False, transport_address=ADDRESS),
            offered(0.1),
            requested(0.2),
            asks(5, POLL, NOTHING),
        ),
        "[3].request: a poll; the VEN has registered as one that is pushed to",
    ),
    (
        "R500",
        "polls in a hurry",
        (*START, *polls(6, seconds=4)),
        (
            "[8].request: 5 polls in a row, each less than half of 0:00:10 after the one before; "
            "the VTN asks for one every 0:00:10"
        ),
    ),
    # opts
    (
        "R206",
        "an opt for an event that must not be answered",
        (polled(0, quiet()), asks(1, FOR_EVENT, CREATED_OPT)),
        "[1].request: an opt for an event that must not be answered; none is sent",
    ),
    (
        "R206",
        "an opt for something that the event is not about",
        (polled(0, event(target=PUMP)), answered(1, event()), asks(2, but(FOR_EVENT, target=FAN), CREATED_OPT)),
        "[2].answer.response: a target that is none of the event's; it is refused, as the event is not about that",
    ),
    (
        "R211",
        "an opt for an event that is cancelled",
        (asks(0, FOR_EVENT, CREATED_OPT), asks(1, CANCEL_OPT, CANCELED_OPT)),
        "[1].request.opt_id: the optID 'opt-1' of an event; schedules alone are cancelled",
    ),
    (
        "R211",
        "a superseded schedule that cannot be cancelled",
        (
            asks(0, CREATE_OPT, CREATED_OPT),
            asks(1, but(CREATE_OPT, opt_id="opt-2"), but(CREATED_OPT, opt_id="opt-2")),
            asks(2, CANCEL_OPT, but(CANCELED_OPT, response__response_code=452)),
        ),
        "[2].answer.response: 'opt-1' is refused; a superseded schedule may be cancelled",
    ),
    # events
    (
        "R5",
        "a number that falls",
        (polled(0, quiet(1)), polled(1, quiet(0))),
        "[1].answer.events[0].event_descriptor.modification_number: the number 0 after 1; it never falls",
    ),
    (
        "R5",
        "a comment that changes",
        (polled(0, quiet()), pushed(1, quiet(event_descriptor__vtn_comment="new"))),
        (
            "[1].request.events[0].event_descriptor.modification_number: "
            "the number 0 for another content; a change makes it 1"
        ),
    ),
    (
        "R5",
        "a target that changes",
        (polled(0, quiet(7)), polled(1, quiet(7, target__resource_id=("pump-1",)))),
        (
            "[1].answer.events[0].event_descriptor.modification_number: "
            "the number 7 for another content; a change makes it 8"
        ),
    ),
    (
        "R5",
        "a baseline that changes",
        (polled(0, quiet()), polled(1, quiet(event_baseline=but(BASELINE, baseline_name="this week")))),
        (
            "[1].answer.events[0].event_descriptor.modification_number: "
            "the number 0 for another content; a change makes it 1"
        ),
    ),
    (
        "R5",
        "a second event that changes, though the first does not",
        (
            polled(0, quiet(), quiet(event_id="event-2")),
            polled(1, quiet(), quiet(event_id="event-2", event_descriptor__priority=1)),
        ),
        (
            "[1].answer.events[1].event_descriptor.modification_number: "
            "the number 0 for another content; a change makes it 1"
        ),
    ),
    (
        "R10",
        "a cancellation that is no modification",
        (polled(0, quiet()), polled(1, status(quiet(), EventStatus.CANCELLED))),
        "[1].answer.events[0].event_descriptor.modification_number: still the number 0; to cancel the event makes it 1",
    ),
    (
        "R13",
        "a status that goes back",
        (polled(0, status(ramped(), NEAR)), polled(1, ramped())),
        "[1].answer.events[0].event_descriptor.event_status: far after near; the status does not go back",
    ),
    (
        "R13",
        "a status that goes back from active to near",
        (pushed(60, status(quiet(), ACTIVE)), pushed(61, status(quiet(), NEAR))),
        "[1].request.events[0].event_descriptor.event_status: near after active; the status does not go back",
    ),
    (
        "R42",
        "an answer with the requestID of another list",
        (polled(0, request_id="list-1"), polled(0.1, event(), request_id="list-2"), answered(0.2, event())),
        "[2].request.event_responses[0].request_id: the requestID 'list-1'; it is that of a list with the event",
    ),
    (
        "R42",
        "an answer with an empty requestID after a new registration",
        (registered(0), offered(0.1), requested(0.2, event()), answered(0.3, event(), request_id="")),
        "[3].request.event_responses[0].request_id: the requestID ''; it is that of a list with the event",
    ),
    (
        "R12",
        "an answer to an event that wants none",
        (polled(0), polled(1, quiet()), answered(2, quiet())),
        "[2].request.event_responses[0]: an answer to 'event-1'; the event wants none",
    ),
    (
        "R12",
        "an answer to the cancellation of an event that wants none",
        (polled(0), polled(1, quiet()), polled(2, status(quiet(1), EventStatus.CANCELLED)), answered(3, quiet(1))),
        "[3].request.event_responses[0]: an answer to 'event-1'; the event wants none",
    ),
    (
        "R62",
        "silence",
        (polled(0, event()), asks(3, POLL, NOTHING)),
        "[0].answer.events[0]: no answer to 'event-1' (modification 0); the event wants one",
    ),
    (
        "R62",
        "silence about one of two events",
        (polled(0, event(), event(event_id="event-2")), answered(1, event()), asks(3, POLL, NOTHING)),
        "[0].answer.events[1]: no answer to 'event-2' (modification 0); the event wants one",
    ),
    (
        "R62",
        "silence about a modification",
        (polled(0, event()), answered(1, event()), polled(2, event(1)), asks(5, POLL, NOTHING)),
        "[2].answer.events[0]: no answer to 'event-1' (modification 1); the event wants one",
    ),
    (
        "R62",
        "silence about a list that was pushed and acknowledged",
        (asks(0, POLL, NOTHING), pushed(1, event()), asks(4, POLL, NOTHING)),
        "[1].request.events[0]: no answer to 'event-1' (modification 0); the event wants one",
    ),
    (
        "R50",
        "an event that vanishes",
        (polled(0, quiet(), quiet(event_id="event-2")), polled(1, quiet(event_id="event-2"))),
        "[1].answer.events: no event 'event-1'; it is neither over nor cancelled",
    ),
    (
        "R50",
        "a running event that vanishes",
        (pushed(61, status(quiet(), ACTIVE)), pushed(120)),
        "[1].request.events: no event 'event-1'; it is neither over nor cancelled",
    ),
    (
        "R50",
        "an event without end that vanishes",
        (polled(0, ENDLESS), polled(9999)),
        "[1].answer.events: no event 'event-1'; it is neither over nor cancelled",
    ),
    (
        "R66",
        "an event that vanishes while a VEN may still be carrying it out",
        (
            polled(179, status(quiet(active_period__tolerance=WINDOW), ACTIVE)),
            polled(181, status(quiet(active_period__tolerance=WINDOW), COMPLETED)),
            polled(182),
        ),
        "[2].answer.events: no event 'event-1'; the window of its random start is still open",
    ),
    (
        "R20",
        "a modification that changes what was asked for before",
        (polled(61, RUNNING), polled(130, said_to_be(RUNNING_AGAIN, 3.0, 0))),
        (
            "[1].answer.events[0].event_descriptor: the signal 'simple' is said to have been 3.0 at 12:00:00; "
            "it was 1.0, and the past is not changed"
        ),
    ),
    (
        "R115",
        "a modification in a list that is older than the one before",
        (polled(2, quiet()), pushes(3, listing(1, quiet(1, event_descriptor__vtn_comment="new")))),
        (
            "[1].request.events[0].event_descriptor.created_date_time: the createdDateTime 2026-11-20T11:01:00Z; "
            "an earlier modification has 2026-11-20T11:02:00Z"
        ),
    ),
    (
        "R21",
        "a list of another VTN",
        (*START, strangely(1, "vtn-2")),
        "[3].answer.vtn_id: the vtnID 'vtn-2'; the VEN is registered with 'vtn-1'",
    ),
    (
        "R512",
        "a VTN that writes its name in capital letters",
        (*START, strangely(1, "VTN-1")),
        "[3].answer.vtn_id: the vtnID 'VTN-1'; it is written 'vtn-1'",
    ),
    (
        "R36",
        "an answer to an event of which it is known that it is cancelled",
        (
            *KNOWN_AND_CANCELLED,
            answered(1.5, cancelled()),
            polled(2, event(event_id="event-2")),
            answered(2.5, cancelled(), event(event_id="event-2")),
        ),
        ("[5].request.event_responses[0]: an answer to 'event-1' again; it was cancelled, and that is acknowledged"),
    ),
    (
        "R50",
        "a cancelled event that is listed for ever",
        (*KNOWN_AND_CANCELLED, answered(1.5, cancelled()), polled(2, cancelled()), polled(4, cancelled())),
        "[5].answer.events[0]: the event 'event-1' again; the VEN has acknowledged that it is cancelled",
    ),
    (
        "R52",
        "a cancelled event that vanishes before that is acknowledged",
        (*KNOWN_AND_CANCELLED, polled(1.5)),
        "[3].answer.events: no event 'event-1'; nobody has acknowledged that it is cancelled",
    ),
    (
        "R64",
        "a VEN of 2.0a that polls before it has answered all",
        (
            asked_in_20a(0, "event-1", "event-2"),
            answered(0.5, event(event_id="event-2")),
            asked_in_20a(1, "event-1", "event-2"),
        ),
        "[2].request: a poll before 'event-1' is answered; its answer comes first",
    ),
    (
        "R56",
        "a new event that is out of sequence",
        (polled(0), polled(1, event(3)), refused(1.5, event(3), 450)),
        (
            "[2].request.event_responses[0].response_code: 450 for the new event 'event-1'; "
            "any number is right in a new event"
        ),
    ),
    (
        "R57",
        "a modification that is out of sequence",
        (polled(0), polled(1, event()), answered(1.1, event()), polled(2, event(1)), refused(2.5, event(1), 450)),
        (
            "[4].request.event_responses[0].response_code: 450 for the modification 1 of 'event-1'; "
            "a number that rises is in sequence"
        ),
    ),
    (
        "R60",
        "a cancelled event that is not known",
        (polled(0), polled(1, cancelled()), refused(1.5, cancelled(), 452)),
        "[2].request.event_responses[0].response_code: 452 for a cancelled event; it is gone either way",
    ),
    # reports
    (
        "R304",
        "data that nobody has asked for",
        (offered(0), updates(1)),
        "[1].request.reports[0].report_request_id: '17'; nobody has asked for it within this trace",
    ),
    (
        "R304",
        "data of a request that was made before the metadata",
        (asked_for(0), registered(1), offered(2), requested(3), updates(4)),
        "[4].request.reports[0].report_request_id: '17'; nobody has asked for it within this trace",
    ),
    (
        "R304",
        "data of another request",
        (piggy_backed(0, "18"), updates(1)),
        "[1].request.reports[0].report_request_id: '17'; nobody has asked for it within this trace",
    ),
    *REPORT_BREACHES,
)
"""A rule, a name, a trace that breaks it and no other, and what is said of it."""


@pytest.mark.parametrize(
    ("number", "trace", "said"),
    [
        pytest.param(number, trace, said, id=f"{number} {name}", marks=rule_marks(number))
        for number, name, trace, said in BREACHES
    ],
)
def test_a_trace_that_breaks_a_rule_is_told_where_and_what_would_be_right(number: str, trace: Trace, said: str) -> None:
    assert judged(*trace) == [f"{said} ({number})"]


FALLEN: Final = (
    "R58",
    "a number that falls, and is taken",
    (
        polled(0, event(1), request_id="list-1"),
        answered(0.5, event(1), request_id="list-1"),
        polled(1, event(), request_id="list-2"),
        answered(1.5, event(), request_id="list-2"),
    ),
    (
        "[2].answer.events[0].event_descriptor.modification_number: the number 0 after 1; it never falls (R5)",
        "[3].request.event_responses[0].response_code: 200 for the modification 0; it is 450, as 1 is known (R58)",
    ),
)
"""What a VEN can do wrong only when its VTN has broken a rule before."""


@pytest.mark.rule(58)
def test_a_ven_that_takes_a_number_that_falls_is_told_so_beside_its_vtn() -> None:
    _, _, trace, said = FALLEN
    assert sorted(judged(*trace)) == sorted(said)


@pytest.mark.rule(58)
def test_a_ven_that_refuses_a_number_that_falls_is_right() -> None:
    trace = (*FALLEN[2][:3], refused(1.5, event(), 450, request_id="list-2"))
    assert {one.rule for one in check_trace(trace).findings} == {"R5"}


# --- traces in which all is well -------------------------------------------------------------------------------------

BOTH: Final = (quiet(), quiet(event_id="event-2"))
REFUSAL: Final = EiResponse(response_code=463)
QUERY: Final = QueryRegistration(request_id="1")
CANCELLED: Final = status(quiet(1), EventStatus.CANCELLED)
REQUEST_EVENT: Final = RequestEvent(request_id="1", ven_id="ven-1")

KEEPING: Final[Mapping[str, Trace]] = {
    "nothing": (),
    # registration
    "the usual start": (*START, asks(1, POLL, NOTHING), asks(2, CREATE_OPT, CREATED_OPT)),
    "a start within the same instant": (
        registered(0),
        offered(0),
        requested(0),
        asks(0, CREATE_OPT, CREATED_OPT),
        asks(1, POLL, NOTHING),
        asks(1, CREATE_OPT, CREATED_OPT),
    ),
    "events before metadata": (registered(0), requested(1), offered(2), asks(3, POLL, NOTHING)),
    "polls for the metadata of the VTN": (
        registered(0),
        asks(1, POLL, NOTHING),
        asks(2, POLL, OFFERS_OF_VTN),
        asks(3, OK, NOTHING),
        asks(4, POLL, NOTHING),
        offered(5),
        requested(6),
        asks(7, POLL, NOTHING),
    ),
    "polls that go on until there is nothing left": (
        registered(0),
        asks(1, POLL, OFFERS_OF_VTN),
        asks(2, OK, NOTHING),
        asks(3, POLL, REQUEST_METADATA),
        asks(4, but(CREATED, pending_reports=()), NOTHING),
        asks(5, POLL, NOTHING),
        offered(6),
        requested(7),
    ),
    "polls to a VTN that never tells its metadata": (registered(0), *(asks(n, POLL, NOTHING) for n in range(1, 9))),
    "a VEN that asks for metadata at once": (
        registered(0),
        asks(1, REQUEST_METADATA, but(CREATED, ven_id=None)),
        offered(2),
        requested(3),
    ),
    "a VEN that has reports alone": (registered(0, report_only=True), piggy_backed(1), updates(2)),
    "a registration that is refused": (
        asks(0, PULL, but(REGISTERED, response=but(REFUSAL, request_id="1"))),
        asks(1, POLL, NOTHING),
        updates(2),
    ),
    "a registration whose answer is lost": (asks(0, PULL, LOST), *START, asks(1, POLL, NOTHING)),
    "offers that are lost at first": (
        registered(0),
        offered(1, LOST),
        offered(2),
        requested(3),
        asks(4, POLL, NOTHING),
    ),
    "a re-registration, after which nothing is needed": (
        asked_for(0),
        asks(1, REREGISTERED, but(REGISTERED, response=ECHO)),
        updates(2),
        asks(3, POLL, NOTHING),
    ),
    "a VEN that stopped while it registered, and began again with its registration": (
        registered(0),
        asked_for(1),
        asks(2, REREGISTERED, but(REGISTERED, response=ECHO)),
        updates(3),
    ),
    "a re-registration on request": (
        asked_for(0),
        asks(1, POLL, RequestReregistration(ven_id="ven-1")),
        asks(2, Response(response=EiResponse(), ven_id="ven-1"), EMPTY),
        asks(3, REREGISTERED, but(REGISTERED, response=ECHO)),
        updates(4),
    ),
    "data that were under way when the VEN registered anew": (registered(1), updates(0.5), offered(2), requested(3)),
    "a VEN that registers while another goes on": (
        registered(0),
        *of_ven("ven-2", [asked_for(1), updates(2), asks(3, POLL, NOTHING), asks(4, CREATE_OPT, CREATED_OPT)]),
        offered(5),
        requested(6),
    ),
    "a registration that ends, and another": (
        *START,
        asks(1, CANCEL, CANCELED),
        registered(2),
        offered(3),
        requested(4),
        asks(5, POLL, CANCEL),
        asks(6, CANCELED, NOTHING),
    ),
    "a cancellation of another registration, which is refused": (
        *START,
        asks(1, FOREIGN, but(CANCELED, response__response_code=452)),
        asks(9, POLL, NOTHING),
    ),
    "a cancellation of a registration that is not in the trace": (asks(1, FOREIGN, CANCELED),),
    "a VEN that is refused, as its registration is cancelled": (
        *START,
        asks(1, CANCEL, CANCELED),
        asks(9, POLL, but(NOTHING, response=REFUSAL)),
        asks(10, POLL, RequestReregistration(ven_id="ven-1")),
        asks(11, QUERY, but(GRANTED, registration_id=None, ven_id=None)),
        asks(12, CANCEL, CANCELED),
    ),
    "a VEN that goes on until it has heard that its registration is cancelled": (
        *START,
        pushes(1, CANCEL, CANCELED),
        asks(2, POLL, NOTHING),
    ),
    "a VEN whose cancellation is refused, or lost": (
        *START,
        asks(1, CANCEL, but(CANCELED, response__response_code=452)),
        asks(9, POLL, NOTHING),
        asks(10, CANCEL, LOST),
        asks(19, POLL, NOTHING),
    ),
    "a VEN that does not hear of its cancellation": (*START, asks(1, POLL, CANCEL), asks(9, POLL, NOTHING)),
    # polling
    "a push that was under way when the VEN registered as one that polls": (*START, pushed(1, quiet())),
    "a VEN that changes from polls to push, and back": (
        *START,
        asks(5, REREGISTERED, GRANTED),
        asks(6, TO_PUSH, but(GRANTED, requested_oadr_poll_freq=None)),
        asks(6.5, POLL, NOTHING),
        pushed(9, quiet()),
        asks(10, REREGISTERED, GRANTED),
        pushed(10.5, quiet()),
        asks(20, POLL, NOTHING),
    ),
    "a VEN that changes from polls to push, of which the answer is lost": (
        *START,
        asks(5, TO_PUSH, LOST),
        pushed(9, quiet()),
        asks(10, POLL, NOTHING),
    ),
    "polls that an application has asked for": (*START, *polls(5, seconds=1), asks(3, POLL, NOTHING)),
    "polls at the time that the VTN asks for, and a little before": (*START, *polls(20, seconds=9)),
    "polls that go on while there is something": (
        *START,
        *(asks(1 + number / 60, POLL, REQUEST_METADATA) for number in range(9)),
    ),
    "polls after polls that are lost": (*START, *(asks(1 + number / 60, POLL, LOST) for number in range(9))),
    # lists
    "a list that comes again": (polled(0, quiet()), polled(1, quiet()), pushed(2, quiet())),
    "an event that comes nearer": (
        polled(0, ramped()),
        polled(50, status(ramped(), NEAR)),
        polled(61, but(status(ramped(), ACTIVE), event_signals__current_value=1.0)),
        polled(181, status(ramped(), ACTIVE)),
    ),
    "an event that begins without being near": (polled(0, quiet()), polled(61, status(quiet(), ACTIVE))),
    "modifications, of which the trace lacks one": (
        polled(0, quiet()),
        polled(1, quiet(2, event_descriptor__vtn_comment="new")),
    ),
    "an event that is put off": (
        polled(61, status(quiet(), ACTIVE)),
        polled(62, quiet(1, active_period__dtstart=when(120))),
    ),
    "an event that changes while it runs": (
        polled(61, RUNNING),
        polled(90, said_to_be(RUNNING_AGAIN, 3.0, 0)),
        polled(130, said_to_be(said_to_be(status(quiet(2), ACTIVE), 3.0, 0), 3.0, 1)),
    ),
    "modifications of the same second": (pushes(1, listing(1, quiet())), pushes(1, listing(1, quiet(1)))),
    "a VTN that is not registered within the trace": (strangely(0, "vtn-2"), strangely(1, "VTN-2")),
    "a VTN that has changed its name": (
        *START,
        asks(1, REREGISTERED, but(GRANTED, vtn_id="vtn-2")),
        strangely(2, "vtn-2"),
    ),
    "targets in another order": (
        polled(0, quiet()),
        polled(1, quiet(target=Target(ven_id=("ven-1",), resource_id=("pump-2", "pump-1")))),
    ),
    "signals in another order": (
        polled(0, quiet()),
        polled(1, but(quiet(), event_signals=tuple(reversed(quiet().event_signals)))),
    ),
    "a wish for answers that changes": (
        polled(0, quiet()),
        polled(1, event()),
        answered(1.5, event()),
        polled(2, quiet()),
    ),
    "a cancellation": (polled(0, quiet()), polled(1, CANCELLED), polled(2)),
    "an event that is not known before it is cancelled": (polled(0, CANCELLED), polled(1)),
    "a list that overtakes an older one": (pushed(1, quiet(1)), polled(0, quiet())),
    "a status that overtakes an older one": (pushed(61, status(quiet(), ACTIVE)), polled(59, quiet())),
    "lists of the same second, the older one last": (
        pushed(1, quiet(1)),
        pushed(1, quiet()),
        pushed(60, status(quiet(2), ACTIVE)),
        pushed(60, quiet(2)),
    ),
    "a buffered list that is sent again": (
        pushed(0, quiet()),
        pushed(1, quiet(1)),
        pushes(2, listing(0, quiet())),
        pushed(3, quiet(1)),
    ),
    "events that begin anew with a registration": (
        *START,
        polled(1, status(ramped(3), NEAR)),
        registered(2),
        offered(3),
        requested(4, quiet()),
    ),
    "the same event with two VENs": (
        polled(0, status(ramped(2), NEAR)),
        *of_ven("ven-2", [polled(1, quiet()), polled(2, quiet(1))]),
        polled(3, status(ramped(2), NEAR)),
    ),
    # answers
    "an answer to a list from before the trace": (answered(0, event()), polled(1, event(), request_id="list-2")),
    "an answer with the requestID of a list from before the trace": (
        polled(0, event(), request_id="list-2"),
        answered(1, event(), request_id="list-1"),
    ),
    "an answer with the requestID of the earlier of two lists": (
        polled(0),
        polled(1, event(), request_id="list-1"),
        polled(2, event(), request_id="list-2"),
        answered(3, event(), request_id="list-1"),
    ),
    "another opinion, with the requestID of old": (
        polled(0),
        polled(1, event(), request_id="list-1"),
        answered(2, event(), request_id="list-1"),
        polled(3, event(), request_id="list-2"),
        answered(30, event(), request_id="list-1"),
    ),
    "answers to events that are not known": (answered(0, event()), asks(1, POLL, NOTHING)),
    "an answer to an event that wanted one before the trace": (polled(0, quiet()), answered(1, quiet())),
    "an answer to an event that has wanted one at least once": (
        polled(0),
        polled(1, quiet()),
        polled(2, event()),
        answered(3, event()),
        polled(4, quiet()),
    ),
    "an answer to the modification before": (polled(0), polled(1, event()), polled(2, quiet(1)), answered(3, event())),
    "an answer that comes late": (polled(0, event()), asks(30, POLL, NOTHING), answered(59, event())),
    "an answer that is lost on its way": (
        polled(0, event()),
        answered(1, event(), answer=LOST),
        asks(9, POLL, NOTHING),
    ),
    "answers in several messages": (
        polled(0, event(), event(event_id="event-2")),
        answered(1, event(event_id="event-2")),
        answered(2, event()),
        asks(9, POLL, NOTHING),
    ),
    "a VEN of 2.0a that answers all before it polls": (
        asked_in_20a(0, "event-1", "event-2"),
        answered(0.5, event(), event(event_id="event-2")),
        asked_in_20a(1, "event-1", "event-2"),
        answered(1.5, event(event_id="event-2"), answer=LOST),
        answered(1.6, event()),
        asked_in_20a(2),
        asked_in_20a(3),
    ),
    "a VEN of 2.0a that refuses all": (
        asked_in_20a(0, "event-1"),
        asks(0.5, CreatedEvent(response=EiResponse(response_code=452), ven_id="ven-1"), NOTHING),
        asked_in_20a(1, "event-1"),
    ),
    "an answer to the latest modification alone": (
        polled(0, event()),
        polled(0.5, event(1)),
        polled(1, cancelled(2)),
        answered(2, event(2)),
        asks(9, POLL, NOTHING),
    ),
    "no answer, as the wish for one has gone": (polled(0, event()), polled(1, quiet(1)), asks(9, POLL, NOTHING)),
    "no answer yet": (polled(0, event()), asks(1.9, POLL, NOTHING)),
    "a list that is refused as a whole": (
        polled(0, event()),
        asks(1, CreatedEvent(response=EiResponse(response_code=452), ven_id="ven-1"), NOTHING),
        asks(9, POLL, NOTHING),
    ),
    "a VEN that is away": tuple(pushed(n, event(), answer=LOST) for n in (0, 5, 10)),
    "a VEN that comes back and answers": (
        pushed(0, event(), answer=LOST),
        pushed(5, event(), answer=LOST),
        pushed(60, event()),
        answered(61, event()),
    ),
    "a VEN that ends its registration before it answers": (polled(0, event()), asks(1, CANCEL, CANCELED)),
    "a VEN that registers anew before it answers": (
        polled(0, event()),
        registered(1),
        offered(2),
        requested(3),
        asks(9, POLL, NOTHING),
    ),
    "the answers of another VEN": (
        polled(0),
        *of_ven("ven-2", [polled(1), polled(2, event()), answered(3, event())]),
        polled(4, quiet()),
    ),
    "an answer to a cancellation that comes again, as its answer was lost": (
        *KNOWN_AND_CANCELLED,
        answered(1.5, cancelled(), answer=LOST),
        answered(1.6, cancelled()),
        answered(1.7, cancelled()),
    ),
    "an answer to a cancellation that is listed again": (
        *KNOWN_AND_CANCELLED,
        answered(1.5, cancelled()),
        polled(2, cancelled(), event(event_id="event-2"), request_id="list-2"),
        answered(2.5, cancelled(), event(event_id="event-2"), request_id="list-2"),
    ),
    "a modification that is answered after a later one": (
        polled(0),
        polled(1, event()),
        polled(2, event(1)),
        answered(2.5, event(1)),
        refused(3, event(), 450),
    ),
    "a number out of sequence, of which the trace does not know": (polled(1, event(3)), refused(1.5, event(3), 450)),
    "an event that a VEN does not know any more": (polled(0), polled(1, event()), refused(1.5, event(), 452)),
    "a cancelled event that is about another target": (
        polled(0),
        polled(1, cancelled()),
        refused(1.5, cancelled(), 462),
    ),
    # complete lists
    "a cancelled event that is listed until the VTN knows that it is acknowledged": (
        *KNOWN_AND_CANCELLED,
        polled(1.4, cancelled()),
        answered(1.5, cancelled()),
        pushed(2, cancelled()),
        pushes(9, listing(1, cancelled())),
    ),
    "a cancelled event whose acknowledgement is refused": (
        *KNOWN_AND_CANCELLED,
        answered(1.5, cancelled(), answer=but(NOTHING, response__response_code=450)),
        polled(9, cancelled()),
        refused(10, cancelled(), 500),
        polled(20, cancelled()),
    ),
    "an acknowledgement that is lost on its way": (
        *KNOWN_AND_CANCELLED,
        answered(1.5, cancelled(), answer=LOST),
        polled(2),
    ),
    "a cancelled event that is over": (polled(170, cancelled(1)), answered(171, cancelled(1)), polled(180)),
    "a cancelled event that is over, and was never acknowledged": (polled(178, cancelled(1)), polled(179)),
    "an event that ends": (polled(0, quiet()), polled(181)),
    "an event that ends within the time that clocks are apart": (polled(0, quiet()), polled(178.5)),
    "an event that ends between lists": (polled(0, *BOTH), asks(100, POLL, NOTHING), polled(200)),
    "a completed event": (polled(181, status(quiet(active_period__tolerance=WINDOW), COMPLETED)), polled(240)),
    "an event whose window is over": (polled(0, quiet(active_period__tolerance=WINDOW)), polled(241)),
    "a cancellation that was acknowledged": (
        polled(0, event()),
        answered(0.5, event()),
        polled(1, cancelled()),
        answered(2, cancelled()),
        polled(3),
    ),
    "a list that a replyLimit has cut": (
        requested(0, *BOTH),
        requested(1, quiet(event_id="event-2"), limit=1),
        requested(2, limit=0),
        requested(3, *BOTH),
    ),
    "events that a cut list lacked, which come after all": (requested(0, quiet(), limit=1), requested(1, *BOTH)),
    "a list that is refused": (requested(0, *BOTH), asks(1, POLL, listing(1, answers=REFUSAL)), requested(2, *BOTH)),
    "a list that is refused in a plain response": (
        polled(0, *BOTH),
        asks(1, REQUEST_EVENT, Response(response=but(REFUSAL, request_id="1"))),
        polled(2, *BOTH),
    ),
    "a list that was lost, in which the event was cancelled": (polled(0, *BOTH), asks(1, POLL, LOST), polled(2)),
    "a list that an older one overtakes": (polled(0), pushed(2, *BOTH), polled(1), polled(3, *BOTH)),
    "events that end with the registration": (
        polled(0, *BOTH),
        pushes(1, CANCEL, CANCELED),
        registered(2),
        requested(3),
    ),
    "the lists of two VENs": (polled(0, *BOTH), *of_ven("ven-2", [polled(1)]), polled(2, *BOTH)),
    "an empty list from the beginning": (polled(0), polled(1), polled(2, quiet())),
    # opts
    "an opt for all of an event, and for a part": (
        polled(0, event(target=PUMP)),
        answered(1, event()),
        asks(2, FOR_EVENT, CREATED_OPT),
        asks(3, but(FOR_EVENT, target=Target(resource_id=("pump",), ven_id=("ven-1",))), CREATED_OPT),
    ),
    "a part of an event that is about everything": (
        polled(0, event(target=Target(ven_id=("ven-1",)))),
        answered(1, event()),
        asks(2, but(FOR_EVENT, target=FAN), CREATED_OPT),
    ),
    "an opt that is refused": (
        polled(0, event(target=PUMP)),
        answered(1, event()),
        asks(2, but(FOR_EVENT, target=FAN), but(CREATED_OPT, response__response_code=462)),
        asks(3, CANCEL_OPT, but(CANCELED_OPT, response__response_code=452)),
    ),
    "a superseded schedule that is cancelled": (
        asks(0, CREATE_OPT, CREATED_OPT),
        asks(1, but(CREATE_OPT, opt_id="opt-2"), but(CREATED_OPT, opt_id="opt-2")),
        asks(2, CANCEL_OPT, CANCELED_OPT),
    ),
    "a schedule that is cancelled twice, as an answer was lost": (
        asks(0, CREATE_OPT, CREATED_OPT),
        asks(1, but(CREATE_OPT, opt_id="opt-2"), but(CREATED_OPT, opt_id="opt-2")),
        asks(2, CANCEL_OPT, LOST),
        asks(3, CANCEL_OPT, but(CANCELED_OPT, response__response_code=452)),
    ),
    "a schedule that is over when it is cancelled": (
        asks(0, CREATE_OPT, CREATED_OPT),
        asks(1, but(CREATE_OPT, opt_id="opt-2"), but(CREATED_OPT, opt_id="opt-2")),
        asks(600, CANCEL_OPT, but(CANCELED_OPT, response__response_code=452)),
    ),
    # reports
    "data for a request in the answer to the offers": (piggy_backed(0), updates(1)),
    "data for a request that was pushed": (offered(0), asked_for(1), updates(2)),
    "data for a request that a poll brought": (
        offered(0),
        asks(1, POLL, REQUEST_REPORT),
        asks(2, CREATED, NOTHING),
        updates(3),
    ),
    "data of which the request is not in the trace": (updates(0), asked_for(1, "18"), updates(2, "18"), updates(3)),
    "data of which the request is pending": (
        offered(0),
        asks(1, but(CREATED, pending_reports=("17", "18")), NOTHING),
        updates(2, "18"),
    ),
    "data after offers that were lost": (updates(0), offered(1, LOST), updates(2)),
    "data that were under way when the offers were made": (offered(1), updates(0.5), piggy_backed(2), updates(3)),
    "data that are there before the answer to the request": (offered(0), updates(2), asked_for(1)),
    "data of the VTN": (
        pushes(0, OFFERS, but(OK, report_requests=(REQUEST,))),
        pushes(1, ONE, but(UPDATED, ven_id="ven-1")),
    ),
    "a request for more than was offered, which is refused": (
        offered(0),
        wanted(1, answer=but(CREATED, response=TOO_MUCH, pending_reports=()), report_back_duration=2 * HOUR),
    ),
    "a request that is repeated, and was accepted by offers that count while the others are not confirmed": (
        asks(0, but(OFFERS, reports__duration=2 * HOUR), OK),
        wanted(1, report_back_duration=2 * HOUR),
        offered(2, LOST),
        wanted(3, report_back_duration=2 * HOUR),
        asks(4, but(OFFERS, request_id="2"), but(OK, response__request_id="2")),
        wanted(5, "18"),
    ),
    "a request that is for nothing that was offered": (offered(0), wanted(1, report_specifier_id="other")),
    "a request that is cancelled": (
        offered(0),
        wanted(1),
        pushes(2, CANCEL_REPORT, CANCELED_REPORT),
        wanted(3),
    ),
    "a request that is made anew, and cancelled again": (
        offered(0),
        wanted(1),
        pushes(2, CANCEL_REPORT, CANCELED_REPORT),
        wanted(3),
        pushes(4, *answering("2", CANCEL_REPORT, CANCELED_REPORT)),
    ),
    "a request that is cancelled twice, as an answer was lost": (
        offered(0),
        wanted(1),
        pushes(2, CANCEL_REPORT, LOST),
        pushes(3, CANCEL_REPORT, CANCELED_REPORT),
        pushes(4, CANCEL_REPORT, CANCELED_REPORT),
    ),
    "a request that is cancelled a second time, and that is refused": (
        offered(0),
        wanted(1),
        pushes(2, CANCEL_REPORT, CANCELED_REPORT),
        pushes(3, *answering("2", CANCEL_REPORT, but(CANCELED_REPORT, response__response_code=452))),
    ),
    "a request that is cancelled with a report to follow, by way of a poll": (
        offered(0),
        wanted(1),
        asks(2, POLL, but(CANCEL_REPORT, report_to_follow=True)),
        asks(2, but(CANCELED_REPORT, pending_reports=("17",)), NOTHING),
    ),
    "a cancellation that fails, and is refused": (
        offered(0),
        wanted(1),
        pushes(2, CANCEL_REPORT, but(CANCELED_REPORT, response__response_code=452, pending_reports=("17",))),
    ),
    "a message that holds no data": (offered(0), asks(1, but(ONE, reports=()), UPDATED)),
}
"""Traces that break no rule, though many look as if they did."""


@pytest.mark.parametrize("name", KEEPING)
def test_a_trace_in_which_all_is_well_is_clean(name: str) -> None:
    assert judged(*KEEPING[name]) == []


@pytest.mark.parametrize("name", KEEPING)
def test_a_trace_in_which_all_is_well_may_begin_anywhere(name: str) -> None:
    for begin in range(len(KEEPING[name])):
        assert judged(*KEEPING[name][begin:]) == []


@pytest.mark.parametrize("name", KEEPING)
def test_a_trace_that_lacks_something_accuses_nobody(name: str) -> None:
    trace = KEEPING[name]
    for begin in range(len(trace)):
        for end in range(begin + 1, len(trace) + 1):
            found = check_trace(trace[begin:end]).findings
            assert [one for one in found if one.severity is Severity.ERROR] == []


@pytest.mark.parametrize("name", KEEPING)
def test_what_cannot_be_read_accuses_nobody_of_anything_else(name: str) -> None:
    for index in range(len(KEEPING[name])):
        for hidden in ("request", "answer"):
            trace = list(KEEPING[name])
            trace[index] = msgspec.structs.replace(trace[index], **{hidden: "<no/>"})
            assert {one.rule for one in check_trace(trace).findings if one.severity is Severity.ERROR} == {"schema"}


@pytest.mark.parametrize("number", range(len(BREACHES)), ids=lambda number: BREACHES[number][1])
def test_a_breach_is_found_beside_a_vtn_that_has_other_vens(number: int) -> None:
    rule, _, trace, _ = BREACHES[number]
    others = of_ven("ven-2", KEEPING["the usual start"])
    alike = [one.rule for one in check_trace([*others, *trace, *others]).findings]
    assert alike == [rule]


# --- all rules -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "declared",
    [one for one in rules() if one.about is Dialogue],
    ids=lambda one: f"{one.number} {one.title}",
)
def test_every_rule_about_dialogues_is_broken_and_kept(declared: Rule) -> None:
    found = {number for number, _, trace, _ in (*BREACHES, FALLEN) if breaks(trace, declared)}
    assert declared.number in found
    assert found <= {declared.number, FALLEN[0]}
    assert not any(breaks(trace, declared) for trace in KEEPING.values())


def breaks(trace: Trace, declared: Rule) -> bool:
    return any(list(declared.check(one)) for one in dialogues(check_trace(trace).exchanges))


def test_what_the_profile_leaves_room_for_is_a_warning() -> None:
    warnings = {one.number for one in rules() if one.about is Dialogue and one.severity is Severity.WARNING}
    assert warnings == {
        *("R20", "R21", "R36", "R42", "R50", "R52", "R56", "R57", "R58", "R62", "R66", "R115"),
        *("R304", "R317", "R329", "R336", "R346", "R400", "R407", "R500", "R512"),
    }
