"""The closed and the extensible lists of OpenADR 2.0b.

Members are strings, and fields compare equal to plain strings. Where a list is extensible a field may also hold any
text that begins with ``x-`` (annex B of the profile); no other list may be extended. A lenient receiver keeps an
unknown signal type all the same, so that one odd signal does not cost the whole list of events (decision D12).
"""

from enum import StrEnum

from oadr_core.messages.declare import enumeration


@enumeration("ei:EventStatusEnumeratedType")
class EventStatus(StrEnum):
    """Where an event stands (rules 10 and 13)."""

    NONE = "none"
    FAR = "far"
    NEAR = "near"
    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@enumeration("ei:OptTypeType")
class OptType(StrEnum):
    """Whether a VEN takes part."""

    OPT_IN = "optIn"
    OPT_OUT = "optOut"


@enumeration("ei:OptReasonEnumeratedType", extended_type="ei:OptReasonType")
class OptReason(StrEnum):
    """Why a VEN takes part or not."""

    ECONOMIC = "economic"
    EMERGENCY = "emergency"
    MUST_RUN = "mustRun"
    NOT_PARTICIPATING = "notParticipating"
    OUTAGE_RUN_STATUS = "outageRunStatus"
    OVERRIDE_STATUS = "overrideStatus"
    PARTICIPATING = "participating"
    X_SCHEDULE = "x-schedule"


@enumeration("oadr:ResponseRequiredType", base="xs:string")
class ResponseRequired(StrEnum):
    """Whether an event must be answered (rules 12 and 62)."""

    ALWAYS = "always"
    NEVER = "never"


@enumeration("ei:SignalNameEnumeratedType", extended_type="ei:signalNameType")
class SignalName(StrEnum):
    """What a signal is about (rule 104). The schema admits ``simple`` beside ``SIMPLE`` (rule 7)."""

    SIMPLE = "SIMPLE"
    SIMPLE_IN_LOWER_CASE = "simple"
    ELECTRICITY_PRICE = "ELECTRICITY_PRICE"
    ENERGY_PRICE = "ENERGY_PRICE"
    DEMAND_CHARGE = "DEMAND_CHARGE"
    BID_PRICE = "BID_PRICE"
    BID_LOAD = "BID_LOAD"
    BID_ENERGY = "BID_ENERGY"
    CHARGE_STATE = "CHARGE_STATE"
    LOAD_DISPATCH = "LOAD_DISPATCH"
    LOAD_CONTROL = "LOAD_CONTROL"


@enumeration("ei:SignalTypeEnumeratedType", raw=True)
class SignalType(StrEnum):
    """How the values of a signal are meant (rules 104 and 116)."""

    DELTA = "delta"
    LEVEL = "level"
    MULTIPLIER = "multiplier"
    PRICE = "price"
    PRICE_MULTIPLIER = "priceMultiplier"
    PRICE_RELATIVE = "priceRelative"
    SETPOINT = "setpoint"
    X_LOAD_CONTROL_CAPACITY = "x-loadControlCapacity"
    X_LOAD_CONTROL_LEVEL_OFFSET = "x-loadControlLevelOffset"
    X_LOAD_CONTROL_PERCENT_OFFSET = "x-loadControlPercentOffset"
    X_LOAD_CONTROL_SETPOINT = "x-loadControlSetpoint"


@enumeration("ei:reportNameEnumeratedType", extended_type="ei:reportNameType")
class ReportName(StrEnum):
    """The well-known report profiles; the ``METADATA_`` form stands in oadrRegisterReport alone (rule 331)."""

    METADATA_HISTORY_USAGE = "METADATA_HISTORY_USAGE"
    HISTORY_USAGE = "HISTORY_USAGE"
    METADATA_HISTORY_GREENBUTTON = "METADATA_HISTORY_GREENBUTTON"
    HISTORY_GREENBUTTON = "HISTORY_GREENBUTTON"
    METADATA_TELEMETRY_USAGE = "METADATA_TELEMETRY_USAGE"
    TELEMETRY_USAGE = "TELEMETRY_USAGE"
    METADATA_TELEMETRY_STATUS = "METADATA_TELEMETRY_STATUS"
    TELEMETRY_STATUS = "TELEMETRY_STATUS"


