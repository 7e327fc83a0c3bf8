"""What a system operator told an aggregation: read from files, spread over members, compared with what holds for them.

Power is injection, positive, in W; files carry kW with the unit in the name of the column.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from sep2.rules.market import aemo
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.market.settle import apportioned
from sep2.rules.market.shares import DECLARED, RATING, WHOLE_PPM, SplitBy, factors_in_use
from sep2.rules.told_times import told

Kind = Literal["award", "dispatch", "regulation_band"]
Watts = Annotated[int, Meta(ge=-10_000_000_000, le=10_000_000_000)]
Named = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
Epoch = Annotated[int, Meta(ge=0, le=2**40)]
MOST_LINES = 20_000
NEEDED = ("iso_dispatch_id", "iso_resource_id", "issued_at", "start", "end", "target_kw", "kind")


class Instruction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One award or dispatch; times in epoch seconds, `target_w` is the mean over [start, end)."""

    iso_dispatch_id: Named
    iso_resource_id: Named
    issued_at: Epoch
    start: Epoch
    end: Epoch
    target_w: Watts
    kind: Kind = "dispatch"
    ramp_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    sequence: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    """None: the next, where it says something else than before"""


class MemberShare(NamedTuple):
    """A member of an aggregation: its weight among all, such as its rating times its share."""

    der: str
    iso_node: str
    weight: int


class Bound(NamedTuple):
    """What holds for a member: the tightest limit in a direction (None: none), who says it, and which control."""

    watts: int | None
    source: str = ""
    binding: str = ""


class Part(NamedTuple):
    """A member's part of a dispatch, and why it can not be kept (empty: it can)."""

    der: str
    iso_node: str
    target_w: int
    limit_w: int | None
    cause: str
    binding: str
    split_by: SplitBy = RATING
    """what the target was spread by"""


Adapter = Callable[[bytes], list[Instruction]]
"""Reads one file of a system operator; refuses it whole, with everything that is wrong with it (`Unfit`)."""


def read_csv(text: bytes) -> list[Instruction]:
    """Instructions from `dispatch.csv`: RFC 3339 times with offset, `target_kw`."""
    try:
        lines = csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline=""))
        rows = list(lines)
    except (UnicodeDecodeError, csv.Error) as wrong:
        refuse([Fault("file", "bad_csv", "", str(wrong))])
    missing = [name for name in NEEDED if name not in (lines.fieldnames or ())]
    refuse([Fault(name, "missing_column", "", f"one of the columns {', '.join(NEEDED)}") for name in missing])
    return _all([(f"line {n}", _from_line(row)) for n, row in enumerate(rows, 2)])


def read_json(text: bytes) -> list[Instruction]:
    """Instructions from a JSON array of objects, times as RFC 3339 texts with offset or epoch seconds, `target_w`."""
    try:
        found = msgspec.json.decode(text, type=list[dict[str, object]])
    except msgspec.DecodeError as wrong:
        refuse([Fault("file", "bad_json", "", str(wrong))])
    rows = [(f"entry {n}", {name: _time(name, value) for name, value in one.items()}) for n, one in enumerate(found, 1)]
    return _all(rows)


def read_aemo(text: bytes) -> list[Instruction]:
    """Instructions from a report of AEMO, see `rules.market.aemo`."""
    return _all(aemo.read_rows(text))


Form = Literal["csv", "json", "aemo"]
ADAPTERS: dict[Form, Adapter] = {"csv": read_csv, "json": read_json, "aemo": read_aemo}
"""Forms of file that are understood; `aemo` was tried with the layout that AEMO publishes, the others are our own."""
OTHERS_TOO = frozenset({"aemo"})
"""Forms that hold instructions to others as well, which are left out."""


def _from_line(row: Mapping[str, str | None]) -> dict[str, object]:
    said: dict[str, object] = {name: value for name, value in row.items() if value and name != "target_kw"}
    for name in ("ramp_s", "sequence"):
        if name in said:
            said[name] = _whole(str(said[name]))
    said["target_w"] = _watts(row.get("target_kw") or "")
    return {name: _time(name, value) for name, value in said.items()}


