"""What all tests share: the official schema, the real peer, and a look at every document that we make.

The peer OpenLEADR 0.5.36 lives in an environment of its own, ``.venv-openleadr``, which ``make test`` sets up. Where
it is missing, the tests that need it are skipped with that reason; in continuous integration they fail instead.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from lxml import etree

from oadr_core.messages import Payload
from oadr_core.wire import envelope
from oadr_core.wire.dialects import PROFILE_B, Dialect
from oadr_core.wire.schema import schema as derived

ROOT: Final = Path(__file__).resolve().parent.parent
PEER: Final = Path(os.environ.get("OADR_PEER", ROOT / ".venv-openleadr"))
IN_CI: Final = os.environ.get("CI", "") not in ("", "0", "false")

settings.register_profile(
    "default",
    deadline=None,  # nothing here is judged by the clock
    print_blob=True,
    derandomize=IN_CI,  # the same code gives the same verdict; searches for new counterexamples are for elsewhere
    # shrinking a long dialogue takes minutes, finding one seconds; HYPOTHESIS_PROFILE=shrink does it
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
settings.register_profile("shrink", parent=settings.get_profile("default"), phases=list(Phase))
settings.register_profile("more", parent=settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def peer_file(pattern: str) -> Path:
    """Find a file of the peer's environment; skip, or in continuous integration fail, where there is none."""
    found = next(iter(PEER.glob(pattern)), None)
    if found is None:
        reason = f"OpenLEADR is not installed in {PEER.name}; `make test` does that"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def openleadr_python() -> Path:
    """The interpreter of the environment in which OpenLEADR is installed."""
    return peer_file("bin/python")


@pytest.fixture(scope="session")
def official_schema_file() -> Path:
    """The official schema of OpenADR 2.0b, as it travels inside the package ``openleadr``."""
    return peer_file("lib/python3*/site-packages/openleadr/schema/oadr_20b.xsd")


@pytest.fixture(scope="session")
def official_schema(official_schema_file: Path) -> etree.XMLSchema:
    """The official schema, compiled."""
    return etree.XMLSchema(etree.parse(official_schema_file))


@pytest.fixture(scope="session", autouse=True)
def _every_document_is_valid() -> object:
    """Every document made anywhere in the suite must please the official schema; one of 2.0a the derived one."""
    found = next(iter(PEER.glob("lib/python3*/site-packages/openleadr/schema/oadr_20b.xsd")), None)
    if found is None:
        return None
    official = etree.XMLSchema(etree.parse(found))
    document_writer: Callable[[type[Payload], Dialect], Callable[[Payload], str]] = envelope.document_writer

    def checking_writer(cls: type[Payload], dialect: Dialect) -> Callable[[Payload], str]:
        write = document_writer(cls, dialect)
        schema = official if dialect is PROFILE_B else derived(dialect)

        def write_checked(message: Payload) -> str:
            text = write(message)
            tree = etree.fromstring(text.encode())
            assert schema.validate(tree), f"{schema.error_log.last_error}\n{text}"
            return text

        return write_checked

    envelope.document_writer = checking_writer
    for writers in (envelope._WRITERS_A, envelope._WRITERS_B):
        writers.clear()  # of documents that were made while the tests were collected
    return None
