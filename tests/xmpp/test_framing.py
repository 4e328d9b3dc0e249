"""Payloads are cut out of a stream byte for byte, however it arrives, and everything else is passed on."""

from xml.etree import ElementTree
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from oadr_xmpp.framing import OADR, PayloadCutter, StreamTooLarge

TOKEN = "urn:token"
HEAD = b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"


def cutter(longest: int = 10_000, rest: int = 1_000) -> PayloadCutter:
    return PayloadCutter(TOKEN, longest=longest, longest_rest=rest)


def fed(data: bytes, *, by: int | None = None, into: PayloadCutter | None = None) -> tuple[PayloadCutter, bytes]:
    """Feed a stream piece by piece; gives the cutter, and what it has passed on."""
    own = into or cutter()
    pieces = [data[at : at + by] for at in range(0, len(data), by)] if by else [data]
    return own, b"".join(own.feed(one) for one in pieces)


def token(number: int) -> bytes:
    return f'<payload xmlns="{TOKEN}" number="{number}"/>'.encode()


PAYLOADS = (
    f'<oadrPayload xmlns="{OADR}"><a b="\'&gt;/>">x &lt; > y/></a></oadrPayload>'.encode(),
    f"<oadrPayload xmlns='{OADR}'/>".encode(),
    f"<oadrPayload  xmlns='{OADR}'  ></oadrPayload  >".encode(),
    f'<o:oadrPayload xmlns:o="{OADR}"><o:b/><c/>ü\r\n<![CDATA[<oadrPayload>]]></o:oadrPayload>'.encode(),
    f'<oadrPayload xmlns="{OADR}"><oadrPayload><oadrPayload/></oadrPayload></oadrPayload>'.encode(),
)


@given(st.lists(st.sampled_from(PAYLOADS), max_size=4), st.integers(1, 80))
def test_a_payload_is_the_same_to_the_byte_however_the_stream_arrives(payloads: list[bytes], size: int) -> None:
    stream = HEAD + b" <presence/>\n"
    expected = stream
    for number, payload in enumerate(payloads, 1):
        stream += b'<iq id="a>b" type="set">' + payload + b"</iq><r xmlns='urn:xmpp:sm:3'/>"
        expected += b'<iq id="a>b" type="set">' + token(number) + b"</iq><r xmlns='urn:xmpp:sm:3'/>"
    own, passed = fed(stream, by=size)
    assert passed == expected
    assert [own.take(str(number)) for number in range(1, len(payloads) + 1)] == payloads


def test_each_payload_of_a_stanza_has_a_token_and_is_taken_once() -> None:
    own, passed = fed(HEAD + b"<iq>" + PAYLOADS[0] + b"<x/>" + PAYLOADS[1] + b"</iq>")
    assert passed == HEAD + b"<iq>" + token(1) + b"<x/>" + token(2) + b"</iq>"
    assert own.take("2") == PAYLOADS[1]
    assert own.take("1") == PAYLOADS[0]
    with pytest.raises(KeyError):
        own.take("1")


def test_payloads_that_nobody_takes_are_forgotten() -> None:
    own, _ = fed(HEAD + b"<iq>" + PAYLOADS[0] + b"</iq>")
    own.forget()
    with pytest.raises(KeyError):
        own.take("1")


@pytest.mark.parametrize(
    ("stanza", "root"),
    [
        (f'<iq xmlns:o="{OADR}" xmlns:p="urn:p"><o:oadrPayload><o:b p:c="1"/></o:oadrPayload></iq>', "oadrPayload"),
        (f'<s:iq xmlns="{OADR}" xmlns:s="jabber:client"><oadrPayload><b/></oadrPayload></s:iq>', "oadrPayload"),
        (f'<iq xmlns:o="urn:other"><o:oadrPayload xmlns:o="{OADR}"><o:b/></o:oadrPayload></iq>', "oadrPayload"),
    ],
)
def test_a_payload_that_takes_namespaces_from_its_stanza_stands_alone_with_them(stanza: str, root: str) -> None:
    own, _ = fed(HEAD + stanza.encode())
    payload = own.take("1")
    assert payload is not None
    parsed = etree.fromstring(payload)
    assert parsed.tag == f"{{{OADR}}}{root}"
    assert parsed[0].tag == f"{{{OADR}}}b"


