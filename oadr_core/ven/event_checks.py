"""What a VEN answers an event with that it cannot carry out, asking nobody (rules 22, 33, 48, 109, 111 and 112)."""

from collections.abc import Iterator
from datetime import datetime

from oadr_core.codes import ResponseCode
from oadr_core.decisions import EventDecision
from oadr_core.messages import EiEvent, EventSignal, OptType, ProfileName, SignalName, Target, is_zero
from oadr_core.messages.uris import same_uri
from oadr_core.rules import check, is_known_signal
from oadr_core.ven.config import VenConfig
from oadr_core.ven.event_list import is_over


def refusal(
    event: EiEvent,
    config: VenConfig,
    ven_id: str,
    now: datetime,
    *,
    new: bool,
    profile: ProfileName = ProfileName.V20B,
) -> EventDecision | None:
    """Say why a VEN cannot carry out an event.

    :param event: the event.
    :param config: what the VEN is part of, and supports.
    :param ven_id: its id.
    :param now: the present.
    :param new: whether it is listed for the first time; only then it must not be over already.
    :param profile: the profile that it came in.
    :returns: None where the application decides.
    """
    for code, why in _faults(event, config, ven_id, now, new=new, profile=profile):
        return EventDecision(opt_type=OptType.OPT_OUT, code=code, description=why)
    return None


def _faults(
    event: EiEvent, config: VenConfig, ven_id: str, now: datetime, *, new: bool, profile: ProfileName
) -> Iterator[tuple[ResponseCode, str]]:
    if new and is_over(event, now):
        yield ResponseCode.INVALID_DATA, "the event is over"  # rule 33: a new event with an old date
    context = event.event_descriptor.market_context
    if config.market_contexts is not None and not any(same_uri(context, one) for one in config.market_contexts):
        yield ResponseCode.TARGET_MISMATCH, f"the market context {context} is not ours"
    if not is_meant(event.target, config, ven_id):
        yield ResponseCode.TARGET_MISMATCH, "the event is meant for others"
    for signal in event.event_signals:
        if not _is_supported(signal, config, profile):
            name, kind = signal.signal_name, signal.signal_type
            yield ResponseCode.SIGNAL_NOT_SUPPORTED, f"the signal {name} of type {kind} is not supported"
    if not any(_has_devices(signal, config) for signal in event.event_signals):
        yield ResponseCode.DEPLOYMENT_ERROR, "no signal is meant for a device class that is here"
    yield from _illogical(event)


def _illogical(event: EiEvent) -> Iterator[tuple[ResponseCode, str]]:
    """What the schema lets through although it means nothing (rules 33 and 48).

    An event without end may have intervals that end: the last one is taken as endless (decision D32).
    """
    for number in ("R100", "R102"):
        for finding in check(event, number):
            if finding.place.startswith("event_signals"):  # a baseline asks for nothing
                yield ResponseCode.COMPLIANCE_ERROR, f"{finding.place}: {finding.found}; {finding.right}"
    if not is_zero(event.active_period.duration):
        for finding in check(event, "R8"):
            yield ResponseCode.INVALID_DATA, f"{finding.place}: {finding.found}; {finding.right}"


def is_meant(target: Target, config: VenConfig, ven_id: str) -> bool:
    """Tell whether a VEN is meant: by any of several criteria, and by none at all (rule 22).

    Of a kind that the VEN is not configured for it accepts all, save VENs: it knows its own id.
    """
    named = [
        (target.ven_id, (ven_id,)),
        (target.group_id, config.group_ids),
        (target.resource_id, config.resource_ids),
        (target.party_id, config.party_ids),
        (target.end_device_asset, config.device_classes),
    ]
    checked = ("ven_id", "group_id", "resource_id", "party_id", "end_device_asset")
    if not target or any(getattr(target, name) for name in target.__struct_fields__ if name not in checked):
        return True
    return any(names and (ours is None or not set(ours).isdisjoint(names)) for names, ours in named)


def _is_supported(signal: EventSignal, config: VenConfig, profile: ProfileName) -> bool:
    if profile is ProfileName.V20A and signal.signal_name.upper() == SignalName.SIMPLE:
        # its type is a hint (rule 69)
        return config.signals is None or any(name == SignalName.SIMPLE for name, _ in config.signals)
    if not is_known_signal(signal):
        return False
    if config.signals is None:
        return True
    name = signal.signal_name.upper() if signal.signal_name == "simple" else signal.signal_name  # rule 7
    return (name, signal.signal_type) in config.signals


def _has_devices(signal: EventSignal, config: VenConfig) -> bool:
    """Whether a signal is meant for any device that the VEN has (rule 111)."""
    wanted = () if signal.target is None else signal.target.end_device_asset
    return not wanted or config.device_classes is None or not set(wanted).isdisjoint(config.device_classes)
