"""A state file belongs to one process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from oadr_app.locks import Lock

HOLDER = """
import sys
from pathlib import Path
from oadr_app.locks import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_file_that_is_held_is_refused_and_the_holder_named(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "state")
    with pytest.raises(OSError, match=rf"state is in use by the process {os.getpid()}; give this one a state file"):
        Lock(tmp_path / "state")
    lock.release()
    Lock(tmp_path / "state").release()


def test_a_process_that_is_killed_holds_nothing_any_more(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OSError, match=f"in use by the process {holder.pid};"):
            Lock(path)
        holder.kill()
    Lock(path).release()


def test_the_file_itself_may_be_replaced_while_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.touch()
    lock = Lock(path)
    (tmp_path / "fresh").touch()
    (tmp_path / "fresh").replace(path)
    with pytest.raises(OSError, match="in use"):
        Lock(path)
    lock.release()
