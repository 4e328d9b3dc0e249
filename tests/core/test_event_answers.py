"""Who was told of an event and who answered what: late, changed and outdated answers too (rules 16, 17, 48 and 206)."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from oadr_core import (
    AnswerState,
    Audience,
    CreateOpt,
    EarlierAnswer,
    Enrolment,
    EventAnswer,
    LocalProtocolError,
    OptType,
    ResponseRequired,
    VenRecord,
    log_line,
)
from oadr_core.machines.event import EventAtVtn
from tests.core.desk import Desk
from tests.core.kit import HOUR, MINUTE, NOON, create_opt, drained, event

IN, OUT = OptType.OPT_IN, OptType.OPT_OUT


def desk_with(*ven_ids: str, **made: Any) -> Desk:
    """A VTN that has made an event for everyone."""
    desk = Desk(*(ven_ids or ("ven",)), answer_timeout=MINUTE)
    desk.vtn.add_event(event(**made), Audience(everyone=True), desk.now)
    desk.outputs()
    return desk


def answer_of(desk: Desk, ven_id: str = "ven") -> EventAnswer:
    (found,) = (one for one in desk.vtn.answers("event", desk.now) if one.ven_id == ven_id)
    return found


def test_a_ven_goes_from_waiting_to_told_to_answered() -> None:
    desk = desk_with()
    assert answer_of(desk) == EventAnswer(ven_id="ven", state=AnswerState.WAITING)
    handed = desk.given("ven")
    assert answer_of(desk) == EventAnswer(
        ven_id="ven", state=AnswerState.TOLD, modification_number=0, told_at=NOON, times=1
    )
    desk.wait(timedelta(seconds=5))
    desk.answer("ven", handed, OUT, response_code=460, response_description="no such signal")
    assert answer_of(desk) == EventAnswer(
        ven_id="ven",
        state=AnswerState.ANSWERED,
        modification_number=0,
        told_at=NOON,
        times=1,
        opt_type=OUT,
        code=460,
        description="no such signal",
        answered_at=NOON + timedelta(seconds=5),
        answered_number=0,
    )


def test_a_ven_that_does_not_answer_is_silent_and_told_again() -> None:
    desk = desk_with()
    desk.given("ven")
    desk.wait(MINUTE)
    assert answer_of(desk).state is AnswerState.SILENT
    desk.given("ven")
    again = answer_of(desk)
    assert (again.state, again.times, again.told_at) == (AnswerState.TOLD, 2, NOON)
    desk.wait(HOUR * 3)
    assert answer_of(desk).state is AnswerState.SILENT, "also when the event is over"


def test_vens_that_take_no_part_are_told_apart() -> None:
    desk = Desk("told", "fast", answer_timeout=MINUTE)
    for record in (
        VenRecord(ven_id="meter", registration_id="r", report_only=True),
        VenRecord(ven_id="named", registration_id="r", ven_name="A name"),
    ):
        desk.saved[record.key] = record.dump()
    desk.restart()
    desk.vtn.add_event(event(), ["told", "meter", "named", "coming"], desk.now)
    desk.given("told")
    answers = desk.vtn.answers("event", desk.now)
    assert [(one.ven_id, one.ven_name, one.state) for one in answers] == [
        ("told", "", AnswerState.TOLD),
        ("meter", "", AnswerState.REPORT_ONLY),
        ("named", "A name", AnswerState.WAITING),
        ("coming", "", AnswerState.ABSENT),
    ]
    desk.wait(HOUR * 3)
    assert answer_of(desk, "named").state is AnswerState.MISSED


def test_an_event_that_must_not_be_answered_informs() -> None:
    desk = desk_with(required=ResponseRequired.NEVER)
    assert answer_of(desk).state is AnswerState.WAITING
    desk.given("ven")
    assert answer_of(desk).state is AnswerState.INFORMED


def test_there_are_no_answers_to_what_is_not_there() -> None:
    with pytest.raises(LocalProtocolError, match="no event 'other'"):
        desk_with().vtn.answers("other", Desk().now)


# --- changes ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule(16, 17)
def test_a_changed_opt_counts_and_what_was_said_before_is_still_seen() -> None:
    desk = desk_with()
    handed = desk.given("ven")
    desk.answer("ven", handed, IN)
    desk.wait(MINUTE)
    told = desk.answered("ven", handed, OUT)
    assert (told.opt_type, told.instead_of, told.late) == (OUT, IN, False)
    line = log_line(told)
    assert line is not None
    assert line[1].endswith("with optOut instead of optIn")
    found = answer_of(desk)
    assert (found.opt_type, found.changed, found.answered_at) == (OUT, 1, NOON + MINUTE)
    assert found.earlier == (EarlierAnswer(modification_number=0, opt_type=IN, answered_at=NOON),)
    desk.answer("ven", handed, OUT)
    assert answer_of(desk) == found, "the same again is no change"


@pytest.mark.rule(16, 17)
def test_a_ven_that_never_makes_up_its_mind_takes_no_more_room() -> None:
    desk = desk_with()
    handed = desk.given("ven")
    for _ in range(20):
        desk.answer("ven", handed, IN)
        desk.answer("ven", handed, OUT)
    found = answer_of(desk)
    assert found.changed == 39
    assert [one.opt_type for one in found.earlier] == [OUT, IN, OUT, IN]


@pytest.mark.rule(48)
def test_an_answer_to_an_earlier_modification_does_not_count_and_is_seen() -> None:
    desk = desk_with()
    handed = desk.given("ven")
    desk.answer("ven", handed, IN)
    desk.vtn.modify_event(event(value=2.0), desk.now)
    found = answer_of(desk)
    assert (found.state, found.opt_type, found.answered_number) == (AnswerState.WAITING, None, 0)
    assert [one.opt_type for one in found.earlier] == [IN]
    desk.given("ven")
    found = answer_of(desk)
    assert (found.state, found.modification_number, found.opt_type) == (AnswerState.TOLD, 1, None)
    assert desk.answer("ven", handed, OUT).response.response_code == 450
    found = answer_of(desk)
    assert (found.state, found.opt_type, found.answered_number) == (AnswerState.TOLD, None, 0)
    assert [one.opt_type for one in found.earlier] == [IN, OUT]
    desk.answer("ven", handed, OUT)
    assert answer_of(desk) == found, "the same again is nothing new"


@pytest.mark.rule(48)
def test_an_outdated_answer_of_a_ven_that_was_not_told_is_seen_as_well() -> None:
    desk = desk_with()
    handed = desk.given("ven")
    desk.vtn.modify_event(event(value=2.0), desk.now)
    desk.outputs()
    desk.restart()  # that the VEN was told is known no more
    assert desk.answer("ven", handed, OUT).response.response_code == 450
    desk.restart()
    found = answer_of(desk)
    assert found.opt_type is None
    assert [(one.modification_number, one.opt_type) for one in found.earlier] == [(0, OUT)]
    assert desk.polled("ven") is not None, "it has to be told of the present one all the same"


def test_an_answer_to_a_modification_that_never_was_is_not_noted() -> None:
    desk = desk_with()
    handed = desk.given("ven")
    (one,) = handed.events
    descriptor = msgspec.structs.replace(one.event_descriptor, modification_number=7)
    wrong = msgspec.structs.replace(handed, events=(msgspec.structs.replace(one, event_descriptor=descriptor),))
    assert desk.answer("ven", wrong).response.response_code == 450
    assert answer_of(desk).earlier == ()


@pytest.mark.rule(36)
def test_the_acknowledgement_of_a_cancellation_is_an_answer() -> None:
    desk = desk_with()
    desk.answer("ven", desk.given("ven"), OUT)
    desk.vtn.cancel_event("event", desk.now)
    assert answer_of(desk).state is AnswerState.WAITING
    desk.answer("ven", desk.given("ven"), IN)
    found = answer_of(desk)
    assert (found.state, found.modification_number, found.opt_type) == (AnswerState.ANSWERED, 1, IN)
    assert [one.opt_type for one in found.earlier] == [OUT]


def test_one_that_has_left_is_listed_after_the_others() -> None:
    desk = Desk("one", "two")
    desk.vtn.enrol("one", Enrolment(group_ids=("east",)), desk.now)
    desk.vtn.add_event(event(), Audience(group_ids=("east",), ven_ids=("two",)), desk.now)
    desk.answer("one", desk.given("one"), OUT)
    desk.vtn.enrol("one", Enrolment(), desk.now)
    for _ in range(2):
        answers = desk.vtn.answers("event", desk.now)
        assert [(one.ven_id, one.state, one.opt_type) for one in answers] == [
            ("two", AnswerState.WAITING, None),
            ("one", AnswerState.LEFT, OUT),
        ]
        desk.polled("one")
    desk.vtn.enrol("one", Enrolment(group_ids=("east",)), desk.now)
    back = answer_of(desk, "one")
    assert (back.state, back.opt_type, back.answered_number) == (AnswerState.WAITING, None, 0)
    assert [one.opt_type for one in back.earlier] == [OUT]


# --- late ------------------------------------------------------------------------------------------------------------


@pytest.mark.rule(16)
@pytest.mark.parametrize(
    ("begin", "told_after", "answered_after", "late"),
    [
        (HOUR, timedelta(0), MINUTE, False),
        (HOUR, timedelta(0), MINUTE + timedelta(seconds=1), True),
        (timedelta(seconds=30), timedelta(0), timedelta(seconds=29), False),
        (timedelta(seconds=30), timedelta(0), timedelta(seconds=30), True),
        (timedelta(seconds=30), timedelta(seconds=40), timedelta(seconds=50), False),
        (timedelta(seconds=30), timedelta(seconds=40), timedelta(seconds=101), True),
    ],
    ids=["in time", "overdue", "before the start", "at the start", "told after the start", "overdue after the start"],
)
def test_an_answer_is_late_when_it_was_overdue_or_the_event_had_begun(
    begin: timedelta, told_after: timedelta, answered_after: timedelta, late: bool
) -> None:
    desk = desk_with(begin=begin)
    desk.wait(told_after)
    handed = desk.given("ven")
    desk.wait(answered_after - told_after)
    told = desk.answered("ven", handed, IN)
    assert told.late is late
    assert (log_line(told) or (0, ""))[1].endswith(", late") is late
    assert answer_of(desk).late is late
    desk.wait(HOUR)
    changed = desk.answered("ven", handed, OUT)
    assert not changed.late, "whoever changes its mind has answered before"
    assert answer_of(desk).late is late


def test_nobody_is_called_late_whose_telling_is_not_remembered() -> None:
    desk = desk_with()
    handed = desk.given("ven")
    desk.restart()
    desk.wait(HOUR)
    assert not desk.answered("ven", handed, IN).late


# --- opts ------------------------------------------------------------------------------------------------------------


@pytest.mark.rule(206)
def test_an_opt_that_rules_instead_of_the_answer_is_named() -> None:
    desk = desk_with()
    handed = desk.given("ven")
    desk.answer("ven", handed, IN)
    opt: CreateOpt = create_opt("the opt", event_id="event")
    assert desk.ask(opt).response.ok
    found = answer_of(desk)
    assert (found.opt_type, found.ruled_by_opt_id, found.changed) == (OUT, "the opt", 1)
    desk.answer("ven", handed, IN)
    assert answer_of(desk) == found


@pytest.mark.rule(206)
def test_an_opt_for_an_event_is_an_answer_by_itself() -> None:
    desk = desk_with()
    desk.given("ven")
    assert desk.ask(create_opt("the opt", event_id="event")).response.ok
    found = answer_of(desk)
    assert (found.state, found.opt_type, found.ruled_by_opt_id) == (AnswerState.ANSWERED, OUT, "the opt")
    assert desk.standing("ven").state is EventAtVtn.TOLD, "oadrCreatedEvent is awaited all the same"


def test_answers_survive_a_restart() -> None:
    desk = desk_with()
    handed = desk.given("ven")
    desk.answer("ven", handed, IN)
    desk.answer("ven", handed, OUT)
    before = answer_of(desk)
    desk.restart()
    assert answer_of(desk) == before
    assert drained(desk.vtn, desk.now) == []
