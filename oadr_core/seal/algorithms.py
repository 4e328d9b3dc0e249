"""What a signature may be made with: the closed lists of rule 514, and the switches that widen them."""

from enum import StrEnum
from typing import Final

import msgspec


class Canonicalization(StrEnum):
    """How XML is made into octets."""

    INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
    INCLUSIVE_WITH_COMMENTS = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
    """The same for a document that has no comments; the signature of one that has any cannot be verified here."""
    EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
    """Not on the list of rule 514; it survives that a document is put into another, as in XMPP."""


class Method(StrEnum):
    """How octets are signed."""

    RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
    ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
    RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
    ECDSA_SHA1 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"


class Digest(StrEnum):
    """How octets are made into a few."""

    SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
    SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"


ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
"""The transform of a signature that stands within what it signs, which avob uses."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What is accepted beyond what is sent. None of it is by default.

    :param sha1: SHA-1, which rule 514 lists, the text of section 10.6.3 does not, and which is no longer safe
        (decision D4).
    :param exclusive: exclusive canonicalization, which rule 514 does not list; XMLDSig over XMPP needs it.
    :param enveloped: a signature that covers the whole document and stands behind what it signs, as the VEN and VTN of
        avob make it.
    :param figure_23: the forms of the example in the specification that contradict its schema: an ``Id`` without a
        namespace, no ``Target``, a time without a zone, and a key that is only named (decisions D17 and D40).
    """

    sha1: bool = False
    exclusive: bool = False
    enveloped: bool = False
    figure_23: bool = False


NOTHING_MORE: Final = Accepted()
"""Only what this package sends itself, and inclusive canonicalization with comments."""
