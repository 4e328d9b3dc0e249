"""Green Button feeds: Atom documents that a report carries whole."""

from copy import deepcopy
from typing import Any, Final

from lxml import etree

from oadr_core.errors import SchemaError
from oadr_core.messages.namespaces import NAMESPACES, clark, in_prefixes
from oadr_core.wire.parse import brief, parse
from oadr_core.wire.schema import schema

_FEED: Final = clark("atom:feed")
_TYPES: Final = etree.XPath("descendant-or-self::*/@xsi:type", namespaces={"xsi": NAMESPACES["xsi"]})


def standalone(feed: str) -> str:
    """Rewrite a feed so that it can stand anywhere in a document: well-formed, and with its own namespaces declared.

    :param feed: an ``atom:feed`` element as XML text.
    :raises ValueError: the text is no such element.
    """
    return etree.tostring(_parsed(feed), encoding="unicode")


def feed_problem(feed: Any) -> str | None:
    """Say what keeps a feed from being sent, if anything does."""
    if not isinstance(feed, str):
        return f"must be text, not {type(feed).__name__}"
    try:
        root = _parsed(feed)
    except ValueError as error:
        return str(error)
    if schema().validate(root):
        return None
    entry = schema().error_log.last_error
    return brief(f"is not what the schema admits: {in_prefixes(entry.message if entry else '')}")


def feed_of(element: etree._Element) -> str:
    """Cut a feed out of a document, with the namespaces that it uses and no others."""
    feed = deepcopy(element)
    named = {str(name).partition(":")[0] for name in _TYPES(feed)}  # prefixes that stand in xsi:type
    etree.cleanup_namespaces(feed, keep_ns_prefixes=sorted(named))
    return etree.tostring(feed, encoding="unicode", with_tail=False)


def _parsed(feed: str) -> etree._Element:
    try:
        root = parse(feed.encode())
    except (SchemaError, UnicodeEncodeError) as error:
        raise ValueError(f"is no XML: {error}") from None
    if root.tag != _FEED:
        raise ValueError(f"is {root.tag!s}, not an Atom feed")
    return root
