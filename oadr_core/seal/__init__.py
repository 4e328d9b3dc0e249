"""Who said it: opening documents with proof of their origin, and sealing ours."""

from oadr_core.seal.algorithms import Accepted, Canonicalization
from oadr_core.seal.certificates import Trust, certificate_is_for
from oadr_core.seal.fingerprint import all_normalised, certificate_after, fingerprint, normalised
from oadr_core.seal.keys import SigningKey
from oadr_core.seal.opened import Opened, Peer, Sealer
from oadr_core.seal.plain import PlainSealer
from oadr_core.seal.replay import ReplayGuard, signed_ahead
from oadr_core.seal.signing import SigningSealer

__all__ = [
    "Accepted",
    "Canonicalization",
    "Opened",
    "Peer",
    "PlainSealer",
    "ReplayGuard",
    "Sealer",
    "SigningKey",
    "SigningSealer",
    "Trust",
    "all_normalised",
    "certificate_after",
    "certificate_is_for",
    "fingerprint",
    "normalised",
    "signed_ahead",
]
