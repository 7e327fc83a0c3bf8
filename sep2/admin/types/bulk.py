"""Imports and exports, as the operator API takes and gives them: sheets of columns and rows."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from sep2.rest.types import Asked, Span

Noun = Literal["clients", "places", "connections", "devices"]
MOST_ROWS = 200_000
Cells = Annotated[list[str], Meta(max_length=60)]


class SheetOfRows(Asked, frozen=True, kw_only=True):
    """The rows of a CSV file under their columns; an empty cell says nothing."""

    columns: Cells
    rows: Annotated[list[Cells], Meta(max_length=MOST_ROWS)]


class NewImport(Asked, frozen=True, kw_only=True):
    """Sheets to import, in one transaction.

    With `partial`, rows that are right are taken also where others are wrong. `client` acts for devices whose row names
    nobody.
    """

    clients: SheetOfRows | None = None
    places: SheetOfRows | None = None
    connections: SheetOfRows | None = None
    devices: SheetOfRows | None = None
    client: str | None = None
    partial: bool = False


class RowChange(Struct, frozen=True, kw_only=True):
    """What one row does: to what, and for each column what was there before, and what is then."""

    line: int
    sheet: str
    action: str
    name: str
    fields: dict[str, list[Any]]


class RowError(Struct, frozen=True, kw_only=True):
    """What is wrong with one row; line 1 is that of the columns."""

    line: int
    sheet: str
    field: str
    code: str
    message: str


class Imported(Struct, frozen=True, kw_only=True):
    """What an import did, or would do; nothing of it is `applied` where rows are wrong and it was not partial."""

    applied: bool
    added: int
    changed: int
    removed: int
    unchanged: int
    wrong: int
    errors: list[RowError]
    changes: list[RowChange]
    """the first ones"""
    ignored: dict[str, list[str]]
    """columns of each sheet that are for others to read"""


class ExportQuery(Span, frozen=True, kw_only=True):
    """Which rows of a sheet."""


class Exported(Struct, frozen=True, kw_only=True):
    """Rows of a sheet as an import takes them, and where the next ones begin."""

    columns: list[str]
    rows: list[list[str]]
    next: str | None
