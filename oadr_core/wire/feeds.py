"""Green Button feeds: Atom documents that a report carries whole."""

from typing import Final

from lxml import etree

from oadr_core.messages.namespaces import clark
from oadr_core.wire.parse import parse

_FEED: Final = clark("atom:feed")


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
        raise ValueError(f"is {root.tag}, not an Atom feed")
    return etree.tostring(root, encoding="unicode")


def feed_of(element: etree._Element) -> str:
    """Cut a feed out of a document."""
    return etree.tostring(element, encoding="unicode", with_tail=False)
