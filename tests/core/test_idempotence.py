"""Every request may come again, as its answer may have been lost: the same answer then, and nothing is done twice.

The whole day of a VEN is played, and each request is delivered once more as soon as its answer is there.
"""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from oadr_core import (
    Call,
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedPartyRegistration,
    DistributeEvent,
    Event,
    HandlerFailed,
    Payload,
    Peer,
    PeerMisbehaved,
    Poll,
    Reply,
    ReportWish,
    VtnConfig,
    encode,
    read,
)
from oadr_core.testing import Flight, Host
from tests.core.kit import HOUR, Grid, asked, drained, event, one, request
from tests.core.test_registration import create

both = pytest.mark.parametrize("pull", [True, False], ids=["pull", "push"])

NOT_REPEATABLE = (
    Poll,  # hands out the next thing, and is repeated by polling
    CancelPartyRegistration,  # ends what would know the second one; it is told that there is no registration
    CanceledPartyRegistration,
)


class Repeated:
    """A VTN and a VEN, and a wire that delivers everything twice."""

    def __init__(self, *, pull: bool) -> None:
        wish = ReportWish(r_id="load", sampling=timedelta(seconds=10), callback=lambda data: None)
        self.grid = Grid(vtn_handlers={"on_register_report": lambda report: [wish]})
        self.host = self.grid.add_ven(pull=pull, offers={"load": lambda: 1.0})
        self.repeated: set[str] = set()

    def settle(self) -> None:
        """Deliver everything, and again, until nothing moves."""
        grid = self.grid
        while True:
            for host in grid.wire.hosts.values():
                grid.wire.drain(host, grid.now)
            calls = [(host, call) for host in grid.wire.hosts.values() for call in host.calls]
            moving = [flight for flight in grid.wire.flights if flight.inbound is None or flight.answered]
            if calls:
                host, call = calls[0]
                assert call.function is not None
                grid.wire.run(host, call, call.function(**call.arguments), grid.now)
            elif moving and moving[0].answered:
                self.repeat(moving[0])
                grid.wire.answer(moving[0], grid.now)
            elif moving:
                grid.wire.deliver(moving[0], grid.now)
            else:
                return

    def repeat(self, flight: Flight) -> None:
        """Deliver a request once more: its answer must be the same, and nothing else may come of it."""
        request = read(flight.body).message
        if isinstance(request, NOT_REPEATABLE):
            return
        grid = self.grid
        host = grid.wire.destination(flight)
        before = effects(host)
        copy = flight.copy()
        grid.wire.deliver(copy, grid.now)
        assert not host.calls, f"{request.message_type()}: the application is not asked again"
        assert copy.answered
        assert shown(copy.answer) == shown(flight.answer), f"{request.message_type()} is answered otherwise"
        assert effects(host) == before, f"{request.message_type()} did something twice"
        self.repeated.add(request.message_type())

    def run(self, seconds: float) -> None:
        grid = self.grid
        end = grid.now.mono + seconds
        self.settle()
        while (due := grid.wire.next_timeout()) is not None and due <= end:
            grid.clock.advance_to(due)
            grid.wire.wake(grid.now)
            self.settle()
        grid.clock.advance_to(end)


def effects(host: Host) -> Any:
    """What a host has saved and told; that an odd request came is no effect, nor that a list was handed out."""
    told: list[Event] = [
        one for one in host.events if type(one).__name__ not in ("EventOffered", "EventsReceived", "PeerMisbehaved")
    ]
    return dict(host.saved), len(told)


def shown(body: bytes) -> Payload | None:
    """An answer without what is made anew each time."""
    if not body:
        return None
    message = read(body).message
    if isinstance(message, DistributeEvent):
        return msgspec.structs.replace(message, request_id="")
    return message


