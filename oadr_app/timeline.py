"""An event drawn over time: a scale, its phases, what each signal asks for, and the present.

Everything here is a function of the event, the present and the width, so that it can be tested without a VTN.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from oadr_app.periods import written
from oadr_app.scales import time_marks, wall_clock
from oadr_app.texts import clean
from oadr_core import (
    Duration,
    EiEvent,
    EventSignal,
    EventStatus,
    GreenButtonDescription,
    Measurement,
    as_timedelta,
    event_status,
    is_zero,
)

_WIDEST: Final = 100
"""Columns that a timeline takes at most, however wide the terminal is."""

_NARROWEST: Final = 24
"""Columns that a chart needs; on less, an event is told in words alone."""

_FEW: Final = 6
"""Intervals that are told one by one at each end of a signal; where there are more, those between are counted."""


UNTIL_CANCELLED: Final = "until it is cancelled"
WAS_CANCELLED: Final = "until it was cancelled"


class Glyphs(NamedTuple):
    """What a timeline is drawn with.

    :param notification: the time of notification.
    :param ramp_up: the ramp-up.
    :param window: the window for random starts and ends.
    :param active: the event itself.
    :param recovery: the recovery.
    :param bars: values, from the lowest to the highest.
    :param line: the scale.
    :param tick: a mark on it.
    :param now: the present.
    :param before: what lies before the beginning of the scale.
    :param after: what lies behind its end.
    """

    notification: str = "·"
    ramp_up: str = "╱"
    window: str = "░"
    active: str = "█"
    recovery: str = "╲"
    bars: str = "▁▂▃▄▅▆▇█"
    line: str = "─"
    tick: str = "┼"
    now: str = "▲"
    before: str = "◂"
    after: str = "▸"


_PLAIN: Final = Glyphs(".", "/", ":", "#", "\\", "_.-=+*%#", "-", "+", "^", "<", ">")
"""For a terminal that knows ASCII alone."""

_STYLES: Final = {
    "notification": "dim",
    "ramp_up": "cyan",
    "window": "yellow",
    "active": "bold green",
    "recovery": "blue",
}


class Phase(NamedTuple):
    """A stretch of an event.

    :param name: what it is: a field of :class:`Glyphs`.
    :param label: the same for people.
    :param begin: when it begins, in seconds from the start of the event.
    :param end: when it ends; None for never.
    """

    name: str
    label: str
    begin: float
    end: float | None


class Step(NamedTuple):
    """What a signal asks for, for a while.

    :param begin: when it begins, in seconds from the start of the event.
    :param end: when it ends; None for never.
    :param value: the value.
    """

    begin: float
    end: float | None
    value: float


def phases(event: EiEvent) -> list[Phase]:
    """The stretches of an event, in the order in which they are drawn (section 8.1, figure 6)."""
    period = event.active_period
    length = _end_of(event)
    found = []
    notice = _seconds(period.notification, period.dtstart)
    if notice > 0:
        found.append(Phase("notification", "notification", -notice, 0.0))
    ramp_up = _seconds(period.ramp_up, period.dtstart)
    if ramp_up:
        found.append(Phase("ramp_up", "ramp-up", min(-ramp_up, 0.0), max(-ramp_up, 0.0)))
    found.append(Phase("active", "active", 0.0, length))
    window = _window_of(event)
    if window > 0:
        found.append(Phase("window", "random start", 0.0, window))
        if length is not None:
            found.append(Phase("window", "random end", length, length + window))
    recovery = _seconds(period.recovery, period.dtstart)
    if recovery and length is not None:
        found.append(Phase("recovery", "recovery", length + min(recovery, 0.0), length + max(recovery, 0.0)))
    return found


def steps_of(signal: EventSignal, event: EiEvent) -> list[Step]:
    """What a signal asks for when; the last interval of an event without end does not end (decision D32)."""
    begin, found = 0.0, list[Step]()
    start, whole = event.active_period.dtstart, _end_of(event)
    for number, interval in enumerate(signal.intervals):
        length = 0.0 if interval.duration is None else max(_seconds(interval.duration, start), 0.0)
        is_last = number == len(signal.intervals) - 1
        end = None if is_last and (whole is None or not length) else begin + length
        found.append(Step(begin, end, interval.signal_value or 0.0))
        begin += length
    return found


def _end_of(event: EiEvent) -> float | None:
    period = event.active_period
    return None if is_zero(period.duration) else max(_seconds(period.duration, period.dtstart), 0.0)


def _window_of(event: EiEvent) -> float:
    period = event.active_period
    return 0.0 if period.tolerance is None else _seconds(period.tolerance.tolerate.startafter, period.dtstart)


def _seconds(duration: Duration | None, start: datetime) -> float:
    return 0.0 if duration is None else as_timedelta(duration, start).total_seconds()


# --- the scale -------------------------------------------------------------------------------------------------------


class Scale:
    """Columns of a chart, and the times that they stand for.

    It holds the event with its ramp-up and its recovery. Of a notification that is much longer, and of an event without
    end, it shows a part.

    :param event: the event.
    :param columns: the columns that there are.
    :param now: the present, in seconds from the start of the event.
    """

    def __init__(self, event: EiEvent, columns: int, now: float) -> None:
        self.columns: Final = columns
        shown = phases(event)
        length = _end_of(event)
        edges = [one.begin for one in shown if one.name != "notification"]
        edges += [one.end for one in shown if one.name != "notification" and one.end is not None]
        edges += [one.begin for signal in event.event_signals for one in steps_of(signal, event)]
        core = max(max(edges) - min(edges), 1.0)
        if length is None:
            core = max(1.5 * core, 3600.0)
        begin, end = min(edges), min(edges) + core
        notice = min((one.begin for one in shown), default=0.0)
        begin = min(begin, max(notice, begin - core))
        if begin - core <= now < begin:
            begin = now
        if end <= now <= end + core or (length is None and now >= end):
            end = now + 0.1 * (now - begin)
        margin = 0.0 if length is None else 0.02 * (end - begin)
        self.begin: Final = begin
        self.end: Final = end + margin

    def column(self, seconds: float) -> int:
        """The column in which a time lies; it may be one that there is not."""
        share = (seconds - self.begin) / (self.end - self.begin)
        return int(min(max(share, -1.0), 2.0) * self.columns // 1)

    def time(self, column: float) -> float:
        """The time at a place between two columns."""
        return self.begin + (self.end - self.begin) * column / self.columns

    def marks(self, start: datetime) -> list[tuple[int, str]]:
        """The marks of the scale: columns, and what is written there; none where it goes beyond all years."""
        begin, end = _later(start, self.begin), _later(start, self.end)
        whole = (end - begin).total_seconds() > 0.99 * (self.end - self.begin)
        return time_marks(begin, end, self.columns) if whole else []


def _later(start: datetime, seconds: float) -> datetime:
    """An instant, or the last one that can be told where it lies beyond all years."""
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        limit = datetime.max if seconds > 0 else datetime.min
        return limit.replace(tzinfo=UTC)


# --- drawing ---------------------------------------------------------------------------------------------------------


class Timeline:
    """An event as a timeline; it can be printed with rich, and takes the width that there is.

    :param event: the event.
    :param now: the present.
    :param status: where it stands; found out by the present if None.
    :param cancelled_at: when it was cancelled, if it was.
    """

    def __init__(
        self,
        event: EiEvent,
        now: datetime,
        status: EventStatus | None = None,
        cancelled_at: datetime | None = None,
    ) -> None:
        self.event: Final = event
        self.cancelled_at: Final = cancelled_at
        self.now: Final = now
        self.status: Final = status or event_status(event, now)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it."""
        glyphs = _PLAIN if options.ascii_only else Glyphs()
        yield from self.lines(min(options.max_width, _WIDEST), glyphs)

    def lines(self, width: int, glyphs: Glyphs | None = None) -> Iterator[Text]:
        """Draw it line by line.

        :param width: the columns that there are.
        :param glyphs: what it is drawn with.
        """
        names = [one.label for one in phases(self.event)] + [clean(one.signal_name) for one in self._signals()]
        names += [] if self.cancelled_at is None else ["cancelled"]
        label = min(max(map(cell_len, names)), 20, width // 3) + 2
        if width - label >= _NARROWEST:
            yield from self._chart(label, width - label, glyphs or Glyphs())
            yield Text()
        for signal in self._signals():
            yield from _in_words(signal, self.event, UNTIL_CANCELLED if self.cancelled_at is None else WAS_CANCELLED)

    def _signals(self) -> Sequence[EventSignal]:
        return self.event.event_signals

    def _chart(self, label: int, columns: int, glyphs: Glyphs) -> Iterator[Text]:
        start = self.event.active_period.dtstart
        present = (self.now - start).total_seconds()
        scale = Scale(self.event, columns, present)
        yield from self._axis(scale, label, glyphs)
        rows: dict[str, list[Phase]] = {}
        for phase in phases(self.event):
            rows.setdefault("random" if phase.name == "window" else phase.label, []).append(phase)
        style = "dim" if self.status in (EventStatus.COMPLETED, EventStatus.CANCELLED) else None
        for name, found in rows.items():
            yield _row(_label(name, label), _cells(found, scale, glyphs), style or _STYLES[found[0].name])
        for signal in self._signals():
            found_steps = steps_of(signal, self.event)
            yield _row(_label(clean(signal.signal_name), label), _bars(found_steps, scale, glyphs), style or "magenta")
            values = _values(found_steps, scale)
            if values.strip():
                yield _row(_label("", label), values, "")
        if self.cancelled_at is not None:
            yield self._moment("cancelled", self.cancelled_at, scale, label, glyphs)
        yield self._moment("now", self.now, scale, label, glyphs)

    def _axis(self, scale: Scale, label: int, glyphs: Glyphs) -> Iterator[Text]:
        start = self.event.active_period.dtstart
        line = [glyphs.line] * scale.columns
        texts = [" "] * scale.columns
        for column, text in scale.marks(start):
            line[column] = glyphs.tick
            texts[column : column + len(text)] = text
        if scale.end > 0 and _end_of(self.event) is None:
            line[-1] = glyphs.after
        day = wall_clock(_later(start, max(scale.begin, 0.0)), "%Y-%m-%d")
        yield _row(_label(day if label > len(day) else "", label), "".join(texts), "dim", "dim")
        yield _row(_label("", label), "".join(line), "dim")

    def _moment(self, name: str, at: datetime, scale: Scale, label: int, glyphs: Glyphs) -> Text:
        """Mark a moment, or say how far away it is."""
        seconds = (at - self.event.active_period.dtstart).total_seconds()
        column = scale.column(seconds)
        clock = wall_clock(at, "%H:%M:%S")
        if column < 0:
            text = f"{glyphs.before} {name}, {_about(scale.begin - seconds)} earlier"
        elif column >= scale.columns:
            text = f"{name}, {_about(seconds - scale.end)} later {glyphs.after}".rjust(scale.columns)
        elif column + len(clock) + 2 <= scale.columns:
            text = " " * column + f"{glyphs.now} {clock}"
        else:
            text = f"{clock} {glyphs.now}".rjust(column + 1)
        return _row(_label(name, label), text[: scale.columns], "bold")


def _about(seconds: float) -> str:
    """A length of time in its two largest units."""
    whole = timedelta(seconds=round(seconds))
    coarse = timedelta(hours=1) if whole >= timedelta(days=1) else timedelta(minutes=1)
    if whole >= timedelta(hours=1):
        whole = whole // coarse * coarse
    return written(whole)


def _label(text: str, width: int) -> str:
    return set_cell_size(text, width - 2) + "  "


def _row(label: str, cells: str, style: str, label_style: str = "bold") -> Text:
    return Text.assemble((label, label_style), (cells.rstrip(), style))


def _cells(found: Sequence[Phase], scale: Scale, glyphs: Glyphs) -> str:
    """Draw stretches; each takes a column at least, and shows where it goes on outside."""
    cells = [" "] * scale.columns
    for phase in found:
        glyph = getattr(glyphs, phase.name)
        begin = scale.column(phase.begin)
        end = scale.columns if phase.end is None else max(scale.column(phase.end), begin + 1)
        for column in range(max(begin, 0), min(end, scale.columns)):
            cells[column] = glyph
        if begin < 0 and end > 0:
            cells[0] = glyphs.before
        if phase.end is None or end > scale.columns:
            cells[-1] = glyphs.after
    return "".join(cells)


def _bars(found: Sequence[Step], scale: Scale, glyphs: Glyphs) -> str:
    """Draw the values of a signal as bars, from the lowest of them, or nothing, to the highest."""
    low = min(0.0, *(one.value for one in found)) if found else 0.0
    high = max(0.0, *(one.value for one in found)) if found else 0.0
    cells = [" "] * scale.columns
    for one in found:
        share = (one.value / 2 - low / 2) / ((high / 2 - low / 2) or 1.0)
        glyph = glyphs.bars[min(int(share * (len(glyphs.bars) - 0.01)), len(glyphs.bars) - 1)]
        begin = max(scale.column(one.begin), 0)
        end = scale.columns if one.end is None else max(scale.column(one.end), begin + 1)
        for column in range(begin, min(end, scale.columns)):
            cells[column] = glyph
    return "".join(cells)


def _values(found: Sequence[Step], scale: Scale) -> str:
    """Write the values below their bars, where there is room."""
    text = ""
    for number, one in enumerate(found):
        if number and found[number - 1].value == one.value:
            continue
        column = max(scale.column(one.begin), 0)
        value = f"{one.value:g}"
        if len(text) < column + (column == 0) and column + len(value) <= scale.columns:
            text = text.ljust(column) + value + " "
    return text


def _in_words(signal: EventSignal, event: EiEvent, endless: str) -> Iterator[Text]:
    """What a signal asks for, interval by interval; of very many, the first and the last, and what lies between."""
    head = Text.assemble(
        (clean(signal.signal_name), "bold"), f" {clean(signal.signal_type)}{_unit(signal.measurement)}"
    )
    if signal.target is not None and signal.target.end_device_asset:
        head.append(f", for {clean(', '.join(signal.target.end_device_asset))}")
    yield head
    found = steps_of(signal, event)
    if len(found) <= 2 * _FEW + 1:
        yield from (_step(one, event, endless) for one in found)
        return
    yield from (_step(one, event, endless) for one in found[:_FEW])
    between = [one.value for one in found[_FEW:-_FEW]]
    mean = sum(one / len(between) for one in between)
    yield Text(
        f"  … {len(between)} more, from {min(between):g} to {max(between):g}, {mean:.3g} on average", style="dim"
    )
    yield from (_step(one, event, endless) for one in found[-_FEW:])


def _step(step: Step, event: EiEvent, endless: str) -> Text:
    start = event.active_period.dtstart
    begins = wall_clock(_later(start, step.begin), "%Y-%m-%d %H:%M:%S")
    length = endless if step.end is None else f"for {written(_whole(step.end - step.begin))}"
    return Text.assemble("  ", (begins, "dim"), f"  {step.value:g} ", (length, "dim"))


def _whole(seconds: float) -> timedelta:
    try:
        return timedelta(seconds=round(seconds))
    except OverflowError:
        return timedelta.max


def _unit(measured: Measurement | GreenButtonDescription | None) -> str:
    if not isinstance(measured, Measurement):
        return "" if measured is None else ", Green Button"
    scale = "" if measured.scale in (None, "none") else str(measured.scale.value)
    name = f"{measured.description} " if measured.name == "customUnit" else ""
    per = {"currencyPerKWh": "/kWh", "currencyPerKW": "/kW", "currencyPerThm": "/thm"}.get(measured.name, "")
    return f", {clean(name + scale + measured.unit)}{per}"
