"""Foreign content is judged as the official schema judges it."""

from collections.abc import Iterator
from typing import Final

import pytest
from lxml import etree

from oadr_core.messages.namespaces import NAMESPACES
from oadr_core.wire import schema
from oadr_core.wire.foreign import DOCUMENTS
from tests.wire.documents import document
from tests.wire.mutants import TYPES, Mutator, copy, remove, words

MUTANTS: Final = 4000

# --- documents -------------------------------------------------------------------------------------------------------

_POLL: Final = '<oadr:oadrPoll ei:schemaVersion="2.0b"><ei:venID>ven-1</ei:venID></oadr:oadrPoll>'

_X509: Final = """
<ds:X509Data>
  <ds:X509IssuerSerial>
    <ds:X509IssuerName>CN=Test CA</ds:X509IssuerName><ds:X509SerialNumber>4711</ds:X509SerialNumber>
  </ds:X509IssuerSerial>
  <ds:X509SKI>MTIzNA==</ds:X509SKI>
  <ds:X509SubjectName>CN=ven-1</ds:X509SubjectName>
  <ds:X509Certificate>TUlJQg==</ds:X509Certificate>
  <ds:X509CRL>TUlJQw==</ds:X509CRL>
  <ds11:X509Digest Algorithm="http://www.w3.org/2001/04/xmlenc#sha256">YWJj</ds11:X509Digest>
</ds:X509Data>
"""

_PLAIN_KEYS: Final = """
<ds:KeyName>ven-1</ds:KeyName>
<ds:KeyValue>
  <ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>
</ds:KeyValue>
<ds:KeyValue>
  <ds:DSAKeyValue>
    <ds:P>AQAB</ds:P><ds:Q>AQAB</ds:Q><ds:G>AQAB</ds:G><ds:Y>AQAB</ds:Y><ds:J>AQAB</ds:J>
    <ds:Seed>AQAB</ds:Seed><ds:PgenCounter>AQ==</ds:PgenCounter>
  </ds:DSAKeyValue>
</ds:KeyValue>
<ds:KeyValue><ds:DSAKeyValue><ds:Y>AQAB</ds:Y></ds:DSAKeyValue></ds:KeyValue>
<ds:RetrievalMethod URI="#key" Type="http://www.w3.org/2000/09/xmldsig#X509Data">
  <ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/></ds:Transforms>
</ds:RetrievalMethod>
<ds:PGPData><ds:PGPKeyID>AQAB</ds:PGPKeyID><ds:PGPKeyPacket>AQAB</ds:PGPKeyPacket><other xmlns="urn:x"/></ds:PGPData>
<ds:PGPData><ds:PGPKeyID/></ds:PGPData>
<ds:PGPData><ds:PGPKeyPacket>AQAB</ds:PGPKeyPacket><other xmlns="urn:x"/><other xmlns="urn:x"/></ds:PGPData>
<ds:SPKIData><ds:SPKISexp>AQAB</ds:SPKISexp><other xmlns="urn:x"/><ds:SPKISexp>AQAB</ds:SPKISexp></ds:SPKIData>
<ds:MgmtData>none</ds:MgmtData>
<ds11:DEREncodedKeyValue Id="der">AQAB</ds11:DEREncodedKeyValue>
<ds11:KeyInfoReference URI="#info" Id="ref"/>
"""

_FIELDS: Final = (
    "<ds11:Prime><ds11:P>AQAB</ds11:P></ds11:Prime>",
    "<ds11:TnB><ds11:M>233</ds11:M><ds11:K>74</ds11:K></ds11:TnB>",
    "<ds11:PnB><ds11:M>163</ds11:M><ds11:K1>3</ds11:K1><ds11:K2>6</ds11:K2><ds11:K3>7</ds11:K3></ds11:PnB>",
    "<ds11:GnB><ds11:M>163</ds11:M></ds11:GnB>",
    '<other xmlns="urn:x"/>',
)

