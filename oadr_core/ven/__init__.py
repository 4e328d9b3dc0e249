"""A VEN: what it does when it is told, and what the protocol forces it to."""

from oadr_core.ven.config import VenConfig
from oadr_core.ven.core import Ven

__all__ = ["Ven", "VenConfig"]
