"""What gridmodel raises when a network cannot be used at all; faulty data is a list of findings instead."""

from __future__ import annotations

from collections.abc import Sequence
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

    def __reduce__(self) -> tuple[object, ...]:
        """What it was made of, and where: an exception keeps no keywords by itself."""
        return type(self), (self.file, self.detail), {"row": self.row, "field": self.field}

    def __setstate__(self, state: dict[str, object] | None) -> None:
        """Make it anew with its place."""
        given = state or {}
        row, field = given.get("row"), given.get("field")
        FileError.__init__(
            self, self.file, self.detail, row=row if isinstance(row, int) else None,
            field=field if isinstance(field, str) else None,
        )  # fmt: skip

    @property
    def all(self) -> tuple[FileError, ...]:
        """Every fault that was found together with this one."""
        return (self,)


class FileFaults(FileError):
    """Several faults of one network's files; reads as the first of them and the number of the others."""

    def __init__(self, faults: Sequence[FileError]) -> None:
        first, others = faults[0], len(faults) - 1
        more = f" (and {others} more)" if others else ""
        super().__init__(first.file, first.detail + more, row=first.row, field=first.field)
        self._all = tuple(faults)

    def __reduce__(self) -> tuple[object, ...]:
        """Its faults."""
        return type(self), (list(self._all),)

    @property
    def all(self) -> tuple[FileError, ...]:
        """Every fault."""
        return self._all
