"""A clock that stands still until it is told to go."""

from datetime import UTC, datetime, timedelta

from oadr_core.clock import Now


class ManualClock:
    """Two clocks that move together, by hand.

    :param utc: the wall clock's time at the beginning.
    """

    def __init__(self, utc: datetime = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)) -> None:
        self._mono = 0.0
        self._utc = utc

    @property
    def now(self) -> Now:
        """The present."""
        return Now(self._mono, self._utc)

    def advance(self, seconds: float) -> Now:
        """Let time pass.

        :param seconds: how much; not negative.
        """
        if seconds < 0:
            raise ValueError("time does not go back; use set_utc to put the wall clock right")
        self._mono += seconds
        self._utc += timedelta(seconds=seconds)
        return self.now

    def advance_to(self, mono: float) -> Now:
        """Let time pass until the monotonic clock shows ``mono``; do nothing where it is past that."""
        return self.advance(max(0.0, mono - self._mono))

    def set_utc(self, utc: datetime) -> Now:
        """Set the wall clock, as an operator or a time service does; the monotonic clock goes on as before."""
        self._utc = utc
        return self.now
