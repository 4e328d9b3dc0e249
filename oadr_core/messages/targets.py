"""Whom a message is about: ``eiTarget`` and its thirteen kinds (rules 22, 63, 111, 202 and 302)."""

from typing import Annotated, Final

from oadr_core.messages.declare import At, Part, Scalar

_MRID: Final = Scalar("string", "power:MridType", "xs:string")
_NODE: Final = Scalar("string", "power:NodeType", "xs:string")
_ID: Final = Scalar("identifier", "xs:ID")
_POSITIONS: Final = Scalar("doubles", "gml:doubleList")


class FeatureCollection(Part, frozen=True, kw_only=True):
    """An area on the map: the ring around it.

    :param id: identifier of the collection within the document.
    :param polygon_id: identifier of the polygon within the document.
    :param positions: the coordinates of the ring, latitude and longitude in turn.
    """

    id: Annotated[str | None, At("@gml:id?", _ID)] = None
    polygon_id: Annotated[str | None, At("gml:location~/gml:Polygon~/@gml:id?", _ID)] = None
    positions: Annotated[
        str, At("gml:location~/gml:Polygon~/gml:exterior~/gml:LinearRing~/gml:posList", _POSITIONS)
    ] = ""


class TransportInterface(Part, frozen=True, kw_only=True):
    """The two ends of a transport interface."""

    __schema_type__ = "power:TransportInterfaceType"

    point_of_receipt: Annotated[str, At("power:pointOfReceipt~", _NODE)]
    point_of_delivery: Annotated[str, At("power:pointOfDelivery~", _NODE)]


class Target(Part, frozen=True, kw_only=True):
    """Whom an event, an opt or a report is about. Several criteria mean any of them; none means all (rule 22).

    :param aggregated_pnode: names of aggregated pricing nodes.
    :param end_device_asset: device classes, see :class:`~oadr_core.messages.enums.DeviceClass`.
    :param meter_asset: meters.
    :param pnode: names of pricing nodes.
    :param service_area: areas.
    :param service_delivery_point: names of service delivery points.
    :param service_location: locations.
    :param transport_interface: transport interfaces.
    :param group_id: groups.
    :param group_name: names of groups.
    :param resource_id: resources.
    :param ven_id: VENs; at most one in an event (rule 63).
    :param party_id: parties.
    """

    __schema_type__ = "ei:EiTargetType"

    aggregated_pnode: Annotated[tuple[str, ...], At("power:aggregatedPnode*/power:node", _NODE)] = ()
    end_device_asset: Annotated[tuple[str, ...], At("power:endDeviceAsset*/power:mrid", _MRID)] = ()
    meter_asset: Annotated[tuple[str, ...], At("power:meterAsset*/power:mrid", _MRID)] = ()
    pnode: Annotated[tuple[str, ...], At("power:pnode*/power:node", _NODE)] = ()
    service_area: Annotated[tuple[FeatureCollection, ...], At("emix:serviceArea*/gml:FeatureCollection")] = ()
    service_delivery_point: Annotated[tuple[str, ...], At("power:serviceDeliveryPoint*/power:node", _NODE)] = ()
    service_location: Annotated[tuple[FeatureCollection, ...], At("power:serviceLocation*/gml:FeatureCollection")] = ()
    transport_interface: Annotated[tuple[TransportInterface, ...], At("power:transportInterface*")] = ()
    group_id: Annotated[tuple[str, ...], At("ei:groupID*")] = ()
    group_name: Annotated[tuple[str, ...], At("ei:groupName*")] = ()
    resource_id: Annotated[tuple[str, ...], At("ei:resourceID*")] = ()
    ven_id: Annotated[tuple[str, ...], At("ei:venID*")] = ()
    party_id: Annotated[tuple[str, ...], At("ei:partyID*")] = ()

    def __bool__(self) -> bool:
        """Whether any criterion is set."""
        return any(getattr(self, name) for name in self.__struct_fields__)

    @property
    def names_resources(self) -> bool:
        """Whether it tells the resources of a VEN apart; the VEN itself stands for all of them (rules 202 and 206)."""
        return any(getattr(self, name) for name in self.__struct_fields__ if name != "ven_id")

    def beyond(self, other: "Target") -> list[str]:
        """The criteria, save the VEN, by which it names more than another target does (rule 206)."""
        names = (name for name in self.__struct_fields__ if name != "ven_id")
        return [name for name in names if not set(getattr(self, name)) <= set(getattr(other, name))]
