"""How much memory processes occupy."""

import resource
import sys
from pathlib import Path
from typing import Final

_PROCESSES: Final = Path("/proc")
_STATM: Final = Path("/proc/self/statm")


def resident() -> int:
    """Bytes of memory that this process occupies now; the most it has, where the system does not tell."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def resident_of(session: int) -> int | None:
    """Bytes of memory that the processes of a session (of POSIX) occupy now; None where the system does not tell."""
    pages = [
        int(fields[21]) for fields in map(_fields, _PROCESSES.glob("[0-9]*/stat")) if fields[3:4] == [str(session)]
    ]
    return sum(pages) * resource.getpagesize() or None


def _fields(stat: Path) -> list[str]:
    """What the system tells of a process, from its state on (proc(5)); nothing of one that has ended meanwhile."""
    try:
        return stat.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
