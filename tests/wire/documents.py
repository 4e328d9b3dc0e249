"""Documents as peers send them: one or more for each of the 23 payloads, all valid by the official schema."""

from typing import Final

from oadr_core.messages.namespaces import NAMESPACES

XS: Final = "http://www.w3.org/2001/XMLSchema"


def document(payload: str, signature: str = "") -> str:
    """Wrap a payload, and declare every prefix so that a mutation can use any of them."""
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items() if prefix != "xml")
    return (
        f'<oadr:oadrPayload {names} xmlns:xs="{XS}">{signature}'
        f'<oadr:oadrSignedObject oadr:Id="signed">{payload}</oadr:oadrSignedObject></oadr:oadrPayload>'
    )


# --- parts -----------------------------------------------------------------------------------------------------------


def response(code: int = 200, description: str = "OK", request_id: str = "request-1") -> str:
    """Write the block that says how a request fared."""
    return (
        f"<ei:eiResponse><ei:responseCode>{code}</ei:responseCode>"
        f"<ei:responseDescription>{description}</ei:responseDescription>"
        f"<pyld:requestID>{request_id}</pyld:requestID></ei:eiResponse>"
    )


def nested(element: str, duration: str) -> str:
    """Write a duration as most elements hold it: in an element of its own."""
    return f"<{element}><xcal:duration>{duration}</xcal:duration></{element}>"


def starting(instant: str) -> str:
    """Write a dtstart."""
    return f"<xcal:dtstart><xcal:date-time>{instant}</xcal:date-time></xcal:dtstart>"


def signal_interval(uid: int, duration: str, value: str) -> str:
    """Write an interval of a signal."""
    return (
        f"<ei:interval>{nested('xcal:duration', duration)}<xcal:uid><xcal:text>{uid}</xcal:text></xcal:uid>"
        f"<ei:signalPayload>{number(value)}</ei:signalPayload></ei:interval>"
    )


def number(value: str) -> str:
    """Write a number as payloads hold it."""
    return f"<ei:payloadFloat><ei:value>{value}</ei:value></ei:payloadFloat>"


def unit(element: str, description: str, units: str, scale: str = "none", more: str = "") -> str:
    """Write a unit of measurement."""
    prefix = element.partition(":")[0]
    return (
        f"<{element}><{prefix}:itemDescription>{description}</{prefix}:itemDescription>"
        f"<{prefix}:itemUnits>{units}</{prefix}:itemUnits><scale:siScaleCode>{scale}</scale:siScaleCode>{more}</{element}>"
    )


_POWER_ATTRIBUTES: Final = (
    "<power:powerAttributes><power:hertz>50</power:hertz><power:voltage>230.0</power:voltage>"
    "<power:ac>true</power:ac></power:powerAttributes>"
)
_POWER: Final = unit("power:powerReal", "RealPower", "W", "k", _POWER_ATTRIBUTES)
_ENERGY: Final = unit("power:energyReal", "RealEnergy", "Wh", "k")
_EURO: Final = unit("oadr:currencyPerKWh", "currencyPerKWh", "EUR")
_PULSES: Final = (
    "<oadr:pulseCount><oadr:itemDescription>pulse count</oadr:itemDescription><oadr:itemUnits>count</oadr:itemUnits>"
    "<oadr:pulseFactor>0.125</oadr:pulseFactor></oadr:pulseCount>"
)
_CHOSEN: Final = (
    '<power:powerItem xsi:type="power:PowerRealType"><power:itemDescription/><power:itemUnits>J/s</power:itemUnits>'
    f"<scale:siScaleCode>M</scale:siScaleCode>{_POWER_ATTRIBUTES}</power:powerItem>"
)

