"""What is under way over one stream or several: requests of ours that have no answer yet, and those of others."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from oadr_core import Failure
from oadr_driver.throttle import buckets
from oadr_driver.transport import ExchangeFailed
from oadr_xmpp.dialects import XmppDialect
from oadr_xmpp.limits import XmppLimits

Serve = Callable[[bytes, Any, XmppDialect], Awaitable[tuple[Failure | None, bytes]]]
"""Takes a document, the JID that the server says it comes from, and how it came; says how it is refused, or what
answers it."""


class Pending:
    """A request of ours that is under way.

    :param unread: where it is as long as its answer is there and nobody has read it.
    """

    def __init__(self, unread: set["Pending"]) -> None:
        loop = asyncio.get_running_loop()
        self.read: Final[asyncio.Future[None]] = loop.create_future()
        self._answer: asyncio.Future[bytes] = loop.create_future()
        self._unread = unread

    @property
    def settled(self) -> bool:
        """Whether it is known what came of it."""
        return self._answer.done()

    def settle(self, answer: bytes | Failure) -> None:
        """Bring the answer, or say why there is none; the first that is said counts."""
        if self._answer.done():
            return
        self._unread.add(self)
        if isinstance(answer, Failure):
            self._answer.set_exception(ExchangeFailed(answer))
        else:
            self._answer.set_result(answer)

    async def wait(self, patience: float) -> bytes:
        """Wait for the answer.

        :param patience: seconds that it is awaited.
        :raises ExchangeFailed: there is none.
        """
        try:
            return await asyncio.wait_for(self._answer, patience)
        except TimeoutError:
            raise ExchangeFailed(Failure.SILENCE) from None

    def close(self) -> None:
        """Be over, with an answer or without."""
        self._unread.discard(self)
        self.read.set_result(None)
        if self._answer.done() and not self._answer.cancelled():
            self._answer.exception()  # which nobody may have waited for any more
        self._answer.cancel()


class Exchanges:
    """Counts what is under way, and lets there be no more of it than is allowed.

    :param limits: what is allowed.
    :param clock: seconds that never go back.
    """

    def __init__(self, limits: XmppLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._pending: set[Pending] = set()
        self._unread: set[Pending] = set()
        self._serve: Serve | None = None
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._of_peers: Counter[str] = Counter()
        self._buckets = buckets(limits.requests_per_peer)

    # --- our requests ------------------------------------------------------------------------------------------------

    @contextmanager
    def pending(self) -> Iterator[Pending]:
        """Have a request of ours under way while the body runs."""
        one = Pending(self._unread)
        self._pending.add(one)
        try:
            yield one
        finally:
            self._pending.discard(one)
            one.close()

    def fail_all(self, why: Failure) -> None:
        """Give up all requests of ours."""
        for one in self._pending:
            one.settle(why)

    # --- requests of others ------------------------------------------------------------------------------------------

    def serve(self, serve: Serve | None) -> None:
        """Say what takes requests from now on; None has them sent back, to come again later."""
        self._serve = serve

    def too_often(self, peer: str) -> bool:
        """Count something that a peer says; whether it says too much."""
        return self._buckets.take(peer, self._clock()) > 0

    def too_many(self, peer: str) -> bool:
        """Whether a request cannot be taken now, as too many are being answered, or nobody takes any."""
        full = len(self._tasks) >= self._limits.in_flight or self._of_peers[peer] >= self._limits.in_flight_per_peer
        return full or self._serve is None

    def start(self, peer: str, work: Callable[[Serve], Awaitable[None]]) -> None:
        """Have a request answered; one that :meth:`too_many` allows.

        :param peer: whose it is.
        :param work: takes what serves it, once all answers that came before it are read.
        """
        assert self._serve is not None
        task = asyncio.get_running_loop().create_task(self._worked(work, self._serve))
        self._tasks[task] = peer
        self._of_peers[peer] += 1
        task.add_done_callback(self._done)

    async def _worked(self, work: Callable[[Serve], Awaitable[None]], serve: Serve) -> None:
        if self._unread:  # these answers came before this request, and so they are read before it
            await asyncio.wait([one.read for one in self._unread])
        await work(serve)

    def _done(self, task: asyncio.Task[None]) -> None:
        peer = self._tasks.pop(task)
        self._of_peers[peer] -= 1
        if not self._of_peers[peer]:
            del self._of_peers[peer]

    async def finished(self) -> None:
        """Wait until nothing is being answered."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self) -> None:
        """Leave nothing running."""
        self.fail_all(Failure.BROKEN)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
