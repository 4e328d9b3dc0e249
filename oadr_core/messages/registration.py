"""EiRegisterParty: how a VEN and a VTN come to know each other (section 8.4 of the profile, rules 400 to 407)."""

from typing import Annotated

from oadr_core.messages.common import DURATION_PROPERTY, UNIQUE_ID, EiResponse
from oadr_core.messages.declare import At, Part, Payload
from oadr_core.messages.durations import Duration
from oadr_core.messages.enums import ProfileName, Service, TransportName


class QueryRegistration(Payload, frozen=True, kw_only=True):
    """A VEN asks what the VTN supports."""

    __element__ = "oadr:oadrQueryRegistration"
    __schema_type__ = "oadr:oadrQueryRegistrationType"

    request_id: Annotated[str, At("pyld:requestID", forgiven="")]


class CreatePartyRegistration(Payload, frozen=True, kw_only=True):
    """A VEN registers, or registers again (rule 402).

    :param request_id: any text, echoed in the answer.
    :param registration_id: the current one when registering again, else absent.
    :param ven_id: the current one when registering again; in a first registration one that was agreed beforehand.
    :param profile_name: the profile that the VEN chose.
    :param transport_name: the transport that the VEN chose.
    :param transport_address: where the VTN reaches a push VEN; absent in pull.
    :param report_only: whether the VEN has no EiEvent and no EiOpt.
    :param xml_signature: whether the VEN supports XML signatures.
    :param ven_name: a name for people.
    :param http_pull_model: whether the VEN polls; required with simpleHttp.
    """

    __element__ = "oadr:oadrCreatePartyRegistration"
    __schema_type__ = "oadr:oadrCreatePartyRegistrationType"

    request_id: Annotated[str, At("pyld:requestID", forgiven="")]
    registration_id: Annotated[str | None, At("ei:registrationID?", UNIQUE_ID)] = None
    ven_id: Annotated[str | None, At("ei:venID?")] = None
    profile_name: Annotated[ProfileName, At("oadr:oadrProfileName")]
    transport_name: Annotated[TransportName, At("oadr:oadrTransportName")]
    transport_address: Annotated[str | None, At("oadr:oadrTransportAddress?")] = None
    report_only: Annotated[bool, At("oadr:oadrReportOnly")]
    xml_signature: Annotated[bool, At("oadr:oadrXmlSignature")]
    ven_name: Annotated[str | None, At("oadr:oadrVenName?")] = None
    http_pull_model: Annotated[bool | None, At("oadr:oadrHttpPullModel?")] = None


class Transport(Part, frozen=True, kw_only=True):
    """A transport that a VTN offers."""

    transport_name: Annotated[TransportName, At("oadr:oadrTransportName")]


class Profile(Part, frozen=True, kw_only=True):
    """A profile that a VTN offers, and the transports it offers it on."""

    profile_name: Annotated[ProfileName, At("oadr:oadrProfileName")]
    transports: Annotated[tuple[Transport, ...], At("oadr:oadrTransports/oadr:oadrTransport~+")]


class Info(Part, frozen=True, kw_only=True):
    """A key and a value, whose meaning the deployment agrees upon."""

    key: Annotated[str, At("oadr:oadrKey~")]
    value: Annotated[str, At("oadr:oadrValue~")]


class ServiceInfo(Part, frozen=True, kw_only=True):
    """What a VEN has to know about one service."""

    service_name: Annotated[Service, At("oadr:oadrServiceName")]
    info: Annotated[tuple[Info, ...], At("oadr:oadrInfo+")]


class Extension(Part, frozen=True, kw_only=True):
    """An extension that a VTN supports."""

    extension_name: Annotated[str, At("oadr:oadrExtensionName~")]
    info: Annotated[tuple[Info, ...], At("oadr:oadrInfo*")] = ()


class CreatedPartyRegistration(Payload, frozen=True, kw_only=True):
    """A VTN answers a query or a registration (rules 403 and 404).

    :param response: how the request fared.
    :param registration_id: the registration; absent in the answer to a query of an unregistered VEN.
    :param ven_id: the VEN's id; likewise.
    :param vtn_id: the VTN's id.
    :param profiles: all that the VTN supports; the schema wants them in an error as well.
    :param requested_oadr_poll_freq: how often a pull VEN should poll.
    :param service_specific_info: what the VEN has to know about single services.
    :param extensions: extensions that the VTN supports.
    """

    __element__ = "oadr:oadrCreatedPartyRegistration"
    __schema_type__ = "oadr:oadrCreatedPartyRegistrationType"

    response: Annotated[EiResponse, At("ei:eiResponse")]
    registration_id: Annotated[str | None, At("ei:registrationID?", UNIQUE_ID)] = None
    ven_id: Annotated[str | None, At("ei:venID?")] = None
    vtn_id: Annotated[str, At("ei:vtnID", forgiven="")]
    profiles: Annotated[tuple[Profile, ...], At("oadr:oadrProfiles/oadr:oadrProfile~+", forgiven=())]
    requested_oadr_poll_freq: Annotated[Duration | None, At("oadr:oadrRequestedOadrPollFreq?", DURATION_PROPERTY)] = (
        None
    )
    service_specific_info: Annotated[
        tuple[ServiceInfo, ...] | None, At("oadr:oadrServiceSpecificInfo?/oadr:oadrService~*")
    ] = None
    extensions: Annotated[tuple[Extension, ...] | None, At("oadr:oadrExtensions~?/oadr:oadrExtension~*")] = None


class CancelPartyRegistration(Payload, frozen=True, kw_only=True):
    """Either side ends the registration; the receiver forgets everything about the sender (rule 407)."""

    __element__ = "oadr:oadrCancelPartyRegistration"
    __schema_type__ = "oadr:oadrCancelPartyRegistrationType"

    request_id: Annotated[str, At("pyld:requestID", forgiven="")]
    registration_id: Annotated[str, At("ei:registrationID", UNIQUE_ID)]
    ven_id: Annotated[str | None, At("ei:venID?")] = None


class CanceledPartyRegistration(Payload, frozen=True, kw_only=True):
    """The answer to oadrCancelPartyRegistration."""

    __element__ = "oadr:oadrCanceledPartyRegistration"
    __schema_type__ = "oadr:oadrCanceledPartyRegistrationType"

    response: Annotated[EiResponse, At("ei:eiResponse")]
    registration_id: Annotated[str | None, At("ei:registrationID?", UNIQUE_ID)] = None
    ven_id: Annotated[str | None, At("ei:venID?")] = None


class RequestReregistration(Payload, frozen=True, kw_only=True):
    """A VTN asks a VEN to register again with its current ids (section 8.4.1 of the profile)."""

    __element__ = "oadr:oadrRequestReregistration"
    __schema_type__ = "oadr:oadrRequestReregistrationType"

    ven_id: Annotated[str, At("ei:venID")]