_CURVES: Final = "".join(
    f"""
<ds:KeyValue>
  <ds11:ECKeyValue>
    <ds11:ECParameters>
      <ds11:FieldID>{field}</ds11:FieldID>
      <ds11:Curve><ds11:A>AQAB</ds11:A><ds11:B>AQAB</ds11:B></ds11:Curve>
      <ds11:Base>AQAB</ds11:Base>
      <ds11:Order>AQAB</ds11:Order>
      <ds11:CoFactor>1</ds11:CoFactor>
      <ds11:ValidationData hashAlgorithm="http://www.w3.org/2000/09/xmldsig#sha1">
        <ds11:seed>AQAB</ds11:seed>
      </ds11:ValidationData>
    </ds11:ECParameters>
    <ds11:PublicKey>AQAB</ds11:PublicKey>
  </ds11:ECKeyValue>
</ds:KeyValue>
"""
    for field in _FIELDS
)

_NAMED_CURVE: Final = """
<ds:KeyValue>
  <ds11:ECKeyValue Id="ec">
    <ds11:NamedCurve URI="urn:oid:1.2.840.10045.3.1.7"/><ds11:PublicKey>BGFiYw==</ds11:PublicKey>
  </ds11:ECKeyValue>
</ds:KeyValue>
"""

_REPLAY_PROTECT: Final = """
<p:ReplayProtect xmlns:p="http://openadr.org/oadr-2.0b/2012/07/xmldsig-properties">
  <p:timestamp>2024-05-01T12:00:00Z</p:timestamp><p:nonce>Kjs7</p:nonce>
</p:ReplayProtect>
"""

_OBJECTS: Final = f"""
<ds:Object Id="properties" MimeType="text/xml" Encoding="http://www.w3.org/2000/09/xmldsig#base64">
  <ds:SignatureProperties Id="all">
    <ds:SignatureProperty Target="#signature" Id="nonce">{_REPLAY_PROTECT}</ds:SignatureProperty>
    <ds:SignatureProperty Target="">{_REPLAY_PROTECT}{_REPLAY_PROTECT}</ds:SignatureProperty>
  </ds:SignatureProperties>
</ds:Object>
<ds:Object>
  Some text, <ei:venID>ven-1</ei:venID>, <other xmlns="urn:x" any="thing"/> and
  <ds:Manifest Id="manifest">
    <ds:Reference><ds:DigestMethod Algorithm="urn:d">x<other xmlns="urn:x"/></ds:DigestMethod>
      <ds:DigestValue>YWJj</ds:DigestValue></ds:Reference>
  </ds:Manifest>
</ds:Object>
"""


_PARAMETERS: Final = "<ei:venID>ven-1</ei:venID><ei:venID>ven-2</ei:venID>"

_REFERENCES: Final = """
<ds:Reference Id="object" URI="#signed" Type="http://www.w3.org/2000/09/xmldsig#Object">
  <ds:Transforms>
    <ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>
    <ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">
      <ds:XPath>self::oadr:oadrSignedObject</ds:XPath><other xmlns="urn:x"/>
    </ds:Transform>
  </ds:Transforms>
  <ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>
  <ds:DigestValue>YWJj</ds:DigestValue>
</ds:Reference>
<ds:Reference>
  <ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"><other xmlns="urn:x"/><other xmlns="urn:x"/>
  </ds:DigestMethod><ds:DigestValue>YWJj</ds:DigestValue>
</ds:Reference>
"""


def signature(key_info: str, objects: str = "") -> str:
    """Write an XML signature, well-formed in every respect but the mathematical one."""
    return f"""
<ds:Signature Id="signature">
  <ds:SignedInfo Id="info">
    <ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">
      text {_PARAMETERS}
    </ds:CanonicalizationMethod>
    <ds:SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#hmac-sha1">
      <ds:HMACOutputLength>128</ds:HMACOutputLength>{_PARAMETERS}
    </ds:SignatureMethod>
    {_REFERENCES}
  </ds:SignedInfo>
  <ds:SignatureValue Id="value">YWJj</ds:SignatureValue>
  <ds:KeyInfo Id="key">{key_info}</ds:KeyInfo>
  {objects}
</ds:Signature>
"""


