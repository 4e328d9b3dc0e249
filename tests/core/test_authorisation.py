"""Every message is bound to whoever has sent it before anything sees it: nobody acts for another (rule 517).

A VTN knows two VENs, each with a registration, an event, an opt, and a report that it delivers. Somebody who is one of
them, somebody with a certificate that is not registered, and somebody without any say every message there is, in every
name, with their own ids and with those of the other. What must not be is refused with its code, no handler is asked,
nothing about the other VEN changes, and nothing of it is told.
"""

import random
from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest

from oadr_core import (
    VTN_HANDLERS,
    Call,
    CanceledPartyRegistration,
    CanceledReport,
    CancelOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedPartyRegistration,
    CreatedReport,
    CreateReport,
    DistributeEvent,
    EiResponse,
    Enrolment,
    EventResponse,
    ExchangeId,
    Failure,
    LocalProtocolError,
    Now,
    OptType,
    Output,
    Payload,
    Peer,
    PeerMisbehaved,
    PlainSealer,
    Poll,
    ProfileName,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RegistrationDecision,
    Reply,
    ReportEnded,
    RequestEvent,
    Response,
    Save,
    Transmit,
    TransportName,
    UpdatedReport,
    UpdateReport,
    VenConfig,
    VenDeregistered,
    VenRecord,
    VenState,
    Vtn,
    VtnConfig,
    VtnLimits,
    encode,
)
from oadr_core.answers import response_in
from oadr_core.machines.operations import VEN_REQUESTS, VTN_OPERATIONS
from oadr_core.state.opts import OptBook, Schedule
from oadr_core.state.reports import AcceptedRequest, RequestedReport
from oadr_core.ven import Ven
from tests.core.kit import NOON, create_opt, created, drained, event, offer, one, request
from tests.core.test_registration import create
from tests.rules.samples import USAGE, but

NOW: Final = Now(0.0, NOON)
MINE, YOURS, STRANGER = "AA", "BB", "CC"
"""The certificates of the one who tries, of the other, and of somebody who is not registered."""

Ids = Callable[[str], str]
"""Gives the id of a kind; such as ``event mine``."""

Made = Callable[[str | None, Ids], Payload]


def named(kind: str, whose: str) -> str:
    """The id of something of a VEN."""
    return f"{kind} {whose}"


def _response() -> EiResponse:
    return EiResponse(request_id="1")


MESSAGES: Final[dict[str, Made]] = {
    "oadrQueryRegistration": lambda ven_id, ids: QueryRegistration(request_id="1"),
    "oadrCreatePartyRegistration": lambda ven_id, ids: create(
        request_id="1", ven_id=ven_id, registration_id=ids("registration"), ven_name="name mine"
    ),
    "oadrCancelPartyRegistration": lambda ven_id, ids: CancelPartyRegistration(
        request_id="1", registration_id=ids("registration"), ven_id=ven_id
    ),
    "oadrCanceledPartyRegistration": lambda ven_id, ids: CanceledPartyRegistration(
        response=_response(), registration_id=ids("registration"), ven_id=ven_id
    ),
    "oadrRequestEvent": lambda ven_id, ids: RequestEvent(request_id="1", ven_id=ven_id or ""),
    "oadrCreatedEvent": lambda ven_id, ids: CreatedEvent(
        response=_response(),
        event_responses=(
            EventResponse(request_id="1", event_id=ids("event"), modification_number=0, opt_type=OptType.OPT_OUT),
        ),
        ven_id=ven_id or "",
    ),
    "oadrRegisterReport": lambda ven_id, ids: RegisterReport(request_id="1", reports=(offer("other"),), ven_id=ven_id),
    "oadrRegisteredReport": lambda ven_id, ids: RegisteredReport(response=_response(), ven_id=ven_id),
    "oadrCreateReport": lambda ven_id, ids: CreateReport(
        request_id="1", report_requests=(request(ids("request")),), ven_id=ven_id
    ),
    "oadrCreatedReport": lambda ven_id, ids: CreatedReport(
        response=_response(), pending_reports=(ids("report"),), ven_id=ven_id
    ),
    "oadrUpdateReport": lambda ven_id, ids: UpdateReport(
        request_id="1", reports=(but(USAGE, report_request_id=ids("report")),), ven_id=ven_id
    ),
    "oadrUpdatedReport": lambda ven_id, ids: UpdatedReport(
        response=_response(),
        cancel_report=CancelReport(request_id="2", report_request_id=(ids("request"),), report_to_follow=False),
        ven_id=ven_id,
    ),
    "oadrCancelReport": lambda ven_id, ids: CancelReport(
        request_id="1", report_request_id=(ids("request"),), report_to_follow=False, ven_id=ven_id
    ),
    "oadrCanceledReport": lambda ven_id, ids: CanceledReport(response=_response(), ven_id=ven_id),
    "oadrCreateOpt": lambda ven_id, ids: msgspec.structs.replace(
        create_opt("new opt", event_id=ids("event")), ven_id=ven_id or ""
    ),
    "oadrCancelOpt": lambda ven_id, ids: CancelOpt(request_id="1", opt_id=ids("opt"), ven_id=ven_id or ""),
    "oadrPoll": lambda ven_id, ids: Poll(ven_id=ven_id or ""),
    "oadrResponse": lambda ven_id, ids: Response(response=_response(), ven_id=ven_id),
}
"""Every message that a VEN sends, in a name, about things of a VEN."""


