"""Rules about exchanges: what shows when a request and its answer are seen beside each other."""

from collections.abc import Iterator
from typing import Final

from oadr_core.messages import (
    CanceledOpt,
    CancelOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedOpt,
    CreatedPartyRegistration,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    EiResponse,
    Poll,
    QueryRegistration,
    RegisterReport,
    RequestEvent,
    RequestReregistration,
    Response,
    UpdateReport,
)
from oadr_core.rules.events import due_status
from oadr_core.rules.registry import Fault, Severity, rule
from oadr_core.rules.trace import Exchange, Role

_BROUGHT_BY_POLLS: Final = (
    CancelPartyRegistration,
    CancelReport,
    CreateReport,
    DistributeEvent,
    RegisterReport,
    RequestReregistration,
    Response,
    UpdateReport,
)
_ANSWERS_OF_VTN: Final = CreatedPartyRegistration | CreatedOpt | CanceledOpt

# --- who sends what, and how -----------------------------------------------------------------------------------------


@rule("R401", Exchange)
def registration_direction(exchange: Exchange) -> Iterator[Fault]:
    """Queries and registrations go to the VTN, requests to register again to the VEN."""
    if exchange.requester is Role.VTN and isinstance(exchange.request, QueryRegistration | CreatePartyRegistration):
        yield Fault(f"a VTN sends {exchange.request.message_type()}", "only VENs send it", "request")
    if exchange.requester is Role.VEN and isinstance(exchange.request, RequestReregistration):
        yield Fault("a VEN sends oadrRequestReregistration", "only VTNs send it", "request")


@rule("R23", Exchange)
def event_request_direction(exchange: Exchange) -> Iterator[Fault]:
    """Only VENs send oadrRequestEvent."""
    if exchange.requester is Role.VTN and isinstance(exchange.request, RequestEvent):
        yield Fault("a VTN sends oadrRequestEvent", "only VENs send it", "request")


@rule("R51", Exchange)
def direction(exchange: Exchange) -> Iterator[Fault]:
    """Only VENs answer events and make opts, and only VTNs distribute events and answer registrations and opts."""
    request = exchange.request
    if exchange.requester is Role.VTN and isinstance(request, CreatedEvent | CreateOpt | CancelOpt):
        yield Fault(f"a VTN sends {request.message_type()}", "only VENs send it", "request")
    if exchange.requester is Role.VEN and isinstance(request, DistributeEvent | _ANSWERS_OF_VTN):
        yield Fault(f"a VEN sends {request.message_type()}", "only VTNs send it", "request")


@rule("R507", Exchange)
def no_polls_over_xmpp(exchange: Exchange) -> Iterator[Fault]:
    """There are no polls over XMPP, which is push."""
    if exchange.transport == "xmpp" and isinstance(exchange.request, Poll):
        yield Fault("a poll over XMPP", "XMPP is push, and has no polls", "request")


@rule("R500", Exchange)
def polling(exchange: Exchange) -> Iterator[Fault]:
    """A poll comes from a VEN, and brings one operation, an oadrResponse, or an error."""
    if not isinstance(exchange.request, Poll):
        return
    if exchange.requester is Role.VTN:
        yield Fault("a VTN polls", "only VENs poll", "request")
    if exchange.answer is not None and not isinstance(exchange.answer, _BROUGHT_BY_POLLS):
        yield Fault(f"a poll is answered with {exchange.answer.message_type()}", "that is no operation", "answer")


@rule("R27", Exchange)
def reply_limit(exchange: Exchange) -> Iterator[Fault]:
    """The answer to oadrRequestEvent has no more events than the replyLimit allows."""
    request, answer = exchange.request, exchange.answer
    if not isinstance(request, RequestEvent) or not isinstance(answer, DistributeEvent):
        return
    limit, number = request.reply_limit, len(answer.events)
    if limit is not None and number > limit:
        yield Fault(f"{number} events", f"the VEN wants {limit} at most", "answer.events")


@rule("R40", Exchange)
def response_to_request(exchange: Exchange) -> Iterator[Fault]:
    """A list of events that answers a request says so with an eiResponse."""
    answer = exchange.answer
    if isinstance(answer, DistributeEvent) and answer.response is None:
        yield Fault("no eiResponse", "it is there in answers", "answer.response")


