"""What a scenario plays on: a VTN, its VENs, and all that their applications have heard."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeAlias

from oadr_core.auto.ven import AutoVen, VenPolicy
from oadr_core.auto.vtn import AutoVtn, VtnPolicy
from oadr_core.build import make_event, make_opt
from oadr_core.clock import Now
from oadr_core.codes import ResponseCode
from oadr_core.errors import RemoteProtocolError
from oadr_core.handlers import VEN_HANDLERS, VTN_HANDLERS, Handler, Handlers
from oadr_core.machines.exchange import Failure
from oadr_core.machines.operations import SERVICE
from oadr_core.machines.startup import Startup
from oadr_core.messages import EiEvent, OptType, Payload
from oadr_core.outputs import ExchangeId
from oadr_core.seal import Sealer
from oadr_core.sender import SenderConfig
from oadr_core.state.vtn import VenRecord
from oadr_core.testing.harness import STRANGER, Driven, Harness
from oadr_core.ven import VenConfig
from oadr_core.vtn import VtnConfig
from oadr_core.wire.envelope import decode

Scenario: TypeAlias = Callable[[Harness], Awaitable[None]]
"""Something that a VTN and its VENs have to get through; raises AssertionError if they do not."""

VTN_ID: Final = "vtn-under-check"
SOON: Final = 0.05
"""Seconds between polls, and before a first retry: a check should not take long."""
HOUR: Final = timedelta(hours=1)
SECOND: Final = timedelta(seconds=1)


class Stage:
    """A VTN, its VENs, and all that their applications have heard.

    :param harness: what runs them.
    :param vtn: more handlers of the VTN.
    :param sealer: what the VTN seals with; the sealer that the harness has for it if None.
    """

    def __init__(
        self, harness: Harness, *, vtn: Mapping[str, Handler] | None = None, sealer: Sealer | None = None
    ) -> None:
        self.harness: Final = harness
        self._of_vtn = vtn or {}
        self._sealer = sealer
        self.heard: Final[list[tuple[str, str, Any]]] = []
        """Who heard it, from which handler, and what it was."""
        self.vtn: Driven[AutoVtn]
        self.vens: Final[dict[str, Driven[AutoVen]]] = {}

    # --- the cast ----------------------------------------------------------------------------------------------------

    async def opens(self, *vens: str, cls: type[AutoVen] = AutoVen, **handlers: Handler) -> None:
        """Run a VTN, and VENs until all that they do by themselves is done."""
        await self.opens_vtn()
        for name in vens:
            await self.opens_ven(name, cls, handlers)
        await self.harness.until(lambda: all(one.core.phase is Startup.RUNNING for one in self.vens.values()))

    async def opens_vtn(self) -> None:
        """Run a VTN."""
        self.vtn = await self.harness.vtn(self._new_vtn)

    async def opens_ven(self, name: str, cls: type[AutoVen], handlers: Mapping[str, Handler] | None = None) -> None:
        """Run a VEN."""
        self.vens[name] = await self.harness.ven(name, self._new_ven(name, cls, handlers or {}))

    def _new_vtn(self, saved: Mapping[str, bytes], now: Now) -> AutoVtn:
        def created_event(ven_id: str, event_id: str, opt_type: object) -> None:
            self.heard.append((VTN_ID, "on_created_event", (ven_id, event_id, opt_type)))

        def update_report(ven_id: str, report: object) -> None:
            self.heard.append((VTN_ID, "on_update_report", (ven_id, report)))

        usual: dict[str, Handler] = {"on_created_event": created_event, "on_update_report": update_report}
        handlers = _handlers(VTN_HANDLERS, {**usual, **self._of_vtn})
        config = VtnConfig(vtn_id=VTN_ID, transports=(self.harness.transport,), answer_timeout=timedelta(seconds=2))
        core = AutoVtn(
            config,
            VtnPolicy(),
            sealer=self._sealer or self.harness.seals.of_vtn(self.harness.entropy, now.utc if saved else None),
            entropy=self.harness.entropy,
            handlers=handlers,
            saved=saved,
            push=SenderConfig(first_wait=SOON, longest_wait=4 * SOON),
        )
        core.start(now)
        return core

    def _new_ven(
        self, name: str, cls: type[AutoVen], more: Mapping[str, Handler]
    ) -> Callable[[Mapping[str, bytes], Now], AutoVen]:
        def event(event: Mapping[str, Any]) -> OptType:
            self.heard.append((name, "on_event", event["event_descriptor"]["event_id"]))
            return OptType.OPT_IN

        def event_status(event_id: str, status: str) -> None:
            self.heard.append((name, "on_event_status", (event_id, status)))

        def build(saved: Mapping[str, bytes], now: Now) -> AutoVen:
            usual: dict[str, Handler] = {"on_event": event, "on_event_status": event_status}
            handlers = _handlers(VEN_HANDLERS, {**usual, **more})
            config = VenConfig(
                ven_name=name,
                transport=self.harness.transport,
                pull=self.harness.pull,
                call_timeout=10.0,
                sender=SenderConfig(first_wait=SOON, longest_wait=4 * SOON),
            )
            policy = VenPolicy(poll_interval=SOON, shortest_poll_interval=SOON, registration_pause=SOON)
            entropy = self.harness.entropy
            sealer = self.harness.seals.of_ven(name, entropy, now.utc if saved else None)
            core = cls(config, policy, sealer=sealer, entropy=entropy, handlers=handlers, saved=saved)
            core.start(now)
            return core

        return build

    # --- what they do ------------------------------------------------------------------------------------------------

    def ven_id(self, name: str) -> str:
        """The id that a VEN has."""
        return self.vens[name].core.ven.state.ven_id

    def record(self, name: str) -> VenRecord:
        """What the VTN knows of a VEN."""
        return self.vtn.core.vtn.vens[self.ven_id(name)]

    async def settled(self, name: str) -> VenRecord:
        """What the VTN knows of a VEN, once neither has anything more to tell the other."""
        await self.harness.until(lambda: self.vens[name].core.ven.idle and not self.record(name).queue)
        return self.record(name)

    async def adds_event(
        self, event_id: str, *vens: str, begin: timedelta = timedelta(0), length: timedelta = HOUR / 2, **more: Any
    ) -> None:
        """Have the VTN make an event for some VENs.

        :param more: what else :func:`~oadr_core.build.make_event` takes.
        """

        def add(core: AutoVtn, now: Now) -> None:
            event = self._event(event_id, now.utc + begin, 1.0, now, length, **more)
            core.vtn.add_event(event, [self.ven_id(name) for name in vens], now)

        await self.vtn.do(add)

    async def modifies_event(self, event_id: str) -> int:
        """Have the VTN ask for more; returns the number of the modification."""

        def modify(core: AutoVtn, now: Now) -> int:
            begin = core.vtn.events[event_id].event.active_period.dtstart
            return core.vtn.modify_event(self._event(event_id, begin, 2.0, now), now)

        return await self.vtn.do(modify)

    def _event(
        self, event_id: str, begin: datetime, level: float, now: Now, length: timedelta = HOUR / 2, **more: Any
    ) -> EiEvent:
        return make_event(
            self.harness.entropy,
            now.utc,
            event_id=event_id,
            signal_name="SIMPLE",
            signal_type="level",
            intervals=[{"duration": length, "signal_payload": level}],
            dtstart=begin,
            **more,
        )

    async def answered(self, event_id: str, *names: str, modification: int = 0) -> None:
        """Wait until the VTN knows that VENs have agreed to a modification of an event."""
        for name in names:
            await self.harness.until(partial(self.answer, event_id, name, modification))
            answer = self.answer(event_id, name, modification)
            assert answer is OptType.OPT_IN, f"{name} has answered {answer}"

    def answer(self, event_id: str, name: str, modification: int = 0) -> OptType | None:
        """What a VEN has answered to a modification of an event, as the VTN knows it."""
        record = self.vtn.core.vtn.vens.get(self.ven_id(name))
        standings = () if record is None else record.standings
        asked = (event_id, modification)
        return next((one.opt_type for one in standings if (one.event_id, one.modification_number) == asked), None)

    async def is_away(self, name: str) -> str:
        """Have a VEN say that it is not available for a while; returns the id of that, once it stands."""

        def opt_out(core: AutoVen, now: Now) -> str:
            away = [{"dtstart": now.utc + HOUR, "duration": HOUR}]
            entropy = self.harness.entropy
            opt = make_opt(entropy, now.utc, opt_type="optOut", opt_reason="x-maintenance", vavailability=away)
            return core.create_opt(opt, now)

        opt_id = await self.vens[name].do(opt_out)
        await self.harness.until(lambda: not self.vens[name].core.ven.state.unanswered_opts)
        return opt_id

    def of(self, whom: str, handler: str) -> list[Any]:
        """What somebody's handler was told."""
        return [what for who, called, what in self.heard if (who, called) == (whom, handler)]

    # --- what no core says -------------------------------------------------------------------------------------------

    async def seals(self, message: Payload, name: str = STRANGER) -> bytes:
        """Write a message as a VEN or a stranger does who means it, signed if that is how it is done here."""
        sealer = self.harness.seals.of_ven(name, self.harness.entropy)
        return await self.vtn.do(lambda core, now: sealer.seal(message, now))

    async def refuses(
        self, message: Payload, name: str = STRANGER, *, signer: str | None = None, body: bytes | None = None
    ) -> bool:
        """Say something to the VTN, and tell whether it was refused.

        :param message: what is said.
        :param name: who says it, as far as the transport can tell.
        :param signer: who signs it, where that is somebody else.
        :param body: the document, where that is another one than what ``signer`` makes of the message.
        """
        if body is None:
            body = await self.seals(message, signer or name)
        return is_refused(await self.harness.say(SERVICE[type(message)], body, name))


def _handlers(known: Mapping[str, tuple[str, ...]], functions: Mapping[str, Handler]) -> Handlers:
    handlers = Handlers(known)
    for name, function in functions.items():
        handlers.add(name, function)
    return handlers


class Listening(AutoVen):
    """A VEN that remembers what it was answered."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.heard: Final[list[type[Payload]]] = []

    def receive_response(self, exchange: ExchangeId, body: bytes, *, now: Now) -> None:
        """Take an answer."""
        if body:
            self.heard.append(type(decode(body)))
        super().receive_response(exchange, body, now=now)


def is_refused(answer: bytes | Failure) -> bool:
    """Whether a request was refused, in whichever way."""
    if isinstance(answer, Failure):
        return True
    try:
        message = decode(answer)
    except RemoteProtocolError:
        return False
    response = getattr(message, "response", None)
    return response is not None and response.response_code != ResponseCode.OK
