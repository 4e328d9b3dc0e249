"""A VTN among VENs that do what they like, on a network that does what it likes, with an application of any kind.

No input raises. Every request is answered once, within the time that handlers have at most. A step brings a bounded
number of outputs; every document that leaves is valid, every line for the log is one line. What a VEN asks changes
nothing of another VEN, whatever it calls itself. What was saved is a valid state at the end.
"""

import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final, cast

import msgspec

from fuzz import sessions
from fuzz.draws import Draws
from fuzz.messages import NOON, drawn_part, drawn_payload
from fuzz.target import Target
from oadr_core import (
    VTN_HANDLERS,
    AutoVtn,
    CancelOpt,
    CancelPartyRegistration,
    CreatedEvent,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    EiEvent,
    EiResponse,
    Enrolment,
    EventResponse,
    Handlers,
    Now,
    OptType,
    Payload,
    Peer,
    PlainSealer,
    Poll,
    ProfileName,
    QueryRegistration,
    RegisterReport,
    RequestEvent,
    Sealer,
    Service,
    TransportName,
    UpdateReport,
    VenRecord,
    VtnConfig,
    VtnPolicy,
    data_point,
    make_event,
    make_offer,
    make_opt,
)
from oadr_core.core import Core

_PEERS: Final = (
    (Peer(identity="AA", address="a"), "a"),
    (Peer(identity="AA", address="a"), "a"),
    (Peer(identity="AA", address="a"), "a"),
    (Peer(identity="BB", address="b\n"), "b"),
    (Peer(identity="CC"), "c"),
    (Peer(address="nobody"), "a"),
)


def check(data: bytes) -> None:
    """Run the session that an input is."""
    session_of(data).run()


def session_of(data: bytes) -> "VtnSession":
    """Begin the session that an input is."""
    draws = Draws(data)
    records = [
        VenRecord(
            ven_id=ven_id,
            registration_id=f"registration {ven_id}",
            identity=identity,
            pull=pull,
            address=None if pull else f"https://{ven_id}.example/",
            profile=profile,
        )
        for ven_id, identity, pull, profile in (
            ("a", "AA", draws.flag(), ProfileName.V20B),
            ("b", "BB", True, ProfileName.V20A if draws.byte() > 200 else ProfileName.V20B),
        )
    ]
    saved = {one.key: one.dump() for one in records} if draws.byte() < 220 else {}
    return session_with(draws, saved)


def session_with(draws: Draws, saved: Mapping[str, bytes]) -> "VtnSession":
    """Begin a session of a VTN that has saved something.

    :raises StateError: that cannot be loaded.
    """
    chosen = draws.byte() % 16

    def built(kept: Mapping[str, bytes], now: Now) -> AutoVtn:
        return built_with(PlainSealer(strict=False), chosen, kept, now)

    return VtnSession(draws, built, saved=saved, body=body, peers=_PEERS, wishes=(*WISHES, _OF_CERTIFICATES))


class VtnSession(sessions.Session):
    """A session in which what a VEN asks is watched for what it does to others."""

    def receive(self, body: bytes, peer: Peer, service: Service | None, profile: ProfileName) -> None:
        """Hand a request to the VTN, and see that the other VENs stay as they are."""
        core = cast(AutoVtn, self.core)
        others = {key: one for key, one in core.vtn.vens.items() if not self.may_be_of(one, body, peer)}
        super().receive(body, peer, service, profile)
        self.drain()
        for key, one in others.items():
            assert core.vtn.vens.get(key) == one, f"somebody else has changed {key}"

    def may_be_of(self, record: VenRecord, body: bytes, peer: Peer) -> bool:
        """Whether a request can be one of a VEN."""
        return record.identity is None or record.has_certificate(peer.identity)


def built_with(sealer: Sealer, chosen: int, saved: Mapping[str, bytes], now: Now) -> AutoVtn:
    """Make a VTN, and start it.

    :param sealer: opens and seals its documents.
    :param chosen: the handlers that it has; see :func:`fuzz.sessions.add_handlers`.
    """
    core = AutoVtn(
        VtnConfig(vtn_id="Grid"),
        VtnPolicy(request_reports=True),
        sealer=sealer,
        entropy=random.Random(0),
        handlers=sessions.add_handlers(Handlers(VTN_HANDLERS, typed=bool(chosen & 2)), VTN_HANDLERS, chosen),
        saved=saved,
    )
    core.offer(make_offer("usage", [data_point(len, r_id="load", resource_id="grid")], NOON), {"load": lambda: 1.0})
    core.start(now)
    return core


# --- what VENs say ---------------------------------------------------------------------------------------------------


