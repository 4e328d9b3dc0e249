"""Reports that wait for their confirmation: in order, bounded, over restarts, and none dropped in silence."""

import itertools
import random
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    EiResponse,
    Output,
    PlainSealer,
    Report,
    ReportDropped,
    Response,
    Save,
    StateError,
    Transmit,
    UpdatedReport,
    UpdateReport,
    Ven,
    VenConfig,
    VenState,
    encode,
)
from oadr_core.auto.outbox import Outbox, UnsentReport
from oadr_core.testing import ManualClock
from tests.core.kit import NOON, drained, offer


def report(name: str) -> Report:
    """A report that is told by the request it answers."""
    return msgspec.structs.replace(offer(), report_request_id=name, report_name="TELEMETRY_USAGE", dtstart=NOON)


class Bench:
    """An outbox, with the storage that its driver keeps."""

    lives = itertools.count()

    def __init__(self, most: int = 100, saved: Mapping[str, bytes] | None = None, *, registered: bool = True) -> None:
        self.clock = ManualClock(NOON)
        state = VenState(registered=registered, ven_id="ven" if registered else "", registration_id="r")
        self.ven = Ven(VenConfig(), sealer=PlainSealer(), entropy=random.Random(0), state=state)
        self.outputs: list[Output] = []
        self.saved = dict(saved or {})
        self.outbox = Outbox(self.ven, random.Random(next(self.lives)), most, self.outputs.append, self.saved)

    def put(self, *names: str) -> list[str]:
        keys = [self.outbox.put(report(name), self.clock.now) for name in names]
        self.perform()
        return keys

    def perform(self) -> list[str]:
        """Store what is to be saved; returns what was dropped."""
        dropped = []
        for output in self.outputs:
            if isinstance(output, Save):
                if output.blob is None:
                    del self.saved[output.key]
                else:
                    self.saved[output.key] = output.blob
            elif isinstance(output, ReportDropped):
                dropped.append(output.report_request_id)
        self.outputs.clear()
        return dropped

    def kept(self) -> list[str]:
        """What is stored, in order."""
        return [UnsentReport.load(blob).report.report_request_id for _, blob in sorted(self.saved.items())]

    def sent(self) -> UpdateReport | None:
        """What the VEN sends next."""
        for output in drained(self.ven, self.clock.now):
            if isinstance(output, Transmit):
                assert isinstance(output.message, UpdateReport)
                self.exchange = output.exchange
                return output.message
        return None

    def confirm(self, message: UpdateReport, code: int = 200) -> None:
        """The VTN answers."""
        answer = UpdatedReport(response=EiResponse(response_code=code, request_id=message.request_id), ven_id="ven")
        self.ven.receive_response(self.exchange, encode(answer), now=self.clock.now)
        self.outbox.confirmed(message, answer, given_up=False)


def test_a_report_is_saved_before_anything_else_and_forgotten_once_it_is_confirmed() -> None:
    bench = Bench()
    (key,) = bench.put("a")
    assert bench.kept() == ["a"]
    bench.outbox.deliver(key, bench.clock.now)
    message = bench.sent()
    assert message is not None
    assert [one.report_request_id for one in message.reports] == ["a"]
    assert len(bench.outbox) == 1
    bench.confirm(message)
    assert bench.perform() == []
    assert (bench.kept(), len(bench.outbox)) == ([], 0)


def test_reports_are_delivered_in_the_order_in_which_they_were_made() -> None:
    bench = Bench()
    bench.put(*"abc")
    bench.outbox.deliver_all(bench.clock.now)
    found = []
    while (message := bench.sent()) is not None:
        found.append(message.reports[0].report_request_id)
        bench.confirm(message)
    assert found == ["a", "b", "c"]


def test_a_report_is_not_handed_to_the_ven_twice() -> None:
    bench = Bench()
    (key,) = bench.put("a")
    for _ in range(3):
        bench.outbox.deliver(key, bench.clock.now)
    message = bench.sent()
    assert message is not None
    bench.confirm(message)
    assert bench.sent() is None


def test_after_a_restart_reports_are_sent_again_as_they_were() -> None:
    before = Bench()
    before.put("a", "b")
    before.outbox.deliver_all(before.clock.now)
    first = before.sent()
    assert first is not None
    after = Bench(saved=before.saved)
    assert len(after.outbox) == 2
    after.put("c")
    after.outbox.deliver_all(after.clock.now)
    found = []
    while (message := after.sent()) is not None:
        found.append(message)
        after.confirm(message)
    assert found[0] == first, "the same requestID tells the VTN that it is the same report"
    assert [one.reports[0].report_request_id for one in found] == ["a", "b", "c"]


def test_when_the_registration_ends_reports_wait_for_the_next_one() -> None:
    bench = Bench()
    bench.put("a")
    bench.outbox.deliver_all(bench.clock.now)
    first = bench.sent()
    bench.ven.withdraw(next(iter(request.ticket for request in bench.ven._sender._all())))
    bench.outbox.deliver_all(bench.clock.now)
    assert bench.sent() == first
    assert bench.kept() == ["a"]


