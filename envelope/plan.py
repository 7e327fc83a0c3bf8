"""A problem on disk: the feeder by name, arrays in one file, the policy in a few words; what the cycle works from."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from envelope.allocate import Allocation
from envelope.limits import OperatingLimits
from envelope.problem import BadProblem, Early, Guarantee, Problem, Reference, select
from envelope.reactive import from_plain, to_plain

EUROPEAN_LV = "european-lv"
FILE = "envelope-plan.npz"
_POLICY = ("base_z", "adoption_s", "in_force_until", "alpha")
_TEXTS = ("control_point", "flex_split")
_SKIPPED = (
    "reduced",
    "step_s",
    "margins",
    "groups",
    "limits",
    "guarantee",
    "allocation",
    "reference",
    "reactive",
    "early",
    *_POLICY,
)


@dataclass(frozen=True)
class Plan:
    """A feeder by name or folder, and the problem on it."""

    feeder: str
    problem: Problem


def save(path: Path, feeder: str, problem: Problem) -> None:
    """Write a problem; `feeder` is a folder of gridmodel's layout, or `european-lv`. Margins and groups are refused."""
    if problem.margins or problem.groups:
        raise BadProblem("margins, groups: a plan does not keep them, and limits without them would be wider")
    arrays = {f.name: getattr(problem, f.name) for f in fields(problem) if f.name not in _SKIPPED}
    said = {
        "feeder": feeder,
        "connection_id": list(problem.connection_id),
        "step_s": problem.step_s,
        "guarantee": str(problem.guarantee),
        "allocation": str(problem.allocation),
        "reference": str(problem.reference),
        "v_min_v": problem.limits.v_min_v,
        "v_max_v": problem.limits.v_max_v,
        "margin_v": problem.limits.margin_v,
        "margin_current": problem.limits.margin_current,
        "vuf_max_percent": problem.limits.vuf_max_percent,
        "transformer_most_a": problem.limits.transformer_most_a,
        "source": problem.limits.source,
        "reactive": to_plain(problem.reactive),
        "early": str(problem.early),
    } | {name: getattr(problem, name) for name in _POLICY}
    kept = {name: value for name, value in arrays.items() if value is not None}
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(
            file, said=np.frombuffer(json.dumps(said).encode(), dtype=np.uint8),
            rating_factor=np.asarray(problem.limits.rating_factor, dtype=float),
            transformer_factor=np.asarray(problem.limits.transformer_factor, dtype=float), **kept,
        )  # fmt: skip
    part.replace(path)


def load(path: Path) -> Plan:
    """Read a problem and reduce its feeder."""
    from gridmodel import reduce

    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        said = json.loads(arrays.pop("said").tobytes())
    except (OSError, KeyError, ValueError) as wrong:
        raise BadProblem(f"{path}: {wrong}") from None
    network = feeder_of(said["feeder"]).network
    if tuple(said["connection_id"]) != network.connections.id:
        order = select(said["connection_id"], network.connections.id)
        raise BadProblem(f"{path}: connections stand in another order than in {said['feeder']} (first {order[0]})")
    both = (arrays.pop(name, np.ones(())) for name in ("rating_factor", "transformer_factor"))
    factor, of_transformers = (float(f) if f.ndim == 0 else f for f in both)
    limits = OperatingLimits(
        said["v_min_v"], said["v_max_v"], factor, of_transformers,
        transformer_most_a=said.get("transformer_most_a", float("inf")),
        margin_v=said["margin_v"], margin_current=said["margin_current"], source=said["source"],
        vuf_max_percent=said.get("vuf_max_percent"),
    )  # fmt: skip
    policy: dict[str, Any] = {name: said[name] for name in _POLICY}
    policy |= {name: tuple(arrays.pop(name).tolist()) for name in _TEXTS if name in arrays}
    problem = Problem(
        reduce(network), step_s=said["step_s"], limits=limits, guarantee=Guarantee(said["guarantee"]),
        allocation=Allocation(said["allocation"]), reference=Reference(said["reference"]),
        reactive=from_plain(said["reactive"]), early=Early(said["early"]), **policy, **arrays,
    )  # fmt: skip
    return Plan(said["feeder"], problem)


def feeder_of(name: str) -> Any:
    """gridmodel's feeder of a folder, or the IEEE European LV feeder."""
    if name == EUROPEAN_LV:
        from gridmodel.feeders import european_lv

        return european_lv()
    from gridmodel import read_feeder

    return read_feeder(name)
