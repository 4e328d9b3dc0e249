"""How much a VEN keeps, whatever its VTN does."""

from oadr_core.bounds import Bounds


class VenLimits(Bounds, frozen=True, kw_only=True):
    """How much a VTN can make a VEN keep: of each kind so much, and no more.

    :param events: how many events it knows at a time; a list that would make it more is refused with 469.
    :param ending: how many cancelled events may end at a random moment of their own; further ones end at once.
    :param offered: bytes that the offers of the VTN may take up, packed; larger ones are refused with 469.
    :param report_requests: how many report requests it serves at a time; more are refused with 469.
    :param requested: bytes that these may take up, packed; further ones are refused with 469.
    :param asked: how many reports of the VTN may be asked for at a time; the application is refused more.
    :param undecided: how much may wait for the application, to be decided or heard; what asks for more is put off, and
        the VTN asks again.
    :param answers: how many answers of a kind may wait because the VTN fails at them; the oldest are dropped beyond, as
        the VTN asks again for what it has no answer to.
    :param opts: how many opts may wait until the VTN has taken them; the application is refused more.
    :param unsent: how many reports are kept while the VTN cannot be reached; the oldest are dropped beyond.
    :raises LocalProtocolError: one of these is no whole number, or less than 1.
    """

    events: int = 10_000
    ending: int = 1000
    offered: int = 2**20
    report_requests: int = 1000
    requested: int = 2**21
    asked: int = 1000
    undecided: int = 1000
    answers: int = 100
    opts: int = 1000
    unsent: int = 10_000
