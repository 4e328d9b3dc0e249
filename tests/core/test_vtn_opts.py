"""EiOpt at a VTN: both shapes, refusals, repeats, what supersedes what, and whether a resource is available."""

import random
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    Available,
    Call,
    CanceledOpt,
    CancelOpt,
    CreatedEvent,
    CreatedOpt,
    CreateOpt,
    EiResponse,
    EventResponse,
    EventStatus,
    HandlerFailed,
    Now,
    OptCancelled,
    OptReceived,
    OptTaken,
    OptType,
    Output,
    Payload,
    PlainSealer,
    Reply,
    ResponseRequired,
    Save,
    Target,
    Tolerance,
    Tolerate,
    Vavailability,
    VenRecord,
    Vtn,
    VtnConfig,
    Why,
    availability,
)
from oadr_core.state.opts import OptBook, Scope, scope_of
from tests.core.kit import HOUR, MINUTE, NONE, NOON, asked, create_opt, drained, event, one

IN, OUT = OptType.OPT_IN, OptType.OPT_OUT
NOW = Now(0.0, NOON)
PUMP, FAN = Target(resource_id=("pump",)), Target(resource_id=("fan",))
BOTH = Target(resource_id=("pump", "fan"))
HEATERS, THERMOSTATS = Target(end_device_asset=("Water_Heater",)), Target(end_device_asset=("Thermostat",))
PROGRAM = "http://program.example"


class Desk:
    """A VTN that knows a VEN, and a few events."""

    def __init__(self, *asks: str, report_only: bool = False) -> None:
        record = VenRecord(ven_id="ven", registration_id="registration", report_only=report_only)
        self.asks = asks
        self.saved = {record.key: record.dump()}
        self.restart()

    def restart(self) -> None:
        """Begin with what was saved."""
        self.vtn = Vtn(
            VtnConfig(vtn_id="Grid"),
            sealer=PlainSealer(),
            entropy=random.Random(1),
            saved=self.saved,
            asks=self.asks,
        )
        self.vtn.start(NOW)
        drained(self.vtn, NOW)

    def ask(self, message: Payload, after: timedelta = NONE) -> list[Output]:
        """Send a request of the VEN, and keep what is to be kept."""
        outputs = asked(self.vtn, message, Now(after.total_seconds(), NOON + after))
        self.keep(outputs)
        return outputs

    def keep(self, outputs: list[Output]) -> None:
        """Save what is to be saved."""
        self.saved |= {one.key: one.blob for one in outputs if isinstance(one, Save) and one.blob is not None}

    def add(self, *args: object, **kwargs: object) -> None:
        """Make an event for the VEN."""
        self.vtn.add_event(event(*args, **kwargs), ["ven"], NOW)  # type: ignore[arg-type]
        self.keep(drained(self.vtn, NOW))

    @property
    def book(self) -> OptBook:
        """The VEN's opts."""
        return self.record.opts

    @property
    def record(self) -> VenRecord:
        """What the VTN knows of the VEN."""
        return self.vtn.vens["ven"]

    def is_out(self, resource: str | Target | None = None, after: timedelta = HOUR, **rest: str) -> bool:
        """Whether a resource has opted out at a time."""
        return not availability(self.record, NOON + after, resource, **rest).available  # type: ignore[arg-type]


def code(outputs: list[Output]) -> int:
    """The code of the answer."""
    message = one(Reply, outputs).message
    assert isinstance(message, CreatedOpt | CanceledOpt)
    return message.response.response_code


def cancel(opt_id: str = "opt", request_id: str = "7") -> CancelOpt:
    return CancelOpt(opt_id=opt_id, ven_id="ven", request_id=request_id)


def answer(opt_type: OptType, number: int = 0) -> CreatedEvent:
    response = EventResponse(request_id="1", event_id="event", modification_number=number, opt_type=opt_type)
    return CreatedEvent(response=EiResponse(), event_responses=(response,), ven_id="ven")


# --- taking ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule(207)
@pytest.mark.parametrize("request_id", ["42", ""])
def test_the_answer_repeats_the_request_id_and_names_the_opt(request_id: str) -> None:
    desk = Desk()
    reply = one(Reply, desk.ask(msgspec.structs.replace(create_opt(), request_id=request_id)))
    assert reply.message == CreatedOpt(
        response=EiResponse(response_description="OK", request_id=request_id), opt_id="opt"
    )
    reply = one(Reply, desk.ask(cancel(request_id=request_id)))
    assert reply.message == CanceledOpt(
        response=EiResponse(response_description="OK", request_id=request_id), opt_id="opt"
    )


