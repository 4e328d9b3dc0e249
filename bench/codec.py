"""Between bytes and messages: both ways, against a floor and against OpenLEADR, over the same bytes."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

import msgspec
from lxml import etree

import oadr_core as oadr
from bench.by_hand import writer
from bench.documents import documents
from bench.figures import Budget, Figure, Result, WrongAnswer, at_least, at_most, figure, ratio
from bench.timing import Effort, Sample, by_turns, here
from bench.worker import PEERS, Worker, peer_python

_LXML: Final = "hardened lxml parse"
_BY_HAND: Final = "written by hand"
_PEER: Final = "OpenLEADR"
_SMALL: Final = 2_000
_LARGE: Final = 20_000

_READ_FLOOR: Final = at_most(4)
_WRITE_FLOOR: Final = at_most(2)
_WRITE_PEER: Final = at_least(8)


def run(effort: Effort) -> Result:
    """Measure the codec."""
    result = Result()
    with ExitStack() as stack:
        python = peer_python()
        peer = None
        if python is None:
            result.notes.append("codec: OpenLEADR is not installed, so nothing is held against it; `make bench` does")
        else:
            peer = stack.enter_context(Worker([str(python), str(PEERS / "openleadr_codec.py")]))
        for name, message in documents().items():
            data = oadr.encode(message)
            known = _known_to(peer, name, message, data, result)
            _read(name, message, data, peer if "read" in known else None, effort, result)
            _write(name, message, data, peer if "written" in known else None, effort, result)
    return result


# --- reading ---------------------------------------------------------------------------------------------------------


def _read(name: str, message: oadr.Payload, data: bytes, peer: Worker | None, effort: Effort, result: Result) -> None:
    if oadr.decode(data) != message:
        raise WrongAnswer(f"codec: {name} is not read as it was written")
    parser = hardened_parser()
    samples: dict[str, Sample] = {
        "ours": here(lambda: oadr.decode(data)),
        _LXML: here(lambda: etree.fromstring(data, parser)),
    }
    if peer is not None:
        samples[_PEER] = _asking(peer, "read", name)
    series = by_turns(samples, effort)
    what = f"read and validate, {name}"
    result.figures.append(_microseconds(what, series["ours"]))
    budget = _READ_FLOOR if len(data) > _SMALL else None
    result.figures.append(ratio("codec", what, series["ours"], series[_LXML], against=_LXML, budget=budget))
    if peer is not None:
        result.figures.append(_faster(what, series, _read_peer(len(data))))


def hardened_parser() -> etree.XMLParser:
    """A parser that puts up with nothing that a hostile document may try."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _read_peer(size: int) -> Budget | None:
    if size < _SMALL:
        return None
    return at_least(12) if size > _LARGE else at_least(5)


# --- writing ---------------------------------------------------------------------------------------------------------


def _write(name: str, message: oadr.Payload, data: bytes, peer: Worker | None, effort: Effort, result: Result) -> None:
    by_hand = writer(message)
    if by_hand() != data:
        raise WrongAnswer(f"codec: {name} is not the same, written by hand")
    samples: dict[str, Sample] = {"ours": here(lambda: oadr.encode(message)), _BY_HAND: here(by_hand)}
    if peer is not None:
        samples[_PEER] = _asking(peer, "write", name)
    series = by_turns(samples, effort)
    what = f"write, {name}"
    result.figures.append(_microseconds(what, series["ours"]))
    result.figures.append(ratio("codec", what, series["ours"], series[_BY_HAND], against=_BY_HAND, budget=_WRITE_FLOOR))
    if peer is not None:
        result.figures.append(_faster(what, series, _WRITE_PEER))


# --- figures and the peer --------------------------------------------------------------------------------------------


def _microseconds(what: str, series: list[float]) -> Figure:
    return figure("codec", what, "µs", [one * 1e6 for one in series])


def _faster(what: str, series: Mapping[str, list[float]], budget: Budget | None) -> Figure:
    return ratio("codec", what, series[_PEER], series["ours"], against=f"{_PEER}, times as fast", budget=budget)


def _asking(peer: Worker, what: str, name: str) -> Sample:
    return lambda times: float(peer.ask(what, name=name, times=times))


def _known_to(
    peer: Worker | None, name: str, message: oadr.Payload, data: bytes, result: Result
) -> Mapping[str, object]:
    """Hand a document to the peer, and see that it reads and writes the same as we do."""
    if peer is None:
        return {}
    known: dict[str, object] = peer.ask("know", name=name, document=data.decode())
    if "error" in known:
        result.notes.append(f"codec: OpenLEADR cannot take {name}: {known['error']}")
    elif oadr.decode(str(known["written"]).encode()) != _as_the_peer_has_it(message):
        raise WrongAnswer(f"codec: OpenLEADR writes another message than we do: {name}")
    return known


def _as_the_peer_has_it(message: oadr.Payload) -> oadr.Payload:
    """OpenLEADR loses the notification period of an event that it has read."""
    if not isinstance(message, oadr.DistributeEvent):
        return message
    replace = msgspec.structs.replace
    events = [replace(one, active_period=replace(one.active_period, notification=None)) for one in message.events]
    return replace(message, events=tuple(events))
