"""Signatures: what they cost beside the bare primitives, and signed polls over HTTP against OpenLEADR's VTN.

Every message is sealed and opened anew, with a nonce of its own. Over HTTP each poll is signed, and each answer; our
VTN verifies each poll as well, OpenLEADR's, which does that over TLS alone, does not.
"""

import os
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

import httpx
import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

import oadr_core as oadr
from bench.documents import VEN_ID, VTN_ID, documents
from bench.enrol import Exchange, enrol
from bench.figures import Result, WrongAnswer, at_least, at_most, figure, ratio
from bench.load import CONNECTIONS, generator, load
from bench.timing import Effort, by_turns, here
from bench.worker import PEERS, Worker, on_core, ours, peer_python
from oadr_app.authority import Authority, Identity, Kind

_PEER: Final = "OpenLEADR's VTN"
_NOON: Final = datetime.now(UTC).replace(microsecond=0)
_KINDS: Final[Mapping[str, Kind]] = {"RSA-2048": Kind.RSA, "P-256": Kind.EC}
_SERVER_CORE: Final = 0
_LOAD_CORE: Final = 1
_MOST_POLLS: Final = 6_000
"""Polls that are signed for one second of load; more than any of the servers answers."""


def run(effort: Effort) -> Result:
    """Measure signatures."""
    result = Result(notes=[f"signed: {CONNECTIONS} connections kept alive; the load comes from {generator()}"])
    for name, kind in _KINDS.items():
        _in_process(result, name, Authority.made(kind).ven("bench"), effort)
    _over_http(result, effort)
    return result


# --- in this process -------------------------------------------------------------------------------------------------


def _in_process(result: Result, name: str, who: Identity, effort: Effort) -> None:
    """Measure sealing and opening, with a signature and without, and what the primitive alone takes."""
    for size in ("poll 0.3 kB", "event 2.5 kB"):
        message = documents()[size]
        work = {
            "signed": _exchanging(message, _signing(who)),
            "plain": _exchanging(message, oadr.PlainSealer()),
            "bare": _bare(who),
        }
        series = by_turns({one: here(each) for one, each in work.items()}, effort)
        rounds = list(zip(series["signed"], series["plain"], series["bare"], strict=True))
        over = [(signed - plain - bare) * 1e6 for signed, plain, bare in rounds]
        what = f"sign and verify, {name}, {size}"
        budget = at_most(250) if size.startswith("event") else None
        result.figures += [
            figure("signed", what, "µs", [(signed - plain) * 1e6 for signed, plain, _ in rounds]),
            figure("signed", what, "µs", over, against="the bare primitive, on top", budget=budget),
        ]


def _signing(who: Identity) -> oadr.Sealer:
    key = oadr.SigningKey(who.pem, who.key_pem())
    trust = oadr.Trust(fingerprints=[who.fingerprint])
    return oadr.SigningSealer(random.SystemRandom(), key=key, trust=trust)


def _exchanging(message: oadr.Payload, sealer: oadr.Sealer) -> Callable[[], object]:
    """Seal a message and open it, each time another one in which nothing is remembered of the last."""
    seconds = count()

    def exchange() -> None:
        now = oadr.Now(0.0, _NOON + timedelta(milliseconds=next(seconds) * 50))
        fresh = msgspec.structs.replace(message)
        if sealer.open(sealer.seal(fresh, now), now).message != message:
            raise WrongAnswer("signed: a message is not what was sealed")

    return exchange


def _bare(who: Identity) -> Callable[[], object]:
    """Sign and verify some octets, and nothing else."""
    octets, key = b"x" * 1000, who.key
    if isinstance(key, rsa.RSAPrivateKey):
        known, scheme, method = key.public_key(), padding.PKCS1v15(), hashes.SHA256()
        return lambda: known.verify(key.sign(octets, scheme, method), octets, scheme, method)
    public, curve = key.public_key(), ec.ECDSA(hashes.SHA256())
    return lambda: public.verify(key.sign(octets, curve), octets, curve)


