"""Simple values to text and back.

For each family of :class:`~oadr_core.messages.declare.Scalar` there is a converter with four jobs: ``read`` takes text
that the schema has accepted, ``forgive`` takes what a liberal receiver accepts beyond it and says what it forgave
(docs/leniency.md), ``write`` makes the text that we send, and ``problem`` says what is wrong with a value that a
user gave.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final

import msgspec

from oadr_core.messages.declare import DURATION, Scalar, enumeration_of
from oadr_core.messages.durations import CalendarDuration, Duration
from oadr_core.wire.schema import admits

Tell = Callable[[str], None]
"""Takes a sentence about what was forgiven."""


@dataclass(frozen=True)
class Converter:
    """How a simple type is read and written.

    :param read: valid text to value.
    :param forgive: any text to value, telling what was forgiven; raises ValueError where nothing can be made of it.
    :param write: value to text, not yet escaped.
    :param problem: what is wrong with a value, or None.
    """

    read: Callable[[str], Any]
    forgive: Callable[[str, Tell], Any]
    write: Callable[[Any], str]
    problem: Callable[[Any], str | None]


@cache
def converter(scalar: Scalar) -> Converter:
    """Find the converter of a simple type."""
    make = _MAKERS.get(scalar.family)
    return _CONVERTERS[scalar.family] if make is None else make(scalar)


def _a(value: Any) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"


# --- texts -----------------------------------------------------------------------------------------------------------

_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RESERVED: Final = re.compile("[&<>\r]|[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_BLANKS: Final = re.compile("[ \t\n\r]+")


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


class Escaped(dict[str, str]):
    """Texts, made fit to stand between two tags, by what they were: ids and the like are written again and again.

    Remembers some thousands of short ones, so that a peer cannot fill it.
    """

    _most: Final = 4096
    _longest: Final = 64

    def __missing__(self, text: str) -> str:
        """Escape a text that is not remembered."""
        escaped = escape(text)
        if len(text) <= self._longest:
            if len(self) >= self._most:
                self.clear()
            self[text] = escaped
        return escaped


def collapse(text: str) -> str:
    """Take surrounding blanks away and fold inner ones, as the schema does for tokens, numbers and URIs.

    XML knows four blanks; others, such as the no-break space, are characters like any other.
    """
    return _BLANKS.sub(" ", text).strip(" ")


def _string_problem(value: Any) -> str | None:
    if not isinstance(value, str):
        return f"must be text, not {_a(value)}"
    bad = _NOT_IN_XML.search(value)
    return f"holds the character U+{ord(bad[0]):04X}, which XML cannot carry" if bad else None


_STRING: Final = Converter(str, lambda text, _tell: text, str, _string_problem)


def _judged(scalar: Scalar) -> Converter:
    """Texts with a syntax of their own, such as URIs: libxml2 knows it."""
    read = collapse if scalar.family == "uri" else str

    def forgive(text: str, tell: Tell) -> str:
        if not admits(scalar.name, text):
            tell(f"{text[:40]!r}, which is no {scalar.name}")
        return read(text)

    def problem(value: Any) -> str | None:
        wrong = _string_problem(value)
        if wrong is None and not (value == read(value) and admits(scalar.name, value)):
            wrong = f"is {value[:40]!r}, which is no {scalar.name}"
        return wrong

    return Converter(read, forgive, str, problem)


# --- tokens ----------------------------------------------------------------------------------------------------------

_EXTENSION: Final = re.compile(r"x-[^ \t\n\r][^\n\r]*")
_SPELLINGS: Final = {"canceled": "cancelled", "xmpp": "2.0b"}
"""Spellings that peers use for a listed text; avob's VEN gives the name of its transport as that of its profile."""


def _token(scalar: Scalar) -> Converter:
    """Closed lists give members of their enumeration, all others plain strings."""
    members: Mapping[str, str] = {text: text for text in scalar.values}
    if scalar.extended_type is None:
        members = {member.value: member for member in enumeration_of(scalar)}
    # a single letter may mean another power of ten in the other case
    folded = {text.lower(): member for text, member in reversed([*members.items()]) if len(text) > 1}

    def read(text: str) -> str:
        member = members.get(text)
        if member is not None:
            return member
        if scalar.base == "xs:token":
            text = collapse(text)
        return members.get(text, text)

    def is_extension(text: str) -> bool:
        return scalar.extended_type is not None and _EXTENSION.fullmatch(text) is not None

    def forgive(text: str, tell: Tell) -> str:
        valid = read(text)
        if valid in members or is_extension(valid):
            return valid
        plain = collapse(text)
        small = plain.lower()
        member = members.get(plain) or folded.get(small) or folded.get(_SPELLINGS.get(small, ""))
        if member is not None:
            tell(f"{text!r} for {str(member)!r}")
            return member
        if scalar.closed:
            raise ValueError(f"{plain[:40]!r} is none of {', '.join(scalar.values)}")
        tell(f"{plain!r}, which is not listed{' and no x- extension' if scalar.extended_type else ''}")
        return plain

    def problem(value: Any) -> str | None:
        wrong = _string_problem(value)
        if wrong is not None or value in members or (value == read(value) and is_extension(value)):
            return wrong
        more = " or begin with x-" if scalar.extended_type else ""
        few = ", ".join(scalar.values[:24]) + (", …" if len(scalar.values) > 24 else "")
        return f"is {value!r}; it must be one of {few}{more}"

    return Converter(read, forgive, str, problem)


