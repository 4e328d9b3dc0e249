"""Configuration files of ``oadr vtn`` and ``oadr ven``: TOML, checked field by field."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec

from oadr_app.checked import ConfigError as ConfigError
from oadr_app.checked import Refused, checked, read_toml
from oadr_app.periods import Period
from oadr_app.tls_config import Fingerprint, TlsFile, VenTls, VtnTls, passphrase_in
from oadr_app.xmpp_config import VenXmpp, VtnXmpp, XmppFile
from oadr_core import Accepted, OptType, ProfileName, ReportName, SiScaleCode, VenLimits, normalised_fingerprints
from oadr_core import Limits as DocumentLimits
from oadr_http import PREFIX, Push, ServerLimits, SignaturePolicy
from oadr_http.trusted_proxy import HEADER as PROXY_HEADER

_USUAL: Final = ServerLimits()
_KEPT: Final = VenLimits()

_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
_Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_Finite = Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]
_Count = Annotated[int, msgspec.Meta(ge=1)]
_Rate = Annotated[float, msgspec.Meta(gt=0.0)]
_Url = Annotated[str, msgspec.Meta(pattern="^https?://[^/]")]
_UrlPath = Annotated[str, msgspec.Meta(pattern="^/")]


class Http(msgspec.Struct, forbid_unknown_fields=True):
    """``[http]`` of a VTN: where it listens.

    :param host: the address; anything but loopback needs TLS, signatures that are required, or ``allow_insecure``.
    :param port: the port; 0 takes a free one.
    :param prefix: the path before the names of the services.
    :param trusted_proxies: addresses or networks of proxies that end TLS in front of it, and hand the certificates of
        VENs on in a header, which is believed from nobody else.
    :param proxy_header: that header.
    :param proxy_address_header: the header in which they add the address of who asks them, if they do.
    :param allow_insecure: listen on an address that others can reach, without TLS and without signatures, so that
        anybody there can pose as any VEN.
    :param push_to: where VENs may be that are reached by push: networks and addresses, ``public``, ``private`` and
        ``loopback``. If None, ``public``, and where nobody else can reach the VTN ``loopback`` as well.
    :param pushes: how many requests may be under way to such VENs at a time, one to each.
    """

    host: _Name = "127.0.0.1"
    port: _Port = 8080
    prefix: _UrlPath = PREFIX
    trusted_proxies: list[_Name] = msgspec.field(default_factory=list)
    proxy_header: _Name = PROXY_HEADER
    proxy_address_header: _Name | None = None
    allow_insecure: bool = False
    push_to: list[_Name] | None = None
    pushes: _Count = 256


class Limits(msgspec.Struct, forbid_unknown_fields=True):
    """``[limits]`` of a VTN: what it puts up with; see :class:`oadr_http.ServerLimits`.

    :param vens: how many VENs may be registered.
    :param new_vens: how many without a certificate may register from one address in an hour.
    :param connections: how many connections may be open.
    :param connections_per_address: of these from one address.
    :param requests_per_ven: requests a second of a VEN with a certificate.
    :param requests_per_address: requests a second of all without one that come from an address.
    :param handshakes: connections on which TLS is being agreed on at a time.
    :param undecided: how many requests of a VEN may wait for a decision.
    :param untold: how much of a VEN may wait to be told to the application.
    :param report_requests: how many report requests of a VEN are served at a time.
    :param unsent: how many reports for a VEN are kept until it has them.
    :param queued: how many operations may wait for a VEN.
    :param head: bytes of request line and headers.
    :param headers: how many headers a request may have.
    :param body: bytes of a document.
    :param tags: opening and closing tags of a document.
    :param bodies: bytes of all documents that are arriving or being answered.
    :param offered: bytes that the reports that a VEN offers may take up.
    :param opts: bytes that the opts of a VEN may take up.
    :param requested: bytes that the report requests of a VEN may take up.
    :param handshake_timeout: how long TLS may take to be agreed on.
    :param head_timeout: how long the head of a request may take to arrive.
    :param body_timeout: how long its body may take.
    :param idle_timeout: how long a connection may be silent.
    :param write_timeout: how long an answer may take to leave.
    :param grace: how long requests under way are given when the server stops.
    """

    vens: _Count = _USUAL.vens
    new_vens: _Count = _USUAL.new_vens
    connections: _Count = _USUAL.connections
    connections_per_address: _Count = _USUAL.connections_per_address
    requests_per_ven: _Rate = _USUAL.requests_per_ven
    requests_per_address: _Rate = _USUAL.requests_per_address
    handshakes: _Count = _USUAL.handshakes
    undecided: _Count = _USUAL.undecided
    untold: _Count = _USUAL.untold
    report_requests: _Count = _USUAL.report_requests
    unsent: _Count = _USUAL.unsent
    queued: _Count = _USUAL.queued
    head: _Count = _USUAL.head
    headers: _Count = _USUAL.headers
    body: _Count = _USUAL.body
    tags: _Count = _USUAL.tags
    bodies: _Count = _USUAL.bodies
    offered: _Count = _USUAL.offered
    opts: _Count = _USUAL.opts
    requested: _Count = _USUAL.requested
    handshake_timeout: Period = Period(seconds=_USUAL.handshake_timeout)
    head_timeout: Period = Period(seconds=_USUAL.head_timeout)
    body_timeout: Period = Period(seconds=_USUAL.body_timeout)
    idle_timeout: Period = Period(seconds=_USUAL.idle_timeout)
    write_timeout: Period = Period(seconds=_USUAL.write_timeout)
    grace: Period = Period(seconds=_USUAL.grace)

    def for_server(self) -> ServerLimits:
        """The same for the server."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        seconds = {name: one.total_seconds() for name, one in given.items() if isinstance(one, Period)}
        return ServerLimits(**{**given, **seconds})


