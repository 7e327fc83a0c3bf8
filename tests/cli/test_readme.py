"""README's commands, typed by a shell as a new user would type them."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import REPOSITORY
from tests.ports import free_ports

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS: list[list[str]] = [block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)]


def block_with(start: str) -> list[str]:
    (found,) = (block for block in BLOCKS if block[0].startswith(start))
    return found


def test_it_takes_five_commands() -> None:
    assert len(block_with("sep2 init")) == 5


def played(folder: Path, script: str) -> str:
    """What a shell says that types these commands, with the ports of this test run."""
    port, operator_port = free_ports(2)
    env = os.environ | {"SEP2_PORT": str(port), "SEP2_OPERATOR_PORT": str(operator_port), "PATH": _path(folder)}
    env |= {"PYTHONPATH": str(REPOSITORY)}
    (folder / "examples").symlink_to(REPOSITORY / "examples")
    log = folder / "log"
    with log.open("w") as out:
        shell = subprocess.Popen(
            ["bash", "-e", "-c", script], cwd=folder, env=env, stdout=out, stderr=out, start_new_session=True
        )
        try:
            status = shell.wait(1700)
        finally:
            os.killpg(shell.pid, signal.SIGKILL)
    said = log.read_text()
    assert status == 0, said
    return said


@pytest.mark.timeout(1800)
def test_the_first_hour_of_a_us_utility(tmp_path: Path) -> None:
    text = (REPOSITORY / "docs" / "us.md").read_text(encoding="utf-8")
    (tour,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    said = played(tmp_path, tour)
    assert said.count("1 of 1 device answered. All have ended it.") == 2, said
    assert "opModMaxLimW 3000" in said, said
    assert "charger: now draws 3600 W" in said, said
    assert said.count("charger: now draws 7200 W") == 2, said
    assert re.search(r"\d\d:\d\d-0[78]:00", said), "times are those of Los Angeles"


@pytest.mark.timeout(1800)
def test_a_control_sent_by_hand_reaches_an_aggregator_and_a_gateway(tmp_path: Path) -> None:
    (receiver_port,) = free_ports(1)
    commands = [*block_with("sep2 init"), *block_with("sep2 connection add")]
    # Ports are the only thing that is said otherwise: others may be running the same.
    said = played(tmp_path, "\n".join(commands).replace("aggregator.py", f"aggregator.py --listen {receiver_port}"))
    for answer in ("received", "started", "completed"):
        assert len(re.findall(f"[0-9A-F]{{40}} answers: {answer}\n", said)) == 2, said
    assert said.count("1 of 1 device answered. All have ended it.") == 2, said
    assert "opModExpLimW 1000" in said, said
    assert "opModExpLimW 0" in said, said


def _path(folder: Path) -> str:
    """A PATH on which `sep2` and `python` are those of this test run."""
    tools = folder / "bin"
    tools.mkdir()
    for name, more in (("python", ""), ("sep2", " -c 'from sep2.cli import main; main()'")):
        (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable}{more} "$@"\n')
        (tools / name).chmod(0o755)
    return f"{tools}:{os.environ['PATH']}"


def test_what_readme_points_to_is_there() -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    measured = {"docs/demo.png", "docs/benchmarks.md"}  # written by `make demo` and `make bench`
    assert {target for target in targets if not (REPOSITORY / target).exists()} <= measured
    for folder in re.findall(r"^\| (`[^|]+`) \|", README, re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", folder):
            assert (REPOSITORY / name).exists() or (REPOSITORY / f"{name}.py").exists(), name