# --- booleans and numbers --------------------------------------------------------------------------------------------

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


def read_boolean(text: str) -> bool:
    """Read ``true``, ``false``, ``1`` or ``0``."""
    value = _BOOLEANS.get(text)
    return _BOOLEANS[text.strip()] if value is None else value


def _forgive_boolean(text: str, tell: Tell) -> bool:
    value = _BOOLEANS.get(text.strip().lower())
    if value is None:
        raise ValueError(f"{text[:40]!r} is neither true nor false")
    if collapse(text) not in _BOOLEANS:
        tell(f"{text!r} for a boolean")
    return value


def _write_boolean(value: bool) -> str:
    return "true" if value else "false"


def _boolean_problem(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"must be True or False, not {_a(value)}"


_WHOLE: Final = re.compile(r"\s*([+-]?)0*(\d{1,18})(\.0*)?\s*", re.ASCII)
_NUMBER: Final = re.compile(r"\s*([+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|-?INF|NaN)\s*", re.ASCII)
_CODE: Final = re.compile("[0-9]{3}")
_MOST_UNSIGNED_INT: Final = 2**32 - 1


def _integer(scalar: Scalar) -> Converter:
    most = int(dict(scalar.facets).get("maxInclusive", _MOST_UNSIGNED_INT))

    def forgive(text: str, tell: Tell) -> int:
        match = _WHOLE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:40]!r} is no whole number")
        value = -int(match[2]) if match[1] == "-" else int(match[2])
        if not 0 <= value <= _MOST_UNSIGNED_INT:
            raise ValueError(f"{value} is not between 0 and {_MOST_UNSIGNED_INT}")
        if match[3]:
            tell(f"{text!r} for a whole number")
        if value > most:
            tell(f"{value}, which is more than {most}")
        return value

    return Converter(int, forgive, str, lambda value: _integer_problem(value, most))


def _integer_problem(value: Any, most: int) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return f"must be a whole number, not {_a(value)}"
    return None if 0 <= value <= most else f"is {value}, not between 0 and {most}"


def _forgive_code(text: str, tell: Tell) -> int:
    plain = text.strip()
    if _CODE.fullmatch(plain) is None:
        tell(f"the response code {text[:40]!r}, which counts as a failure")
        return 500  # decision D12
    if plain != text:
        tell(f"{text!r} for the response code {plain}")
    return int(plain)


def _forgive_float(text: str, _tell: Tell) -> float:
    if _NUMBER.fullmatch(text) is None:
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
    try:
        float(value)
    except OverflowError:
        return "is too large a number"
    return None


def _forgive_decimal(text: str, tell: Tell) -> float:
    value = _forgive_float(text, tell)
    if not admits("xs:decimal", text):
        if value - value != 0:  # infinite, or no number at all
            raise ValueError(f"{text[:40]!r} is no finite number")
        tell(f"{text[:40]!r} for a decimal number")
    return value


def _write_decimal(value: float) -> str:
    return format(Decimal(repr(float(value))), "f")


def _decimal_problem(value: Any) -> str | None:
    problem = _number_problem(value)
    if problem is None:
        text = _write_decimal(value)
        digits = sum(map(str.isdigit, text))  # every schema processor takes eighteen of them, older ones few more
        if digits > 18 or not admits("xs:decimal", text):
            problem = f"is {value}, which cannot be written as a decimal number of eighteen digits"
    return problem


# --- instants --------------------------------------------------------------------------------------------------------

_INSTANT: Final = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d*))?(?:\s*([Zz]|[+-]\d\d:?\d\d))?\s*", re.ASCII
)
_VALID_INSTANT: Final = re.compile(r"\s*[\d-]{10}T[\d:]{8}(\.\d+)?Z?\s*", re.ASCII)


def _silently(_what: str) -> None:
    """Tell nobody."""


def read_instant(text: str) -> datetime:
    """Read a date and time; without a zone it is UTC (rule 1, decision D50)."""
    if len(text) == 20:  # 2026-11-20T12:00:00Z, what nearly everybody sends
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    return _forgive_instant(text, _silently)


