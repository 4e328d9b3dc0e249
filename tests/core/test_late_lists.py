"""A list of events that comes late at a push VEN: it is not taken for the present one."""

import random
from datetime import timedelta

import msgspec
import pytest

from oadr_core import (
    DistributeEvent,
    EiEvent,
    EiResponse,
    PlainSealer,
    RequestEvent,
    Transmit,
    Ven,
    VenConfig,
    VenState,
    encode,
)
from oadr_core.seal import Peer
from oadr_core.testing import ManualClock
from tests.core.kit import NOON, drained, event


class Line:
    """A registered push VEN, and a test in the place of its VTN."""

    def __init__(self, *, manual: bool = False) -> None:
        config = VenConfig(pull=False, address="ven", manual=manual)
        state = VenState(registered=True, ven_id="ven", registration_id="r", vtn_id="vtn")
        self.ven = Ven(config, sealer=PlainSealer(), entropy=random.Random(0), state=state)
        self.ven._confirmed = True
        self.clock = ManualClock(NOON)
        self.sent: list[Transmit] = []

    def perform(self) -> None:
        self.sent += [one for one in drained(self.ven, self.clock.now) if isinstance(one, Transmit)]

    def push(self, *events: EiEvent) -> None:
        """Push a list."""
        message = DistributeEvent(request_id="list", vtn_id="vtn", events=events)
        self.ven.receive_request(encode(message), peer=Peer(), service=None, now=self.clock.now)
        self.perform()

    def requests(self) -> list[Transmit]:
        """The requests for events that wait for their answers."""
        return [one for one in self.sent if isinstance(one.message, RequestEvent)]

    def answer(self, *events: EiEvent) -> None:
        """Answer what was sent, the request for events with a list."""
        while self.sent:
            transmit = self.sent.pop(0)
            if isinstance(transmit.message, RequestEvent):
                message = DistributeEvent(
                    response=EiResponse(request_id=transmit.message.request_id),
                    request_id="list",
                    vtn_id="vtn",
                    events=events,
                )
                self.ven.receive_response(transmit.exchange, encode(message), now=self.clock.now)
            else:
                self.ven.receive_response(transmit.exchange, b"", now=self.clock.now)
            self.perform()

    def known(self) -> list[str]:
        """The events that the VEN knows."""
        return sorted(one.event_id for one in self.ven.state.events)


def made(event_id: str, seconds: int) -> EiEvent:
    """An event in a list that was made some seconds after noon."""
    one = event(event_id)
    at = NOON + timedelta(seconds=seconds)
    return msgspec.structs.replace(
        one, event_descriptor=msgspec.structs.replace(one.event_descriptor, created_date_time=at)
    )


@pytest.mark.rule(61, 115)
def test_a_pushed_list_that_is_older_than_the_last_one_cancels_nothing() -> None:
    line = Line()
    line.push(made("new", 10))
    line.push(made("old", 5))
    assert line.known() == ["new"]
    line.answer(made("new", 11))
    assert line.known() == ["new"]
    line.push(made("later", 12))
    assert line.known() == ["later"]


@pytest.mark.rule(500)
def test_instead_the_present_list_is_asked_for_once() -> None:
    line = Line()
    line.push(made("new", 10))
    line.answer()
    for seconds in (5, 6, 7):
        line.push(made("old", seconds))
    assert len(line.requests()) == 1


@pytest.mark.rule(61)
def test_a_list_that_a_clock_set_back_has_made_is_taken_in_the_end() -> None:
    line = Line()
    line.push(made("earlier", 3600))
    line.push(made("later", 0))
    line.answer(made("later", 1))
    assert line.known() == ["later"]
    line.push(made("last", 2))
    assert line.known() == ["last"]


@pytest.mark.rule(61)
def test_an_empty_list_that_is_pushed_is_made_sure_of() -> None:
    line = Line()
    line.push(made("event", 0))
    line.push()
    assert line.known() == ["event"]
    line.answer()
    assert line.known() == []


def test_an_answer_that_a_pushed_list_has_overtaken_is_asked_for_again() -> None:
    line = Line()
    line.ven.request_event(line.clock.now)
    line.perform()
    line.push(made("pushed", 0))
    (first,) = line.requests()
    overtaken = DistributeEvent(
        response=EiResponse(request_id="any"), request_id="list", vtn_id="vtn", events=(made("asked for", 0),)
    )
    line.sent.remove(first)
    line.ven.receive_response(first.exchange, encode(overtaken), now=line.clock.now)
    line.perform()
    assert line.known() == ["pushed"]
    line.answer(made("present", 0))
    assert line.known() == ["present"]
    assert line.requests() == []


@pytest.mark.rule(115)
def test_of_two_lists_of_one_second_that_was_pushed_may_be_older_that_comes_after_an_answer() -> None:
    line = Line()
    line.ven.request_event(line.clock.now)
    line.perform()
    line.answer(made("asked for", 0))
    line.push(made("pushed", 0))
    assert line.known() == ["asked for"]
    line.answer(made("present", 0))
    assert line.known() == ["present"]


def test_a_ven_that_its_application_drives_takes_what_comes() -> None:
    line = Line(manual=True)
    line.push(made("new", 10))
    line.push(made("old", 5))
    assert line.known() == ["old"]
