"""Declared distribution factors as a sheet: a line for each node; all that is wrong is said at once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sep2.rules.market.faults import Fault, refuse
from sep2.rules.names import key_of

NEEDED = ("aggregation", "iso_node", "factor_ppm")
COLUMNS = (*NEEDED, "valid_from")
LATEST = 2**40


class Declaration(NamedTuple):
    """The factors of one aggregation from a time on (None: now), and the line that names it first."""

    aggregation: str
    valid_from: int | None
    line: int
    ppm: dict[str, int]


def read_sheet(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Declaration]:
    """The declarations of a sheet; Unfit says what is wrong, by line and column."""
    known = f"one of {', '.join(COLUMNS)}"
    faults = [Fault("columns", "unknown_column", one, known) for one in columns if one not in COLUMNS]
    faults += [Fault(one, "missing_column", "", f"{', '.join(NEEDED)}") for one in NEEDED if one not in columns]
    refuse(faults)
    found: dict[tuple[str, int | None], Declaration] = {}
    for line, cells in enumerate(rows, 2):
        row = dict(zip(columns, cells, strict=False))
        wrong = _wrong(row, f"line {line}")
        if not wrong:
            start = int(row["valid_from"]) if row.get("valid_from") else None
            new = Declaration(row["aggregation"], start, line, {})
            ppm = found.setdefault((key_of(new.aggregation), start), new).ppm
            if row["iso_node"] in ppm:
                wrong = [Fault(f"line {line}: iso_node", "duplicate", row["iso_node"], "each node once")]
            else:
                ppm[row["iso_node"]] = int(row["factor_ppm"])
        faults += wrong
    refuse(faults)
    return list(found.values())


def _wrong(row: Mapping[str, str], where: str) -> list[Fault]:
    found = [
        Fault(f"{where}: {name}", "missing", "", "a name")
        for name in ("aggregation", "iso_node")
        if not row.get(name)
    ]  # fmt: skip
    ppm, start = row.get("factor_ppm", ""), row.get("valid_from", "")
    if not _is_whole(ppm, 1_000_000):
        found.append(Fault(f"{where}: factor_ppm", "factor", ppm[:80], "a whole number, 0 to 1000000"))
    if start and not _is_whole(start, LATEST):
        found.append(Fault(f"{where}: valid_from", "bad_value", start[:80], "a time in epoch seconds"))
    return found


def _is_whole(text: str, largest: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16 and int(text) <= largest