def _watts(text: str) -> object:
    try:
        return round(float(text) * 1000)
    except (ValueError, OverflowError):
        return text


def _whole(text: str) -> object:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _time(name: str, value: object) -> object:
    """Epoch seconds of an RFC 3339 time; one without an offset, or that is none, stays a text and is refused."""
    if name not in ("issued_at", "start", "end") or not isinstance(value, str):
        return value
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return value
    return value if at.tzinfo is None else int(at.timestamp())


def _all(rows: Sequence[tuple[str, Mapping[str, object]]]) -> list[Instruction]:
    faults: list[Fault] = []
    found: list[Instruction] = []
    if len(rows) > MOST_LINES:
        refuse([Fault("file", "too_long", str(len(rows)), f"at most {MOST_LINES} instructions")])
    for where, said in rows:
        try:
            one = msgspec.convert(dict(said), Instruction)
        except msgspec.ValidationError as wrong:
            faults.append(_fault(where, said, str(wrong)))
            continue
        found.append(one)
        faults += [fault._replace(path=f"{where}: {fault.path}") for fault in instruction_faults(one)]
    refuse(faults)
    return found


def _fault(where: str, said: Mapping[str, object], wrong: str) -> Fault:
    field = wrong.rpartition("$.")[2].rstrip("`") if "$." in wrong else "entry"
    value = said.get(field, "")
    code = "offset_missing" if field in ("issued_at", "start", "end") and isinstance(value, str) else "bad_value"
    bound = "a time with its offset, such as 2027-06-01T16:00:00-04:00" if code == "offset_missing" else wrong
    return Fault(f"{where}: {field}", code, str(value)[:80], bound)


def instruction_faults(one: Instruction) -> list[Fault]:
    """What is wrong with the times of an instruction."""
    found = []
    if one.end <= one.start:
        found.append(Fault("end", "ends_before_start", told(one.end), f"after start {told(one.start)}"))
    if one.issued_at >= one.end:
        found.append(Fault("issued_at", "issued_after_end", told(one.issued_at), f"before end {told(one.end)}"))
    return found


def spread(
    target_w: int,
    members: Sequence[MemberShare],
    bounds: Mapping[str, Bound],
    declared: Mapping[str, int] | None = None,
) -> list[Part]:
    """A target over the members, in whole W that sum to it, each compared with what holds for it.

    declared: the factors (ppm) of nodes, by which it is spread over these, and by weights within each. Where there are
    none, or a node of them has no weight, it is spread by weights alone.
    """
    weights: dict[str, int] = {}
    for one in members:
        weights[one.iso_node] = weights.get(one.iso_node, 0) + one.weight
    if not sum(weights.values()):
        return []
    by_node = factors_in_use(declared or {}, weights)
    if by_node.split_by == DECLARED:
        watts = _by_nodes(abs(target_w), members, by_node.ppm)
    else:
        watts = _by_weights(abs(target_w), members)
    sign = -1 if target_w < 0 else 1
    return [
        _part(one, sign * part, bounds.get(one.der, Bound(None)), by_node.split_by)
        for one, part in zip(members, watts, strict=True)
    ]


def _by_weights(watts: int, members: Sequence[MemberShare]) -> list[int]:
    total = sum(one.weight for one in members)
    return apportioned(watts, [watts * one.weight / total for one in members])


def _by_nodes(watts: int, members: Sequence[MemberShare], ppm: Mapping[str, int]) -> list[int]:
    found = [0] * len(members)
    nodes = apportioned(watts, [watts * part / WHOLE_PPM for part in ppm.values()])
    for node, its in zip(ppm, nodes, strict=True):
        there = [n for n, one in enumerate(members) if one.iso_node == node]
        for n, part in zip(there, _by_weights(its, [members[n] for n in there]), strict=True):
            found[n] = part
    return found


def _part(member: MemberShare, target_w: int, bound: Bound, split_by: SplitBy) -> Part:
    beyond = bound.watts is not None and abs(target_w) > bound.watts
    cause, binding = (bound.source or "limit", bound.binding) if beyond else ("", "")
    return Part(member.der, member.iso_node, target_w, bound.watts, cause, binding, split_by)
