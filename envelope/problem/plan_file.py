"""A problem on disk: its feeder's files and every field of it in one file; what the cycle works from."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from envelope.field_rules import UNKNOWN, BadProblem, InstanceOf, Numbers, OneOf, Rule, Strings, validate
from envelope.problem.carried_feeder import PREFIX, Carried, carried_of, files_in_plan, unpacked
from envelope.problem.feeder_files import EUROPEAN_LV, digest_of
from envelope.problem.file_content import PLAN, content_of, not_a
from envelope.problem.policies import Policy
from envelope.problem.problem import Problem
from envelope.problem.serialization import fields_id, from_plain, is_unsaid, run_id, to_plain
from envelope.problem.step_ranges import refuse_part_of_day
from envelope.problem.steps import select
from gridmodel.model.devices import Device

if TYPE_CHECKING:
    from gridmodel.flow.kron import Reduced

FILE = "envelope-plan.npz"
FORMAT = 3
TERMS: Mapping[str, Rule] = {
    "hysteresis_w": Numbers(of=int, low=0),
    "randomize_relaxing_s": Numbers(of=int, low=0),
    "sharing": OneOf(Policy),
}
"""how a plan's limits are published and shared"""
UNREADABLE = (AttributeError, OSError, KeyError, ValueError, TypeError, ImportError, EOFError, zipfile.BadZipFile)
"""what comes of taking another file for a plan"""
SKIPPED = ("reduced",)
"""Fields that no plan holds: the network is read anew from its files."""


class Rolling(NamedTuple):
    """How a plan goes on by itself: each round begins anew at the present step, with a forecast as its base load."""

    paths: int = 20
    """joint paths of the forecast, at most"""
    location: tuple[float, float] | None = None
    """latitude and longitude, degrees: for the clear sky"""
    spread: float = 1.0
    """factor by which paths of base load are spread about their mean: for moments that a step's mean does not show"""
    devices_apart: bool = False
    """whether the measured history is without the devices that limits bound, as where they are newer than it"""


@dataclass(frozen=True)
class Plan:
    """A feeder by name or folder, and the problem on it."""

    feeder: str
    problem: Problem
    digest: str = ""
    """of the feeder's files as the plan was made"""
    hysteresis_w: int = 0
    randomize_relaxing_s: int = 0
    """how its limits are published (`publish.publish`)"""
    sharing: Policy = Policy.PROPORTIONAL
    """how several devices behind one connection share its limits"""
    devices: tuple[Device, ...] = ()
    """of the feeder"""
    rolling: Rolling | None = None
    """None: its steps are those of one horizon, and end with it"""
    run_id: str = ""
    """of its problem where it was saved: the last bits of a network, which name a run, differ between processors"""


@dataclass(frozen=True)
class Saved:
    """A plan as its file holds it, without its feeder."""

    path: Path
    feeder: str
    digest: str
    connection_id: tuple[str, ...]
    fields: dict[str, Any]
    hysteresis_w: int
    randomize_relaxing_s: int
    sharing: Policy
    rolling: Rolling | None = None
    carried: Carried | None = None
    """the feeder's files in it; None in plans that name a feeder only"""
    named: tuple[str, str] = ("", "")
    """`run_id` and `fields_id` of the problem as it was saved; empty in older plans"""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "feeder": InstanceOf(str),
        "digest": InstanceOf(str),
        "connection_id": Strings(per_connection=False),
        **TERMS,
    }

    def __post_init__(self) -> None:
        validate(self)

    def problem(self, reduced: Reduced) -> Problem:
        """The problem on its feeder."""
        try:
            return Problem(reduced=reduced, **self.fields)
        except TypeError as wrong:
            raise BadProblem(f"{self.path} was saved by another version: {wrong}") from None
        except BadProblem as wrong:
            raise BadProblem(f"{self.path}: {wrong.detail}") from None


def save(
    path: Path,
    feeder: str,
    problem: Problem,
    *,
    hysteresis_w: int = 0,
    randomize_relaxing_s: int = 0,
    sharing: Policy = Policy.PROPORTIONAL,
    rolling: Rolling | None = None,
) -> None:
    """Write a problem, the files of its feeder, and how its limits are to be published.

    `feeder` is a folder of gridmodel's layout, a network file, or `european-lv`. A problem of a rolling plan has whole
    days.
    """
    if rolling is not None:
        refuse_part_of_day(problem)
    arrays: dict[str, Any] = {}
    digest = digest_of(feeder)  # which refuses a feeder that is not there
    carried, contents = files_in_plan(feeder, problem.reduced.network)
    terms = {"hysteresis_w": hysteresis_w, "randomize_relaxing_s": randomize_relaxing_s, "sharing": sharing}
    said = {
        "format": FORMAT,
        "feeder": feeder,
        "digest": digest,
        "connection_id": list(problem.connection_id),
        **({} if rolling is None else {"rolling": rolling._asdict()}),
        **({} if carried is None else {"carried": carried._asdict()}),
        **{name: TERMS[name](name, value, UNKNOWN) for name, value in terms.items()},
        "named": [run_id(problem), fields_id(problem)],
        "fields": {
            f.name: to_plain(getattr(problem, f.name), arrays, f.name)
            for f in fields(problem)
            if f.name not in SKIPPED and not is_unsaid(f, getattr(problem, f.name))
        },
    }
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, said=np.frombuffer(json.dumps(said).encode(), dtype=np.uint8), **arrays, **contents)
    part.replace(path)


