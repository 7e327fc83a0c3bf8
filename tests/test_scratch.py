"""Where temporary files are made, and in which order files of tests run."""

import os
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest

from tests import scratch
from tests.conftest import LONGEST_FIRST

Space = namedtuple("Space", "total used free")


@pytest.mark.parametrize(("free", "folder"), [(8 << 30, "memory"), (1 << 30, "disk")])
def test_memory_is_used_only_where_there_is_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, folder: str
) -> None:
    monkeypatch.setattr(scratch, "IN_MEMORY", tmp_path)
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda path: Space(16 << 30, 0, free))
    assert scratch.quick() == {"memory": tmp_path, "disk": scratch.ON_DISK}[folder]


def test_a_machine_without_memory_for_files_uses_its_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scratch, "IN_MEMORY", tmp_path / "missing")
    assert scratch.quick() == scratch.ON_DISK


def test_this_run_its_workers_and_its_processes_agree(tmp_path: Path) -> None:
    """Ports are kept apart by lock files there, and so all of them need the same folder."""
    of_a_process = subprocess.run(
        [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert of_a_process.stdout.strip() == tempfile.gettempdir()
    assert os.environ.get("TMPDIR", "/tmp") == tempfile.gettempdir()


@pytest.mark.parametrize("name", LONGEST_FIRST)
def test_the_long_files_are_there(name: str) -> None:
    assert (Path(__file__).parent / name).is_file()
