"""A VTN that ends, or is killed, and is started again from its state: nobody can tell, and nothing is lost."""

import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import pytest

from oadr_app.control import ControlError
from oadr_app.tracing import read_trace
from oadr_core import (
    EiResponse,
    Interval,
    RegisteredReport,
    Report,
    ReportName,
    ReportPayload,
    UpdateReport,
    data_point,
    decode,
    make_offer,
)
from oadr_http import ExchangeFailed, OpenADRClient
from tests.app.program import PATIENCE, Programs, Vtn, confirmed, stored, until


def said(trace: Path) -> list[str]:
    """The requests of a VEN, by name."""
    return [decode(one.request.encode()).message_type() for one in read_trace(trace.read_bytes())]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_a_vtn_started_again_serves_its_vens_as_if_nothing_had_happened(
    programs: Programs, tmp_path: Path, number: signal.Signals
) -> None:
    file, trace = tmp_path / "vtn.sqlite", tmp_path / "trace.jsonl"
    vtn = programs.vtn(tmp_path)
    ven = programs.ven(vtn, "bakery", "--trace", "trace.jsonl")
    event_id = vtn.ask("event/create", event={"event_signals": [level(1)]})["event_id"]
    until(lambda: vtn.opts(event_id) == {"bakery": "optIn"}, "the VEN answers")
    identity = vtn.vens()["bakery"]["ven_id"]
    vtn.signal(number)
    before = stored(file)

    again = programs.vtn(tmp_path, port=vtn.port)
    assert again.vens()["bakery"]["ven_id"] == identity
    assert again.opts(event_id) == {"bakery": "optIn"}
    until(lambda: len(stored(file).readings) > len(before.readings) + 1, "new readings")
    second = again.ask("event/create", event={"event_signals": [level(2)]})["event_id"]
    until(lambda: again.opts(second) == {"bakery": "optIn"}, "the VEN answers the next event")
    ven.signal(signal.SIGTERM)
    again.signal(signal.SIGTERM)
    after = stored(file)
    before.survives_in(after)
    assert confirmed(trace).items() <= after.values.items()
    names = said(trace)
    for once in ("oadrCreatePartyRegistration", "oadrRegisterReport"):
        assert names.count(once) == 1, f"{once} again: {names}"
    assert names.count("oadrCreatedEvent") == 2


@pytest.mark.rule(405)
def test_an_event_that_nobody_had_fetched_is_delivered_when_all_are_back(programs: Programs, tmp_path: Path) -> None:
    vtn = programs.vtn(tmp_path)
    ven = programs.ven(vtn, "bakery")
    identity = vtn.vens()["bakery"]["ven_id"]
    ven.signal(signal.SIGTERM)
    event_id = vtn.ask("event/create", event={"event_signals": [level(1)]})["event_id"]
    vtn.signal(signal.SIGKILL)
    again = programs.vtn(tmp_path, port=vtn.port)
    assert again.opts(event_id) == {"bakery": None}
    programs.ven(again, "bakery")
    until(lambda: again.opts(event_id) == {"bakery": "optIn"}, "the VEN answers")
    assert {one["ven_id"] for one in again.ask("vens")} == {identity}, "it registers again as the one that it was"


def level(value: int) -> dict[str, Any]:
    """A signal of an hour."""
    interval = {"duration": 3600, "signal_payload": value}
    return {"signal_name": "SIMPLE", "signal_type": "level", "intervals": [interval]}


# --- killed again and again under load -------------------------------------------------------------------------------

_VENS: Final = ("bakery", "mill", "pump")
_KILLS: Final = 3
_PACKED: Final = 25
"""Readings in a report."""


class Known:
    """What was confirmed to the VENs and to the operator.

    :ivar readings: the values by data point and time.
    :ivar events: the ids of events.
    :ivar opts: the answers by VEN and event.
    :ivar over: set when the VTN will not be killed any more.
    """

    def __init__(self) -> None:
        self.readings: dict[tuple[str, int], float] = {}
        self.events: set[str] = set()
        self.opts: dict[tuple[str, str], str] = {}
        self.over = False

    @property
    def amount(self) -> tuple[int, int, int]:
        """How much it is."""
        return len(self.readings), len(self.events), len(self.opts)


