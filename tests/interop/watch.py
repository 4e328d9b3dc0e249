"""Waiting for what is told, instead of sleeping."""

from collections.abc import Callable
from typing import Final

import anyio

PATIENCE: Final = 30.0
"""Seconds that something may take which should happen at once or with the next poll; a busy machine is slow."""


class Watch:
    """A source of news: whoever waits for something looks again whenever there is any."""

    def __init__(self) -> None:
        self._news = anyio.Event()

    def _ring(self) -> None:
        """There is news."""
        self._news.set()
        self._news = anyio.Event()

    async def until(self, condition: Callable[[], object], what: str, within: float = PATIENCE) -> None:
        """Wait until a condition holds.

        :param condition: looked at now, and whenever there is news.
        :param what: what is waited for, in words.
        :param within: seconds it may take.
        :raises AssertionError: it did not hold in time.
        """
        with anyio.move_on_after(within):
            while not condition():
                await self._news.wait()
            return
        raise AssertionError(f"not within {within} seconds: {what}")
