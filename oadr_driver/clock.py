"""The clocks of the machine."""

import time
from datetime import UTC, datetime

from oadr_core import Now


def system_now() -> Now:
    """Read both clocks."""
    return Now(time.monotonic(), datetime.now(UTC))
