"""Stored state that was damaged, or that somebody has tampered with.

Whatever the bytes of a blob, loading it gives a state or raises StateError. A state that was loaded is written and
loaded again as the same one. A VEN or a VTN that begins with such a blob refuses it with StateError, or runs: it
begins, answers its peers and does what is due, without raising, and every document that leaves is valid.
"""

import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from fuzz import mutations, sessions
from fuzz.draws import Draws
from fuzz.messages import NOON
from fuzz.target import Target
from fuzz.targets import ven_session, vtn_session
from oadr_core import EventRecord, StateError, VenRecord, VenState
from oadr_core.auto.outbox import UnsentReport
from oadr_core.auto.readings import Reading
from oadr_core.auto.submitted import SubmittedValue
from oadr_core.auto.timekeeper import EventProgress
from oadr_core.state.audience import Enrolment, HandedEvents
from oadr_core.state.blobs import Blob

_KINDS: Final[tuple[tuple[type[Blob], str], ...]] = (
    (VenState, "ven"),
    (UnsentReport, "report/000000000001"),
    (EventProgress, "progress/e1"),
    (SubmittedValue, "submitted/000000000001"),
    (VenRecord, "ven/a"),
    (EventRecord, "event/e1"),
    (Enrolment, "enrolment/a"),
    (HandedEvents, "handed/a"),
)
"""Every blob there is, and the key that it is saved under. The first four are a VEN's."""

_OF_VEN: Final = 4
_STEPS: Final = bytes(random.Random(1).randbytes(60))
"""What is done with a core that was loaded."""


def check(data: bytes) -> None:
    """Load an input, and run a core with it."""
    number = data[0] % len(_KINDS) if data else 0
    (kind, key), blob = _KINDS[number], data[1:]
    try:
        state = kind.load(blob)
    except StateError:
        state = None
    if state is not None:
        assert kind.load(state.dump()) == state, "what is written is another state"
    begin = ven_session.session_with if number < _OF_VEN else vtn_session.session_with
    try:
        session = begin(Draws(_STEPS), {key: blob})
    except StateError:
        return
    assert state is not None or key not in session.saved, "a core takes what cannot be loaded"
    session.run()


def _change(data: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.05:
        return bytes([chance.randrange(len(_KINDS))]) + data[1:]
    return data[:1] + mutations.of_json(data[1:], chance)


@cache
def _seeds() -> tuple[bytes, ...]:
    """Whatever the sessions save, and the smallest blob of each kind."""
    found: dict[bytes, None] = {}
    sessions_of: tuple[Callable[[bytes], sessions.Session], ...] = (ven_session.session_of, vtn_session.session_of)
    for begin in sessions_of:
        for data in sessions.seeds(40, 200):
            session = begin(data)
            session.run()
            found.update(dict.fromkeys(_numbered(session.saved, of_ven=begin is ven_session.session_of)))
    value = SubmittedValue(report_specifier_id="usage", r_id="load", reading=Reading(value=1.0, time=NOON)).dump()
    smallest = [bytes([number]) + b'{"version":1}' for number in range(len(_KINDS))]
    return (*smallest, bytes([3]) + value, *list(found)[:200])


def _numbered(saved: Mapping[str, bytes], *, of_ven: bool) -> list[bytes]:
    kinds = [(number, key.partition("/")[0]) for number, (_, key) in enumerate(_KINDS) if (number < _OF_VEN) is of_ven]
    return [
        bytes([number]) + blob for key, blob in saved.items() for number, name in kinds if key.partition("/")[0] == name
    ]


TARGET: Final = Target(
    check=check,
    seeds=_seeds,
    modules=(
        "oadr_core.state.blobs",
        "oadr_core.state.ven",
        "oadr_core.state.vtn",
        "oadr_core.state.reports",
        "oadr_core.state.audience",
        "oadr_core.auto.submitted",
    ),
    mutate=_change,
    runs=800,
)
