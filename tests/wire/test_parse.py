"""What nobody who means well sends: every such document is refused with SchemaError, or read at a bounded cost."""

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from oadr_core.errors import SchemaError
from oadr_core.messages import Poll
from oadr_core.messages.namespaces import NAMESPACES
from oadr_core.wire import envelope
from oadr_core.wire.parse import LIMITS, Limits, parse
from tests.wire.documents import DOCUMENTS

POLL: Final = DOCUMENTS["oadrPoll"]
MEGABYTE: Final = 2**20


def with_text(text: str) -> str:
    """A poll whose venID is a text."""
    return POLL.replace("ven-1", text)


@pytest.fixture(params=[True, False], ids=["strict", "lenient"])
def read(request: pytest.FixtureRequest) -> Callable[[str | bytes], envelope.Document]:
    """Read a document, in both modes."""

    def reader(data: str | bytes) -> envelope.Document:
        return envelope.read(data.encode() if isinstance(data, str) else data, strict=request.param)

    return reader


Read = Callable[[str | bytes], envelope.Document]


def peak(action: Callable[[], object]) -> int:
    """Measure how many bytes Python takes for an action; it may fail."""
    tracemalloc.start()
    try:
        with pytest.raises(SchemaError):
            action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- document types and entities -------------------------------------------------------------------------------------

DOCTYPES: Final = {
    "empty": "<!DOCTYPE x>",
    "internal entity": '<!DOCTYPE x [<!ENTITY a "ven-1">]>',
    "a billion laughs": '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>',
    "external entity": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    "parameter entity": '<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x.dtd"> %a;]>',
    "external subset": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    "public identifier": '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "xhtml1-strict.dtd">',
    "default attribute": '<!DOCTYPE x [<!ATTLIST x y CDATA "z">]>',
    "behind a comment": "<!-- --><!DOCTYPE x>",
    "behind a byte order mark": "\ufeff<!DOCTYPE x>",
}


@pytest.mark.parametrize("name", DOCTYPES)
def test_a_document_type_is_refused_before_the_parser_sees_it(name: str, read: Read) -> None:
    with pytest.raises(SchemaError, match=r"^the document declares a document type, which OpenADR does not know$"):
        read(DOCTYPES[name] + with_text("&a;"))


def test_an_external_entity_is_never_opened(tmp_path: Path, read: Read) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    doctype = f'<!DOCTYPE x [<!ENTITY a SYSTEM "{secret.as_uri()}">]>'
    with pytest.raises(SchemaError) as caught:
        read(doctype + with_text("&a;"))
    assert "the secret" not in str(caught.value)


@pytest.mark.parametrize("markup", ["<!doctype x>", "<!DocType x>", "<! DOCTYPE x>", "<!\nDOCTYPE x>"])
def test_what_only_looks_like_a_document_type_is_no_xml(markup: str, read: Read) -> None:
    with pytest.raises(SchemaError, match="no well-formed XML"):
        read(markup + POLL)


def test_an_entity_that_nobody_declared_is_refused(read: Read) -> None:
    with pytest.raises(SchemaError, match="no well-formed XML: Entity 'a' not defined"):
        read(with_text("&a;"))


def test_the_five_entities_and_characters_by_number_are_read(read: Read) -> None:
    found = read(with_text("&lt;&gt;&amp;&quot;&apos;&#65;&#x20AC;"))
    assert found.message == Poll(ven_id="<>&\"'A\u20ac")


@pytest.mark.parametrize("number", ["&#0;", "&#8;", "&#xD800;", "&#xFFFE;", "&#x110000;"])
def test_characters_that_xml_does_not_know_are_refused(number: str, read: Read) -> None:
    with pytest.raises(SchemaError, match="no well-formed XML"):
        read(with_text(number))


def test_an_inclusion_is_not_followed(tmp_path: Path, read: Read) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    include = f'<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="{secret.as_uri()}" parse="text"/>'
    try:
        found = read(with_text(f"ven-1{include}"))
    except SchemaError as error:
        assert "the secret" not in str(error)  # noqa: PT017 - a lenient receiver reads on
    else:
        assert found.message == Poll(ven_id="ven-1")