_UNITS: Final = (
    unit("power:voltage", "Voltage", "V"),
    _ENERGY,
    unit("power:energyApparent", "ApparentEnergy", "VAh"),
    unit("power:energyReactive", "ReactiveEnergy", "VARh", "M"),
    _POWER,
    unit("power:powerReal", "RealPower", "J/s", "none", _POWER_ATTRIBUTES),
    unit("power:powerApparent", "ApparentPower", "VA", "G", _POWER_ATTRIBUTES),
    unit("power:powerReactive", "ReactivePower", "VAR", "T", _POWER_ATTRIBUTES),
    _CHOSEN,
    unit("oadr:current", "Current", "A", "m"),
    unit("oadr:frequency", "Frequency", "Hz", "micro"),
    unit("oadr:Therm", "Therm", "thm", "n"),
    unit("oadr:temperature", "temperature", "celsius", "p"),
    unit("oadr:temperature", "temperature", "fahrenheit", "c"),
    _PULSES,
    unit("oadr:currency", "currency", "EUR", "d"),
    unit("oadr:currencyPerKW", "currencyPerKW", "USD"),
    _EURO,
    unit("oadr:currencyPerThm", "currency", "GBP"),
    unit("oadr:customUnit", "moisture", "%"),
)
"""Every quantity, with the texts and the scales that it may have."""

_AREA: Final = (
    '<gml:FeatureCollection gml:id="{0}"><gml:location><gml:Polygon gml:id="{0}-ring"><gml:exterior><gml:LinearRing>'
    "<gml:posList>52.1 5.1 52.2 5.1 52.2 5.2 52.1 5.1</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon>"
    "</gml:location></gml:FeatureCollection>"
)
_EVERY_TARGET: Final = f"""
<ei:eiTarget>
  <power:aggregatedPnode><power:node>zone-1</power:node></power:aggregatedPnode>
  <power:endDeviceAsset><power:mrid>Thermostat</power:mrid></power:endDeviceAsset>
  <power:meterAsset><power:mrid>meter-1</power:mrid></power:meterAsset>
  <power:pnode><power:node>node-1</power:node></power:pnode>
  <emix:serviceArea>{_AREA.format("area")}</emix:serviceArea>
  <power:serviceDeliveryPoint><power:node>point-1</power:node></power:serviceDeliveryPoint>
  <power:serviceLocation>{_AREA.format("location")}</power:serviceLocation>
  <power:transportInterface>
    <power:pointOfReceipt>north</power:pointOfReceipt><power:pointOfDelivery>south</power:pointOfDelivery>
  </power:transportInterface>
  <ei:groupID>group-1</ei:groupID><ei:groupName>Pumps</ei:groupName>
  <ei:resourceID>pump-1</ei:resourceID><ei:resourceID>pump-2</ei:resourceID>
  <ei:venID>ven-1</ei:venID><ei:partyID>party-1</ei:partyID>
</ei:eiTarget>
"""
_DEVICE_CLASS: Final = "<power:endDeviceAsset><power:mrid>Water_Heater</power:mrid></power:endDeviceAsset>"

_SIMPLE_EVENT: Final = f"""
<oadr:oadrEvent>
  <ei:eiEvent>
    <ei:eventDescriptor>
      <ei:eventID>event-1</ei:eventID>
      <ei:modificationNumber>0</ei:modificationNumber>
      <ei:eiMarketContext><emix:marketContext>http://program.example/peak</emix:marketContext></ei:eiMarketContext>
      <ei:createdDateTime>2026-11-20T12:00:00Z</ei:createdDateTime>
      <ei:eventStatus>far</ei:eventStatus>
    </ei:eventDescriptor>
    <ei:eiActivePeriod>
      <xcal:properties>
        {starting("2026-11-20T16:00:00Z")}{nested("xcal:duration", "PT1H")}{nested("ei:x-eiNotification", "PT4H")}
      </xcal:properties>
      <xcal:components/>
    </ei:eiActivePeriod>
    <ei:eiEventSignals>
      <ei:eiEventSignal>
        <strm:intervals>{signal_interval(0, "PT30M", "1")}{signal_interval(1, "PT30M", "2.0")}</strm:intervals>
        <ei:signalName>SIMPLE</ei:signalName>
        <ei:signalType>level</ei:signalType>
        <ei:signalID>signal-1</ei:signalID>
        <ei:currentValue>{number("0.0")}</ei:currentValue>
      </ei:eiEventSignal>
    </ei:eiEventSignals>
    <ei:eiTarget><ei:venID>ven-1</ei:venID></ei:eiTarget>
  </ei:eiEvent>
  <oadr:oadrResponseRequired>always</oadr:oadrResponseRequired>
</oadr:oadrEvent>
"""

