"""Calling what reads data points: the callbacks of the application, and what they return, raise or leave open."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from oadr_core.auto.offered import Offered
from oadr_core.auto.readings import Reading, readings
from oadr_core.auto.serving import Key, Offer, Taking
from oadr_core.auto.source_party import SourceParty
from oadr_core.clock import Deadline, Now, Timers
from oadr_core.errors import LocalProtocolError
from oadr_core.handlers import Handler, arguments
from oadr_core.outputs import Call, CallId, HandlerFailed, Output

Values = Mapping[str, Sequence[Reading]]
"""What was read of each data point; those that are missing have no value."""


class Asked(msgspec.Struct, frozen=True):
    """What a callback is asked for.

    :param key: the request that it is read for; None where it is sampled ahead of any.
    :param taking: the sample or report of that request.
    :param r_ids: the data points.
    :param offer: the offer that they are of.
    :param ahead_of: when the stretch of time begins that is sampled ahead; None for a request.
    """

    key: Key | None
    taking: Taking
    r_ids: tuple[str, ...]
    offer: Offer
    ahead_of: datetime | None = None


class Callbacks:
    """Calls callbacks, and hands on what was read, or that nothing was.

    :param party: makes the ids of calls, and says how long they may take.
    :param offered: knows which values belong into a report.
    :param emit: takes calls, and what has to be told.
    :param settle: takes what was read; each call is settled once.
    """

    def __init__(
        self,
        party: SourceParty,
        offered: Offered,
        emit: Callable[[Output], None],
        settle: Callable[[Asked, Values, Now], None],
    ) -> None:
        self._party = party
        self._offered = offered
        self._emit = emit
        self._hand_on: Final = settle
        self._calls: dict[CallId, Asked] = {}
        self._timers: Timers[CallId] = Timers()

    def call(self, asked: Asked, function: Handler, told: Mapping[str, object], now: Now) -> None:
        """Call a callback with what it asks for by name."""
        call = self._party.new_call()
        self._calls[call] = asked
        until = now.mono + self._party.call_timeout
        self._timers.after(call, until)
        self._emit(Call(call, "report", arguments(function, told), Deadline(until, "report"), function))

    def stop(self) -> None:
        """Wait no more for callbacks; what they return is still taken."""
        self._timers = Timers()

    def handle_timeout(self, now: Now) -> None:
        """Give up callbacks that took too long."""
        for call in self._timers.expired(now):
            if call in self._calls:
                self._failed(call, "took too long", now)

    def next_timeout(self, now: Now) -> Deadline | None:
        """Say when to call :meth:`handle_timeout`."""
        return self._timers.next(now)

    # --- what was read -----------------------------------------------------------------------------------------------

    def owns(self, call: CallId) -> bool:
        """Whether a call is one of a callback."""
        return call in self._calls

    def returned(self, call: CallId, value: object, now: Now) -> None:
        """Take what a callback returned."""
        try:
            taken = self._read(self._calls[call], value)
        except Exception as error:  # whatever a value of the application may raise when it is looked at
            self._failed(call, f"returned what cannot be used: {error}", now)
        else:
            self._settle(call, taken, now)

    def raised(self, call: CallId, error: BaseException, now: Now) -> None:
        """Take note that a callback raised: there is no value then."""
        self._failed(call, f"raised {type(error).__name__}: {error}", now)

    def _failed(self, call: CallId, why: str, now: Now) -> None:
        for r_id in self._calls[call].r_ids:
            self._emit(HandlerFailed(handler=f"report {r_id}", error=why))
        self._settle(call, {}, now)

    def _settle(self, call: CallId, taken: Values, now: Now) -> None:
        asked = self._calls.pop(call)
        self._timers.stop(call)
        self._hand_on(asked, taken, now)

    def _read(self, asked: Asked, value: object) -> Values:
        """Read what a callback returned, for each of its data points."""
        whole = isinstance(value, Mapping) and set(value) & set(asked.r_ids)
        if not whole and len(asked.r_ids) > 1 and value is not None:
            raise LocalProtocolError(f"{str(value)[:60]!r}, where a dict by {', '.join(asked.r_ids)} is expected")
        given: Mapping[str, object] = dict(value) if whole else {asked.r_ids[0]: value}  # type: ignore[call-overload]
        return {
            r_id: [self._offered.fit(asked.offer, r_id, each) for each in readings(given[r_id])]
            for r_id in asked.r_ids
            if r_id in given
        }
