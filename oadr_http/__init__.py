"""OpenADR 2.0b over HTTP: a VEN and a VTN, on trio and on asyncio."""

from oadr_driver.driver import Driver
from oadr_driver.manual import OptFailed, RegistrationFailed
from oadr_driver.recorder import Trace
from oadr_driver.signatures import SignaturePolicy
from oadr_driver.store import MemoryStore, Store
from oadr_driver.tls import PROFILE_CIPHERS, Tls, TlsPolicy
from oadr_driver.tls_files import OwnCertificate
from oadr_driver.tls_keeper import CertificateExpires, CertificatesReloaded
from oadr_driver.transport import Carrier, ExchangeFailed
from oadr_http.asgi import AsgiApp
from oadr_http.client import HttpCarrier
from oadr_http.endpoints import PREFIX, Answer, Endpoints
from oadr_http.push import PUSH_LIMITS, Push
from oadr_http.server import Server, ServerLimits
from oadr_http.trusted_proxy import TrustedProxies
from oadr_http.ven import OpenADRClient
from oadr_http.vtn import OpenADRServer

__all__ = [
    "PREFIX",
    "PROFILE_CIPHERS",
    "PUSH_LIMITS",
    "Answer",
    "AsgiApp",
    "Carrier",
    "CertificateExpires",
    "CertificatesReloaded",
    "Driver",
    "Endpoints",
    "ExchangeFailed",
    "HttpCarrier",
    "MemoryStore",
    "OpenADRClient",
    "OpenADRServer",
    "OptFailed",
    "OwnCertificate",
    "Push",
    "RegistrationFailed",
    "Server",
    "ServerLimits",
    "SignaturePolicy",
    "Store",
    "Tls",
    "TlsPolicy",
    "Trace",
    "TrustedProxies",
]
