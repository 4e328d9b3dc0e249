"""Settings that the clients and servers of all adapters take, as what a core takes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from oadr_core import LocalProtocolError, SenderConfig, VenConfig, VenLimits, VtnLimits

_T = TypeVar("_T")


def patience(longest_wait: timedelta, request_timeout: timedelta | None = None) -> SenderConfig:
    """How patient a side is with the other one.

    :param longest_wait: how long it waits at most before it tries again what did not get through.
    :param request_timeout: how long an answer is awaited; as long as usual if None.
    :raises LocalProtocolError: one of these is nothing.
    """
    timeout = timedelta(seconds=SenderConfig().timeout) if request_timeout is None else request_timeout
    for name, period in {"request_timeout": timeout, "longest_wait": longest_wait}.items():
        if period <= timedelta(0):
            raise LocalProtocolError(f"{name} is {period}; it must be more than nothing")
    return SenderConfig(timeout=timeout.total_seconds(), longest_wait=longest_wait.total_seconds())


def vtn_limits(given: object) -> VtnLimits:
    """How much VENs can make a VTN keep, of limits that also say what a server puts up with.

    :param given: has all that :class:`oadr_core.VtnLimits` has, by the same names.
    :raises LocalProtocolError: one of these is no whole number, or less than 1.
    """
    return VtnLimits(**{name: getattr(given, name) for name in VtnLimits.__struct_fields__})


def ven_config(
    *,
    ven_id: str | None,
    call_timeout: timedelta,
    market_contexts: Sequence[str] | None,
    group_ids: Sequence[str] | None,
    resource_ids: Sequence[str] | None,
    party_ids: Sequence[str] | None,
    device_classes: Sequence[str] | None,
    signals: Sequence[tuple[str, str]] | None,
    ven_limits: VenLimits | None,
    **more: Any,
) -> VenConfig:
    """What a VEN is.

    :param ven_id: its id, if one was agreed beforehand.
    :param call_timeout: how long a handler may take.
    :param market_contexts: the programs that it is part of; any if None, as with those that follow.
    :param group_ids: the groups that it is in.
    :param resource_ids: the resources that it has.
    :param party_ids: the parties that it acts for.
    :param device_classes: the classes of its devices.
    :param signals: the signals that it supports.
    :param ven_limits: how much its VTN can make it keep; as usual if None.
    :param more: what else :class:`oadr_core.VenConfig` takes.
    """
    return VenConfig(
        ven_id=ven_id or "",
        call_timeout=call_timeout.total_seconds(),
        market_contexts=_listed(market_contexts),
        group_ids=_listed(group_ids),
        resource_ids=_listed(resource_ids),
        party_ids=_listed(party_ids),
        device_classes=_listed(device_classes),
        signals=_listed(signals),
        limits=ven_limits or VenLimits(),
        **more,
    )


def _listed(given: Sequence[_T] | None) -> tuple[_T, ...] | None:
    return None if given is None else tuple(given)
