"""One VTN and ninety VENs, thirty on each transport, all of them signed, while VENs, the XMPP server and the VTN start
again: in the end every event is answered, and every report complete.

A VEN that starts again says anew what it can report, and that ends what it was asked for (rule 306); what it has
measured is asked of its history then. All others deliver what they were asked for at the beginning.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import anyio
import anyio.abc
import anyio.to_thread
import pytest

from oadr_core import OptType, Startup
from oadr_driver import DrivenVen, MemoryStore
from oadr_http import OpenADRClient as HttpClient
from oadr_http import OpenADRServer, Push, ServerLimits
from oadr_xmpp import XMPP_SIGNATURES, XmppLimits, XmppToVens
from oadr_xmpp import OpenADRClient as XmppVen
from tests.http.desk import until
from tests.xmpp.pair import as_component, on
from tests.xmpp.servers import COMPONENT, VTN, Login, XmppServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

EACH: Final = 30
SECOND: Final = timedelta(seconds=1)
LENGTH: Final = timedelta(seconds=30)
"""How long there are values."""
RHYTHM: Final = timedelta(seconds=5)
"""How often they are reported."""
LONGEST: Final = 100.0
"""Seconds after which something that has not happened will not."""
PATIENT: Final = XmppLimits(longest_wait=2.0)


class Life:
    """Something that runs, ends, and runs again.

    :param name: its name.
    :param group: where.
    :param make: makes it anew.
    """

    def __init__(self, name: str, group: anyio.abc.TaskGroup, make: Callable[[], Any]) -> None:
        self.name: Final = name
        self._group: Final = group
        self._make: Final = make
        self.one: Any = None

    async def begin(self) -> None:
        """Start; returns once it runs."""
        self.one, self._ends, self._over = self._make(), anyio.Event(), anyio.Event()
        await self._group.start(self._run)

    async def end(self) -> None:
        """End, in good order."""
        self._ends.set()
        await self._over.wait()

    async def restart(self) -> None:
        """Start again, with what was saved."""
        await self.end()
        await self.begin()

    async def _run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        async with self.one.running():
            task_status.started()
            await self._ends.wait()
        self._over.set()


class Field:
    """The VTN, its VENs, and what the VTN has heard.

    :param group: where they run.
    :param server: the XMPP server.
    """

    def __init__(self, group: anyio.abc.TaskGroup, server: XmppServer) -> None:
        self.server: Final = server
        self.values: Final[dict[tuple[str, str], set[datetime]]] = {}
        """By the VEN and the report the times that values are there of."""
        self.begin = datetime.now(UTC)
        """When the values begin."""
        self.serving: Final[set[str]] = set()
        """Who has said that it will report."""
        self._group: Final = group
        self._signs: Final = server.account(VTN)
        self._login: Final = as_component(server)
        self._store: Final = MemoryStore()
        self._port = 0
        self.vtn: Final = Life("VTN", group, self._vtn)
        self.vens: Final[list[Life]] = []

    # --- the cast ----------------------------------------------------------------------------------------------------

    def _vtn(self) -> OpenADRServer:
        made = OpenADRServer(
            "VTN",
            http_port=self._port,
            cert=self._signs.certificate,
            key=self._signs.key,
            signature_policy=XMPP_SIGNATURES,
            transports={"xmpp": XmppToVens(self._login, limits=PATIENT)},
            requested_poll_freq=SECOND,
            answer_timeout=timedelta(seconds=20),
            push_to=["loopback"],
            limits=ServerLimits(connections_per_address=1000, requests_per_address=10_000.0),
            store=self._store,
        )
        made.add_handler("on_created_report", self._accepted)
        made.add_handler("on_update_report", self._reported)
        return made

    async def _accepted(self, ven_id: str) -> None:
        self.serving.add(ven_id)

    async def _reported(self, ven_id: str, report: dict[str, Any]) -> None:
        key = ven_id, report["report_specifier_id"]
        times, at = self.values.setdefault(key, set()), report.get("dtstart")
        for interval in report["intervals"]:
            at = interval.get("dtstart") or at
            times.add(at)
            at += interval.get("duration") or SECOND

    async def opens(self) -> None:
        """Run the VTN, and ninety VENs until all have registered."""
        await self.vtn.begin()
        self._port = self.vtn.one.port
        for number in range(EACH):
            kinds = {"pull": self._polls, "push": self._is_pushed_to, "xmpp": self._is_on_xmpp}
            for kind, make in kinds.items():
                name = f"{kind}{number}"
                self.vens.append(Life(name, self._group, make(name, MemoryStore())))
        async with anyio.create_task_group() as beginning:
            for one in self.vens:
                beginning.start_soon(one.begin)
        await none(self.not_running)

    def not_running(self) -> list[str]:
        """Which VENs have not done yet what they do at the beginning."""
        return [f"{one.name}: {one.one.phase}" for one in self.vens if one.one.phase is not Startup.RUNNING]

    def _over_http(self, name: str, store: MemoryStore, **more: Any) -> Callable[[], DrivenVen]:
        account = self.server.account(name)

        def make() -> DrivenVen:
            made = HttpClient(
                account.name,
                self.vtn.one.url,
                cert=account.certificate,
                key=account.key,
                vtn_fingerprint=self._signs.identity.fingerprint,
                longest_wait=2 * SECOND,
                store=store,
                **more,
            )
            return _with_handlers(made)

        return make

    def _polls(self, name: str, store: MemoryStore) -> Callable[[], DrivenVen]:
        return self._over_http(name, store)

    def _is_pushed_to(self, name: str, store: MemoryStore) -> Callable[[], DrivenVen]:
        return self._over_http(name, store, push=Push(port=0))

    def _is_on_xmpp(self, name: str, store: MemoryStore) -> Callable[[], DrivenVen]:
        account = self.server.account(name)

        def make() -> DrivenVen:
            made = XmppVen(
                account.name,
                account.address,
                vtn_address=COMPONENT,
                cert=account.certificate,
                key=account.key,
                vtn_fingerprint=self._signs.identity.fingerprint,
                longest_wait=2 * SECOND,
                limits=PATIENT,
                store=store,
                **on(self.server),
            )
            return _with_handlers(made)

        return make

    # --- what happens ------------------------------------------------------------------------------------------------

    @property
    def ven_ids(self) -> list[str]:
        """The ids of the VENs."""
        return [one.one.ven_id for one in self.vens]

    def asks(self, report: str, every: timedelta) -> None:
        """Ask all VENs for the values of a while."""
        for ven_id in self.ven_ids:
            request = {
                "report_request_id": f"{report} of {ven_id}",
                "report_specifier": {
                    "report_specifier_id": report,
                    "granularity": SECOND if every else every,
                    "report_back_duration": every,
                    "report_interval": {"dtstart": self.begin, "duration": LENGTH},
                    "specifier_payloads": [{"r_id": report}],
                },
            }
            self.vtn.one.create_report(ven_id, request)

    def adds_event(self, event_id: str, begin: timedelta) -> None:
        """Make an event for all."""
        start = datetime.now(UTC) + begin
        intervals = [{"dtstart": start, "duration": timedelta(minutes=5), "signal_payload": 1.0}]
        self.vtn.one.add_event(self.ven_ids, "SIMPLE", "level", intervals, event_id=event_id)

    def not_serving(self) -> list[str]:
        """Which VENs have not said that they will report."""
        return [one.name for one in self.vens if one.one.ven_id not in self.serving]

    def silent(self, *event_ids: str) -> list[tuple[str, str]]:
        """Who has not agreed to which event."""
        found = [(event_id, one) for event_id in event_ids for one in self.vtn.one.answers(event_id)]
        return [(event_id, one.ven_name) for event_id, one in found if one.opt_type is not OptType.OPT_IN]

    def missing(self, report: str, vens: list[Life]) -> dict[str, list[int]]:
        """Which values of a report are missing, by VEN, in seconds from the first."""
        found = {}
        for one in vens:
            reported = self.values.get((one.one.ven_id, report), set())
            missing = [at for at in range(LENGTH // SECOND) if self.begin + at * SECOND not in reported]
            if missing:
                found[one.name] = missing
        return found


async def none(of_what: Callable[[], Any]) -> None:
    """Wait until nothing is left of something.

    :raises AssertionError: something is, and the text says what.
    """
    with anyio.move_on_after(LONGEST):
        await until(lambda: not of_what())
        return
    raise AssertionError(f"{getattr(of_what, '__name__', 'left')}: {of_what()}")


def _with_handlers(ven: DrivenVen) -> DrivenVen:
    async def on_event() -> str:
        return "optIn"

    async def stored(date_from: datetime, date_to: datetime) -> list[tuple[datetime, float]]:
        count = (date_to - date_from) // SECOND
        return [(date_from + number * SECOND, float(number)) for number in range(count)]

    ven.add_handler("on_event", on_event)
    for report in ("TELEMETRY_USAGE", "HISTORY_USAGE"):
        ven.add_report(
            stored,
            report_specifier_id=report,
            r_id=report,
            report_name=report,
            data_collection_mode="full",
            sampling_rate=SECOND,
        )
    return ven


@asynccontextmanager
async def field(server: XmppServer) -> AsyncIterator[Field]:
    """Have a VTN and ninety VENs for a while."""
    async with anyio.create_task_group() as group:
        made = Field(group, server)
        await made.opens()
        yield made
        group.cancel_scope.cancel()


async def test_every_event_is_answered_and_every_report_complete(
    own_server: Callable[[Login], XmppServer],
) -> None:
    async with field(own_server(Login.CERTIFICATE)) as there:
        assert len(set(there.ven_ids)) == 3 * EACH
        there.adds_event("first", timedelta(hours=1))
        await none(partial(there.silent, "first"))
        there.begin = datetime.now(UTC).replace(microsecond=0) + 30 * SECOND
        there.asks("TELEMETRY_USAGE", RHYTHM)
        await none(there.not_serving)
        assert datetime.now(UTC) < there.begin, "they serve what comes after they have said so"
        there.adds_event("second", timedelta(hours=2))
        await until(lambda: datetime.now(UTC) > there.begin + 2 * SECOND)  # reports are under way
        await anyio.to_thread.run_sync(there.server.restart)
        async with anyio.create_task_group() as restarting:
            for one in there.vens[:EACH]:
                restarting.start_soon(one.restart)
        await there.vtn.restart()
        there.adds_event("third", timedelta(hours=3))
        await none(there.not_running)
        await until(lambda: datetime.now(UTC) > there.begin + LENGTH)
        there.asks("HISTORY_USAGE", timedelta(0))
        await none(partial(there.silent, "first", "second", "third"))
        await none(partial(there.missing, "TELEMETRY_USAGE", there.vens[EACH:]))
        await none(partial(there.missing, "HISTORY_USAGE", there.vens))
        assert len(there.vtn.one.vens) == 3 * EACH