@enumeration("ei:ReportEnumeratedType", extended_type="ei:ReportTypeType")
class ReportType(StrEnum):
    """What the values of a data point are."""

    READING = "reading"
    USAGE = "usage"
    DEMAND = "demand"
    SET_POINT = "setPoint"
    DELTA_USAGE = "deltaUsage"
    DELTA_SET_POINT = "deltaSetPoint"
    DELTA_DEMAND = "deltaDemand"
    BASELINE = "baseline"
    DEVIATION = "deviation"
    AVG_USAGE = "avgUsage"
    AVG_DEMAND = "avgDemand"
    OPERATING_STATE = "operatingState"
    UP_REGULATION_CAPACITY_AVAILABLE = "upRegulationCapacityAvailable"
    DOWN_REGULATION_CAPACITY_AVAILABLE = "downRegulationCapacityAvailable"
    REGULATION_SETPOINT = "regulationSetpoint"
    STORED_ENERGY = "storedEnergy"
    TARGET_ENERGY_STORAGE = "targetEnergyStorage"
    AVAILABLE_ENERGY_STORAGE = "availableEnergyStorage"
    PRICE = "price"
    LEVEL = "level"
    POWER_FACTOR = "powerFactor"
    PERCENT_USAGE = "percentUsage"
    PERCENT_DEMAND = "percentDemand"
    X_RESOURCE_STATUS = "x-resourceStatus"


@enumeration("ei:ReadingTypeEnumeratedType", extended_type="ei:ReadingTypeType")
class ReadingType(StrEnum):
    """How the values of a data point came about."""

    DIRECT_READ = "Direct Read"
    NET = "Net"
    ALLOCATED = "Allocated"
    ESTIMATED = "Estimated"
    SUMMED = "Summed"
    DERIVED = "Derived"
    MEAN = "Mean"
    PEAK = "Peak"
    HYBRID = "Hybrid"
    CONTRACT = "Contract"
    PROJECTED = "Projected"
    X_RMS = "x-RMS"
    X_NOT_APPLICABLE = "x-notApplicable"


@enumeration("oadr:oadrDataQualityType", extended_type="oadr:oadrDataQualityTypeType")
class DataQuality(StrEnum):
    """How far a reported value can be trusted (rule 318)."""

    NO_VALUE = "No Quality - No Value"
    NO_NEW_VALUE = "No New Value - Previous Value Used"
    BAD = "Quality Bad - Non Specific"
    BAD_CONFIGURATION_ERROR = "Quality Bad - Configuration Error"
    BAD_NOT_CONNECTED = "Quality Bad - Not Connected"
    BAD_DEVICE_FAILURE = "Quality Bad - Device Failure"
    BAD_SENSOR_FAILURE = "Quality Bad - Sensor Failure"
    BAD_LAST_KNOWN_VALUE = "Quality Bad - Last Known Value"
    BAD_COMM_FAILURE = "Quality Bad - Comm Failure"
    BAD_OUT_OF_SERVICE = "Quality Bad - Out of Service"
    UNCERTAIN = "Quality Uncertain - Non Specific"
    UNCERTAIN_LAST_USABLE_VALUE = "Quality Uncertain - Last Usable Value"
    UNCERTAIN_SENSOR_NOT_ACCURATE = "Quality Uncertain - Sensor Not Accurate"
    UNCERTAIN_UNITS_EXCEEDED = "Quality Uncertain - EU Units Exceeded"
    UNCERTAIN_SUB_NORMAL = "Quality Uncertain - Sub Normal"
    GOOD = "Quality Good - Non Specific"
    GOOD_LOCAL_OVERRIDE = "Quality Good - Local Override"
    LIMIT_NOT = "Quality Limit - Field/Not"
    LIMIT_LOW = "Quality Limit - Field/Low"
    LIMIT_HIGH = "Quality Limit - Field/High"
    LIMIT_CONSTANT = "Quality Limit - Field/Constant"


