"""Traces: what two peers said to each other, as it is recorded, read and judged.

A trace is a sequence of exchanges, each a request and what came back. A driver writes one line of JSON for each; a
stored capture of other software can be brought into the same form.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

from oadr_core.errors import SchemaError
from oadr_core.messages import Payload
from oadr_core.rules.registry import Finding, Severity, check, check_alone
from oadr_core.wire.envelope import Document, read


class Role(StrEnum):
    """Who a party is."""

    VEN = "VEN"
    VTN = "VTN"


class RecordedExchange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An exchange as it was recorded.

    :param time: when the request was sent or came in.
    :param requester: who sent the request.
    :param transport: such as ``simpleHttp``.
    :param peer: who the other side is, as the transport knows it.
    :param service: the endpoint, where the transport has any.
    :param request: the document that was sent.
    :param answer: the document that came back; empty for an empty success, None where nothing came.
    :param failure: why nothing came.
    """

    time: datetime
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
        return msgspec.json.decode(line, type=cls)


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange whose documents were read.

    :param time: when the request was sent or came in.
    :param requester: who sent the request.
    :param transport: such as ``simpleHttp``.
    :param request: the request; None where it could not be read.
    :param answer: the answer; None where there was none, or it could not be read.
    """

    time: datetime
    requester: Role
    transport: str
    request: Payload | None
    answer: Payload | None

    @property
    def ven_id(self) -> str:
        """The VEN that it is about; empty where nothing says so."""
        for message in (self.request, self.answer):
            ven_id = getattr(message, "ven_id", None)
            if isinstance(ven_id, str) and ven_id:
                return ven_id
        return ""


class Dialogue(msgspec.Struct, frozen=True):
    """The exchanges between a VTN and one VEN, in their order.

    :param exchanges: the exchanges, with their numbers in the trace.
    """

    exchanges: tuple[tuple[int, Exchange], ...]


class TraceReport(msgspec.Struct, frozen=True):
    """What was found out about a trace.

    :param exchanges: the exchanges that were read.
    :param findings: the rules that they break.
    """

    exchanges: tuple[Exchange, ...]
    findings: tuple[Finding, ...]


def check_trace(recorded: Iterable[RecordedExchange]) -> TraceReport:
    """Judge a trace: every message on its own, every exchange, and each dialogue as a whole.

    :param recorded: the exchanges in their order.
    """
    exchanges: list[Exchange] = []
    findings: list[Finding] = []
    for number, one in enumerate(recorded):
        request = _read(one.request, f"[{number}].request", findings)
        answer = _read(one.answer, f"[{number}].answer", findings) if one.answer else None
        exchange = Exchange(
            time=one.time, requester=one.requester, transport=one.transport, request=request, answer=answer
        )
        findings += check_alone(exchange, f"[{number}]")
        exchanges.append(exchange)
    for dialogue in _dialogues(exchanges):
        findings += check_alone(dialogue)
    return TraceReport(tuple(exchanges), tuple(findings))


def _read(text: str, place: str, findings: list[Finding]) -> Payload | None:
    """Read and judge a document; what a lenient receiver can make nothing of is None."""
    try:
        document = read(text.encode(), strict=False)
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


def _placed(document: Document, place: str) -> Iterator[Finding]:
    for one in (*check_alone(document), *check(document.message)):
        yield msgspec.structs.replace(one, place=f"{place}.{one.place}")


def _dialogues(exchanges: Iterable[Exchange]) -> Iterator[Dialogue]:
    """Sort exchanges by VEN; those that are about no VEN that is named are left out."""
    sorted_out: dict[str, list[tuple[int, Exchange]]] = {}
    for number, one in enumerate(exchanges):
        if one.ven_id:
            sorted_out.setdefault(one.ven_id, []).append((number, one))
    for members in sorted_out.values():
        yield Dialogue(tuple(members))
