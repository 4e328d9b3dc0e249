"""State machines as tables.

A machine is a mapping from (state, input) to the next state and nothing else: whoever drives it decides which input has
come, asks the table where that leads, and does what belongs to the step. What the table does not list is not allowed.
``docs/machines.md`` is drawn from the same tables.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from oadr_core.errors import ProtocolError

StateT = TypeVar("StateT", bound=Enum)
InputT = TypeVar("InputT", bound=Enum)


class NotAllowed(ProtocolError):
    """A machine does not take an input in its present state; nothing has changed."""


@dataclass(frozen=True)
class Machine(Generic[StateT, InputT]):
    """A state machine.

    :param name: what it is about, for the documentation.
    :param states: the enumeration of its states.
    :param inputs: the enumeration of its inputs.
    :param initial: where it begins.
    :param table: where each input leads.
    :param final: states that need no way out.
    """

    name: str
    states: type[StateT]
    inputs: type[InputT]
    initial: StateT
    table: Mapping[tuple[StateT, InputT], StateT]
    final: frozenset[StateT] = frozenset()

    def allows(self, state: StateT, given: InputT) -> bool:
        """Tell whether an input is listed for a state."""
        return (state, given) in self.table

    def step(self, state: StateT, given: InputT) -> StateT:
        """Follow the table.

        :raises NotAllowed: the input is not listed for the state.
        """
        try:
            return self.table[state, given]
        except KeyError:
            raise NotAllowed(f"{self.name}: {given.name} is not allowed in state {state.name}") from None

    def transitions(self) -> Iterator[tuple[StateT, InputT, StateT]]:
        """All transitions, in the order of the table."""
        for (state, given), after in self.table.items():
            yield state, given, after
