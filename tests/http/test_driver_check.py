"""The check of drivers over HTTP."""

import pytest

from oadr_core import Limits, TransportName
from oadr_core.testing import DRIVER_CHECK, Scenario
from oadr_driver.testing import TransportHarness
from oadr_http.endpoints import PREFIX
from oadr_http.server import ServerLimits
from oadr_http.targets import PushTargets
from oadr_http.transport import HttpToVens, HttpToVtn

pytestmark = pytest.mark.anyio


def polling() -> TransportHarness:
    """VENs that poll."""
    limits = ServerLimits()
    vtns: list[HttpToVens] = []

    def of_vtn() -> HttpToVens:
        port = vtns[-1].port if vtns else 0
        vtns.append(
            HttpToVens(
                "127.0.0.1",
                port,
                prefix=PREFIX,
                prefix_20a=None,
                proxies=None,
                identified=False,
                limits=limits,
                tls=None,
                targets=PushTargets(["loopback"]),
            )
        )
        return vtns[-1]

    def of_ven(name: str) -> HttpToVtn:
        return HttpToVtn(vtns[-1].url, compression=True, longest=Limits().size, tls=None)

    return TransportHarness(TransportName.SIMPLE_HTTP, of_vtn=of_vtn, of_ven=of_ven, pull=True, limit=limits.body)


@pytest.mark.parametrize("scenario", DRIVER_CHECK, ids=lambda one: one.__name__)
async def test_vens_that_poll(scenario: Scenario) -> None:
    async with polling() as harness:
        await scenario(harness)
