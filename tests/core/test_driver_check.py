"""The check of drivers, on a wire: it passes there, and tells a driver that does not do what it should."""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, NamedTuple

import pytest

from oadr_core import (
    Address,
    Call,
    Entropy,
    Failure,
    LocalProtocolError,
    Now,
    Opened,
    Sealer,
    Service,
    SigningKey,
    SigningSealer,
    Trust,
)
from oadr_core.testing import (
    DRIVER_CHECK,
    Flight,
    Host,
    Scenario,
    SignedSeals,
    WireHarness,
    driver_check,
    run_without_loop,
)
from tests.seal.people import person

both = pytest.mark.parametrize("pull", [True, False], ids=["pull", "push"])


def key(name: str) -> SigningKey:
    """What somebody signs with."""
    return person(name).signing()


def proved(name: str) -> str:
    """What a connection of somebody proves."""
    return person(name).fingerprint


SEALS: Final = SignedSeals(key("vtn"), key)
SIGNED: Final[Mapping[str, Any]] = {"proves": proved, "seals": SEALS}


def named(scenario: Scenario) -> str:
    return scenario.__name__


@both
@pytest.mark.parametrize("scenario", DRIVER_CHECK, ids=named)
def test_cores_on_a_wire_pass(scenario: Scenario, pull: bool) -> None:
    run_without_loop(scenario(WireHarness(random.Random(1), pull=pull)))


@pytest.mark.parametrize("scenario", driver_check(pull=True, identified=True, signed=True), ids=named)
def test_cores_that_poll_and_sign_pass(scenario: Scenario) -> None:
    run_without_loop(scenario(WireHarness(random.Random(1), **SIGNED)))


@pytest.mark.parametrize("scenario", driver_check(pull=False, identified=True, signed=True), ids=named)
def test_cores_that_are_pushed_to_and_sign_pass(scenario: Scenario) -> None:
    run_without_loop(scenario(WireHarness(random.Random(1), pull=False, **SIGNED)))


@both
@pytest.mark.parametrize("proves", [proved, None], ids=["identified", "signed"])
def test_who_is_talking_is_told_by_either_means(pull: bool, proves: Callable[[str], str] | None) -> None:
    signed = proves is None
    for scenario in driver_check(pull=pull, identified=not signed, signed=signed)[len(DRIVER_CHECK) :]:
        seals = SEALS if signed else None
        run_without_loop(scenario(WireHarness(random.Random(1), pull=pull, proves=proves, seals=seals)))


# --- drivers and transports that do not do what they should ----------------------------------------------------------


class Forgets(WireHarness):
    """Keeps nothing over a restart."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        boot = self.wire.boot

        def forgetful(host: Host, now: Now) -> None:
            host.saved.clear()
            boot(host, now)

        self.wire.boot = forgetful  # type: ignore[method-assign]


class Oversleeps(WireHarness):
    """Wakes no core."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.wire.wake = lambda now: None  # type: ignore[method-assign]


class TakesRefusalsForSuccess(WireHarness):
    """Does not look at why a request was refused."""

    async def say(self, *arguments: Any) -> bytes | Failure:
        said = await super().say(*arguments)
        return b"" if isinstance(said, Failure) else said


class DropsAnswers(WireHarness):
    """Brings no answer back to whoever has asked."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        answer = self.wire.answer

        def without(flight: Flight, now: Now, **more: Any) -> None:
            flight.answer = b""
            answer(flight, now, **more)

        self.wire.answer = without  # type: ignore[method-assign]


class AwaitsNothing(WireHarness):
    """Takes what a coroutine function gives it for its value."""

    def _run(self, host: Host, call: Call) -> None:
        value = call.function(**call.arguments) if call.function is not None else None
        with suppress(AttributeError):
            value.close()
        self.wire.run(host, call, value, self.clock.now)


class LetsErrorsThrough(WireHarness):
    """Does not catch what a handler raises."""

    def _run(self, host: Host, call: Call) -> None:
        assert call.function is not None
        value = call.function(**call.arguments)
        self.wire.run(host, call, run_without_loop(value) if hasattr(value, "send") else value, self.clock.now)


class LosesWhatIsLarge(WireHarness):
    """Does not get large documents to where they go, as a transport that is set to a lower limit than it says."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        deliver = self.wire.deliver

        def small_only(flight: Flight, now: Now) -> None:
            if len(flight.body) > 100_000:
                self.wire.lose(flight, now, told=True)
            else:
                deliver(flight, now)

        self.wire.deliver = small_only  # type: ignore[method-assign]


