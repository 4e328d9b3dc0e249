"""How the load and the bare server speak TLS in :mod:`bench.over_tls`: both sides show a certificate."""

import ssl
from pathlib import Path
from typing import Final

VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def context_of(folder: Path, version: str, *, serving: bool) -> ssl.SSLContext:
    """Make a context for one side, with nothing in it but what the protocol asks for.

    :param folder: holds ``vtn.crt``, ``vtn.key`` and ``vtn-ca.crt``, the same for the VEN, and ``ciphers``.
    :param version: the version of TLS, ``1.2`` or ``1.3``.
    :param serving: whether it is for the VTN.
    """
    mine, theirs = ("vtn", "ven") if serving else ("ven", "vtn")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serving else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    context.set_ciphers((folder / "ciphers").read_text())
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / f"{mine}.crt", folder / f"{mine}.key")
    context.load_verify_locations(folder / f"{theirs}-ca.crt")
    return context