def _entry(number: int, title: str, content: str) -> str:
    return f"""
<atom:entry>
  <atom:id>urn:uuid:7bc41774-7190-4864-841c-861ac76d46c{number}</atom:id>
  <atom:link rel="self" href="/espi/1_1/resource/RetailCustomer/9b6c7066/UsagePoint/{number}"/>
  <atom:title>{title}</atom:title>
  <atom:content type="application/xml">{content}</atom:content>
  <atom:published>2012-10-24T00:00:00Z</atom:published>
  <atom:updated>2012-10-24T00:00:00Z</atom:updated>
</atom:entry>
"""


_FEED_HEAD: Final = """
<atom:id>urn:uuid:0071C5A7-91CF-434E-8BCE-C38AC8AF215D</atom:id>
<atom:title type="text">Green Button</atom:title>
<atom:updated>2012-10-24T00:00:00.5Z</atom:updated>
"""

_SOURCE: Final = """
<atom:author xml:lang="en">
  <atom:name>Utility</atom:name><atom:uri>http://dc.example</atom:uri><atom:email>dc@dc.example</atom:email>
  <ei:venID>ven-1</ei:venID>
</atom:author>
<atom:contributor><atom:name>Meter</atom:name></atom:contributor>
<atom:category term="energy" scheme="http://dc.example/terms" label="Energy"/>
<atom:generator uri="http://dc.example/software" version="1.0">Software</atom:generator>
<atom:icon>http://dc.example/icon.png</atom:icon>
<atom:logo xml:base="http://dc.example">logo.png</atom:logo>
<atom:rights type="html">none</atom:rights>
<atom:subtitle type="xhtml">What is offered</atom:subtitle>
<atom:link href="/feed" rel="self" type="application/atom+xml" hreflang="en" title="Feed" length="100">x</atom:link>
"""

_USAGE_POINT: Final = """
<espi:UsagePoint>
  <espi:batchItemInfo>
    <espi:name>0A</espi:name><espi:operation>1</espi:operation>
    <espi:statusCode>200</espi:statusCode><espi:statusReason>as asked</espi:statusReason>
  </espi:batchItemInfo>
  <espi:roleFlags>0002</espi:roleFlags>
  <espi:ServiceCategory><espi:kind>0</espi:kind></espi:ServiceCategory>
  <espi:status>1</espi:status>
  <espi:ServiceDeliveryPoint>
    <espi:name>Main Street 1</espi:name><espi:tariffProfile>E-19</espi:tariffProfile>
    <espi:customerAgreement>4711</espi:customerAgreement>
  </espi:ServiceDeliveryPoint>
</espi:UsagePoint>
"""

_LOCAL_TIME: Final = """
<espi:LocalTimeParameters>
  <espi:dstEndRule>B40E2000</espi:dstEndRule><espi:dstOffset>3600</espi:dstOffset>
  <espi:dstStartRule>360E2000</espi:dstStartRule><espi:tzOffset>-28800</espi:tzOffset>
</espi:LocalTimeParameters>
"""

_READING_TYPE: Final = """
<espi:ReadingType>
  <espi:accumulationBehaviour>4</espi:accumulationBehaviour><espi:commodity>1</espi:commodity>
  <espi:consumptionTier>0</espi:consumptionTier><espi:currency>840</espi:currency>
  <espi:dataQualifier>12</espi:dataQualifier><espi:defaultQuality>17</espi:defaultQuality>
  <espi:flowDirection>1</espi:flowDirection><espi:intervalLength>900</espi:intervalLength><espi:kind>12</espi:kind>
  <espi:phase>769</espi:phase><espi:powerOfTenMultiplier>-3</espi:powerOfTenMultiplier>
  <espi:timeAttribute>0</espi:timeAttribute><espi:tou>1</espi:tou><espi:uom>72</espi:uom><espi:cpp>0</espi:cpp>
  <espi:interharmonic><espi:numerator>1</espi:numerator><espi:denominator>2</espi:denominator></espi:interharmonic>
  <espi:measuringPeriod>2</espi:measuringPeriod>
  <espi:argument><espi:numerator>-1</espi:numerator><espi:denominator/></espi:argument>
</espi:ReadingType>
"""

