"""EiRegisterParty at a VTN, as far as the application has a say in it."""

from datetime import timedelta

from oadr_core.clock import Now
from oadr_core.entropy import new_id
from oadr_core.errors import LocalProtocolError
from oadr_core.messages import CancelPartyRegistration, ProfileName, RequestReregistration, TransportName
from oadr_core.outputs import Save, VenDeregistered, VenRegistered
from oadr_core.state.audience import Enrolment
from oadr_core.state.vtn import VenRecord
from oadr_core.vtn.base import ENROLMENT
from oadr_core.vtn.consequences import Consequences


class RegistrationService(Consequences):
    """What the application can say about the registrations of VENs (section 8.4 of the profile).

    What VENs ask for is decided in :mod:`oadr_core.vtn.registration`.
    """

    def add_ven(
        self,
        ven_id: str,
        now: Now,
        *,
        ven_name: str = "",
        identity: str | None = None,
        poll_interval: timedelta | None = None,
        address: str | None = None,
    ) -> None:
        """Make a 2.0a VEN known, whose ids were agreed beforehand as it cannot register (section 7.1 of the profile).

        VENs of 2.0b register themselves.

        :param ven_id: its id.
        :param ven_name: a name for people.
        :param identity: the fingerprint of its certificate, which it has to show then.
        :param poll_interval: how often it polls, to tell when it is silent; as often as 2.0b VENs are asked to if None.
        :param address: the base URL where it is reached by push; it polls if None.
        :raises LocalProtocolError: there is a VEN of the id, or of the certificate, already; or nothing is pushed to
            the address.
        """
        if not ven_id:
            raise LocalProtocolError("a VEN needs an id")
        if ven_id in self._records:
            raise LocalProtocolError(f"there is a VEN {ven_id!r} already")
        if identity is not None:
            self._refuse_taken(identity, ven_id)
        if poll_interval is not None and poll_interval <= timedelta(0):
            raise LocalProtocolError(f"a VEN polls at intervals of more than {poll_interval}")
        wrong = None if address is None else self._shared.refuse_address(TransportName.SIMPLE_HTTP, address)
        if wrong is not None:
            raise LocalProtocolError(wrong)
        record = VenRecord(
            ven_id=ven_id,
            registration_id="",
            ven_name=ven_name,
            identity=identity,
            profile=ProfileName.V20A,
            pull=address is None,
            address=address,
            online=False,  # until it shows itself
            poll_interval=None if poll_interval is None else poll_interval.total_seconds(),
        )
        self._now = now
        self._keep_and_save(record)
        self._emit(VenRegistered(ven_id=ven_id, ven_name=ven_name, again=False))
        self._tell_withheld_of(self._book.of(ven_id), ven_id)
        self._push(ven_id, now)

    def remove_ven(self, ven_id: str, now: Now) -> None:
        """Forget a 2.0a VEN, which cannot end its registration itself as it has none; what it belongs to is kept.

        :raises LocalProtocolError: there is no such VEN, or it is one of 2.0b; see :meth:`cancel_party_registration`.
        """
        record = self._known_ven(ven_id)
        if record.profile is not ProfileName.V20A:
            raise LocalProtocolError(f"{ven_id!r} has registered itself; cancel its registration instead")
        self._now = now
        self._deregister(record)

    def forget_ven(self, ven_id: str, now: Now) -> None:
        """Forget a VEN that is gone, and all that is kept of it, without asking it.

        Its registration goes, its answers, opts and reports, what waits for it, and what it belongs to. Events that
        name it stay as they are. Should it be there after all, it is a stranger (463), and may register.

        :param ven_id: the VEN; it need not be registered, where it is enrolled.
        :raises LocalProtocolError: nothing is known of such a VEN.
        """
        if ven_id not in self._records and ven_id not in self._book.enrolments:
            self._known_ven(ven_id)
        self._now = now
        if ven_id in self._records:
            self._deregister(self._records[ven_id])
        if self._book.handed(ven_id).event_ids:
            self._hand(ven_id, ())
        if ven_id in self._book.enrolments:
            self._book.enrol(ven_id, Enrolment())
            self._emit(Save(f"{ENROLMENT}{ven_id}", None))

    def _deregister(self, record: VenRecord) -> None:
        """End the registration of a VEN without asking it, and tell so."""
        self._end(record)
        self._emit(VenDeregistered(ven_id=record.ven_id, by_peer=False))

    def request_reregistration(self, ven_id: str, now: Now) -> None:
        """Ask a VEN to register again (section 8.4.1 of the profile)."""
        self._queue(self._known_ven(ven_id), RequestReregistration(ven_id=ven_id), now)

    def cancel_party_registration(self, ven_id: str, now: Now) -> None:
        """End the registration of a VEN, once it has confirmed (rule 407)."""
        record = self._known_ven(ven_id)
        message = CancelPartyRegistration(
            request_id=new_id(self._entropy), registration_id=record.registration_id, ven_id=ven_id
        )
        self._queue(record, message, now)