def test_every_message_of_a_ven_is_tried() -> None:
    assert set(MESSAGES) == {one.message_type() for one in VEN_REQUESTS}


def a_record(whose: str, identity: str | None, *, pull: bool = True, **more: Any) -> VenRecord:
    """What a VTN remembers of a VEN that has said and done everything."""
    return VenRecord(
        **{
            "ven_id": whose,
            "registration_id": named("registration", whose),
            "ven_name": named("name", whose),
            "identity": identity,
            "pull": pull,
            "address": None if pull else f"https://{whose}.example",
            "requests": (RequestedReport(request=request(named("report", whose))),),
            "opts": OptBook(schedules=(Schedule(opt=create_opt(named("opt", whose))),)),
            **more,
        }
    )


class Site:
    """A VTN with the two VENs.

    :param yours: the certificate of the other; None where it has none.
    :param pull: whether the other polls.
    :param most_vens: how many VENs may be registered.
    :param more: what else is known of the other.
    """

    def __init__(self, *, yours: str | None = YOURS, pull: bool = True, most_vens: int = 100, **more: Any) -> None:
        records = (a_record("mine", MINE), a_record("yours", yours, pull=pull, **more))
        self.vtn = Vtn(
            VtnConfig(vtn_id="Grid", limits=VtnLimits(vens=most_vens)),
            sealer=PlainSealer(),
            entropy=random.Random(0),
            asks=[one for one in VTN_HANDLERS if one != "ven_lookup"],
            saved={one.key: one.dump() for one in records},
        )
        self.vtn.start(NOW)
        for whose in ("mine", "yours"):
            self.vtn.add_event(event(named("event", whose)), [whose], NOW)
        drained(self.vtn, NOW)

    def says(self, message: Payload, identity: str | None, profile: ProfileName = ProfileName.V20B) -> list[Output]:
        """What comes of a message."""
        data = encode(message, profile=profile)
        self.vtn.receive_request(data, peer=Peer(identity=identity), service=None, now=NOW, profile=profile)
        return drained(self.vtn, NOW)

    def is_refused(
        self, message: Payload, identity: str | None, code: int, profile: ProfileName = ProfileName.V20B
    ) -> None:
        """See that a message is refused with a code, and that nothing comes of it."""
        before = self.state_of("yours"), self.state_of("mine")
        outputs = self.says(message, identity, profile)
        assert not [one for one in outputs if isinstance(one, Call)], "no handler is asked or told"
        assert not [one for one in outputs if isinstance(one, Save)], "nothing changes"
        assert not [one for one in outputs if isinstance(one, Transmit)], "nobody is told anything"
        assert (self.state_of("yours"), self.state_of("mine")) == before
        answer = one(Reply, outputs).message
        assert answer is not None
        assert code_of(answer) == code
        assert [one.code for one in outputs if isinstance(one, PeerMisbehaved)] == [code], "the operator is told"

    def harms_nobody(self, message: Payload, identity: str | None) -> list[Output]:
        """See that a message, whatever comes of it, changes nothing about the other VEN and tells nothing of it."""
        before = self.state_of("yours")
        outputs = self.says(message, identity)
        assert self.state_of("yours") == before
        assert not [one for one in outputs if isinstance(one, Save) and one.key == "ven/yours"]
        assert all(each.arguments.get("ven_id") != "yours" for each in outputs if isinstance(each, Call))
        answer = one_or_none(outputs)
        events = answer.events if isinstance(answer, DistributeEvent) else ()
        assert all(one.event_descriptor.event_id == "event mine" for one in events)
        return outputs

    def state_of(self, ven_id: str) -> bytes:
        """All that is remembered of a VEN."""
        return self.vtn.vens[ven_id].dump()