def test_a_schedule_is_saved_before_it_is_confirmed_and_outlives_a_restart() -> None:
    desk = Desk()
    outputs = desk.ask(create_opt())
    kinds = [type(output) for output in outputs]
    assert kinds.index(Save) < kinds.index(Reply)
    assert one(OptTaken, outputs).message == create_opt()
    desk.restart()
    assert desk.is_out()
    assert not desk.is_out(after=2 * HOUR)


def test_a_record_of_before_there_were_opts_still_loads() -> None:
    blob = msgspec.json.encode({"version": 1, "ven_id": "ven", "registration_id": "registration"})
    assert VenRecord.load(blob).opts == OptBook()


def test_a_request_that_comes_again_is_confirmed_and_not_taken_twice() -> None:
    desk = Desk()
    desk.ask(create_opt("first"))
    desk.ask(create_opt("second"))
    before = desk.record
    outputs = desk.ask(create_opt("first"))  # it must not supersede what came after it
    assert code(outputs) == 200
    assert desk.record == before
    assert not [output for output in outputs if isinstance(output, OptTaken)]


def test_a_cancellation_that_comes_again_is_confirmed() -> None:
    desk = Desk()
    desk.ask(create_opt())
    assert one(OptCancelled, desk.ask(cancel())).opt_id == "opt"
    assert code(desk.ask(cancel())) == 200
    assert not desk.is_out()


def test_a_cancellation_that_comes_late_once_more_leaves_what_was_made_after_it() -> None:
    desk = Desk()
    desk.ask(create_opt())
    desk.ask(cancel())
    desk.ask(create_opt(begin=2 * HOUR))
    assert code(desk.ask(cancel())) == 200
    assert desk.is_out(after=2 * HOUR)
    assert code(desk.ask(cancel(request_id="8"))) == 200
    assert not desk.is_out(after=2 * HOUR)


@pytest.mark.rule(207)
def test_cancellations_without_a_request_id_are_not_mistaken_for_each_other() -> None:
    desk = Desk()
    for begin in (HOUR, 2 * HOUR):
        desk.ask(create_opt(begin=begin))
        assert code(desk.ask(cancel(request_id=""))) == 200
        assert not desk.is_out(after=begin)


# --- refusing --------------------------------------------------------------------------------------------------------

TOLERANT = Available(dtstart=NOON, duration=HOUR, tolerance=Tolerance(tolerate=Tolerate(startafter=MINUTE)))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(
            msgspec.structs.replace(create_opt(), vavailability=None), 459, id="neither", marks=pytest.mark.rule(206)
        ),
        pytest.param(
            msgspec.structs.replace(create_opt(), event_id="event", modification_number=0),
            459,
            id="both",
            marks=pytest.mark.rule(206),
        ),
        pytest.param(
            create_opt(event_id="event", market_context=PROGRAM), 459, id="context", marks=pytest.mark.rule(206)
        ),
        pytest.param(
            msgspec.structs.replace(create_opt(), vavailability=Vavailability(components=(TOLERANT,))),
            459,
            id="tolerance",
            marks=pytest.mark.rule(200),
        ),
        pytest.param(create_opt(device_class=PUMP), 459, id="no device class", marks=pytest.mark.rule(209)),
        pytest.param(create_opt(""), 459, id="no id", marks=pytest.mark.rule(204)),
        pytest.param(create_opt(target=Target(ven_id=("other",))), 462, id="other VEN", marks=pytest.mark.rule(208)),
        pytest.param(create_opt(event_id="unknown"), 452, id="unknown event", marks=pytest.mark.rule(208)),
        pytest.param(create_opt(event_id="foreign"), 452, id="an event of another VEN", marks=pytest.mark.rule(208)),
        pytest.param(create_opt(event_id="event", number=1), 450, id="modification", marks=pytest.mark.rule(206)),
        pytest.param(create_opt(event_id="silent"), 451, id="never", marks=pytest.mark.rule(206)),
        pytest.param(create_opt(event_id="cancelled", number=1), 451, id="cancelled", marks=pytest.mark.rule(206)),
        pytest.param(create_opt(event_id="pumps", target=BOTH), 462, id="target", marks=pytest.mark.rule(206)),
    ],
)
def test_what_cannot_be_taken_is_refused_and_changes_nothing(message: CreateOpt, expected: int) -> None:
    desk = Desk("on_create_opt")
    desk.add()
    desk.add("silent", required=ResponseRequired.NEVER)
    desk.add("pumps", target=PUMP)
    desk.add("cancelled")
    desk.vtn.cancel_event("cancelled", NOW)
    desk.vtn.add_event(event("foreign"), ["other"], NOW)
    drained(desk.vtn, NOW)
    before = desk.record
    outputs = desk.ask(message)
    assert code(outputs) == expected
    reply = one(Reply, outputs).message
    assert isinstance(reply, CreatedOpt)
    assert (reply.opt_id, reply.response.request_id) == (message.opt_id, message.request_id)
    assert desk.record == before
    assert not [output for output in outputs if isinstance(output, Call | Save)]


