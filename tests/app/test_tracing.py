"""Traces in files."""

import logging
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from oadr_app.tracing import TraceFile, is_trace, read_trace
from oadr_core import RecordedExchange, Role, Service

EXCHANGE = RecordedExchange(
    time=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
    requester=Role.VEN,
    transport="simpleHttp",
    peer="",
    service=Service.OADR_POLL,
    request="<a>\n</a>",
    answer=None,
    failure="silence",
)


def test_a_trace_is_added_to_what_is_there_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    for _ in range(2):
        trace = TraceFile(path)
        trace(EXCHANGE)
        trace(EXCHANGE)
        trace.close()
    assert read_trace(path.read_bytes()) == [EXCHANGE] * 4
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_written_is_there_at_once(tmp_path: Path) -> None:
    trace = TraceFile(tmp_path / "trace.jsonl")
    trace(EXCHANGE)
    assert read_trace((tmp_path / "trace.jsonl").read_bytes()) == [EXCHANGE]
    trace.close()


def test_a_trace_that_cannot_be_written_ends_and_nothing_else_does(caplog: pytest.LogCaptureFixture) -> None:
    trace = TraceFile(Path("/dev/full"))
    with caplog.at_level(logging.ERROR, "oadr.trace"):
        trace(EXCHANGE)
        trace(EXCHANGE)
    assert [one.getMessage() for one in caplog.records] == ["the trace /dev/full ends here: No space left on device"]
    trace.close()


def test_a_line_that_is_no_exchange_is_named() -> None:
    with pytest.raises(ValueError, match=r"^line 3: "):
        read_trace(EXCHANGE.dump() + b"\n{}\n")


def test_a_trace_is_told_from_a_message() -> None:
    assert is_trace(EXCHANGE.dump())
    assert is_trace(b"\n  {")
    assert not is_trace(b"<oadrPayload/>")
    assert not is_trace(b"")
