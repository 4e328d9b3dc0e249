"""Telling a message from one that was seen before (section 10.6.4 of the profile, rule 514, decision D39).

Every signature carries the time of sending and a nonce. A time too far from now, either way, is refused; the nonces of
the others are remembered for each signer until their time would be refused anyway. Three things keep that safe:

- It is bounded. Where too much is remembered, what was signed earliest is forgotten, and from then on whatever was
  signed at that time or before is refused: to forget never lets anything in twice, and a signer that sends too much
  hurts only itself.
- It is one for all that listen in a process: they share a core, and a core has one sealer.
- It outlives a restart without being written down. What was signed before the start may have been taken by an earlier
  run, so it is refused with "try again", and a sealer signs each try anew. Only a signer whose clock is ahead needs
  more, as its messages from before the start claim to be from after it: its record says up to which time it has been
  heard, a little rounded up, see :meth:`ReplayGuard.recall`. So an ordinary message costs no write.
"""

import hashlib
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from oadr_core.clock import Now
from oadr_core.errors import SealError, SealTooOld
from oadr_core.seal.opened import Opened

TOLERANCE: Final = timedelta(minutes=1)
"""How far the time of a signature may be from now, both ways, if nothing else is said."""


_STEP: Final = timedelta(seconds=30)
"""By how much the time up to which a signer was heard is rounded up, so that it is saved seldom."""


def signed_ahead(opened: Opened, signer: str | None, known: datetime | None, now: Now) -> datetime | None:
    """Work out what a record of a signer has to remember after a message of it.

    :param opened: the message.
    :param signer: the signer that the record is of.
    :param known: up to which time the record says that it was heard.
    :param now: the present.
    :returns: the time that has to be saved before anything follows from the message; None where nothing has to be.
    """
    signed_at = opened.signed_at
    if signed_at is None or opened.signer != signer or signed_at <= now.utc or (known and signed_at <= known):
        return None
    return signed_at + _STEP


class _Signer:
    """What is remembered of a signer.

    :ivar nonces: by nonce, in a short form, when it was signed.
    :ivar until: whatever was signed up to here is refused.
    :ivar latest: the latest time of any.
    """

    __slots__ = ("latest", "nonces", "until")

    def __init__(self, until: float) -> None:
        self.nonces: dict[bytes, float] = {}
        self.until = until
        self.latest = until


class ReplayGuard:
    """Remembers what was signed lately.

    :param tolerance: how far the time of a signature may be from now, both ways.
    :param since: what was signed at that time or before may have been taken by an earlier run; None where there was
        none.
    :param most_of_one: how many nonces of one signer are remembered.
    :param most: how many are remembered in all.
    """

    def __init__(
        self,
        tolerance: timedelta = TOLERANCE,
        *,
        since: datetime | None = None,
        most_of_one: int = 10_000,
        most: int = 1_000_000,
    ) -> None:
        self.tolerance: Final = tolerance
        self._since = 0.0 if since is None else since.timestamp()
        self._most_of_one = most_of_one
        self._most = most
        self._signers: OrderedDict[str, _Signer] = OrderedDict()  # the one that was heard last stands last
        self._count = 0
        self._floor = self._since  # of signers that are not remembered

    def __len__(self) -> int:
        """How many nonces are remembered."""
        return self._count

    def recall(self, signer: str, until: datetime) -> None:
        """Take note that an earlier run has heard a signer up to a time."""
        known = self._signers.setdefault(signer, _Signer(self._floor))
        known.until = max(known.until, until.timestamp())
        known.latest = max(known.latest, known.until)

    def check(self, signer: str, signed_at: datetime, nonce: str, now: datetime) -> None:
        """See whether a message is a new one, and remember it.

        :param signer: who has signed it; the signature has been verified.
        :param signed_at: when, as it says.
        :param nonce: what it was signed with, that no other message has.
        :param now: the present.
        :raises SealTooOld: it may have been taken before; one that is signed anew may be taken.
        :raises SealError: the time is too far from now, or the message was taken before.
        """
        ahead = signed_at - now
        if abs(ahead) > self.tolerance:
            how = f"{abs(ahead).total_seconds():.0f} s {'ahead' if ahead > timedelta(0) else 'ago'}"
            most = f"{self.tolerance.total_seconds():.0f} s"
            raise SealError(f"it was signed {how}, and at most {most} are taken either way; are both clocks right?")
        before = (now - self.tolerance).timestamp()
        self._forget_silent(before)
        known = self._signers.get(signer)
        when = signed_at.timestamp()
        if when <= (self._floor if known is None else known.until):
            raise SealTooOld("it was signed at a time of which no longer everything is remembered; sign it anew")
        if known is None:
            known = self._signers[signer] = _Signer(self._floor)
        short = hashlib.blake2b(nonce.encode(), digest_size=16).digest()
        if short in known.nonces:
            raise SealError("its nonce was used before: it is a replay")
        self._signers.move_to_end(signer)
        self._forget_expired(known, before)
        known.nonces[short] = when
        known.latest = max(known.latest, when)
        self._count += 1
        self._bound(known)

    def _forget_expired(self, known: _Signer, before: float) -> None:
        """Forget what would be refused for its time, as far as it came first; they come about in the order of time."""
        while known.nonces:
            first = next(iter(known.nonces))
            if known.nonces[first] >= before:
                return
            del known.nonces[first]
            self._count -= 1

    def _forget_silent(self, before: float) -> None:
        """Forget signers that were not heard for long: two at a time, so that no message pays for all."""
        for _ in range(2):
            signer = next(iter(self._signers), None)
            if signer is None or self._signers[signer].latest >= before:
                return
            self._count -= len(self._signers.pop(signer).nonces)

    def _bound(self, known: _Signer) -> None:
        """Forget the earliest of a signer that sends too much, and of whom was not heard for longest."""
        if len(known.nonces) > self._most_of_one:
            until = sorted(known.nonces.values())[len(known.nonces) // 4]
            kept = {nonce: when for nonce, when in known.nonces.items() if when > until}
            self._count -= len(known.nonces) - len(kept)
            known.nonces, known.until = kept, max(known.until, until)
        while self._count > self._most and len(self._signers) > 1:
            _, one = self._signers.popitem(last=False)
            self._count -= len(one.nonces)
            self._floor = max(self._floor, one.latest)
