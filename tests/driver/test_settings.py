"""What the clients and servers of all adapters take comes to their cores, by one way for all."""

from typing import Any

import pytest

from oadr_core import LocalProtocolError, VenLimits, VtnLimits
from oadr_driver.settings import vtn_limits
from oadr_http import OpenADRClient as HttpClient
from oadr_http import ServerLimits
from oadr_xmpp import OpenADRClient as XmppClient
from oadr_xmpp import OpenADRServer as XmppServer
from oadr_xmpp import XmppComponent
from tests.http.watch import vtn


@pytest.mark.parametrize(
    "made",
    [
        lambda **more: HttpClient("ven", "http://127.0.0.1:1/OpenADR2/Simple/2.0b", **more),
        lambda **more: HttpClient("ven", "http://127.0.0.1:1/OpenADR2/Simple/2.0b", auto_polling=False, **more),
        lambda **more: XmppClient("ven", "ven@oadr.example", password="x", **more),
    ],
    ids=["HTTP", "by hand", "XMPP"],
)
def test_how_much_a_ven_keeps_is_said_in_one_place_over_every_transport(made: Any) -> None:
    assert made().limits == VenLimits()
    wanted = VenLimits(events=20, unsent=7, undecided=3)
    assert made(ven_limits=wanted).limits == wanted


def test_how_much_a_vtn_keeps_is_said_among_the_limits_of_its_server_and_apart_over_xmpp() -> None:
    assert vtn_limits(ServerLimits()) == VtnLimits(), "what is usual is the same everywhere"
    server = vtn(limits=ServerLimits(vens=5, opts=1000, untold=3))
    assert server._core.vtn.config.limits == VtnLimits(vens=5, opts=1000, untold=3)
    login = XmppComponent("vtn.oadr.example", "secret")
    over_xmpp = XmppServer("VTN", login, vtn_limits=VtnLimits(vens=5))
    assert over_xmpp._core.vtn.config.limits == VtnLimits(vens=5)
    with pytest.raises(LocalProtocolError, match="VtnLimits: vens is 0; it must be a whole number, 1 at least"):
        vtn(limits=ServerLimits(vens=0))
