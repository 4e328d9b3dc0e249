"""The endpoints over HTTP: which requests are let in, and how answers leave (section 9.1 of the profile).

The server of this package and the ASGI app ask here, so that both behave alike.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Final
from urllib.parse import unquote

from oadr_core import LocalProtocolError, Peer, ProfileName, Service
from oadr_driver.damping import Damper
from oadr_driver.logs import logger
from oadr_driver.throttle import Throttle
from oadr_driver.transport import Receiver
from oadr_http.compression import compressed
from oadr_http.outcomes import status
from oadr_http.trusted_proxy import TrustedProxies

_LOG: Final = logger("oadr.http")

VTN_SERVICES: Final = (
    Service.EI_REGISTER_PARTY,
    Service.EI_EVENT,
    Service.EI_REPORT,
    Service.EI_OPT,
    Service.OADR_POLL,
)
"""The services that a VTN serves."""

PREFIX: Final = "/OpenADR2/Simple/2.0b"
"""Where the services are found if nothing else is said (rule 511)."""

VEN_SERVICES: Final = (Service.EI_REGISTER_PARTY, Service.EI_EVENT, Service.EI_REPORT)
"""The services that a VEN serves that is pushed to."""

COME_BACK: Final = ((b"retry-after", b"1"),)
"""Tells a peer that is not served for want of means when it may try again (section 9.1.5)."""

_MEDIA_TYPE: Final = re.compile(rb"\s*application/xml\s*(;\s*charset\s*=\s*\"?utf-8\"?\s*)?", re.IGNORECASE)
_ESCAPED_PLAIN: Final = re.compile(r"%(?:2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")


class Answer:
    """An HTTP response.

    :ivar status: its status.
    :ivar headers: its headers, in lower case; Content-Length is always among them (rule 53).
    :ivar body: its body.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: HTTPStatus, body: bytes = b"", headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.status: Final = status
        self.body: Final = body
        self.headers: Final = (*headers, (b"content-length", str(len(body)).encode()))


