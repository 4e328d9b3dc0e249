"""Who said it: opening documents with proof of their origin, and sealing ours."""

from oadr_core.seal.fingerprint import fingerprint, normalised
from oadr_core.seal.opened import Opened, Peer, Sealer
from oadr_core.seal.plain import PlainSealer

__all__ = ["Opened", "Peer", "PlainSealer", "Sealer", "fingerprint", "normalised"]