_RICH_EVENT: Final = f"""
<oadr:oadrEvent>
  <ei:eiEvent>
    <ei:eventDescriptor>
      <ei:eventID>event-2</ei:eventID>
      <ei:modificationNumber>3</ei:modificationNumber>
      <ei:modificationDateTime>2026-11-20T11:59:59.5Z</ei:modificationDateTime>
      <ei:modificationReason>forecast</ei:modificationReason>
      <ei:priority>1</ei:priority>
      <ei:eiMarketContext><emix:marketContext> http://program.example/price </emix:marketContext></ei:eiMarketContext>
      <ei:createdDateTime>2026-11-20T12:00:00Z</ei:createdDateTime>
      <ei:eventStatus>active</ei:eventStatus>
      <ei:testEvent>false</ei:testEvent>
      <ei:vtnComment>prices &amp; dispatch &lt;test&gt;</ei:vtnComment>
    </ei:eventDescriptor>
    <ei:eiActivePeriod>
      <xcal:properties>
        {starting("2026-11-20T12:00:00Z")}{nested("xcal:duration", "P1DT2H3M4S")}
        <xcal:tolerance><xcal:tolerate><xcal:startafter>PT5M</xcal:startafter></xcal:tolerate></xcal:tolerance>
        {nested("ei:x-eiNotification", "PT0S")}{nested("ei:x-eiRampUp", "-PT5M")}{nested("ei:x-eiRecovery", "PT5M")}
      </xcal:properties>
      <xcal:components xsi:nil="true"/>
    </ei:eiActivePeriod>
    <ei:eiEventSignals>
      <ei:eiEventSignal>
        <strm:intervals>{signal_interval(0, "P1DT2H3M4S", "0.25")}</strm:intervals>
        <ei:eiTarget>{_DEVICE_CLASS}</ei:eiTarget>
        <ei:signalName>ELECTRICITY_PRICE</ei:signalName>
        <ei:signalType>price</ei:signalType>
        <ei:signalID>price</ei:signalID>
        {_EURO}
      </ei:eiEventSignal>
      <ei:eiEventSignal>
        <strm:intervals>{signal_interval(0, "P1DT2H3M4S", "1.5e2")}</strm:intervals>
        <ei:signalName>LOAD_DISPATCH</ei:signalName>
        <ei:signalType>setpoint</ei:signalType>
        <ei:signalID>load</ei:signalID>
        {_POWER}
        <ei:currentValue>{number("150")}</ei:currentValue>
      </ei:eiEventSignal>
      <ei:eiEventSignal>
        <strm:intervals>{signal_interval(0, "P1DT2H3M4S", "-3")}</strm:intervals>
        <ei:signalName>x-comfort</ei:signalName>
        <ei:signalType>delta</ei:signalType>
        <ei:signalID>comfort</ei:signalID>
        {unit("oadr:temperature", "temperature", "celsius")}
      </ei:eiEventSignal>
      <ei:eiEventBaseline>
        {starting("2026-11-20T12:00:00Z")}{nested("xcal:duration", "P1D")}
        <strm:intervals>{signal_interval(0, "P1D", "12")}</strm:intervals>
        <ei:baselineID>baseline-1</ei:baselineID>
        <ei:resourceID>pump-1</ei:resourceID>
        <ei:baselineName>last week</ei:baselineName>
        {unit("oadr:customUnit", "boxes", "box", "m")}
      </ei:eiEventBaseline>
    </ei:eiEventSignals>
    {_EVERY_TARGET}
  </ei:eiEvent>
  <oadr:oadrResponseRequired>never</oadr:oadrResponseRequired>
</oadr:oadrEvent>
"""


