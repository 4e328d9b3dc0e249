"""Reports that were made and not yet confirmed: kept over restarts, delivered in order, sent again as they are."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from oadr_core.answers import response_in
from oadr_core.clock import Now
from oadr_core.codes import ResponseCode
from oadr_core.entropy import Entropy, new_id
from oadr_core.machines.registration import Registration
from oadr_core.messages import Payload, Report, UpdateReport
from oadr_core.outputs import Output, ReportDropped, Save, TicketId
from oadr_core.state.blobs import Blob, Instant, numbered
from oadr_core.ven import Ven

_PREFIX: Final = "report/"


class UnsentReport(Blob, frozen=True, kw_only=True):
    """A report that was made and not yet confirmed, as a versioned blob.

    :param request_id: the requestID that it is sent with, each time the same.
    :param report: the report.
    :param last: whether it is the last one that its request brings.
    :param until: up to when the reports of its request are made with it; None for one that is asked for once, and for
        one that is sent again.
    """

    request_id: str
    report: Report
    last: bool = False
    until: Instant | None = None

    def parts(self) -> Iterator[msgspec.Struct]:
        """The messages, and parts of messages, that it holds."""
        yield self.report


class Outbox:
    """Keeps reports until the VTN has confirmed them.

    :param ven: sends them.
    :param entropy: the source of ids.
    :param most: how many are kept; the oldest are dropped beyond.
    :param emit: takes what has to be saved or told.
    :param saved: what an earlier run saved, by key; other keys than its own are passed over.
    :raises StateError: something in ``saved`` is damaged.
    """

    def __init__(
        self, ven: Ven, entropy: Entropy, most: int, emit: Callable[[Output], None], saved: Mapping[str, bytes]
    ) -> None:
        self._ven = ven
        self._entropy = entropy
        self._most = most
        self._emit = emit
        self._unsent: dict[str, UnsentReport] = dict(UnsentReport.load_all(saved, _PREFIX))
        self._sent: dict[str, tuple[str, TicketId]] = {}  # what was handed to the VEN, by its requestID
        self._made = max((numbered(key, _PREFIX) for key in self._unsent), default=0)

    def __len__(self) -> int:
        """How many reports are not yet confirmed."""
        return len(self._unsent)

    def recover(self, now: Now) -> None:
        """Note once more what was made: the power may have failed before that was noted, but after a report was kept.

        Else the report would be made again, and be there twice.
        """
        made = {one.report.report_request_id: one for one in self._unsent.values() if one.last or one.until is not None}
        for request_id, one in made.items():  # those before the last were noted before that was made
            self._ven.note_made(request_id, now, last=one.last, until=one.until)

    def put(self, report: Report, now: Now, *, last: bool = False, until: datetime | None = None) -> str:
        """Keep a report; see :class:`UnsentReport`.

        :returns: the key by which :meth:`deliver` knows it.
        """
        self._made += 1
        key = f"{_PREFIX}{self._made:012d}"
        unsent = UnsentReport(request_id=new_id(self._entropy), report=report, last=last, until=until)
        self._unsent[key] = unsent
        self._emit(Save(key, unsent.dump()))
        while len(self._unsent) > self._most:
            self._drop_oldest(now)
        return key

    def deliver(self, key: str, now: Now) -> None:
        """Hand a report to the VEN, unless it has it already."""
        unsent = self._unsent.get(key)
        registered = self._ven.registration in (Registration.REGISTERED, Registration.REREGISTERING)
        if unsent is not None and registered and not self._is_on_its_way(unsent):
            ticket = self._ven.update_report([unsent.report], now, request_id=unsent.request_id)
            self._sent[unsent.request_id] = key, ticket

    def deliver_all(self, now: Now) -> None:
        """Hand everything to the VEN."""
        for key in list(self._unsent):
            self.deliver(key, now)

    def confirmed(self, request: UpdateReport, answer: Payload | None, *, given_up: bool) -> None:
        """The VTN has a report, or will never take it."""
        sent = self._sent.pop(request.request_id, None)
        if sent is None:
            return
        key, _ = sent
        response = None if answer is None else response_in(answer)
        if response is not None and response.response_code == ResponseCode.NOT_REGISTERED_OR_AUTHORIZED:
            return  # it says nothing of the report, which is sent again after the registration that follows
        if given_up:
            self._drop(key, "the VTN does not take it")
        elif response is not None and not response.ok:
            self._drop(key, f"the VTN answered {response.response_code} {response.response_description or ''}".strip())
        else:
            del self._unsent[key]
            self._emit(Save(key, None))

    def _is_on_its_way(self, unsent: UnsentReport) -> bool:
        """Whether the VEN still has a report; it forgets what it was to send when its registration ends."""
        sent = self._sent.get(unsent.request_id)
        return sent is not None and self._ven.still_sends(sent[1])

    def _drop_oldest(self, now: Now) -> None:
        """Make room: the VEN is not to send the report any more, and does not keep it either."""
        key, unsent = next(iter(self._unsent.items()))
        sent = self._sent.pop(unsent.request_id, None)
        if sent is not None:
            self._ven.withdraw(sent[1])
        self._drop(key, "more reports wait than may be kept")
        left = {one.report.report_request_id for one in self._unsent.values()}
        if unsent.report.report_request_id not in left:
            self._ven.note_delivered([unsent.report.report_request_id], now)

    def _drop(self, key: str, why: str) -> None:
        """Give a report up: first tell, then forget, so that a crash in between tells twice rather than never."""
        report_request_id = self._unsent.pop(key).report.report_request_id
        self._emit(ReportDropped(report_request_id=report_request_id, why=why))
        self._emit(Save(key, None))
