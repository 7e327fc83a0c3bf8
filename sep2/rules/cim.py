"""Groups of DER for a utility's ADMS, as XML in the group profiles of IEC 61968-5: members, power, limits ahead.

The order of elements is that of the profiles. Power is in W; forward is import, reverse is export.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from xml.etree import ElementTree

NAMESPACE = "http://iec.ch/TC57/2017/{}#"
NOUNS = {"groups": "DERGroups", "statuses": "DERGroupStatuses", "dispatches": "DERGroupDispatches"}
"""The noun of each message; each has a namespace of its own."""
FUNCTIONS = (
    *("connectDisconnect", "frequencyWattCurveFunction", "maxRealPowerLimiting", "rampRateControl"),
    *("reactivePowerDispatch", "realPowerDispatch", "voltageRegulation", "voltVarCurveFunction"),
    "voltWattCurveFunction",
)
OFFERED = ("connectDisconnect", "maxRealPowerLimiting")
"""What a group can be asked for here as a whole: an override's limits, and a disconnect."""


class Member(NamedTuple):
    """A device of a group: its LFDI, and its name."""

    mrid: str
    name: str


class Group(NamedTuple):
    """A group of devices: its mRID, name and description, and its members."""

    mrid: str
    name: str
    description: str
    members: Sequence[Member] = ()


class Measured(NamedTuple):
    """The sum of the latest power of a group, import positive; the oldest of them, and of how many of how many."""

    watts: float
    at: int
    meters: int
    connections: int


class Schedule(NamedTuple):
    """The sums of limits in equal steps, W, and of how many devices."""

    watts: Sequence[int]
    devices: int


class Limits(NamedTuple):
    """The limits of a group of so many devices in equal steps; start and step_s in seconds."""

    start: int
    step_s: int
    by_flow: Mapping[str, Schedule]
    """by `forward` (import) and `reverse` (export)"""
    devices: int


def groups(several: Sequence[Group]) -> str:
    """Groups and their members."""
    write = _Writer(NOUNS["groups"])
    for one in several:
        group = write.within(write.root, "EndDeviceGroup")
        write.text(group, "mRID", one.mrid)
        write.text(group, "description", one.description)
        functions = write.within(group, "DERFunction")
        for name in FUNCTIONS:
            write.text(functions, name, "true" if name in OFFERED else "false")
        for member in one.members:
            device = write.within(group, "EndDevices")
            write.text(device, "mRID", member.mrid)
            write.named(device, member.name)
        write.named(group, one.name)
    return write.said()


def statuses(several: Sequence[tuple[Group, Measured]]) -> str:
    """Measured power of groups; one of which nothing was measured has no value, and says so."""
    write = _Writer(NOUNS["statuses"])
    for one, seen in several:
        group = write.within(write.root, "EndDeviceGroup")
        write.text(group, "mRID", one.mrid)
        curve = write.within(write.parameter(group, "net"), "DERCurveData")
        if seen.meters:
            write.text(curve, "nominalYValue", f"{seen.watts:.0f}")
        write.text(curve, "timeStamp", _time(seen.at))
        write.named(group, one.name)
        status = write.within(group, "status")
        write.text(status, "dateTime", _time(seen.at))
        write.text(status, "remark", f"measured at {seen.meters} of {seen.connections} connections")
        write.text(status, "value", "measured" if seen.meters else "unknown")
    return write.said()


def dispatches(several: Sequence[tuple[Group, Limits]]) -> str:
    """Limits ahead of groups, by direction, as schedules of equal steps."""
    write = _Writer(NOUNS["dispatches"])
    for one, limits in several:
        for flow, one_way in limits.by_flow.items():
            dispatch = write.within(write.root, "DERGroupDispatch")
            group = write.within(dispatch, "EndDeviceGroup")
            write.text(group, "mRID", one.mrid)
            schedule = write.within(write.parameter(group, flow), "DispatchSchedule")
            write.text(schedule, "curveStyleKind", "constantYValue")
            write.text(schedule, "startTime", _time(limits.start))
            write.text(schedule, "timeIntervalDuration", str(limits.step_s))
            write.text(schedule, "timeIntervalUnit", "s")
            for number, watts in enumerate(one_way.watts, 1):
                point = write.within(schedule, "DERCurveData")
                write.text(point, "intervalNumber", str(number))
                write.text(point, "nominalYValue", str(watts))
            write.named(group, one.name)
            what = "import" if flow == "forward" else "export"
            write.named(dispatch, f"{one.name}: {what} at most, {one_way.devices} of {limits.devices} devices")
    return write.said()


class _Writer:
    """Elements of one noun's namespace."""

    def __init__(self, noun: str) -> None:
        self._namespace = NAMESPACE.format(noun)
        self.root = ElementTree.Element(self._tag(noun))

    def _tag(self, name: str) -> str:
        return f"{{{self._namespace}}}{name}"

    def within(self, parent: ElementTree.Element, name: str) -> ElementTree.Element:
        return ElementTree.SubElement(parent, self._tag(name))

    def text(self, parent: ElementTree.Element, name: str, said: str) -> None:
        # Characters that XML can not hold are left out.
        self.within(parent, name).text = "".join(one for one in said if one >= " " and one not in "\ufffe\uffff")

    def named(self, parent: ElementTree.Element, name: str) -> None:
        self.text(self.within(parent, "Names"), "name", name)

    def parameter(self, parent: ElementTree.Element, flow: str) -> ElementTree.Element:
        """Active power in watts, in a direction."""
        found = self.within(parent, "DERMonitorableParameter")
        for name, said in (
            ("DERParameter", "activePower"),
            ("flowDirection", flow),
            ("yMultiplier", "none"),
            ("yUnit", "W"),
        ):
            self.text(found, name, said)
        return found

    def said(self) -> str:
        """The document."""
        ElementTree.register_namespace("m", self._namespace)
        return ElementTree.tostring(self.root, encoding="unicode", xml_declaration=False)


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
