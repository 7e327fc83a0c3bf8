"""Classes of CIM that the converter leaves out without a word: refused where they carry power, else named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gridmodel.errors import FileError
from gridmodel.model.findings import Finding

_NAMES = """
ACLineSegmentPhase EnergyConsumerPhase EnergySourcePhase LinearShuntCompensatorPhase NonlinearShuntCompensatorPhase
PowerElectronicsConnectionPhase SwitchPhase TransformerTank TransformerTankEnd EquivalentShunt FrequencyConverter Fuse
Jumper Recloser Sectionaliser ProtectedSwitch DisconnectingCircuitBreaker Cut Clamp
"""
CARRIES_POWER = frozenset(_NAMES.split())
"""of IEC 61970-301, with those of single phases"""
_READ = """
ACLineSegment AsynchronousMachine Breaker BusbarSection ConformLoad CsConverter Disconnector EnergyConsumer EnergySource
EquivalentBranch EquivalentInjection ExternalNetworkInjection LinearShuntCompensator LoadBreakSwitch NonConformLoad
NonlinearShuntCompensator PowerElectronicsConnection PowerTransformer SeriesCompensator StaticVarCompensator
StationSupply Switch SynchronousMachine VsConverter
"""
READ = frozenset(_READ.split())
"""with terminals, that the converter reads"""
STANDS_STILL = {
    "PetersenCoil": "earthing of a neutral",
    "GroundingImpedance": "earthing of a neutral",
    "EarthFaultCompensator": "earthing of a neutral",
    "GroundDisconnector": "taken as open",
    "Ground": "an earthed point of a switch that is taken as open",
    "WaveTrap": "takes no power",
    "Junction": "a point at a node",
    "Connector": "a point at a node",
    "MutualCoupling": "between lines, in zero sequence only",
    "SurgeArrester": "takes no power",
    "CurrentTransformer": "a measurement",
    "PotentialTransformer": "a measurement",
    "FaultIndicator": "a measurement",
}
"""what is not read and why a balanced power flow is the same without it"""
KNOWN = READ | CARRIES_POWER | STANDS_STILL.keys()
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


def left_out(files: Iterable[Path], path: Path) -> list[Finding]:
    """Findings about classes that are left out; FileError for one that carries power. path: what the user named."""
    count: Counter[str] = Counter()
    class_of, at_terminals = dict[str, str](), set[str]()
    for file in files:
        count |= _classes(file, class_of, at_terminals)
    if refused := sorted(CARRIES_POWER & count.keys()):
        said = ", ".join(f"{count[name]} {name}" for name in refused)
        raise FileError(path, f"carries power, and the converter does not read it: {said}", field=refused[0])
    if strange := Counter(kind for one, kind in class_of.items() if one in at_terminals):
        said = ", ".join(f"{number} {name}" for name, number in sorted(strange.items()))
        raise FileError(path, f"has terminals, and is in no list of what is read: {said}", field=min(strange))
    return [
        Finding("note", "not_used", f"class {name}", path.name, f"{count[name]} not read: {why}")
        for name, why in STANDS_STILL.items()
        if count[name]
    ]


def _classes(file: Path, class_of: dict[str, str], at_terminals: set[str]) -> Counter[str]:
    """How many objects of each class a profile has; namespaces are left off.

    class_of: gets the class of each object of a class in no list; at_terminals: gets what terminals belong to, by id.
    """
    from lxml import etree

    found: Counter[str] = Counter()
    depth = 0
    with file.open("rb") as opened:
        parser = etree.iterparse(
            opened, events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        for event, element in parser:
            depth += 1 if event == "start" else -1
            if event == "end" and depth == 1:
                kind = etree.QName(element).localname
                found[kind] += 1
                if kind == "Terminal":
                    at_terminals |= {_id(one.get(f"{RDF}resource")) for one in element if _is_of_equipment(one)}
                elif kind not in KNOWN:
                    class_of[_id(element.get(f"{RDF}ID") or element.get(f"{RDF}about"))] = kind
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
    return found


def _is_of_equipment(element: Any) -> bool:
    return str(element.tag).endswith("}Terminal.ConductingEquipment")


def _id(said: str | None) -> str:
    """An object's id, as a definition or a reference has it."""
    return (said or "").rpartition("#")[2].removeprefix("_")
