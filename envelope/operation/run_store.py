"""Inputs of every published number: problem, feeder and what clients held, by which it is calculated again.

envelope-records/objects/…       files and arrays by content
envelope-records/runs/RUN/…      a file for each calculation (.calculation) and publication (.publication) of a run
"""

from __future__ import annotations

import json
import logging
import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from envelope.field_rules import BadProblem
from envelope.operation.group_state import ConnectionUpdate
from envelope.operation.group_update import GroupUpdate
from envelope.operation.object_store import MissingRecord, ObjectStore, write_once
from envelope.operation.publication_terms import Publication, PublicationTerms
from envelope.operation.verified_run import VerifiedRun
from envelope.problem import Problem
from envelope.problem.divided import reduced_of
from envelope.problem.feeder_files import EUROPEAN_LV, model_files
from envelope.problem.plan_file import SKIPPED, feeder_of
from envelope.problem.serialization import from_plain, is_unsaid, to_plain
from gridmodel.arrays import Real
from gridmodel.errors import GridError
from gridmodel.flow.kron import Reduced
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval

log = logging.getLogger(__name__)
FOLDER = "envelope-records"
CALCULATION, PUBLICATION = ".calculation", ".publication"
WRITING = threading.Lock()
"""Held while objects are put down for a calculation, or those that no calculation needs are deleted."""


class Update(NamedTuple):
    """Numbers that one group was to have."""

    group_id: int
    intervals: Sequence[Interval]
    event_limit: int
    default: Limits | None

    @classmethod
    def of(cls, one: GroupUpdate) -> Update:
        """Return the numbers of an update."""
        return cls(one.group_id, [Interval(*each) for each in one.intervals], one.event_limit, one.default)


class PublicationRecord(NamedTuple):
    """One publication of a run: what it knew, and what it decided."""

    run: str
    at: int
    calculated: int
    """when the run that it published was calculated"""
    terms: PublicationTerms
    connections: Sequence[ConnectionUpdate]
    updates: Sequence[Update]


class Calculation(NamedTuple):
    """One calculation of a run, read back."""

    at: int
    feeder: str
    problem: Problem
    factor: float | Real
    """part of the headroom of its limits that was published, of all connections or (C,) of each"""


