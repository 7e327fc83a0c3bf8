"""The plan that rounds work from: the one in the server's folder, on the network model in use.

A plan that was made of another extract of the feeder waits until that extract's model is taken into use.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from envelope.field_rules import BadProblem
from envelope.operation import extract, model_in_use
from envelope.operation.assumptions import FeederChange
from envelope.operation.clients import Sharing
from envelope.operation.cycle import Cycle
from envelope.operation.extract import Extract
from envelope.operation.model_in_use import ChangedMeanwhile, ModelInUse
from envelope.operation.plan_folders import name_of, planned_in, server_of
from envelope.operation.release import Gate
from envelope.operation.rolling_plan import RollingPlan
from envelope.problem import Problem, plan_file
from envelope.problem.feeder_files import EUROPEAN_LV, digest_of

Stamp = tuple[tuple[int, int] | None, ...]


class PlanSource:
    """The plan of a server's folder, read again when its file or the model in use changes."""

    def __init__(
        self, folder: Path, rolling: RollingPlan | None = None, gate: Gate | None = None, *, alone: bool = True
    ) -> None:
        """alone: whether a plan brings its model into use by itself, as no second person is asked for."""
        self.folder, self.path, self.alone = folder, folder / plan_file.FILE, alone
        self.rolling, self.gate = rolling, gate
        self._read: tuple[Stamp, plan_file.Plan] | None = None
        self._in_place = ("", "")
        """Feeder and digest of the plan in the folder, whether it is used or waits."""
        self._extract: tuple[tuple[str, str], Extract] | None = None
        self._reached: tuple[tuple[str, str], tuple[str, ...] | None] | None = None

    def plan(self, now: int) -> plan_file.Plan:
        """Return the plan; the same object for as long as the files are the same."""
        stamp = self._stamp()
        if self._read is None or self._read[0] != stamp:
            found = self._load(now)
            self._read = self._stamp(), found
        return self._read[1]

    def _stamp(self) -> Stamp:
        return stamp_of([self.path, self.folder / model_in_use.FILE])

    def _load(self, now: int) -> plan_file.Plan:
        saved, model = plan_file.read(self.path), model_in_use.read(self.folder)
        self._in_place = saved.feeder, saved.digest
        if model is None or (self.alone and saved.digest != model.digest):
            model = self._taken(saved, now) or model
        path, at = in_use(self.folder)
        if path != self.path or model is None:
            # Without a model, the feeder has changed since its first plan was made; nothing is left of it as it was.
            return plan_file.load(path, at)
        if not Path(at).exists() and at != EUROPEAN_LV:
            model_in_use.keep(self.folder, saved.feeder, saved.digest)
        found = plan_file.load(path, at)
        model_in_use.keep_plan(self.folder, path, saved.digest)
        return found

    def _taken(self, saved: plan_file.Saved, now: int) -> ModelInUse | None:
        """Take the model into use that a plan was made of; None: its files are no longer there."""
        try:
            model_in_use.keep(self.folder, saved.feeder, saved.digest)
        except (ChangedMeanwhile, BadProblem, OSError):
            return None
        model = ModelInUse(saved.feeder, saved.digest, now)
        model_in_use.use(self.folder, model)
        return model

    def apply_to(self, cycle: Cycle, now: int) -> Problem:
        """Return the plan's problem at a time, and set the plan's options of publication in the cycle."""
        found = self.plan(now)
        refuse_shared(self.folder, found.problem.connection_id)
        cycle.hysteresis_w, cycle.randomize_relaxing_s = found.hysteresis_w, found.randomize_relaxing_s
        cycle.sharing = Sharing(found.sharing, found.devices)
        cycle.model = in_use(self.folder)[1]
        cycle.rolls = found.rolling is not None and self.rolling is not None
        # A plan of one horizon is made by a person, who has seen in test mode what it lets out.
        cycle.gate = self.gate if cycle.rolls or cycle.server_mode == "production" else None
        if found.rolling is None or self.rolling is None:
            cycle.notes, cycle.meters_late, cycle.drift = (), "", ""
            return found.problem
        cycle.devices_apart = found.rolling.devices_apart
        horizon = self.rolling.at(found, now)
        cycle.notes, cycle.meters_late, cycle.drift = horizon.said, horizon.late, horizon.drift
        return horizon.problem

    def feeder_change(self) -> FeederChange:
        """Return what makes the envelopes of the plan invalid, and for which connections."""
        saved = self._read[1] if self._read is not None else plan_file.read(in_use(self.folder)[0])
        model = model_in_use.read(self.folder)
        if model is None or saved.feeder == EUROPEAN_LV:
            is_same = digest_of(saved.feeder) == saved.digest
            return FeederChange("" if is_same else f"{saved.feeder} has changed since the plan was made; make it anew")
        if saved.digest == model.digest:
            return FeederChange()
        reached = self._reached_by(saved, model)
        if reached == ():
            return FeederChange()
        return FeederChange(f"another model of {model.feeder} is in use since the plan was made; make it anew", reached)

    def _reached_by(self, saved: plan_file.Plan | plan_file.Saved, model: ModelInUse) -> tuple[str, ...] | None:
        key = saved.digest, model.digest
        if self._reached is None or self._reached[0] != key:
            before, after = (saved.feeder, saved.digest), (model.feeder, model.digest)
            self._reached = key, extract.reached_between(self.folder, before, after)
        return self._reached[1]

    def waiting(self) -> str:
        """Return what waits, or is wrong, at the feeder's place, while another model is in use; empty: nothing."""
        model = model_in_use.read(self.folder)
        if model is None or self._read is None:
            return ""
        feeder, digest = self._in_place
        found = self._extract_at(model, feeder)
        if found.digest != model.digest:
            return f"{found.sentence()}; the model in use stays until another one is taken (sep2 envelope model)"
        if digest != model.digest:
            return f"{self.path.name} was made of another extract than the model in use; the plan before it stays"
        return ""

    def _extract_at(self, model: ModelInUse, feeder: str) -> Extract:
        """Return what is at the feeder's place; compared once for each state of its files."""
        try:
            key = feeder, f"{model.digest} {digest_of(feeder)}"
        except (BadProblem, OSError) as wrong:
            return Extract(feeder, problem=str(wrong))
        if self._extract is None or self._extract[0] != key:
            self._extract = key, extract.extract_at(self.folder, model, feeder)
        return self._extract[1]

    @property
    def feeder(self) -> str:
        """The feeder's name; the file's own where it cannot be read."""
        try:
            return plan_file.read(self.path).feeder
        except BadProblem:
            return self.path.name


