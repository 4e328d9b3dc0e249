"""``oadr vtn`` and ``oadr ven`` with signatures: from configuration files to readings, and who is turned away."""

from pathlib import Path

import pytest

from tests.app.program import Programs, Vtn, until
from tests.seal.people import Person, person

VEN, VTN, OTHER = person("ven"), person("vtn"), person("other ven")
SECRET = "correct horse battery staple"


def put(folder: Path, name: str, who: Person) -> str:
    """Write somebody's key and certificate; returns the section that names them."""
    (folder / f"{name}.crt").write_text(who.pem)
    (folder / f"{name}.key").write_text(who.key_pem(SECRET))
    (folder / "secret").write_text(f"{SECRET}\n")
    return f'[signatures]\ncertificate = "{name}.crt"\nkey = "{name}.key"\npassphrase_file = "secret"\n'


def a_vtn(programs: Programs, folder: Path) -> Vtn:
    """A VTN that signs, and knows one VEN by its fingerprint."""
    known = f'[[vens]]\nname = "bakery"\nid = "v"\nfingerprint = "{VEN.fingerprint}"\n'
    (folder / "signing.toml").write_text(put(folder, "vtn", VTN) + known)
    return programs.vtn(folder, "--config", "signing.toml", "--port", "0")


def ven_toml(folder: Path, url: str, who: Person, name: str = "bakery") -> None:
    """Write the configuration of a VEN that signs."""
    signing = put(folder, "ven", who)
    signers = f'vtn_fingerprint = ["{person("former VTN").fingerprint}", "{VTN.fingerprint}"]\n'
    text = f'name = "{name}"\nvtn = "{url}"\npoll = "1s"\n{signing}{signers}'
    (folder / "ven.toml").write_text(text)


@pytest.mark.rule(514)
def test_a_signed_ven_reports_to_a_signed_vtn(programs: Programs, tmp_path: Path) -> None:
    vtn = a_vtn(programs, tmp_path)
    ven_toml(tmp_path, vtn.url, VEN)
    programs.start("ven", "--config", "ven.toml", folder=tmp_path)
    until(lambda: vtn.vens().get("bakery", {}).get("readings", 0) >= 1, "readings")


@pytest.mark.rule(514, 517)
def test_another_certificate_is_turned_away(programs: Programs, tmp_path: Path) -> None:
    vtn = a_vtn(programs, tmp_path)
    ven_toml(tmp_path, vtn.url, OTHER)
    program = programs.start("ven", "--config", "ven.toml", folder=tmp_path)
    program.says("another certificate")
    assert not vtn.vens()


@pytest.mark.parametrize("command", ["vtn", "ven"])
def test_what_is_wrong_with_a_key_is_said_and_the_passphrase_is_not(
    command: str, programs: Programs, tmp_path: Path
) -> None:
    signing = put(tmp_path, "me", VEN)
    (tmp_path / "me.toml").write_text(signing)
    (tmp_path / "secret").write_text("a wrong guess\n")
    program = programs.start(command, "--config", "me.toml", folder=tmp_path)
    program.says("the passphrase is wrong")
    assert program.ends() != 0
    assert not [line for line in program.lines if SECRET in line or "guess" in line or "Traceback" in line]
    (tmp_path / "secret").unlink()
    other = programs.start(command, "--config", "me.toml", folder=tmp_path)
    other.says("passphrase_file")
    assert other.ends() != 0
