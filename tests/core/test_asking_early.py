"""What an application asks of the VTN at once waits until the metadata and the events were exchanged (rule 405)."""

import pytest

from oadr_core import CancelReport, CreateReport, RegisterReport, RequestEvent, Startup
from tests.core.kit import Grid, request


def until_registered(grid: Grid) -> None:
    """Let the messages of a VEN arrive one at a time, until it knows that it is registered."""
    for host in grid.wire.hosts.values():
        grid.wire.drain(host, grid.now)
    while grid.ven().phase is not Startup.OFFERING:
        flight = grid.wire.flights[0]
        grid.wire.deliver(flight, grid.now)
        if flight in grid.wire.flights:
            grid.wire.answer(flight, grid.now)


@pytest.mark.rule(405)
@pytest.mark.parametrize("pull", [True, False])
def test_a_request_for_reports_that_is_made_at_once_goes_after_the_events(pull: bool) -> None:
    grid = Grid()
    grid.add_ven(pull=pull)
    until_registered(grid)
    grid.ven().ven.create_report([request("one")], grid.now)
    grid.ven().ven.create_report([request("other")], grid.now)
    grid.ven().ven.cancel_report(["other"], grid.now)
    grid.run(120)
    kinds = [type(message) for _, _, message, _ in grid.log]
    (asked, *_), cancelled = [at for at, kind in enumerate(kinds) if kind is CreateReport], kinds.index(CancelReport)
    assert kinds.index(RegisterReport) < kinds.index(RequestEvent) < asked < cancelled
    assert grid.ven().phase is Startup.RUNNING