def connections_of_others(folder: Path, *, before: bool = False) -> dict[str, str]:
    """Return the connections of the server's other plans, each with the name of its plan's folder.

    before: of those only that come before this one, the server's own first, then by name.
    """
    found: dict[str, str] = {}
    for other in planned_in(server_of(folder)):
        if other == folder:
            if before:
                break
            continue
        path = other / plan_file.FILE
        try:
            found |= dict.fromkeys(_connections(path, stamp_of([path])), name_of(other))
        except BadProblem:  # its own rounds say so
            continue
    return found


@lru_cache(maxsize=4096)
def _connections(path: Path, stamp: Stamp) -> tuple[str, ...]:
    """Return the connections of a plan; stamp: of its file."""
    return plan_file.read(path).connection_id


def refuse_shared(folder: Path, names: Iterable[str]) -> None:
    """Refuse a plan with a connection that a plan before it has already."""
    others = connections_of_others(folder, before=True)
    if shared := [name for name in names if name in others]:
        where = others[shared[0]] or "the server's own plan"
        raise BadProblem(f"connection_id: {shared[0]} is in {where} too, which comes first; a connection has one plan")


def in_use(folder: Path) -> tuple[Path, str]:
    """Return the plan that limits rest on, and what a reader is given of its model."""
    path, model = folder / plan_file.FILE, model_in_use.read(folder)
    saved = plan_file.read(path)
    if model is None:
        return path, saved.feeder
    if saved.digest != model.digest:
        path = model_in_use.plan_in_use(folder)
        saved = plan_file.read(path)
    return path, model_in_use.where(folder, saved.feeder, saved.digest)


def stamp_of(files: Iterable[Path]) -> Stamp:
    """Return a value that differs once any of the files was written, created or removed."""
    return tuple(_stamp(path) for path in files)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
