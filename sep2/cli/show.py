"""What a command prints: tables for people, JSON for programs, and a last line that says what happened."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from sep2.cli.verb import given
from sep2.terminal import add_row, console, say, say_json

Cells = Iterable[Sequence[str]]
WithDevices = Annotated[bool, typer.Option("--with-devices", help="Remove its devices too.")]
To = Annotated[str | None, typer.Option("--to", help="Where its devices go instead.")]
Limit = Annotated[int, typer.Option(min=0, max=1_000_000, help="How many at most.")]


def show(answer: Any, said: str, *, columns: Sequence[str] = (), rows: Cells = ()) -> None:
    """Print an answer: under --json as it is, otherwise as a table (if it has columns) and one line."""
    if given.get().as_json:
        say_json(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        return
    lines = [tuple(row) for row in rows]
    if columns and lines:
        print_table(columns, lines)
    say(type(said)(f"Nothing is changed; without --dry-run: {said}") if given.get().dry_run else said)


def print_table(columns: Sequence[str], rows: Cells) -> None:
    """Rows under their headings; as wide as it needs to be where the output is not a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("LFDI", "mRID"))
    for row in rows:
        add_row(table, *row)
    made = console()
    if not made.is_terminal:
        made.width = 250
    made.print(table)


def counted(number: int, noun: str) -> str:
    """`1 device`, `2 devices`, `2 entries`."""
    return f"{number} {noun if number == 1 else _plural(noun)}"


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"


def listed(total: int, shown: int, noun: str) -> str:
    """The last line of a list."""
    if total > shown:
        return f"{shown} of {counted(total, noun)}; --limit {total} shows all."
    return f"{counted(total, noun)}." if total else f"No {_plural(noun)}."


def more_by(total: int, option: str, what: str, *, given: bool) -> str:
    """What may be added to an empty list by an option that was not given."""
    return "" if total or given else f" {option} shows {what} too."


def sentence(message: str) -> str:
    """What the server said, as a sentence."""
    return f"{message[0].upper()}{message[1:]}."


def only(emptied: Iterable[str] = (), /, **said: Any) -> dict[str, Any]:
    """The fields that were named; `emptied` are to hold nothing."""
    found = {name: value for name, value in said.items() if value is not None} | dict.fromkeys(emptied)
    if not found:
        raise typer.BadParameter("name at least one thing to change; --help shows which there are")
    return found
