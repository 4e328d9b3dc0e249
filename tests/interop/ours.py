"""Our side: what it tells, what crossed the wire, and what it logs."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from oadr_core import (
    Event,
    ExchangeAbandoned,
    ExchangeSetBack,
    HandlerFailed,
    OptReceived,
    PeerForgiven,
    PeerMisbehaved,
    RecordedExchange,
    ReportDropped,
)
from oadr_http import MemoryStore, OpenADRClient, OpenADRServer
from tests.interop.watch import PATIENCE, Watch

EventT = TypeVar("EventT", bound=Event)

TROUBLES: Final = (ExchangeAbandoned, ExchangeSetBack, HandlerFailed, PeerForgiven, PeerMisbehaved, ReportDropped)

SECOND: Final = timedelta(seconds=1)
HOUR: Final = timedelta(hours=1)


class Ours(Watch):
    """Takes what a client or a server of ours tells: hand it :meth:`observe` and :meth:`trace`."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.exchanges: list[RecordedExchange] = []
        self.log: list[str] = []

    def observe(self, event: Event) -> None:
        """Take an event of the core."""
        self.events.append(event)
        self._ring()

    def trace(self, exchange: RecordedExchange) -> None:
        """Take an exchange that is over."""
        self.exchanges.append(exchange)
        self._ring()

    def note(self) -> None:
        """Something else has happened, in a handler of the test."""
        self._ring()

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Take what is logged at WARNING and above, while the body runs."""
        handler = _Taking(self.log)
        logger = logging.getLogger("oadr")
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)

    def told(self, kind: type[EventT], **like: object) -> list[EventT]:
        """What it has told so far, of a kind and with some particulars."""
        return [
            one
            for one in self.events
            if isinstance(one, kind) and all(getattr(one, name) == value for name, value in like.items())
        ]

    def troubles(self) -> list[Event]:
        """What went wrong, was not allowed, or had to be forgiven."""
        return [one for one in self.events if isinstance(one, TROUBLES)]

    async def tells(self, kind: type[EventT], *, times: int = 1, within: float = PATIENCE, **like: object) -> EventT:
        """Wait until it has told something, now or before.

        :param kind: what is waited for.
        :param times: how often it must have been told.
        :param within: seconds it may take.
        :param like: particulars that it must have.
        :returns: the last one that was waited for.
        """
        try:
            await self.until(lambda: len(self.told(kind, **like)) >= times, f"{kind.__name__} {like}", within)
        except AssertionError as error:
            raise AssertionError(f"{error}; we have told:\n{_story(self.events)}") from None
        return self.told(kind, **like)[times - 1]


class _Taking(logging.Handler):
    """Takes the lines of a log."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")


def _story(events: Sequence[Event]) -> str:
    return "\n".join(repr(one)[:300] for one in events)


class OurVtn:
    """A VTN of ours that keeps its state, and takes every reading that it is offered."""

    def __init__(self, store: MemoryStore | None = None, port: int = 0) -> None:
        self.ours = Ours()
        self.readings: list[tuple[datetime, float]] = []
        self.server = OpenADRServer(
            "VTN-Ours",
            http_port=port,
            requested_poll_freq=SECOND,
            store=store,
            observe=self.ours.observe,
            trace=self.ours.trace,
        )
        self.server.add_handler("on_register_report", self._which_reports)

    def _which_reports(self, resource_id: str) -> object:
        return self._take, SECOND

    async def _take(self, data: Sequence[tuple[datetime, float]]) -> None:
        self.readings += data
        self.ours.note()

    async def is_served(self, event_id: str) -> None:
        """Wait until readings have come, and the VEN has answered a new event."""
        (ven_id,) = self.server.vens
        interval = {"dtstart": datetime.now(UTC), "duration": HOUR, "signal_payload": 1}
        self.server.add_event(
            ven_id, "SIMPLE", "level", [interval], event_id=event_id, market_context=f"urn:{event_id}"
        )
        await self.ours.tells(OptReceived, event_id=event_id)
        await self.ours.until(lambda: len(self.readings) >= 2, "two readings")


class OurVen:
    """A VEN of ours with one reading."""

    def __init__(self, url: str, **options: Any) -> None:
        self.ours = Ours()
        self.readings: list[list[object]] = []
        self.client = OpenADRClient("Our VEN", url, observe=self.ours.observe, trace=self.ours.trace, **options)
        self.client.add_handler("on_event", lambda: "optIn")
        self.client.add_report(self._read, "boiler", r_id="power", sampling_rate=SECOND)

    async def _read(self, due: datetime) -> float:
        value = len(self.readings) / 2
        self.readings.append([due.isoformat(), value])
        return value
