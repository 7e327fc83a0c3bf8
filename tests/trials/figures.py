"""Where the trials write what they found: one table per trial in docs/trials.md."""

import re
from collections.abc import Iterable
from pathlib import Path

FILE = Path(__file__).parents[2] / "docs" / "trials.md"
HEAD = "# Trials\n\nWhat `make trials` found when it was last run.\n"


def record(title: str, said: str, rows: Iterable[tuple[str, object]]) -> None:
    """Put a table under its title, in place of the one that was there."""
    text = FILE.read_text() if FILE.exists() else HEAD
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    section = f"\n## {title}\n\n{said}\n\n| figure | value |\n|---|---|\n{table}\n"
    old = re.compile(rf"\n## {re.escape(title)}\n.*?(?=\n## |\Z)", re.DOTALL)
    FILE.write_text(old.sub(lambda _: section, text) if old.search(text) else text + section)