# --- encodings -------------------------------------------------------------------------------------------------------


def test_a_byte_order_mark_is_skipped(read: Read) -> None:
    assert read(POLL.encode("utf-8-sig")).message == Poll(ven_id="ven-1")


@pytest.mark.parametrize("declared", ["UTF-8", "utf-8", "ISO-8859-1", "UTF-16"])
def test_a_document_is_utf_8_whatever_it_declares(declared: str, read: Read) -> None:
    text = f'<?xml version="1.0" encoding="{declared}"?>' + with_text("Z\u00fcrich")
    assert read(text).message == Poll(ven_id="Z\u00fcrich")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp037"])
def test_another_encoding_is_refused(encoding: str, read: Read) -> None:
    data = f'<?xml version="1.0" encoding="{encoding}"?>{POLL}'.encode(encoding)
    with pytest.raises(SchemaError, match="no well-formed XML"):
        read(data)


@pytest.mark.parametrize("junk", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf", b"\x00"])
def test_bytes_that_are_no_utf_8_are_refused(junk: bytes, read: Read) -> None:
    with pytest.raises(SchemaError, match="no well-formed XML"):
        read(POLL.encode().replace(b"ven-1", b"ven" + junk))


def test_a_compressed_document_is_not_unpacked(read: Read) -> None:
    with pytest.raises(SchemaError, match="no well-formed XML"):
        read(gzip.compress(POLL.encode()))


# --- size ------------------------------------------------------------------------------------------------------------


def test_a_document_that_is_too_large_is_refused_unread(read: Read) -> None:
    data = with_text("x" * LIMITS.size).encode()
    assert peak(lambda: read(data)) < 100_000
    with pytest.raises(SchemaError, match=r"^the document has \d+ bytes; 2097152 are taken at most$"):
        read(data)


def test_a_document_of_too_many_tags_is_refused_unread(read: Read) -> None:
    data = with_text("<x/>" * LIMITS.tags).encode()
    assert len(data) < LIMITS.size
    assert peak(lambda: read(data)) < 100_000
    with pytest.raises(SchemaError, match=r"^the document has more than 150000 tags$"):
        read(data)


def test_limits_are_those_of_the_caller() -> None:
    data = POLL.encode()
    tags = POLL.count("<")
    assert envelope.decode(data, limits=Limits(size=len(data), tags=tags)) == Poll(ven_id="ven-1")
    for limits in (Limits(size=len(data) - 1), Limits(tags=tags - 1)):
        with pytest.raises(SchemaError, match="the document has"):
            envelope.decode(data, limits=limits)


@pytest.mark.parametrize("depth", [300, 20_000])
def test_a_document_that_is_too_deep_is_refused(depth: int, read: Read) -> None:
    data = with_text("<x>" * depth + "</x>" * depth).encode()
    with pytest.raises(SchemaError, match="no well-formed XML: Excessive depth in document"):
        read(data)


def test_a_deep_document_within_the_limits_is_judged() -> None:
    deep = "<atom:entry>" * 200 + "</atom:entry>" * 200
    text = DOCUMENTS["oadrUpdateReport of Green Button"].replace("</atom:feed>", f"{deep}</atom:feed>")
    with pytest.raises(SchemaError):
        envelope.read(text.encode())
    assert envelope.read(text.encode(), strict=False).message.message_type() == "oadrUpdateReport"


def test_any_content_may_be_deep_where_the_schema_admits_it(read: Read) -> None:
    deep = "<xcal:components>" * 200 + "</xcal:components>" * 200
    found = read(DOCUMENTS["oadrDistributeEvent"].replace("<xcal:components/>", deep))
    assert found.valid


def test_fifty_thousand_attributes_are_told_as_a_few(read: Read) -> None:
    attributes = " ".join(f'a{number}=""' for number in range(50_000))
    data = POLL.replace("<ei:venID", f"<ei:venID {attributes}").encode()
    with pytest.raises(SchemaError):
        envelope.read(data)
    found = envelope.read(data, strict=False)
    assert found.message == Poll(ven_id="ven-1")
    assert len(found.forgiven) == 100


def test_fifty_thousand_namespaces_are_read(read: Read) -> None:
    names = " ".join(f'xmlns:p{number}="urn:{number}"' for number in range(50_000))
    assert read(POLL.replace("<ei:venID", f"<ei:venID {names}")).message == Poll(ven_id="ven-1")


def test_a_huge_text_is_a_text(read: Read) -> None:
    text = "x" * (2 * MEGABYTE - len(POLL))
    assert read(with_text(text)).message == Poll(ven_id=text)


LEAVES: Final = {
    "<ei:modificationNumber>": "oadrDistributeEvent",
    "<ei:value>": "oadrDistributeEvent",
    "<ei:eventStatus>": "oadrDistributeEvent",
    "<ei:createdDateTime>": "oadrDistributeEvent",
    "<ei:responseCode>": "oadrResponse",
    "<oadr:oadrMinPeriod>": "oadrRegisterReport",
    "<oadr:oadrOnChange>": "oadrRegisterReport",
    "<ei:readingType>": "oadrRegisterReport",
    "<power:hertz>": "oadrRegisterReport",
}
"""Elements that hold a value, and documents in which they stand."""


HUGE: Final = {
    "digits": "9" * MEGABYTE,
    "digits and a letter": "9" * MEGABYTE + "x",
    "noughts and a letter": "1." + "0" * MEGABYTE + "x",
    "points": ".1" * (MEGABYTE // 2),
    "an exponent": "1e" + "9" * MEGABYTE,
    "blanks": " " * MEGABYTE,
    "blanks and a letter": "1" + " " * MEGABYTE + "x",
    "a time and blanks": "2026-11-20T12:00:00" + " " * MEGABYTE + "x",
    "a long fraction": "2026-11-20T12:00:00." + "1" * MEGABYTE + "x",
    "days": f"P{'9' * MEGABYTE}D",
    "days without letter": f"P{'9' * MEGABYTE}",
    "seconds with a long fraction": f"PT0.{'1' * MEGABYTE}S",
    "an extension": "x-" + "a " * (MEGABYTE // 2),
    "a word": "a" * MEGABYTE,
}
"""Texts that a careless pattern would look at again and again."""


@pytest.mark.parametrize("leaf", LEAVES)
@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_a_huge_text_in_place_of_a_value_is_answered_in_few_words(leaf: str, text: str, read: Read) -> None:
    head, _, tail = DOCUMENTS[LEAVES[leaf]].partition(leaf)
    try:
        found = read(f"{head}{leaf}{text}{tail[tail.index('<') :]}")
    except SchemaError as error:
        said = [str(error)]
    else:
        said = [one.what for one in found.forgiven]
    assert all(len(one) < 500 for one in said)


@pytest.mark.parametrize("name", ["x" * 40_000, "{urn:" + "x" * MEGABYTE + "}x"], ids=["name", "namespace"])
def test_a_huge_name_is_answered_in_few_words(name: str) -> None:
    inside = etree.fromstring(POLL)
    inside[0][0].append(etree.Element(name))
    found = envelope.read(etree.tostring(inside), strict=False)
    assert found.message == Poll(ven_id="ven-1")
    assert all(len(one.what) < 500 for one in found.forgiven)
    wrong = etree.fromstring(POLL)
    wrong[0][0].tag = name
    for root in (wrong, wrong[0][0]):
        with pytest.raises(SchemaError) as caught:
            envelope.read(etree.tostring(root), strict=False)
        assert len(str(caught.value)) < 500


def test_a_list_of_many_is_read_leniently_in_one_go() -> None:
    ids = "".join(f"<ei:reportRequestID>{number}</ei:reportRequestID>" for number in range(30_000))
    text = DOCUMENTS["oadrCreatedReport"].replace(
        "</oadr:oadrPendingReports>", f"<ei:x/>{ids}</oadr:oadrPendingReports>"
    )
    found = envelope.read(text.encode(), strict=False)
    assert len(found.message.pending_reports) == 30_002  # type: ignore[attr-defined]


# --- broken documents ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b" ", b"<", b"<>", b"{}", b"\x00" * 100, b"</x>", b"<x", b"<x/><y/>", b"x<y/>"])
def test_what_is_no_xml_is_refused(data: bytes, read: Read) -> None:
    with pytest.raises(SchemaError, match=r"^the document is no well-formed XML"):
        read(data)


@pytest.mark.parametrize(
    "text",
    [
        POLL.replace('ei:schemaVersion="2.0b"', 'ei:schemaVersion="2.0b" ei:schemaVersion="2.0a"'),
        POLL.replace('ei:schemaVersion="2.0b"', 'ei:schemaVersion="2.0b" xmlns:e="urn:x" xmlns:e="urn:y"'),
        POLL.replace(
            'ei:schemaVersion="2.0b"',
            f'ei:schemaVersion="2.0b" xmlns:e="{NAMESPACES["ei"]}" e:schemaVersion="2.0a"',
        ),
        POLL.replace("<ei:venID>", "<nobody:venID>").replace("</ei:venID>", "</nobody:venID>"),
        POLL.replace("</ei:venID>", "</ei:partyID>"),
        POLL + POLL,
        POLL + "text",
        with_text("]]>"),
        with_text("<![CDATA[ven-1"),
        with_text("<!-- a -- b -->"),
        with_text("<?xml version='1.0'?>"),
    ],
)
def test_what_is_not_well_formed_is_refused(text: str, read: Read) -> None:
    with pytest.raises(SchemaError, match=r"^the document is no well-formed XML"):
        read(text)


@pytest.mark.parametrize("name", ["oadrPoll", "oadrDistributeEvent of all sorts"])
def test_a_truncated_document_is_refused_wherever_it_ends(name: str, read: Read) -> None:
    data = DOCUMENTS[name].encode()
    for length in range(0, len(data), 7):
        with pytest.raises(SchemaError):
            read(data[:length])


@given(st.binary(max_size=200))
def test_any_bytes_give_a_schema_error(data: bytes) -> None:
    for strict in (True, False):
        with pytest.raises(SchemaError):
            envelope.read(data, strict=strict)


@given(st.data())
def test_a_document_with_a_few_bytes_changed_gives_a_message_or_a_schema_error(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(DOCUMENTS)))
    changed = bytearray(DOCUMENTS[name].encode())
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    for strict in (True, False):
        try:
            envelope.read(bytes(changed), strict=strict)
        except SchemaError:
            continue


# --- what is harmless ------------------------------------------------------------------------------------------------


def test_comments_instructions_and_data_sections_leave_the_text_alone(read: Read) -> None:
    found = read(with_text("v<!-- <x/> -->e<?x y?>n<![CDATA[-]]>1<![CDATA[<&]]>"))
    assert found.message == Poll(ven_id="ven-1<&")
    assert found.valid


def test_blanks_between_elements_mean_nothing(read: Read) -> None:
    assert read(POLL.replace("><", ">\n\t <")).message == Poll(ven_id="ven-1")


def test_a_declaration_and_blanks_around_the_document_are_admitted(read: Read) -> None:
    assert read(f'<?xml version="1.0" standalone="yes"?>\n{POLL}\n\n').message == Poll(ven_id="ven-1")


def test_a_tree_holds_elements_and_nothing_else() -> None:
    root = parse(b"<x><!-- c --><y/><?p i?>t</x>")
    assert [node.tag for node in root.iter()] == ["x", "y"]


def test_schema_and_parser_are_never_one(official_schema_file: Path) -> None:
    """A parser with a schema attached crashes the process at an internal entity (lxml 6.1.3)."""
    schema = etree.XMLSchema(etree.parse(official_schema_file))
    assert schema.validate(parse(POLL.encode()))
