"""Events, their answers, and opts."""

from oadr_core.auto.ven import AutoVen
from oadr_core.auto.vtn import AutoVtn
from oadr_core.build import make_opt
from oadr_core.clock import Now
from oadr_core.decisions import EventDecision
from oadr_core.messages import EventStatus, OptType
from oadr_core.testing.check.stage import HOUR, SECOND, VTN_ID, Stage
from oadr_core.testing.harness import Harness


async def an_event_is_answered(harness: Harness) -> None:
    """Each VEN gets its events and no others, and is asked once."""
    stage = Stage(harness)
    await stage.opens("mill", "bakery")
    await stage.adds_event("for-both", "mill", "bakery")
    await stage.adds_event("for-one", "bakery", begin=HOUR)
    await stage.answered("for-both", "mill", "bakery")
    await stage.answered("for-one", "bakery")
    assert stage.of("mill", "on_event") == ["for-both"]
    assert sorted(stage.of("bakery", "on_event")) == ["for-both", "for-one"]
    await harness.until(lambda: len(stage.of(VTN_ID, "on_created_event")) >= 3)
    assert len(stage.of(VTN_ID, "on_created_event")) == 3


async def an_event_is_modified(harness: Harness) -> None:
    """The new form is answered as well."""
    stage = Stage(harness)
    await stage.opens("mill")
    await stage.adds_event("shed", "mill", begin=HOUR)
    await stage.answered("shed", "mill")
    assert await stage.modifies_event("shed") == 1
    await stage.answered("shed", "mill", modification=1)
    (known,) = stage.vens["mill"].core.ven.state.events
    assert known.event.event_descriptor.modification_number == 1


async def an_event_is_cancelled(harness: Harness) -> None:
    """The VEN is told, says that it knows, and its application hears that the event is over."""
    stage = Stage(harness)
    await stage.opens("mill")
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")
    await harness.until(lambda: ("shed", "active") in stage.of("mill", "on_event_status"))
    await stage.vtn.do(lambda core, now: core.vtn.cancel_event("shed", now))
    await stage.answered("shed", "mill", modification=1)
    await harness.until(lambda: ("shed", "cancelled") in stage.of("mill", "on_event_status"))


async def many_vens_answer_at_once(harness: Harness) -> None:
    """An event for many is answered by each of them."""
    stage, names = Stage(harness), [f"ven-{number}" for number in range(8)]
    await stage.opens(*names)
    await stage.adds_event("shed", *names)
    await stage.answered("shed", *names)
    assert len({stage.ven_id(name) for name in names}) == len(names)


async def an_event_comes_to_its_end(harness: Harness) -> None:
    """The application hears that it is active and that it is over, and neither side has it any more."""
    stage = Stage(harness)
    await stage.opens("mill")
    await stage.adds_event("short", "mill", length=2 * SECOND)
    await stage.answered("short", "mill")
    await harness.until(lambda: ("short", "completed") in stage.of("mill", "on_event_status"))
    assert stage.of("mill", "on_event_status") == [("short", "active"), ("short", "completed")]
    views = await stage.vens["mill"].do(lambda core, now: core.events(now))
    assert all(one.status is EventStatus.COMPLETED for one in views)
    await stage.adds_event("next", "mill", begin=HOUR)
    await stage.answered("next", "mill")
    assert stage.of("mill", "on_event") == ["short", "next"]


async def several_events_come_at_once(harness: Harness) -> None:
    """Each is answered, and they stand in the order of their priority (rule 15)."""
    stage = Stage(harness)
    await stage.opens("mill")
    urgency = {"usual": 2, "whenever": None, "urgent": 1}
    for event_id, priority in urgency.items():
        await stage.adds_event(event_id, "mill", priority=priority)
    await harness.until(lambda: len(stage.of(VTN_ID, "on_created_event")) >= len(urgency))
    for event_id in urgency:
        await stage.answered(event_id, "mill")
    views = await stage.vens["mill"].do(lambda core, now: core.events(now))
    assert [one.event_id for one in views] == ["urgent", "usual", "whenever"]
    assert sorted(stage.of("mill", "on_event")) == sorted(urgency)


async def an_event_that_wants_no_answer_gets_none(harness: Harness) -> None:
    """The VEN takes note of it, and answers the one that comes after it (rule 31)."""
    stage = Stage(harness)
    await stage.opens("mill")
    await stage.adds_event("told", "mill", response_required="never")
    await harness.until(lambda: stage.vens["mill"].core.ven.state.events)
    await stage.adds_event("asked", "mill", begin=HOUR)
    await stage.answered("asked", "mill")
    assert sorted(stage.of("mill", "on_event")) == ["asked", "told"]
    await harness.until(lambda: stage.of(VTN_ID, "on_created_event"))
    assert [event_id for _, event_id, _ in stage.of(VTN_ID, "on_created_event")] == ["asked"]
    assert stage.answer("told", "mill") is None


async def a_ven_changes_its_mind(harness: Harness) -> None:
    """It agrees to an event, and later does not (rule 17)."""
    stage = Stage(harness)
    await stage.opens("mill")
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")
    out = EventDecision(opt_type=OptType.OPT_OUT)
    await stage.vens["mill"].do(lambda core, now: core.change_opt("shed", out, now))
    await harness.until(lambda: stage.answer("shed", "mill") is OptType.OPT_OUT)
    await harness.until(lambda: len(stage.of(VTN_ID, "on_created_event")) >= 2)
    assert [opt_type for _, _, opt_type in stage.of(VTN_ID, "on_created_event")] == [OptType.OPT_IN, OptType.OPT_OUT]
    assert stage.of("mill", "on_event") == ["shed"], "its application is not asked again"


async def a_ven_opts_out_of_an_event(harness: Harness) -> None:
    """An opt for the whole event counts more than what was answered before (rule 206)."""
    stage = Stage(harness)
    await stage.opens("mill")
    await stage.adds_event("shed", "mill", begin=HOUR)
    await stage.answered("shed", "mill")

    def opt_out(core: AutoVen, now: Now) -> None:
        opt = make_opt(harness.entropy, now.utc, opt_type="optOut", opt_reason="overrideStatus", event_id="shed")
        core.create_opt(opt, now)

    def answer(core: AutoVtn, now: Now) -> OptType | None:
        (answer,) = core.vtn.answers("shed", now)
        return answer.opt_type

    await stage.vens["mill"].do(opt_out)
    await harness.until(lambda: not stage.vens["mill"].core.ven.state.unanswered_opts)
    assert await stage.vtn.do(answer) is OptType.OPT_OUT
    assert stage.vens["mill"].core.ven.state.events[0].opt_type is OptType.OPT_OUT


async def a_ven_says_when_it_is_not_available(harness: Harness) -> None:
    """The VTN keeps that, until the VEN takes it back."""
    stage = Stage(harness)
    await stage.opens("mill")
    opt_id = await stage.is_away("mill")
    (schedule,) = stage.record("mill").opts.schedules
    assert schedule.opt.opt_id == opt_id
    await stage.vens["mill"].do(lambda core, now: core.cancel_opt(opt_id, now))
    await harness.until(lambda: not stage.record("mill").opts.schedules)