class KeptLimits(msgspec.Struct, forbid_unknown_fields=True):
    """``[limits]`` of a VEN: how large a document of its VTN may be, and how much the VTN can make it keep.

    :param body: bytes of a document, also once it is decompressed.
    :param tags: opening and closing tags of a document.
    :param events: how many events it knows at a time.
    :param ending: how many cancelled events may end at a random moment of their own.
    :param offered: bytes that the reports that the VTN offers may take up.
    :param report_requests: how many report requests of the VTN are served at a time.
    :param requested: bytes that these may take up.
    :param asked: how many reports of the VTN may be asked for at a time.
    :param undecided: how much may wait until it is decided or heard.
    :param answers: how many answers of a kind may wait because the VTN fails at them.
    :param opts: how many opts may wait until the VTN has taken them.
    :param unsent: how many reports are kept until the VTN has them.
    """

    body: _Count = DocumentLimits().size
    tags: _Count = DocumentLimits().tags
    events: _Count = _KEPT.events
    ending: _Count = _KEPT.ending
    offered: _Count = _KEPT.offered
    report_requests: _Count = _KEPT.report_requests
    requested: _Count = _KEPT.requested
    asked: _Count = _KEPT.asked
    undecided: _Count = _KEPT.undecided
    answers: _Count = _KEPT.answers
    opts: _Count = _KEPT.opts
    unsent: _Count = _KEPT.unsent

    def for_ven(self) -> VenLimits:
        """How much the VTN can make it keep."""
        return VenLimits(**{name: getattr(self, name) for name in VenLimits.__struct_fields__})


class Reports(msgspec.Struct, forbid_unknown_fields=True):
    """``[reports]`` of a VTN: what it asks its VENs for.

    :param request: whether it asks for all telemetry of usage that is offered.
    :param sampling: the spacing of readings, at least.
    :param reporting: how often they are reported; None for every reading.
    """

    request: bool = True
    sampling: Period = Period(seconds=10)
    reporting: Period | None = None


class Readings(msgspec.Struct, forbid_unknown_fields=True):
    """``[readings]`` of a VTN: how long it keeps what its VENs reported.

    :param keep: how old a reading may become; None for any age. Green Button data are kept so long from when they came.
    :param most: how many readings of each data point are kept, the newest ones, and how many feeds of Green Button data
        of each report; None for any number.
    """

    keep: Period | None = None
    most: _Count | None = None


