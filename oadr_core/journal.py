"""What a core tells, as lines that a person wants to read."""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Final

from oadr_core import outputs as told
from oadr_core.machines.exchange import Failure
from oadr_core.messages import CreateOpt, DistributeEvent
from oadr_core.outputs import Event
from oadr_core.texts import shortened


class Level(IntEnum):
    """How much a line matters; the numbers are those of :mod:`logging`."""

    DEBUG = 10
    INFO = 20
    WARNING = 30


_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def _code(code: int) -> str:
    return f" (code {code})" if code else ""


def _opt(message: CreateOpt) -> str:
    about = f"the schedule {message.opt_id}" if message.event_id is None else f"event {message.event_id}"
    return f"{message.opt_type} by oadrCreateOpt for {about} ({message.opt_reason})"


def _by(event: told.ReportRequested | told.ReportEnded | told.ReportDropped | told.ReportGap) -> str:
    """The VEN that a report is about, where a VTN tells of it."""
    return f" (VEN {event.ven_id})" if event.ven_id else ""


def _asked(event: told.EventProceeds) -> str:
    """What the signals of an event ask for."""
    asked = [f"{one.signal_name} {one.value:g}" for one in event.signals if one.value is not None]
    return f", interval {event.interval}: {', '.join(asked)}" if asked else ""


_LINES: Final[Mapping[type[Event], tuple[Level, Callable[[Any], str]]]] = {
    told.Queried: (
        Level.DEBUG,
        lambda one: f"the VTN {one.vtn_id} offers " + ", ".join(f"{name} over {way}" for name, way in one.profiles),
    ),
    told.Registered: (
        Level.INFO,
        lambda one: f"registered{' again' if one.again else ''} with the VTN {one.vtn_id} as {one.ven_id}",
    ),
    told.RegistrationRefused: (
        Level.WARNING,
        lambda one: f"the VTN does not register us: {one.description}{_code(one.code)}",
    ),
    told.RegistrationEnded: (
        Level.WARNING,
        lambda one: (
            "the registration has ended: "
            + (
                "the VTN does not know us any more"
                if not one.cancelled
                else "the VTN cancelled it"
                if one.by_peer
                else "cancelled"
            )
        ),
    ),
    told.OtherProfileFound: (
        Level.WARNING,
        lambda one: (
            f"the VTN speaks OpenADR {one.profile} alone"
            + (", and so do we from now on" if one.falling_back else "; a VEN of that profile can talk to it")
        ),
    ),
    told.ReregistrationRequested: (Level.INFO, lambda one: "the VTN asks us to register again"),
    told.EventDecided: (
        Level.INFO,
        lambda one: (
            f"event {one.event_id} (modification {one.modification_number}): {one.opt_type}"
            + (f", {one.description or 'no reason given'}{_code(one.code)}" if one.code >= 300 else "")
        ),
    ),
    told.OptConfirmed: (
        Level.INFO,
        lambda one: f"the VTN has {'taken back' if one.cancelled else 'taken'} our opt {one.opt_id}",
    ),
    told.OptRefused: (
        Level.WARNING,
        lambda one: (
            f"the VTN does not {'take back' if one.cancelling else 'take'} our opt {one.opt_id}: "
            f"{one.description}{_code(one.code)}"
        ),
    ),
    told.EventProceeds: (Level.INFO, lambda one: f"event {one.event_id} is {one.status}{_asked(one)}"),
    told.ReportRequested: (Level.INFO, lambda one: f"report {one.report_request_id} was asked for{_by(one)}"),
    told.ReportEnded: (Level.INFO, lambda one: f"report {one.report_request_id} has come to its end{_by(one)}"),
    told.ReportDropped: (
        Level.WARNING,
        lambda one: f"a report for {one.report_request_id} was dropped{_by(one)}: {one.why}",
    ),
    told.ReportGap: (
        Level.WARNING,
        lambda one: f"report {one.report_request_id} has a gap from {one.since} to {one.until}{_by(one)}",
    ),
    told.VenRegistered: (
        Level.INFO,
        lambda one: f"VEN {one.ven_id} ({one.ven_name or 'no name'}) is registered{' again' if one.again else ''}",
    ),
    told.VenDeregistered: (
        Level.INFO,
        lambda one: f"VEN {one.ven_id} is no longer registered: {'it' if one.by_peer else 'we'} cancelled",
    ),
    told.CertificateFollowed: (
        Level.INFO,
        lambda one: f"VEN {one.ven_id} has come with its new certificate, {one.fingerprint}, after {one.former}",
    ),
    told.VenOnline: (Level.INFO, lambda one: f"VEN {one.ven_id} is back"),
    told.VenOffline: (Level.WARNING, lambda one: f"VEN {one.ven_id} is silent"),
    told.OptReceived: (
        Level.INFO,
        lambda one: (
            f"VEN {one.ven_id} answers event {one.event_id} (modification {one.modification_number}) with "
            f"{one.opt_type}{_code(one.code if one.code >= 300 else 0)}"
            + (f" instead of {one.instead_of}" if one.instead_of not in (None, one.opt_type) else "")
            + (", late" if one.late else "")
        ),
    ),
    told.PollsTooSeldom: (
        Level.WARNING,
        lambda one: (
            f"event {one.event_id} is short for polls every {one.interval.total_seconds():g} s; "
            "changes of it may come late"
        ),
    ),
    told.EventsOverlap: (
        Level.WARNING,
        lambda one: (
            f"event {one.event_id} overlaps {', '.join(one.others)} for some VENs; what a VEN does then is not defined"
        ),
    ),
    told.OptTaken: (Level.INFO, lambda one: f"VEN {one.ven_id} says {_opt(one.message)}"),
    told.OptCancelled: (Level.INFO, lambda one: f"VEN {one.ven_id} takes its schedule {one.opt_id} back"),
    told.EventOffered: (Level.DEBUG, lambda one: f"VEN {one.ven_id} was told of {', '.join(one.event_ids)}"),
    told.EventWithheld: (
        Level.WARNING,
        lambda one: (
            f"event {one.event_id} (modification {one.modification_number}) is not given to "
            f"{len(one.ven_ids)} of its VENs, {', '.join(one.ven_ids[:5])}{' …' if len(one.ven_ids) > 5 else ''}: "
            f"{one.why}"
        ),
    ),
    told.ReportsReceived: (
        Level.DEBUG,
        lambda one: (
            f"VEN {one.ven_id} delivered {sum(len(report.intervals) for report in one.message.reports)} intervals"
        ),
    ),
    told.ExchangeSetBack: (
        Level.WARNING,
        lambda one: f"{_to(one.ven_id)}{one.service}: {_reason(one.why)}; trying again in {one.wait:.1f} s",
    ),
    told.ExchangeAbandoned: (
        Level.WARNING,
        lambda one: f"{_to(one.ven_id)}{one.request.message_type()} is given up: {_reason(one.why)}{_until(one)}",
    ),
    told.PeerMisbehaved: (Level.WARNING, lambda one: f"{one.who}: {one.what}{_code(one.code)}"),
    told.PeerForgiven: (
        Level.INFO,
        lambda one: f"{one.who} sent {one.message_type} that the schema refuses: {'; '.join(one.forgiven[:3])}",
    ),
    told.HandlerFailed: (Level.WARNING, lambda one: f"the handler {one.handler} {one.error}"),
}