class Endpoints:
    """Takes requests by method, path and headers.

    :param receiver: takes those that are let in.
    :param prefix: the path before the name of a service, with or without slashes around it.
    :param services: what is served.
    :param prefix_20a: the path before EiEvent for VENs of 2.0a; they are not served if None.
    :param proxies: proxies in front, and how they tell who a VEN is; None where there are none.
    :param identified: whether all requests are refused whose sender has shown no certificate (rule 517, decision D1).
    :param compresses: whether answers are compressed for who can read that; nothing lets a VEN do so.
    :param throttle: counts requests, and says which are too many; any number is taken if None.
    :raises LocalProtocolError: the two prefixes are the same.
    """

    def __init__(
        self,
        receiver: Receiver,
        *,
        prefix: str = PREFIX,
        services: Sequence[Service] = VTN_SERVICES,
        prefix_20a: str | None = None,
        proxies: TrustedProxies | None = None,
        identified: bool = False,
        compresses: bool = True,
        throttle: Throttle | None = None,
    ) -> None:
        self._receiver = receiver
        self._proxies = proxies
        self._identified = identified
        self._compresses = compresses
        self._throttle = throttle
        self._damper = Damper()
        base = _folder(prefix)
        self._paths = {f"{base}/{service}": (service, ProfileName.V20B) for service in services}
        if prefix_20a is not None:
            other = _folder(prefix_20a)
            if other == base:
                raise LocalProtocolError(f"2.0a and 2.0b need paths of their own, and both have {base or '/'}")
            self._paths[f"{other}/{Service.EI_EVENT}"] = (Service.EI_EVENT, ProfileName.V20A)

    def serves(self, path: str) -> bool:
        """Whether a path is that of a service."""
        return self._endpoint(path) is not None

    def refuse(self, method: str, path: str, headers: Mapping[bytes, bytes], peer: Peer) -> Answer | None:
        """Refuse a request by its head, or say that its body may come.

        :param method: such as ``POST``.
        :param path: the path, with or without query.
        :param headers: the headers by their names in lower case.
        :param peer: who is at the other end of the connection.
        """
        sender = self._sender(peer, headers)
        wait = 0.0 if self._throttle is None else self._throttle.wait(sender)
        if wait:
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, headers=[(b"retry-after", str(ceil(wait)).encode())])
        if self._identified and sender.identity is None:
            if self._damper.lets(peer.host):
                _LOG.warning("a request from %s was refused, as it comes with no valid certificate", peer.host)
            return Answer(HTTPStatus.FORBIDDEN)
        if self._endpoint(path) is None:
            return Answer(HTTPStatus.NOT_FOUND)
        if method != "POST":
            return Answer(HTTPStatus.NOT_IMPLEMENTED, headers=[(b"allow", b"POST")])
        media_type = headers.get(b"content-type", b"")
        if media_type != b"application/xml" and not _MEDIA_TYPE.fullmatch(media_type):
            return Answer(HTTPStatus.NOT_ACCEPTABLE)
        if headers.get(b"content-encoding", b"identity").lower() not in (b"", b"identity"):
            return Answer(HTTPStatus.NOT_ACCEPTABLE)  # nothing allows a VEN to compress
        return None

    async def answer(self, path: str, headers: Mapping[bytes, bytes], body: bytes, peer: Peer) -> Answer:
        """Take a request that :meth:`refuse` has let in; whatever goes wrong here is no fault of the peer."""
        service, profile = self._endpoint(path) or (None, ProfileName.V20B)
        try:
            peer = self._sender(peer, headers)
            refusal, content = await self._receiver.receive(body, peer, service, profile)
        except Exception:  # one request that fails must not end the server
            _LOG.exception("the request of %s cannot be answered", peer.identity or peer.address or "a peer")
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR)
        code = status(refusal)
        if not content:
            return Answer(code)
        sent, coding = compressed(content, headers.get(b"accept-encoding", b"") if self._compresses else b"")
        answer_headers = [(b"content-type", b"application/xml")]
        if coding is not None:
            answer_headers += [(b"content-encoding", coding), (b"vary", b"accept-encoding")]
        return Answer(code, sent, answer_headers)

    def _sender(self, peer: Peer, headers: Mapping[bytes, bytes]) -> Peer:
        """Find out who has sent a request: whoever is at the other end, or whom a proxy there tells of."""
        return peer if self._proxies is None else self._proxies.told_by(peer, headers)

    def _endpoint(self, path: str) -> tuple[Service, ProfileName] | None:
        """Find what a path is for; forms that RFC 3986 calls equivalent are the same (rule 511)."""
        found = self._paths.get(path)
        return self._paths.get(normalised(path)) if found is None else found


def usual_prefix_20a(prefix: str) -> str | None:
    """Work out the path for 2.0a: that for 2.0b without its last part, which is ``2.0b`` (section 7.1 of the profile).

    :param prefix: the path before the name of a service of 2.0b.
    :returns: None where that ends otherwise, so that there is no usual one.
    """
    folder, _, last = _folder(prefix).rpartition("/")
    return folder if last.lower() == "2.0b" else None


def _folder(prefix: str) -> str:
    return normalised(f"/{prefix.strip('/')}").rstrip("/")


def normalised(path: str) -> str:
    """Normalise the path of a request target (RFC 3986, section 6.2.2).

    :param path: a path, or an absolute URL, with or without query.
    """
    path = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", "", path).partition("?")[0].partition("#")[0]
    path = _ESCAPED_PLAIN.sub(lambda match: unquote(match[0]), path)
    segments: list[str] = []
    for segment in (given := path.split("/")[1:]):
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            segments.append(segment)
    if given and given[-1] in (".", ".."):
        segments.append("")  # the path of a folder ends with a slash
    return "/" + "/".join(segments)
