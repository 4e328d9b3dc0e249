"""What becomes of registrations: either side may want them renewed or ended."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oadr_core import Registration
from tests.pair.world import World


class Registrations(World):
    """Whatever people may want of a registration."""

    @precondition(lambda self: self.vtn.records)
    @rule(data=st.data())
    def request_reregistration(self, data: st.DataObject) -> None:
        """A VEN is to register again."""
        ven_id = data.draw(st.sampled_from(sorted(self.vtn.records)))
        self.command(lambda core, now: core.vtn.request_reregistration(ven_id, now))

    @precondition(lambda self: self.vtn.records)
    @rule(data=st.data())
    def vtn_cancels_registration(self, data: st.DataObject) -> None:
        """A registration is to end (rule 407)."""
        ven_id = data.draw(st.sampled_from(sorted(self.vtn.records)))
        self.command(lambda core, now: core.vtn.cancel_party_registration(ven_id, now))

    @precondition(lambda self: any(ven.core.ven.registration is Registration.REGISTERED for ven in self.vens))
    @rule(data=st.data())
    def ven_cancels_registration(self, data: st.DataObject) -> None:
        """A VEN ends its registration; it is started anew later."""
        registered = [ven for ven in self.vens if ven.core.ven.registration is Registration.REGISTERED]
        ven = data.draw(st.sampled_from(registered))
        self.ask(ven, lambda core, now: core.cancel_party_registration(now))
