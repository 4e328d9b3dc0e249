"""What a core asks its driver to do, and what it tells the embedding program.

A driver pulls outputs with ``next_output`` until there are none, and performs them in that order. It never looks inside
a message.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NewType, TypeAlias

import msgspec

from oadr_core.clock import Deadline, Now
from oadr_core.machines.exchange import Failure
from oadr_core.messages import CreateOpt, EventStatus, OptType, Payload, ProfileName, Service, UpdateReport

if TYPE_CHECKING:
    from oadr_core.seal import Sealer

ExchangeId = NewType("ExchangeId", int)
"""Names one sending of one request; a retry has another."""

InboundId = NewType("InboundId", int)
"""Names one request that a peer sent us."""

CallId = NewType("CallId", int)
"""Names one call of a handler."""

TicketId = NewType("TicketId", int)
"""Names a request from the moment it is asked for until it is answered or given up, retries included."""


class Address(msgspec.Struct, frozen=True):
    """Where a request goes.

    :param transport: ``simpleHttp`` or ``xmpp``.
    :param base: the base URL or the JID of a VEN that is reached by push; empty for the VTN, which the driver knows.
    :param profile: the profile that is spoken there; each has paths of its own over HTTP (rule 511).
    :param identity: what the transport has to prove of whoever is there before anything is sent, such as the
        fingerprint of the certificate that a VEN has registered with; None where nothing was agreed on.
    :param also: what will do as well: its other certificate while that is renewed, or None.
    :param signed: whether whoever is there proves it by signatures too, so that the transport need not.
    """

    transport: str
    base: str = ""
    profile: ProfileName = ProfileName.V20B
    identity: str | None = None
    signed: bool = False
    also: str | None = None

    @property
    def identities(self) -> frozenset[str]:
        """What may be proved there, any of these; nothing where nothing was agreed on."""
        return frozenset(one for one in (self.identity, self.also) if one is not None)


class Transmit(msgspec.Struct, frozen=True):
    """Please send this request, and bring back ``receive_response`` or ``exchange_failed``.

    :param exchange: to be handed back with the answer.
    :param to: whom to send it to.
    :param service: the endpoint, where the transport has endpoints.
    :param message: what is sent.
    :param timeout: seconds after which the core gives the answer up; the driver may stop waiting then.
    :param sealer: seals the message.
    """

    exchange: ExchangeId
    to: Address
    service: Service
    message: Payload
    timeout: float
    sealer: "Sealer"

    def render(self, now: Now) -> bytes:
        """Make the bytes, at the moment of sending: a signature carries that time. May be called in any thread."""
        return self.sealer.seal(self.message, now)


class Reply(msgspec.Struct, frozen=True):
    """Please answer this request of a peer.

    :param inbound: the request.
    :param message: the answer; None for an empty success, or where the request is refused.
    :param refusal: why the transport should refuse the request, or None.
    :param sealer: seals the message.
    """

    inbound: InboundId
    message: Payload | None
    refusal: Failure | None
    sealer: "Sealer"

    def render(self, now: Now) -> bytes:
        """Make the bytes, at the moment of sending; empty where there is no message."""
        return b"" if self.message is None else self.sealer.seal(self.message, now)


class Call(msgspec.Struct, frozen=True):
    """Please run this handler, and bring back ``call_returned`` or ``call_raised``.

    :param call: to be handed back with the value.
    :param handler: the name of the handler, such as ``on_event``.
    :param arguments: what to call it with.
    :param function: the handler itself where the core knows it; else the driver finds it by name.
    :param deadline: when the core decides without it.
    """

    call: CallId
    handler: str
    arguments: Mapping[str, object]
    deadline: Deadline
    function: Callable[..., object] | None = None


class Save(msgspec.Struct, frozen=True):
    """Please make this durable before performing any later output.

    :param key: what it is; a later blob under the same key replaces it.
    :param blob: the content, or None to forget the key.
    """

    key: str
    blob: bytes | None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the embedding program may want to know. Nothing has to be done about it."""


