"""Making signatures: detached, before what they sign, with two references (section 10.6.3 of the profile).

Every part that is signed is written in its canonical form into the document, with all namespaces that are in scope
declared on it. So what is signed is what stands there, and no receiver can come to another form.
"""

import base64
import hashlib
from typing import Final

from oadr_core.clock import Now, whole_seconds
from oadr_core.entropy import Entropy, new_id
from oadr_core.messages import Payload
from oadr_core.messages.namespaces import NAMESPACES
from oadr_core.seal.algorithms import Canonicalization, Digest
from oadr_core.seal.keys import SigningKey
from oadr_core.seal.shape import DSP
from oadr_core.wire.canonical import canonical, canonical_part, without_prefixes
from oadr_core.wire.envelope import encode_part
from oadr_core.wire.parse import parse_again
from oadr_core.wire.scalars import write_instant

_OADR: Final = NAMESPACES["oadr"]
_DS: Final = NAMESPACES["ds"]

_SIGNED: Final = "signedObject"
_PROPERTIES: Final = "prop"
_SIGNATURE: Final = "signature"


class Signable:
    """A message in its canonical form, ready to be signed any number of times.

    :ivar octets: the canonical form.
    :ivar digest: what goes into a signature.
    """

    __slots__ = ("digest", "octets")

    def __init__(self, octets: bytes) -> None:
        self.octets: Final = octets
        self.digest: Final = _digest(octets)


class SignatureWriter:
    """Writes signed documents.

    :param key: what they are signed with.
    :param entropy: the source of nonces.
    :param canonicalization: how XML is made into octets.
    :param prefixes: whether names have prefixes; without, the document survives XMPP servers.
    """

    def __init__(
        self, key: SigningKey, entropy: Entropy, *, canonicalization: Canonicalization, prefixes: bool = True
    ) -> None:
        self._key = key
        self._entropy = entropy
        self._canonicalization = canonicalization
        self._prefixes = prefixes
        exclusive = canonicalization is Canonicalization.EXCLUSIVE
        ds = "ds:" if prefixes else ""
        dsp = "dsp:" if prefixes else ""
        own = f' xmlns:ds="{_DS}"' if prefixes else f' xmlns="{_DS}"'
        # what is in scope of the parts of the signature; in exclusive form only what is used counts
        scope = f'{own} xmlns:oadr="{_OADR}"' if prefixes and not exclusive else own
        properties = f' xmlns:dsp="{DSP}"' if prefixes else f' xmlns="{DSP}"'

        def reference(name: str) -> str:
            return (
                f'<{ds}Reference URI="#{name}"><{ds}Transforms>'
                f'<{ds}Transform Algorithm="{canonicalization}"></{ds}Transform></{ds}Transforms>'
                f'<{ds}DigestMethod Algorithm="{Digest.SHA256}"></{ds}DigestMethod>'
                f"<{ds}DigestValue>%b</{ds}DigestValue></{ds}Reference>"
            )

        self._info = (
            f"<{ds}SignedInfo{scope}>"
            f'<{ds}CanonicalizationMethod Algorithm="{canonicalization}"></{ds}CanonicalizationMethod>'
            f'<{ds}SignatureMethod Algorithm="{key.method}"></{ds}SignatureMethod>'
            f"{reference(_SIGNED)}{reference(_PROPERTIES)}</{ds}SignedInfo>"
        ).encode()
        self._object = (
            f'<{ds}Object{scope} Id="{_PROPERTIES}"><{ds}SignatureProperties>'
            f'<{ds}SignatureProperty Target="#{_SIGNATURE}"><{dsp}ReplayProtect{properties}>'
            f"<{dsp}timestamp>%b</{dsp}timestamp><{dsp}nonce>%b</{dsp}nonce>"
            f"</{dsp}ReplayProtect></{ds}SignatureProperty></{ds}SignatureProperties></{ds}Object>"
        ).encode()
        certificates = "".join(
            f"<{ds}X509Certificate>{base64.b64encode(one.data).decode()}</{ds}X509Certificate>" for one in key.chain
        )
        root = f'<oadr:oadrPayload xmlns:oadr="{_OADR}">' if prefixes else f'<oadrPayload xmlns="{_OADR}">'
        self._document = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n{root}<{ds}Signature{own} Id="{_SIGNATURE}">%b'
            f"<{ds}SignatureValue>%b</{ds}SignatureValue>"
            f"<{ds}KeyInfo><{ds}X509Data>{certificates}</{ds}X509Data></{ds}KeyInfo>%b</{ds}Signature>%b"
            f"</{'oadr:' if prefixes else ''}oadrPayload>"
        ).encode()

    def prepare(self, message: Payload) -> Signable:
        """Bring a message into its canonical form.

        :raises LocalProtocolError: a field holds what cannot be sent.
        """
        part = encode_part(message, _SIGNED)
        exclusive = self._canonicalization is Canonicalization.EXCLUSIVE
        if self._prefixes:
            return Signable(canonical_part(part, exclusive=exclusive))
        return Signable(canonical(parse_again(without_prefixes(part)), exclusive=exclusive))

    def sign(self, signable: Signable, now: Now) -> bytes:
        """Write a document that is sent at once, with the present and a nonce of its own."""
        timestamp = write_instant(whole_seconds(now.utc)).encode()
        properties = self._object % (timestamp, new_id(self._entropy).encode())
        info = self._info % (signable.digest, _digest(properties))
        return self._document % (info, base64.b64encode(self._key.sign(info)), properties, signable.octets)


def _digest(octets: bytes) -> bytes:
    return base64.b64encode(hashlib.sha256(octets).digest())
