"""Traces: what two peers said to each other, as it is recorded, read and judged.

A trace is a sequence of exchanges, each a request and what came back. A driver writes one line of JSON for each; a
stored capture of other software can be brought into the same form.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from oadr_core.errors import SchemaError
from oadr_core.messages import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatePartyRegistration,
    Payload,
    ProfileName,
    QueryRegistration,
)
from oadr_core.rules.registry import Finding, Severity, check, check_alone
from oadr_core.wire.envelope import Document, read


class Role(StrEnum):
    """Who a party is."""

    VEN = "VEN"
    VTN = "VTN"


class RecordedExchange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An exchange as it was recorded.

    :param time: when the request was sent or came in, with a time zone.
    :param requester: who sent the request.
    :param transport: such as ``simpleHttp``.
    :param peer: who the other side is, as the transport knows it.
    :param service: the endpoint, where the transport has any.
    :param request: the document that was sent.
    :param answer: the document that came back; empty for an empty success, None where nothing came.
    :param failure: why nothing came.
    """

    time: Annotated[datetime, msgspec.Meta(tz=True)]
    requester: Role
    transport: str
    peer: str = ""
    service: str | None = None
    request: str
    answer: str | None = None
    failure: str | None = None

    def dump(self) -> bytes:
        """Write it as a line of JSON."""
        return msgspec.json.encode(self) + b"\n"

    @classmethod
    def load(cls, line: bytes) -> "RecordedExchange":
        """Read a line of JSON.

        :raises ValueError: it is no recorded exchange; the text says what is wrong.
        """
        try:
            return msgspec.json.decode(line, type=cls)
        except RecursionError:
            raise ValueError("the line is nested too deeply") from None


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange whose documents were read.

    :param time: when the request was sent or came in.
    :param requester: who sent the request.
    :param transport: such as ``simpleHttp``.
    :param peer: who the other side is, as the transport knows it.
    :param request: the request; None where it could not be read.
    :param answer: the answer; None where there was none, or it could not be read.
    :param lost: whether nothing came back, not even an empty success.
    :param unreadable: whether something was said that could not be read.
    """

    time: datetime
    requester: Role
    transport: str
    peer: str = ""
    request: Payload | None
    answer: Payload | None
    lost: bool = False
    unreadable: bool = False

    @property
    def ven_id(self) -> str:
        """The VEN that it is about; empty where nothing says so."""
        for message in (self.request, self.answer):
            ven_id = getattr(message, "ven_id", None)
            if isinstance(ven_id, str) and ven_id:
                return ven_id
        return ""

    @property
    def said(self) -> Iterator[tuple[str, Role, Payload]]:
        """What was said: as ``request`` or ``answer``, by whom, and the message."""
        other = Role.VTN if self.requester is Role.VEN else Role.VEN
        for place, role, message in (("request", self.requester, self.request), ("answer", other, self.answer)):
            if message is not None:
                yield place, role, message


class Dialogue(msgspec.Struct, frozen=True):
    """What a VTN and one VEN said to each other under one registration, in its order.

    A new registration begins another dialogue, as it makes void all that was said before (rules 406 and 407); so does
    what cannot be read, as it may have been one. A trace may begin in the middle of a dialogue.

    :param exchanges: the exchanges, with their numbers in the trace.
    :param whole: whether nothing was said meanwhile to a party that cannot be told, and may be this one.
    :param cancelled_at: when the registration before it was cancelled, and that acknowledged; None where the dialogue
        follows nothing of the kind.
    """

    exchanges: tuple[tuple[int, Exchange], ...]
    whole: bool = True
    cancelled_at: datetime | None = None


class TraceReport(msgspec.Struct, frozen=True):
    """What was found out about a trace.

    :param exchanges: the exchanges that were read.
    :param findings: the rules that they break.
    """

    exchanges: tuple[Exchange, ...]
    findings: tuple[Finding, ...]


def check_trace(recorded: Iterable[RecordedExchange]) -> TraceReport:
    """Judge a trace: every message on its own, every exchange, and each dialogue as a whole.

    :param recorded: the exchanges in the order in which they were over, as a driver records them.
    """
    exchanges: list[Exchange] = []
    findings: list[Finding] = []
    for number, one in enumerate(recorded):
        exchange = _read_exchange(one, number, findings)
        findings += check_alone(exchange, f"[{number}]")
        exchanges.append(exchange)
    for dialogue in dialogues(exchanges):
        findings += check_alone(dialogue)
    return TraceReport(tuple(exchanges), tuple(findings))


def _read_exchange(recorded: RecordedExchange, number: int, findings: list[Finding]) -> Exchange:
    """Read and judge both documents of an exchange."""
    request = _read(recorded.request, f"[{number}].request", findings)
    answer = _read(recorded.answer, f"[{number}].answer", findings) if recorded.answer else None
    return Exchange(
        time=recorded.time,
        requester=recorded.requester,
        transport=recorded.transport,
        peer=recorded.peer,
        request=request,
        answer=answer,
        lost=recorded.answer is None,
        unreadable=request is None or (answer is None and bool(recorded.answer)),
    )


def _read(text: str, place: str, findings: list[Finding]) -> Payload | None:
    """Read and judge a document; what a lenient receiver can make nothing of is None."""
    try:
        document = read(text.encode(errors="replace"), strict=False, profile=None)
    except SchemaError as error:
        findings.append(_refused(place, str(error)))
        return None
    if not document.valid:
        first = document.forgiven[0]
        findings.append(_refused(f"{place}: {first.place}" if first.place else place, first.what))
    findings += _placed(document, place)
    return document.message


def _refused(place: str, what: str) -> Finding:
    return Finding(rule="schema", severity=Severity.ERROR, place=place, found=what, right="the schema refuses this")


_NOT_IN_20A: Final = ("R104", "R116")
"""Rules about parts of messages that 2.0a does not have: there the type of a signal is a hint (rule 69)."""


def check_document(document: Document) -> list[Finding]:
    """Judge a document that was read: its message, and what only the document shows."""
    found = [*check_alone(document), *check(document.message)]
    return [one for one in found if document.profile is ProfileName.V20B or one.rule not in _NOT_IN_20A]


def _placed(document: Document, place: str) -> Iterator[Finding]:
    for one in check_document(document):
        yield msgspec.structs.replace(one, place=f"{place}.{one.place}")


# --- dialogues -------------------------------------------------------------------------------------------------------


def dialogues(exchanges: Sequence[Exchange]) -> Iterator[Dialogue]:
    """Sort the exchanges of a trace into dialogues.

    :param exchanges: the exchanges in their order.
    """
    parties = _Parties(exchanges)
    sorted_out: dict[str, list[tuple[int, Exchange]]] = {}
    whole = True
    for number, one in enumerate(exchanges):
        ven_id, party = parties.of(one)
        if party is not None:
            sorted_out.setdefault(party, []).append((number, one))
        if not ven_id and not isinstance(one.request, QueryRegistration | CreatePartyRegistration):
            whole = False  # any of the VENs may have been meant
    for members in sorted_out.values():
        cancelled_at: datetime | None = None
        for part in _by_registration(members):
            yield Dialogue(tuple(part), whole, cancelled_at)
            cancelled_at = _end_of_registration(part[-1][1])


class _Parties:
    """Knows which VEN an exchange is with, where no message names it: push has messages that do not.

    It is the VEN that the same peer is in other exchanges, or that has registered the peer as its address. A peer that
    is no VEN we know is a party of its own: some VEN is there. One that may be several VENs tells nothing.
    """

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._vens: dict[str, set[str]] = {}
        for one in exchanges:
            for peer in (one.peer, getattr(one.request, "transport_address", None)):
                if one.ven_id and peer is not None:
                    self._vens.setdefault(_normal(peer), set()).add(one.ven_id)

    def of(self, exchange: Exchange) -> tuple[str, str | None]:
        """The VEN that an exchange is with, empty where that cannot be told; and a name for the party, if any."""
        peer = _normal(exchange.peer)
        vens = {exchange.ven_id} if exchange.ven_id else self._vens.get(peer, set())
        if len(vens) == 1:
            (ven_id,) = vens
            return ven_id, f"VEN {ven_id}"
        return "", None if vens else f"peer {peer}"


def _normal(address: str) -> str:
    return address.rstrip("/").lower()


_ENDS: Final = (CancelPartyRegistration, CanceledPartyRegistration)


def _by_registration(members: Iterable[tuple[int, Exchange]]) -> Iterator[list[tuple[int, Exchange]]]:
    """Cut the exchanges with a VEN where a registration begins or ends, or may do so."""
    part: list[tuple[int, Exchange]] = []
    for number, one in members:
        if part and _may_begin(one):
            yield part
            part = []
        part.append((number, one))
        if one.unreadable or any(isinstance(message, _ENDS) for _, _, message in one.said):
            yield part
            part = []
    if part:
        yield part


def _end_of_registration(exchange: Exchange) -> datetime | None:
    """When an exchange has ended a registration for both sides; None where it has not, or one side may not know."""
    for _, _, message in exchange.said:
        if isinstance(message, CanceledPartyRegistration) and message.response.ok and not exchange.lost:
            return exchange.time
    return None


def _may_begin(exchange: Exchange) -> bool:
    """Whether an exchange may have begun a new registration, though its answer was lost or tells of a failure."""
    request = exchange.request
    return request is None or (isinstance(request, CreatePartyRegistration) and not request.registration_id)