# --- told by a VEN ---------------------------------------------------------------------------------------------------


class Queried(Event, frozen=True, kw_only=True):
    """The VTN has said what it supports.

    :param vtn_id: the VTN.
    :param profiles: pairs of profile and transport.
    """

    vtn_id: str
    profiles: tuple[tuple[str, str], ...]


class Registered(Event, frozen=True, kw_only=True):
    """The VTN has registered us.

    :param ven_id: our id.
    :param registration_id: the registration.
    :param vtn_id: the VTN.
    :param again: whether it was a re-registration.
    """

    ven_id: str
    registration_id: str
    vtn_id: str
    again: bool


class RegistrationRefused(Event, frozen=True, kw_only=True):
    """The VTN does not register us.

    :param code: the application code.
    :param description: why, in words.
    :param again: whether it was a re-registration, and the ids are void now.
    """

    code: int
    description: str
    again: bool


class RegistrationEnded(Event, frozen=True, kw_only=True):
    """We are no longer registered.

    :param by_peer: whether the VTN ended it.
    :param cancelled: whether it was cancelled; if not, the VTN answered that it does not know us.
    """

    by_peer: bool
    cancelled: bool


class OtherProfileFound(Event, frozen=True, kw_only=True):
    """The VTN has answered our registration in another profile: it does not speak ours (rule 506).

    :param profile: the profile that it speaks, such as ``2.0a``.
    :param falling_back: whether we go on in that one.
    """

    profile: str
    falling_back: bool


class ReregistrationRequested(Event, frozen=True, kw_only=True):
    """The VTN wants us to register again."""


class EventsReceived(Event, frozen=True, kw_only=True):
    """A list of events came and was compared with what we know.

    :param event_ids: the events that are listed.
    """

    event_ids: tuple[str, ...]


class EventDecided(Event, frozen=True, kw_only=True):
    """It is settled whether we take part in an event.

    :param event_id: the event.
    :param modification_number: its modification.
    :param opt_type: whether we do.
    :param code: 200, or why the event cannot be carried out.
    :param description: why, in words.
    """

    event_id: str
    modification_number: int
    opt_type: OptType
    code: int = 200
    description: str | None = None


class PollsTooSeldom(Event, frozen=True, kw_only=True):
    """There is an event of which more than a fifth passes between two polls: changes of it may come late (rule 500).

    :param event_id: the event.
    :param interval: the time between two polls: of ours, or as a VTN asks for them.
    """

    event_id: str
    interval: timedelta


class PresentSignal(msgspec.Struct, frozen=True, kw_only=True):
    """What one signal of an event asks for at present.

    :param signal_id: the signal.
    :param signal_name: what it is about, such as ``SIMPLE``.
    :param signal_type: how the value is meant, such as ``level``.
    :param interval: the number of the running interval, from 0; None where its intervals are over before the event.
    :param value: what it asks for.
    """

    signal_id: str
    signal_name: str
    signal_type: str
    interval: int | None = None
    value: float | None = None


class EventPhase(StrEnum):
    """What the load does at present for an event, by its ramp-up and recovery (section 8.1, Fig. 6, rule 31)."""

    RAMP_UP = "rampUp"
    """It goes to what the event asks for: before the start, or from the start on where the ramp-up is negative."""
    STEADY = "steady"
    """It is what the event asks for."""
    RECOVERY = "recovery"
    """It goes back: after the end, or up to the end where the recovery is negative."""


