"""Files that nobody but their owner may read: what is in them decides who may do what, or says how customers live."""

import os
from collections.abc import Iterator
from pathlib import Path

from sep2.settings import FILE, Settings

PRIVATE = 0o600
_SQLITE = "sqlite:///"


def database_file(settings: Settings) -> Path | None:
    """The file of an SQLite database; None where the database is elsewhere."""
    url = settings.database.url
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def make_private(file: Path | None) -> None:
    """Make an empty file of mode 0600 where there is none; SQLite gives its other files the mode of this one."""
    if file is not None and not file.exists():
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, PRIVATE))


def write_private(file: Path, text: str) -> None:
    """Write a new file of mode 0600."""
    with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, PRIVATE), "w", encoding="utf-8") as out:
        out.write(text)


def tightened(folder: Path, settings: Settings) -> Iterator[str]:
    """A sentence for each file that others could read, or write: from now on they can not."""
    database = database_file(settings)
    beside = [] if database is None else [Path(f"{database}{end}") for end in ("", "-wal", "-shm")]
    for file in (folder / FILE, settings.operator.token_file, settings.tls.key, *beside):
        try:
            mode = file.stat().st_mode & 0o777
            if mode & 0o077:
                file.chmod(mode & 0o700)
                yield f"{file} had mode {mode:04o}; it has {mode & 0o700:04o} now, for its owner only"
        except FileNotFoundError:
            continue
        except OSError as problem:
            yield f"{file} can be read by others, and stays so: {problem.strerror}"