def _description(r_id: str, report_type: str, measured: str, reading: str, *, rated: bool = True) -> str:
    rate = (
        "<oadr:oadrSamplingRate><oadr:oadrMinPeriod>PT1M</oadr:oadrMinPeriod><oadr:oadrMaxPeriod>PT1H</oadr:oadrMaxPeriod>"
        "<oadr:oadrOnChange>false</oadr:oadrOnChange></oadr:oadrSamplingRate>"
    )
    return f"""
<oadr:oadrReportDescription>
  <ei:rID>{r_id}</ei:rID>
  <ei:reportSubject>{_DEVICE_CLASS}</ei:reportSubject>
  <ei:reportDataSource><ei:resourceID>pump-1</ei:resourceID></ei:reportDataSource>
  <ei:reportType>{report_type}</ei:reportType>
  {measured}
  <ei:readingType>{reading}</ei:readingType>
  <emix:marketContext>http://program.example/peak</emix:marketContext>
  {rate if rated else ""}
</oadr:oadrReportDescription>
"""


def _report(content: str, request_id: str, name: str, specifier: str = "offer-1") -> str:
    return f"""
<oadr:oadrReport>
  {content}
  <ei:reportRequestID>{request_id}</ei:reportRequestID>
  <ei:reportSpecifierID>{specifier}</ei:reportSpecifierID>
  <ei:reportName>{name}</ei:reportName>
  <ei:createdDateTime>2026-11-20T12:00:00Z</ei:createdDateTime>
</oadr:oadrReport>
"""


_OFFERS: Final = (
    _report(
        nested("xcal:duration", "P1D")
        + _description("power", "usage", _POWER, "Direct Read")
        + _description("energy", "usage", _ENERGY, "Direct Read")
        + _description("pulses", "usage", _PULSES, "Net"),
        "0",
        "METADATA_TELEMETRY_USAGE",
    )
    + _report(
        nested("xcal:duration", "PT0S") + _description("status", "x-resourceStatus", "", "x-notApplicable"),
        "0",
        "METADATA_TELEMETRY_STATUS",
        "offer-2",
    )
    + _report(
        "<ei:eiReportID>unused</ei:eiReportID>"
        + _description("volts", "x-own", unit("power:voltage", "Voltage", "V"), "Mean", rated=False)
        + _description("chosen", "demand", _CHOSEN, "x-RMS", rated=False),
        "0",
        "x-own report",
        "offer-3",
    )
)


def _request(request_id: str, specifier: str, more: str = "", points: str = "power energy") -> str:
    listed = "".join(
        f"<ei:specifierPayload><ei:rID>{point}</ei:rID><ei:readingType>x-notApplicable</ei:readingType></ei:specifierPayload>"
        for point in points.split()
    )
    return f"""
<oadr:oadrReportRequest>
  <ei:reportRequestID>{request_id}</ei:reportRequestID>
  <ei:reportSpecifier>
    <ei:reportSpecifierID>{specifier}</ei:reportSpecifierID>
    {nested("xcal:granularity", "PT15M")}{nested("ei:reportBackDuration", "PT1H")}{more}{listed}
  </ei:reportSpecifier>
</oadr:oadrReportRequest>
"""


_PERIOD: Final = (
    f"<ei:reportInterval><xcal:properties>{starting('2026-11-20T13:00:00Z')}{nested('xcal:duration', 'PT0S')}"
    "</xcal:properties></ei:reportInterval>"
)
_REQUESTS: Final = _request("17", "offer-1", _PERIOD) + _request("18", "METADATA", points="0")

_USAGE: Final = f"""
{starting("2026-11-20T13:00:00Z")}{nested("xcal:duration", "PT30M")}
<strm:intervals>
  <ei:interval>
    {starting("2026-11-20T13:00:00Z")}{nested("xcal:duration", "PT15M")}
    <oadr:oadrReportPayload>
      <ei:rID>power</ei:rID><ei:confidence>100</ei:confidence><ei:accuracy>0.5</ei:accuracy>{number("12.5")}
      <oadr:oadrDataQuality>Quality Good - Non Specific</oadr:oadrDataQuality>
    </oadr:oadrReportPayload>
    <oadr:oadrReportPayload><ei:rID>energy</ei:rID>{number("3")}</oadr:oadrReportPayload>
  </ei:interval>
  <ei:interval>
    {starting("2026-11-20T13:15:00Z")}{nested("xcal:duration", "PT15M")}
    <oadr:oadrReportPayload>
      <ei:rID>power</ei:rID>{number("0")}<oadr:oadrDataQuality>x-guessed</oadr:oadrDataQuality>
    </oadr:oadrReportPayload>
  </ei:interval>
</strm:intervals>
"""


