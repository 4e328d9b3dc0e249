"""A check of drivers: what a VTN and its VENs have to get through, whatever carries their messages.

Each scenario takes a :class:`~oadr_core.testing.Harness`, runs a VTN and VENs in it, and asserts what must have come of
that at both ends. It is a coroutine function that awaits nothing but the harness, so it runs in any event loop.
"""

from typing import Final

from oadr_core.testing.check import events, handlers, identity, registration, reports, signatures, troubles
from oadr_core.testing.check.stage import Scenario

DRIVER_CHECK: Final[tuple[Scenario, ...]] = (
    registration.a_ven_registers,
    registration.a_ven_registers_again_when_it_is_asked_to,
    registration.a_ven_leaves,
    registration.a_vtn_sends_a_ven_away,
    events.an_event_is_answered,
    events.an_event_is_modified,
    events.an_event_is_cancelled,
    events.an_event_comes_to_its_end,
    events.several_events_come_at_once,
    events.an_event_that_wants_no_answer_gets_none,
    events.a_ven_changes_its_mind,
    events.a_ven_opts_out_of_an_event,
    events.a_ven_says_when_it_is_not_available,
    events.many_vens_answer_at_once,
    handlers.a_handler_may_be_a_coroutine_function,
    handlers.a_handler_that_fails_disturbs_nothing_else,
    reports.a_report_is_asked_for_and_delivered,
    reports.a_vtn_is_asked_for_a_report_and_delivers_it,
    reports.reports_come_until_they_are_cancelled,
    reports.reports_of_a_vtn_come_until_they_are_cancelled,
    reports.a_cancel_rides_in_an_answer,
    reports.a_cancel_of_reports_of_a_vtn_rides_in_an_answer,
    reports.metadata_are_asked_for,
    reports.metadata_of_a_vtn_are_asked_for,
    reports.history_is_asked_for,
    reports.history_of_a_vtn_is_asked_for,
    reports.a_report_is_nearly_too_large,
    reports.a_report_of_a_vtn_is_nearly_too_large,
    troubles.a_vtn_starts_again,
    troubles.a_ven_starts_again,
    troubles.answers_are_lost,
    troubles.a_request_is_too_large,
    troubles.a_request_is_malformed,
    troubles.a_peer_is_unknown,
)
"""Every scenario that all drivers have to get through, each in a harness of its own: none may raise.

:func:`driver_check` adds those about who is talking.
"""

_APART: Final[tuple[Scenario, ...]] = (
    identity.a_ven_answers_for_another,
    identity.a_ven_reports_for_another,
    identity.a_ven_ends_what_is_of_another,
    identity.a_ven_asks_for_what_is_of_another,
)
_PUSHED: Final[tuple[Scenario, ...]] = (identity.somebody_poses_as_the_vtn,)
_SIGNED: Final[tuple[Scenario, ...]] = (
    signatures.a_signed_message_is_repeated,
    signatures.a_signed_message_is_repeated_after_a_restart,
    signatures.a_signed_message_is_changed,
    signatures.a_message_is_not_signed,
    signatures.a_message_is_signed_by_another_ven,
    signatures.answers_are_signed_by_somebody_else_than_the_vtn,
)
_BOUND: Final[tuple[Scenario, ...]] = (signatures.a_signed_message_comes_by_the_connection_of_another,)


def driver_check(*, pull: bool, identified: bool, signed: bool) -> tuple[Scenario, ...]:
    """Choose the scenarios for a harness: :data:`DRIVER_CHECK`, and those about who is talking that it can try.

    :param pull: whether VENs poll.
    :param identified: whether the transport proves to each side who the other one is, as TLS with certificates on both
        sides does, or a server that both log in to.
    :param signed: whether everything is signed, as with :class:`~oadr_core.testing.SignedSeals`.
    """
    apart = identified or signed
    more = ((_APART, apart), (_PUSHED, apart and not pull), (_SIGNED, signed), (_BOUND, signed and identified))
    return DRIVER_CHECK + tuple(one for scenarios, fits in more if fits for one in scenarios)
