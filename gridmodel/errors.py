"""What gridmodel raises when a network cannot be used at all; faulty data is a list of findings instead."""

from __future__ import annotations

from pathlib import Path


class GridError(ValueError):
    """A network, a file or a request that cannot be computed with; says where."""

    code = "bad_network"
    """the same for as long as the meaning is: for programs"""


class FileError(GridError):
    """A file that cannot be used; names file, row and field."""

    code = "bad_file"

    def __init__(self, file: str | Path, detail: str, *, row: int | None = None, field: str | None = None) -> None:
        where = [str(file)]
        if row is not None:
            where.append(f"row {row}")
        if field is not None:
            where.append(f"field {field}")
        super().__init__(f"{', '.join(where)}: {detail}")
        self.file, self.row, self.field, self.detail = str(file), row, field, detail
