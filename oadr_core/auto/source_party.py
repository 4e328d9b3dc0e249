"""What a source of reports stands on: where requests are kept and how reports leave, at a VEN as at a VTN."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from oadr_core.auto.serving import Key
from oadr_core.clock import Now
from oadr_core.handlers import Handler
from oadr_core.messages import Report
from oadr_core.outputs import CallId
from oadr_core.state.reports import AcceptedRequest


class SourceParty(Protocol):
    """Where the requests for reports are kept, and how reports leave."""

    @property
    def call_timeout(self) -> float:
        """Seconds that a callback may take."""
        ...

    def new_call(self) -> CallId:
        """Make the id of a call."""
        ...

    def accepted(self, peer: str) -> Iterable[AcceptedRequest]:
        """The requests of a peer that were accepted."""
        ...

    def register(self, peer: str, report_request_id: str, now: Now) -> bool:
        """Answer a request for metadata (rule 311); tells whether to answer it again, where it is periodic."""
        ...

    def made(
        self, key: Key, report: Report | None, now: Now, *, made: bool = True, last: bool, until: datetime | None = None
    ) -> None:
        """Take a report that is complete, or note that there is no more; see :meth:`Vtn.report_made`."""
        ...

    def next_report(self, told: Mapping[str, object]) -> tuple[Handler, Mapping[str, object]] | None:
        """Find the handler that makes whole reports, and what to call it with."""
        ...
