"""Rules about reports: 300 to 346."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from enum import Enum
from typing import Final

from oadr_core.messages import (
    CreatedReport,
    GreenButtonPayload,
    RegisterReport,
    Report,
    ReportDescription,
    ReportPayload,
    ReportRequest,
    ReportSpecifier,
    ResourceStatus,
    SignalPayload,
    UpdateReport,
    add_duration,
    is_zero,
)
from oadr_core.rules.events import device_classes_only
from oadr_core.rules.registry import Fault, Severity, rule, within

_METADATA: Final = "METADATA_"
_NO_UNIT: Final = "no unit"
_USAGE: Final = (("usage",), ("powerReal", "energyReal", "pulseCount"), ("Direct Read",))
_PROFILES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]] = {
    "TELEMETRY_USAGE": _USAGE,
    "HISTORY_USAGE": _USAGE,
    "TELEMETRY_STATUS": (("x-resourceStatus",), (_NO_UNIT,), ("x-notApplicable",)),
}
"""The report types, units and reading types of each well-known report (rule 331, annex A)."""


def _offers(message: RegisterReport) -> Iterable[tuple[str, Report]]:
    return ((f"reports[{number}]", report) for number, report in enumerate(message.reports))


@rule("R305", RegisterReport)
def offers_hold_no_data(message: RegisterReport) -> Iterator[Fault]:
    """An offer describes data points and holds no data."""
    for place, report in _offers(message):
        if not report.report_descriptions:
            right = "an offer describes at least one data point"
            yield Fault("no oadrReportDescription", right, f"{place}.report_descriptions")
        for name, value in (
            ("intervals", report.intervals),
            ("dtstart", report.dtstart),
            ("report_id", report.report_id),
        ):
            if value:
                yield Fault(f"{name} in an offer", "it does not belong there", f"{place}.{name}")


@rule("R308", RegisterReport)
def unique_ids(message: RegisterReport) -> Iterator[Fault]:
    """Specifier ids are unique in the metadata, and rIDs in their report."""
    specifiers: set[str] = set()
    for place, report in _offers(message):
        if report.report_specifier_id in specifiers:
            found = f"the reportSpecifierID {report.report_specifier_id!r} again"
            yield Fault(found, "it is unique", f"{place}.report_specifier_id")
        specifiers.add(report.report_specifier_id)
        if not report.report_specifier_id:
            yield Fault("an empty reportSpecifierID", "it has a value", f"{place}.report_specifier_id")
        r_ids = [one.r_id for one in report.report_descriptions]
        for r_id in sorted({one for one in r_ids if r_ids.count(one) > 1}):
            yield Fault(f"the rID {r_id!r} again", "it is unique in its report", f"{place}.report_descriptions")
        for number in [number for number, r_id in enumerate(r_ids) if not r_id]:
            yield Fault("an empty rID", "it has a value", f"{place}.report_descriptions[{number}].r_id")


@rule("R311", RegisterReport)
def no_request(message: RegisterReport) -> Iterator[Fault]:
    """The reportRequestID of an offer is 0."""
    for place, report in _offers(message):
        if report.report_request_id != "0":
            yield Fault(f"{report.report_request_id!r}", "it is 0 in an offer", f"{place}.report_request_id")


@rule("R312", RegisterReport)
def kept_data(message: RegisterReport) -> Iterator[Fault]:
    """An offer says how much data is kept, which is at least the longest sampling period."""
    for place, report in _offers(message):
        if report.duration is None:
            yield Fault("no duration", "an offer says how much data is kept", f"{place}.duration")
            continue
        for number, one in enumerate(report.report_descriptions):
            longest = None if one.sampling_rate is None else one.sampling_rate.max_period
            if isinstance(longest, timedelta) and isinstance(report.duration, timedelta) and longest > report.duration:
                where = f"{place}.report_descriptions[{number}].sampling_rate.max_period"
                yield Fault(f"oadrMaxPeriod {longest}", f"it is not above the duration {report.duration}", where)


@rule("R331", RegisterReport)
def profile_of_offers(message: RegisterReport) -> Iterator[Fault]:
    """A well-known report has the METADATA_ form of its name in an offer, and the values of annex A."""
    for place, report in _offers(message):
        name = report.report_name or ""
        if not name.startswith((_METADATA, "x-")):
            yield Fault(f"the reportName {name!r}", "it begins with METADATA_ or x-", f"{place}.report_name")
        profile = _PROFILES.get(name.removeprefix(_METADATA))
        if profile is None:
            continue
        types, units, readings = profile
        for number, one in enumerate(report.report_descriptions):
            where = f"{place}.report_descriptions[{number}]"
            unit = getattr(one.measurement, "name", _NO_UNIT)
            for what, value, allowed in (
                ("report_type", one.report_type, types),
                ("measurement", unit, units),
                ("reading_type", one.reading_type, readings),
            ):
                if value not in allowed:
                    found = value if value == _NO_UNIT else repr(value)
                    yield Fault(found, f"{name} has {' or '.join(allowed)}", f"{where}.{what}")


@rule("R333", RegisterReport)
def sampling_rate(message: RegisterReport) -> Iterator[Fault]:
    """A telemetry offer says how often each data point can be read."""
    for place, report in _offers(message):
        if (report.report_name or "").startswith(_METADATA + "TELEMETRY_"):
            for number, one in enumerate(report.report_descriptions):
                if one.sampling_rate is None:
                    where = f"{place}.report_descriptions[{number}].sampling_rate"
                    yield Fault("no oadrSamplingRate", "telemetry has one", where)


@rule("R307", ReportDescription)
def report_subject(one: ReportDescription) -> Iterator[Fault]:
    """A report's subject names device classes and nothing else."""
    if one.report_subject is not None:
        yield from within("report_subject", device_classes_only(one.report_subject))