@enumeration("oadr:oadrProfileType")
class ProfileName(StrEnum):
    """The profiles of OpenADR 2.0."""

    V20A = "2.0a"
    V20B = "2.0b"


@enumeration("oadr:oadrTransportType")
class TransportName(StrEnum):
    """The transports of OpenADR 2.0, in the schema's spelling (decision D7)."""

    SIMPLE_HTTP = "simpleHttp"
    XMPP = "xmpp"


@enumeration("oadr:oadrServiceNameType")
class Service(StrEnum):
    """The services of OpenADR 2.0b; over HTTP each is an endpoint of its own (rule 511)."""

    EI_EVENT = "EiEvent"
    EI_OPT = "EiOpt"
    EI_REPORT = "EiReport"
    EI_REGISTER_PARTY = "EiRegisterParty"
    OADR_POLL = "OadrPoll"


@enumeration("scale:SiScaleCodeType", base="xs:string")
class SiScaleCode(StrEnum):
    """The power of ten that a unit is multiplied by."""

    PICO = "p"
    NANO = "n"
    MICRO = "micro"
    MILLI = "m"
    CENTI = "c"
    DECI = "d"
    KILO = "k"
    MEGA = "M"
    GIGA = "G"
    TERA = "T"
    NONE = "none"

    @property
    def exponent(self) -> int:
        """The power of ten, from -12 to 12."""
        return _EXPONENTS[self]


_EXPONENTS = {
    SiScaleCode.PICO: -12,
    SiScaleCode.NANO: -9,
    SiScaleCode.MICRO: -6,
    SiScaleCode.MILLI: -3,
    SiScaleCode.CENTI: -2,
    SiScaleCode.DECI: -1,
    SiScaleCode.NONE: 0,
    SiScaleCode.KILO: 3,
    SiScaleCode.MEGA: 6,
    SiScaleCode.GIGA: 9,
    SiScaleCode.TERA: 12,
}


class DeviceClass(StrEnum):
    """The device classes that a signal or a report may be aimed at (rule 111); ``x-`` texts are admitted as well.

    The schema does not know this list: any text passes it, and the rules refuse what is not listed.
    """

    THERMOSTAT = "Thermostat"
    STRIP_HEATER = "Strip_Heater"
    BASEBOARD_HEATER = "Baseboard_Heater"
    WATER_HEATER = "Water_Heater"
    POOL_PUMP = "Pool_Pump"
    SAUNA = "Sauna"
    HOT_TUB = "Hot_tub"
    SMART_APPLIANCE = "Smart_Appliance"
    IRRIGATION_PUMP = "Irrigation_Pump"
    MANAGED_COMMERCIAL_AND_INDUSTRIAL_LOADS = "Managed_Commercial_and_Industrial_Loads"
    SIMPLE_RESIDENTIAL_ON_OFF_LOADS = "Simple_Residential_On_Off_Loads"
    EXTERIOR_LIGHTING = "Exterior_Lighting"
    INTERIOR_LIGHTING = "Interior_Lighting"
    ELECTRIC_VEHICLE = "Electric_Vehicle"
    GENERATION_SYSTEMS = "Generation_Systems"
    LOAD_CONTROL_SWITCH = "Load_Control_Switch"
    SMART_INVERTER = "Smart_Inverter"
    EVSE = "EVSE"
    RESU = "RESU"
    ENERGY_MANAGEMENT_SYSTEM = "Energy_Management_System"
    SMART_ENERGY_MODULE = "Smart_Energy_Module"
    STORAGE = "Storage"