def one_or_none(outputs: list[Output]) -> Payload | None:
    """The answer, where there is one already."""
    return next((one.message for one in outputs if isinstance(one, Reply)), None)


def code_of(answer: Payload) -> int:
    """The code of an answer; what is handed out is a success."""
    response = response_in(answer)
    return 200 if response is None else response.response_code


def of(whose: str) -> Ids:
    """The ids of a VEN."""
    return lambda kind: named(kind, whose)


names = pytest.mark.parametrize("name", sorted(set(MESSAGES) - {"oadrQueryRegistration"}))
ways = pytest.mark.parametrize("pull", [True, False], ids=["pull", "push"])


# --- in the name of another ------------------------------------------------------------------------------------------


@pytest.mark.rule(517)
@pytest.mark.decision(28)
@ways
@names
def test_a_registered_ven_that_names_another_is_refused_with_452(name: str, pull: bool) -> None:
    for ids in (of("mine"), of("yours")):
        for ven_id in ("yours", "nobody"):
            Site(pull=pull).is_refused(MESSAGES[name](ven_id, ids), MINE, 452)


@pytest.mark.rule(517)
@pytest.mark.decision(27, 28)
@ways
@names
def test_a_certificate_that_is_not_registered_is_refused_with_463(name: str, pull: bool) -> None:
    for ven_id in ("yours", "nobody", None):
        Site(pull=pull).is_refused(MESSAGES[name](ven_id, of("yours")), STRANGER, 463)


@pytest.mark.rule(508, 517)
@ways
@names
def test_somebody_without_a_certificate_is_nobody_who_has_one(name: str, pull: bool) -> None:
    Site(pull=pull).is_refused(MESSAGES[name]("yours", of("yours")), None, 463)
    Site(pull=pull).is_refused(MESSAGES[name]("nobody", of("yours")), None, 463)
    nameless = 463 if name == "oadrCreatePartyRegistration" else 459
    Site(pull=pull).is_refused(MESSAGES[name](None, of("yours")), None, nameless)


@pytest.mark.rule(517)
@names
def test_a_certificate_that_is_not_registered_is_taken_for_no_ven_that_has_registered_without_one(name: str) -> None:
    site = Site(yours=None)
    message = MESSAGES[name]("yours", of("yours"))
    if name == "oadrCreatePartyRegistration":  # it has come to have one, and shows its registration
        outputs = site.says(message, STRANGER)
        assert one(Call, outputs).handler == "on_create_party_registration"
    else:
        site.is_refused(message, STRANGER, 463)


# --- things of another -----------------------------------------------------------------------------------------------

BOUND: Final = {
    "oadrCreatePartyRegistration": 452,
    "oadrCancelPartyRegistration": 452,
    "oadrCreatedEvent": 452,
    "oadrUpdateReport": 452,
    "oadrCancelReport": 452,
    "oadrCreateOpt": 452,
    "oadrCancelOpt": 452,
}
"""Messages about something with an id, and the code where that is another's."""


@pytest.mark.rule(304, 400, 517)
@ways
@pytest.mark.parametrize("ven_id", ["mine", None], ids=["by name", "without a name"])
@pytest.mark.parametrize("name", sorted(BOUND))
def test_an_id_of_another_is_no_id(name: str, ven_id: str | None, pull: bool) -> None:
    site = Site(pull=pull)
    outputs = site.harms_nobody(MESSAGES[name](ven_id, of("yours")), MINE)
    assert not [one for one in outputs if isinstance(one, Call)]
    answer = one_or_none(outputs)
    assert answer is not None
    assert code_of(answer) == BOUND[name]


