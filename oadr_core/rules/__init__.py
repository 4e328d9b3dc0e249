"""The official conformance rules, numbered, named and executable."""

import msgspec

from oadr_core.errors import LocalProtocolError
from oadr_core.messages import EiEvent
from oadr_core.rules import deliveries as _deliveries
from oadr_core.rules import dialogue as _dialogue
from oadr_core.rules import events as _events
from oadr_core.rules import exchanges as _exchanges
from oadr_core.rules import general as _general
from oadr_core.rules import lists as _lists
from oadr_core.rules import opts as _opts
from oadr_core.rules import reports as _reports
from oadr_core.rules.catalogue import CATALOGUE, Bound, OfficialRule, Strength, official_rule
from oadr_core.rules.events import is_known_signal
from oadr_core.rules.registry import Fault, Finding, Rule, Severity, check, rule, rules
from oadr_core.rules.trace import Exchange, RecordedExchange, Role, TraceReport, check_document, check_trace
from oadr_core.wire.verify import verify


def refuse(part: msgspec.Struct) -> None:
    """Refuse a message, or a part of one, that must not be sent.

    :raises LocalProtocolError: it cannot be sent, or breaks rules; the text says which, where, and what would be right.
    """
    verify(part)
    broken = [str(finding) for finding in check(part) if finding.severity is Severity.ERROR]
    if broken:
        raise LocalProtocolError("; ".join(broken))


def refuse_event(event: EiEvent) -> None:
    """Refuse an event that must not be sent, where it is made, so that it can spoil no VEN's list.

    :raises LocalProtocolError: see :func:`refuse`.
    """
    one_ven = msgspec.structs.replace(event.target, ven_id=event.target.ven_id[:1])
    refuse(msgspec.structs.replace(event, target=one_ven))


__all__ = [
    "CATALOGUE",
    "Bound",
    "Exchange",
    "Fault",
    "Finding",
    "OfficialRule",
    "RecordedExchange",
    "Role",
    "Rule",
    "Severity",
    "Strength",
    "TraceReport",
    "check",
    "check_document",
    "check_trace",
    "is_known_signal",
    "official_rule",
    "refuse",
    "refuse_event",
    "rule",
    "rules",
]

# importing them declares their rules
_MODULES = (_deliveries, _dialogue, _events, _exchanges, _general, _lists, _opts, _reports)
