"""What is read for whole reports: one stretch of time after the other, none twice, over restarts and sleeps too."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core.auto.readings import Changes, Reading, ordered, readings
from oadr_core.auto.readings import interval_of as interval
from oadr_core.auto.sampling import schedule
from oadr_core.auto.serving import Offer, Serving
from oadr_core.state.reports import AcceptedRequest
from tests.core.kit import HOUR, NONE, NOON, offer, request

SECOND = timedelta(seconds=1)
OFFER = Offer(offer(), {})
waits = st.lists(st.tuples(st.integers(0, 20_000), st.booleans()), min_size=1, max_size=12)


@pytest.mark.rule(325)
@given(waits, st.integers(1, 5), st.none() | st.integers(1, 5000), st.integers(-3000, 3000))
def test_stretches_follow_each_other_and_are_read_once(
    steps: list[tuple[int, bool]], together: int, length: int | None, begin: int
) -> None:
    """Each step is a wait in seconds, and whether there is a restart after it."""
    asked = request(
        granularity=SECOND * 10,
        back=SECOND * 10 * together,
        begin=SECOND * begin,
        length=NONE if length is None else SECOND * length,
    )
    made_until: datetime | None = None
    now = NOON
    serving = Serving(("", "request"), OFFER, schedule(AcceptedRequest(request=asked, accepted_at=NOON)), (), ("load",))
    found: list[tuple[datetime, datetime]] = []
    opened: list[datetime] = []
    for wait, restarts in steps:
        now += SECOND * wait
        for taking in serving.open_ranges(now, HOUR):
            found.append(serving.schedule.window(taking.report))
            opened.append(now)
            serving.give(taking, "load", ())
            made_until = found[-1][1]
        complete = [one.report for one in serving.complete_reports()]
        assert complete == sorted(set(complete))
        if restarts:
            known = AcceptedRequest(request=asked, accepted_at=NOON, made_until=made_until)
            serving = Serving(("", "request"), OFFER, schedule(known, now), (), ("load",), made=known.told)
    for since, until in found:
        assert since < until <= now, "nothing is read before its time is over"
        assert length is None or until <= NOON + SECOND * (begin + length)
    for (_, end), (since, _), at in zip(found, found[1:], opened[1:], strict=False):
        assert since >= end, "nothing is read twice"
        assert since == end or since <= at - HOUR, "nothing is passed over but what nobody has kept"


instants = st.integers(0, 100).map(lambda seconds: NOON + SECOND * seconds)


@pytest.mark.rule(314, 315)
@given(st.lists(st.tuples(instants, st.sampled_from(["load", "sun"]), st.sampled_from([None, SECOND]))))
def test_intervals_run_from_old_to_new_and_all_have_a_length_or_none(
    given_: list[tuple[datetime, str, timedelta | None]],
) -> None:
    made = ordered(interval(r_id, Reading(value=1.0), at, length) for at, r_id, length in given_)
    assert [one.dtstart for one in made] == sorted(one.dtstart for one in made if one.dtstart is not None)
    assert len({(one.dtstart, one.payloads[0].r_id) for one in made}) == len(made)
    assert {(at, r_id) for at, r_id, _ in given_} == {(one.dtstart, one.payloads[0].r_id) for one in made}
    assert len({one.duration is None for one in made}) <= 1


@pytest.mark.rule(317)
@given(st.lists(st.lists(st.sampled_from([1.0, 2.0, None]), min_size=1, max_size=4), max_size=6))
def test_on_change_every_change_is_told_and_else_the_last_value_once(reports: list[list[float | None]]) -> None:
    changes, last, first = Changes(), None, True
    for values in reports:
        told = changes.of("load", [(NOON, Reading(value=one)) for one in values])
        new = []
        for one in values:
            if first or one != last:
                new.append(one)
            last, first = one, False
        nothing = values[-1] is not None
        expected = [(one, None) for one in new] or [
            (values[-1], "No New Value - Previous Value Used" if nothing else None)
        ]
        assert [(one.value, one.data_quality) for _, one in told] == expected


@pytest.mark.parametrize("value", ["much", [(NOON,)], [1, 2], [(NOON.replace(tzinfo=None), 1)], {"value": 1, "odd": 2}])
def test_what_is_no_value_is_refused(value: object) -> None:
    with pytest.raises(Exception, match=r"expected|no time|no time zone|has no odd"):
        readings(value)
