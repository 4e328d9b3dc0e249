"""Tracebacks in the log: what a peer has said forges no line, commands no terminal, and the exception stays whole."""

import io
import logging
from collections.abc import Iterator
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_driver.logs import logger, traced
from tests.http.test_attacks import said
from tests.http.test_tls import registering
from tests.http.watch import vtn

FORGED = "no such VEN\n2026-11-20 12:00:00 WARNING all is well\x1b[2J\u202e\rback"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What an ordinary handler of logs writes."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("LINE %(levelname)s %(message)s"))
    root = logging.getLogger("oadr")
    root.addHandler(handler)
    yield text
    root.removeHandler(handler)


def failing(text: str) -> BaseException:
    """An exception that was raised about a text, and for another one."""

    def fail() -> NoReturn:
        try:
            raise LookupError(text)
        except LookupError as error:
            raise ValueError(f"cannot use {text}") from error

    with pytest.raises(ValueError, match="cannot use") as caught:
        fail()
    return caught.value


@pytest.mark.anyio
async def test_a_handler_that_raises_about_what_a_peer_has_said_forges_no_line(written: io.StringIO) -> None:
    there = vtn()

    def on_create_party_registration(registration_info: dict[str, object]) -> NoReturn:
        raise ValueError(f"cannot use {registration_info['ven_name']}")

    there.add_handler("on_create_party_registration", on_create_party_registration)
    async with there.running():
        await said(there, registering(FORGED.replace("\x1b", "").replace("\r", "")), "EiRegisterParty")
    text = written.getvalue()
    assert "the handler on_create_party_registration failed" in text
    assert "in on_create_party_registration" in text, "where it was is told"
    assert "all is well" in text
    lines = text.rstrip("\n").split("\n")
    assert all(line.startswith(("LINE ", "  | ")) and line.isprintable() for line in lines)


@given(st.text())
def test_whatever_an_exception_says_each_line_of_it_has_its_margin_and_nothing_but_signs(text: str) -> None:
    lines = traced(failing(text)).split("\n")
    assert all(line.startswith("  | ") and line.isprintable() for line in lines)
    assert "ValueError" in "\n".join(lines)


def test_an_exception_of_many_lines_is_told_in_so_many() -> None:
    lines = traced(failing("x\n" * 100_000)).split("\n")
    assert len(lines) == 1001
    assert any("lines" in line and "…" in line for line in lines)


def test_the_exception_itself_stays_with_the_record_for_those_who_collect_them() -> None:
    records: list[logging.LogRecord] = []
    log = logger("oadr.test")
    assert logger("oadr.test") is log
    assert len(log.filters) == 1
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    log.addHandler(handler)
    try:
        log.error("it failed", exc_info=failing(FORGED))
    finally:
        log.removeHandler(handler)
    (record,) = records
    assert record.exc_info is not None
    assert FORGED in str(record.exc_info[1])
    assert record.exc_text is not None
    assert "\x1b" not in record.exc_text
