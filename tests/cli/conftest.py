"""A server that runs in a folder of its own, and the command line as people use it."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from typer.testing import CliRunner

from sep2.cli.app import app
from tests.ports import free_ports

SEP2 = [sys.executable, "-c", "from sep2.cli import main; main()"]
REPOSITORY = Path(__file__).parents[2]


class Said(NamedTuple):
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)

    @property
    def last_line(self) -> str:
        return self.out.rstrip().splitlines()[-1]


def say(*words: str, env: dict[str, str] | None = None) -> Said:
    """Run one command in this process."""
    done = CliRunner().invoke(app, list(words), env=env, prog_name="sep2")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Said(done.exit_code, done.stdout, done.stderr)


@contextmanager
def serving(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`sep2 serve FOLDER` as a process of its own, from its first line on until the block ends."""
    env = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    log = folder / "serve.log"
    with log.open("a") as errors:
        server = subprocess.Popen(
            [*SEP2, "serve", str(folder)], stdout=subprocess.PIPE, stderr=errors, text=True, env=env
        )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line.startswith("Serving "), log.read_text()
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.stdout is not None
        server.stdout.close()
        server.wait(120)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a server that runs."""
    made = tmp_path_factory.mktemp("cli") / "utility"
    port, operator_port = free_ports(2)
    done = say("init", str(made), "--port", str(port), "--operator-port", str(operator_port), "--clock", "paced")
    assert done.status == 0, done.err
    file = made / "sep2.toml"
    # One operator asks for all tests, as fast as they run.
    unbounded = "reads_per_second = 0\nchanges_per_second = 0\n"
    file.write_text(file.read_text().replace("\n[database]", f"{unbounded}\n[database]"))
    with serving(made):
        yield made


Sep2 = Callable[..., Said]


def lfdi_of(name: str) -> str:
    """An LFDI that no other name has: the tests of all files here share one server."""
    return hashlib.sha256(name.encode()).hexdigest()[:40].upper()


@pytest.fixture
def sep2(folder: Path) -> Sep2:
    """A command to the server that runs."""

    def run(*words: str, env: dict[str, str] | None = None) -> Said:
        return say(*words, env={"SEP2_DIR": str(folder)} | (env or {}))

    return run
