"""Help: quick, complete, and with an example where one is needed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from sep2.cli.app import app
from sep2.cli.table import TABLE
from tests.cli.conftest import REPOSITORY, say

HEAVY = ("pandapower", "sqlalchemy", "aiohttp", "numpy", "cryptography", "lxml", "alembic")

COMMANDS = sorted({f"sep2.cli.{entry.home.partition(':')[0]}" for entry in TABLE} | {"sep2.admin.types"})
"""What commands are made of: each is imported when it is used."""


def test_help_imports_nothing_heavy() -> None:
    program = f"""
import sys
from sep2.cli import main
try:
    main()
except SystemExit as done:
    assert not done.code, done.code
heavy = [name for name in {(*HEAVY, *COMMANDS)!r} if name in sys.modules]
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "--help"],
        capture_output=True,
        check=False,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == 0, done.stderr
    assert "control" in done.stdout


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of ours with the words that name it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


ROOT: Any = typer.main.get_command(app)
ROOT.import_own()
OURS = [(words, command) for words, command in commands(ROOT) if command.callback is not None]


def test_these_are_all_there() -> None:
    assert len(OURS) >= 28


@pytest.mark.parametrize(("words", "command"), OURS, ids=[" ".join(words) for words, _ in OURS])
def test_every_command_explains_itself(words: tuple[str, ...], command: Any) -> None:
    done = say(*words, "--help")
    assert done.status == 0
    assert command.help, "what does it do?"
    for parameter in command.params:
        assert parameter.help, f"what is {parameter.name}?"


def test_the_table_says_what_the_commands_say() -> None:
    """What help lists is written down once more, so that nothing has to be imported for it."""
    for entry in TABLE:
        first, _, _ = (ROOT.commands[entry.name].help or "").partition("\n\n")
        assert " ".join(first.split()) == entry.summary, entry.name
        assert ROOT.commands[entry.name].hidden == bool(entry.now_called)


def test_examples_in_the_help_are_commands_that_exist() -> None:
    known = {" ".join(words) for words, _ in OURS}
    shown = [line for _, command in OURS for line in command.help.splitlines() if "[bold]sep2 " in line]
    assert len(shown) >= 10
    for line in shown:
        words = line.split("[bold]sep2 ")[1].split("[/]")[0].split()
        assert any(" ".join(words[:many]) in known for many in (1, 2, 3)), line


def test_a_slip_of_the_finger_is_pointed_out(tmp_path: Path) -> None:
    done = say("contrl", "list")
    assert done.status == 2
    assert "control" in done.err
