"""Only a sealer opens documents, and a machine takes nothing else."""

import pytest

from oadr_core import Now, Opened, PlainSealer, Poll, SchemaError, encode, read
from tests.core.kit import NOON

NOW = Now(0.0, NOON)


def test_only_a_sealer_can_open_a_document() -> None:
    document = read(encode(Poll(ven_id="ven")))
    with pytest.raises(TypeError, match="only a sealer can open a document"):
        Opened(document, None, key=object())
    with pytest.raises(TypeError):
        Opened(document, None)


def test_what_a_sealer_opened_cannot_be_given_more() -> None:
    opened = PlainSealer().open(encode(Poll(ven_id="ven")), NOW)
    assert (opened.message, opened.signer) == (Poll(ven_id="ven"), None)
    with pytest.raises(AttributeError):
        opened.trusted = True


def test_the_plain_sealer_takes_what_it_made_and_refuses_what_cannot_be_read() -> None:
    sealer = PlainSealer()
    assert sealer.open(sealer.seal(Poll(ven_id="ven"), NOW), NOW).message == Poll(ven_id="ven")
    with pytest.raises(SchemaError):
        sealer.open(b"<poll/>", NOW)
    with pytest.raises(SchemaError):
        sealer.open(b"", NOW)