def _forgive_instant(text: str, tell: Tell) -> datetime:
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no date and time such as 2026-11-20T12:00:00Z")
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    fraction, zone = match[7] or "", match[8] or ""
    if zone != "Z":
        tell(f"a time {f'with the zone {zone}' if zone else 'without Z'}")
    elif _VALID_INSTANT.fullmatch(text) is None:
        tell(f"{text!r} for a time")
    midnight = (hour, minute, second) == (24, 0, 0)  # the end of the day, which xs:dateTime may call hour 24
    micro = int(fraction[:6].ljust(6, "0"))
    try:
        instant = datetime(year, month, day, 0 if midnight else hour, minute, second, micro, _zone(zone))
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
    if value.utcoffset() is None:
        return "has no time zone; use datetime.now(timezone.utc) or .astimezone()"
    try:
        value.astimezone(UTC)
    except OverflowError:
        return f"is {value}, which lies outside the years 1 to 9999 in UTC"
    return None


# --- durations -------------------------------------------------------------------------------------------------------

_DIGITS: Final = r"(\d+(?:[.,]\d+)?)"
_DURATION: Final = re.compile(
    rf"\s*([+-]?)(?:P(?![^T]*[.,]\d+M)(?:(\d+)Y)?(?:(\d+)M)?(?:{_DIGITS}W)?(?:{_DIGITS}D)?"
    rf"T?(?:{_DIGITS}H)?(?:{_DIGITS}M)?(?:{_DIGITS}S)?|{_DIGITS}W)\s*",
    re.IGNORECASE,
)
_SECONDS: Final = (604_800, 86_400, 3_600, 60, 1, 604_800)
"""What the parts behind the months stand for."""
_VALID_DURATION: Final = re.compile(dict(DURATION.facets)["pattern"])
_MOST_DIGITS: Final = 15
"""Beyond this, days cannot be held by a timedelta, nor months by the stored state."""


_REMEMBERED: Final = 1024
"""How many durations are remembered: a day of a quarter of an hour each says the same one hundred times."""
_LONGEST_REMEMBERED: Final = 24


def read_duration(text: str) -> Duration:
    """Read a duration, weeks and fractions included (decisions D11, D44 and D45)."""
    return _read_duration(text) if len(text) > _LONGEST_REMEMBERED else _remembered_duration(text)


@lru_cache(_REMEMBERED)
def _remembered_duration(text: str) -> Duration:
    return _read_duration(text)


def _read_duration(text: str) -> Duration:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no duration such as PT1H30M")
    sign, years, months, *lengths = match.groups()
    try:
        calendar = 12 * _number(years) + _number(months)
        seconds = sum(_times(number, each) for number, each in zip(lengths, _SECONDS, strict=True) if number)
        if sign == "-":
            calendar, seconds = -calendar, -seconds
        rest = timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{text[:40]!r} is longer than can be told") from None
    return CalendarDuration(months=calendar, rest=rest) if calendar else rest


def _number(digits: str | None) -> int:
    digits = "" if digits is None else digits.lstrip("0")
    if len(digits) > _MOST_DIGITS:
        raise OverflowError
    return int(digits or "0")


def _times(number: str, seconds: int) -> int:
    whole, _, fraction = number.replace(",", ".").partition(".")
    return _number(whole) * seconds + (int(Decimal(f".{fraction[:20]}") * seconds) if fraction else 0)


def _forgive_duration(text: str, tell: Tell) -> Duration:
    value = read_duration(text)
    if "." in text or "," in text:
        tell(f"a fraction in {text!r}, of which whole seconds are kept")
    elif text.lstrip("+-") in ("P", "PT"):
        tell(f"{text!r} for no time at all")
    elif _VALID_DURATION.fullmatch(text) is None:
        tell(f"{text!r} for a duration")
    return value


@lru_cache(_REMEMBERED)
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
    if not isinstance(rest, timedelta) or not isinstance(months, int):
        return f"must be a timedelta, not {_a(value)}"
    if rest.microseconds:
        return f"is {rest}; OpenADR knows whole seconds only (rule 1)"
    if months and rest and (months > 0) != (rest > timedelta(0)):
        return "adds months and takes days, which cannot be written as one duration"
    if abs(months) >= 10**_MOST_DIGITS:
        return f"is {months} months, more than can be told"
    return None


# --- all of them -----------------------------------------------------------------------------------------------------

_CONVERTERS: Final[Mapping[str, Converter]] = {
    "string": _STRING,
    "boolean": Converter(read_boolean, _forgive_boolean, _write_boolean, _boolean_problem),
    "float": Converter(float, _forgive_float, write_float, _number_problem),
    "decimal": Converter(float, _forgive_decimal, _write_decimal, _decimal_problem),
    "code": Converter(int, _forgive_code, "{:03d}".format, lambda value: _integer_problem(value, 999)),
    "instant": Converter(read_instant, _forgive_instant, write_instant, _instant_problem),
    "duration": Converter(read_duration, _forgive_duration, write_duration, _duration_problem),
}
_MAKERS: Final[Mapping[str, Callable[[Scalar], Converter]]] = {
    "uri": _judged,
    "identifier": _judged,
    "doubles": _judged,
    "token": _token,
    "integer": _integer,
}
