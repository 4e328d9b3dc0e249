"""Judging what crossed the wire: by the official schema, by our strict reader, and by the rules."""

import re
from collections.abc import Sequence
from typing import Final

from lxml import etree

from oadr_core import (
    Finding,
    RecordedExchange,
    ReportPayload,
    Role,
    UpdatedReport,
    UpdateReport,
    check_trace,
    read,
)

_PLACE: Final = re.compile(r"\[(\d+)\](?:\.(request|answer))?")
_OTHER: Final = {Role.VEN: Role.VTN, Role.VTN: Role.VEN}


def documents(exchanges: Sequence[RecordedExchange], author: Role) -> list[str]:
    """What one side has sent, in its order."""
    return [
        text
        for one in exchanges
        for text, sender in ((one.request, one.requester), (one.answer, _OTHER[one.requester]))
        if text and sender is author
    ]


def kinds(exchanges: Sequence[RecordedExchange], author: Role) -> list[str]:
    """The kinds of messages that one side has sent, in their order."""
    return [read(text.encode()).message.message_type() for text in documents(exchanges, author)]


def confirmed(exchanges: Sequence[RecordedExchange]) -> list[tuple[str, float]]:
    """The readings, each with its time, of the reports whose receiver has said that it has them."""
    found = []
    for one in exchanges:
        request, answer = read(one.request.encode()).message, one.answer and read(one.answer.encode()).message
        if isinstance(request, UpdateReport) and isinstance(answer, UpdatedReport) and answer.response.ok:
            for interval in (interval for report in request.reports for interval in report.intervals):
                assert interval.dtstart is not None
                values = (payload.value for payload in interval.payloads if isinstance(payload, ReportPayload))
                found += [(interval.dtstart.isoformat(), value) for value in values if isinstance(value, float)]
    return found


def refused(exchanges: Sequence[RecordedExchange], author: Role, schema: etree.XMLSchema) -> list[str]:
    """Documents of one side that the official schema refuses."""
    return [text for text in documents(exchanges, author) if not schema.validate(etree.fromstring(text.encode()))]


def findings(exchanges: Sequence[RecordedExchange], author: Role) -> list[Finding]:
    """What one side has done against the rules, warnings included."""
    return [one for one in check_trace(exchanges).findings if _at_fault(one, exchanges) is author]


def broken(exchanges: Sequence[RecordedExchange], author: Role) -> set[str]:
    """The rules that one side has broken."""
    return {one.rule for one in findings(exchanges, author)}


def _at_fault(finding: Finding, exchanges: Sequence[RecordedExchange]) -> Role:
    """Who has broken a rule: whoever wrote the document that the finding points at.

    An event that was not answered (rule 62) is found where the VTN told of it, but it is the VEN that kept silent; a
    list that lacks an event (rule 50) is found at an exchange as a whole, and only VTNs make lists.
    """
    if finding.rule == "R62":
        return Role.VEN
    if finding.rule == "R50":
        return Role.VTN
    place = _PLACE.match(finding.place)
    assert place is not None, finding
    assert place[2] is not None, finding
    requester = exchanges[int(place[1])].requester
    return requester if place[2] == "request" else _OTHER[requester]
