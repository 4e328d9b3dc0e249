"""Messages that cross: an answer is still on its way when the VTN already tells what has become of the events since."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oadr_core import RequestEvent
from tests.pair.documents import read_once
from tests.pair.network import Network
from tests.pair.operator import Operator


class Crossings(Network, Operator):
    """What chance alone seldom brings about: a list of events overtakes the answer to a request for them."""

    @precondition(lambda self: self.may_order() and any(not ven.pull and ven.runs for ven in self.vens))
    @rule(data=st.data())
    def a_list_overtakes_an_answer(self, data: st.DataObject) -> None:
        """A push VEN has asked for its events, and there is a new one before the answer has arrived (rule 61)."""
        ven = data.draw(st.sampled_from([one for one in self.vens if not one.pull and one.runs]))
        self.ask(ven, lambda core, now: core.ven.request_event(now))
        answer = self.works_until(
            lambda one: (
                one.answered and one.source is ven.host and isinstance(read_once(one.body).message, RequestEvent)
            )
        )
        if answer is None or not self.may_order():
            return
        self.wire.flights.remove(answer)
        self.new_event(data, arrives=False)
        self.guarded(lambda: self.wire.settle(self.now))
        self.wire.flights.append(answer)
        self.move(answer)