# --- over HTTP -------------------------------------------------------------------------------------------------------


def _over_http(result: Result, effort: Effort) -> None:
    """Measure signed polls, RSA-2048 in both directions."""
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        result.notes.append("signed: servers and load share their cores here, so the figures mean little")
    authority = Authority.made(Kind.RSA)
    ven, vtn = authority.ven("bench"), authority.vtn(["127.0.0.1"])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = _servers(stack, vtn, folder, result)
        client = stack.enter_context(httpx.Client(trust_env=False, timeout=30))
        sealers = {name: _sealer(ven, vtn) for name in servers}
        for name, server in servers.items():
            enrol(_exchange_with(client, server.greeting, sealers[name]), "bench", VEN_ID)
        rates: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(effort.load_rounds):
            for name, server in servers.items():
                most = 200 if name == _PEER else _MOST_POLLS  # it looks at no signature, so the same will do again
                polls = _polls(sealers[name], round(effort.load * most) if name != _PEER else most)
                loaded = load(f"{server.greeting}/{oadr.Service.OADR_POLL}", polls, effort.load, _LOAD_CORE)
                rates[name].append(loaded.rate)
    for name in servers:
        what = f"signed polls, RSA-2048, {name}"
        result.figures.append(figure("signed", what, "polls/s", rates[name]))
        if name != _PEER and _PEER in rates:
            result.figures.append(ratio("signed", what, rates[name], rates[_PEER], against=_PEER, budget=at_least(60)))


def _servers(stack: ExitStack, vtn: Identity, folder: Path, result: Result) -> Mapping[str, Worker]:
    """Start the servers, with a certificate to sign with."""
    certificate, key = folder / "vtn.crt", folder / "vtn.key"
    certificate.write_bytes(vtn.certificate.public_bytes(Encoding.PEM))
    key.write_bytes(vtn.key_pem())
    key.chmod(0o600)
    servers: dict[str, Worker] = {}
    python = peer_python()
    with on_core(_SERVER_CORE):
        servers["our VTN on trio"] = stack.enter_context(ours("bench.serve", "trio", str(certificate), str(key)))
        if python is None:
            result.notes.append("signed: OpenLEADR is not installed, so nothing is held against it; `make bench` does")
        else:
            command = [str(python), str(PEERS / "openleadr_vtn.py"), VTN_ID, str(certificate), str(key)]
            servers[_PEER] = stack.enter_context(Worker(command))
    return servers


def _sealer(ven: Identity, vtn: Identity) -> oadr.Sealer:
    """What the VEN seals and opens with."""
    key = oadr.SigningKey(ven.certificate.public_bytes(Encoding.PEM), ven.key_pem())
    return oadr.SigningSealer(random.SystemRandom(), key=key, trust=oadr.Trust(fingerprints=[vtn.fingerprint]))


def _soon() -> oadr.Now:
    """A little ahead: what was signed in the second in which a server has started is to be signed anew."""
    return oadr.Now(0.0, datetime.now(UTC) + timedelta(seconds=2))


def _exchange_with(client: httpx.Client, url: str, sealer: oadr.Sealer) -> Exchange:
    def exchange(message: oadr.Payload, service: oadr.Service) -> oadr.Payload:
        headers = {"Content-Type": "application/xml"}
        data = sealer.seal(message, _soon())
        answer = client.post(f"{url}/{service}", content=data, headers=headers).raise_for_status()
        if not answer.content:
            return oadr.Response(response=oadr.EiResponse())
        return sealer.open(answer.content, oadr.Now(0.0, datetime.now(UTC))).message

    return exchange


def _polls(sealer: oadr.Sealer, number: int) -> Sequence[bytes]:
    """Polls, each signed by itself."""
    return list(_signed_polls(sealer, number))


def _signed_polls(sealer: oadr.Sealer, number: int) -> Iterator[bytes]:
    poll = oadr.Poll(ven_id=VEN_ID)
    for _ in range(number):
        yield sealer.seal(poll, _soon())
