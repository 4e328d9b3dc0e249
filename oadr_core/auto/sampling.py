"""When to read what, for a report that was asked for: exact periods on the wall clock (rules 317, 324, 325 and 341)."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from oadr_core.clock import whole_seconds
from oadr_core.messages import add_duration, as_timedelta, is_zero, subtract_duration
from oadr_core.offers import METADATA
from oadr_core.state.reports import AcceptedRequest

_LATE: Final = timedelta(seconds=5)
"""How late a reading may be taken and still count for its boundary: a request takes time to arrive."""

_SHORTEST: Final = timedelta(seconds=1)
"""The spacing of readings on change where nothing but "at once" was offered."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """The readings of a report request: number ``n`` is due at ``start + n * spacing``.

    Readings ``k * together`` to ``(k + 1) * together - 1`` make report ``k``.

    :param report_request_id: the request.
    :param report_specifier_id: the offer.
    :param r_ids: the data points.
    :param start: when reading 0 is due.
    :param spacing: the time between readings; zero for a single one.
    :param together: how many readings make a report.
    :param end: when it is over; None for never.
    :param first: the number of the first reading that is still to be taken.
    :param asked: the number of the first that was asked for, be it taken before a restart or not.
    :param lag: how long after it is due a reading is taken: one that is about a stretch of time, when that is over.
    :param on_change: whether only changes are told.
    """

    report_request_id: str
    report_specifier_id: str
    r_ids: tuple[str, ...]
    start: datetime
    spacing: timedelta
    together: int
    end: datetime | None
    first: int
    asked: int = 0
    lag: timedelta = timedelta(0)
    on_change: bool = False

    @property
    def once(self) -> bool:
        """Whether there is a single reading."""
        return not self.spacing

    # --- readings ----------------------------------------------------------------------------------------------------

    def due(self, number: int) -> datetime:
        """When a reading is due: the time that it is told for."""
        return add_duration(self.start, number * self.spacing)

    def taken(self, number: int) -> datetime:
        """When a reading is taken."""
        return add_duration(self.due(number), self.lag)

    def number_at(self, instant: datetime) -> int:
        """Number the first reading that is not due before an instant."""
        return max(0, _boundary(self.start, self.spacing, instant))

    def is_over(self, number: int) -> bool:
        """Whether a reading is beyond the end."""
        return number > 0 if self.once else self.end is not None and self.due(number) >= self.end

    def after(self, number: int, now: datetime) -> int:
        """Number the reading that follows one, passing over those that were missed."""
        if self.once:
            return number + 1
        return max(number + 1, _boundary(self.start, self.spacing, subtract_duration(now, self.lag)))

    def present(self, number: int, now: datetime) -> int:
        """Number the reading that can be taken now, where one was due: that of the latest boundary.

        They differ where nobody was awake at the time, as when the machine was suspended or its clock was set.
        """
        return number if self.once else max(number, (subtract_duration(now, self.lag) - self.start) // self.spacing)

    # --- reports -----------------------------------------------------------------------------------------------------

    def report_of(self, number: int) -> int:
        """Number the report that a reading belongs to."""
        return number // self.together

    def window(self, report: int) -> tuple[datetime, datetime]:
        """The stretch of time that a report is about, from its first reading to the first of the next."""
        begin = self.due(report * self.together)
        end = add_duration(begin, self.spacing * self.together)
        return begin, end if self.end is None else min(end, self.end)

    def is_past(self, report: int) -> bool:
        """Whether a report is beyond the end."""
        return report > 0 if self.once else self.is_over(report * self.together)


def schedule(
    accepted: AcceptedRequest,
    resumed_at: datetime | None = None,
    *,
    shortest: timedelta = timedelta(0),
    lagging: bool = False,
) -> Schedule:
    """Work out when the readings of a request are due.

    A request whose report period is as long as its spacing is answered at once and then every period; one with more
    readings in a report waits for them (section 8.3.2.2 of the profile).

    :param accepted: the request.
    :param resumed_at: the present, where the request was served before: no instant is read twice.
    :param shortest: the shortest spacing that was offered, which counts where changes are wanted.
    :param lagging: whether a reading is about the stretch of time after it is due, and so is taken when that is over.
    """
    specifier = accepted.request.report_specifier
    since = whole_seconds(accepted.accepted_at if resumed_at is None else resumed_at)  # a reading is told for seconds
    start, end = since, None
    if specifier.report_interval is not None:
        start = specifier.report_interval.dtstart
        if not is_zero(specifier.report_interval.duration):
            end = add_duration(start, specifier.report_interval.duration)
    back = as_timedelta(specifier.report_back_duration, start)
    spacing = as_timedelta(specifier.granularity, start) if back else timedelta(0)
    if specifier.report_specifier_id == METADATA:
        spacing = back
    on_change = bool(back) and not spacing
    if on_change:
        spacing = min(max(shortest, _SHORTEST), back)
    together = round(back / spacing) if spacing else 1
    lag = (spacing or shortest) if lagging else timedelta(0)
    first = asked = 0
    if spacing:
        first = asked = max(0, _boundary(start, spacing, accepted.accepted_at - min(_LATE, spacing / 2)))
        if resumed_at is not None:
            first = max(0, _boundary(start, spacing, resumed_at + timedelta.resolution))
    elif start < since:
        start = since
    return Schedule(
        report_request_id=accepted.request.report_request_id,
        report_specifier_id=specifier.report_specifier_id,
        r_ids=tuple(dict.fromkeys(payload.r_id for payload in specifier.specifier_payloads)),
        start=start,
        spacing=spacing,
        together=max(together, 1),
        end=end,
        first=first,
        asked=asked,
        lag=lag,
        on_change=on_change,
    )


def _boundary(start: datetime, spacing: timedelta, now: datetime) -> int:
    """Number the first boundary that does not lie before ``now``."""
    return -((start - now) // spacing)
