"""A VTN that makes one event for many VENs, in a process of its own: ``python -m bench.one_for_all COUNT``.

Each VEN polls once and answers; only what the VTN does is measured, in CPU time, from bytes to bytes.
"""

import gc
import json
import random
import sys
from collections.abc import Mapping
from statistics import median
from time import process_time
from typing import Final

import oadr_core as oadr
from bench.enrol import enrol
from bench.figures import WrongAnswer
from bench.poll import CONFIG, NOW, answer_of, exchange_with
from bench.resident import resident

_HOUR: Final = 3600
_TIMES: Final = 50
_WHOM: Final[Mapping[str, oadr.AudienceLike]] = {"made for one": ["nobody"], "made": oadr.Audience(everyone=True)}
"""Whom events are made for, by turns, once all VENs have answered the first."""


def main(count: int) -> dict[str, float]:
    """Make the event, have all VENs poll and answer, and tell what that took."""
    core = oadr.Vtn(CONFIG, sealer=oadr.PlainSealer(), entropy=random.Random(1))
    exchange = exchange_with(core)
    enrol(exchange, "the first")  # what is made once, such as the schema, is no matter of VENs
    gc.collect()
    empty = resident()
    ven_ids = [enrol(exchange, f"ven_{number}") for number in range(count)]
    gc.collect()
    before = resident()
    idle = _idle(core, ven_ids)
    first = _made(core, "for all", oadr.Audience(everyone=True))
    exchanged = _exchanged(core, ven_ids)
    gc.collect()
    after = resident()
    _see_that_all_have_answered(core, ven_ids)
    made: dict[str, list[float]] = {name: [] for name in _WHOM}
    for number in range(_TIMES):
        for name, audience in _WHOM.items():
            made[name].append(_made(core, f"{name} {number}", audience))
    return {
        **{name: median(times) for name, times in made.items()},
        "exchange": exchanged / count,
        "idle": 2 * idle / count,
        "all": first + exchanged,
        "documents": core.lists_made,
        "before": (before - empty) / count,
        "after": (after - empty) / count,
    }


def _made(core: oadr.Vtn, event_id: str, audience: oadr.AudienceLike) -> float:
    event = oadr.make_event(
        random.Random(2),
        NOW.utc,
        signal_name="SIMPLE",
        signal_type="level",
        intervals=[{"duration": f"PT{_HOUR}S", "signal_payload": 1.0}],
        event_id=event_id,
        market_context=f"urn:{event_id.replace(' ', '-')}",  # one of its own, as they would overlap
    )
    began = process_time()
    core.add_event(event, audience, NOW)
    while core.next_output(NOW) is not None:
        pass
    return process_time() - began


def _idle(core: oadr.Vtn, ven_ids: list[str]) -> float:
    asked = [oadr.encode(oadr.Poll(ven_id=ven_id)) for ven_id in ven_ids]
    began = process_time()
    for one in asked:
        answer_of(core, one, oadr.Service.OADR_POLL)
    return process_time() - began


def _exchanged(core: oadr.Vtn, ven_ids: list[str]) -> float:
    """Seconds of CPU for a poll and an answer of each VEN; what the VENs do in between is not counted."""
    spent = 0.0
    for ven_id in ven_ids:
        asked = oadr.encode(oadr.Poll(ven_id=ven_id))
        began = process_time()
        handed = answer_of(core, asked, oadr.Service.OADR_POLL)
        spent += process_time() - began
        answer = oadr.encode(_answer(oadr.decode(handed), ven_id))
        began = process_time()
        answer_of(core, answer, oadr.Service.EI_EVENT)
        spent += process_time() - began
    return spent


def _answer(handed: oadr.Payload, ven_id: str) -> oadr.CreatedEvent:
    if not isinstance(handed, oadr.DistributeEvent) or len(handed.events) != 1:
        raise WrongAnswer(f"many: the VEN {ven_id} is handed {handed}")
    descriptor = handed.events[0].event_descriptor
    response = oadr.EventResponse(
        request_id=handed.request_id,
        event_id=descriptor.event_id,
        modification_number=descriptor.modification_number,
        opt_type=oadr.OptType.OPT_IN,
    )
    return oadr.CreatedEvent(response=oadr.EiResponse(request_id=""), event_responses=(response,), ven_id=ven_id)


def _see_that_all_have_answered(core: oadr.Vtn, ven_ids: list[str]) -> None:
    answered = {one.ven_id for one in core.answers("for all", NOW) if one.opt_type is oadr.OptType.OPT_IN}
    missing = set(ven_ids) - answered
    if missing:
        raise WrongAnswer(f"many: {len(missing)} VENs have not answered, such as {min(missing)}")


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
