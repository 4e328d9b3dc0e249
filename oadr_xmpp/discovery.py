"""Finding the services of a VTN, and being found (section 9.3.4.9 of the profile, XEP-0030, decisions D6 and D18)."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from slixmpp import JID, InvalidJID
from slixmpp.exceptions import IqError, IqTimeout

from oadr_core import Failure, Service
from oadr_driver.transport import ExchangeFailed
from oadr_xmpp.outcomes import failure
from oadr_xmpp.stream import RawStream, error_in

_FEATURES: Final = ("http://openadr.org/openadr2", "http://openadr.org/OpenADR2")
"""What one that speaks OpenADR has, in both spellings of the profile."""

SERVICES_NODE: Final = "http://openadr.org/openadr2#services"
"""The node under which the services of a VTN are listed."""

SERVICES: Final = (Service.EI_REGISTER_PARTY, Service.EI_EVENT, Service.EI_REPORT, Service.EI_OPT)
"""What a VTN serves over XMPP, where there are no polls (rule 507)."""


_MOST_ASKED: Final = 32
"""How many of what a domain lists is asked for services."""


def announce(stream: RawStream) -> None:
    """Show everybody who asks that OpenADR is spoken here."""
    for feature in _FEATURES:
        stream.plugin["xep_0030"].add_feature(feature)


def list_services(stream: RawStream) -> None:
    """Tell everybody who asks where the services are: all of them at the JID of the stream.

    The node that was asked for is repeated in its own spelling, and each service stands there in both.
    """
    discovery = stream.plugin["xep_0030"]

    async def items(_: object, node: str | None, __: object, ___: object) -> Any:
        listed = discovery.stanza.DiscoItems()
        if node:
            listed["node"] = node
        if node and node.lower() == SERVICES_NODE:
            for service in SERVICES:
                for base in reversed(_FEATURES):
                    listed.add_item(stream.boundjid.full, node=f"{base}/{service}")
        return listed

    discovery.set_node_handler("get_items", handler=items)


async def find_services(stream: RawStream, domain: str, patience: float) -> Mapping[Service, Any]:
    """Ask where the services of a VTN are.

    Where they are not listed, as at the domain of a server that knows nothing of OpenADR, whatever else is listed there
    is asked as well: a VTN that is a component is among that.

    :param stream: the stream to ask over.
    :param domain: whom to ask: the domain that was logged in to, or the VTN.
    :param patience: seconds to wait for each answer.
    :returns: their JIDs; nothing where none is listed, or nobody knows of such a list.
    :raises ExchangeFailed: nobody answers.
    """
    asked = JID(domain)
    found = await _services_at(stream, asked, patience)
    if not found and not asked.user:
        listed = (await _items(stream, asked, None, patience))[:_MOST_ASKED]
        answers = await asyncio.gather(*(_services_perhaps_at(stream, jid, patience) for jid, _ in listed))
        found = next((one for one in answers if one), {})
    return found


async def _services_perhaps_at(stream: RawStream, jid: Any, patience: float) -> dict[Service, Any]:
    """The same as :func:`_services_at`; nothing where nobody answers."""
    try:
        return await _services_at(stream, jid, patience)
    except ExchangeFailed:
        return {}


async def _services_at(stream: RawStream, jid: Any, patience: float) -> dict[Service, Any]:
    found: dict[Service, Any] = {}
    for item, node in await _items(stream, jid, SERVICES_NODE, patience):
        service = _service(node)
        if service is not None:
            found.setdefault(service, item)
    return found


async def _items(stream: RawStream, jid: Any, node: str | None, patience: float) -> list[tuple[Any, str]]:
    """What is listed at an address: JIDs and nodes; nothing where it has no such list.

    :raises ExchangeFailed: nobody answers.
    """
    try:
        answer = await stream.plugin["xep_0030"].get_items(jid=jid, node=node, timeout=patience)
    except IqTimeout:
        raise ExchangeFailed(Failure.SILENCE) from None
    except IqError as error:
        why = failure(*error_in(error.iq))
        if why in (Failure.BUSY, Failure.PEER_ERROR):
            raise ExchangeFailed(why) from None
        return []
    listed: list[tuple[Any, str]] = []
    for element in answer.xml.iter("{http://jabber.org/protocol/disco#items}item"):
        with suppress(InvalidJID):
            item = JID(element.get("jid", ""))
            if item.domain:
                listed.append((item, element.get("node", "")))
    return listed


async def is_there(stream: RawStream, jid: Any, patience: float) -> bool:
    """Whether somebody answers at all.

    :param stream: the stream to ask over.
    :param jid: whom to ask.
    :param patience: seconds to wait for the answer.
    """
    try:
        await stream.plugin["xep_0030"].get_info(jid=jid, timeout=patience)
    except (IqError, IqTimeout):
        return False
    return True


def _service(node: str) -> Service | None:
    """The service that a node is for, by its last part in any case of letters; None where there is no such service."""
    name = node.rpartition("/")[2].lower()
    return next((one for one in SERVICES if one.lower() == name), None)
