"""Who is talking: by what a VEN is known, and whom a request is taken for."""

from typing import Final, Unpack

from oadr_core.buckets import TokenBuckets
from oadr_core.clock import Now
from oadr_core.codes import ResponseCode
from oadr_core.decisions import RegistrationDecision
from oadr_core.errors import LocalProtocolError, SealError, SealTooOld
from oadr_core.machines.exchange import Failure
from oadr_core.messages import CreatePartyRegistration, Payload, ProfileName, QueryRegistration, TransportName
from oadr_core.outputs import CertificateFollowed
from oadr_core.seal import Opened, Peer
from oadr_core.state.vtn import VenRecord
from oadr_core.vtn import certificates
from oadr_core.vtn.base import Parts
from oadr_core.vtn.push_service import PushService
from oadr_core.vtn.turn import Decided, Step, VtnConfig

_HOUR: Final = 3600.0

FULL: Final = "the VTN registers no further VEN at present"


class Unidentified(Exception):
    """A request that no VEN can be told by."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Identities(PushService):
    """Who is talking (section 9.2.1.1 of the profile): certificates, signatures and ids, and room for newcomers."""

    def __init__(self, config: VtnConfig, **parts: Unpack[Parts]) -> None:
        super().__init__(config, **parts)
        self._newcomers = TokenBuckets(config.limits.new_vens / _HOUR, config.limits.new_vens)

    # --- what the application can say --------------------------------------------------------------------------------

    def change_certificate(self, ven_id: str, fingerprint: str, now: Now) -> None:
        """Say that a VEN has another certificate: from now on it is known by that alone, and goes on as before.

        Said of the certificate that it has, it takes back the one that was announced, or refuses its former one.

        :param ven_id: the VEN.
        :param fingerprint: that of the new certificate.
        :raises LocalProtocolError: there is no such VEN, another one has the certificate, or certificates do not tell
            who it is, as over XMPP without signatures.
        """
        record = certificates.changed(self._known_ven(ven_id), fingerprint)
        self._refuse_taken(fingerprint, ven_id)
        self._change_certificates(record, now)

    def announce_certificate(self, ven_id: str, fingerprint: str, now: Now) -> None:
        """Say which certificate a VEN will have next: it is known by that one as well, and goes on with either.

        Once it has shown the next one it is known by that, and for :attr:`VtnConfig.certificate_overlap` more by the
        former one. As long as it has not, nothing else changes.

        :param ven_id: the VEN.
        :param fingerprint: that of its next certificate, instead of one that was announced before.
        :raises LocalProtocolError: there is no such VEN, it or another one has the certificate, or it has none yet.
        """
        record = certificates.announced(self._known_ven(ven_id), fingerprint)
        self._refuse_taken(fingerprint, ven_id)
        self._change_certificates(record, now)

    def _refuse_taken(self, fingerprint: str, ven_id: str) -> None:
        """See that no other VEN has a certificate, or is going to have it.

        :raises LocalProtocolError: one has.
        """
        other = self._holder_of(fingerprint)
        if other not in (None, ven_id):
            raise LocalProtocolError(f"the VEN {other!r} has this certificate already")

    def _holder_of(self, fingerprint: str) -> str | None:
        """The VEN that has a certificate, or is going to have it; those over XMPP are not known by it, but have it."""
        if fingerprint in self._by_identity:
            return self._by_identity[fingerprint]
        return next((one.ven_id for one in self._records.values() if one.has_certificate(fingerprint)), None)

    def _change_certificates(self, record: VenRecord, now: Now) -> None:
        """Have a VEN known by other certificates."""
        self._now = now
        self._keep_and_save(record)
        self._push(record.ven_id, now)

    # --- who is talking ----------------------------------------------------------------------------------------------

    def _proved(self, opened: Opened, peer: Peer) -> str | None:
        """What is known of a sender: its connection proves it, or its signature.

        Where both name a certificate it has to be the same one, or the other one of a renewal: a VEN has one
        fingerprint (section 10.5.1), and who holds the connection of one VEN must not say what another has signed.

        :raises SealError: they do not agree.
        """
        shown, signer = peer.identity, opened.signer
        if signer is None or shown is None or signer == shown or peer.transport != TransportName.SIMPLE_HTTP:
            return shown or signer
        ven_id = self._by_identity.get(shown)
        if ven_id is None or ven_id != self._by_identity.get(signer):
            raise SealError(f"it was signed with {signer}, and came over a connection of {shown}")
        return shown

    def _identify(
        self, message: Payload, identity: str | None, signer: str | None, profile: ProfileName
    ) -> VenRecord | None:
        """Find the VEN that a request comes from (section 9.2.1.1, rules 400, 500 and 517, decision D28).

        A VEN that has registered with a signature signs everything from then on, or its messages are ignored: so nobody
        gains anything by taking a signature away, also where other VENs do not sign (rule 514).

        :raises Unidentified: the sender is not who it says, or says nothing, or does not speak as it should.
        :raises SealError: it does not sign as the VEN that it says it is.
        """
        record = self._sender_of(message, identity, signer)
        if record is not None and not record.signs_with(signer) and record.profile is ProfileName.V20B:
            if record.signer is not None:
                raise SealError(f"it was not signed with the certificate that {record.ven_id} registered with")
            if self._sealer.requires and not isinstance(message, QueryRegistration | CreatePartyRegistration):
                text = f"{record.ven_id} has registered without a signature, and has to register with one"
                raise Unidentified(ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, text)
        if record is not None and record.profile is not profile:
            text = f"{record.ven_id} is a VEN of OpenADR {record.profile}, and this is for {profile}"
            raise Unidentified(ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, text)
        return record

    def _sender_of(self, message: Payload, identity: str | None, signer: str | None) -> VenRecord | None:
        named = getattr(message, "ven_id", None) or None
        if identity is not None:
            ven_id = self._by_identity.get(identity)
            if ven_id is not None and named is not None and named != ven_id:
                raise Unidentified(ResponseCode.INVALID_ID, f"{named} is not the VEN of this certificate")
            if ven_id is None and named in self._records:
                return self._with_unknown_certificate(message, self._records[named], signer)
            return self._records.get(ven_id or named or "")
        if isinstance(message, QueryRegistration):
            return None
        if named is None and isinstance(message, CreatePartyRegistration):
            named = self._by_name.get(message.ven_name or "")
        elif named is None:
            raise Unidentified(ResponseCode.COMPLIANCE_ERROR, "the venID is missing (rule 508)")
        record = self._records.get(named or "")
        if record is not None and record.signer is not None:
            raise SealError(f"it is not signed, and {record.ven_id} registered with a signature")
        if record is not None and record.identity is not None:
            text = f"{named} registered with a certificate, and this connection has none"
            raise Unidentified(ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, text)
        return record

    def _with_unknown_certificate(self, message: Payload, record: VenRecord, signer: str | None) -> VenRecord | None:
        """Say whom a request may be of that names a VEN, and shows a certificate that is not registered (decision D28).

        One that has registered without a certificate may come to have one; it has to register with it first. One whose
        certificate was renewed registers anew, and is a stranger until the application has checked the new one: see
        :meth:`_why_not`. Where it has signed before, it has to sign that as well.

        :raises Unidentified: it is taken for nobody.
        """
        code = ResponseCode.NOT_REGISTERED_OR_AUTHORIZED
        if record.identity is not None:
            is_new = isinstance(message, CreatePartyRegistration) and not message.registration_id
            if not is_new or (record.signer is not None and signer is None):
                raise Unidentified(code, f"{record.ven_id} has another certificate")
            return None
        if not isinstance(message, CreatePartyRegistration | QueryRegistration):
            raise Unidentified(code, f"{record.ven_id} is not known by this certificate")
        return record

    # --- who may come ------------------------------------------------------------------------------------------------

    def _has_room(self, message: CreatePartyRegistration, peer: Peer, identity: str | None, now: Now) -> bool:
        """Whether one VEN more may be registered; of those without a certificate not too many from one address."""
        if message.ven_id in self._records:  # it has come to another certificate, and is there already
            return True
        if len(self._records) >= self.config.limits.vens:
            return False
        return identity is not None or self._newcomers.take(peer.host, now.mono) == 0

    def _why_not(self, current: VenRecord | None, result: Step, decided: Decided) -> tuple[ResponseCode, str] | None:
        """Find what forbids to register a VEN as the application wants it; None where nothing does.

        The name that a VEN gives itself proves nothing, so an id that goes by the name has to fit the certificate too.
        """
        made = result.record
        if made is not None and made.renewal is not None:
            holder = self._holder_of(made.renewal.fingerprint)
            if holder not in (None, made.ven_id, None if current is None else current.ven_id):
                return ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, f"its next certificate is that of {holder}"
        if made is None or (current is not None and current.ven_id == made.ven_id):
            return None
        other, decision = self._records.get(made.ven_id), decided.decision
        if other is None:
            full = current is None and len(self._records) >= self.config.limits.vens
            return (ResponseCode.DEPLOYMENT_ERROR, FULL) if full else None
        checked = isinstance(decision, RegistrationDecision) and decision.certificate_checked
        if checked or other.identity is None or other.identity == decided.identity:
            return None
        return ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, f"{made.ven_id} is registered with another certificate"

    # --- following certificates --------------------------------------------------------------------------------------

    def _note_certificate(self, record: VenRecord, identity: str | None, signer: str | None, now: Now) -> None:
        """Have a VEN known by the certificate that was announced, once it has shown it."""
        until = now.utc + self.config.certificate_overlap
        followed = certificates.followed(record, identity, signer, until)
        if followed is None or record.certificate is None or followed.certificate is None:
            return
        self._change_certificates(certificates.without_former(followed, now.utc) or followed, now)
        shown, former = followed.certificate, record.certificate
        self._emit(CertificateFollowed(ven_id=record.ven_id, fingerprint=shown, former=former))

    def _refuse_former(self, ven_id: str, now: Now) -> None:
        """The time is over in which a VEN is known by its former certificate as well."""
        record = self._records.get(ven_id)
        left = None if record is None else certificates.without_former(record, now.utc)
        if left is not None:
            self._change_certificates(left, now)


def why_refused(error: SealError) -> Failure:
    """How a transport refuses what is not signed well: 403, or "try again" where it only has to be signed anew."""
    return Failure.BUSY if isinstance(error, SealTooOld) else Failure.FORBIDDEN
