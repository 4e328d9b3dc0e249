"""How messages stand in stanzas: as the profile has it, and as two implementations from before have it."""

import re
from enum import StrEnum
from typing import Final

from lxml import etree

from oadr_core import LocalProtocolError
from oadr_xmpp.framing import OADR


class XmppDialect(StrEnum):
    """How a message stands in a stanza, and how its answer is known.

    The last one is the one that nobody sends back who does not understand it.
    """

    PROFILE = "profile"
    """An oadrPayload is the content of an IQ, which is answered by the IQ of the same id (decision D23)."""
    ENERNOC = "enernoc"
    """An oadrSignedObject is; the answer may come in an IQ of its own, and is known by its requestID."""
    AVOB = "avob"
    """A message is the text of a chat, and so is its answer, which is known by its requestID (decision D24)."""


def named(name: str) -> XmppDialect:
    """Read the name of a dialect that a user has given.

    :raises LocalProtocolError: there is none of that name.
    """
    try:
        return XmppDialect(name)
    except ValueError:
        known = ", ".join(XmppDialect)
        raise LocalProtocolError(f"{name!r} is no dialect of OpenADR over XMPP; there are {known}") from None


class Wrapping(StrEnum):
    """How much of the envelope stands around a message."""

    WHOLE = "oadrPayload"
    OBJECT = "oadrSignedObject"
    BARE = ""


WRAPPING: Final = {
    XmppDialect.PROFILE: Wrapping.WHOLE,
    XmppDialect.ENERNOC: Wrapping.OBJECT,
    XmppDialect.AVOB: Wrapping.BARE,
}
"""How each sends what is not signed; a signature stands in the oadrPayload, so what is signed is whole everywhere."""

_BEFORE: Final = rb"(?:\xef\xbb\xbf)?"
"""A byte order mark, which nothing may stand before."""

_DECLARATION: Final = re.compile(_BEFORE + rb"\s*(?:<\?xml\s[^>]*\?>\s*)?")
_ROOT: Final = re.compile(_BEFORE + rb"(?:\s++|<\?.*?\?>|<!--.*?-->)*+<(?:[^\s/>:]++:)?([^\s/>]+)", re.DOTALL)
"""It never goes back to try again, so that it keeps nothing of what it has passed: anybody may send a long text."""

_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True)
_PREFIX: Final = "oadr"
_OBJECT: Final = f"{{{OADR}}}{Wrapping.OBJECT}"


def without_declaration(document: bytes) -> bytes:
    """A document as it stands in a stanza."""
    found = _DECLARATION.match(document)
    assert found is not None, "it matches nothing as well"
    return document[found.end() :]


def wrapping_of(content: bytes) -> Wrapping:
    """How much of the envelope is there, by the name of the root; what is no document is bare."""
    found = _ROOT.match(content)
    name = found[1].decode(errors="replace") if found else ""
    return Wrapping(name) if name in (Wrapping.WHOLE, Wrapping.OBJECT) else Wrapping.BARE


def wrapped(content: bytes) -> bytes:
    """Put around a content what is missing of the envelope, so that it can be read as any document (decision D42).

    Nothing is looked at but the name of the root. Whatever else is wrong is for the reader to find.
    """
    missing = {
        Wrapping.WHOLE: (),
        Wrapping.OBJECT: (Wrapping.WHOLE,),
        Wrapping.BARE: (Wrapping.WHOLE, Wrapping.OBJECT),
    }[wrapping_of(content)]
    if not missing:
        return content
    opening = "".join(f'<{_PREFIX}:{name} xmlns:{_PREFIX}="{OADR}">' for name in missing)
    closing = "".join(f"</{_PREFIX}:{name}>" for name in reversed(missing))
    return opening.encode() + without_declaration(content) + closing.encode()


def unwrapped(document: bytes, wrapping: Wrapping) -> bytes:
    """Take a document of ours out of as much of its envelope as a dialect does without; a signed one stays whole.

    :param document: an oadrPayload.
    :param wrapping: what shall be left of the envelope.
    :returns: what stands in the stanza.
    """
    if wrapping is Wrapping.WHOLE:
        return without_declaration(document)
    root = etree.fromstring(document, _PARSER)
    if len(root) != 1 or root[0].tag != _OBJECT:
        return without_declaration(document)
    part = root[0] if wrapping is Wrapping.OBJECT else root[0][0]
    return str(etree.tostring(part, encoding="unicode", with_tail=False)).encode()