def line(event: Event) -> tuple[Level, str] | None:
    """Put an event into words.

    :returns: how much it matters, and the line, without line breaks of a peer's making; None where there is nothing
        worth a line.
    """
    known = _LINES.get(type(event))
    if known is None:
        return None
    level, words = known
    if isinstance(event, told.RegistrationEnded) and event.cancelled and not event.by_peer:
        level = Level.INFO  # it was our own wish
    return level, printable(words(event))


def _to(ven_id: str) -> str:
    """Whom an exchange was with, where there are several."""
    return f"VEN {ven_id}: " if ven_id else ""


def _until(abandoned: told.ExchangeAbandoned) -> str:
    """Whether what was given up comes again after all: events do, once their list is another (rule 50)."""
    if not isinstance(abandoned.request, DistributeEvent):
        return ""
    count = len(abandoned.request.events)
    if abandoned.why is Failure.TOO_LARGE:
        return f"; it has {count} events, and none of them can be told until there are fewer or smaller ones"
    return f"; it has {count} events, and is tried again later"


def _reason(why: Failure) -> str:
    """Why an exchange failed, with what to look at where a refusal says nothing of it (decision D21)."""
    text: str = why.value
    if why is not Failure.FORBIDDEN:
        return text
    return f"{text} (does it know our certificate, and are both clocks right to the minute?)"


def printable(text: str) -> str:
    """Make a text that a peer had a say in fit for one line: cut, no line breaks, nothing that commands a terminal."""
    text = shortened(text)
    return text if text.isprintable() else "".join(one if one.isprintable() else _REPLACEMENT for one in text)
