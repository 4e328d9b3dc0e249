"""The check of drivers over HTTP: VENs that poll and VENs that are pushed to, at each level of security.

All of it runs; what is ordinary is chosen so that each scenario runs with TLS and signatures in either way, and those
about who is talking with TLS alone as well. The rest is for the slow tests: it is the same code, but for less of it.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from oadr_app.authority import Identity, Kind, Side
from oadr_core import SigningKey, TransportName
from oadr_core.testing import DRIVER_CHECK, STRANGER, Scenario, SignedSeals, driver_check
from oadr_driver.testing import TransportHarness
from oadr_driver.tls import Tls
from oadr_http import Push
from oadr_http.endpoints import PREFIX
from oadr_http.push import vtn_by_certificate
from oadr_http.server import ServerLimits
from oadr_http.targets import PushTargets
from oadr_http.transport import HttpBothWays, HttpToVens, HttpToVtn
from tests.http.authorities import Folder, authority, ven_identity, vtn_identity

pytestmark = pytest.mark.anyio

LIMITS: Final = ServerLimits()


class Setting(NamedTuple):
    """How a VTN and its VENs talk.

    :param pull: whether VENs poll.
    :param tls: whether they speak TLS, with certificates on both sides.
    :param kind: the kind of key that everything is signed with; None where nothing is.
    """

    pull: bool
    tls: bool
    kind: Kind | None

    def __str__(self) -> str:
        """In short."""
        signed = "" if self.kind is None else f"-signed-{self.kind}"
        return ("pull" if self.pull else "push") + ("-tls" if self.tls else "") + signed

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """What there is to get through."""
        return driver_check(pull=self.pull, identified=self.tls, signed=self.kind is not None)


SETTINGS: Final = tuple(
    Setting(pull, tls, kind)
    for pull in (True, False)
    for tls, kind in ((False, None), (False, Kind.RSA), (True, None), (True, Kind.EC))
)


def cases() -> Iterator[Any]:
    """Each scenario in each setting, on each event loop."""
    for setting in SETTINGS:
        for backend in ("trio", "asyncio"):
            for scenario in setting.scenarios:
                marks = () if is_ordinary(setting, backend, scenario) else (pytest.mark.slow,)
                yield pytest.param(
                    backend, setting, scenario, marks=marks, id=f"{setting}-{backend}-{scenario.__name__}"
                )


def is_ordinary(setting: Setting, backend: str, scenario: Scenario) -> bool:
    """Whether a case is one of the ordinary tests."""
    if not setting.tls or backend != ("trio" if setting.pull else "asyncio"):
        return False
    return setting.kind is not None or scenario not in DRIVER_CHECK


IMPOSTOR: Final = "impostor.example"
"""A host whose certificate is of the same CA as that of the VTN."""


class Sides:
    """Makes the two sides of a setting.

    :param setting: how they talk.
    :param folder: where their certificates go.
    """

    def __init__(self, setting: Setting, folder: Folder) -> None:
        self._setting = setting
        self._folder = folder
        self._vtns: list[HttpToVens] = []

    def harness(self) -> TransportHarness:
        """What scenarios run in."""
        return TransportHarness(
            TransportName.SIMPLE_HTTP,
            of_vtn=self._vtn,
            of_ven=self._ven,
            of_impostor=lambda: self._to_vens(authority().vtn([IMPOSTOR]), 0),
            pull=self._setting.pull,
            limit=LIMITS.body,
            seals=None if self._setting.kind is None else seals(self._setting.kind),
        )

    def _vtn(self) -> HttpToVens:
        port = self._vtns[-1].port if self._vtns else 0
        self._vtns.append(self._to_vens(vtn_identity(), port))
        return self._vtns[-1]

    def _to_vens(self, identity: Identity, port: int) -> HttpToVens:
        return HttpToVens(
            "127.0.0.1",
            port,
            prefix=PREFIX,
            prefix_20a=None,
            proxies=None,
            identified=self._setting.tls,
            limits=LIMITS,
            tls=self._tls(identity, Side.VEN),
            targets=PushTargets(["loopback"]),
        )

    def _ven(self, name: str) -> HttpToVtn:
        url, tls = self._vtns[-1].url, self._tls(ven_identity(name), Side.VTN)
        if self._setting.pull or name == STRANGER:
            return HttpToVtn(url, compression=True, longest=LIMITS.body, tls=tls)
        knows = None if tls is None else vtn_by_certificate(url, None, check_hostname=True)
        return HttpBothWays(url, Push(port=0), compression=True, longest=LIMITS.body, tls=tls, knows=knows)

    def _tls(self, identity: Identity, trusts: Side) -> Tls | None:
        """How somebody speaks TLS who trusts the CA of one side."""
        if not self._setting.tls:
            return None
        cert, key = self._folder.put(identity.fingerprint.replace(":", ""), identity)
        ca_file = self._folder.trusted(trusts)
        return Tls(cert=cert, key=key, ca_file=ca_file, check_hostname=trusts is Side.VTN, serving=True)


@cache
def seals(kind: Kind) -> SignedSeals:
    """How documents are signed: with the keys of TLS, as who holds a connection has to sign what comes by it."""

    def signing(identity: Identity) -> SigningKey:
        return SigningKey(identity.pem, identity.key_pem())

    return SignedSeals(signing(vtn_identity(kind)), cache(lambda name: signing(ven_identity(name, kind))))


@pytest.mark.parametrize(("anyio_backend", "setting", "scenario"), list(cases()))
async def test_the_check_of_drivers(setting: Setting, scenario: Scenario, tmp_path: Path) -> None:
    async with Sides(setting, Folder(tmp_path)).harness() as harness:
        await scenario(harness)
