"""A utility's own forecast in place of ours: paths of a CSV or Parquet file.

Columns: connection_id, start (ISO 8601 or epoch seconds; UTC where it has no offset), net_w (import positive), and
where there are several paths, path (a name or number). One value for each connection, step and path.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from envelope.forecast.joint_paths import Forecast
from envelope.forecast.models import Model
from gridmodel.arrays import Index, Real, Whole
from gridmodel.errors import FileError
from gridmodel.meter_data.csv_blocks import CsvBlocks, Words, sample
from gridmodel.meter_data.file_times import FileTimes, format_of
from gridmodel.meter_data.mapping import ColumnMapping
from gridmodel.meter_data.quantities import LARGEST

COLUMNS = ("connection_id", "start", "net_w")


def read_own(path: Path, made_at: int) -> Forecast:
    """The forecast of a file; FileError where a value is missing, twice, or none."""
    words, value = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    starts = _starts(path, words["start"])
    places, place = np.unique(np.array(words["connection_id"].words), return_inverse=True)
    paths, of_path = np.unique(np.array(words["path"].words), return_inverse=True)
    step_start, step = np.unique(starts, return_inverse=True)
    step_s = _step_s(path, step_start)
    shape = len(paths), len(step_start), len(places)
    at = np.ravel_multi_index((of_path[words["path"].code], step, place[words["connection_id"].code]), shape)
    _check(path, value, at, shape)
    net = np.empty(shape)
    net.reshape(-1)[at] = value
    said = (f"paths of {path.name}",)
    names = tuple(str(name) for name in places)
    return Forecast(made_at, names, step_start, step_s, Model.OWN, net.mean(axis=0), net, None, said)


def _csv(path: Path) -> tuple[dict[str, Words], Real]:
    found = sample(path)
    texts = ["connection_id", "start", *(["path"] if "path" in found.columns else [])]
    parts = list(CsvBlocks(path, found.separator, ".", texts=texts, numbers=["net_w"]))
    if not parts:
        raise FileError(path, "no rows after its header")
    words = {name: _together([part[name] for part in parts]) for name in texts}
    value = np.concatenate([part["net_w"] for part in parts])
    return _with_path(words, len(value)), value


def _parquet(path: Path) -> tuple[dict[str, Words], Real]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as wrong:
        raise FileError(path, f"is no Parquet file: {wrong}") from None
    if missing := [name for name in COLUMNS if name not in table.column_names]:
        raise FileError(path, f"column is missing; found {', '.join(table.column_names)}", field=missing[0])
    names = [name for name in ("connection_id", "start", "path") if name in table.column_names]
    words = {name: _coded([_text(one) for one in table[name].to_pylist()]) for name in names}
    value = np.array([np.nan if one is None else one for one in table["net_w"].to_pylist()], dtype=np.float64)
    return _with_path(words, len(value)), value


def _text(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _coded(texts: list[str]) -> Words:
    words, code = np.unique(np.array(texts, dtype=np.str_), return_inverse=True)
    return Words(code.astype(np.intp), tuple(str(word) for word in words))


def _together(parts: list[Words]) -> Words:
    """Words of several blocks as one."""
    return _coded([part.words[code] for part in parts for code in part.code])


def _with_path(words: dict[str, Words], count: int) -> dict[str, Words]:
    return {"path": Words(np.zeros(count, dtype=np.intp), ("",))} | words


def _starts(path: Path, words: Words) -> Whole:
    """(N,) epoch seconds."""
    form = format_of(words.words)
    if form is None:
        raise FileError(path, f"{words.words[0]!r} is no time that is understood", field="start")
    times = FileTimes(path, ColumnMapping(time="start", time_format=form))
    local, by_clock = times.local("start", words, 2)
    zero = np.zeros(len(local), dtype=np.intp)
    return times.epoch(local, by_clock, zero, zero)


def _step_s(path: Path, start: Whole) -> int:
    steps = np.unique(np.diff(start))
    if len(steps) != 1:
        raise FileError(path, f"its {len(start)} steps do not follow each other at equal distances", field="start")
    return int(steps[0])


def _check(path: Path, value: Real, at: Index, shape: tuple[int, ...]) -> None:
    wrong = ~(np.abs(value) <= LARGEST["W"])
    if wrong.any():
        row = int(np.argmax(wrong))
        raise FileError(path, f"{value[row]:g} is no power up to {LARGEST['W']:g} W", row=row + 2, field="net_w")
    count = np.bincount(at, minlength=int(np.prod(shape)))
    if (count != 1).any():
        what = "stands here twice" if count.max() > 1 else "is missing"
        paths, steps, places = shape
        raise FileError(
            path, f"a value {what}: {paths} paths, {steps} steps and {places} connections need {paths * steps * places}"
        )
