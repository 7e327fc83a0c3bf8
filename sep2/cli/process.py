"""Which process serves a folder: noted in `server.pid` from its first moment to its last."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "server.pid"


@contextmanager
def noted(folder: Path) -> Iterator[None]:
    """Note that this process serves the folder, while the block runs; then the one that it found at it, if any."""
    file = folder / FILE
    before = serving(folder)
    file.write_text(f"{os.getpid()}\n", encoding="ascii")
    try:
        yield
    finally:
        if _noted_in(file) == os.getpid():
            if before is None:
                file.unlink()
            else:
                file.write_text(f"{before}\n", encoding="ascii")


def serving(folder: Path) -> int | None:
    """The process that was noted last, if it is there; it may not listen yet."""
    pid = _noted_in(folder / FILE)
    return pid if pid is not None and _is_alive(pid) else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, but alive
        return True
    return True


def _noted_in(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
