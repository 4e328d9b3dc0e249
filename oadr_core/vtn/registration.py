"""The registration of a VEN: query, registration, its renewal and its end (section 8.4 of the profile)."""

from functools import partial
from typing import Any, Final

import msgspec

from oadr_core.answers import response_to
from oadr_core.codes import ResponseCode
from oadr_core.decisions import KnownVen, RegistrationDecision, known_ven, query_answer, registration_decision
from oadr_core.messages import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    Payload,
    ProfileName,
    QueryRegistration,
    RegisterReport,
    TransportName,
)
from oadr_core.outputs import VenDeregistered, VenRegistered
from oadr_core.seal.fingerprint import certificate_after
from oadr_core.state.reports import digest
from oadr_core.state.vtn import QueuedOperation, Renewal, VenRecord
from oadr_core.vtn.turn import Ask, Turn

_FAILED: Final = RegistrationDecision(
    accepted=False, code=ResponseCode.RESPONDER_ERROR, description="the VTN failed to decide"
)

_LONGEST: Final = 2000
"""Characters of what a VEN calls itself, and of where it is reached: each record and each line of a list holds them."""


# --- query -----------------------------------------------------------------------------------------------------------


def query(turn: Turn, message: QueryRegistration) -> None:
    """A VEN asks what the VTN supports (rule 404)."""
    usual = _created(turn, message)
    if "on_query_registration" in turn.shared.asks:
        read = partial(query_answer, usual=usual)
        turn.question = Ask("on_query_registration", {"message": message}, read, usual, usual)
    else:
        turn.answer = usual


def take_query(turn: Turn, message: QueryRegistration, decision: CreatedPartyRegistration) -> None:
    """Say what the VTN supports, in the words of the application."""
    turn.answer = decision


def _created(turn: Turn, message: Payload) -> CreatedPartyRegistration:
    """Build the answer to a query; :func:`_confirm` adds the ids."""
    return CreatedPartyRegistration(
        response=response_to(message),
        vtn_id=turn.config.vtn_id,
        profiles=turn.config.profiles(),
        requested_oadr_poll_freq=turn.config.poll_freq,
    )


# --- registration ----------------------------------------------------------------------------------------------------


def register(turn: Turn, message: CreatePartyRegistration) -> None:
    """A VEN wants to be registered, or registered again (rules 400, 402 and 406)."""
    known = turn.record
    wrong = _wrong_registration(message, turn)
    if wrong is not None:
        turn.refuse(message, ResponseCode.INVALID_DATA, wrong)
    elif message.registration_id and known is None:
        turn.refuse(message, ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, "the VEN is not registered")
    elif message.registration_id and known is not None and not _same_ids(message, known):
        turn.refuse(message, ResponseCode.INVALID_ID, "the ids are not those of the registration")
    elif known is not None and known.registered_with == digest(message):
        _confirm(turn, message)  # the answer was lost, and the request came again
    else:
        turn.question = Ask(
            "on_create_party_registration",
            {"message": message, "identity": turn.identity, "signer": turn.signer},
            registration_decision,
            RegistrationDecision(),
            _FAILED,
        )


def take_registration(turn: Turn, message: CreatePartyRegistration, decision: RegistrationDecision) -> None:
    """The application has decided about a registration."""
    if not decision.accepted:
        turn.refuse(message, decision.code, decision.description or "the VTN does not register this VEN")
        return
    again = bool(message.registration_id) and turn.record is not None and _same_ids(message, turn.record)
    if again:
        turn.change(**_what_a_ven_says(message, turn))
    else:
        known = turn.record.ven_id if turn.record is not None else None
        record = VenRecord(
            ven_id=decision.ven_id or known or message.ven_id or turn.new_id(),
            registration_id=decision.registration_id or turn.new_id(),
            **_what_a_ven_says(message, turn),
        )
        # the VTN's own metadata come before its other operations (rules 301 and 309)
        own = RegisterReport(request_id=turn.new_id(), reports=turn.shared.offers, ven_id=record.ven_id)
        turn.keep(msgspec.structs.replace(record, queue=(QueuedOperation(id=turn.new_id(), message=own),)))
    _announce(turn, decision.successor)
    turn.events.append(VenRegistered(ven_id=turn.ven().ven_id, ven_name=turn.ven().ven_name, again=again))
    _confirm(turn, message)


def _confirm(turn: Turn, message: Payload) -> None:
    """Answer a registration with its ids (rule 403)."""
    turn.answer = msgspec.structs.replace(
        _created(turn, message), ven_id=turn.ven().ven_id, registration_id=turn.ven().registration_id
    )


def _wrong_registration(message: CreatePartyRegistration, turn: Turn) -> str | None:
    if message.profile_name is not ProfileName.V20B:
        return f"the profile {message.profile_name} is not served"
    if message.transport_name not in turn.config.transports:
        return f"the transport {message.transport_name} is not served"
    if any(len(one or "") > _LONGEST for one in (message.ven_name, message.ven_id, message.transport_address)):
        return f"venName, venID and transportAddress may have {_LONGEST} characters"
    if message.transport_name is not turn.transport:
        return f"it came over {turn.transport}, and has to come over {message.transport_name} to be reached there"
    return None if _pulls(message) else _wrong_address(message, turn)


