"""VENs that deliver reports over HTTP as fast as they are confirmed, each over a connection of its own.

Their documents are made beforehand, and only the times are put in, so that the load costs little beside the server.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

import oadr_core as oadr
from bench.enrol import Exchange, enrol
from bench.figures import WrongAnswer

_MINUTE: Final = timedelta(minutes=1)
_FIRST_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)
_UNITS: Final = {1: "%Y-%m-%dT%H:%M", 60: "%Y-%m-%dT%H", 1440: "%Y-%m-%d"}
"""The sizes that a report may have, and the part of the time that all its readings have in common."""

_OK: Final = b"<ei:responseCode>200</ei:responseCode>"
_HEADERS: Final = {"Content-Type": "application/xml"}


def _point(size: int) -> oadr.DataPoint:
    """The data point that is reported by reports of a size: each has one of its own, so that none has gaps."""
    return oadr.data_point(
        lambda: 0.0,
        r_id=_name(size),
        resource_id=_name(size),
        scale="k",
        sampling_rate={"min_period": _MINUTE, "max_period": _MINUTE},
    )


def _name(size: int) -> str:
    return f"meter_{size}"


class ReportingVen:
    """A VEN that was asked for a report, and delivers one of another stretch of time at each call.

    :param url: the base URL of the VTN.
    :param name: its name.
    """

    def __init__(self, url: str, name: str) -> None:
        place = urlsplit(url)
        assert place.hostname is not None
        self._path: Final = f"{place.path}/{oadr.Service.EI_REPORT}"
        self._base: Final = place.path
        self._connection: Final = HTTPConnection(place.hostname, place.port, timeout=60)
        self._asked: dict[str, str] = {}
        offers = [oadr.make_offer(_name(size), [_point(size)], datetime.now(UTC)) for size in _UNITS]
        self._ven_id: Final = enrol(self._exchange(), name, offers=offers)
        if len(self._asked) < len(_UNITS):
            raise WrongAnswer(f"readings: the VTN does not ask {name} for what it offers")
        self._days: Final = dict.fromkeys(_UNITS, _FIRST_DAY)
        self._pieces: Final = {size: self._template(size) for size in _UNITS}

    def _exchange(self) -> Exchange:
        def exchange(message: oadr.Payload, service: oadr.Service) -> oadr.Payload:
            answer = oadr.decode(self._post(f"{self._base}/{service}", oadr.encode(message)))
            if isinstance(answer, oadr.RegisteredReport):
                wanted = {one.report_specifier.report_specifier_id: one for one in answer.report_requests}
                self._asked |= {name: one.report_request_id for name, one in wanted.items()}
            return answer

        return exchange

    def _post(self, path: str, body: bytes) -> bytes:
        self._connection.request("POST", path, body, _HEADERS)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise WrongAnswer(f"readings: the VTN answers with status {response.status}")
        return answer

    def deliver(self, readings: int) -> None:
        """Deliver a report that was not delivered before.

        :param readings: how many it holds, a minute apart: 1, 60 or 1,440.
        """
        begin = self._days[readings]
        self._days[readings] += readings * _MINUTE
        answer = self._post(self._path, begin.strftime(_UNITS[readings]).encode().join(self._pieces[readings]))
        if _OK not in answer:
            raise WrongAnswer(f"readings: a report is answered with {answer[:500]!r}")

    def _template(self, readings: int) -> Sequence[bytes]:
        """A report in pieces, between which stands the part of the time that all its readings have in common."""
        intervals = tuple(
            oadr.Interval(
                dtstart=_FIRST_DAY + number * _MINUTE,
                payloads=(oadr.ReportPayload(r_id=_name(readings), value=3500 + number % 97 / 8),),
            )
            for number in range(readings)
        )
        report = oadr.Report(
            dtstart=_FIRST_DAY,
            intervals=intervals,
            report_request_id=self._asked[_name(readings)],
            report_specifier_id=_name(readings),
            report_name="TELEMETRY_USAGE",
            created_date_time=datetime(2026, 7, 1, tzinfo=UTC),
        )
        message = oadr.UpdateReport(request_id="request", reports=(report,), ven_id=self._ven_id)
        return oadr.encode(message).split(_FIRST_DAY.strftime(_UNITS[readings]).encode())

    def close(self) -> None:
        """Close its connection."""
        self._connection.close()


class Delivered:
    """What was delivered.

    :ivar readings: how many readings were confirmed.
    :ivar seconds: how long that took.
    """

    def __init__(self) -> None:
        self.readings = 0
        self.seconds = 0.0


def deliver(
    vens: Sequence[ReportingVen], readings: int, *, seconds: float | None = None, most: int | None = None
) -> Delivered:
    """Have VENs deliver reports side by side.

    :param vens: the VENs.
    :param readings: how many readings a report holds.
    :param seconds: for how long; None until ``most`` are delivered.
    :param most: how many readings to deliver at most.
    """
    delivered, lock, began = Delivered(), threading.Lock(), monotonic()

    def more() -> Iterator[None]:
        while seconds is None or monotonic() - began < seconds:
            with lock:
                if most is not None and delivered.readings + readings > most:
                    return
                delivered.readings += readings
            yield

    def work(ven: ReportingVen) -> None:
        for _ in more():
            ven.deliver(readings)

    with ThreadPoolExecutor(len(vens)) as pool:
        for done in [pool.submit(work, ven) for ven in vens]:
            done.result()
    delivered.seconds = monotonic() - began
    return delivered
