"""Tricks with XML over real sockets: what of each is heard, and what is answered; none of them ends or fools a VTN.

The outcome of each trick is stated in the table that it stands in: a text is what was heard, a number is the status
of an empty answer. A VTN that is strict and one that is not are both tried.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest

from oadr_core import (
    CreatedPartyRegistration,
    CreatePartyRegistration,
    Now,
    QueryRegistration,
    TransportName,
    decode,
    encode,
)
from oadr_http import OpenADRServer
from tests.http.test_attacks import is_well, post
from tests.http.test_signatures import VEN, Files
from tests.http.watch import vtn
from tests.seal.kit import Tree, sealer

pytestmark = pytest.mark.anyio

QUERY: Final = encode(QueryRegistration(request_id="abcd")).decode()
XSI: Final = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'

Outcome = str | int


def within(text: str) -> str:
    """A query whose requestID is written so."""
    return QUERY.replace(">abcd<", f">{text}<")


def on_request_id(attributes: str, text: str = "abcd") -> str:
    """A query whose requestID has attributes."""
    return QUERY.replace("<pyld:requestID>abcd", f"<pyld:requestID {attributes}>{text}")


def on_payload(attributes: str) -> str:
    """A query whose outermost element has more attributes."""
    return QUERY.replace("<oadr:oadrPayload ", f"<oadr:oadrPayload {attributes} ")


def on_message(attributes: str) -> str:
    """A query with more attributes."""
    return QUERY.replace("<oadr:oadrQueryRegistration ", f"<oadr:oadrQueryRegistration {attributes} ")


def behind_request_id(more: str) -> str:
    """A query with more behind its requestID."""
    return QUERY.replace("</pyld:requestID>", f"</pyld:requestID>{more}")


def behind_message(more: str) -> str:
    """A query with more behind it, in what holds it."""
    return QUERY.replace("</oadr:oadrSignedObject>", f"{more}</oadr:oadrSignedObject>")


def without_request_id(instead: str) -> str:
    """A query with something in place of its requestID."""
    return QUERY.replace("<pyld:requestID>abcd</pyld:requestID>", instead)


XS: Final = f'{XSI} xmlns:xs="http://www.w3.org/2001/XMLSchema"'
EI: Final = "http://docs.oasis-open.org/ns/energyinterop/201110"
PYLD: Final = f"{EI}/payloads"

PLAIN: Final[dict[str, tuple[str | bytes, Outcome, Outcome]]] = {
    # what is sent, what comes of it where the schema matters, and where it does not
    "nothing strange": (QUERY, "abcd", "abcd"),
    "comment in a value": (within("ab<!-- x -->cd"), "abcd", "abcd"),
    "comment that looks like markup": (within("ab<!-- </pyld:requestID> -->cd"), "abcd", "abcd"),
    "instruction in a value": (within("ab<?x y?>cd"), "abcd", "abcd"),
    "style sheet": (QUERY.replace("?><", '?><?xml-stylesheet href="file:///x"?><', 1), "abcd", "abcd"),
    "prefixes that change places": (QUERY.replace("pyld:", "tmp:").replace("xmlns:pyld", "xmlns:tmp"), "abcd", "abcd"),
    "a prefix bound anew to another namespace": (on_request_id('xmlns:pyld="urn:x"'), 406, "abcd"),
    "two messages in one": (behind_message('<oadr:oadrPoll ei:schemaVersion="2.0b"/>'), 406, 406),
    "UTF-16 with its byte order mark": (QUERY.encode("utf-16"), 406, 406),
    "UTF-16 without": (QUERY.encode("utf-16-le"), 406, 406),
    "UTF-16 that is declared": (QUERY.replace("UTF-8", "UTF-16").encode("utf-16"), 406, 406),
    "UTF-32": (QUERY.encode("utf-32"), 406, 406),
    "UTF-7 that is declared": (within("+ADw-x+AD4-").replace("UTF-8", "UTF-7"), "+ADw-x+AD4-", "+ADw-x+AD4-"),
    "EBCDIC": (QUERY.encode("cp037"), 406, 406),
    "Latin-1 that is declared": (within("\xe4").replace("UTF-8", "ISO-8859-1").encode("latin-1"), 406, 406),
    "UTF-8 that is too long for its sign": (within("ab").encode().replace(b">ab<", b">\xc0\xbc<"), 406, 406),
    "half of a pair": (within("ab").encode().replace(b">ab<", b">\xed\xa0\x80<"), 406, 406),
    "a NUL in a value": (within("ab\0cd"), 406, 406),
    "a NUL behind the document": (QUERY + "\0", 406, 406),
    "a NUL by its number": (within("ab&#0;cd"), 406, 406),
    "half a message": (QUERY[: len(QUERY) // 2], 406, 406),
    "a message without its last sign": (QUERY[:-1], 406, 406),
    "a message that goes on": (QUERY + "<x", 406, 406),
    "nothing": ("", 406, 406),
    "XML 1.1": (QUERY.replace('version="1.0"', 'version="1.1"'), "abcd", "abcd"),
    "a line that ends otherwise": (within("ab\r\ncd"), "ab\ncd", "ab\ncd"),
}


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
async def test_each_trick_has_its_outcome_and_the_vtn_goes_on(strict: bool) -> None:
    there = vtn(strict=strict)
    found: dict[str, Outcome] = {}
    async with there.running():
        for name, (sent, _, _) in PLAIN.items():
            answer = await post(there, sent.encode() if isinstance(sent, str) else sent, "EiRegisterParty")
            found[name] = answer.status_code if answer.status_code != 200 else heard(answer)
        assert await is_well(there)
    assert found == {name: outcomes[0 if strict else 1] for name, (_, *outcomes) in PLAIN.items()}


def heard(answer: httpx.Response) -> str:
    """Which requestID was heard."""
    message = decode(answer.content)
    assert isinstance(message, CreatedPartyRegistration)
    return message.response.request_id


# --- signed documents ------------------------------------------------------------------------------------------------


def field(name: str, change: Callable[[str], str]) -> Callable[[str], str]:
    """Write the first field of a name in another way."""

    def changed(document: str) -> str:
        found = re.search(rf"(<(?:\w+:)?{name}>)([^<]+)<", document)
        assert found is not None
        return document.replace(found[0], f"{found[1]}{change(found[2])}<", 1)

    return changed


def comment(text: str) -> str:
    """A comment in the middle."""
    return f"{text[:4]}<!-- x -->{text[4:]}"


def instruction(text: str) -> str:
    """An instruction in the middle."""
    return f"{text[:4]}<?x y?>{text[4:]}"


def section(text: str) -> str:
    """Half of it in CDATA."""
    return f"{text[:4]}<![CDATA[{text[4:]}]]>"


def blank(text: str) -> str:
    """A blank in the middle."""
    return f"{text[:4]} {text[4:]}"


def tree(change: Callable[[Tree], object]) -> Callable[[str], str]:
    """Change the document as a tree."""

    def changed(document: str) -> str:
        found = Tree(document.encode())
        change(found)
        return found.data.decode()

    return changed


def attribute(path: str, name: str, value: str) -> Callable[[str], str]:
    """Give an element another attribute."""
    return tree(lambda one: one.find(path).set(name, value))


TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
ID: Final = "{http://openadr.org/oadr-2.0b/2012/07}Id"
MESSAGE: Final = "oadr:oadrSignedObject/oadr:oadrCreatePartyRegistration"
SIGNED: Final[dict[str, tuple[Callable[[str], str], int]]] = {
    # how a registration is changed after it was signed, and the status of the answer: 200 if it is heard as it was
    "nothing strange": (lambda document: document, 200),
    **{f"{one.__doc__} DigestValue": (field("DigestValue", one), 200) for one in (comment, instruction, section)},
    **{f"{one.__doc__} SignatureValue": (field("SignatureValue", one), 200) for one in (comment, instruction, section)},
    **{f"{one.__doc__} X509Certificate": (field("X509Certificate", one), 200) for one in (comment, section, blank)},
    **{f"{one.__doc__} nonce": (field("nonce", one), 200) for one in (comment, instruction, section)},
    **{f"{one.__doc__} timestamp": (field("timestamp", one), 200) for one in (comment, instruction, section)},
    **{f"{one.__doc__} venName": (field("oadrVenName", one), 200) for one in (comment, instruction, section)},
    # what is said otherwise is not what was signed
    **{f"{blank.__doc__} {name}": (field(name, blank), 403) for name in ("DigestValue", "nonce", "oadrVenName")},
    "xsi:type within what is signed": (attribute(MESSAGE, TYPE, "oadr:oadrPollType"), 403),
    "xsi:nil within what is signed": (attribute(MESSAGE, NIL, "true"), 403),
    "xsi:nil on the signature": (attribute("ds:Signature", NIL, "true"), 403),
    "xsi:type on the signature": (attribute(".//ds:SignatureValue", TYPE, "ds:DigestValueType"), 200),
    "a second Id of the signed object": (attribute(MESSAGE, ID, "signedObject"), 403),
    "a second Id of the property": (attribute(".//ds:KeyInfo", "Id", "prop"), 403),
    "the Id of the signature on what is signed": (attribute("oadr:oadrSignedObject", ID, "signature"), 403),
    "a prefix bound anew within what is signed": (
        lambda document: document.replace("<ei:schemaVersion", '<ei:schemaVersion xmlns:ei="urn:x"').replace(
            "<oadr:oadrVenName>", '<oadr:oadrVenName xmlns:oadr="urn:x">'
        ),
        403,
    ),
    "a prefix bound anew to the same namespace": (
        lambda document: document.replace(
            "<oadr:oadrVenName>", '<oadr:oadrVenName xmlns:oadr="http://openadr.org/oadr-2.0b/2012/07">'
        ),
        200,
    ),
    "a namespace around it that canonicalization counts": (
        lambda document: document.replace("<oadr:oadrPayload ", '<oadr:oadrPayload xmlns:x="urn:x" '),
        403,
    ),
    "half a message": (lambda document: document[: len(document) // 2], 406),
    "a NUL": (lambda document: document.replace("<oadr:oadrVenName>", "<oadr:oadrVenName>\0"), 406),
}


@pytest.mark.rule(514)
async def test_of_a_signed_document_only_what_was_signed_is_heard_whatever_is_written_otherwise(tmp_path: Path) -> None:
    there: OpenADRServer = Files(tmp_path).vtn()
    names: list[str] = []
    there.add_handler(
        "on_create_party_registration", lambda registration_info: names.append(registration_info["ven_name"])
    )
    found: dict[str, int] = {}
    async with there.running():
        for number, (name, (change, _)) in enumerate(SIGNED.items()):
            document = sealer(VEN).seal(registration(f"VEN {number}"), now()).decode()
            answer = await post(there, change(document).encode(), "EiRegisterParty")
            found[name] = answer.status_code
    assert found == {name: status for name, (_, status) in SIGNED.items()}
    expected = [f"VEN {number}" for number, (_, status) in enumerate(SIGNED.values()) if status == 200]
    assert names == expected, "the handler has heard what was signed, and nothing else"


def registration(name: str) -> CreatePartyRegistration:
    """A registration, which is different each time."""
    return CreatePartyRegistration(
        request_id=name,
        profile_name="2.0b",
        transport_name=TransportName.SIMPLE_HTTP,
        report_only=False,
        xml_signature=True,
        ven_name=name,
        http_pull_model=True,
    )


def now() -> Now:
    """The present, and a bit: what seems to be from before the start of the VTN would have to be signed anew."""
    return Now(0.0, datetime.now(UTC) + timedelta(seconds=2))