def test_an_event_that_is_over_is_not_opted_for() -> None:
    desk = Desk()
    desk.add()
    assert code(desk.ask(create_opt(event_id="event"), after=MINUTE * 69)) == 200
    assert code(desk.ask(create_opt("late", event_id="event"), after=MINUTE * 70)) == 451


def test_a_report_only_ven_has_no_opts() -> None:
    assert code(Desk(report_only=True).ask(create_opt())) == 451


@pytest.mark.rule(208)
def test_a_ven_that_is_not_known_is_told_so() -> None:
    desk = Desk()
    assert code(desk.ask(msgspec.structs.replace(create_opt(), ven_id="stranger"))) == 463
    assert code(desk.ask(msgspec.structs.replace(cancel(), ven_id="stranger"))) == 463


@pytest.mark.rule(208)
def test_an_opt_that_was_never_made_cannot_be_cancelled() -> None:
    assert code(Desk().ask(cancel())) == 452


@pytest.mark.rule(211)
def test_an_opt_for_an_event_cannot_be_cancelled() -> None:
    desk = Desk()
    desk.add()
    desk.ask(create_opt(event_id="event"))
    assert code(desk.ask(cancel())) == 451
    assert desk.is_out(event_id="event")


def test_the_opts_of_a_ven_take_up_no_more_room_than_they_may() -> None:
    desk = Desk()
    codes = []
    for number in range(200):
        names = tuple(f"pump {number} {other}" for other in range(500))
        codes.append(code(desk.ask(create_opt(f"{number}", target=Target(resource_id=names)))))
    assert set(codes) == {200, 469}
    assert codes == sorted(codes)
    assert len(desk.record.dump()) < 2**20
    assert code(desk.ask(create_opt("all"))) == 200  # it supersedes all of them


# --- the application decides -----------------------------------------------------------------------------------------


def decide(desk: Desk, outputs: list[Output], value: object) -> list[Output]:
    desk.vtn.call_returned(one(Call, outputs).call, value, now=NOW)
    return drained(desk.vtn, NOW)


@pytest.mark.rule(201)
@pytest.mark.parametrize(
    ("value", "expected"), [(None, 200), (True, 200), (451, 451), ((469, "full"), 469), ("what?", 500)]
)
def test_the_application_may_refuse_an_opt_and_its_cancellation(value: object, expected: int) -> None:
    desk = Desk("on_create_opt", "on_cancel_opt")
    outputs = desk.ask(create_opt())
    assert one(Call, outputs).arguments == {"ven_id": "ven", "message": create_opt()}
    assert not [output for output in outputs if isinstance(output, Reply)]
    outputs = decide(desk, outputs, value)
    assert code(outputs) == expected
    assert bool(desk.book.schedules) == (expected == 200)
    assert bool([output for output in outputs if isinstance(output, HandlerFailed)]) == (expected == 500)
    if expected != 200:
        decide(desk, desk.ask(create_opt()), None)
    outputs = decide(desk, desk.ask(cancel()), value)
    assert code(outputs) == expected
    assert bool(desk.book.schedules) == (expected != 200)


def test_an_event_that_changes_while_the_application_decides_is_not_opted_for() -> None:
    desk = Desk("on_create_opt")
    desk.add()
    outputs = desk.ask(create_opt(event_id="event"))
    desk.vtn.modify_event(event(value=2.0), NOW)
    drained(desk.vtn, NOW)
    assert code(decide(desk, outputs, None)) == 450
    assert desk.book.event_opts == ()


