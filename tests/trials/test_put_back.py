"""A PostgreSQL that is gone is put back from its base backup and archived log by the scripts of examples/deploy.

What it measures goes to docs/deploy.md: how much was lost of what was acknowledged, and how long nobody was served.
"""

import asyncio
import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from sep2.store import migrate
from tests import postgres
from tests.raw import Raw, context, document
from tests.server.conftest import people  # noqa: F401 - a fixture
from tests.server.process import House
from tests.server.test_workers import EVENT
from tests.server.world import People
from tests.trials.figures import record_row

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"
WRITES, ARCHIVE_TIMEOUT_S = 400, 5
"""The timeout is 60 s in the file that operators include; here it is short, so that the trial is."""


SAID = (
    f"PostgreSQL with an archive timeout of {ARCHIVE_TIMEOUT_S} s is stopped at once and its folder removed while a "
    "client writes twenty times a second; then it is put back by examples/deploy/restore.sh, and the server started. "
    "What was acknowledged is compared with what is there; the time runs from the loss to the client's first answer. "
    "In each case what is said of controls is held back until an operator has looked."
)
CASES = ("the log was on another disk", "the machine is gone")


@pytest.mark.parametrize("name", CASES)
async def test_a_database_is_put_back(people: People, tmp_path: Path, name: str) -> None:  # noqa: F811
    whole_log = name == CASES[0]
    with postgres.running(restarts=True) as folder:
        archive(folder)
        connection = await asyncpg.connect(postgres.address(folder, "postgres"))
        await connection.execute("CREATE DATABASE utility")
        await connection.close()
        house = House(tmp_path, people, postgres.address(folder, "utility"))
        await migrate(house.url)
        await house.settle(clock="system")
        await house.start()
        await asyncio.to_thread(run, folder, "backup.sh", folder / "backups")
        written = await write(house)
        await lose(folder, whole_log=whole_log)
        gone = time.monotonic()
        await house.kill()
        await asyncio.to_thread(put_back, folder)
        put = time.monotonic() - gone
        await house.start()
        raw = await sunny_at(house)
        served = time.monotonic() - gone
        kept = [at for where, at in written.items() if (await raw.get(where)).status == 200]
        held = (await house.operate("GET", "/restore"))["holds"]
        await raw.close()
        await house.stop()
    lost_s = max(written.values()) - max(kept)
    assert lost_s == 0 if whole_log else lost_s < 2 * ARCHIVE_TIMEOUT_S
    assert len(kept) == sum(at <= max(kept) for at in written.values()), "there is a gap in what was put back"
    assert held, "what it may lack has to be asked for"
    record_row(
        "A database that is put back",
        SAID,
        (name, figures(len(kept), len(written), lost_s=lost_s, put_s=put, served_s=served)),
        CASES,
    )


def figures(kept: int, written: int, *, lost_s: float, put_s: float, served_s: float) -> str:
    """One row of the table."""
    return (
        f"kept {kept} of {written}, lost the last {lost_s:.1f} s; database back after {put_s:.1f} s, clients served "
        f"after {served_s:.1f} s"
    )


def archive(folder: Path) -> None:
    """Have the server archive its log, as postgresql-archive.conf says, into a folder of the trial's."""
    text = (DEPLOY / "postgresql-archive.conf").read_text()
    text = text.replace("/var/backups/sep2", str(folder / "backups"))
    text = text.replace("archive_timeout = 60", f"archive_timeout = {ARCHIVE_TIMEOUT_S}")
    (folder / "backups" / "wal").mkdir(parents=True)
    own(folder / "backups")
    with (folder / "data" / "postgresql.conf").open("a") as file:
        file.write(f"\n{text}\n")
    postgres.stop(folder)
    postgres.start(folder)


async def write(house: House) -> dict[str, float]:
    """When each event was acknowledged, by where it is; at a steady pace for some timeouts of the archive."""
    raw, written = await sunny_at(house), {}
    device = f"/edev/{house.ids.devices['one']}"
    for number in range(WRITES):
        reply = await raw.post(f"{device}/lel", document("LogEvent", EVENT % (number + 1)))
        assert reply.status == 201
        written[reply.location] = time.monotonic()
        await asyncio.sleep(4 * ARCHIVE_TIMEOUT_S / WRITES)
    await raw.close()
    return written


async def lose(folder: Path, *, whole_log: bool) -> None:
    """Stop the database at once and take its folder away; whole_log: its log was on another disk, and is archived."""
    await asyncio.to_thread(postgres.stop, folder)
    if whole_log:
        for segment in sorted((folder / "data" / "pg_wal").glob("0*")):
            if not (folder / "backups" / "wal" / segment.name).exists():
                shutil.copy(segment, folder / "backups" / "wal")
    shutil.rmtree(folder / "data")


def put_back(folder: Path) -> None:
    """Restore, and start PostgreSQL."""
    run(folder, "restore.sh", folder / "backups", folder / "data")
    own(folder / "data")
    own(folder / "backups")
    postgres.start(folder)


def own(folder: Path) -> None:
    """Give a folder to the user that PostgreSQL runs as."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        for one in (folder, *folder.rglob("*")):
            os.chown(one, user.pw_uid, user.pw_gid)


def run(folder: Path, script: str, *arguments: Any) -> None:
    """One of the scripts, as its user would run it."""
    environment = os.environ | {
        "PATH": f"{postgres.programs()}:{os.environ['PATH']}",
        **{"PGHOST": str(folder), "PGUSER": "sep2", "PGDATABASE": "postgres"},
    }
    command = [str(DEPLOY / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


async def sunny_at(house: House) -> Raw:
    return await Raw.open(house.port, context(house.people.pki.folder / "root.pem", house.people.files("sunny")))