class HasNoLimit(WireHarness):
    """Takes documents of any size, and says that it does not."""

    limit = 100_000


class WritesDocumentsAnew(WireHarness):
    """Gives names other prefixes, as some servers do, in documents whose signature does not bear that."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        deliver = self.wire.deliver

        def anew(flight: Flight, now: Now) -> None:
            flight.body = re.sub(rb"(</?|xmlns:)ei([:=])", rb"\1energy\2", flight.body)  # type: ignore[misc]
            deliver(flight, now)

        self.wire.deliver = anew  # type: ignore[method-assign]


class ProvesNothing(WireHarness):
    """Does not say who is at the other end."""

    def identity(self, name: str) -> str | None:
        return None


class TellsNobodyApart(WireHarness):
    """Takes everybody for somebody of whom there is but one."""

    def identity(self, name: str) -> str | None:
        return proved("anybody")


class LetsAnybodyPush(WireHarness):
    """Does not look at who pushes to a VEN."""

    async def pose(self, address: Address, service: Service, body: bytes) -> bytes | Failure:
        return await self._said(self.wire.hosts["vtn"], address, service, body)


class Lenient(SignedSeals):
    """Has the VTN open what it should not.

    :param settings: of its sealer.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(key("vtn"), key)
        self._settings = settings

    def of_vtn(self, entropy: Entropy, since: datetime | None = None) -> Sealer:
        return SigningSealer(entropy, key=key("vtn"), **{"trust": Trust(), **self._settings})


class BelievesAnyVtn(SignedSeals):
    """Has VENs believe whoever has signed."""

    def of_ven(self, name: str, entropy: Entropy, since: datetime | None = None) -> Sealer:
        return SigningSealer(entropy, key=key(name), trust=Trust())


class RemembersNothing(SignedSeals):
    """Has the VTN forget which messages it has taken."""

    def of_vtn(self, entropy: Entropy, since: datetime | None = None) -> Sealer:
        class Forgetful(SigningSealer):
            def open(self, data: bytes, now: Now) -> Opened:
                return SigningSealer(entropy, key=key("vtn"), trust=Trust()).open(data, now)

        return Forgetful(entropy, key=key("vtn"), trust=Trust())


class Fault(NamedTuple):
    """A driver or a transport that does not do what it should.

    :param harness: what is wrong.
    :param found_by: the scenarios that have to find it.
    :param pull: whether VENs poll.
    :param settings: what else the harness is given.
    """

    harness: type[WireHarness]
    found_by: set[str]
    pull: bool = True
    settings: Mapping[str, Any] = {}


