"""A VTN among VENs that sign, and that do what they like; nothing else tells who they are.

All that holds for the session of a VTN without signatures holds here. Besides, only what a VEN has signed itself
changes anything of it, however often it is repeated, by whomever; and where signatures are required, whatever comes
without one is refused unread.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from random import Random
from typing import Final, cast

from fuzz import sessions
from fuzz.draws import Draws
from fuzz.target import Target
from fuzz.targets.open_signed import key_of
from fuzz.targets.vtn_session import WISHES, VtnSession, body, built_with, certificate_wish
from oadr_core import (
    AutoVtn,
    LocalProtocolError,
    Now,
    Payload,
    Peer,
    ProfileName,
    SchemaError,
    Service,
    SigningSealer,
    Trust,
    VenRecord,
    decode,
)
from oadr_core.core import Core

_VENS: Final = {"a": "ven", "b": "other"}
"""The VENs that are registered, and the names of their keys."""

_PEERS: Final = ((Peer(address="somewhere"), "a"), (Peer(address="elsewhere"), "b"))


def check(data: bytes) -> None:
    """Run the session that an input is."""
    draws = Draws(data)
    chosen, required = draws.byte() % 16, draws.byte() < 128
    saved = [
        VenRecord(ven_id=one, registration_id=f"registration {one}", identity=signer, signer=signer, xml_signature=True)
        for one, signer in ((one, _fingerprint(name)) for one, name in _VENS.items())
    ]

    def built(kept: Mapping[str, bytes], now: Now) -> AutoVtn:
        sealer = SigningSealer(Random(0), key=key_of("vtn"), trust=Trust(), required=required, strict=False)
        return built_with(sealer, chosen, kept, now)

    _SignedSession(draws, built, {one.key: one.dump() for one in saved}, required=required).run()


@cache
def _of_certificates() -> Callable[[Core, Draws, Now], None]:
    return certificate_wish(*map(_fingerprint, ("ven", "other", "mallory")))


@cache
def _fingerprint(name: str) -> str:
    return key_of(name).certificate.fingerprint


class _SignedSession(VtnSession):
    """A session in which it is known who has signed what."""

    def __init__(
        self,
        draws: Draws,
        build: Callable[[Mapping[str, bytes], Now], Core],
        saved: Mapping[str, bytes],
        *,
        required: bool,
    ) -> None:
        self._required = required
        self._signed_by: dict[bytes, str] = {}
        self._nonces = Random(1)
        super().__init__(draws, build, saved=saved, body=body, peers=_PEERS, wishes=(*WISHES, _of_certificates()))

    def said_by_peer(self, asked: Payload | None) -> bytes:
        """A document of a peer, mostly signed by the VEN that it should be from."""
        document = super().said_by_peer(asked)
        which = self.draws.byte()
        if document in self._signed_by or which > 230:
            return document
        name = (
            _VENS.get(self.draws.ids["speaker"][0], "ven") if which < 200 else self.draws.choose(("other", "mallory"))
        )
        try:
            signed = SigningSealer(self._nonces, key=key_of(name)).seal(decode(document, strict=False), self.clock.now)
        except (SchemaError, LocalProtocolError):
            return document
        self._signed_by[signed] = _fingerprint(name)
        return signed

    def may_be_of(self, record: VenRecord, body: bytes, peer: Peer) -> bool:
        """Whether a request can be one of a VEN."""
        return record.signer is None or record.signs_with(self._signed_by.get(body))

    def receive(self, body: bytes, peer: Peer, service: Service | None, profile: ProfileName) -> None:
        """Hand a request to the VTN; without a signature nobody registers where one is required."""
        vens = cast(AutoVtn, self.core).vtn.vens
        before = set(vens)
        super().receive(body, peer, service, profile)
        assert not self._required or body in self._signed_by or set(vens) == before, "somebody has registered unsigned"


TARGET: Final = Target(
    check=check,
    seeds=partial(sessions.seeds, 40, 300),
    modules=(
        "oadr_core.vtn.certificates",
        "oadr_core.vtn.core",
        "oadr_core.vtn.consequences",
        "oadr_core.vtn.identities",
        "oadr_core.vtn.base",
        "oadr_core.vtn.registration",
        "oadr_core.seal.making",
        "oadr_core.seal.replay",
    ),
    longest=2048,
    runs=200,
)
