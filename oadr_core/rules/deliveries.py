"""Rules about what was asked for and what was delivered: 300 to 346, as a dialogue or an exchange shows it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from oadr_core.errors import RemoteProtocolError
from oadr_core.messages import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    GreenButtonPayload,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportPayload,
    ReportRequest,
    UpdatedReport,
    UpdateReport,
    add_duration,
    is_zero,
)
from oadr_core.rules.offered import check_within, data_name
from oadr_core.rules.registry import Fault, Severity, rule, within
from oadr_core.rules.reports import forbidden_times
from oadr_core.rules.trace import Dialogue, Exchange, Role


class _Delivery(msgspec.Struct, frozen=True):
    """A report that was delivered, of which the request is in the trace.

    :param where: its place in the trace.
    :param report: the report.
    :param request: what it answers.
    :param offer: the offer that it is of, where that is in the trace.
    """

    where: str
    report: Report
    request: ReportRequest
    offer: Report | None


def _other(role: Role) -> Role:
    return Role.VTN if role is Role.VEN else Role.VEN


def _requests(dialogue: Dialogue) -> Iterator[tuple[str, Role, ReportRequest]]:
    """The requests for reports: where, who is asked, and what for."""
    for number, exchange in dialogue.exchanges:
        for place, who, message in exchange.said:
            if isinstance(message, RegisteredReport | CreateReport):
                for index, request in enumerate(message.report_requests):
                    yield f"[{number}].{place}.report_requests[{index}]", _other(who), request


def _deliveries(dialogue: Dialogue) -> Iterator[_Delivery]:
    """The reports of which the trace shows what they answer."""
    asked = {(who, one.report_request_id): one for _, who, one in _requests(dialogue)}
    offers: dict[tuple[Role, str], Report] = {}
    for number, exchange in dialogue.exchanges:
        for place, who, message in exchange.said:
            if isinstance(message, RegisterReport):
                offers |= {(who, one.report_specifier_id): one for one in message.reports}
            for index, report in enumerate(message.reports if isinstance(message, UpdateReport) else ()):
                request = asked.get((who, report.report_request_id))
                if request is not None:
                    offer = offers.get((who, report.report_specifier_id))
                    yield _Delivery(f"[{number}].{place}.reports[{index}]", report, request, offer)


def _values(report: Report) -> Iterator[ReportPayload]:
    for interval in report.intervals:
        yield from (one for one in interval.payloads if isinstance(one, ReportPayload))


def _is_telemetry(report: Report) -> bool:
    return (report.report_name or "").startswith("TELEMETRY_")


# --- dialogues -------------------------------------------------------------------------------------------------------


@rule("R300", Dialogue)
def all_that_was_asked_for(dialogue: Dialogue) -> Iterator[Fault]:
    """A report holds a value for everything that was asked for."""
    for one in _deliveries(dialogue):
        wanted = {payload.r_id for payload in one.request.report_specifier.specifier_payloads}
        missing = sorted(wanted - {payload.r_id for payload in _values(one.report)})
        green = any(isinstance(each, GreenButtonPayload) for part in one.report.intervals for each in part.payloads)
        if missing and not green:
            right = "a report has a value for each data point that was asked for"
            yield Fault(f"nothing of {', '.join(missing)}", right, f"{one.where}.intervals")


@rule("R313", Dialogue)
def name_of_the_offer(dialogue: Dialogue) -> Iterator[Fault]:
    """A report has the name of its offer, without METADATA_."""
    for one in _deliveries(dialogue):
        name = None if one.offer is None else data_name(one.offer.report_name or "")
        if name is not None and one.report.report_name not in (None, name):
            found = f"the reportName {one.report.report_name!r}"
            yield Fault(found, f"it is {name}, as it was offered", f"{one.where}.report_name")


@rule("R317", Dialogue, severity=Severity.WARNING)
def as_many_intervals_as_fit(dialogue: Dialogue) -> Iterator[Fault]:
    """A periodic report has about as many intervals as its granularity fits into the time between reports."""
    for one in _deliveries(dialogue):
        specifier = one.request.report_specifier
        spacing, back = specifier.granularity, specifier.report_back_duration
        if not isinstance(spacing, timedelta) or not isinstance(back, timedelta) or not spacing or not back:
            continue
        counts = [payload.r_id for payload in _values(one.report)]
        most = max((counts.count(r_id) for r_id in set(counts)), default=0)
        if most > back / spacing + 1:
            right = f"every {spacing} there is one, and every {back} a report"
            yield Fault(f"{most} intervals of a data point", right, f"{one.where}.intervals")


@rule("R322", Dialogue)
def one_request_for_each_id(dialogue: Dialogue) -> Iterator[Fault]:
    """A reportRequestID stands for one request; the same request again is a retry (decision D37)."""
    seen: dict[tuple[Role, str], ReportRequest] = {}
    for where, who, request in _requests(dialogue):
        known = seen.setdefault((who, request.report_request_id), request)
        if known != request:
            found = f"{request.report_request_id!r} for something else than before"
            yield Fault(found, "each request has an id of its own", f"{where}.report_request_id")


@rule("R324", Dialogue)
def once_is_once(dialogue: Dialogue) -> Iterator[Fault]:
    """Telemetry that is asked for once has one interval for each data point."""
    for one in _deliveries(dialogue):
        once = is_zero(one.request.report_specifier.report_back_duration)
        counts = [payload.r_id for payload in _values(one.report)]
        most = max((counts.count(r_id) for r_id in set(counts)), default=0)
        if once and _is_telemetry(one.report) and most > 1:
            yield Fault(f"{most} intervals of a data point", "it was asked for once", f"{one.where}.intervals")


@rule("R325", Dialogue)
def within_the_time_that_was_asked_for(dialogue: Dialogue) -> Iterator[Fault]:
    """Telemetry begins with the interval that was asked for, and ends with it, give or take one sample (rule 341)."""
    for one in _deliveries(dialogue):
        specifier = one.request.report_specifier
        interval, slack = specifier.report_interval, specifier.granularity
        periodic = not is_zero(specifier.report_back_duration)
        if interval is None or not periodic or not _is_telemetry(one.report) or not isinstance(slack, timedelta):
            continue
        slack = slack or timedelta(days=1)  # on change; the spacing is the source's
        starts = [part.dtstart for part in one.report.intervals if part.dtstart is not None]
        if any(start < interval.dtstart - slack for start in starts):
            right = f"it was asked for from {interval.dtstart} on"
            yield Fault(f"a value of {min(starts)}", right, f"{one.where}.intervals")
        end = None if is_zero(interval.duration) else add_duration(interval.dtstart, interval.duration)
        if end is not None and any(start > end + slack for start in starts):
            yield Fault(f"a value of {max(starts)}", f"it was asked for until {end}", f"{one.where}.intervals")


@rule("R342", Dialogue)
def starts_and_lengths(dialogue: Dialogue) -> Iterator[Fault]:
    """Values about a stretch of time have a start and a length, those that hold at an instant a start alone."""
    for one in _deliveries(dialogue):
        described = () if one.offer is None else one.offer.report_descriptions
        yield from within(one.where, forbidden_times(one.report, described))


@rule("R329", Dialogue, severity=Severity.WARNING)
def all_that_is_pending(dialogue: Dialogue) -> Iterator[Fault]:
    """What runs without end is pending whenever pending reports are listed, until it is cancelled or offers change."""
    asked = {(who, one.report_request_id): one for _, who, one in _requests(dialogue)}
    running: dict[Role, set[str]] = {Role.VEN: set(), Role.VTN: set()}
    for number, exchange in dialogue.exchanges if dialogue.whole else ():
        for place, who, message in exchange.said:
            if isinstance(message, RegisterReport):
                running[who].clear()
            elif isinstance(message, CancelReport):
                running[_other(who)] -= set(message.report_request_id)
            elif isinstance(message, UpdatedReport):
                ended = () if message.cancel_report is None else message.cancel_report.report_request_id
                running[_other(who)] -= set(ended)
                if not message.response.ok:
                    running[_other(who)].clear()
            elif isinstance(message, CreatedReport | CanceledReport):
                missing = sorted(running[who] - set(message.pending_reports))
                if missing and message.response.ok:
                    right = "all reports that are still to come are pending"
                    yield Fault(f"{', '.join(missing)} missing", right, f"[{number}].{place}.pending_reports")
                running[who] = {
                    one for one in message.pending_reports if _is_endless(asked.get((who, one)))
                }  # what is missing once is not asked after again


def _is_endless(request: ReportRequest | None) -> bool:
    if request is None or is_zero(request.report_specifier.report_back_duration):
        return False
    interval = request.report_specifier.report_interval
    return interval is not None and is_zero(interval.duration)


class _Cancelled(msgspec.Struct, frozen=True):
    """A cancellation that was confirmed.

    :param where: the place of the answer in the trace.
    :param ids: what was to end at once, and was not asked for again meanwhile.
    :param pending: what is still to come, as the answer says.
    :param gone: what had been cancelled before, by another message.
    """

    where: str
    ids: tuple[str, ...]
    pending: tuple[str, ...]
    gone: tuple[str, ...]


def _cancelled(dialogue: Dialogue) -> Iterator[_Cancelled]:
    """The cancellations without a report to follow that were confirmed."""
    sent: dict[tuple[Role, str], CancelReport] = {}
    ended: dict[tuple[Role, str], CancelReport] = {}
    renewed: dict[Role, set[str]] = {Role.VEN: set(), Role.VTN: set()}
    for number, exchange in dialogue.exchanges:
        for place, who, message in exchange.said:
            if isinstance(message, CancelReport):
                sent[_other(who), message.request_id] = message
                renewed[_other(who)] -= set(message.report_request_id)
            elif isinstance(message, CreateReport | RegisteredReport):
                renewed[_other(who)] |= {one.report_request_id for one in message.report_requests}
            elif isinstance(message, CanceledReport) and message.response.ok:
                direct = isinstance(exchange.request, CancelReport) and message is exchange.answer
                request_id = message.response.request_id
                cancel = exchange.request if direct else sent.get((who, request_id)) if request_id else None
                if not isinstance(cancel, CancelReport) or cancel.report_to_follow:
                    continue
                ids = tuple(one for one in cancel.report_request_id if one not in renewed[who])
                gone = tuple(one for one in ids if ended.get((who, one), cancel).request_id != cancel.request_id)
                yield _Cancelled(f"[{number}].{place}", ids, message.pending_reports, gone)
                ended |= {(who, one): cancel for one in ids}
            for one in renewed[_other(who)]:
                ended.pop((_other(who), one), None)


@rule("R336", Dialogue)
def a_cancellation_that_fails_is_refused(dialogue: Dialogue) -> Iterator[Fault]:
    """What a cancellation could not end is answered with a 4xx, not with success."""
    for one in _cancelled(dialogue):
        left = [request_id for request_id in one.ids if request_id in one.pending]
        if left:
            found = f"success, and {', '.join(left)} still pending"
            yield Fault(found, "a cancellation that fails is answered with a 4xx", f"{one.where}.response")


@rule("R336", Dialogue, severity=Severity.WARNING)
def what_is_gone_cannot_be_cancelled(dialogue: Dialogue) -> Iterator[Fault]:
    """A cancellation of what was cancelled before is answered with a 4xx."""
    for one in _cancelled(dialogue):
        if one.gone:
            found = f"success, though {', '.join(one.gone)} had been cancelled before"
            yield Fault(found, "what is unknown is answered with a 4xx", f"{one.where}.response")


@rule("R340", Dialogue)
def more_than_was_offered_is_refused(dialogue: Dialogue) -> Iterator[Fault]:
    """A request for more than was offered is not accepted."""
    left: dict[Role, RegisterReport] = {}
    offers: dict[Role, dict[str, Report]] = {Role.VEN: {}, Role.VTN: {}}  # that the other side has confirmed
    asked: dict[tuple[Role, str], tuple[ReportRequest, ...]] = {}
    said: set[tuple[Role, str]] = set()
    earlier: set[tuple[Role, str]] = set()  # what may have been accepted by other offers than those that stand
    for number, exchange in dialogue.exchanges:
        for place, who, message in exchange.said:
            if isinstance(message, RegisterReport):
                left[who], offers[who] = message, {}
                earlier |= said
            if isinstance(message, RegisteredReport):
                offered = left.get(_other(who))
                if offered is not None and message.response.ok and message.response.request_id == offered.request_id:
                    offers[_other(who)] = {one.report_specifier_id: one for one in offered.reports}
            if isinstance(message, CreateReport | RegisteredReport):
                asked[_other(who), _carrier_id(message)] = message.report_requests
                said |= {(_other(who), one.report_request_id) for one in message.report_requests}
            if isinstance(message, CreatedReport) and message.response.ok and message.response.request_id:
                for request in asked.get((who, message.response.request_id), ()):
                    offer = offers[who].get(request.report_specifier.report_specifier_id)
                    why = None if offer is None else _excess(request, offer)
                    if why is not None and (who, request.report_request_id) not in earlier:
                        found = f"{request.report_request_id!r} is accepted, where {why}"
                        right = "a request for more than was offered is answered with 454"
                        yield Fault(found, right, f"[{number}].{place}.response")


def _carrier_id(message: CreateReport | RegisteredReport) -> str:
    return message.request_id if isinstance(message, CreateReport) else message.response.request_id


def _excess(request: ReportRequest, offer: Report) -> str | None:
    """How a request asks for more than was offered; None where it does not."""
    try:
        check_within(request.report_specifier, offer)
    except RemoteProtocolError as error:
        return str(error)
    return None


@rule("R345", Dialogue)
def one_report_to_follow(dialogue: Dialogue) -> Iterator[Fault]:
    """After a cancellation that asks for one last report there is one, and no more."""
    followed: dict[tuple[Role, str], tuple[datetime, set[object]]] = {}
    for number, exchange in dialogue.exchanges:
        cancel, answer = exchange.request, exchange.answer
        if isinstance(cancel, CancelReport) and isinstance(answer, CanceledReport) and cancel.report_to_follow:
            source = _other(exchange.requester)
            followed |= {(source, one): (exchange.time, set()) for one in cancel.report_request_id}
        for place, who, message in exchange.said:
            for index, report in enumerate(message.reports if isinstance(message, UpdateReport) else ()):
                since, seen = followed.get((who, report.report_request_id), (report.created_date_time, set()))
                if report.created_date_time <= since or report.dtstart in seen:
                    continue  # it was made before, or comes once more
                seen.add(report.dtstart)
                if len(seen) > 1:
                    found = f"another report of {report.report_request_id!r}"
                    right = "it was cancelled with one report to follow, and that was there"
                    yield Fault(found, right, f"[{number}].{place}.reports[{index}]")


@rule("R346", Dialogue, severity=Severity.WARNING)
def corrections_keep_their_length(dialogue: Dialogue) -> Iterator[Fault]:
    """A report that is sent once more has as many intervals as before."""
    counts: dict[tuple[str, str], int] = {}
    for one in _deliveries(dialogue):
        key = one.report.report_request_id, str(one.report.dtstart)
        known = counts.setdefault(key, len(one.report.intervals))
        if known != len(one.report.intervals):
            found = f"{len(one.report.intervals)} intervals instead of {known}"
            yield Fault(found, "a report that is sent again has as many as before", f"{one.where}.intervals")


# --- exchanges -------------------------------------------------------------------------------------------------------


@rule("R328", Exchange)
def cancelled_by_the_way(exchange: Exchange) -> Iterator[Fault]:
    """A cancellation in the answer to data is about what was delivered there."""
    sent, answer = exchange.request, exchange.answer
    if isinstance(sent, UpdateReport) and isinstance(answer, UpdatedReport) and answer.cancel_report is not None:
        delivered = {one.report_request_id for one in sent.reports}
        for one in answer.cancel_report.report_request_id:
            if one not in delivered:
                right = "only what was just delivered is cancelled so"
                yield Fault(f"{one!r}", right, "answer.cancel_report.report_request_id")


@rule("R329", Exchange)
def accepted_is_pending(exchange: Exchange) -> Iterator[Fault]:
    """A request that is accepted is among the pending reports."""
    asked, answer = exchange.request, exchange.answer
    if isinstance(asked, CreateReport) and isinstance(answer, CreatedReport) and answer.response.ok:
        for one in asked.report_requests:
            if one.report_request_id not in answer.pending_reports:
                found = f"{one.report_request_id!r} missing"
                yield Fault(found, "what is accepted is pending", "answer.pending_reports")
