"""The conformance rules as functions that judge a message.

A rule is written down once, as a function that looks at one kind of message or part and yields what is wrong. The same
function judges what we are about to send, what a peer sent, and a stored capture. It never looks into a machine.

Rules carry the numbers of the OpenADR 2.0b specification (``R103``), or those of this project's decisions where the
specification is silent (``D49``, see docs/decisions.md).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar, get_args, get_type_hints

import msgspec

CheckT = TypeVar("CheckT", bound=Callable[..., Iterable["Fault"]])


class Severity(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    """A must of the specification is broken."""
    WARNING = "warning"
    """A should is not heeded, or something is implausible."""


class Fault(msgspec.Struct, frozen=True):
    """What a rule finds wrong with the part it looks at.

    :param found: what is there.
    :param right: what would be right.
    :param place: where inside the part, as a path; empty where it is the part itself.
    """

    found: str
    right: str
    place: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that a message breaks.

    :param rule: its number, such as ``R103``.
    :param severity: how much it weighs.
    :param place: where, as a path from the message.
    :param found: what is there.
    :param right: what would be right.
    """

    rule: str
    severity: Severity
    place: str
    found: str
    right: str

    def __str__(self) -> str:
        """For people: place, rule, what is there and what would be right."""
        return f"{self.place}: {self.found}; {self.right} ({self.rule})"


class Rule(msgspec.Struct, frozen=True):
    """A rule that can be checked.

    :param number: its number, such as ``R103``.
    :param title: what it asks for, in one line.
    :param severity: how much a breach weighs.
    :param about: the class of messages or parts that it looks at.
    :param check: looks at one of them.
    """

    number: str
    title: str
    severity: Severity
    about: type[msgspec.Struct]
    check: Callable[[Any], Iterable[Fault]]


_ADDED_BY_20B: Final = frozenset(f"R{number}" for number in range(100, 117) if number != 113)
"""The rules about events that 2.0b adds to those of 2.0a; rule 113 says what 2.0a still wants."""

_RULES: Final[dict[type, list[Rule]]] = {}


def rule(
    number: str, about: type[msgspec.Struct], *, severity: Severity = Severity.ERROR
) -> Callable[[CheckT], CheckT]:
    """Declare a function as the check of a rule; its docstring is the rule's title.

    A function may be the check of several rules, or of one rule for several kinds of parts.

    :param number: the rule's number, such as ``R103``.
    :param about: what the function looks at.
    :param severity: how much a breach weighs.
    """

    def declare(check: CheckT) -> CheckT:
        title = (check.__doc__ or "").strip().partition("\n")[0]
        _RULES.setdefault(about, []).append(Rule(number, title, severity, about, check))
        _rules_about.cache_clear()
        _fields_to_judge.cache_clear()
        return check

    return declare


def rules() -> list[Rule]:
    """All rules that can be checked, in the order of their numbers."""
    found = [one for declared in _RULES.values() for one in declared]
    return sorted(found, key=lambda one: (one.number[0], int("".join(filter(str.isdigit, one.number))), one.title))


def check(part: msgspec.Struct, number: str | None = None) -> list[Finding]:
    """Judge a message, or a part of one.

    :param part: any class of :mod:`oadr_core.messages`.
    :param number: the only rule that matters; all of them if None.
    :returns: the rules that it breaks, those of the whole before those of its parts.
    """
    found: list[Finding] = []
    _check(part, None, number, found, in_20a=getattr(part, "schema_version", None) == "2.0a")
    return found


def check_alone(
    part: msgspec.Struct, place: str = "", number: str | None = None, *, in_20a: bool = False
) -> Iterator[Finding]:
    """Judge a message, or a part of one, but not what is inside it.

    :param part: what to judge.
    :param place: where it is, as a path from the message.
    :param number: the only rule that matters; all of them if None.
    :param in_20a: whether it is said in the 2.0a profile, for which the rules that 2.0b adds do not hold.
    """
    for one, fault in _faults(part, number, in_20a=in_20a):
        yield _finding(one, fault, place, part)


def _faults(part: msgspec.Struct, number: str | None, *, in_20a: bool) -> Iterator[tuple[Rule, Fault]]:
    for one in _rules_about(type(part), number):
        if not (in_20a and one.number in _ADDED_BY_20B):
            for fault in one.check(part):
                yield one, fault


def _finding(one: Rule, fault: Fault, place: str, part: msgspec.Struct) -> Finding:
    where = _join(place, fault.place) or type(part).__name__
    return Finding(rule=one.number, severity=one.severity, place=where, found=fault.found, right=fault.right)


def within(place: str, faults: Iterable[Fault]) -> Iterator[Fault]:
    """Tell where faults are that were found further inside.

    :param place: where the inner part is, as a path.
    :param faults: what was found there.
    """
    return (Fault(fault.found, fault.right, _join(place, fault.place)) for fault in faults)


def _join(*places: str) -> str:
    return ".".join(place for place in places if place)


_Path: TypeAlias = "tuple[_Path, str, int | None] | None"
"""Where a part is: where its owner is, the name of the field, and the place in a list.

It is put into words where there is something to find, which is seldom: a report holds thousands of parts.
"""


def _check(part: msgspec.Struct, path: _Path, number: str | None, found: list[Finding], *, in_20a: bool) -> None:
    if _rules_about(type(part), number):
        found += [_finding(one, fault, _written(path), part) for one, fault in _faults(part, number, in_20a=in_20a)]
    for name in _fields_to_judge(type(part), number):
        value = getattr(part, name)
        if isinstance(value, msgspec.Struct):
            _check(value, (path, name, None), number, found, in_20a=in_20a)
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                if isinstance(item, msgspec.Struct):
                    _check(item, (path, name, index), number, found, in_20a=in_20a)


def _written(path: _Path) -> str:
    if path is None:
        return ""
    owner, name, index = path
    return _join(_written(owner), name if index is None else f"{name}[{index}]")


@cache
def _fields_to_judge(cls: type[msgspec.Struct], number: str | None) -> tuple[str, ...]:
    """The fields of a class that can hold other parts which a rule, or any rule, is about, or parts that hold them."""
    return tuple(
        name for name, parts in _parts_by_field(cls).items() if number is None or _reaches(parts, number, frozenset())
    )


def _reaches(parts: frozenset[type], number: str, seen: frozenset[type]) -> bool:
    """Whether a rule is about any of some parts, or about what these can hold."""
    return any(
        part.__subclasses__()  # it may be one of these, and msgspec.Struct any
        or _rules_about(part, number)
        or any(_reaches(inner - seen, number, seen | parts) for inner in _parts_by_field(part).values())
        for part in parts
    )


@cache
def _parts_by_field(cls: type[msgspec.Struct]) -> Mapping[str, frozenset[type]]:
    """Which parts the fields of a class can hold, for those that can hold any."""
    held = {name: _parts(kind) for name, kind in get_type_hints(cls).items() if name in cls.__struct_fields__}
    return {name: parts for name, parts in held.items() if parts}


def _parts(kind: object) -> frozenset[type]:
    """The parts among a type; the base of all stands for any."""
    if get_args(kind):
        return frozenset().union(*map(_parts, get_args(kind)))
    if kind is Any:
        return frozenset({msgspec.Struct})
    return frozenset({kind}) if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else frozenset()


@cache
def _rules_about(cls: type, number: str | None) -> tuple[Rule, ...]:
    declared = (one for base in cls.__mro__ for one in _RULES.get(base, ()))
    return tuple(one for one in declared if number in (None, one.number))