_INTERVAL_BLOCK: Final = """
<espi:IntervalBlock>
  <espi:interval><espi:duration>86400</espi:duration><espi:start>1330578000</espi:start></espi:interval>
  <espi:IntervalReading>
    <espi:cost>974</espi:cost>
    <espi:ReadingQuality><espi:quality>8</espi:quality></espi:ReadingQuality>
    <espi:ReadingQuality><espi:extension>sure</espi:extension><espi:quality>7</espi:quality></espi:ReadingQuality>
    <espi:timePeriod><espi:duration>900</espi:duration><espi:start>1330578000</espi:start></espi:timePeriod>
    <espi:value>282</espi:value>
  </espi:IntervalReading>
  <espi:IntervalReading><espi:value>-140737488355328</espi:value></espi:IntervalReading>
</espi:IntervalBlock>
"""

_SUMMARY_MEASUREMENTS: Final = {
    name: f"""
<espi:{name}>
  <espi:powerOfTenMultiplier>0</espi:powerOfTenMultiplier><espi:timeStamp>1330578000</espi:timeStamp>
  <espi:uom>72</espi:uom><espi:value>600000</espi:value>
</espi:{name}>
"""
    for name in (
        "overallConsumptionLastPeriod",
        "currentBillingPeriodOverAllConsumption",
        "currentDayLastYearNetConsumption",
        "currentDayNetConsumption",
        "currentDayOverallConsumption",
        "peakDemand",
        "previousDayLastYearOverallConsumption",
        "previousDayNetConsumption",
        "previousDayOverallConsumption",
        "ratchetDemand",
    )
}

_USAGE_SUMMARY: Final = f"""
<espi:ElectricPowerUsageSummary>
  <espi:billingPeriod><espi:duration>2592000</espi:duration><espi:start>1330578000</espi:start></espi:billingPeriod>
  <espi:billLastPeriod>15303000</espi:billLastPeriod><espi:billToDate>1135000</espi:billToDate>
  <espi:costAdditionalLastPeriod>1346000</espi:costAdditionalLastPeriod>
  <espi:costAdditionalDetailLastPeriod>
    <espi:amount>6700</espi:amount><espi:rounding>0</espi:rounding>
    <espi:dateTime>1330578000</espi:dateTime><espi:note>Demand charge</espi:note>
  </espi:costAdditionalDetailLastPeriod>
  <espi:costAdditionalDetailLastPeriod>
    <espi:amount>-1</espi:amount><espi:dateTime>1330578000</espi:dateTime><espi:note/>
  </espi:costAdditionalDetailLastPeriod>
  <espi:currency>840</espi:currency>
  {"".join(list(_SUMMARY_MEASUREMENTS.values())[:-1])}
  <espi:qualityOfReading>14</espi:qualityOfReading>
  {_SUMMARY_MEASUREMENTS["ratchetDemand"]}
  <espi:ratchetDemandPeriod><espi:start>1330578000</espi:start></espi:ratchetDemandPeriod>
  <espi:statusTimeStamp>1331000000</espi:statusTimeStamp>
</espi:ElectricPowerUsageSummary>
"""

_BARE_SUMMARY: Final = """
<espi:ElectricPowerUsageSummary><espi:statusTimeStamp>0</espi:statusTimeStamp></espi:ElectricPowerUsageSummary>
"""