@rule("R321", ReportSpecifier)
def bare_request(specifier: ReportSpecifier) -> Iterator[Fault]:
    """A request holds no units, and its interval no tolerance, notification, ramp-up or recovery."""
    interval = specifier.report_interval
    for name in ("tolerance", "notification", "ramp_up", "recovery"):
        if interval is not None and getattr(interval, name) is not None:
            yield Fault(f"{name} in the interval", "it does not belong there", f"report_interval.{name}")
    for number, payload in enumerate(specifier.specifier_payloads):
        if payload.measurement is not None:
            yield Fault("a unit", "it does not belong there", f"specifier_payloads[{number}].measurement")


@rule("R322", ReportRequest)
def request_id(request: ReportRequest) -> Iterator[Fault]:
    """A request has an id, which is not the 0 of metadata."""
    if request.report_request_id in ("", "0"):
        yield Fault(
            f"the reportRequestID {request.report_request_id!r}", "it has a value of its own", "report_request_id"
        )


@rule("R324", ReportSpecifier)
def period(specifier: ReportSpecifier) -> Iterator[Fault]:
    """A periodic request says from when on and how long."""
    periodic = not is_zero(specifier.report_back_duration)
    if periodic and specifier.report_interval is None and specifier.report_specifier_id != "METADATA":
        yield Fault("no reportInterval", "a periodic request has one", "report_interval")


@rule("R317", ReportSpecifier)
def granularity(specifier: ReportSpecifier) -> Iterator[Fault]:
    """The spacing of the values is not above the spacing of the reports."""
    spacing, back = specifier.granularity, specifier.report_back_duration
    if isinstance(spacing, timedelta) and isinstance(back, timedelta) and back and spacing > back:
        yield Fault(f"a granularity of {spacing}", f"it is not above the reportBackDuration {back}", "granularity")


@rule("R308", ReportSpecifier, severity=Severity.WARNING)
def metadata_have_no_points(specifier: ReportSpecifier) -> Iterator[Fault]:
    """A request for metadata names the data point 0, as there is none."""
    if specifier.report_specifier_id == "METADATA":
        for number, payload in enumerate(specifier.specifier_payloads):
            if payload.r_id != "0":
                place = f"specifier_payloads[{number}].r_id"
                yield Fault(f"the rID {payload.r_id!r}", "it is 0 where metadata are asked for", place)


@rule("R338", ReportSpecifier)
def reading_type(specifier: ReportSpecifier) -> Iterator[Fault]:
    """The reading type in a request is x-notApplicable."""
    for number, payload in enumerate(specifier.specifier_payloads):
        if payload.reading_type != "x-notApplicable":
            place = f"specifier_payloads[{number}].reading_type"
            yield Fault(f"{payload.reading_type!r}", "it is x-notApplicable in a request", place)


