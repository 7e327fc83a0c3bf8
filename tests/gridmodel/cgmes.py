"""A small grid in CGMES 2.4.15 for tests: a substation transformer, a line and two customers, in four profiles."""

from collections.abc import Iterable, Mapping
from pathlib import Path

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:cim="http://iec.ch/TC57/2013/CIM-schema-cim16#"
 xmlns:md="http://iec.ch/TC57/61970-552/ModelDescription/1#" xmlns:entsoe="http://entsoe.eu/CIM/SchemaExtension/3/1#">
"""
PROFILES = {
    "EQ": "http://entsoe.eu/CIM/EquipmentCore/3/1",
    "SSH": "http://entsoe.eu/CIM/SteadyStateHypothesis/1/1",
    "TP": "http://entsoe.eu/CIM/Topology/4/1",
    "SV": "http://entsoe.eu/CIM/StateVariables/4/1",
}
LINE = {"r": 0.09, "x": 0.03, "bch": 0.0, "gch": 0.0, "r0": 0.36, "x0": 0.11, "b0ch": 0.0, "g0ch": 0.0}
NODES = {"mv": 11.0, "lv": 0.4, "end": 0.4}
KINDS = "http://iec.ch/TC57/2013/CIM-schema-cim16#"


def element(kind: str, name: str, fields: Mapping[str, object], *, about: bool = False) -> str:
    """One object; values that begin with `#` refer to another."""
    mark = f'rdf:about="#{name}"' if about else f'rdf:ID="{name}"'
    inner = []
    for field, value in fields.items():
        own = field if "." in field else f"{kind}.{field}"
        said = str(value)
        if said.startswith(("#", "http")):
            inner.append(f'<cim:{own} rdf:resource="{said}"/>')
        else:
            inner.append(f"<cim:{own}>{said}</cim:{own}>")
    return f"<cim:{kind} {mark}>{''.join(inner)}</cim:{kind}>\n"


def named(kind: str, name: str, **fields: object) -> str:
    """One object of the equipment with its name."""
    return element(kind, name, {"IdentifiedObject.name": name, **fields})


def write_cgmes(folder: Path) -> Path:
    """The four files; returns the folder."""
    folder.mkdir(exist_ok=True)
    ends = {
        "source_1": ("source", "mv"), "tx_1": ("tx", "mv"), "tx_2": ("tx", "lv"),
        "line_1": ("line", "lv"), "line_2": ("line", "end"), "shop_1": ("shop", "lv"), "home_1": ("home", "end"),
    }  # fmt: skip
    equipment = [
        named("BaseVoltage", "bv_mv", nominalVoltage=11),
        named("BaseVoltage", "bv_lv", nominalVoltage=0.4),
        named("GeographicalRegion", "land"),
        named("SubGeographicalRegion", "county", Region="#land"),
        named("Substation", "station", Region="#county"),
        *(
            named("VoltageLevel", f"level_{v}", BaseVoltage=f"#bv_{v}", Substation="#station", highVoltageLimit=99)
            for v in ("mv", "lv")
        ),
        *(
            named("ConnectivityNode", f"cn_{n}", ConnectivityNodeContainer=f"#level_{'mv' if v > 1 else 'lv'}")
            for n, v in NODES.items()
        ),
        *(
            named("Terminal", t, **{
                "ConductingEquipment": f"#{of}", "ConnectivityNode": f"#cn_{at}",
                "ACDCTerminal.sequenceNumber": t[-1], "phases": f"{KINDS}PhaseCode.ABC",
            })
            for t, (of, at) in ends.items()
        ),
        named("ExternalNetworkInjection", "source", **{
            "Equipment.EquipmentContainer": "#level_mv",
            "maxInitialSymShCCurrent": 9000, "minInitialSymShCCurrent": 9000,
            "maxR1ToX1Ratio": 0.1, "minR1ToX1Ratio": 0.1, "maxR0ToX0Ratio": 0.1, "minR0ToX0Ratio": 0.1,
            "maxZ0ToZ1Ratio": 1.0, "minZ0ToZ1Ratio": 1.0, "governorSCD": 0, "ikSecond": "false", "voltageFactor": 1.0,
            "RegulatingCondEq.RegulatingControl": "#control", "maxP": 100, "minP": -100, "maxQ": 100, "minQ": -100,
        }),
        named("RegulatingControl", "control", mode=f"{KINDS}RegulatingControlModeKind.voltage", Terminal="#source_1"),
        named("PowerTransformer", "tx", **{
            "Equipment.EquipmentContainer": "#station", "isPartOfGeneratorUnit": "false",
        }),
        *(
            named("PowerTransformerEnd", f"tx_end_{k}", **{
                "PowerTransformer": "#tx", "TransformerEnd.endNumber": k, "TransformerEnd.Terminal": f"#tx_{k}",
                "TransformerEnd.BaseVoltage": f"#bv_{v}", "ratedS": 0.25, "ratedU": u, "r": r, "x": x, "b": 0, "g": 0,
                "r0": r, "x0": x, "b0": 0, "g0": 0,
                "phaseAngleClock": clock, "connectionKind": f"{KINDS}WindingConnection.{kind}",
                "TransformerEnd.grounded": grounded, "TransformerEnd.rground": 0, "TransformerEnd.xground": 0,
            })
            for k, v, u, r, x, clock, kind, grounded in (
                (1, "mv", 11, 5.8, 19.36, 0, "D", "false"), (2, "lv", 0.4, 0, 0, 11, "Yn", "true"),
            )
        ),
        named("ACLineSegment", "line", **LINE, **{
            "Conductor.length": 0.3, "ConductingEquipment.BaseVoltage": "#bv_lv", "shortCircuitEndTemperature": 80,
            "Equipment.EquipmentContainer": "#level_lv",
        }),
        *(
            named("EnergyConsumer", c, **{
                "Equipment.EquipmentContainer": "#level_lv", "ConductingEquipment.BaseVoltage": "#bv_lv",
            })
            for c in ("shop", "home")
        ),
        named("OperationalLimitType", "patl", **{"limitType": "http://entsoe.eu/CIM/SchemaExtension/3/1#LimitTypeKind.patl"}),
        named("OperationalLimitSet", "limits", Terminal="#line_1", Equipment="#line"),
        named("CurrentLimit", "rating", **{
            "value": 200, "OperationalLimit.OperationalLimitSet": "#limits",
            "OperationalLimit.OperationalLimitType": "#patl",
        }),
    ]  # fmt: skip
    state = [
        *(element("Terminal", t, {"ACDCTerminal.connected": "true"}, about=True) for t in ends),
        element("EnergyConsumer", "shop", {"p": 0.03, "q": 0.006}, about=True),
        element("EnergyConsumer", "home", {"p": 0.01, "q": 0.002}, about=True),
        element("RegulatingControl", "control", {
            "targetValue": 11.11, "enabled": "true", "discrete": "false",
        }, about=True),
        element("ExternalNetworkInjection", "source", {
            "p": 0, "q": 0, "referencePriority": 1, "RegulatingCondEq.controlEnabled": "true",
        }, about=True),
    ]  # fmt: skip
    topology = [
        *(named("TopologicalNode", f"tn_{n}", **{
            "BaseVoltage": f"#bv_{'mv' if v > 1 else 'lv'}",
            "ConnectivityNodeContainer": f"#level_{'mv' if v > 1 else 'lv'}",
        }) for n, v in NODES.items()),
        *(element("ConnectivityNode", f"cn_{n}", {"TopologicalNode": f"#tn_{n}"}, about=True) for n in NODES),
        *(element("Terminal", t, {"TopologicalNode": f"#tn_{at}"}, about=True) for t, (_, at) in ends.items()),
    ]  # fmt: skip
    voltages = [
        element("SvVoltage", f"sv_{n}", {"v": v, "angle": 0, "TopologicalNode": f"#tn_{n}"}) for n, v in NODES.items()
    ]
    for profile, parts in (("EQ", equipment), ("SSH", state), ("TP", topology), ("SV", voltages)):
        (folder / f"small_{profile}.xml").write_text(_file(profile, parts))
    return folder


def _file(profile: str, parts: Iterable[str]) -> str:
    model = (
        f'<md:FullModel rdf:about="urn:uuid:{profile}"><md:Model.profile>{PROFILES[profile]}</md:Model.profile>'
        "<md:Model.scenarioTime>2026-01-01T00:00:00Z</md:Model.scenarioTime><md:Model.created>2026-01-01T00:00:00Z"
        "</md:Model.created><md:Model.version>1</md:Model.version>"
        "<md:Model.modelingAuthoritySet>http://example.org</md:Model.modelingAuthoritySet></md:FullModel>\n"
    )
    return f"{HEAD}{model}{''.join(parts)}</rdf:RDF>\n"