NAMES: Final = {one.__name__ for one in DRIVER_CHECK}
OF_ANOTHER: Final = {
    "a_ven_answers_for_another",
    "a_ven_asks_for_what_is_of_another",
    "a_ven_ends_what_is_of_another",
    "a_ven_reports_for_another",
}
IDENTIFIED: Final[Mapping[str, Any]] = {"proves": proved}
FAULTS: Final[Mapping[str, Fault]] = {
    "forgets over a restart": Fault(Forgets, {"a_ven_starts_again", "a_vtn_starts_again"}),
    "wakes no core": Fault(
        Oversleeps,
        {
            "an_event_comes_to_its_end",
            "reports_come_until_they_are_cancelled",
            "reports_of_a_vtn_come_until_they_are_cancelled",
        },
    ),
    "takes refusals for success": Fault(
        TakesRefusalsForSuccess, {"a_request_is_malformed", "a_message_is_not_signed"}, settings=SIGNED
    ),
    "drops answers": Fault(DropsAnswers, NAMES - {"a_request_is_too_large"}),
    "has no limit": Fault(HasNoLimit, {"a_request_is_too_large"}),
    "awaits nothing": Fault(AwaitsNothing, {"a_handler_may_be_a_coroutine_function"}),
    "lets errors through": Fault(LetsErrorsThrough, {"a_handler_that_fails_disturbs_nothing_else"}),
    "loses what is large": Fault(
        LosesWhatIsLarge, {"a_report_is_nearly_too_large", "a_report_of_a_vtn_is_nearly_too_large"}, pull=False
    ),
    "writes documents anew": Fault(WritesDocumentsAnew, {"a_ven_registers"}, settings=SIGNED),
    "proves nothing": Fault(ProvesNothing, OF_ANOTHER, settings=IDENTIFIED),
    "tells nobody apart": Fault(TellsNobodyApart, OF_ANOTHER, settings=IDENTIFIED),
    "proves nothing of who signs": Fault(
        ProvesNothing, {"a_signed_message_comes_by_the_connection_of_another"}, settings=SIGNED
    ),
    "lets anybody push": Fault(LetsAnybodyPush, {"somebody_poses_as_the_vtn"}, pull=False, settings=IDENTIFIED),
    "believes any VTN": Fault(
        WireHarness,
        {"answers_are_signed_by_somebody_else_than_the_vtn", "somebody_poses_as_the_vtn"},
        pull=False,
        settings={"seals": BelievesAnyVtn(key("vtn"), key)},
    ),
    "remembers no messages": Fault(
        WireHarness,
        {"a_signed_message_is_repeated", "a_signed_message_is_repeated_after_a_restart"},
        settings={"seals": RemembersNothing(key("vtn"), key)},
    ),
    "forgets at a restart what it has taken": Fault(
        WireHarness, {"a_signed_message_is_repeated_after_a_restart"}, settings={"seals": Lenient()}
    ),
    "looks at no signatures": Fault(
        WireHarness,
        {
            "a_message_is_not_signed",
            "a_message_is_signed_by_another_ven",
            "a_signed_message_is_changed",
            "a_signed_message_is_repeated",
        },
        settings={"seals": Lenient(trust=None)},
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_driver_with_a_fault_does_not_pass(fault: Fault) -> None:
    settings = fault.settings
    check = driver_check(pull=fault.pull, identified="proves" in settings, signed="seals" in settings)
    chosen = {one.__name__: one for one in check if one.__name__ in fault.found_by}
    assert set(chosen) == fault.found_by
    for name, scenario in chosen.items():
        harness = fault.harness(random.Random(1), pull=fault.pull, patience=60, **settings)
        assert finds_a_fault(scenario, harness), f"{name} does not notice"


def finds_a_fault(scenario: Scenario, harness: WireHarness) -> bool:
    """Whether a driver does not get through a scenario."""
    try:
        run_without_loop(scenario(harness))
    except (AssertionError, LookupError, LocalProtocolError):
        return True
    return False


def test_each_scenario_can_fail() -> None:
    everything = {one.__name__ for one in driver_check(pull=False, identified=True, signed=True)}
    assert everything == set().union(*(fault.found_by for fault in FAULTS.values()))


def test_a_scenario_that_waits_for_an_event_loop_is_told_so() -> None:
    class Waits:
        def __await__(self) -> Iterator[None]:
            yield

    async def waits() -> None:
        await Waits()

    with pytest.raises(RuntimeError, match="there is none here"):
        run_without_loop(waits())
