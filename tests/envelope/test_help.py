"""The help of every envelope command shows an example and names what comes next; all answer --json."""

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from envelope.command_line.commands import app
from envelope.command_line.examples import OF_COMMAND

COMMANDS = get_command(app).commands


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_help_teaches(name):
    words = [] if name is None else [name]
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "120"})
    assert shown.exit_code == 0
    assert "Example: sep2 envelope " in shown.output
    assert "Next: " in shown.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_json_and_its_example_can_be_parsed(name):
    command = COMMANDS[name]
    assert "--json" in {option for parameter in command.params for option in parameter.opts}
    example = OF_COMMAND[name].partition("\n")[0].removeprefix("Example: sep2 envelope ")
    first, *words = example.replace('"fed from the north"', "north").split()
    assert first == name
    command.make_context(name, words)
