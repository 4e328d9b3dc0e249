"""Documents through the sealer that does not sign.

Opening gives an Opened without a signer, or raises SchemaError; never SealError, as no seal is asked for. What it
gives is what reading the document gives. The sealer of one profile refuses documents of the other.
"""

from typing import Final

from fuzz import mutations
from fuzz.messages import NOON, documents, documents_of_both
from fuzz.target import Target
from oadr_core import Now, PlainSealer, ProfileName, SchemaError, read

_NOW: Final = Now(0.0, NOON)
_SEALERS: Final = [PlainSealer(strict=strict).speaking(profile) for profile in ProfileName for strict in (True, False)]


def check(data: bytes) -> None:
    """Open an input with each sealer."""
    for number, sealer in enumerate(_SEALERS):
        profile, strict = list(ProfileName)[number // 2], number % 2 == 0
        try:
            opened = sealer.open(data, _NOW)
        except SchemaError:
            continue
        assert opened.signer is None, "nobody looked at a signature"
        assert opened.document.profile is profile
        assert repr(opened.message) == repr(read(data, strict=strict, profile=profile).message)
        sealer.seal(read(data, strict=strict, profile=profile).message, _NOW) if strict else None


TARGET: Final = Target(
    check=check,
    seeds=documents_of_both,
    modules=("oadr_core.seal.plain", "oadr_core.seal.opened"),
    mutate=mutations.of_documents(documents),
    runs=200,
)
