"""Proves the tests of the rules: each check is switched off in turn, and a test about its rule must fail without it."""

import contextlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, cast

import pytest
from _pytest.runner import runtestprotocol

from oadr_core.rules import Rule, registry, rules

TESTS: Final = Path(__file__).resolve().parent.parent
PATHS: Final = (TESTS / "rules", TESTS / "dialogue")
"""Where the tests of the checks are: they judge messages and traces, and are quick."""


@contextlib.contextmanager
def switched_off(one: Rule) -> Iterator[None]:
    """Do without a check for a while."""
    kept = registry._RULES[one.about]
    registry._RULES[one.about] = [other for other in kept if other != one]
    registry._rules_about.cache_clear()
    try:
        yield
    finally:
        registry._RULES[one.about] = kept
        registry._rules_about.cache_clear()


class _Prover:
    """A plugin of pytest that runs the tests of each check without it."""

    def __init__(self) -> None:
        self.unproven: list[str] = []
        self.proven = 0

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """All tests are known, and are to be run."""
        by_rule: dict[str, list[pytest.Item]] = {}
        for item in session.items:
            for name, letter in (("rule", "R"), ("decision", "D")):
                for mark in item.iter_markers(name):
                    for number in mark.args:
                        by_rule.setdefault(f"{letter}{number}", []).append(item)
        for one in rules():
            if _is_proven(one, by_rule.get(one.number, [])):
                self.proven += 1
            else:
                name = f"{one.check.__module__}.{one.check.__name__} of {one.about.__name__}"
                self.unproven.append(f"no test about {one.number} fails without {name}")
        return True


def _is_proven(one: Rule, items: Iterable[pytest.Item]) -> bool:
    with switched_off(one):
        failing = next((item for item in items if not _passes(item)), None)
    return failing is not None and _passes(failing)


def _passes(item: pytest.Item) -> bool:
    """Run a test; what belongs to the whole session is kept for the next."""
    reports = runtestprotocol(item, log=False, nextitem=cast("pytest.Item", item.session))
    return all(one.outcome != "failed" for one in reports)


def prove(paths: Iterable[Path] = PATHS) -> list[str]:
    """Find the checks without which no test fails, in a sentence each.

    :param paths: where to look for tests.
    """
    prover = _Prover()
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        code = pytest.main(["-q", "-p", "no:cacheprovider", *map(str, paths)], plugins=[prover])
    if not prover.proven:
        return [f"nothing was proven ({code}):\n{told.getvalue()}"]
    return prover.unproven
