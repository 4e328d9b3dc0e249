"""What a VEN reports, as the flags of ``oadr ven`` say it."""

from pathlib import Path
from typing import Any, Final

from oadr_app.config import ConfigError

_OF_A_SOURCE: Final = ("measurement", "unit", "scale", "report_name", "loop", "kept", "timeout")
"""The flags that say more of a file or of a command."""


def reporting(
    *,
    kilowatt: float | None,
    profile: str | None,
    csv: Path | None,
    command: str | None,
    resource: str | None,
    **details: Any,
) -> dict[str, Any]:
    """Make ``loads`` and ``reports`` of a configuration; None for what no flag speaks of.

    :param kilowatt: what a simulated load takes.
    :param profile: how it goes through the day.
    :param csv: the file that values come from.
    :param command: the command that prints them.
    :param resource: the resource that is reported.
    :param details: what else is said of a file or of a command.
    :raises ConfigError: the flags contradict each other.
    """
    given = {name: value for name, value in details.items() if value not in (None, False)}
    if csv is not None and command is not None:
        raise ConfigError("--command: the values come from this or from --csv, not from both")
    if csv is None and command is None:
        if given:
            first = next(name for name in _OF_A_SOURCE if name in given)
            raise ConfigError(
                f"--{first.replace('_', '-')}: it is about values from --csv or --command, and neither is given"
            )
        load = {"kilowatt": kilowatt, "profile": profile, "resource": resource}
        named = {name: value for name, value in load.items() if value is not None}
        return {"loads": [named] if named else None, "reports": None}
    if kilowatt is not None or profile is not None:
        raise ConfigError("--kilowatt: values come from a simulated load, or from --csv or --command, not from both")
    report = {
        "csv": None if csv is None else str(csv),
        "command": command,
        "resource": resource,
        **given,
    }
    return {"loads": None, "reports": [{name: value for name, value in report.items() if value is not None}]}
