"""A VTN with many idle VENs in a process of its own: ``python -m bench.vens COUNT HOW``.

The VENs come by the messages that VENs send, so what stays is what a running VTN has; or, after a restart, they are
loaded from what it saved. HOW is ``come``, ``come-with-an-offer`` or ``loaded``.
"""

import gc
import json
import random
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec

import oadr_core as oadr
from bench.enrol import Exchange, enrol
from bench.figures import WrongAnswer
from bench.poll import CONFIG, NOW, answer_of
from bench.resident import resident

_POINT: Final = oadr.data_point(lambda: 0.0, r_id="power", resource_id="main_meter")
OFFER: Final = oadr.make_offer("meter", [_POINT], NOW.utc)


def main(count: int, how: str) -> dict[str, object]:
    """Fill a VTN, and tell what that took."""
    saved = {} if how != "loaded" else _saved(count)
    core = oadr.Vtn(CONFIG, sealer=oadr.PlainSealer(), entropy=random.Random(1))
    exchange = _exchange_with(core)
    enrol(exchange, "the first", offers=[OFFER])  # what is made once, such as the schema, is no matter of VENs
    gc.collect()
    before = resident()
    if how == "loaded":
        core = oadr.Vtn(CONFIG, sealer=oadr.PlainSealer(), entropy=random.Random(1), saved=saved)
        core.start(NOW)
    else:
        offers = [OFFER] if how == "come-with-an-offer" else []
        for number in range(count):
            enrol(exchange, f"ven_{number}", offers=offers)
    gc.collect()
    after = resident()
    expected = count + (how != "loaded")
    if len(core.vens) != expected:
        raise WrongAnswer(f"memory: {len(core.vens)} VENs are registered, not {expected}")
    return {"bytes": (after - before) / count, "parts": _parts(core, count)}


def _exchange_with(core: oadr.Vtn) -> Exchange:
    return lambda message, service: oadr.decode(answer_of(core, oadr.encode(message), service))


def _saved(count: int) -> Mapping[str, bytes]:
    """What a VTN with so many VENs has saved."""
    records = (
        oadr.VenRecord(ven_id=f"{number:032x}", registration_id=f"{count + number:032x}", ven_name=f"ven_{number}")
        for number in range(count)
    )
    return {record.key: record.dump() for record in records}


def _parts(core: oadr.Vtn, count: int) -> Mapping[str, float]:
    """Bytes for each VEN by the kind of object, of all that can be reached from the core."""
    sizes: Counter[str] = Counter()
    seen: set[int] = set()
    waiting: list[object] = [core]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type) or callable(one):
            continue
        seen.add(id(one))
        sizes[type(one).__name__] += sys.getsizeof(one)
        if isinstance(one, msgspec.Struct):  # some are hidden from the garbage collector
            waiting += [getattr(one, name) for name in one.__struct_fields__]
        else:
            waiting += gc.get_referents(one)
    return {kind: size / count for kind, size in sizes.most_common() if size >= count}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), sys.argv[2])))