def test_what_stands_deeper_or_has_another_namespace_is_passed_on() -> None:
    stream = HEAD + b'<iq><query xmlns="x">' + PAYLOADS[0] + b"</query></iq><iq><oadrPayload/></iq>"
    assert fed(stream)[1] == stream


def test_a_payload_that_is_too_long_is_thrown_away_and_the_stream_goes_on() -> None:
    long = f'<oadrPayload xmlns="{OADR}">{"<a/>" * 500}</oadrPayload>'.encode()
    own, passed = fed(HEAD + b"<iq>" + long + b"</iq><iq>" + PAYLOADS[0] + b"</iq>", by=7, into=cutter(longest=1000))
    assert passed == HEAD + b"<iq>" + token(1) + b"</iq><iq>" + token(2) + b"</iq>"
    assert own.take("1") is None
    assert own.take("2") == PAYLOADS[0]


@given(st.sampled_from(PAYLOADS), st.integers(1, 400))
def test_a_payload_is_there_when_its_stanza_is_whole_wherever_the_stream_was_broken(payload: bytes, at: int) -> None:
    own, stanza = cutter(), b"<iq>" + payload + b"</iq>"
    own.feed(HEAD)
    passed = own.feed(stanza[:at])
    if at < len(stanza):
        assert passed == b"", "nobody handles what is not whole"
        own.forget()
        passed = own.feed(stanza[at:])
    assert passed == b"<iq>" + token(1) + b"</iq>"
    assert own.take("1") == payload


@pytest.mark.parametrize(
    "rest", [b"<a/>" * 500, b"<a b='" + b"x" * 2000 + b"'/><c/>", b"<a>&lt;" + b"&amp;" * 500 + b"</a>"]
)
@pytest.mark.parametrize("by", [1, 100, 1500])
def test_a_stanza_that_is_too_large_beside_its_payload_is_passed_on_empty_and_the_stream_goes_on(
    rest: bytes, by: int
) -> None:
    large = b'<iq id="1">' + PAYLOADS[0] + rest + PAYLOADS[1] + b"</iq>"
    own, passed = fed(HEAD + large + b" <iq>" + PAYLOADS[0] + b"</iq></stream:stream>", by=by)
    assert passed.startswith(HEAD + b'<iq id="1"></iq>')
    after = int(ElementTree.fromstring(passed)[1][0].get("number", ""))
    assert passed.endswith(b"<iq>" + token(after) + b"</iq></stream:stream>")
    assert own.take(str(after)) == PAYLOADS[0]


def test_stanzas_that_are_not_too_large_are_taken_however_many_there_are() -> None:
    small = b"<iq>" + b"<a/>" * 200 + PAYLOADS[0] + b"</iq>"
    _, passed = fed(HEAD + small * 10, by=100)
    assert passed.count(b"<a/>") == 2000
    _, passed = fed(HEAD + b" " * 5000 + small)
    assert passed.count(b"<a/>") == 200


def test_a_tag_that_never_ends_ends_the_stream() -> None:
    with pytest.raises(StreamTooLarge):
        fed(HEAD + b"<iq a='" + b"x" * 12_000, by=100)


@pytest.mark.parametrize("stream", [b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a><b></a>", b"<a>&b;<c/></a>"])
def test_what_is_no_stream_is_not_read(stream: bytes) -> None:
    with pytest.raises(expat.ExpatError):
        fed(stream)


def test_what_is_passed_on_is_xml() -> None:
    stream = HEAD + b"<iq>" + PAYLOADS[3] + b"</iq></stream:stream>"
    assert ElementTree.fromstring(fed(stream, by=3)[1])[0][0].tag == f"{{{TOKEN}}}payload"


def test_a_stanza_of_very_many_elements_is_passed_on_without_them_however_short_they_are() -> None:
    many = b"<message from='a'><body>x</body>" + b"<a>" * 30_000 + b"</a>" * 30_000 + b"</message>"
    few = b"<message><body>" + b"x" * 100_000 + b"</body></message>"
    for by in (None, 4096):
        _, passed = fed(HEAD + few + many + few + many, by=by, into=cutter(rest=300_000))
        assert passed == HEAD + few + b"<message from='a'></message>" + few + b"<message from='a'></message>"
