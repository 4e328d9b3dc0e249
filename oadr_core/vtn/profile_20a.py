"""Saying to a 2.0a VEN what was made for 2.0b (section 7.1 and rules 7, 9, 69 and 113 of the profile).

A 2.0a VEN knows events alone, and of an event one signal: SIMPLE, with levels from 0 to 3. What else an event holds is
left out for it. An event that makes no sense without that is not for it at all: it is not in its list, and the operator
is told.
"""

from datetime import timedelta

import msgspec

from oadr_core.messages import DistributeEvent, EiEvent, EventSignal, Payload, ProfileName, Response, SignalName
from oadr_core.wire.dialects import PROFILE_A, within

_SIMPLE = (SignalName.SIMPLE, SignalName.SIMPLE_IN_LOWER_CASE)


def why_unfit(event: EiEvent, profile: ProfileName) -> str | None:
    """Say why an event cannot be given to a VEN of a profile.

    :param event: the event as the operator made it.
    :param profile: the profile that the VEN speaks.
    :returns: None where it can.
    """
    if profile is not ProfileName.V20A:
        return None
    levels = _levels(event)
    if not levels:
        return "it has no SIMPLE signal, and OpenADR 2.0a knows no other (rule 7)"
    if len(levels) > 1:
        return f"it has {len(levels)} SIMPLE signals, and OpenADR 2.0a takes one (rule 7)"
    return None


def simplified(message: Payload) -> Payload:
    """Say an answer, or a list of events, as 2.0a does.

    :param message: any of the four payloads that 2.0a has; its events must not be unfit.
    """
    if isinstance(message, DistributeEvent):
        return msgspec.structs.replace(message, events=tuple(simplified_event(one) for one in message.events))
    if isinstance(message, Response):
        return msgspec.structs.replace(message, ven_id=None)
    return message


def simplified_event(event: EiEvent) -> EiEvent:
    """Leave out of an event what 2.0a does not know, and fill in what it wants to be there.

    :param event: an event as it is handed out, which is not unfit.
    """
    (level,) = _levels(event)
    period = event.active_period
    return within(
        PROFILE_A,
        msgspec.structs.replace(
            event,
            active_period=msgspec.structs.replace(period, notification=period.notification or timedelta(0)),
            event_signals=(msgspec.structs.replace(level, current_value=level.current_value or 0.0),),
        ),
    )


def _levels(event: EiEvent) -> list[EventSignal]:
    return [one for one in event.event_signals if one.signal_name in _SIMPLE]
