"""Routes of the network model in use: what a later extract of the feeder changes, and taking its model instead."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envelope.operation import plan_folders
from envelope.operator_pages.bodies import OfFeeder
from sep2.errors import Conflict
from sep2.rest.route import Request
from sep2.rest.types import Text

if TYPE_CHECKING:
    from envelope.operation.extract import Extract
    from envelope.operation.model_in_use import ModelInUse

MOST_DIFFERENCES = 500
"""Differences that an answer lists; all are counted."""


class NoLaterExtract(Conflict):
    """There is nothing to take: no model is in use yet, or the files at the feeder's place are those in use."""


class UnusableExtract(Conflict):
    """The files at the feeder's place can not be used; the model in use stays."""


class DifferenceShown(Struct, frozen=True, kw_only=True):
    """One thing that a later extract changes."""

    kind: str
    id: str
    change: str
    field: str
    before: str
    after: str


class ExtractShown(Struct, frozen=True, kw_only=True):
    """A later extract, compared with the model in use."""

    feeder: str
    digest: str
    sentence: str
    problem: str
    """why it can not be used; empty: it can"""
    count: int
    """differences, of which at most 500 are listed"""
    differences: list[DifferenceShown]
    reached: list[str]
    """connections whose limits the changes reach"""
    untouched: int
    has_plan: bool
    """whether the plan in the server's folder was made of it"""


class ModelShown(Struct, frozen=True, kw_only=True):
    """The network model in use, and the later extract that lies at the feeder's place."""

    feeder: str
    digest: str
    since: int
    by: str
    """who took it; empty: it came with the first plan, or where no second person is asked for with a later one"""
    second: str
    reason: str
    extract: ExtractShown | None
    """null: the files at the feeder's place are those in use"""


class TakeModel(OfFeeder, frozen=True, kw_only=True):
    """Take the later extract's model into use."""

    reason: Text
    digest: str = ""
    """of the extract that was looked at, or its first digits; empty: whichever is there"""


class ModelTaken(Struct, frozen=True, kw_only=True):
    """Effect of taking a model into use."""

    digest: str
    needs_second: str
    sentences: list[str]
    reached: list[str]
    untouched: int


async def show_model(rq: Request, asked: OfFeeder) -> ModelShown | None:
    """The network model that limits rest on, and what a later extract of the feeder would change; null: none yet."""
    return await asyncio.to_thread(_shown, folder_of(rq.state, asked.feeder))


async def take_model(rq: Request, asked: TakeModel) -> ModelTaken:
    """The later extract's model is in use from the next round on; what it reaches has safe limits until it has a plan.

    Until a second person has agreed, where one is asked for, the model in use stays.
    """
    from envelope.operation.extract import taken

    folder = folder_of(rq.state, asked.feeder)
    found = await asyncio.to_thread(_later, folder)
    if found.problem:
        raise UnusableExtract(f"{found.feeder}: {found.problem}")
    if asked.digest and not found.digest.startswith(asked.digest):
        from envelope.operation.model_in_use import ChangedMeanwhile

        raise ChangedMeanwhile(f"digest: {asked.digest[:40]} was looked at, and now it is {found.digest}")
    settings = rq.state.settings
    is_asked = settings.utility.approvals.is_asked(settings.mode)
    why = "it changes the network model that limits rest on" if is_asked else ""
    needs_second = "" if rq.second else why
    if not needs_second and not rq.only_trying:
        # Copied before the change is committed, so that what was agreed to is what is used.
        new = await asyncio.to_thread(taken, folder, found, (rq.now, rq.operator, rq.second, asked.reason))
        rq.after.append(new)
    assert found.comparison is not None
    is_planned = await asyncio.to_thread(_has_plan, folder, found)
    then = "its plan is used at once" if is_planned else "safe limits hold there until a plan is made of it"
    others = "; the others keep their envelopes" if found.comparison.untouched else ""
    return ModelTaken(
        digest=found.digest,
        needs_second=needs_second,
        sentences=[f"{found.sentence()}.", f"At the connections that it reaches: {then}{others}."],
        reached=list(found.comparison.reached),
        untouched=len(found.comparison.untouched),
    )


def folder_of(state: Any, feeder: str = "") -> Path:
    """Return the folder of one of the server's plans; feeder: its name below `feeders`, empty for the server's own."""
    return plan_folders.folder_of(Path(state.settings.operator.token_file).parent, feeder)


def _later(folder: Path) -> Extract:
    model, found = _extract(folder)
    if model is None or found is None:
        raise NoLaterExtract(str(folder))
    return found


def _extract(folder: Path) -> tuple[ModelInUse | None, Extract | None]:
    """Return the model in use, and what else lies at the feeder's place; None: nothing else."""
    from envelope.field_rules import BadProblem
    from envelope.operation import model_in_use
    from envelope.operation.extract import extract_at
    from envelope.problem import plan_file

    model = model_in_use.read(folder)
    if model is None:
        return None, None
    try:
        feeder = plan_file.read(folder / plan_file.FILE).feeder
    except BadProblem:
        feeder = model.feeder
    found = extract_at(folder, model, feeder)
    return model, None if found.digest == model.digest else found


def _has_plan(folder: Path, found: Extract) -> bool:
    from envelope.field_rules import BadProblem
    from envelope.problem import plan_file

    try:
        return plan_file.read(folder / plan_file.FILE).digest == found.digest
    except BadProblem:
        return False


def _shown(folder: Path) -> ModelShown | None:
    model, found = _extract(folder)
    if model is None:
        return None
    return ModelShown(
        feeder=model.feeder,
        digest=model.digest,
        since=model.since,
        by=model.by,
        second=model.second,
        reason=model.reason,
        extract=None if found is None else _extract_shown(folder, found),
    )


def _extract_shown(folder: Path, found: Extract) -> ExtractShown:
    compared = found.comparison
    rows = [] if compared is None else list(compared.differences)
    return ExtractShown(
        feeder=found.feeder,
        digest=found.digest,
        sentence=found.sentence(),
        problem=found.problem,
        count=len(rows),
        differences=[DifferenceShown(**one._asdict()) for one in rows[:MOST_DIFFERENCES]],
        reached=[] if compared is None else list(compared.reached),
        untouched=0 if compared is None else len(compared.untouched),
        has_plan=_has_plan(folder, found),
    )
