"""OpenADR 2.0b as a sans-IO core: everything that is public is named here."""

from oadr_core.auto.report_wishes import ReportedValue, ReportWish, reported_values
from oadr_core.auto.sampling import Reading
from oadr_core.auto.ven import AutoVen, VenPolicy
from oadr_core.auto.vtn import AutoVtn, VtnPolicy
from oadr_core.build import DataPoint, complete_event, data_point, make_event, make_offer, make_opt
from oadr_core.clock import Deadline, Now
from oadr_core.codes import ResponseCode
from oadr_core.core import Core
from oadr_core.decisions import EventDecision, KnownVen, PollDecision, RegistrationDecision, event_decision
from oadr_core.entropy import Entropy, new_id
from oadr_core.errors import (
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    SchemaError,
    SealError,
    StateError,
)
from oadr_core.handlers import VEN_HANDLERS, VTN_HANDLERS, Handlers, arguments
from oadr_core.journal import line as log_line
from oadr_core.machines.event import EventAtVtn
from oadr_core.machines.exchange import Failure
from oadr_core.machines.registration import Registration
from oadr_core.machines.startup import Startup
from oadr_core.messages import *  # noqa: F403 - every message class is public
from oadr_core.messages import __all__ as _messages
from oadr_core.offers import check_request, data_name
from oadr_core.outputs import (
    Address,
    Call,
    CallId,
    Event,
    EventDecided,
    EventOffered,
    EventPhase,
    EventProceeds,
    EventsReceived,
    ExchangeAbandoned,
    ExchangeDone,
    ExchangeId,
    ExchangeSetBack,
    HandlerFailed,
    InboundId,
    OptCancelled,
    OptConfirmed,
    OptReceived,
    OptRefused,
    OptTaken,
    Output,
    PeerForgiven,
    PeerMisbehaved,
    PresentSignal,
    Queried,
    Registered,
    RegistrationEnded,
    RegistrationRefused,
    Reply,
    ReportDropped,
    ReportEnded,
    ReportRequested,
    ReportsReceived,
    ReregistrationRequested,
    Save,
    TicketId,
    Transmit,
    VenDeregistered,
    VenOffline,
    VenOnline,
    VenRegistered,
)
from oadr_core.rules import (
    Exchange,
    Finding,
    RecordedExchange,
    Role,
    Rule,
    Severity,
    TraceReport,
    check,
    check_document,
    check_trace,
    rules,
)
from oadr_core.seal import Opened, Peer, PlainSealer, Sealer, fingerprint
from oadr_core.sender import SenderConfig
from oadr_core.state.audience import Audience, Enrolment
from oadr_core.state.ven import VenState
from oadr_core.state.vtn import EarlierAnswer, EventRecord, Standing, VenRecord
from oadr_core.ven import Ven, VenConfig
from oadr_core.ven.event_schedule import EventSchedule, schedule_of
from oadr_core.ven.event_view import EventView
from oadr_core.vtn import Vtn, VtnConfig
from oadr_core.vtn.audiences import AudienceLike
from oadr_core.vtn.availability import Availability, Why, availability
from oadr_core.vtn.event_answers import AnswerState, EventAnswer
from oadr_core.vtn.event_lists import status as event_status
from oadr_core.wire.envelope import Document, Forgiven, decode, encode, read
from oadr_core.wire.parse import Limits
from oadr_core.wire.plain import from_dict, part_from_dict, part_to_dict, to_dict
from oadr_core.wire.verify import verify

__all__ = [
    *_messages,
    "Address",
    "AnswerState",
    "Audience",
    "AudienceLike",
    "AutoVen",
    "AutoVtn",
    "Availability",
    "Call",
    "CallId",
    "Core",
    "DataPoint",
    "Deadline",
    "Document",
    "EarlierAnswer",
    "Enrolment",
    "Entropy",
    "Event",
    "EventAnswer",
    "EventAtVtn",
    "EventDecided",
    "EventDecision",
    "EventOffered",
    "EventPhase",
    "EventProceeds",
    "EventRecord",
    "EventSchedule",
    "EventView",
    "EventsReceived",
    "Exchange",
    "ExchangeAbandoned",
    "ExchangeDone",
    "ExchangeId",
    "ExchangeSetBack",
    "Failure",
    "Finding",
    "Forgiven",
    "HandlerFailed",
    "Handlers",
    "InboundId",
    "KnownVen",
    "Limits",
    "LocalProtocolError",
    "Now",
    "Opened",
    "OptCancelled",
    "OptConfirmed",
    "OptReceived",
    "OptRefused",
    "OptTaken",
    "Output",
    "Peer",
    "PeerForgiven",
    "PeerMisbehaved",
    "PlainSealer",
    "PollDecision",
    "PresentSignal",
    "ProtocolError",
    "Queried",
    "Reading",
    "RecordedExchange",
    "Registered",
    "Registration",
    "RegistrationDecision",
    "RegistrationEnded",
    "RegistrationRefused",
    "RemoteProtocolError",
    "Reply",
    "ReportDropped",
    "ReportEnded",
    "ReportRequested",
    "ReportWish",
    "ReportedValue",
    "ReportsReceived",
    "ReregistrationRequested",
    "ResponseCode",
    "Role",
    "Rule",
    "Save",
    "SchemaError",
    "SealError",
    "Sealer",
    "SenderConfig",
    "Severity",
    "Standing",
    "Startup",
    "StateError",
    "TicketId",
    "TraceReport",
    "Transmit",
    "VEN_HANDLERS",
    "VTN_HANDLERS",
    "Ven",
    "VenConfig",
    "VenDeregistered",
    "VenOffline",
    "VenOnline",
    "VenPolicy",
    "VenRecord",
    "VenRegistered",
    "VenState",
    "Vtn",
    "VtnConfig",
    "VtnPolicy",
    "Why",
    "arguments",
    "availability",
    "check",
    "check_document",
    "check_request",
    "check_trace",
    "complete_event",
    "data_name",
    "data_point",
    "decode",
    "encode",
    "event_decision",
    "event_status",
    "fingerprint",
    "from_dict",
    "log_line",
    "make_event",
    "make_offer",
    "make_opt",
    "new_id",
    "part_from_dict",
    "part_to_dict",
    "read",
    "reported_values",
    "rules",
    "schedule_of",
    "to_dict",
    "verify",
]
