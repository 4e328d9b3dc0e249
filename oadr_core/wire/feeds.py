"""Green Button feeds: Atom documents that a report carries whole."""

from copy import deepcopy
from typing import Final

from lxml import etree

from oadr_core.messages.namespaces import NAMESPACES, clark
from oadr_core.wire.parse import parse

_FEED: Final = clark("atom:feed")
_TYPES: Final = etree.XPath("descendant-or-self::*/@xsi:type", namespaces={"xsi": NAMESPACES["xsi"]})


def standalone(feed: str) -> str:
    """Rewrite a feed so that it can stand anywhere in a document: well-formed, and with its own namespaces declared.

    :param feed: an ``atom:feed`` element as XML text.
    :raises ValueError: the text is no such element.
    """
    try:
        root = parse(feed.encode())
    except Exception as error:
        raise ValueError(f"is no XML: {error}") from None
    if root.tag != _FEED:
        raise ValueError(f"is {root.tag!s}, not an Atom feed")
    return etree.tostring(root, encoding="unicode")


def feed_of(element: etree._Element) -> str:
    """Cut a feed out of a document, with the namespaces that it uses and no others."""
    feed = deepcopy(element)
    named = {str(name).partition(":")[0] for name in _TYPES(feed)}  # prefixes that stand in xsi:type
    etree.cleanup_namespaces(feed, keep_ns_prefixes=sorted(named))
    return etree.tostring(feed, encoding="unicode", with_tail=False)
