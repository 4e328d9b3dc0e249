"""What one end of an XMPP connection puts up with, and how patient it is."""

import msgspec

from oadr_core import Limits


class XmppLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one end of an XMPP connection puts up with, and how patient it is.

    :param stanza: bytes of a stanza that is sent. Above a limit of its own a server closes the stream, so this must be
        lower; most servers take 262,144 as they come.
    :param payload: bytes of a payload that is taken.
    :param rest: bytes of a stanza that are taken beside its payload.
    :param tags: opening and closing tags of a document.
    :param requests_per_peer: requests a second of a peer, by its bare JID; further ones are told to come back later.
        After a while without any ten seconds' worth may come at once. ``math.inf`` is any number.
    :param in_flight_per_peer: requests of a peer that are being answered at a time.
    :param in_flight: the same for all peers together.
    :param answer_timeout: seconds that an answer is awaited (decision D22).
    :param login_timeout: seconds that connecting and logging in may take.
    :param ping: seconds between two pings, which find out whether the connection still works.
    :param longest_wait: seconds at most between two tries to connect.
    """

    stanza: int = 250_000
    payload: int = 2 * 1024 * 1024
    rest: int = 64 * 1024
    tags: int = 150_000
    requests_per_peer: float = 50.0
    in_flight_per_peer: int = 16
    in_flight: int = 1000
    answer_timeout: float = 10.0
    login_timeout: float = 30.0
    ping: float = 60.0
    longest_wait: float = 60.0

    @property
    def documents(self) -> Limits:
        """How large a document may be that comes."""
        return Limits(size=self.payload, tags=self.tags)
