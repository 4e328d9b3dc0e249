"""What was read for reports that are not complete is kept, within bounds, and forgotten once it is told."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from oadr_core import Output, Reading, Save, StateError
from oadr_core.auto import samples
from oadr_core.auto.samples import KeptSample, Samples
from oadr_core.auto.serving import Done
from tests.core.kit import NOON

REQUEST = ("ven", "request")


def done(second: int, *, whole: bool = False) -> Done:
    return Done(NOON + timedelta(seconds=second), whole, {"load": (Reading(value=float(second)),)})


def after(emitted: list[Output]) -> Mapping[str, bytes]:
    """What a store holds after some outputs."""
    saved: dict[str, bytes] = {}
    for one in emitted:
        assert isinstance(one, Save)
        if one.blob is None:
            del saved[one.key]
        else:
            saved[one.key] = one.blob
    return saved


def test_what_was_kept_is_found_by_the_next_run_once_and_in_order() -> None:
    emitted: list[Output] = []
    kept = Samples(emitted.append, {})
    for second in (10, 20):
        kept.keep(REQUEST, done(second))
    kept.keep(REQUEST, done(10, whole=True))
    again = Samples(emitted.append, after(emitted))
    assert list(again.found(REQUEST)) == [done(10), done(20), done(10, whole=True)]
    assert list(again.found(REQUEST)) == []
    again.forget(REQUEST, done(10))
    again.forget(REQUEST, done(99))
    assert len(after(emitted)) == 2
    again.keep(REQUEST, done(30))
    assert len(after(emitted)) == 3, "no key is used twice"


def test_what_belongs_to_no_request_any_more_is_forgotten() -> None:
    emitted: list[Output] = []
    kept = Samples(emitted.append, {})
    kept.keep(REQUEST, done(10))
    kept.keep(("ven", "other"), done(10))
    again = Samples(emitted.append, after(emitted))
    again.forget_others([REQUEST])
    assert [KeptSample.load(blob).report_request_id for blob in after(emitted).values()] == ["request"]
    again.forget_all(REQUEST)
    assert after(emitted) == {}


def test_no_more_samples_are_kept_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_MOST", 3)
    emitted: list[Output] = []
    kept = Samples(emitted.append, {})
    for second in range(10):
        kept.keep(REQUEST, done(second))
    left = sorted(KeptSample.load(blob).due for blob in after(emitted).values())
    assert left == [done(second).due for second in (7, 8, 9)]


def test_a_damaged_sample_is_told_of() -> None:
    with pytest.raises(StateError):
        Samples(list[Output]().append, {"sample/000000000001": b"{}"})
