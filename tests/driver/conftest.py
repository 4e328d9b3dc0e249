"""These run on trio and on asyncio, and end by themselves."""

from tests.http.conftest import anyio_backend, pytest_itemcollected

__all__ = ["anyio_backend", "pytest_itemcollected"]
