"""The XML namespaces of OpenADR 2.0b and the prefixes this package writes for them."""

from collections.abc import Mapping
from typing import Final

NAMESPACES: Final = {
    "oadr": "http://openadr.org/oadr-2.0b/2012/07",
    "ei": "http://docs.oasis-open.org/ns/energyinterop/201110",
    "pyld": "http://docs.oasis-open.org/ns/energyinterop/201110/payloads",
    "emix": "http://docs.oasis-open.org/ns/emix/2011/06",
    "power": "http://docs.oasis-open.org/ns/emix/2011/06/power",
    "scale": "http://docs.oasis-open.org/ns/emix/2011/06/siscale",
    "xcal": "urn:ietf:params:xml:ns:icalendar-2.0",
    "strm": "urn:ietf:params:xml:ns:icalendar-2.0:stream",
    "gml": "http://www.opengis.net/gml/3.2",
    "atom": "http://www.w3.org/2005/Atom",
    "espi": "http://naesb.org/espi",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "ds11": "http://www.w3.org/2009/xmldsig11#",
    "iso4217": "urn:un:unece:uncefact:codelist:standard:5:ISO42173A:2010-04-07",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xml": "http://www.w3.org/XML/1998/namespace",
}
"""Prefix to namespace. Prefixes mean nothing on the wire: a receiver matches by namespace."""


def clark(name: str) -> str:
    """Spell a prefixed name the way lxml does.

    :param name: a name such as ``ei:venID``; its prefix must be one of :data:`NAMESPACES`.
    :returns: ``{namespace}local``.
    :raises KeyError: the prefix is unknown.
    """
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def in_prefixes(message: str, namespaces: Mapping[str, str] = NAMESPACES) -> str:
    """Shorten a message of libxml2: namespaces become prefixes."""
    for prefix, uri in namespaces.items():
        message = message.replace(f"{{{uri}}}", f"{prefix}:")
    return message.removesuffix(".")
