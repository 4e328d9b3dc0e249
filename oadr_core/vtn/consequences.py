"""What comes of one input: a step over the record of a VEN, once the application has decided what it has to decide."""

from typing import Any, Final, Unpack

import msgspec

from oadr_core.clock import Now
from oadr_core.core import Question
from oadr_core.errors import LocalProtocolError, SealError
from oadr_core.machines.exchange import Failure
from oadr_core.machines.operations import VTN_OPERATIONS
from oadr_core.messages import ProfileName, RegisteredReport
from oadr_core.outputs import InboundId, ReportEnded, Save, VenRegistered
from oadr_core.seal import Peer
from oadr_core.state.reports import digest
from oadr_core.state.vtn import QueuedMessage, VenRecord
from oadr_core.vtn.base import Parts
from oadr_core.vtn.event_service import EventService
from oadr_core.vtn.identities import Identities, Unidentified, why_refused
from oadr_core.vtn.step import step
from oadr_core.vtn.turn import Answered, Asked, Decided, Hand, Input, PushFailed, Queue, Step, VtnConfig
from oadr_core.wire.verify import verify

_STRANGERS: Final = 32
"""As how many VENs those count together that are not registered and show no certificate."""

_Key = tuple[str, str]
"""Tells one question to the application from another: who asks, and a digest of the request."""


