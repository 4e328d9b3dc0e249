"""Signatures, where both sides sign and take nothing that is not signed (rule 514)."""

from oadr_core.messages import ProfileName, RequestEvent
from oadr_core.seal import Sealer
from oadr_core.testing.check.identity import opts_out
from oadr_core.testing.check.stage import Listening, Stage
from oadr_core.testing.harness import STRANGER, Harness
from oadr_core.wire.envelope import encode


async def _settled(harness: Harness) -> Stage:
    """Two VENs, the first of which has agreed to an event."""
    stage = Stage(harness)
    await stage.opens("mill", "bakery")
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")
    return stage


async def a_signed_message_is_repeated(harness: Harness) -> None:
    """Whoever repeats it, it is taken once."""
    stage = await _settled(harness)
    message = RequestEvent(request_id="1", ven_id=stage.ven_id("mill"))
    body = await stage.seals(message, "mill")
    assert not await stage.refuses(message, "mill", body=body)
    for name in ("mill", "bakery", STRANGER):
        assert await stage.refuses(message, name, body=body)
    assert not await stage.refuses(message, "mill"), "what is signed anew is a new one"


async def a_signed_message_is_repeated_after_a_restart(harness: Harness) -> None:
    """The VTN takes nothing that it may have taken in its life before."""
    stage = await _settled(harness)
    message = RequestEvent(request_id="1", ven_id=stage.ven_id("mill"))
    body = await stage.seals(message, "mill")
    assert not await stage.refuses(message, "mill", body=body)
    await stage.vtn.restart()
    assert await stage.refuses(message, "mill", body=body)
    await stage.adds_event("after", "mill")
    await stage.answered("after", "mill")


async def a_signed_message_is_changed(harness: Harness) -> None:
    """Who changes an answer on its way changes nothing else."""
    stage = await _settled(harness)
    message = opts_out(stage.ven_id("mill"), "another")
    body, known = await stage.seals(message, "mill"), await stage.settled("mill")
    assert b">another<" in body
    assert await stage.refuses(message, "mill", body=body.replace(b">another<", b">shed<"))
    assert stage.record("mill") == known


async def a_message_is_not_signed(harness: Harness) -> None:
    """It is ignored, by whose connection it may come."""
    stage = await _settled(harness)
    message, known = opts_out(stage.ven_id("mill"), "shed"), await stage.settled("mill")
    assert await stage.refuses(message, "mill", body=encode(message))
    assert stage.record("mill") == known


async def a_message_is_signed_by_another_ven(harness: Harness) -> None:
    """The connection of a VEN is not enough, nor is the key of another one."""
    stage = await _settled(harness)
    message, known = opts_out(stage.ven_id("mill"), "shed"), await stage.settled("mill")
    for signer in ("bakery", STRANGER):
        assert await stage.refuses(message, "mill", signer=signer)
    assert stage.record("mill") == known


async def a_signed_message_comes_by_the_connection_of_another(harness: Harness) -> None:
    """What a VEN has signed is not taken from another one, where the transport can tell them apart."""
    stage = await _settled(harness)
    message, known = opts_out(stage.ven_id("mill"), "shed"), await stage.settled("mill")
    assert await stage.refuses(message, "bakery", signer="mill")
    assert stage.record("mill") == known


class _SealedByAStranger:
    """The sealer of a VTN, but that a stranger signs what it says."""

    requires = signs = True

    def __init__(self, harness: Harness) -> None:
        self._vtn = harness.seals.of_vtn(harness.entropy)
        self.seal = harness.seals.of_ven(STRANGER, harness.entropy).seal
        self.open = self._vtn.open
        self.recall = self._vtn.recall

    def speaking(self, profile: ProfileName) -> Sealer:
        """Give the one for a profile."""
        return self if profile is ProfileName.V20B else self._vtn.speaking(profile)

    def towards(self, signer: str | None) -> Sealer:
        """Give itself."""
        return self


async def answers_are_signed_by_somebody_else_than_the_vtn(harness: Harness) -> None:
    """A VEN does not believe them, and does not take itself for registered."""
    stage = Stage(harness, sealer=_SealedByAStranger(harness))
    await stage.opens_vtn()
    await stage.opens_ven("mill", Listening)
    core = stage.vens["mill"].core
    assert isinstance(core, Listening)
    await harness.until(lambda: len(core.heard) >= 2)
    assert not core.ven.state.registered
