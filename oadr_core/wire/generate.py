"""Writing Python functions for the encoder and the decoder.

Walking the declarations for every message would take three times as long as the budget allows, so each class gets a
function of its own, written once from its declaration, the way :mod:`dataclasses` writes ``__init__``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Source:
    """Lines of Python, and the objects that they refer to by name."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._indent = 0
        self._names: dict[str, Any] = {}

    def line(self, text: str) -> None:
        """Add a line at the present depth."""
        self._lines.append("    " * self._indent + text)

    def place(self) -> int:
        """Where the next line will stand."""
        return len(self._lines)

    def insert(self, place: int, *texts: str) -> None:
        """Add lines at an earlier place, at the present depth."""
        self._lines[place:place] = ["    " * self._indent + text for text in texts]

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Indent what is added inside under ``head``."""
        self.line(head)
        self._indent += 1
        yield
        self._indent -= 1

    def name(self, value: Any, hint: str) -> str:
        """Give an object a name that the lines can use; the same object keeps its name."""
        for name, known in self._names.items():
            if known is value:
                return name
        name = f"{hint}_{len(self._names)}"
        self._names[name] = value
        return name

    def function(self, name: str) -> Callable[..., Any]:
        """Compile the lines and fetch the function that they define."""
        text = "\n".join(self._lines)
        namespace = dict(self._names)
        exec(compile(text, f"<generated {name}>", "exec"), namespace)  # noqa: S102 - text made of declarations alone
        function: Callable[..., Any] = namespace[name]
        return function
