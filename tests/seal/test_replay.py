"""Nothing is heard twice, and nothing from another time (section 10.6.4 of the profile, rule 514, decision D39)."""

from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import Accepted, Now, ReplayGuard, SealError, SealTooOld
from tests.core.kit import NOON
from tests.seal.kit import MALLORY, NOW, POLL, VEN, Tree, opened, sealer, signed, why_not

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)


def at(moment: datetime) -> Now:
    """A moment by the wall clock."""
    return Now((moment - NOON).total_seconds(), moment)


@pytest.mark.rule(514)
def test_the_same_document_is_heard_once() -> None:
    one, data = sealer(), signed()
    assert one.open(data, NOW).message == POLL
    for seconds in (0, 1, 30, 60):
        with pytest.raises(SealError, match="replay"):
            one.open(data, at(NOON + seconds * SECOND))
    with pytest.raises(SealError, match="61 s ago"):
        one.open(data, at(NOON + 61 * SECOND))


@pytest.mark.rule(514)
@pytest.mark.parametrize(("ahead", "heard"), [(-61, False), (-60, True), (60, True), (61, False), (10**9, False)])
def test_the_time_is_bounded_both_ways(ahead: int, heard: bool) -> None:
    data = signed(now=at(NOON + ahead * SECOND))
    assert (why_not(data) == "") is heard


def test_the_tolerance_is_a_matter_of_configuration() -> None:
    data = signed(now=at(NOON - 6 * SECOND))
    assert "6 s ago, and at most 5 s" in why_not(data, replay=ReplayGuard(5 * SECOND))
    assert why_not(signed(now=at(NOON - 30 * MINUTE)), replay=ReplayGuard(31 * MINUTE)) == ""


def test_a_nonce_is_a_matter_of_its_signer() -> None:
    guard = ReplayGuard()
    guard.check("one", NOON, "n", NOON)
    guard.check("other", NOON, "n", NOON)
    with pytest.raises(SealError, match="replay"):
        guard.check("one", NOON + SECOND, "n", NOON)


def test_what_does_not_hold_is_not_remembered() -> None:
    """Else an attacker could burn the nonce of a message under way, or fill the memory without a key."""
    one, data = sealer(), signed()
    changed = Tree(data)
    changed.find(".//ds:SignatureValue").text = "A" * 86 + "=="
    for _ in range(3):
        with pytest.raises(SealError):
            one.open(changed.data, NOW)
    assert one.open(data, NOW).message == POLL


@pytest.mark.parametrize(
    "text", ["2026-11-20T12:00:00", "2026-11-20T12:00:00+00:00", "noon", "", "9999-12-31T24:00:00Z"]
)
def test_a_time_that_is_not_written_as_it_should_be_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oadr_core.seal.making.write_instant", lambda _: text)
    assert "timestamp" in why_not(signed())


def test_a_time_without_a_zone_is_that_of_the_figure_and_has_a_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oadr_core.seal.making.write_instant", lambda _: "2026-11-20T12:00:00")
    assert opened(signed(), accepted=Accepted(figure_23=True)).signed_at == NOON


@pytest.mark.parametrize("text", ["2026-11-20T12:00:00.954662Z", "2026-11-20T12:00:00.9546621234Z"])
def test_fractions_of_a_second_are_taken(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oadr_core.seal.making.write_instant", lambda _: text)
    assert opened(signed()).signed_at == NOON + timedelta(microseconds=954662)


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_what_has_become_too_old_is_forgotten() -> None:
    guard = ReplayGuard()
    for second in range(1000):
        now = NOON + second * SECOND
        guard.check(f"{second % 7}", now, f"{second}", now)
        assert len(guard) <= 70
    guard.check("last", NOON + 5000 * SECOND, "n", NOON + 5000 * SECOND)
    guard.check("last", NOON + 5000 * SECOND, "m", NOON + 5000 * SECOND)
    assert len(guard) <= 40
    for count in range(9):
        guard.check("last", NOON + 5000 * SECOND, f"{count}", NOON + 5000 * SECOND)
    assert len(guard) == 11


def test_one_that_sends_too_much_hurts_itself_alone() -> None:
    guard = ReplayGuard(most_of_one=100)
    for count in range(100):
        guard.check("flood", NOON + timedelta(milliseconds=count), f"{count}", NOON)
    guard.check("flood", NOON + SECOND, "100", NOON)
    assert len(guard) <= 100
    for count in range(101):
        with pytest.raises(SealError):
            guard.check("flood", min(NOON + timedelta(milliseconds=count), NOON + SECOND), f"{count}", NOON)
    guard.check("flood", NOON + 2 * SECOND, "new", NOON)
    guard.check("other", NOON, "0", NOON)


def test_many_signers_are_bounded_and_none_is_heard_twice() -> None:
    guard = ReplayGuard(most=50)
    for count in range(200):
        guard.check(f"{count}", NOON + timedelta(milliseconds=count), "n", NOON)
        assert len(guard) <= 50
    for count in range(200):
        with pytest.raises(SealError):
            guard.check(f"{count}", NOON + timedelta(milliseconds=count), "n", NOON)
    guard.check("new", NOON + SECOND, "n", NOON)


_CHECKS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(-70, 70), st.integers(0, 3), st.integers(0, 20)), max_size=60
)


@given(_CHECKS, st.integers(1, 4), st.integers(1, 8))
def test_whatever_comes_nothing_is_heard_twice(checks: list[tuple[str, int, int, int]], one: int, all_: int) -> None:
    guard = ReplayGuard(most_of_one=one, most=all_)
    heard: set[tuple[str, datetime, str]] = set()
    now = NOON
    for signer, ahead, nonce, later in checks:
        now += later * SECOND
        signed_at = now + ahead * SECOND
        what = signer, signed_at, f"{nonce}"
        try:
            guard.check(signer, signed_at, f"{nonce}", now)
        except SealError:
            continue
        assert what not in heard
        assert abs(signed_at - now) <= guard.tolerance
        heard.add(what)
        assert len(guard) <= max(all_, one) + 1


# --- a restart -------------------------------------------------------------------------------------------------------


@pytest.mark.rule(514)
def test_what_was_signed_before_the_start_is_to_be_signed_anew() -> None:
    started = NOON + timedelta(milliseconds=400)
    for seconds, heard in ((-1, False), (0, False), (1, True)):
        data = signed(now=at(NOON + seconds * SECOND))
        one = sealer(replay=ReplayGuard(since=started))
        if heard:
            assert one.open(data, at(started + SECOND)).message == POLL
        else:
            with pytest.raises(SealTooOld, match="sign it anew"):
                one.open(data, at(started + SECOND))


def test_a_signer_whose_clock_is_ahead_is_held_to_what_it_has_said_before_the_restart() -> None:
    ahead = NOON + 30 * SECOND
    data = signed(now=at(ahead))
    one = sealer(replay=ReplayGuard(since=NOON + SECOND))
    one.recall(VEN.fingerprint, ahead)
    with pytest.raises(SealTooOld):
        one.open(data, at(NOON + 2 * SECOND))
    assert one.open(signed(who=MALLORY, now=at(ahead)), at(NOON + 2 * SECOND)).signer == MALLORY.fingerprint
    assert one.open(signed(now=at(ahead + SECOND)), at(NOON + 2 * SECOND)).message == POLL
