"""A VEN whose VTN does what it likes, on a network that does what it likes, with an application of any kind.

No input raises. Every request is answered once, within the time that handlers have at most. A step brings a bounded
number of outputs; every document that leaves is valid, every line for the log is one line. What was saved is a valid
state at the end.
"""

import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final, cast

import msgspec

from fuzz import sessions
from fuzz.draws import Draws
from fuzz.messages import NOON, UNIVERSE, drawn_part, drawn_payload
from fuzz.target import Target
from oadr_core import (
    VEN_HANDLERS,
    ActivePeriod,
    AutoVen,
    CanceledOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedOpt,
    CreatedPartyRegistration,
    CreateOpt,
    CreateReport,
    DistributeEvent,
    EiEvent,
    EiResponse,
    EventDescriptor,
    EventSignal,
    EventStatus,
    Handlers,
    Now,
    Payload,
    Peer,
    PlainSealer,
    ProfileName,
    RegisteredReport,
    ReportRequest,
    RequestReregistration,
    Response,
    ResponseRequired,
    SignalType,
    Tolerance,
    Tolerate,
    UpdatedReport,
    VenConfig,
    VenLimits,
    VenState,
    VtnConfig,
    data_point,
    event_decision,
    make_offer,
    make_opt,
    signal_interval,
)
from oadr_core import (
    Target as EventTarget,
)
from oadr_core.core import Core

_PEERS: Final = ((Peer(address="the VTN"), "a"), (Peer(identity="AA"), "a"))


def check(data: bytes) -> None:
    """Run the session that an input is."""
    session_of(data).run()


def session_of(data: bytes) -> sessions.Session:
    """Begin the session that an input is."""
    draws = Draws(data)
    how = draws.byte()
    config = VenConfig(
        ven_name="ven",
        ven_id="a" if how & 1 else "",
        profile=ProfileName.V20A if how > 240 and how & 1 else ProfileName.V20B,
        pull=how & 6 != 6,
        address="https://a.example/" if how & 6 == 6 else None,
        fall_back=bool(how & 1),
    )
    state = VenState(registered=True, ven_id="a", registration_id="registration a", vtn_id="Grid")
    session = session_with(draws, {"ven": state.dump()} if draws.byte() < 200 else {}, config)
    if draws.byte() < 200:
        session.settle(_welcome)
    return session


def session_with(
    draws: Draws,
    saved: Mapping[str, bytes],
    config: VenConfig | None = None,
) -> sessions.Session:
    """Begin a session of a VEN that has saved something.

    :raises StateError: that cannot be loaded.
    """
    chosen = draws.byte() % 16
    return sessions.Session(
        draws,
        lambda kept, now: _built(config or VenConfig(ven_name="ven", limits=VenLimits(unsent=5)), chosen, kept, now),
        saved=saved,
        body=_body,
        peers=_PEERS,
        wishes=_WISHES,
    )


def _built(config: VenConfig, chosen: int, saved: Mapping[str, bytes], now: Now) -> AutoVen:
    core = AutoVen(
        config,
        sealer=PlainSealer(strict=False),
        entropy=random.Random(0),
        handlers=sessions.add_handlers(Handlers(VEN_HANDLERS, typed=bool(chosen & 2)), VEN_HANDLERS, chosen),
        saved=saved,
    )
    if config.profile is ProfileName.V20B:
        rate = {"min_period": timedelta(seconds=1), "max_period": timedelta(minutes=5)}
        point = data_point(len, r_id="load", resource_id="boiler", sampling_rate=rate)
        core.offer(make_offer("usage", [point], NOON), {"load": lambda: 1.0})
    core.start(now)
    return core


def _welcome(asked: Payload) -> Payload:
    """What a good VTN answers; the first decisions are the best ones."""
    return _fitting(Draws(b"", {name: list(ids) for name, ids in UNIVERSE.items()}), asked)


# --- what the VTN says -----------------------------------------------------------------------------------------------


def _body(draws: Draws, asked: Payload | None) -> bytes:
    which = draws.byte()
    if which > 220:
        message = drawn_payload(draws)
    elif asked is not None and which < 140:
        message = _fitting(draws, asked)
    else:
        message = _asking(draws)
    return sessions.damaged(draws, message)


