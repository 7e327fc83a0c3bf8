"""`sep2 import`, `export`, `apply`: the register as CSV files, or as one file that says how it is to be."""

import csv
import io
import json
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from sep2.admin import types as t
from sep2.cli.api import api
from sep2.cli.show import counted, show
from sep2.cli.verb import given, verb
from sep2.errors import SepError
from sep2.terminal import Lines, say, shown_lines

root = typer.Typer()
NOUNS: tuple[str, ...] = get_args(t.Noun)
PATIENCE_S = 900
KEYS = {"clients": "name", "places": "place", "connections": "connection_id", "devices": "device_id"}

Partial = Annotated[bool, typer.Option("--partial", help="Take the rows that are right, also where others are wrong.")]
Client = Annotated[str | None, typer.Option(help="Acts for devices whose row names no client.")]


class BadFile(SepError):
    """The file can not be read as a sheet of the register."""


@verb(root, "import", changes=True)
def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…", help=f"{', '.join(f'{noun}.csv' for noun in NOUNS)}, or a folder that has some of them."
        ),
    ],
    *,
    partial: Partial = False,
    client: Client = None,
) -> None:
    """Import CSV files into the register: all of it at once, or nothing where a row is wrong.

    Rows that say what is there already change nothing; an empty cell says nothing. A column `action` says add, set or
    remove. Powers are in watts, import and export both positive. A feeder's own folder registers all its connections.

    [bold]sep2 import connections.csv devices.csv --dry-run[/]

    [bold]sep2 import feeders/FD7 --client Sunny[/]
    """
    sheets: dict[str, t.SheetOfRows] = {}
    for file in _expanded(files):
        noun = _noun_of(file)
        if noun in sheets:
            raise typer.BadParameter(f"{noun} are given twice")
        sheets[noun] = read_csv(file)
    _send(t.NewImport(**sheets, partial=partial, client=client))


@verb(root, "export")
def export_sheet(
    noun: Annotated[str, typer.Argument(metavar="NOUN", help=f"One of {', '.join(NOUNS)}.")],
    *,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="A file, instead of the screen.")] = None,
) -> None:
    """Print a part of the register as CSV; imported again, it changes nothing.

    [bold]sep2 export connections --to connections.csv[/]
    """
    if noun not in NOUNS:
        raise typer.BadParameter(f"{noun!r} is none of {', '.join(NOUNS)}")
    export_csv(f"/export/{noun}", noun[:-1], to)


def export_csv(path: str, noun: str, to: Path | None) -> None:
    """Print what a path of the operator API exports as CSV, or write it to a file; noun: what one row is."""
    text = io.StringIO(newline="")
    out = csv.writer(text, lineterminator="\n")
    number = 0
    for found in api().pages(path, t.Exported):
        if not number:
            out.writerow(found.columns)
        out.writerows([_harmless(cell) for cell in row] for row in found.rows)
        number += len(found.rows)
    if to is None:
        say(Lines(shown_lines(text.getvalue().rstrip("\n"))))
        return
    to.write_text(text.getvalue(), encoding="utf-8")
    say(f"{counted(number, noun)} written to {to}.")


@verb(root, "apply", changes=True)
def apply_file(
    file: Annotated[
        Path, typer.Option("--file", "-f", help="TOML or JSON: tables clients, places, connections, devices.")
    ],
    *,
    partial: Partial = False,
    client: Client = None,
) -> None:
    """Have the register say what a file says; what the file does not name stays as it is.

    [bold]sep2 apply -f register.toml --dry-run[/]
    """
    try:
        text = file.read_text(encoding="utf-8")
        said = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as wrong:
        raise BadFile(f"{file}: {wrong}") from None
    if not isinstance(said, dict) or (unknown := sorted(set(said) - set(NOUNS))):
        raise BadFile(f"{file}: {', '.join(unknown) if isinstance(said, dict) else 'it'} is none of {', '.join(NOUNS)}")
    sheets = {noun: _sheet(file, noun, rows) for noun, rows in said.items()}
    _send(t.NewImport(**sheets, partial=partial, client=client))


def _sheet(file: Path, noun: str, rows: Any) -> t.SheetOfRows:
    """Tables as rows: what a table does not name is an empty cell."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadFile(f"{file}: {noun} is a list of tables: [[{noun}]]")
    columns = list(dict.fromkeys(column for row in rows for column in row)) or [KEYS[noun]]
    return t.SheetOfRows(columns=columns, rows=[[_cell(row.get(column)) for column in columns] for row in rows])


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _expanded(files: Iterable[Path]) -> list[Path]:
    found = []
    for file in files:
        if not file.is_dir():
            found.append(file)
            continue
        there = [file / f"{noun}.csv" for noun in NOUNS if (file / f"{noun}.csv").exists()]
        if not there:
            raise BadFile(f"{file}: has none of {', '.join(f'{noun}.csv' for noun in NOUNS)}")
        found += there
    return found


def _noun_of(file: Path) -> str:
    """What a file is about: its name begins so."""
    for noun in NOUNS:
        if file.name.lower().startswith(noun):
            return noun
    raise BadFile(f"{file}: its name begins with none of {', '.join(NOUNS)}")


def read_csv(file: Path) -> t.SheetOfRows:
    """The rows of a CSV file; a byte order mark and empty lines are left out."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = [row for row in csv.reader(lines, strict=True) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as wrong:
        raise BadFile(f"{file}: {wrong}") from None
    if not rows:
        raise BadFile(f"{file}: is empty")
    return t.SheetOfRows(columns=[column.strip() for column in rows[0]], rows=[_meant(row) for row in rows[1:]])


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; an import reads it as it was."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "'") else cell


def _meant(row: Sequence[str]) -> list[str]:
    return [cell[1:] if cell[:1] == "'" else cell for cell in row]


ERROR_COLUMNS = ("sheet", "line", "column", "code", "what is wrong")


def _send(new: t.NewImport) -> None:
    done = api().change("POST", "/import", t.Imported, new, patience_s=PATIENCE_S)
    changes = f"{done.added} to add, {done.changed} to change, {done.removed} to remove"
    if done.applied:
        changes = f"{done.added} added, {done.changed} changed, {done.removed} removed"
    said = f"{changes}, {done.unchanged} as they were"
    beside = "; ".join(f"{sheet}: {', '.join(columns)}" for sheet, columns in done.ignored.items())
    said += f". Not read here: {beside}" if beside else ""
    if done.errors:
        rows = [(e.sheet, str(e.line), e.field, e.code, e.message) for e in done.errors]
        what = "the others are taken" if done.applied else "nothing is changed; --partial takes the others"
        show(done, f"{counted(done.wrong, 'row')} wrong, {what}. {said}.", columns=ERROR_COLUMNS, rows=rows)
        raise typer.Exit(1)
    columns: tuple[str, ...] = ()
    rows = []
    if given.get().dry_run:
        columns = ("sheet", "line", "does", "name", "what")
        rows = [(c.sheet, str(c.line), c.action, c.name, _fields(c)) for c in done.changes[:100]]
    show(done, f"{said}.", columns=columns, rows=rows)


def _fields(change: t.RowChange) -> str:
    if change.action == "add":
        return ", ".join(f"{column} {value[1]}" for column, value in change.fields.items())
    return ", ".join(
        f"{column} {old if old is not None else 'nothing'} → {new}" for column, (old, new) in change.fields.items()
    )
