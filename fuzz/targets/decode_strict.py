"""Bytes to messages, by the schema.

Whatever the bytes, reading them strictly gives a message or raises SchemaError with a text of bounded length, in
either profile. What was read can be written again, without the fractions of seconds that
nobody sends (rule 1); that reads as what was written. It has a dict view.
"""

from typing import Final

from fuzz import mutations
from fuzz.messages import documents, documents_of_both
from fuzz.target import Target
from oadr_core import ProfileName, SchemaError, encode, read, to_dict

LONGEST_TEXT: Final = 1000
"""Characters that the text of an error may have; a peer may have put some of its own into it."""


def check(data: bytes) -> None:
    """Read an input in both profiles."""
    for profile in ProfileName:
        try:
            document = read(data, profile=profile)
        except SchemaError as error:
            assert len(str(error)) < LONGEST_TEXT, "an error repeats too much"
            continue
        assert document.valid and not document.forgiven, "a strict reader forgives nothing"
        assert document.profile is profile
        again = encode(document.message, profile=profile)
        assert encode(read(again, profile=profile).message, profile=profile) == again, "what was written changes"
        to_dict(document.message)


TARGET: Final = Target(
    check=check,
    seeds=documents_of_both,
    modules=(
        "oadr_core.wire.parse",
        "oadr_core.wire.envelope",
        "oadr_core.wire.decode",
    ),
    mutate=mutations.of_documents(documents),
)
