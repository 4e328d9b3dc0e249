"""Which VENs are there: who polls or can be reached, and who has fallen silent."""

from typing import Unpack

import msgspec

from oadr_core.clock import Now
from oadr_core.outputs import VenOffline, VenOnline
from oadr_core.state.vtn import VenRecord
from oadr_core.vtn.base import Parts, VtnBase
from oadr_core.vtn.turn import VtnConfig


class Presence(VtnBase):
    """Which VENs are online: those that poll as often as they should, and push VENs that can be reached."""

    def __init__(self, config: VtnConfig, **parts: Unpack[Parts]) -> None:
        super().__init__(config, **parts)
        self._missed_polls = parts["missed_polls"]
        self._seen: dict[str, float] = {}

    def _heard_of(self, record: VenRecord, now: Now) -> None:
        """A VEN has shown itself."""
        if not record.pull:
            return
        self._seen[record.ven_id] = now.mono
        if not record.online:
            self._tell_online(record, now)
        key = ("seen", record.ven_id)
        if not self._timers.is_set(key):
            self._timers.after(key, now.mono + self._offline_after(record))

    def _offline_after(self, record: VenRecord) -> float:
        """After how many seconds of silence a VEN counts as offline."""
        return self._missed_polls * (record.poll_interval or self.config.poll_freq.total_seconds())

    def _look_for(self, ven_id: str, now: Now) -> None:
        """A VEN may have been silent for too long."""
        record = self._records.get(ven_id)
        if record is None or not record.pull:
            return
        until = self._seen.get(ven_id, now.mono) + self._offline_after(record)
        if now.mono < until:
            self._timers.after(("seen", ven_id), until)
            return
        self._tell_offline(record, now)

    def _reached(self, record: VenRecord, now: Now) -> None:
        """A VEN has answered a push."""
        if record.pull:
            self._heard_of(record, now)
        elif not record.online:
            self._tell_online(record, now)

    def _lost_sight(self, record: VenRecord, now: Now) -> None:
        """A push VEN cannot be reached, however often that is tried."""
        if record.online:
            self._tell_offline(record, now)

    def _tell_online(self, record: VenRecord, now: Now) -> None:
        self._keep(msgspec.structs.replace(record, online=True))
        self._emit(VenOnline(ven_id=record.ven_id))
        self.tell_in_turn(record.ven_id, "on_ven_online", {"ven_id": record.ven_id}, now)

    def _tell_offline(self, record: VenRecord, now: Now) -> None:
        self._keep(msgspec.structs.replace(record, online=False))
        self._emit(VenOffline(ven_id=record.ven_id))
        self.tell_in_turn(record.ven_id, "on_ven_offline", {"ven_id": record.ven_id}, now)

    def _drop(self, record: VenRecord) -> None:
        super()._drop(record)
        self._seen.pop(record.ven_id, None)
        self._timers.stop(("seen", record.ven_id))
