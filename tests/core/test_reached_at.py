"""A VEN that is reached by push tells where, whenever that changes, however its requests fare meanwhile."""

import random

import pytest

from oadr_core import (
    CreatePartyRegistration,
    DistributeEvent,
    EiResponse,
    Failure,
    LocalProtocolError,
    Peer,
    PlainSealer,
    Reply,
    RequestEvent,
    Response,
    Startup,
    Transmit,
    TransportName,
    Ven,
    VenConfig,
    VenPolicy,
    VtnConfig,
    encode,
)
from tests.core.kit import Grid, created, drained, event, one
from tests.core.test_ven import NOW, answered, listed


def push_ven(**config: object) -> Ven:
    """A push VEN that begins to register."""
    ven = Ven(VenConfig(pull=False, **config), sealer=PlainSealer(), entropy=random.Random(0))  # type: ignore[arg-type]
    ven.create_party_registration(NOW)
    return ven


def sent_address(ven: Ven) -> tuple[Transmit, str | None]:
    """The registration that a VEN sends next, and the address in it."""
    transmit = one(Transmit, drained(ven, NOW))
    assert isinstance(transmit.message, CreatePartyRegistration)
    return transmit, transmit.message.transport_address


@pytest.mark.rule(402, 405)
def test_a_push_ven_registers_only_once_its_transport_has_told_where_it_is_reached() -> None:
    grid = Grid()
    grid.add_ven(pull=False, address=None)
    grid.run(600)
    assert grid.messages(CreatePartyRegistration) == []
    grid.ven().reached_at("ven", grid.now)
    grid.run(60)
    assert [one.transport_address for one in grid.messages(CreatePartyRegistration)] == ["ven"]
    assert grid.ven().phase is Startup.RUNNING


@pytest.mark.rule(402)
@pytest.mark.parametrize("transport", [TransportName.SIMPLE_HTTP, TransportName.XMPP])
def test_a_ven_that_moves_registers_again_with_its_ids_and_is_pushed_to_where_it_is(transport: TransportName) -> None:
    grid = Grid(VtnConfig(vtn_id="Grid", transports=tuple(TransportName)))
    grid.wire.hosts["elsewhere"] = grid.add_ven(pull=False, transport=transport)
    grid.run(60)
    ids = (grid.ven_id(), grid.ven().ven.state.registration_id)
    grid.ven().reached_at("elsewhere", grid.now)
    grid.run(60)
    first, second = grid.messages(CreatePartyRegistration)
    assert (first.transport_address, second.transport_address) == ("ven", "elsewhere")
    assert (second.ven_id, second.registration_id) == ids
    record = grid.vtn.vtn.vens[grid.ven_id()]
    assert (record.address, record.registration_id) == ("elsewhere", ids[1])
    grid.vtn.vtn.add_event(event(), [grid.ven_id()], grid.now)
    transmit = one(Transmit, drained(grid.vtn, grid.now))
    assert (transmit.to.transport, transmit.to.base) == (transport, "elsewhere")


def test_a_ven_that_is_told_its_address_again_does_nothing() -> None:
    grid = Grid()
    grid.add_ven(pull=False)
    grid.run(60)
    grid.ven().reached_at("ven", grid.now)
    grid.run(60)
    assert len(grid.messages(CreatePartyRegistration)) == 1


def test_a_registration_that_failed_is_sent_again_at_once_and_tells_the_present_address() -> None:
    ven = push_ven(address="first")
    transmit, address = sent_address(ven)
    assert address == "first"
    ven.exchange_failed(transmit.exchange, Failure.UNREACHABLE, now=NOW)
    assert not [one for one in drained(ven, NOW) if isinstance(one, Transmit)]
    ven.reached_at("second", NOW)
    assert sent_address(ven)[1] == "second"


def test_a_ven_that_moves_while_it_registers_is_elsewhere_until_it_has_registered_again() -> None:
    ven = push_ven(address="first")
    transmit, _ = sent_address(ven)
    ven.reached_at("second", NOW)
    assert not ven.is_elsewhere, "it is not registered yet"
    ven.receive_response(transmit.exchange, encode(created("ven", "first")), now=NOW)
    assert ven.is_elsewhere
    ven.create_party_registration(NOW)
    drained_address = sent_address(ven)
    assert drained_address[1] == "second"
    ven.receive_response(drained_address[0].exchange, encode(created("ven", "first")), now=NOW)
    assert not ven.is_elsewhere
    assert ven.address == "second"


def test_a_ven_that_runs_by_itself_and_moves_while_it_registers_registers_again_by_itself() -> None:
    grid = Grid()
    grid.add_ven(pull=False, address="first")
    grid.wire.on_reply = lambda host, flight, reply, body: (
        grid.ven().reached_at("ven", grid.now)
        if reply.message is not None and grid.ven().ven.address != "ven"
        else None
    )
    grid.run(60)
    assert [one.transport_address for one in grid.messages(CreatePartyRegistration)][-1] == "ven"
    assert grid.ven().phase is Startup.RUNNING
    assert grid.vtn.vtn.vens[grid.ven_id()].address == "ven"


def test_a_ven_that_polls_is_reached_nowhere() -> None:
    grid = Grid()
    grid.add_ven()
    grid.run(5)
    with pytest.raises(LocalProtocolError, match="polls is reached nowhere"):
        grid.ven().reached_at("http://ven.example/", grid.now)


@pytest.mark.parametrize("answers", [False, True])
def test_a_pushed_list_is_answered_with_nothing_or_for_vtns_that_cannot_read_that_with_a_response(
    answers: bool,
) -> None:
    ven = push_ven(address="ven", answers_lists=answers)
    answered(ven, created("ven", "registration"))
    ven.receive_request(encode(listed(event())), peer=Peer(), service=None, now=NOW)
    reply = one(Reply, drained(ven, NOW))
    assert reply.refusal is None
    if answers:
        assert isinstance(reply.message, Response)
        assert (reply.message.response, reply.message.ven_id) == (
            EiResponse(response_code=200, response_description="OK", request_id="list"),
            "ven",
        )
        assert isinstance(listed(event()), DistributeEvent)
    else:
        assert reply.message is None


@pytest.mark.rule(405, 500)
def test_a_push_ven_that_its_vtn_has_forgotten_learns_so_by_itself_and_registers_again() -> None:
    grid = Grid()
    grid.add_ven(pull=False, policy=VenPolicy(check_interval=600.0))
    grid.run(60)
    before = grid.ven_id()
    grid.host.saved.clear()
    grid.wire.boot(grid.host, grid.now)
    assert not grid.vtn.vtn.vens
    grid.run(900)
    assert list(grid.vtn.vtn.vens) == [grid.ven_id()]
    assert grid.ven_id() != before
    assert grid.ven().phase is Startup.RUNNING


def test_a_push_ven_asks_for_its_events_only_now_and_then() -> None:
    grid = Grid()
    grid.add_ven(pull=False)
    grid.run(4 * 3600)
    assert 4 <= len(grid.times(RequestEvent)) <= 6
