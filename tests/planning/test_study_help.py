"""The help of both studies shows an example that can be typed, and what comes next."""

import pytest
from typer.main import get_command

from envelope.command_line.study import app
from tests.planning.conftest import ran

COMMANDS = get_command(app).commands


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_and_its_example_can_be_parsed(name):
    shown = ran(name, "--help")
    assert shown.exit_code == 0
    assert "Next: " in shown.output
    example = COMMANDS[name].epilog.partition("\n")[0]
    first, *words = example.removeprefix("Example: sep2 study ").split()
    assert first == name
    COMMANDS[name].make_context(name, words)
    assert "--json" in {option for parameter in COMMANDS[name].params for option in parameter.opts}
