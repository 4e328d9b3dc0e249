"""What a VEN is."""

import msgspec

from oadr_core.messages import OptType, ProfileName, TransportName
from oadr_core.sender import SenderConfig
from oadr_core.ven.limits import VenLimits


class VenConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a VEN is.

    :param ven_name: a name for people.
    :param ven_id: an id that was agreed beforehand, if one was; one of 2.0a must have one.
    :param profile: the profile that it speaks. In 2.0a there are events alone: no registration, as the ids were agreed
        beforehand, no reports and no opts (section 7.1 of the profile).
    :param vtn_id: the id of a 2.0a VTN, where it was agreed beforehand; lists of another are refused. In 2.0b the VTN
        says it itself.
    :param fall_back: whether it goes on in 2.0a with a VTN that speaks nothing else (rule 506); needs a ``ven_id``.
    :param transport: how it talks to its VTN.
    :param pull: whether it polls; over HTTP alone.
    :param address: where a push VEN is reached: a base URL or a full JID. If None, it registers once its transport has
        told, see :meth:`~oadr_core.ven.Ven.reached_at`.
    :param vtn_identity: what the transport has to prove of whoever pushes, such as the fingerprint of the certificate
        of the VTN; None takes pushes from anybody that the transport lets in.
    :param answers_lists: whether an oadrDistributeEvent that is pushed is answered with an oadrResponse, for VTNs that
        cannot read an empty body; as the profile has it, it is not (decision D47).
    :param report_only: whether it has no events and no opts (section 7.2.2 of the profile).
    :param call_timeout: seconds that a handler may take before policy decides instead of it.
    :param answer_patience: seconds that the answers to a list of events wait for one that the application still
        decides on; what is decided by then is answered without it.
    :param default_opt: whether it takes part in an event that no handler decides.
    :param market_contexts: the programs that it is part of; None accepts any (rule 48).
    :param group_ids: the groups that it is in; None accepts any, as in the two that follow (rule 22).
    :param resource_ids: the resources that it has.
    :param party_ids: the parties that it acts for.
    :param device_classes: the classes of its devices, as in :class:`~oadr_core.messages.DeviceClass`; None for any
        (rules 111 and 112).
    :param signals: the signals that it supports, as pairs of name and type; None for all well-known and custom ones
        (rule 109).
    :param manual: whether the application itself answers what the VTN asks, by :meth:`Ven.send`; the answers to polls
        come to it as :class:`~oadr_core.outputs.ExchangeDone` alone then.
    :param limits: how much its VTN can make it keep.
    :param sender: how patient it is with its VTN.
    """

    ven_name: str = ""
    ven_id: str = ""
    profile: ProfileName = ProfileName.V20B
    vtn_id: str = ""
    fall_back: bool = False
    transport: TransportName = TransportName.SIMPLE_HTTP
    pull: bool = True
    address: str | None = None
    vtn_identity: str | None = None
    answers_lists: bool = False
    report_only: bool = False
    call_timeout: float = 60.0
    answer_patience: float = 10.0
    default_opt: OptType = OptType.OPT_OUT
    market_contexts: tuple[str, ...] | None = None
    group_ids: tuple[str, ...] | None = None
    resource_ids: tuple[str, ...] | None = None
    party_ids: tuple[str, ...] | None = None
    device_classes: tuple[str, ...] | None = None
    signals: tuple[tuple[str, str], ...] | None = None
    manual: bool = False
    limits: VenLimits = VenLimits()
    sender: SenderConfig = SenderConfig()
