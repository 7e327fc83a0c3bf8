"""What every test may ask for: an empty database of each kind, at the newest revision."""

import asyncio
import gc
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from sep2.store import Database, migrate, open_database
from tests import compiled_once, postgres, scratch

NOTHING_IS_SKIPPED = bool(os.environ.get("CI") or os.environ.get("SEP2_FACTS"))
"""Where everything that the tests need is known to be there, a skipped test is one that has failed."""

LONGEST_FIRST = (
    "desk/test_pages.py",
    "demo/test_demo.py",
    "server/test_workers.py",
    "cli/test_readme.py",
    "server/test_kill.py",
    "admin/test_front.py",
    "cli/test_commands.py",
    "envelope/test_verification.py",
    "envelope/test_pinned.py",
    "envelope/test_independent_check.py",
    "cli/test_authority.py",
    "cli/test_contract.py",
    "cli/test_help.py",
    "cli/test_production.py",
)
"""Files of more than 20 s: a process that starts one of them last would work alone while the other has nothing left."""

# A machine that others keep busy draws and runs examples slowly; that says nothing of what is tested.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

_numbers = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    """Put temporary files where they cost least, before the first is made."""
    scratch.use_memory(config)
    compiled_once.install()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first, all others as they come; xdist keeps this order with --no-loadscope-reorder."""
    tests = Path(__file__).parent
    place = {tests / name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish() -> None:
    """Leave out of every later collection of garbage what was imported, which stays until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "empty.sqlite"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path]:
    """The folder of a running PostgreSQL server."""
    try:
        postgres.programs()
    except postgres.NoPostgres as error:
        pytest.skip(str(error))
    with postgres.running() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_template(postgres_folder: Path) -> Path:
    """The folder of a running PostgreSQL server that holds a migrated database named `template`."""
    asyncio.run(_say(postgres_folder, "CREATE DATABASE template"))
    asyncio.run(migrate(postgres.address(postgres_folder, "template")))
    return postgres_folder


@contextmanager
def postgres_copy(folder: Path, template: str) -> Iterator[str]:
    """The address of a copy of a database that nobody has open."""
    name = f"test_{next(_numbers)}"
    asyncio.run(_copy(folder, template, name))
    yield postgres.address(folder, name)
    asyncio.run(_say(folder, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of an empty, migrated SQLite database."""
    path = tmp_path / "sep2.sqlite"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres_template: Path) -> Iterator[str]:
    """The address of an empty, migrated PostgreSQL database."""
    with postgres_copy(postgres_template, "template") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty, migrated database; the test runs once on each kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database, empty and migrated; the test runs once on each kind."""
    opened = await open_database(database_url)
    yield opened
    await opened.close()


async def _copy(folder: Path, template: str, name: str) -> None:
    connection = await asyncpg.connect(postgres.address(folder, "postgres"))
    # As files, which is what versions before 15 do: through the log it takes twice as long.
    strategy = "STRATEGY file_copy" if connection.get_server_version().major >= 15 else ""
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")
    await connection.close()


async def _say(folder: Path, sql: str) -> None:
    connection = await asyncpg.connect(postgres.address(folder, "postgres"))
    await connection.execute(sql)
    await connection.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why the run has failed where tests were skipped."""
    if NOTHING_IS_SKIPPED and (skipped := terminalreporter.stats.get("skipped")):
        terminalreporter.write_line(f"{len(skipped)} tests were skipped, and here that is a failure:", red=True)
        for report in skipped:
            terminalreporter.write_line(f"  {report.nodeid}: {report.longrepr[2]}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run where a test was skipped that must not be."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if NOTHING_IS_SKIPPED and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
