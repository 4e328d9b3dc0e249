"""The sealer that signs: "high" security (section 10.6 of the profile, rule 514)."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from oadr_core.clock import Now
from oadr_core.entropy import Entropy
from oadr_core.errors import LocalProtocolError, SealError
from oadr_core.messages import DistributeEvent, Payload, ProfileName
from oadr_core.seal.algorithms import NOTHING_MORE, Accepted, Canonicalization
from oadr_core.seal.certificates import Trust
from oadr_core.seal.checking import SignatureChecker
from oadr_core.seal.keys import SigningKey
from oadr_core.seal.making import Signable, SignatureWriter
from oadr_core.seal.once import MadeOnce
from oadr_core.seal.opened import Opened, Sealer, opened
from oadr_core.seal.plain import PlainSealer
from oadr_core.seal.replay import ReplayGuard
from oadr_core.wire.envelope import read_signed
from oadr_core.wire.parse import LIMITS, Limits


class _Pen(NamedTuple):
    """What is signed with.

    :param writer: signs with a key.
    :param prepared: what was made ready for it; lists of events are the same for many VENs.
    """

    writer: SignatureWriter
    prepared: MadeOnce[Signable]


class SigningSealer:
    """Signs what is sent, and takes what is signed well.

    One is for all that listens and sends in a process with one key, as it remembers what was seen (rule 514).

    :param entropy: the source of nonces.
    :param key: what is signed with; None to send without a signature.
    :param trust: whose signatures are believed; None to look at none, and take every document as it is.
    :param required: whether a document without a signature is refused. If not, it is opened without a signer, and it is
        for who receives it to know whether that peer signs.
    :param accepted: what is accepted beyond the usual.
    :param replay: remembers what was seen; a new one if None. The one that is given says what an earlier run may have
        seen.
    :param canonicalization: how XML is made into octets; what is not on the list of rule 514 is accepted then as well.
    :param prefixes: whether names have prefixes; without, a document survives XMPP servers.
    :param strict: whether to refuse documents that the schema refuses.
    :param limits: how large a document may be.
    :raises LocalProtocolError: there is neither a key nor anybody to be believed.
    """

    def __init__(
        self,
        entropy: Entropy,
        *,
        key: SigningKey | None = None,
        trust: Trust | None = None,
        required: bool = True,
        accepted: Accepted = NOTHING_MORE,
        replay: ReplayGuard | None = None,
        canonicalization: Canonicalization = Canonicalization.INCLUSIVE,
        prefixes: bool = True,
        strict: bool = True,
        limits: Limits = LIMITS,
    ) -> None:
        if key is None and trust is None:
            raise LocalProtocolError("a sealer that signs needs a key, or to know whose signatures it believes")
        if canonicalization is Canonicalization.EXCLUSIVE:
            accepted = msgspec.structs.replace(accepted, exclusive=True)
        self._strict = strict
        self._limits = limits
        self._required = required
        self._replay = ReplayGuard() if replay is None else replay
        self._plain = PlainSealer(strict=strict, limits=limits)
        self._entropy = entropy
        self._canonicalization = canonicalization
        self._prefixes = prefixes
        self._accepted = accepted
        self._pen = None if key is None else self._with(key)
        self._checker = None if trust is None else SignatureChecker(trust, self._replay, accepted, limits)

    def _with(self, key: SigningKey) -> "_Pen":
        writer = SignatureWriter(key, self._entropy, canonicalization=self._canonicalization, prefixes=self._prefixes)
        return _Pen(writer, MadeOnce())

    def renew(self, *, key: SigningKey | None, trust: Trust | None) -> None:
        """Go on with another key, and believe others; what was seen stays remembered.

        :param key: what is signed with from now on.
        :param trust: whose signatures are believed from now on.
        :raises LocalProtocolError: one of them was given before and is not now, or the other way round.
        """
        if (key is None) != (self._pen is None) or (trust is None) != (self._checker is None):
            raise LocalProtocolError("a sealer cannot begin to sign or to check signatures, or cease to")
        self._pen = None if key is None else self._with(key)
        self._checker = None if trust is None else SignatureChecker(trust, self._replay, self._accepted, self._limits)

    # --- sealing -----------------------------------------------------------------------------------------------------

    @property
    def signs(self) -> bool:
        """Whether what it seals is signed; see :class:`~oadr_core.seal.opened.Sealer`."""
        return self._pen is not None

    def seal(self, message: Payload, now: Now) -> bytes:
        """Write a message and sign it; see :class:`~oadr_core.seal.opened.Sealer`."""
        pen = self._pen
        if pen is None:
            return self._plain.seal(message, now)
        if isinstance(message, DistributeEvent):
            return pen.writer.sign(pen.prepared.of(message, pen.writer.prepare), now)
        return pen.writer.sign(pen.writer.prepare(message), now)

    # --- opening -----------------------------------------------------------------------------------------------------

    @property
    def requires(self) -> bool:
        """Whether it refuses what is not signed; see :class:`~oadr_core.seal.opened.Sealer`."""
        return self._checker is not None and self._required

    def open(self, data: bytes, now: Now) -> Opened:
        """Read a document and check its signature; see :class:`~oadr_core.seal.opened.Sealer`."""
        checker = self._checker
        if checker is None:
            return self._plain.open(data, now)
        checked = checker.check(data, now)
        if checked is None:
            if self._required:
                raise SealError("it is not signed, and what is not signed is ignored here (rule 514)")
            return self._plain.open(data, now)
        document = read_signed(data, checked.root, checked.covered, strict=self._strict)
        return opened(document, checked.signer.fingerprint, checked.signed_at)

    def recall(self, signer: str, until: datetime) -> None:
        """Take note of what an earlier run has seen; see :class:`~oadr_core.seal.opened.Sealer`."""
        self._replay.recall(signer, until)

    # --- others of its kind ------------------------------------------------------------------------------------------

    def speaking(self, profile: ProfileName) -> Sealer:
        """Give a sealer for a profile; 2.0a has no signatures (section 7.1)."""
        return self if profile is ProfileName.V20B else self._plain.speaking(profile)

    def towards(self, signer: str | None) -> Sealer:
        """Give the one for a peer; see :class:`~oadr_core.seal.opened.Sealer`."""
        only_some = self._checker is not None and not self._required
        return self._plain if only_some and signer is None else self