# --- superseding -----------------------------------------------------------------------------------------------------


@pytest.mark.rule(202)
@pytest.mark.parametrize("target", [Target(), Target(ven_id=("ven",))])
def test_no_target_and_the_ven_alone_mean_all_its_resources(target: Target) -> None:
    desk = Desk()
    desk.ask(create_opt(target=target))
    assert desk.is_out()
    assert desk.is_out("pump")


@pytest.mark.rule(202)
def test_several_targets_mean_any_of_them() -> None:
    desk = Desk()
    desk.ask(create_opt(target=Target(resource_id=("pump",), group_id=("roof",))))
    assert desk.is_out("pump")
    assert desk.is_out(Target(resource_id=("fan",), group_id=("roof",)))
    assert not desk.is_out("fan")
    assert not desk.is_out()


@pytest.mark.rule(202)
def test_different_resources_may_have_different_schedules() -> None:
    desk = Desk()
    desk.ask(create_opt("pump", target=PUMP))
    desk.ask(create_opt("fan", target=FAN, begin=2 * HOUR))
    assert [desk.is_out(who, when) for who in ("pump", "fan") for when in (HOUR, 2 * HOUR)] == [
        True,
        False,
        False,
        True,
    ]


@pytest.mark.rule(203)
@pytest.mark.parametrize("target", [Target(), Target(ven_id=("ven",))])
def test_a_schedule_for_the_whole_ven_replaces_all_earlier_ones(target: Target) -> None:
    desk = Desk()
    desk.ask(create_opt("pump", target=PUMP))
    desk.ask(create_opt("all"))
    desk.ask(create_opt("new", target=target, begin=3 * HOUR))
    assert [schedule.opt.opt_id for schedule in desk.book.schedules] == ["new"]
    assert not desk.is_out("pump")
    assert desk.is_out("pump", 3 * HOUR)


@pytest.mark.rule(203)
def test_a_schedule_for_a_resource_overrides_the_earlier_one_for_that_resource_alone() -> None:
    desk = Desk()
    desk.ask(create_opt("all"))
    desk.ask(create_opt("pump", target=PUMP, begin=3 * HOUR))
    assert not desk.is_out("pump")
    assert desk.is_out("pump", 3 * HOUR)
    assert desk.is_out("fan")
    assert desk.is_out()
    desk.ask(cancel("pump"))  # what was replaced does not come back
    assert not desk.is_out("pump")
    assert desk.is_out("fan")


@pytest.mark.rule(203)
def test_opting_in_and_opting_out_are_independent() -> None:
    desk = Desk()
    desk.ask(create_opt("out"))
    desk.ask(create_opt("in", opt_type=IN, begin=3 * HOUR))
    assert desk.is_out()
    assert availability(desk.record, NOON + 3 * HOUR, otherwise=False).available


@pytest.mark.rule(201)
def test_what_counts_where_nothing_or_both_was_said_is_for_the_program_to_say() -> None:
    desk = Desk()
    desk.ask(create_opt("out"))
    desk.ask(create_opt("in", opt_type=IN))
    at = NOON + HOUR
    assert not availability(desk.record, at).available
    assert availability(desk.record, at, overlap=IN).available
    assert not availability(desk.record, NOON, otherwise=False).available
    assert availability(desk.record, NOON).why is Why.NOTHING


@pytest.mark.rule(204)
def test_a_cancellation_hits_all_schedules_of_the_id() -> None:
    desk = Desk()
    desk.ask(create_opt(target=PUMP))
    desk.ask(create_opt(target=FAN))
    desk.ask(create_opt("other", target=Target(resource_id=("lamp",))))
    assert code(desk.ask(cancel())) == 200
    assert [desk.is_out(who) for who in ("pump", "fan", "lamp")] == [False, False, True]


@pytest.mark.rule(211)
def test_cancelling_a_superseded_schedule_is_no_error_and_leaves_the_new_one() -> None:
    desk = Desk()
    desk.ask(create_opt("old"))
    desk.ask(create_opt("new"))
    assert code(desk.ask(cancel("old"))) == 200
    assert desk.is_out()