_QUALITY_SUMMARY: Final = """
<espi:ElectricPowerQualitySummary>
  <espi:flickerPlt>1</espi:flickerPlt><espi:flickerPst>1</espi:flickerPst>
  <espi:harmonicVoltage>1</espi:harmonicVoltage><espi:longInterruptions>0</espi:longInterruptions>
  <espi:mainsVoltage>230</espi:mainsVoltage><espi:measurementProtocol>3</espi:measurementProtocol>
  <espi:powerFrequency>50</espi:powerFrequency><espi:rapidVoltageChanges>0</espi:rapidVoltageChanges>
  <espi:shortInterruptions>2</espi:shortInterruptions>
  <espi:summaryInterval><espi:duration>86400</espi:duration><espi:start>1330578000</espi:start></espi:summaryInterval>
  <espi:supplyVoltageDips>0</espi:supplyVoltageDips><espi:supplyVoltageImbalance>0</espi:supplyVoltageImbalance>
  <espi:supplyVoltageVariations>0</espi:supplyVoltageVariations><espi:tempOvervoltage>0</espi:tempOvervoltage>
</espi:ElectricPowerQualitySummary>
"""

_DESCRIPTION_FEED: Final = f"""
<atom:feed xml:lang="en" xml:base="http://dc.example/espi/" xml:space="default">
  {_FEED_HEAD}
  {_SOURCE}
  {_entry(1, "Front Electric Meter", _USAGE_POINT)}
  {_entry(2, "Local time", _LOCAL_TIME)}
  {_entry(3, "Meter Reading", "<espi:MeterReading/>")}
  <atom:entry>
    <atom:source>a text</atom:source>
    <atom:summary>Type of the readings</atom:summary>
    <atom:rights>none</atom:rights>
    <atom:author><atom:name>Utility</atom:name></atom:author>
    <atom:contributor><atom:name>Meter</atom:name></atom:contributor>
    <atom:category term="reading"/>
    <atom:content src="http://dc.example/type">Text {_READING_TYPE}</atom:content>
    <espi:ServiceStatus><espi:currentStatus>1</espi:currentStatus></espi:ServiceStatus>
  </atom:entry>
  <espi:Object><espi:extension xsi:type="atom:sourceType">{_SOURCE}{_FEED_HEAD}</espi:extension></espi:Object>
  <espi:IdentifiedObject><espi:extension a="b">t<other xmlns="urn:x"/></espi:extension></espi:IdentifiedObject>
</atom:feed>
"""

_PAYLOAD_FEED: Final = f"""
<atom:feed>
  {_FEED_HEAD}
  {_entry(1, "", _INTERVAL_BLOCK)}
  {_entry(2, "Usage Summary", _USAGE_SUMMARY)}
  {_entry(3, "Quality Summary", _QUALITY_SUMMARY)}
</atom:feed>
"""

_DESCRIPTIONS: Final = f"""
<oadr:oadrRegisterReport ei:schemaVersion="2.0b">
  <pyld:requestID>request-1</pyld:requestID>
  <oadr:oadrReport>
    <xcal:duration><xcal:duration>P1D</xcal:duration></xcal:duration>
    <oadr:oadrReportDescription>
      <ei:rID>green-button</ei:rID>
      <ei:reportType>usage</ei:reportType>
      <oadr:oadrGBDataDescription>{_DESCRIPTION_FEED}</oadr:oadrGBDataDescription>
      <ei:readingType>Direct Read</ei:readingType>
    </oadr:oadrReportDescription>
    <ei:reportRequestID>0</ei:reportRequestID>
    <ei:reportSpecifierID>offer-1</ei:reportSpecifierID>
    <ei:reportName>METADATA_HISTORY_GREENBUTTON</ei:reportName>
    <ei:createdDateTime>2024-05-01T12:00:00Z</ei:createdDateTime>
  </oadr:oadrReport>
  <ei:venID>ven-1</ei:venID>
</oadr:oadrRegisterReport>
"""

