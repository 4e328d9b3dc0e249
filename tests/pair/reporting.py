"""What applications of both sides want of each other: reports of every kind, and no more of them."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oadr_core import (
    Address,
    AutoVen,
    AutoVtn,
    Call,
    ExchangeId,
    Now,
    Registration,
    ReportRequest,
    Service,
    Startup,
    UpdatedReport,
    UpdateReport,
    encode,
)
from oadr_core.testing import Flight, Host, PowerCut
from tests.pair.actors import Ven
from tests.pair.documents import read_once
from tests.pair.ledger import Link, Order
from tests.pair.meters import KINDS, request
from tests.pair.world import World

_MOST_ORDERS: Final = 10
_MOST_OFFERS: Final = 3
_ABOUT_REPORTS: Final = ("report", "on_update_report", "on_report", "on_register_report")


class Reporting(World):
    """Whatever applications may want of reports, and do about them."""

    offered_anew = 0

    # --- requests ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.links() and len(self.ledger.orders) < _MOST_ORDERS)
    @rule(data=st.data(), kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    def reports_are_wanted(self, data: st.DataObject, kinds: list[str]) -> None:
        """An application asks its peer for reports, several of them at a time."""
        link = data.draw(st.sampled_from(self.links()))
        now = self.clock_of(self.wire.hosts[link[1]])
        first = len(self.ledger.orders)
        orders = [
            Order(link=link, request=request(kind, f"wish{first + number}", now), kind=kind)
            for number, kind in enumerate(kinds)
        ]
        self.ledger.orders |= {one.request.report_request_id: one for one in orders}
        self.want(link, [one.request for one in orders], orders)

    def want(self, link: Link, requests: Sequence[ReportRequest], orders: Sequence[Order]) -> None:
        """Ask for reports."""
        self.of_reports(
            link,
            lambda core, ven_id, now: core.vtn.create_report(ven_id, requests, now),
            lambda core, now: core.ven.create_report(requests, now),
            orders,
        )

    @precondition(lambda self: self.standing())
    @rule(data=st.data(), to_follow=st.booleans(), several=st.booleans())
    def reports_are_cancelled(self, data: st.DataObject, to_follow: bool, several: bool) -> None:
        """An application wants no more of some reports, or only one more of each."""
        order = data.draw(st.sampled_from(self.standing()))
        orders = [one for one in self.standing() if one.link == order.link] if several else [order]
        self.cancel(orders, to_follow=to_follow)

    def cancel(self, orders: Sequence[Order], *, to_follow: bool) -> None:
        """Cancel reports of one source that one receiver wants."""
        ids = [one.request.report_request_id for one in orders]
        for one in orders:
            one.to_follow = to_follow and one.cancelled_at is None
            one.cancelled_at = self.now.mono
        self.of_reports(
            orders[0].link,
            lambda core, ven_id, now: core.vtn.cancel_report(ven_id, ids, now, report_to_follow=to_follow),
            lambda core, now: core.ven.cancel_report(ids, now, report_to_follow=to_follow),
            orders,
        )

    @precondition(lambda self: self.standing())
    @rule(data=st.data())
    def it_is_enough(self, data: st.DataObject) -> None:
        """An application will say that it wants no more of a report when the next one comes."""
        self.has_enough(data.draw(st.sampled_from(self.standing())))

    def has_enough(self, order: Order) -> None:
        """Have an application say that it wants no more of a report when the next one comes."""
        ven = next((ven for ven in self.vens if ven.host.name == order.link[1]), None)
        (self.vtn if ven is None else ven).enough.request_ids.add(order.request.report_request_id)
        order.enough = True

    @precondition(lambda self: self.links() and self.offered_anew < _MOST_OFFERS)
    @rule(data=st.data())
    def reports_are_offered_anew(self, data: st.DataObject) -> None:
        """A source registers its metadata once more, which ends what was asked for (rule 306)."""
        self.offered_anew += 1
        source, _ = data.draw(st.sampled_from(self.links()))
        ven = next((ven for ven in self.vens if ven.host.name == source), None)
        meter = self.vtn.meter if ven is None else ven.meter
        assert meter is not None
        offer, points = meter.offers()[0]
        if ven is None:
            self.command(lambda core, now: core.offer(offer, points, now))
        else:
            self.ask(ven, lambda core, now: core.offer(offer, points, now))

    def of_reports(
        self,
        link: Link,
        at_vtn: Callable[[AutoVtn, str, Now], object],
        at_ven: Callable[[AutoVen, Now], object],
        orders: Sequence[Order],
    ) -> None:
        """An application asks its own side for something about reports; a power cut may swallow it."""

        def watch(core: AutoVtn | AutoVen) -> None:
            host = next(host for host in self.hosts if host.core is core)
            try:
                self.wire.drain(host, self.now)
            except PowerCut:
                for order in orders:
                    order.certain = False
                raise

        if link[1] == self.vtn.host.name:
            ven_id = self.ven_named(link[0]).core.ven.state.ven_id
            self.command(lambda core, now: (at_vtn(core, ven_id, now), watch(core)))
        else:
            self.ask(self.ven_named(link[1]), lambda core, now: (at_ven(core, now), watch(core)))

    def links(self) -> list[Link]:
        """Who can be asked by whom."""
        found = []
        for ven in self.vens:
            name, core = ven.host.name, ven.core
            known = core.ven.state.ven_id in self.vtn.records
            if known and core.ven.registration is Registration.REGISTERED and core.phase is Startup.RUNNING:
                found += [(name, "vtn"), ("vtn", name)]
        return found

    def standing(self) -> list[Order]:
        """What was asked for and may be cancelled."""
        links = self.links()
        return [one for one in self.ledger.orders.values() if one.link in links and self._is_known(one)]

    def _is_known(self, order: Order) -> bool:
        source, receiver = order.link
        state = self.ven_named(source if receiver == "vtn" else receiver).core.ven.state
        requests = self.vtn.records[state.ven_id].requests if receiver == "vtn" else state.requests
        return order.request.report_request_id in {one.request_id for one in requests}

    def ven_named(self, name: str) -> Ven:
        """A VEN by the name of its host."""
        return next(ven for ven in self.vens if ven.host.name == name)

    # --- handlers ----------------------------------------------------------------------------------------------------

    @property
    def callbacks(self) -> list[tuple[Host, Call]]:
        """The handlers that read and store reports."""
        return [(host, call) for host, call in self.calls if call.handler in _ABOUT_REPORTS]

    @precondition(lambda self: self.callbacks)
    @rule(data=st.data())
    def callback_returns(self, data: st.DataObject) -> None:
        """A callback returns; any of them, so that they overtake each other."""
        host, call = data.draw(st.sampled_from(self.callbacks))
        self.guarded(lambda: self.run(host, call))

    @precondition(lambda self: self.callbacks)
    @rule(data=st.data())
    def callback_fails(self, data: st.DataObject) -> None:
        """A callback raises."""
        host, call = data.draw(st.sampled_from(self.callbacks))
        self.guarded(lambda: self.fail(host, call))

    # --- mischief ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.foreign())
    @rule(data=st.data())
    def somebody_reports_for_another(self, data: st.DataObject) -> None:
        """A VEN delivers what another one was asked for: it is refused (rule 304)."""
        ven, message = data.draw(st.sampled_from(self.foreign()))
        forged = msgspec.structs.replace(message, request_id="forged", ven_id=ven.core.ven.state.ven_id)
        flight = Flight(ven.host, ExchangeId(0), Address("simpleHttp"), Service.EI_REPORT, encode(forged))
        flight.boot = -1  # its answer reaches nobody
        self.guarded(lambda: self.wire.deliver(flight, self.now))
        if flight.answered and flight.answer:
            answer = read_once(flight.answer).message
            assert isinstance(answer, UpdatedReport)
            assert answer.response.response_code == 452, "another VEN's ids are refused with 452 (rule 304)"

    def foreign(self) -> list[tuple[Ven, UpdateReport]]:
        """Who may pretend to be whom."""
        known = [ven for ven in self.vens if ven.core.ven.state.ven_id in self.vtn.records]
        return [
            (ven, document.message)
            for document in list(self.ledger.documents.values())[-3:]
            for ven in known
            if document.link[0] not in (ven.host.name, "vtn")
        ]
