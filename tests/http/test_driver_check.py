"""The check of drivers over HTTP."""

import pytest

from oadr_core import Limits, TransportName
from oadr_core.testing import DRIVER_CHECK, Scenario
from oadr_driver.testing import TransportHarness
from oadr_http import Push
from oadr_http.endpoints import PREFIX
from oadr_http.server import ServerLimits
from oadr_http.targets import PushTargets
from oadr_http.transport import HttpBothWays, HttpToVens, HttpToVtn

pytestmark = pytest.mark.anyio


def over_http(*, pull: bool) -> TransportHarness:
    """VENs that poll, or that are pushed to."""
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
        url, longest = vtns[-1].url, Limits().size
        if pull or name == "stranger":
            return HttpToVtn(url, compression=True, longest=longest, tls=None)
        return HttpBothWays(url, Push(port=0), compression=True, longest=longest, tls=None, knows=None)

    return TransportHarness(TransportName.SIMPLE_HTTP, of_vtn=of_vtn, of_ven=of_ven, pull=pull, limit=limits.body)


@pytest.mark.parametrize("scenario", DRIVER_CHECK, ids=lambda one: one.__name__)
async def test_vens_that_poll(scenario: Scenario) -> None:
    async with over_http(pull=True) as harness:
        await scenario(harness)


@pytest.mark.parametrize("scenario", DRIVER_CHECK, ids=lambda one: one.__name__)
async def test_vens_that_are_pushed_to(scenario: Scenario) -> None:
    async with over_http(pull=False) as harness:
        await scenario(harness)