class Consequences(EventService, Identities):
    """Carries out what :func:`~oadr_core.vtn.step` decides, and asks the application before where that is up to it."""

    def __init__(self, config: VtnConfig, **parts: Unpack[Parts]) -> None:
        super().__init__(config, **parts)
        self._asking: dict[_Key, list[InboundId]] = {}
        self._undecided: dict[str, int] = {}  # how many of these there are, by who asks

    # --- taking a step -----------------------------------------------------------------------------------------------

    def _queue(self, record: VenRecord, message: QueuedMessage, now: Now) -> None:
        self._known_20b_ven(record.ven_id, message.message_type())
        if len(record.queue) >= self.config.limits.queued and not VTN_OPERATIONS[type(message)].urgent:
            raise LocalProtocolError(f"{len(record.queue)} operations wait for the VEN {record.ven_id!r} already")
        verify(message)  # what could not be sent could not be loaded after a restart either
        self._take(record, Queue(message), None, now)

    def _take(self, record: VenRecord | None, given: Input, inbound: InboundId | None, now: Now) -> None:
        """Take one input, and do what comes of it."""
        if self._asking and isinstance(given, Asked):  # seldom, and the digest of a long report is dear
            given = msgspec.structs.replace(given, key=digest(given.message))
            if inbound is not None and self._is_asking(record, given, inbound):
                return
        self._bring_back(now)
        result = step(record, given, self._shared, now)
        self._apply(record, result, now)
        if result.ask is not None and isinstance(given, Asked):
            self._put_question(result, given, record, [] if inbound is None else [inbound], now)
        elif result.ask is not None and isinstance(given, Answered) and result.record is not None:
            self._ask_about_answer(result, given, result.record, now)
        elif inbound is not None:
            self._reply(inbound, result.answer)
        elif isinstance(given, Hand) and result.answer is not None and result.record is not None:
            self._transmit(result.record, result.answer, now)
        after = result.record
        if after is not None and not isinstance(given, Hand | PushFailed):
            self._push(after.ven_id, now)

    def _apply(self, before: VenRecord | None, result: Step, now: Now) -> None:
        """Keep the record, and have it saved before anything that follows from it."""
        after = result.record
        if before is not None and (after is None or after.ven_id != before.ven_id):
            self._end(before)
        if after is not None and after is not before:
            self._keep(after)
        if after is not None and result.durable:
            self._emit(Save(after.key, after.dump()))
        for event in result.events:
            if isinstance(event, VenRegistered) and event.ven_id in self._push_vens:
                self._pushing.reset(event.ven_id)
            self._emit(event)
        for notice in result.notices:
            self.tell_in_turn(notice.ven_id, notice.handler, notice.arguments, now)
        if before is None and after is not None:
            self._heard_of(after, now)
            if after.profile is ProfileName.V20A:
                self._tell_withheld_of(self._book.of(after.ven_id), after.ven_id)

    def _end(self, record: VenRecord) -> None:
        """Forget the registration of a VEN, with what it has asked for."""
        self._drop(record)
        for one in record.report_requests:
            self._emit(ReportEnded(report_request_id=one.request.report_request_id, ven_id=record.ven_id))

    # --- asking the application --------------------------------------------------------------------------------------

    def _is_asking(self, record: VenRecord | None, given: Asked, inbound: InboundId) -> bool:
        """Whether the application is being asked about the same request; its answer will serve this one too."""
        waiting = self._asking.get(_question_key(record, given))
        if waiting is None:
            return False
        waiting.append(inbound)
        return True

    def _ask_about_answer(self, result: Step, given: Answered, record: VenRecord, now: Now) -> None:
        """A push VEN wants reports by the way (rule 344); the connection says who it is, whatever the answer names."""
        assert isinstance(given.message, RegisteredReport)
        message = msgspec.structs.replace(given.message, ven_id=record.ven_id)
        asked = Asked(message, record.identity, record.profile, signer=record.signer)
        self._put_question(result, asked, record, [], now, pushed=True)

    def _put_question(
        self,
        result: Step,
        given: Asked,
        record: VenRecord | None,
        waiting: list[InboundId],
        now: Now,
        *,
        pushed: bool = False,
    ) -> None:
        assert result.ask is not None
        ask, asked = result.ask, msgspec.structs.replace(given, key=result.key or digest(given.message))
        key = _question_key(record, asked)
        already = self._asking.get(key)
        if already is not None:  # the same came another way meanwhile; the answer to that will serve this one too
            already += waiting
            return
        most = self.config.limits.undecided if key[0] else _STRANGERS * self.config.limits.undecided
        if self._undecided.get(key[0], 0) >= most and not pushed:
            for one in waiting:
                self._reply(one, None, Failure.BUSY)
            return
        self._undecided[key[0]] = self._undecided.get(key[0], 0) + 1
        self._asking[key] = waiting

        def then(decision: Any, later: Now) -> None:
            decided = Decided(
                given.message,
                given.identity,
                ask.handler,
                decision,
                given.profile,
                key[1],
                ask.found,
                pushed,
                given.signer,
            )
            self._conclude(key, decided, later)

        self._ask(Question(ask.handler, ask.arguments, ask.read, ask.otherwise, ask.failing, then), now)

    def _conclude(self, key: _Key, decided: Decided, now: Now) -> None:
        """Answer a request, now that the application has decided; it may have to decide something else first.

        Who sent it is found out anew: meanwhile it may have registered, or somebody else under the same id.
        """
        waiting = self._asking.pop(key)
        self._undecided[key[0]] -= 1
        if not self._undecided[key[0]]:
            del self._undecided[key[0]]
        try:
            current = self._identify(decided.message, decided.identity, decided.signer, decided.profile)
        except SealError as error:
            for one in waiting:
                self._refuse(one, why_refused(error), Peer(identity=decided.identity), str(error))
            return
        except Unidentified as error:
            for one in waiting:
                self._answer_error(one, decided.message, error.code, str(error), Peer(identity=decided.identity))
            return
        if current is not None:
            self._adopt(current.ven_id, decided, now)
            current = self._records[current.ven_id]  # a push VEN may have been handed what was adopted
        result = step(current, decided, self._shared, now)
        forbidden = self._why_not(current, result, decided)
        if forbidden is not None:
            for one in waiting:
                self._answer_error(one, decided.message, *forbidden, Peer(identity=decided.identity))
            return
        self._apply(current, result, now)
        if result.ask is not None:
            asked = Asked(decided.message, decided.identity, decided.profile, decided.key, decided.signer)
            self._put_question(result, asked, result.record, waiting, now)
            return
        for one in waiting:
            self._reply(one, result.answer)
        if result.record is not None:
            self._push(result.record.ven_id, now)


def _question_key(record: VenRecord | None, given: Asked) -> _Key:
    who = given.identity or "" if record is None else record.ven_id
    return who, given.key or digest(given.message)