@pytest.mark.rule(211)
def test_cancelling_a_schedule_that_is_over_is_no_error() -> None:
    desk = Desk()
    desk.ask(create_opt("old"))
    desk.ask(create_opt("new", target=PUMP, begin=4 * HOUR), after=3 * HOUR)
    assert [schedule.opt.opt_id for schedule in desk.book.schedules] == ["new"]
    assert code(desk.ask(cancel("old"), after=3 * HOUR)) == 200


@pytest.mark.rule(205)
def test_a_market_context_limits_a_schedule_to_the_events_of_a_program() -> None:
    desk = Desk()
    desk.ask(create_opt(market_context=PROGRAM))
    assert desk.is_out(market_context=PROGRAM)
    assert not desk.is_out(market_context="http://other.example")
    assert not desk.is_out()
    desk.ask(create_opt("other", market_context="http://other.example", begin=3 * HOUR))
    assert desk.is_out(market_context=PROGRAM)  # it is about something else


@pytest.mark.rule(203, 205, 512)
def test_a_market_context_is_the_same_however_its_scheme_and_host_are_written() -> None:
    desk = Desk()
    desk.ask(create_opt(market_context="HTTP://Program.Example"))
    assert desk.is_out(market_context=PROGRAM)
    assert desk.is_out(market_context="http://PROGRAM.example/")
    assert not desk.is_out(market_context="http://program.example/Other")
    desk.ask(create_opt("new", market_context=PROGRAM, begin=3 * HOUR))
    assert [schedule.opt.opt_id for schedule in desk.book.schedules] == ["new"]


@pytest.mark.rule(209)
def test_a_device_class_narrows_the_targets_of_a_schedule() -> None:
    desk = Desk()
    desk.ask(create_opt(target=PUMP, device_class=HEATERS))
    assert desk.is_out("pump", device_class="Water_Heater")
    assert not desk.is_out("pump", device_class="Thermostat")
    assert not desk.is_out("pump")
    assert not desk.is_out("fan", device_class="Water_Heater")
    desk.ask(create_opt("other", target=PUMP, device_class=THERMOSTATS, begin=3 * HOUR))
    assert desk.is_out("pump", device_class="Water_Heater")


@pytest.mark.rule(203, 209)
def test_a_schedule_for_a_device_class_leaves_the_earlier_one_for_the_other_devices() -> None:
    desk = Desk()
    desk.ask(create_opt("all", target=PUMP))
    desk.ask(create_opt("heaters", target=PUMP, device_class=HEATERS, begin=3 * HOUR))
    assert not desk.is_out("pump", device_class="Water_Heater")
    assert desk.is_out("pump", device_class="Thermostat")
    desk.ask(create_opt("new", target=PUMP, begin=5 * HOUR))
    assert [schedule.opt.opt_id for schedule in desk.book.schedules] == ["new"]


@pytest.mark.rule(210)
def test_a_schedule_without_length_has_no_end() -> None:
    desk = Desk()
    desk.ask(create_opt(length=NONE))
    assert not desk.is_out(after=HOUR - MINUTE)
    assert desk.is_out(after=timedelta(days=10_000))
    desk.ask(create_opt("later", opt_type=IN, begin=HOUR * 90), after=HOUR * 80)
    assert desk.is_out(after=HOUR * 85), "it is not over"


@pytest.mark.rule(203)
def test_hundreds_of_resources_have_a_schedule_each_and_none_says_anything_of_the_others() -> None:
    desk = Desk()
    names = [f"resource {number}" for number in range(300)]
    for name in names:
        assert code(desk.ask(create_opt(name, target=Target(resource_id=(name,))))) == 200
    assert all(desk.is_out(name) for name in names)
    assert not any(one.overridden for one in desk.book.schedules)


TARGETS = st.sampled_from([Target(), PUMP, FAN, BOTH, Target(group_id=("roof",)), Target(ven_id=("ven",))])
CONTEXTS = st.sampled_from([None, PROGRAM, "http://other.example"])
CLASSES = st.sampled_from([None, HEATERS, THERMOSTATS])
SCHEDULES = st.builds(
    create_opt,
    st.sampled_from("abc"),
    begin=st.integers(0, 4).map(lambda hours: hours * HOUR),
    opt_type=st.sampled_from(OptType),
    target=TARGETS,
    market_context=CONTEXTS,
    device_class=CLASSES,
)
ROOFED = Target(resource_id=("pump",), group_id=("roof",))


