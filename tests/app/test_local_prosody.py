"""The XMPP server that ``oadr demo`` starts: there as long as it is needed, and no longer."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from oadr_app import local_prosody
from oadr_app.local_prosody import LocalProsody, NoProsody
from tests.app.program import Ended, Programs, objects
from tests.xmpp.servers import Prosody


def test_where_there_is_none_the_text_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(NoProsody, match="Prosody is not installed here; it comes with `apt install prosody`"):
        LocalProsody(tmp_path, ("ven",))


def test_one_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "prosody"
    broken.write_text("#!/bin/sh\necho it is broken\n")
    broken.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda _: str(broken))
    with pytest.raises(NoProsody, match="Prosody does not start: it is broken"), LocalProsody(tmp_path / "f", ("ven",)):
        pass


def test_it_is_there_as_long_as_it_is_needed(tmp_path: Path) -> None:
    Prosody.needed()
    with LocalProsody(tmp_path, ("ven",)) as server:
        for port in (server.port, server.component_port):
            socket.create_connection((server.host, port), 10).close()
        process = server._process
    assert process is not None
    assert not process.running
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((server.host, server.port), 10)
    assert all(file.stat().st_mode & 0o077 == 0 for file in tmp_path.glob("*.password"))
    assert local_prosody.DOMAIN in (tmp_path / "prosody.cfg.lua").read_text()
    assert server.secret_file.exists()


@pytest.mark.parametrize("transport", ["push", "xmpp", "all"])
def test_the_demo_runs_over_all_transports(programs: Programs, tmp_path: Path, transport: str) -> None:
    Prosody.needed()
    demo = programs.start("demo", "--seconds", "15", "--transport", transport, "--json", folder=tmp_path)
    assert demo.ends() == 0, demo.text
    found = [one for one in objects(demo.text) if "ok" in one]
    assert found[0]["ok"]
    assert [one["opt"] for one in found[0]["vens"]] == ["optIn", "optOut", None]


def test_a_transport_that_is_none_is_refused(command: Callable[..., Ended]) -> None:
    refused = command("demo", "--transport", "pigeon")
    assert refused.status == 1
    assert "'pigeon' is none; it is one of pull, push, xmpp or all" in refused.err
