"""Traces in which reports are not what was asked for; :mod:`tests.dialogue.test_dialogues` judges them."""

from datetime import timedelta
from typing import Any, Final

from oadr_core.messages import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    EiResponse,
    ReportInterval,
    SpecifierPayload,
    UpdatedReport,
)
from oadr_core.rules import RecordedExchange
from tests.dialogue.traces import NOTHING, OK, POLL, asks, offered, pushes
from tests.rules.samples import HOUR, NONE, NOON, OFFERS, ONE, REQUEST, but, values

ECHO: Final = EiResponse(request_id="1")
CREATED: Final = CreatedReport(response=ECHO, pending_reports=("17",), ven_id="ven-1")
THREE: Final = (values(0, 1.0), values(1, 2.0), values(2, 3.0))
POINTS: Final = (values(0, 1.0, duration=None), values(1, 2.0, duration=None))
LATER: Final = (values(1, 1.0), values(2, 2.0))


def asking(request_id: str = "17", **changes: Any) -> CreateReport:
    """A request for data."""
    changed = {f"report_specifier__{name}": value for name, value in changes.items()}
    request = but(REQUEST, report_request_id=request_id, **changed)
    return CreateReport(request_id="1", report_requests=(request,), ven_id="ven-1")


def wanted(
    minute: float, request_id: str = "17", answer: CreatedReport | None = None, **changes: Any
) -> RecordedExchange:
    """A VTN that asks for data in push; without an answer it is told yes."""
    accepted = but(CREATED, pending_reports=(request_id,))
    return pushes(minute, asking(request_id, **changes), answer or accepted)


def answering(request_id: str, request: CancelReport, answer: CanceledReport) -> tuple[CancelReport, CanceledReport]:
    """A cancellation of another requestID, and its answer."""
    return but(request, request_id=request_id), but(answer, response__request_id=request_id)


def delivers(minute: float, **changes: Any) -> RecordedExchange:
    """A VEN that delivers data."""
    changed = {f"reports__{name}": value for name, value in changes.items()}
    return asks(minute, but(ONE, **changed), UpdatedReport(response=ECHO))


BOTH_POINTS: Final = (SpecifierPayload(r_id="load"), SpecifierPayload(r_id="sun"))
ACCUMULATED: Final = but(OFFERS, reports__report_name="x-load", reports__report_descriptions__report_type="deltaUsage")
TO_FOLLOW: Final = CancelReport(request_id="1", report_request_id=("17",), report_to_follow=True, ven_id="ven-1")
FOLLOWS: Final = CanceledReport(response=ECHO, pending_reports=("17",), ven_id="ven-1")
HALF: Final = timedelta(minutes=30)
CANCEL: Final = but(TO_FOLLOW, report_to_follow=False)
GONE: Final = CanceledReport(response=ECHO, ven_id="ven-1")
TOO_MUCH: Final = EiResponse(request_id="1", response_code=454, response_description="too much")
FROM_ONE: Final = ReportInterval(dtstart=NOON + HOUR, duration=NONE)
BEFORE_NOON: Final = ReportInterval(dtstart=NOON - HOUR, duration=timedelta(minutes=30))

