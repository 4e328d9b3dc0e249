"""The examples of the page on push, with certificates."""

from pathlib import Path
from typing import Any

from oadr_http import OpenADRClient, OpenADRServer
from tests.docs.test_docs import ROOT, blocks
from tests.http.authorities import Folder, Side, authority, ven_identity


def test_the_examples_work_with_certificates(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    for block in blocks((ROOT / "docs" / "push.md").read_text(), "python"):
        exec(block, names)
    folder = Folder(tmp_path)
    folder.put("bakery-ec", ven_identity())
    folder.trusted(Side.VTN, authority()).rename(tmp_path / "ca-of-the-vtn.crt")
    here = names["a_ven"](tmp_path)
    assert isinstance(here, OpenADRClient)
    assert here.address is None, "it tells once it listens"
    there = names["a_vtn"]()
    assert isinstance(there, OpenADRServer)
    assert there._refuse_address("simpleHttp", "http://192.168.1.7/") is None
    assert there._refuse_address("simpleHttp", "http://192.168.2.7/") is not None


def test_the_page_names_flags_and_texts_that_there_are() -> None:
    page = (ROOT / "docs" / "push.md").read_text()
    sources = "".join(path.read_text() for path in (ROOT / "oadr_http").glob("*.py"))
    for text in ("must begin with https", "is not one of those that are expected here", "this VTN pushes nothing to"):
        assert text.removeprefix("this VTN ") in page
        assert text in sources
