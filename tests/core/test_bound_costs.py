"""What lies beyond a bound costs its peer's victim nothing more: no memory that stays, and no more time than what fits.

Time is that of this thread on the processor, held against the same messages where they fit; whole figures of what
attackers cost are in docs/hostile-input.md.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import Final, NamedTuple

import pytest

from oadr_core import (
    Core,
    CreatedEvent,
    CreateReport,
    EiResponse,
    EventResponse,
    OptType,
    Payload,
    Peer,
    RegisterReport,
    RequestEvent,
    Target,
    VenLimits,
    encode,
)
from tests.core.kit import create_opt, drained, event, offer, request
from tests.core.test_bounds import NOW, a_vtn
from tests.core.test_registration import create
from tests.core.test_ven_bounds import Line, asking, events, offering
from tests.rules.samples import but

FILL: Final = 40
"""How many messages are more than fit in, in each of these."""

_MORE: Final = 60
_KILOBYTE: Final = 1024
_POINTS: Final = tuple(f"point {number}" for number in range(40))
_PEER: Final = Peer(address="192.0.2.1:1")


class Attack:
    """A peer that sends the same kind of message again and again.

    :param core: whom it sends them to.
    :param message: makes the message of a number.
    :param settle: does what comes of one, beside taking the outputs.
    """

    def __init__(self, core: Core, message: Callable[[int], Payload], settle: Callable[[], None] | None = None) -> None:
        self._core = core
        self._message = message
        self._settle = settle
        self._number = 0

    def bodies(self, count: int) -> list[bytes]:
        """Write the next messages."""
        self._number += count
        return [encode(self._message(number)) for number in range(self._number - count, self._number)]

    def take(self, bodies: list[bytes]) -> None:
        """Have the core take messages, and do what comes of them."""
        for body in bodies:
            self._core.receive_request(body, peer=_PEER, service=None, now=NOW)
            if self._settle is None:
                drained(self._core, NOW)
            else:
                self._settle()


class Cost(NamedTuple):
    """What some messages cost.

    :param seconds: on the processor, in all.
    :param kept: bytes by which memory has come to grow.
    :param peak: bytes in use at the worst moment, beyond those before.
    """

    seconds: float
    kept: int
    peak: int


def cost(attack: Attack) -> Cost:
    """Measure what some messages of an attack cost whoever takes them."""
    seconds = min(_seconds(attack, attack.bodies(_MORE)) for _ in range(3))
    bodies = attack.bodies(_MORE)
    gc.collect()
    tracemalloc.start()
    try:
        attack.take(bodies)
        gc.collect()
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return Cost(seconds, kept, peak)


def _seconds(attack: Attack, bodies: list[bytes]) -> float:
    gc.collect()
    began = time.thread_time()
    attack.take(bodies)
    return time.thread_time() - began


# --- at a VTN --------------------------------------------------------------------------------------------------------


def registrations(*, bounded: bool) -> Attack:
    """Somebody without a certificate registers under ever new names."""
    vtn = a_vtn(known=0, new_vens=20 if bounded else 10_000)
    return Attack(vtn, lambda number: create(request_id=f"{number}", ven_name=f"ven {number}"))


def offers_of_a_ven(*, bounded: bool) -> Attack:
    """A VEN offers too much, each time something else."""
    vtn = a_vtn(offered=1000 if bounded else 2**30)

    def offers(number: int) -> RegisterReport:
        reports = (offer(f"specifier {number}", _POINTS),)
        return RegisterReport(request_id=f"{number}", reports=reports, ven_id="ven-0")

    return Attack(vtn, offers)


def requests_of_a_ven(*, bounded: bool) -> Attack:
    """A VEN asks for ever more reports."""
    vtn = a_vtn(report_requests=20 if bounded else 100_000)

    def asks(number: int) -> CreateReport:
        return CreateReport(request_id=f"{number}", report_requests=(request(f"request {number}"),), ven_id="ven-0")

    return Attack(vtn, asks)


def opts_of_a_ven(*, bounded: bool) -> Attack:
    """A VEN tells when ever more of its resources are available."""
    vtn = a_vtn(opts=1500 if bounded else 2**30)
    return Attack(
        vtn, lambda number: but(create_opt(f"opt {number}", target=Target(resource_id=(f"{number}",))), ven_id="ven-0")
    )


def what_is_not_decided(*, bounded: bool) -> Attack:
    """A VEN asks what a slow application has to decide."""
    vtn = a_vtn("on_request_event", undecided=20 if bounded else 100_000)
    return Attack(vtn, lambda number: RequestEvent(request_id=f"request {number}", ven_id="ven-0"))


def what_is_not_heard(*, bounded: bool) -> Attack:
    """A VEN changes its mind again and again, and the application is slow to hear it."""
    vtn = a_vtn("on_created_event", untold=20 if bounded else 100_000)
    vtn.add_event(event(), ["ven-0"], NOW)

    def answers(number: int) -> CreatedEvent:
        response = EventResponse(
            request_id="1", event_id="event", modification_number=0, opt_type=list(OptType)[number % 2]
        )
        return CreatedEvent(response=EiResponse(), event_responses=(response,), ven_id="ven-0")

    return Attack(vtn, answers)


# --- at a VEN --------------------------------------------------------------------------------------------------------


def at_a_ven(line: Line, message: Callable[[int], Payload]) -> Attack:
    """A VTN that sends something to a VEN, which offers a report and answers whatever it is sent."""
    line.ven.register_report((offer(),), line.now)
    line.drain()
    line.settle()

    def settle() -> None:
        line.drain()
        line.settle()
        line.sent.clear()
        line.told.clear()

    return Attack(line.ven, message, settle)


def lists_of_a_vtn(*, bounded: bool) -> Attack:
    """A VTN pushes lists of too many events."""
    line = Line(limits=VenLimits(events=20 if bounded else 100_000))
    names = [f"event {place}" for place in range(30)]
    return at_a_ven(line, lambda number: events(*names, request_id=f"list {number}"))


def requests_of_a_vtn(*, bounded: bool) -> Attack:
    """A VTN asks for ever more reports."""
    return at_a_ven(Line(limits=VenLimits(report_requests=20 if bounded else 100_000)), asking)


def offers_of_a_vtn(*, bounded: bool) -> Attack:
    """A VTN offers too much, each time something else."""
    line = Line(limits=VenLimits(offered=1000 if bounded else 2**30))
    return at_a_ven(line, lambda number: offering(number, *(f"{point} {number}" for point in _POINTS)))


def questions_of_a_vtn(*, bounded: bool) -> Attack:
    """A VTN asks what a slow application has to decide."""
    return at_a_ven(Line("on_create_report", limits=VenLimits(undecided=20 if bounded else 100_000)), asking)


ATTACKS: Final[tuple[Callable[..., Attack], ...]] = (
    registrations,
    offers_of_a_ven,
    requests_of_a_ven,
    opts_of_a_ven,
    what_is_not_decided,
    what_is_not_heard,
    lists_of_a_vtn,
    requests_of_a_vtn,
    offers_of_a_vtn,
    questions_of_a_vtn,
)

THAT_PILE_UP: Final = (
    registrations,
    requests_of_a_ven,
    opts_of_a_ven,
    what_is_not_decided,
    what_is_not_heard,
    requests_of_a_vtn,
    questions_of_a_vtn,
)
"""Those of which each message would be kept beside the others; of the rest each takes the place of the one before."""


def name(attack: Callable[..., Attack]) -> str:
    """What an attack is called."""
    return attack.__name__.replace("_", " ")


@pytest.mark.parametrize("attack", ATTACKS, ids=name)
def test_what_lies_beyond_a_bound_keeps_no_memory_and_takes_no_more_time_than_what_fits(
    attack: Callable[..., Attack],
) -> None:
    full = attack(bounded=True)
    full.take(full.bodies(FILL))
    beyond, within = cost(full), cost(attack(bounded=False))
    assert beyond.kept < 4 * _KILOBYTE, "what is refused is kept"
    assert beyond.peak < max(512 * _KILOBYTE, 2 * within.peak)
    assert beyond.seconds < 3 * within.seconds + 0.001


@pytest.mark.parametrize("attack", THAT_PILE_UP, ids=name)
def test_without_its_bound_it_would_be_kept(attack: Callable[..., Attack]) -> None:
    boundless = attack(bounded=False)
    boundless.take(boundless.bodies(FILL))
    assert cost(boundless).kept > 4 * _KILOBYTE
