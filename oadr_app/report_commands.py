"""What an operator can ask of a running VTN about reports: what is offered, what is asked for, and what has come."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio.to_thread

from oadr_app.control import Command
from oadr_app.filing import series_of
from oadr_app.readings import Series, StoredSeries
from oadr_app.sqlite_store import SqliteStore
from oadr_core import (
    Duration,
    LocalProtocolError,
    RemoteProtocolError,
    Report,
    ReportDescription,
    ReportInterval,
    ReportName,
    ReportRequest,
    ReportSpecifier,
    SpecifierPayload,
    VenRecord,
    as_timedelta,
    check_request,
    data_name,
    new_id,
)
from oadr_http import OpenADRServer

_HISTORY: Final = (ReportName.HISTORY_USAGE, ReportName.HISTORY_GREENBUTTON)

_NONE: Final = timedelta(0)

_ANY_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Calendar months are shown as long as they are from here on."""


class ReportCommands:
    """The commands about reports.

    :param server: the VTN.
    :param store: what it has stored.
    :param ven_id: finds a VEN by id or by name.
    :param sampling: the spacing of readings, where an operator names none and it is offered.
    """

    def __init__(
        self, server: OpenADRServer, store: SqliteStore, ven_id: Callable[[str], str], sampling: timedelta
    ) -> None:
        self._server: Final = server
        self._store: Final = store
        self._ven_id = ven_id
        self._sampling = sampling
        self._entropy: Final = random.SystemRandom()

    def changes(self) -> Mapping[str, Command]:
        """The commands that change something."""
        return {"report/request": self._request, "report/cancel": self._cancel}

    def views(self) -> Mapping[str, Command]:
        """The commands that show something."""
        return {"report/list": self._list}

    # --- what there is -----------------------------------------------------------------------------------------------

    async def _list(self, asked: Mapping[str, Any]) -> object:
        """Offers, requests and what is stored, by VEN; what is stored of VENs that are gone comes last."""
        named = asked.get("ven")
        ven_id = None if named is None else self._ven_id(str(named))
        stored = await anyio.to_thread.run_sync(self._store.series, ven_id)
        vens = self._server.vens
        known = sorted(vens) if ven_id is None else [ven_id]
        gone = sorted({one.series.ven_id for one in stored} - set(vens)) if ven_id is None else []
        by_ven: dict[str, list[StoredSeries]] = {}
        for one in stored:
            by_ven.setdefault(one.series.ven_id, []).append(one)
        return [_ven(each, vens.get(each), by_ven.get(each, [])) for each in (*known, *gone)]

    # --- asking for more ---------------------------------------------------------------------------------------------

    async def _request(self, asked: Mapping[str, Any]) -> object:
        """Ask a VEN for a report: from time to time, once, or for what it has recorded."""
        ven_id = self._ven_id(_text(asked, "ven"))
        offers = self._server.offered_reports(ven_id)
        offer = _offer(offers, asked.get("report"), past=bool(asked.get("past")))
        points = _points(offer, asked.get("points"))
        specifier = ReportSpecifier(
            report_specifier_id=offer.report_specifier_id,
            specifier_payloads=tuple(SpecifierPayload(r_id=one.r_id) for one in points),
            **self._times(offer, points, asked),
        )
        request = ReportRequest(report_request_id=new_id(self._entropy), report_specifier=specifier)
        try:
            check_request(request, offers)
        except RemoteProtocolError as error:
            raise LocalProtocolError(f"the VEN does not offer that: {error}") from None
        self._server.create_report(ven_id, request)
        return {"ven_id": ven_id, "ven": self._server.vens[ven_id].ven_name, **_asked_for(request)}

    def _times(self, offer: Report, points: Sequence[ReportDescription], asked: Mapping[str, Any]) -> dict[str, Any]:
        """When the report is to be made, of what, and how often."""
        begin = _moment(asked, "dtstart") or datetime.now(UTC).replace(microsecond=0)
        length = _length(asked, "duration") or _NONE
        if asked.get("past") and data_name(offer.report_name) not in _HISTORY:
            name = data_name(offer.report_name)
            raise LocalProtocolError(f"{offer.report_specifier_id} is {name}, which has no recorded values to ask for")
        if data_name(offer.report_name) in _HISTORY:
            if length == _NONE or asked.get("dtstart") is None:
                raise LocalProtocolError("of what was recorded, say from when to when it is wanted")
            return {
                "granularity": _NONE,
                "report_back_duration": _NONE,
                "report_interval": ReportInterval(dtstart=begin, duration=length),
            }
        if asked.get("once"):
            return {"granularity": _NONE, "report_back_duration": _NONE}
        sampling = _length(asked, "sampling")
        if sampling is None:
            sampling = self._usual(points)
        reporting = _length(asked, "reporting")
        return {
            "granularity": sampling,
            "report_back_duration": sampling if reporting is None else reporting,
            "report_interval": ReportInterval(dtstart=begin, duration=length),
        }

    def _usual(self, points: Sequence[ReportDescription]) -> timedelta:
        """The spacing where none is named: as configured, or the nearest to it that is offered."""
        rates = [one.sampling_rate for one in points if one.sampling_rate is not None]
        lowest = max((as_timedelta(one.min_period, _ANY_DAY) for one in rates), default=self._sampling)
        highest = min(
            (as_timedelta(one.max_period, _ANY_DAY) for one in rates if one.max_period), default=self._sampling
        )
        return min(max(self._sampling, lowest), max(highest, lowest))

    async def _cancel(self, asked: Mapping[str, Any]) -> object:
        """Ask a VEN for no more of a report."""
        wanted = _text(asked, "request")
        ven_id = None if asked.get("ven") is None else self._ven_id(_text(asked, "ven"))
        running = [
            (each, one)
            for each, record in self._server.vens.items()
            if ven_id in (None, each)
            for one in (requested.request.report_request_id for requested in record.requests)
        ]
        found = [pair for pair in running if pair[1] == wanted] or [
            pair for pair in running if pair[1].startswith(wanted)
        ]
        if not found:
            raise LocalProtocolError(f"no report is asked for under {wanted!r}; oadr report list shows the requests")
        if len(found) > 1:
            raise LocalProtocolError(f"{len(found)} requests begin with {wanted!r}, such as {found[0][1]}")
        ((owner, request_id),) = found
        self._server.cancel_report(owner, request_id, report_to_follow=bool(asked.get("final")))
        told = {"ven_id": owner, "ven": self._server.vens[owner].ven_name, "report_request_id": request_id}
        return {**told, "final": bool(asked.get("final"))}


