"""Simple values to text and back.

For each family of :class:`~oadr_core.messages.declare.Scalar` there is a converter with four jobs: ``read`` takes text
that the schema has accepted, ``forgive`` takes what a liberal receiver accepts beyond it and says what it forgave
(docs/leniency.md), ``write`` makes the text that we send, and ``problem`` says what is wrong with a value that a
user gave.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

import msgspec

from oadr_core.messages.declare import Scalar, enumeration_of
from oadr_core.messages.durations import CalendarDuration, Duration

Forgive = Callable[[str], None]
"""Takes a sentence about what was forgiven."""


@dataclass(frozen=True)
class Converter:
    """How a simple type is read and written.

    :param read: valid text to value.
    :param forgive: any text to value, telling what was forgiven; raises ValueError where nothing can be made of it.
    :param write: value to text, not yet escaped.
    :param problem: what is wrong with a value, or None.
    :param escape: whether the written text may hold characters that XML reserves.
    """

    read: Callable[[str], Any]
    forgive: Callable[[str, Forgive], Any]
    write: Callable[[Any], str]
    problem: Callable[[Any], str | None]
    escape: bool = False


# --- strings ---------------------------------------------------------------------------------------------------------

_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RESERVED: Final = re.compile("[&<>\r]|[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


def escape(text: str) -> str:
    """Make text fit to stand between two tags.

    :raises ValueError: the text holds a character that XML cannot carry.
    """
    if _RESERVED.search(text) is None:
        return text
    return _RESERVED.sub(_escape_one, text)


def _escape_one(match: re.Match[str]) -> str:
    try:
        return _ESCAPES[match[0]]
    except KeyError:
        raise ValueError(f"the character U+{ord(match[0]):04X} cannot be sent in XML") from None


def _string_problem(value: Any) -> str | None:
    if not isinstance(value, str):
        return f"must be text, not {_a(value)}"
    bad = _NOT_IN_XML.search(value)
    return f"holds the character U+{ord(bad[0]):04X}, which XML cannot carry" if bad else None


def collapse(text: str) -> str:
    """Take surrounding blanks away and fold inner ones, as the schema does for tokens, numbers and URIs."""
    return " ".join(text.split())


_STRING: Final = Converter(str, lambda text, forgive: text, str, _string_problem, escape=True)
_URI: Final = Converter(collapse, lambda text, forgive: collapse(text), str, _string_problem, escape=True)


# --- numbers and booleans --------------------------------------------------------------------------------------------

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


def read_boolean(text: str) -> bool:
    """Read ``true``, ``false``, ``1`` or ``0``."""
    value = _BOOLEANS.get(text)
    return _BOOLEANS[text.strip()] if value is None else value


def _forgive_boolean(text: str, forgive: Forgive) -> bool:
    value = _BOOLEANS.get(text.strip().lower())
    if value is None:
        raise ValueError(f"{text!r} is neither true nor false")
    if text.strip() not in _BOOLEANS:
        forgive(f"{text!r} for a boolean")
    return value


def _forgive_integer(text: str, forgive: Forgive) -> int:
    if not re.fullmatch(r"\s*[+-]?\d{1,18}(\.0*)?\s*", text, re.ASCII):
        raise ValueError(f"{text!r} is no whole number")
    value = int(float(text)) if "." in text else int(text)
    if value < 0 or value > _MAX_UNSIGNED_INT:
        raise ValueError(f"{value} is not between 0 and {_MAX_UNSIGNED_INT}")
    return value


_MAX_UNSIGNED_INT: Final = 2**32 - 1


def _integer_problem(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return f"must be a whole number, not {_a(value)}"
    return None if 0 <= value <= _MAX_UNSIGNED_INT else f"is {value}, not between 0 and {_MAX_UNSIGNED_INT}"


def _forgive_float(text: str, forgive: Forgive) -> float:
    if not re.fullmatch(r"\s*([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?|-?INF|NaN)\s*", text, re.ASCII):
        raise ValueError(f"{text[:40]!r} is no number")
    return float(text)


def write_float(value: float) -> str:
    """Write a number as xs:float; the rules keep the two infinities and NaN from being sent (decision D49)."""
    text = repr(float(value))
    if text[-1] in "fn":
        return "NaN" if value != value else "INF" if value > 0 else "-INF"
    return text


def _number_problem(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"must be a number, not {_a(value)}"
    return None


def _write_decimal(value: float) -> str:
    return format(Decimal(repr(value)), "f")


def _decimal_problem(value: Any) -> str | None:
    return _number_problem(value) or (None if math.isfinite(value) else "must be a finite number")


# --- instants --------------------------------------------------------------------------------------------------------

_INSTANT: Final = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d*))?\s*([Zz]|[+-]\d\d:?\d\d)?\s*", re.ASCII
)


def read_instant(text: str) -> datetime:
    """Read a date and time; without a zone it is UTC (rule 1, decision D50)."""
    if len(text) == 20:  # 2026-11-20T12:00:00Z, what nearly everybody sends
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    return _instant(text, lambda what: None)


def _instant(text: str, forgive: Forgive) -> datetime:
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no date and time such as 2026-11-20T12:00:00Z")
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    fraction, zone = match[7] or "", match[8] or ""
    if zone != "Z":
        forgive(f"a time {f'with the zone {zone}' if zone else 'without Z'}")
    midnight = (hour, minute, second) == (24, 0, 0)  # the end of the day, which xs:dateTime may call hour 24
    try:
        instant = datetime(
            year, month, day, 0 if midnight else hour, minute, second, int(fraction[:6].ljust(6, "0") or 0), _zone(zone)
        )
        return (instant + timedelta(days=1) if midnight else instant).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text[:40]!r} lies outside the years 1 to 9999") from None


def _zone(text: str) -> timezone:
    if text in ("", "Z", "z"):
        return UTC
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:])))


def write_instant(value: datetime) -> str:
    """Write an instant as ``2026-11-20T12:00:00Z``, without a fraction (rule 1).

    :raises ValueError: the instant has no time zone.
    """
    text: str = msgspec.to_builtins(value)  # eight times as fast as isoformat()
    if len(text) == 20 and text[19] == "Z":
        return text
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value.astimezone(UTC).isoformat("T", "seconds")[:19] + "Z"


def _instant_problem(value: Any) -> str | None:
    if not isinstance(value, datetime):
        return f"must be a datetime, not {_a(value)}"
    return None if value.tzinfo else "has no time zone; use datetime.now(timezone.utc) or .astimezone()"


# --- durations -------------------------------------------------------------------------------------------------------

_DURATION: Final = re.compile(
    r"\s*([+-]?)[Pp](?:(\d+)[Yy])?(?:(\d+)[Mm])?(?:(\d+)[Ww])?(?:(\d+)[Dd])?"
    r"(?:[Tt]?(?:(\d+)[Hh])?(?:(\d+)[Mm])?(?:(\d+)(?:[.,](\d+))?[Ss])?)\s*",
    re.ASCII,
)
_WEEKS: Final = re.compile(r"\s*([+-]?)[Pp]?(\d+)[Ww]\s*", re.ASCII)


def read_duration(text: str) -> Duration:
    """Read a duration that the schema has accepted."""
    return _duration(text, lambda what: None)


def _duration(text: str, forgive: Forgive) -> Duration:
    weeks = _WEEKS.fullmatch(text)
    if weeks:
        sign = -1 if weeks[1] == "-" else 1
        return _timedelta(text, days=sign * 7 * _bounded(weeks[2]))
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no duration such as PT1H30M")
    sign = -1 if match[1] == "-" else 1
    years, months, weeks_, days, hours, minutes, seconds = (sign * _bounded(group) for group in match.groups()[1:8])
    if match[9]:
        forgive(f"a fraction of a second in {text!r}, which is dropped")
    if text.upper().lstrip("+-") in ("P", "PT"):
        forgive(f"{text!r} for no time at all")
    rest = _timedelta(text, days=days + 7 * weeks_, hours=hours, minutes=minutes, seconds=seconds)
    return CalendarDuration(months=12 * years + months, rest=rest) if years or months else rest


def _bounded(digits: str | None) -> int:
    return int((digits or "0")[:15])


def _timedelta(text: str, **parts: int) -> timedelta:
    try:
        return timedelta(**parts)
    except OverflowError:
        raise ValueError(f"{text[:40]!r} is longer than can be told") from None


def write_duration(value: Duration) -> str:
    """Write a duration as ``PnDTnHnMnS``, and no time at all as ``PT0S`` (decision D45)."""
    months = 0
    if isinstance(value, CalendarDuration):
        months, value = value.months, value.rest
    seconds = value.days * 86400 + value.seconds
    sign = "-" if seconds < 0 or months < 0 else ""
    months, seconds = abs(months), abs(seconds)
    days, seconds = divmod(seconds, 86400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    date = "".join(f"{number}{letter}" for number, letter in ((months, "M"), (days, "D")) if number)
    time = "".join(f"{number}{letter}" for number, letter in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number)
    if not date and not time:
        return "PT0S"
    return f"{sign}P{date}{'T' if time else ''}{time}"


def _duration_problem(value: Any) -> str | None:
    months, rest = 0, value
    if isinstance(value, CalendarDuration):
        months, rest = value.months, value.rest
    if not isinstance(rest, timedelta):
        return f"must be a timedelta, not {_a(value)}"
    if rest.microseconds:
        return f"is {rest}; OpenADR knows whole seconds only (rule 1)"
    if months and rest and (months > 0) != (rest > timedelta(0)):
        return "adds months and takes days, which cannot be written as one duration"
    return None


# --- tokens ----------------------------------------------------------------------------------------------------------


def _token(scalar: Scalar) -> Converter:
    """Closed lists give members of their enumeration, extensible ones plain strings."""
    collapses = scalar.base == "xs:token"
    members: Mapping[str, str] = {text: text for text in scalar.values}
    if scalar.extended_type is None:
        members = {member.value: member for member in enumeration_of(scalar)}
    folded = {text.lower(): member for text, member in members.items()}

    def read(text: str) -> str:
        member = members.get(text)
        if member is not None:
            return member
        text = collapse(text) if collapses else text
        return members.get(text, text)

    def forgive(text: str, tell: Forgive) -> str:
        plain = collapse(text)
        member = members.get(plain) or folded.get(plain.lower()) or folded.get(_SPELLINGS.get(plain.lower(), ""))
        if member is not None:
            if text not in members:
                tell(f"{text!r} for {str(member)!r}")
            return member
        if scalar.extended_type is None:
            raise ValueError(f"{text[:40]!r} is none of {', '.join(scalar.values)}")
        if not plain.startswith("x-"):
            tell(f"{plain!r}, which is neither listed nor an x- extension")
        return plain

    def problem(value: Any) -> str | None:
        if not isinstance(value, str):
            return f"must be text, not {_a(value)}"
        if value in scalar.values or (scalar.extended_type and re.fullmatch(r"x-\S.*", value)):
            return _string_problem(value)
        more = " or begin with x-" if scalar.extended_type else ""
        few = ", ".join(scalar.values[:24]) + (", …" if len(scalar.values) > 24 else "")
        return f"is {value!r}; it must be one of {few}{more}"

    return Converter(read, forgive, str, problem, escape=scalar.extended_type is not None)


_SPELLINGS: Final = {"canceled": "cancelled"}
"""Spellings that peers use for a listed text."""


def _forgive_code(text: str, forgive: Forgive) -> int:
    if re.fullmatch(r"[0-9]{3}", text.strip(), re.ASCII):
        return int(text)
    forgive(f"the response code {text[:40]!r}, which counts as a failure")
    return 500  # decision D12


def _code_problem(value: Any) -> str | None:
    problem = _integer_problem(value)
    return problem or (None if value <= 999 else f"is {value}, which has more than three digits")


_CONVERTERS: Final[Mapping[str, Converter]] = {
    "string": _STRING,
    "identifier": _STRING,
    "doubles": _STRING,
    "uri": _URI,
    "boolean": Converter(
        read_boolean,
        _forgive_boolean,
        lambda value: "true" if value else "false",
        lambda value: None if isinstance(value, bool) else f"must be True or False, not {_a(value)}",
    ),
    "integer": Converter(int, _forgive_integer, str, _integer_problem),
    "float": Converter(float, _forgive_float, write_float, _number_problem),
    "decimal": Converter(float, _forgive_float, _write_decimal, _decimal_problem),
    "instant": Converter(read_instant, _instant, write_instant, _instant_problem),
    "duration": Converter(read_duration, _duration, write_duration, _duration_problem),
    "code": Converter(int, _forgive_code, lambda value: f"{value:03d}", _code_problem),
}


def converter(scalar: Scalar) -> Converter:
    """Find the converter of a simple type."""
    return _token(scalar) if scalar.family == "token" else _CONVERTERS[scalar.family]


def _a(value: Any) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
