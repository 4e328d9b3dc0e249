"""EiReport: what either side offers to tell, asks for, and tells (section 8.3, rules 300 to 346)."""

from datetime import datetime
from typing import Annotated

from oadr_core.messages.common import (
    DATE_TIME_PROPERTY,
    DURATION_PROPERTY,
    MARKET_CONTEXT,
    CalendarProperties,
    EiResponse,
    Interval,
)
from oadr_core.messages.declare import At, Part, Payload
from oadr_core.messages.durations import Duration
from oadr_core.messages.enums import ReadingType, ReportName, ReportType
from oadr_core.messages.targets import Target
from oadr_core.messages.units import ITEM_BASE, GreenButtonDescription, Measurement


class SamplingRate(Part, frozen=True, kw_only=True):
    """How often a data point can be read.

    :param min_period: the shortest spacing.
    :param max_period: the longest spacing; not beyond the report's duration (rule 312).
    :param on_change: whether it can be reported when it changes.
    """

    __schema_type__ = "oadr:oadrSamplingRateType"

    min_period: Annotated[Duration, At("oadr:oadrMinPeriod~")]
    max_period: Annotated[Duration, At("oadr:oadrMaxPeriod~")]
    on_change: Annotated[bool, At("oadr:oadrOnChange~")] = False


class ReportDescription(Part, frozen=True, kw_only=True):
    """A data point that can be reported (rules 305 to 308 and 331).

    :param r_id: unique within the report specifier.
    :param report_subject: the device classes it is about, and nothing else (rule 307).
    :param report_data_source: where the data come from (rule 302).
    :param report_type: one of :class:`~oadr_core.messages.enums.ReportType`, or an ``x-`` text.
    :param measurement: the unit of the values; none for a status.
    :param reading_type: one of :class:`~oadr_core.messages.enums.ReadingType`, or an ``x-`` text.
    :param market_context: the program it belongs to.
    :param sampling_rate: how often it can be read; required for telemetry (rule 333).
    """

    __schema_type__ = "oadr:oadrReportDescriptionType"

    r_id: Annotated[str, At("ei:rID")]
    report_subject: Annotated[Target | None, At("ei:reportSubject?")] = None
    report_data_source: Annotated[Target | None, At("ei:reportDataSource?")] = None
    report_type: Annotated[str, At("ei:reportType", ReportType)]
    measurement: Annotated[Measurement | GreenButtonDescription | None, At("emix:itemBase?", ITEM_BASE)] = None
    reading_type: Annotated[str, At("ei:readingType", ReadingType)]
    market_context: Annotated[str | None, At("emix:marketContext?", MARKET_CONTEXT)] = None
    sampling_rate: Annotated[SamplingRate | None, At("oadr:oadrSamplingRate?")] = None


class Report(Part, frozen=True, kw_only=True):
    """A report: an offer in oadrRegisterReport, data in oadrUpdateReport.

    :param dtstart: in data, the start of the first interval (rule 314).
    :param duration: in an offer, how much data is kept (rule 312).
    :param intervals: the data.
    :param report_id: unused, ignored (rule 339).
    :param report_descriptions: in an offer, the data points.
    :param report_request_id: in data, the request that is answered; ``0`` in an offer (rule 311).
    :param report_specifier_id: the offer.
    :param report_name: one of :class:`~oadr_core.messages.enums.ReportName`, or an ``x-`` text.
    :param created_date_time: when it was made.
    """

    __schema_type__ = "oadr:oadrReportType"

    dtstart: Annotated[datetime | None, At("xcal:dtstart?", DATE_TIME_PROPERTY)] = None
    duration: Annotated[Duration | None, At("xcal:duration?", DURATION_PROPERTY)] = None
    intervals: Annotated[tuple[Interval, ...], At("strm:intervals?/ei:interval+")] = ()
    report_id: Annotated[str | None, At("ei:eiReportID?")] = None
    report_descriptions: Annotated[tuple[ReportDescription, ...], At("oadr:oadrReportDescription*")] = ()
    report_request_id: Annotated[str, At("ei:reportRequestID")]
    report_specifier_id: Annotated[str, At("ei:reportSpecifierID")]
    report_name: Annotated[str | None, At("ei:reportName?", ReportName)] = None
    created_date_time: Annotated[datetime, At("ei:createdDateTime")]


class SpecifierPayload(Part, frozen=True, kw_only=True):
    """A data point that is asked for.

    :param r_id: the data point.
    :param measurement: must be absent (rule 321).
    :param reading_type: always ``x-notApplicable`` (rule 338).
    """

    __schema_type__ = "ei:SpecifierPayloadType"

    r_id: Annotated[str, At("ei:rID")]
    measurement: Annotated[Measurement | GreenButtonDescription | None, At("emix:itemBase?", ITEM_BASE)] = None
    reading_type: Annotated[str, At("ei:readingType", ReadingType)] = ReadingType.X_NOT_APPLICABLE


class ReportInterval(CalendarProperties, frozen=True, kw_only=True):
    """The stretch of time that a report is asked for (rules 325 and 341)."""

    __schema_type__ = "xcal:WsCalendarIntervalType"


