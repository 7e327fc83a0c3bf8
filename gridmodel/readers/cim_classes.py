"""Classes of CIM that the converter leaves out without a word: refused where they carry power, else named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from gridmodel.errors import FileError
from gridmodel.model.findings import Finding

_NAMES = """
ACLineSegmentPhase EnergyConsumerPhase EnergySourcePhase LinearShuntCompensatorPhase NonlinearShuntCompensatorPhase
PowerElectronicsConnectionPhase SwitchPhase TransformerTank TransformerTankEnd EquivalentShunt FrequencyConverter Fuse
Jumper Recloser Sectionaliser ProtectedSwitch DisconnectingCircuitBreaker Cut Clamp
"""
CARRIES_POWER = frozenset(_NAMES.split())
"""of IEC 61970-301, with those of single phases"""
STANDS_STILL = {
    "PetersenCoil": "earthing of a neutral",
    "GroundingImpedance": "earthing of a neutral",
    "EarthFaultCompensator": "earthing of a neutral",
    "GroundDisconnector": "taken as open",
    "Ground": "an earthed point of a switch that is taken as open",
    "WaveTrap": "takes no power",
    "MutualCoupling": "between lines, in zero sequence only",
    "SurgeArrester": "takes no power",
    "CurrentTransformer": "a measurement",
    "PotentialTransformer": "a measurement",
    "FaultIndicator": "a measurement",
}
"""what is not read and why a balanced power flow is the same without it"""


def left_out(files: Iterable[Path], path: Path) -> list[Finding]:
    """Findings about classes that are left out; FileError for one that carries power. path: what the user named."""
    count: Counter[str] = Counter()
    for file in files:
        count |= _classes(file)
    if refused := sorted(CARRIES_POWER & count.keys()):
        said = ", ".join(f"{count[name]} {name}" for name in refused)
        raise FileError(path, f"carries power, and the converter does not read it: {said}", field=refused[0])
    return [
        Finding("note", "not_used", f"class {name}", path.name, f"{count[name]} not read: {why}")
        for name, why in STANDS_STILL.items()
        if count[name]
    ]


def _classes(file: Path) -> Counter[str]:
    """How many objects of each class a profile has; namespaces are left off."""
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
                found[etree.QName(element).localname] += 1
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
    return found
