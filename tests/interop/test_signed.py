"""OpenLEADR's client and server with signatures, each against ours: both sides sign, and both look."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from oadr_app.authority import Kind, pem
from oadr_core import OptReceived, Registered, Role
from oadr_http import OpenADRClient, OpenADRServer, TlsPolicy
from tests.http.authorities import Folder, authority, ven_identity, vtn_identity
from tests.interop.judge import documents
from tests.interop.ours import HOUR, SECOND, Ours
from tests.interop.peer import running_peer
from tests.interop.theirs import BOILER, is_served, listening

MODERN = TlsPolicy(maximum_version="1.3")
"""The suites of the profile for RSA are no longer among those of the peer."""

pytestmark = [pytest.mark.anyio, pytest.mark.rule(514), pytest.mark.parametrize("kind", list(Kind))]


def all_authorities(kind: Kind, path: Path) -> str:
    """A file with the root and the CAs below it: the peer takes no chain that ends before the root."""
    one = authority(kind)
    path.write_bytes(pem(one.root.certificate, *(each.certificate for each in one.issuers.values())))
    return str(path)


def all_signed(exchanges: list[Any]) -> bool:
    """Whether every document that crossed the wire carries a signature."""
    both = [text for role in (Role.VEN, Role.VTN) for text in documents(exchanges, role)]
    return len(both) > 8 and all(etree.fromstring(one.encode())[0].tag.endswith("}Signature") for one in both)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_their_ven_signs_for_our_vtn(openleadr_python: Path, tmp_path: Path, kind: Kind, tls: bool) -> None:
    folder, ours = Folder(tmp_path), Ours()
    certificate, key = folder.put("signing", vtn_identity(kind))
    options = folder.of_vtn(vtn_identity(kind), trusts=(authority(kind),), tls_policy=MODERN) if tls else {}
    vtn = OpenADRServer(
        "VTN-Ours",
        http_port=0,
        requested_poll_freq=SECOND,
        cert=certificate,
        key=key,
        observe=ours.observe,
        trace=ours.trace,
        **options,
    )
    values: list[float] = []

    async def on_register_report(resource_id: str, measurement: str, unit: str, r_id: str) -> object:
        async def take(data: Sequence[tuple[datetime, float]]) -> None:
            values.extend(value for _, value in data)
            ours.note()

        return take, SECOND

    vtn.add_handler("on_register_report", on_register_report)
    theirs_is, their_key = folder.put("theirs", ven_identity(kind=kind))
    theirs_is.write_bytes(pem(ven_identity(kind=kind).certificate))  # it cannot read more than one certificate
    security = {
        "cert": str(theirs_is),
        "key": str(their_key),
        "ca_file": all_authorities(kind, tmp_path / "all.crt"),
        "vtn_fingerprint": vtn_identity(kind).fingerprint,
    }
    async with vtn.running(), running_peer(openleadr_python, "ven.py") as theirs:
        await theirs.do("run", url=vtn.url, ven_name="Their VEN", reports=[BOILER], security=security)
        ven_id = str(theirs.told("running")[0]["ven_id"])
        interval = {"dtstart": datetime.now(UTC), "duration": HOUR, "signal_payload": 1}
        vtn.add_event(ven_id, "SIMPLE", "level", [interval])
        await ours.tells(OptReceived)
        await ours.until(lambda: len(values) >= 2, "readings")
        await theirs.do("stop")

    (record,) = vtn.vens.values()
    assert record.signer == record.identity == ven_identity(kind=kind).fingerprint
    assert all_signed(ours.exchanges)
    assert not [line for line in theirs.log() if "ignature" in line or "ingerprint" in line]


async def test_our_ven_signs_for_their_vtn(openleadr_python: Path, tmp_path: Path, kind: Kind) -> None:
    """Their server looks at signatures over TLS alone."""
    folder, ours = Folder(tmp_path), Ours()
    server = folder.of_vtn(vtn_identity(kind))
    certificate, key = str(server["http_cert"][0]), str(server["http_key"][0])
    server["http_cert"][0].write_bytes(pem(vtn_identity(kind).certificate))
    security = {
        "cert": certificate,
        "key": key,
        "http_cert": certificate,
        "http_key": key,
        "http_ca_file": all_authorities(kind, tmp_path / "all.crt"),
    }
    client = ven_identity(kind=kind)
    async with running_peer(openleadr_python, "vtn.py") as theirs:
        url = await listening(theirs, security=security, fingerprint=client.fingerprint, sampling=1)
        ven = OpenADRClient(
            "Our VEN",
            url,
            **folder.of_ven(client, trusts=(authority(kind),), tls_policy=MODERN),
            vtn_fingerprint=vtn_identity(kind).fingerprint,
            verify_message_signatures=True,
            observe=ours.observe,
            trace=ours.trace,
        )
        ven.add_handler("on_event", lambda event: "optIn")
        ven.add_report(lambda: 1.0, "boiler", sampling_rate=SECOND)
        async with ven.running():
            registered = await ours.tells(Registered)
            await is_served(theirs, registered.ven_id)
            await theirs.tells("data")

    assert all_signed(ours.exchanges)
    assert not [line for line in theirs.log() if "ignature" in line or "ingerprint" in line]
