"""What is printed for people."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import RenderableType

from oadr_app import event_views, ven_views
from oadr_app.demo_views import news
from oadr_app.terminal import console
from oadr_app.texts import local, sparkline


def printed(shown: RenderableType) -> str:
    """What stands on the screen."""
    screen = console(width=120)
    with screen.capture() as capture:
        screen.print(shown)
    return capture.get()


def ven(**details: Any) -> dict[str, Any]:
    """A VEN as the VTN tells of it."""
    told = {"ven_id": "7", "name": "bakery", "online": True, "transport": "simpleHttp pull"}
    return {**told, "reports": 1, "readings": 4, "queued": 0, "group_ids": [], **details}


def event(**details: Any) -> dict[str, Any]:
    """An event as the VTN tells of it."""
    told = {
        "event_id": "e",
        "status": "active",
        "dtstart": "2026-11-20T12:00:00Z",
        "end": None,
        "signals": ["SIMPLE 1"],
    }
    return {**told, "vens_told": 3, "opt_in": 1, "opt_out": 1, "silent": 1, **details}


def test_a_vens_name_can_neither_style_nor_command_the_terminal() -> None:
    text = printed(ven_views.vens([ven(name="[red]x[/red] [/]\x9b2Jy")]))
    assert "[red]x[/red] [/]\N{REPLACEMENT CHARACTER}2Jy" in text
    text = printed(event_views.events([event(event_id="[bold]\x1b]0;x")]))
    assert "[bold]\N{REPLACEMENT CHARACTER}]0;x" in text


def test_that_a_certificate_is_renewed_is_shown_where_one_is() -> None:
    assert "certificate" not in printed(ven_views.vens([ven()]))
    announced = {"fingerprint": "AB:5E:12:00:C4:98:31:7F:0D:66", "until": None}
    text = printed(ven_views.vens([ven(), ven(name="mill", renewal=announced)]))
    assert ["is renewed" in line for line in text.splitlines()] == [False, False, True]
    text = printed(ven_views.certificate({"ven_id": "7", "fingerprint": "00:11", "renewal": announced}))
    assert text.startswith("7 is known by 00:11, and by AB:5E:12:00:C4:98:31:7F:0D:66 as well until it has shown that")


def test_who_has_not_answered_is_counted_where_an_answer_is_wanted() -> None:
    assert printed(event_views.events([event()])).splitlines()[1].split()[-3:] == ["1", "1", "1"]
    assert printed(event_views.events([event(silent=0)])).splitlines()[1].split()[-3:] == ["1", "1", "0"]
    assert " never " in printed(event_views.events([event()]))


def test_where_there_is_nothing_that_is_said() -> None:
    assert printed(ven_views.vens([])) == "no VEN is registered\n"
    assert "there is no such event" in printed(event_views.events([]))


def test_values_are_drawn_from_nothing_to_their_highest() -> None:
    assert sparkline([0.0, 5.0, 10.0]) == "▁▄█"
    assert sparkline([-1.0, 0.0]) == "▁▁"
    assert sparkline([]) == ""
    assert len(sparkline([1.0] * 50, 20)) == 20


def test_times_of_today_need_no_date() -> None:
    now = datetime.now(UTC)
    assert len(local(now.isoformat())) == len("12:00:00")
    assert len(local((now - timedelta(days=2)).isoformat())) == len("2026-11-20 12:00:00")
    assert local(None) == "–"


def test_an_answer_with_an_error_shows_its_code() -> None:
    assert str(event_views.opt({"opt": "optOut", "code": 469})) == "✗ opts out (469)"
    assert str(event_views.opt({"opt": "optIn", "code": 200})) == "✓ opts in"
    assert str(event_views.opt({"opt": None, "state": "told"})) == "… was told"
    assert str(event_views.opt({"state": "absent"})) == "– not registered"


def test_news_are_told_in_sentences() -> None:
    answers = [{"ven_name": "bakery", "opt": "optIn"}, {"ven_name": "mill", "opt": None}]
    status = {"vens": [ven(), ven(name="mill", readings=0)], "events": [event(vens=answers)]}
    assert list(news(status)) == [
        "bakery is registered",
        "the first readings of bakery are stored",
        "mill is registered",
        "the event is active",
        "bakery answers the event with optIn",
    ]
