"""EiReport at a VTN, as far as the application has a say in it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from oadr_core.clock import Now
from oadr_core.entropy import new_id
from oadr_core.messages import CancelReport, CreateReport, ProfileName, Report, ReportRequest, UpdateReport
from oadr_core.reports import Requester
from oadr_core.vtn.consequences import Consequences
from oadr_core.vtn.turn import Made, Offer


class ReportService(Consequences):
    """What the application can say about reports, in both directions (section 8.3 of the profile).

    What VENs ask for and deliver is decided in :mod:`oadr_core.vtn.reports`.
    """

    # --- what it asks of VENs ----------------------------------------------------------------------------------------

    def create_report(self, ven_id: str, requests: Sequence[ReportRequest], now: Now) -> None:
        """Ask a VEN for reports.

        :param ven_id: the VEN.
        :param requests: what is asked for; whatever reading types they have are left out (rule 338).
        :param now: the present.
        :raises LocalProtocolError: there is no such VEN, a request breaks a rule, or its id is in use.
        """
        record = self._known_ven(ven_id)
        ready = Requester(record).ready(requests)
        message = CreateReport(request_id=new_id(self._entropy), report_requests=ready, ven_id=ven_id)
        self._queue(record, message, now)

    def cancel_report(
        self, ven_id: str, report_request_ids: Sequence[str], now: Now, *, report_to_follow: bool = False
    ) -> None:
        """Ask a VEN for no more of some reports (rule 336)."""
        message = CancelReport(
            request_id=new_id(self._entropy),
            report_request_id=tuple(report_request_ids),
            report_to_follow=report_to_follow,
            ven_id=ven_id,
        )
        self._queue(self._known_ven(ven_id), message, now)

    # --- its own reports ---------------------------------------------------------------------------------------------

    @property
    def offers(self) -> tuple[Report, ...]:
        """What the VTN offers to report."""
        return self._shared.offers

    def offer_reports(self, reports: Sequence[Report], now: Now | None = None) -> None:
        """Change what the VTN offers to report; with that, what VENs have asked for ends (rule 306).

        :param reports: all that it offers, with ``METADATA_`` names.
        :param now: the present, where the VENs are to be told now; None before the start, which tells them.
        """
        self._shared = msgspec.structs.replace(self._shared, offers=tuple(reports))
        if now is not None:
            self._now = now
            for record in [one for one in self._records.values() if one.profile is ProfileName.V20B]:
                self._take(record, Offer(), None, now)

    def offer_to(self, ven_id: str, now: Now, *, report_request_id: str | None = None) -> None:
        """Tell one VEN what the VTN offers to report.

        :param ven_id: the VEN.
        :param now: the present.
        :param report_request_id: the request for metadata that this answers, if it answers one (rule 311).
        :raises LocalProtocolError: there is no such VEN, or it is one of 2.0a.
        """
        self._take(self._known_20b_ven(ven_id, "reports"), Offer(report_request_id), None, now)

    def report_made(
        self,
        ven_id: str,
        report_request_id: str,
        report: Report | None,
        now: Now,
        *,
        made: bool = True,
        last: bool = False,
        until: datetime | None = None,
    ) -> None:
        """Deliver a report that a VEN has asked for; it is kept until the VEN has it.

        :param ven_id: the VEN; nothing happens where it is registered no more.
        :param report_request_id: the request.
        :param report: the report; None where there is none, or where it was metadata.
        :param now: the present.
        :param made: whether there is one; else only its time is over.
        :param last: whether no further one will be made.
        :param until: up to when the reports of the request are made now, where a restart must not make them again.
        """
        record = self._records.get(ven_id)
        if record is not None:
            self._take(record, Made(report_request_id, report, made, last, until), None, now)

    def update_report(self, ven_id: str, reports: Sequence[Report], now: Now) -> None:
        """Deliver reports once more, as they were or corrected (rule 346); kept until the VEN has them.

        :param ven_id: the VEN.
        :param reports: the data, each with the request that it answers.
        :param now: the present.
        :raises LocalProtocolError: there is no such VEN, or it is one of 2.0a.
        """
        message = UpdateReport(request_id=new_id(self._entropy), reports=tuple(reports), ven_id=ven_id)
        self._queue(self._known_ven(ven_id), message, now)