def _data(message: UpdateReport) -> Iterable[tuple[str, Report]]:
    return ((f"reports[{number}]", report) for number, report in enumerate(message.reports))


def _is_green_button(report: Report) -> bool:
    return any(isinstance(one, GreenButtonPayload) for interval in report.intervals for one in interval.payloads)


@rule("R313", UpdateReport)
def data_reports(message: UpdateReport) -> Iterator[Fault]:
    """A data report has a start, intervals and a name without METADATA_, and no descriptions."""
    for place, report in _data(message):
        if report.dtstart is None:
            yield Fault("no dtstart", "a data report has one", f"{place}.dtstart")
        if not report.intervals:
            yield Fault("no intervals", "a data report has some", f"{place}.intervals")
        if not report.report_name or report.report_name.startswith(_METADATA):
            found = f"the reportName {report.report_name!r}"
            yield Fault(found, "it is that of the offer, without METADATA_", f"{place}.report_name")
        if report.report_descriptions:
            yield Fault("an oadrReportDescription", "it belongs to the offer alone", f"{place}.report_descriptions")


@rule("R313", UpdateReport)
def report_payloads(message: UpdateReport) -> Iterator[Fault]:
    """The intervals of a report hold the payloads of reports, not those of signals."""
    for place, report in _data(message):
        for number, interval in enumerate(report.intervals):
            if any(isinstance(one, SignalPayload) for one in interval.payloads):
                right = "a report has oadrReportPayload or oadrGBPayload"
                yield Fault("a signalPayload", right, f"{place}.intervals[{number}]")


@rule("R314", UpdateReport)
def starts(message: UpdateReport) -> Iterator[Fault]:
    """All intervals have a start or none has; they run from old to new; the report begins with the first."""
    for place, report in _data(message):
        given = [one.dtstart for one in report.intervals if one.dtstart is not None]
        if given and len(given) != len(report.intervals):
            found = f"{len(given)} of {len(report.intervals)} intervals have a dtstart"
            yield Fault(found, "all have, or none", f"{place}.intervals")
        if given != sorted(given):
            yield Fault("intervals out of order", "they run from old to new", f"{place}.intervals")
        if given and report.dtstart is not None and report.intervals[0].dtstart not in (None, report.dtstart):
            yield Fault(
                f"the report begins at {report.dtstart}", "it begins with its first interval", f"{place}.dtstart"
            )


@rule("R315", UpdateReport)
def lengths(message: UpdateReport) -> Iterator[Fault]:
    """All intervals have a duration or none has; several without starts need one; the report's spans them all."""
    for place, report in _data(message):
        timed = [one for one in report.intervals if one.duration is not None]
        if timed and len(timed) != len(report.intervals):
            found = f"{len(timed)} of {len(report.intervals)} intervals have a duration"
            yield Fault(found, "all have, or none", f"{place}.intervals")
        started = any(one.dtstart is not None for one in report.intervals)
        if len(report.intervals) > 1 and not started and not timed and not _is_green_button(report):
            found = "several intervals with neither start nor duration"
            yield Fault(found, "they have one of them", f"{place}.intervals")
        yield from _span(report, place)


class Kind(Enum):
    """What the values of a data point are about (rule 315)."""

    POINT = "each holds at an instant"
    INTERVAL = "each is about a stretch of time"


_OF_INTERVALS: Final = frozenset({"deltaUsage", "deltaDemand", "deltaSetPoint", "avgUsage", "avgDemand"})
_READ_OF_INTERVALS: Final = frozenset({"Mean", "Peak"})
_OF_POINTS: Final = frozenset({"x-resourceStatus", "operatingState", "setPoint", "level"})


def kind_of(one: ReportDescription) -> Kind | None:
    """Tell what the values of a data point are about, where its types leave no choice; usage may be either."""
    if one.report_type in _OF_INTERVALS or one.reading_type in _READ_OF_INTERVALS:
        return Kind.INTERVAL
    return Kind.POINT if one.report_type in _OF_POINTS else None


