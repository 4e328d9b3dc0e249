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

_MOST_TAGS: Final = 20_000
"""Opening tags of a stanza that are taken beside its payload: whoever reads a stanza takes long over many, also where
they are short beside a text that may be long."""


class StreamTooLarge(Exception):
    """A tag has more bytes than are taken of a whole stanza."""


class PayloadCutter:
    """Cuts the payloads out of one stream, and passes on stanzas that are whole.

    A stanza that is too large is passed on without its content: anybody may send one, and it must not end the stream
    over which all others talk. It is not left out, as both sides count stanzas (XEP-0198).

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
        self._passed = bytearray()  # what is passed on once its stanza is whole
        self._whole = 0  # how much of that is
        self._cursor = 0  # up to where the bytes in hand are dealt with
        self._tags = 0  # opening tags that are passed on of the present stanza
        self._begun = False  # whether what is not whole is a stanza, and not what stands between two
        self._emptied = False  # whether the present stanza was too large, and its content is thrown away
        self._number = 0
        self._cut: dict[str, bytes | None] = {}  # payloads, up to those of the present stanza
        self._first = 1  # the number of the first payload of the present stanza

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the stream.

        :returns: what is to be passed on: whole stanzas, with a token in the place of each payload.
        :raises expat.ExpatError: it is no XML, or has a DOCTYPE.
        :raises StreamTooLarge: a tag is so large that not even its end is waited for.
        """
        whole = self._held + data
        last = whole.rfind(b"<")
        complete = last < 0 or _TAG.match(whole, last) is not None
        self._fed, self._held = (whole, b"") if complete else (whole[:last], whole[last:])
        if len(self._held) > self._longest + self._longest_rest:
            raise StreamTooLarge(f"a tag has more than {self._longest + self._longest_rest} bytes")
        self._cursor = 0
        if self._fed:
            self._parser.Parse(self._fed, False)
        self._hand_on(len(self._fed))
        self._offset += len(self._fed)
        if self._depth <= _STANZA:
            self._end_stanza()
        elif self._is_too_large():
            self._empty()
        passed = bytes(self._passed[: self._whole])
        del self._passed[: self._whole]
        self._whole = 0
        return passed

    def take(self, number: str) -> bytes | None:
        """Take a payload that was cut out, once.

        :param number: what its token is numbered with.
        :returns: a document of its own; None where it was too long.
        :raises KeyError: there is none.
        """
        return self._cut.pop(number)

    def forget(self) -> None:
        """Throw away the payloads that nobody has taken, of all stanzas that are whole."""
        self._cut = {number: payload for number, payload in self._cut.items() if int(number) >= self._first}

    # --- what the parser tells ---------------------------------------------------------------------------------------

    def _doctype(self, *_: Any) -> None:
        raise expat.ExpatError("a stream has no DOCTYPE")

    def _declared(self, prefix: str | None, uri: str | None) -> None:
        self._new[prefix] = uri or ""

    def _started(self, name: str, _: object) -> None:
        declared, self._new = self._new, {}
        if self._depth == _STANZA:
            self._outer = declared
            self._hand_on(self._parser.CurrentByteIndex - self._offset)
            self._end_stanza()
            self._begun = True
        elif self._depth == _PAYLOAD and name.startswith(f"{OADR} ") and not self._emptied:
            self._begin()
        if self._payload is None and not self._emptied:
            self._tags += 1
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
        if self._depth < _STANZA:
            self._hand_on(self._parser.CurrentByteIndex - self._offset)
            self._end_stanza()
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
        if self._emptied:
            return
        if self._payload is None:
            self._passed += piece
            return
        if len(self._payload) <= self._longest:
            self._payload += piece

    def _end_stanza(self) -> None:
        """Take note that what came before is whole."""
        if self._begun and self._is_too_large():
            self._empty()
        self._whole, self._first = len(self._passed), self._number + 1
        self._begun = self._emptied = False
        self._tags = 0

    def _is_too_large(self) -> bool:
        return len(self._passed) - self._whole > self._longest_rest or self._tags > _MOST_TAGS

    def _empty(self) -> None:
        """Have nothing left of the present stanza but its opening tag, and close that."""
        tag = _TAG.match(self._passed, self._whole)
        assert tag is not None, "the parser is given whole tags alone"
        name = _NAME.match(tag[0])
        assert name is not None
        if not tag[0].endswith(b"/>"):
            self._passed[tag.end() :] = b"</" + name[0][1:] + b">"
        self._whole, self._emptied, self._payload, self._tags = len(self._passed), True, None, 0
        for number in range(self._first, self._number + 1):
            self._cut.pop(str(number), None)
        self._first = self._number + 1
