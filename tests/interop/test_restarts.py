"""What becomes of a dialogue with OpenLEADR when one side goes away and comes back, or forgets."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from oadr_core import ExchangeSetBack, OptType, Registered, RegistrationEnded, Role, Startup, VenRegistered
from oadr_http import MemoryStore
from tests.interop.judge import confirmed, findings, kinds
from tests.interop.ours import OurVen, OurVtn
from tests.interop.peer import Peer, running_peer
from tests.interop.theirs import BOILER, is_served, listening

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop; it makes no difference here."""
    return "trio"


# --- our VTN goes away -----------------------------------------------------------------------------------------------


async def test_their_client_goes_on_when_our_vtn_comes_back(openleadr_python: Path) -> None:
    store = MemoryStore()
    before = OurVtn(store)
    with before.ours.logging():
        async with running_peer(openleadr_python, "ven.py") as theirs:
            async with before.server.running():
                await theirs.do("run", url=before.server.url, ven_name="Their VEN", reports=[BOILER])
                await before.is_served("before")
            await theirs.tells("log", level="ERROR")  # it has noticed
            after = OurVtn(store, before.server.port)
            async with after.server.running():
                await after.is_served("after")
                await theirs.do("stop")

    # the VTN knows its VEN, and what the VEN had answered; the VEN has nothing to register
    assert [one.ven_id for one in before.ours.told(VenRegistered)] == list(after.server.vens)
    assert "oadrCreatePartyRegistration" not in kinds(after.ours.exchanges, Role.VEN)
    (record,) = after.server.vens.values()
    assert {one.event_id: one.opt_type for one in record.standings} == dict.fromkeys(
        ("before", "after"), OptType.OPT_IN
    )
    # readings find their way to the callback, which the application was asked for again
    was_read = [(datetime.fromisoformat(one["time"]), one["value"]) for one in theirs.told("read")]
    assert after.readings == [one for one in was_read if one in after.readings]
    # together it is one dialogue
    assert findings([*before.ours.exchanges, *after.ours.exchanges], Role.VTN) == []
    assert before.ours.log == []
    for line in theirs.log():
        assert any(part in line for part in ("connect to", "ServerDisconnectedError", "offered reports")), line


# --- their VTN goes away, or forgets ---------------------------------------------------------------------------------


def taken(*theirs: Peer) -> list[list[object]]:
    """The readings that their servers were sent, whether they knew what to do with them or not."""
    return [
        [interval["dtstart"], interval["report_payload"]["value"]]
        for one in theirs
        for received in one.told("received", type="oadrUpdateReport")
        for report in received["content"]["reports"]
        for interval in report["intervals"]
    ]


def only_set_back(log: Sequence[str]) -> bool:
    """Whether a log tells of nothing but requests that are tried again."""
    return bool(log) and all(line.startswith("WARNING oadr.ven: ") and "; trying again in" in line for line in log)


async def test_our_ven_registers_again_with_a_vtn_that_has_lost_everything(openleadr_python: Path) -> None:
    async with running_peer(openleadr_python, "vtn.py") as before:
        ven = OurVen(await listening(before, sampling=1))
        with ven.ours.logging():
            async with ven.client.running():
                first = await ven.ours.tells(Registered)
                await is_served(before, first.ven_id)
                await before.kill()
                until_then = list(ven.readings)
                await ven.ours.tells(ExchangeSetBack)
                async with running_peer(openleadr_python, "vtn.py") as after:
                    await listening(after, sampling=1, port=before.told("listening")[0]["port"])
                    second = await ven.ours.tells(Registered, times=2)
                    await is_served(after, second.ven_id)

    # with the ids that it has, as the specification wants it; this VTN takes them over
    assert second.again
    assert second.ven_id == first.ven_id
    (registered,) = after.told("registered")
    assert registered["info"]["registration_id"] == first.registration_id
    assert len(after.told("offered")) == 1
    # no reading is lost, and they arrive in their order; one whose confirmation was lost may come twice
    arrived = list(map(tuple, taken(before, after)))
    assert list(dict.fromkeys(arrived)) == [one for one in map(tuple, ven.readings) if one in arrived]
    # the first VTN tells of a report a little after it has confirmed it, and may have been ended in between
    assert set(map(tuple, until_then)) <= set(confirmed(ven.ours.exchanges))
    assert findings(ven.ours.exchanges, Role.VEN) == []
    assert only_set_back(ven.ours.log)


async def test_our_ven_waits_for_a_vtn_that_is_down_at_its_start(openleadr_python: Path, free_tcp_port: int) -> None:
    ven = OurVen(f"http://127.0.0.1:{free_tcp_port}/OpenADR2/Simple/2.0b")
    with ven.ours.logging():
        async with ven.client.running():
            await ven.ours.tells(ExchangeSetBack)
            assert not ven.client.registered
            async with running_peer(openleadr_python, "vtn.py") as theirs:
                await listening(theirs, sampling=1, port=free_tcp_port)
                registered = await ven.ours.tells(Registered)
                await is_served(theirs, registered.ven_id)

    assert [one["ven_id"] for one in theirs.told("registered")] == [registered.ven_id]
    assert findings(ven.ours.exchanges, Role.VEN) == []
    assert only_set_back(ven.ours.log)


async def test_our_ven_obeys_a_vtn_that_never_knows_it_only_now_and_then(openleadr_python: Path) -> None:
    """Their server answers whatever a VEN says that its application does not know: register again."""
    async with running_peer(openleadr_python, "vtn.py") as theirs:
        ven = OurVen(await listening(theirs, forgetful=True))
        async with ven.client.running():
            await theirs.tells("received", type="oadrCreatePartyRegistration", times=2)
            await ven.ours.until(lambda: ven.client.phase is Startup.WAITING, "it waits for better times")

    assert kinds(ven.ours.exchanges, Role.VEN).count("oadrCreatePartyRegistration") == 2
    assert kinds(ven.ours.exchanges, Role.VTN).count("oadrRequestReregistration") == 2


@pytest.mark.rule(407)
async def test_our_ven_can_leave_a_vtn_that_has_forgotten_it(openleadr_python: Path) -> None:
    """Their server does not confirm that; it asks for a new registration."""
    async with running_peer(openleadr_python, "vtn.py") as theirs:
        ven = OurVen(await listening(theirs), poll_interval=timedelta(hours=1))
        async with ven.client.running():
            registered = await ven.ours.tells(Registered)
            await theirs.tells("received", type="oadrPoll")
            await theirs.do("forget", ven_id=registered.ven_id)
            await ven.client.cancel_party_registration()
            ended = await ven.ours.tells(RegistrationEnded)

    assert (ended.cancelled, ended.by_peer) == (True, False)
    assert kinds(ven.ours.exchanges, Role.VTN)[-1] == "oadrRequestReregistration"
    assert len(theirs.told("registered")) == 1
