"""Who takes part: a VTN and its operator's book, VENs and their applications' diaries."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from oadr_core import (
    VEN_HANDLERS,
    VTN_HANDLERS,
    AutoVen,
    AutoVtn,
    Call,
    CallId,
    EiEvent,
    EndReports,
    EventRecord,
    EventStatus,
    Handlers,
    Now,
    OptType,
    PlainSealer,
    Registration,
    Report,
    ReportDescription,
    ReportWish,
    SamplingRate,
    SenderConfig,
    Startup,
    Target,
    VenConfig,
    VenPolicy,
    VenRecord,
    VtnConfig,
    measurement,
)
from oadr_core.testing import Host
from tests.pair.diary import SILENCE, Diary, Edition
from tests.pair.meters import PERIOD, STEP, Meter
from tests.pair.programs import Program

SAMPLING: Final = timedelta(seconds=20)
REPORTING: Final = timedelta(seconds=60)


def offer() -> Report:
    """What the VEN can report: one data point."""
    return Report(
        duration=timedelta(hours=1),
        report_descriptions=(
            ReportDescription(
                r_id="load",
                report_type="usage",
                reading_type="Direct Read",
                measurement=measurement("powerReal", scale="k"),
                report_data_source=Target(resource_id=("boiler",)),
                sampling_rate=SamplingRate(min_period=timedelta(seconds=1), max_period=timedelta(minutes=5)),
            ),
        ),
        report_request_id="0",
        report_specifier_id="usage",
        report_name="METADATA_TELEMETRY_USAGE",
        created_date_time=datetime.fromisoformat("2026-11-20T00:00:00Z"),
    )


class Enough:
    """Which reports an application has had enough of: it says so when the next of them comes (rules 328 and 335)."""

    def __init__(self) -> None:
        self.request_ids: set[str] = set()

    def of(self, report: Report) -> EndReports | None:
        """Take a report. That it is enough is said once, whatever becomes of it."""
        enough = report.report_request_id in self.request_ids
        self.request_ids.discard(report.report_request_id)
        return EndReports() if enough else None


def the_flow(r_id: str) -> ReportWish | None:
    """Want one of the data points that a peer offers; what else is wanted is asked for by hand."""
    return ReportWish(r_id=r_id, sampling=STEP, reporting=PERIOD) if r_id == "flow" else None


class Ven:
    """A VEN and its application: a boiler that counts what it is asked.

    :param name: its name, and its address where it is reached by push.
    :param pull: whether it polls.
    :param agreed: whether its venID was agreed beforehand, so that it keeps it whatever the VTN forgets.
    :param seed: for all that is random in it.
    :param meter: what it can report besides, and wants to be reported by its VTN; nothing if None.
    """

    def __init__(self, name: str, *, pull: bool, agreed: bool, seed: int, meter: Meter | None = None) -> None:
        self.pull = pull
        self.seed = seed
        self.meter = meter
        self.enough = Enough()
        self.readings: dict[datetime, float] = {}
        self.usurped = False
        """Whether a registration that it had sent earlier arrived after a later one, which it cannot know."""
        self.latest_registration = b""
        self.unsent: dict[str, bytes] = {}
        """The reports that it kept when it was last looked at."""
        self.dropped: list[str] = []
        """The requests whose reports it has given up since then, as it has told."""
        self.set_back = False
        """Whether its clock was set back: what it has told or read by the wrong time does not come again."""
        self.set_back_a_little = False
        """Whether it was set back so little that nobody puts right what was told by the wrong time."""
        self.vtn_set_back = False
        """Whether the clock of its VTN was set back: it may be asked for readings of times that are still to come."""
        self.diary = Diary(name)
        self._asked: set[tuple[int, CallId]] = set()
        self.config = VenConfig(
            ven_name=name, ven_id=name if agreed else "", pull=pull, address=None if pull else name, call_timeout=45.0
        )
        self.host = Host(name, self.build)

    def __repr__(self) -> str:
        """Its name, and how it is reached."""
        return f"<{self.host.name}, {'pull' if self.pull else 'push'}>"

    def build(self, saved: Mapping[str, bytes], now: Now) -> AutoVen:
        """Make the core, as a driver does at its start."""
        handlers = Handlers(VEN_HANDLERS, typed=True)
        for name in ("on_event", "on_update_event"):
            handlers.add(name, lambda event: "optIn")  # what it returns is drawn
        core = AutoVen(
            self.config,
            VenPolicy(registration_pause=120.0),
            sealer=PlainSealer(),
            entropy=random.Random(self.seed + 1000 * self.host.boots),
            handlers=handlers,
            saved=saved,
        )
        core.offer(offer(), {"load": self.read})
        if self.meter is not None:
            handlers.add("on_register_report", the_flow)
            handlers.add("on_report", self.enough.of)
            for one, points in self.meter.offers():
                core.offer(one, points)
        core.start(now)
        return core

    def read(self, due: datetime) -> float:
        """Read the meter: the value tells when it was read, so that no other reading is like it."""
        value = self.readings[due] = due.timestamp()
        return value

    def is_asked(self, call: Call) -> None:
        """The application is asked about an event."""
        if (self.host.boots, call.call) not in self._asked:
            self._asked.add((self.host.boots, call.call))
            self.diary.is_asked(asked_about(call), self.core.ven.state.events)

    def says(self, edition: Edition, said: object) -> None:
        """The application answers; with None it fails to."""
        if isinstance(said, str):
            self.diary.says(edition, (OptType(said), 200))
        elif isinstance(said, dict):
            self.diary.says(edition, (OptType(said["opt_type"]), said["response_code"]))
        else:
            self.diary.says(edition, SILENCE)

    @property
    def core(self) -> AutoVen:
        """The running core."""
        core = self.host.core
        assert isinstance(core, AutoVen)
        return core

    @property
    def runs(self) -> bool:
        """Whether it has reached its steady state, and its registration stands."""
        return self.core.phase is Startup.RUNNING and self.core.ven.registration is Registration.REGISTERED


def asked_about(call: Call) -> Edition:
    """What the application is asked about."""
    event = call.arguments["event"]
    assert isinstance(event, EiEvent)
    return event.event_descriptor.event_id, event.event_descriptor.modification_number


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the operator's book.

    :param program: what the operator wants.
    :param ven_ids: of whom.
    :param number: its modification number.
    :param cancelled: whether it was cancelled.
    """

    program: Program
    ven_ids: tuple[str, ...]
    number: int = 0
    cancelled: bool = False

    def is_over(self, now: datetime) -> bool:
        """Whether the time of the event has passed for every VEN."""
        return now >= self.program.last_end


