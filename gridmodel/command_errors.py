"""How commands end that were asked for what cannot be: one line, or one JSON object, and exit code 2."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from gridmodel.errors import FileError, GridError
from sep2.terminal import say, say_json


def writable(option: str, path: Path | None, *endings: str) -> None:
    """Refuses, before anything is calculated, a file that could not be written in the end."""
    if path is None:
        return
    if path.suffix.lower() not in endings:
        is_none = "not" if len(endings) == 1 else "neither"
        raise FileError(f"{option} {path}", f"the ending is {is_none} {' nor '.join(endings)}")
    if path.is_dir():
        raise FileError(f"{option} {path}", "is a folder")
    path.parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def refusals(as_json: bool, *others: type[Exception]) -> Iterator[None]:
    """Says what is wrong with a network, a file, or what `others` stand for, and ends the command."""
    kinds: tuple[type[Exception], ...] = (GridError, OSError, *others)
    try:
        yield
    except kinds as wrong:
        code, detail = getattr(wrong, "code", FileError.code), str(wrong)
        if isinstance(wrong, OSError) and wrong.filename is not None:
            detail = f"{wrong.filename}: {wrong.strerror}"
        if as_json:
            say_json(json.dumps({"error": {"code": code, "detail": detail}}))
        else:
            say(detail, err=True)
        raise typer.Exit(2) from None
