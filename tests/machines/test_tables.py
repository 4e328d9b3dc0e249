"""Every cell of every table: where each input leads in each state, and that all others are not allowed.

What is expected is written down once more, from the profile, as grids that read like it: a line for each input, a
column for each state, the next state in the cell, and a dot where the input is not allowed.
"""

import ast
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final

import pytest

import oadr_core
from docs.machines import all_machines
from oadr_core.machines.table import Machine, NotAllowed

GRIDS: Final[Mapping[str, str]] = {
    # sections 8.3.2.1 and 8.4, rules 301, 309, 401, 405: query, register, offer, fetch the events, then the rest
    "STARTUP": """
                OFF       QUERYING     REGISTERING  OFFERING       SYNCHRONISING  RUNNING      WAITING
START           QUERYING  .            .            .              .              .            .
PRESET          SYNCHRONISING SYNCHRONISING SYNCHRONISING .         .              .            .
QUERIED         .         REGISTERING  .            .              .              .            .
REGISTERED      .         .            OFFERING     .              .              .            .
REFUSED         .         .            WAITING      .              .              .            .
OFFERED         .         .            .            SYNCHRONISING  .              .            .
SYNCHRONISED    .         .            .            .              RUNNING        .            .
LOST            .         .            REGISTERING  REGISTERING    REGISTERING    REGISTERING  .
ENDED           .         .            WAITING      WAITING        WAITING        WAITING      WAITING
ASKED_AGAIN     .         .            .            REGISTERING    REGISTERING    REGISTERING  .
RETRY           .         .            .            .              .              .            REGISTERING
STOP            .         OFF          OFF          OFF            OFF            OFF          OFF
""",
    # section 8.4, rules 400 to 407: a VEN has one request about its registration under way, and the VTN may end it
    "REGISTRATION": """
                  UNREGISTERED  REGISTERING   REGISTERED     REREGISTERING  CANCELLING
SEND_CREATE       REGISTERING   .             REGISTERING    .              .
SEND_CREATE_AGAIN .             .             REREGISTERING  .              .
SEND_CANCEL       .             .             CANCELLING     .              .
ACCEPTED          .             REGISTERED    .              REGISTERED     .
REFUSED           .             UNREGISTERED  .              UNREGISTERED   REGISTERED
GIVEN_UP          .             UNREGISTERED  .              REGISTERED     REGISTERED
CANCELED          .             .             .              .              UNREGISTERED
CANCELED_BY_VTN   .             .             UNREGISTERED   UNREGISTERED   UNREGISTERED
UNKNOWN_TO_VTN    UNREGISTERED  REGISTERING   UNREGISTERED   UNREGISTERED   UNREGISTERED
""",
    # sections 9.1.4 to 9.1.7: sent, then answered, refused, or set aside and sent again
    "EXCHANGE": """
            QUEUED     IN_FLIGHT  SET_ASIDE  ANSWERED  ABANDONED
TRANSMIT    IN_FLIGHT  .          .          .         .
ANSWER      .          ANSWERED   .          .         .
FAIL        .          SET_ASIDE  .          .         .
REFUSE      .          ABANDONED  .          .         .
RESUME      .          .          QUEUED     .         .
WITHDRAW    ABANDONED  ABANDONED  ABANDONED  .         .
""",
    # section 8.6, annex C, rule 500: handing out proves nothing, the answer does, also when it comes late
    "DELIVERY": """
            QUEUED     OFFERED    ANSWERED  WITHDRAWN
OFFER       OFFERED    .          .         .
ANSWER      ANSWERED   ANSWERED   .         .
EXPIRE      .          QUEUED     .         .
WITHDRAW    WITHDRAWN  WITHDRAWN  .         .
""",
    # rules 12 and 56 to 61; a first appearance with any modification number is new, a lower one changes nothing
    "EVENT_AT_VEN": """
            UNKNOWN   DECIDING  DECIDED   GONE
NEW         DECIDING  .         .         .
HIGHER      .         DECIDING  DECIDING  .
SAME        .         DECIDING  DECIDED   .
LOWER       .         DECIDING  DECIDED   .
UNUSABLE    UNKNOWN   DECIDING  DECIDED   .
CANCELLED   UNKNOWN   GONE      GONE      .
MISSING     .         GONE      GONE      .
DECISION    .         DECIDED   DECIDED   .
END         .         GONE      GONE      .
""",
    # rules 16, 17, 50, 52 and 61: told until answered, again when changed, a cancel until it is acknowledged; one that
    # is no longer for the VEN is an implied cancel, and new to it should it come back
    "EVENT_AT_VTN": """
            UNTOLD   TOLD     SETTLED  LEFT    GONE
OFFER       TOLD     TOLD     SETTLED  .       .
ANSWER      SETTLED  SETTLED  SETTLED  .       .
EXPIRE      .        UNTOLD   .        .       .
CHANGE      UNTOLD   UNTOLD   UNTOLD   .       .
ACKNOWLEDGE GONE     GONE     GONE     .       .
LEAVE       LEFT     LEFT     LEFT     LEFT    .
RETURN      .        .        .        UNTOLD  .
""",
    # rules 306, 325, 329, 336 and 345: reports are made until cancelled, replaced or over; with one to follow, once
    # more; the last one is pending until it is delivered
    "REPORT_AT_SOURCE": """
                  REFUSED  RUNNING  LAST   MADE   ENDED
ACCEPT            RUNNING  .        .      .      .
REPEAT            .        RUNNING  LAST   MADE   .
MAKE              .        RUNNING  MADE   MADE   .
MAKE_LAST         .        MADE     MADE   MADE   .
DELIVERED         .        RUNNING  LAST   ENDED  .
CANCEL            .        ENDED    ENDED  ENDED  .
CANCEL_AFTER_NEXT .        LAST     LAST   MADE   .
REPLACE           .        ENDED    ENDED  ENDED  .
END               .        ENDED    ENDED  MADE   .
""",
    # the same at the other side, which learns of it by answers and by reports (rules 328, 329 and 335)
    "REPORT_AT_REQUESTER": """
                ASKED    RUNNING  ENDING  ENDED
CONFIRM         RUNNING  RUNNING  ENDING  .
REFUSE          ENDED    .        .       .
CANCEL          ENDING   ENDING   ENDING  .
CONFIRM_CANCEL  .        .        ENDED   .
REPLACE         ENDED    ENDED    ENDED   .
END             ENDED    ENDED    ENDED   .
""",
}

