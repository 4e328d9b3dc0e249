"""Texts and times as a terminal can show them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from oadr_app.scales import wall_clock

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_INSTEAD: Final = {"\n": " ", "\t": " "}

_BARS: Final = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 30) -> str:
    """Draw values as a line of bars.

    :param values: what to draw; the last ``width`` of them are shown.
    :param width: how many bars there may be.
    """
    values = values[-width:]
    if not values:
        return ""
    high = max(max(values), 1e-9)
    return "".join(_BARS[min(int(max(one, 0.0) / high * 7.99), 7)] for one in values)


def clean(text: object) -> str:
    """A text of a peer's making in one line, without what would command the terminal or begin another row."""
    return "".join(one if one.isprintable() else _INSTEAD.get(one, _REPLACEMENT) for one in str(text))


def clean_lines(text: object) -> str:
    """A text that may have several lines, without what would command the terminal."""
    return "\n".join(map(clean, str(text).split("\n")))


def local(text: str | None) -> str:
    """A point in time as the clock on the wall shows it, without the date if it is today."""
    if text is None:
        return "–"
    moment = datetime.fromisoformat(text)
    form = "%Y-%m-%d"
    today = wall_clock(moment, form) == wall_clock(datetime.now(UTC), form)
    return wall_clock(moment, "%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
