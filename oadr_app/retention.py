"""Deleting readings and Green Button data that are not to be kept, a slice at a time: nothing else waits for it."""

from datetime import UTC, datetime
from typing import Final

import anyio

from oadr_app.readings import Retention
from oadr_app.sqlite_store import SqliteStore
from oadr_driver.logs import logger

_LOG: Final = logger("oadr.vtn")

SLICE: Final = 5_000
"""Readings that are deleted in one transaction: some ten milliseconds."""

_PAUSE: Final = 0.05
"""Seconds between two slices, which belong to VENs and operators."""

_REST: Final = 60.0
"""Seconds until it is looked again, when all is done."""


async def trim_for_ever(store: SqliteStore, keep: Retention) -> None:
    """Delete readings and Green Button data as they come to be too old or too many, until it is cancelled.

    :param store: what there is.
    :param keep: which are to be kept.
    """
    while keep.bounded:
        await trim(store, keep)
        await anyio.sleep(_REST)


async def trim(store: SqliteStore, keep: Retention) -> int:
    """Delete what is not to be kept now.

    :param store: what there is.
    :param keep: which are to be kept.
    :returns: how many readings, and feeds of Green Button data, were deleted.
    """
    total = 0
    try:
        while deleted := await store.trim(keep, datetime.now(UTC), SLICE):
            total += deleted
            await anyio.sleep(_PAUSE)
    except OSError as error:
        _LOG.warning("readings that are too old or too many cannot be deleted at present: %s", error)
    return total
