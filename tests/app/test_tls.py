"""``oadr certificates``, and ``oadr vtn`` and ``oadr ven`` over TLS with what it makes."""

import json
import stat
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from anyio import to_thread
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID

from oadr_app import control
from oadr_app.authority import name_of_address
from oadr_app.config import VtnFile, read
from oadr_app.control import ControlError
from oadr_app.sqlite_store import SqliteStore
from oadr_app.vtn import VtnProgram
from oadr_core import Renewal, VenRecord, fingerprint
from tests.app.program import Programs, Vtn, oadr, until


def made(folder: Path, *arguments: object) -> dict[str, str]:
    """Make certificates; returns their fingerprints by their files."""
    ended = oadr("certificates", *arguments, "--json", folder=folder)
    assert ended.status == 0, ended.err
    return {one["certificate"]: one["fingerprint"] for one in json.loads(ended.out)["issued"]}


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def running_vtn(programs: Programs, folder: Path) -> Vtn:
    return programs.vtn(folder, "--config", "demo/vtn.toml", "--port", "0", "--state", "vtn.sqlite")


@pytest.mark.rule(67, 68)
def test_a_ven_reports_over_tls_with_what_the_command_has_made(programs: Programs, tmp_path: Path) -> None:
    fingerprints = made(tmp_path, "demo", "--ven", "bakery")
    vtn = running_vtn(programs, tmp_path)
    assert vtn.url.startswith("https:")
    programs.start("ven", "--config", "demo/bakery.toml", "--vtn", vtn.url, "--poll", "1s", folder=tmp_path)
    until(lambda: vtn.vens().get("bakery", {}).get("readings", 0) >= 1, "readings")
    shown = vtn.ask("vens/show", ven="bakery")
    assert shown["fingerprint"] == fingerprints["demo/bakery-ec.crt"]


@pytest.mark.rule(517)
def test_a_ven_of_another_ca_gets_nowhere(programs: Programs, tmp_path: Path) -> None:
    made(tmp_path, "demo", "--ven", "bakery")
    made(tmp_path, "other", "--ven", "bakery")
    vtn = running_vtn(programs, tmp_path)
    text = (tmp_path / "other" / "bakery.toml").read_text().replace("ca-of-vtns.crt", "../demo/ca-of-vtns.crt")
    lines = [line for line in text.splitlines() if not line.startswith("vtn_fingerprints")]
    (tmp_path / "other" / "bakery.toml").write_text("\n".join(lines))
    ven = programs.start("ven", "--config", "other/bakery.toml", "--vtn", vtn.url, folder=tmp_path)
    ven.says("certificate|TLS|handshake")
    vtn.says("certificate|TLS|handshake")
    assert not vtn.vens()


def test_a_ven_says_nothing_to_a_vtn_of_another_fingerprint(programs: Programs, tmp_path: Path) -> None:
    made(tmp_path, "demo", "--ven", "bakery")
    vtn = running_vtn(programs, tmp_path)
    file = tmp_path / "demo" / "bakery.toml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("vtn_fingerprints")]
    file.write_text("\n".join([*lines, 'vtn_fingerprints = ["00:11:22:33:44:55:66:77:88:99"]']))
    ven = programs.start("ven", "--config", "demo/bakery.toml", "--vtn", vtn.url, folder=tmp_path)
    ven.says("fingerprint|certificate")
    assert not vtn.vens()


@pytest.mark.rule(68)
def test_the_certificates_have_the_shape_of_those_in_the_field(tmp_path: Path) -> None:
    made(tmp_path, "demo", "--ven", "bakery", "--host", "vtn.example", "--host", "192.0.2.7", "--days", "10")
    for name, kind in (("vtn-rsa", rsa.RSAPublicKey), ("vtn-ec", ec.EllipticCurvePublicKey)):
        vtn = certificate(tmp_path / "demo" / f"{name}.crt")
        names = vtn.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
        assert isinstance(vtn.public_key(), kind)
        assert isinstance(names, x509.SubjectAlternativeName)
        assert [str(one.value) for one in names] == ["vtn.example", "192.0.2.7"]
    ven = certificate(tmp_path / "demo" / "bakery-ec.crt")
    oids = {one.oid for one in ven.extensions}
    assert not oids & {ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.EXTENDED_KEY_USAGE}
    usage = ven.extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value.digital_signature, usage.value.key_agreement) == (True, True, True)
    assert abs(ven.not_valid_after_utc - datetime.now(UTC) - timedelta(days=10)) < timedelta(hours=1)
    assert 'host = "0.0.0.0"' in (tmp_path / "demo" / "vtn.toml").read_text()
    assert "https://vtn.example:8443/" in (tmp_path / "demo" / "bakery.toml").read_text()


