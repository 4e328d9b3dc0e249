"""A VEN that the application steers message by message."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import anyio

from oadr_core import (
    CreatedEvent,
    CreateOpt,
    EiResponse,
    Event,
    EventResponse,
    ExchangeAbandoned,
    ExchangeDone,
    ExchangeSetBack,
    LocalProtocolError,
    Now,
    OptType,
    Output,
    Payload,
    ProtocolError,
    Report,
    Save,
    Sealer,
    TicketId,
    Transmit,
    Ven,
    VenConfig,
    VenState,
    from_dict,
    part_from_dict,
    to_dict,
)
from oadr_driver.clock import system_now
from oadr_driver.driver import tell
from oadr_driver.recorder import Recorder
from oadr_driver.store import Store
from oadr_driver.transport import ExchangeFailed, LooseCarrier

Spoken = tuple[str, dict[str, object]]
"""A message as its name and its content."""


class RegistrationFailed(ProtocolError):
    """The VTN does not register the VEN; the text is its answer."""


class OptFailed(ProtocolError):
    """The VTN does not take an opt; the text is its answer."""


class ManualVen:
    """Sends one request at a time, and hands back its answer. Nothing happens by itself.

    A request waits for one that another task is sending. After a failure that concerns the VTN as a whole, the next
    request waits as long as the profile wants the VTN left alone (section 9.1.7).

    :param config: what the VEN is.
    :param carrier: carries requests to the VTN.
    :param sealer: opens and seals documents.
    :param store: keeps the state; in memory if None.
    :param observe: is told everything that the core tells.
    :param recorder: is told of every exchange.
    """

    def __init__(
        self,
        config: VenConfig,
        carrier: LooseCarrier,
        *,
        sealer: Sealer,
        store: Store | None = None,
        observe: Callable[[Event], None] | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        saved = {} if store is None else store.load()
        state = VenState.load(saved["ven"]) if "ven" in saved else None
        self.ven: Final = Ven(config, sealer=sealer, entropy=random.SystemRandom(), state=state)
        self._store = store
        self._observe = observe
        self._lock = anyio.Lock()
        self._recorder = recorder
        self._carrier = carrier

    async def close(self) -> None:
        """Close the connections."""
        await self._carrier.close()

    async def query_registration(self) -> Spoken:
        """Ask the VTN what it supports."""
        return await self._exchange(self.ven.query_registration)

    async def create_party_registration(self, *, anew: bool = False) -> Spoken:
        """Register; again with the present ids where there is a registration.

        :param anew: register as new all the same.
        :raises ExchangeFailed: the VTN cannot be reached.
        :raises RegistrationFailed: the VTN does not register us.
        """
        message_type, content = await self._exchange(lambda now: self.ven.create_party_registration(now, anew=anew))
        if not self.ven.state.registered:
            _, text = _told(content)
            raise RegistrationFailed(f"the VTN does not register the VEN: {text}")
        return message_type, content

    async def cancel_party_registration(self) -> Spoken:
        """End the registration."""
        return await self._exchange(self.ven.cancel_party_registration)

    async def register_reports(self, reports: Sequence[Report | Mapping[str, object]]) -> Spoken:
        """Say all that can be reported."""
        offers = [part_from_dict(Report, one) for one in reports]
        return await self._exchange(lambda now: self.ven.register_report(offers, now))

    async def request_event(self, reply_limit: int | None = None) -> Spoken:
        """Ask for all events."""
        return await self._exchange(lambda now: self.ven.request_event(now, reply_limit=reply_limit))

    async def created_event(
        self, request_id: str, event_id: str, opt_type: str, modification_number: int = 0
    ) -> Spoken:
        """Answer an event.

        :param request_id: the ``request_id`` of the oadrDistributeEvent that brought it.
        :param event_id: the event.
        :param opt_type: ``optIn`` or ``optOut``.
        :param modification_number: the modification that is answered.
        """
        response = EventResponse(
            request_id=request_id,
            event_id=event_id,
            modification_number=modification_number,
            opt_type=OptType(opt_type),
        )
        message = CreatedEvent(
            response=EiResponse(response_description="OK"),
            event_responses=(response,),
            ven_id=self.ven.state.ven_id,
        )
        return await self._exchange(lambda now: self.ven.send(message, now))

    async def create_opt(self, opt: CreateOpt) -> Spoken:
        """Opt in or out, for an event or by a schedule.

        :raises ExchangeFailed: the VTN cannot be reached, or has no such service.
        :raises OptFailed: the VTN does not take it.
        """
        return _taken(await self._exchange(lambda now: self.ven.create_opt(opt, now)))

    async def cancel_opt(self, opt_id: str) -> Spoken:
        """Take all schedules of an id back.

        :raises ExchangeFailed: the VTN cannot be reached, or has no such service.
        :raises OptFailed: the VTN does not take them back.
        """
        return _taken(await self._exchange(lambda now: self.ven.cancel_opt(opt_id, now)))

    async def poll(self) -> Spoken:
        """Ask whether the VTN has anything.

        :returns: the name and the content of what it has; ``oadrResponse`` where it has nothing.
        :raises ExchangeFailed: the VTN cannot be reached.
        """
        return await self._exchange(self.ven.poll)

    async def send(self, message: Payload | str, content: Mapping[str, object] | None = None) -> Spoken:
        """Send any message that a VEN may send.

        :param message: the message, or the name of its payload.
        :param content: its content, where ``message`` is a name.
        """
        made = from_dict(message, content or {}) if isinstance(message, str) else message
        return await self._exchange(lambda now: self.ven.send(made, now))

    async def _exchange(self, begin: Callable[[Now], TicketId]) -> Spoken:
        """Begin a request and see it through; take it back where that is not possible."""
        async with self._lock:
            ticket = begin(system_now())
            try:
                answer = await self._answer_to(ticket)
            except BaseException:
                self.ven.withdraw(ticket)
                raise
            finally:
                await self._keep()
        return ("", {}) if answer is None else to_dict(answer)

    async def _answer_to(self, ticket: TicketId) -> Payload | None:
        """Perform what the core wants done, until a request is answered or has failed."""
        while True:
            while (output := self.ven.next_output(system_now())) is not None:
                await self._perform(output)
                if isinstance(output, ExchangeDone) and output.ticket == ticket:
                    return output.answer
                if isinstance(output, ExchangeSetBack | ExchangeAbandoned) and output.ticket == ticket:
                    raise ExchangeFailed(output.why)
            deadline = self.ven.next_timeout()
            if deadline is None:
                raise LocalProtocolError("the request cannot be sent at present")
            await anyio.sleep(max(0.0, deadline.at - system_now().mono))
            self.ven.handle_timeout(system_now())

    async def _perform(self, output: Output) -> None:
        if isinstance(output, Transmit):
            await self._transmit(output)
        elif isinstance(output, Save) and self._store is not None:
            await self._store.save([(output.key, output.blob)])
        elif isinstance(output, Event):
            tell(self._observe, output)

    async def _keep(self) -> None:
        """Save what a request and its answer have changed."""
        with anyio.CancelScope(shield=True):
            while (output := self.ven.next_output(system_now())) is not None:
                if not isinstance(output, Transmit):
                    await self._perform(output)

    async def _transmit(self, transmit: Transmit) -> None:
        began = system_now()
        body = transmit.render(began)
        answer, why = None, None
        try:
            answer = await self._carrier.exchange(transmit, body)
        except ExchangeFailed as error:
            why = error.why
        if self._recorder is not None:
            self._recorder.sent(transmit, body, answer, why, began.utc)
        if answer is not None:
            self.ven.receive_response(transmit.exchange, answer, now=system_now())
        elif why is not None:
            self.ven.exchange_failed(transmit.exchange, why, now=system_now())


def _told(content: Mapping[str, object]) -> tuple[int, str]:
    """How a request fared by its answer: the code, and it with the text."""
    response = content.get("response")
    refusal = response if isinstance(response, Mapping) else {}
    code = refusal.get("response_code")
    return int(code or 0), f"{code} {refusal.get('response_description') or ''}".strip()


def _taken(spoken: Spoken) -> Spoken:
    """Pass the answer to an opt on, unless it is a refusal."""
    code, text = _told(spoken[1])
    if spoken[0] and not 200 <= code < 300:
        raise OptFailed(f"the VTN does not take the opt: {text}")
    return spoken