@ways
@pytest.mark.parametrize("ven_id", ["mine", None], ids=["by name", "without a name"])
@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_whatever_a_ven_says_of_another_changes_nothing_there(name: str, ven_id: str | None, pull: bool) -> None:
    for ids in (of("mine"), of("yours")):
        site = Site(pull=pull)
        site.vtn.create_report("yours", [request("asked of yours")], NOW)
        drained(site.vtn, NOW)
        site.harms_nobody(MESSAGES[name](ven_id, ids), MINE)


def test_an_answer_to_what_another_was_asked_settles_nothing() -> None:
    site = Site()
    site.vtn.cancel_party_registration("yours", NOW)
    site.vtn.create_report("yours", [request("asked of yours")], NOW)
    handed = one(Reply, site.says(Poll(ven_id="yours"), YOURS)).message
    assert isinstance(handed, CancelPartyRegistration)
    for name in ("oadrCanceledPartyRegistration", "oadrCreatedReport", "oadrResponse", "oadrCanceledReport"):
        site.harms_nobody(MESSAGES[name](None, of("yours")), MINE)
    assert len(site.vtn.vens["yours"].queue) == 2


# --- registration ----------------------------------------------------------------------------------------------------


def decided(site: Site, identity: str | None, decision: object, **details: Any) -> CreatedPartyRegistration:
    """What comes of a registration that the application decides so."""
    call = one(Call, site.says(create(request_id="9", **details), identity))
    site.vtn.call_returned(call.call, decision, now=NOW)
    answer = one_or_none(drained(site.vtn, NOW))
    assert isinstance(answer, CreatedPartyRegistration)
    return answer


@pytest.mark.rule(517)
@pytest.mark.parametrize("identity", [None, MINE, STRANGER])
def test_an_application_that_goes_by_names_gives_no_ven_away(identity: str | None) -> None:
    site = Site()
    before = site.state_of("yours")
    answer = decided(site, identity, ("yours", "registration"), ven_name="name yours")
    assert answer.response.response_code == 463
    assert site.state_of("yours") == before
    assert site.vtn.vens["mine"].identity == MINE


def test_an_application_that_has_checked_the_new_certificate_of_a_ven_may_say_so() -> None:
    site = Site()
    decision = RegistrationDecision(ven_id="yours", certificate_checked=True)
    assert decided(site, STRANGER, decision, ven_name="name yours").response.ok
    assert site.vtn.vens["yours"].identity == STRANGER
    site.is_refused(Poll(ven_id="yours"), YOURS, 463)


def renewed(**more: Any) -> dict[str, Any]:
    """What a VEN says that registers anew, and names its venID."""
    return {"ven_id": "yours", "ven_name": "name yours", **more}


@pytest.mark.rule(517)
def test_a_ven_that_names_itself_and_comes_with_a_new_certificate_is_taken_once_that_was_checked() -> None:
    site = Site()
    decision = RegistrationDecision(certificate_checked=True)
    assert decided(site, STRANGER, decision, **renewed()).response.ok
    assert site.vtn.vens["yours"].identity == STRANGER
    site.is_refused(Poll(ven_id="yours"), YOURS, 463)


@pytest.mark.rule(517)
@pytest.mark.parametrize("decision", [True, None, ("yours", "registration"), ("other", "registration")])
def test_naming_the_id_of_another_gives_nobody_what_is_not_checked(decision: object) -> None:
    site = Site()
    before = site.state_of("yours")
    answer = decided(site, STRANGER, decision, **renewed())
    assert answer.response.ok == (decision == ("other", "registration")), "the application may give it another id"
    assert site.state_of("yours") == before
    site.is_refused(Poll(ven_id="yours"), STRANGER, 463 if not answer.response.ok else 452)


@pytest.mark.rule(514, 517)
def test_a_ven_that_has_signed_comes_with_a_new_certificate_by_a_signature_alone() -> None:
    Site(signer=YOURS).is_refused(create(request_id="1", **renewed()), STRANGER, 463)


def test_a_vtn_that_is_full_still_takes_a_new_certificate_of_a_ven_that_it_has() -> None:
    site = Site(most_vens=2)
    assert decided(site, STRANGER, RegistrationDecision(certificate_checked=True), **renewed()).response.ok
    assert len(site.vtn.vens) == 2


