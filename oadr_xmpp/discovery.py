"""Finding the services of a VTN, and being found (section 9.3.4.9 of the profile, XEP-0030, decisions D6 and D18)."""

from collections.abc import Mapping
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

_SERVICES: Final = (Service.EI_REGISTER_PARTY, Service.EI_EVENT, Service.EI_REPORT, Service.EI_OPT)
"""What a VTN serves over XMPP, where there are no polls (rule 507)."""


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
            for service in _SERVICES:
                for base in reversed(_FEATURES):
                    listed.add_item(stream.boundjid.full, node=f"{base}/{service}")
        return listed

    discovery.set_node_handler("get_items", handler=items)


async def find_services(stream: RawStream, domain: str, patience: float) -> Mapping[Service, Any]:
    """Ask where the services of a VTN are.

    :param stream: the stream to ask over.
    :param domain: whom to ask: the domain that was logged in to, or the VTN.
    :param patience: seconds to wait for the answer.
    :returns: their JIDs; nothing where none is listed, or nobody knows of such a list.
    :raises ExchangeFailed: nobody answers.
    """
    try:
        answer = await stream.plugin["xep_0030"].get_items(jid=JID(domain), node=SERVICES_NODE, timeout=patience)
    except IqTimeout:
        raise ExchangeFailed(Failure.SILENCE) from None
    except IqError as error:
        why = failure(*error_in(error.iq))
        if why in (Failure.BUSY, Failure.PEER_ERROR):
            raise ExchangeFailed(why) from None
        return {}
    found: dict[Service, Any] = {}
    for element in answer.xml.iter("{http://jabber.org/protocol/disco#items}item"):
        service = _service(element.get("node", ""))
        try:
            jid = JID(element.get("jid", ""))
        except InvalidJID:
            continue
        if service is not None and jid.domain:
            found.setdefault(service, jid)
    return found


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
    return next((one for one in _SERVICES if one.lower() == name), None)
