"""What a VEN must remember over a restart, as a versioned blob."""

import msgspec

from oadr_core.machines.report import ReportAtSource
from oadr_core.messages import EiEvent, OptType, ReportRequest
from oadr_core.state.blobs import VERSION, Instant, check_part, load


class KnownEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event that the VTN has told us of.

    :param event: the event as last listed.
    :param request_id: the requestID of the list that brought this modification, which every answer repeats (rule 42).
    :param opt_type: what the application decided; None while it has not.
    :param code: the code of our answer.
    :param description: the text of our answer.
    """

    event: EiEvent
    request_id: str
    opt_type: OptType | None = None
    code: int = 200
    description: str | None = None


class AcceptedRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A report request that we have accepted.

    :param request: what was asked for.
    :param accepted_at: when we accepted it; a period without a start begins then.
    :param state: where it stands.
    """

    request: ReportRequest
    accepted_at: Instant
    state: ReportAtSource = ReportAtSource.RUNNING


class VenState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that a VEN must remember.

    :param version: the version of the blob.
    :param registered: whether the VTN knows us, as far as we know.
    :param ven_id: our id; kept after a registration ends, as it may have been agreed beforehand.
    :param registration_id: the registration.
    :param vtn_id: the VTN.
    :param poll_freq: seconds between polls, as the VTN asked for them.
    :param events: the events that the VTN has told us of.
    :param report_requests: the report requests that we have accepted.
    """

    version: int = 0
    registered: bool = False
    ven_id: str = ""
    registration_id: str = ""
    vtn_id: str = ""
    poll_freq: float | None = None
    events: tuple[KnownEvent, ...] = ()
    report_requests: tuple[AcceptedRequest, ...] = ()

    def dump(self) -> bytes:
        """Write the blob."""
        return msgspec.json.encode(msgspec.structs.replace(self, version=VERSION))

    @classmethod
    def load(cls, blob: bytes) -> "VenState":
        """Read a blob of this version or an earlier one.

        :raises StateError: the blob is damaged, or was written by a later version.
        """
        state = load(cls, blob, "VenState")
        for known in state.events:
            check_part(known.event, "VenState")
        for accepted in state.report_requests:
            check_part(accepted.request, "VenState")
        return state
