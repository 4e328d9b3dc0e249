"""What attacks on connections cost a server, and compressed answers a client: little, and bounded memory.

The figures of a whole run are in docs/hostile-input.md; here each is made less often, and must stay far below what it
would cost without the bound that it is about.
"""

import pytest

from tests.http.hostile import ATTACKS, a_victim, exploding

TIMES = {"heads that are not completed": 200, "bodies that are not completed": 30, "requests sent ahead": 400_000}
MEGABYTES = {"bodies that are not completed": 30 * 2 * 1.5}
"""What is arriving is kept; all else is not."""


@pytest.mark.parametrize("name", TIMES)
def test_what_is_not_completed_or_sent_ahead_costs_a_server_no_memory_beyond_its_bound(name: str) -> None:
    with a_victim() as victim:
        cost = victim.cost(ATTACKS[name](TIMES[name]))
    assert cost.megabytes < MEGABYTES.get(name, 20)
    assert cost.seconds < 20


def test_heads_that_are_refused_cost_a_server_little() -> None:
    with a_victim() as victim:
        costs = {name: victim.cost(attack(50)) for name, attack in ATTACKS.items() if name not in TIMES}
    assert all(one.megabytes < 20 and one.seconds < 2 for one in costs.values()), costs


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_an_answer_that_explodes_costs_a_client_no_more_than_its_bound(coding: str) -> None:
    cost = exploding(coding, 100)
    assert cost.outcome.endswith("refused")
    assert cost.megabytes < 10
    assert cost.seconds < 1
