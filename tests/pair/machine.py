"""A VTN and its VENs back to back, over a wire that loses, repeats, delays and reorders, in a world full of trouble.

Hypothesis draws what happens: in the network, to the machines, and what people and applications want. Some things must
hold all the time (see :mod:`tests.pair.world`, and who looks there); others once everything has worked for a while:
then all that was accepted must have arrived, and both sides must agree (:mod:`tests.pair.agreement`).
"""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant

from oadr_core import Startup
from tests.pair.actors import Ven
from tests.pair.agreement import HEALING, agree
from tests.pair.applications import Applications
from tests.pair.crossings import Crossings
from tests.pair.meters import Meter
from tests.pair.mishaps import Interruptions, LostAnswers
from tests.pair.network import Network, Time
from tests.pair.operator import Operator
from tests.pair.registrations import Registrations
from tests.pair.reporting import Reporting
from tests.pair.troubles import Clocks, Restarts, Troubles
from tests.pair.world import World


class Site(World):
    """A VTN and up to three VENs."""

    clocks_always_wander = False
    reports_a_lot = False
    most_vens = 3

    @initialize(
        modes=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=3),
        seed=st.integers(0, 2**16),
        settled=st.sampled_from([False, True, True]),
        clocks_wander=st.sampled_from([False, False, True]),
    )
    def power_up(self, modes: list[tuple[bool, bool]], seed: int, settled: bool, clocks_wander: bool) -> None:
        """Start everybody; mostly let them come to their steady state, which few steps would reach on a bad wire."""
        vens = [
            Ven(f"ven{number}", pull=pull, agreed=agreed, seed=seed + number, meter=self.make_meter())
            for number, (pull, agreed) in enumerate(modes[: self.most_vens])
        ]
        wander = clocks_wander or self.clocks_always_wander
        self.begin(vens, seed, clocks_wander=wander, meter=self.make_meter())
        if settled:
            self.heal(30.0)

    def make_meter(self) -> Meter | None:
        """Give an application more to report, where that is what the site is for."""
        return Meter() if self.reports_a_lot else None

    @invariant()
    def nobody_is_stuck(self) -> None:
        """A VEN that runs waits for something."""
        for ven in self.vens:
            if ven.core.phase is Startup.OFF:
                continue  # it has ended its registration
            waits = ven.core.next_timeout() is not None or ven.host.calls or not ven.core.ven.idle
            assert waits or not ven.pull, f"{ven.host.name} will never wake again, in phase {ven.core.phase}"

    def teardown(self) -> None:
        """Put everything right, let it work for a while, and have both sides agree."""
        if not self.vens:
            return
        for host in self.hosts:
            host.fuse = None
            self.set_clock(host, timedelta(0))
        for ven in self.vens:
            if ven.core.phase is Startup.OFF:
                self.boot(ven.host)
        self.heal((HEALING + self._silence()).total_seconds())
        for ven in self.vens:
            agree(self.vtn, ven, self.reader, self.ledger, self.now.utc)

    def _silence(self) -> timedelta:
        """How long a push VEN may have nothing to say, and so learns nothing: a VTN whose clock was wrong asks it for
        reports that begin later."""
        begins = [
            one.request.report_specifier.report_interval.dtstart
            for ven in self.vens
            for one in ven.core.ven.state.report_requests
            if not ven.pull and one.request.report_specifier.report_interval is not None
        ]
        return max([timedelta(0), *(begin - self.now.utc for begin in begins)])


class Orderly(Time, Operator, Applications, Site):
    """A site on good days: operators and applications do what they like, and everything works."""


class Lossy(Crossings, Applications, Site):
    """A site whose machines are fine, on a bad network."""


class OutOfTime(Time, Clocks, Restarts, Operator, Site):
    """A site whose clocks are set, and put right, on days that are good otherwise."""

    clocks_always_wander = True


class Troubled(Troubles, Registrations, Orderly):
    """A site whose machines have their troubles and whose registrations come and go, on a good network."""


class Pair(Crossings, Troubled):
    """A site where everything happens."""


class Reports(Time, Reporting, Site):
    """A site where both sides report to each other, and everything works."""

    reports_a_lot = True
    most_vens = 2


class TroubledReports(Interruptions, Troubles, Registrations, Reports):
    """The same, where machines have their troubles and registrations come and go."""


class ReportsPair(LostAnswers, Network, TroubledReports):
    """The same, where everything happens."""