@given(
    st.lists(SCHEDULES, max_size=8),
    st.sampled_from([Target(), PUMP, FAN, ROOFED]),
    CONTEXTS,
    st.sampled_from([(), ("Water_Heater",)]),
    st.integers(0, 5),
)
@pytest.mark.rule(203)
def test_the_last_schedule_that_is_about_a_resource_counts(
    made: list[CreateOpt], target: Target, context: str | None, classes: tuple[str, ...], hours: int
) -> None:
    book = OptBook()
    for opt in made:
        book = book.with_opt(opt)
    question = Scope(target=target, market_context=context, device_classes=classes)
    at = NOON + hours * HOUR
    for opt_type in OptType:
        about = [opt for opt in made if opt.opt_type is opt_type and scope_of(opt).applies_to(question)]
        (stretch,) = about[-1].vavailability.components if about and about[-1].vavailability else (None,)
        expected = stretch is not None and stretch.dtstart <= at < stretch.dtstart + HOUR
        assert (book.scheduled(opt_type, question, at) is not None) == expected


# --- opting for events -----------------------------------------------------------------------------------------------


def resource_of(desk: Desk, resource: str | None = None) -> tuple[bool, Why]:
    said = availability(desk.record, NOON + HOUR, resource, event_id="event")
    return said.available, said.why


@pytest.mark.rule(206)
def test_an_opt_for_resources_goes_before_the_answer_to_the_event_and_others_follow_the_answer() -> None:
    desk = Desk()
    desk.add()
    desk.ask(answer(IN))
    desk.ask(create_opt(event_id="event", target=PUMP))
    assert resource_of(desk, "pump") == (False, Why.EVENT_OPT)
    assert resource_of(desk, "fan") == (True, Why.EVENT_ANSWER)
    desk.ask(answer(OUT))
    desk.ask(answer(IN))
    assert resource_of(desk, "pump") == (False, Why.EVENT_OPT)
    desk.ask(create_opt("again", event_id="event", target=PUMP, opt_type=IN))
    assert resource_of(desk, "pump") == (True, Why.EVENT_OPT)
    assert [opt.opt_id for opt in desk.book.event_opts] == ["again"]


@pytest.mark.rule(206)
def test_an_opt_for_the_whole_event_takes_the_place_of_the_answer_and_later_answers_do_not_change_it() -> None:
    desk = Desk()
    desk.add()
    desk.ask(answer(IN))
    outputs = desk.ask(create_opt(event_id="event"))
    assert one(OptReceived, outputs).opt_type is OUT
    assert not [output for output in desk.ask(answer(IN)) if isinstance(output, OptReceived)]
    (standing,) = desk.record.standings
    assert (standing.opt_type, standing.code) == (OUT, 200)


@pytest.mark.rule(206)
def test_a_modification_of_the_event_does_not_undo_an_opt() -> None:
    desk = Desk()
    desk.add()
    desk.ask(answer(IN))
    desk.ask(create_opt(event_id="event"))
    desk.vtn.modify_event(event(value=2.0), NOW)
    drained(desk.vtn, NOW)
    assert one(OptReceived, desk.ask(answer(IN, number=1))).opt_type is OUT
    assert resource_of(desk) == (False, Why.EVENT_OPT)


@pytest.mark.rule(206)
@pytest.mark.parametrize("target", [Target(), Target(ven_id=("ven",)), PUMP, BOTH])
def test_an_opt_for_an_event_may_be_about_any_part_of_it(target: Target) -> None:
    desk = Desk()
    desk.add(target=BOTH)
    assert code(desk.ask(create_opt(event_id="event", target=target))) == 200
    assert not resource_of(desk, "pump")[0]


def test_an_opt_for_an_event_goes_before_schedules() -> None:
    desk = Desk()
    desk.add()
    desk.ask(create_opt())
    assert resource_of(desk) == (False, Why.SCHEDULE)
    desk.ask(create_opt("event", event_id="event", opt_type=IN))
    assert resource_of(desk) == (True, Why.EVENT_OPT)
    assert desk.is_out()


def test_a_cancelled_event_needs_no_further_opt() -> None:
    desk = Desk()
    desk.add(status=EventStatus.FAR)
    desk.ask(create_opt(event_id="event"))
    desk.vtn.cancel_event("event", NOW)
    drained(desk.vtn, NOW)
    desk.ask(answer(IN, number=1))
    assert desk.record.standings[0].modification_number == 1
