"""Bytes to messages, by a liberal receiver.

Whatever the bytes, reading them leniently gives a message or raises SchemaError with a text of bounded length, in
either profile. What it overlooked is told, in bounded number and length; nothing is told of a document that a strict
reader takes, and both read the same in it. What was read has a dict view, and can be kept over a restart; where nothing
is found wrong with it, it is written as a valid document.
"""

from typing import Final

from fuzz import mutations
from fuzz.messages import documents, documents_of_both
from fuzz.target import Target
from fuzz.targets.decode_strict import LONGEST_TEXT
from oadr_core import ProfileName, SchemaError, encode, read, to_dict
from oadr_core.wire.dialects import DIALECTS
from oadr_core.wire.verify import problems, verify_received

_MOST_FORGIVEN: Final = 100


def check(data: bytes) -> None:
    """Read an input in both profiles."""
    for profile in ProfileName:
        try:
            document = read(data, strict=False, profile=profile)
        except SchemaError as error:
            assert len(str(error)) < LONGEST_TEXT, "an error repeats too much"
            _refused(data, profile)
            continue
        assert document.valid is not bool(document.forgiven), "either it is valid, or something was forgiven"
        assert len(document.forgiven) <= _MOST_FORGIVEN
        assert all(len(one.what) < LONGEST_TEXT for one in document.forgiven), "what is told repeats too much"
        to_dict(document.message)
        if document.valid:
            assert repr(read(data, profile=profile).message) == repr(document.message)
            continue
        _refused(data, profile)
        verify_received(document.message)
        if not problems(document.message, DIALECTS[profile]):
            read(encode(document.message, profile=profile), profile=profile)


def _refused(data: bytes, profile: ProfileName) -> None:
    """A strict reader must refuse it as well."""
    try:
        read(data, profile=profile)
    except SchemaError:
        return
    raise AssertionError("the strict reader takes what the lenient one does not take as it is")


TARGET: Final = Target(
    check=check,
    seeds=documents_of_both,
    modules=(
        "oadr_core.wire.parse",
        "oadr_core.wire.envelope",
        "oadr_core.wire.lenient",
        "oadr_core.wire.scalars",
        "oadr_core.wire.verify",
    ),
    mutate=mutations.of_documents(documents),
)
