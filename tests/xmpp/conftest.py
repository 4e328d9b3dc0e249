"""Tests of the XMPP adapter run on asyncio, as slixmpp does, against real servers on loopback; none waits for ever."""

from collections.abc import Callable, Iterator

import pytest

from oadr_xmpp import OpenADRClient, OpenADRServer
from tests.driver.judged import judged, limit
from tests.xmpp.servers import KINDS, Login, Servers, XmppServer, servers_in

_LONGEST = 60.0
"""Seconds after which a test that waits for something has failed."""

_LONGEST_SLOW = 300.0
"""The same, for one that takes minutes."""


@pytest.fixture
def anyio_backend() -> str:
    """The event loop."""
    return "asyncio"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let no test wait for ever."""
    limit(item, _LONGEST_SLOW if item.get_closest_marker("slow") else _LONGEST)


@pytest.fixture(autouse=True)
def _what_we_say_breaks_no_rule(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Judge what our side has said, to its own kind or to whatever a test plays."""
    yield from judged(monkeypatch, OpenADRClient, OpenADRServer)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers of this run."""
    yield from servers_in(tmp_path_factory.mktemp)


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of server."""
    kind: str = request.param
    return kind


@pytest.fixture
def server(servers: Servers, kind: str) -> XmppServer:
    """A server that is logged in to with certificates, and that other tests use as well."""
    return servers.shared(kind, Login.CERTIFICATE)


@pytest.fixture
def password_server(servers: Servers, kind: str) -> XmppServer:
    """A server that is logged in to with passwords, and that other tests use as well."""
    return servers.shared(kind, Login.PASSWORD)


@pytest.fixture
def own_server(servers: Servers, kind: str) -> Iterator[Callable[[Login], XmppServer]]:
    """Starts a server that the test may stop and start as it likes."""
    made: list[XmppServer] = []

    def start(login: Login = Login.PASSWORD) -> XmppServer:
        made.append(servers.own(kind, login))
        return made[-1]

    yield start
    for one in made:
        one.stop()