def forbidden_times(report: Report, described: Iterable[ReportDescription]) -> Iterator[Fault]:
    """Find intervals whose dtstart and duration do not fit what they hold (rule 342).

    A report of both kinds may have both.

    :param report: the data.
    :param described: the data points of the offer that it answers.
    """
    kinds = {one.r_id: kind_of(one) for one in described}
    found = {
        kinds.get(payload.r_id)
        for interval in report.intervals
        for payload in interval.payloads
        if isinstance(payload, ReportPayload)
    }
    if found == {Kind.INTERVAL}:
        for number, interval in enumerate(report.intervals):
            if interval.duration is None:
                right = "a value about a stretch of time says how long it is"
                yield Fault("no duration", right, f"intervals[{number}].duration")
    elif found == {Kind.POINT}:
        for number, interval in enumerate(report.intervals):
            if interval.duration is not None:
                right = "a value that holds at an instant has none"
                yield Fault(f"a duration of {interval.duration}", right, f"intervals[{number}].duration")


def _span(report: Report, place: str) -> Iterator[Fault]:
    if report.duration is None or not report.intervals or report.dtstart is None:
        return
    last = report.intervals[-1]
    if last.dtstart is not None:
        end = last.dtstart if last.duration is None else add_duration(last.dtstart, last.duration)
        if add_duration(report.dtstart, report.duration) < end:
            yield Fault(f"a duration of {report.duration}", f"it reaches to the last end, {end}", f"{place}.duration")


@rule("R316", UpdateReport)
def report_uids(message: UpdateReport) -> Iterator[Fault]:
    """Intervals without a start are numbered 0, 1, 2 and so on."""
    for place, report in _data(message):
        if _is_green_button(report) or any(one.dtstart is not None for one in report.intervals):
            continue
        for number, interval in enumerate(report.intervals):
            if interval.uid != str(number):
                yield Fault(f"the uid {interval.uid!r}", f"it is {number}", f"{place}.intervals[{number}].uid")


@rule("R319", ReportPayload)
def accuracy_of_numbers(payload: ReportPayload) -> Iterator[Fault]:
    """The status of a resource has no accuracy."""
    if isinstance(payload.value, ResourceStatus) and payload.accuracy is not None:
        yield Fault("an accuracy for a status", "only numbers have one", "accuracy")


@rule("R331", UpdateReport)
def status_payload(message: UpdateReport) -> Iterator[Fault]:
    """TELEMETRY_STATUS delivers the status of a resource, other well-known reports numbers."""
    for place, report in _data(message):
        if report.report_name not in _PROFILES:
            continue
        wants_status = report.report_name == "TELEMETRY_STATUS"
        for number, interval in enumerate(report.intervals):
            for one in interval.payloads:
                if isinstance(one, ReportPayload) and isinstance(one.value, ResourceStatus) != wants_status:
                    right = (
                        f"{report.report_name} has {'oadrPayloadResourceStatus' if wants_status else 'payloadFloat'}"
                    )
                    yield Fault(f"a value of the wrong kind for {one.r_id}", right, f"{place}.intervals[{number}]")


@rule("R334", UpdateReport, severity=Severity.WARNING)
def same_status_parts(message: UpdateReport) -> Iterator[Fault]:
    """All intervals of a status report tell the same parts of the load control state."""
    for place, report in _data(message):
        told: dict[str, set[tuple[str, ...]]] = {}
        for interval in report.intervals:
            for one in interval.payloads:
                if isinstance(one, ReportPayload) and isinstance(one.value, ResourceStatus):
                    told.setdefault(one.r_id, set()).add(_parts_of(one.value))
        for r_id in [r_id for r_id, shapes in told.items() if len(shapes) > 1]:
            found = f"different parts of the load control state for {r_id}"
            yield Fault(found, "they are the same in all intervals", f"{place}.intervals")


def _parts_of(status: ResourceStatus) -> tuple[str, ...]:
    state = status.load_control_state
    if state is None:
        return ()
    return tuple(name for name in state.__struct_fields__ if getattr(state, name) is not None)


@rule("R329", CreatedReport)
def pending_once(message: CreatedReport) -> Iterator[Fault]:
    """A pending report is listed once, by its id."""
    listed = message.pending_reports
    if len(set(listed)) != len(listed) or "" in listed:
        yield Fault(f"the pending reports {', '.join(listed)}", "each is listed once", "pending_reports")
