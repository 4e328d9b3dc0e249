"""What an operator can ask of a running VTN about its events."""

from collections.abc import Mapping
from datetime import UTC, datetime
from random import SystemRandom
from typing import Any, Final

import msgspec

from oadr_app.asking import event_of as find_event
from oadr_app.asking import maybe_text, texts_of, ven_id_of
from oadr_app.checked import ConfigError, Refused
from oadr_app.control import Command
from oadr_app.event_file import AudienceForm, EventForm, differences, event_of, form_of, read_form, written_form
from oadr_app.periods import written
from oadr_core import (
    AnswerState,
    Audience,
    EiEvent,
    EventAnswer,
    EventRecord,
    EventStatus,
    LocalProtocolError,
    OptType,
    ResponseRequired,
    add_duration,
    event_status,
    is_zero,
)
from oadr_http import OpenADRServer

_PAST: Final = (EventStatus.COMPLETED, EventStatus.CANCELLED)


class EventCommands:
    """Makes, changes, cancels, lists and shows events.

    :param server: the VTN.
    """

    def __init__(self, server: OpenADRServer) -> None:
        self._server: Final = server

    def changes(self) -> Mapping[str, Command]:
        """The commands that change something, by name."""
        return {"event/create": self._create, "event/modify": self._modify, "event/cancel": self._cancel}

    def views(self) -> Mapping[str, Command]:
        """The commands that show something, by name."""
        return {"event/list": self._list, "event/show": self._show}

    # --- changes -----------------------------------------------------------------------------------------------------

    async def _create(self, asked: Mapping[str, Any]) -> object:
        form, event = _read(asked)
        number = form.event_descriptor.modification_number
        if number:
            raise LocalProtocolError(
                f"event_descriptor.modification_number: this is modification {number} of an event, and a new "
                "one has 0 (rule 4); oadr event modify changes one that is there"
            )
        event_id = self._server.add_raw_event(None, event, audience=self._audience(form.audience))
        return {"event_id": event_id, "modification_number": 0, **self._reach(event_id)}

    async def _modify(self, asked: Mapping[str, Any]) -> object:
        form, event = _read(asked)
        record = find_event(self._server, {"event_id": event.event_descriptor.event_id})
        expected = form.event_descriptor.modification_number
        if expected not in (None, record.modification_number):
            raise LocalProtocolError(
                f"the event {record.event_id!r} has modification {record.modification_number} by now, and this is a "
                f"change of {expected}; look at it anew"
            )
        audience = self._audience(form.audience) if form.audience else record.audience
        before, after = self._form(record), form_of(event, self._audience_form(audience))
        if after.event_descriptor.modification_reason is None:  # a reason is gone with its change
            before = _without_reason(before)
        changes = differences(before, after)
        number = record.modification_number
        if changes:
            number = self._server.modify_event(event, audience=audience)
        answer = {"event_id": record.event_id, "modification_number": number, "changes": changes}
        return {**answer, **self._reach(record.event_id)}

    async def _cancel(self, asked: Mapping[str, Any]) -> object:
        event_id = find_event(self._server, asked).event_id
        return {"event_id": event_id, "modification_number": self._server.cancel_event(event_id=event_id)}

    def _audience(self, form: AudienceForm) -> Audience:
        """Find whom a form is for; everyone if nobody is named."""
        return Audience(
            ven_ids=tuple(self._named(one) for one in form.vens),
            group_ids=form.group_ids,
            resource_ids=form.resource_ids,
            party_ids=form.party_ids,
            market_contexts=form.market_contexts,
            everyone=form.everyone or not form,
        )

    def _named(self, ven: str) -> str:
        """Find a VEN by id or name; one that is enrolled need not be registered."""
        return ven if ven in self._server.enrolments else ven_id_of(self._server, ven)

    def _reach(self, event_id: str) -> dict[str, Any]:
        """How many VENs an event is for, those that are not given it, and the events that it overlaps with."""
        answers = self._server.answers(event_id)
        return {
            "vens": sum(one.state is not AnswerState.LEFT for one in answers),
            "withheld": [one.ven_name or one.ven_id for one in answers if one.state is AnswerState.WITHHELD],
            "overlaps": list(self._server.overlaps(event_id)),
        }

    # --- views -------------------------------------------------------------------------------------------------------

    async def _list(self, asked: Mapping[str, Any]) -> object:
        now, everything = datetime.now(UTC), bool(asked.get("all"))
        statuses, context = texts_of(asked, "status"), maybe_text(asked, "market_context")
        named = maybe_text(asked, "ven")
        ven_id = None if named is None else ven_id_of(self._server, named)
        found = []
        for record in sorted(self._server.events.values(), key=lambda one: one.event.active_period.dtstart):
            status = event_status(record.event, now)
            if statuses and status not in statuses:
                continue
            if not statuses and not everything and status in _PAST:
                continue
            if context not in (None, record.event.event_descriptor.market_context):
                continue
            if ven_id is None or ven_id in self._server.vens_of(record.event_id):
                found.append(self.summary(record, now))
        return found

    async def _show(self, asked: Mapping[str, Any]) -> object:
        record = find_event(self._server, asked)
        state = self.summary(record, datetime.now(UTC))
        state["vens"] = self.answers(record.event_id)
        state["overlaps"] = list(self._server.overlaps(record.event_id))
        return {**written_form(self._form(record)), "state": state}

    def _form(self, record: EventRecord) -> EventForm:
        return form_of(record.event, self._audience_form(record.audience))

    def _audience_form(self, audience: Audience) -> AudienceForm:
        return AudienceForm(
            vens=audience.ven_ids,
            group_ids=audience.group_ids,
            resource_ids=audience.resource_ids,
            party_ids=audience.party_ids,
            market_contexts=audience.market_contexts,
            everyone=audience.everyone,
        )

    def summary(self, record: EventRecord, now: datetime) -> dict[str, Any]:
        """An event in short."""
        event, period = record.event, record.event.active_period
        answers = self.answers(record.event_id)
        opts = [one["opt"] for one in answers if one["state"] != AnswerState.LEFT]
        silent = [one for one in answers if one["opt"] is None and one["state"] not in _WITHOUT_ANSWER]
        wanted = event.response_required == ResponseRequired.ALWAYS
        return {
            "event_id": record.event_id,
            "modification_number": record.modification_number,
            "status": event_status(event, now).value,
            "dtstart": period.dtstart.isoformat(),
            "end": None if is_zero(period.duration) else add_duration(period.dtstart, period.duration).isoformat(),
            "duration": written(period.duration),
            "signals": [_signal_in_short(event, number) for number in range(len(event.event_signals))],
            "market_context": event.event_descriptor.market_context,
            "priority": event.event_descriptor.priority or 0,
            "test_event": event.event_descriptor.test_event not in (None, "", "false"),
            "answer_wanted": wanted,
            "vens_told": len(opts),
            "opt_in": opts.count(OptType.OPT_IN.value),
            "opt_out": opts.count(OptType.OPT_OUT.value),
            "silent": len(silent) if wanted else 0,
            "created": record.created_at.isoformat(),
            "changed": record.changed_at.isoformat(),
            "comment": event.event_descriptor.vtn_comment,
        }

    def answers(self, event_id: str) -> list[dict[str, Any]]:
        """Who was told of an event, who answered what and when, and who is silent; by name."""
        answers = self._server.answers(event_id)
        return [_answer(one) for one in sorted(answers, key=lambda one: (one.ven_name, one.ven_id))]