class EventProceeds(Event, frozen=True, kw_only=True):
    """An event that we take part in has come to its ramp-up, its start, another interval, its recovery or its end.

    All by our own clock, random start and end included. After a restart or a sleep this is told once, as things stand.

    :param event_id: the event.
    :param modification_number: its modification.
    :param status: where it stands.
    :param interval: the number of the running interval of its first signal, from 0; None while it is not active.
    :param signals: what each signal asks for; nothing while it is not active.
    :param phase: what the load does; None before the ramp-up and after the recovery.
    :param until: how long this holds: when the next thing changes; at the end of the event, when its recovery ends.
        None where nothing more changes.
    """

    event_id: str
    modification_number: int
    status: EventStatus
    interval: int | None = None
    signals: tuple[PresentSignal, ...] = ()
    phase: EventPhase | None = None
    until: datetime | None = None


class OptConfirmed(Event, frozen=True, kw_only=True):
    """The VTN has taken an opt of ours.

    :param opt_id: the opt.
    :param cancelled: whether it was taken back.
    """

    opt_id: str
    cancelled: bool


class OptRefused(Event, frozen=True, kw_only=True):
    """The VTN does not take an opt of ours; it is not sent again.

    :param opt_id: the opt.
    :param code: the application code; 0 where the exchange failed.
    :param description: why, in words.
    :param cancelling: whether it was to be taken back.
    """

    opt_id: str
    code: int
    description: str
    cancelling: bool


# --- told by a VTN ---------------------------------------------------------------------------------------------------


class VenRegistered(Event, frozen=True, kw_only=True):
    """A VEN was registered.

    :param ven_id: the VEN.
    :param ven_name: its name for people.
    :param again: whether it was a re-registration.
    """

    ven_id: str
    ven_name: str
    again: bool


class VenDeregistered(Event, frozen=True, kw_only=True):
    """A VEN is no longer registered."""

    ven_id: str
    by_peer: bool


class VenOnline(Event, frozen=True, kw_only=True):
    """A VEN that was silent has come back."""

    ven_id: str


class VenOffline(Event, frozen=True, kw_only=True):
    """A VEN has been silent for too long."""

    ven_id: str


class CertificateFollowed(Event, frozen=True, kw_only=True):
    """A VEN has shown the certificate that was announced, and is known by that one now.

    :param ven_id: the VEN.
    :param fingerprint: that of the certificate.
    :param former: that of the former one, which is accepted for a while yet.
    """

    ven_id: str
    fingerprint: str
    former: str


class OptReceived(Event, frozen=True, kw_only=True):
    """A VEN has said whether it takes part in an event.

    :param ven_id: the VEN.
    :param event_id: the event.
    :param modification_number: the modification that it is about, which is the present one.
    :param opt_type: whether it takes part.
    :param code: the code of its answer.
    :param late: whether it is a first answer that came when it was overdue, or the event had begun meanwhile.
    :param instead_of: what it said before, where it has changed its answer.
    """

    ven_id: str
    event_id: str
    modification_number: int
    opt_type: OptType
    code: int
    late: bool = False
    instead_of: OptType | None = None


class EventsOverlap(Event, frozen=True, kw_only=True):
    """An event overlaps others of its program for some VENs, and what these do then is not defined.

    That is told when an event is made or changed, and when a VEN is enrolled where it gets several.

    :param event_id: the event.
    :param others: the others, in the order of their starts.
    """

    event_id: str
    others: tuple[str, ...]


class OptTaken(Event, frozen=True, kw_only=True):
    """A VEN has opted in or out by oadrCreateOpt, for an event or by a schedule, which was accepted."""

    ven_id: str
    message: CreateOpt


class OptCancelled(Event, frozen=True, kw_only=True):
    """A VEN has taken its schedules of an id back."""

    ven_id: str
    opt_id: str


class EventOffered(Event, frozen=True, kw_only=True):
    """A VEN was told of its events; whether it heard is known when it answers."""

    ven_id: str
    event_ids: tuple[str, ...]


class EventWithheld(Event, frozen=True, kw_only=True):
    """An event is not handed out to some of its VENs, as their profile has no words for it (section 7.1, rule 7).

    :param event_id: the event.
    :param modification_number: its modification; the VENs were perhaps told of an earlier one, which is over for them.
    :param ven_ids: the VENs.
    :param why: why not.
    """

    event_id: str
    modification_number: int
    ven_ids: tuple[str, ...]
    why: str


