"""Texts of others are texts: in documents, in lines of the log, on a terminal and in files for spreadsheets."""

import csv
import io
import random
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_app import event_views, inspecting, ven_views
from oadr_app.export import Form, export
from oadr_app.readings import Series, StoredSeries
from oadr_core import (
    CreatedOpt,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    Event,
    Now,
    Payload,
    Peer,
    PlainSealer,
    Poll,
    ProfileName,
    QueryRegistration,
    Reply,
    TransportName,
    Vtn,
    VtnConfig,
    decode,
    encode,
    log_line,
)
from oadr_core.answers import response_in
from oadr_core.outputs import HandlerFailed, OptTaken, PeerForgiven, PeerMisbehaved, VenRegistered
from tests.app.test_views import event, printed, ven
from tests.core.kit import NOON, create_opt, drained
from tests.rules.samples import but

NOW: Final = Now(0.0, NOON)

NASTY: Final = (
    "two\nlines",
    "2026-11-20 12:00:00 WARNING forged",
    "a\ttab",
    "\u0085next line",
    "\x9b2Jerased",
    "\u202eright to left",
    "\u2028separated",
    "\ufeffmarked",
    "\u200bnothing",
    "[red]styled[/red] [/]",
    ":AB: :smile:",
    "]]><x>&amp;</x><!--",
    "'\"%s%n{0}",
    "=HYPERLINK(1)",
)
"""What XML can carry and a name should not hold."""

texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=20),
).filter(lambda text: not any(ord(one) < 32 and one not in "\t\n" for one in text))


def lines_of(events: list[Event]) -> list[str]:
    """What is logged of some news."""
    found = [log_line(one) for one in events]
    return [one[1] for one in found if one is not None]


def creating(text: str) -> CreatePartyRegistration:
    """A registration full of a text."""
    return CreatePartyRegistration(
        request_id=text,
        profile_name=ProfileName.V20B,
        transport_name=TransportName.SIMPLE_HTTP,
        report_only=False,
        xml_signature=False,
        ven_id=text,
        ven_name=text,
        http_pull_model=True,
    )


def said(vtn: Vtn, message: Payload) -> tuple[Payload, list[Event]]:
    """What a VTN answers, read anew from its bytes, and what it tells."""
    vtn.receive_request(encode(message), peer=Peer(), service=None, now=NOW)
    outputs = drained(vtn, NOW)
    (reply,) = (one for one in outputs if isinstance(one, Reply))
    return decode(reply.render(NOW)), [one for one in outputs if isinstance(one, Event)]


@given(text=texts)
def test_what_a_ven_calls_itself_comes_back_as_it_was_and_no_line_of_the_log_holds_more_than_signs(text: str) -> None:
    vtn = Vtn(VtnConfig(vtn_id="Grid"), sealer=PlainSealer(), entropy=random.Random(0))
    vtn.start(NOW)
    answer, events = said(vtn, creating(text))
    assert isinstance(answer, CreatedPartyRegistration)
    assert (answer.ven_id, answer.response.request_id) == (text, text)
    assert list(vtn.vens) == [text]
    opt = but(create_opt(text), ven_id=text, request_id=text)
    answer, more = said(vtn, opt)
    assert isinstance(answer, CreatedOpt)
    assert answer.opt_id == text
    refused, still_more = said(vtn, Poll(ven_id=text + "other"))
    response = response_in(refused)
    assert response is not None
    assert response.response_code == 463
    lines = lines_of([*events, *more, *still_more])
    assert lines
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("text", NASTY)
def test_no_news_bring_a_line_break_or_a_command_into_the_log(text: str) -> None:
    news: list[Event] = [
        PeerMisbehaved(who=text, what=text, code=1),
        PeerForgiven(who=text, message_type=text, forgiven=(text,)),
        VenRegistered(ven_id=text, ven_name=text, again=False),
        OptTaken(ven_id=text, message=create_opt(text)),
        HandlerFailed(handler=text, error=text),
    ]
    assert all(line.isprintable() for line in lines_of(news))
    assert len(lines_of(news)) == len(news)


def controls(shown: str) -> list[str]:
    """What stands on a screen that is no sign."""
    return [one for one in shown if not one.isprintable() and one != "\n"]


@pytest.mark.parametrize("text", NASTY)
def test_no_text_of_a_peer_commands_the_terminal_or_styles_what_it_shows(text: str) -> None:
    vens = printed(ven_views.vens([ven(name=text, ven_id=text, group_ids=[text])]))
    events = printed(event_views.events([event(event_id=text, signals=[text])]))
    assert controls(vens) == controls(events) == []
    if text == "two\nlines":
        assert "two lines" in vens, "it begins no row of its own"
        assert "two lines" in events
    for one in ("[red]", ":AB:", ":smile:"):
        if one in text:
            assert one in vens
            assert one in events


@pytest.mark.parametrize("text", NASTY)
def test_inspecting_a_document_shows_its_texts_as_they_are_without_commands(text: str) -> None:
    for message in (creating(text), QueryRegistration(request_id=text), Poll(ven_id=text), create_opt(text)):
        found = inspecting.inspect(encode(message))
        assert controls(printed(inspecting.render(found, "a file"))) == []
        assert decode(encode(message)) == message
        assert inspecting.as_json(found).isascii() or controls(inspecting.as_json(found)) == []


class _Archive:
    """Holds one reading."""

    def chunks(self, *_: Any) -> Any:
        """The reading."""
        yield [(1_000_000, -1.5, "-bad", None, None, None)]


@pytest.mark.parametrize("text", [*NASTY, "+1", "-1", "@x", "\tx"])
def test_no_text_of_a_peer_is_a_formula_in_a_spreadsheet(text: str) -> None:
    series = Series(ven_id=text, specifier_id=text, r_id=text, ven_name=text, resource=text, unit=text)
    sink = io.StringIO(newline="")
    chosen: Any = [_stored(series)]
    export(_Archive(), chosen, sink, Form.CSV, advance=lambda number: None)  # type: ignore[arg-type]
    head, row = csv.reader(io.StringIO(sink.getvalue(), newline=""))
    told = dict(zip(head, row, strict=True))
    assert told["value"] == "-1.5", "a number is one"
    texts_told = [told[name] for name in ("ven", "ven_id", "report", "r_id", "resource", "unit", "quality")]
    assert not [one for one in texts_told if one.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert told["ven"].removeprefix("'") == text.removeprefix("'")


def _stored(series: Series) -> StoredSeries:
    """A series as the archive tells of it."""
    now = datetime.now(UTC)
    fields = dict.fromkeys(StoredSeries.__struct_fields__, 1)
    return StoredSeries(**{**fields, "series": series, **({"first": now, "last": now} if "first" in fields else {})})  # type: ignore[arg-type]
