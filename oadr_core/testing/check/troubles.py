"""What goes wrong: restarts, lost answers, requests that are none."""

from typing import Any, Final

from oadr_core.auto.ven import AutoVen
from oadr_core.clock import Now
from oadr_core.machines.exchange import Failure
from oadr_core.machines.startup import Startup
from oadr_core.messages import (
    CreatedEvent,
    CreatedPartyRegistration,
    EiResponse,
    EventResponse,
    OptType,
    Payload,
    RequestEvent,
    Response,
    Service,
)
from oadr_core.outputs import ExchangeId
from oadr_core.testing.check.stage import HOUR, VTN_ID, Stage
from oadr_core.testing.harness import Harness
from oadr_core.wire.envelope import decode


async def a_vtn_starts_again(harness: Harness) -> None:
    """It knows its VENs and its events, and VENs go on with it."""
    stage = Stage(harness)
    await stage.opens("mill", "bakery")
    await stage.adds_event("before", "mill")
    await stage.answered("before", "mill")
    known = dict(stage.vtn.core.vtn.vens)
    await stage.vtn.restart()
    assert {key: one.registration_id for key, one in stage.vtn.core.vtn.vens.items()} == {
        key: one.registration_id for key, one in known.items()
    }
    await stage.answered("before", "mill")
    await stage.adds_event("after", "mill", "bakery", begin=HOUR)
    await stage.answered("after", "mill", "bakery")
    assert stage.of("mill", "on_event") == ["before", "after"], "no application is asked again"


async def a_ven_starts_again(harness: Harness) -> None:
    """It is the same VEN, and its application is not asked again about what it has answered."""
    stage = Stage(harness)
    await stage.opens("mill")
    await stage.adds_event("before", "mill")
    await stage.answered("before", "mill")
    ven_id = stage.ven_id("mill")
    await stage.vens["mill"].restart()
    await harness.until(lambda: stage.vens["mill"].core.phase is Startup.RUNNING)
    assert list(stage.vtn.core.vtn.vens) == [ven_id] == [stage.ven_id("mill")]
    await stage.adds_event("after", "mill", begin=HOUR)
    await stage.answered("after", "mill")
    assert stage.of("mill", "on_event") == ["before", "after"]


class _HardOfHearing(AutoVen):
    """A VEN that does not hear the first two answers of some kinds."""

    deaf_to: Final = (CreatedPartyRegistration, Response)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.missed: Final[list[type[Payload]]] = []

    def receive_response(self, exchange: ExchangeId, body: bytes, *, now: Now) -> None:
        """Take an answer, or miss it."""
        kind = type(decode(body)) if body else None
        if kind in self.deaf_to and self.missed.count(kind) < 2:
            self.missed.append(kind)
            self.exchange_failed(exchange, Failure.BROKEN, now=now)
        else:
            super().receive_response(exchange, body, now=now)


async def answers_are_lost(harness: Harness) -> None:
    """What was answered and not heard is asked again, and has happened once."""
    stage = Stage(harness)
    await stage.opens("mill", cls=_HardOfHearing)
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")
    core = stage.vens["mill"].core
    assert isinstance(core, _HardOfHearing)
    await harness.until(lambda: len(core.missed) == 2 * len(core.deaf_to))
    await stage.adds_event("later", "mill", begin=HOUR)
    await stage.answered("later", "mill")
    assert list(stage.vtn.core.vtn.vens) == [stage.ven_id("mill")]
    assert stage.of("mill", "on_event") == ["shed", "later"]
    await harness.until(lambda: len(stage.of(VTN_ID, "on_created_event")) >= 2)
    assert len(stage.of(VTN_ID, "on_created_event")) == 2, "an answer that is repeated is no new one"


async def a_request_is_too_large(harness: Harness) -> None:
    """It is refused, and nobody else notices."""
    if harness.limit is None:
        return
    stage = Stage(harness)
    await stage.opens("mill")
    body = await stage.seals(RequestEvent(request_id="r" * harness.limit, ven_id=stage.ven_id("mill")))
    assert isinstance(await harness.say(Service.EI_EVENT, body), Failure)
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")


async def a_request_is_malformed(harness: Harness) -> None:
    """It is refused by the transport, or answered with an error; and nobody else notices."""
    stage = Stage(harness)
    await stage.opens("mill")
    message = RequestEvent(request_id="1", ven_id=stage.ven_id("mill"))
    whole = await stage.seals(message)
    for body in (whole.replace(b"requestID>", b"requestId>"), whole.replace(b"oadrSignedObject", b"oadrOther")):
        assert body != whole
        assert await stage.refuses(message, body=body)
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")


async def a_peer_is_unknown(harness: Harness) -> None:
    """Who has not registered gets nothing, and changes nothing."""
    stage = Stage(harness)
    await stage.opens("mill")
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")
    known = await stage.settled("mill")
    opt = EventResponse(event_id="shed", modification_number=0, opt_type=OptType.OPT_OUT, request_id="1")
    answer = CreatedEvent(response=EiResponse(), ven_id="nobody", event_responses=(opt,))
    for message in (RequestEvent(request_id="1", ven_id="nobody"), answer):
        assert await stage.refuses(message)
    assert list(stage.vtn.core.vtn.vens.values()) == [known]
