"""The group profiles of IEC 61968-5 as far as messages use them: which elements, in which order, how often."""

from lxml import etree

GROUP_FUNCTION = "".join(
    f'<xs:element name="{name}" type="xs:boolean"/>'
    for name in (
        *("connectDisconnect", "frequencyWattCurveFunction", "maxRealPowerLimiting", "rampRateControl"),
        *("reactivePowerDispatch", "realPowerDispatch", "voltageRegulation", "voltVarCurveFunction"),
        "voltWattCurveFunction",
    )
)


def _some(name: str, *inside: str, most: str = "1", least: int = 1) -> str:
    bounds = f'minOccurs="{least}" maxOccurs="{most}"'
    within = f"<xs:complexType><xs:sequence>{''.join(inside)}</xs:sequence></xs:complexType>"
    return f'<xs:element name="{name}" {bounds}>{within}</xs:element>'


def _one(name: str, kind: str = "string", least: int = 1) -> str:
    return f'<xs:element name="{name}" type="xs:{kind}" minOccurs="{least}"/>'


def _of(name: str, *values: str) -> str:
    said = "".join(f'<xs:enumeration value="{value}"/>' for value in values)
    return (
        f'<xs:element name="{name}"><xs:simpleType><xs:restriction base="xs:string">{said}</xs:restriction>'
        "</xs:simpleType></xs:element>"
    )


NAMES = _some("Names", _one("name"), most="unbounded", least=0)
MRID = _one("mRID", least=0)
PARAMETER = (
    _of("DERParameter", "activePower", "reactivePower", "apparentPower", "voltage")
    + _of("flowDirection", "forward", "reverse", "net", "total", "none")
    + _of("yMultiplier", "none", "k", "M", "m")
    + _of("yUnit", "W", "VA", "VAr", "V")
)
VALUES = _one("maxYValue", "float", 0) + _one("minYValue", "float", 0) + _one("nominalYValue", "float", 0)
STATUS = _one("dateTime", "dateTime", 0) + "".join(_one(name, least=0) for name in ("reason", "remark", "value"))
MEASURED = _some("DERCurveData", VALUES, _one("timeStamp", "dateTime"))
SCHEDULE = (
    _of("curveStyleKind", "constantYValue", "straightLineYValues")
    + _one("startTime", "dateTime")
    + _one("timeIntervalDuration", "integer")
    + _of("timeIntervalUnit", "D", "M", "Y", "h", "m", "s")
    + _some("DERCurveData", _one("intervalNumber", "integer"), _one("nominalYValue", "float"), most="unbounded")
)
SCHEDULES = _some("DispatchSchedule", SCHEDULE, most="unbounded")
MESSAGES = {
    "DERGroups": _some(
        "EndDeviceGroup",
        MRID,
        _one("description", least=0),
        _some("DERFunction", GROUP_FUNCTION),
        _some("EndDevices", MRID, NAMES, most="unbounded", least=0),
        NAMES,
        most="unbounded",
    ),
    "DERGroupStatuses": _some(
        "EndDeviceGroup",
        MRID,
        _some("DERMonitorableParameter", PARAMETER, MEASURED, most="unbounded"),
        NAMES,
        _some("status", STATUS, least=0),
        most="unbounded",
    ),
    "DERGroupDispatches": _some(
        "DERGroupDispatch",
        MRID,
        _some("EndDeviceGroup", MRID, _some("DERMonitorableParameter", PARAMETER, SCHEDULES), NAMES),
        NAMES,
        most="unbounded",
    ),
}


def schema(noun: str) -> etree.XMLSchema:
    """The schema of a message, by its noun."""
    root = f'<xs:element name="{noun}"><xs:complexType><xs:sequence>{MESSAGES[noun]}</xs:sequence></xs:complexType>'
    head = f'elementFormDefault="qualified" targetNamespace="http://iec.ch/TC57/2017/{noun}#"'
    whole = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" {head}>{root}</xs:element></xs:schema>'
    return etree.XMLSchema(etree.fromstring(whole))