@pytest.mark.rule(515)
def test_certificates_log_in_to_an_xmpp_server_by_their_subjects(tmp_path: Path) -> None:
    made(tmp_path, "demo", "--ven", "0013A2F1", "--host", "vtn.example", "--xmpp", "OADR.example")
    assert list(made(tmp_path, "demo", "--ven", "mill")) == ["demo/mill-ec.crt"]
    addresses = {"0013A2F1-ec": "0013a2f1@oadr.example", "mill-ec": "mill@oadr.example"}
    addresses |= {f"vtn-{kind}": "vtn.example@oadr.example" for kind in ("ec", "rsa")}
    for name, address in addresses.items():
        names = certificate(tmp_path / "demo" / f"{name}.crt").extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        assert names.value.get_values_for_type(x509.OtherName) == [
            x509.OtherName(
                x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5"), b"\x0c" + bytes([len(address)]) + address.encode()
            )
        ]
    server = certificate(tmp_path / "demo" / "xmpp-ec.crt")
    hosts = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert hosts.get_values_for_type(x509.DNSName) == ["oadr.example"]
    trusted = x509.load_pem_x509_certificates((tmp_path / "demo" / "ca-of-xmpp-clients.crt").read_bytes())
    assert len(trusted) == 6


def test_a_long_address_is_written_as_der_wants_it() -> None:
    name = name_of_address("v" * 200 + "@oadr.example")
    assert isinstance(name, x509.OtherName)
    assert name.value == b"\x0c\x81\xd5" + b"v" * 200 + b"@oadr.example"


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    made(tmp_path, "demo", "--ven", "bakery")
    keys = list((tmp_path / "demo").rglob("*.key"))
    assert len(keys) == 3 + 6
    assert {stat.S_IMODE(one.stat().st_mode) for one in keys} == {0o600}


def test_more_vens_can_be_made_later_and_nothing_is_written_over(tmp_path: Path) -> None:
    made(tmp_path, "demo", "--ven", "bakery", "--kind", "rsa")
    before = {one: one.read_bytes() for one in (tmp_path / "demo").rglob("*.*")}
    assert list(made(tmp_path, "demo", "--ven", "mill")) == ["demo/mill-rsa.crt"]
    assert {one: one.read_bytes() for one in before} == before
    mill, ca = (certificate(tmp_path / "demo" / name) for name in ("mill-rsa.crt", "ca-of-vens.crt"))
    mill.verify_directly_issued_by(ca)
    assert fingerprint((tmp_path / "demo" / "vtn-rsa.crt").read_bytes()) in (tmp_path / "demo/mill.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("demo", "--ven", "bakery"), "there is demo/bakery-ec.crt already"),
        (("demo", "--ven", "../bakery"), "cannot be a name"),
        (("demo", "--ven", "vtn"), "cannot be a name"),
        (("demo", "--ven", "mill", "--ven", "mill"), "given twice"),
        (("full",), "full holds other things"),
        (("new", "--host", "two words"), "neither the name of a host nor an address"),
        (("new", "--kind", "dsa"), "dsa"),
        (("new", "--xmpp", "two words"), "not the name of a domain"),
        (("new", "--xmpp", "oadr.example", "--host", "::1"), "cannot be the name of a user"),
        (("demo", "--xmpp", "other.example"), "is oadr.example, and there is but one"),
    ],
)
def test_what_cannot_be_made_is_said_and_nothing_is_left_over(
    tmp_path: Path, arguments: tuple[str, ...], why: str
) -> None:
    made(tmp_path, "demo", "--ven", "bakery", "--xmpp", "oadr.example")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").touch()
    before = sorted(tmp_path.rglob("*"))
    ended = oadr("certificates", *arguments, folder=tmp_path)
    assert ended.status != 0
    assert why in ended.err
    assert sorted(tmp_path.rglob("*")) == before


