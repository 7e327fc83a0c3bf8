"""What is printed or logged: nothing that a client or a file says reaches a terminal as more than text.

Control characters move the cursor, change colours or begin a line that looks like one of ours; those that turn the
direction of writing make a name look like another. They are shown as an escape, as Python writes it.
"""

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The request that is being answered, or that a delivery comes from; empty where there is none."""
_UNSAFE = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff\\ud800-\\udfff]"
)
"""C0, DEL, C1, the marks of writing direction, line and paragraph separators, and halves of surrogate pairs."""


def shown(text: object, most: int = 120) -> str:
    """A text on one line, of at most so many characters, with what could steer a terminal written as an escape."""
    said = str(text)
    cut = said if len(said) <= most else f"{said[: most - 1]}…"
    return _UNSAFE.sub(_escape, cut)


def shown_lines(text: object) -> str:
    """The same of a text of several lines, however long they are."""
    return "\n".join(_UNSAFE.sub(_escape, line) for line in str(text).split("\n"))


class Lines(str):
    """A text of several lines of ours, each made of what `shown` returned."""

    __slots__ = ()


def say(text: object = "", *, err: bool = False, most: int = 100_000) -> None:
    """Print one line, or several of ours."""
    import typer

    typer.echo(text if isinstance(text, Lines) else shown(text, most), err=err)


def say_json(text: str) -> None:
    """Print JSON; the same values, with escapes for what JSON itself lets stand."""
    import typer

    typer.echo("\n".join(_UNSAFE.sub(_json_escape, line) for line in text.split("\n")))


def console(*, err: bool = False) -> "Console":
    """Where tables go; nothing in them is markup."""
    from rich.console import Console

    return Console(stderr=err, highlight=False, markup=False, emoji=False)


def add_row(table: "Table", *cells: object, style: str | None = None) -> None:
    """Add a row of plain texts to a table."""
    from rich.text import Text

    table.add_row(*(Text(cell if isinstance(cell, Lines) else shown(cell, 4000)) for cell in cells), style=style)


class LogFormatter(logging.Formatter):
    """Log records on one line each; the lines of a traceback are set in, so that none looks like a record."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line of a record, whatever was written into it, and the request that it belongs to."""
        request = request_id.get()
        return shown(super().formatMessage(record), 4000) + (f" [{request}]" if request else "")

    def formatException(self, ei: Any) -> str:
        """A traceback."""
        return shown_lines(super().formatException(ei)).replace("\n", "\n    ")

    def formatStack(self, stack_info: str) -> str:
        """Where a record was written."""
        return shown_lines(super().formatStack(stack_info)).replace("\n", "\n    ")


class JsonFormatter(logging.Formatter):
    """Log records as JSON, one object on each line: at, level, logger, message, request, and what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said: dict[str, Any] = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": shown(record.getMessage(), 4000),
        }
        if request := request_id.get():
            said["request"] = request
        if kind := getattr(record, "event", ""):
            said |= {"event": kind, "about": getattr(record, "about", {})}
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said)


def log_to(handler: logging.Handler, level: int, *, as_json: bool = False) -> None:
    """Have all records of this process written by one handler: lines for people, or JSON."""
    lines = LogFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if as_json else lines)
    logging.basicConfig(level=level, handlers=[handler])


def _escape(found: "re.Match[str]") -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _json_escape(found: "re.Match[str]") -> str:
    return f"\\u{ord(found[0]):04x}"
