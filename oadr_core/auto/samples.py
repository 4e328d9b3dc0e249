"""What was read for reports that are not complete yet: kept over restarts, until the report is made."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from oadr_core.auto.readings import Reading
from oadr_core.auto.serving import Done, Key
from oadr_core.outputs import Output, Save
from oadr_core.state.blobs import Blob, Instant, numbered

_PREFIX: Final = "sample/"

_MOST: Final = 10_000
"""How many samples of a request are kept; the oldest are not known after a restart beyond."""


class KeptSample(Blob, frozen=True, kw_only=True):
    """What was read for a report that was not complete, as a versioned blob.

    :param peer: who has asked for it; empty at a VEN.
    :param report_request_id: the request.
    :param due: the time that it is told for.
    :param whole: whether it was read once for the whole report that begins then.
    :param readings: what each data point showed.
    """

    peer: str
    report_request_id: str
    due: Instant
    whole: bool
    readings: dict[str, tuple[Reading, ...]]

    def parts(self) -> Iterator[msgspec.Struct]:
        """The messages, and parts of messages, that it holds."""
        for one in (one for readings in self.readings.values() for one in readings):
            if isinstance(one.value, msgspec.Struct):
                yield one.value


class Samples:
    """Keeps the samples of reports that are not complete.

    :param emit: takes what has to be saved.
    :param saved: what an earlier run saved, by key; other keys than its own are passed over.
    :raises StateError: something in ``saved`` is damaged.
    """

    def __init__(self, emit: Callable[[Output], None], saved: Mapping[str, bytes]) -> None:
        self._emit = emit
        self._keys: dict[Key, dict[tuple[object, bool], str]] = {}
        self._found: dict[Key, list[Done]] = {}
        self._count = 0
        for key, one in KeptSample.load_all(saved, _PREFIX):
            self._count = max(self._count, numbered(key, _PREFIX))
            request = one.peer, one.report_request_id
            self._keys.setdefault(request, {})[one.due, one.whole] = key
            self._found.setdefault(request, []).append(Done(one.due, one.whole, one.readings))

    def found(self, request: Key) -> Sequence[Done]:
        """Take what an earlier run has read for a request."""
        return self._found.pop(request, ())

    def keep(self, request: Key, done: Done) -> None:
        """Keep what was read."""
        self._count += 1
        key = f"{_PREFIX}{self._count:012d}"
        keys = self._keys.setdefault(request, {})
        keys[done.due, done.whole] = key
        sample = KeptSample(
            peer=request[0],
            report_request_id=request[1],
            due=done.due,
            whole=done.whole,
            readings={r_id: tuple(readings) for r_id, readings in done.readings.items()},
        )
        self._emit(Save(key, sample.dump()))
        if len(keys) > _MOST:
            self._emit(Save(keys.pop(next(iter(keys))), None))

    def forget(self, request: Key, done: Done) -> None:
        """Forget what is told, or can be told no more."""
        key = self._keys.get(request, {}).pop((done.due, done.whole), None)
        if key is not None:
            self._emit(Save(key, None))

    def forget_all(self, request: Key) -> None:
        """Forget what was read for a request that has ended."""
        self._found.pop(request, None)
        for key in self._keys.pop(request, {}).values():
            self._emit(Save(key, None))

    def forget_others(self, requests: Sequence[Key]) -> None:
        """Forget what was read for requests that were not served any more when this run began."""
        for request in [one for one in self._keys if one not in requests]:
            self.forget_all(request)
