"""Bytes of an XMPP stream to payloads, and to what is passed on.

Whatever the bytes and however they are cut, the cutter raises nothing but that it is no XML, or that a stanza is too
large. What it finds does not depend on how the bytes are cut, unless a stanza is too large. No payload is longer than
is taken. With the payloads in the places of their tokens, what is passed on is the same document as what came, and each
payload is a document of its own.
"""

import re
from typing import Final
from xml.etree import ElementTree
from xml.parsers import expat

from fuzz.draws import Draws
from fuzz.target import Target
from oadr_xmpp.framing import OADR, PayloadCutter, StreamTooLarge

_LONGEST: Final = 400
_REST: Final = 600
_TOKEN: Final = "urn:token"
_PLACE: Final = re.compile(rf'<payload xmlns="{_TOKEN}" number="(\d+)"/>'.encode())
_HEAD: Final = b'<stream:stream xmlns="jabber:client" xmlns:stream="http://etherx.jabber.org/streams">'
_HEADS: Final = (_HEAD, b"<?xml version='1.0'?>" + _HEAD, b"<")
"""How streams begin; what a server does before that is not looked at, as Expat takes it for other encodings."""


def check(data: bytes) -> None:
    """Read an input cut in pieces, and as a whole."""
    draws = Draws(data)
    step = draws.choose((1, 2, 7, 40, 400))
    stream = draws.choose(_HEADS) + draws.take(draws.left)
    pieces = _fed([stream[at : at + step] for at in range(0, len(stream), step)])
    whole = _fed([stream])
    if isinstance(pieces, str) or isinstance(whole, str):
        assert pieces == whole or "large" in (pieces, whole), "whether it is XML depends on how the bytes are cut"
        return
    assert pieces[1] == whole[1], "the payloads depend on how the bytes are cut"
    assert pieces[0] == whole[0], "what is passed on depends on how the bytes are cut"
    _is_the_same(stream, *whole)


def _fed(pieces: list[bytes]) -> tuple[bytes, dict[bytes, bytes | None]] | str:
    """What is passed on, and the payloads; or what is wrong."""
    cutter = PayloadCutter(_TOKEN, longest=_LONGEST, longest_rest=_REST)
    try:
        passed = b"".join([cutter.feed(one) for one in pieces])
    except expat.ExpatError:
        return "no XML"
    except StreamTooLarge:
        return "large"
    found: dict[bytes, bytes | None] = {}
    for number in _PLACE.findall(passed):
        try:
            found[number] = cutter.take(number.decode())
        except KeyError:
            continue  # the peer has written what looks like a token; it cannot guess the real ones
        payload = found[number]
        assert payload is None or len(payload) <= _LONGEST, "a payload is longer than is taken"
        if payload is not None:
            assert ElementTree.fromstring(payload).tag.startswith(f"{{{OADR}}}")
    return passed, found


def _is_the_same(stream: bytes, passed: bytes, found: dict[bytes, bytes | None]) -> None:
    try:
        came = ElementTree.canonicalize(stream)
    except ElementTree.ParseError:
        return  # it goes on
    if None in found.values() or not found:
        return
    again = _PLACE.sub(lambda place: found.get(place[1]) or place[0], passed)
    assert ElementTree.canonicalize(again) == came, "it is another document"


def _seeds() -> list[bytes]:
    payload = f'<oadrPayload xmlns="{OADR}"><a b="&gt;">x</a><b/></oadrPayload>'.encode()
    streams = [
        b"<iq id='1' type='set'>" + payload + b"</iq></stream:stream>",
        b"<presence/>\n<iq>" + payload + payload + b"</iq><message>" + payload + b"<body>x</body></message>",
        f'<iq xmlns:o="{OADR}" xmlns:p="urn:p"><o:oadrPayload p:a="1"/></iq></stream:stream>'.encode(),
        f'<s:iq xmlns:s="jabber:client" xmlns="{OADR}"><oadrPayload/></s:iq></stream:stream>'.encode(),
        b"<iq>" + f"<oadrPayload xmlns='{OADR}'>".encode() + b"<a/>" * 200 + b"</oadrPayload></iq>",
        b"<iq>" + b"<a/>" * 200 + b"</iq>",
        b"<iq a='" + b"x" * 700 + b"'/>",
        f"<iq><oadrPayload xmlns='{OADR}'><![CDATA[<oadrPayload>]]></oadrPayload></iq></stream:stream>".encode(),
        f'<iq><payload xmlns="{_TOKEN}" number="1"/></iq><iq>'.encode() + payload + b"</iq>",
        b"<!DOCTYPE a><a/>",
        b"<iq>&undefined;</iq>",
        b"<iq></presence>",
    ]
    return [bytes([step, head]) + one for one in streams for step, head in ((0, 0), (3, 1), (1, 2))]


TARGET: Final = Target(check=check, seeds=_seeds, modules=("oadr_xmpp.framing",), longest=2048)
