"""What can go wrong, by whose fault it is.

A fault of the peer never raises out of a core: it becomes an answer with the protocol's own code, and an event for the
application. A mistake of the embedding program raises, names what is wrong and where, and changes nothing.
"""

from oadr_core.codes import ResponseCode


class ProtocolError(Exception):
    """Base of all errors of this package."""


class LocalProtocolError(ProtocolError, ValueError):
    """The embedding program asked for something that the protocol does not allow; nothing has changed."""


class StateError(ProtocolError, ValueError):
    """Stored state cannot be loaded: it was damaged, or written by a later version."""


class RemoteProtocolError(ProtocolError):
    """A peer did something that the protocol does not allow.

    :param text: what is wrong, fit to be sent to the peer.
    :param code: the application code that answers it (section 8.7 of the profile).
    """

    def __init__(self, text: str, code: int = ResponseCode.COMPLIANCE_ERROR) -> None:
        super().__init__(text)
        self.code = code


class SchemaError(RemoteProtocolError):
    """A document is not valid by the schema, or not fit to be read; a transport refuses it (HTTP 406, rule 33).

    :param text: what is wrong.
    :param place: where, as a path of elements or a line number; empty where it is the document as a whole.
    """

    def __init__(self, text: str, place: str = "") -> None:
        super().__init__(f"{place}: {text}" if place else text, ResponseCode.INVALID_DATA)
        self.text = text
        self.place = place


class OtherProfile(SchemaError):
    """A document is of another profile than the one that is spoken here (rule 506).

    :param profile: the profile that it is of, such as ``2.0a``.
    """

    def __init__(self, profile: str) -> None:
        super().__init__(f"this is a document of the {profile} profile")
        self.profile = profile


class SealError(RemoteProtocolError):
    """A document is not signed as it must be; it is ignored (rule 514, decision D21)."""

    def __init__(self, text: str) -> None:
        super().__init__(text, ResponseCode.NOT_REGISTERED_OR_AUTHORIZED)


class SealTooOld(SealError):
    """A document may have been taken before; if it is new, its sender only has to sign it again, and is told so."""
