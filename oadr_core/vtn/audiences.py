"""Reading whom an event is for, as an application says it or its target does."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias, TypeVar

import msgspec

from oadr_core.errors import LocalProtocolError
from oadr_core.messages import EiEvent
from oadr_core.state.audience import Audience, Enrolment

AudienceLike: TypeAlias = Audience | Mapping[str, object] | Iterable[str] | str
"""An audience, a dict of one, the ids of VENs, or the id of one."""

_PartT = TypeVar("_PartT", Audience, Enrolment)


def audience_for(event: EiEvent, given: AudienceLike | None) -> Audience:
    """Read whom an event is for.

    :param event: the event.
    :param given: what the application says; None takes what the target of the event names (rule 22).
    :raises LocalProtocolError: it can be nobody's; the text says what would be right.
    """
    audience = checked(_read(event, given))
    if not audience:
        raise LocalProtocolError(
            f"the event {event.event_descriptor.event_id!r} is for no VEN: its audience has to name VENs, groups, "
            "resources, parties or market contexts, or be everyone; where there is none, the target of the event has "
            "to name VENs, groups, resources or parties"
        )
    return audience


def _read(event: EiEvent, given: AudienceLike | None) -> Audience:
    if given is None:
        target = event.target
        return Audience(
            ven_ids=target.ven_id,
            group_ids=target.group_id,
            resource_ids=target.resource_id,
            party_ids=target.party_id,
        )
    if isinstance(given, Audience):
        return given
    if isinstance(given, str):
        return Audience(ven_ids=(given,))
    if isinstance(given, Mapping):
        try:
            return msgspec.convert(given, _StrictAudience).plain()
        except msgspec.ValidationError as error:
            raise LocalProtocolError(f"the audience: {error}; it has {', '.join(Audience.__struct_fields__)}") from None
    if not isinstance(given, Iterable):
        raise LocalProtocolError(f"the audience is {given!r}; it is an audience, a dict of one, or the ids of VENs")
    return Audience(ven_ids=tuple(given))


class _StrictAudience(Audience, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An audience as a dict, in which a slip of the pen is not passed over."""

    def plain(self) -> Audience:
        return Audience(**{name: getattr(self, name) for name in Audience.__struct_fields__})


def checked(part: _PartT) -> _PartT:
    """Look whether an audience or an enrolment holds tuples of ids, and take each of them once.

    :raises LocalProtocolError: it does not; the text says where.
    """
    names = [name for name in ("ven_ids", *Enrolment.kinds()) if hasattr(part, name)]
    for name in names:
        value = getattr(part, name)
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise LocalProtocolError(f"{name} is {value!r}; it is a list of texts, such as [{str(value)!r}]")
        for one in value:
            if not isinstance(one, str) or not one.strip():
                raise LocalProtocolError(f"{name} holds {one!r}; each is a text that is not empty")
    return msgspec.structs.replace(part, **{name: tuple(dict.fromkeys(getattr(part, name))) for name in names})
