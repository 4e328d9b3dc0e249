"""OadrPoll, and the plain response that any service may answer with (section 8.6, rule 500)."""

from typing import Annotated

from oadr_core.messages.common import EiResponse
from oadr_core.messages.declare import At, Payload


class Poll(Payload, frozen=True, kw_only=True):
    """A pull VEN asks whether the VTN has anything for it."""

    __element__ = "oadr:oadrPoll"
    __schema_type__ = "oadr:oadrPollType"

    ven_id: Annotated[str, At("ei:venID")]


class Response(Payload, frozen=True, kw_only=True):
    """The plain answer: nothing to say, or an error that has no better place."""

    __element__ = "oadr:oadrResponse"
    __schema_type__ = "oadr:oadrResponseType"

    response: Annotated[EiResponse, At("ei:eiResponse")]
    ven_id: Annotated[str | None, At("ei:venID?")] = None
