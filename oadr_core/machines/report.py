"""One report request, at the side that reports and at the side that asked (section 8.3 of the profile)."""

from enum import Enum
from typing import Final

from oadr_core.machines.table import Machine


class ReportAtSource(Enum):
    """Where a report request stands at the side that reports."""

    REFUSED = "it was refused, or never came"
    RUNNING = "reports are made"
    LAST = "one more report is made"
    MADE = "its last report is made, and not yet delivered"
    ENDED = "no more reports will come"


class ReportAtSourceInput(Enum):
    """What can happen to a report request at the side that reports."""

    ACCEPT = "the request is accepted"
    REPEAT = "the same request comes again"
    MAKE = "a report is made"
    MAKE_LAST = "the last report is made"
    DELIVERED = "the peer has all reports that were made"
    CANCEL = "it is cancelled"
    CANCEL_AFTER_NEXT = "it is cancelled with one report to follow"
    REPLACE = "new metadata is registered"
    END = "its time is over, or the peer does not know it"


_SOURCE, _AT_SOURCE = ReportAtSource, ReportAtSourceInput

REPORT_AT_SOURCE: Final = Machine(
    name="Report request (source)",
    states=ReportAtSource,
    inputs=ReportAtSourceInput,
    initial=ReportAtSource.REFUSED,
    table={
        (_SOURCE.REFUSED, _AT_SOURCE.ACCEPT): _SOURCE.RUNNING,
        (_SOURCE.RUNNING, _AT_SOURCE.REPEAT): _SOURCE.RUNNING,  # decision D37
        (_SOURCE.RUNNING, _AT_SOURCE.MAKE): _SOURCE.RUNNING,
        (_SOURCE.RUNNING, _AT_SOURCE.MAKE_LAST): _SOURCE.MADE,
        (_SOURCE.RUNNING, _AT_SOURCE.DELIVERED): _SOURCE.RUNNING,
        (_SOURCE.RUNNING, _AT_SOURCE.CANCEL): _SOURCE.ENDED,
        (_SOURCE.RUNNING, _AT_SOURCE.CANCEL_AFTER_NEXT): _SOURCE.LAST,  # rule 345
        (_SOURCE.RUNNING, _AT_SOURCE.REPLACE): _SOURCE.ENDED,  # rule 306
        (_SOURCE.RUNNING, _AT_SOURCE.END): _SOURCE.ENDED,
        (_SOURCE.LAST, _AT_SOURCE.REPEAT): _SOURCE.LAST,
        (_SOURCE.LAST, _AT_SOURCE.MAKE): _SOURCE.MADE,
        (_SOURCE.LAST, _AT_SOURCE.MAKE_LAST): _SOURCE.MADE,
        (_SOURCE.LAST, _AT_SOURCE.DELIVERED): _SOURCE.LAST,  # one that was made before
        (_SOURCE.LAST, _AT_SOURCE.CANCEL): _SOURCE.ENDED,
        (_SOURCE.LAST, _AT_SOURCE.CANCEL_AFTER_NEXT): _SOURCE.LAST,
        (_SOURCE.LAST, _AT_SOURCE.REPLACE): _SOURCE.ENDED,
        (_SOURCE.LAST, _AT_SOURCE.END): _SOURCE.ENDED,
        (_SOURCE.MADE, _AT_SOURCE.REPEAT): _SOURCE.MADE,  # pending until it is delivered (rule 329)
        (_SOURCE.MADE, _AT_SOURCE.MAKE): _SOURCE.MADE,  # a correction (rule 346)
        (_SOURCE.MADE, _AT_SOURCE.MAKE_LAST): _SOURCE.MADE,
        (_SOURCE.MADE, _AT_SOURCE.DELIVERED): _SOURCE.ENDED,
        (_SOURCE.MADE, _AT_SOURCE.CANCEL): _SOURCE.ENDED,
        (_SOURCE.MADE, _AT_SOURCE.CANCEL_AFTER_NEXT): _SOURCE.MADE,  # the one that follows is made already
        (_SOURCE.MADE, _AT_SOURCE.REPLACE): _SOURCE.ENDED,
        (_SOURCE.MADE, _AT_SOURCE.END): _SOURCE.MADE,
    },
    final=frozenset({ReportAtSource.ENDED}),
)


class ReportAtRequester(Enum):
    """Where a report request stands at the side that asked."""

    ASKED = "the request is made, and not yet confirmed"
    RUNNING = "the source has confirmed it"
    ENDING = "a cancel is under way"
    ENDED = "no more reports are expected"


class ReportAtRequesterInput(Enum):
    """What can happen to a report request at the side that asked."""

    CONFIRM = "the source lists it as pending, or reports"
    REFUSE = "the source refuses it"
    CANCEL = "we cancel it"
    CONFIRM_CANCEL = "the source confirms the cancel"
    REPLACE = "the source registers new metadata"
    END = "its last report is here"


_REQUESTER, _AT_REQUESTER = ReportAtRequester, ReportAtRequesterInput

REPORT_AT_REQUESTER: Final = Machine(
    name="Report request (requester)",
    states=ReportAtRequester,
    inputs=ReportAtRequesterInput,
    initial=ReportAtRequester.ASKED,
    table={
        (_REQUESTER.ASKED, _AT_REQUESTER.CONFIRM): _REQUESTER.RUNNING,
        (_REQUESTER.ASKED, _AT_REQUESTER.REFUSE): _REQUESTER.ENDED,
        (_REQUESTER.ASKED, _AT_REQUESTER.CANCEL): _REQUESTER.ENDING,
        (_REQUESTER.ASKED, _AT_REQUESTER.REPLACE): _REQUESTER.ENDED,
        (_REQUESTER.ASKED, _AT_REQUESTER.END): _REQUESTER.ENDED,
        (_REQUESTER.RUNNING, _AT_REQUESTER.CONFIRM): _REQUESTER.RUNNING,
        (_REQUESTER.RUNNING, _AT_REQUESTER.CANCEL): _REQUESTER.ENDING,
        (_REQUESTER.RUNNING, _AT_REQUESTER.REPLACE): _REQUESTER.ENDED,  # rule 306
        (_REQUESTER.RUNNING, _AT_REQUESTER.END): _REQUESTER.ENDED,
        (_REQUESTER.ENDING, _AT_REQUESTER.CONFIRM): _REQUESTER.ENDING,  # a report that was under way
        (_REQUESTER.ENDING, _AT_REQUESTER.CANCEL): _REQUESTER.ENDING,
        (_REQUESTER.ENDING, _AT_REQUESTER.CONFIRM_CANCEL): _REQUESTER.ENDED,
        (_REQUESTER.ENDING, _AT_REQUESTER.REPLACE): _REQUESTER.ENDED,
        (_REQUESTER.ENDING, _AT_REQUESTER.END): _REQUESTER.ENDED,
    },
    final=frozenset({ReportAtRequester.ENDED}),
)
