"""Registration from end to end: the order of the bootstrap, renewal, cancels from both sides, and wrong ids."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from oadr_core import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    EiResponse,
    LocalProtocolError,
    Payload,
    Poll,
    ProfileName,
    Queried,
    QueryRegistration,
    Registered,
    RegisterReport,
    Registration,
    RegistrationEnded,
    RegistrationRefused,
    Reply,
    ReportDropped,
    RequestEvent,
    Response,
    Startup,
    Transmit,
    TransportName,
    UpdateReport,
    VenDeregistered,
    VenPolicy,
    VenRegistered,
    VtnConfig,
    encode,
)
from oadr_core.machines.operations import VEN_REQUESTS
from oadr_core.state.reports import AcceptedRequest
from tests.core.kit import Grid, asked, drained, event, offer, one, request

QUERY = [("ven", "oadrQueryRegistration"), ("vtn", "(oadrCreatedPartyRegistration)")]
REGISTER = [("ven", "oadrCreatePartyRegistration"), ("vtn", "(oadrCreatedPartyRegistration)")]
OFFER = [("ven", "oadrRegisterReport"), ("vtn", "(oadrRegisteredReport)")]
FETCH = [("ven", "oadrRequestEvent"), ("vtn", "(oadrDistributeEvent)")]
TAKE_METADATA = [
    ("ven", "oadrPoll"),
    ("vtn", "(oadrRegisterReport)"),
    ("ven", "oadrRegisteredReport"),
    ("vtn", "(oadrResponse)"),
]
NOTHING = [("ven", "oadrPoll"), ("vtn", "(oadrResponse)")]
PUSHED_METADATA = [("vtn", "oadrRegisterReport"), ("ven", "(oadrRegisteredReport)")]
CANCEL = [("ven", "oadrCancelPartyRegistration"), ("vtn", "(oadrCanceledPartyRegistration)")]


both = pytest.mark.parametrize("pull", [True, False], ids=["pull", "push"])


def create(**changes: Any) -> CreatePartyRegistration:
    """A registration as a pull VEN makes it."""
    usual = CreatePartyRegistration(
        request_id="1",
        profile_name=ProfileName.V20B,
        transport_name=TransportName.SIMPLE_HTTP,
        report_only=False,
        xml_signature=False,
        ven_name="ven",
        http_pull_model=True,
    )
    return msgspec.structs.replace(usual, **changes)


# --- the bootstrap ---------------------------------------------------------------------------------------------------


@pytest.mark.rule(301, 309, 405, 500)
def test_a_pull_ven_queries_registers_offers_fetches_its_events_and_polls_until_there_is_nothing() -> None:
    grid = Grid()
    grid.add_ven()
    grid.settle()
    grid.run(0)
    assert grid.said() == [*QUERY, *REGISTER, *OFFER, *FETCH, *TAKE_METADATA, *NOTHING]
    assert grid.ven().phase is Startup.RUNNING


@pytest.mark.rule(301, 309, 405, 507)
def test_a_push_ven_does_the_same_and_never_polls() -> None:
    grid = Grid()
    grid.add_ven(pull=False)
    grid.run(600)
    said = grid.said()
    own = [line for line in said if line not in PUSHED_METADATA]
    assert own == [*QUERY, *REGISTER, *OFFER, *FETCH]
    assert [line for line in said if line in PUSHED_METADATA] == PUSHED_METADATA, "the VTN pushes its metadata"
    assert said.index(PUSHED_METADATA[0]) > said.index(REGISTER[1])


def test_a_ven_may_leave_the_query_out() -> None:
    grid = Grid()
    grid.add_ven(policy=VenPolicy(query_first=False))
    grid.settle()
    assert grid.said()[:4] == [*REGISTER, *OFFER]


def test_a_report_only_ven_fetches_no_events() -> None:
    grid = Grid()
    grid.add_ven(report_only=True)
    grid.run(0)
    assert grid.said() == [*QUERY, *REGISTER, *OFFER, *TAKE_METADATA, *NOTHING]
    with pytest.raises(LocalProtocolError, match="no EiEvent service"):
        grid.ven().ven.request_event(grid.now)


@pytest.mark.rule(402, 403)
def test_both_sides_agree_on_the_ids_and_the_interval() -> None:
    grid = Grid(VtnConfig(vtn_id="Grid", poll_freq=timedelta(seconds=25)))
    host = grid.add_ven()
    grid.settle()
    (asked_for,) = grid.messages(CreatePartyRegistration)
    assert (asked_for.ven_id, asked_for.registration_id, asked_for.http_pull_model) == (None, None, True)
    assert asked_for.transport_address is None
    state = grid.ven().ven.state
    record = grid.vtn.vtn.vens[state.ven_id]
    assert (state.registration_id, state.vtn_id, state.poll_freq) == (record.registration_id, "Grid", 25.0)
    assert (record.ven_name, record.pull, record.online) == ("ven", True, True)
    assert len(grid.told(VenRegistered)) == 1
    assert grid.told(Registered, host)[0].again is False


@pytest.mark.rule(404)
def test_a_query_says_what_the_vtn_supports_and_no_ids() -> None:
    grid = Grid(VtnConfig(vtn_id="Grid", transports=(TransportName.SIMPLE_HTTP, TransportName.XMPP)))
    host = grid.add_ven()
    grid.settle()
    first = grid.messages(CreatedPartyRegistration)[0]
    assert (first.ven_id, first.registration_id) == (None, None)
    assert grid.told(Queried, host)[0].profiles == (("2.0b", "simpleHttp"), ("2.0b", "xmpp"))
    assert grid.vtn.vtn.vens.keys() == {grid.ven_id()}, "a query registers nobody"


@pytest.mark.rule(402)
def test_a_push_ven_says_where_it_is_reached() -> None:
    grid = Grid()
    grid.add_ven(pull=False)
    grid.settle()
    (message,) = grid.messages(CreatePartyRegistration)
    assert (message.http_pull_model, message.transport_address) == (False, "ven")


# --- again -----------------------------------------------------------------------------------------------------------


@pytest.mark.rule(402, 405)
def test_a_ven_that_restarts_registers_again_with_its_ids_before_anything_else() -> None:
    grid = Grid()
    host = grid.add_ven()
    grid.run(60)
    ids = (grid.ven().ven.state.ven_id, grid.ven().ven.state.registration_id)
    grid.said()
    grid.wire.boot(host, grid.now)
    grid.settle()
    (message,) = grid.messages(CreatePartyRegistration)
    assert (message.ven_id, message.registration_id) == ids
    assert grid.said()[:6] == [*QUERY, *REGISTER, *OFFER]
    assert (grid.ven().ven.state.ven_id, grid.ven().ven.state.registration_id) == ids
    assert grid.told(Registered, host)[-1].again


@pytest.mark.parametrize("pull", [True, False])
def test_a_ven_registers_again_when_it_is_asked_to(pull: bool) -> None:
    grid = Grid()
    host = grid.add_ven(pull=pull)
    grid.run(60)
    grid.said()
    grid.vtn.vtn.request_reregistration(grid.ven_id(), grid.now)
    grid.drain()
    grid.run(60)
    said = grid.said()
    if pull:
        begin = said.index(("vtn", "(oadrRequestReregistration)"))
        assert said[begin + 1 : begin + 5] == [("ven", "oadrResponse"), ("vtn", "(empty)"), *REGISTER], "decision D53"
    else:
        assert said[:4] == [("vtn", "oadrRequestReregistration"), ("ven", "(oadrResponse)"), *REGISTER]
    assert grid.told(Registered, host)[-1].again
    assert grid.ven().phase is Startup.RUNNING
    assert not grid.vtn.vtn.vens[grid.ven_id()].queue


@pytest.mark.rule(406)
def test_a_ven_that_registers_without_ids_begins_all_over() -> None:
    grid = Grid()
    grid.add_ven(offers={"load": lambda: 1.0})
    grid.run(60)
    before = grid.vtn.vtn.vens[grid.ven_id()]
    assert before.offers
    grid.wire.hosts["ven"].saved.clear()
    grid.wire.boot(grid.hosts["ven"], grid.now)
    while not grid.messages(CreatePartyRegistration) or grid.vtn.vtn.vens[before.ven_id] == before:
        grid.wire.settle(grid.now)
    grid.settle()
    (record,) = grid.vtn.vtn.vens.values()
    assert record.ven_id == before.ven_id, "the VTN may give it the same id"
    assert record.registration_id != before.registration_id
    assert grid.ven().ven.state.registration_id == record.registration_id


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule(407)
def test_a_ven_cancels_its_registration_and_both_sides_forget() -> None:
    grid = Grid()
    host = grid.add_ven()
    grid.run(60)
    grid.said()
    ven_id = grid.ven_id()
    grid.ven().cancel_party_registration(grid.now)
    grid.drain()
    assert grid.said() == CANCEL
    assert grid.ven().ven.registration is Registration.UNREGISTERED
    assert ven_id not in grid.vtn.vtn.vens
    assert f"ven/{ven_id}" not in grid.host.saved
    assert grid.told(VenDeregistered)[-1].by_peer
    assert grid.told(RegistrationEnded, host) == [RegistrationEnded(by_peer=False, cancelled=True)]
    grid.run(3600)
    assert grid.said() == [], "it stays away"


@pytest.mark.rule(401, 407)
@pytest.mark.parametrize("pull", [True, False])
def test_a_vtn_cancels_a_registration_and_the_ven_comes_back_after_a_pause(pull: bool) -> None:
    told = []
    grid = Grid()
    handlers = {"on_cancel_party_registration": lambda payload: told.append(payload)}
    host = grid.add_ven(pull=pull, handlers=handlers, policy=VenPolicy(registration_pause=300.0))
    grid.run(60)
    ven_id = grid.ven_id()
    grid.vtn.vtn.cancel_party_registration(ven_id, grid.now)
    grid.drain()
    grid.run(20)
    assert ven_id not in grid.vtn.vtn.vens
    assert not grid.told(VenDeregistered)[-1].by_peer
    assert grid.told(RegistrationEnded, host) == [RegistrationEnded(by_peer=True, cancelled=True)]
    assert [type(one) for one in told] == [CancelPartyRegistration]
    assert grid.ven().phase is Startup.WAITING
    grid.said()
    grid.run(240)
    assert grid.said() == []
    grid.run(100)
    assert grid.ven().phase is Startup.RUNNING
    assert grid.messages(CreatePartyRegistration)[0].registration_id is None


@pytest.mark.rule(407)
def test_running_events_end_with_the_registration() -> None:
    told: list[str] = []
    grid = Grid()
    handlers: dict[str, Callable[..., object]] = {
        "on_event": lambda event: "optIn",
        "on_update_event": lambda event: told.append(event.event_descriptor.event_status.value),
    }
    grid.add_ven(handlers=handlers)
    grid.run(30)
    grid.vtn.vtn.add_event(event(), [grid.ven_id()], grid.now)
    grid.run(30)
    assert len(grid.ven().ven.state.events) == 1
    grid.ven().cancel_party_registration(grid.now)
    grid.drain()
    assert told == ["cancelled"], "decision D36"
    assert grid.ven().ven.state.events == ()


# --- refusals --------------------------------------------------------------------------------------------------------

OFFERED = (offer(),)


def registered(grid: Grid) -> tuple[str, str]:
    """Register a VEN by hand; returns its ids."""
    reply = one(Reply, asked(grid.vtn, create(), grid.now))
    assert isinstance(reply.message, CreatedPartyRegistration)
    assert reply.message.ven_id is not None
    assert reply.message.registration_id is not None
    return reply.message.ven_id, reply.message.registration_id


def code_of(grid: Grid, message: Payload, identity: str | None = None) -> int:
    """The code that the VTN answers with, in the payload that fits the request."""
    answer = one(Reply, asked(grid.vtn, message, grid.now, identity)).message
    assert answer is not None
    assert type(answer) is VEN_REQUESTS[type(message)], "also an error comes in the fitting payload (rule 517)"
    response = answer.response
    assert isinstance(response, EiResponse)
    return response.response_code


@pytest.mark.rule(517)
@pytest.mark.parametrize(
    "message",
    [
        Poll(ven_id="stranger"),
        RequestEvent(request_id="1", ven_id="stranger"),
        RegisterReport(request_id="1", reports=OFFERED, ven_id="stranger"),
        UpdateReport(request_id="1", reports=(), ven_id="stranger"),
        CancelPartyRegistration(request_id="1", registration_id="r", ven_id="stranger"),
        create(registration_id="r", ven_id="stranger"),
    ],
    ids=lambda one: one.message_type(),
)
def test_a_ven_that_is_not_registered_is_told_so(message: Payload) -> None:
    grid = Grid()
    assert code_of(grid, message) == 463
    assert grid.host.saved == {}


@pytest.mark.rule(400, 517)
def test_wrong_ids_are_refused_and_change_nothing() -> None:
    grid = Grid()
    ven_id, registration_id = registered(grid)
    saved = dict(grid.vtn.vtn.vens)
    assert code_of(grid, CancelPartyRegistration(request_id="1", registration_id="wrong", ven_id=ven_id)) == 452
    assert code_of(grid, create(registration_id="wrong", ven_id=ven_id)) == 452
    assert {key: one.registration_id for key, one in grid.vtn.vtn.vens.items()} == {
        key: one.registration_id for key, one in saved.items()
    }
    right = CancelPartyRegistration(request_id="2", registration_id=registration_id, ven_id=ven_id)
    assert code_of(grid, right) == 200
    assert not grid.vtn.vtn.vens


@pytest.mark.rule(400, 500)
def test_a_certificate_speaks_for_its_own_ven_alone() -> None:
    grid = Grid()
    ven_id = one(Reply, asked(grid.vtn, create(), grid.now, "AA")).message.ven_id
    assert code_of(grid, Poll(ven_id="other"), "AA") == 452, "registered, but not as that VEN (decision D28)"
    assert code_of(grid, Poll(ven_id=ven_id), "BB") == 463, "another certificate"
    assert code_of(grid, Poll(ven_id=ven_id)) == 463, "no certificate at all"


@pytest.mark.parametrize(
    "message",
    [
        create(profile_name=ProfileName.V20A),
        create(transport_name=TransportName.XMPP, http_pull_model=None),
        create(http_pull_model=False),
        create(http_pull_model=False, transport_address=""),
    ],
    ids=["another profile", "another transport", "push without an address", "push with an empty one"],
)
def test_a_registration_that_cannot_work_is_refused(message: CreatePartyRegistration) -> None:
    assert code_of(Grid(), message) == 454


@pytest.mark.parametrize(
    ("returned", "code"), [(False, 463), (None, 463), ((None, None), 463), (42, 500), (True, 200), (("v", "r"), 200)]
)
def test_the_application_decides_about_registrations(returned: object, code: int) -> None:
    grid = Grid(vtn_handlers={"on_create_party_registration": lambda: returned})
    host = grid.add_ven(policy=VenPolicy(registration_retry=60.0))
    grid.run(5)
    if code == 200:
        assert grid.ven().phase is Startup.RUNNING
        assert returned is True or grid.ven().ven.state.ven_id == "v"
        return
    assert not grid.vtn.vtn.vens
    if code < 500:
        assert [one.code for one in grid.told(RegistrationRefused, host)] == [code]
        tries = len(grid.times(CreatePartyRegistration))
        grid.run(600)
        assert 8 <= len(grid.times(CreatePartyRegistration)) - tries <= 12, "it asks again every minute or so"


def test_a_ven_whose_ids_are_void_registers_anew() -> None:
    grid = Grid()
    host = grid.add_ven()
    grid.run(60)
    old = grid.ven().ven.state.registration_id
    grid.wire.flights.clear()
    (ven_id,) = grid.vtn.vtn.vens
    del grid.host.saved[f"ven/{ven_id}"]
    grid.wire.boot(grid.host, grid.now)
    grid.run(120)
    assert grid.told(RegistrationEnded, host) == [RegistrationEnded(by_peer=True, cancelled=False)]
    assert grid.ven().phase is Startup.RUNNING
    assert grid.ven().ven.state.registration_id not in ("", old)
    assert not grid.told(ReportDropped, host)


def test_an_answer_without_ids_is_a_refusal() -> None:
    grid = Grid()
    grid.add_ven()
    grid.wire.flights.clear()
    exchange = grid.ven().ven._sender._exchange
    assert exchange is not None
    answer = Response(response=EiResponse(response_code=463))
    grid.ven().receive_response(exchange, encode(answer), now=grid.now)
    outputs = drained(grid.ven(), grid.now)
    message = one(Transmit, outputs)
    assert isinstance(message.message, CreatePartyRegistration), "a refused query is no reason not to register"
    grid.ven().receive_response(message.exchange, encode(Response(response=EiResponse())), now=grid.now)
    refused = one(RegistrationRefused, drained(grid.ven(), grid.now))
    assert refused.again is False
    assert grid.ven().phase is Startup.WAITING


# --- mistakes of the embedding program -------------------------------------------------------------------------------


def test_what_makes_no_sense_at_present_is_refused_and_changes_nothing() -> None:
    grid = Grid()
    grid.add_ven(policy=VenPolicy(query_first=False))
    ven = grid.ven().ven
    for action in (
        lambda: ven.poll(grid.now),
        lambda: ven.request_event(grid.now),
        lambda: ven.register_report([], grid.now),
        lambda: ven.update_report([], grid.now),
        lambda: ven.cancel_party_registration(grid.now),
        lambda: ven.create_party_registration(grid.now),
        lambda: ven.send(Poll(ven_id="ven"), grid.now),
        lambda: ven.send(create(), grid.now),
        lambda: grid.ven().start(grid.now),
    ):
        with pytest.raises(LocalProtocolError):
            action()
    grid.run(5)
    assert grid.ven().phase is Startup.RUNNING
    with pytest.raises(LocalProtocolError, match="there is no VEN 'stranger'; 1 are registered"):
        grid.vtn.vtn.request_reregistration("stranger", grid.now)


def test_a_push_ven_does_not_poll() -> None:
    grid = Grid()
    grid.add_ven(pull=False)
    grid.run(5)
    with pytest.raises(LocalProtocolError, match="a push VEN does not poll"):
        grid.ven().ven.poll(grid.now)


@pytest.mark.rule(405)
def test_a_ven_that_is_not_registered_ignores_what_is_pushed() -> None:
    grid = Grid()
    grid.add_ven(pull=False)
    grid.wire.flights.clear()
    cancel = CancelPartyRegistration(request_id="1", registration_id="r", ven_id="ven")
    reply = one(Reply, asked(grid.ven(), cancel, grid.now))
    assert (reply.message, reply.refusal is not None) == (None, True)


@pytest.mark.rule(407)
def test_the_confirmation_of_a_cancel_that_comes_twice_is_harmless() -> None:
    grid = Grid()
    host = grid.add_ven()
    grid.run(30)
    ven_id, registration_id = grid.ven_id(), grid.ven().ven.state.registration_id
    grid.vtn.vtn.cancel_party_registration(ven_id, grid.now)
    grid.drain()
    grid.run(30)
    confirmed = CanceledPartyRegistration(response=EiResponse(), registration_id=registration_id, ven_id=ven_id)
    assert code_of(grid, confirmed) == 463
    assert len(grid.told(RegistrationEnded, host)) == 1
    assert len(grid.told(VenDeregistered)) == 1
    assert code_of(grid, QueryRegistration(request_id="1")) == 200


@pytest.mark.rule(407)
def test_a_pushed_cancel_whose_answer_was_lost_is_confirmed_when_it_comes_again() -> None:
    grid = Grid()
    host = grid.add_ven(pull=False, policy=VenPolicy(registration_pause=None))
    grid.run(30)
    grid.vtn.vtn.cancel_party_registration(grid.ven_id(), grid.now)
    grid.wire.drain(grid.wire.hosts["vtn"], grid.now)
    (cancel,) = grid.wire.flights
    grid.wire.deliver(cancel, grid.now)
    grid.wire.lose(cancel, grid.now, told=True)
    assert len(grid.told(RegistrationEnded, host)) == 1
    assert grid.vtn.vtn.vens, "the VTN has not heard of it"
    grid.run(10)
    assert not grid.vtn.vtn.vens
    assert len(grid.told(RegistrationEnded, host)) == 1


@pytest.mark.parametrize("pull", [True, False])
def test_a_ven_that_is_asked_to_register_again_twice_at_once_does_so_once(pull: bool) -> None:
    grid = Grid()
    grid.add_ven(pull=pull)
    grid.run(30)
    grid.said()
    for _ in range(3):
        grid.vtn.vtn.request_reregistration(grid.ven_id(), grid.now)
    grid.drain()
    grid.run(30)
    assert [what for _, what in grid.said()].count("oadrCreatePartyRegistration") == 1


# --- by the application's own wish -----------------------------------------------------------------------------------


@both
@pytest.mark.rule(402, 405)
def test_an_application_may_have_its_ven_register_again(pull: bool) -> None:
    grid = Grid()
    host = grid.add_ven(pull=pull)
    grid.run(30)
    grid.vtn.vtn.add_event(event(), [grid.ven_id()], grid.now)
    grid.run(30)
    grid.said()
    grid.ven().create_party_registration(grid.now)
    with pytest.raises(LocalProtocolError, match="the VEN registers; it can register again once it is registered"):
        grid.ven().create_party_registration(grid.now)
    grid.drain()
    assert [line for line in grid.said() if line[0] == "ven"][:3] == [REGISTER[0], OFFER[0], FETCH[0]]
    assert [one.again for one in grid.told(Registered, host)] == [False, True]
    assert [one.event_id for one in grid.ven().events(grid.now)] == ["event"]
    grid.run(30)
    assert grid.ven().phase is Startup.RUNNING


@both
@pytest.mark.rule(406)
def test_an_application_may_have_its_ven_register_as_new(pull: bool) -> None:
    grid = Grid()
    host = grid.add_ven(pull=pull, ven_id="agreed")
    grid.run(30)
    grid.vtn.vtn.add_event(event(), [grid.ven_id()], grid.now)
    grid.run(30)
    before = grid.ven().ven.state.registration_id
    grid.ven().create_party_registration(grid.now, anew=True)
    grid.drain()
    grid.run(60)
    assert grid.ven().ven.state.registration_id != before
    assert [one.again for one in grid.told(Registered, host)] == [False, False]
    assert grid.ven().phase is Startup.RUNNING
    assert list(grid.vtn.vtn.vens) == ["agreed"]


def test_a_ven_that_was_not_started_registers_by_starting() -> None:
    grid = Grid()
    host = grid.add_ven()
    grid.run(30)
    grid.ven().stop(grid.now)
    with pytest.raises(LocalProtocolError, match="the VEN is not started"):
        grid.ven().create_party_registration(grid.now)
    assert len(grid.told(Registered, host)) == 1


@both
@pytest.mark.rule(301, 405)
def test_metadata_that_were_asked_for_before_a_crash_are_told_after_the_registration(pull: bool) -> None:
    grid = Grid()
    host = grid.add_ven(pull=pull, offers={"load": float})
    grid.run(30)
    wanted = request("wanted", specifier_id="METADATA", r_ids=("0",), back=timedelta(0), begin=None)
    state = grid.ven().ven.state
    saved = msgspec.structs.replace(state, report_requests=(AcceptedRequest(request=wanted, accepted_at=grid.now.utc),))
    host.saved["ven"] = saved.dump()
    grid.said()
    grid.wire.boot(host, grid.now)
    grid.run(30)
    assert [line for line in grid.said() if line[0] == "ven"][:3] == [QUERY[0], REGISTER[0], OFFER[0]]
    assert grid.ven().ven.state.report_requests == (), "and are asked for no more"
