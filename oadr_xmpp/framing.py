"""Payloads cut out of an XMPP stream by the offsets of their bytes.

A signature covers bytes. What a library has parsed and written again is another document to it, so payloads never pass
through one: they are cut out of the stream before, and a token stands in the place of each.
"""

import re
from typing import Any, Final
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

OADR: Final = "http://openadr.org/oadr-2.0b/2012/07"
"""The namespace of payloads."""

_TAG: Final = re.compile(rb"<(?:[^\"'>]|\"[^\"]*\"|'[^']*')*>")
_NAME: Final = re.compile(rb"<[^\s/>]+")
_OWN_DECLARATION: Final = re.compile(rb"\sxmlns(?::([^\s=]+))?\s*=")

_STANZA: Final = 1
"""How deep a stanza stands in its stream, where the stream itself is at 0."""
_PAYLOAD: Final = 2
"""How deep a payload stands."""


class StreamTooLarge(Exception):
    """A stanza has more bytes than are taken, beside its payload."""


class PayloadCutter:
    """Cuts the payloads out of one stream.

    :param token: a namespace for the tokens, which nobody else can guess.
    :param longest: bytes of a payload that are taken; what is longer is thrown away as it comes.
    :param longest_rest: bytes of a stanza that are taken beside its payload.
    """

    def __init__(self, token: str, *, longest: int, longest_rest: int) -> None:
        self._token: Final = token
        self._longest = longest
        self._longest_rest = longest_rest
        self._parser = expat.ParserCreate("UTF-8", " ")  # which is what a stream is written in, whatever it says
        self._parser.StartNamespaceDeclHandler = self._declared
        self._parser.StartElementHandler = self._started
        self._parser.EndElementHandler = self._ended
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._held = b""  # the beginning of a tag that has not come as a whole
        self._fed = b""  # what the parser is at
        self._offset = 0  # how many bytes it has been given before that
        self._depth = 0
        self._new: dict[str | None, str] = {}  # namespaces that are declared by the next tag
        self._outer: dict[str | None, str] = {}  # those that are declared by the stanza
        self._payload: bytearray | None = None
        self._empty_until: int | None = None  # where a payload without content ends
        self._passed = bytearray()  # what is passed on
        self._cursor = 0  # up to where the bytes in hand are dealt with
        self._stanza_at = 0  # where the present stanza begins
        self._set_apart = 0  # bytes of it that belong to payloads
        self._number = 0
        self._cut: dict[str, bytes | None] = {}

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the stream.

        :returns: what is to be passed on: the stream, with a token in the place of each payload.
        :raises expat.ExpatError: it is no XML, or has a DOCTYPE.
        :raises StreamTooLarge: a stanza is too large, whatever it is.
        """
        whole = self._held + data
        last = whole.rfind(b"<")
        complete = last < 0 or _TAG.match(whole, last) is not None
        self._fed, self._held = (whole, b"") if complete else (whole[:last], whole[last:])
        self._check(len(self._held))
        self._cursor = 0
        self._passed.clear()
        if self._fed:
            self._parser.Parse(self._fed, False)
        self._hand_on(len(self._fed))
        self._offset += len(self._fed)
        if self._depth > _STANZA:
            self._check(self._offset - self._stanza_at - self._set_apart)
        return bytes(self._passed)

    def take(self, number: str) -> bytes | None:
        """Take a payload that was cut out, once.

        :param number: what its token is numbered with.
        :returns: a document of its own; None where it was too long.
        :raises KeyError: there is none.
        """
        return self._cut.pop(number)

    def forget(self) -> None:
        """Throw away the payloads that nobody has taken."""
        self._cut.clear()

    # --- what the parser tells ---------------------------------------------------------------------------------------

    def _doctype(self, *_: Any) -> None:
        raise expat.ExpatError("a stream has no DOCTYPE")

    def _declared(self, prefix: str | None, uri: str | None) -> None:
        self._new[prefix] = uri or ""

    def _started(self, name: str, _: object) -> None:
        declared, self._new = self._new, {}
        if self._depth == _STANZA:
            self._outer = declared
            self._stanza_at, self._set_apart = self._parser.CurrentByteIndex, 0
        elif self._depth == _PAYLOAD and name.startswith(f"{OADR} "):
            self._begin()
        self._depth += 1

    def _begin(self) -> None:
        start = self._parser.CurrentByteIndex - self._offset
        self._hand_on(start)
        found = _TAG.match(self._fed, start)
        assert found is not None, "the parser is given whole tags alone"
        tag = found[0]
        name = _NAME.match(tag)
        assert name is not None
        self._payload = bytearray(name[0] + self._inherited(tag))
        self._cursor = start + len(name[0])
        self._empty_until = found.end() if tag.endswith(b"/>") else None

    def _inherited(self, tag: bytes) -> bytes:
        """The namespaces that a payload takes from its stanza, so that it can stand alone."""
        own = {prefix.decode() or None for prefix in _OWN_DECLARATION.findall(tag)}
        text = ""
        for prefix, uri in self._outer.items():
            if prefix not in own and (prefix is not None or uri == OADR):
                text += f" xmlns{':' + prefix if prefix else ''}={quoteattr(uri)}"
        return text.encode()

    def _ended(self, _: str) -> None:
        self._depth -= 1
        if self._depth != _PAYLOAD or self._payload is None:
            return
        if self._empty_until is not None:
            end = self._empty_until
        else:
            end = self._fed.index(b">", self._parser.CurrentByteIndex - self._offset) + 1
        self._hand_on(end)
        payload, self._payload = self._payload, None
        self._number += 1
        self._cut[str(self._number)] = bytes(payload) if len(payload) <= self._longest else None
        self._passed += f'<payload xmlns="{self._token}" number="{self._number}"/>'.encode()

    # --- bytes -------------------------------------------------------------------------------------------------------

    def _hand_on(self, end: int) -> None:
        """Put the bytes up to a place where they belong."""
        piece, self._cursor = self._fed[self._cursor : end], end
        if self._payload is None:
            self._passed += piece
            return
        self._set_apart += len(piece)
        if len(self._payload) <= self._longest:
            self._payload += piece

    def _check(self, size: int) -> None:
        if size > self._longest_rest:
            raise StreamTooLarge(f"a stanza has more than {self._longest_rest} bytes beside its payload")
