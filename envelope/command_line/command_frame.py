"""Refusals of commands, and the progress that they show."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from gridmodel import command_errors
from sep2.errors import SepError


def refusals(as_json: bool) -> contextlib.AbstractContextManager[None]:
    """End the command with one line, or one JSON object, at an error in its input."""
    return command_errors.refusals(as_json, SepError)


@contextlib.contextmanager
def stages(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show the current stage and its elapsed time, on a terminal only."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    console = Console(stderr=True)
    hidden = quiet or not sys.stderr.isatty()
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("")
        yield lambda stage: progress.update(task, description=stage)
