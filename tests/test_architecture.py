"""Who may import whom, and what the core must not touch: no I/O, no clock, no chance, no threads, no event loop.

Everything is read from the source of every module, so that an import inside a function counts like any other. Each
check is also shown a module that breaks it.
"""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

import oadr_core
import oadr_core.testing

ROOT: Final = Path(__file__).resolve().parent.parent

LAYERS: Final = (
    ("bounds", "buckets", "codes", "errors", "clock", "entropy", "texts"),
    ("messages",),
    ("wire", "seal", "rules"),
    ("machines",),
    # the parts that cores are made of
    (
        "outputs",
        "core",
        "sender",
        "answers",
        "correlation",
        "offers",
        "handlers",
        "build",
        "decisions",
        "journal",
        "state",
        "reports",
    ),
    ("ven", "vtn"),
    ("auto",),
    ("testing",),
    ("__init__",),
)
"""The modules and packages of the core, from the bottom up: each imports from its own layer and those below it."""

LAYER: Final[Mapping[str, int]] = {name: number for number, names in enumerate(LAYERS) for name in names}

ADAPTERS: Final = ("oadr_http", "oadr_xmpp")
OURS: Final = frozenset(
    {"oadr_core", "oadr_driver", "oadr_app", "bench", "docs", "examples", "fuzz", "tests", *ADAPTERS}
)

ALLOWED: Final = frozenset(
    {
        *("base64", "binascii", "bisect", "calendar", "collections", "contextlib", "copy", "dataclasses", "datetime"),
        *("decimal", "difflib", "enum", "functools", "hashlib", "heapq", "inspect", "itertools", "math", "re", "types"),
        *("abc", "lxml", "msgspec", "typing"),
    }
)
"""What the core may import from outside. Nothing here does I/O, tells the time, or draws random numbers by itself."""

ALLOWED_IN: Final[Mapping[str, frozenset[str]]] = {
    # keys and certificates; what it draws by chance within an ECDSA signature cannot be seen from outside
    "oadr_core.seal": frozenset({"cryptography"}),
    "oadr_core.testing": frozenset({"hypothesis"}),
}
"""What a package of the core may import beside that."""

FORBIDDEN: Final = frozenset(
    {
        *("builtins.open", "builtins.print", "builtins.input", "builtins.breakpoint"),
        *("builtins.__import__", "builtins.exec", "builtins.eval", "builtins.compile"),
        *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
        *("lxml.etree.parse", "lxml.etree.iterparse"),  # these open files and addresses
    }
)
"""What the core must not even name."""

EXCEPTIONS: Final[Mapping[str, frozenset[str]]] = {
    # writes the functions of the codec from the declarations, as the standard library does for data classes
    "oadr_core.wire.generate": frozenset({"builtins.exec", "builtins.compile"}),
}


class Import:
    """An import, wherever in a module it stands.

    :ivar module: what is imported, or imported from.
    :ivar name: what is imported from it; None where the module itself is.
    :ivar for_types: whether it is only there for the type checker.
    """

    def __init__(self, module: str, name: str | None, *, for_types: bool = False) -> None:
        self.module: Final = module
        self.name: Final = name
        self.for_types: Final = for_types

    @property
    def package(self) -> str:
        """The package at the top."""
        return self.module.partition(".")[0]

    def within(self, package: str) -> str:
        """The part of a package that is imported from; ``__init__`` for the package itself."""
        below = self.module.removeprefix(package).lstrip(".") or self.name or ""
        first = below.partition(".")[0]
        return first if first in LAYER else "__init__"


def imports(source: str) -> Iterator[Import]:
    """Find every import of a module."""
    yield from _imports(ast.parse(source), for_types=False)


def _imports(tree: ast.AST, *, for_types: bool) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield Import(one.name, None, for_types=for_types)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for one in node.names:
                yield Import(module, one.name, for_types=for_types)
        checked = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        yield from _imports(node, for_types=for_types or checked)


