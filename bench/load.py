"""Load on a VTN: the same request or several by turns, on 16 connections, each sending as soon as it has its answer.

``wrk`` does it where it is installed; else :mod:`bench.sockets` does, which is slower and may be the bottleneck. That
one does it over TLS as well, as ``wrk`` has no certificate to show. Both look at every answer.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from bench.figures import WrongAnswer
from bench.sockets import SEPARATOR
from bench.worker import ROOT, on_core

CONNECTIONS: Final = 16
_SCRIPT: Final = Path(__file__).with_name("load.lua")


class Loaded(msgspec.Struct, frozen=True):
    """What came of the load.

    :param right: answers of status 200 that hold an oadrResponse with the code 200.
    :param wrong: other answers.
    :param failed: connections that failed, and answers that never came.
    :param seconds: how long it took.
    """

    right: int
    wrong: int
    failed: int
    seconds: float

    @property
    def rate(self) -> float:
        """Answers in a second."""
        return self.right / self.seconds


def generator() -> str:
    """What puts the load on."""
    return "wrk" if shutil.which("wrk") else "the built-in load generator, as wrk is not installed"


class OverTls(msgspec.Struct, frozen=True):
    """How load comes over TLS.

    :param folder: holds the certificates, see :mod:`bench.contexts`.
    :param version: the version of TLS.
    :param each: whether each request has a connection of its own, with a whole handshake.
    """

    folder: Path
    version: str
    each: bool = False


def load(
    url: str,
    document: bytes | Sequence[bytes],
    seconds: float,
    core: int,
    over: OverTls | Literal["plain"] | None = None,
) -> Loaded:
    """Put load on a server.

    :param url: where to post.
    :param document: what to post; several are posted one after the other, and again from the first.
    :param seconds: for how long.
    :param core: the core that the load generator runs on.
    :param over: how it comes over TLS; ``plain`` for no TLS, and from the generator that would do it; None for the
        fastest that there is.
    :raises WrongAnswer: an answer was wrong, or there was none.
    """
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "request.xml"
        body.write_bytes(document if isinstance(document, bytes) else SEPARATOR.join(document))
        with on_core(core):
            told = subprocess.run(
                _command(url, body, seconds, over), cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True
            ).stdout
    loaded = msgspec.convert(json.loads(told.strip().splitlines()[-1]), Loaded)
    if loaded.wrong or loaded.failed or not loaded.right:
        raise WrongAnswer(f"{url} under load: {loaded}")
    return loaded


def _command(url: str, body: Path, seconds: float, over: OverTls | Literal["plain"] | None) -> list[str]:
    wrk = shutil.which("wrk")
    if wrk is None or over is not None:
        asked: dict[str, object] = {"url": url, "file": str(body), "seconds": seconds, "connections": CONNECTIONS}
        if isinstance(over, OverTls):
            asked |= {"folder": str(over.folder), "version": over.version, "each": over.each}
        return [sys.executable, "-m", "bench.sockets", json.dumps(asked)]
    whole = max(1, round(seconds))  # wrk takes nothing else
    return [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{whole}s", "--timeout", "10s", "-s", str(_SCRIPT), url, "--", str(body)]