@dataclass(frozen=True)
class RunStore:
    """The records of a server's folder."""

    folder: Path

    @property
    def objects(self) -> ObjectStore:
        """Files and arrays by content."""
        return ObjectStore(self.folder / "objects")

    def keep_calculation(self, verified: VerifiedRun, feeder: str, at: int, model: str = "") -> None:
        """Keep the inputs of a run; model: where the files of the feeder's model in use are, empty: at the feeder."""
        with WRITING:
            self._keep(verified, model or feeder, feeder, at)

    def _keep(self, verified: VerifiedRun, model: str, feeder: str, at: int) -> None:
        problem = verified.as_calculated
        arrays: dict[str, Any] = {}
        said = {
            f.name: to_plain(getattr(problem, f.name), arrays, f.name)
            for f in fields(problem)
            if f.name not in SKIPPED and not is_unsaid(f, getattr(problem, f.name))
        }
        starts, step_s = problem.step_start, problem.step_s
        is_even = bool(np.all(np.diff(starts) == step_s)) and not int(starts[0]) % step_s
        first = int(starts[0]) // step_s if is_even else None
        kept = {name: self.objects.put_array(np.asarray(one), first, problem.steps) for name, one in arrays.items()}
        body = {
            "at": at,
            "factor": verified.factor if np.ndim(verified.factor) == 0 else np.asarray(verified.factor).tolist(),
            "feeder": feeder,
            "files": self._keep_feeder(model),
            "connections": self.objects.put(json.dumps(list(problem.connection_id)).encode()),
            "fields": said,
            "arrays": kept,
        }
        self._write(verified.schedule.run_id, f"{at}{CALCULATION}", json.dumps(body).encode())

    def _keep_feeder(self, feeder: str) -> dict[str, str]:
        if feeder == EUROPEAN_LV:
            return {}
        return {str(name): self.objects.put(path.read_bytes()) for name, path in model_files(feeder).items()}

    def keep_publication(self, record: PublicationRecord) -> None:
        """Keep one publication of a run."""
        self._write(record.run, f"{record.at}{PUBLICATION}", msgspec.msgpack.encode(record, enc_hook=_plain_number))

    def _write(self, run: str, name: str, content: bytes) -> None:
        write_once(self.folder / "runs" / run / name, zlib.compress(content, 6))

    def publications(self, run: str) -> list[PublicationRecord]:
        """Return the publications of a run, oldest first; MissingRecord where none is kept."""
        paths = sorted(self._of(run, PUBLICATION), key=lambda path: int(path.stem))
        if not paths:
            raise MissingRecord(f"run {run}: nothing that it published is kept in {self.folder}")
        return [msgspec.msgpack.decode(content_of(path), type=PublicationRecord) for path in paths]

    def calculations(self) -> list[tuple[int, str]]:
        """Return when each calculation that is kept was made, epoch seconds, and its run; oldest first."""
        return sorted((int(path.stem), path.parent.name) for path in (self.folder / "runs").glob(f"*/*{CALCULATION}"))

    def calculation(self, run: str, at: int) -> Calculation:
        """Return the inputs of a run as they were kept, its feeder read anew from the kept files."""
        said = json.loads(content_of(self.folder / "runs" / run / f"{at}{CALCULATION}"))
        if said.get("erased"):
            raise MissingRecord(
                f"run {run}: a connection's forecasts in it were erased, so that it can't be calculated again"
            )
        arrays = {name: self.objects.get_array(one) for name, one in said["arrays"].items()}
        values = {name: from_plain(one, arrays) for name, one in said["fields"].items()}
        try:
            problem = Problem(reduced=self.reduced(said), **values)
            return Calculation(at, said["feeder"], problem, _factor(said["factor"]))
        except (TypeError, BadProblem, GridError) as wrong:
            raise MissingRecord(f"run {run} was kept by another version: {wrong}") from None

    def reduced(self, said: dict[str, Any]) -> Reduced:
        """Return the network of a calculation from the feeder's files that are kept with it."""
        feeder, files = said["feeder"], said["files"]
        if not files:
            return reduced_of(feeder_of(feeder).network)
        with tempfile.TemporaryDirectory() as home:
            folder = Path(home, Path(feeder).name if Path(feeder).suffix == "" else "feeder")
            for name, digest in files.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.objects.get(digest))
            whole = folder if Path(feeder).suffix == "" else folder / Path(feeder).name
            return reduced_of(feeder_of(str(whole)).network)

    def _of(self, run: str, suffix: str) -> Iterator[Path]:
        return (self.folder / "runs" / run).glob(f"*{suffix}") if run.isalnum() else iter(())

    def forget_before(self, at: int) -> int:
        """Delete what is older, then objects that nothing needs any more; return the number of files."""
        with WRITING:
            gone = 0
            for path in (self.folder / "runs").glob("*/*"):
                if path.stem.isdecimal() and int(path.stem) < at and not _is_needed(path, at):
                    path.unlink(missing_ok=True)
                    gone += 1
            return gone + (self.forget_objects() if gone else 0)

    def forget_objects(self) -> int:
        """Delete the objects that no calculation needs, while `WRITING` is held; return their number."""
        needed = set[str]()
        for path in (self.folder / "runs").glob(f"*/*{CALCULATION}"):
            said = json.loads(content_of(path))
            pieces = (name for one in said["arrays"].values() for name in one["pieces"])
            needed |= {*said["files"].values(), *pieces, *filter(None, [said.get("connections")])}
        return self.objects.forget_but(needed)

    def octets(self) -> int:
        """Return the size of all records."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


def _factor(said: float | list[float]) -> float | Real:
    return np.array(said) if isinstance(said, list) else said


def record_of(
    publication: Publication, calculated: int, decided: tuple[Sequence[Any], Sequence[Any]]
) -> PublicationRecord:
    """Return the record of a publication; decided: what clients held, and what each group was to have."""
    connections, updates = decided
    # The intervals ahead follow from the schedule: they are calculated again, not kept.
    bare = [one._replace(groups=tuple(state._replace(upcoming=()) for state in one.groups)) for one in connections]
    run = publication.schedule.run_id
    return PublicationRecord(
        run, publication.now, calculated, publication.terms, bare, [Update.of(one) for one in updates]
    )


def _is_needed(path: Path, at: int) -> bool:
    """Whether a calculation is that of a publication which is kept."""
    return path.suffix == CALCULATION and any(int(one.stem) >= at for one in path.parent.glob(f"*{PUBLICATION}"))


def content_of(path: Path) -> bytes:
    """Return what a file of the records holds."""
    try:
        return zlib.decompress(path.read_bytes())
    except (OSError, zlib.error) as wrong:
        raise MissingRecord(f"{path.parent.name}/{path.name}: {wrong}") from None


def _plain_number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(type(value).__name__)
