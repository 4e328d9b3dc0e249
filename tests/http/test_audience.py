"""One event for many VENs over HTTP, as an application makes it."""

import re
from collections.abc import Iterable
from typing import Any

import pytest

from oadr_core import AnswerState, Audience, Enrolment, LocalProtocolError, OptReceived
from oadr_http import OpenADRServer
from tests.http.watch import Told, Watch, intervals, ven, vtn

pytestmark = pytest.mark.anyio


def made(there: OpenADRServer, **whom: Any) -> str:
    return there.add_event(whom.pop("ven_id", None), "SIMPLE", "level", intervals(1), **whom)


@pytest.mark.rule(22, 61)
async def test_a_ven_gets_the_events_of_its_group_and_loses_them_when_it_leaves() -> None:
    told, theirs = Told(), Watch()
    there = vtn(observe=theirs)
    there.add_handler("on_create_party_registration", lambda: ("ven-7", "reg-7"))
    event_id = made(there, audience={"group_ids": ["east"]})
    there.enrol("ven-7", group_ids="east", market_contexts=["http://program.example"])
    assert there.vens_of(event_id) == ["ven-7"]
    async with there.running():
        here = ven(there.url)

        async def on_event(event: dict[str, Any]) -> str:
            told.note("on_event", event)
            return "optIn"

        async def on_update_event(event: dict[str, Any]) -> str:
            told.note("on_update_event", event)
            return "optIn"

        here.add_handler("on_event", on_event)
        here.add_handler("on_update_event", on_update_event)
        async with here.running():
            (event,) = await told.hears("on_event")
            assert event["event_descriptor"]["event_id"] == event_id
            opted = await theirs.sees(OptReceived)
            (answer,) = there.answers(event_id)
            assert (answer.ven_id, answer.state) == ("ven-7", AnswerState.ANSWERED)
            assert (answer.opt_type, answer.late) == (opted.opt_type, opted.late)
            there.enrol("ven-7")
            (gone,) = await told.hears("on_update_event")
            assert gone["event_descriptor"]["event_status"] == "cancelled", "an implied cancel"


@pytest.mark.parametrize(
    ("whom", "expected"),
    [
        ({"ven_id": "ven-1"}, Audience(ven_ids=("ven-1",))),
        ({"ven_id": ["ven-1", "ven-2", "ven-1"]}, Audience(ven_ids=("ven-1", "ven-2"))),
        ({"audience": Audience(everyone=True)}, Audience(everyone=True)),
        ({"audience": {"resource_ids": ["boiler"]}}, Audience(resource_ids=("boiler",))),
        ({"targets": [{"group_id": "east"}, {"party_id": "acme"}]}, Audience(group_ids=("east",), party_ids=("acme",))),
        ({"targets_by_type": {"resource_id": ["boiler"]}}, Audience(resource_ids=("boiler",))),
        ({"ven_id": "ven-1", "target": {"group_id": "east"}}, Audience(ven_ids=("ven-1",))),
    ],
    ids=str,
)
async def test_whom_an_event_is_for_has_several_forms(whom: dict[str, Any], expected: Audience) -> None:
    there = vtn()
    assert there.events[made(there, **whom)].audience == expected


@pytest.mark.parametrize(
    ("whom", "text"),
    [
        ({}, "for no VEN"),
        ({"ven_id": "ven-1", "audience": Audience(everyone=True)}, "ven_id or audience, not both"),
        ({"audience": {"group": ["east"]}}, "unknown field `group`"),
        ({"targets": [{"pnode": "node"}]}, "for no VEN"),
    ],
)
async def test_an_event_for_nobody_or_for_two_sorts_of_them_is_a_local_mistake(whom: dict[str, Any], text: str) -> None:
    there = vtn()
    with pytest.raises(LocalProtocolError, match=re.escape(text)):
        made(there, **whom)
    assert not there.events


async def test_the_audience_of_an_event_may_be_changed() -> None:
    there = vtn()
    event_id = made(there, ven_id="ven-1")
    there.modify_event(there.events[event_id].event, audience={"group_ids": ["east"]})
    there.enrol("ven-2", group_ids=["east"])
    assert there.vens_of(event_id) == ["ven-2"]
    with pytest.raises(LocalProtocolError, match="not for the VEN"):
        there.cancel_event("ven-1", event_id)
    there.cancel_event("ven-2", event_id)


@pytest.mark.parametrize("several", [("a", "b"), ["a", "b"], {"a": 1, "b": 2}.keys()], ids=["tuple", "list", "keys"])
async def test_what_a_ven_belongs_to_is_given_in_any_form_of_a_list(several: Iterable[str]) -> None:
    there = vtn()
    there.enrol("ven-1", party_ids=several)
    assert there.enrolments == {"ven-1": Enrolment(party_ids=("a", "b"))}


@pytest.mark.rule(18)
async def test_an_event_that_overlaps_another_is_made_and_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    there = vtn()
    first, second = made(there, ven_id="ven-1"), made(there, audience=Audience(everyone=True))
    assert there.overlaps(second) == (first,)
    async with there.running():
        there.cancel_event(event_id=first)
        assert f"event {second} overlaps {first}" in caplog.text
    assert there.overlaps(second) == ()