def test_it_says_what_to_do_next(tmp_path: Path) -> None:
    ended = oadr("certificates", "demo", "--ven", "bakery", folder=tmp_path)
    assert "oadr vtn --config demo/vtn.toml" in ended.out
    assert "oadr ven --config demo/bakery.toml" in ended.out
    assert fingerprint((tmp_path / "demo" / "bakery-ec.crt").read_bytes()) in ended.out


@pytest.mark.parametrize(
    ("command", "text", "why"),
    [
        ("vtn", '[tls]\ncertificates = ["a.crt"]\nauthorities = "b.crt"\n', "a.crt"),
        ("vtn", '[tls]\ncertificates = []\nauthorities = "b.crt"\n', "tls.certificates: it must not be empty"),
        ("vtn", '[tls]\ncertificates = ["a.crt"]\n', "`authorities` is missing"),
        ("ven", '[tls]\ncertificate = "a.crt"\n', "it must begin with https"),
        ("ven", 'vtn = "https://vtn.example"\n[tls]\ncertificate = "a.crt"\n', "a.crt"),
        ("ven", 'vtn = "https://vtn.example"\n[tls]\ncertificate = "a"\n[signatures]\ncertificate = "b"', "differ"),
    ],
)
def test_what_is_wrong_with_the_configuration_is_said(
    programs: Programs, tmp_path: Path, command: str, text: str, why: str
) -> None:
    (tmp_path / "file.toml").write_text(text)
    program = programs.start(command, "--config", "file.toml", folder=tmp_path)
    program.says(why)
    assert program.ends() != 0


# --- renewed certificates --------------------------------------------------------------------------------------------

OLD, NEW = "00:11:22:33:44:55:66:77:88:99", "AB:5E:12:00:C4:98:31:7F:0D:66"
THIRD = "01:23:45:67:89:AB:CD:EF:01:23"


def configured(folder: Path, *lines: str) -> VtnProgram:
    """A VTN whose configuration names a VEN, which has registered with the old certificate."""
    (folder / "vtn.toml").write_text("\n".join(['[http]\nport = 0\n[[vens]]\nname = "bakery"', *lines]))
    return VtnProgram(read(VtnFile, folder / "vtn.toml", {}))


async def registered(folder: Path) -> None:
    """Have it registered."""
    store = SqliteStore(folder / "vtn.sqlite")
    record = VenRecord(ven_id="ven-1", registration_id="1", ven_name="bakery", identity=OLD)
    await store.save([(record.key, record.dump())])
    store.close()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("lines", "identity", "successor"),
    [
        ((f'fingerprint = "{NEW}"',), NEW, None),
        ((f'fingerprint = "{NEW}"', 'id = "ven-1"'), NEW, None),
        ((f'fingerprint = "{NEW}"', 'id = "another"'), OLD, None),
        ((f'fingerprint = ["{OLD}", "{NEW}"]',), OLD, NEW),
        ((f'fingerprint = ["{NEW}", "{OLD}"]',), OLD, None),
        ((f'fingerprint = ["{NEW}", "{THIRD}"]',), NEW, THIRD),
        ((), OLD, None),
    ],
)
async def test_a_fingerprint_that_is_changed_in_the_configuration_counts_from_the_next_start_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: tuple[str, ...], identity: str, successor: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    await registered(tmp_path)
    for _ in range(2):
        program = configured(tmp_path, *lines)
        assert program.server.vens["ven-1"].identity == identity
        renewal = program.server.vens["ven-1"].renewal
        assert (None if renewal is None else renewal.fingerprint) == successor
        async with program.running():
            await program.server.saved()


@pytest.mark.anyio
async def test_a_certificate_that_is_taken_out_of_the_configuration_is_not_announced_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await registered(tmp_path)
    for listed, renewal in ((f'["{OLD}", "{NEW}"]', Renewal(fingerprint=NEW)), (f'["{OLD}"]', None)):
        program = configured(tmp_path, f"fingerprint = {listed}")
        assert (program.server.vens["ven-1"].identity, program.server.vens["ven-1"].renewal) == (OLD, renewal)
        async with program.running():
            await program.server.saved()


