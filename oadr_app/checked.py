"""What a person wrote in TOML or JSON, checked field by field: what is wrong is said with its place and its value."""

import difflib
import json
import re
import sys
import tomllib
import types
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

Decode = Callable[[type, Any], Any]
"""Makes a value of a type that TOML and JSON know nothing of; raises ValueError where it cannot be meant so."""

_ModelT = TypeVar("_ModelT", bound=msgspec.Struct)

STANDARD_INPUT: Final = Path("-")
"""The name under which the standard input is read as a file."""

_LONGEST: Final = 60
"""Characters of a wrong value that are shown."""


class ConfigError(Exception):
    """What a person wrote cannot be used; the text says what is wrong, and where."""


# --- files -----------------------------------------------------------------------------------------------------------


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file in TOML.

    :raises ConfigError: it cannot be read, or is no TOML.
    """
    return _toml(_text(path), path)


def read_toml_or_json(path: Path) -> dict[str, Any]:
    """Read a file in JSON, which begins with a brace, or else in TOML.

    :param path: the file; ``-`` for the standard input.
    :raises ConfigError: it cannot be read, or is neither.
    """
    text = _text(path)
    if not text.lstrip().startswith("{"):
        return _toml(text, path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name_of(path)}: this is no JSON: {error}") from None
    assert isinstance(content, dict)  # it begins with a brace
    return content


def name_of(path: Path) -> str:
    """What a file is called in messages."""
    return "standard input" if path == STANDARD_INPUT else str(path)


def _text(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()
        return data.decode("utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name_of(path)}: this is no text in UTF-8 ({error.reason})") from None


def _toml(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{name_of(path)}: this is no TOML: {error}") from None


# --- what is wrong, in words -----------------------------------------------------------------------------------------

_PLACE: Final = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<place>.*)`)?", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(?P<name>.*)`")
_KIND: Final = re.compile(r"`(int|str|float|bool|array|object|null)((?: \| \w+)*)`")
_STEP: Final = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_KINDS: Final = {
    "int": "a whole number",
    "str": "a text in quotes",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}
_WORDS: Final = {
    "Expected a text in quotes of length >= 1": "it must not be empty",
    "Expected a list of length >= 1": "it must not be empty",
    "Expected a text in quotes matching regex '^https?://[^/]'": "it must begin with http:// or https://, and a host",
    "Expected a text in quotes matching regex '^/'": "it must begin with /",
}


def checked(cls: type[_ModelT], content: Mapping[str, Any], decode: Decode) -> _ModelT:
    """Make a struct of what was written.

    :param cls: what it must be; tables that admit no unknown fields say so themselves.
    :param content: what TOML or JSON made of it.
    :param decode: makes the values that TOML and JSON have no type for.
    :raises Refused: it cannot be meant so; the error tells the place and the sentence apart.
    """
    try:
        return msgspec.convert(content, cls, dec_hook=decode)
    except msgspec.ValidationError as error:
        match = _PLACE.fullmatch(str(error))
        assert match is not None
        place = match["place"] or ""
        raise Refused(place, _in_words(cls, match["what"], place, content)) from None


class Refused(Exception):
    """What was written cannot be meant so.

    :ivar place: where it stands, such as ``http.port``; empty for the whole.
    :ivar what: what is wrong, and what would be right.
    """

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}" if place else what)
        self.place: Final = place
        self.what: Final = what

    def within(self, source: str) -> ConfigError:
        """The same as an error that also names the file."""
        return ConfigError(f"{source}: {self}")


def _in_words(cls: type[msgspec.Struct], what: str, place: str, content: Mapping[str, Any]) -> str:
    steps = [int(number) if number else name for number, name in _STEP.findall(place)]
    kinds = _kinds_at(cls, steps)
    if unknown := _UNKNOWN.fullmatch(what):
        return _no_such(unknown["name"], [name for kind in kinds for name in getattr(kind, "__struct_fields__", ())])
    if missing := _MISSING.fullmatch(what):
        return f"`{missing['name']}` is missing"
    if what.startswith("Invalid enum value"):
        members = [one for kind in kinds if isinstance(kind, type) and issubclass(kind, StrEnum) for one in kind]
        given = what.removeprefix("Invalid enum value ")
        return f"{given} is not possible; write {_alternatives(members)}"
    was_said_by_msgspec = what.startswith("Expected `")
    what = _KIND.sub(_kind_in_words, what)
    what = _WORDS.get(what, what)
    what = what[0].lower() + what[1:]
    value = _value_at(content, steps)
    if was_said_by_msgspec and value is not None and not isinstance(value, dict | list):
        what += f": {_quoted(value)}" if ", got " in what else f", not {_quoted(value)}" if value != "" else ""
    return what


def _kind_in_words(match: re.Match[str]) -> str:
    names = [match[1], *(one for one in match[2].split(" | ") if one and one != "null")]
    return _alternatives([_KINDS.get(one, one) for one in names])


def _alternatives(names: Sequence[str]) -> str:
    *most, last = names or ("something else",)
    return f"{', '.join(most)} or {last}" if most else last


def _quoted(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _no_such(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, 1, 0.7)
    hint = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(known)}"
    return f"there is no setting `{name}`; {hint}"


def _kinds_at(kind: Any, steps: Sequence[str | int]) -> list[Any]:
    """The types that may stand at a place."""
    kinds = _alternatives_of(kind)
    for step in steps:
        found: list[Any] = []
        for one in kinds:
            if isinstance(step, int):
                found += [under for part in get_args(one)[:1] for under in _alternatives_of(part)]
            elif isinstance(one, type) and issubclass(one, msgspec.Struct):
                found += _alternatives_of(get_type_hints(one).get(step))
        kinds = found
    return kinds


def _alternatives_of(kind: Any) -> list[Any]:
    return list(get_args(kind)) if get_origin(kind) in (Union, types.UnionType) else [kind]


def _value_at(content: Any, steps: Sequence[str | int]) -> object:
    try:
        for step in steps:
            content = content[step]
    except (LookupError, TypeError):
        return None
    found: object = content
    return found
