"""The examples of the page on signatures, with keys."""

from pathlib import Path
from typing import Any

from oadr_http import OpenADRClient, OpenADRServer
from tests.docs.test_docs import ROOT, blocks
from tests.seal.people import person


def examples() -> dict[str, Any]:
    """What the examples of the page define, run one after the other."""
    names: dict[str, Any] = {}
    for block in blocks((ROOT / "docs" / "signatures.md").read_text(), "python"):
        exec(block, names)
    return names


def test_the_examples_work_with_keys(tmp_path: Path, capsys: Any) -> None:
    names, who = examples(), person("ven")
    certificate, key = tmp_path / "me.crt", tmp_path / "me.key"
    certificate.write_text(who.pem)
    key.write_text(who.key_pem("secret"))
    assert isinstance(names["a_vtn"](certificate, key, "secret", {}), OpenADRServer)
    assert isinstance(names["a_ven"]("http://127.0.0.1:1", certificate, key, "secret", who.fingerprint), OpenADRClient)
    names["sealed"](who.pem, who.key_pem())
    assert capsys.readouterr().out.splitlines() == [
        "its nonce was used before: it is a replay",
        "it is not signed, and what is not signed is ignored here (rule 514)",
    ]
    assert names["policy"].accepted.sha1
