"""Nobody acts for another, where the two sides can tell who is talking: by the transport, or by signatures."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from oadr_core.auto.ven import AutoVen
from oadr_core.build import make_opt
from oadr_core.clock import Now
from oadr_core.machines.exchange import Failure
from oadr_core.machines.operations import SERVICE
from oadr_core.messages import (
    CancelOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreateOpt,
    EiResponse,
    EventResponse,
    Interval,
    OptType,
    Poll,
    RegisterReport,
    Report,
    ReportName,
    ReportPayload,
    RequestEvent,
    RequestReregistration,
    UpdateReport,
)
from oadr_core.outputs import Address
from oadr_core.testing.check.reports import LOAD, METER, Reporting, a_reading
from oadr_core.testing.check.stage import HOUR, VTN_ID, Stage, is_refused
from oadr_core.testing.harness import Harness

_BEGIN: Final = datetime(2030, 1, 1, tzinfo=UTC)


def opts_out(ven_id: str, event_id: str) -> CreatedEvent:
    """What a VEN says that does not take part in an event."""
    opt = EventResponse(event_id=event_id, modification_number=0, opt_type=OptType.OPT_OUT, request_id="1")
    return CreatedEvent(response=EiResponse(), ven_id=ven_id, event_responses=(opt,))


async def a_ven_answers_for_another(harness: Harness) -> None:
    """It is refused, be it by an answer to the event or by an opt, and the answer of the other stands."""
    stage = Stage(harness)
    await stage.opens("mill", "bakery")
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")
    mill, known = stage.ven_id("mill"), await stage.settled("mill")

    def opt(core: AutoVen, now: Now) -> CreateOpt:
        made = make_opt(harness.entropy, now.utc, opt_type="optOut", opt_reason="economic", event_id="shed")
        return msgspec.structs.replace(made, ven_id=mill, modification_number=0)

    for message in (opts_out(mill, "shed"), await stage.vens["bakery"].do(opt)):
        assert await stage.refuses(message, "bakery")
    assert stage.record("mill") == known
    await harness.until(lambda: stage.of(VTN_ID, "on_created_event"))
    assert stage.of(VTN_ID, "on_created_event") == [(mill, "shed", OptType.OPT_IN)]


async def a_ven_reports_for_another(harness: Harness) -> None:
    """It is refused, be it values, other metadata or the end of the reports, and what is awaited is still awaited."""
    reporting = Reporting(harness, "mill", "bakery")
    await reporting.opens(a_reading())
    await reporting.asks("later", begin=HOUR)
    await harness.until(lambda: reporting.served)
    stage = reporting.stage
    mill, known = stage.ven_id("mill"), await stage.settled("mill")
    report = Report(
        report_request_id="later",
        report_specifier_id=METER,
        report_name=ReportName.TELEMETRY_USAGE,
        created_date_time=_BEGIN,
        intervals=(Interval(dtstart=_BEGIN, payloads=(ReportPayload(r_id=LOAD, value=0.0),)),),
    )
    for message in (
        UpdateReport(request_id="1", reports=(report,), ven_id=mill),
        RegisterReport(request_id="2", ven_id=mill),
        CancelReport(request_id="3", report_request_id=("later",), report_to_follow=False, ven_id=mill),
    ):
        assert await stage.refuses(message, "bakery")
    assert stage.record("mill") == known
    assert reporting.awaited == reporting.served == ["later"]
    assert not reporting.taken


async def a_ven_ends_what_is_of_another(harness: Harness) -> None:
    """It is refused, be it what the other has said of its availability or its registration, in either name."""
    stage = Stage(harness)
    await stage.opens("mill", "bakery")
    opt_id = await stage.is_away("mill")
    mill, known = stage.ven_id("mill"), await stage.settled("mill")
    assert await stage.refuses(CancelOpt(request_id="1", opt_id=opt_id, ven_id=mill), "bakery")
    for name in ("mill", "bakery"):
        message = CancelPartyRegistration(
            request_id="2", registration_id=known.registration_id, ven_id=stage.ven_id(name)
        )
        assert await stage.refuses(message, "bakery")
    assert stage.record("mill") == known
    assert len(stage.vtn.core.vtn.vens) == 2


async def a_ven_asks_for_what_is_of_another(harness: Harness) -> None:
    """It is refused, and told nothing."""
    stage = Stage(harness)
    await stage.opens("mill", "bakery")
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")
    mill = stage.ven_id("mill")
    for message in (RequestEvent(request_id="1", ven_id=mill), Poll(ven_id=mill)):
        body = await stage.seals(message, "bakery")
        answer = await harness.say(SERVICE[type(message)], body, "bakery")
        assert is_refused(answer)
        assert isinstance(answer, Failure) or b"shed" not in answer


async def somebody_poses_as_the_vtn(harness: Harness) -> None:
    """A VEN that is pushed to obeys its VTN alone."""
    stage = Stage(harness)
    await stage.opens("mill")
    known = await stage.settled("mill")
    address = Address(harness.transport, known.address or "", identity=known.identity)
    for message in (
        CancelPartyRegistration(request_id="1", registration_id=known.registration_id, ven_id=known.ven_id),
        RequestReregistration(ven_id=known.ven_id),
    ):
        answer = await harness.pose(address, SERVICE[type(message)], await stage.seals(message))
        assert isinstance(answer, Failure), "it has listened to somebody else"
    state = stage.vens["mill"].core.ven.state
    assert (state.registered, state.registration_id) == (True, known.registration_id)
    await stage.adds_event("shed", "mill")
    await stage.answered("shed", "mill")
