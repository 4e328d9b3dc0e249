"""Units of measurement: the elements that may stand for ``emix:itemBase``."""

from typing import Annotated, Final

from oadr_core.messages.declare import DECIMAL, At, Feed, Group, Item, Part
from oadr_core.messages.enums import SiScaleCode


class PowerAttributes(Part, frozen=True, kw_only=True):
    """The kind of electricity that a power is measured in.

    :param hertz: frequency in hertz; 0 for direct current.
    :param voltage: voltage in volt.
    :param ac: whether it is alternating current.
    """

    __schema_type__ = "power:PowerAttributesType"

    hertz: Annotated[float, At("power:hertz~", DECIMAL)]
    voltage: Annotated[float, At("power:voltage~", DECIMAL)]
    ac: Annotated[bool, At("power:ac~")]


class Measurement(Part, frozen=True, kw_only=True):
    """What the values of a signal or a data point measure.

    :param name: the element that names the quantity, such as ``powerReal``; a key of :data:`ITEMS` without its prefix.
    :param description: the text fixed for the quantity; free for ``customUnit``.
    :param unit: the unit, fixed for most quantities; a currency code for the currencies; free for ``customUnit``.
    :param scale: the power of ten that the unit is multiplied by; absent for ``pulseCount`` alone.
    :param power_attributes: for the three powers alone, and required there.
    :param pulse_factor: for ``pulseCount`` alone, and required there: how much one pulse stands for.
    """

    name: str
    description: str
    unit: str
    scale: SiScaleCode | None = SiScaleCode.NONE
    power_attributes: PowerAttributes | None = None
    pulse_factor: float | None = None


class GreenButtonDescription(Part, frozen=True, kw_only=True):
    """What a Green Button report describes: an Atom feed of ESPI resources, carried whole.

    :param feed: the ``atom:feed`` element as XML text.
    """

    __schema_type__ = "oadr:oadrGBItemBase"

    feed: Annotated[str, At("atom:feed", Feed())]


