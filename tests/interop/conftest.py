"""Our side runs on both event loops; the peers have their own."""

import pytest


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop of our side."""
    return str(request.param)