def _response(draws: Draws) -> EiResponse:
    return EiResponse(
        response_code=draws.choose((200, 200, 200, 463, 452, 500)), request_id=draws.choose(("1", "", "2"))
    )


def _fitting(draws: Draws, asked: Payload) -> Payload:
    """An answer of the kind that a request calls for."""
    kind = asked.message_type()
    if kind in ("oadrQueryRegistration", "oadrCreatePartyRegistration"):
        return CreatedPartyRegistration(
            response=_response(draws),
            registration_id=draws.choose(("registration a", "registration b", "", None)),
            ven_id=draws.choose(("a", "b", "", None)),
            vtn_id=draws.choose(("Grid", "grid", "")),
            profiles=VtnConfig(vtn_id="Grid").profiles(),
            requested_oadr_poll_freq=draws.choose((None, timedelta(seconds=10), timedelta(0), timedelta(days=-1))),
        )
    if kind == "oadrRequestEvent":
        return _events(draws)
    if kind == "oadrRegisterReport":
        return RegisteredReport(response=_response(draws), report_requests=_requests(draws) if draws.flag() else ())
    if kind == "oadrUpdateReport":
        cancel = CancelReport(
            request_id="1",
            report_request_id=(draws.id("report_request_id"),),
            report_to_follow=draws.flag(),
            ven_id="a",
        )
        return UpdatedReport(response=_response(draws), cancel_report=cancel if draws.byte() > 200 else None)
    if kind == "oadrCreateOpt":
        return CreatedOpt(response=_response(draws), opt_id=cast(CreateOpt, asked).opt_id)
    if kind == "oadrCancelOpt":
        return CanceledOpt(response=_response(draws), opt_id=draws.choose(("o1", "o2")))
    if kind == "oadrPoll" and draws.flag():
        return _asking(draws)
    return Response(response=_response(draws), ven_id="a")


def _asking(draws: Draws) -> Payload:
    """Something that a VTN can hand out to a poll, or push."""
    which = draws.below(10)
    if which < 4:
        return _events(draws)
    if which < 6:
        return CreateReport(request_id="1", report_requests=_requests(draws), ven_id="a")
    if which == 6:
        ids = (draws.id("report_request_id"),)
        return CancelReport(request_id="1", report_request_id=ids, report_to_follow=draws.flag(), ven_id="a")
    if which == 7:
        return Response(response=_response(draws), ven_id=draws.choose(("a", "b")))
    if which == 8:
        return RequestReregistration(ven_id=draws.choose(("a", "b")))
    return CancelPartyRegistration(
        request_id="1", registration_id=draws.choose(("registration a", "registration b", "")), ven_id="a"
    )


def _requests(draws: Draws) -> tuple[ReportRequest, ...]:
    return tuple(sessions.report_request(draws) for _ in range(1 + draws.below(2)))


def _events(draws: Draws) -> DistributeEvent:
    return DistributeEvent(
        response=_response(draws) if draws.flag() else None,
        request_id=draws.choose(("1", "2", "")),
        vtn_id=draws.choose(("Grid", "Grid", "other")),
        events=tuple(_event(draws) for _ in range(draws.below(4))),
    )


