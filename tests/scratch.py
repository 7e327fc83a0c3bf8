"""Where a test run puts its temporary files: in memory where there is room, as the run waits much for the disk."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

ON_DISK, IN_MEMORY = Path("/tmp"), Path("/dev/shm")
ROOM_BYTES = 4 << 30
"""What the files and databases of a test run need at most, with much to spare."""


def quick() -> Path:
    """Where files cost least: a copy of a database takes half a second on a slow disk, and a twentieth in memory."""
    has_room = IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > ROOM_BYTES
    return IN_MEMORY if has_room else ON_DISK


def use_memory(config: pytest.Config) -> None:
    """Let this process, its xdist workers and every process of a test make temporary files in memory.

    Tests that kill a process keep their meaning: what it wrote is the kernel's from then on, on a disk as in memory;
    a loss of power is what no test here can show. The long proofs stay on the disk, since they measure, and so does
    a run that was told where to go (TMPDIR, --basetemp).
    """
    is_told = os.environ.get("TMPDIR", str(ON_DISK)) != str(ON_DISK) or config.option.basetemp is not None
    are_trials = any("trials" in Path(argument).parts for argument in config.args)
    if not is_told and not are_trials and (folder := quick()) == IN_MEMORY:
        os.environ["TMPDIR"] = str(folder)
        tempfile.tempdir = None  # read TMPDIR again
