"""What either side must remember of the reports between it and its peer, as the part of a versioned blob."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime

import msgspec

from oadr_core.machines.report import ReportAtRequester, ReportAtSource
from oadr_core.messages import Payload, Report, ReportRequest
from oadr_core.state.blobs import Blob, Instant


class AcceptedRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A report request of the peer that we have accepted.

    :param request: what was asked for.
    :param accepted_at: when we accepted it; a period without a start begins then.
    :param state: where it stands.
    :param made_until: up to when its reports are made, where that matters: a range that was read is not read again.
    :param made: the last stretches of time that its reports are made of, in the order in which they were: more than one
        where there were gaps, or the clock was set back. Older blobs have none, and are read as one up to the end.
    :param outdated: whether other metadata has left since it was accepted, which ends it once the peer has taken that.
    """

    request: ReportRequest
    accepted_at: Instant
    state: ReportAtSource = ReportAtSource.RUNNING
    made_until: Instant | None = None
    made: tuple[tuple[Instant, Instant], ...] = ()
    outdated: bool = False

    @property
    def told(self) -> tuple[tuple[datetime, datetime], ...]:
        """The stretches of time that are told, as far as they are remembered."""
        if self.made or self.made_until is None:
            return self.made
        return ((min(self.accepted_at, self.made_until), self.made_until),)


class RequestedReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A report that the peer was asked for.

    :param request: what was asked for.
    :param state: where it stands.
    :param to_follow: whether it is cancelled with one more report to follow (rule 345).
    :param received_until: when the last value that was received held; a gap shows by it.
    :param by_the_way: whether it came of metadata, in the answer to them, and so goes with them whenever that was made.
    :param ends_by: when it has ended at the latest, as its source knows of its cancel; None while it need not know.
    :param ended_at: when it ended without the source having said so, which may not know it yet.
    """

    request: ReportRequest
    state: ReportAtRequester = ReportAtRequester.ASKED
    to_follow: bool = False
    received_until: Instant | None = None
    by_the_way: bool = False
    ends_by: Instant | None = None
    ended_at: Instant | None = None

    @property
    def request_id(self) -> str:
        """The reportRequestID."""
        return self.request.report_request_id


class ReportsBlob(Blob, frozen=True, kw_only=True, omit_defaults=True):
    """What either side remembers of the reports between it and one peer. Both report, and both ask (section 8.3).

    :param offers: the reports that the peer offers, packed; see :meth:`offered`.
    :param offered_with: digest of the request that registered them.
    :param requests: the reports that the peer was asked for.
    :param former: the last of those that ended; what was under way then is still taken.
    :param recent: digests of the last reports that were taken; the same again are confirmed and not taken twice.
    :param report_requests: the requests of the peer for our reports that we have accepted.
    :param accepted_once: digests of the last accepted ones that are answered by one report, with the message that
        brought each: one that comes again after its report is not answered by another (decision D37).
    """

    offers: bytes = b""
    offered_with: str = ""
    requests: tuple[RequestedReport, ...] = ()
    former: tuple[RequestedReport, ...] = ()
    recent: tuple[str, ...] = ()
    report_requests: tuple[AcceptedRequest, ...] = ()
    accepted_once: tuple[str, ...] = ()

    def offered(self) -> tuple[Report, ...]:
        """Unpack the reports that the peer offers."""
        return msgspec.msgpack.decode(self.offers, type=tuple[Report, ...]) if self.offers else ()

    def parts(self) -> Iterator[msgspec.Struct]:
        """See :meth:`Blob.parts`."""
        yield from (requested.request for requested in (*self.requests, *self.former))

    def received(self) -> Iterator[msgspec.Struct]:
        """See :meth:`Blob.received`."""
        yield from (accepted.request for accepted in self.report_requests)
        yield from self.offered()


def pack_offers(offers: tuple[Report, ...]) -> bytes:
    """Pack offers for a record; unpacked they take ten times the memory, and are seldom needed."""
    return msgspec.msgpack.encode(offers) if offers else b""


def digest(message: Payload | tuple[str, ReportRequest]) -> str:
    """Tell one request from another by its content; a retry has the same.

    A record holds two at least, for each VEN there is: 15 characters are as many as fit into 64 bytes.

    :param message: the message; or its requestID, and one of the report requests in it.
    """
    found = hashlib.blake2b(msgspec.msgpack.encode(message), digest_size=11).digest()
    return base64.urlsafe_b64encode(found).decode().rstrip("=")