@rule("R508", Exchange)
def ven_id_of_vens(exchange: Exchange) -> Iterator[Fault]:
    """A VEN names itself in all that it sends, save in a query and in its first registration."""
    for place, who, message in exchange.said:
        first = isinstance(message, CreatePartyRegistration) and not message.registration_id
        refusal = not getattr(getattr(message, "response", None), "ok", True)
        nameless = isinstance(message, Response) and message.schema_version == "2.0a"  # where it has no venID
        if who is Role.VEN and getattr(message, "ven_id", "") is None and not (first or refusal or nameless):
            yield Fault(f"no venID in {message.message_type()}", "a VEN names itself", f"{place}.ven_id")


@rule("R303", Exchange)
def repeated_in_reports(exchange: Exchange) -> Iterator[Fault]:
    """The answer about reports repeats the requestID."""
    if isinstance(exchange.request, RegisterReport | CreateReport | UpdateReport | CancelReport):
        yield from _repeated(exchange)


@rule("R207", Exchange)
def repeated_in_opts(exchange: Exchange) -> Iterator[Fault]:
    """The answer about opts repeats the requestID."""
    if isinstance(exchange.request, CreateOpt | CancelOpt):
        yield from _repeated(exchange)


@rule("D2", Exchange, severity=Severity.WARNING)
def repeated_elsewhere(exchange: Exchange) -> Iterator[Fault]:
    """The answers about registrations and events repeat the requestID."""
    registration = QueryRegistration | CreatePartyRegistration | CancelPartyRegistration
    if isinstance(exchange.request, registration | RequestEvent):
        yield from _repeated(exchange)


def _repeated(exchange: Exchange) -> Iterator[Fault]:
    sent = str(getattr(exchange.request, "request_id", None) or "")
    response = getattr(exchange.answer, "response", None)
    if sent and isinstance(response, EiResponse) and response.request_id != sent:
        yield Fault(f"the requestID {response.request_id!r}", f"it repeats {sent!r}", "answer.response.request_id")


# --- what an answer has to tell --------------------------------------------------------------------------------------


@rule("R403", Exchange)
def content_of_registration(exchange: Exchange) -> Iterator[Fault]:
    """A registration that is granted has its ids, and tells a VEN that polls how often to do so."""
    request, answer = exchange.request, exchange.answer
    if not isinstance(request, CreatePartyRegistration) or not isinstance(answer, CreatedPartyRegistration):
        return
    if not answer.response.ok:
        return
    for name in ("registration_id", "ven_id"):
        if getattr(answer, name) is None:
            yield Fault(f"no {name}", "a registration that is granted has one", f"answer.{name}")
    if request.http_pull_model and answer.requested_oadr_poll_freq is None:
        right = "a VEN that polls is told how often"
        yield Fault("no oadrRequestedOadrPollFreq", right, "answer.requested_oadr_poll_freq")


@rule("R402", Exchange)
def same_registration(exchange: Exchange) -> Iterator[Fault]:
    """A re-registration keeps the ids of the registration."""
    request, answer = exchange.request, exchange.answer
    if not isinstance(request, CreatePartyRegistration) or not isinstance(answer, CreatedPartyRegistration):
        return
    for name in ("registration_id", "ven_id") if request.registration_id and answer.response.ok else ():
        asked, given = getattr(request, name), getattr(answer, name)
        if None not in (asked, given) and asked != given:
            yield Fault(f"the {name} {given!r}", f"it stays {asked!r}", f"answer.{name}")


@rule("R208", Exchange, severity=Severity.WARNING)
def opts_of_others(exchange: Exchange) -> Iterator[Fault]:
    """An opt for another VEN than the one that sends it is refused."""
    request, answer = exchange.request, exchange.answer
    if isinstance(request, CreateOpt) and isinstance(answer, CreatedOpt) and answer.response.ok:
        others = [one for one in request.target.ven_id if one != request.ven_id]
        if others:
            right = f"{request.ven_id!r} cannot speak for {others[0]!r}"
            yield Fault("an opt for another VEN is taken", right, "answer.response")


@rule("R115", Exchange)
def fresh_status(exchange: Exchange) -> Iterator[Fault]:
    """The answer to oadrRequestEvent tells where each event stands when the answer is made."""
    answer = exchange.answer
    if not isinstance(exchange.request, RequestEvent) or not isinstance(answer, DistributeEvent):
        return
    for number, event in enumerate(answer.events):
        due = due_status(event, late=True)
        if due is not None:
            place = f"answer.events[{number}].event_descriptor.event_status"
            found = f"the status {event.event_descriptor.event_status}"
            yield Fault(found, f"it is {due} at the createdDateTime", place)
