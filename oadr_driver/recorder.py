"""Recording exchanges as they happen, for a trace that ``oadr inspect`` can judge."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from oadr_core import Failure, Peer, RecordedExchange, Role, Service, Transmit
from oadr_driver.logs import logger

_LOG: Final = logger("oadr.trace")

Trace = Callable[[RecordedExchange], None]
"""Takes each exchange once it is over; must not block for long. What it raises is logged, and disturbs nothing."""


class Recorder:
    """Tells a trace of exchanges.

    :param role: who we are.
    :param trace: takes the exchanges.
    """

    def __init__(self, role: Role, trace: Trace) -> None:
        self._ours: Final = role
        self._theirs: Final = Role.VTN if role is Role.VEN else Role.VEN
        self._trace = trace

    def sent(
        self, transmit: Transmit, request: bytes, answer: bytes | None, failure: Failure | None, began: datetime
    ) -> None:
        """A request of ours is over."""
        self._tell(
            RecordedExchange(
                time=began,
                requester=self._ours,
                transport=transmit.to.transport,
                peer=transmit.to.base,
                service=transmit.service,
                request=_text(request),
                answer=None if answer is None else _text(answer),
                failure=None if failure is None else failure.value,
            )
        )

    def received(
        self,
        peer: Peer,
        service: Service | None,
        request: bytes,
        answer: bytes,
        refusal: Failure | None,
        began: datetime,
    ) -> None:
        """A request of a peer is over."""
        self._tell(
            RecordedExchange(
                time=began,
                requester=self._theirs,
                transport=peer.transport,
                peer=peer.identity or peer.address or "",
                service=service,
                request=_text(request),
                answer=None if refusal is not None else _text(answer),
                failure=None if refusal is None else refusal.value,
            )
        )

    def _tell(self, exchange: RecordedExchange) -> None:
        try:
            self._trace(exchange)
        except Exception:  # a full disk, or whatever else a user's function may meet
            _LOG.exception("an exchange cannot be recorded")


def _text(document: bytes) -> str:
    return document.decode("utf-8", "replace")