# --- reading what is asked -------------------------------------------------------------------------------------------


def _text(asked: Mapping[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise LocalProtocolError(f"`{name}` must be there, and be a text")
    return value


def _length(asked: Mapping[str, Any], name: str) -> timedelta | None:
    """Read a number of seconds."""
    value = asked.get(name)
    if value is None:
        return None
    try:
        length = timedelta(seconds=value)
    except (TypeError, OverflowError, ValueError):
        length = -timedelta.resolution
    if length < _NONE:
        raise LocalProtocolError(f"`{name}` must be a number of seconds, 0 or more, and not {value!r}")
    return length


def _moment(asked: Mapping[str, Any], name: str) -> datetime | None:
    value = asked.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = datetime.min
    if moment.tzinfo is None:
        raise LocalProtocolError(f"`{name}` must be a time with its zone, such as 2026-11-20T18:00:00Z, not {value!r}")
    return moment.astimezone(UTC)


def _offer(offers: Sequence[Report], wanted: object, *, past: bool) -> Report:
    """Find an offer by its specifier or its name; if none is named the only one, of recorded values or of others.

    :param offers: what is offered.
    :param wanted: the name; None if none is named.
    :param past: whether recorded values are wanted.
    """
    fitting = [one for one in offers if (data_name(one.report_name) in _HISTORY) is past]
    if wanted is None and fitting:
        offers = fitting
    names = ", ".join(f"{one.report_specifier_id} ({data_name(one.report_name)})" for one in offers) or "nothing"
    found = [one for one in offers if wanted in (None, one.report_specifier_id)]
    found = found or [one for one in offers if wanted in (one.report_name, data_name(one.report_name))]
    if len(found) == 1:
        return found[0]
    if found and wanted is None:
        raise LocalProtocolError(f"which report? the VEN offers {names}")
    several = "several reports are called" if found else "the VEN does not offer"
    raise LocalProtocolError(f"{several} {wanted!r}; it offers {names}" if offers else "the VEN offers no reports")


def _points(offer: Report, wanted: object) -> Sequence[ReportDescription]:
    """Find the data points; all of the offer if none is named."""
    if not wanted:
        return offer.report_descriptions
    names = [str(one) for one in wanted] if isinstance(wanted, list) else [str(wanted)]
    found = []
    for name in names:
        alike = [one for one in offer.report_descriptions if name in (one.r_id, *_resources(one))]
        if not alike:
            there = ", ".join(one.r_id for one in offer.report_descriptions)
            raise LocalProtocolError(f"{offer.report_specifier_id} has no data point {name!r}; it has {there}")
        found += alike
    return list({one.r_id: one for one in found}.values())


def _resources(point: ReportDescription) -> tuple[str, ...]:
    return () if point.report_data_source is None else point.report_data_source.resource_id


# --- telling what there is -------------------------------------------------------------------------------------------


def _ven(ven_id: str, record: VenRecord | None, stored: Sequence[StoredSeries]) -> dict[str, Any]:
    name = stored[0].series.ven_name if record is None and stored else "" if record is None else record.ven_name
    return {
        "ven_id": ven_id,
        "name": name,
        "registered": record is not None,
        "offers": [] if record is None else list(_offers(record)),
        "requests": []
        if record is None
        else [{**_asked_for(one.request), "state": one.state.name.lower()} for one in record.requests],
        "stored": [_stored(one) for one in stored],
    }


def _offers(record: VenRecord) -> Iterator[dict[str, Any]]:
    for offer in record.offered():
        for one in offer.report_descriptions:
            bare = Series(record.ven_id, offer.report_specifier_id, one.r_id, record.ven_name)
            rate = one.sampling_rate
            yield {
                **described(series_of(one, offer.report_name, bare)),
                "shortest_sampling": None if rate is None else _seconds(rate.min_period),
                "longest_sampling": None if rate is None else _seconds(rate.max_period),
                "on_change": rate is not None and rate.on_change,
                "kept": None if offer.duration is None else _seconds(offer.duration),
            }


def _asked_for(request: ReportRequest) -> dict[str, Any]:
    specifier = request.report_specifier
    interval = specifier.report_interval
    return {
        "report_request_id": request.report_request_id,
        "report": specifier.report_specifier_id,
        "points": [one.r_id for one in specifier.specifier_payloads],
        "sampling": _seconds(specifier.granularity),
        "reporting": _seconds(specifier.report_back_duration),
        "dtstart": None if interval is None else interval.dtstart.isoformat(),
        "duration": None if interval is None else _seconds(interval.duration),
    }


def _stored(one: StoredSeries) -> dict[str, Any]:
    times = {"first": one.first.isoformat(), "last": one.last.isoformat()}
    return {**described(one.series), "readings": one.readings, **times}


def described(series: Series) -> dict[str, Any]:
    """What a series is, as JSON and CSV name it."""
    return {
        "report": series.specifier_id,
        "r_id": series.r_id,
        "report_name": series.report_name,
        "report_type": series.report_type,
        "reading_type": series.reading_type,
        "resource": series.resource,
        "quantity": series.quantity,
        "unit": series.unit,
        "scale": series.scale,
        "pulse_factor": series.pulse_factor,
    }


def _seconds(duration: Duration) -> float:
    return as_timedelta(duration, _ANY_DAY).total_seconds()
