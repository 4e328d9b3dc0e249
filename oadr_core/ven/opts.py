"""EiOpt at a VEN: saying when it is available, and for which part of an event, and taking schedules back."""

from typing import Final

import msgspec

from oadr_core.clock import Now
from oadr_core.codes import ResponseCode
from oadr_core.errors import LocalProtocolError
from oadr_core.messages import CancelOpt, CreateOpt, EventStatus, OptType, ResponseRequired
from oadr_core.outputs import OptConfirmed, OptRefused, TicketId
from oadr_core.rules import refuse
from oadr_core.state.opts import Scope, foreign_targets, scope_of
from oadr_core.state.ven import KnownEvent
from oadr_core.ven.base import VenBase
from oadr_core.ven.event_checks import refusal
from oadr_core.ven.event_list import is_over

_LANE: Final = "opts"
"""What is said about availability never overtakes what was said before."""


class OptService(VenBase):
    """EiOpt at a VEN (section 8.5 of the profile)."""

    # --- what the application can ask for ----------------------------------------------------------------------------

    def create_opt(self, opt: CreateOpt, now: Now) -> TicketId:
        """Opt in or out, for an event or by a schedule; kept and sent again until the VTN has answered.

        :param opt: what is said; the venID, also that of the target, and the modification of the event are filled in.
        :raises LocalProtocolError: the opt breaks a rule, or the VEN is not registered or has no opts.
        """
        message = self._checked(opt, now)
        self._await_answer(message, now)
        return self._send(message, now, lane=_LANE, patient=True)

    def cancel_opt(self, opt_id: str, now: Now) -> TicketId:
        """Take all schedules of an id back; kept and sent again until the VTN has answered (rule 204).

        :raises LocalProtocolError: the id was used for an event (rule 211), or the VEN is not registered or has no
            opts.
        """
        message = self._cancellation(opt_id)
        self._await_answer(message, now)
        return self._send(message, now, lane=_LANE, patient=True)

    def put_opt(self, opt: CreateOpt, now: Now) -> CreateOpt:
        """Keep an opt until :meth:`deliver_opts` is called; else like :meth:`create_opt`."""
        message = self._checked(opt, now)
        self._await_answer(message, now)
        return message

    def put_cancel_opt(self, opt_id: str, now: Now) -> None:
        """Keep a cancellation until :meth:`deliver_opts` is called; else like :meth:`cancel_opt`."""
        self._await_answer(self._cancellation(opt_id), now)

    def deliver_opts(self, now: Now) -> None:
        """Send what the VTN has not answered, those from before a restart too, unless it is on its way already."""
        for message in self._state.unanswered_opts:
            if not self._sender.holds(message):
                self._send(message, now, lane=_LANE, patient=True)

    # --- checking ----------------------------------------------------------------------------------------------------

    def _require_opts(self) -> None:
        self._require_20b("EiOpt; a VEN answers its events, and may answer them anew")
        self._require_registration()
        if self.config.report_only:
            raise LocalProtocolError("a report-only VEN has no EiOpt service")

    def _checked(self, opt: CreateOpt, now: Now) -> CreateOpt:
        """Complete an opt, and refuse one that the VTN would have to refuse."""
        self._require_opts()
        own = self._state.ven_id
        others = [one for one in opt.target.ven_id if one != own]
        if others:
            raise LocalProtocolError(f"the target names the VEN {others[0]!r}; this one is {own!r}")
        target = msgspec.structs.replace(opt.target, ven_id=(own,))  # decision D3
        message = msgspec.structs.replace(opt, ven_id=own, target=target)
        if message.event_id is not None:
            message = self._qualified(message, message.event_id, now)
        refuse(message)
        return message

    def _qualified(self, opt: CreateOpt, event_id: str, now: Now) -> CreateOpt:
        """Complete an opt for an event, which must be one that takes answers (rule 206)."""
        known = self._event(event_id)
        if known is None and self.config.manual:  # the application keeps the events itself
            if opt.modification_number is None:
                raise LocalProtocolError(f"which modification of the event {event_id!r}? give modification_number=")
            return opt
        if known is None:
            raise LocalProtocolError(f"there is no event {event_id!r}")
        descriptor = known.event.event_descriptor
        number = descriptor.modification_number
        if opt.modification_number not in (None, number):
            raise LocalProtocolError(f"the event {event_id!r} has modification {number}, not {opt.modification_number}")
        if known.event.response_required is not ResponseRequired.ALWAYS:
            raise LocalProtocolError(f"the event {event_id!r} must not be answered (rule 206)")
        if descriptor.event_status is EventStatus.CANCELLED or is_over(known.event, now.utc):
            raise LocalProtocolError(f"the event {event_id!r} is over")
        foreign = foreign_targets(opt, known.event)
        if foreign:
            raise LocalProtocolError(f"the event {event_id!r} is not about this {', '.join(foreign)} (rule 206)")
        refused = refusal(known.event, self.config, self._state.ven_id, now.utc, new=False)
        if refused is not None and opt.opt_type is OptType.OPT_IN:
            raise LocalProtocolError(f"the event {event_id!r} cannot be carried out: {refused.description}")
        return msgspec.structs.replace(opt, modification_number=number)

    def _event(self, event_id: str) -> KnownEvent | None:
        known = (one for one in self._state.events if one.event_id == event_id)
        return next(known, None)

    def _cancellation(self, opt_id: str) -> CancelOpt:
        self._require_opts()
        waiting = [one for one in self._state.unanswered_opts if isinstance(one, CreateOpt)]
        for_event = any(one.opt_id == opt_id and one.event_id is not None for one in waiting)
        if for_event or self._state.opts.is_for_event(opt_id):
            raise LocalProtocolError(f"{opt_id!r} was used for an event; opt for it anew instead (rule 211)")
        message = CancelOpt(request_id=self._new_id(), opt_id=opt_id, ven_id=self._state.ven_id)
        refuse(message)
        return message

    # --- until the VTN has answered ----------------------------------------------------------------------------------

    def _await_answer(self, message: CreateOpt | CancelOpt, now: Now) -> None:
        if self.config.manual:
            return  # the application sends again what failed
        if len(self._state.unanswered_opts) >= self.config.limits.opts:
            raise LocalProtocolError(f"{self.config.limits.opts} opts wait for the VTN already")
        self._now = now
        self._change(now, unanswered_opts=(*self._state.unanswered_opts, message))

    def _forget_opt(self, message: CreateOpt | CancelOpt, now: Now) -> None:
        """Await no answer any more."""
        kept = tuple(one for one in self._state.unanswered_opts if one != message)
        self._change(now, unanswered_opts=kept)

    def _opt_confirmed(self, message: CreateOpt | CancelOpt, now: Now) -> None:
        """The VTN has taken an opt, or its cancellation."""
        self._forget_opt(message, now)
        events = {one.event_id for one in self._state.events}
        book = self._state.opts.pruned(now.utc, events)
        cancelled = isinstance(message, CancelOpt)
        book = book.with_opt(message) if isinstance(message, CreateOpt) else book.without(message.opt_id)
        self._change(now, opts=book)
        if isinstance(message, CreateOpt) and scope_of(message) == Scope():
            self._follow_opt(message, now)
        self._emit(OptConfirmed(opt_id=message.opt_id, cancelled=cancelled))
        self._tell_answer(message, int(ResponseCode.OK), None, now)

    def _opt_refused(self, message: CreateOpt | CancelOpt, code: int, text: str, now: Now) -> None:
        """The VTN does not take an opt, or its cancellation; as it is it must not be sent again."""
        self._forget_opt(message, now)
        self._tell_refused(message, code, text, now)

    def _tell_refused(self, message: CreateOpt | CancelOpt, code: int, text: str, now: Now) -> None:
        cancelling = isinstance(message, CancelOpt)
        self._emit(OptRefused(opt_id=message.opt_id, code=code, description=text, cancelling=cancelling))
        self._tell_answer(message, code, text, now)

    def _tell_answer(self, message: CreateOpt | CancelOpt, code: int, text: str | None, now: Now) -> None:
        """Tell the application what came of an opt, or of its cancellation; the code is 0 where there was no answer."""
        handler = "on_canceled_opt" if isinstance(message, CancelOpt) else "on_created_opt"
        told = {"opt_id": message.opt_id, "response_code": code, "response_description": text}
        self.tell_in_turn("opts", handler, told, now)
