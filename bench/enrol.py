"""A VEN comes to a VTN: it registers, says what it can report, and polls until there is nothing left to do.

It is only messages here, so the same is done to a core in this process and to any VTN over HTTP.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import oadr_core as oadr
from bench.figures import WrongAnswer

Exchange: TypeAlias = Callable[[oadr.Payload, oadr.Service], oadr.Payload]
"""Sends a request to the VTN, and brings back its answer."""

_MOST_POLLS: Final = 10


def enrol(exchange: Exchange, ven_name: str, ven_id: str | None = None, offers: Sequence[oadr.Report] = ()) -> str:
    """Have a VEN come to a VTN, as far as being idle.

    :param exchange: reaches the VTN.
    :param ven_name: its name.
    :param ven_id: its id, where it was agreed beforehand.
    :param offers: what it can report.
    :returns: its id.
    :raises WrongAnswer: the VTN has not answered as it should.
    """
    wish = oadr.CreatePartyRegistration(
        request_id=f"registration of {ven_name}",
        ven_id=ven_id,
        profile_name=oadr.ProfileName.V20B,
        transport_name=oadr.TransportName.SIMPLE_HTTP,
        report_only=False,
        xml_signature=False,
        ven_name=ven_name,
        http_pull_model=True,
    )
    registered = exchange(wish, oadr.Service.EI_REGISTER_PARTY)
    if not isinstance(registered, oadr.CreatedPartyRegistration) or not registered.ven_id or not registered.response.ok:
        raise WrongAnswer(f"the VEN {ven_name} is not registered: {registered}")
    offer = oadr.RegisterReport(request_id=f"offers of {ven_name}", reports=tuple(offers), ven_id=registered.ven_id)
    taken = exchange(offer, oadr.Service.EI_REPORT)
    if not isinstance(taken, oadr.RegisteredReport) or not taken.response.ok:
        raise WrongAnswer(f"the offers of the VEN {ven_name} are not taken: {taken}")
    _become_idle(exchange, registered.ven_id)
    return registered.ven_id


def _become_idle(exchange: Exchange, ven_id: str) -> None:
    """Poll until the queue is empty."""
    for _ in range(_MOST_POLLS):
        handed = exchange(oadr.Poll(ven_id=ven_id), oadr.Service.OADR_POLL)
        if isinstance(handed, oadr.Response) and handed.response.ok:
            return
        if not isinstance(handed, oadr.RegisterReport):
            raise WrongAnswer(f"a VEN that has just come is handed {handed}")
        response = oadr.EiResponse(request_id=handed.request_id)
        exchange(oadr.RegisteredReport(response=response, ven_id=ven_id), oadr.Service.EI_REPORT)
    raise WrongAnswer(f"the queue of the VEN {ven_id} is not empty after {_MOST_POLLS} polls")
