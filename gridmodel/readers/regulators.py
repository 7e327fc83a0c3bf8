"""regulators.csv and capacitors.csv of a feeder folder: what moves voltages on the medium-voltage side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gridmodel.errors import FileError, GridError
from gridmodel.model.equipment import Capacitor, Transformer
from gridmodel.model.regulators import MEASURED, PHASES, Mode, Regulator, Setting
from gridmodel.readers.tables import Row, by_id, read_csv

COLUMNS = ("regulator_id", "node", "set_v", "band_v", "mode")
CAPACITOR_COLUMNS = ("capacitor_id", "node", "kvar")


def read_regulators(folder: Path, transformers: Sequence[Transformer]) -> tuple[Regulator, ...]:
    """The controls of regulators.csv; none where there is no such file."""
    if not (folder / "regulators.csv").is_file():
        return ()
    found: list[Regulator] = []
    moved: dict[tuple[str, str], str] = {}
    for row in by_id(read_csv(folder / "regulators.csv", COLUMNS), "regulator_id").values():
        regulator = _regulator(row, transformers)
        for phase in regulator.phases:
            other = moved.setdefault((regulator.transformer, phase), regulator.id)
            if other != regulator.id:
                raise row.wrong("phases", f"{other} moves phase {phase} of transformer {regulator.transformer} already")
        found.append(regulator)
    return tuple(found)


def _regulator(row: Row, transformers: Sequence[Transformer]) -> Regulator:
    transformer = _transformer(row, transformers)
    phases, measured = row.text("phases", "abc").lower(), row.text("measured", "").lower()
    if phases not in PHASES:
        raise row.wrong("phases", f"{phases!r} is none of {', '.join(PHASES)}")
    if measured not in ("", *MEASURED):
        raise row.wrong("measured", f"{measured!r} is none of {', '.join(MEASURED)}")
    low, high = row.whole("tap_min", transformer.tap_min), row.whole("tap_max", transformer.tap_max)
    step = row.number("tap_step_percent", transformer.tap_step_percent)
    if low >= high:
        raise row.wrong("tap_min", f"transformer {transformer.id} has no taps to move: {low}..{high}")
    if step <= 0:
        raise row.wrong("tap_step_percent", f"transformer {transformer.id} has steps of {step:g} %")
    if not low <= transformer.tap <= high:
        raise row.wrong("tap_min", f"transformer {transformer.id} stands at {transformer.tap}, outside {low}..{high}")
    try:
        return Regulator(
            id=row.text("regulator_id"),
            transformer=transformer.id,
            forward=_setting(row, ""),
            tap_min=low,
            tap_max=high,
            tap_step_percent=step,
            tap=transformer.tap,
            tap_side=transformer.tap_side,
            phases=phases,
            measured=measured,
            pt=row.positive("pt", 1.0),
            ct=row.positive("ct", 1.0),
            mode=_mode(row),
            reverse=_setting(row, "reverse_") if "reverse_set_v" in row else None,
        )
    except FileError:
        raise
    except GridError as e:
        raise row.wrong("regulator_id", str(e)) from None


def _transformer(row: Row, transformers: Sequence[Transformer]) -> Transformer:
    """The one that is named, or the only one that feeds the node."""
    node = row.text("node")
    feeding = [t for t in transformers if t.lv_node == node]
    if "transformer_id" in row:
        named = [t for t in feeding if t.id == row.text("transformer_id")]
        if not named:
            raise row.wrong("transformer_id", f"no three-phase transformer {row.text('transformer_id')} feeds {node}")
        return named[0]
    if len(feeding) != 1:
        raise row.wrong("node", f"{len(feeding)} three-phase transformers feed {node}; name one as transformer_id")
    return feeding[0]


def _setting(row: Row, prefix: str) -> Setting:
    set_v, band_v = row.number(f"{prefix}set_v"), row.number(f"{prefix}band_v", row.number("band_v"))
    if set_v <= 0:
        raise row.wrong(f"{prefix}set_v", f"{set_v:g} is not positive")
    if not 0 < band_v < set_v:
        raise row.wrong(f"{prefix}band_v", f"{band_v:g} V around {set_v:g} V")
    r, x = row.number(f"{prefix}ldc_r", 0.0), row.number(f"{prefix}ldc_x", 0.0)
    if (r, x) != (0.0, 0.0) and "ct" not in row:
        raise row.wrong("ct", "is missing: line-drop compensation needs it")
    return Setting(set_v, band_v, r, x)


def _mode(row: Row) -> Mode:
    said = row.text("mode").lower()
    if said not in set(Mode):
        raise row.wrong("mode", f"{said!r} is none of {', '.join(Mode)}")
    return Mode(said)


def read_capacitors(folder: Path, nodes: Mapping[str, Row]) -> tuple[Capacitor, ...]:
    """The banks of capacitors.csv; none where there is no such file."""
    if not (folder / "capacitors.csv").is_file():
        return ()
    rows = by_id(read_csv(folder / "capacitors.csv", CAPACITOR_COLUMNS), "capacitor_id")
    return tuple(_capacitor(row, nodes) for row in rows.values())


def _capacitor(row: Row, nodes: Mapping[str, Row]) -> Capacitor:
    node, phases, state = row.text("node"), row.text("phases", "abc").lower(), row.text("state", "closed").lower()
    if node not in nodes:
        raise row.wrong("node", f"{node} is not in nodes.csv")
    if phases not in PHASES:
        raise row.wrong("phases", f"{phases!r} is none of {', '.join(PHASES)}")
    if state not in {"open", "closed"}:
        raise row.wrong("state", f"{state!r} is neither open nor closed")
    return Capacitor(row.text("capacitor_id"), node, phases, _kvar(row) * 1e3, state == "closed")


def _kvar(row: Row) -> float:
    kvar = row.number("kvar")
    if not kvar:
        raise row.wrong("kvar", "0 is no size")
    return kvar