def _state(element: str) -> str:
    return (
        f"<oadr:{element}><oadr:oadrMin>0.0</oadr:oadrMin><oadr:oadrMax>1</oadr:oadrMax>"
        f"<oadr:oadrCurrent>0.5</oadr:oadrCurrent><oadr:oadrNormal>1</oadr:oadrNormal></oadr:{element}>"
    )


_STATUS: Final = f"""
{starting("2026-11-20T13:00:00Z")}
<strm:intervals>
  <ei:interval>
    <xcal:uid><xcal:text>0</xcal:text></xcal:uid>
    <oadr:oadrReportPayload>
      <ei:rID>status</ei:rID>
      <oadr:oadrPayloadResourceStatus>
        <oadr:oadrOnline>true</oadr:oadrOnline><oadr:oadrManualOverride>0</oadr:oadrManualOverride>
        <oadr:oadrLoadControlState>
          {_state("oadrCapacity")}{_state("oadrLevelOffset")}{_state("oadrPercentOffset")}
          <oadr:oadrSetPoint><oadr:oadrCurrent>-1</oadr:oadrCurrent></oadr:oadrSetPoint>
        </oadr:oadrLoadControlState>
      </oadr:oadrPayloadResourceStatus>
    </oadr:oadrReportPayload>
  </ei:interval>
</strm:intervals>
"""

_FEED: Final = (
    "<atom:feed><atom:id>urn:uuid:1</atom:id><atom:title>Green Button</atom:title>"
    "<atom:updated>2026-11-20T12:00:00Z</atom:updated></atom:feed>"
)

_CANCEL_REPORT: Final = (
    "<pyld:requestID>request-9</pyld:requestID><ei:reportRequestID>17</ei:reportRequestID>"
    "<ei:reportRequestID>18</ei:reportRequestID><pyld:reportToFollow>true</pyld:reportToFollow><ei:venID>ven-1</ei:venID>"
)
_CANCELLING: Final = '<oadr:oadrCancelReport ei:schemaVersion="2.0b">'


def _pending(*ids: str) -> str:
    listed = "".join(f"<ei:reportRequestID>{one}</ei:reportRequestID>" for one in ids)
    return f"<oadr:oadrPendingReports>{listed}</oadr:oadrPendingReports>"


def _profile(name: str, *transports: str) -> str:
    offered = "".join(
        f"<oadr:oadrTransport><oadr:oadrTransportName>{one}</oadr:oadrTransportName></oadr:oadrTransport>"
        for one in transports
    )
    return (
        f"<oadr:oadrProfile><oadr:oadrProfileName>{name}</oadr:oadrProfileName>"
        f"<oadr:oadrTransports>{offered}</oadr:oadrTransports></oadr:oadrProfile>"
    )


_PROFILES: Final = (
    f"<oadr:oadrProfiles>{_profile('2.0a', 'simpleHttp')}{_profile('2.0b', 'simpleHttp', 'xmpp')}</oadr:oadrProfiles>"
)
_INFO: Final = "<oadr:oadrInfo><oadr:oadrKey>zone</oadr:oadrKey><oadr:oadrValue>north</oadr:oadrValue></oadr:oadrInfo>"

# --- payloads --------------------------------------------------------------------------------------------------------

_VEN: Final = "<ei:venID>ven-1</ei:venID>"
_VTN: Final = "<ei:vtnID>vtn-1</ei:vtnID>"
_REQUEST: Final = "<pyld:requestID>request-1</pyld:requestID>"
_REGISTRATION: Final = "<ei:registrationID>registration-1</ei:registrationID>"
_OPT: Final = "<ei:optID>opt-1</ei:optID>"