_DATA: Final = f"""
<oadr:oadrUpdateReport ei:schemaVersion="2.0b">
  <pyld:requestID>request-2</pyld:requestID>
  <oadr:oadrReport>
    <xcal:dtstart><xcal:date-time>2024-05-01T00:00:00Z</xcal:date-time></xcal:dtstart>
    <strm:intervals>
      <ei:interval><oadr:oadrGBPayload>{_PAYLOAD_FEED}</oadr:oadrGBPayload></ei:interval>
    </strm:intervals>
    <ei:reportRequestID>1</ei:reportRequestID>
    <ei:reportSpecifierID>offer-1</ei:reportSpecifierID>
    <ei:reportName>HISTORY_GREENBUTTON</ei:reportName>
    <ei:createdDateTime>2024-05-01T12:00:00Z</ei:createdDateTime>
  </oadr:oadrReport>
  <ei:venID>ven-1</ei:venID>
</oadr:oadrUpdateReport>
"""


VALID: Final = {
    "x509": document(_POLL, signature(_X509 + _NAMED_CURVE, _OBJECTS)),
    "keys": document(_POLL, signature(_PLAIN_KEYS)),
    "curves": document(_POLL, signature(_CURVES)),
    "descriptions": document(_DESCRIPTIONS),
    "data": document(_DATA),
    "signed data": document(_DATA, signature(_X509)),
}

WRONG: Final = {
    "no digest": ("x509", "<ds:DigestValue>YWJj</ds:DigestValue>", ""),
    "no digest method": ("keys", '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>', ""),
    "digest is no base64": ("x509", "<ds:DigestValue>YWJj<", "<ds:DigestValue>YWJ<"),
    "no algorithm": ("x509", ' Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"', ""),
    "unknown attribute": ("x509", "<ds:X509Data>", '<ds:X509Data Id="x">'),
    "qualified attribute": ("x509", '<ds:KeyInfo Id="key">', '<ds:KeyInfo ds:Id="key">'),
    "Id is no name": ("x509", '<ds:KeyInfo Id="key">', '<ds:KeyInfo Id="1">'),
    "Id twice": ("x509", '<ds:KeyInfo Id="key">', '<ds:KeyInfo Id="value">'),
    "no reference": ("x509", _REFERENCES, ""),
    "empty property": ("x509", f'"nonce">{_REPLAY_PROTECT}', '"nonce">'),
    "key info twice": ("x509", "</ds:KeyInfo>", "</ds:KeyInfo><ds:KeyInfo><ds:KeyName/></ds:KeyInfo>"),
    "key info empty": ("curves", _CURVES, ""),
    "unknown element of the same namespace": ("x509", _X509, "<ds:Unknown/>"),
    "text between elements": ("x509", "<ds:X509Data>", "<ds:X509Data>text"),
    "unknown element in a strict wildcard": (
        "x509",
        "</ds:HMACOutputLength>",
        '</ds:HMACOutputLength><o xmlns="urn:x"/>',
    ),
    "known element is wrong in a lax wildcard": ("x509", '<ds11:NamedCurve URI="urn:oid:1.2.840.10045.3.1.7"/>', ""),
    "two key values": ("x509", "</ds11:ECKeyValue>", '</ds11:ECKeyValue><o xmlns="urn:x"/>'),
    "P without Q": ("keys", "<ds:Q>AQAB</ds:Q>", ""),
    "serial number is no number": ("x509", "4711", "x"),
    "extension lacks its own element": ("curves", "<ds11:K>74</ds11:K>", ""),
    "extension lacks the base's element": ("curves", "<ds11:M>233</ds11:M>", ""),
    "feed with an unknown atom element": ("data", "<atom:feed>", "<atom:feed><atom:content/>"),
    "feed with an undeclared element": ("data", "<atom:feed>", '<atom:feed><o xmlns="urn:x"/>'),
    "feed with an undeclared attribute": ("data", "<atom:feed>", '<atom:feed xmlns:x="urn:x" x:a="">'),
    "feed with text": ("data", "<atom:feed>", "<atom:feed>text"),
    "date without time": ("data", "2012-10-24T00:00:00Z", "2012-10-24"),
    "no such text type": ("descriptions", '<atom:title type="text">', '<atom:title type="plain">'),
    "XHTML, for which there is no schema": ("descriptions", "What is", '<b xmlns="http://www.w3.org/1999/xhtml"/>'),
    "no such email address": ("descriptions", "dc@dc.example", "dc@example"),
    "no language": ("descriptions", 'xml:lang="en"', 'xml:lang="?"'),
    "no such xml:space": ("descriptions", 'xml:space="default"', 'xml:space="none"'),
    "category without term": ("descriptions", 'term="energy"', ""),
    "link of negative length": ("descriptions", 'length="100"', 'length="-1"'),
    "readings before the interval": ("data", "<espi:interval>", "<espi:IntervalReading/><espi:interval>"),
    "time zone without rule": ("descriptions", "<espi:dstStartRule>360E2000</espi:dstStartRule>", ""),
    "inherited element behind the own": ("data", "<espi:value>282</espi:value>", "<espi:extension/>"),
    "number too small": ("data", "-140737488355328", "-140737488355329"),
    "code beyond 16 bits": ("descriptions", "<espi:phase>769<", "<espi:phase>65536<"),
    "flags beyond 16 bits": ("descriptions", "<espi:roleFlags>0002<", "<espi:roleFlags>000002<"),
    "flags that are no hex": ("descriptions", "<espi:roleFlags>0002<", "<espi:roleFlags>g0<"),
    "text too long": ("descriptions", "Main Street 1", "x" * 257),
    "no summary interval": ("data", "summaryInterval>", "summaryInterval2>"),
    "type that is not derived": ("data", "<espi:interval>", '<espi:interval xsi:type="espi:LineItem">'),
    "type that is not known": ("data", "<espi:interval>", '<espi:interval xsi:type="espi:Interval">'),
    "type that is a part of a union": ("data", "<espi:currency>840", '<espi:currency xsi:type="xs:unsignedShort">840'),
}
"""What is wrong, and how to make it from a valid document: its name, a text in it, and another text."""

