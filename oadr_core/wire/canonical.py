"""Canonical forms of elements, inclusive (Canonical XML 1.0) and exclusive, and writing without prefixes.

The canonical form of an element that stands within a document depends on the namespaces that are declared around it.
lxml gets that wrong where a default namespace is declared there: from the third level on it writes ``xmlns=""``
(seen in versions 4.9 to 7.0). There an element is written out with all that is in scope, and read again as a root.
"""

from collections.abc import Iterator
from typing import Final

from lxml import etree

from oadr_core.errors import SchemaError
from oadr_core.messages.namespaces import NAMESPACES
from oadr_core.wire.parse import name_of, parse_again
from oadr_core.wire.scalars import escape

_FEEDS: Final = NAMESPACES["atom"].encode()
"""What stands in a part that holds a feed, which somebody else has written."""


_MOST_WORK: Final = 100_000_000
"""How much work a canonical form may make, in comparisons of names: less than half a second of it."""


_SHORTEST_ATTRIBUTE: Final = 5
"""Octets that an attribute has at least, as `` a=""``; a declaration has more."""


def refuse_costly(data: bytes, root: etree._Element) -> None:
    """See that canonical forms of a document and of its parts can be made in bounded time.

    libxml2 compares, at each element, all namespace declarations around it with one another, and its attributes as
    well: without a bound a document of 90 kB takes it half a minute, before anything is known of who has signed it.

    :param data: the document.
    :param root: its root.
    :raises SchemaError: it would take too long.
    """
    most = len(data) // _SHORTEST_ATTRIBUTE
    if most**2 * (data.count(b"<") + 1) <= _MOST_WORK:
        return  # a short one has no room for so many
    declarations, attributes = data.count(b"xmlns"), data.count(b"=")
    if declarations**2 * data.count(b"<") + attributes**2 <= _MOST_WORK:
        return  # nearly always, and the rest takes its time
    around = work = 0
    for happened, what in etree.iterwalk(root, events=("start", "start-ns", "end-ns")):
        if happened == "start":
            work += around**2 + len(getattr(what, "attrib", ())) ** 2
        else:
            around += 1 if happened == "start-ns" else -1
        if work > _MOST_WORK:
            raise SchemaError("the document has too many namespace declarations or attributes to be signed")


def canonical_part(part: bytes, *, exclusive: bool = False) -> bytes:
    """Bring a part that :func:`~oadr_core.wire.envelope.encode_part` has written into its canonical form.

    :param part: the part, as it was written.
    :param exclusive: whether only those namespaces count that are used visibly.
    """
    escaped = b"&" in part and b"&#" in part  # a single octet is found ten times as fast as two
    if exclusive or escaped or _FEEDS in part:
        return canonical(parse_again(part), exclusive=exclusive)
    return _with_closing_tags(part)  # all that is left between a part of our making and its canonical form


def _with_closing_tags(part: bytes) -> bytes:
    """Write each empty element of a part with two tags; the encoder gives such an element no attributes."""
    *opening, rest = part.split(b"/>")  # within text the second character of it would be escaped
    return b"".join([b"%b></%b>" % (one, one[one.rfind(b"<") + 1 :]) for one in opening]) + rest


def canonical(element: etree._Element, *, exclusive: bool = False) -> bytes:
    """Write the canonical form of an element, as it is where it stands.

    :param element: of a tree without comments and processing instructions. No attribute of the XML namespace may stand
        around it, as the canonical form would have to take that over.
    :param exclusive: whether only those namespaces count that are used visibly.
    :raises SchemaError: it has no canonical form, as where a namespace is relative (Canonical XML 1.0, section 1.3).
    """
    if None in element.nsmap:
        element = parse_again(etree.tostring(element, encoding="utf-8", with_tail=False))
    try:
        return etree.tostring(element, method="c14n", exclusive=exclusive, with_comments=False)
    except etree.C14NError:
        raise SchemaError("an element has no canonical form, as where a namespace is relative") from None


def without_prefixes(data: bytes) -> bytes:
    """Write an element so that no name of an element has a prefix, and each attribute declares its own.

    XMPP servers rewrite prefixes, and so change the canonical form of what has any; this form they leave alone, as long
    as no element has several attributes with a namespace, and none does in OpenADR.

    :param data: an element without comments and processing instructions, of this package's own making.
    """
    return "".join(_plainly(parse_again(data), "")).encode()


_ATTRIBUTE: Final = "ns"
"""What the prefixes that the servers give to attributes begin with; they are counted from 1."""

_XML: Final = NAMESPACES["xml"]
"""The namespace that has its prefix by itself."""


def _plainly(element: etree._Element, around: str) -> Iterator[str]:
    """Write an element; ``around`` is the default namespace where it stands."""
    namespace, _, local = name_of(element).removeprefix("{").rpartition("}")
    yield f"<{local}"
    if namespace != around:
        yield f' xmlns="{_quoted(namespace)}"'
    for number, (name, value) in enumerate(element.attrib.items(), 1):
        space, _, short = str(name).removeprefix("{").rpartition("}")
        if space == _XML:
            short = f"xml:{short}"
        elif space:
            yield f' xmlns:{_ATTRIBUTE}{number}="{_quoted(space)}"'
            short = f"{_ATTRIBUTE}{number}:{short}"
        yield f' {short}="{_quoted(str(value))}"'
    yield f">{escape(element.text or '')}"
    for child in element:
        yield from _plainly(child, namespace)
        yield escape(child.tail or "")
    yield f"</{local}>"


def _quoted(text: str) -> str:
    return escape(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
