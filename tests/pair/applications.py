"""What applications do: their handlers decide, or fail, or take their time; the VENs opt in and out, and leave."""

import random
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oadr_core import (
    AutoVen,
    Call,
    LocalProtocolError,
    Now,
    OptType,
    Registration,
    ResponseRequired,
    Startup,
    Target,
    make_opt,
)
from oadr_core.decisions import event_decision
from oadr_core.state.ven import KnownEvent
from oadr_core.testing import Host
from tests.pair.actors import Ven
from tests.pair.diary import edition_of
from tests.pair.world import World

_MOST_OPTS: Final = 8
_READY: Final = (Registration.REGISTERED, Registration.REREGISTERING)

_DECISIONS: Final = st.sampled_from(
    [
        "optIn",
        "optIn",
        "optIn",
        "optOut",
        {"opt_type": "optOut", "response_code": 460, "response_description": "the boiler cannot do this"},
        {"opt_type": "optIn", "response_code": 200, "response_description": "with pleasure"},
    ]
)
"""What a handler may return about an event."""


class Applications(World):
    """Whatever the applications may do."""

    opts = 0

    @property
    def questions(self) -> list[tuple[Host, Call]]:
        """The handlers that decide about events."""
        return [(host, call) for host, call in self.calls if call.handler in ("on_event", "on_update_event")]

    # --- handlers ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), said=_DECISIONS)
    def handler_returns(self, data: st.DataObject, said: object) -> None:
        """A handler returns; any of them, so that they overtake each other."""
        host, call = data.draw(st.sampled_from(self.questions or self.calls))
        self.guarded(lambda: self.run(host, call, said))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def handler_fails(self, data: st.DataObject) -> None:
        """A handler raises."""
        host, call = data.draw(st.sampled_from(self.questions or self.calls))
        self.guarded(lambda: self.fail(host, call))

    @precondition(lambda self: any(self.answerable(ven) for ven in self.able_to_opt()))
    @rule(data=st.data())
    def application_changes_its_mind(self, data: st.DataObject) -> None:
        """A VEN takes part in an event, or no longer, whatever it has answered; or it decides at last (rule 17)."""
        ven = data.draw(st.sampled_from([one for one in self.able_to_opt() if self.answerable(one)]))
        known = data.draw(st.sampled_from(self.answerable(ven)))
        said = "optIn" if known.opt_type is OptType.OPT_OUT else "optOut"

        def change(core: AutoVen, now: Now) -> None:
            with suppress(LocalProtocolError):  # an oadrCreateOpt decides, or the event cannot be carried out
                core.change_opt(known.event_id, event_decision(said), now)
                ven.says(edition_of(known), said)
                self.reader.changes_its_mind(ven.host.name, known.event_id)

        self.ask(ven, change)

    def answerable(self, ven: Ven) -> list[KnownEvent]:
        """The events of a VEN that are not over, and take answers."""
        now = self.clock_of(ven.host)
        return [
            one
            for one in ven.core.ven.state.events
            if one.event.response_required is ResponseRequired.ALWAYS
            and now < self.vtn.editions[edition_of(one)].last_end
        ]

    # --- opts --------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.able_to_opt() and self.opts < _MOST_OPTS)
    @rule(
        data=st.data(),
        opt_id=st.sampled_from("abc"),
        opt_type=st.sampled_from(["optIn", "optOut"]),
        resource=st.sampled_from([None, "boiler", "pump"]),
        length=st.sampled_from([timedelta(minutes=2), timedelta(days=1), timedelta(0)]),
    )
    def ven_makes_a_schedule(
        self, data: st.DataObject, opt_id: str, opt_type: str, resource: str | None, length: timedelta
    ) -> None:
        """A VEN says when something is available; its optIDs need not be unique (rule 204)."""
        ven = data.draw(st.sampled_from(self.able_to_opt()))
        stretch = {"dtstart": self.now.utc, "duration": length}
        self.opt(
            ven, opt_id=f"schedule {opt_id}", opt_type=opt_type, targets=_targets(resource), vavailability=[stretch]
        )

    @precondition(lambda self: self.able_to_opt() and self.opts < _MOST_OPTS)
    @rule(
        data=st.data(),
        opt_type=st.sampled_from(["optIn", "optOut"]),
        resource=st.sampled_from([None, None, "boiler", "pump"]),
    )
    def ven_opts_for_an_event(self, data: st.DataObject, opt_type: str, resource: str | None) -> None:
        """A VEN says whether it, or a resource of it, takes part in an event, whatever it has answered (rule 206)."""
        ven = data.draw(st.sampled_from(self.able_to_opt()))
        events = [one.event_id for one in self.answerable(ven)]
        if events:
            event_id = data.draw(st.sampled_from(events))
            if resource is None:
                ven.diary.opted.add((event_id, OptType(opt_type)))
            self.opt(ven, opt_type=opt_type, targets=_targets(resource), event_id=event_id)

    @precondition(lambda self: self.able_to_opt())
    @rule(data=st.data(), opt_id=st.sampled_from("abc"))
    def ven_cancels_a_schedule(self, data: st.DataObject, opt_id: str) -> None:
        """A VEN takes back all that it has said under an id."""
        ven = data.draw(st.sampled_from(self.able_to_opt()))
        self.ask(ven, lambda core, now: core.cancel_opt(f"schedule {opt_id}", now))

    def able_to_opt(self) -> list[Ven]:
        """The VENs that may say something about their availability."""
        return [ven for ven in self.vens if ven.core.ven.registration in _READY and ven.core.phase is not Startup.OFF]

    def opt(self, ven: Ven, **said: Any) -> None:
        """The application of a VEN opts in or out."""
        self.opts += 1
        opt = make_opt(random.Random(f"{ven.seed} {self.opts}"), self.now.utc, opt_reason="economic", **said)
        self.ask(ven, lambda core, now: core.create_opt(opt, now))

    # --- the rest ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: any(ven.runs for ven in self.vens))
    @rule(data=st.data(), limit=st.sampled_from([None, 0, 1, 2]))
    def ven_asks_for_its_events(self, data: st.DataObject, limit: int | None) -> None:
        """A VEN wants to be sure of its events; a short list cancels nothing (decision D30)."""
        ven = data.draw(st.sampled_from([one for one in self.vens if one.runs]))
        self.ask(ven, lambda core, now: core.ven.request_event(now, reply_limit=limit))


def _targets(resource: str | None) -> Target:
    """A resource, or all."""
    return Target() if resource is None else Target(resource_id=(resource,))