class Signatures(msgspec.Struct, forbid_unknown_fields=True):
    """``[signatures]``: with what is signed, and whose signatures are believed.

    :param certificate: the certificate that is signed with, in PEM, or a PKCS#12 file.
    :param key: its key; None where it is in the same file.
    :param passphrase_file: a file with the passphrase of the key, in its first line.
    :param authorities: the CAs of the certificates that others sign with; of a VEN, only where it does not name the
        VTN's certificate.
    :param tolerance: how far the time in a signature may be from ours, both ways.
    :param sha1: accept SHA-1, which is no longer safe.
    :param enveloped: accept signatures over the whole document, as avob makes them.
    :param figure_23: accept the forms of the example in the specification that contradict its schema.
    """

    certificate: Path
    key: Path | None = None
    passphrase_file: Path | None = None
    authorities: Path | None = None
    tolerance: Period = Period(seconds=60)
    sha1: bool = False
    enveloped: bool = False
    figure_23: bool = False

    @property
    def policy(self) -> SignaturePolicy:
        """How signatures are made and accepted."""
        accepted = Accepted(sha1=self.sha1, enveloped=self.enveloped, figure_23=self.figure_23)
        return SignaturePolicy(tolerance=self.tolerance, accepted=accepted)

    def passphrase(self) -> str | None:
        """Read the passphrase.

        :raises ConfigError: the file cannot be read.
        """
        return passphrase_in(self.passphrase_file, "signatures.passphrase_file")

    def arguments(self) -> dict[str, Any]:
        """Say what both sides have in the arguments of an OpenADRServer or an OpenADRClient.

        :raises ConfigError: the file with the passphrase cannot be read.
        """
        return {
            "cert": self.certificate,
            "key": self.key,
            "passphrase": self.passphrase(),
            "signature_policy": self.policy,
        }

    def arguments_over_xmpp(self) -> dict[str, Any]:
        """Say the same for signatures that go through XMPP servers: in the one form that they leave as it is.

        :raises ConfigError: the file with the passphrase cannot be read.
        """
        return {**self.arguments(), "signature_policy": msgspec.structs.replace(self.policy, prefixes=False)}


class VtnSignatures(Signatures, forbid_unknown_fields=True):
    """``[signatures]`` of a VTN.

    :param required: whether every VEN has to sign. If not, those that register without a signature may go on so.
    """

    required: bool = True

    def arguments(self) -> dict[str, Any]:
        """Say it in the arguments of an OpenADRServer; see :meth:`Signatures.arguments`."""
        return {
            **Signatures.arguments(self),
            "require_signatures": self.required,
            "signing_ca_file": self.authorities,
        }


class VenSignatures(Signatures, forbid_unknown_fields=True):
    """``[signatures]`` of a VEN.

    :param vtn_fingerprint: the fingerprint of the certificate that the VTN signs with, or several.
    :param vtn_certificate: that certificate itself.
    :param required: whether everything that the VTN says has to be signed; if not said, where there is no TLS.
    """

    vtn_fingerprint: Fingerprint | list[Fingerprint] | None = None
    vtn_certificate: Path | None = None
    required: bool | None = None

    @property
    def vtn_fingerprints(self) -> list[str]:
        """Those that it names."""
        given = self.vtn_fingerprint or []
        return [given] if isinstance(given, str) else given

    def arguments(self) -> dict[str, Any]:
        """Say it in the arguments of an OpenADRClient; see :meth:`Signatures.arguments`."""
        return {
            **Signatures.arguments(self),
            "vtn_fingerprint": self.vtn_fingerprints or None,
            "verification_cert": self.vtn_certificate,
            "ca_file": self.authorities,
            "verify_message_signatures": self.required,
        }