class Vtn:
    """A VTN, its operator, and its application: it stores what it is told, durably.

    :param seed: for all that is random in it.
    :param meter: what it can report to its VENs; nothing if None.
    """

    def __init__(self, seed: int, meter: Meter | None = None) -> None:
        self.seed = seed
        self.meter = meter
        self.enough = Enough()
        self.stored: dict[str, dict[datetime, float]] = {}
        self.book: dict[str, Booking] = {}
        """What the operator has ordered, by event."""
        self.editions: dict[Edition, Program] = {}
        """The same, by event and modification."""
        self.cancelled: set[str] = set()
        self.host = Host("vtn", self.build)

    def build(self, saved: Mapping[str, bytes], now: Now) -> AutoVtn:
        """Make the core, as a driver does at its start."""
        handlers = Handlers(VTN_HANDLERS, typed=True)
        handlers.add("on_register_report", self.which_reports)
        core = AutoVtn(
            VtnConfig(vtn_id="Grid"),
            sealer=PlainSealer(),
            entropy=random.Random(self.seed + 1000 * self.host.boots),
            handlers=handlers,
            saved=saved,
            push=SenderConfig(),
        )
        if self.meter is not None:
            handlers.add("on_update_report", self.enough.of)
            for one, points in self.meter.offers():
                core.offer(one, points)
        core.start(now)
        return core

    def which_reports(self, ven_id: str, r_id: str) -> ReportWish | None:
        """Want the load; what else there is to report is asked for by hand."""
        if r_id != "load":
            return None

        def store(data: list[tuple[datetime, float]]) -> None:
            values = self.stored.setdefault(ven_id, {})
            for time, value in data:
                values[time] = value

        return ReportWish(r_id=r_id, sampling=SAMPLING, reporting=REPORTING, callback=store)

    @property
    def core(self) -> AutoVtn:
        """The running core."""
        core = self.host.core
        assert isinstance(core, AutoVtn)
        return core

    @property
    def records(self) -> Mapping[str, VenRecord]:
        """The registered VENs."""
        return self.core.vtn.vens

    def record(self, booking: Booking) -> None:
        """Write down what the operator has ordered, and look whether the VTN has understood."""
        event_id = booking.program.event_id
        known = self.core.vtn.events[event_id]
        assert known.modification_number == booking.number, "each change adds one to the modification number (rule 5)"
        assert known.event.event_descriptor.event_status is EventStatus.CANCELLED or not booking.cancelled
        self.book[event_id] = booking
        self.editions[event_id, booking.number] = booking.program
        if booking.cancelled:
            self.cancelled.add(event_id)

    def revise(self, event_id: str, before: Booking | None) -> None:
        """The power failed while the VTN took an order: it may have been lost, but only as a whole.

        :param event_id: the event that the order was about.
        :param before: what the book held before.
        """
        blob = self.host.saved.get(f"event/{event_id}")
        if blob is None:
            assert before is None, "an event was lost"
            del self.book[event_id]
            return
        known = EventRecord.load(blob)
        if known.modification_number != self.book[event_id].number:
            assert before is not None
            assert known.modification_number == before.number
            self.book[event_id] = before
            self.cancelled.discard(event_id)  # what is cancelled cannot be changed any more

    def events_of(self, ven_id: str) -> dict[str, Booking]:
        """What the book holds for a VEN."""
        return {event_id: one for event_id, one in self.book.items() if ven_id in one.ven_ids}
