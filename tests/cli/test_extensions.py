"""Extensions: found by their entry point, imported only when used, never in the server's way."""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from sep2 import extension
from sep2.cli.folder import worker, workers
from sep2.cli.lazy import BUILT_IN, Sep2
from sep2.clock import SystemClock
from sep2.server.workers import Workers
from tests.cli.conftest import Said

PACKAGE = """
from sep2.extension import Extension
EXTENSION = Extension(
    "{name}",
    commands={{"{name}": "{name}_commands:app", "{name}-broken": "{name}_nowhere:app"}},
    workers=("{name}_work:run", "{name}_nowhere:run"),
    summaries={{"{name}": "Says hello."}},
)
"""
COMMANDS = """
import typer
app = typer.Typer()

@app.command()
def hello(whom: str) -> None:
    typer.echo(f"hello {whom}")
"""

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution that has one extension: as a folder on the path, the way an installer leaves it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, code: str) -> None:
        (tmp_path / f"{name}.py").write_text(code)
        (tmp_path / f"{name}_commands.py").write_text(COMMANDS)
        (tmp_path / f"{name}_work.py").write_text("async def run(state): state.done.append('worked')")
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{extension.GROUP}]\n{name} = {name}:EXTENSION\n")

    return write


def run(*words: str) -> Said:
    app = typer.Typer(cls=Sep2, no_args_is_help=True, pretty_exceptions_enable=False)
    app.command("own")(lambda: None)
    app.command("other")(lambda: None)
    done = CliRunner().invoke(app, list(words), prog_name="sep2")
    return Said(done.exit_code, done.stdout, done.stderr)


def test_a_command_is_imported_when_it_is_used(install: Install) -> None:
    install("hallo", PACKAGE.format(name="hallo"))
    assert "Says hello." in run("--help").out
    assert "hallo_commands" not in sys.modules
    assert run("hallo", "world").out == "hello world\n"
    assert "hallo_commands" in sys.modules


def test_our_own_lazy_commands_are_all_there() -> None:
    shown = run("--help").out
    for name in BUILT_IN.commands:
        assert BUILT_IN.summaries[name][:30] in shown
        done = run(name, "--help")
        assert (done.status, "Usage: sep2 " + name in done.out) == (0, True), done.err


def test_a_command_that_can_not_be_imported_says_what_is_missing(install: Install) -> None:
    install("hullo", PACKAGE.format(name="hullo"))
    done = run("hullo-broken")
    assert done.status == 1
    assert "hullo_nowhere" in done.err


def test_a_broken_extension_is_left_out(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("broken", "raise RuntimeError('no licence')")
    install("stray", "EXTENSION = 5")
    install("hello2", PACKAGE.format(name="hello2"))
    names = [found.name for found in extension.load()]
    assert "hello2" in names
    assert not {"broken", "stray"} & set(names)
    assert "no licence" in caplog.text
    assert "stray:EXTENSION is no Extension" in caplog.text


async def test_work_is_imported_when_it_begins(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("worker", PACKAGE.format(name="worker"))
    mine = {home: worker("worker", home) for home in ("worker_work:run", "worker_nowhere:run")}
    assert "worker_work" not in sys.modules
    state = SimpleNamespace(reached={}, done=[], workers=Workers(SystemClock(), dict))
    for work in mine.values():
        await work(state)
    assert (state.done, state.reached) == (["worked"], {})
    assert "worker works without worker_nowhere:run" in caplog.text


async def test_what_a_plain_installation_lacks_is_no_warning(
    install: Install, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install("heavy", PACKAGE.format(name="heavy"))
    (tmp_path / "heavy_work.py").write_text("import an_engine_that_is_not_here")
    caplog.set_level("INFO")
    await worker("heavy", "heavy_work:run")(SimpleNamespace(reached={}, done=[], workers=Workers(SystemClock(), dict)))
    (record,) = (record for record in caplog.records if "heavy_work" in record.getMessage())
    assert (record.levelname, "an_engine_that_is_not_here" in record.getMessage()) == ("INFO", True)


def test_the_work_of_every_extension_is_found(install: Install) -> None:
    before = len(workers())
    install("worker2", PACKAGE.format(name="worker2"))
    assert len(workers()) == before + 2


class SlowToFind:
    """Finds nothing, and takes its time for one package, so that another thread comes to need it meanwhile."""

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        if name == "parted":
            time.sleep(0.2)


def test_parts_of_one_package_can_be_loaded_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "parted"
    package.mkdir()
    (package / "__init__.py").write_text("from parted.inner import PART\n")
    (package / "inner.py").write_text("PART = 5\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", [SlowToFind(), *sys.meta_path])
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(extension.resolve, ("parted:PART", "parted.inner:PART"))) == [5, 5]