MACHINES: Final[Mapping[str, Machine[Any, Any]]] = {name: machine for _, name, machine in all_machines()}


def cells() -> list[Any]:
    """Every state and input of every machine, with the state that is expected to follow, or a dot."""
    found = []
    for name, grid in GRIDS.items():
        heads, *lines = (line.split() for line in grid.strip().splitlines())
        for given, *after in lines:
            assert len(after) == len(heads), f"{name}: the line {given} has {len(after)} cells"
            found += [
                pytest.param(name, state, given, cell, id=f"{name}-{state}-{given}")
                for state, cell in zip(heads, after, strict=True)
            ]
    return found


@pytest.mark.parametrize(("name", "state", "given", "expected"), cells())
def test_each_cell_leads_where_the_protocol_says(name: str, state: str, given: str, expected: str) -> None:
    machine = MACHINES[name]
    before, what = machine.states[state], machine.inputs[given]
    if expected == ".":
        assert not machine.allows(before, what)
        with pytest.raises(NotAllowed, match=f"{given} is not allowed in state {state}"):
            machine.step(before, what)
    else:
        assert machine.allows(before, what)
        assert machine.step(before, what) is machine.states[expected]


def test_the_grids_hold_every_state_and_input_of_every_machine() -> None:
    assert set(GRIDS) == set(MACHINES)
    seen = {(one.values[0], one.values[1], one.values[2]) for one in cells()}
    assert seen == {
        (name, state.name, given.name)
        for name, machine in MACHINES.items()
        for state in machine.states
        for given in machine.inputs
    }


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_can_be_reached(name: str) -> None:
    machine = MACHINES[name]
    reached: set[Enum] = set()
    ahead = {machine.initial}
    while ahead:
        reached |= ahead
        ahead = {after for state, _, after in machine.transitions() if state in ahead} - reached
    assert reached == set(machine.states)


@pytest.mark.parametrize("name", MACHINES)
def test_every_input_is_taken_somewhere(name: str) -> None:
    machine = MACHINES[name]
    assert {given for _, given, _ in machine.transitions()} == set(machine.inputs)


@pytest.mark.parametrize("name", MACHINES)
def test_final_states_have_no_way_out_and_the_others_have_one(name: str) -> None:
    machine = MACHINES[name]
    left = {state for state, _, after in machine.transitions() if after is not state}
    assert left == set(machine.states) - machine.final


def test_every_input_is_given_somewhere_in_the_core() -> None:
    """A table whose driver decides by itself where to go would be a drawing and no machine."""
    given = set()
    for path in Path(oadr_core.__file__).parent.rglob("*.py"):
        for node in _outside_tables(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                given.add((node.value.id, node.attr))
    wanted = {(machine.inputs.__name__, one.name) for machine in MACHINES.values() for one in machine.inputs}
    assert wanted <= given, f"never given: {wanted - given}"


def _outside_tables(tree: ast.AST) -> Any:
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "Machine"):
            yield node
            yield from _outside_tables(node)


@pytest.mark.parametrize("name", MACHINES)
def test_states_and_inputs_have_meanings_of_their_own(name: str) -> None:
    machine = MACHINES[name]
    for kind in (machine.states, machine.inputs):
        meanings = [one.value for one in kind]
        assert all(isinstance(one, str) and one.strip() for one in meanings)
        assert len(set(meanings)) == len(list(kind)), "two with one meaning are one"


def test_what_is_not_allowed_names_the_machine() -> None:
    machine = MACHINES["DELIVERY"]
    with pytest.raises(NotAllowed, match=r"Operation \(VTN\): OFFER is not allowed in state ANSWERED"):
        machine.step(machine.states.ANSWERED, machine.inputs.OFFER)
