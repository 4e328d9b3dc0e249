"""Streams of slixmpp through which payloads pass byte for byte.

slixmpp logs in, discovers, counts stanzas and sends them again after a link broke. What it must not see is a payload:
it would write it anew and break its signature. So payloads are cut out of what comes before slixmpp reads it, and what
is sent has its bytes beside it until the moment when they are written.
"""

import asyncio
import secrets
import ssl
from typing import Any, Final
from xml.etree import ElementTree
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from slixmpp import JID, ClientXMPP, ComponentXMPP, Iq
from slixmpp.basexmpp import BaseXMPP

from oadr_xmpp.framing import PayloadCutter, StreamTooLarge
from oadr_xmpp.limits import XmppLimits
from oadr_xmpp.places import Place

UNREACHABLE: Final = "oadr_unreachable"
"""The event that tells that no address of the server could be connected to."""

NO_TLS: Final = "oadr_no_tls"
"""The event that tells that a server offers no TLS."""

_TO_HANG_UP: Final = 0.2
"""Seconds in which a connection that was broken off is gone."""

_SCRAM: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1")
_PASSWORD_MECHANISMS: Final = frozenset(one + binding for one in _SCRAM for binding in ("", "-PLUS"))
"""How a password is shown to a server without telling it."""

_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"


class RawIq(Iq):
    """An IQ whose bytes are written as they are.

    :ivar octets: the whole of it.
    """

    octets: bytes = b""


class RawStream(BaseXMPP):
    """What streams of clients and of components have in common.

    :ivar token: the namespace of the tokens that stand for payloads, which is a secret.
    """

    def prepare(self, limits: XmppLimits) -> None:
        """Be ready to connect."""
        self.token: str = f"urn:oadr:{secrets.token_hex(16)}"
        self._limits = limits
        self._cutter: PayloadCutter | None = None
        self.whitespace_keepalive = False  # pings do more
        self.remove_handler("Presence")  # would remember everybody who sends any, and whomever they send it to
        self.add_filter("out_sce", _octets_of)
        self.register_plugin("xep_0030", {"use_cache": False})  # would keep what anybody sends as an answer
        self.register_plugin("xep_0199")

    # --- what comes --------------------------------------------------------------------------------------------------

    def init_parser(self) -> None:
        """Begin to read a stream."""
        super().init_parser()
        self._cutter = PayloadCutter(self.token, longest=self._limits.payload, longest_rest=self._limits.rest)

    def data_received(self, data: bytes | str) -> None:
        """Take bytes of the stream; the handlers of whatever is complete run before this returns."""
        cutter = self._cutter
        if cutter is None:
            return
        try:
            passed = cutter.feed(data.encode() if isinstance(data, str) else data)
        except (expat.ExpatError, StreamTooLarge) as error:
            self._cutter = None
            self.disconnect(reason=str(error), ignore_send_queue=True)
            return
        super().data_received(passed)
        cutter.forget()

    def payloads_of(self, stanza: Any) -> list[bytes | None]:
        """The payloads of a stanza that is being handled; None stands for one that is too long."""
        assert self._cutter is not None
        return [self._cutter.take(one.get("number")) for one in stanza.xml if one.tag == f"{{{self.token}}}payload"]

    # --- what is sent ------------------------------------------------------------------------------------------------

    def send(self, data: Any, use_filters: bool = True) -> None:
        """Send a stanza. What is sent again after a link broke is the same to the byte."""
        if not use_filters and isinstance(data, RawIq):
            data = data.octets
        super().send(data, use_filters)

    def send_raw_iq(self, kind: str, number: str, to: str, content: bytes, sender: str) -> None:
        """Send an IQ whose content is written as it is.

        :param kind: its type.
        :param number: its id.
        :param to: whom to.
        :param content: what stands in it.
        :param sender: who sends it; a component has to say that.
        """
        iq = RawIq(self)  # type: ignore[no-untyped-call]
        head = f'<iq type="{kind}" id={quoteattr(number)} to={quoteattr(to)}'
        if self.is_component:
            head += f" from={quoteattr(sender)}"
        iq.octets = head.encode() + (b">" + content + b"</iq>" if content else b"/>")
        self.send(iq)

    async def ping_server(self, patience: float) -> None:
        """Have the server answer (XEP-0199), once it has dealt with what was sent before; a component asks itself.

        :param patience: seconds to wait for the answer.
        :raises IqTimeout: there is none.
        :raises IqError: the server does not know what was asked.
        """
        own = self.boundjid if self.is_component else None
        await self.plugin["xep_0199"].send_ping(own or JID(self.boundjid.host), ifrom=own, timeout=patience)

    # --- connecting --------------------------------------------------------------------------------------------------

    def reach(self, place: Place) -> None:
        """Begin to connect to the server at a place."""
        self.enable_direct_tls = place.direct_tls
        self.enable_starttls = not place.direct_tls
        self.connect(place.host, place.port)

    async def hang_up(self) -> None:
        """Connect no longer, and break the connection if there is one; returns when nothing more is heard of it."""
        self.cancel_connection_attempt()
        if self.is_connected():
            over = self.disconnected
            self.abort()
            await asyncio.wait([over], timeout=_TO_HANG_UP)  # while TLS begins nobody tells that it is over

    def reschedule_connection_attempt(self) -> None:
        """Tell that there is no connection; when to try again is not for the stream to say."""
        self._current_connection_attempt = None
        self.event(UNREACHABLE)

    async def end(self) -> None:
        """Leave nothing running behind a stream that is closed."""
        self.cancel_connection_attempt()
        self.abort()
        await asyncio.sleep(0)
        if self._run_out_filters is not None:
            self._run_out_filters.cancel()
            await asyncio.gather(self._run_out_filters, return_exceptions=True)


