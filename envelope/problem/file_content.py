"""Say what a file holds that was given for another: a plan, limits, a ledger, or none of these."""

from __future__ import annotations

import zipfile
from pathlib import Path

PLAN, LIMITS, LEDGER = "a plan", "a limits file", "a ledger of curtailed energy"
HOW_TO_GET = {
    PLAN: "a plan is the .npz file that `sep2 envelope run FEEDER --plan FILE` writes",
    LIMITS: "limits are the .csv or .parquet file that `sep2 envelope run FEEDER --out FILE` writes",
}
"""by what is needed: which file that is, and what writes it"""
COLUMNS = {LIMITS: {"connection_point", "export_limit_w"}, LEDGER: {"connection_point", "curtailed_wh"}}
"""by what a table is: columns that only it has"""
ARCHIVE, PARQUET, MOST_NAMED, READ = b"PK", b"PAR1", 4, 65_536


def not_a(wanted: str, path: Path) -> str:
    """The sentence that refuses a file: what it is, and which file is needed; wanted: PLAN or LIMITS."""
    return f"{path}: this is {content_of(path)}, not {wanted}; {HOW_TO_GET[wanted]}"


def content_of(path: Path) -> str:
    """The kind of content of a file or folder, such as "a plan", "an empty file" or "a table with the columns a, b"."""
    if path.is_dir():
        return "a folder"
    try:
        with path.open("rb") as file:
            first = file.read(READ)
    except OSError as wrong:
        return f"a file that can not be opened ({wrong.strerror})"
    if not first.strip():
        return "an empty file"
    if first.startswith(ARCHIVE):
        return _of_archive(path)
    if first.startswith(PARQUET):
        return _of_columns(_columns_of_parquet(path), "a damaged Parquet file")
    return _of_text(first)


def _of_archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            return PLAN if "said.npy" in archive.namelist() else "an archive without a plan"
    except (OSError, zipfile.BadZipFile):
        return "a damaged archive"


def _columns_of_parquet(path: Path) -> list[str]:
    """Names of columns; none where they can not be read."""
    import pyarrow
    from pyarrow import parquet

    try:
        return [str(name) for name in parquet.read_schema(path).names]
    except (OSError, pyarrow.ArrowException):
        return []


def _of_text(first: bytes) -> str:
    """The kind of table by the columns that its first line names."""
    try:
        line = first.decode("utf-8-sig").splitlines()[0]
    except UnicodeDecodeError:
        return "neither a table nor a plan"
    names = [name.strip() for name in line.split(",")]
    return _of_columns(names if len(names) > 1 else [], "a text without columns")


def _of_columns(names: list[str], otherwise: str) -> str:
    """The kind of table; otherwise: what it is called where it has no columns."""
    for kind, needed in COLUMNS.items():
        if needed <= set(names):
            return kind
    if not names:
        return otherwise
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"a table with the columns {', '.join(names[:MOST_NAMED])}{more}"
