"""An idle poll through the core, unsigned: bytes in, decode, step, encode, bytes out; no HTTP, no event loop."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import oadr_core as oadr
from bench.documents import VEN_ID, VTN_ID
from bench.enrol import Exchange, enrol
from bench.figures import Result, WrongAnswer, at_most, figure
from bench.timing import Effort, by_turns, here

NOW: Final = oadr.Now(1000.0, datetime(2026, 7, 1, 12, tzinfo=UTC))
CONFIG: Final = oadr.VtnConfig(vtn_id=VTN_ID, limits=oadr.VtnLimits(vens=1_000_000, new_vens=1_000_000))
_PEER: Final = oadr.Peer()


def run(effort: Effort) -> Result:
    """Measure an idle poll."""
    result = Result()
    asked = oadr.encode(oadr.Poll(ven_id=VEN_ID))
    cores: dict[str, oadr.Core] = {
        "Vtn": oadr.Vtn(CONFIG, sealer=oadr.PlainSealer(), entropy=random.Random(1)),
        "AutoVtn": oadr.AutoVtn(
            CONFIG,
            sealer=oadr.PlainSealer(),
            entropy=random.Random(1),
            handlers=oadr.Handlers(oadr.VTN_HANDLERS),
        ),
    }
    for core in cores.values():
        enrol(exchange_with(core), "bench", VEN_ID)
    series = by_turns({name: here(_polling(core, asked)) for name, core in cores.items()}, effort)
    for name, core in cores.items():
        _see_that_it_is_idle(name, answer_of(core, asked, oadr.Service.OADR_POLL))
        rounds = [one * 1e6 for one in series[name]]
        result.figures.append(figure("poll", f"idle poll through {name}", "µs", rounds, budget=at_most(60)))
    return result


def answer_of(core: oadr.Core, asked: bytes, service: oadr.Service) -> bytes:
    """Have a core answer a request, as a driver does."""
    core.receive_request(asked, peer=_PEER, service=service, now=NOW)
    answer = b""
    while (output := core.next_output(NOW)) is not None:
        if isinstance(output, oadr.Reply):
            answer = output.render(NOW)
    core.next_timeout()  # a driver looks after each input whether it has to wake earlier
    return answer


def exchange_with(core: oadr.Core) -> Exchange:
    """Reach a core in this process."""
    return lambda message, service: oadr.decode(answer_of(core, oadr.encode(message), service))


def _see_that_it_is_idle(name: str, data: bytes) -> None:
    answer = oadr.decode(data)
    if not isinstance(answer, oadr.Response) or not answer.response.ok:
        raise WrongAnswer(f"poll: {name} answers {answer}")


def _polling(core: oadr.Core, asked: bytes) -> Callable[[], object]:
    return lambda: answer_of(core, asked, oadr.Service.OADR_POLL)