def test_the_operator_may_say_that_a_ven_has_a_new_certificate_and_it_goes_on_as_before() -> None:
    site = Site(signer=YOURS)
    before = site.vtn.vens["yours"]
    site.vtn.change_certificate("yours", STRANGER, NOW)
    (saved,) = [one for one in drained(site.vtn, NOW) if isinstance(one, Save)]
    assert VenRecord.load(saved.blob or b"") == but(before, identity=STRANGER, signer=STRANGER)
    site.is_refused(Poll(ven_id="yours"), YOURS, 463)
    assert site.vtn.vens["yours"].opts == before.opts


@pytest.mark.parametrize("ven_id", ["yours", "nobody"])
def test_a_certificate_of_another_is_nobodys_new_one(ven_id: str) -> None:
    site = Site()
    with pytest.raises(LocalProtocolError, match="has this certificate already" if ven_id == "yours" else "no VEN"):
        site.vtn.change_certificate(ven_id, MINE, NOW)
    assert site.vtn.vens["yours"].identity == YOURS


def test_a_ven_over_xmpp_is_known_by_its_jid_and_by_the_certificate_that_it_signs_with() -> None:
    site = Site(transport=TransportName.XMPP, pull=False)
    with pytest.raises(LocalProtocolError, match="known by its JID BB"):
        site.vtn.change_certificate("yours", STRANGER, NOW)
    site = Site(transport=TransportName.XMPP, pull=False, signer="old")
    site.vtn.change_certificate("yours", "new", NOW)
    assert (site.vtn.vens["yours"].identity, site.vtn.vens["yours"].signer) == (YOURS, "new")


# --- a VEN that is gone ----------------------------------------------------------------------------------------------


@ways
def test_of_a_ven_that_is_forgotten_nothing_is_left(pull: bool) -> None:
    accepted = AcceptedRequest(request=request("asked by yours"), accepted_at=NOON)
    site = Site(pull=pull, report_requests=(accepted,))
    site.vtn.enrol("yours", Enrolment(group_ids=("north",)), NOW)
    site.vtn.cancel_party_registration("yours", NOW)
    drained(site.vtn, NOW)
    site.vtn.forget_ven("yours", NOW)
    outputs = drained(site.vtn, NOW)
    saved = {one.key: one.blob for one in outputs if isinstance(one, Save)}
    assert saved == {"ven/yours": None, "enrolment/yours": None}
    assert [one.ven_id for one in outputs if isinstance(one, VenDeregistered)] == ["yours"]
    assert [one.report_request_id for one in outputs if isinstance(one, ReportEnded)] == ["asked by yours"]
    assert "yours" not in {**site.vtn.vens, **site.vtn.enrolments}
    answer = one(Reply, site.says(Poll(ven_id="yours"), YOURS)).message
    assert answer is not None
    assert code_of(answer) == 463, "should it be there after all, it learns that it is not registered"
    assert decided(site, YOURS, True, **renewed()).response.ok


def test_a_ven_of_2_0a_and_one_that_is_only_enrolled_are_forgotten_as_well() -> None:
    site = Site(profile=ProfileName.V20A, requests=(), opts=OptBook(), registration_id="")
    site.vtn.enrol("expected", Enrolment(group_ids=("north",)), NOW)
    for ven_id in ("yours", "expected"):
        site.vtn.forget_ven(ven_id, NOW)
        with pytest.raises(LocalProtocolError, match="there is no VEN"):
            site.vtn.forget_ven(ven_id, NOW)
    assert list(site.vtn.vens) == ["mine"]
    assert not site.vtn.enrolments


def test_what_the_application_decides_on_a_ven_that_was_forgotten_meanwhile_comes_to_nothing() -> None:
    site = Site()
    message = MESSAGES["oadrRegisterReport"]("yours", of("yours"))
    call = one(Call, site.says(message, YOURS))
    site.vtn.forget_ven("yours", NOW)
    site.vtn.call_returned(call.call, (), now=NOW)
    answer = one(Reply, drained(site.vtn, NOW)).message
    assert answer is not None
    assert code_of(answer) == 463
    assert list(site.vtn.vens) == ["mine"]