def test_nothing_is_handed_to_a_ven_that_is_not_registered() -> None:
    bench = Bench(registered=False)
    bench.put("a")
    bench.outbox.deliver_all(bench.clock.now)
    assert bench.sent() is None
    assert bench.kept() == ["a"]


def test_beyond_the_bound_the_oldest_are_dropped_and_told() -> None:
    bench = Bench(most=2)
    for name in "abcd":
        bench.outbox.put(report(name), bench.clock.now)
    assert bench.perform() == ["a", "b"]
    assert bench.kept() == ["c", "d"]


def test_what_is_dropped_while_the_vtn_is_away_is_not_sent_when_it_is_back() -> None:
    bench = Bench(most=2)
    for name in "abcdef":
        bench.outbox.deliver(bench.outbox.put(report(name), bench.clock.now), bench.clock.now)
    assert bench.perform() == ["a", "b", "c", "d"]
    found = []
    while (message := bench.sent()) is not None:
        found.append(message.reports[0].report_request_id)
        bench.confirm(message)
    assert found == ["e", "f"]


@pytest.mark.parametrize("code", [452, 454, 461])
def test_a_report_that_the_vtn_refuses_is_dropped_and_told(code: int) -> None:
    bench = Bench()
    (key,) = bench.put("a")
    bench.outbox.deliver(key, bench.clock.now)
    message = bench.sent()
    assert message is not None
    bench.confirm(message, code)
    (dropped,) = (one for one in bench.outputs if isinstance(one, ReportDropped))
    assert str(code) in dropped.why
    assert bench.perform() == ["a"]
    assert bench.kept() == []


def test_a_report_that_will_never_be_taken_is_dropped_and_told() -> None:
    bench = Bench()
    (key,) = bench.put("a")
    bench.outbox.deliver(key, bench.clock.now)
    message = bench.sent()
    assert message is not None
    bench.outbox.confirmed(message, None, given_up=True)
    assert bench.perform() == ["a"]


def test_a_plain_response_and_an_empty_success_confirm_as_well() -> None:
    for answer in (Response(response=EiResponse()), None):
        bench = Bench()
        (key,) = bench.put("a")
        bench.outbox.deliver(key, bench.clock.now)
        message = bench.sent()
        assert message is not None
        bench.outbox.confirmed(message, answer, given_up=False)
        assert bench.perform() == []
        assert bench.kept() == []


def test_the_confirmation_of_a_dropped_report_and_of_a_foreign_one_change_nothing() -> None:
    bench = Bench(most=1)
    keys = bench.put("a")
    bench.outbox.deliver(keys[0], bench.clock.now)
    message = bench.sent()
    assert message is not None
    assert bench.put("b")
    bench.outbox.confirmed(message, None, given_up=False)
    bench.outbox.confirmed(UpdateReport(request_id="other", reports=(), ven_id="ven"), None, given_up=False)
    assert bench.kept() == ["b"]


def test_other_keys_of_the_store_are_passed_over_and_damage_is_told() -> None:
    assert len(Bench(saved={"ven": b"anything", "note": b""}).outbox) == 0
    with pytest.raises(StateError):
        Bench(saved={"report/000000000001": b"damaged"})
    with pytest.raises(StateError):
        Bench(saved={"report/one": UnsentReport(request_id="1", report=report("a")).dump()})


@given(
    st.lists(st.sampled_from(["put", "deliver", "confirm", "refuse", "restart", "end"]), max_size=40), st.integers(1, 4)
)
def test_every_report_is_confirmed_or_told_to_be_dropped_or_still_there(steps: list[str], most: int) -> None:
    bench = Bench(most)
    made: list[str] = []
    done: list[str] = []
    dropped: list[str] = []
    flying: UpdateReport | None = None
    for step in steps:
        if step == "put":
            made.append(str(len(made)))
            bench.outbox.put(report(made[-1]), bench.clock.now)
        elif step == "deliver":
            bench.outbox.deliver_all(bench.clock.now)
        elif step in ("confirm", "refuse"):
            flying = flying or bench.sent()
            if flying is not None:
                bench.confirm(flying, 200 if step == "confirm" else 454)
                if step == "confirm":
                    done.append(flying.reports[0].report_request_id)
                flying = None
        elif step == "restart":
            bench = Bench(most, bench.saved)
            flying = None
        else:
            bench.ven._sender.withdraw(lambda message: True)
            flying = None
        dropped += bench.perform()
        assert len(bench.outbox) <= most
        assert bench.kept() == sorted(bench.kept(), key=int), "in order"
        assert set(made) == set(done) | set(dropped) | set(bench.kept())
        assert not set(bench.kept()) & set(done)
