"""The network model that limits rest on: a copy of the feeder's files, kept beside the server's plan.

A later extract of the feeder does not touch it: it stays in use until somebody takes the extract's model instead.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from envelope.problem import plan_file
from envelope.problem.feeder_files import EUROPEAN_LV, copy_to, digest_of, opened_in
from sep2.errors import Conflict, SepError

FILE, FOLDER = "envelope-model.json", "envelope-model"
"""In the server's folder: which model is in use, and the copies of models and of the plan in use."""


class BadModelFile(SepError):
    """The file that says which network model is in use can not be read."""


class ChangedMeanwhile(Conflict):
    """The feeder's files have changed since they were looked at; look at them again."""


@dataclass(frozen=True)
class ModelInUse:
    """A network model and who took it into use. The names of the fields are those of the file."""

    feeder: str
    """Where the extract lay that it was read from, or `european-lv`."""
    digest: str
    """Of the extract's files."""
    since: int = 0
    by: str = ""
    """Who took it; empty: it came with the first plan."""
    second: str = ""
    """Who agreed to it."""
    reason: str = ""


def read(folder: Path) -> ModelInUse | None:
    """Return which model is in use; None: none yet."""
    path = folder / FILE
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return ModelInUse(**fields)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as wrong:
        raise BadModelFile(f"{path}: {wrong}") from None


def keep(folder: Path, feeder: str, digest: str) -> None:
    """Copy a feeder's files beside the plan; raise ChangedMeanwhile where they are not those of the digest."""
    if feeder == EUROPEAN_LV:
        if digest_of(feeder) != digest:
            raise ChangedMeanwhile(f"{feeder}: another version is installed")
        return
    to = _copy(folder, digest)
    part = to.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    copied = copy_to(feeder, part)
    # Files may be written while they are copied.
    if digest_of(str(copied)) != digest:
        shutil.rmtree(part)
        raise ChangedMeanwhile(feeder)
    shutil.rmtree(to, ignore_errors=True)
    part.replace(to)


def use(folder: Path, model: ModelInUse) -> None:
    """Take a model into use whose files are kept."""
    path = folder / FILE
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(model), indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def where(folder: Path, feeder: str, digest: str) -> str:
    """Return what a reader is given of a kept model; of one that a package ships, its name."""
    return feeder if feeder == EUROPEAN_LV else str(opened_in(_copy(folder, digest), feeder))


def _copy(folder: Path, digest: str) -> Path:
    return folder / FOLDER / digest[:16]


def plan_in_use(folder: Path) -> Path:
    """Return where the last plan is kept that was made of a model in use."""
    return folder / FOLDER / plan_file.FILE


def keep_plan(folder: Path, path: Path, digest: str) -> None:
    """Keep a plan as the one in use, and forget the models that it was not made of."""
    to = plan_in_use(folder)
    to.parent.mkdir(exist_ok=True)
    part = to.with_suffix(".part")
    shutil.copyfile(path, part)
    part.replace(to)
    for one in to.parent.iterdir():
        if one.is_dir() and one.name != digest[:16]:
            shutil.rmtree(one, ignore_errors=True)
