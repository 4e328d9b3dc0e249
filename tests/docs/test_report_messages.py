"""The messages of reports that the documentation shows are right, and there is one of each kind."""

from typing import Final

import pytest

from oadr_app.inspecting import inspect
from oadr_core import RegisterReport, ReportPayload, UpdateReport, read
from tests.conftest import ROOT
from tests.docs.test_docs import blocks

MESSAGES: Final = blocks((ROOT / "docs" / "report-messages.md").read_text(), "xml")
KINDS: Final = ("TELEMETRY_USAGE", "TELEMETRY_STATUS", "HISTORY_USAGE", "HISTORY_GREENBUTTON", "x-tank")


@pytest.mark.parametrize("shown", MESSAGES)
def test_the_schema_accepts_it_and_it_breaks_no_rule(shown: str) -> None:
    found = inspect(shown.encode())
    assert (found.verdict, found.refusal, found.findings) == ("valid", None, ())


def test_there_is_one_of_each_kind_and_every_data_point_of_it_is_offered() -> None:
    metadata, *data = [read(one.encode(), strict=True).message for one in MESSAGES]
    assert isinstance(metadata, RegisterReport)
    offered = {
        (one.report_specifier_id, one.report_name.removeprefix("METADATA_")): {
            point.r_id for point in one.report_descriptions
        }
        for one in metadata.reports
    }
    assert tuple(name for _, name in offered) == KINDS
    told = []
    for message in data:
        assert isinstance(message, UpdateReport)
        (report,) = message.reports
        told.append(report.report_name)
        payloads = [one for interval in report.intervals for one in interval.payloads]
        points = {one.r_id for one in payloads if isinstance(one, ReportPayload)}
        assert points <= offered[report.report_specifier_id, report.report_name]
    assert tuple(told) == KINDS