@pytest.mark.anyio
async def test_a_ven_of_several_certificates_registers_with_any_but_one_before_that_which_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program = configured(tmp_path, f'fingerprint = ["{OLD}", "{NEW}", "{THIRD}"]')
    admit = program._admit
    for shown, successor in ((OLD, NEW), (NEW, THIRD), (THIRD, None)):
        decision = await admit({"ven_name": "bakery"}, shown, None)
        assert (decision.accepted, decision.certificate_checked, decision.successor) == (True, True, successor)
    assert not (await admit({"ven_name": "bakery"}, "another", None)).accepted
    program.store.close()
    await registered(tmp_path)
    program = configured(tmp_path, f'fingerprint = ["{NEW}", "{OLD}", "{THIRD}"]')
    accepted = {shown: (await program._admit({"ven_name": "bakery"}, shown, None)).accepted for shown in _THREE}
    assert accepted == {NEW: False, OLD: True, THIRD: True}
    program.store.close()


_THREE: Final = (NEW, OLD, THIRD)


@pytest.mark.anyio
async def test_a_new_certificate_is_taken_by_command_where_the_configuration_says_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await registered(tmp_path)
    program = configured(tmp_path, f'fingerprint = "{OLD}"')
    async with program.running():
        with pytest.raises(ControlError, match=r"change it in \[\[vens\]\] there, and start the VTN again"):
            await to_thread.run_sync(partial(control.ask, Path("vtn.sock"), "vens/certificate", **_BAKERY))
    program = configured(tmp_path)
    async with program.running():
        answer = await to_thread.run_sync(partial(control.ask, Path("vtn.sock"), "vens/certificate", **_BAKERY))
        assert answer == {"ven_id": "ven-1", "before": OLD, "fingerprint": NEW, "renewal": None}
        assert program.server.vens["ven-1"].identity == NEW
        again = {**_BAKERY, "fingerprint": OLD, "also": True}
        answer = await to_thread.run_sync(partial(control.ask, Path("vtn.sock"), "vens/certificate", **again))
        announced = {"fingerprint": OLD, "until": None}
        assert answer == {"ven_id": "ven-1", "before": NEW, "fingerprint": NEW, "renewal": announced}
        shown = await to_thread.run_sync(partial(control.ask, Path("vtn.sock"), "vens/show", ven="bakery"))
        assert (shown["fingerprint"], shown["renewal"]) == (NEW, announced)


_BAKERY: Final = {"ven": "bakery", "fingerprint": NEW.lower().replace(":", "")}


def test_the_command_takes_a_certificate_as_a_file_or_by_its_fingerprint(programs: Programs, tmp_path: Path) -> None:
    fingerprints = made(tmp_path, "demo", "--ven", "bakery", "--ven", "mill")
    vtn = running_vtn(programs, tmp_path)
    ven = programs.start("ven", "--config", "demo/bakery.toml", "--vtn", vtn.url, "--poll", "1s", folder=tmp_path)
    until(lambda: vtn.vens().get("bakery"), "it has registered")
    ven.close()
    ven_id = vtn.vens()["bakery"]["ven_id"]
    for name in ("mill", "bakery"):
        fingerprint_of = fingerprints[f"demo/{name}-ec.crt"]
        given = f"demo/{name}-ec.crt" if name == "mill" else fingerprint_of
        ended = oadr("vens", "certificate", "bakery", given, "--socket", "vtn.sock", folder=tmp_path)
        assert ended == (0, f"{ven_id} is known by {fingerprint_of} now\n", "")
    ended = oadr("vens", "certificate", "bakery", "demo/mill-ec.crt", "--also", "--socket", "vtn.sock", folder=tmp_path)
    assert (ended.status, "as well until it has shown that" in ended.out.replace("\n", " ")) == (0, True)
    shown = oadr("vens", "show", "bakery", "--socket", "vtn.sock", folder=tmp_path).out
    assert f"next certificate  {fingerprints['demo/mill-ec.crt']}" in shown


def test_a_fingerprint_is_printed_as_it_is(tmp_path: Path) -> None:
    # Some pairs of digits between colons are names of pictures to the library that prints.
    contents = (b"\x30" + bytes([number >> 8, number & 0xFF]) for number in range(65536))
    (tmp_path / "odd.der").write_bytes(next(one for one in contents if ":CD:" in fingerprint(one)))
    ended = oadr("fingerprint", "odd.der", folder=tmp_path)
    assert ended.out.strip() == fingerprint((tmp_path / "odd.der").read_bytes())
