"""Drawing a series in the terminal, with braille patterns of two by four dots a character, or in plain characters."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median, quantiles
from typing import Final, NamedTuple

from rich.text import Text

from oadr_app.archive import Bucket
from oadr_app.scales import Numbers, time_marks

_NARROWEST: Final = 24
"""Columns that a plot with its axes needs; on less, the line is drawn alone."""

_BRAILLE: Final = 0x2800
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of the dots of a braille pattern, by row and column."""


class Style(NamedTuple):
    """What a plot is drawn with.

    :param across: dots of a character from left to right.
    :param down: dots of a character from top to bottom.
    :param upright: the axis at the left.
    :param mark: a mark on it.
    :param corner: where the axes meet.
    :param level: the axis below.
    :param tick: a mark on it.
    :param bad: says that a value was of bad quality.
    :param doubtful: says that a value was uncertain or at a limit.
    """

    across: int
    down: int
    upright: str
    mark: str
    corner: str
    level: str
    tick: str
    bad: str
    doubtful: str


BRAILLE: Final = Style(2, 4, "│", "┤", "└", "─", "┬", "×", "~")
PLAIN: Final = Style(1, 1, "|", "+", "+", "-", "+", "x", "~")


class Plot:
    """A series over time.

    Consecutive readings are joined by a line, save where some are missing between them. Where several readings fall
    into a column of dots, it reaches from the lowest to the highest. Below the line stands where the quality was bad
    or doubtful.

    :param begin: when it begins.
    :param end: when it ends; after the begin.
    :param width: the columns that there are; 1 at least.
    :param height: the lines that the curve takes; 1 at least.
    :param style: what it is drawn with.
    """

    def __init__(self, begin: datetime, end: datetime, width: int, height: int, style: Style = BRAILLE) -> None:
        self._begin, self._end = begin, end
        self._height = height
        self._style = style
        self._framed = width >= _NARROWEST
        self._label = min(width // 3, 9) if self._framed else 0
        self.columns: Final = width - self._label - 1 if self._framed else width
        self.dots: Final = self.columns * style.across

    def lines(self, buckets: Sequence[Bucket], *, steps: bool = False) -> Iterator[Text]:
        """Draw it line by line; none is wider than the columns that there are.

        :param buckets: what was reported; as many as :attr:`dots` at most, from ``begin`` to ``end``.
        :param steps: whether they are of a status: a value is 0 or 1, and holds until the next one.
        """
        values = [edge for one in buckets for edge in (one.low, one.high) if edge is not None]
        values += (0.0, 1.0) if steps else ()
        scale = Numbers(min(values, default=0.0), max(values, default=1.0), self._height // 3 + 1)
        canvas = _Canvas(self.columns, self._height, self._style)
        _draw(canvas, buckets, scale, steps=steps)
        marks = {canvas.row(scale.share(value)) // self._style.down: text for value, text in scale.marks()}
        for number, line in enumerate(canvas.lines()):
            if not self._framed:
                yield Text(line, style="cyan")
                continue
            text = marks.get(number, "")
            shown = text.rjust(self._label) if len(text) <= self._label else text[: self._label - 1] + "…"
            yield Text.assemble(
                (shown, "dim"), (self._style.mark if text else self._style.upright, "dim"), (line, "cyan")
            )
        yield from self._quality(buckets)
        if self._framed:
            yield from self._axis()

    def _quality(self, buckets: Sequence[Bucket]) -> Iterator[Text]:
        """Say where values were of bad or doubtful quality."""
        if not any(one.bad or one.doubtful for one in buckets):
            return
        cells = [" "] * self.columns
        for one in buckets:
            cell = min(one.number // self._style.across, self.columns - 1)
            if one.bad:
                cells[cell] = self._style.bad
            elif one.doubtful and cells[cell] == " ":
                cells[cell] = self._style.doubtful
        line = Text("".join(cells), style="yellow")
        line.highlight_regex(f"[{self._style.bad}]", "red")
        if self._framed:
            line = Text.assemble(
                ("quality"[: self._label].rjust(self._label), "dim"), (self._style.upright, "dim"), line
            )
        yield line

    def _axis(self) -> Iterator[Text]:
        level, texts = [self._style.level] * self.columns, [" "] * self.columns
        for column, text in time_marks(self._begin, self._end, self.columns):
            level[column] = self._style.tick
            texts[column : column + len(text)] = text
        blank = " " * self._label
        yield Text(blank + self._style.corner + "".join(level), style="dim")
        yield Text((blank + " " + "".join(texts)).rstrip(), style="dim")


def _draw(canvas: "_Canvas", buckets: Sequence[Bucket], scale: Numbers, *, steps: bool) -> None:
    """Draw what has a value, and join what follows on each other."""
    bound = longest_pause(buckets)
    before: tuple[Bucket, int, int] | None = None
    for one in buckets:
        if one.low is None or one.high is None:
            before = None
            continue
        top, bottom = canvas.row(scale.share(one.high)), canvas.row(scale.share(one.low))
        if before is not None and (bound is None or one.first - before[0].last <= bound):
            near = min(max(top, before[1]), before[2])  # the nearest ends of the two
            far = min(max(near, top), bottom)
            if steps:
                canvas.line(before[0].number, near, one.number, near)
                canvas.line(one.number, near, one.number, far)
            else:
                canvas.line(before[0].number, near, one.number, far)
        canvas.line(one.number, top, one.number, bottom)
        before = (one, top, bottom)


def longest_pause(buckets: Sequence[Bucket]) -> timedelta | None:
    """How far apart two readings may be without any missing between them; None where that cannot be told.

    Readings at a regular distance may be half of it more apart. Where the distance varies, as in a report on change,
    ten times what is usual is a gap.
    """
    within = [(one.last - one.first) / (one.readings - 1) for one in buckets if one.readings > 1]
    between = [later.first - earlier.last for earlier, later in pairwise(buckets)]
    found = [one.total_seconds() for one in within + between]
    if len(found) < 2:
        return None
    usual = median(found)
    if sum(one > 1.5 * usual for one in found) * 4 <= len(found):
        return timedelta(seconds=1.5 * usual)
    return timedelta(seconds=min(10 * quantiles(found, n=10)[-1], timedelta.max.total_seconds() / 2))


def gaps(buckets: Sequence[Bucket]) -> int:
    """Count the places where readings are missing."""
    bound = longest_pause(buckets)
    if bound is None:
        return 0
    return sum(later.first - earlier.last > bound for earlier, later in pairwise(buckets))


class _Canvas:
    """Dots on a field of characters.

    :param columns: how many characters it is wide.
    :param rows: how many it is high.
    :param style: how many dots a character has.
    """

    def __init__(self, columns: int, rows: int, style: Style) -> None:
        self._style = style
        self._cells = [bytearray(columns) for _ in range(rows)]
        self._right, self._bottom = columns * style.across - 1, rows * style.down - 1

    def row(self, share: float) -> int:
        """The row of dots, from the top, at a share of the height, from the bottom."""
        return round((1 - share) * self._bottom)

    def line(self, left: int, start: int, right: int, stop: int) -> None:
        """Draw a line between two dots, given by column and row."""
        steps = max(abs(right - left), abs(stop - start), 1)
        for step in range(steps + 1):
            self._dot(left + (right - left) * step // steps, start + (stop - start) * step // steps)

    def _dot(self, column: int, row: int) -> None:
        column = min(max(column, 0), self._right)
        place, bit = divmod(row, self._style.down), column % self._style.across
        self._cells[place[0]][column // self._style.across] |= _DOTS[place[1]][bit]

    def lines(self) -> Iterator[str]:
        """What it shows, line by line."""
        for cells in self._cells:
            if self._style.down == 1:
                yield "".join("*" if cell else " " for cell in cells)
            else:
                yield "".join(chr(_BRAILLE + cell) if cell else " " for cell in cells)