def read(path: Path) -> Saved:
    """The content of a plan's file, without its feeder."""
    try:
        # Opened here: numpy leaves a file open that it cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files if not name.startswith(PREFIX)}
        said = json.loads(arrays.pop("said").tobytes())
        return _saved(path, said, arrays)
    except FileNotFoundError:
        raise BadProblem(f"{path}: no such file") from None
    except BadProblem as wrong:
        raise BadProblem(f"{path}: {wrong.detail}") from None
    except UNREADABLE:
        raise BadProblem(_unreadable(path)) from None


def _unreadable(path: Path) -> str:
    """Why a file is no plan that can be read."""
    if content_of(path) != PLAN:
        return not_a(PLAN, path)
    return f"{path}: this plan is damaged, or was not saved by the engine; save it anew"


def _saved(path: Path, said: dict[str, Any], arrays: dict[str, Any]) -> Saved:
    if said.get("format") != FORMAT:
        raise BadProblem("was saved by another version; save it anew")
    values = {name: from_plain(packed, arrays) for name, packed in said["fields"].items()}
    terms = said["hysteresis_w"], said["randomize_relaxing_s"], said.get("sharing", Policy.PROPORTIONAL)
    rolling = _rolling(said["rolling"]) if "rolling" in said else None
    run, content = said.get("named", ("", ""))
    of_feeder = said["feeder"], said["digest"], said["connection_id"]
    return Saved(path, *of_feeder, values, *terms, rolling, carried_of(said), (str(run), str(content)))


def _rolling(said: Mapping[str, Any]) -> Rolling:
    location = said["location"]
    return Rolling(
        int(said["paths"]),
        None if location is None else (float(location[0]), float(location[1])),
        float(said.get("spread", 1.0)),
        bool(said.get("devices_apart", False)),
    )


def load(path: Path, model: str = "", *, as_carried: bool = False) -> Plan:
    """Read a problem and reduce its feeder, which is read from `model`; empty: from where the plan says.

    Where nothing is there any more, and wherever `as_carried`, the feeder is read from the files that the plan carries.
    """
    from envelope.problem.divided import reduced_of

    saved = read(path)
    feeder = _feeder_of_plan(saved, model, as_carried=as_carried)
    network = feeder.network
    if saved.connection_id != network.connections.id:
        order = select(saved.connection_id, network.connections.id)
        raise BadProblem(f"{path}: connections stand in another order than in {saved.feeder} (first {order[0]})")
    problem = saved.problem(reduced_of(network))
    terms = saved.hysteresis_w, saved.randomize_relaxing_s, saved.sharing
    run = _run_of(saved, problem, model or ("" if _is_carried(saved, model, as_carried=as_carried) else saved.feeder))
    return Plan(saved.feeder, problem, saved.digest, *terms, tuple(feeder.devices), saved.rolling, run)


def _run_of(saved: Saved, problem: Problem, feeder: str) -> str:
    """The run as it was named, if the problem and the files of the feeder are those that were saved.

    feeder: where its network was read from; empty: from the plan.
    """
    run, content = saved.named
    is_same = fields_id(problem) == content and (not feeder or digest_of(feeder) == saved.digest)
    return run if is_same else ""


def _is_carried(saved: Saved, model: str, *, as_carried: bool) -> bool:
    """Whether the feeder is read from the files in the plan."""
    return saved.carried is not None and not model and (as_carried or not Path(saved.feeder).exists())


def _feeder_of_plan(saved: Saved, model: str, *, as_carried: bool) -> Any:
    """gridmodel's feeder of a plan."""
    if saved.carried is None or not _is_carried(saved, model, as_carried=as_carried):
        return feeder_of(model or saved.feeder)
    try:
        return feeder_of(*unpacked(saved.path, saved.carried))
    except UNREADABLE as wrong:
        raise BadProblem(f"{saved.path}: the feeder in it can not be read ({wrong})") from None


def devices_of(name: str) -> tuple[Device, ...]:
    """Devices behind the connections of a feeder; none where they cannot be read."""
    from gridmodel.errors import GridError

    try:
        return tuple(feeder_of(name).devices)
    except (BadProblem, GridError, OSError):
        return ()


def feeder_of(name: str, within: Path | None = None) -> Any:
    """gridmodel's feeder of a folder, or the IEEE European LV feeder; one with errors is refused.

    within: the folder that an OpenDSS circuit may read files from; by default its own.
    """
    if name == EUROPEAN_LV:
        from gridmodel.readers.example_feeders import european_lv

        return european_lv()
    from gridmodel import read_feeder
    from gridmodel.validate import check

    feeder = read_feeder(name, within)
    if not len(feeder.network.connections):
        raise BadProblem(f"{name} has no connections")
    for finding in check(feeder):
        if finding.severity == "error":
            raise BadProblem(f"{name}: {finding.element}: {finding.field}: {finding.detail}")
    return feeder
