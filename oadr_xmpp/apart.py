"""Answers that come in stanzas of their own, and say what they answer by their requestID alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from oadr_core import Limits, Payload, RemoteProtocolError, decode, expects_answer, is_answer
from oadr_xmpp.exchanges import Pending

_USUAL: Final = Limits()


def understood(document: bytes, limits: Limits = _USUAL) -> Payload | None:
    """What a document says, read as liberally as can be; None where nothing can be made of it.

    It is read to find out what it answers, and for nothing else: who gets it opens it anew, and looks who signed it.

    :param document: the document.
    :param limits: how large it may be.
    """
    try:
        return decode(document, strict=False, limits=limits)
    except RemoteProtocolError:
        return None


class _Awaited(NamedTuple):
    """A request without an answer.

    :param whose: by what the one who has to answer is known.
    :param request: what was asked.
    :param pending: what waits for the answer.
    """

    whose: str
    request: Payload
    pending: Pending


class AnswersApart:
    """Knows which requests are answered by which stanzas (rules 207 and 303)."""

    def __init__(self) -> None:
        self._awaited: Final[list[_Awaited]] = []

    @contextmanager
    def awaited(self, whose: str, document: bytes, pending: Pending) -> Iterator[bool]:
        """Know, while the body runs, of a request that is sent.

        :param whose: by what the one who has to answer is known.
        :param document: what is asked.
        :param pending: what waits for the answer.
        :returns: whether there will be an answer.
        """
        own = Limits(size=len(document), tags=len(document))  # what is ours is as large as it is
        request = decode(document, strict=False, limits=own)
        one = _Awaited(whose, request, pending)
        self._awaited.append(one)
        try:
            yield expects_answer(request)
        finally:
            self._awaited.remove(one)

    def settle(self, whose: str, message: Payload, document: bytes) -> bool:
        """Bring an answer to the request that has waited longest for it.

        :param whose: by what the sender is known.
        :param message: what it says.
        :param document: the whole of it.
        :returns: whether it answers anything.
        """
        for one in self._awaited:
            if one.whose == whose and is_answer(message, one.request) and not one.pending.settled:
                one.pending.settle(document)
                return True
        return False
