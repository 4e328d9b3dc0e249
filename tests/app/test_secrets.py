"""Secrets stay where they are: whatever goes wrong, nothing that comes out of a program or a library holds one.

Each secret is marked. A VTN and a VEN are run with all of them, and are made to fail in every way in which a secret is
at hand; then all that they have printed, logged, recorded and stored is searched.
"""

import socket
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from oadr_app.authority import Identity, Side
from oadr_app.config import VenFile, VtnFile, read
from oadr_app.control import token_file
from oadr_core import LocalProtocolError
from oadr_http import OpenADRClient, OpenADRServer
from tests.app.program import Ended, Programs, until
from tests.http.authorities import Folder, authority, ven_identity, vtn_identity

PASSPHRASE: Final = "S3CRET-passphrase"
PASSWORD: Final = "S3CRET-password"


def secrets_of(*identities: Identity) -> Iterator[str]:
    """What nobody must see: the passphrase, a password, and the lines of keys, encrypted or not."""
    yield from (PASSPHRASE, PASSWORD)
    for one in identities:
        plain, encrypted = (
            [line for line in pem.decode().splitlines() if "-----" not in line and len(line) > 20]
            for pem in (one.key_pem(), one.key_pem(PASSPHRASE))
        )
        yield from (*plain[:2], *encrypted)  # the end of a plain one is the public key, which the certificate has too


