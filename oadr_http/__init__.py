"""OpenADR 2.0b over HTTP: a VEN and a VTN, on trio and on asyncio."""

from oadr_http.asgi import AsgiApp
from oadr_http.client import HttpCarrier
from oadr_http.driver import Carrier, Driver, ExchangeFailed
from oadr_http.endpoints import PREFIX, Answer, Endpoints
from oadr_http.manual import OptFailed, RegistrationFailed
from oadr_http.recorder import Trace
from oadr_http.server import Server, ServerLimits
from oadr_http.store import MemoryStore, Store
from oadr_http.ven import OpenADRClient
from oadr_http.vtn import OpenADRServer

__all__ = [
    "PREFIX",
    "Answer",
    "AsgiApp",
    "Carrier",
    "Driver",
    "Endpoints",
    "ExchangeFailed",
    "HttpCarrier",
    "MemoryStore",
    "OpenADRClient",
    "OpenADRServer",
    "OptFailed",
    "RegistrationFailed",
    "Server",
    "ServerLimits",
    "Store",
    "Trace",
]