def modules(package: str) -> dict[str, str]:
    """The source of every module of a package, by its dotted name."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        found[".".join(path.relative_to(ROOT).with_suffix("").parts)] = path.read_text(encoding="utf-8")
    assert found, f"there is no package {package}"
    return found


# --- the direction of imports ----------------------------------------------------------------------------------------


def wrong_direction(module: str, source: str) -> list[str]:
    """What a module of the core imports from above itself."""
    here = Import(module, None).within("oadr_core")
    wrong = []
    for one in imports(source):
        if one.package == "oadr_core":
            there = one.within("oadr_core")
            if LAYER[there] > LAYER[here]:
                wrong.append(f"{module} imports {one.module}, which stands above it")
    return wrong


def from_outside(module: str, source: str) -> list[str]:
    """What a module of the core imports from outside that it may not."""
    allowed = ALLOWED.union(*(names for package, names in ALLOWED_IN.items() if module.startswith(f"{package}.")))
    return [
        f"{module} imports {one.module or '.'}"
        for one in imports(source)
        if one.package != "oadr_core" and one.package not in allowed
    ]


def not_public(module: str, source: str) -> list[str]:
    """What a module outside the core imports of it that is not public."""
    public = set(oadr_core.__all__) | {f"testing.{name}" for name in oadr_core.testing.__all__}
    imported = {f"{one.module}.{one.name}" if one.name else one.module for one in imports(source)}
    used = {name for name in names_in(source) if name.count(".") == 1}
    ours = {name for name in imported | used if name.startswith("oadr_core.")}
    return [f"{module} uses {name}, which is not public" for name in ours if name.partition(".")[2] not in public]


def foreign(module: str, source: str, allowed: Iterable[str]) -> list[str]:
    """What a module imports of our other packages that it may not."""
    own = module.partition(".")[0]
    unwanted = OURS - {own, *allowed}
    return [f"{module} imports {one.module}" for one in imports(source) if one.package in unwanted]


def cycles(sources: Mapping[str, str]) -> list[str]:
    """Modules that import each other in a circle; what is there for the type checker alone does not count."""
    names = {name.removesuffix(".__init__"): name for name in sources}
    edges: dict[str, set[str]] = {}
    for name, source in sources.items():
        edges[name] = set()
        for one in imports(source):
            for target in (f"{one.module}.{one.name}", one.module):
                if not one.for_types and target in names:
                    edges[name].add(names[target])
                    break
    while leaves := [name for name, targets in edges.items() if not targets]:
        for leaf in leaves:
            del edges[leaf]
        for targets in edges.values():
            targets.difference_update(leaves)
    return sorted(edges)


def every(check: Any, package: str, *rest: object) -> list[str]:
    """What a check finds in all modules of a package."""
    return [found for module, source in modules(package).items() for found in check(module, source, *rest)]


def test_every_part_of_the_core_has_its_layer() -> None:
    parts = {name.split(".")[1] for name in modules("oadr_core")}
    assert parts == set(LAYER)


def test_the_core_imports_one_way() -> None:
    assert every(wrong_direction, "oadr_core") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("oadr_core.messages.poll", "from oadr_core.wire.envelope import encode"),
        ("oadr_core.wire.decode", "import oadr_core.machines.event"),
        ("oadr_core.machines.event", "def late():\n    from oadr_core.ven import Ven"),
        ("oadr_core.ven", "from oadr_core import auto"),
        ("oadr_core.sender", "from oadr_core import SenderConfig"),
        ("oadr_core.auto.ven", "from oadr_core.testing import Wire"),
    ],
)
def test_an_import_from_above_is_noticed(module: str, source: str) -> None:
    assert len(wrong_direction(module, source)) == 1


def test_no_modules_of_the_core_import_each_other_in_a_circle() -> None:
    assert cycles(modules("oadr_core")) == []


def test_a_circle_is_noticed() -> None:
    chain = {"a": "import b", "b": "from c import x", "c": ""}
    assert cycles(chain) == []
    assert cycles(chain | {"c": "def f():\n    import a"}) == ["a", "b", "c"]
    assert cycles(chain | {"c": "if TYPE_CHECKING:\n    import a"}) == []


def test_the_core_imports_nothing_else_from_outside() -> None:
    assert every(from_outside, "oadr_core") == []


def test_the_list_of_what_may_be_imported_holds_nothing_unused() -> None:
    used = {one.package for source in modules("oadr_core").values() for one in imports(source)}
    assert used >= ALLOWED


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from random import Random",
        "def f():\n    import socket",
        "if TYPE_CHECKING:\n    import logging",
        "import hypothesis",
        "import cryptography.x509",
        "import oadr_http",
        "from . import ven",
    ],
)
def test_an_import_that_is_not_allowed_is_noticed(source: str) -> None:
    assert len(from_outside("oadr_core.ven", source)) == 1


def test_only_the_testing_kit_may_use_hypothesis_and_only_what_seals_keys() -> None:
    assert from_outside("oadr_core.testing.strategies", "import hypothesis") == []
    assert from_outside("oadr_core.seal.keys", "from cryptography import x509") == []
    assert from_outside("oadr_core.seal.keys", "import hypothesis") == ["oadr_core.seal.keys imports hypothesis"]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_imports_the_core_and_the_driver_and_nothing_else_of_ours(adapter: str) -> None:
    assert every(foreign, adapter, ("oadr_core", "oadr_driver")) == []


def test_the_driver_imports_the_core_alone() -> None:
    assert every(foreign, "oadr_driver", ("oadr_core",)) == []


def test_the_application_imports_the_core_the_driver_and_the_adapters() -> None:
    assert every(foreign, "oadr_app", ("oadr_core", "oadr_driver", *ADAPTERS)) == []


@pytest.mark.parametrize("package", ["oadr_driver", *ADAPTERS, "oadr_app", "examples"])
def test_what_drives_the_core_uses_its_public_interface_alone(package: str) -> None:
    assert every(not_public, package) == []


def test_a_wrong_import_of_an_adapter_is_noticed() -> None:
    module, other = "oadr_http.ven", "from oadr_xmpp import OpenADRClient"
    assert len(foreign(module, other, ("oadr_core",))) == 1
    assert len(foreign(module, "import oadr_app.cli", ("oadr_core",))) == 1
    assert foreign("oadr_http.ven", "from oadr_http.client import Client", ("oadr_core",)) == []


@pytest.mark.parametrize(
    "source",
    [
        "from oadr_core.ven import Ven",
        "from oadr_core import sender",
        "import oadr_core.ven",
        "import oadr_core\noadr_core.sender",
        "import oadr_core as core\ncore.ven.Ven",
    ],
)
def test_a_use_of_what_is_not_public_is_noticed(source: str) -> None:
    assert len(not_public("oadr_http.ven", source)) == 1
    assert not_public("oadr_http.ven", "from oadr_core import Ven, Transmit") == []
    assert not_public("oadr_http.ven", "import oadr_core\noadr_core.Ven.poll") == []
    assert not_public("oadr_driver.testing", "from oadr_core.testing import Harness") == []
    assert len(not_public("oadr_driver.testing", "from oadr_core.testing.harness import Harness")) == 1


def test_what_is_public_is_there_and_named_once() -> None:
    assert len(set(oadr_core.__all__)) == len(oadr_core.__all__)
    assert all(hasattr(oadr_core, name) for name in oadr_core.__all__)


# --- no I/O, no clock, no chance -------------------------------------------------------------------------------------


class _Names(ast.NodeVisitor):
    """Finds the full names of what a module uses, whatever it calls them."""

    def __init__(self) -> None:
        self.bound: dict[str, str] = {}
        self.used: list[str] = []

    def visit_Import(self, node: ast.Import) -> None:
        for one in node.names:
            self.bound[one.asname or one.name.partition(".")[0]] = (
                one.name if one.asname else one.name.partition(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for one in node.names:
            self.bound[one.asname or one.name] = f"{node.module}.{one.name}"
            self.used.append(f"{node.module}.{one.name}")

    def visit_Name(self, node: ast.Name) -> None:
        self.used.append(self.bound.get(node.id, f"builtins.{node.id}"))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        attributes = [node.attr]
        base = node.value
        while isinstance(base, ast.Attribute):
            attributes.insert(0, base.attr)
            base = base.value
        if isinstance(base, ast.Name):
            name = self.bound.get(base.id, base.id)
            self.used += [".".join([name, *attributes[:count]]) for count in range(1, len(attributes) + 1)]
        self.generic_visit(node)


def names_in(source: str) -> list[str]:
    """The full names of what a module uses."""
    names = _Names()
    names.visit(ast.parse(source))
    return names.used


def impurities(module: str, source: str) -> list[str]:
    """What a module names that does I/O, tells the time or runs text as code."""
    exceptions = EXCEPTIONS.get(module, frozenset())
    return [f"{module} uses {name}" for name in names_in(source) if name in FORBIDDEN - exceptions]


def test_the_core_does_no_io_and_looks_at_no_clock() -> None:
    assert every(impurities, "oadr_core") == []


@pytest.mark.parametrize(
    "source",
    [
        "open('state')",
        "def f(path):\n    with open(path) as file:\n        return file",
        "print(1)",
        "show = print",
        "input()",
        "__import__('os')",
        "exec('1')",
        "eval('1')",
        "compile('1', '', 'eval')",
        "breakpoint()",
        "from datetime import datetime\ndatetime.now()",
        "from datetime import datetime as dt\nstamp = dt.utcnow",
        "import datetime\ndatetime.datetime.today()",
        "import datetime as d\nd.date.today()",
        "from datetime import date\ndate.today().isoformat()",
        "from lxml import etree\netree.parse('file')",
        "import builtins\nbuiltins.open",
        "from builtins import print as show",
    ],
)
def test_a_module_that_touches_the_world_is_noticed(source: str) -> None:
    assert impurities("oadr_core.ven", source)


def test_an_exception_holds_for_its_module_and_is_needed() -> None:
    for module, names in EXCEPTIONS.items():
        assert set(names_in(modules("oadr_core")[module])) >= names
    assert impurities("oadr_core.wire.encode", "exec('1')")


def test_names_that_only_look_alike_are_not_mistaken() -> None:
    source = (
        "from datetime import datetime\nsealer.open(now.now)\nself.print\ndatetime.fromisoformat('x')\nclock.today()"
    )
    assert impurities("oadr_core.ven", source) == []


# --- only a sealer opens documents -----------------------------------------------------------------------------------

SECRETS_OF_SEAL: Final = frozenset({"oadr_core.seal.opened.opened", "oadr_core.seal.opened._KEY"})
"""What makes an ``Opened``: whoever has one of these can pretend that a document was checked."""


def forgeries(module: str, source: str) -> list[str]:
    """Where a module that is no sealer makes an ``Opened``, or takes hold of what makes one."""
    if module.startswith("oadr_core.seal."):
        return []
    found = [f"{module} takes {name}" for name in names_in(source) if name in SECRETS_OF_SEAL]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "oadr_core.seal.opened":
            found += [f"{module} imports {one.name}" for one in node.names if one.name in {"opened", "_KEY", "*"}]
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            handed = called.endswith("__new__") and any(ast.unparse(one).endswith("Opened") for one in node.args)
            if called == "Opened" or called.endswith((".Opened", "Opened.__new__")) or handed:
                found.append(f"{module} calls {called}")
    return found


@pytest.mark.parametrize("package", ["oadr_core", "oadr_driver", *ADAPTERS, "oadr_app", "bench", "docs", "examples"])
def test_nothing_but_a_sealer_opens_documents(package: str) -> None:
    assert every(forgeries, package) == []


@pytest.mark.parametrize(
    "source",
    [
        "from oadr_core.seal.opened import opened",
        "from oadr_core.seal.opened import *",
        "from oadr_core.seal import opened\nopened._KEY",
        "import oadr_core.seal.opened\noadr_core.seal.opened._KEY",
        "from oadr_core import Opened\nOpened(document, None, key=key)",
        "import oadr_core\noadr_core.Opened(document, None, key=key)",
        "from oadr_core import Opened\nOpened.__new__(Opened)",
        "from oadr_core import Opened\nobject.__new__(Opened)",
    ],
)
def test_a_forgery_is_noticed(source: str) -> None:
    assert forgeries("oadr_core.vtn.core", source)


# --- the lint rule says the same while one types ---------------------------------------------------------------------

BANNED: Final[Mapping[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"][
    "lint"
]["flake8-tidy-imports"]["banned-api"]


def lint(path: str, source: str) -> str:
    """What ruff says about a module of ours."""
    command = [
        *(sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251", "--output-format", "concise"),
        *("--stdin-filename", path, "-"),
    ]
    return subprocess.run(command, input=source, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def use_of(name: str) -> str:
    """A module that uses something by its full name."""
    module, _, attribute = name.partition(".")
    return f'"""Text."""\n\nimport {module}\n\n{name}\n' if attribute else f'"""Text."""\n\nimport {name}\n'


@pytest.mark.parametrize("name", BANNED)
def test_the_lint_rule_fires_in_the_core(name: str) -> None:
    assert f"TID251 `{name}` is banned" in lint("oadr_core/x.py", use_of(name))
    assert f"TID251 `{name}` is banned" in lint("oadr_core/wire/x.py", use_of(name))


@pytest.mark.parametrize("package", ["oadr_driver", "oadr_http", "oadr_xmpp", "oadr_app", "tests/core"])
def test_the_lint_rule_leaves_others_alone(package: str) -> None:
    everything = "".join(use_of(name) for name in BANNED)
    assert "TID251" not in lint(f"{package}/x.py", everything)
    assert "TID251" in lint("oadr_core/x.py", everything)


def test_the_lint_rule_bans_what_the_core_must_not_use() -> None:
    must = "time random secrets uuid os socket ssl threading asyncio trio anyio logging datetime.datetime.now"
    assert set(BANNED) >= set(must.split())
    assert not {name for name in BANNED if "." not in name} & ALLOWED
