"""Where the trials write what they found: one table per trial in docs/trials.md."""

import fcntl
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

FILE = Path(__file__).parents[2] / "docs" / "trials.md"
HEAD = "# Trials\n\nWhat `make trials` found when it was last run.\n"


def record(title: str, said: str, rows: Iterable[tuple[str, object]]) -> None:
    """Put a table under its title, in place of the one that was there."""
    _rewrite(title, said, lambda _: list(rows))


def record_row(title: str, said: str, row: tuple[str, object], among: Sequence[str]) -> None:
    """Put one row into a table of long trials as soon as it is known; rows stand in the order of `among`."""

    def with_it(before: list[tuple[str, object]]) -> list[tuple[str, object]]:
        found = dict([*before, row])
        return [(name, found[name]) for name in among if name in found]

    _rewrite(title, said, with_it)


def _rewrite(title: str, said: str, change: Callable[[list[tuple[str, object]]], list[tuple[str, object]]]) -> None:
    """Changes the rows of one section; processes wait for each other."""
    with FILE.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read() or HEAD
        old = re.search(rf"\n## {re.escape(title)}\n.*?(?=\n## |\Z)", text, re.DOTALL)
        before = re.findall(r"^\| (.*?) \| (.*) \|$", old[0], re.MULTILINE)[1:] if old else []
        table = "\n".join(f"| {name} | {value} |" for name, value in change(before))
        section = f"\n## {title}\n\n{said}\n\n| figure | value |\n|---|---|\n{table}\n"
        file.truncate(0)
        file.write(text.replace(old[0], section) if old else text + section)
