"""The check of drivers over XMPP: on each server, with a VTN that is a component, and with one that is a client.

All of it runs. In the ordinary tests each scenario runs once where everything is signed, those about who is talking
also where nothing is, by turns on Prosody with a component and on ejabberd with a client; the rest are slow ones.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import anyio
import pytest

from oadr_core import SigningKey, TransportName
from oadr_core.testing import DRIVER_CHECK, Scenario, SignedSeals, driver_check
from oadr_driver.testing import TransportHarness
from oadr_driver.transport import Carrier
from oadr_xmpp import XmppClient, XmppLimits, XmppToVens, XmppToVtn
from tests.xmpp.pair import as_client, as_component, credentials, on
from tests.xmpp.servers import COMPONENT, KINDS, VTN, Login, Servers, XmppServer

pytestmark = pytest.mark.anyio

_BY_TURNS: Final = (("prosody", Login.CERTIFICATE), ("ejabberd", Login.PASSWORD))


class Setting(NamedTuple):
    """How a VTN and its VENs talk.

    :param kind: the kind of server.
    :param login: how they log in: with certificates, where the VTN is a component, or with passwords, where it is a
        client.
    :param signed: whether everything is signed.
    """

    kind: str
    login: Login
    signed: bool

    def __str__(self) -> str:
        """In short."""
        return f"{self.kind}-{self.login}{'-signed' if self.signed else ''}"


def cases() -> Iterator[Any]:
    """Each scenario in each setting."""
    for kind in KINDS:
        for login in Login:
            for signed in (False, True):
                for number, scenario in enumerate(driver_check(pull=False, identified=True, signed=signed)):
                    turn = (kind, login) == _BY_TURNS[number % len(_BY_TURNS)]
                    ordinary = turn and (signed or scenario not in DRIVER_CHECK)
                    marks = () if ordinary else (pytest.mark.slow,)
                    setting = Setting(kind, login, signed)
                    yield pytest.param(setting, scenario, marks=marks, id=f"{setting}-{scenario.__name__}")


class Impostor(XmppToVens):
    """Somebody whom the server lets talk to everybody, as it does the VTN: a VEN has to look at who it is by itself."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Carrier]:
        """Be connected, and not only try to be, while the body runs."""
        async with super().opened() as carrier:
            while self.jid is None:  # noqa: ASYNC110 - a transport tells nobody when it is connected
                await anyio.sleep(0.01)
            yield carrier


def reached(server: XmppServer, *, signed: bool) -> TransportHarness:
    """A VTN and VENs that have logged in to a server."""
    component = server.login is Login.CERTIFICATE
    login = as_component(server) if component else as_client(server)
    address = COMPONENT if component else f"{server.account(VTN).address}/vtn"

    def client(name: str) -> XmppClient:
        account = server.account(name)
        files = {key: value for key, value in credentials(account).items() if key != "disable_signature"}
        return XmppClient(account.address, **on(server), **files)

    def signing(name: str) -> SigningKey:
        identity = server.account(name).identity
        return SigningKey(identity.pem, identity.key_pem())

    return TransportHarness(
        TransportName.XMPP,
        of_vtn=lambda: XmppToVens(login),
        of_ven=lambda name: XmppToVtn(client(name), vtn=address),
        of_impostor=lambda: Impostor(as_client(server) if component else as_component(server)),
        pull=False,
        limit=XmppLimits().stanza,
        seals=SignedSeals(signing(VTN), signing, prefixes=False) if signed else None,
    )


@pytest.mark.parametrize(("setting", "scenario"), list(cases()))
async def test_the_check_of_drivers(servers: Servers, setting: Setting, scenario: Scenario) -> None:
    async with reached(servers.shared(setting.kind, setting.login), signed=setting.signed) as harness:
        await scenario(harness)
