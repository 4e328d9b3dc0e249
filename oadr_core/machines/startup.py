"""A VEN's way from power-up to its steady state (sections 8.3.2.1 and 8.4 of the profile, rules 301, 309, 401, 405)."""

from enum import Enum
from typing import Final

from oadr_core.machines.table import Machine


class Startup(Enum):
    """How far a VEN has come."""

    OFF = "is not started"
    QUERYING = "asks what the VTN supports"
    REGISTERING = "registers"
    OFFERING = "tells what it can report"
    SYNCHRONISING = "fetches its events"
    RUNNING = "polls, or listens"
    WAITING = "waits before it registers again"


class StartupInput(Enum):
    """What can happen on the way."""

    START = "it is started"
    PRESET = "it speaks 2.0a, and its ids were agreed beforehand"
    QUERIED = "the VTN has said what it supports, or will not"
    REGISTERED = "the VTN has registered it"
    REFUSED = "the VTN does not register it, or cannot be asked"
    OFFERED = "the VTN has taken its offers, or will not"
    SYNCHRONISED = "its events are here, or will not come"
    LOST = "the VTN does not know it any more"
    ENDED = "the VTN has ended the registration"
    ASKED_AGAIN = "the VTN or the application wants it to register again"
    RETRY = "it has waited long enough"
    STOP = "it is stopped"


_STATE, _INPUT = Startup, StartupInput

STARTUP: Final = Machine(
    name="Start-up (VEN)",
    states=Startup,
    inputs=StartupInput,
    initial=Startup.OFF,
    table={
        (_STATE.OFF, _INPUT.START): _STATE.QUERYING,
        (_STATE.OFF, _INPUT.PRESET): _STATE.SYNCHRONISING,
        (_STATE.QUERYING, _INPUT.QUERIED): _STATE.REGISTERING,
        (_STATE.QUERYING, _INPUT.PRESET): _STATE.SYNCHRONISING,  # it falls back to 2.0a (rule 506)
        (_STATE.QUERYING, _INPUT.STOP): _STATE.OFF,
        (_STATE.REGISTERING, _INPUT.REGISTERED): _STATE.OFFERING,
        (_STATE.REGISTERING, _INPUT.REFUSED): _STATE.WAITING,
        (_STATE.REGISTERING, _INPUT.PRESET): _STATE.SYNCHRONISING,
        (_STATE.REGISTERING, _INPUT.LOST): _STATE.REGISTERING,
        (_STATE.REGISTERING, _INPUT.ENDED): _STATE.WAITING,
        (_STATE.REGISTERING, _INPUT.STOP): _STATE.OFF,
        (_STATE.OFFERING, _INPUT.OFFERED): _STATE.SYNCHRONISING,
        (_STATE.OFFERING, _INPUT.LOST): _STATE.REGISTERING,
        (_STATE.OFFERING, _INPUT.ENDED): _STATE.WAITING,
        (_STATE.OFFERING, _INPUT.ASKED_AGAIN): _STATE.REGISTERING,
        (_STATE.OFFERING, _INPUT.STOP): _STATE.OFF,
        (_STATE.SYNCHRONISING, _INPUT.SYNCHRONISED): _STATE.RUNNING,
        (_STATE.SYNCHRONISING, _INPUT.LOST): _STATE.REGISTERING,
        (_STATE.SYNCHRONISING, _INPUT.ENDED): _STATE.WAITING,
        (_STATE.SYNCHRONISING, _INPUT.ASKED_AGAIN): _STATE.REGISTERING,
        (_STATE.SYNCHRONISING, _INPUT.STOP): _STATE.OFF,
        (_STATE.RUNNING, _INPUT.LOST): _STATE.REGISTERING,
        (_STATE.RUNNING, _INPUT.ENDED): _STATE.WAITING,
        (_STATE.RUNNING, _INPUT.ASKED_AGAIN): _STATE.REGISTERING,
        (_STATE.RUNNING, _INPUT.STOP): _STATE.OFF,
        (_STATE.WAITING, _INPUT.RETRY): _STATE.REGISTERING,
        (_STATE.WAITING, _INPUT.ENDED): _STATE.WAITING,  # its ids were still good, as the renewal did not get through
        (_STATE.WAITING, _INPUT.STOP): _STATE.OFF,
    },
)