class ClientStream(RawStream, ClientXMPP):
    """The stream of a client, which resumes its session after a link broke.

    :param jid: its JID; the resource is the one that is asked for. One without a user name is given one by the server
        (SASL ANONYMOUS).
    :param password: its password; it logs in with its certificate (SASL EXTERNAL) where it has none.
    :param context: how TLS is spoken; without TLS nothing is said.
    :param limits: what it puts up with.
    """

    def __init__(self, jid: str, password: str | None, context: ssl.SSLContext, limits: XmppLimits) -> None:
        mechanism = "EXTERNAL" if password is None else None
        if not JID(jid).user:
            mechanism = "ANONYMOUS"
        ClientXMPP.__init__(self, jid, password or "", ssl_context=context, sasl_mech=mechanism)
        if mechanism is None:
            self.plugin["feature_mechanisms"].use_mechs = list(_PASSWORD_MECHANISMS)
        self.register_plugin("xep_0198")
        self.prepare(limits)

    def reach(self, place: Place) -> None:
        """Begin to connect; where TLS begins at once, it says that it is for XMPP (XEP-0368)."""
        self.ssl_context.set_alpn_protocols(["xmpp-client"] if place.direct_tls else [])
        super().reach(place)

    async def _handle_stream_features(self, features: Any) -> bool | None:
        """Go on only where there is TLS, or the server offers it: somebody in between may have taken the offer away."""
        secure = self.transport is not None and self.transport.get_extra_info("ssl_object") is not None
        if not secure and "starttls" not in features["features"]:
            self.event(NO_TLS)
            self.abort()
            return True
        return await super()._handle_stream_features(features)


class ComponentStream(RawStream, ComponentXMPP):
    """The stream of a component (XEP-0114), which is not encrypted and so belongs on loopback.

    :param domain: the domain that it serves.
    :param secret: what the server knows it by.
    :param limits: what it puts up with.
    """

    def __init__(self, domain: str, secret: str, limits: XmppLimits) -> None:
        ComponentXMPP.__init__(self, domain, secret)  # type: ignore[no-untyped-call]
        self.prepare(limits)


def _octets_of(stanza: Any) -> Any:
    """Give what is written of a stanza: the bytes of one that has some."""
    return stanza.octets if isinstance(stanza, RawIq) else stanza


def error_content(condition: str, kind: str, text: str = "") -> bytes:
    """Write the content of an error.

    :param condition: the condition that is defined.
    :param kind: the type of the error.
    :param text: what a person may want to know.
    """
    error = ElementTree.Element("error", type=kind)
    ElementTree.SubElement(error, condition, xmlns=_ERRORS)
    if text:
        ElementTree.SubElement(error, "text", xmlns=_ERRORS).text = text
    return ElementTree.tostring(error)


def error_in(stanza: Any) -> tuple[str, str]:
    """The condition and the type of an error, whatever stands beside it; empty texts where there are none."""
    for child in stanza.xml:
        if child.tag.rpartition("}")[2] == "error":
            for one in child:
                namespace, _, name = one.tag[1:].rpartition("}")
                if namespace == _ERRORS and name != "text":
                    return name, child.get("type", "")
            return "", child.get("type", "")
    return "", ""
