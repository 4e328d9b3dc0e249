"""The check of drivers over XMPP: on each server, with a VTN that is a component, and with one that is a client."""

import pytest

from oadr_core import TransportName
from oadr_core.testing import DRIVER_CHECK, Scenario
from oadr_driver.testing import TransportHarness
from oadr_xmpp import XmppClient, XmppLimits, XmppToVens, XmppToVtn
from tests.xmpp.pair import as_client, as_component, credentials, on
from tests.xmpp.servers import COMPONENT, VTN, XmppServer

pytestmark = pytest.mark.anyio


def reached(server: XmppServer, *, component: bool) -> TransportHarness:
    """A VTN and VENs that have logged in to a server."""
    login = as_component(server) if component else as_client(server)
    address = COMPONENT if component else f"{server.account(VTN).address}/vtn"

    def of_ven(name: str) -> XmppToVtn:
        account = server.account(name)
        files = {key: value for key, value in credentials(account).items() if key != "disable_signature"}
        return XmppToVtn(XmppClient(account.address, **on(server), **files), vtn=address)

    return TransportHarness(
        TransportName.XMPP, of_vtn=lambda: XmppToVens(login), of_ven=of_ven, pull=False, limit=XmppLimits().stanza
    )


@pytest.mark.parametrize("scenario", DRIVER_CHECK, ids=lambda one: one.__name__)
async def test_a_component_and_vens_with_certificates(server: XmppServer, scenario: Scenario) -> None:
    async with reached(server, component=True) as harness:
        await scenario(harness)


@pytest.mark.parametrize("scenario", DRIVER_CHECK, ids=lambda one: one.__name__)
async def test_a_client_and_vens_with_passwords(password_server: XmppServer, scenario: Scenario) -> None:
    async with reached(password_server, component=False) as harness:
        await scenario(harness)