# --- told by both ----------------------------------------------------------------------------------------------------


class ReportRequested(Event, frozen=True, kw_only=True):
    """The peer wants a report that we offer, from now on.

    :param report_request_id: the request.
    :param ven_id: the VEN that wants it, where a VTN tells this; empty where a VEN does.
    """

    report_request_id: str
    ven_id: str = ""


class ReportEnded(Event, frozen=True, kw_only=True):
    """The peer wants no more of a report, or has got all that it wanted.

    :param report_request_id: the request.
    :param ven_id: the VEN that wanted it, where a VTN tells this; empty where a VEN does.
    """

    report_request_id: str
    ven_id: str = ""


class ReportDropped(Event, frozen=True, kw_only=True):
    """A report that was made will not be delivered.

    :param report_request_id: the request that it answered.
    :param why: the reason, in words.
    :param ven_id: the VEN that it was for, where a VTN tells this; empty where a VEN does.
    """

    report_request_id: str
    why: str
    ven_id: str = ""


class ReportsReceived(Event, frozen=True, kw_only=True):
    """The peer has delivered reports, which were accepted.

    :param ven_id: the VEN of the two, whichever has delivered.
    :param message: the delivery, as far as it was accepted.
    """

    ven_id: str
    message: UpdateReport


class ReportGap(Event, frozen=True, kw_only=True):
    """A report leaves out a stretch of time after the one before; it may still come as a correction (rule 346).

    :param report_request_id: the request.
    :param since: when the last value before the gap held.
    :param until: when the first value after it held.
    :param ven_id: the VEN that reports, where a VTN tells this; empty where a VEN does.
    """

    report_request_id: str
    since: datetime
    until: datetime
    ven_id: str = ""


class ExchangeDone(Event, frozen=True, kw_only=True):
    """A request of ours was answered.

    :param ticket: the request.
    :param request: what was sent.
    :param answer: what came back; None for an empty success.
    """

    ticket: TicketId
    request: Payload
    answer: Payload | None


class ExchangeSetBack(Event, frozen=True, kw_only=True):
    """A request of ours failed and will be sent again.

    :param ticket: the request.
    :param service: its service.
    :param why: what went wrong.
    :param wait: seconds until it is sent again, at the earliest.
    :param ven_id: the VEN that it is for, where a VTN tells this; empty where a VEN does.
    """

    ticket: TicketId
    service: Service
    why: Failure
    wait: float
    ven_id: str = ""


class ExchangeAbandoned(Event, frozen=True, kw_only=True):
    """A request of ours was given up.

    A list of events that is too large for a VEN, or for the way to it, is sent again once it is another.

    :param ticket: the request.
    :param request: what was sent, or was to be sent.
    :param why: what went wrong, the last time.
    :param ven_id: the VEN that it was for, where a VTN tells this; empty where a VEN does.
    """

    ticket: TicketId
    request: Payload
    why: Failure
    ven_id: str = ""


class PeerMisbehaved(Event, frozen=True, kw_only=True):
    """The peer did something that the protocol does not allow; it was answered, or ignored.

    :param who: the VEN, or the VTN, or an address.
    :param what: what it did.
    :param code: the application code that it was told, or 0.
    """

    who: str
    what: str
    code: int = 0


class PeerForgiven(Event, frozen=True, kw_only=True):
    """The peer sent something that the schema refuses, and we read it all the same."""

    who: str
    message_type: str
    forgiven: tuple[str, ...]


class HandlerFailed(Event, frozen=True, kw_only=True):
    """A handler raised, took too long, or returned what cannot be used; the policy answered instead of it.

    :param handler: its name.
    :param error: what happened.
    """

    handler: str
    error: str


Output: TypeAlias = Transmit | Reply | Call | Save | Event
