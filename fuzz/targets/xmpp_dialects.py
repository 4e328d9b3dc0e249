"""Contents of stanzas in the dialects of others.

Whatever the bytes, they are given what is missing of their envelope, once. What can be read without it is read the same
with it. A message that was read is taken out of its envelope for each dialect, and is the same when it is read again.
It has a service. It answers one request at most, of whom its sender was asked, and none that has no answer; an
oadrResponse asks for nothing.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from fuzz import mutations
from fuzz.messages import documents
from fuzz.target import Target
from oadr_core import (
    Failure,
    LocalProtocolError,
    Payload,
    ProfileName,
    RemoteProtocolError,
    Response,
    Role,
    decode,
    encode,
    expects_answer,
    is_answer,
    may_ask,
    read,
    service_of,
    verify,
)
from oadr_xmpp.apart import AnswersApart, understood
from oadr_xmpp.dialects import Wrapping, unwrapped, wrapped, wrapping_of
from oadr_xmpp.exchanges import Pending


def check(data: bytes) -> None:
    """Read a content that somebody has sent."""
    document = wrapped(data)
    assert wrapped(document) == document, "an envelope is put around an envelope"
    message = understood(document)
    try:
        plain = read(data, strict=False, profile=ProfileName.V20B).message
    except RemoteProtocolError:
        pass
    else:
        assert repr(plain) == repr(message), "the envelope changes what is said"
    if message is not None:
        _is_correlated(message)
        _answers_one_at_most(message)
        _is_said_in_every_dialect(message)


def _is_said_in_every_dialect(message: Payload) -> None:
    try:
        verify(message)
    except LocalProtocolError:
        return  # it was forgiven something that nobody writes
    written = encode(message)
    said = decode(written)
    for wrapping in Wrapping:
        content = unwrapped(written, wrapping)
        assert wrapping_of(content) is wrapping
        assert repr(decode(wrapped(content))) == repr(said), f"it is another message in a {wrapping or 'text'}"


def _is_correlated(message: Payload) -> None:
    service_of(message)
    for role in Role:
        assert not (isinstance(message, Response) and may_ask(role, message)), "two would answer each other for ever"
    for request in _REQUESTS:
        assert expects_answer(request) or not is_answer(message, request)


class _Awaited(Pending):
    """A request that nobody waits for."""

    def __init__(self, whose: str, document: bytes) -> None:
        self.whose: Final = whose
        self.document: Final = document
        self.request: Final = decode(document)
        self.answers = 0

    @property
    def settled(self) -> bool:
        """Whether it is answered."""
        return self.answers > 0

    def settle(self, answer: bytes | Failure) -> None:
        """Count an answer."""
        self.answers += 1


def _answers_one_at_most(message: Payload) -> None:
    for one in _AWAITED:
        one.answers = 0
    found = _APART.settle("a", message, b"")
    answered = [one for one in _AWAITED if one.settled]
    assert len(answered) == found, "one message answers several requests, or nobody is told of it"
    assert all(one.whose == "a" for one in answered), "somebody answers for somebody else"
    assert all(is_answer(message, one.request) for one in answered), "it answers something else"


_APART: Final = AnswersApart()
_AWAITED: Final = [_Awaited(whose, document) for whose in ("b", "a", "a") for document in documents()]
_STAY: Final = ExitStack()
for _one in _AWAITED:
    _STAY.enter_context(_APART.awaited(_one.whose, _one.document, _one))

_REQUESTS: Final = [decode(one) for one in documents()]


def _seeds() -> Iterator[bytes]:
    for document in documents():
        for wrapping in Wrapping:
            yield unwrapped(document, wrapping)
    yield from (b"hello", b"<?xml version='1.0'?><!-- x --><oadrPayload/>")
    yield b"\xef\xbb\xbf" + unwrapped(documents()[0], Wrapping.BARE)


TARGET: Final = Target(
    check=check,
    seeds=lambda: list(_seeds()),
    modules=("oadr_core.correlation", "oadr_xmpp.apart", "oadr_xmpp.dialects"),
    mutate=mutations.of_documents(documents),
    runs=300,
)
