"""The conformance rules of OpenADR 2.0b, revision 1.1: for each, whom it binds, how strongly, and what it asks for.

The sentences are this project's own. They say what a rule is about, so that a finding or a table can cite it; they are
no substitute for the specification. Numbers that are missing here are missing there.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec


class Bound(StrEnum):
    """Whom a rule binds."""

    VEN = "VEN"
    VTN = "VTN"
    BOTH = "both"


class Strength(StrEnum):
    """How strongly a rule binds."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


class OfficialRule(msgspec.Struct, frozen=True):
    """A conformance rule.

    :param number: its number, such as 103.
    :param bound: whom it binds.
    :param strength: how strongly, in the main.
    :param text: what it asks for.
    :param unseen: why no message and no trace shows whether it is kept; empty where one does.
    """

    number: int
    bound: Bound
    strength: Strength
    text: str
    unseen: str = ""


_INSIDE: Final = "what a peer makes of a message is seen at the peer alone"
_LEAVE: Final = "a leave, which nothing can break"
_MEANING: Final = "says what something means; nothing that is sent can be against it"
_WHO: Final = "who is trusted and registered is known to the VTN alone"
_TRANSPORT: Final = "lies below the messages"
_CAPABILITY: Final = "what a product is able to do shows only when it is asked to"
_AT_BIRTH: Final = "whether an event was changed before it was first handed out is known to its VTN alone"
_AT_SOURCE: Final = "what data there are is known to their source alone"
_WITH_405: Final = "is judged with rule 405, which asks for the same"
_WITH_325: Final = "is judged with rule 325, which says what the start means"

_VEN, _VTN, _BOTH = Bound.VEN, Bound.VTN, Bound.BOTH
_MUST, _SHOULD, _MAY = Strength.MUST, Strength.SHOULD, Strength.MAY

