"""Load shapes of an OpenDSS script: multipliers by even intervals, from the script or from files beside it."""

from __future__ import annotations

from collections.abc import Mapping

from gridmodel.errors import FileError
from gridmodel.model.network import OwnShape
from gridmodel.readers.opendss_files import ScriptFolder, columns, numbers
from gridmodel.readers.opendss_objects import Declared
from gridmodel.readers.opendss_tokens import parameters

STEPS = (("sinterval", 1.0), ("minterval", 60.0), ("interval", 3600.0))
FILES = (("csvfile", "file"), ("dblfile", "dblfile"), ("sngfile", "sngfile"), ("pqcsvfile", "file"))
HOUR_S = 3600.0


def shape_of(declared: Mapping[tuple[str, str], Declared], folder: ScriptFolder | None, name: str) -> OwnShape | None:
    """A load shape of even intervals; None where there is none of that name, or its intervals are not even."""
    found = declared.get(("loadshape", name.lower()))
    if found is None or folder is None:
        return None
    given = found.given
    try:
        values = _multipliers(found, folder)
        step_s = next((float(given[field]) * unit for field, unit in STEPS if field in given), HOUR_S)
        count = int(float(given.get("npts", len(values))))
    except (LookupError, ValueError) as e:
        raise FileError(found.file, f"loadshape.{name}: {e.args[0]}", row=found.row) from None
    return OwnShape(step_s, tuple(values[:count])) if values and step_s > 0 else None


def _multipliers(found: Declared, folder: ScriptFolder) -> list[float]:
    inline = found.given.get("mult", found.given.get("pmult"))
    if inline is not None:
        return [float(x) for x in numbers(folder, inline, found.beside)]
    for field, kind in FILES:
        if field in found.given:
            table = columns(folder.find(parameters(found.given[field])[0].value, found.beside), kind)
            # Active power stands before reactive power, and behind the hour where there is one.
            return [float(x) for x in table[:, 0 if field == "pqcsvfile" else -1]]
    return []
