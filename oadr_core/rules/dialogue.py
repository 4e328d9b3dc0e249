"""Rules about dialogues: registrations, polls and reports, as they show in all that a VTN and a VEN say."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from oadr_core.messages import (
    CanceledPartyRegistration,
    CanceledReport,
    CancelOpt,
    CancelPartyRegistration,
    CreatedPartyRegistration,
    CreatedReport,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    Payload,
    Poll,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RequestReregistration,
    Response,
    TransportName,
    UpdateReport,
)
from oadr_core.rules.registry import Fault, Severity, rule
from oadr_core.rules.trace import Dialogue, Exchange, Role

PATIENCE: Final = timedelta(minutes=2)
"""How long a peer may take to act upon what it was told, and how far clocks may be apart, before that counts."""

_ENDS: Final = CancelPartyRegistration | CanceledPartyRegistration

# --- registration ----------------------------------------------------------------------------------------------------


@rule("R405", Dialogue)
def registration_first(dialogue: Dialogue) -> Iterator[Fault]:
    """After a new registration come metadata and oadrRequestEvent, before any other exchange of the VEN.

    Polls may come before, as they bring the metadata of the VTN; once there is nothing more to fetch, they may not.
    After a re-registration none of it is needed, and a VEN that was stopped meanwhile begins with one.
    """
    (_, first), *rest = dialogue.exchanges
    if not is_new_registration(first):
        return
    request = first.request
    missing = ["oadrRegisterReport"]
    if isinstance(request, CreatePartyRegistration) and not request.report_only:
        missing.append("oadrRequestEvent")
    offered_by_vtn = drained = False
    for number, exchange in sorted(rest, key=lambda one: one[1].time):
        request = exchange.request
        if isinstance(request, CreatePartyRegistration):
            return
        if exchange.requester is Role.VEN and request is not None:
            missing = [name for name in missing if request.message_type() != name]
            was_under_way = exchange.time <= first.time
            if missing and not was_under_way and _is_other_work(request, polls=drained):
                right = f"{' and '.join(missing)} must come first, after a new registration"
                yield Fault(f"the VEN sends {request.message_type()}", right, f"[{number}].request")
                return
        offered_by_vtn |= any(isinstance(one, RegisterReport) for _, who, one in exchange.said if who is Role.VTN)
        drained |= offered_by_vtn and isinstance(request, Poll) and isinstance(exchange.answer, Response)


def is_new_registration(exchange: Exchange) -> bool:
    """Tell whether an exchange has made a registration that was not there before."""
    request, answer = exchange.request, exchange.answer
    if not isinstance(request, CreatePartyRegistration) or not isinstance(answer, CreatedPartyRegistration):
        return False
    return answer.response.ok and bool(answer.registration_id) and not request.registration_id


def _is_other_work(request: Payload, *, polls: bool) -> bool:
    """Whether a VEN begins something that belongs neither to the registration nor to the exchange of metadata."""
    if isinstance(request, CreateReport):
        return any(one.report_specifier.report_specifier_id != "METADATA" for one in request.report_requests)
    return isinstance(request, UpdateReport | CreateOpt | CancelOpt) or (polls and isinstance(request, Poll))


class Registration(msgspec.Struct, frozen=True):
    """What a VEN has registered, as a dialogue shows it.

    :param time: when.
    :param request: what the VEN has asked for.
    :param answer: what the VTN has granted.
    """

    time: datetime
    request: CreatePartyRegistration
    answer: CreatedPartyRegistration

    @property
    def polls(self) -> bool | None:
        """Whether the VEN polls; None over XMPP, or where it does not say."""
        over_http = self.request.transport_name is TransportName.SIMPLE_HTTP
        return self.request.http_pull_model if over_http else None


def registered(dialogue: Dialogue) -> Iterator[tuple[int, Exchange, Registration | None]]:
    """Every exchange of a dialogue, with its number and the registration in force; None where that is not known."""
    present: Registration | None = None
    for number, exchange in dialogue.exchanges:
        yield number, exchange, present
        request, answer = exchange.request, exchange.answer
        if isinstance(request, CreatePartyRegistration):
            present = None
            if isinstance(answer, CreatedPartyRegistration) and answer.response.ok:
                present = Registration(exchange.time, request, answer)


@rule("R51", Dialogue)
def nothing_is_pushed_to_pollers(dialogue: Dialogue) -> Iterator[Fault]:
    """Nothing is pushed to a VEN that polls."""
    for number, exchange, registration in registered(dialogue):
        if registration is None or not registration.polls or exchange.request is None:
            continue
        if exchange.requester is Role.VTN and exchange.time > registration.time + PATIENCE:
            found = f"a push of {exchange.request.message_type()}"
            yield Fault(found, "the VEN has registered as one that polls", f"[{number}].request")


@rule("R500", Dialogue)
def pushed_to_do_not_poll(dialogue: Dialogue) -> Iterator[Fault]:
    """A VEN that is pushed to does not poll."""
    for number, exchange, registration in registered(dialogue):
        if registration is None or registration.polls is not False or not isinstance(exchange.request, Poll):
            continue
        if exchange.time > registration.time + PATIENCE:
            yield Fault("a poll", "the VEN has registered as one that is pushed to", f"[{number}].request")


_HASTE: Final = 5
"""How many polls in a row that come too early are no accident: an application may ask for some between others."""


@rule("R500", Dialogue, severity=Severity.WARNING)
def polling_frequency(dialogue: Dialogue) -> Iterator[Fault]:
    """When there is nothing left to fetch, a VEN polls again after the time that its VTN has asked for."""
    hasty = 0
    last: Exchange | None = None
    for number, exchange, registration in registered(dialogue):
        frequency = None if registration is None else registration.answer.requested_oadr_poll_freq
        if not isinstance(frequency, timedelta):  # one in months is implausible, which decision D44 says
            hasty, last = 0, None
        elif isinstance(exchange.request, Poll):
            early = last is not None and _is_drained(last) and _gap(last, exchange) < frequency / 2
            hasty = hasty + 1 if early else 0
            last = exchange
            if hasty == _HASTE:
                found = f"{hasty} polls in a row, each less than half of {frequency} after the one before"
                yield Fault(found, f"the VTN asks for one every {frequency}", f"[{number}].request")


def _is_drained(exchange: Exchange) -> bool:
    """Whether a poll has brought nothing, as there was nothing left."""
    return isinstance(exchange.answer, Response) and exchange.answer.response.ok


def _gap(last: Exchange, exchange: Exchange) -> timedelta:
    return exchange.time - last.time


@rule("R400", Dialogue, severity=Severity.WARNING)
def foreign_registration(dialogue: Dialogue) -> Iterator[Fault]:
    """What names another registration than the one in force is refused."""
    for number, exchange, registration in registered(dialogue):
        request, answer = exchange.request, exchange.answer
        known = None if registration is None else registration.answer.registration_id
        if not isinstance(request, CancelPartyRegistration | CreatePartyRegistration) or not known:
            continue
        taken = isinstance(answer, CanceledPartyRegistration | CreatedPartyRegistration) and answer.response.ok
        if taken and request.registration_id and request.registration_id != known:
            found = f"the registrationID {request.registration_id!r} is taken"
            yield Fault(found, f"the registration is {known!r}", f"[{number}].answer.response")


@rule("R407", Dialogue, severity=Severity.WARNING)
def forgotten_registration(dialogue: Dialogue) -> Iterator[Fault]:
    """When a registration is cancelled the VTN knows its VEN no longer, and serves it no more.

    A VEN may be registered by other means than messages, so this is implausible, not wrong.
    """
    since = dialogue.cancelled_at
    if since is None or isinstance(dialogue.exchanges[0][1].request, CreatePartyRegistration):
        return
    for number, exchange in dialogue.exchanges:
        request, answer = exchange.request, exchange.answer
        if exchange.requester is Role.VEN and exchange.time - since > PATIENCE and _is_served(exchange):
            assert request is not None
            assert answer is not None
            found = f"{request.message_type()} is answered with {answer.message_type()}"
            yield Fault(found, "the registration was cancelled, so it is refused with 463", f"[{number}].answer")
            return


def _is_served(exchange: Exchange) -> bool:
    """Whether a VTN has treated a VEN as one that it knows."""
    if isinstance(exchange.request, QueryRegistration | CreatePartyRegistration | _ENDS) or exchange.answer is None:
        return False
    response = getattr(exchange.answer, "response", None)
    return not isinstance(exchange.answer, RequestReregistration | _ENDS) and (response is None or response.ok)


# --- reports ---------------------------------------------------------------------------------------------------------


@rule("R304", Dialogue, severity=Severity.WARNING)
def reports_were_asked_for(dialogue: Dialogue) -> Iterator[Fault]:
    """A report answers a request that was made.

    Only metadata that were taken show which requests there are, as they make void what was asked for before (rule 306).
    """
    asked = _asked(dialogue)
    since: dict[Role, datetime] = {}
    for number, exchange in dialogue.exchanges if dialogue.whole else ():
        for place, who, message in exchange.said:
            if isinstance(message, UpdateReport) and exchange.time > since.get(who, exchange.time):
                for index, report in enumerate(message.reports):
                    if report.report_request_id not in asked[who]:
                        where = f"[{number}].{place}.reports[{index}].report_request_id"
                        yield Fault(f"{report.report_request_id!r}", "nobody has asked for it within this trace", where)
        if isinstance(exchange.request, RegisterReport) and isinstance(exchange.answer, RegisteredReport):
            since.setdefault(exchange.requester, exchange.time)


def _asked(dialogue: Dialogue) -> dict[Role, set[str]]:
    """The requests for reports of which the trace tells, by who was asked."""
    asked: dict[Role, set[str]] = {Role.VEN: set(), Role.VTN: set()}
    for _, exchange in dialogue.exchanges:
        for _, who, message in exchange.said:
            if isinstance(message, RegisteredReport | CreateReport):
                asked[_other(who)] |= {one.report_request_id for one in message.report_requests}
            elif isinstance(message, CreatedReport | CanceledReport):
                asked[who] |= set(message.pending_reports)
    return asked


def _other(role: Role) -> Role:
    return Role.VTN if role is Role.VEN else Role.VEN