class KnownVen(msgspec.Struct, forbid_unknown_fields=True):
    """One ``[[vens]]`` of a VTN: a VEN that it registers, or one of 2.0a, which does not register.

    What it belongs to counts at each start; where nothing of it is said, ``oadr vens enrol`` decides.

    :param name: the name that the VEN gives itself; one of 2.0a is only called so.
    :param id: the id that it gets; made up if None. One of 2.0a must have one.
    :param openadr: the profile that it speaks.
    :param fingerprint: the fingerprint of its certificate, for TLS or for signatures; it is registered with no other
        then. Or several, where its certificate is renewed, the earliest first. If None, the first certificate that it
        comes with is kept to.
    :param jid: of one that comes over XMPP, its JID without the resource; it is registered with no other then.
    :param poll: how often one of 2.0a polls, to tell when it is silent; as often as the others if None.
    :param group_ids: the groups that it is in; events for them find it.
    :param resource_ids: the resources behind it.
    :param party_ids: the parties that it stands for.
    :param market_contexts: the programs that it takes part in.
    """

    name: _Name
    id: _Name | None = None
    openadr: ProfileName = ProfileName.V20B
    fingerprint: Fingerprint | Annotated[list[Fingerprint], msgspec.Meta(min_length=1)] | None = None
    jid: _Name | None = None
    poll: Period | None = None
    group_ids: list[_Name] = msgspec.field(default_factory=list)
    resource_ids: list[_Name] = msgspec.field(default_factory=list)
    party_ids: list[_Name] = msgspec.field(default_factory=list)
    market_contexts: list[_Name] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse one that would be known in two ways."""
        if self.jid is not None and self.fingerprint is not None:
            raise ValueError("give `fingerprint`, over HTTP, or `jid`, over XMPP; a VEN is known by one of them")

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Those of its certificates, the earliest first."""
        return () if self.fingerprint is None else normalised_fingerprints(self.fingerprint)

    @property
    def is_pinned(self) -> bool:
        """Whether it says by what the VEN has to be known."""
        return self.fingerprint is not None or self.jid is not None

    def is_shown(self, fingerprint: str | None, jid: str | None) -> bool:
        """Whether a VEN shows that by which it has to be known.

        :param fingerprint: that of its certificate, if it has shown one.
        :param jid: its bare JID, if it comes over XMPP.
        """
        if self.fingerprint is not None:
            return fingerprint in self.fingerprints
        return self.jid is None or self.jid.partition("/")[0].lower() == jid

    def is_before(self, fingerprint: str | None, another: str | None) -> bool:
        """Whether a certificate comes before another one in the list: once the VEN has that, it has this no more."""
        listed = self.fingerprints
        return another in listed and fingerprint in listed[: listed.index(another)]

    @property
    def is_enrolled(self) -> bool:
        """Whether it says what the VEN belongs to."""
        return bool(self.group_ids or self.resource_ids or self.party_ids or self.market_contexts)


class VtnFile(msgspec.Struct, forbid_unknown_fields=True):
    """The configuration of a VTN.

    :param vtn_id: its id.
    :param state: the file that keeps its state and its readings.
    :param control: the socket through which ``oadr event`` and ``oadr vens`` talk to it; beside the state if None.
    :param poll: how often VENs are asked to poll.
    :param answer_timeout: how long the answer of a VEN is awaited before it is asked again.
    :param missed_polls: after how many polls that did not come a VEN counts as offline.
    :param certificate_overlap: how long a VEN that has shown its next certificate may show its former one as well.
    :param strict: whether to refuse documents that the schema refuses.
    :param tls: its certificates for TLS, and whom it trusts; plain HTTP if None.
    :param signatures: with what it signs, and who has to; nothing is signed if None.
    :param xmpp: where it serves VENs over XMPP as well; over HTTP alone if None.
    :param vens: the VENs that are registered; whoever asks if empty.
    """

    vtn_id: _Name = "oadr-VTN"
    state: Path = Path("vtn.sqlite")
    control: Path | None = None
    poll: Period = Period(seconds=10)
    answer_timeout: Period = Period(seconds=60)
    missed_polls: _Count = 3
    certificate_overlap: Period = Period(minutes=2)
    strict: bool = True
    http: Http = msgspec.field(default_factory=Http)
    reports: Reports = msgspec.field(default_factory=Reports)
    limits: Limits = msgspec.field(default_factory=Limits)
    readings: Readings = msgspec.field(default_factory=Readings)
    tls: VtnTls | None = None
    signatures: VtnSignatures | None = None
    xmpp: VtnXmpp | None = None
    vens: list[KnownVen] = msgspec.field(default_factory=list)

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.control or self.state.with_suffix(".sock")


class Profile(StrEnum):
    """How a simulated load goes through the day."""

    FLAT = "flat"
    HOME = "home"
    OFFICE = "office"


class Load(msgspec.Struct, forbid_unknown_fields=True):
    """One ``[[loads]]`` of a VEN: a simulated load that it reports.

    :param resource: the resource.
    :param kilowatt: how much it takes on average.
    :param responds: which share it sheds at each level of a SIMPLE signal that it opted in to, from 0 to 1.
    :param profile: how it goes through the day.
    :param noise: how much it wanders, as a share of what it takes.
    :param seed: makes its wandering the same each time; another one each time if None.
    :param settles: how long it takes to come two thirds of the way to where an event wants it.
    """

    resource: _Name = "load"
    kilowatt: _Finite = 10.0
    responds: _Share = 0.3
    profile: Profile = Profile.OFFICE
    noise: _Share = 0.03
    seed: int | None = None
    settles: Period = Period(seconds=5)


