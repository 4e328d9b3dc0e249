"""Reading what an operator asks of a running VTN."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from oadr_app.periods import instant
from oadr_core import EventRecord, LocalProtocolError
from oadr_http import OpenADRServer


def text_of(asked: Mapping[str, Any], name: str) -> str:
    """Read a text that has to be there.

    :raises LocalProtocolError: it is not, or is none.
    """
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise LocalProtocolError(f"`{name}` must be there, and be a text")
    return value


def maybe_text(asked: Mapping[str, Any], name: str) -> str | None:
    """Read a text that may be missing.

    :raises LocalProtocolError: it is something else.
    """
    return None if asked.get(name) is None else text_of(asked, name)


def texts_of(asked: Mapping[str, Any], name: str) -> list[str]:
    """Read a list of texts, which may be missing.

    :raises LocalProtocolError: it is something else.
    """
    value = asked.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise LocalProtocolError(f"`{name}` must be a list of texts")
    return value


def time_of(asked: Mapping[str, Any], name: str) -> datetime | None:
    """Read a point in time that may be missing.

    :raises LocalProtocolError: it is something else.
    """
    text = maybe_text(asked, name)
    try:
        return None if text is None else instant(text, datetime.now(UTC))
    except ValueError as error:
        raise LocalProtocolError(f"{name}: {error}") from None


def event_of(server: OpenADRServer, asked: Mapping[str, Any]) -> EventRecord:
    """Find the event that ``event_id`` names: by its id, or by the beginning of it.

    :raises LocalProtocolError: there is none, or several; the text says which.
    """
    wanted, known = text_of(asked, "event_id"), server.events
    found = [known[wanted]] if wanted in known else [one for key, one in known.items() if key.startswith(wanted)]
    if not found:
        raise LocalProtocolError(f"there is no event {wanted!r}")
    if len(found) > 1:
        some = ", ".join(sorted(one.event_id for one in found)[:3])
        raise LocalProtocolError(f"{len(found)} events begin with {wanted!r}, such as {some}")
    return found[0]


def ven_id_of(server: OpenADRServer, asked: str) -> str:
    """Find a registered VEN by its id or by its name.

    :raises LocalProtocolError: there is none, or several have the name; the text says which.
    """
    if asked in server.vens:
        return asked
    names = [(record.ven_name, ven_id) for ven_id, record in sorted(server.vens.items())]
    found = [ven_id for name, ven_id in names if name == asked]
    if len(found) == 1:
        return found[0]
    if found:
        raise LocalProtocolError(f"several VENs are called {asked!r}; name one by its id: {', '.join(found)}")
    there = sorted(name or ven_id for name, ven_id in names)
    few = ", ".join(there[:12]) + (f" and {len(there) - 12} more" if len(there) > 12 else "")
    raise LocalProtocolError(f"no VEN is called {asked!r}; there are {few or 'none'}")
