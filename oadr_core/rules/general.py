"""Rules about registration and messages of any kind: 400 to 407, 500 to 517, and decisions."""

import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Final, get_args, get_type_hints

import msgspec

from oadr_core.errors import SealError
from oadr_core.messages import (
    CalendarDuration,
    CalendarProperties,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    DistributeEvent,
    EventSignal,
    LoadControlState,
    Measurement,
    Payload,
    ProfileName,
    ReportPayload,
    SamplingRate,
    SignalPayload,
    Target,
    Tolerate,
    TransportName,
)
from oadr_core.rules.registry import Fault, Severity, rule
from oadr_core.seal.algorithms import Accepted
from oadr_core.seal.shape import shape_of
from oadr_core.wire.envelope import Document
from oadr_core.wire.parse import parse


@rule("R45", Document)
def schema_location(document: Document) -> Iterator[Fault]:
    """No message has a schemaLocation."""
    if document.schema_location:
        yield Fault("a schemaLocation", "messages do not name it", "oadrPayload")


@rule("R514", Document)
def signed_in_shape(document: Document) -> Iterator[Fault]:
    """A signature covers the message, and the time and the nonce it was signed with, by the methods that are listed."""
    if document.signed and document.profile is ProfileName.V20B:
        try:
            shape_of(parse(document.data), Accepted(sha1=True))
        except SealError as error:
            yield Fault(str(error), "section 10.6 says how a message is signed", "oadrPayload")


_WITHOUT_Z: Final = re.compile(rb">\s*\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d*)?(?:[+-]\d\d:?\d\d)?\s*<")
"""A time that is the whole text of an element, with another zone than Z or none."""


@rule("R1", Document)
def times_in_utc(document: Document) -> Iterator[Fault]:
    """Times are in UTC, and end in Z."""
    if _WITHOUT_Z.search(document.data):
        yield Fault("a time without Z", "times are in UTC, as 2026-11-20T12:00:00Z", "oadrPayload")


@rule("R509", Payload)
def schema_version(message: Payload) -> Iterator[Fault]:
    """Every payload has schemaVersion 2.0a or 2.0b."""
    if message.schema_version not in ("2.0a", "2.0b"):
        found = (
            "no schemaVersion" if message.schema_version is None else f"the schemaVersion {message.schema_version!r}"
        )
        yield Fault(found, "it is 2.0b", "schema_version")


@rule("R508", Payload)
def named_ven(message: Payload) -> Iterator[Fault]:
    """A venID is never empty."""
    if getattr(message, "ven_id", None) == "" and not isinstance(message, CreatedPartyRegistration):  # rule 404 says it
        yield Fault("an empty venID", "it has a value", "ven_id")


@rule("R21", DistributeEvent)
@rule("R400", CreatedPartyRegistration)
def named_vtn(message: DistributeEvent | CreatedPartyRegistration) -> Iterator[Fault]:
    """A VTN names itself."""
    if not message.vtn_id:
        yield Fault("an empty vtnID", "it has a value", "vtn_id")


@rule("D49", EventSignal)
@rule("D49", SignalPayload)
@rule("D49", ReportPayload)
@rule("D49", LoadControlState)
@rule("D49", Measurement)
def finite_numbers(part: msgspec.Struct) -> Iterator[Fault]:
    """Numbers are finite."""
    for name in _numbers_of(type(part)):
        value = getattr(part, name)
        if isinstance(value, float) and not math.isfinite(value):
            yield Fault(f"the number {value}", "numbers are finite", name)


@cache
def _numbers_of(cls: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of a class that can hold a number with a fraction; a report holds thousands of parts."""
    return tuple(name for name, kind in get_type_hints(cls).items() if kind is float or float in get_args(kind))


_SHORT: Final = ("notification", "ramp_up", "recovery", "startafter", "min_period", "requested_oadr_poll_freq")


@rule("D44", CalendarProperties, severity=Severity.WARNING)
@rule("D44", Tolerate, severity=Severity.WARNING)
@rule("D44", SamplingRate, severity=Severity.WARNING)
@rule("D44", CreatedPartyRegistration, severity=Severity.WARNING)
def months_for_minutes(part: msgspec.Struct) -> Iterator[Fault]:
    """A duration of some months is plausible where it stands; P5M is five months, PT5M five minutes."""
    for name in _SHORT:
        value = getattr(part, name, None)
        if isinstance(value, CalendarDuration):
            yield Fault(f"a duration of {value.months} months", "it is much shorter; PT5M is five minutes", name)


@rule("R402", CreatePartyRegistration)
def registration(message: CreatePartyRegistration) -> Iterator[Fault]:
    """A registration over HTTP says whether the VEN polls, and a push VEN where it is reached."""
    over_http = message.transport_name is TransportName.SIMPLE_HTTP
    if over_http and message.http_pull_model is None:
        yield Fault("no oadrHttpPullModel", "it is there with simpleHttp", "http_pull_model")
    pushed = not over_http or message.http_pull_model is False
    if pushed and not message.transport_address:
        yield Fault("no oadrTransportAddress", "a VEN that does not poll says where it is reached", "transport_address")
    if message.registration_id and not message.ven_id:
        yield Fault("a registrationID without venID", "a re-registration has both", "ven_id")


@rule("R402", CreatePartyRegistration, severity=Severity.WARNING)
def address_of_pull(message: CreatePartyRegistration) -> Iterator[Fault]:
    """A VEN that polls has no address."""
    if message.http_pull_model and message.transport_address is not None:
        yield Fault(f"the address {message.transport_address!r}", "it is left out in pull", "transport_address")


@rule("R404", CreatedPartyRegistration)
def empty_ids(message: CreatedPartyRegistration) -> Iterator[Fault]:
    """Where there is no registration its ids are left out, not empty."""
    for name in ("registration_id", "ven_id"):
        if getattr(message, name) == "":
            yield Fault(f"an empty {name}", "it is left out", name)


@rule("R46", Target, severity=Severity.WARNING)
def empty_criteria(target: Target) -> Iterator[Fault]:
    """A criterion without a value is left out."""
    for name in target.__struct_fields__:
        if "" in getattr(target, name):
            yield Fault(f"an empty {name}", "it is left out", name)
