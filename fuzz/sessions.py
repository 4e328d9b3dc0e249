"""What the sessions of a VEN and of a VTN have in common: a core, and a peer, a network and an application at odds.

Every step is read from the input. After each one the outputs are performed, and held to what a driver relies on.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, cast

import msgspec

from fuzz.draws import Draws
from fuzz.messages import NOON, UNIVERSE, drawn_part
from oadr_core import (
    Call,
    Event,
    ExchangeId,
    Failure,
    Handlers,
    InboundId,
    LocalProtocolError,
    Now,
    Output,
    Payload,
    Peer,
    ProfileName,
    Reply,
    ReportInterval,
    ReportRequest,
    ReportSpecifier,
    Save,
    SchemaError,
    Service,
    SpecifierPayload,
    Transmit,
    encode,
    log_line,
    make_event,
    read,
)
from oadr_core.core import Core
from oadr_core.testing import ManualClock

MOST_STEPS: Final = 40
MOST_OUTPUTS: Final = 200
"""Outputs that one step may bring; a peer that can make us send without end could use us against others."""

MOST_QUESTIONS: Final = 5
"""How often an application may be asked, one time after the other, before a request is answered."""

LENGTHS: Final = (3600, 60, 1, 0, 10**8, -60)
"""Seconds that something may last."""

MOST_ASLEEP: Final = 86_400.0
_CALLBACK: Final = lambda values: None  # noqa: E731
_SECONDS: Final = timedelta(seconds=10)
_EVENT: Final = make_event(
    random.Random(0),
    NOON,
    signal_name="SIMPLE",
    signal_type="level",
    intervals=[{"duration": timedelta(hours=1), "signal_payload": 1}],
    event_id="e3",
)
_VALUES: Final[Sequence[object]] = (1.0, None, [(NOON, 1.0), (NOON + _SECONDS, 2)], [(NOON, "x")], 10**400, "x", -0.0)
"""What reads a data point may return."""

_ANYTHING: Final[Sequence[object]] = (
    *(None, True, False, "optIn", "optOut", 5.0, float("nan"), 10**400, "", "x", "\n", "\ud800", (), [], {}, 452, -1),
    *([None], [[[]]], {1: 2}, b"\xff", object(), timedelta(0), NOON, (1, 2, 3, 4), [(NOON, 1.0)], {"load": 1.0}),
)
_SENSIBLE: Final[Mapping[str, Sequence[object]]] = {
    "on_event": ("optIn", "optOut", ("optOut", 460, "no"), {"opt_type": "optIn"}, ("optIn", 460), None),
    "on_update_event": ("optIn", "optOut", False),
    "ven_lookup": (
        None,
        {"ven_id": "a", "registration_id": "registration a", "fingerprint": "AA"},
        {"ven_id": "b", "registration_id": "registration b", "fingerprint": "BB"},
        {"ven_id": "c", "registration_id": ""},
    ),
    "on_query_registration": (None, ("oadrCreatedPartyRegistration", {})),
    "on_create_party_registration": (True, ("a", "registration a"), "registration b", ("c", "c"), False, ("", "")),
    "on_register_report": (
        [None],
        [(_CALLBACK, _SECONDS)],
        [[("load", _CALLBACK, _SECONDS)]],
        [[("load", _CALLBACK, _SECONDS, _SECONDS * 3)]],
        (_CALLBACK, _SECONDS),
    ),
    "on_poll": (None, _EVENT, [_EVENT], ("oadrRequestReregistration", {"ven_id": "a"}), ("oadrResponse", {})),
    "on_request_event": (None, _EVENT, [_EVENT, _EVENT]),
    "on_create_report": (None, (461, "no"), [], True),
    "on_request_report": ({"load": [(NOON, 1.0)]}, {"load": 1.0}, [("load", 1.0)], None),
    "next_report": ({"load": [(NOON, 1.0)]}, {"load": 1.0}, None),
    "on_create_opt": (None, 452, (462, "no")),
    "on_cancel_opt": (None, 452),
}
"""What the handlers of an application return if they are well made; the others are told and return nothing."""


class Session:
    """A core under attack.

    :param draws: where the steps are read from.
    :param build: makes the core from what is saved, and starts it.
    :param body: draws a document, which answers a message or is a request.
    :param peers: who may send a request, and the id of each.
    :param wishes: what the application may ask for by itself.
    """

    def __init__(
        self,
        draws: Draws,
        build: Callable[[Mapping[str, bytes], Now], Core],
        *,
        saved: Mapping[str, bytes],
        body: Callable[[Draws, Payload | None], bytes],
        peers: Sequence[tuple[Peer, str]],
        wishes: Sequence[Callable[[Core, Draws, Now], None]],
    ) -> None:
        self.draws: Final = Draws(draws.take(draws.left), {name: list(ids) for name, ids in UNIVERSE.items()})
        self.draws.ids["speaker"] = ["a", "b"]
        self.clock: Final = ManualClock(NOON)
        self.saved: Final = dict(saved)
        self._build = build
        self._body = body
        self._peers = peers
        self._wishes = wishes
        self._documents: list[bytes] = []
        self._requests: list[tuple[bytes, Peer, Service | None, ProfileName]] = []
        self._boot()

    def _boot(self) -> None:
        self.exchanges: list[tuple[ExchangeId, Payload]] = []
        self.calls: list[Call] = []
        self.unanswered: set[InboundId] = set()
        self.core = self._build(self.saved, self.clock.now)
        self.drain()

    def settle(self, fitting: Callable[[Payload], Payload]) -> None:
        """Have everything that the core sends answered well for a while, so that the attack meets it at work."""
        for _ in range(12):
            if not self.exchanges:
                break
            exchange, message = self.exchanges.pop()
            self.core.receive_response(exchange, encode(fitting(message)), now=self.clock.now)
            self.drain()

    def run(self) -> None:
        """Take the steps that the input has, then let hours pass in which no handler returns: all is answered then."""
        steps: list[Callable[[], None]] = [
            *(self.request,) * 5,
            *(self.answer,) * 4,
            *(self.returns,) * 3,
            *(self.wish,) * 2,
            *(self.sleep,) * 2,
            self.repeat,
            self.fail,
            self.raises,
            self.set_clock,
            self.restart,
        ]
        for _ in range(MOST_STEPS):
            if not self.draws.left:
                break
            self.draws.choose(steps)()
            self.drain()
        for _ in range(MOST_QUESTIONS):
            self.clock.advance(3600)
            self.core.handle_timeout(self.clock.now)
            self.drain()
        assert not self.unanswered, "a request was never answered"
        self._build(self.saved, self.clock.now)  # what was saved is a valid state

    # --- steps -------------------------------------------------------------------------------------------------------

    def request(self) -> None:
        """A peer asks something."""
        peer, who = self.draws.choose(self._peers)
        self.draws.ids["speaker"] = [who, who, who, who, *UNIVERSE["ven_id"]]
        service = self.draws.choose((*(None,) * 15, *Service))
        profile = ProfileName.V20A if self.draws.byte() > 240 else ProfileName.V20B
        one = self.said_by_peer(None), peer, service, profile
        self._requests.append(one)
        self.receive(*one)

    def said_by_peer(self, asked: Payload | None) -> bytes:
        """A document of a peer; now and then one that it has said before, be it as a request or as an answer."""
        if self._documents and self.draws.byte() > 225:
            return self.draws.choose(self._documents[::-1])
        document = self._body(self.draws, asked)
        self._documents.append(document)
        return document

    def repeat(self) -> None:
        """A request comes once more."""
        if self._requests:
            self.receive(*self.draws.choose(self._requests))

    def receive(self, body: bytes, peer: Peer, service: Service | None, profile: ProfileName) -> None:
        """Hand a request to the core."""
        inbound = self.core.receive_request(body, peer=peer, service=service, now=self.clock.now, profile=profile)
        assert inbound not in self.unanswered
        self.unanswered.add(inbound)

    def answer(self) -> None:
        """An answer comes: to one of the last requests, or to one that was answered before."""
        if self.exchanges:
            exchange, message = self.draws.choose(self.exchanges[:-4:-1])
            body = b"" if self.draws.byte() > 230 else self.said_by_peer(message)
            self.core.receive_response(exchange, body, now=self.clock.now)

    def fail(self) -> None:
        """An exchange fails."""
        if self.exchanges:
            exchange, _ = self.draws.choose(self.exchanges[:-4:-1])
            self.core.exchange_failed(exchange, self.draws.choose(list(Failure)), now=self.clock.now)

    def returns(self) -> None:
        """A handler returns something, whether or not that makes sense."""
        if self.calls:
            call = self.draws.choose(self.calls[:-4:-1])
            sensible = _SENSIBLE.get(call.handler, _VALUES if call.function is not None else (None,))
            value = self.draws.choose(sensible if self.draws.byte() < 200 else _ANYTHING)
            self.core.call_returned(call.call, value, now=self.clock.now)

    def raises(self) -> None:
        """A handler raises."""
        if self.calls:
            self.core.call_raised(self.draws.choose(self.calls[:-4:-1]).call, ValueError("\nno"), now=self.clock.now)

    def wish(self) -> None:
        """The application wants something; what it must not want is refused."""
        with suppress(LocalProtocolError):
            self.draws.choose(self._wishes)(self.core, self.draws, self.clock.now)

    def sleep(self) -> None:
        """Time passes until something is due, or longer."""
        due = self.core.next_timeout()
        assert due is None or due.at - self.clock.now.mono < MOST_ASLEEP or due.at == due.at
        self.clock.advance_to(self.clock.now.mono if due is None else min(due.at, self.clock.now.mono + MOST_ASLEEP))
        self.clock.advance(self.draws.choose((0, 0, 0.01, 10, 3600, 86_400)))
        self.core.handle_timeout(self.clock.now)

    def set_clock(self) -> None:
        """Somebody sets the wall clock."""
        self.clock.set_utc(
            self.clock.now.utc + timedelta(seconds=self.draws.choose((1, -1, 3600, -3600, 10**9, -(10**9))))
        )

    def restart(self) -> None:
        """The power fails, and comes back; whoever waits for an answer waits in vain."""
        self._boot()

    # --- outputs -----------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Perform the outputs."""
        count = 0
        while (output := self.core.next_output(self.clock.now)) is not None:
            count += 1
            assert count <= MOST_OUTPUTS, "the outputs have no end"
            self._perform(output)
        due = self.core.next_timeout()
        assert due is None or due.at == due.at, "a deadline is no number"

    def _perform(self, output: Output) -> None:
        if isinstance(output, Transmit):
            self._is_valid(output.render(self.clock.now), output.to.profile, output.message)
            self._learn(output.message)
            assert output.exchange not in [one for one, _ in self.exchanges], "two exchanges have one id"
            self.exchanges.append((output.exchange, output.message))
        elif isinstance(output, Reply):
            body = output.render(self.clock.now)
            assert output.inbound in self.unanswered, "a request is answered once"
            assert not (body and output.refusal), "a refusal of the transport holds no payload"
            self.unanswered.discard(output.inbound)
            if output.message is not None:
                self._is_valid(body, None, output.message)
                self._learn(output.message)
        elif isinstance(output, Call):
            self.calls.append(output)
        elif isinstance(output, Save):
            if output.blob is None:
                self.saved.pop(output.key, None)
            else:
                self.saved[output.key] = output.blob
        else:
            assert isinstance(output, Event)
            said = log_line(output)
            assert said is None or said[1].isprintable(), "a peer writes lines into the log"

    def _learn(self, part: msgspec.Struct) -> None:
        """Have the ids of what leaves come back: the first that is drawn is the last that was used."""
        for name in part.__struct_fields__:
            value: Any = getattr(part, name)
            if isinstance(value, str):
                known: Any = self.draws.ids.get(name)
                if known is not None and value not in known:
                    known.insert(0, value)
                    del known[12:]
            elif isinstance(value, msgspec.Struct):
                self._learn(value)
            elif isinstance(value, tuple):
                for one in value:
                    if isinstance(one, msgspec.Struct):
                        self._learn(one)

    def _is_valid(self, body: bytes, profile: ProfileName | None, message: Payload) -> None:
        try:
            read(body, profile=profile)
        except SchemaError as error:
            raise AssertionError(f"a document that is not valid leaves: {error}\n{message}") from None


