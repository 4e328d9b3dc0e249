"""What shows when a request and its answer are seen beside each other."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

import pytest

from oadr_core.messages import (
    CanceledOpt,
    CanceledPartyRegistration,
    CanceledReport,
    CancelPartyRegistration,
    CancelReport,
    CreatedOpt,
    CreatedReport,
    CreateReport,
    EiResponse,
    Payload,
    QueryRegistration,
    RequestEvent,
    RequestReregistration,
    Response,
    Target,
    UpdatedReport,
)
from oadr_core.rules import RecordedExchange, Rule, Severity, check_trace, rules
from oadr_core.rules.trace import Exchange
from tests.dialogue.traces import EMPTY, LOST, NOTHING, OK, POLL, asks, judged, pushes, rule_marks
from tests.rules.samples import (
    ANSWER,
    CANCEL_OPT,
    DATA,
    EVENT,
    EVENTS,
    HOUR,
    NOON,
    OFFERS,
    PULL,
    PUSH,
    REGISTERED,
    REQUEST,
    SCHEDULE,
    but,
)

REQUEST_EVENT: Final = RequestEvent(request_id="1", ven_id="ven-1")
CREATE_REPORT: Final = CreateReport(request_id="1", report_requests=(REQUEST,), ven_id="ven-1")
CANCEL_REPORT: Final = CancelReport(request_id="1", report_request_id=("17",), report_to_follow=False, ven_id="ven-1")
CANCEL: Final = CancelPartyRegistration(request_id="1", registration_id="registration-1", ven_id="ven-1")
QUERY: Final = QueryRegistration(request_id="1")
OPT: Final = but(SCHEDULE, request_id="1")


def answers(echo: str) -> Mapping[str, tuple[Payload, Payload]]:
    """A request of every kind that has a requestID, and an answer that repeats something."""
    response = EiResponse(request_id=echo)
    return {
        "R303 offer": (OFFERS, but(OK, response=response)),
        "R303 request": (CREATE_REPORT, CreatedReport(response=response, pending_reports=("17",), ven_id="ven-1")),
        "R303 data": (DATA, UpdatedReport(response=response)),
        "R303 cancelled report": (CANCEL_REPORT, CanceledReport(response=response)),
        "R207 opt": (OPT, CreatedOpt(response=response, opt_id="opt-1")),
        "R207 cancelled opt": (CANCEL_OPT, CanceledOpt(response=response, opt_id="opt-1")),
        "D2 query": (QUERY, but(REGISTERED, response=response)),
        "D2 registration": (PULL, but(REGISTERED, response=response)),
        "D2 cancelled registration": (CANCEL, CanceledPartyRegistration(response=response)),
        "D2 list": (REQUEST_EVENT, but(EVENTS, response=response)),
        "R303 error in a plain response": (DATA, Response(response=but(response, response_code=452))),
    }


ECHO: Final = EiResponse(request_id="1")
CREATED: Final = but(REGISTERED, response__request_id="1")
LIST: Final = but(EVENTS, response=ECHO)
AGAIN: Final = but(PULL, registration_id="registration-1", ven_id="ven-1")
BEGUN: Final = but(EVENT, event_descriptor__created_date_time=NOON + timedelta(seconds=2))
"""An event that is said to be far, in a list that was made after its beginning."""

BREACHES: Final[tuple[tuple[str, RecordedExchange, str], ...]] = (
    ("R401", pushes(0, QUERY, CREATED), "[0].request: a VTN sends oadrQueryRegistration; only VENs send it"),
    ("R401", pushes(0, PULL, CREATED), "[0].request: a VTN sends oadrCreatePartyRegistration; only VENs send it"),
    (
        "R401",
        asks(0, RequestReregistration(ven_id="ven-1"), NOTHING),
        "[0].request: a VEN sends oadrRequestReregistration; only VTNs send it",
    ),
    ("R23", pushes(0, REQUEST_EVENT, LIST), "[0].request: a VTN sends oadrRequestEvent; only VENs send it"),
    ("R500", pushes(0, POLL, but(NOTHING, ven_id="ven-1")), "[0].request: a VTN polls; only VENs poll"),
    (
        "R507",
        asks(0, POLL, NOTHING, transport="xmpp"),
        "[0].request: a poll over XMPP; XMPP is push, and has no polls",
    ),
    ("R51", pushes(0, ANSWER, EMPTY), "[0].request: a VTN sends oadrCreatedEvent; only VENs send it"),
    ("R51", pushes(0, OPT, EMPTY), "[0].request: a VTN sends oadrCreateOpt; only VENs send it"),
    ("R51", pushes(0, CANCEL_OPT, EMPTY), "[0].request: a VTN sends oadrCancelOpt; only VENs send it"),
    ("R51", asks(0, EVENTS, EMPTY), "[0].request: a VEN sends oadrDistributeEvent; only VTNs send it"),
    (
        "R51",
        asks(0, CreatedOpt(response=EiResponse(), opt_id="1"), EMPTY),
        "[0].request: a VEN sends oadrCreatedOpt; only VTNs send it",
    ),
    (
        "R403",
        asks(0, PULL, but(CREATED, requested_oadr_poll_freq=None)),
        "[0].answer.requested_oadr_poll_freq: no oadrRequestedOadrPollFreq; a VEN that polls is told how often",
    ),
    (
        "R403",
        asks(0, PUSH, but(CREATED, registration_id=None)),
        "[0].answer.registration_id: no registration_id; a registration that is granted has one",
    ),
    (
        "R403",
        asks(0, PULL, but(CREATED, ven_id=None)),
        "[0].answer.ven_id: no ven_id; a registration that is granted has one",
    ),
    (
        "R402",
        asks(0, AGAIN, but(CREATED, registration_id="registration-2")),
        "[0].answer.registration_id: the registration_id 'registration-2'; it stays 'registration-1'",
    ),
    (
        "R402",
        asks(0, AGAIN, but(CREATED, ven_id="ven-2")),
        "[0].answer.ven_id: the ven_id 'ven-2'; it stays 'ven-1'",
    ),
    (
        "R328",
        asks(0, DATA, UpdatedReport(response=ECHO, cancel_report=but(CANCEL_REPORT, report_request_id=("18",)))),
        "[0].answer.cancel_report.report_request_id: '18'; only what was just delivered is cancelled so",
    ),
    (
        "R329",
        asks(0, CREATE_REPORT, CreatedReport(response=ECHO, pending_reports=("18",), ven_id="ven-1")),
        "[0].answer.pending_reports: '17' missing; what is accepted is pending",
    ),
    (
        "R208",
        asks(0, but(OPT, target=Target(ven_id=("ven-2",))), CreatedOpt(response=ECHO, opt_id="opt-1")),
        "[0].answer.response: an opt for another VEN is taken; 'ven-1' cannot speak for 'ven-2'",
    ),
    (
        "R115",
        asks(0, REQUEST_EVENT, but(LIST, events=(BEGUN,))),
        "[0].answer.events[0].event_descriptor.event_status: the status far; it is active at the createdDateTime",
    ),
    (
        "R115",
        asks(0, REQUEST_EVENT, but(LIST, events=(but(EVENT, active_period__ramp_up=2 * HOUR),))),
        "[0].answer.events[0].event_descriptor.event_status: the status far; it is near at the createdDateTime",
    ),
    (
        "R500",
        asks(0, POLL, CreatedOpt(response=EiResponse(), opt_id="1")),
        "[0].answer: a poll is answered with oadrCreatedOpt; that is no operation",
    ),
    (
        "R27",
        asks(0, but(REQUEST_EVENT, reply_limit=1), LIST),
        "[0].answer.events: 2 events; the VEN wants 1 at most",
    ),
    (
        "R27",
        asks(0, but(REQUEST_EVENT, reply_limit=0), LIST),
        "[0].answer.events: 2 events; the VEN wants 0 at most",
    ),
    ("R40", asks(0, POLL, EVENTS), "[0].answer.response: no eiResponse; it is there in answers"),
    ("R40", asks(0, REQUEST_EVENT, EVENTS), "[0].answer.response: no eiResponse; it is there in answers"),
    (
        "R508",
        asks(0, but(OFFERS, ven_id=None), OK),
        "[0].request.ven_id: no venID in oadrRegisterReport; a VEN names itself",
    ),
    (
        "R508",
        asks(0, but(CANCEL, ven_id=None), CanceledPartyRegistration(response=ECHO)),
        "[0].request.ven_id: no venID in oadrCancelPartyRegistration; a VEN names itself",
    ),
    (
        "R508",
        pushes(0, CREATE_REPORT, CreatedReport(response=ECHO, pending_reports=("17",))),
        "[0].answer.ven_id: no venID in oadrCreatedReport; a VEN names itself",
    ),
    *(
        (
            name.partition(" ")[0],
            asks(0, *pair),
            "[0].answer.response.request_id: the requestID 'other'; it repeats '1'",
        )
        for name, pair in answers("other").items()
    ),
    *(
        (name.partition(" ")[0], asks(0, *pair), "[0].answer.response.request_id: the requestID ''; it repeats '1'")
        for name, pair in answers("").items()
    ),
)
"""A rule, an exchange that breaks it and no other, and what is said of it."""


@pytest.mark.parametrize(
    ("number", "broken", "said"),
    [pytest.param(*one, id=f"{one[0]} {one[2]}", marks=rule_marks(one[0])) for one in BREACHES],
)
def test_an_exchange_that_breaks_a_rule_is_told_where_and_what_would_be_right(
    number: str, broken: RecordedExchange, said: str
) -> None:
    assert judged(broken) == [f"{said} ({number})"]


def keeping() -> Iterator[tuple[str, RecordedExchange]]:
    """Exchanges in which all is well, though some of them look as if it were not."""
    for name, pair in answers("1").items():
        yield f"an answer that repeats the requestID: {name}", asks(0, *pair)
    for name, (request, answer) in answers("").items():
        if name.startswith(("R207", "R303")):  # rules 207 and 303 allow an empty one
            yield f"an empty requestID: {name}", asks(0, but(request, request_id=""), answer)
    for name, brought in BROUGHT.items():
        yield f"a poll that brings {name}", asks(0, POLL, brought)
        if name != "nothing":
            yield f"a push of {name}", pushes(0, but(brought, response=None) if name == "events" else brought, LOST)
    yield "as many events as the VEN wants", asks(0, but(REQUEST_EVENT, reply_limit=2), LIST)
    yield "fewer events than the VEN wants", asks(0, but(REQUEST_EVENT, reply_limit=3), LIST)
    yield (
        "an answer without events to a VEN that wants none",
        asks(0, but(REQUEST_EVENT, reply_limit=0), but(LIST, events=())),
    )
    yield "a refusal of a list", asks(0, REQUEST_EVENT, but(LIST, response__response_code=463, events=()))
    yield (
        "a refusal of a list in a plain response",
        asks(0, REQUEST_EVENT, Response(response=EiResponse(response_code=463, request_id="1"))),
    )
    yield "a list that is pushed, without eiResponse", pushes(0, EVENTS)
    yield "a list that is pushed, which a plain response acknowledges", pushes(0, EVENTS, but(NOTHING, ven_id="ven-1"))
    yield "a first registration without venID", asks(0, PULL, CREATED)
    yield "a re-registration", asks(0, AGAIN, CREATED)
    yield (
        "a re-registration that is refused",
        asks(0, AGAIN, but(CREATED, response__response_code=452, registration_id=None, ven_id="ven-2")),
    )
    yield "a registration that is refused", asks(0, PULL, but(CREATED, response__response_code=463, ven_id=None))
    yield "a VEN that is pushed to", asks(0, PUSH, but(CREATED, requested_oadr_poll_freq=None))
    yield (
        "a query of a VEN that has no registration",
        asks(0, QUERY, but(CREATED, registration_id=None, ven_id=None, requested_oadr_poll_freq=None)),
    )
    yield (
        "an opt for the VEN itself",
        asks(0, but(OPT, target=Target(ven_id=("ven-1",))), CreatedOpt(response=ECHO, opt_id="opt-1")),
    )
    yield (
        "an opt for another VEN, which is refused",
        asks(
            0,
            but(OPT, target=Target(ven_id=("ven-2",))),
            CreatedOpt(response=but(ECHO, response_code=462), opt_id="opt-1"),
        ),
    )
    yield "a status that is a little behind, in answer to a poll", asks(0, POLL, but(LIST, events=(BEGUN,)))
    yield (
        "a status that changes in the second in which the list is made",
        asks(
            0,
            REQUEST_EVENT,
            but(LIST, events=(but(EVENT, event_descriptor__created_date_time=NOON + timedelta(seconds=0.9)),)),
        ),
    )
    yield "a query, which has no room for a venID", asks(0, QUERY, but(CREATED, registration_id=None, ven_id=None))
    yield (
        "a VEN that refuses, as it is not registered",
        pushes(0, CREATE_REPORT, CreatedReport(response=EiResponse(response_code=463, request_id="1"))),
    )
    yield (
        "a VTN that does not name the VEN",
        pushes(
            0,
            but(CREATE_REPORT, ven_id=None),
            CreatedReport(response=ECHO, pending_reports=("17",), ven_id="ven-1"),
        ),
    )
    yield "an answer to a query that the VTN refuses", asks(0, QUERY, but(CREATED, response__response_code=463))
    for name, answer in {"an empty success": EMPTY, "nothing": LOST}.items():
        for request in (POLL, REQUEST_EVENT, OFFERS, OPT, PULL, DATA):
            yield f"{request.message_type()} answered by {name}", asks(0, request, answer)


BROUGHT: Final[Mapping[str, Payload]] = {
    "nothing": NOTHING,
    "an error": Response(response=EiResponse(response_code=452)),
    "events": but(EVENTS, response=EiResponse()),
    "a request for reports": CREATE_REPORT,
    "offers": OFFERS,
    "a cancelled report": CANCEL_REPORT,
    "data": DATA,
    "a cancelled registration": CANCEL,
    "a request to register again": RequestReregistration(ven_id="ven-1"),
}
"""Everything that a poll may bring (section 8.6)."""


@pytest.mark.parametrize("kept", [pytest.param(one, id=name) for name, one in keeping()])
def test_an_exchange_in_which_all_is_well_is_clean(kept: RecordedExchange) -> None:
    assert judged(kept) == []


@pytest.mark.parametrize(
    "declared",
    [one for one in rules() if one.about is Exchange],
    ids=lambda one: f"{one.number} {one.title}",
)
def test_every_rule_about_exchanges_is_broken_and_kept(declared: Rule) -> None:
    broken = [read_exchange(one) for number, one, _ in BREACHES if number == declared.number]
    assert any(list(declared.check(one)) for one in broken)
    assert not any(list(declared.check(read_exchange(one))) for _, one in keeping())


def read_exchange(recorded: RecordedExchange) -> Exchange:
    (found,) = check_trace([recorded]).exchanges
    return found


def test_shoulds_are_warnings() -> None:
    assert {one.number for one in rules() if one.about is Exchange and one.severity is Severity.WARNING} == {
        "D2",
        "R208",
    }