CURRENCY_DESCRIPTIONS: Final = ("currency", "currencyPerKW", "currencyPerKWh")
CURRENCY_CODES: Final = tuple(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYR BZD CAD CDF CHE
    CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EEK EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF
    GTQ GWP GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR
    LRD LSL LTL LVL LYD MAD MDL MGA MKD MMK MNT MOP MRO MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN
    PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLL SOS SRD STD SVC SYP SZL THB TJS TMT TND TOP
    TRY TTD TWD TZS UAH UGX USD USN USS UYI UYU UZS VEF VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XDR XFU XOF XPD XPF
    XPT XTS XXX YER ZAR ZMK ZWL
    """.split()  # noqa: SIM905 - a hundred and eighty quoted codes are no better
)
"""The ISO 4217 codes of the 2010 list that the schema holds."""


def _currency() -> Item:
    return Item(
        "oadr:currencyType",
        CURRENCY_DESCRIPTIONS,
        CURRENCY_CODES,
        description_type="oadr:currencyItemDescriptionType",
        units_type="iso4217:ISO3AlphaCurrencyCodeContentType",
    )


def _energy(schema_type: str, description: str, *units: str) -> Item:
    return Item(schema_type, (description,), units, stands_for="power:energyItem")


def _power(schema_type: str, description: str, *units: str) -> Item:
    return Item(schema_type, (description,), units, "power", stands_for="power:powerItem")


ITEMS: Final = {
    "power:voltage": Item("power:VoltageType", ("Voltage",), ("V",)),
    "power:energyReal": _energy("power:EnergyRealType", "RealEnergy", "Wh"),
    "power:energyApparent": _energy("power:EnergyApparentType", "ApparentEnergy", "VAh"),
    "power:energyReactive": _energy("power:EnergyReactiveType", "ReactiveEnergy", "VARh"),
    "power:powerReal": _power("power:PowerRealType", "RealPower", "W", "J/s"),
    "power:powerApparent": _power("power:PowerApparentType", "ApparentPower", "VA"),
    "power:powerReactive": _power("power:PowerReactiveType", "ReactivePower", "VAR"),
    "oadr:current": Item("oadr:CurrentType", ("Current",), ("A",)),
    "oadr:frequency": Item("oadr:FrequencyType", ("Frequency",), ("Hz",)),
    "oadr:Therm": Item("oadr:ThermType", ("Therm",), ("thm",)),
    "oadr:temperature": Item(
        "oadr:temperatureType", ("temperature",), ("celsius", "fahrenheit"), units_type="oadr:temperatureUnitType"
    ),
    "oadr:pulseCount": Item("oadr:pulseCountType", ("pulse count",), ("count",), "pulse_factor"),
    "oadr:currency": _currency(),
    "oadr:currencyPerKWh": _currency(),
    "oadr:currencyPerKW": _currency(),
    "oadr:currencyPerThm": _currency(),
    "oadr:customUnit": Item("oadr:BaseUnitType"),
}
"""The quantities by element, each with the texts that the schema fixes for it."""

ITEM_BASE: Final = Group(
    "emix:itemBase",
    "emix:ItemBaseType",
    {**ITEMS, "oadr:oadrGBDataDescription": GreenButtonDescription},
    {"power:energyItem": "power:EnergyItemType", "power:powerItem": "power:PowerItemType"},
)

_BY_NAME: Final = {element.partition(":")[2]: item for element, item in ITEMS.items()}
_SCALES: Final = tuple(SiScaleCode)


def measurement(
    name: str,
    *,
    unit: str | None = None,
    scale: SiScaleCode | str = SiScaleCode.NONE,
    description: str | None = None,
    power_attributes: PowerAttributes | None = None,
    pulse_factor: float | None = None,
) -> Measurement:
    """Build a measurement, taking what the schema fixes from its tables.

    :param name: the quantity, such as ``powerReal`` or ``power_real``; any other name makes a custom unit of that
        description.
    :param unit: the unit, needed where the schema leaves a choice: a currency code, or the unit of a custom quantity.
        The first that the schema lists is taken otherwise.
    :param scale: the power of ten; pulses have none.
    :param description: the description, where the schema leaves a choice.
    :param power_attributes: for a power; 50 Hz, 230 V, alternating current if not given.
    :param pulse_factor: for ``pulseCount``; 1 if not given.
    :raises ValueError: something is not what the schema has for the quantity.
    """
    asked, name = name, _known_name(name)
    if name not in _BY_NAME:
        if unit is None:
            raise ValueError(f"{asked!r} is none of {', '.join(_BY_NAME)}; a quantity of your own needs a unit")
        name, description = "customUnit", asked if description is None else description
    item = _BY_NAME[name]
    for extra, given in (("power", power_attributes), ("pulse_factor", pulse_factor)):
        if given is not None and item.extra != extra:
            raise ValueError(f"{extra.replace('power', 'power_attributes')} does not belong in {name}")
    if item.extra == "power" and power_attributes is None:
        power_attributes = PowerAttributes(hertz=50, voltage=230, ac=True)
    if item.extra == "pulse_factor" and pulse_factor is None:
        pulse_factor = 1.0
    return Measurement(
        name=name,
        description=_one_of(f"the description of {name}", description, _default_description(name), item.descriptions),
        unit=_one_of(f"the unit of {name}", unit, item.units[0] if len(item.units) in (1, 2) else None, item.units),
        scale=None if item.extra == "pulse_factor" else SiScaleCode(_one_of("the scale", scale, None, _SCALES)),
        power_attributes=power_attributes,
        pulse_factor=pulse_factor,
    )


def _known_name(name: str) -> str:
    head, *rest = name.split("_")
    camel = head + "".join(part[:1].upper() + part[1:] for part in rest)
    for known in _BY_NAME:
        if camel.lower() == known.lower():
            return known
    return name


def _default_description(name: str) -> str:
    descriptions = _BY_NAME[name].descriptions
    return name if name in descriptions or not descriptions else descriptions[0]


def _one_of(what: str, text: str | None, default: str | None, allowed: tuple[str, ...]) -> str:
    if text is None:
        text = default
    if text is not None and (not allowed or text in allowed):
        return text
    few = ", ".join(allowed[:12]) + (", …" if len(allowed) > 12 else "")
    given = "is not given" if text is None else f"is {text!r}"
    raise ValueError(f"{what} {given}" + (f"; it must be one of {few}" if allowed else ""))
