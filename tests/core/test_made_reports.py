"""Reports that were made are remembered, within bounds and over a restart, so that they can be sent again."""

from datetime import timedelta

import pytest

from oadr_core import Interval, LocalProtocolError, Now, Output, Report, ReportPayload, Save, StateError
from oadr_core.auto import made_reports
from oadr_core.auto.made_reports import MadeReports
from tests.core.kit import NOON

NOW = Now(0.0, NOON)
REQUEST = ("ven", "request")


def report(second: int, request_id: str = "request") -> Report:
    begin = NOON + timedelta(seconds=second)
    value = ReportPayload(r_id="load", value=float(second))
    return Report(
        dtstart=begin,
        intervals=(Interval(dtstart=begin, payloads=(value,)),),
        report_request_id=request_id,
        report_specifier_id="meter",
        report_name="TELEMETRY_USAGE",
        created_date_time=NOON,
    )


class Kept:
    """What was made, and what a store holds of it."""

    def __init__(self) -> None:
        self.saved: dict[str, bytes] = {}
        self.made = MadeReports(self.keep, {})

    def keep(self, one: Output) -> None:
        assert isinstance(one, Save)
        if one.blob is None:
            del self.saved[one.key]
        else:
            self.saved[one.key] = one.blob

    def restart(self) -> None:
        self.made = MadeReports(self.keep, dict(self.saved))

    def remembers(self, second: int) -> bool:
        try:
            found = self.made.corrected(REQUEST, None, NOON + timedelta(seconds=second), NOW)
        except LocalProtocolError:
            return False
        assert found == report(second)
        return True


@pytest.mark.rule(346)
def test_a_report_is_remembered_over_a_restart() -> None:
    kept = Kept()
    kept.made.put(REQUEST, report(1))
    kept.restart()
    kept.made.put(REQUEST, report(2))
    kept.restart()
    assert kept.remembers(1)
    assert kept.remembers(2)
    assert kept.made.corrected(REQUEST, {"load": 9.0}, None, NOW).dtstart == report(2).dtstart, "the last one"


def test_a_report_belongs_to_its_request_and_its_peer() -> None:
    kept = Kept()
    kept.made.put(REQUEST, report(1))
    kept.restart()
    for other in (("ven", "another"), ("another", "request")):
        with pytest.raises(LocalProtocolError, match=r"no report of .* is remembered; the last 100 are"):
            kept.made.corrected(other, None, None, NOW)


def test_the_oldest_are_forgotten_beyond_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_reports, "_REMEMBERED", 3)
    kept = Kept()
    for second in range(5):
        kept.made.put(REQUEST, report(second))
        kept.restart()
    assert [kept.remembers(second) for second in range(5)] == [False, False, True, True, True]
    assert len(kept.saved) == 3


def test_the_oldest_are_forgotten_beyond_a_size_and_the_last_never(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    kept.made.put(REQUEST, report(0))
    size = len(next(iter(kept.saved.values())))
    monkeypatch.setattr(made_reports, "_MOST_BYTES", size * 2)
    for second in range(1, 5):
        kept.made.put(REQUEST, report(second))
        kept.restart()
    assert [kept.remembers(second) for second in range(5)] == [False, False, False, True, True]
    monkeypatch.setattr(made_reports, "_MOST_BYTES", 1)
    kept.made.put(REQUEST, report(9))
    assert kept.remembers(9)
    assert len(kept.saved) == 1


def test_a_damaged_report_is_told_of() -> None:
    with pytest.raises(StateError):
        MadeReports(list[Output]().append, {"made/000000000001": b"{}"})