def test_a_ven_that_comes_to_have_a_certificate_is_known_by_it_alone_from_then_on() -> None:
    site = Site(yours=None)
    details = {"ven_id": "yours", "registration_id": named("registration", "yours")}
    assert decided(site, YOURS, True, **details).response.ok
    site.is_refused(Poll(ven_id="yours"), None, 463)
    assert code_of(one(Reply, site.says(Poll(ven_id="yours"), YOURS)).message or Poll(ven_id="")) == 200


# --- 2.0a ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["oadrRequestEvent", "oadrCreatedEvent"])
def test_a_ven_of_2_0a_is_known_by_its_certificate_as_well(name: str) -> None:
    old = {"profile": ProfileName.V20A, "requests": (), "opts": OptBook(), "registration_id": ""}
    message = MESSAGES[name]("yours", of("yours"))
    for identity, code in ((None, 463), (STRANGER, 463), (MINE, 452)):
        Site(**old).is_refused(message, identity, code, ProfileName.V20A)
    for identity, code in ((STRANGER, 463), (MINE, 452)):  # and one that has none is not that of another's certificate
        Site(yours=None, **old).is_refused(message, identity, code, ProfileName.V20A)


@pytest.mark.parametrize("name", ["oadrRequestEvent", "oadrCreatedEvent"])
@pytest.mark.parametrize("identity", [None, YOURS])
def test_a_ven_of_2_0b_is_not_reached_by_the_path_of_2_0a(name: str, identity: str | None) -> None:
    Site(yours=identity).is_refused(MESSAGES[name]("yours", of("yours")), identity, 463, ProfileName.V20A)


OLD: Final[dict[str, Any]] = {"profile": ProfileName.V20A, "requests": (), "opts": OptBook(), "registration_id": ""}
"""What makes the other VEN one of 2.0a."""


@pytest.mark.parametrize(("identity", "code"), [(None, 459), (MINE, 463), (STRANGER, 463)])
def test_an_answer_in_2_0a_names_nobody_and_is_that_of_the_certificate_alone(identity: str | None, code: int) -> None:
    answer = MESSAGES["oadrResponse"](None, of("yours"))
    Site(**OLD).is_refused(answer, identity, code, ProfileName.V20A)
    assert one(Reply, Site(**OLD).says(answer, YOURS, ProfileName.V20A)).message is None, "its own is taken"


LISTS: Final = [
    (ProfileName.V20A, None, 459),
    (ProfileName.V20A, MINE, 463),  # it is one of 2.0b
    (ProfileName.V20A, YOURS, 459),
    (ProfileName.V20A, STRANGER, 459),
    (ProfileName.V20B, None, 459),
    (ProfileName.V20B, MINE, 459),
    (ProfileName.V20B, YOURS, 463),  # it is one of 2.0a
    (ProfileName.V20B, STRANGER, 459),
]
"""Who sends a list of events to a VTN, in which profile, and what it is told."""


@pytest.mark.parametrize(("profile", "identity", "code"), LISTS)
def test_nobody_makes_events_at_a_vtn(profile: ProfileName, identity: str | None, code: int) -> None:
    given = event("event forged", value=1.0)
    signal = but(given.event_signals[0], current_value=1.0)
    forged = DistributeEvent(request_id="1", vtn_id="Grid", events=(but(given, event_signals=(signal,)),))
    site = Site(**OLD)
    site.is_refused(forged, identity, code, profile)
    assert "event forged" not in site.vtn.events


# --- at a VEN --------------------------------------------------------------------------------------------------------


def a_ven(*, vtn_identity: str | None = None) -> Ven:
    """A push VEN that is registered with the VTN ``Grid``."""
    state = VenState(registered=True, ven_id="yours", registration_id="registration", vtn_id="Grid")
    ven = Ven(
        VenConfig(ven_name="yours", pull=False, address="here", vtn_identity=vtn_identity),
        sealer=PlainSealer(),
        entropy=random.Random(0),
        state=state,
    )
    ven.create_party_registration(NOW)
    exchange = one(Transmit, drained(ven, NOW)).exchange
    ven.receive_response(exchange, encode(created("yours", "registration")), now=NOW)
    drained(ven, NOW)
    return ven