@both
def test_every_request_may_come_twice(pull: bool) -> None:
    day = Repeated(pull=pull)
    grid, vtn = day.grid, day.grid.vtn.vtn
    day.run(40)
    ven_id = grid.ven_id()
    vtn.add_event(event(length=HOUR * 2), [ven_id], grid.now)
    day.run(30)
    vtn.modify_event(event(length=HOUR * 2, value=2.0), grid.now)
    day.run(30)
    vtn.create_report(ven_id, [request()], grid.now)
    day.run(60)
    vtn.cancel_report(ven_id, ["request"], grid.now)
    day.run(30)
    vtn.request_reregistration(ven_id, grid.now)
    day.run(60)
    vtn.cancel_event("event", grid.now)
    day.run(60)
    expected = {
        *("oadrQueryRegistration", "oadrCreatePartyRegistration", "oadrRegisterReport", "oadrRequestEvent"),
        *("oadrCreatedEvent", "oadrUpdateReport", "oadrCreatedReport"),
    }
    if pull:
        expected |= {"oadrRegisteredReport", "oadrCanceledReport", "oadrResponse"}
    else:
        expected |= {"oadrDistributeEvent", "oadrCreateReport", "oadrCancelReport", "oadrRequestReregistration"}
    assert day.repeated == expected
    assert not grid.told(PeerMisbehaved, day.host)


def test_a_cancel_that_comes_twice_ends_the_registration_once() -> None:
    day = Repeated(pull=True)
    grid = day.grid
    day.run(30)
    grid.ven().cancel_party_registration(grid.now)
    grid.wire.drain(day.host, grid.now)
    (flight,) = grid.wire.flights
    grid.wire.deliver(flight, grid.now)
    copy = flight.copy()
    grid.wire.deliver(copy, grid.now)
    first, second = read(flight.answer).message, read(copy.answer).message
    assert isinstance(first, CanceledPartyRegistration)
    assert isinstance(second, CanceledPartyRegistration)
    assert (first.response.response_code, second.response.response_code) == (200, 463)
    flight.answer = copy.answer  # the first answer was lost
    grid.wire.answer(flight, grid.now)
    assert not grid.ven().ven.state.registered, "463 says as well that there is no registration"


def test_a_request_that_comes_again_while_the_application_decides_is_asked_about_once_and_answered_each_time() -> None:
    grid = Grid(vtn_handlers={"on_create_party_registration": lambda: True})
    message = create()
    for _ in range(3):
        grid.vtn.receive_request(encode(message), peer=Peer(), service=None, now=grid.now)
    outputs = drained(grid.vtn, grid.now)
    call = one(Call, outputs)
    assert not [output for output in outputs if isinstance(output, Reply)]
    grid.vtn.call_returned(call.call, True, now=grid.now)
    replies = [output for output in drained(grid.vtn, grid.now) if isinstance(output, Reply)]
    assert len(replies) == 3
    assert len({output.inbound for output in replies}) == 3
    assert len({encode(output.message) for output in replies if output.message is not None}) == 1
    assert len(grid.vtn.vtn.vens) == 1


@pytest.mark.parametrize("how", ["late", "raises"])
def test_a_vtn_whose_handler_fails_answers_with_500_and_takes_the_retry(how: str) -> None:
    grid = Grid(VtnConfig(vtn_id="Grid", call_timeout=20.0), {"on_create_party_registration": lambda: True})
    message = create()
    call = one(Call, asked(grid.vtn, message, grid.now))
    if how == "raises":
        grid.vtn.call_raised(call.call, OSError("no database"), now=grid.now)
    else:
        grid.vtn.handle_timeout(grid.clock.advance(19.9))
        assert drained(grid.vtn, grid.now) == []
        grid.vtn.handle_timeout(grid.clock.advance(0.1))
    outputs = drained(grid.vtn, grid.now)
    answer = one(Reply, outputs).message
    assert isinstance(answer, CreatedPartyRegistration)
    assert answer.response.response_code == 500
    assert one(HandlerFailed, outputs).handler == "on_create_party_registration"
    again = one(Call, asked(grid.vtn, message, grid.now))
    grid.vtn.call_returned(again.call, True, now=grid.now)
    second = one(Reply, drained(grid.vtn, grid.now)).message
    assert isinstance(second, CreatedPartyRegistration)
    assert second.response.ok
