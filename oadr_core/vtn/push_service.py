"""Pushing: handing to the VENs that do not poll what there is for them, and taking their answers."""

import math
from collections.abc import Iterable
from typing import Unpack

import msgspec

from oadr_core.clock import Now
from oadr_core.errors import SchemaError, SealError
from oadr_core.machines.exchange import REMEDY, Failure, Remedy
from oadr_core.machines.operations import SERVICE
from oadr_core.messages import DistributeEvent, Payload, ProfileName, TransportName
from oadr_core.outputs import (
    Address,
    ExchangeAbandoned,
    ExchangeId,
    ExchangeSetBack,
    PeerMisbehaved,
    TicketId,
    Transmit,
)
from oadr_core.sender import SenderConfig
from oadr_core.state.vtn import VenRecord
from oadr_core.vtn.base import Parts
from oadr_core.vtn.presence import Presence
from oadr_core.vtn.profile_20a import simplified
from oadr_core.vtn.pushing import Carried, Turns, contents
from oadr_core.vtn.turn import Answered, Hand, PushFailed, PushRefused, VtnConfig


class PushService(Presence):
    """Pushing to the VENs that do not poll; who is next, and when, is decided in :mod:`oadr_core.vtn.pushing`."""

    def __init__(self, config: VtnConfig, **parts: Unpack[Parts]) -> None:
        super().__init__(config, **parts)
        self._pushing = Turns(parts["push"] or SenderConfig(), config.most_pushes, parts["entropy"])

    # --- what comes back ---------------------------------------------------------------------------------------------

    def receive_response(self, exchange: ExchangeId, body: bytes, *, now: Now) -> None:
        """Take the answer of a push VEN; see :class:`~oadr_core.core.Core`."""
        self._now = now
        ven_id = self._pushing.whose(exchange)
        if ven_id is None:
            return
        try:
            opened = self._sealers[self._records[ven_id].profile].open(body, now) if body else None
        except (SchemaError, SealError) as error:
            self._emit(PeerMisbehaved(who=ven_id, what=f"answered with what cannot be read: {error}"))
            self.exchange_failed(exchange, Failure.BAD_ANSWER, now=now)
            return
        named = None if opened is None else getattr(opened.message, "ven_id", None)
        if opened is not None:
            record = self._records[ven_id]
            if record.signer is not None and not record.signs_with(opened.signer):
                self._emit(PeerMisbehaved(who=ven_id, what="answered without the signature that it registered with"))
                self.exchange_failed(exchange, Failure.BAD_ANSWER, now=now)
                return
            self._note_signed(record, opened, now)
        if named and named != ven_id:
            self._emit(PeerMisbehaved(who=ven_id, what=f"answered as {named}"))
            self.exchange_failed(exchange, Failure.BAD_ANSWER, now=now)
            return
        self._timers.stop(("flight", exchange))
        push, given_up = self._pushing.answered(ven_id)
        self._reached(self._records[ven_id], now)
        answered = Answered(None if opened is None else opened.message, push.message)
        self._take(self._records[ven_id], answered, None, now)
        for operation, why in given_up.items():
            self._give_up(ven_id, operation, why, now)

    def exchange_failed(self, exchange: ExchangeId, why: Failure, *, now: Now) -> None:
        """Take note that a push failed; see :class:`~oadr_core.core.Core`."""
        self._now = now
        ven_id = self._pushing.whose(exchange)
        if ven_id is None:
            return
        self._timers.stop(("flight", exchange))
        push, pause, wait = self._pushing.failed(ven_id, why, now)
        self._timers.after(("push", ven_id), now.mono + pause)
        if push.unreached == self._missed_polls and why is not Failure.CUT_OFF:
            self._lost_sight(self._records[ven_id], now)
        if REMEDY[why] is Remedy.GIVE_UP and isinstance(push.carries, str):
            self._give_up(ven_id, push.carries, why, now)
            return
        self._take(self._records[ven_id], PushFailed(push.message), None, now)
        if push.message is not None and REMEDY[why] is Remedy.GIVE_UP:
            self._emit(ExchangeAbandoned(ticket=TicketId(0), request=push.message, why=why, ven_id=ven_id))
        elif push.message is not None:
            service = SERVICE[type(push.message)]
            self._emit(ExchangeSetBack(ticket=TicketId(0), service=service, why=why, wait=wait, ven_id=ven_id))

    def link_is_back(self, transport: TransportName, now: Now) -> None:
        """Push at once what waits because there was no connection of our own; not all at a time, as ever.

        :param transport: over which there is one again.
        :param now: the present.
        """
        self._now = now
        for ven_id in list(self._push_vens):
            if self._records[ven_id].transport is transport and self._pushing.reconnect(ven_id):
                self._timers.stop(("push", ven_id))
                self._push(ven_id, now)

    def _give_up(self, ven_id: str, operation: str, why: Failure, now: Now) -> None:
        """Ask no more of a push VEN what it does not take, and say so."""
        record = self._records.get(ven_id)
        if record is not None:
            self._take(record, PushRefused(operation, why), None, now)

    # --- what is due -------------------------------------------------------------------------------------------------

    def _wake(self, ven_ids: Iterable[str]) -> None:
        """Have push VENs handed what there is for them, each when its turn comes, once other outputs are taken."""
        for ven_id in ven_ids:
            if ven_id in self._push_vens:
                self._pushing.wait(ven_id)

    def _push(self, ven_id: str, now: Now) -> None:
        """See to it that a push VEN is handed what there is for it; at its present address alone."""
        record = self._records.get(ven_id)
        if record is None or record.pull or record.address is None:
            return
        push = self._pushing.of(ven_id)
        if push.to is not None and push.exchange is not None and not self._is_still_at(record, push.to):
            self._timers.stop(("flight", push.exchange))
            self._pushing.land(ven_id)
            self._take(record, PushFailed(push.message), None, now)
        self._pushing.wait(ven_id)

    def _hand_to(self, ven_id: str, now: Now) -> None:
        """It is the turn of a push VEN: hand it the next thing; else come back when something is due."""
        record = self._records.get(ven_id)
        if record is None or record.pull or record.address is None:
            return
        for aside in self._pushing.asides(ven_id, {one.id for one in record.queue}, now):
            self._take(self._records[ven_id], Hand(aside), None, now)
            if self._pushing.of(ven_id).exchange is not None:
                return
        record = self._records[ven_id]
        awaited = [one.until for one in record.queue] + [one.until for one in record.standings]
        later = [now.mono + (until - now.utc).total_seconds() for until in awaited if until and until > now.utc]
        first = min([*later, self._pushing.next_try(ven_id, now)])
        if first < math.inf:
            self._timers.after(("push", ven_id), first)

    def _watch_crowd(self) -> None:
        """Wait until an exchange has taken so long that its place goes to a VEN that waits for one."""
        given_up = self._pushing.next_given_up()
        if given_up is not None and not self._timers.is_set(("crowd", None)):
            self._timers.after(("crowd", None), given_up[0])

    def _give_up_for_others(self, now: Now) -> None:
        """Where VENs wait for a place, those that take long give up theirs; they get it for longer the next time."""
        while (given_up := self._pushing.next_given_up()) is not None and given_up[0] <= now.mono:
            self.exchange_failed(given_up[1], Failure.SILENCE, now=now)

    # --- sending -----------------------------------------------------------------------------------------------------

    def _address_of(self, record: VenRecord) -> Address:
        """Where a push VEN is reached, and what shows that it is the one."""
        signed, also = record.signer is not None, None
        if record.renewal is not None and record.transport is TransportName.SIMPLE_HTTP:
            also = record.renewal.fingerprint
        return Address(record.transport, record.address or "", record.profile, record.identity, signed, also)

    def _is_still_at(self, record: VenRecord, to: Address) -> bool:
        """Whether a VEN is reached where something was sent to, and by nothing that does not show it any more."""
        there = self._address_of(record)
        alike = msgspec.structs.replace(to, identity=there.identity, also=there.also) == there
        return alike and (to == there or (bool(to.identities) and to.identities <= there.identities))

    def _transmit(self, record: VenRecord, message: Payload, now: Now) -> None:
        exchange, to = ExchangeId(next(self._numbers)), self._address_of(record)
        if isinstance(message, DistributeEvent):
            carries: Carried = contents(message.events)
        else:
            carries = next(one.id for one in record.queue if one.message is message)
        self._pushing.fly(record.ven_id, exchange, message, carries, to, now)
        timeout = self._pushing.config.timeout
        self._timers.after(("flight", exchange), now.mono + timeout)
        service = SERVICE[type(message)]
        sealer, said = self._sealers[record.profile].towards(record.signer), message
        if record.profile is ProfileName.V20A:
            said = simplified(message)
        self._emit(Transmit(exchange, to, service, said, timeout, sealer))

    def _drop(self, record: VenRecord) -> None:
        super()._drop(record)
        push = self._pushing.forget(record.ven_id)
        if push is not None and push.exchange is not None:  # its answer would be about what is no more
            self._timers.stop(("flight", push.exchange))
        self._timers.stop(("push", record.ven_id))