_REPORT_NAMES: Final = (
    ReportName.TELEMETRY_USAGE.value,
    ReportName.TELEMETRY_STATUS.value,
    ReportName.HISTORY_USAGE.value,
)
"""The reports of the profile that a VEN makes of files and commands."""


class VenReport(msgspec.Struct, forbid_unknown_fields=True):
    """One ``[[reports]]`` of a VEN: a data point that it reports, from a file or from a command.

    :param resource: the resource.
    :param measurement: what is measured, such as ``power_real``, or any other name, with a unit.
    :param unit: the unit, where the measurement leaves a choice.
    :param scale: the power of ten of the unit, such as ``k``.
    :param sampling: how often it can be read at most; as the VEN's if None. The values of a file without times are so
        far apart.
    :param report_name: the kind of report: ``TELEMETRY_USAGE`` holds powers, energies and pulses alone (rule 331),
        ``TELEMETRY_STATUS`` what a command says of a resource, ``HISTORY_USAGE`` what a file has recorded, and an
        ``x-`` name anything.
    :param report: the specifier of the report that it belongs to; made of its name if None.
    :param point: the id of the data point; made of the resource and of what is reported of it if None, see
        :attr:`r_id`.
    :param csv: the file that the values come from.
    :param loop: whether the file begins again at its end.
    :param history: whether what a file of ``TELEMETRY_USAGE`` says of the past can be asked for as well, as
        ``HISTORY_USAGE``; it needs times for that.
    :param kept: how long a stretch of the past can be asked for; a month, or as much as the file holds, if None.
    :param command: the command that prints a value each time that it is run.
    :param timeout: how long the command may take.
    """

    resource: _Name = "meter"
    measurement: _Name = "power_real"
    unit: _Name | None = None
    scale: SiScaleCode = SiScaleCode.NONE
    sampling: Period | None = None
    report_name: _Name = ReportName.TELEMETRY_USAGE.value
    report: _Name | None = None
    point: _Name | None = None
    csv: Path | None = None
    loop: bool = False
    history: bool = True
    kept: Period | None = None
    command: _Name | None = None
    timeout: Period = Period(seconds=10)

    @property
    def specifier(self) -> str:
        """The specifier of the report that it belongs to."""
        return self.report or self.report_name.lower().replace("_", "-")

    @property
    def r_id(self) -> str:
        """The id of the data point."""
        what = "status" if self.report_name == ReportName.TELEMETRY_STATUS else self.measurement
        return self.point or f"{self.resource}-{what}"

    def __post_init__(self) -> None:
        """Refuse what has no source, or two."""
        if (self.csv is None) is (self.command is None):
            raise ValueError("give either `csv`, a file, or `command`")
        if self.report_name not in _REPORT_NAMES and not self.report_name.startswith("x-"):
            raise ValueError(
                f"`report_name` is {', '.join(_REPORT_NAMES)}, or begins with x-, and not {self.report_name}"
            )
        if self.report_name == ReportName.TELEMETRY_STATUS and self.command is None:
            raise ValueError("give `command`, which prints the status: a file holds numbers, and TELEMETRY_STATUS none")
        if self.loop and self.csv is None:
            raise ValueError("`loop` is about a file, and there is no `csv`")
        if self.kept is not None and self.csv is None:
            raise ValueError("`kept` is about a file, and there is no `csv`")
        if self.is_history and self.csv is None:
            raise ValueError("give `csv`, a file with times: HISTORY_USAGE is of what was recorded")

    @property
    def is_history(self) -> bool:
        """Whether it is of the past alone."""
        return self.report_name == ReportName.HISTORY_USAGE


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    """One ``[[decisions]]`` of a VEN: whether it takes part in events of which all that is said here is true.

    :param opt: whether it does: ``optIn`` or ``optOut``.
    :param market_context: the program of the event.
    :param signal: a signal that the event has.
    :param at_least: a value that this signal, or any if none is named, reaches at some time.
    :param test_event: whether the event is a test.
    """

    opt: OptType
    market_context: _Name | None = None
    signal: _Name | None = None
    at_least: _Finite | None = None
    test_event: bool | None = None


