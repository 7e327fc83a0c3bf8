"""`sep2 init`: a folder that a server can run in, made once."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

from certs import Strictness
from certs.inspect import read as read_certificate
from sep2.settings import read, read_token
from sep2.store import open_database
from sep2.store.marks import value
from tests.cli.conftest import REPOSITORY, say


def test_a_folder_has_settings_database_certificates_and_a_token(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "utility"
    done = say("init", str(folder), "--pen", "4711", "--name", "der.example.com", "--utility", "csip")
    assert done.status == 0, done.err
    assert done.last_line == f"{folder} is ready. Start it: sep2 serve {folder}"
    settings = read(folder)
    assert (settings.pen, settings.utility.profile) == (4711, "csip")
    assert len(read_token(settings)) >= 40
    for secret in (settings.operator.token_file, settings.tls.key, folder / "sep2.toml", folder / "sep2.db"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    server, *_ = read_certificate(settings.tls.certificate)
    assert "der.example.com" in server.hosts
    assert not server.refused(Strictness.STRICT)
    assert asyncio.run(stored_pen(settings.database.url)) == "4711"


async def stored_pen(url: str) -> str | None:
    database = await open_database(url)
    async with database.read() as db:
        pen = await value(db, "pen")
    await database.close()
    return pen


def test_a_second_init_changes_nothing(tmp_path: Path) -> None:
    assert say("init", str(tmp_path / "u")).status == 0
    before = {file: file.read_bytes() for file in (tmp_path / "u").rglob("*") if file.is_file()}
    done = say("init", str(tmp_path / "u"))
    assert done.status == 1
    assert "sep2 serve" in done.err
    assert before == {file: file.read_bytes() for file in (tmp_path / "u").rglob("*") if file.is_file()}


def test_certificates_and_a_token_that_are_there_are_kept(tmp_path: Path) -> None:
    assert say("init", str(tmp_path)).status == 0
    kept = [tmp_path / "operator.token", tmp_path / "pki" / "root.pem"]
    before = [file.read_bytes() for file in kept]
    (tmp_path / "sep2.toml").unlink()
    assert say("init", str(tmp_path)).status == 0
    assert [file.read_bytes() for file in kept] == before


def test_a_database_of_another_version_is_refused_until_it_is_migrated(tmp_path: Path) -> None:
    assert say("init", str(tmp_path), "--pen", "4711").status == 0
    database = tmp_path / "sep2.db"
    database.unlink()
    sqlite3.connect(database).close()
    done = say("serve", str(tmp_path))
    assert done.status == 1
    assert "sep2 migrate" in done.err
    assert say("migrate", str(tmp_path)).status == 0
    assert asyncio.run(stored_pen(f"sqlite:///{database}")) == "4711"


def test_production_needs_the_utilitys_own_number_and_trusts_no_test_certificates(tmp_path: Path) -> None:
    done = say("init", str(tmp_path), "--production")
    assert done.status == 1
    assert "pen is 32473" in done.err
    assert not list(tmp_path.iterdir())
    assert say("init", str(tmp_path), "--production", "--pen", "4711").status == 0
    said = tomllib.loads((tmp_path / "sep2.toml").read_text())
    assert (said["mode"], said["receivers"]["loopback"]) == ("production", False)


def test_what_init_can_not_use_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    for words in (["--database", "mysql://x"], ["--port", "70000"], ["--utility", "x"], ["--clock", "sundial"]):
        done = say("init", str(tmp_path / "u"), *words)
        assert done.status == 1, words
        assert done.err.startswith("Error: The settings can not be used"), words
    assert not (tmp_path / "u").exists()


def test_init_fills_a_postgresql_database_too(tmp_path: Path, postgres_url: str) -> None:
    assert say("init", str(tmp_path / "u"), "--database", postgres_url, "--pen", "4711").status == 0
    assert asyncio.run(stored_pen(postgres_url)) == "4711"


def test_without_its_driver_one_is_told_how_to_get_it(tmp_path: Path) -> None:
    without = "import sys; sys.modules['asyncpg'] = None; from sep2.cli import main; main()"
    words = ["init", str(tmp_path / "u"), "--database", "postgresql://nobody@127.0.0.1:1/x"]
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", without, *words], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "pip install 'sep2[postgres]'" in done.stderr


def test_several_workers_are_refused_where_they_can_not_serve(tmp_path: Path) -> None:
    """On SQLite, with a clock that one process would move, and on a port that nobody knows before."""
    assert say("init", str(tmp_path)).status == 0
    done = say("serve", str(tmp_path), "--workers", "2")
    assert done.status == 1
    assert "--workers needs PostgreSQL" in done.err
    assert "Leave --workers out" in done.err
    text = (tmp_path / "sep2.toml").read_text().replace("sqlite:///sep2.db", "postgresql://sep2@nowhere/sep2")
    for before, after, said in (('"system"', '"paced"', "clock"), ("port = 8443", "port = 0", "ports")):
        (tmp_path / "sep2.toml").write_text(text.replace(before, after))
        done = say("serve", str(tmp_path), "--workers", "2")
        assert done.status == 1
        assert f"--workers needs {said}" in done.err
