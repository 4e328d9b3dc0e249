"""What a request may ask for, beside what was offered (rules 317, 324, 325 and 340)."""

from datetime import datetime, timedelta
from typing import Final

from oadr_core.codes import ResponseCode
from oadr_core.errors import RemoteProtocolError
from oadr_core.messages import (
    Duration,
    Report,
    ReportDescription,
    ReportName,
    ReportSpecifier,
    add_duration,
    is_zero,
)
from oadr_core.wire.scalars import write_duration

_PREFIX: Final = "METADATA_"

_LONGEST_PERIOD: Final = timedelta(days=36525)
"""The longest time between reports that can be planned; beyond a century nobody counts."""
_HISTORY: Final = (ReportName.HISTORY_USAGE, ReportName.HISTORY_GREENBUTTON)


def data_name(report_name: str | None) -> str | None:
    """The name of a report's data, which lacks the ``METADATA_`` of its offer (rules 313 and 331)."""
    return None if report_name is None else report_name.removeprefix(_PREFIX)


def is_history(offer: Report) -> bool:
    """Whether an offer is of what was recorded before (rule 317)."""
    return data_name(offer.report_name) in _HISTORY


def check_within(specifier: ReportSpecifier, offer: Report, now: datetime | None = None) -> None:
    """Check that a request stays within the offer that it is about.

    :param specifier: what is asked for.
    :param offer: what was offered; a data point that it does not have is passed over.
    :param now: the present, for requests that say from when on; None where that does not matter.
    :raises RemoteProtocolError: it asks for more, which is answered with 454 (rule 340).
    """
    if is_history(offer):
        _check_history(specifier, offer, now)
    else:
        _check_telemetry(specifier, offer, now)


def _check_history(specifier: ReportSpecifier, offer: Report, now: datetime | None) -> None:
    """History is told once, as it was recorded, of a stretch of the past (rules 317, 324 and 325)."""
    for name, duration in (
        ("granularity", specifier.granularity),
        ("reportBackDuration", specifier.report_back_duration),
    ):
        if not is_zero(duration):
            raise _too_much(f"the {name} is {write_duration(duration)}; for history it is 0 (rule 317)")
    interval = specifier.report_interval
    if interval is None:
        raise _too_much("there is no reportInterval; history is of a stretch of time (rule 324)")
    if now is not None and interval.dtstart > now:
        raise _too_much(f"history does not begin in the future, at {interval.dtstart}")
    length = _length(interval.duration, "duration of the reportInterval")
    if offer.duration is not None and length > _length(offer.duration, "duration"):
        raise _too_much(f"{write_duration(length)} is asked for, and {write_duration(offer.duration)} is kept")


def _check_telemetry(specifier: ReportSpecifier, offer: Report, now: datetime | None) -> None:
    if is_zero(specifier.report_back_duration):
        return  # once, at once; the granularity does not matter (rule 324)
    granularity = _length(specifier.granularity, "granularity")
    back = check_period(specifier.report_back_duration)
    if granularity > back:
        text = f"the granularity {write_duration(granularity)} is above the reportBackDuration {write_duration(back)}"
        raise _too_much(text)
    if offer.duration is not None and back > _length(offer.duration, "duration"):
        text = f"reports every {write_duration(back)} are asked for, and {write_duration(offer.duration)} is kept"
        raise _too_much(text)
    interval = specifier.report_interval
    if interval is not None and now is not None and not is_zero(interval.duration):
        end = add_duration(interval.dtstart, interval.duration)
        if end <= now:
            raise _too_much(f"the reportInterval was over at {end}; telemetry is not of the past")
    wanted = {payload.r_id for payload in specifier.specifier_payloads}
    for described in offer.report_descriptions:
        if described.r_id in wanted:
            _check_sampling(described, granularity, back)


def _check_sampling(described: ReportDescription, granularity: timedelta, back: timedelta) -> None:
    r_id, rate = described.r_id, described.sampling_rate
    if not granularity:  # on change (rule 317)
        if rate is None or not rate.on_change:
            raise _too_much(f"{r_id} is not reported on change")
        if _length(rate.min_period, "oadrMinPeriod") > back:
            every, reports = write_duration(rate.min_period), write_duration(back)
            raise _too_much(f"{r_id} is sampled every {every}, and reports every {reports} are asked for")
    elif rate is not None:
        lowest, highest = _length(rate.min_period, "oadrMinPeriod"), _length(rate.max_period, "oadrMaxPeriod")
        if granularity < lowest or (highest and granularity > highest):
            offered = f"{write_duration(lowest)} to {write_duration(highest)}"
            raise _too_much(f"{r_id} is sampled every {offered}, not every {write_duration(granularity)}")


def check_period(duration: Duration) -> timedelta:
    """Check that reports can be planned so far apart.

    :raises RemoteProtocolError: nobody counts so far, or it is no length of time at all.
    """
    period = _length(duration, "reportBackDuration")
    if period > _LONGEST_PERIOD:
        raise _too_much(f"reports every {write_duration(period)} are asked for, which is more than a century")
    return period


def _length(duration: Duration, name: str) -> timedelta:
    if not isinstance(duration, timedelta) or duration < timedelta(0):
        raise _too_much(f"the {name} counts months or is negative")
    return duration


def _too_much(text: str) -> RemoteProtocolError:
    return RemoteProtocolError(text, ResponseCode.INVALID_DATA)
