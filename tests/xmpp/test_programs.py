"""``oadr vtn`` and ``oadr ven`` at a real XMPP server, from configuration files alone."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import programs
from tests.app.program import Programs, oadr, until
from tests.xmpp.servers import COMPONENT, SECRET, Account, XmppServer

__all__ = ["programs"]


def vtn_toml(folder: Path, server: XmppServer) -> None:
    """A VTN that serves over HTTP, and as a component of a server."""
    (folder / "component.secret").write_text(f"{SECRET}\n")
    (folder / "vtn.toml").write_text(
        f'poll = "1s"\n[http]\nport = 0\n[reports]\nsampling = "1s"\n'
        f'[xmpp]\ncomponent = "{COMPONENT}"\nsecret_file = "component.secret"\nport = {server.component_port}\n'
    )


def ven_toml(folder: Path, server: XmppServer, account: Account) -> str:
    """A VEN that logs in as the server wants it."""
    how = f'certificate = "{account.certificate}"\nkey = "{account.key}"'
    if account.password is not None:
        (folder / f"{account.name}.password").write_text(account.password)
        how = f'password_file = "{account.name}.password"'
    name = f"{account.name}.toml"
    (folder / name).write_text(
        f'name = "{account.name}"\n[xmpp]\njid = "{account.address}"\nvtn = "{COMPONENT}"\n{how}\n'
        f'host = "{server.host}"\nport = {server.port}\nauthorities = "{server.ca_file}"\n'
    )
    return name


@pytest.mark.rule(38, 507)
@pytest.mark.parametrize("with_certificates", [True, False])
def test_one_vtn_serves_vens_over_http_and_over_xmpp(
    programs: Programs,
    tmp_path: Path,
    server: XmppServer,
    password_server: XmppServer,
    with_certificates: bool,
) -> None:
    there = server if with_certificates else password_server
    vtn_toml(tmp_path, there)
    vtn = programs.start("vtn", folder=tmp_path)
    url = vtn.says(r"The VTN listens at (\S+), and is logging in at its XMPP server; its state is in")[1]
    account = there.account()
    ven = programs.start("ven", "--config", ven_toml(tmp_path, there, account), folder=tmp_path)
    ven.says(rf"^The VEN {account.name} talks to {COMPONENT}; its state is in")
    programs.start("ven", "--name", "polls", "--vtn", url, "--poll", "1s", folder=tmp_path)
    names = {account.name, "polls"}

    def asked(*arguments: object) -> list[dict[str, Any]]:
        done = oadr(*arguments, "--json", folder=tmp_path)
        found: list[dict[str, Any]] = json.loads(done.out) if done.status == 0 else []
        return found

    def have_reported() -> bool:
        return {one["name"] for one in asked("vens", "list") if one["readings"] > 0} == names

    until(have_reported, "readings of both")
    assert oadr("event", "create", "--id", "shed", "--value", "2", "--duration", "10m", folder=tmp_path).status == 0
    until(lambda: [one["opt_in"] for one in asked("event", "list")] == [2], "both take part")


@pytest.mark.rule(515, 517)
@pytest.mark.parametrize("pinned", [True, False])
def test_a_ven_of_the_configuration_is_known_by_its_jid(
    programs: Programs, tmp_path: Path, password_server: XmppServer, pinned: bool
) -> None:
    account, other = password_server.account(), password_server.account()
    vtn_toml(tmp_path, password_server)
    jid = f'jid = "{account.address.upper()}/client"\n' if pinned else ""
    with (tmp_path / "vtn.toml").open("a") as file:
        file.write(f'[[vens]]\nname = "{account.name}"\nid = "meter"\n{jid}')
    vtn = programs.start("vtn", folder=tmp_path)
    vtn.says("is logging in at its XMPP server")
    config = ven_toml(tmp_path, password_server, account)
    for number in (1, 2):  # the second one has lost what the first one knew, and registers as if it were new
        ven = programs.start("ven", "--config", config, "--state", f"{number}.state", folder=tmp_path)
        ven.says("registered with the VTN oadr-VTN as meter")
        ven.signal(signal.SIGTERM)
    posing = tmp_path / ven_toml(tmp_path, password_server, other)
    posing.write_text(posing.read_text().replace(f'name = "{other.name}"', f'name = "{account.name}"'))
    thief = programs.start("ven", "--config", posing.name, "--state", "thief.state", folder=tmp_path)
    thief.says("another JID")
