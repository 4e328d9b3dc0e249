"""What drives a core, whatever carries its messages; the adapters for HTTP and XMPP stand on it, and yours may."""

from oadr_driver.driver import Driver
from oadr_driver.manual import OptFailed, RegistrationFailed
from oadr_driver.recorder import Trace
from oadr_driver.signatures import XMPP_SIGNATURES, SignaturePolicy
from oadr_driver.store import MemoryStore, Store
from oadr_driver.tls import Tls, TlsPolicy
from oadr_driver.tls_files import OwnCertificate
from oadr_driver.tls_keeper import CertificateExpires, CertificatesReloaded
from oadr_driver.transport import (
    Carrier,
    ExchangeFailed,
    LooseCarrier,
    Receiver,
    Transport,
    VenReceiver,
    VenTransport,
    VtnReceiver,
    VtnTransport,
)
from oadr_driver.ven import DrivenVen
from oadr_driver.vtn import DrivenVtn

__all__ = [
    "XMPP_SIGNATURES",
    "Carrier",
    "CertificateExpires",
    "CertificatesReloaded",
    "DrivenVen",
    "DrivenVtn",
    "Driver",
    "ExchangeFailed",
    "LooseCarrier",
    "MemoryStore",
    "OptFailed",
    "OwnCertificate",
    "Receiver",
    "RegistrationFailed",
    "SignaturePolicy",
    "Store",
    "Tls",
    "TlsPolicy",
    "Trace",
    "Transport",
    "VenReceiver",
    "VenTransport",
    "VtnReceiver",
    "VtnTransport",
]
