"""A later extract of the feeder: what it changes in the model in use, and whose limits that reaches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from envelope.field_rules import BadProblem
from envelope.operation import model_in_use
from envelope.operation.model_in_use import ModelInUse
from envelope.problem import plan_file
from envelope.problem.feeder_files import digest_of
from gridmodel.compare import Comparison, compare
from gridmodel.errors import GridError

UNREADABLE = (BadProblem, GridError, OSError)


@dataclass(frozen=True)
class Extract:
    """The files at a feeder's place, compared with the model in use."""

    feeder: str
    digest: str = ""
    """Empty: they can not be read."""
    problem: str = ""
    """Why they can not be used."""
    comparison: Comparison | None = None
    """What they change; None: nothing is known, or they are the model in use."""

    def sentence(self) -> str:
        """Return in a line what is there."""
        if self.problem:
            return f"{self.feeder} can not be used: {self.problem}"
        if self.comparison is None:
            return f"{self.feeder} is the model in use"
        found = self.comparison
        count, total = len(found.differences), len(found.reached) + len(found.untouched)
        kinds = sorted({f"{one.kind} {one.change}" for one in found.differences})
        what = f"{count} differences ({', '.join(kinds)})" if count else "no difference in its elements"
        return f"{self.feeder} has {what}; they reach {len(found.reached)} of {total} connections"


def extract_at(folder: Path, model: ModelInUse, feeder: str) -> Extract:
    """Read the files at a feeder's place, and compare them with the model in use; any fault is part of the result."""
    digest = ""
    try:
        digest = digest_of(feeder)
        if digest == model.digest:
            return Extract(feeder, digest)
        after = plan_file.feeder_of(feeder)
    except UNREADABLE as wrong:
        return Extract(feeder, digest, problem=str(wrong))
    try:
        before = plan_file.feeder_of(model_in_use.where(folder, model.feeder, model.digest))
    except UNREADABLE as wrong:
        return Extract(feeder, digest, problem=f"the model in use can not be read any more: {wrong}")
    return Extract(feeder, digest, comparison=compare(before, after))


def taken(folder: Path, found: Extract, who: tuple[int, str, str, str]) -> Callable[[], Awaitable[None]]:
    """Keep an extract's files, and return what takes its model into use.

    who: the time, who takes it, who agreed, and the reason. Raises ChangedMeanwhile where its files are others by now.
    """
    model_in_use.keep(folder, found.feeder, found.digest)
    model = ModelInUse(found.feeder, found.digest, *who)

    async def use() -> None:
        await asyncio.to_thread(model_in_use.use, folder, model)

    return use


def reached_between(folder: Path, before: tuple[str, str], after: tuple[str, str]) -> tuple[str, ...] | None:
    """Return the connections of the earlier model that a taken one reaches; None: all, or it is not known.

    before, after: feeder and digest of a kept model.
    """
    try:
        old, new = (plan_file.feeder_of(model_in_use.where(folder, *one)) for one in (before, after))
    except UNREADABLE:
        return None
    untouched, names = set(compare(old, new).untouched), old.network.connections.id
    reached = tuple(name for name in names if name not in untouched)
    return reached if len(reached) < len(names) else None
