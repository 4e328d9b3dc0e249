"""Errors of stanzas, and what they mean for an exchange, both ways."""

import pytest

from oadr_core import Failure
from oadr_core.machines.exchange import REMEDY, Remedy
from oadr_xmpp.outcomes import error, failure


@pytest.mark.rule(517)
@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("bad-request", Failure.NOT_ACCEPTABLE),
        ("forbidden", Failure.FORBIDDEN),
        ("feature-not-implemented", Failure.UNSUPPORTED),
        ("resource-constraint", Failure.BUSY),
        ("internal-server-error", Failure.PEER_ERROR),
    ],
)
def test_a_refusal_is_understood_by_the_other_side_as_it_was_meant(condition: str, why: Failure) -> None:
    assert error(why)[0] == condition
    assert failure(*error(why)) is why


@pytest.mark.parametrize("condition", ["service-unavailable", "item-not-found", "recipient-unavailable"])
def test_who_is_away_is_asked_again(condition: str) -> None:
    assert REMEDY[failure(condition, "cancel")] is Remedy.RETRY_ALL


def test_an_error_that_nobody_knows_is_worth_a_retry() -> None:
    assert failure("payment-required", "wait") is Failure.BUSY
    assert failure("", "cancel") is Failure.PEER_ERROR


def test_a_message_that_is_too_large_is_never_sent_again() -> None:
    assert REMEDY[Failure.TOO_LARGE] is Remedy.GIVE_UP