class ReportSpecifier(Part, frozen=True, kw_only=True):
    """What a report request asks for (rules 317, 324 and 325).

    :param report_specifier_id: the offer, or ``METADATA``.
    :param granularity: the spacing of the values; 0 on change, or for history as recorded.
    :param report_back_duration: how often to report; 0 once.
    :param report_interval: from when on, and for how long.
    :param specifier_payloads: the data points.
    """

    __schema_type__ = "ei:ReportSpecifierType"

    report_specifier_id: Annotated[str, At("ei:reportSpecifierID")]
    granularity: Annotated[Duration, At("xcal:granularity", DURATION_PROPERTY)]
    report_back_duration: Annotated[Duration, At("ei:reportBackDuration~", DURATION_PROPERTY)]
    report_interval: Annotated[ReportInterval | None, At("ei:reportInterval~?")] = None
    specifier_payloads: Annotated[tuple[SpecifierPayload, ...], At("ei:specifierPayload+")]


class ReportRequest(Part, frozen=True, kw_only=True):
    """A request for a report.

    :param report_request_id: made by the requester, unique between the two (rule 322).
    :param report_specifier: what is asked for.
    """

    __schema_type__ = "oadr:oadrReportRequestType"

    report_request_id: Annotated[str, At("ei:reportRequestID")]
    report_specifier: Annotated[ReportSpecifier, At("ei:reportSpecifier")]


class RegisterReport(Payload, frozen=True, kw_only=True):
    """A party says all that it can report (rules 301, 305 and 306).

    :param reports: the offers; none where there is nothing to report.
    :param report_request_id: only in answer to a request for metadata (rule 311).
    """

    __element__ = "oadr:oadrRegisterReport"
    __schema_type__ = "oadr:oadrRegisterReportType"

    request_id: Annotated[str, At("pyld:requestID", forgiven="")]
    reports: Annotated[tuple[Report, ...], At("oadr:oadrReport*")] = ()
    ven_id: Annotated[str | None, At("ei:venID?")] = None
    report_request_id: Annotated[str | None, At("ei:reportRequestID?")] = None


class RegisteredReport(Payload, frozen=True, kw_only=True):
    """The answer to oadrRegisterReport, with the reports that are wanted at once (rule 344)."""

    __element__ = "oadr:oadrRegisteredReport"
    __schema_type__ = "oadr:oadrRegisteredReportType"

    response: Annotated[EiResponse, At("ei:eiResponse")]
    report_requests: Annotated[tuple[ReportRequest, ...], At("oadr:oadrReportRequest*")] = ()
    ven_id: Annotated[str | None, At("ei:venID?")] = None


class CreateReport(Payload, frozen=True, kw_only=True):
    """A party asks for reports."""

    __element__ = "oadr:oadrCreateReport"
    __schema_type__ = "oadr:oadrCreateReportType"

    request_id: Annotated[str, At("pyld:requestID", forgiven="")]
    report_requests: Annotated[tuple[ReportRequest, ...], At("oadr:oadrReportRequest+")]
    ven_id: Annotated[str | None, At("ei:venID?")] = None


class CreatedReport(Payload, frozen=True, kw_only=True):
    """The answer to a request for reports.

    :param pending_reports: the ids of all reports that are still to come, asked for now or before (rule 329).
    """

    __element__ = "oadr:oadrCreatedReport"
    __schema_type__ = "oadr:oadrCreatedReportType"

    response: Annotated[EiResponse, At("ei:eiResponse")]
    pending_reports: Annotated[tuple[str, ...], At("oadr:oadrPendingReports/ei:reportRequestID*", forgiven=())] = ()
    ven_id: Annotated[str | None, At("ei:venID?")] = None


class UpdateReport(Payload, frozen=True, kw_only=True):
    """A party delivers reports (rules 313 to 318)."""

    __element__ = "oadr:oadrUpdateReport"
    __schema_type__ = "oadr:oadrUpdateReportType"

    request_id: Annotated[str, At("pyld:requestID", forgiven="")]
    reports: Annotated[tuple[Report, ...], At("oadr:oadrReport*")] = ()
    ven_id: Annotated[str | None, At("ei:venID?")] = None


class CancelReport(Payload, frozen=True, kw_only=True):
    """A party wants no more of some reports.

    :param report_request_id: the requests that end.
    :param report_to_follow: whether one last report is to be sent (rule 345).
    """

    __element__ = "oadr:oadrCancelReport"
    __schema_type__ = "oadr:oadrCancelReportType"

    request_id: Annotated[str, At("pyld:requestID", forgiven="")]
    report_request_id: Annotated[tuple[str, ...], At("ei:reportRequestID+")]
    report_to_follow: Annotated[bool, At("pyld:reportToFollow", forgiven=False)] = False
    ven_id: Annotated[str | None, At("ei:venID?")] = None


class UpdatedReport(Payload, frozen=True, kw_only=True):
    """The answer to oadrUpdateReport; it may end reports that were just delivered (rules 328 and 335)."""

    __element__ = "oadr:oadrUpdatedReport"
    __schema_type__ = "oadr:oadrUpdatedReportType"

    response: Annotated[EiResponse, At("ei:eiResponse")]
    cancel_report: Annotated[CancelReport | None, At("oadr:oadrCancelReport?")] = None
    ven_id: Annotated[str | None, At("ei:venID?")] = None


class CanceledReport(Payload, frozen=True, kw_only=True):
    """The answer to oadrCancelReport.

    :param pending_reports: the ids of all reports that are still to come (rule 329).
    """

    __element__ = "oadr:oadrCanceledReport"
    __schema_type__ = "oadr:oadrCanceledReportType"

    response: Annotated[EiResponse, At("ei:eiResponse")]
    pending_reports: Annotated[tuple[str, ...], At("oadr:oadrPendingReports/ei:reportRequestID*", forgiven=())] = ()
    ven_id: Annotated[str | None, At("ei:venID?")] = None
