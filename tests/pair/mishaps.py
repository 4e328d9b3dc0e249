"""What happens to reports at the worst of times: seldom by chance, and so it is drawn as a whole."""

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oadr_core import UpdatedReport, UpdateReport
from oadr_core.testing import Flight
from tests.pair.documents import read_once
from tests.pair.ledger import Order
from tests.pair.meters import ENDLESS, STEP, request
from tests.pair.network import Network
from tests.pair.reporting import Reporting

_MOST: Final = 4
"""How often each of them happens in a world."""


class Interruptions(Reporting):
    """Machines start again just when a report was made, or asked for, or cancelled."""

    interruptions = 0

    @precondition(lambda self: self.running() and self.interruptions < _MOST)
    @rule(data=st.data(), delivered=st.booleans())
    def source_starts_again_after_a_reading(self, data: st.DataObject, delivered: bool) -> None:
        """A reading is made, and nobody may read that instant once more."""
        self.interruptions += 1
        order = data.draw(st.sampled_from(self.running()))
        interval = order.request.report_specifier.report_interval
        assert interval is not None
        self.heal((STEP - (self.now.utc - interval.dtstart) % STEP).total_seconds())
        source = self.wire.hosts[order.link[0]]
        self.guarded(lambda: self.boot(source))
        if delivered:
            self.heal(1.0)

    @precondition(lambda self: self.links() and self.interruptions < _MOST)
    @rule(data=st.data(), kind=st.sampled_from(ENDLESS))
    def who_asks_starts_again(self, data: st.DataObject, kind: str) -> None:
        """A request is lost together with the memory of the machine that has made it; what was saved is not."""
        self.interruptions += 1
        link = data.draw(st.sampled_from(self.links()))
        order = Order(
            link=link,
            request=request(kind, f"wish{len(self.ledger.orders)}", self.clock_of(self.wire.hosts[link[1]])),
            kind=kind,
        )
        self.ledger.orders[order.request.report_request_id] = order
        self.want(link, [order.request], [order])
        self._forget(link[1])

    @precondition(lambda self: self.standing() and self.interruptions < _MOST)
    @rule(data=st.data(), to_follow=st.booleans())
    def who_cancels_starts_again(self, data: st.DataObject, to_follow: bool) -> None:
        """A cancel is lost together with the memory of the machine that has made it; what was saved is not."""
        self.interruptions += 1
        order = data.draw(st.sampled_from(self.standing()))
        self.cancel([order], to_follow=to_follow)
        self._forget(order.link[1])

    def _forget(self, name: str) -> None:
        """A machine starts again before anything that it has sent has arrived."""
        host = self.wire.hosts[name]
        for flight in [one for one in self.wire.flights if one.source is host and one.inbound is None]:
            self.wire.lose(flight, self.now, told=False)
        self.guarded(lambda: self.boot(host))

    def running(self) -> list[Order]:
        """What was asked for and is served again and again."""
        return [one for one in self.standing() if one.goes_on and one.kind in ENDLESS]


class LostAnswers(Network, Reporting):
    """Answers to reports are lost, and the reports come again."""

    lost_answers = 0

    @precondition(lambda self: self.standing() and self.lost_answers < _MOST)
    @rule(told=st.booleans(), count=st.integers(0, 2))
    def the_answer_to_a_report_is_lost(self, told: bool, count: int) -> None:
        """Everything works until some reports were answered; the answer to the next is lost."""
        self.lost_answers += 1
        for number in range(count + 1):
            flight = self.works_until(_answers_a_report)
            if flight is None:
                return
            if number == count:
                self.guarded(lambda lost=flight: self.wire.lose(lost, self.now, told=told))  # type: ignore[misc]
            else:
                self.move(flight)

    @precondition(lambda self: self.standing() and self.lost_answers < _MOST)
    @rule(data=st.data(), told=st.booleans())
    def it_is_enough_and_nobody_hears(self, data: st.DataObject, told: bool) -> None:
        """An application wants no more of a report, and the answer that says so is lost (rule 335)."""
        self.lost_answers += 1
        self.has_enough(data.draw(st.sampled_from(self.standing())))
        flight = self.works_until(_cancels_by_the_way)
        if flight is not None:
            self.guarded(lambda: self.wire.lose(flight, self.now, told=told))


def _answer(flight: Flight) -> UpdatedReport | None:
    """The answer to a report that is on its way: in a response, or in a request, as for a pull VEN."""
    if flight.answered:
        message = read_once(flight.answer).message if flight.answer else None
        sent = read_once(flight.body).message
        return message if isinstance(message, UpdatedReport) and isinstance(sent, UpdateReport) else None
    message = read_once(flight.body).message if flight.inbound is None else None
    return message if isinstance(message, UpdatedReport) else None


def _answers_a_report(flight: Flight) -> bool:
    return _answer(flight) is not None


def _cancels_by_the_way(flight: Flight) -> bool:
    answer = _answer(flight)
    return answer is not None and answer.cancel_report is not None
