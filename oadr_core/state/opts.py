"""The opts of a VEN, as both sides keep them: whom each is about, and what supersedes what (rules 202 to 206)."""

from collections.abc import Container, Iterator
from datetime import datetime
from typing import Final

import msgspec

from oadr_core.messages import CreateOpt, EiEvent, OptType, Target, add_duration, is_zero
from oadr_core.messages.uris import normal_uri

_CRITERIA: Final = tuple(name for name in Target.__struct_fields__ if name != "ven_id")
"""What tells the resources of a VEN apart; the VEN itself stands for all of them (rules 202 and 203, decision D3)."""

_MOST_ENDED: Final = 64
"""How many optIDs are known after their end, so that cancelling one of them again is no error (rule 211)."""


class Scope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an opt is about: everything that meets all three conditions (rules 202, 205 and 209).

    :param target: resources, any of them; empty means all.
    :param market_context: the program, as a URI in its normal form (rule 512); None means any.
    :param device_classes: the device classes, any of them; empty means all.
    """

    target: Target = Target()
    market_context: str | None = None
    device_classes: tuple[str, ...] = ()

    def applies_to(self, asked: "Scope") -> bool:
        """Whether this speaks about all that is asked for; a limited opt says nothing about the whole."""
        return (
            (not self.target or any(_shared(self.target, asked.target, name) for name in _CRITERIA))
            and self.market_context in (None, asked.market_context)
            and _within(asked.device_classes, self.device_classes)
        )

    def contains(self, other: "Scope") -> bool:
        """Whether all that the other is about is certainly meant by this too."""
        return (
            (not self.target or (bool(other.target) and not other.target.beyond(self.target)))
            and self.market_context in (None, other.market_context)
            and _within(other.device_classes, self.device_classes)
        )

    def touches(self, other: "Scope") -> bool:
        """Whether something can be meant by both; who belongs to a group is not known here."""
        classes = not self.device_classes or not other.device_classes
        return (
            (None in (self.market_context, other.market_context) or self.market_context == other.market_context)
            and (classes or bool(set(self.device_classes) & set(other.device_classes)))
            and not _are_apart(self.target, other.target)
        )


class Schedule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An availability schedule that is in force.

    :param opt: the schedule.
    :param overridden: what later schedules have taken over of it (rule 203).
    """

    opt: CreateOpt
    overridden: tuple[Scope, ...] = ()

    def speaks_of(self, asked: Scope) -> bool:
        """Whether it decides about what is asked for."""
        return scope_of(self.opt).applies_to(asked) and not any(one.applies_to(asked) for one in self.overridden)

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies in one of its stretches; one of no length is open-ended (rule 210)."""
        stretches = () if self.opt.vavailability is None else self.opt.vavailability.components
        return any(
            one.dtstart <= at and (is_zero(one.duration) or at < add_duration(one.dtstart, one.duration))
            for one in stretches
        )

    def is_over(self, now: datetime) -> bool:
        """Whether nothing of it lies in the present or the future."""
        stretches = () if self.opt.vavailability is None else self.opt.vavailability.components
        return not any(is_zero(one.duration) or now < add_duration(one.dtstart, one.duration) for one in stretches)


class OptBook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The opts of a VEN that are in force.

    :param schedules: its availability schedules, in the order in which they were made.
    :param event_opts: its opts for single events, in the order in which they were made; the last one counts.
    :param taken: digests of the last requests that were taken; the same again are confirmed and not taken twice.
    :param ended: the last optIDs of schedules that were cancelled or superseded, or are over.
    """

    schedules: tuple[Schedule, ...] = ()
    event_opts: tuple[CreateOpt, ...] = ()
    taken: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()

    def messages(self) -> Iterator[CreateOpt]:
        """The opts, as they were made."""
        yield from (one.opt for one in self.schedules)
        yield from self.event_opts

    def with_opt(self, opt: CreateOpt) -> "OptBook":
        """Add an opt, which supersedes earlier ones for what it is about (rules 203 and 206)."""
        scope = scope_of(opt)
        if opt.event_id is not None:
            kept = [one for one in self.event_opts if one.event_id != opt.event_id or not scope.contains(scope_of(one))]
            return msgspec.structs.replace(self, event_opts=(*kept, opt))
        schedules = []
        for one in self.schedules:
            if one.opt.opt_type is not opt.opt_type or not scope.touches(scope_of(one.opt)):
                schedules.append(one)
            elif not scope.contains(scope_of(one.opt)):
                overridden = [former for former in one.overridden if not scope.contains(former)]
                schedules.append(msgspec.structs.replace(one, overridden=(*overridden, scope)))
        return self._with_schedules((*schedules, Schedule(opt=opt)))

    def without(self, opt_id: str) -> "OptBook":
        """Take back all schedules that have an id (rule 204)."""
        return self._with_schedules(tuple(one for one in self.schedules if one.opt.opt_id != opt_id))

    def pruned(self, now: datetime, events: Container[str]) -> "OptBook":
        """Forget schedules that are over, and opts for events that are known no more."""
        book = self._with_schedules(tuple(one for one in self.schedules if not one.is_over(now)))
        kept = tuple(one for one in self.event_opts if one.event_id in events)
        return msgspec.structs.replace(book, event_opts=kept)

    def _with_schedules(self, schedules: tuple[Schedule, ...]) -> "OptBook":
        present = {one.opt.opt_id for one in schedules}
        gone = [one.opt.opt_id for one in self.schedules if one.opt.opt_id not in present]
        ended = [one for one in self.ended if one not in present and one not in gone]
        ended = [*ended, *dict.fromkeys(gone)][-_MOST_ENDED:]
        return msgspec.structs.replace(self, schedules=schedules, ended=tuple(ended))

    def is_known(self, opt_id: str) -> bool:
        """Whether there is, or was, a schedule of an id."""
        return opt_id in self.ended or any(one.opt.opt_id == opt_id for one in self.schedules)

    def is_for_event(self, opt_id: str) -> bool:
        """Whether an id was used to opt for an event, which cannot be cancelled (rule 211)."""
        return any(one.opt_id == opt_id for one in self.event_opts)

    def for_event(self, event_id: str, asked: Scope) -> CreateOpt | None:
        """Find what was last said about something in an event."""
        said = (one for one in reversed(self.event_opts) if one.event_id == event_id)
        return next((one for one in said if scope_of(one).applies_to(asked)), None)

    def scheduled(self, opt_type: OptType, asked: Scope, at: datetime) -> CreateOpt | None:
        """Find the schedule by which something is opted in or out at an instant."""
        said = (one for one in reversed(self.schedules) if one.opt.opt_type is opt_type and one.speaks_of(asked))
        return next((one.opt for one in said if one.holds(at)), None)


def scope_of(opt: CreateOpt) -> Scope:
    """Whom an opt is about."""
    return Scope(
        target=msgspec.structs.replace(opt.target, ven_id=()),
        market_context=normal_uri(opt.market_context) if opt.market_context else None,  # empty is omitted (rule 46)
        device_classes=() if opt.device_class is None else opt.device_class.end_device_asset,
    )


def foreign_targets(opt: CreateOpt, event: EiEvent) -> list[str]:
    """Name the criteria of an opt that are none of its event's; an event without any is about all (rule 206)."""
    return opt.target.beyond(event.target) if event.target.names_resources else []


def _shared(one: Target, other: Target, name: str) -> bool:
    return not set(getattr(one, name)).isdisjoint(getattr(other, name))


def _are_apart(one: Target, other: Target) -> bool:
    """Whether two targets name resources and nothing else, and none in common."""
    return (
        one == Target(resource_id=one.resource_id)
        and other == Target(resource_id=other.resource_id)
        and bool(one.resource_id and other.resource_id)
        and set(one.resource_id).isdisjoint(other.resource_id)
    )


def _within(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    """Whether device classes are all among others; none stands for all."""
    return not outer or (bool(inner) and set(inner) <= set(outer))