def body(draws: Draws, asked: Payload | None) -> bytes:
    """Draw a document of a VEN, mostly one that makes sense."""
    message = _sensible(draws) if draws.byte() < 200 else drawn_payload(draws)
    return sessions.damaged(draws, message)


def _sensible(draws: Draws) -> Payload:
    """A request that a VEN could make."""
    ven_id = draws.id("speaker")
    request_id = draws.id("request_id")
    which = draws.below(12)
    if which == 0:
        return Poll(ven_id=ven_id)
    if which == 1:
        return RequestEvent(request_id=request_id, ven_id=ven_id, reply_limit=draws.choose((None, 0, 1, 2**32 - 1)))
    if which == 2:
        return CreatedEvent(
            response=EiResponse(response_code=draws.choose((200, 452)), request_id=request_id),
            event_responses=tuple(
                EventResponse(
                    response_code=draws.choose((200, 200, 460)),
                    request_id=request_id,
                    event_id=draws.id("event_id"),
                    modification_number=draws.choose((0, 1, 2, 2**32 - 1)),
                    opt_type=draws.choose(list(OptType)),
                )
                for _ in range(draws.below(3))
            )
            or None,
            ven_id=ven_id,
        )
    if which == 3:
        return CreatePartyRegistration(
            request_id=request_id,
            registration_id=draws.choose((None, draws.id("registration_id"))),
            ven_id=draws.choose((None, ven_id)),
            profile_name=draws.choose(list(ProfileName)),
            transport_name=draws.choose(list(TransportName)),
            transport_address=draws.choose((None, "https://new.example/", "not an address", "")),
            report_only=draws.flag(),
            xml_signature=draws.flag(),
            ven_name=draws.choose((None, "ven", "\n")),
            http_pull_model=draws.choose((True, False, None)),
        )
    if which == 4:
        return CancelPartyRegistration(
            request_id=request_id, registration_id=draws.id("registration_id"), ven_id=ven_id
        )
    if which == 5:
        return QueryRegistration(request_id=request_id)
    if which == 6:
        offered = _offer(draws.choose(("usage", "more")), draws.choose(("load", "state")))
        return RegisterReport(request_id=request_id, reports=(offered,) * draws.below(3), ven_id=ven_id)
    if which == 7:
        update = cast(UpdateReport, drawn_payload(draws, "oadrUpdateReport"))
        return msgspec.structs.replace(update, ven_id=ven_id)
    if which == 8:
        return msgspec.structs.replace(_opt(draws), ven_id=ven_id)
    if which == 9:
        return CancelOpt(request_id=request_id, opt_id=draws.id("opt_id"), ven_id=ven_id)
    if which == 10:
        asked = tuple(sessions.report_request(draws) for _ in range(1 + draws.below(2)))
        return CreateReport(request_id=request_id, report_requests=asked, ven_id=ven_id)
    report = draws.choose(
        ("oadrCreatedReport", "oadrCreateReport", "oadrCancelReport", "oadrCanceledReport", "oadrResponse")
    )
    message: Any = drawn_payload(draws, report)
    return cast(Payload, msgspec.structs.replace(message, ven_id=ven_id))


def _opt(draws: Draws) -> CreateOpt:
    if draws.byte() > 200:
        return cast(CreateOpt, drawn_payload(draws, "oadrCreateOpt"))
    event_id = draws.choose((None, draws.id("event_id")))
    stretch = {
        "dtstart": NOON + timedelta(seconds=draws.choose((0, 600, -(10**6)))),
        "duration": timedelta(seconds=draws.choose((3600, 60, 0))),
    }
    return make_opt(
        random.Random(0),
        NOON,
        opt_type=draws.choose(("optIn", "optOut")),
        opt_reason="economic",
        vavailability=None if event_id else [stretch],
        event_id=event_id,
        modification_number=draws.choose((0, 1, 2)) if event_id else None,
        opt_id=draws.id("opt_id"),
        market_context=draws.choose((None, "http://market.example", "")),
        targets=draws.choose((None, {"resource_id": ["boiler"]}, {"ven_id": "a"})),
    )


def _offer(specifier_id: str, r_id: str) -> Any:
    rate = {"min_period": timedelta(seconds=1), "max_period": timedelta(minutes=5)}
    return make_offer(specifier_id, [data_point(len, r_id=r_id, resource_id="boiler", sampling_rate=rate)], NOON)


# --- what the operator wants -----------------------------------------------------------------------------------------


def _audience(draws: Draws) -> list[str]:
    return draws.choose((["a"], ["b"], ["a", "b"], ["c"]))


