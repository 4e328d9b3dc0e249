"""A VTN: a record for each VEN, a pure step over it, and the core that carries out what comes of it."""

from oadr_core.vtn.core import Vtn
from oadr_core.vtn.turn import AddressCheck, VtnConfig, any_address

__all__ = ["AddressCheck", "Vtn", "VtnConfig", "any_address"]
