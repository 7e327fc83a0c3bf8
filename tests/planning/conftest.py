import json

import pytest
from typer.testing import CliRunner

from envelope.command_line.study import app
from tests.planning.lanes import write_lane


@pytest.fixture(scope="session")
def lane(tmp_path_factory):
    """Five homes with three measured days behind 25 kVA."""
    return write_lane(tmp_path_factory.mktemp("planning") / "lane")


def ran(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments], env={"COLUMNS": "140"})


def answer(*arguments):
    done = ran(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)