class Busy:
    """A VEN that delivers reports and answers events without a pause, and knows what was confirmed to it."""

    def __init__(self, name: str, url: str, known: Known) -> None:
        self._name = name
        self._known = known
        self._client = OpenADRClient(name, url, auto_polling=False)
        self._made = 0

    async def run(self) -> None:
        """Go on until it is over."""
        try:
            await self._client.create_party_registration()
            now = datetime.now(UTC)
            point = data_point(lambda: 0.0, r_id=f"{self._name}-power", sampling_rate=timedelta(seconds=1))
            _, answer = await self._client.register_reports([make_offer("usage", [point], now)])
            request_id = answer["report_requests"][0]["report_request_id"]
            while not self._known.over:
                try:
                    await self._deliver(request_id)
                    await self._poll()
                except ExchangeFailed:
                    await anyio.sleep(0.05)  # it is down
        finally:
            await self._client.stop()

    async def _deliver(self, request_id: str) -> None:
        begin = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=self._made)
        payloads = [ReportPayload(r_id=f"{self._name}-power", value=float(self._made + one)) for one in range(_PACKED)]
        intervals = [
            Interval(dtstart=begin + timedelta(seconds=number), payloads=(payload,))
            for number, payload in enumerate(payloads)
        ]
        report = Report(
            intervals=tuple(intervals),
            report_request_id=request_id,
            report_specifier_id="usage",
            report_name=ReportName.TELEMETRY_USAGE,
            created_date_time=begin,
            dtstart=begin,
        )
        self._made += _PACKED
        update = UpdateReport(request_id=f"{self._name}-{self._made}", reports=(report,), ven_id=self._client.ven_id)
        _, answer = await self._client.send(update)
        if answer["response"]["response_code"] == 200:
            for interval in intervals:
                (payload,) = interval.payloads
                assert interval.dtstart is not None
                time = int(interval.dtstart.timestamp()) * 10**6
                self._known.readings[payload.r_id, time] = payload.value

    async def _poll(self) -> None:
        name, content = await self._client.poll()
        if name == "oadrRegisterReport":  # what the VTN offers; until that is answered it asks for nothing else
            response = EiResponse(request_id=content["request_id"])
            await self._client.send(RegisteredReport(response=response, ven_id=self._client.ven_id))
        elif name == "oadrDistributeEvent":
            for one in content["events"]:
                event_id = one["event_descriptor"]["event_id"]
                opt = "optIn" if event_id.endswith(("1", "3", "5", "7", "9")) else "optOut"
                _, answer = await self._client.created_event(content["request_id"], event_id, opt)
                if answer["response"]["response_code"] == 200:
                    self._known.opts[self._name, event_id] = opt


async def make_events(folder: Path, vtns: Sequence[Vtn], known: Known) -> None:
    """Make events without a pause, and remember those that were confirmed."""
    number = 0
    while not known.over:
        number += 1
        event = {"event_descriptor": {"event_id": f"event-{number}"}, "event_signals": [level(1)]}
        try:
            await anyio.to_thread.run_sync(lambda made=event: vtns[-1].ask("event/create", event=made))
        except ControlError:
            await anyio.sleep(0.05)  # it is down, or no VEN is there yet
        else:
            known.events.add(f"event-{number}")
            await anyio.sleep(0.02)


def impatient_vtn(programs: Programs, folder: Path, port: int = 0) -> Vtn:
    """Start a VTN that soon tells its VENs again of an event, if their answer was lost."""
    return programs.vtn(folder, port=port, answer_timeout="1s")


async def kill_it_again_and_again(programs: Programs, vtns: list[Vtn], known: Known) -> None:
    """Kill the VTN in the midst of what it does, each time that more was confirmed, and start it again."""
    for _ in range(_KILLS):
        before = known.amount
        while not all(now > then for now, then in zip(known.amount, before, strict=True)):  # noqa: ASYNC110
            await anyio.sleep(0.01)
        await anyio.to_thread.run_sync(vtns[-1].signal, signal.SIGKILL)
        vtns.append(await anyio.to_thread.run_sync(impatient_vtn, programs, vtns[0].folder, vtns[0].port))
    known.over = True


def test_a_vtn_that_is_killed_under_load_loses_nothing_that_it_confirmed(programs: Programs, tmp_path: Path) -> None:
    known, vtns = Known(), [impatient_vtn(programs, tmp_path)]

    async def play() -> None:
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                for name in _VENS:
                    group.start_soon(Busy(name, vtns[0].url, known).run)
                group.start_soon(make_events, tmp_path, vtns, known)
                group.start_soon(kill_it_again_and_again, programs, vtns, known)

    anyio.run(play, backend="trio")
    vtns[-1].signal(signal.SIGKILL)
    found = stored(tmp_path / "vtn.sqlite")
    assert known.readings.items() <= found.values.items()
    assert known.events <= set(found.events)
    assert known.opts.items() <= found.opts.items()
    assert len(known.readings) >= _KILLS * _PACKED
