"""How messages stand in stanzas, in each dialect: what is taken off their envelopes is put back."""

from resource import RUSAGE_SELF, getrusage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import LocalProtocolError, Payload, QueryRegistration, SchemaError, decode, encode, read
from oadr_core.testing.strategies import payloads
from oadr_xmpp.dialects import Wrapping, named, unwrapped, wrapped, wrapping_of
from oadr_xmpp.framing import OADR
from tests.seal.kit import signed

QUERY = encode(QueryRegistration(request_id="0"))


@given(payloads(), st.sampled_from(Wrapping))
def test_a_message_means_the_same_however_much_of_its_envelope_is_sent(message: Payload, wrapping: Wrapping) -> None:
    document = encode(message)
    content = unwrapped(document, wrapping)
    assert wrapping_of(content) is wrapping
    assert not content.startswith(b"<?xml")
    assert decode(wrapped(content)) == decode(document)


@pytest.mark.parametrize("wrapping", Wrapping)
def test_what_is_signed_stays_whole(wrapping: Wrapping) -> None:
    document = signed(QueryRegistration(request_id="0"), prefixes=False)
    content = unwrapped(document, wrapping)
    assert wrapping_of(content) is Wrapping.WHOLE
    assert document.endswith(content)
    assert read(wrapped(content)).signed


@pytest.mark.parametrize(
    ("content", "wrapping"),
    [
        (b"<oadrPayload/>", Wrapping.WHOLE),
        (b'<?xml version="1.0"?>\n<!-- < --><a:oadrPayload>', Wrapping.WHOLE),
        (b"  <oadrSignedObject xmlns='x'>", Wrapping.OBJECT),
        (b"<oadrPoll>", Wrapping.BARE),
        (b"oadrPayload", Wrapping.BARE),
        (b"", Wrapping.BARE),
        (b"<\xff>", Wrapping.BARE),
    ],
)
def test_the_name_of_the_root_says_how_much_is_there(content: bytes, wrapping: Wrapping) -> None:
    assert wrapping_of(content) is wrapping


def test_a_long_text_that_begins_with_nothing_takes_no_more_memory_than_itself() -> None:
    text = b" " * 1_000_000 + b"x"
    before = getrusage(RUSAGE_SELF).ru_maxrss
    assert wrapping_of(text) is Wrapping.BARE
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 10_000, "kB"


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"",
        b"<a",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        f'<oadrPoll xmlns="{OADR}"/></oadr:oadrSignedObject></oadr:oadrPayload><oadr:oadrPayload>'.encode(),
        QUERY + QUERY,
        b"\xff\xfe<\x00a",
    ],
)
def test_what_is_no_message_is_none_with_an_envelope_either(content: bytes) -> None:
    with pytest.raises(SchemaError):
        decode(wrapped(content), strict=False)


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\n<?xml version='1.0' encoding='utf-8'?>\n", b"<!-- x -->"])
def test_what_stands_before_a_message_does_not_hide_it(before: bytes) -> None:
    query = QueryRegistration(request_id="0")
    for wrapping in (Wrapping.OBJECT, Wrapping.BARE):
        assert decode(wrapped(before + unwrapped(encode(query), wrapping))) == decode(encode(query))


def test_a_dialect_that_nobody_speaks_is_refused_with_the_names_of_those_that_there_are() -> None:
    with pytest.raises(LocalProtocolError, match=r"'eperi' is no dialect .* profile, enernoc, avob"):
        named("eperi")
