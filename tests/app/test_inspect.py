"""``oadr inspect`` and ``oadr fingerprint``: what a person wants to know of a file."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from oadr_core import RecordedExchange, Role, Service
from tests.app.program import Ended, oadr
from tests.wire.documents import DOCUMENTS

Command = Callable[..., Ended]

POLL = DOCUMENTS["oadrPoll"]


def inspected(data: str | bytes, tmp_path: Path, command: Command, *flags: str) -> tuple[int, str]:
    """Inspect a document; returns the exit status and what was printed."""
    path = tmp_path / "message.xml"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    ended = command("inspect", *flags, path)
    return ended.status, ended.out + ended.err


def as_json(data: str | bytes, tmp_path: Path, command: Command) -> tuple[int, dict[str, Any]]:
    """Inspect a document for machines."""
    status, text = inspected(data, tmp_path, command, "--json")
    found: dict[str, Any] = json.loads(text)
    return status, found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_message_is_shown_with_its_verdict(name: str, tmp_path: Path, command: Command) -> None:
    status, text = inspected(DOCUMENTS[name], tmp_path, command)
    assert name.partition(" ")[0] in text
    assert "✓ the schema of 2.0b accepts it" in text
    status_again, found = as_json(DOCUMENTS[name], tmp_path, command)
    assert status == status_again
    assert found["verdict"] == "valid"
    assert found["refusal"] is None
    assert found["content"]
    errors = [one for one in found["findings"] if one["severity"] == "error"]
    assert status == (1 if errors else 0)
    for one in errors:
        assert one["rule"] in text


def test_a_message_that_only_a_lenient_receiver_takes_is_forgiven(tmp_path: Path, command: Command) -> None:
    bad = POLL.replace("</oadr:oadrPoll>", "<oadr:extra/></oadr:oadrPoll>")
    status, found = as_json(bad, tmp_path, command)
    assert (status, found["verdict"], found["message_type"]) == (1, "forgiven", "oadrPoll")
    assert "extra" in found["refusal"]
    assert len(found["forgiven"]) == 1
    _, text = inspected(bad, tmp_path, command)
    assert "✗ the schema of 2.0b refuses it" in text
    assert "a lenient receiver overlooks" in text


@pytest.mark.parametrize("data", [b"", b"garbage", b"<a", b"<a/>", b"<!DOCTYPE a><a/>", b"\xff\xfe"])
def test_what_is_no_message_is_refused(data: bytes, tmp_path: Path, command: Command) -> None:
    status, found = as_json(data, tmp_path, command)
    assert (status, found["verdict"], found["content"]) == (1, "refused", {})
    assert found["refusal"]
    status, text = inspected(data, tmp_path, command)
    assert status == 1
    assert "✗ no OpenADR message: " in text


def test_a_rule_that_a_message_breaks_is_named(tmp_path: Path, command: Command) -> None:
    event = DOCUMENTS["oadrDistributeEvent"].replace("<ei:value>1</ei:value>", "<ei:value>7</ei:value>", 1)
    status, found = as_json(event, tmp_path, command)
    assert (status, found["verdict"]) == (1, "valid")
    assert "R9" in [one["rule"] for one in found["findings"]]
    _, text = inspected(event, tmp_path, command)
    assert "✗  R9 " in text


def test_several_files_are_inspected_and_one_that_is_wrong_counts(tmp_path: Path, command: Command) -> None:
    for name, text in (("a.xml", POLL), ("b.xml", "no"), ("c.xml", POLL)):
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in ("a.xml", "b.xml", "c.xml")]
    ended = command("inspect", *files)
    assert ended.status == 1
    assert all(file in ended.out for file in files)
    assert command("inspect", files[0], files[2]).status == 0


def exchange(answer: str | None, failure: str | None = None) -> RecordedExchange:
    """A poll in a trace."""
    return RecordedExchange(
        time=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
        requester=Role.VEN,
        transport="simpleHttp",
        peer="127.0.0.1:1",
        service=Service.OADR_POLL,
        request=POLL,
        answer=answer,
        failure=failure,
    )


def test_a_trace_is_listed_and_judged_as_a_whole(tmp_path: Path, command: Command) -> None:
    lines = [exchange(DOCUMENTS["oadrResponse"]), exchange(None, "silence"), exchange("no message"), exchange("")]
    status, text = inspected(b"".join(one.dump() for one in lines), tmp_path, command)
    shown = [line.split()[-1] for line in text.splitlines() if line.startswith("[")]
    assert shown == ["oadrResponse", "silence", "unreadable", "empty"]
    again, found = as_json(b"".join(one.dump() for one in lines), tmp_path, command)
    assert status == again == (1 if any(one["severity"] == "error" for one in found["findings"]) else 0)
    assert [one["answer"] for one in found["exchanges"]] == shown
    assert {one["ven_id"] for one in found["exchanges"]} == {"ven-1"}


def test_a_line_of_a_trace_that_is_none_is_named(tmp_path: Path, command: Command) -> None:
    status, text = inspected(b'{"a": 1}\n', tmp_path, command)
    assert status == 1
    assert "message.xml: line 1: " in text


def test_a_file_that_is_not_there_is_named(tmp_path: Path, command: Command) -> None:
    ended = command("inspect", tmp_path / "absent.xml")
    assert ended == (1, "", f"oadr: {tmp_path}/absent.xml: No such file or directory\n")


def test_as_a_command_it_reads_the_standard_input(tmp_path: Path) -> None:
    ended = oadr("inspect", "-", folder=tmp_path, stdin=POLL.encode())
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("standard input\noadrPoll\n")
    ended = oadr("inspect", "--json", "-", folder=tmp_path, stdin=b"no")
    assert (ended.status, ended.err) == (1, "")
    assert json.loads(ended.out)["verdict"] == "refused"


# --- fingerprints ----------------------------------------------------------------------------------------------------

CERTIFICATE = b"""-----BEGIN CERTIFICATE-----
MIIBgjCCASmgAwIBAgIUM+Cp7Whq9lGzlh2nkkxEhzxsc/IwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLdmVuLmV4YW1wbGUwIBcNMjYxMTI1MTYwNzI2WhgPMjEyNjEx
MDExNjA3MjZaMBYxFDASBgNVBAMMC3Zlbi5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEFqtvH1bRSjlaoVm6U00KllwY1YLtBBgnMLEIliBpwEMhqKRF
0OZHS3NF8vkafnSarfQ/ooGDp8awctQlnbM+/KNTMFEwHQYDVR0OBBYEFOQLpeK6
ZV2LGhgEE46S0UV5SGVRMB8GA1UdIwQYMBaAFOQLpeK6ZV2LGhgEE46S0UV5SGVR
MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgTuDpJrRr4I00ngEF
34pZucoaX9GhrdOA9Wc2y0qs/vACIBskGLTSJOTv3NuSV5kDujWbzuoMK3F2EWWc
EQUcDgcB
-----END CERTIFICATE-----
"""
FINGERPRINT = "7E:0E:B8:CF:00:31:5F:09:68:CE"  # the end of what openssl x509 -fingerprint -sha256 says


def test_a_certificate_has_the_fingerprint_that_peers_know_it_by(tmp_path: Path) -> None:
    (tmp_path / "ven.pem").write_bytes(CERTIFICATE)
    (tmp_path / "ven.der").write_bytes(base64.b64decode(b"".join(CERTIFICATE.split(b"\n")[1:-2])))
    ended = oadr("fingerprint", "ven.pem", folder=tmp_path)
    assert ended == (0, f"{FINGERPRINT}\n", "")
    ended = oadr("fingerprint", "ven.pem", "ven.der", folder=tmp_path)
    assert ended.out == f"{FINGERPRINT}  ven.pem\n{FINGERPRINT}  ven.der\n"
    ended = oadr("fingerprint", "ven.pem", "--json", folder=tmp_path)
    assert json.loads(ended.out) == {"ven.pem": FINGERPRINT}


def test_what_is_no_certificate_is_named(tmp_path: Path, command: Command) -> None:
    (tmp_path / "a.pem").write_text("no certificate")
    ended = command("fingerprint", tmp_path / "a.pem")
    assert ended == (1, "", f"oadr: {tmp_path}/a.pem: there is no certificate: neither PEM nor DER\n")
