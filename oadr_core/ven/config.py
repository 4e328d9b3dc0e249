"""What a VEN is."""

import msgspec

from oadr_core.messages import OptType, TransportName
from oadr_core.sender import SenderConfig


class VenConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a VEN is.

    :param ven_name: a name for people.
    :param ven_id: an id that was agreed beforehand, if one was.
    :param transport: how it talks to its VTN.
    :param pull: whether it polls; over HTTP alone.
    :param address: where a push VEN is reached: a base URL or a full JID.
    :param report_only: whether it has no events and no opts (section 7.2.2 of the profile).
    :param xml_signature: whether it supports XML signatures.
    :param call_timeout: seconds that a handler may take before policy decides instead of it.
    :param default_opt: whether it takes part in an event that no handler decides.
    :param manual: whether the application itself answers what the VTN asks, by :meth:`Ven.send`; the answers to polls
        come to it as :class:`~oadr_core.outputs.ExchangeDone` alone then.
    :param most_report_requests: how many report requests it serves at a time; more are refused with 469.
    :param sender: how patient it is with its VTN.
    """

    ven_name: str = ""
    ven_id: str = ""
    transport: TransportName = TransportName.SIMPLE_HTTP
    pull: bool = True
    address: str | None = None
    report_only: bool = False
    xml_signature: bool = False
    call_timeout: float = 60.0
    default_opt: OptType = OptType.OPT_OUT
    manual: bool = False
    most_report_requests: int = 1000
    sender: SenderConfig = SenderConfig()