_CONTENTS: Final = {
    "oadrPoll": _VEN,
    "oadrResponse": response() + _VEN,
    "oadrResponse to a failure": response(463, "who are you?", ""),
    "oadrRequestEvent": (
        f"<pyld:eiRequestEvent>{_REQUEST}{_VEN}<pyld:replyLimit>5</pyld:replyLimit></pyld:eiRequestEvent>"
    ),
    "oadrDistributeEvent": f"{response()}<pyld:requestID>request-7</pyld:requestID>{_VTN}{_SIMPLE_EVENT}",
    "oadrDistributeEvent of all sorts": _REQUEST + _VTN + _RICH_EVENT + _SIMPLE_EVENT,
    "oadrDistributeEvent of nothing": response(request_id="") + _REQUEST + _VTN,
    "oadrCreatedEvent": f"""
<pyld:eiCreatedEvent>
  {response(request_id="")}
  <ei:eventResponses>
    <ei:eventResponse>
      <ei:responseCode>200</ei:responseCode><ei:responseDescription/>
      <pyld:requestID>request-7</pyld:requestID>
      <ei:qualifiedEventID>
        <ei:eventID>event-1</ei:eventID><ei:modificationNumber>0</ei:modificationNumber>
      </ei:qualifiedEventID>
      <ei:optType>optIn</ei:optType>
    </ei:eventResponse>
    <ei:eventResponse>
      <ei:responseCode>460</ei:responseCode><pyld:requestID>request-7</pyld:requestID>
      <ei:qualifiedEventID>
        <ei:eventID>event-2</ei:eventID><ei:modificationNumber>3</ei:modificationNumber>
      </ei:qualifiedEventID>
      <ei:optType>optOut</ei:optType>
    </ei:eventResponse>
  </ei:eventResponses>
  {_VEN}
</pyld:eiCreatedEvent>
""",
    "oadrCreatedEvent of an error": f"<pyld:eiCreatedEvent>{response(452, 'vtnID')}{_VEN}</pyld:eiCreatedEvent>",
    "oadrCreateOpt": f"""
{_OPT}<ei:optType>optOut</ei:optType><ei:optReason>x-maintenance</ei:optReason>
<emix:marketContext>http://program.example/peak</emix:marketContext>{_VEN}
<xcal:vavailability><xcal:components>
  <xcal:available><xcal:properties>
    {starting("2026-11-21T08:00:00Z")}{nested("xcal:duration", "P2D")}
  </xcal:properties></xcal:available>
  <xcal:available><xcal:properties>
    {starting("2026-12-01T00:00:00Z")}{nested("xcal:duration", "P1M")}
  </xcal:properties></xcal:available>
</xcal:components></xcal:vavailability>
<ei:createdDateTime>2026-11-20T12:00:00Z</ei:createdDateTime>
<pyld:requestID/>
<ei:eiTarget/>
<oadr:oadrDeviceClass>{_DEVICE_CLASS}</oadr:oadrDeviceClass>
""",
    "oadrCreateOpt for an event": f"""
{_OPT}<ei:optType>optIn</ei:optType><ei:optReason>economic</ei:optReason>{_VEN}
<ei:createdDateTime>2026-11-20T12:00:00Z</ei:createdDateTime>{_REQUEST}
<ei:qualifiedEventID>
  <ei:eventID>event-1</ei:eventID><ei:modificationNumber>1</ei:modificationNumber>
</ei:qualifiedEventID>
{_EVERY_TARGET}
""",
    "oadrCreatedOpt": response() + _OPT,
    "oadrCancelOpt": _REQUEST + _OPT + _VEN,
    "oadrCanceledOpt": response() + _OPT,
    "oadrRegisterReport": _REQUEST + _OFFERS + _VEN,
    "oadrRegisterReport of nothing": f"{_REQUEST}{_VEN}<ei:reportRequestID>18</ei:reportRequestID>",
    "oadrRegisterReport of Green Button": _REQUEST
    + _report(
        nested("xcal:duration", "P1Y")
        + _description("button", "usage", f"<oadr:oadrGBDataDescription>{_FEED}</oadr:oadrGBDataDescription>", "Net"),
        "0",
        "METADATA_HISTORY_GREENBUTTON",
    ),
    "oadrRegisterReport of every unit": _REQUEST
    + _report(
        nested("xcal:duration", "P1D")
        + "".join(_description(f"{number}", "x-own", one, "x-own") for number, one in enumerate(_UNITS)),
        "0",
        "x-own",
    )
    + _VEN,
    "oadrRegisteredReport": response() + _REQUESTS + _VEN,
    "oadrCreateReport": _REQUEST + _REQUESTS + _VEN,
    "oadrCreatedReport": response() + _pending("17", "18") + _VEN,
    "oadrUpdateReport": _REQUEST + _report(_USAGE, "17", "TELEMETRY_USAGE") + _VEN,
    "oadrUpdateReport of status": _REQUEST + _report(_STATUS, "19", "TELEMETRY_STATUS", "offer-2") + _VEN,
    "oadrUpdateReport of Green Button": _REQUEST
    + _report(
        f"{starting('2026-11-20T13:00:00Z')}<strm:intervals><ei:interval>"
        f"<oadr:oadrGBPayload>{_FEED}</oadr:oadrGBPayload></ei:interval></strm:intervals>",
        "20",
        "HISTORY_GREENBUTTON",
    ),
    "oadrUpdatedReport": f"{response()}{_CANCELLING}{_CANCEL_REPORT}</oadr:oadrCancelReport>{_VEN}",
    "oadrCancelReport": _CANCEL_REPORT,
    "oadrCanceledReport": response() + _pending() + _VEN,
    "oadrQueryRegistration": _REQUEST,
    "oadrCreatePartyRegistration": f"""
{_REQUEST}<oadr:oadrProfileName>2.0b</oadr:oadrProfileName><oadr:oadrTransportName>simpleHttp</oadr:oadrTransportName>
<oadr:oadrReportOnly>false</oadr:oadrReportOnly><oadr:oadrXmlSignature>0</oadr:oadrXmlSignature>
<oadr:oadrVenName>Pumping station</oadr:oadrVenName><oadr:oadrHttpPullModel>true</oadr:oadrHttpPullModel>
""",
    "oadrCreatePartyRegistration again": f"""
{_REQUEST}{_REGISTRATION}{_VEN}<oadr:oadrProfileName>2.0b</oadr:oadrProfileName>
<oadr:oadrTransportName>xmpp</oadr:oadrTransportName>
<oadr:oadrTransportAddress>ven-1@xmpp.example/client</oadr:oadrTransportAddress>
<oadr:oadrReportOnly>true</oadr:oadrReportOnly><oadr:oadrXmlSignature>true</oadr:oadrXmlSignature>
""",
    "oadrCreatedPartyRegistration": f"""
{response()}{_REGISTRATION}{_VEN}{_VTN}{_PROFILES}{nested("oadr:oadrRequestedOadrPollFreq", "PT10S")}
<oadr:oadrServiceSpecificInfo><oadr:oadrService><oadr:oadrServiceName>EiEvent</oadr:oadrServiceName>{_INFO}
</oadr:oadrService></oadr:oadrServiceSpecificInfo>
<oadr:oadrExtensions>
  <oadr:oadrExtension><oadr:oadrExtensionName>x-metering</oadr:oadrExtensionName>{_INFO}{_INFO}</oadr:oadrExtension>
  <oadr:oadrExtension><oadr:oadrExtensionName/></oadr:oadrExtension>
</oadr:oadrExtensions>
""",
    "oadrCreatedPartyRegistration of a query": response() + _VTN + _PROFILES + "<oadr:oadrServiceSpecificInfo/>",
    "oadrCancelPartyRegistration": _REQUEST + _REGISTRATION + _VEN,
    "oadrCanceledPartyRegistration": response() + _REGISTRATION + _VEN,
    "oadrRequestReregistration": _VEN,
}


def message_type(name: str) -> str:
    """The payload in a document of :data:`DOCUMENTS`."""
    return name.partition(" ")[0]


def payload(name: str) -> str:
    """A payload of :data:`DOCUMENTS` without what goes around it."""
    element = f"oadr:{message_type(name)}"
    return f'<{element} ei:schemaVersion="2.0b">{_CONTENTS[name]}</{element}>'


DOCUMENTS: Final = {name: document(payload(name)) for name in _CONTENTS}
"""The documents by a name that begins with their payload."""
