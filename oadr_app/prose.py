"""The help of commands: its paragraphs are filled, whatever lines their docstrings are written in."""

from typing import Any

import typer.core


class Prose(typer.core.TyperGroup):
    """A group of commands whose help is shown in paragraphs; only the first one would be otherwise."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for command in self.commands.values():
            if command.help is not None:
                command.help = _filled(command.help)


def _filled(text: str) -> str:
    """Have each paragraph in one line, which the terminal breaks."""
    return "\n\n".join(" ".join(one.split()) for one in text.split("\n\n"))
