"""Numbers, times and durations at the ends of what a document can say: nothing raises, and something is answered."""

import re
from typing import Final

import pytest

from oadr_core import (
    AutoVen,
    CreateReport,
    DistributeEvent,
    Output,
    Peer,
    RegisterReport,
    Reply,
    RequestEvent,
    Save,
    Transmit,
    UpdateReport,
    VenRecord,
    VenState,
    encode,
)
from oadr_core.core import Core
from oadr_core.testing import ManualClock
from tests.core.kit import HOUR, MINUTE, NOON, create_opt, drained, event, offer, request
from tests.core.test_hostile import a_ven, a_vtn
from tests.rules.samples import USAGE, but

EXTREMES: Final = {
    "date-time": ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"],
    "duration": ["P999999999D", "-P999999999D", "PT9999999999S", "P9999Y", "P99999999999M", "-P9999Y", "PT0S"],
    "number": ["1e308", "-1e308", "1e-320", "NaN", "INF", "-INF", "99999999999999999999"],
    "count": ["4294967295", "0", "99999999999999999999"],
}
FIELDS: Final = {
    "date-time": rb"(<(?:\w+:)?(?:date-time|createdDateTime|modificationDateTime)>)[^<]*",
    "duration": rb"(<xcal:duration><xcal:duration>|<(?:\w+:)?duration>|<\w+:(?:oadrM\w+Period)>)[^<]*(?=</)",
    "number": rb"(<(?:\w+:)?value>)[^<]*",
    "count": rb"(<(?:\w+:)?(?:modificationNumber|priority|confidence|replyLimit|uid|text)>)[^<]*",
}

PUSHED: Final = {
    "events": DistributeEvent(
        request_id="1",
        vtn_id="Grid",
        events=(event("a", ramp_up=MINUTE, startafter=HOUR, priority=1), event("b", begin=-MINUTE)),
    ),
    "report request": CreateReport(request_id="1", report_requests=(request(length=HOUR),), ven_id="ven"),
}
ASKED: Final = {
    "opt": but(create_opt(), ven_id="ven"),
    "offer": RegisterReport(request_id="1", reports=(offer(),), ven_id="ven"),
    "report": UpdateReport(request_id="1", reports=(but(USAGE, report_request_id="request"),), ven_id="ven"),
    "report request": CreateReport(request_id="1", report_requests=(request(length=HOUR),), ven_id="ven"),
    "list": RequestEvent(request_id="1", ven_id="ven", reply_limit=1),
}

kinds = pytest.mark.parametrize(("kind", "extreme"), [(kind, one) for kind, some in EXTREMES.items() for one in some])


def changed(data: bytes, kind: str, extreme: str) -> list[bytes]:
    """The document with the extreme in all places of its kind, and in one of them at a time."""
    every = re.sub(FIELDS[kind], lambda found: found[1] + extreme.encode(), data)
    single = [
        data[: found.start()] + found[1] + extreme.encode() + data[found.end() :]
        for found in re.finditer(FIELDS[kind], data)
    ]
    return [every, *single[:12]]


def survives(core: Core, data: bytes) -> None:
    """See that a core answers a document, goes on for some days, and can be started again with what it has saved."""
    clock = ManualClock(NOON)
    drained(core, clock.now)
    core.receive_request(data, peer=Peer(), service=None, now=clock.now)
    found: list[Output] = []
    for _ in range(6):
        found += drained(core, clock.now)
        for sent in (one for one in found if isinstance(one, Reply | Transmit)):
            sent.render(clock.now)
        clock.advance(20_000)
        core.handle_timeout(clock.now)
    assert [one for one in found if isinstance(one, Reply)]
    for saved in (one for one in found if isinstance(one, Save) and one.blob is not None):
        if saved.key == "ven":
            VenState.load(saved.blob or b"")
        elif saved.key.startswith("ven/"):
            VenRecord.load(saved.blob or b"")


@pytest.mark.decision(49)
@kinds
@pytest.mark.parametrize("name", sorted(PUSHED))
def test_a_ven_survives_whatever_its_vtn_says(name: str, kind: str, extreme: str) -> None:
    for data in changed(encode(PUSHED[name]), kind, extreme):
        core: AutoVen = a_ven(pull=False, registered=True)
        survives(core, data)


@pytest.mark.decision(49)
@kinds
@pytest.mark.parametrize("name", sorted(ASKED))
def test_a_vtn_survives_whatever_a_ven_says(name: str, kind: str, extreme: str) -> None:
    for data in changed(encode(ASKED[name]), kind, extreme):
        survives(a_vtn(pull=True, registered=True), data)


def test_the_extremes_get_into_the_documents() -> None:
    documents = [encode(one) for one in (*PUSHED.values(), *ASKED.values())]
    for kind, extremes in EXTREMES.items():
        assert any(changed(data, kind, extremes[0])[0] != data for data in documents), kind
