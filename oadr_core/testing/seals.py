"""How the documents of a check are sealed: without signatures, or signed with real keys."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from oadr_core.entropy import Entropy
from oadr_core.seal import Accepted, PlainSealer, ReplayGuard, Sealer, SigningKey, SigningSealer, Trust


class Seals(Protocol):
    """Makes the sealers of a VTN and its VENs."""

    def of_vtn(self, entropy: Entropy, since: datetime | None = None) -> Sealer:
        """Make the sealer of the VTN.

        :param entropy: the source of nonces.
        :param since: when it was started again: an earlier run may have taken what was signed before; None for a first
            start.
        """
        ...

    def of_ven(self, name: str, entropy: Entropy, since: datetime | None = None) -> Sealer:
        """Make the sealer of a VEN, or of a stranger.

        :param name: whose.
        :param entropy: the source of nonces.
        :param since: when it was started again; see :meth:`of_vtn`.
        """
        ...


class PlainSeals:
    """Nothing is signed."""

    def of_vtn(self, entropy: Entropy, since: datetime | None = None) -> Sealer:
        """Make the sealer of the VTN; see :class:`Seals`."""
        return PlainSealer()

    def of_ven(self, name: str, entropy: Entropy, since: datetime | None = None) -> Sealer:
        """Make the sealer of a VEN; see :class:`Seals`."""
        return PlainSealer()


class SignedSeals:
    """Everything is signed, and nothing is taken that is not (rule 514).

    The VTN believes whoever has a valid certificate, and ties it to the VEN that registers with it; VENs believe the
    certificate of the VTN alone.

    :param vtn: what the VTN signs with.
    :param of_ven: gives what a VEN or a stranger signs with, by its name: always the same for one name, and another for
        each. Where the transport shows certificates of VENs as well, it has to be the same one (section 10.5.1).
    :param prefixes: whether names have prefixes; without, a document survives servers that give them others, such as
        those of XMPP.
    """

    def __init__(self, vtn: SigningKey, of_ven: Callable[[str], SigningKey], *, prefixes: bool = True) -> None:
        self._vtn = vtn
        self._of_ven = of_ven
        self._prefixes = prefixes

    def of_vtn(self, entropy: Entropy, since: datetime | None = None) -> Sealer:
        """Make the sealer of the VTN; see :class:`Seals`."""
        return self._sealer(self._vtn, Trust(), entropy, since)

    def of_ven(self, name: str, entropy: Entropy, since: datetime | None = None) -> Sealer:
        """Make the sealer of a VEN; see :class:`Seals`."""
        vtn = Trust(fingerprints=[self._vtn.certificate.fingerprint])
        return self._sealer(self._of_ven(name), vtn, entropy, since)

    def _sealer(self, key: SigningKey, trust: Trust, entropy: Entropy, since: datetime | None) -> Sealer:
        return SigningSealer(
            entropy,
            key=key,
            trust=trust,
            accepted=Accepted(exclusive=not self._prefixes),
            replay=ReplayGuard(since=since),
            prefixes=self._prefixes,
        )
