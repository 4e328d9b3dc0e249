"""Registering: both sides come to know each other, and part."""

from oadr_core.machines.startup import Startup
from oadr_core.messages import CreatedPartyRegistration
from oadr_core.testing.check.stage import HOUR, Listening, Stage
from oadr_core.testing.harness import Harness


async def a_ven_registers(harness: Harness) -> None:
    """Both sides agree on the ids, and on how the VEN is reached."""
    stage = Stage(harness)
    await stage.opens("mill", "bakery")
    vens = stage.vtn.core.vtn.vens
    assert {one.ven_name for one in vens.values()} == {"mill", "bakery"}
    for name, ven in stage.vens.items():
        state, record = ven.core.ven.state, vens[stage.ven_id(name)]
        assert state.registered
        assert (record.registration_id, record.ven_name) == (state.registration_id, name)
        assert (record.transport, record.pull) == (harness.transport, harness.pull)
        assert record.pull or record.address, "the VTN has no way to the VEN"


async def a_ven_registers_again_when_it_is_asked_to(harness: Harness) -> None:
    """It keeps its ids, and its events."""
    stage = Stage(harness)
    await stage.opens("mill", cls=Listening)
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")
    ven_id, core = stage.ven_id("mill"), stage.vens["mill"].core
    assert isinstance(core, Listening)
    await stage.vtn.do(lambda core, now: core.vtn.request_reregistration(ven_id, now))
    await harness.until(lambda: core.heard.count(CreatedPartyRegistration) > 1 and core.phase is Startup.RUNNING)
    assert stage.ven_id("mill") == ven_id
    assert list(stage.vtn.core.vtn.vens) == [ven_id]
    await stage.adds_event("again", "mill", begin=HOUR)
    await stage.answered("again", "mill")


async def a_ven_leaves(harness: Harness) -> None:
    """A VEN that ends its registration is not known any more."""
    stage = Stage(harness)
    await stage.opens("mill", "bakery")
    leaver = stage.ven_id("mill")
    await stage.vens["mill"].do(lambda core, now: core.cancel_party_registration(now))
    await harness.until(lambda: not stage.vens["mill"].core.ven.state.registered)
    assert list(stage.vtn.core.vtn.vens) == [stage.ven_id("bakery")]
    assert leaver != stage.ven_id("bakery")


async def a_vtn_sends_a_ven_away(harness: Harness) -> None:
    """A VEN whose registration the VTN ends registers anew, as a stranger."""
    stage = Stage(harness)
    await stage.opens("mill")
    state = stage.vens["mill"].core.ven.state
    await stage.vtn.do(lambda core, now: core.vtn.cancel_party_registration(state.ven_id, now))
    core = stage.vens["mill"].core
    await harness.until(lambda: core.ven.state.registration_id not in ("", state.registration_id))
    await harness.until(lambda: core.phase is Startup.RUNNING)
    assert list(stage.vtn.core.vtn.vens) == [stage.ven_id("mill")]
