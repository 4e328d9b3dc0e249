"""Whose fault it is: a peer's never raises out of a core, and ours says what is wrong and changes nothing."""

import pytest

from oadr_core import (
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    ResponseCode,
    SchemaError,
    SealError,
    StateError,
)
from oadr_core.codes import is_success
from oadr_core.machines.table import NotAllowed


@pytest.mark.parametrize(
    "kind", [LocalProtocolError, RemoteProtocolError, SchemaError, SealError, StateError, NotAllowed]
)
def test_all_errors_have_one_base(kind: type[Exception]) -> None:
    assert issubclass(kind, ProtocolError)


def test_a_mistake_of_ones_own_and_damaged_state_are_value_errors() -> None:
    assert issubclass(LocalProtocolError, ValueError)
    assert issubclass(StateError, ValueError)
    assert not issubclass(RemoteProtocolError, ValueError), "a peer's fault is not to be caught with them"


def test_a_fault_of_a_peer_has_the_code_that_answers_it() -> None:
    assert RemoteProtocolError("text").code == ResponseCode.COMPLIANCE_ERROR
    assert RemoteProtocolError("text", 460).code == 460
    assert SchemaError("text").code == ResponseCode.INVALID_DATA
    assert SealError("text").code == ResponseCode.NOT_REGISTERED_OR_AUTHORIZED


def test_what_the_schema_refuses_has_a_place() -> None:
    error = SchemaError("is missing", "oadrPoll/venID")
    assert (str(error), error.text, error.place) == ("oadrPoll/venID: is missing", "is missing", "oadrPoll/venID")
    assert str(SchemaError("no XML")) == "no XML"


@pytest.mark.parametrize(
    ("code", "expected"), [(199, False), (200, True), (299, True), (300, False), (450, False), (500, False)]
)
def test_any_2xx_is_success(code: int, expected: bool) -> None:
    assert is_success(code) == expected