def _wrong_address(message: CreatePartyRegistration, turn: Turn) -> str | None:
    """What is wrong with where a VEN wants to be reached.

    One that an XMPP server has let in has one JID there (rule 515), so it cannot have messages for it sent to others.
    """
    address = _address(message)
    if address is None:
        return "a push VEN has to say where it is reached"
    own = turn.identity if turn.transport is TransportName.XMPP and turn.config.own_addresses else None
    if own is not None and address.partition("/")[0].lower() != own.lower():
        return f"the VEN is reached at its own address, and that is {own}"
    return turn.shared.refuse_address(message.transport_name, address)


def _pulls(message: CreatePartyRegistration) -> bool:
    """Whether a VEN polls: over HTTP alone, and there unless it says that it does not (rule 37)."""
    return message.transport_name is TransportName.SIMPLE_HTTP and message.http_pull_model is not False


def _address(message: CreatePartyRegistration) -> str | None:
    """Where a VEN is reached. Some pull VENs write the text ``None``."""
    address = message.transport_address
    return None if not address or address == "None" else address


def _what_a_ven_says(message: CreatePartyRegistration, turn: Turn) -> dict[str, Any]:
    pull = _pulls(message)
    return {
        "ven_name": message.ven_name or "",
        **_proofs(message, turn),
        "profile": message.profile_name,
        "transport": message.transport_name,
        "pull": pull,
        "address": None if pull else _address(message),
        "report_only": message.report_only,
        "xml_signature": message.xml_signature,
        "registered_with": digest(message),
        "online": True,
    }


def _proofs(message: CreatePartyRegistration, turn: Turn) -> dict[str, Any]:
    """By what a VEN is known from now on: by what it has shown.

    While its certificate is renewed, registering with either of the two changes nothing of that.
    """
    identity, signer, renewal = turn.identity, turn.signer, None
    known = turn.record
    if known is not None and known.renewal is not None:
        mine, other = known.certificate, known.renewal.fingerprint
        identity = mine if identity == other else identity
        signer = mine if signer == other else signer
        shown = identity if message.transport_name is TransportName.SIMPLE_HTTP else signer
        renewal = known.renewal if shown == mine else None
    return {"identity": identity, "signer": signer, "renewal": renewal}


def _announce(turn: Turn, successor: str | None) -> None:
    """Have a VEN known by its next certificate as well, where the application says which that is."""
    certificate = turn.ven().certificate
    if successor is not None and certificate is not None and not turn.ven().has_certificate(successor):
        turn.change(renewal=Renewal(fingerprint=successor))


def _same_ids(message: CreatePartyRegistration, record: VenRecord) -> bool:
    return message.registration_id == record.registration_id and message.ven_id in (None, "", record.ven_id)


# --- a VEN that only the application knows ---------------------------------------------------------------------------


def look_up(turn: Turn, message: Payload) -> None:
    """A VEN that is not registered here talks as if it were; the application may know better.

    Not of one that has to be pushed to, as where it is reached is told by a registration alone.
    """
    ven_id = getattr(message, "ven_id", None)
    if ven_id and turn.transport is TransportName.SIMPLE_HTTP and "ven_lookup" in turn.shared.asks:
        read = partial(known_ven, registers=turn.profile is ProfileName.V20B)
        turn.question = Ask("ven_lookup", {"ven_id": ven_id}, read, None, None)
    else:
        _refuse_stranger(turn, message)


def take_lookup(turn: Turn, message: Payload, decision: KnownVen | None) -> bool:
    """The application has looked a VEN up; says whether the request may be taken now."""
    if turn.record is not None:  # it has registered meanwhile
        return True
    strange = decision is None or decision.ven_id != getattr(message, "ven_id", None)
    if decision is None or strange or not decision.is_shown(turn.identity):
        _refuse_stranger(turn, message)
        return False
    turn.keep(
        VenRecord(
            ven_id=decision.ven_id,
            registration_id=decision.registration_id,
            ven_name=decision.ven_name,
            identity=turn.identity,
            signer=turn.signer,
            profile=turn.profile,
        )
    )
    _announce(turn, certificate_after(decision.fingerprints, turn.identity))
    turn.events.append(VenRegistered(ven_id=decision.ven_id, ven_name=decision.ven_name, again=True))
    return True


def _refuse_stranger(turn: Turn, message: Payload) -> None:
    turn.refuse(message, ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, "the VEN is not registered")


# --- the end ---------------------------------------------------------------------------------------------------------


def deregister(turn: Turn, message: CancelPartyRegistration) -> None:
    """The VEN ends its registration: everything about it is forgotten (rule 407)."""
    if message.registration_id != turn.ven().registration_id:
        turn.refuse(message, ResponseCode.INVALID_ID, "the registrationID is not that of the registration")
        return
    turn.answer = CanceledPartyRegistration(
        response=response_to(message), registration_id=message.registration_id, ven_id=turn.ven().ven_id
    )
    turn.tell("on_cancel_party_registration", {"message": message})
    _forget(turn, by_peer=True)


def take_canceled(turn: Turn, message: CanceledPartyRegistration, operation: Payload | None) -> None:
    """The VEN confirms that it is no longer registered."""
    if isinstance(operation, CancelPartyRegistration) and message.response.ok:
        _forget(turn, by_peer=False)


def _forget(turn: Turn, *, by_peer: bool) -> None:
    turn.events.append(VenDeregistered(ven_id=turn.ven().ven_id, by_peer=by_peer))
    turn.keep(None)