def damaged(draws: Draws, message: Payload) -> bytes:
    """Write a message, now and then with something broken; what cannot be written is nonsense."""
    profile = ProfileName.V20A if draws.byte() > 240 else ProfileName.V20B
    try:
        body = encode(message, profile=profile)
    except LocalProtocolError:
        return b"<"
    how = draws.byte()
    if how > 245:
        return draws.take(16)
    if how > 235:
        return body[: draws.below(1000)]
    if how > 220:
        at = draws.below(2000) % len(body)
        return body[:at] + draws.take(4) + body[at + draws.below(8) :]
    return body


def report_request(draws: Draws) -> ReportRequest:
    """Draw a request for a report, mostly one that makes sense."""
    if draws.byte() > 200:
        return cast(ReportRequest, drawn_part(draws, ReportRequest))
    begin = NOON + timedelta(seconds=draws.choose((0, 600, -600, -(10**7), 10**7)))
    length = timedelta(seconds=draws.choose(LENGTHS))
    return ReportRequest(
        report_request_id=draws.id("report_request_id"),
        report_specifier=ReportSpecifier(
            report_specifier_id=draws.choose(("usage", "usage", "METADATA", "none")),
            granularity=timedelta(seconds=draws.choose((10, 1, 0, 60, 10**8))),
            report_back_duration=timedelta(seconds=draws.choose((30, 0, 10, 600, 10**8))),
            report_interval=None if draws.byte() > 200 else ReportInterval(dtstart=begin, duration=length),
            specifier_payloads=(SpecifierPayload(r_id=draws.choose(("load", "load", "METADATA", "none"))),),
        ),
    )


def add_handlers(handlers: Handlers, names: Mapping[str, object], chosen: int) -> Handlers:
    """Declare some of the handlers that there are: none for 0, all for 1, else some that the number stands for."""
    chance = random.Random(chosen)
    for name in names if chosen else ():
        if chosen == 1 or chance.random() < 0.5:
            handlers.add(name, lambda: None)
    return handlers


def seeds(count: int, length: int) -> list[bytes]:
    """Make inputs of any steps, the same ones each time."""
    chance = random.Random(0)
    return [chance.randbytes(length) for _ in range(count)]