RIGHT: Final = {
    "methods without parameters": ("x509", _PARAMETERS, ""),
    "code that is on no list": ("descriptions", "<espi:phase>769<", "<espi:phase>65535<"),
    "feed without elements": ("data", _PAYLOAD_FEED, "<atom:feed/>"),
    "entry without elements": ("data", "<atom:feed>", "<atom:feed><atom:entry/>"),
    "person without elements": ("data", "<atom:feed>", "<atom:feed><atom:author/>"),
    "elements of a feed in any order, any number": ("data", "</atom:feed>", f"{_FEED_HEAD}<atom:id/></atom:feed>"),
    "summary without figures": ("data", _USAGE_SUMMARY, _BARE_SUMMARY),
    "known attribute": ("data", "<atom:feed>", '<atom:feed ei:schemaVersion="2.0a">'),
    "derived type": ("data", "<atom:feed>", '<atom:feed><espi:Object xsi:type="espi:ReadingType"/>'),
    "type of no element": ("data", "<espi:quality>8", '<espi:extension xsi:type="atom:sourceType"/><espi:quality>8'),
    "member of a union": ("data", "<espi:currency>840", '<espi:currency xsi:type="espi:UInt16">840'),
    "comments": ("x509", "<ds:X509Data>", "<ds:X509Data><!-- c --><?p i?>"),
}
"""What the official schema admits, however odd, made in the same way."""


def mended(recipe: tuple[str, str, str]) -> str:
    """Make a document by a recipe of ``WRONG`` or ``RIGHT``."""
    name, old, new = recipe
    assert old in VALID[name]
    return VALID[name].replace(old, new)


def admits(judge: etree.XMLSchema, text: str) -> bool:
    """Ask a schema for its verdict. The text is parsed anew, as a validation leaves its marks on the IDs of a tree."""
    return judge.validate(etree.fromstring(text))


# --- mutations -------------------------------------------------------------------------------------------------------


_TEXTS: Final = (
    *words("0 1 -1 +7 255 256 -32768 -32769 65535 65536 4294967296 140737488355327 140737488355328 1.0 1e3"),
    *words("00 0aFF 0123456789 ABC AQ== true 2.0a 2.0b x-own P1D 2024-05-01T12:00:00Z 2024-05-01"),
    *words("text html en en-US default x@y.z http://a/b : %% #1"),
    *("", " ", "\n", "a b", "A Q A B", "x" * 256, "x" * 257),
)