def _answer(answer: EventAnswer) -> dict[str, Any]:
    """What a VEN was told of an event, and what it said; only ``opt`` counts, ``earlier`` is about what was before."""
    return {
        "ven_id": answer.ven_id,
        "ven_name": answer.ven_name,
        "state": answer.state.value,
        "told_modification": answer.modification_number,
        "told_at": _iso(answer.told_at),
        "times": answer.times,
        "opt": _text(answer.opt_type),
        "code": answer.code,
        "description": answer.description,
        "answered_at": _iso(answer.answered_at),
        "answered_modification": answer.answered_number,
        "late": answer.late,
        "changed": answer.changed,
        "earlier": [
            {
                "modification_number": one.modification_number,
                "opt": _text(one.opt_type),
                "code": one.code,
                "answered_at": _iso(one.answered_at),
            }
            for one in answer.earlier
        ],
        "ruled_by_opt": answer.ruled_by_opt_id,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _text(opt_type: OptType | None) -> str | None:
    return None if opt_type is None else opt_type.value


_WITHOUT_ANSWER: Final = (
    AnswerState.REPORT_ONLY,
    AnswerState.WITHHELD,
    AnswerState.INFORMED,
    AnswerState.LEFT,
)
"""States of VENs of which no answer is wanted."""


def _read(asked: Mapping[str, Any]) -> tuple[EventForm, EiEvent]:
    """Read the form of an event, and make the event of it.

    :raises LocalProtocolError: it cannot be meant so, or breaks a rule.
    """
    content, now = asked.get("event"), datetime.now(UTC)
    if not isinstance(content, dict):
        raise LocalProtocolError("`event` must be there, and be a JSON object")
    try:
        form = read_form(content, now)
        return form, event_of(form, SystemRandom(), now)
    except (ConfigError, Refused) as error:
        raise LocalProtocolError(str(error)) from None


def _without_reason(form: EventForm) -> EventForm:
    descriptor = msgspec.structs.replace(form.event_descriptor, modification_reason=None)
    return msgspec.structs.replace(form, event_descriptor=descriptor)


def _signal_in_short(event: EiEvent, number: int) -> str:
    """A signal and its values, such as ``SIMPLE 1, 2``; of many, the first ones."""
    signal = event.event_signals[number]
    values = [f"{one.signal_value:g}" for one in signal.intervals[:_FEW]]
    more = ", …" if len(signal.intervals) > _FEW else ""
    return f"{signal.signal_name} {', '.join(values)}{more}"


_FEW: Final = 6
"""Values of a signal that are told in short."""