REPORT_BREACHES: Final[tuple[tuple[str, str, tuple[RecordedExchange, ...], str], ...]] = (
    (
        "R300",
        "a report that leaves out what was asked for",
        (offered(0), wanted(1, specifier_payloads=BOTH_POINTS), delivers(2)),
        (
            "[2].request.reports[0].intervals: nothing of sun; "
            "a report has a value for each data point that was asked for"
        ),
    ),
    (
        "R313",
        "a report of another name than was offered",
        (offered(0), wanted(1), delivers(2, report_name="HISTORY_USAGE")),
        "[2].request.reports[0].report_name: the reportName 'HISTORY_USAGE'; it is TELEMETRY_USAGE, as it was offered",
    ),
    (
        "R317",
        "more values than were asked for",
        (
            offered(0),
            wanted(1, granularity=HOUR, report_back_duration=HOUR),
            delivers(2, intervals=THREE, duration=3 * HOUR),
        ),
        (
            "[2].request.reports[0].intervals: 3 intervals of a data point; "
            "every 1:00:00 there is one, and every 1:00:00 a report"
        ),
    ),
    (
        "R322",
        "another request of the same id",
        (offered(0), wanted(1), wanted(2, report_back_duration=HALF)),
        (
            "[2].request.report_requests[0].report_request_id: '17' for something else than before; "
            "each request has an id of its own"
        ),
    ),
    (
        "R324",
        "more values than the one that was asked for",
        (offered(0), wanted(1, report_back_duration=NONE), delivers(2)),
        "[2].request.reports[0].intervals: 2 intervals of a data point; it was asked for once",
    ),
    (
        "R325",
        "values from before the time that was asked for",
        (offered(0), wanted(1, report_interval=FROM_ONE), delivers(2)),
        f"[2].request.reports[0].intervals: a value of {NOON}; it was asked for from {NOON + HOUR} on",
    ),
    (
        "R325",
        "values from after the time that was asked for",
        (offered(0), wanted(1, report_interval=BEFORE_NOON), delivers(2)),
        (
            f"[2].request.reports[0].intervals: a value of {NOON + HOUR}; "
            f"it was asked for until {NOON - timedelta(minutes=30)}"
        ),
    ),
    (
        "R329",
        "a list of pending reports that leaves one out",
        (offered(0), wanted(1), wanted(2, "18")),
        "[2].answer.pending_reports: 17 missing; all reports that are still to come are pending",
    ),
    (
        "R336",
        "a cancellation that ended nothing, and is confirmed",
        (offered(0), wanted(1), pushes(2, CANCEL, FOLLOWS)),
        "[2].answer.response: success, and 17 still pending; a cancellation that fails is answered with a 4xx",
    ),
    (
        "R336",
        "a cancellation by way of a poll that ended nothing, and is confirmed",
        (offered(0), wanted(1), asks(2, POLL, CANCEL), asks(2, FOLLOWS, NOTHING)),
        "[3].request.response: success, and 17 still pending; a cancellation that fails is answered with a 4xx",
    ),
    (
        "R336",
        "a cancellation of what was cancelled before, and is confirmed",
        (offered(0), wanted(1), pushes(2, CANCEL, GONE), pushes(3, *answering("2", CANCEL, GONE))),
        ("[3].answer.response: success, though 17 had been cancelled before; what is unknown is answered with a 4xx"),
    ),
    (
        "R340",
        "a request for more than is kept, and is accepted",
        (offered(0), wanted(1, report_back_duration=2 * HOUR)),
        (
            "[1].answer.response: '17' is accepted, where reports every PT2H are asked for, and PT1H is kept; "
            "a request for more than was offered is answered with 454"
        ),
    ),
    (
        "R340",
        "a request for readings more often than they are offered, and is accepted by way of a poll",
        (offered(0), asks(1, POLL, asking(granularity=timedelta(seconds=1))), asks(1, CREATED, NOTHING)),
        (
            "[2].request.response: '17' is accepted, "
            "where load is sampled every PT1M to PT1H, not every PT1S; "
            "a request for more than was offered is answered with 454"
        ),
    ),
    (
        "R342",
        "a value about a stretch of time without its length",
        (
            asks(0, ACCUMULATED, OK),
            wanted(1),
            delivers(2, report_name="x-load", duration=None, dtstart=NOON, intervals=POINTS[:1]),
        ),
        (
            "[2].request.reports[0].intervals[0].duration: no duration; "
            "a value about a stretch of time says how long it is"
        ),
    ),
    (
        "R345",
        "two reports where one was to follow",
        (
            offered(0),
            wanted(1),
            pushes(2, TO_FOLLOW, FOLLOWS),
            delivers(3),
            delivers(4, dtstart=NOON + HOUR, intervals=LATER),
        ),
        (
            "[4].request.reports[0]: another report of '17'; "
            "it was cancelled with one report to follow, and that was there"
        ),
    ),
    (
        "R346",
        "a correction that is shorter",
        (offered(0), wanted(1), delivers(2), delivers(3, intervals=THREE[:1])),
        (
            "[3].request.reports[0].intervals: 1 intervals instead of 2; "
            "a report that is sent again has as many as before"
        ),
    ),
)
"""A rule, a name, a trace that breaks it and no other, and what is said of it."""
