"""Reports over HTTP, as applications make and take them: all kinds, and in both directions."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from oadr_core import LocalProtocolError, ReportRule, VenPolicy
from oadr_http import OpenADRClient
from tests.http.test_ven_and_vtn import Told, ven, vtn

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
ONLINE = {"online": True, "manual_override": False, "load_control_state": {"capacity": {"current": 50.0}}}


async def test_a_vtn_reports_to_its_vens() -> None:
    told, there = Told(), vtn()
    there.add_handler("on_create_report", lambda payload, ven_id: told.note("asked", (payload, ven_id)))
    specifier_id, r_id = there.add_report(
        lambda: 0.25, measurement="currencyPerKWh", unit="EUR", report_name="x-prices", sampling_rate=SECOND
    )
    async with there.running():
        here = ven(there.url)
        here.add_handler("on_register_report", lambda report: [(r_id, lambda data: told.note("price", data), SECOND)])
        here.add_handler("on_report", lambda report: told.note("report", report))
        async with here.running():
            ((_, price), *_) = (await told.hears("price"))[0]
            (report, *_) = await told.hears("report")
            assert [one.report_specifier_id for one in here.offered_reports()] == [specifier_id]
            ((payload, ven_id), *_) = await told.hears("asked")
            here.cancel_report(report["report_request_id"])
    assert price == 0.25
    assert report["report_name"] == "x-prices"
    assert ven_id == here.ven_id
    assert payload["report_requests"][0]["report_specifier"]["report_specifier_id"] == specifier_id


async def test_status_history_and_submitted_values() -> None:
    told = Told()
    rules = (ReportRule(names=None, sampling=SECOND),)
    there = vtn(report_rules=rules)
    there.add_handler("on_update_report", lambda report: told.note(report["report_name"], report))

    def stored(date_from: datetime, date_to: datetime) -> list[tuple[datetime, float]]:
        return [(date_to - timedelta(minutes=1), 5.0)]

    async with there.running():
        here = ven(there.url)
        here.add_report(lambda: ONLINE, "boiler", report_name="TELEMETRY_STATUS", sampling_rate=SECOND)
        here.add_report(stored, "boiler", report_name="HISTORY_USAGE", report_duration=timedelta(days=1))
        specifier_id, r_id = here.add_report(
            None, "meter", data_collection_mode="submit", report_name="x-pulses", sampling_rate=SECOND
        )
        with pytest.raises(LocalProtocolError, match="no report 'other' with a data point"):
            here.submit("other", r_id, 1)
        async with here.running(), anyio.create_task_group() as group:

            async def submit() -> None:
                while True:
                    here.submit(specifier_id, r_id, {"value": 7, "confidence": 90}, datetime.now(UTC))
                    await anyio.sleep(0.2)

            group.start_soon(submit)
            status = (await told.hears("TELEMETRY_STATUS"))[0]
            history = (await told.hears("HISTORY_USAGE"))[0]
            while not (pulses := await sevens(told)):  # noqa: ASYNC110
                await anyio.sleep(0.05)
            group.cancel_scope.cancel()
    assert _payload(status)["value"]["load_control_state"]["capacity"]["current"] == 50.0
    assert _payload(history)["value"] == 5.0
    assert _payload(pulses[0])["confidence"] == 90


async def test_whole_reports_and_a_report_that_is_asked_for_with_a_callback() -> None:
    told, there = Told(), vtn()
    async with there.running():
        here = ven(there.url)

        async def next_report(r_ids: list[str], date_from: datetime) -> dict[str, object]:
            return {r_id: [(date_from, number)] for number, r_id in enumerate(r_ids)}

        here.add_handler("next_report", next_report)
        for r_id in ("a", "b"):
            here.add_report(report_specifier_id="meter", r_id=r_id, data_collection_mode="next", sampling_rate=SECOND)
        async with here.running():
            while not here.registered or not there.offered_reports(here.ven_id):  # noqa: ASYNC110
                await anyio.sleep(0.01)
            request = {
                "report_request_id": "mine",
                "report_specifier": {
                    "report_specifier_id": "meter",
                    "granularity": timedelta(0),
                    "report_back_duration": timedelta(0),
                    "specifier_payloads": [{"r_id": "a"}, {"r_id": "b"}],
                },
            }
            there.create_report(
                here.ven_id, request, callback=lambda data, r_id, ven_id: told.note(r_id, (data[0][1], ven_id))
            )
            assert (await told.hears("a"))[0] == (0, here.ven_id)
            assert (await told.hears("b"))[0] == (1, here.ven_id)


async def test_a_ven_asks_its_vtn_by_rule() -> None:
    told, there = Told(), vtn()
    there.add_report(lambda: 1.0, report_name="x-prices", measurement="currency", unit="EUR", sampling_rate=SECOND)
    async with there.running():
        policy = VenPolicy(
            report_rules=(ReportRule(names=("x-prices",), sampling=SECOND),),
            poll_interval=0.05,
            shortest_poll_interval=0.05,
        )
        here = OpenADRClient("VEN", there.url, policy=policy)
        here.add_handler("on_report", lambda report: told.note("report", report))
        async with here.running():
            assert (await told.hears("report"))[0]["report_name"] == "x-prices"


async def sevens(told: Told) -> list[Mapping[str, Any]]:
    """The reports that hold what was submitted; the first may have been too early for that."""
    return [one for one in await told.hears("x-pulses") if _payload(one)["value"] == 7]


def _payload(report: Mapping[str, Any]) -> Mapping[str, Any]:
    payload: Mapping[str, Any] = report["intervals"][0]["report_payload"]
    return payload
