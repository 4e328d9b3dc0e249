"""What a VTN does about one input of one VEN: a pure function over the VEN's record.

:func:`step` looks at nothing but its arguments and changes nothing but its result, so a VTN may take it in memory, or
inside a database transaction on any of many machines. Questions to the application are part of the result; what it
decides comes back as an input of its own.
"""

from oadr_core.vtn_step.step import step
from oadr_core.vtn_step.turn import (
    Answered,
    Ask,
    Asked,
    Decided,
    Hand,
    Input,
    Notice,
    PushFailed,
    PushRefused,
    Queue,
    Shared,
    Step,
    VtnConfig,
)

__all__ = [
    "Answered",
    "Ask",
    "Asked",
    "Decided",
    "Hand",
    "Input",
    "Notice",
    "PushFailed",
    "PushRefused",
    "Queue",
    "Shared",
    "Step",
    "VtnConfig",
    "step",
]