class Way(StrEnum):
    """How a VEN and its VTN reach each other."""

    PULL = "pull"
    """The VEN polls over HTTP."""
    PUSH = "push"
    """Both call each other over HTTP."""
    XMPP = "xmpp"
    """Both are logged in at an XMPP server."""


class VenPush(msgspec.Struct, forbid_unknown_fields=True):
    """``[push]`` of a VEN: where the VTN reaches it over HTTP.

    :param host: the address to listen on; anything but loopback needs TLS, signatures that are required, or
        ``allow_insecure``.
    :param port: the port; 0 takes a free one.
    :param url: the base URL that the VTN is told, where that is another than what follows from the others.
    :param prefix: the path before the names of the services; as follows from ``url`` if None.
    :param answers_lists: whether a list of events is answered with an oadrResponse at once (decision D47).
    :param allow_insecure: listen on an address that others can reach, without TLS and without signatures, so that
        anybody there can pose as the VTN.
    """

    host: _Name = "127.0.0.1"
    port: _Port = 8081
    url: _Url | None = None
    prefix: _UrlPath | None = None
    answers_lists: bool = False
    allow_insecure: bool = False

    def how(self) -> Push:
        """Say it in the argument of an OpenADRClient.

        :raises LocalProtocolError: it does not say where the VEN is reached.
        """
        return Push(**{name: getattr(self, name) for name in self.__struct_fields__})


class VenFile(msgspec.Struct, forbid_unknown_fields=True):
    """The configuration of a VEN.

    :param name: its name.
    :param vtn: the base URL of its VTN.
    :param transport: how it and its VTN reach each other; if None, what there is a table for, and else it polls.
    :param ven_id: an id that was agreed beforehand, if one was; one of 2.0a must have one.
    :param openadr: the profile that it speaks; in 2.0a it has events alone, and reports nothing.
    :param fall_back: whether it goes on in 2.0a with a VTN that speaks nothing else; needs a ``ven_id``.
    :param state: the file that keeps its state; made of its name if None, see :attr:`storage`.
    :param poll: how often to poll; None follows the VTN's wish.
    :param opt: whether it takes part in events: ``optIn`` or ``optOut``.
    :param decisions: events in which it does otherwise; the first that fits counts.
    :param market_contexts: the programs that it is part of; events of others are refused. None accepts any, here and in
        what follows.
    :param group_ids: the groups that it is in; events that are for nothing that it is or has are refused.
    :param resource_ids: the resources that it has.
    :param party_ids: the parties that it acts for.
    :param device_classes: the classes of its devices; events that are for none of them are refused.
    :param signals: the signals that it supports, as pairs of name and type; events with another are refused.
    :param sampling: how often its loads can be read at most.
    :param strict: whether to refuse answers that the schema refuses.
    :param tls: its certificate for TLS, and by what it knows the VTN; without, ``vtn`` begins with ``http:``, or the
        VTN asks for no certificate.
    :param signatures: with what it signs, and by what it knows the VTN; nothing is signed if None.
    :param push: where the VTN reaches it over HTTP.
    :param xmpp: as whom it logs in at an XMPP server.
    :param loads: simulated loads that it reports.
    :param reports: what else it reports; a simulated load if there is nothing at all.
    """

    name: _Name = "ven"
    vtn: _Url = f"http://127.0.0.1:8080{PREFIX}"
    transport: Way | None = None
    ven_id: _Name | None = None
    openadr: ProfileName = ProfileName.V20B
    fall_back: bool = False
    state: Path | None = None
    poll: Period | None = None
    opt: OptType = OptType.OPT_IN
    decisions: list[Decision] = msgspec.field(default_factory=list)
    market_contexts: list[_Name] | None = None
    group_ids: list[_Name] | None = None
    resource_ids: list[_Name] | None = None
    party_ids: list[_Name] | None = None
    device_classes: list[_Name] | None = None
    signals: list[tuple[_Name, _Name]] | None = None
    sampling: Period = Period(seconds=1)
    strict: bool = False
    tls: VenTls | None = None
    signatures: VenSignatures | None = None
    push: VenPush | None = None
    xmpp: VenXmpp | None = None
    limits: KeptLimits = msgspec.field(default_factory=KeptLimits)
    loads: list[Load] = msgspec.field(default_factory=list)
    reports: list[VenReport] = msgspec.field(default_factory=list)

    @property
    def way(self) -> Way:
        """How it and its VTN reach each other."""
        if self.transport is not None:
            return self.transport
        return Way.XMPP if self.xmpp is not None else Way.PULL if self.push is None else Way.PUSH

    @property
    def storage(self) -> Path:
        """The file that keeps its state: of several VENs in one folder, each has its own."""
        return self.state or Path(self.name.replace("%", "%25").replace("/", "%2F") + ".state")

    @property
    def simulated(self) -> list[Load]:
        """The simulated loads: those that are named, or one where nothing is."""
        return self.loads if self.loads or self.reports else [Load()]