def _event(draws: Draws) -> EiEvent:
    if draws.byte() > 200:
        return cast(EiEvent, drawn_part(draws, EiEvent))
    length = timedelta(seconds=draws.choose((3600, 60, 0, 10**8)))
    return make_event(
        random.Random(0),
        NOON,
        signal_name="SIMPLE",
        signal_type="level",
        intervals=[{"duration": length, "signal_payload": draws.below(4)}],
        dtstart=NOON + timedelta(seconds=draws.choose((600, 0, -600, 10**6))),
        event_id=draws.choose(("e1", "e2", "e3")),
        market_context="http://market.example",
        priority=draws.below(3),
    )


def _add(core: Core, draws: Draws, now: Now) -> None:
    cast(AutoVtn, core).vtn.add_event(_event(draws), _audience(draws), now)


def _modify(core: Core, draws: Draws, now: Now) -> None:
    cast(AutoVtn, core).vtn.modify_event(_event(draws), now)


def _cancel(core: Core, draws: Draws, now: Now) -> None:
    cast(AutoVtn, core).vtn.cancel_event(draws.choose(("e1", "e2", "e3")), now)


def _create_report(core: Core, draws: Draws, now: Now) -> None:
    requests = [sessions.report_request(draws) for _ in range(draws.below(3))]
    cast(AutoVtn, core).vtn.create_report(draws.choose(("a", "b")), requests, now)


def _cancel_report(core: Core, draws: Draws, now: Now) -> None:
    cast(AutoVtn, core).vtn.cancel_report(draws.choose(("a", "b")), [draws.id("report_request_id")], now)


def _queue(core: Core, draws: Draws, now: Now) -> None:
    cast(AutoVtn, core).vtn.queue(draws.choose(("a", "b")), drawn_payload(draws), now)


def _register_again(core: Core, draws: Draws, now: Now) -> None:
    cast(AutoVtn, core).vtn.request_reregistration(draws.choose(("a", "b")), now)


def _end_registration(core: Core, draws: Draws, now: Now) -> None:
    cast(AutoVtn, core).vtn.cancel_party_registration(draws.choose(("a", "b")), now)


def _enrol(core: Core, draws: Draws, now: Now) -> None:
    enrolment = Enrolment(group_ids=(draws.choose(("group", "")),), market_contexts=("http://market.example",))
    cast(AutoVtn, core).vtn.enrol(draws.choose(("a", "b", "c")), enrolment, now)


def _look(core: Core, draws: Draws, now: Now) -> None:
    vtn = cast(AutoVtn, core).vtn
    vtn.answers(draws.id("event_id"), now)
    vtn.overlaps(draws.id("event_id"))


def _submit(core: Core, draws: Draws, now: Now) -> None:
    cast(AutoVtn, core).submit("usage", "load", draws.choose((1.0, None, "x", float("nan"))), now)


def certificate_wish(*fingerprints: str) -> Callable[[Core, Draws, Now], None]:
    """What an operator says of the certificates of VENs: which one a VEN will have next, or which one it has."""

    def wish(core: Core, draws: Draws, now: Now) -> None:
        vtn = cast(AutoVtn, core).vtn
        tell = draws.choose((vtn.announce_certificate, vtn.announce_certificate, vtn.change_certificate))
        tell(draws.choose(("a", "b")), draws.choose(fingerprints), now)

    return wish


WISHES: Final = (
    *(_add, _add, _modify, _cancel, _create_report, _cancel_report, _queue, _register_again, _end_registration),
    *(_enrol, _submit, _look),
)

_OF_CERTIFICATES: Final = certificate_wish("AA", "BB", "CC")


TARGET: Final = Target(
    check=check,
    seeds=partial(sessions.seeds, 60, 300),
    modules=(
        "oadr_core.vtn.certificates",
        "oadr_core.vtn.core",
        "oadr_core.vtn.report_service",
        "oadr_core.vtn.registration_service",
        "oadr_core.vtn.consequences",
        "oadr_core.vtn.event_service",
        "oadr_core.vtn.identities",
        "oadr_core.vtn.push_service",
        "oadr_core.vtn.presence",
        "oadr_core.vtn.base",
        "oadr_core.vtn.step",
        "oadr_core.vtn.turn",
        "oadr_core.vtn.delivery",
        "oadr_core.vtn.events",
        "oadr_core.vtn.event_lists",
        "oadr_core.vtn.event_answers",
        "oadr_core.vtn.registration",
        "oadr_core.vtn.reports",
        "oadr_core.vtn.opts",
        "oadr_core.auto.vtn",
        "oadr_core.auto.asker",
        "oadr_core.decisions",
        "oadr_core.journal",
    ),
    longest=2048,
    runs=400,
)