_FEW_TEXTS: Final = ("", "2", "-1", "65536", "AQAB", "a b", "x" * 257)


_ATTRIBUTES: Final = (
    *words("Id URI Type Target Algorithm MimeType type src href hreflang length term title"),
    *words("xml:lang xml:base xml:space xsi:nil xsi:schemaLocation ei:schemaVersion ds:Id atom:type"),
)
_FOREIGN: Final = {NAMESPACES[prefix] for prefix in DOCUMENTS}


def single_changes(text: str) -> Iterator[str]:
    """Drop and double each foreign element, drop each attribute, and put each of some texts where there is a text."""
    root = etree.fromstring(text)
    for element in [one for one in root.iterdescendants("*") if etree.QName(one).namespace in _FOREIGN]:
        again = copy(element)
        element.addnext(again)
        yield etree.tostring(root, encoding="unicode")
        remove(again)
        parent = element.getparent()
        assert parent is not None
        place = parent.index(element)
        parent.remove(element)
        yield etree.tostring(root, encoding="unicode")
        parent.insert(place, element)
        if len(element) == 0:
            kept = element.text
            for element.text in _FEW_TEXTS:
                yield etree.tostring(root, encoding="unicode")
            element.text = kept
        for name, value in element.items():
            del element.attrib[name]
            yield etree.tostring(root, encoding="unicode")
            for other in _FEW_TEXTS:
                element.set(name, other)
                yield etree.tostring(root, encoding="unicode")
            element.set(name, value)


# --- tests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VALID)
def test_valid(name: str) -> None:
    schema.schema().assertValid(etree.fromstring(VALID[name]))


@pytest.mark.parametrize("name", RIGHT)
def test_odd_but_valid(name: str) -> None:
    schema.schema().assertValid(etree.fromstring(mended(RIGHT[name])))


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name: str) -> None:
    assert not admits(schema.schema(), mended(WRONG[name]))


def test_documents_are_judged_as_by_the_official_schema(official_schema: etree.XMLSchema) -> None:
    for text in (*VALID.values(), *map(mended, RIGHT.values())):
        official_schema.assertValid(etree.fromstring(text))
    for name, recipe in WRONG.items():
        assert not admits(official_schema, mended(recipe)), name


@pytest.mark.parametrize("name", VALID)
def test_single_changes_are_judged_as_by_the_official_schema(name: str, official_schema: etree.XMLSchema) -> None:
    for changed in single_changes(VALID[name]):
        assert admits(schema.schema(), changed) == admits(official_schema, changed), changed


@pytest.mark.parametrize("prefix", DOCUMENTS)
def test_every_type_judges_texts_as_in_the_official_schema(prefix: str, official_schema: etree.XMLSchema) -> None:
    for type_ in (name for name in TYPES if name.startswith(f"{prefix}:")):
        for text in (*_TEXTS, "7bc41774-7190-4864-841c-861ac76d46c1", "x" * 33, "x" * 65, "281474976710656"):
            extension = f'<espi:Object><espi:extension xsi:type="{type_}">{text}</espi:extension></espi:Object>'
            changed = VALID["data"].replace("<atom:feed>", f"<atom:feed>{extension}")
            assert admits(schema.schema(), changed) == admits(official_schema, changed), (type_, text)


@pytest.mark.parametrize("name", VALID)
def test_mutants_are_judged_as_by_the_official_schema(name: str, official_schema: etree.XMLSchema) -> None:
    mutator = Mutator(list(VALID).index(name), _TEXTS, _ATTRIBUTES, _FOREIGN)
    verdicts = set()
    for _ in range(MUTANTS // len(VALID)):
        mutant = mutator.mutant(VALID[name]).text
        verdict = admits(official_schema, mutant)
        assert admits(schema.schema(), mutant) == verdict, mutant
        verdicts.add(verdict)
    assert verdicts == {False, True}
