"""Dicts to messages and back.

Every message that can be drawn has a dict view. Whatever is changed in a dict, reading it gives a message or raises
LocalProtocolError; the message is valid then, can be written, and its own dict view reads the same.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any, Final

from fuzz.draws import Draws
from fuzz.messages import NOON, drawn_payload
from fuzz.target import Target
from oadr_core import LocalProtocolError, encode, from_dict, read, to_dict
from oadr_core.messages import PAYLOADS

_VALUES: Final[Sequence[object]] = (
    *(None, True, 0, 1, -1, 2**64, 1.5, float("nan"), float("inf"), "", "a", "x" * 500, b"a", [], {}, (), [None]),
    *([{}], {"a": 1}, NOON, datetime(2026, 1, 1), datetime.max, timedelta(0), timedelta.max, timedelta(-1), object()),
    *(
        "P1M",
        "PT1S",
        "2026-11-20T12:00:00Z",
        {"duration": "PT1S"},
        {"ven_id": "a"},
        [{"ven_id": ["a", 1]}],
        1 + 2j,
        set(),
    ),
)


def check(data: bytes) -> None:
    """Draw a message, change its dict view, and read that."""
    draws = Draws(data)
    message_type, content = to_dict(drawn_payload(draws))
    for _ in range(draws.below(4)):
        _change(draws, content)
    if draws.byte() > 250:
        message_type = draws.choose((*PAYLOADS, "oadrNothing", ""))
    try:
        message = from_dict(message_type, content)
    except LocalProtocolError:
        return
    assert message.message_type() == message_type
    written = encode(message)
    read(written)
    assert encode(from_dict(*to_dict(message))) == written, "the dict view says something else"


def _change(draws: Draws, content: dict[str, Any]) -> None:
    places: list[tuple[Any, Any]] = []
    _places(content, places)
    if not places:
        content[draws.choose(("ven_id", "x"))] = deepcopy(draws.choose(_VALUES))
        return
    container, key = draws.choose(places)
    what = draws.below(5)
    if what == 0:
        del container[key]
    elif what == 1 and isinstance(container, dict):
        container[draws.choose(("a", 1, "targets", "target", "events", "payloads", "report_payload"))] = deepcopy(
            container[key]
        )
    elif what == 2:
        other, at = draws.choose(places)
        container[key] = deepcopy(other[at])
    else:
        container[key] = deepcopy(draws.choose(_VALUES))


def _places(value: Any, found: list[tuple[Any, Any]]) -> None:
    for key in list(value) if isinstance(value, Mapping) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], dict | list):
            _places(value[key], found)


def _seeds() -> list[bytes]:
    kinds = range(len(PAYLOADS))
    return [bytes([kind, *(byte * step % 256 for byte in range(200))]) for kind in kinds for step in (0, 1, 7)]


TARGET: Final = Target(
    check=check,
    seeds=_seeds,
    modules=("oadr_core.wire.plain", "oadr_core.wire.verify", "oadr_core.messages.units"),
    longest=2048,
)
