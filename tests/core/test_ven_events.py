"""What a list of events means to a VEN that knows some of them (rules 12, 19, 36, 56 to 62)."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import DistributeEvent, EiEvent, EventDecision, EventStatus, OptType, ResponseRequired
from oadr_core.machines.event import EventAtVen, EventAtVenInput, compare
from oadr_core.state.ven import KnownEvent
from oadr_core.ven.event_list import EventList, cancelled, decided, ids, is_over, state_of, take_list
from tests.core.kit import HOUR, MINUTE, NONE, NOON, event

ALWAYS, NEVER = ResponseRequired.ALWAYS, ResponseRequired.NEVER


def known(one: EiEvent, opt_type: OptType | None = OptType.OPT_OUT) -> KnownEvent:
    """An event that the VEN knows from an earlier list."""
    return KnownEvent(event=one, request_id="earlier", opt_type=opt_type, description="as before")


def take(
    *listed: EiEvent, known_as: tuple[KnownEvent, ...] = (), complete: bool = True, after: timedelta = NONE
) -> EventList:
    """Take a list."""
    message = DistributeEvent(request_id="list", vtn_id="Grid", events=listed)
    return take_list(known_as, message, NOON + after, complete=complete)


def answers(taken: EventList) -> dict[str, tuple[int, OptType, int]]:
    """The answers that are ready, one for each event: code, opt and modification number."""
    found = {}
    for (event_id, number), one in taken.responses.items():
        assert one.request_id == "list", "an answer repeats the requestID of the list (rule 42)"
        assert (one.event_id, one.modification_number) == (event_id, number)
        assert event_id not in found
        found[event_id] = (one.response_code, one.opt_type, one.modification_number)
    return found


def undecided(taken: EventList) -> set[str]:
    """The events whose answer waits for the application."""
    return {event_id for event_id, _ in taken.undecided}


def asks(taken: EventList) -> list[tuple[str, int, bool]]:
    """What the application is asked: event, modification, whether it is a change."""
    return [
        (one.event_descriptor.event_id, one.event_descriptor.modification_number, update)
        for one, update in taken.ask.values()
    ]


# --- the table of the comparison -------------------------------------------------------------------------------------


@pytest.mark.rule(56)
@pytest.mark.parametrize("number", [0, 7])
def test_a_new_event_is_added_whatever_its_modification_number(number: int) -> None:
    taken = take(event(number=number))
    assert asks(taken) == [("event", number, False)]
    assert taken.known["event"] == KnownEvent(event=event(number=number), request_id="list")
    assert answers(taken) == {}
    assert undecided(taken) == {"event"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_event_with_numbers_that_mean_nothing_is_refused_and_what_is_known_stays(value: float) -> None:
    taken = take(event("new", value=value), event("known", number=1, value=value), known_as=(known(event("known")),))
    assert answers(taken) == {"new": (454, OptType.OPT_OUT, 0), "known": (454, OptType.OPT_OUT, 1)}
    assert list(taken.known.values()) == [known(event("known"))]
    assert asks(taken) == []


@pytest.mark.rule(57)
@pytest.mark.parametrize("opt", [None, OptType.OPT_IN])
def test_a_higher_modification_replaces_and_is_decided_anew(opt: OptType | None) -> None:
    taken = take(event(number=3, value=2.0), known_as=(known(event(number=1), opt),))
    assert asks(taken) == [("event", 3, True)]
    assert taken.known["event"] == KnownEvent(event=event(number=3, value=2.0), request_id="list", earlier_opt=opt)
    assert undecided(taken) == {"event"}


@pytest.mark.rule(12)
def test_an_event_that_is_listed_unchanged_is_answered_as_before() -> None:
    taken = take(event(number=1), known_as=(known(event(number=1)),))
    assert asks(taken) == []
    assert answers(taken) == {"event": (200, OptType.OPT_OUT, 1)}
    assert taken.responses["event", 1].response_description == "as before"
    assert taken.known["event"].request_id == "list", "later changes of mind repeat the latest requestID (rule 42)"


@pytest.mark.rule(12)
def test_an_event_that_is_listed_unchanged_before_it_is_decided_is_asked_about_again() -> None:
    taken = take(event(), known_as=(known(event(), None),))
    assert asks(taken) == [("event", 0, False)]
    assert undecided(taken) == {"event"}


@pytest.mark.rule(12, 62)
def test_whether_an_unchanged_event_must_be_answered_is_what_the_latest_list_says() -> None:
    assert answers(take(event(required=NEVER), known_as=(known(event()),))) == {}
    assert set(answers(take(event(), known_as=(known(event(required=NEVER)),)))) == {"event"}


@pytest.mark.rule(58)
@pytest.mark.parametrize("status", [EventStatus.FAR, EventStatus.CANCELLED])
@pytest.mark.parametrize("opt", [None, OptType.OPT_IN])
def test_a_lower_modification_is_an_error_whatever_its_status(status: EventStatus, opt: OptType | None) -> None:
    before = known(event(number=2), opt)
    taken = take(event(number=1, status=status, value=3.0), known_as=(before,))
    assert asks(taken) == []
    assert taken.tell == []
    assert answers(taken) == {"event": (450, OptType.OPT_OUT, 1)}
    assert taken.known == {"event": before}, "nothing changes"


@pytest.mark.rule(59, 36)
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("opt", [None, OptType.OPT_IN])
def test_a_cancelled_event_is_deleted_told_and_agreed_to(number: int, opt: OptType | None) -> None:
    listed = event(number=number, status=EventStatus.CANCELLED)
    taken = take(listed, known_as=(known(event(number=1), opt),))
    assert taken.tell == [listed]
    assert asks(taken) == []
    assert taken.known == {}
    assert answers(taken) == {"event": (200, OptType.OPT_IN, number)}


@pytest.mark.rule(60)
def test_a_cancelled_event_that_is_not_known_is_ignored_and_answered() -> None:
    taken = take(event(number=4, status=EventStatus.CANCELLED))
    assert (taken.tell, taken.ask, taken.known) == ([], {}, {})
    assert answers(taken) == {"event": (200, OptType.OPT_IN, 4)}


@pytest.mark.rule(61)
def test_an_event_that_is_missing_is_cancelled_by_that() -> None:
    taken = take(known_as=(known(event()),))
    assert [one.event_descriptor.event_status for one in taken.tell] == [EventStatus.CANCELLED]
    assert taken.known == {}
    assert answers(taken) == {}, "it is not listed, so there is nothing to answer"


@pytest.mark.rule(61)
def test_an_event_that_is_missing_because_it_is_over_is_no_news() -> None:
    taken = take(known_as=(known(event(begin=NONE, length=HOUR)),), after=HOUR)
    assert (taken.tell, taken.known) == ([], {})


@pytest.mark.rule(27, 61)
def test_a_list_that_was_cut_short_cancels_nothing() -> None:
    before = known(event("kept"))
    taken = take(event("new"), known_as=(before,), complete=False)
    assert taken.tell == []
    assert taken.known["kept"] == before


@pytest.mark.rule(12, 62, 206)
@pytest.mark.parametrize(
    ("listed", "before"),
    [
        (event(required=NEVER), ()),
        (event(required=NEVER, number=1), (known(event(required=NEVER)),)),
        (event(required=NEVER), (known(event(required=NEVER)),)),
        (event(required=NEVER), (known(event(required=NEVER, number=1)),)),
        (event(required=NEVER, status=EventStatus.CANCELLED), (known(event(required=NEVER)),)),
        (event(required=NEVER, status=EventStatus.CANCELLED), ()),
    ],
    ids=["new", "higher", "same", "lower", "cancelled", "cancelled and unknown"],
)
def test_an_event_that_must_not_be_answered_is_not(listed: EiEvent, before: tuple[KnownEvent, ...]) -> None:
    taken = take(listed, known_as=before)
    for one, _ in taken.ask.values():
        taken.respond(one, EventDecision(opt_type=OptType.OPT_IN))
    assert (taken.responses, taken.undecided) == ({}, {})


@pytest.mark.rule(19)
def test_one_bad_event_does_not_keep_the_others_from_being_taken() -> None:
    taken = take(
        event("new"),
        event("old", number=1),
        event("same"),
        known_as=(
            known(event("old", number=2)),
            known(event("same"), OptType.OPT_IN),
            known(event("gone")),
        ),
    )
    assert asks(taken) == [("new", 0, False)]
    assert answers(taken) == {"old": (450, OptType.OPT_OUT, 1), "same": (200, OptType.OPT_IN, 0)}
    assert [one.event_descriptor.event_id for one in taken.tell] == ["gone"]
    assert set(taken.known) == {"new", "old", "same"}


@pytest.mark.rule(70)
def test_an_event_that_is_listed_twice_counts_as_listed_in_turn() -> None:
    taken = take(event(), event(number=1))
    assert asks(taken) == [("event", 1, True)]
    assert taken.known["event"].event == event(number=1)
    taken = take(event(), event())
    assert asks(taken) == [("event", 0, False)]
    taken = take(event(), event(number=1, status=EventStatus.CANCELLED))
    assert (asks(taken), taken.known) == ([], {})
    assert answers(taken) == {"event": (200, OptType.OPT_IN, 1)}
    taken = take(event(number=1, status=EventStatus.CANCELLED), event(number=2))
    assert asks(taken) == [("event", 2, False)]


@pytest.mark.rule(58, 62, 70)
def test_an_older_modification_beside_a_newer_one_is_refused_and_the_newer_one_answered_all_the_same() -> None:
    taken = take(event(number=2), event(number=1))
    assert asks(taken) == [("event", 2, False)]
    assert answers(taken) == {"event": (450, OptType.OPT_OUT, 1)}
    assert taken.undecided == {("event", 2): "list"}
    taken.respond(event(number=2), EventDecision(opt_type=OptType.OPT_IN))
    assert {key: one.response_code for key, one in taken.responses.items()} == {("event", 1): 450, ("event", 2): 200}
    taken = take(event(number=1), event(number=2), known_as=(known(event(number=1)),))
    assert (answers(taken), undecided(taken)) == ({}, {"event"}), "what is superseded in one list is not answered"


@pytest.mark.rule(62)
def test_a_list_that_was_cut_short_leaves_nothing_of_the_one_before_unanswered() -> None:
    earlier = take(event("asked"), event("told", status=EventStatus.CANCELLED), event("both"))
    later = take(event("both"), known_as=tuple(earlier.known.values()), complete=False)
    later.take_over(earlier)
    assert undecided(later) == {"asked", "both"}
    assert answers(later) == {"told": (200, OptType.OPT_IN, 0)}


LISTED = st.lists(
    st.builds(
        event,
        st.sampled_from("abc"),
        number=st.integers(0, 3),
        status=st.sampled_from([EventStatus.FAR, EventStatus.CANCELLED, EventStatus.ACTIVE]),
        required=st.sampled_from(ResponseRequired),
        length=st.sampled_from([MINUTE, HOUR]),
    ),
    max_size=5,
)


@given(st.lists(LISTED, max_size=5), st.booleans(), st.sampled_from([None, *OptType]))
def test_any_lists_can_be_taken_one_after_the_other(
    lists: list[list[EiEvent]], complete: bool, opt: OptType | None
) -> None:
    store: tuple[KnownEvent, ...] = ()
    for number, listed in enumerate(lists):
        taken = take(*listed, known_as=store, complete=complete, after=HOUR * number)
        for one, _ in taken.ask.values():
            event_id = one.event_descriptor.event_id
            assert taken.known[event_id].event == one, "what is asked about is what is known"
            if opt is not None:
                decision = EventDecision(opt_type=opt)
                taken.known[event_id] = decided(taken.known[event_id], decision)
                taken.respond(one, decision)
        always = {one.event_descriptor.event_id for one in listed if one.response_required is ALWAYS}
        answered = {event_id for event_id, _ in (*taken.responses, *taken.undecided)}
        assert answered <= always
        only_always = {
            key
            for key in always
            if all(one.response_required is ALWAYS for one in listed if one.event_descriptor.event_id == key)
        }
        assert only_always <= answered, "every event that needs an answer has one (rule 62)"
        if complete:
            assert set(taken.known) <= {one.event_descriptor.event_id for one in listed}
        store = tuple(taken.known.values())
        assert len(set(ids(store))) == len(store)


# --- the parts -------------------------------------------------------------------------------------------------------


@pytest.mark.rule(56, 57, 58, 59, 60)
def test_the_comparison_says_what_the_table_of_the_profile_says() -> None:
    numbers = {"known": 2, "missing": 0}
    listed = [event("known", number=number) for number in (2,)]
    found = compare(numbers, [*listed, event("new", number=5)], complete=True)
    assert [(one.event_id, one.found) for one in found] == [
        ("known", EventAtVenInput.SAME),
        ("new", EventAtVenInput.NEW),
        ("missing", EventAtVenInput.MISSING),
    ]


def test_where_an_event_stands_follows_from_what_is_remembered() -> None:
    assert state_of(None) is EventAtVen.UNKNOWN
    assert state_of(known(event(), None)) is EventAtVen.DECIDING
    assert state_of(known(event())) is EventAtVen.DECIDED


def test_a_decision_is_remembered_with_its_code_and_text() -> None:
    after = decided(known(event(), None), EventDecision(opt_type=OptType.OPT_OUT, code=469, description="broken"))
    assert (after.opt_type, after.code, after.description) == (OptType.OPT_OUT, 469, "broken")


@pytest.mark.rule(30, 47, 66)
@pytest.mark.parametrize(
    ("one", "until"),
    [
        (event(begin=NONE, length=HOUR), HOUR),
        (event(begin=NONE, length=HOUR, startafter=MINUTE), HOUR + MINUTE),
        (event(begin=NONE, length=NONE), None),
    ],
)
def test_an_event_is_over_at_its_end_and_after_the_window_of_its_random_start(
    one: EiEvent, until: timedelta | None
) -> None:
    tick = timedelta(microseconds=1)
    if until is None:
        assert not is_over(one, NOON + HOUR * 100_000)
    else:
        assert not is_over(one, NOON + until - tick)
        assert is_over(one, NOON + until)


def test_an_event_that_is_cancelled_is_the_same_but_for_its_status() -> None:
    assert cancelled(event(number=2)) == event(number=2, status=EventStatus.CANCELLED)
