"""Registering only VENs whose fingerprints are known beforehand."""

import inspect
from collections.abc import Callable
from functools import partial

import anyio.to_thread
import msgspec

from oadr_core import (
    LocalProtocolError,
    RegistrationDecision,
    arguments,
    certificate_after,
    normalised_fingerprints,
    registration_decision,
)


def bound(handler: Callable[..., object] | None, lookup: Callable[..., object]) -> Callable[..., object]:
    """Make an ``on_create_party_registration`` that takes a VEN only with a fingerprint that is known of it.

    Of several that are known, the VEN is known from then on by the one that it has shown, and by the next one.

    :param handler: the one of the application, which decides first; None to register every VEN whose id is known.
    :param lookup: takes a ``ven_id``, and returns its fingerprint, or several, the earliest first, or None where the
        VEN is not known.
    """

    async def on_create_party_registration(
        registration_info: dict[str, object], fingerprint: str | None, jid: str | None = None
    ) -> RegistrationDecision:
        told = {"registration_info": registration_info, "fingerprint": fingerprint, "jid": jid}
        value = True if handler is None else await _called(handler, **arguments(handler, told))
        decision = registration_decision(value)
        if not decision.accepted:
            return decision
        ven_id = decision.ven_id or registration_info.get("ven_id")
        known = None if not ven_id else await _called(lookup, ven_id)
        listed = () if known is None else _spelled(known)
        if fingerprint is None or fingerprint not in listed:
            return RegistrationDecision(accepted=False, description="the VEN is not known by its certificate")
        successor = decision.successor or certificate_after(listed, fingerprint)
        return msgspec.structs.replace(decision, certificate_checked=True, successor=successor)

    return on_create_party_registration


def _spelled(known: object) -> tuple[str, ...]:
    """The fingerprints of a VEN, as an application has given them.

    :raises LocalProtocolError: they are none.
    """
    given = [known] if isinstance(known, str) else known
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise LocalProtocolError(
            f"fingerprint_lookup returned {known!r}, where a fingerprint, several, or None is expected"
        )
    try:
        return normalised_fingerprints(given)
    except LocalProtocolError as error:
        raise LocalProtocolError(f"fingerprint_lookup: {error}") from None


async def _called(function: Callable[..., object], *told: object, **named: object) -> object:
    """Call a function of the application: a coroutine function here, any other in a thread."""
    if not inspect.iscoroutinefunction(function):
        return await anyio.to_thread.run_sync(partial(function, *told, **named))
    return await function(*told, **named)