PUSHED: Final[dict[str, Callable[[str], Payload]]] = {
    "oadrCancelPartyRegistration": lambda to: CancelPartyRegistration(
        request_id="1", registration_id="registration", ven_id=to
    ),
    "oadrCreateReport": lambda to: CreateReport(request_id="1", report_requests=(request(),), ven_id=to),
    "oadrCancelReport": lambda to: CancelReport(
        request_id="1", report_request_id=("report",), report_to_follow=False, ven_id=to
    ),
    "oadrRegisterReport": lambda to: RegisterReport(request_id="1", reports=(), ven_id=to),
    "oadrUpdateReport": lambda to: UpdateReport(request_id="1", reports=(USAGE,), ven_id=to),
}
"""What a VTN pushes to a VEN that it names."""


def pushed(ven: Ven, message: Payload, identity: str | None) -> list[Output]:
    """What comes of a push."""
    ven.receive_request(encode(message), peer=Peer(identity=identity), service=None, now=NOW)
    return drained(ven, NOW)


@pytest.mark.parametrize("name", sorted(PUSHED))
def test_what_is_pushed_for_another_ven_is_refused_with_452(name: str) -> None:
    ven = a_ven()
    before = ven.state.dump()
    outputs = pushed(ven, PUSHED[name]("mine"), None)
    answer = one(Reply, outputs).message
    assert answer is not None
    assert code_of(answer) == 452
    assert not [one for one in outputs if isinstance(one, Call | Save)]
    assert ven.state.dump() == before


@pytest.mark.rule(517)
@pytest.mark.parametrize("identity", [None, "AA"])
@pytest.mark.parametrize("name", sorted({one.message_type() for one in VTN_OPERATIONS} & set(PUSHED)))
def test_what_somebody_pushes_who_is_not_the_vtn_is_refused_unread(name: str, identity: str | None) -> None:
    ven = a_ven(vtn_identity="VTN")
    before = ven.state.dump()
    outputs = pushed(ven, PUSHED[name]("yours"), identity)
    reply = one(Reply, outputs)
    assert (reply.message, reply.refusal) == (None, Failure.FORBIDDEN)
    assert not [one for one in outputs if isinstance(one, Call | Save)]
    assert ven.state.dump() == before
    assert one(Reply, pushed(ven, PUSHED[name]("yours"), "VTN")).refusal is None


def a_list(vtn_id: str) -> bytes:
    """A list of events in 2.0a."""
    given = event("event", value=1.0)
    signal = but(given.event_signals[0], current_value=1.0)
    listed = DistributeEvent(request_id="1", vtn_id=vtn_id, events=(but(given, event_signals=(signal,)),))
    return encode(listed, profile=ProfileName.V20A)


@pytest.mark.rule(21, 517)
@pytest.mark.parametrize(("identity", "vtn_id"), [(None, "Grid"), ("AA", "Grid"), ("VTN", "Other"), ("VTN", "Grid")])
def test_a_ven_of_2_0a_takes_events_of_its_vtn_alone(identity: str | None, vtn_id: str) -> None:
    config = VenConfig(
        ven_id="yours", profile=ProfileName.V20A, pull=False, address="here", vtn_identity="VTN", vtn_id="Grid"
    )
    ven = Ven(config, sealer=PlainSealer(), entropy=random.Random(0))
    peer = Peer(identity=identity)
    ven.receive_request(a_list(vtn_id), peer=peer, service=None, now=NOW, profile=ProfileName.V20A)
    outputs = drained(ven, NOW)
    refused = one(Reply, outputs).refusal
    assert refused is (None if identity == "VTN" else Failure.FORBIDDEN)
    assert bool(ven.state.events) == (identity == "VTN" and vtn_id == "Grid")
    if identity == "VTN" and vtn_id == "Other":
        answer = one(Transmit, outputs).message
        assert isinstance(answer, CreatedEvent)
        assert answer.response.response_code == 452


def test_an_answer_that_nobody_awaits_is_not_looked_at() -> None:
    ven = a_ven()
    before = ven.state.dump()
    for exchange in (0, 1, 999):
        ven.receive_response(ExchangeId(exchange), encode(created("mine", "stolen")), now=NOW)
    assert not drained(ven, NOW)
    assert ven.state.dump() == before
