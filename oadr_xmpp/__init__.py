"""OpenADR 2.0b over XMPP: a VEN and a VTN, on asyncio."""

from oadr_driver.signatures import XMPP_SIGNATURES
from oadr_xmpp.dialects import XmppDialect
from oadr_xmpp.limits import XmppLimits
from oadr_xmpp.login import XmppClient, XmppComponent
from oadr_xmpp.transport import XmppToVens, XmppToVtn
from oadr_xmpp.ven import OpenADRClient
from oadr_xmpp.vtn import OpenADRServer

__all__ = [
    "XMPP_SIGNATURES",
    "OpenADRClient",
    "OpenADRServer",
    "XmppClient",
    "XmppComponent",
    "XmppDialect",
    "XmppLimits",
    "XmppToVens",
    "XmppToVtn",
]
