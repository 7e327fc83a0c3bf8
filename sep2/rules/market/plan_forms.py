"""A plan as it is handed in: nodes with their bands as JSON, or a sheet (CSV) with a line for each step of each node.

Times are RFC 3339 texts with their offset, or epoch seconds. Power is W of injection; in a sheet also kW, by the name
of the column (`plan_kw`).
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from sep2.rules.market.faults import Fault, refuse
from sep2.rules.market.plans import MOST_VALUES, UNREAD, Series

Named = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
Moment = Annotated[int, Meta(ge=0, le=2**40)] | Annotated[str, Meta(max_length=40)]
OFFSET = "a time with its offset, such as 2027-06-01T16:00:00-04:00"
EPOCH = re.compile(r"\d{9,11}", re.ASCII)
VALUES = ("low", "plan", "high")
FIRST_LINE = 2
"""Of what a sheet says, after its columns."""


class PlanStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is planned from `start` for one step: the least, the planned and the most power, W of injection."""

    start: Moment
    plan_w: float
    low_w: float | None = None
    high_w: float | None = None
    """left out: as planned"""


class PlanNode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node of the aggregation, or one of its DERs, and what is planned there."""

    node: Named | None = None
    """a node of the system operator, or a place of the utility's network"""
    der: Named | None = None
    steps: Annotated[list[PlanStep], Meta(max_length=MOST_VALUES)]


DER = "DER "
"""How a series of a single DER is called, before its name."""


def series_of(nodes: Sequence[PlanNode]) -> tuple[list[Series], list[Fault]]:
    """The series of nodes, and what can not be read in them."""
    found: list[Series] = []
    faults: list[Fault] = []
    for n, one in enumerate(nodes):
        name = one.node if one.der is None else f"{DER}{one.der}"
        if name is None or (one.node is not None and one.der is not None):
            faults.append(Fault(f"nodes[{n}]", "no_node", "", "either node or der"))
            continue
        times = [_time(f"nodes.{name}[{at}].start", step.start, faults) for at, step in enumerate(one.steps)]
        low = [step.plan_w if step.low_w is None else step.low_w for step in one.steps]
        high = [step.plan_w if step.high_w is None else step.high_w for step in one.steps]
        found.append(Series(name, times, low, [step.plan_w for step in one.steps], high))
    names = [one.node for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    faults += [Fault(f"nodes.{name}", "twice", name, "each node once") for name in twice]
    return found, faults


def read_csv(text: str) -> tuple[list[Series], list[Fault]]:
    """The series of a sheet with the columns node or der, start, and low, plan, high as `_w` or `_kw`."""
    lines = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    try:
        rows = list(lines)
    except csv.Error as wrong:
        refuse([Fault("csv", "bad_csv", "", str(wrong))])
    columns = list(lines.fieldnames or ())
    refuse(_missing(columns))
    if len(rows) > MOST_VALUES:
        refuse([Fault("csv", "too_many_values", str(len(rows)), f"at most {MOST_VALUES} lines")])
    faults: list[Fault] = []
    said: dict[str, list[_Line]] = {}
    for number, row in enumerate(rows, FIRST_LINE):
        name = row.get("node") or (f"{DER}{row['der']}" if row.get("der") else "")
        if not name:
            faults.append(Fault(f"line {number}: node", "no_node", "", "a node or a DER"))
            continue
        start = _time(f"line {number}: start", row.get("start") or "", faults)
        low, plan, high = (_watts(row, which, faults, line=number) for which in VALUES)
        planned = float("nan") if plan is None else plan
        line = _Line(start, planned if low is None else low, planned, planned if high is None else high)
        said.setdefault(name[:84], []).append(line)
    return [Series(name, *map(list, zip(*own, strict=True))) for name, own in said.items()], faults


class _Line(NamedTuple):
    start: int
    low_w: float
    plan_w: float
    high_w: float


def _missing(columns: Sequence[str]) -> list[Fault]:
    found = []
    if "node" not in columns and "der" not in columns:
        found.append(Fault("node", "missing_column", "", "a column node, or der"))
    if "start" not in columns:
        found.append(Fault("start", "missing_column", "", f"a column start: {OFFSET}"))
    if not {"plan_w", "plan_kw"} & set(columns):
        found.append(Fault("plan_w", "missing_column", "", "a column plan_w, or plan_kw"))
    known = {"node", "der", "start", *(f"{which}_{unit}" for which in VALUES for unit in ("w", "kw"))}
    found += [Fault(one[:40], "unknown_column", one[:40], f"one of {', '.join(sorted(known))}")
              for one in columns if one not in known]  # fmt: skip
    return found


def _watts(row: Mapping[str, str | None], which: str, faults: list[Fault], *, line: int) -> float | None:
    """W of a cell; None where it is empty; not a number where it is none, which is refused later."""
    for unit, factor in (("w", 1.0), ("kw", 1000.0)):
        cell = row.get(f"{which}_{unit}")
        if cell:
            try:
                return float(cell) * factor
            except ValueError:
                faults.append(Fault(f"line {line}: {which}_{unit}", "not_a_number", cell[:40], f"a number of {unit}"))
                return 0.0
    return None


def _time(path: str, said: Moment, faults: list[Fault]) -> int:
    """Epoch seconds; UNREAD and a fault where it is no time with its offset."""
    if isinstance(said, int):
        return said
    if EPOCH.fullmatch(said):
        return int(said)
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        faults.append(Fault(path, "bad_time", said[:40], OFFSET))
        return UNREAD
    if at.tzinfo is None:
        faults.append(Fault(path, "offset_missing", said[:40], OFFSET))
        return UNREAD
    return int(at.timestamp())