_LINES: Final[tuple[tuple[int, Bound, Strength, str, str], ...]] = (
    # events, as in 2.0a, with transport and security
    (1, _BOTH, _MUST, "Times are in UTC and end in Z; durations have no fractions.", ""),
    (2, _VTN, _MUST, "The intervals of a signal are numbered 0, 1, 2 and so on.", ""),
    (3, _VTN, _MUST, "A lower priority number is more urgent; 0 is no priority, and the least.", _MEANING),
    (4, _VTN, _MUST, "A new event has the modification number 0.", _AT_BIRTH),
    (5, _VTN, _MUST, "Any change, save of status, createdDateTime and current value, raises the number by 1.", ""),
    (6, _VEN, _MUST, "Any testEvent but false makes an event a test.", _INSIDE),
    (7, _VTN, _MUST, "In 2.0a an event has exactly one signal, which is SIMPLE.", ""),
    (8, _VTN, _MUST, "The intervals of each signal take as long as the active period.", ""),
    (9, _VTN, _MUST, "SIMPLE has the values 0 (normal), 1 (moderate), 2 (high) and 3 (special).", ""),
    (10, _VTN, _MUST, "An event is cancelled by its status, which raises the modification number.", ""),
    (
        12,
        _VEN,
        _MUST,
        "An event is answered whenever it comes if it always wants an answer, and never if it wants none.",
        "",
    ),
    (13, _VTN, _MUST, "An event is far, then near from its ramp-up on if it has one, then active.", ""),
    (14, _VTN, _MUST, "The current value of SIMPLE is 0 unless the event is active.", ""),
    (15, _VTN, _MUST, "Lists have active events first, by priority and start, and then those to come by start.", ""),
    (16, _VTN, _MUST, "An answer to an event counts, unless an opt for the event has taken its place.", _INSIDE),
    (17, _VTN, _MUST, "A VEN may opt out of an event that it has answered before.", _INSIDE),
    (18, _BOTH, _SHOULD, "Events may overlap; what a VEN does then is for the deployment to say.", _LEAVE),
    (19, _VEN, _MUST, "A bad event in a list does not keep a VEN from the good ones.", ""),
    (20, _VTN, _MAY, "An event may change at any time, but not in what is over.", ""),
    (21, _BOTH, _MUST, "The ids in a message are verified; that a cancelled event is not known is no error.", ""),
    (22, _VEN, _MUST, "An empty target means the receiver; several criteria are alternatives.", _INSIDE),
    (23, _BOTH, _MUST, "Only VENs send oadrRequestEvent.", ""),
    (
        25,
        _VTN,
        _SHOULD,
        "Each answer to an event is looked at, unless the message as a whole reports an error.",
        _INSIDE,
    ),
    (27, _VTN, _MUST, "A list has no more events than the VEN has asked for.", ""),
    (29, _VTN, _MUST, "The current value of a running event is that of the interval in force.", ""),
    (30, _VEN, _MUST, "An event with startafter starts at random, and keeps its delay when it is changed.", _INSIDE),
    (31, _VEN, _MUST, "Start, duration, tolerance, ramp-up and recovery are understood and acted upon.", _INSIDE),
    (32, _VEN, _MUST, "The durations and values of intervals are understood and acted upon.", _INSIDE),
    (33, _BOTH, _MUST, "What cannot be meant is answered with an application error that fits.", _INSIDE),
    (35, _VEN, _MUST, "oadrCreatedEvent has event responses, unless it reports an error.", ""),
    (
        36,
        _VEN,
        _MUST,
        "A cancellation is acknowledged, and the event then answered no more unless it is listed again.",
        "",
    ),
    (37, _VEN, _MUST, "A VEN over HTTP is able to poll, and may be able to be pushed to.", _CAPABILITY),
    (38, _VTN, _MUST, "A VTN is able to push and to be polled over HTTP, and to push over XMPP.", _CAPABILITY),
    (40, _VTN, _MUST, "A list that answers a request has an eiResponse.", ""),
    (41, _VTN, _MUST, "A list has a requestID.", ""),
    (42, _VEN, _MUST, "Each event response repeats the requestID of the list; the message as a whole has none.", ""),
    (43, _VEN, _MUST, "The requestIDs of lists need not differ.", _INSIDE),
    (45, _BOTH, _MUST, "Messages name no schemaLocation.", ""),
    (
        46,
        _BOTH,
        _MUST,
        "What is optional may be left out, but is understood where it is sent; empty is like absent.",
        "",
    ),
    (47, _BOTH, _MUST, "An event of no duration is active until it is cancelled.", ""),
    (
        48,
        _BOTH,
        _MUST,
        "Valid but senseless requests get a 4xx; an event that is refused has a code of its own and optOut.",
        "",
    ),
    (50, _VTN, _MUST, "Lists are complete; a cancelled event stays until that is acknowledged, and no longer.", ""),
    (
        51,
        _BOTH,
        _MUST,
        "In pull all requests come from the VEN; in push either side sends what is its own, and nobody polls.",
        "",
    ),
    (
        52,
        _VTN,
        _MUST,
        "A cancelled event that wants an answer is listed until it has one, or it is over, or given up.",
        "",
    ),
    (53, _BOTH, _MUST, "The HTTP headers Host, Content-Length and Content-Type are supported.", _TRANSPORT),
    (56, _VEN, _SHOULD, "An event that is not known is added, whatever its modification number.", ""),
    (57, _VEN, _SHOULD, "A higher modification number replaces what is known.", ""),
    (58, _VEN, _SHOULD, "A lower modification number is an error, answered with 450.", ""),
    (59, _VEN, _SHOULD, "A known event that is cancelled is ended and forgotten.", _INSIDE),
    (60, _VEN, _SHOULD, "An event that is not known and cancelled is ignored, but answered.", ""),
    (61, _VEN, _MUST, "A known event that a list lacks is cancelled by that.", _INSIDE),
    (62, _VEN, _MUST, "Every event that wants an answer gets one, however it has come, and no other does.", ""),
    (63, _VTN, _MUST, "The target of an event names one VEN at most.", ""),
    (64, _VEN, _MUST, "In 2.0a a VEN that polls answers all events before it polls again.", ""),
    (65, _VEN, _MUST, "A cancelled event with startafter ends at random.", _INSIDE),
    (
        66,
        _BOTH,
        _MUST,
        "An event with startafter is listed until the last of those that start at random have ended.",
        "",
    ),
    (67, _BOTH, _MUST, "TLS 1.2 with the two default suites, unless it is configured otherwise.", _TRANSPORT),
    (68, _BOTH, _MUST, "Certificates are X.509v3: a VTN has RSA and ECC, a VEN one of them at least.", _TRANSPORT),
    (69, _BOTH, _MAY, "In 2.0a the type of SIMPLE is a hint, and any type will do.", _LEAVE),
    (70, _VTN, _MUST, "venIDs are unique at the VTN, and eventIDs at the VEN.", ""),
    # events, added by 2.0b
    (100, _VTN, _MUST, "Each interval of an event has one signalPayload, with one number.", ""),
    (101, _VTN, _MUST, "The intervals of a baseline are numbered 0, 1, 2 and so on.", ""),
    (102, _VTN, _MUST, "Each interval of an event has a duration; those of a baseline add up to the baseline's.", ""),
    (103, _VTN, _MUST, "The intervals of an event have no start of their own.", ""),
    (104, _VTN, _MUST, "A well-known signal has the type, unit and values of table 1.", ""),
    (105, _VTN, _MUST, "An event says how long before its start it is announced.", ""),
    (106, _VTN, _MAY, "SIMPLE may stand beside other signals.", _LEAVE),
    (107, _VTN, _MUST, "Several signals of an event have signalIDs of their own.", ""),
    (108, _VTN, _MUST, "The resources of a baseline are meant together, and need not be those of the event.", _MEANING),
    (109, _VEN, _MUST, "An event with a signal that cannot be supported is answered with 460.", _INSIDE),
    (110, _VTN, _SHOULD, "Signals other than SIMPLE have no current value unless the event is active.", ""),
    (111, _BOTH, _MUST, "The target of a signal names device classes alone, which narrow the target of the event.", ""),
    (112, _VEN, _MUST, "An event whose signal fits none of the resources is answered with 469.", _INSIDE),
    (113, _VTN, _MUST, "The current value is optional in 2.0b, and required in 2.0a.", ""),
    (
        114,
        _VEN,
        _MUST,
        "A VEN's clock is nearly that of its VTN; it may reckon the status of an event by itself.",
        _INSIDE,
    ),
    (
        115,
        _VTN,
        _MUST,
        "createdDateTime is renewed with any change, and the same in all of a list; status is fresh on request.",
        "",
    ),
    (116, _BOTH, _MUST, "SIMPLE has the type level.", ""),
    # opts
    (200, _BOTH, _MUST, "A schedule has no tolerance, notification, ramp-up or recovery.", ""),
    (201, _BOTH, _MAY, "What opts mean beyond the rules is for the program to say.", _LEAVE),
    (
        202,
        _VEN,
        _MUST,
        "An empty target of a schedule means all resources; several criteria are alternatives.",
        _INSIDE,
    ),
    (203, _VTN, _MUST, "A new schedule supersedes earlier ones for the resources that it is about.", _INSIDE),
    (204, _VEN, _MUST, "An opt has an id, which several may share; a cancellation is about all of them.", ""),
    (205, _VTN, _MUST, "A schedule with a market context is about events of that context alone.", _INSIDE),
    (
        206,
        _BOTH,
        _MUST,
        "An opt is about an event that takes answers, and then about its targets, or it holds a schedule.",
        "",
    ),
    (207, _BOTH, _MUST, "The answer to an opt repeats its requestID, where there is one.", ""),
    (208, _VEN, _MUST, "A VEN names itself and the opt, which the VTN verifies.", ""),
    (
        209,
        _BOTH,
        _MUST,
        "The device class of an opt holds device classes alone, and is left out if there are none.",
        "",
    ),
    (210, _BOTH, _MUST, "A schedule of no duration has no end.", ""),
    (211, _BOTH, _MUST, "Opts for events are not cancelled; to cancel a superseded schedule is no error.", ""),
    # reports
    (300, _BOTH, _MUST, "Requests ask for what was offered, and reports hold all that was requested.", ""),
    (301, _BOTH, _MUST, "Both sides tell what they can report at the start, though it be nothing.", _WITH_405),
    (302, _BOTH, _MUST, "A report covers the resources of its data source, within its market context.", _MEANING),
    (303, _BOTH, _MUST, "Answers about reports repeat the requestID, where there is one.", ""),
    (304, _BOTH, _SHOULD, "The ids of reports are verified, and wrong ones answered with 452.", ""),
    (
        305,
        _BOTH,
        _MUST,
        "An offer describes data points and holds no data; where there is nothing to offer there is none.",
        "",
    ),
    (306, _BOTH, _MUST, "New offers replace the old ones, and end the reports that were requested by them.", _INSIDE),
    (307, _BOTH, _MUST, "The subject of a report names device classes alone.", ""),
    (308, _BOTH, _MUST, "Specifier ids are unique among the offers, and rIDs within one.", ""),
    (309, _BOTH, _MUST, "Offers are exchanged before anything but registration and oadrRequestEvent.", _WITH_405),
    (
        311,
        _BOTH,
        _MUST,
        "An offer has the reportRequestID 0; a message of offers names the request that it answers.",
        "",
    ),
    (312, _BOTH, _MUST, "An offer says how much data is kept, which is at least the longest sampling period.", ""),
    (313, _BOTH, _MUST, "A report has a start, intervals, and the name of its offer without METADATA_.", ""),
    (314, _BOTH, _MUST, "All intervals of a report have a start, or none has; they run from old to new.", ""),
    (315, _BOTH, _MUST, "All intervals of a report have a duration, or none has; the report's spans them.", ""),
    (316, _BOTH, _MUST, "Intervals of a report that have no start are numbered from 0.", ""),
    (317, _BOTH, _MUST, "The granularity is how far values are apart, and at most the time between reports.", ""),
    (318, _BOTH, _MUST, "Missing data are told as such, by their quality.", _AT_SOURCE),
    (319, _BOTH, _MUST, "The accuracy is in the unit of the value, and a status has none.", ""),
    (321, _BOTH, _MUST, "A request has no units, and its interval only a start and a duration.", ""),
    (322, _BOTH, _MUST, "The reportRequestID of a request is its own.", ""),
    (324, _BOTH, _MUST, "A reportBackDuration of 0 asks for one report, any other for periodic ones.", ""),
    (325, _BOTH, _MUST, "The interval of a request says from when on and how long, or which part of a history.", ""),
    (327, _BOTH, _MUST, "Offers are asked for by the reportSpecifierID METADATA.", _MEANING),
    (328, _BOTH, _MUST, "A cancellation may come with the answer to data, and is acted upon.", ""),
    (329, _BOTH, _MUST, "The pending reports are all that are still to come.", ""),
    (330, _BOTH, _MAY, "An rID is any text.", _LEAVE),
    (
        331,
        _BOTH,
        _MUST,
        "A well-known report has the values of the profile, and METADATA_ before its name in an offer.",
        "",
    ),
    (333, _VEN, _MUST, "An offer of telemetry says how often its points can be read.", ""),
    (
        334,
        _VEN,
        _SHOULD,
        "A status report tells the parts of the load control state that fit, the same in each interval.",
        "",
    ),
    (335, _BOTH, _MUST, "Where reports go on after a cancellation that came with an answer, it is repeated.", _INSIDE),
    (336, _BOTH, _MUST, "A cancellation may name several reports; one that fails is answered with a 4xx.", ""),
    (337, _BOTH, _MUST, "Who offers interval data of usage has them ready when they are asked for.", _AT_SOURCE),
    (338, _BOTH, _MUST, "The reading type of a request is x-notApplicable.", ""),
    (339, _BOTH, _SHOULD, "The eiReportID is ignored.", _INSIDE),
    (340, _BOTH, _MUST, "A request for more than was offered is answered with 454.", ""),
    (341, _BOTH, _MUST, "Reports begin at the point nearest to the start that was requested.", _WITH_325),
    (342, _BOTH, _MUST, "Some combinations of starts and durations are not allowed.", ""),
    (343, _BOTH, _MUST, "A report without source, subject and context covers all resources.", _MEANING),
    (344, _BOTH, _MUST, "Requests may come with the answer to offers, and are acted upon.", _INSIDE),
    (345, _BOTH, _MUST, "A cancellation may ask for one last report.", ""),
    (346, _BOTH, _SHOULD, "Reports come in regular sequence; later data replace earlier.", ""),
    # registration
    (400, _BOTH, _SHOULD, "The ids of a registration are verified, and wrong ones answered with 452.", ""),
    (401, _BOTH, _MUST, "VENs query and register, VTNs ask to register again, and both cancel.", ""),
    (402, _BOTH, _MUST, "A registration says how the VEN is reached; it names ids only when it is not the first.", ""),
    (
        403,
        _BOTH,
        _MUST,
        "A registration is answered with its ids, all profiles, and the polling frequency in pull.",
        "",
    ),
    (404, _BOTH, _MUST, "A query is answered with all profiles, and with ids only where there is a registration.", ""),
    (
        405,
        _BOTH,
        _MUST,
        "Registration comes first, then the exchange of offers and oadrRequestEvent, then all else.",
        "",
    ),
    (406, _BOTH, _MUST, "A VEN may register anew, which ends all that was there before.", _INSIDE),
    (407, _BOTH, _MUST, "A cancelled registration is forgotten, with all that belongs to it.", ""),
    # general
    (
        500,
        _BOTH,
        _MUST,
        "A VEN in pull polls as often as it is asked to, and at once while there is something left.",
        "",
    ),
    (501, _BOTH, _MUST, "VTNs and VENs over HTTP support polling.", _CAPABILITY),
    (
        502,
        _BOTH,
        _SHOULD,
        "A poll brings events when they are new or changed; a status that changes by itself is no change.",
        _LEAVE,
    ),
    (506, _BOTH, _MUST, "A VTN serves VENs of 2.0a as well; a VEN may speak either profile.", _CAPABILITY),
    (507, _BOTH, _MUST, "A VTN supports XMPP beside HTTP; over XMPP there are no polls.", ""),
    (508, _VEN, _MUST, "A VEN names itself in all that it sends.", ""),
    (509, _BOTH, _MUST, "Every payload has a schemaVersion.", ""),
    (510, _BOTH, _MUST, "Some signals, reports and targets are supported by every product.", _CAPABILITY),
    (
        511,
        _BOTH,
        _MUST,
        "The URL of a service is made by a template; the faces of one host have prefixes of their own.",
        _TRANSPORT,
    ),
    (512, _BOTH, _MUST, "In ids capital letters matter; market contexts are compared in their normal form.", ""),
    (514, _BOTH, _MUST, "Where signatures are configured, what is not signed well is ignored.", ""),
    (
        515,
        _BOTH,
        _MUST,
        "An XMPP server keeps VENs apart; each has its own JID, and services are discovered.",
        _TRANSPORT,
    ),
    (516, _BOTH, _MUST, "Nothing is said to a peer whose certificate has expired.", _TRANSPORT),
    (
        517,
        _VTN,
        _MUST,
        "A peer that is not trusted gets 403; one that is not registered 463, in the answer that fits.",
        _WHO,
    ),
)

CATALOGUE: Final[Mapping[int, OfficialRule]] = {line[0]: OfficialRule(*line) for line in _LINES}
"""Every rule of the specification, by its number."""


def official_rule(number: str) -> OfficialRule | None:
    """Find the rule that a finding cites.

    :param number: as in a finding, such as ``R103``.
    :returns: None for what is no rule of the specification, such as a decision of this project (``D49``).
    """
    digits = number.removeprefix("R")
    return CATALOGUE.get(int(digits)) if digits.isdecimal() else None
