"""Documents that cost as much as their size allows, or would without a bound.

``python -m tests.wire.hostile`` prints, for each, what became of it, milliseconds on the processor beside those for an
ordinary report of the same size, and how many megabytes of memory the process has come to take.
"""

import json
import resource
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from oadr_core import Interval, ReportPayload, SchemaError, SealError, UpdateReport, encode
from oadr_core.wire import envelope
from oadr_core.wire.parse import LIMITS
from tests.rules.samples import NOON, USAGE, but
from tests.seal.kit import NOW, sealer, signed
from tests.wire.documents import DOCUMENTS

_POLL: Final = DOCUMENTS["oadrPoll"]
_ROOM: Final = LIMITS.size - 3000


def _poll(text: str) -> bytes:
    """A poll whose venID is a text."""
    return _POLL.replace("ven-1", text).encode()


def _filled(unit: str, most: int = LIMITS.tags) -> str:
    """As much of something as goes into a document."""
    return unit * min(most, _ROOM // len(unit))


def _numbered(unit: str) -> str:
    """As much of something, each with a number of its own."""
    return "".join(unit.format(number) for number in range(_ROOM // (len(unit) + 4)))


ENTITIES: Final = "".join(f'<!ENTITY a{number + 1} "&a{number};&a{number};">' for number in range(40))

DOCUMENTS_THAT_COST: Final[dict[str, Callable[[], bytes]]] = {
    "entities that double forty times": lambda: f'<!DOCTYPE x [<!ENTITY a0 "ha">{ENTITIES}]>{_POLL}'.encode(),
    "as many elements as are taken": lambda: _poll(_filled("<x/>", LIMITS.tags - 20)),
    "elements one within the other": lambda: _poll("<x>" * 250 + "</x>" * 250),
    "elements deeper than libxml2 takes": lambda: _poll("<x>" * 70_000 + "</x>" * 70_000),
    "attributes of one element": lambda: _poll(f"<x {_numbered('a{}=`` ').replace('`', chr(34))}/>"),
    "attributes of many elements": lambda: _poll(_filled('<x a="" b="" c=""/>')),
    "one attribute again and again": lambda: _poll(f"<x {_filled('a=`` ', _ROOM).replace('`', chr(34))}/>"),
    "a long attribute": lambda: _poll(f'<x a="{_filled("y", _ROOM)}"/>'),
    "namespaces of one element": lambda: _poll(f"<x {_numbered('xmlns:n{}=`u` ').replace('`', chr(34))}/>"),
    "namespaces of many elements": lambda: _poll(_filled('<x xmlns:a="b"/>')),
    "namespaces one within the other": lambda: _poll(
        "".join(f'<x xmlns:n{number}="u">' for number in range(200)) + "<n0:y/>" * 100_000 + "</x>" * 200
    ),
    "a long text": lambda: _poll(_filled("x", _ROOM)),
    "characters by number": lambda: _poll(_filled("&#65;", _ROOM)),
    "sections of characters": lambda: _poll(_filled("<![CDATA[x]]>", LIMITS.tags - 20)),
    "comments": lambda: _poll(_filled("<!---->", LIMITS.tags - 20)),
    "processing instructions": lambda: _poll(_filled("<?x?>", LIMITS.tags - 20)),
    "long names": lambda: _poll(f"<{'n' * 40_000}/>" * 40),
    "a long number": lambda: DOCUMENTS["oadrCreatedEvent"].replace(">200<", f">{_filled('9', _ROOM)}<", 1).encode(),
}
"""Documents by what they are full of; each is made when it is needed."""


def _with_root(attributes: str, content: str = "") -> bytes:
    """A signed document with something in its root, and in the venID of what is signed."""
    data = signed().replace(b"<oadr:oadrPayload ", f"<oadr:oadrPayload {attributes} ".encode(), 1)
    return data.replace(b">ven</", f">ven{content}</".encode(), 1)


SIGNED_THAT_COST: Final[dict[str, Callable[[], bytes]]] = {
    "namespaces around the signature": lambda: _with_root(
        "".join(f'xmlns:n{number}="u:{number}"\n' for number in range(50_000))
    ),
    "namespaces around many elements": lambda: _with_root(
        "".join(f'xmlns:n{number}="u:{number}"\n' for number in range(1000)), "<x/>" * 100_000
    ),
    "namespaces declared again at each depth": lambda: _with_root(
        "", '<x xmlns:n="u">' * 200 + "<x/>" * 100_000 + "</x>" * 200
    ),
    "attributes that have to be sorted": lambda: _with_root(
        "", "<x " + "".join(f'a{number}="" ' for number in range(150_000)) + "/>"
    ),
}
"""The same with a signature: to check it, canonical forms are made."""


def ordinary() -> bytes:
    """A report that is nearly as large as a document may be."""
    payload = (ReportPayload(r_id="load", value=1.5),)
    intervals = tuple(
        Interval(dtstart=NOON + timedelta(seconds=number), duration=timedelta(seconds=1), payloads=payload)
        for number in range(6000)
    )
    return encode(UpdateReport(request_id="1", reports=(but(USAGE, intervals=intervals),), ven_id="ven"))


def measured() -> Iterator[tuple[str, str, float, float, int]]:
    """What became of each, milliseconds of the processor, those of the ordinary report, and MB of memory since."""
    opener = sealer()
    plain = ordinary()
    envelope.read(plain)
    signed_ones = {f"signed: {name}": make for name, make in SIGNED_THAT_COST.items()}
    for name, make in (DOCUMENTS_THAT_COST | signed_ones).items():
        data, before = make(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        usual = min(_time(lambda: envelope.read(plain)) for _ in range(2))
        took, became = 0.0, "read"
        for strict in (True, False):
            began = time.process_time()
            try:
                if name.startswith("signed"):
                    opener.open(data, NOW)
                else:
                    envelope.read(data, strict=strict)
            except (SchemaError, SealError) as error:
                became = f"refused: {str(error)[:60]}" if not strict else became
            took = max(took, time.process_time() - began)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        yield name, became, 1000 * took, 1000 * usual, grown // 1024


def _time(action: Callable[[], object]) -> float:
    began = time.process_time()
    action()
    return time.process_time() - began


if __name__ == "__main__":
    for row in measured():
        print(json.dumps(row), flush=True)
