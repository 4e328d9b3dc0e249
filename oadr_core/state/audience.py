"""Whom an event is for, and what a VEN belongs to, by which events find it.

Both are what the operator has said. What a VEN says of itself, such as the resources that it offers reports about,
plays no part: it could have itself handed what is meant for others.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

from oadr_core.messages.uris import normal_uri
from oadr_core.state.blobs import Blob

Mark: TypeAlias = tuple[str, str]
"""One thing by which events and VENs find each other: its kind, and which of the kind."""

EVERYONE: Final[Mark] = ("everyone", "")
"""The mark that all VENs have."""


def ven_mark(ven_id: str) -> Mark:
    """The mark of a single VEN."""
    return "ven_ids", ven_id


def event_mark(event_id: str) -> Mark:
    """The mark of the VENs for which the application's handlers have returned an event."""
    return "event_ids", event_id


def _marks(part: msgspec.Struct, *kinds: str) -> Iterator[Mark]:
    for kind in kinds:
        for value in getattr(part, kind):
            yield kind, normal_uri(value) if kind == "market_contexts" else value


class Audience(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom an event is for: the VENs that meet any of the criteria (rule 22).

    Groups, resources, parties and market contexts are those in which the operator has enrolled VENs; see
    :class:`Enrolment`. A VEN that comes to one of them while the event is alive gets it, and one that goes has it no
    more.

    :param ven_ids: VENs; those that are not registered yet get the event when they are.
    :param group_ids: groups.
    :param resource_ids: resources.
    :param party_ids: parties.
    :param market_contexts: programs, as URIs; they are compared in their normal form (rule 512).
    :param everyone: whether it is for all that are registered, or will be.
    """

    ven_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    resource_ids: tuple[str, ...] = ()
    party_ids: tuple[str, ...] = ()
    market_contexts: tuple[str, ...] = ()
    everyone: bool = False

    def __bool__(self) -> bool:
        """Whether it has any criterion."""
        return self != Audience()

    def marks(self) -> Iterator[Mark]:
        """The marks of which a VEN needs one."""
        yield from _marks(self, "ven_ids", *Enrolment.kinds())
        if self.everyone:
            yield EVERYONE


class Enrolment(Blob, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a VEN belongs to, as the operator has said; it outlives registrations.

    :param group_ids: the groups that it is in.
    :param resource_ids: the resources behind it.
    :param party_ids: the parties that it stands for.
    :param market_contexts: the programs that it takes part in, as URIs.
    """

    group_ids: tuple[str, ...] = ()
    resource_ids: tuple[str, ...] = ()
    party_ids: tuple[str, ...] = ()
    market_contexts: tuple[str, ...] = ()

    @staticmethod
    def kinds() -> tuple[str, ...]:
        """The kinds of what a VEN can be enrolled in."""
        return "group_ids", "resource_ids", "party_ids", "market_contexts"

    def __bool__(self) -> bool:
        """Whether the VEN belongs to anything."""
        return any(getattr(self, kind) for kind in self.kinds())

    def marks(self) -> Iterator[Mark]:
        """The marks that it gives the VEN."""
        yield from _marks(self, *self.kinds())


class HandedEvents(Blob, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The events that the application's handlers have returned for a VEN, which are for it whatever their audience.

    :param event_ids: the events.
    """

    event_ids: tuple[str, ...] = ()

    def marks(self) -> Iterator[Mark]:
        """The marks that it gives the VEN."""
        yield from _marks(self, "event_ids")
