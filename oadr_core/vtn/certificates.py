"""Which certificate a VEN is known by, and how another one takes its place (section 10.5.1 of the profile, rule 516).

A certificate that is renewed has another fingerprint, and nobody can exchange it at the VEN and at the VTN in the same
moment. So a VTN that was told of the next one accepts both: until the VEN has shown the next one, and then the former
one for a while yet, as connections that were made with it may be open. Only the operator, or the application, announces
a certificate; nothing that a VEN says does.
"""

from datetime import datetime

from msgspec.structs import replace

from oadr_core.errors import LocalProtocolError
from oadr_core.messages import TransportName
from oadr_core.state.vtn import Renewal, VenRecord


def changed(record: VenRecord, fingerprint: str) -> VenRecord:
    """Have a VEN known by a certificate, and by no other.

    :raises LocalProtocolError: certificates do not tell who it is, as over XMPP without signatures.
    """
    over_http = record.transport is TransportName.SIMPLE_HTTP
    if not over_http and record.signer is None:
        raise LocalProtocolError(f"{record.ven_id!r} is known by its JID {record.identity}, not by a certificate")
    return replace(
        record,
        identity=fingerprint if over_http else record.identity,
        signer=None if record.signer is None else fingerprint,
        renewal=None,
    )


def announced(record: VenRecord, fingerprint: str) -> VenRecord:
    """Have a VEN known by its next certificate as well; what was announced before is not any more.

    :raises LocalProtocolError: it has no certificate yet, or none but this one.
    """
    if record.certificate is None:
        known = f"by its JID {record.identity}" if record.transport is TransportName.XMPP else "without a certificate"
        raise LocalProtocolError(f"{record.ven_id!r} is known {known}, so there is none that another one could follow")
    if fingerprint == record.certificate:
        raise LocalProtocolError(f"{record.ven_id!r} has this certificate already")
    return replace(record, renewal=Renewal(fingerprint=fingerprint))


def followed(record: VenRecord, identity: str | None, signer: str | None, until: datetime) -> VenRecord | None:
    """Have the next certificate of a VEN take its place, where the VEN has shown it, and no other beside it.

    A VEN may sign with the next one over a connection that it has made with the present one; the exchange is not over
    then.

    :param record: the VEN.
    :param identity: what its transport proved.
    :param signer: the fingerprint of the certificate that it has signed with, where it has.
    :param until: up to when its former certificate will be accepted.
    :returns: what is known of it now; None where nothing changes.
    """
    renewal, former = record.renewal, record.certificate
    if renewal is None or renewal.until is not None or former is None:
        return None
    shown = {signer} if record.transport is not TransportName.SIMPLE_HTTP else {identity, signer or identity}
    if shown != {renewal.fingerprint}:
        return None
    return replace(changed(record, renewal.fingerprint), renewal=Renewal(fingerprint=former, until=until))


def without_former(record: VenRecord, now: datetime) -> VenRecord | None:
    """Have a VEN known by its former certificate no more, where the time for that has come; None where it has not."""
    renewal = record.renewal
    if renewal is None or renewal.until is None or now < renewal.until:
        return None
    return replace(record, renewal=None)