class Place:
    """A folder with files for a VTN and a VEN that have TLS and signatures, with keys that are encrypted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = Folder(path)
        self.identities = (vtn_identity(), ven_identity("bakery"), ven_identity("mill"))
        for name, one in zip(("vtn", "bakery", "mill"), self.identities, strict=True):
            self.folder.put(name, one, PASSPHRASE)
        self.folder.trusted(Side.VEN, authority())
        self.folder.trusted(Side.VTN, authority())
        (path / "passphrase").write_text(f"{PASSPHRASE}\n")
        self.keys = {file: file.read_bytes() for file in path.iterdir()}

    def vtn_toml(self, **changes: str) -> Path:
        """Write the configuration of the VTN, perhaps with something wrong in it."""
        lines = {
            "tls": '[tls]\ncertificates = ["vtn.crt"]\nkeys = ["vtn.key"]\nauthorities = "ven-ca.crt"\n',
            "tls_secret": 'passphrase_file = "passphrase"\n',
            "signatures": '[signatures]\ncertificate = "vtn.crt"\nkey = "vtn.key"\n',
            "secret": 'passphrase_file = "passphrase"\n',
            **changes,
        }
        file = self.path / "grid.toml"
        file.write_text('poll = "1s"\n[http]\nport = 0\n' + "".join(lines.values()))
        return file

    def ven_toml(self, url: str, **changes: str) -> Path:
        """Write the configuration of the VEN, perhaps with something wrong in it."""
        lines = {
            "url": f'vtn = "{url}"\n',
            "tls": '[tls]\ncertificate = "bakery.crt"\nkey = "bakery.key"\nauthorities = "vtn-ca.crt"\n',
            "tls_secret": 'passphrase_file = "passphrase"\n',
            "signatures": f'[signatures]\ncertificate = "bakery.crt"\nkey = "bakery.key"\nvtn_fingerprint = '
            f'"{vtn_identity().fingerprint}"\n',
            "secret": 'passphrase_file = "passphrase"\n',
            **changes,
        }
        file = self.path / "bakery.toml"
        file.write_text('name = "bakery"\npoll = "1s"\n' + "".join(lines.values()))
        return file

    def betrayed(self, *texts: str) -> list[tuple[str, str]]:
        """Which secrets stand where: in some texts, or in a file that is not there to hold one."""
        given = {*self.keys, self.path / "grid.toml", self.path / "bakery.toml"}
        files = [file for file in self.path.rglob("*") if file.is_file() and file not in given]
        told = {file.name: file.read_bytes() for file in files}
        told |= {f"text {number}": text.encode() for number, text in enumerate(texts)}
        secrets = list(secrets_of(*self.identities))
        return [(one, place) for place, content in told.items() for one in secrets if one.encode() in content]


MISTAKES: Final[dict[str, dict[str, str]]] = {
    "passphrase in place of the name of its file": {"secret": f'passphrase_file = "{PASSPHRASE}x/{PASSPHRASE}"\n'},
    "a setting that there is not": {"secret": f'passphrase = "{PASSPHRASE}"\n'},
    "no TOML behind the secret": {"secret": f'passphrase_file = "{PASSPHRASE}" "\n'},
    "a wrong type": {"secret": f'passphrase_file = ["{PASSPHRASE}"]\n'},
    "no passphrase": {"secret": "", "tls_secret": ""},
    "another passphrase": {"secret": 'passphrase_file = "vtn.crt"\n'},
    "the key of another": {"signatures": '[signatures]\ncertificate = "vtn.crt"\nkey = "mill.key"\n'},
    "a key in place of the certificate": {"signatures": '[signatures]\ncertificate = "vtn.key"\nkey = "vtn.key"\n'},
    "a key in place of the authorities": {
        "tls": '[tls]\ncertificates = ["vtn.crt"]\nkeys = ["vtn.key"]\nauthorities = "vtn.key"\n'
    },
    "a key in place of the configuration": {},
}
"""What operators do wrong where a secret is at hand. What stands in the place of the name of a file is told as one."""


def test_no_mistake_in_a_configuration_makes_a_secret_known(
    tmp_path: Path, command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place, ended = Place(tmp_path), []
    for name, changes in MISTAKES.items():
        file = place.vtn_toml(**changes) if changes else tmp_path / "vtn.key"
        done = command("vtn", "--config", file)
        assert done.status != 0, name
        assert done.err, name
        ended.append((name, done))
    texts = {name: done.out + done.err for name, done in ended}
    named = MISTAKES.keys() - {"passphrase in place of the name of its file"}
    betrayed = {name: place.betrayed(texts[name]) for name in named}
    assert not any(betrayed.values()), betrayed


@pytest.mark.rule(514)
def test_what_a_vtn_and_a_ven_tell_record_and_store_holds_no_secret(
    programs: Programs, command: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = Place(tmp_path)
    vtn = programs.vtn(tmp_path, "--config", place.vtn_toml(), "--port", "0", "--trace", "vtn.trace")
    url = vtn.url.replace("https://", f"https://oadr:{PASSWORD}@")
    ven = programs.start("ven", "--config", place.ven_toml(url), "--trace", "ven.trace", folder=tmp_path)
    until(lambda: vtn.vens().get("bakery", {}).get("readings", 0) >= 1, "readings")
    token = token_file(tmp_path / "vtn.sock").read_text()
    said = [
        command(*words, "--json")
        for words in (
            ("vens", "show", "bakery"),
            ("vens", "certificate", "bakery", "mill.key"),
            ("fingerprint", "mill.key"),
            ("inspect", "mill.key"),
            ("event", "create", "--file", "mill.key"),
        )
    ]
    with socket.socket(socket.AF_UNIX) as wrong:
        wrong.connect(str(tmp_path / "vtn.sock"))
        wrong.sendall(
            b"POST /v1/vens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer guess\r\nContent-Length: 2\r\n\r\n{}"
        )
        refused = wrong.recv(10_000).decode()
    assert " 403 " in refused
    for file in ("vtn.key", "bakery.key"):  # they are read again, and cannot be used
        (tmp_path / file).write_bytes(ven_identity("mill").key_pem())
    vtn.says("the certificates of before stay in use")
    ven.says("the certificates of before stay in use")
    for one in (ven, vtn):
        one.close()
    for file, content in place.keys.items():
        file.write_bytes(content)
    token_file(tmp_path / "vtn.sock").unlink(missing_ok=True)
    texts = [vtn.text, ven.text, refused, *(done.out + done.err for done in said)]
    assert place.betrayed(*texts) == []
    assert token not in "".join(texts)
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and token.encode() in file.read_bytes()]


def of_vtn(place: Place, **changes: Any) -> OpenADRServer:
    """The VTN by the library."""
    own = {"cert": place.path / "vtn.crt", "key": place.path / "vtn.key", "passphrase": PASSPHRASE}
    tls = {"http_cert": own["cert"], "http_key": own["key"], "http_key_passphrase": PASSPHRASE}
    return OpenADRServer("VTN", **{"http_ca_file": place.path / "ven-ca.crt", **own, **tls, **changes})


def of_ven(place: Place, **changes: Any) -> OpenADRClient:
    """The VEN by the library."""
    own = {"cert": place.path / "bakery.crt", "key": place.path / "bakery.key", "passphrase": PASSPHRASE}
    url = f"https://oadr:{PASSWORD}@127.0.0.1:1/OpenADR2/Simple/2.0b"
    return OpenADRClient("bakery", **{"vtn_url": url, "ca_file": place.path / "vtn-ca.crt", **own, **changes})


@pytest.mark.parametrize("make", [of_vtn, of_ven])
def test_no_error_of_the_library_tells_a_secret(make: Callable[..., object], tmp_path: Path) -> None:
    place = Place(tmp_path)
    mill, vtn_key = tmp_path / "mill.key", tmp_path / "vtn.key"
    mistakes: list[dict[str, Any]] = [
        {"passphrase": "a guess", "http_key_passphrase": "a guess"},
        {"key": mill, "http_key": mill},
        {"cert": mill, "http_cert": mill},
        {"cert": None, "http_cert": None},
        {"ca_file": vtn_key, "http_ca_file": vtn_key},
        {"vtn_url": f"https://oadr:{PASSWORD}@host:99999/x"},
        {"vtn_url": f"https://oadr:{PASSWORD}@host/?x"},
        {"vtn_url": f"ftp://oadr:{PASSWORD}@host"},
    ]
    told = []
    known = ("http_", "passphrase", "cert", "key") if make is of_vtn else ("passphrase", "cert", "key", "ca", "vtn_url")
    for one in mistakes:
        changes = {name: value for name, value in one.items() if name.startswith(known)}
        if make is of_ven:
            changes = {name: value for name, value in changes.items() if not name.startswith("http_")}
        if changes:
            with pytest.raises(LocalProtocolError) as caught:
                make(place, **changes)
            told.append("".join(traceback.format_exception(caught.value)))
    assert len(told) >= 4
    assert place.betrayed(*told) == []


def test_nothing_shows_a_secret_when_it_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = Place(tmp_path)
    vtn_file, ven_file = read(VtnFile, place.vtn_toml(), {}), read(VenFile, place.ven_toml("https://127.0.0.1"), {})
    things: list[object] = [of_vtn(place), of_ven(place), vtn_file, ven_file]
    for thing in list(things):
        things += vars(thing).values() if hasattr(thing, "__dict__") else ()
    for thing in list(things):
        things += vars(thing).values() if hasattr(thing, "__dict__") else ()
    texts = [f"{thing!r} {thing}" for thing in things if not isinstance(thing, str)]
    assert len(texts) > 50
    assert msgspec.json.encode(str(vtn_file))
    assert place.betrayed(*texts) == []
