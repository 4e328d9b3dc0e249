"""``python -m bench``: run the benchmarks, and hold the figures against their budgets."""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from bench import codec, many, memory, one_report, over_http, over_tls, poll, readings, signed, transports
from bench.figures import Result, WrongAnswer
from bench.report import report, write_json, write_markdown, write_table
from bench.timing import FULL, QUICK, Effort

_BENCHMARKS: Final[Mapping[str, Callable[[Effort], Result]]] = {
    "codec": codec.run,
    "poll": poll.run,
    "http": over_http.run,
    "tls": over_tls.run,
    "signed": signed.run,
    "memory": memory.run,
    "report": one_report.run,
    "readings": readings.run,
    "many": many.run,
    "transports": transports.run,
}

_ABOUT: Final = """\
Measure, side by side with a floor or a peer:

  codec   bytes to messages and back, against a hardened lxml parse, against documents written by hand, and against
          OpenLEADR over the same bytes
  poll    an idle poll through the core, in CPU time
  http    idle polls over HTTP on 16 connections, against OpenLEADR's VTN under the same load
  tls     connections and idle polls over TLS with certificates on both sides, in the suites of the profile and TLS 1.3,
          against a bare server over the same TLS and against polls without
  signed  messages with signatures, against the bare primitives, and signed polls over HTTP against OpenLEADR's VTN
  memory  bytes for each registered VEN that is idle
  report  what a report of 1,440 readings costs a VTN: to read, to take and to store, against the barest of the same
  readings
          readings from VENs over HTTP into SQLite, how many in a second, and in how much memory over a long run: ten
          million readings, or half a million with --quick
  transports
          exchanges over HTTP pull and push, and over XMPP on Prosody and ejabberd, against the bare libraries, and the
          memory of a session
  many    one event for 10,000 VENs: making it, and each VEN's poll and answer, against idle polls
"""

_AFTER: Final = """\
What is compared is measured by turns, and ratios are taken turn by turn; a figure is the median of the rounds. Speed
is never asserted: a budget that is missed is shown as missed, and the exit status is 0. It is 1 where something that
was measured gave a wrong answer. docs/benchmarks.md says what each figure means.
"""


def main() -> int:
    """Run what the command line asks for."""
    options = _parser().parse_args()
    effort = QUICK if options.quick else FULL
    if options.rounds is not None:
        effort = msgspec.structs.replace(effort, rounds=options.rounds, load_rounds=options.rounds)
    began = time.monotonic()
    results: list[Result] = []
    for name in dict.fromkeys(options.only or _BENCHMARKS):
        print(f"measuring: {name} …", file=sys.stderr, flush=True)
        try:
            results.append(_BENCHMARKS[name](effort))
        except WrongAnswer as error:
            print(f"a wrong answer, so there is nothing to measure: {error}", file=sys.stderr)
            return 1
    told = report(results, quick=options.quick, seconds=time.monotonic() - began)
    options.write(told)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=_ABOUT, epilog=_AFTER, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="take a minute at most, at the price of more noise")
    parser.add_argument(
        "--only",
        metavar="NAME",
        choices=[*_BENCHMARKS],
        action="append",
        help=f"run this one alone: {', '.join(_BENCHMARKS)}; may be repeated",
    )
    parser.add_argument("--rounds", metavar="N", type=_positive, help="how often the turns go round")
    form = parser.add_mutually_exclusive_group()
    form.set_defaults(write=write_table)
    for name, write, what in (
        ("json", write_json, "one JSON object"),
        ("markdown", write_markdown, "a Markdown table"),
    ):
        form.add_argument(
            f"--{name}", dest="write", action="store_const", const=write, help=f"write {what} to standard output"
        )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


if __name__ == "__main__":
    sys.exit(main())