_FileT = TypeVar("_FileT", VtnFile, VenFile)


def read(cls: type[_FileT], path: Path | None, flags: dict[str, Any]) -> _FileT:
    """Read a configuration file, and put flags of the command line over it.

    :param cls: which kind of file.
    :param path: the file; the defaults count if None. Paths in it are relative to it, those of flags are not.
    :param flags: values by dotted name, such as ``http.port``; None is passed over.
    :raises ConfigError: the file cannot be read, or a value cannot be meant so; the text says which, and what can.
    """
    content = {} if path is None else read_toml(path)
    given = {name: value for name, value in flags.items() if value is not None}
    made = _checked(cls, content, str(path))
    if path is not None:
        _anchor(made, path.parent)
    if given:
        checked = _checked(cls, _nested(given), "")
        for name in given:
            _copy(checked, made, name.split("."))
    if isinstance(made, VenFile) and made.state is None and path is not None:
        made.state = path.parent / made.storage
    return made


def _nested(flags: Mapping[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name, value in flags.items():
        table = content
        *parents, leaf = name.split(".")
        for parent in parents:
            table = table.setdefault(parent, {})
        table[leaf] = value
    return content


def _copy(source: Any, target: Any, name: list[str]) -> None:
    *parents, leaf = name
    for parent in parents:
        source, target = getattr(source, parent), getattr(target, parent)
    setattr(target, leaf, getattr(source, leaf))


def _anchor(made: VtnFile | VenFile, folder: Path) -> None:
    """Paths in a file are relative to the file."""
    if made.state is not None:
        made.state = folder / made.state
    if isinstance(made, VtnFile) and made.control is not None:
        made.control = folder / made.control
    for table in (made.tls, made.signatures, made.xmpp):
        if table is not None:
            _anchor_files(table, folder)
    for report in made.reports if isinstance(made, VenFile) else ():
        if report.csv is not None:
            report.csv = folder / report.csv


def _anchor_files(table: TlsFile | Signatures | XmppFile, folder: Path) -> None:
    for name in table.__struct_fields__:
        value = getattr(table, name)
        if isinstance(value, Path):
            setattr(table, name, folder / value)
        elif isinstance(value, list) and all(isinstance(one, Path) for one in value):
            setattr(table, name, [folder / one for one in value])


# --- checking --------------------------------------------------------------------------------------------------------


def _checked(cls: type[_FileT], content: Mapping[str, Any], source: str) -> _FileT:
    """Make a configuration of TOML, or say what is wrong with it.

    :param source: the file; empty where the content comes from flags.
    """
    try:
        return checked(cls, content, _decode)
    except Refused as error:
        if source:
            raise error.within(source) from None
        name = error.place.rpartition(".")[2]
        if not name or name.endswith("]"):  # it is about several flags, which it names
            raise ConfigError(error.what) from None
        raise ConfigError(f"--{name.replace('_', '-')}: {error.what}") from None


def _decode(kind: type, value: Any) -> Any:
    """Read what TOML has no type for."""
    if kind is Path:
        if not isinstance(value, str) or not value:
            raise ValueError("expected the path of a file, a text in quotes")
        return Path(value).expanduser()
    assert kind is Period
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError('expected a length of time, such as "90s" or "15m"')
    length = Period.read(value if isinstance(value, str) else f"{value}s")
    if length <= timedelta(0):
        raise ValueError(f"{value!r} must be more than nothing")
    return length
