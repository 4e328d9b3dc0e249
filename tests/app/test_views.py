"""What is printed for people."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console, RenderableType

from oadr_app import views
from oadr_app.demo_views import news


def printed(shown: RenderableType) -> str:
    """What stands on the screen."""
    console = Console(width=120, markup=False)
    with console.capture() as capture:
        console.print(shown)
    return capture.get()


def ven(**details: Any) -> dict[str, Any]:
    """A VEN as the VTN tells of it."""
    told = {"ven_id": "7", "name": "bakery", "online": True, "transport": "simpleHttp pull"}
    return {**told, "reports": 1, "readings": 4, "queued": 0, **details}


def event(**details: Any) -> dict[str, Any]:
    """An event as the VTN tells of it."""
    told = {
        "event_id": "e",
        "status": "active",
        "dtstart": "2026-11-20T12:00:00Z",
        "end": None,
        "signals": ["SIMPLE 1"],
    }
    return {**told, "vens_told": 3, "opt_in": 1, "opt_out": 1, "answer_wanted": True, **details}


def test_a_vens_name_can_neither_style_nor_command_the_terminal() -> None:
    text = printed(views.vens([ven(name="[red]x[/red] [/]\x9b2Jy")]))
    assert "[red]x[/red] [/]\N{REPLACEMENT CHARACTER}2Jy" in text
    text = printed(views.events([event(event_id="[bold]\x1b]0;x")]))
    assert "[bold]\N{REPLACEMENT CHARACTER}]0;x" in text


def test_who_has_not_answered_is_counted_where_an_answer_is_wanted() -> None:
    assert printed(views.events([event()])).splitlines()[1].split()[-3:] == ["1", "1", "1"]
    assert printed(views.events([event(answer_wanted=False)])).splitlines()[1].split()[-3:] == ["1", "1", "0"]
    assert " never " in printed(views.events([event()]))


def test_where_there_is_nothing_that_is_said() -> None:
    assert printed(views.vens([])) == "no VEN is registered\n"
    assert "there is no event" in printed(views.events([]))


def test_values_are_drawn_from_nothing_to_their_highest() -> None:
    assert views.sparkline([0.0, 5.0, 10.0]) == "▁▄█"
    assert views.sparkline([-1.0, 0.0]) == "▁▁"
    assert views.sparkline([]) == ""
    assert len(views.sparkline([1.0] * 50, 20)) == 20


def test_times_of_today_need_no_date() -> None:
    now = datetime.now(UTC)
    assert len(views.local(now.isoformat())) == len("12:00:00")
    assert len(views.local((now - timedelta(days=2)).isoformat())) == len("2026-11-20 12:00:00")
    assert views.local(None) == "–"


def test_an_answer_with_an_error_shows_its_code() -> None:
    assert str(views.opt({"opt": "optOut", "code": 469})) == "✗ opts out (469)"
    assert str(views.opt({"opt": "optIn", "code": 200})) == "✓ opts in"
    assert str(views.opt({"opt": None, "state": "told"})) == "… was told"
    assert str(views.opt({})) == "not registered"


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
