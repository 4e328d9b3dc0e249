r"""The foreign vocabularies that a document may carry whole: XML signatures, Atom feeds, Green Button (ESPI) content.

Each is a table of declarations. A declaration begins in the first column, and its further lines are indented::

    <KeyName> xs:string                                a global element and its type
    NamedCurveType: ; @URI xs:anyURI                   a type with content: elements; attributes
    <TnB> TnBType(CharTwoType): K xs:positiveInteger   a type that extends another, together with its global element
    SignatureValueType = xs:base64Binary; @Id xs:ID?   a type that is a text; attributes
    HexBinary8 = xs:hexBinary maxLength=1              a text restricted by facets
    StatusCode = union UInt16                          a text that may be of any of the types named
    @lang xs:language?                                 a global attribute
    &common: @xml:lang?, @xml:base?                    a group of attributes, which types take by ``&common``

A name without a prefix belongs to the vocabulary itself. Content and attributes are written like this:

* ``name`` refers to a global element, ``name type`` declares one in place; ``@name`` and ``@name type`` do so for
  attributes, and ``@name one|other`` declares an attribute that must have one of these values;
* ``a, b`` is a sequence, ``a | b`` a choice; parentheses group; ``mixed`` in front admits text between the elements;
* ``{##any}`` is an element of any namespace, ``{##other}`` one of any namespace but the vocabulary's own, ``{uri}`` one
  of the namespace named, and ``@{##other}`` any number of such attributes. They have to be declared in one of the
  schemas; a ``~`` behind admits elements that are not declared, too;
* ``?``, ``*`` and ``+`` behind an element or a group say how often it occurs; ``?`` behind an attribute, that it may be
  absent.

The tables state what the official schemas admit, oddities included. Whatever changes no verdict is left out.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from oadr_core.messages.namespaces import NAMESPACES

_XML: Final = """
@base xs:anyURI?
@lang xs:language?
@space default|preserve?
"""

_DS: Final = """
CryptoBinary = xs:base64Binary
<Signature> SignatureType: SignedInfo, SignatureValue, KeyInfo?, Object*; @Id xs:ID?
<SignatureValue> SignatureValueType = xs:base64Binary; @Id xs:ID?
<SignedInfo> SignedInfoType: CanonicalizationMethod, SignatureMethod, Reference+; @Id xs:ID?
<CanonicalizationMethod> CanonicalizationMethodType: mixed {##any}*; @Algorithm xs:anyURI
<SignatureMethod> SignatureMethodType: mixed HMACOutputLength HMACOutputLengthType?, {##other}*; @Algorithm xs:anyURI
HMACOutputLengthType = xs:integer
<Reference> ReferenceType: Transforms?, DigestMethod, DigestValue; @Id xs:ID?, @URI xs:anyURI?, @Type xs:anyURI?
<Transforms> TransformsType: Transform+
<Transform> TransformType: mixed ({##other}~ | XPath xs:string)*; @Algorithm xs:anyURI
<DigestMethod> DigestMethodType: mixed {##other}~*; @Algorithm xs:anyURI
<DigestValue> DigestValueType = xs:base64Binary

<KeyInfo> KeyInfoType: mixed
    (KeyName | KeyValue | RetrievalMethod | X509Data | PGPData | SPKIData | MgmtData | {##other}~)+; @Id xs:ID?
<KeyName> xs:string
<MgmtData> xs:string
<KeyValue> KeyValueType: mixed DSAKeyValue | RSAKeyValue | {##other}~
<DSAKeyValue> DSAKeyValueType: (P CryptoBinary, Q CryptoBinary)?, G CryptoBinary?, Y CryptoBinary, J CryptoBinary?,
    (Seed CryptoBinary, PgenCounter CryptoBinary)?
<RSAKeyValue> RSAKeyValueType: Modulus CryptoBinary, Exponent CryptoBinary
<RetrievalMethod> RetrievalMethodType: Transforms?; @URI xs:anyURI?, @Type xs:anyURI?
<X509Data> X509DataType: (X509IssuerSerial X509IssuerSerialType | X509SKI xs:base64Binary | X509SubjectName xs:string
    | X509Certificate xs:base64Binary | X509CRL xs:base64Binary | {##other}~)+
X509IssuerSerialType: X509IssuerName xs:string, X509SerialNumber xs:integer
<PGPData> PGPDataType: (PGPKeyID xs:base64Binary, PGPKeyPacket xs:base64Binary?, {##other}~*)
    | (PGPKeyPacket xs:base64Binary, {##other}~*)
<SPKIData> SPKIDataType: (SPKISexp xs:base64Binary, {##other}~?)+

<Object> ObjectType: mixed {##any}~*; @Id xs:ID?, @MimeType xs:string?, @Encoding xs:anyURI?
<Manifest> ManifestType: Reference+; @Id xs:ID?
<SignatureProperties> SignaturePropertiesType: SignatureProperty+; @Id xs:ID?
<SignatureProperty> SignaturePropertyType: mixed {##other}~+; @Target xs:anyURI, @Id xs:ID?
"""

_DS11: Final = """
<ECKeyValue> ECKeyValueType:
    (ECParameters ECParametersType | NamedCurve NamedCurveType), PublicKey ECPointType; @Id xs:ID?
NamedCurveType: ; @URI xs:anyURI
ECPointType = ds:CryptoBinary
ECParametersType: FieldID FieldIDType, Curve CurveType, Base ECPointType, Order ds:CryptoBinary, CoFactor xs:integer?,
    ValidationData ECValidationDataType?
FieldIDType: Prime | TnB | PnB | GnB | {##other}~
CurveType: A ds:CryptoBinary, B ds:CryptoBinary
ECValidationDataType: seed ds:CryptoBinary; @hashAlgorithm xs:anyURI
<Prime> PrimeFieldParamsType: P ds:CryptoBinary
<GnB> CharTwoFieldParamsType: M xs:positiveInteger
<TnB> TnBFieldParamsType(CharTwoFieldParamsType): K xs:positiveInteger
<PnB> PnBFieldParamsType(CharTwoFieldParamsType):
    K1 xs:positiveInteger, K2 xs:positiveInteger, K3 xs:positiveInteger
<DEREncodedKeyValue> DEREncodedKeyValueType = xs:base64Binary; @Id xs:ID?
<KeyInfoReference> KeyInfoReferenceType: ; @URI xs:anyURI, @Id xs:ID?
<X509Digest> X509DigestType = xs:base64Binary; @Algorithm xs:anyURI
"""

# The official schema asks a feed for three elements, but counts ones that are absent too, so that none need be there.
_ATOM: Final = r"""
&common: @xml:base?, @xml:lang?, @{##other}
<feed> feedType: (author personType | category categoryType | contributor personType | generator generatorType
    | icon iconType | id idType | link linkType | logo logoType | rights textType | subtitle textType | title textType
    | updated dateTimeType | entry entryType | {##other})*; &common
<entry> entryType: (author personType | category categoryType | content contentType | contributor personType | id idType
    | link linkType | published dateTimeType | rights textType | source textType | summary textType | title textType
    | updated dateTimeType | {##other})*; &common
sourceType: (author personType | category categoryType | contributor personType | generator generatorType
    | icon iconType | id idType | link linkType | logo logoType | rights textType | subtitle textType | title textType
    | updated dateTimeType | {##other})*; &common
personType: (name xs:string | uri uriType | email emailType | {##other})*; &common
textType: mixed {http://www.w3.org/1999/xhtml}?; @type text|html|xhtml?, &common
contentType: mixed {##other}*; @type xs:string?, @src xs:anyURI?, &common
categoryType: ; @term xs:string, @scheme xs:anyURI?, @label xs:string?, &common
linkType: mixed; @href xs:anyURI, @rel xs:string?, @type xs:string?, @hreflang xs:NMTOKEN?, @title xs:string?,
    @length xs:positiveInteger?, &common
generatorType = xs:string; @uri xs:anyURI?, @version xs:string?, &common
iconType = xs:anyURI; &common
idType = xs:anyURI; &common
logoType = xs:anyURI; &common
uriType = xs:anyURI; &common
dateTimeType = xs:dateTime; &common
emailType = xs:normalizedString pattern=\w+@(\w+\.)+\w+
"""

# The official schema also lists the codes of each union, but unites the list with all of UInt16 (or Int16).
_ESPI: Final = """
<Object> Object: extension xs:anyType*
<IdentifiedObject> IdentifiedObject(Object): batchItemInfo BatchItemInfo?
<BatchItemInfo> BatchItemInfo(Object): name HexBinary16?, operation CRUDOperation?, statusCode StatusCode?,
    statusReason String256?
<ServiceStatus> ServiceStatus(Object): currentStatus ESPIServiceStatus

<UsagePoint> UsagePoint(IdentifiedObject): roleFlags HexBinary16?, ServiceCategory ServiceCategory?, status UInt8?,
    ServiceDeliveryPoint ServiceDeliveryPoint?
ServiceCategory(Object): kind ServiceKind
ServiceDeliveryPoint(Object): name String256?, tariffProfile String256?, customerAgreement String256?
<LocalTimeParameters> TimeConfiguration(IdentifiedObject): dstEndRule DstRuleType, dstOffset TimeType,
    dstStartRule DstRuleType, tzOffset TimeType
<MeterReading> MeterReading(IdentifiedObject):
<ReadingType> ReadingType(IdentifiedObject): accumulationBehaviour AccumulationKind?, commodity CommodityKind?,
    consumptionTier Int16?, currency Currency?, dataQualifier DataQualifierKind?, defaultQuality QualityOfReading?,
    flowDirection FlowDirectionKind?, intervalLength UInt32?, kind MeasurementKind?, phase PhaseCodeKind?,
    powerOfTenMultiplier UnitMultiplierKind?, timeAttribute TimePeriodOfInterest?, tou Int16?, uom UnitSymbolKind?,
    cpp Int16?, interharmonic ReadingInterharmonic?, measuringPeriod TimeAttributeKind?, argument RationalNumber?
RationalNumber: numerator xs:integer?, denominator xs:anyType?
ReadingInterharmonic: numerator xs:integer?, denominator xs:anyType?
<IntervalBlock> IntervalBlock(IdentifiedObject): interval DateTimeInterval?, IntervalReading IntervalReading*
<DateTimeInterval> DateTimeInterval(Object): duration UInt32?, start TimeType?
<IntervalReading> IntervalReading(Object): cost Int48?, ReadingQuality ReadingQuality*, timePeriod DateTimeInterval?,
    value Int48?
<ReadingQuality> ReadingQuality(Object): quality QualityOfReading

<ElectricPowerQualitySummary> ElectricPowerQualitySummary(IdentifiedObject): flickerPlt Int48?, flickerPst Int48?,
    harmonicVoltage Int48?, longInterruptions Int48?, mainsVoltage Int48?, measurementProtocol UInt8?,
    powerFrequency Int48?, rapidVoltageChanges Int48?, shortInterruptions Int48?, summaryInterval DateTimeInterval,
    supplyVoltageDips Int48?, supplyVoltageImbalance Int48?, supplyVoltageVariations Int48?, tempOvervoltage Int48?
<ElectricPowerUsageSummary> ElectricPowerUsageSummary(IdentifiedObject): billingPeriod DateTimeInterval?,
    billLastPeriod Int48?, billToDate Int48?, costAdditionalLastPeriod Int48?, costAdditionalDetailLastPeriod LineItem*,
    currency Currency?, overallConsumptionLastPeriod SummaryMeasurement?,
    currentBillingPeriodOverAllConsumption SummaryMeasurement?, currentDayLastYearNetConsumption SummaryMeasurement?,
    currentDayNetConsumption SummaryMeasurement?, currentDayOverallConsumption SummaryMeasurement?,
    peakDemand SummaryMeasurement?, previousDayLastYearOverallConsumption SummaryMeasurement?,
    previousDayNetConsumption SummaryMeasurement?, previousDayOverallConsumption SummaryMeasurement?,
    qualityOfReading QualityOfReading?, ratchetDemand SummaryMeasurement?, ratchetDemandPeriod DateTimeInterval?,
    statusTimeStamp TimeType
<SummaryMeasurement> SummaryMeasurement(Object): powerOfTenMultiplier UnitMultiplierKind?, timeStamp TimeType?,
    uom UnitSymbolKind?, value Int48?
LineItem: amount Int48, rounding Int48?, dateTime TimeType, note String256

UInt8 = xs:unsignedByte
UInt16 = xs:unsignedShort
UInt32 = xs:unsignedInt
UInt48 = xs:unsignedLong maxInclusive=281474976710655
Int16 = xs:short
Int48 = xs:long minInclusive=-140737488355328 maxInclusive=140737488355328
TimeType = xs:long
HexBinary8 = xs:hexBinary maxLength=1
HexBinary16 = xs:hexBinary maxLength=2
HexBinary32 = xs:hexBinary maxLength=4
HexBinary128 = xs:hexBinary maxLength=16
DstRuleType = HexBinary32
String32 = xs:string maxLength=32
String64 = xs:string maxLength=64
String256 = xs:string maxLength=256
UUIDType = xs:string pattern=[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}

AccumulationKind = union UInt16
AuthorizationStatus = union UInt16
CRUDOperation = union UInt16
CommodityKind = union UInt16
Currency = union UInt16
DataCustodianApplicationStatus = union UInt16
DataQualifierKind = union UInt16
ESPIServiceStatus = union UInt16
FlowDirectionKind = union UInt16
MeasurementKind = union UInt16
PhaseCodeKind = union UInt16
QualityOfReading = union UInt16
ServiceKind = union UInt16
StatusCode = union UInt16
ThirdPartyApplicationType = union UInt16
ThirdPartyApplicationUse = union UInt16
ThirdPartyApplicatonStatus = union UInt16
TimeAttributeKind = union UInt16
TimePeriodOfInterest = union UInt16
UnitMultiplierKind = union Int16
UnitSymbolKind = union UInt16
"""

_TABLES: Final = {"xml": _XML, "ds": _DS, "ds11": _DS11, "atom": _ATOM, "espi": _ESPI}

_DECLARATION: Final = re.compile(
    r"(?:<(?P<element>\w+)> )?(?P<type>(?:xs:)?\w+)(?:\((?P<base>\w+)\))?(?:(?P<kind>: mixed|:| =)(?P<body>.*))?"
)
_PIECE: Final = re.compile(r"[(|,]|\)[?*+]?|[^\s(|,)][^(|,)]*")
_OCCURS: Final = {
    "": "",
    "?": ' minOccurs="0"',
    "*": ' minOccurs="0" maxOccurs="unbounded"',
    "+": ' maxOccurs="unbounded"',
}


def _document(prefix: str, table: str) -> str:
    """Translate a table to a schema document."""
    names = "".join(f' xmlns:{name}="{uri}"' for name, uri in NAMESPACES.items() if name != "xml")
    if prefix != "xml":  # that namespace must not be made the default; its table needs none
        names += f' xmlns="{NAMESPACES[prefix]}"'
    imports = "".join(
        f'<xs:import namespace="{NAMESPACES[name]}" schemaLocation="oadr-schema/{name}"/>'
        for name in _TABLES
        if name != prefix
    )
    declarations = "".join(_declaration(" ".join(line.split())) for line in re.split(r"\n+(?=\S)", table.strip()))
    return (
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"{names} targetNamespace="{NAMESPACES[prefix]}" '
        f'elementFormDefault="qualified">{imports}{declarations}</xs:schema>'
    )


def _declaration(line: str) -> str:
    if line.startswith("@"):
        return _attribute(line)
    if line.startswith("&"):
        name, _, attributes = line[1:].partition(":")
        return f'<xs:attributeGroup name="{name}">{_attributes(attributes)}</xs:attributeGroup>'
    match = _DECLARATION.fullmatch(line)
    if match is None:
        raise ValueError(line)
    content, _, attributes = (match["body"] or "").partition(";")
    text = f'<xs:element name="{match["element"]}" type="{match["type"]}"/>' if match["element"] else ""
    if match["kind"] == " =":
        return text + _text_type(match["type"], content, _attributes(attributes))
    if match["kind"]:
        body = _group(iter(_PIECE.findall(content + ")"))) + _attributes(attributes)
        return text + _complex_type(match["type"], match["base"], body, mixed=match["kind"] == ": mixed")
    return text


def _text_type(name: str, text: str, attributes: str) -> str:
    base, *rest = text.split()
    if attributes:
        extension = f'<xs:extension base="{base}">{attributes}</xs:extension>'
        return f'<xs:complexType name="{name}"><xs:simpleContent>{extension}</xs:simpleContent></xs:complexType>'
    if base == "union":
        return f'<xs:simpleType name="{name}"><xs:union memberTypes="{" ".join(rest)}"/></xs:simpleType>'
    facets = "".join(f'<xs:{facet} value="{value}"/>' for facet, value in (item.split("=", 1) for item in rest))
    return f'<xs:simpleType name="{name}"><xs:restriction base="{base}">{facets}</xs:restriction></xs:simpleType>'


def _complex_type(name: str, base: str | None, body: str, *, mixed: bool) -> str:
    if base:
        body = f'<xs:complexContent><xs:extension base="{base}">{body}</xs:extension></xs:complexContent>'
    mark = ' mixed="true"' if mixed else ""
    return f'<xs:complexType name="{name}"{mark}>{body}</xs:complexType>'


def _group(pieces: Iterator[str]) -> str:
    """Translate particles up to the closing parenthesis of their group."""
    kind, particles = "sequence", ""
    while not (piece := next(pieces)).startswith(")"):
        if piece == "(":
            particles += _group(pieces)
        elif piece == "|":
            kind = "choice"
        elif piece != ",":
            particles += _particle(piece.strip())
    return f"<xs:{kind}{_OCCURS[piece[1:]]}>{particles}</xs:{kind}>"


def _particle(item: str) -> str:
    what = item.rstrip("?*+")
    occurs = _OCCURS[item[len(what) :]]
    if what.startswith("{"):
        process = "lax" if what.endswith("~") else "strict"
        return f'<xs:any namespace="{what.strip("{}~")}" processContents="{process}"{occurs}/>'
    name, _, type_ = what.partition(" ")
    if not type_:
        return f'<xs:element ref="{name}"{occurs}/>'
    return f'<xs:element name="{name}" type="{type_}"{occurs}/>'


def _attributes(items: str) -> str:
    return "".join(_attribute(item.strip()) for item in items.split(",") if item)


def _attribute(item: str) -> str:
    if item.startswith("&"):
        return f'<xs:attributeGroup ref="{item[1:]}"/>'
    if item.startswith("@{"):
        return f'<xs:anyAttribute namespace="{item[2:-1]}"/>'
    name, _, type_ = item[1:].removesuffix("?").partition(" ")
    use = "" if item.endswith("?") else ' use="required"'
    if not type_:
        return f'<xs:attribute ref="{name}"{use}/>'
    if "|" not in type_:
        return f'<xs:attribute name="{name}" type="{type_}"{use}/>'
    values = "".join(f'<xs:enumeration value="{value}"/>' for value in type_.split("|"))
    restriction = f'<xs:simpleType><xs:restriction base="xs:token">{values}</xs:restriction></xs:simpleType>'
    return f'<xs:attribute name="{name}"{use}>{restriction}</xs:attribute>'


DOCUMENTS: Final[Mapping[str, str]] = {prefix: _document(prefix, table) for prefix, table in _TABLES.items()}
"""A schema document for each foreign namespace, by the prefix that this package gives it."""
