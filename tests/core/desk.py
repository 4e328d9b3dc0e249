"""A VTN with some VENs, each of which polls and answers only when a test has it do so."""

import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec

from oadr_core import (
    CreatedEvent,
    DistributeEvent,
    EiResponse,
    EventResponse,
    OptReceived,
    OptType,
    Output,
    PlainSealer,
    Poll,
    RequestEvent,
    Save,
    VenRecord,
    Vtn,
    VtnConfig,
)
from oadr_core.testing import ManualClock
from tests.core.kit import NOON, asked, drained, one


class Desk:
    """A VTN with some VENs, each of which polls and answers only when a test has it do so."""

    def __init__(self, *ven_ids: str, pushed: Iterable[str] = (), **config: Any) -> None:
        self.clock = ManualClock(NOON)
        self.saved: dict[str, bytes] = {}
        for ven_id in ven_ids:
            record = VenRecord(ven_id=ven_id, registration_id=f"registration of {ven_id}")
            if ven_id in pushed:
                record = msgspec.structs.replace(record, pull=False, address=f"https://{ven_id}.example/")
            self.saved[record.key] = record.dump()
        self.config = VtnConfig(vtn_id="Grid", **config)
        self.restart()

    def restart(self) -> None:
        """Begin anew with nothing but what was saved."""
        self.vtn = Vtn(self.config, sealer=PlainSealer(), entropy=random.Random(0), saved=self.saved)
        self.vtn.start(self.now)

    @property
    def now(self) -> Any:
        return self.clock.now

    def outputs(self) -> list[Output]:
        """What the VTN has to do; what it saves is saved."""
        return self.kept(drained(self.vtn, self.now))

    def kept(self, outputs: list[Output]) -> list[Output]:
        for output in outputs:
            if isinstance(output, Save) and output.blob is None:
                self.saved.pop(output.key, None)
            elif isinstance(output, Save) and output.blob is not None:
                self.saved[output.key] = output.blob
        return outputs

    def ask(self, message: Any) -> Any:
        """The answer to a request."""
        outputs = self.kept(asked(self.vtn, message, self.now))
        return next(output.message for output in outputs if hasattr(output, "inbound"))

    def polled(self, ven_id: str) -> DistributeEvent | None:
        """The list of events that a VEN is handed by a poll, if any."""
        answer = self.ask(Poll(ven_id=ven_id))
        return answer if isinstance(answer, DistributeEvent) else None

    def given(self, ven_id: str) -> DistributeEvent:
        """The list of events that a poll must bring."""
        handed = self.polled(ven_id)
        assert handed is not None
        return handed

    def list_of(self, ven_id: str) -> set[str]:
        """The events that a VEN has when it asks for all."""
        answer = self.ask(RequestEvent(request_id="r", ven_id=ven_id))
        return {one.event_descriptor.event_id for one in answer.events}

    def answer(self, ven_id: str, handed: DistributeEvent, opt: OptType = OptType.OPT_IN, **rest: Any) -> Any:
        """A VEN answers all events of a list; gives what the VTN says to that."""
        return self.ask(answer_to(ven_id, handed, opt, **rest))

    def answered(self, ven_id: str, handed: DistributeEvent, opt: OptType = OptType.OPT_IN) -> OptReceived:
        """A VEN answers the event of a list; gives what the VTN tells of that."""
        return one(OptReceived, self.kept(asked(self.vtn, answer_to(ven_id, handed, opt), self.now)))

    def standing(self, ven_id: str) -> Any:
        (found,) = self.vtn.vens[ven_id].standings
        return found

    def wait(self, length: timedelta) -> None:
        """Let time pass."""
        self.clock.advance_to(self.now.mono + length.total_seconds())
        self.vtn.handle_timeout(self.now)
        self.outputs()


def answer_to(ven_id: str, handed: DistributeEvent, opt: OptType = OptType.OPT_IN, **rest: Any) -> CreatedEvent:
    """What a VEN says that answers all events of a list."""
    responses = tuple(
        EventResponse(
            request_id=handed.request_id,
            event_id=one.event_descriptor.event_id,
            modification_number=one.event_descriptor.modification_number,
            opt_type=opt,
            **rest,
        )
        for one in handed.events
    )
    return CreatedEvent(response=EiResponse(request_id=""), event_responses=responses, ven_id=ven_id)