def _event(draws: Draws) -> EiEvent:
    if draws.byte() > 220:
        return cast(EiEvent, drawn_part(draws, EiEvent))
    length = timedelta(seconds=draws.choose(sessions.LENGTHS))
    window = timedelta(seconds=draws.choose(sessions.LENGTHS))
    return EiEvent(
        event_descriptor=EventDescriptor(
            event_id=draws.choose(("e1", "e2", "e3")),
            modification_number=draws.choose((0, 1, 2, 2**32 - 1)),
            market_context="http://market.example",
            created_date_time=NOON,
            event_status=draws.choose(list(EventStatus)),
            priority=draws.choose((None, 0, 1)),
        ),
        active_period=ActivePeriod(
            dtstart=NOON + timedelta(seconds=draws.choose((600, 0, -600, 10**7, -(10**7)))),
            duration=length,
            ramp_up=timedelta(seconds=draws.choose(sessions.LENGTHS)) if draws.flag() else None,
            tolerance=Tolerance(tolerate=Tolerate(startafter=window)) if draws.byte() > 200 else None,
        ),
        event_signals=(
            EventSignal(
                intervals=tuple(signal_interval(number, length, 1.0) for number in range(1 + draws.below(3))),
                signal_name=draws.choose(("SIMPLE", "ELECTRICITY_PRICE", "x-own")),
                signal_type=SignalType.LEVEL,
                signal_id="0",
            ),
        ),
        target=EventTarget(ven_id=(draws.choose(("a", "b")),)) if draws.flag() else EventTarget(),
        response_required=draws.choose(list(ResponseRequired)),
    )


# --- what the application wants --------------------------------------------------------------------------------------


def _opt(core: Core, draws: Draws, now: Now) -> None:
    stretch = {"dtstart": NOON, "duration": timedelta(seconds=draws.choose(sessions.LENGTHS))}
    event_id = draws.choose((None, "e1", "e2"))
    opt = make_opt(
        random.Random(0),
        now.utc,
        opt_type=draws.choose(("optIn", "optOut")),
        opt_reason="economic",
        vavailability=None if event_id else [stretch],
        event_id=event_id,
        modification_number=draws.choose((0, 1, 2)) if event_id else None,
        opt_id=draws.choose(("o1", "o2")),
    )
    cast(AutoVen, core).create_opt(opt, now)


def _drawn_opt(core: Core, draws: Draws, now: Now) -> None:
    cast(AutoVen, core).create_opt(cast(CreateOpt, drawn_payload(draws, "oadrCreateOpt")), now)


def _cancel_opt(core: Core, draws: Draws, now: Now) -> None:
    cast(AutoVen, core).cancel_opt(draws.choose(("o1", "o2", "")), now)


def _change_opt(core: Core, draws: Draws, now: Now) -> None:
    decision = event_decision(draws.choose(("optIn", "optOut", ("optOut", 460, "no"))))
    cast(AutoVen, core).change_opt(draws.choose(("e1", "e2", "e3")), decision, now)


def _register(core: Core, draws: Draws, now: Now) -> None:
    cast(AutoVen, core).create_party_registration(now, anew=draws.flag())


def _leave(core: Core, draws: Draws, now: Now) -> None:
    cast(AutoVen, core).cancel_party_registration(now)


def _look(core: Core, draws: Draws, now: Now) -> None:
    cast(AutoVen, core).events(now)
    cast(AutoVen, core).active_events(now)


def _resend(core: Core, draws: Draws, now: Now) -> None:
    values: Any = draws.choose((None, {"load": [(NOON, 2.0)]}, {"none": []}))
    cast(AutoVen, core).resend_report(draws.choose(("asked", "other")), now, values=values)


def _say(core: Core, draws: Draws, now: Now) -> None:
    message: Any = drawn_payload(draws)
    if hasattr(message, "ven_id"):
        message = msgspec.structs.replace(message, ven_id="a")
    cast(AutoVen, core).ven.send(message, now)


_WISHES: Final[tuple[Callable[[Core, Draws, Now], None], ...]] = (
    *(_opt, _drawn_opt, _cancel_opt, _change_opt, _register, _leave, _look, _resend, _say),
)


TARGET: Final = Target(
    check=check,
    seeds=partial(sessions.seeds, 60, 300),
    modules=(
        "oadr_core.ven.core",
        "oadr_core.ven.registration",
        "oadr_core.ven.events",
        "oadr_core.ven.event_checks",
        "oadr_core.ven.event_list",
        "oadr_core.ven.event_schedule",
        "oadr_core.ven.reports",
        "oadr_core.ven.opts",
        "oadr_core.auto.ven",
        "oadr_core.auto.outbox",
        "oadr_core.auto.reporter",
        "oadr_core.auto.timekeeper",
        "oadr_core.sender",
        "oadr_core.state.opts",
    ),
    longest=2048,
    runs=400,
)
