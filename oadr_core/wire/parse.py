"""Bytes to a tree, hardened: bounded in bytes, elements and depth, and blind to everything but elements and text.

The order matters. Size is bounded before the parser commits memory; the document type is refused before libxml2 can
meet an entity; a schema is never attached to the parser (lxml 6.1.3 crashes the process on an internal entity then).
"""

import re
from dataclasses import dataclass
from typing import Final

from lxml import etree

from oadr_core.errors import SchemaError


@dataclass(frozen=True)
class Limits:
    """How large a document may be.

    :param size: in bytes.
    :param tags: opening and closing tags; an element has one or two. Bounds memory to about 0.5 kB a tag.

    Depth is bounded by libxml2 to 256 elements, and one text to 10 MB.
    """

    size: int = 2 * 1024 * 1024
    tags: int = 150_000


LIMITS: Final = Limits()

_SHORTEST_TAG: Final = 3
"""Bytes that a tag has at least, as ``<a>``; a document that has no room for too many tags is not counted."""

_DOCTYPE: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)")

_PARSER: Final = etree.XMLParser(
    encoding="utf-8",  # the profile knows no other (its section 9.1.9.5), and without a choice nothing can be smuggled
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
)


def brief(text: str, most: int = 300) -> str:
    """Cut the middle out of a text in which a peer may have put any amount of its own."""
    return text if len(text) <= most else f"{text[: most * 2 // 3]} … {text[-most // 3 :]}"


def name_of(element: etree._Element) -> str:
    """The name of an element as ``{namespace}local``."""
    return str(element.tag)


def parse(data: bytes, limits: Limits = LIMITS) -> etree._Element:
    """Read a document.

    :param data: a whole XML document in UTF-8.
    :param limits: how large it may be.
    :returns: the root, without comments and processing instructions.
    :raises SchemaError: the document is too large, not well-formed, or declares a document type.
    """
    refuse_large(data, limits)
    if b"!" in data and _DOCTYPE.search(data):
        raise SchemaError("the document declares a document type, which OpenADR does not know")
    try:
        return etree.fromstring(data, _PARSER)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SchemaError(brief(f"the document is no well-formed XML: {error.args[0]}")) from None


def refuse_large(data: bytes, limits: Limits) -> None:
    """See that a document is not too large, before anything is made of it.

    :raises SchemaError: it is.
    """
    if len(data) > limits.size:
        raise SchemaError(f"the document has {len(data)} bytes; {limits.size} are taken at most")
    if len(data) > _SHORTEST_TAG * limits.tags and data.count(b"<") > limits.tags:
        raise SchemaError(f"the document has more than {limits.tags} tags")


def parse_again(data: bytes) -> etree._Element:
    """Read what was written out of a tree that :func:`parse` has made."""
    return etree.fromstring(data, _PARSER)
