"""How much a VTN keeps, whatever its VENs do."""

from oadr_core.bounds import Bounds


class VtnLimits(Bounds, frozen=True, kw_only=True):
    """How much VENs can make a VTN keep: all together, and each of them.

    :param vens: how many VENs may be registered; further ones are refused with 469.
    :param new_vens: how many VENs that show no certificate may register from one address at once, and again in the
        course of an hour; further ones are refused with 469. Of those that show one there is one for each certificate.
    :param undecided: how many requests of a VEN may wait for the application to decide; further ones are told to come
        back later.
    :param untold: how much of a VEN may wait until the application has been told it; what brings more of it is told to
        come back later.
    :param offered: bytes that the offers of a VEN may take up, packed; larger ones are refused with 469.
    :param opts: bytes that the opts of a VEN may take up, packed; further ones are refused with 469.
    :param requested: bytes that the report requests of a VEN may take up, packed; further ones are refused with 469.
    :param report_requests: how many report requests of a VEN are served at a time; more are refused with 469.
    :param unsent: how many reports for a VEN are kept until it has them; the oldest are dropped beyond.
    :param queued: how many operations may wait for a VEN; the application cannot ask it for more.
    :raises LocalProtocolError: one of these is no whole number, or less than 1.
    """

    vens: int = 100_000
    new_vens: int = 1000
    undecided: int = 32
    untold: int = 1000
    offered: int = 2**20
    opts: int = 2**18
    requested: int = 2**21
    report_requests: int = 16
    unsent: int = 100
    queued: int = 1000
