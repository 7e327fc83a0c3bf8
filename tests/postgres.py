"""A PostgreSQL server of our own, for the length of one test run."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c deadlock_timeout=50ms"


class NoPostgres(Exception):
    """PostgreSQL is not installed; `apt-get install postgresql` brings it."""


def programs() -> Path:
    """The folder of initdb and pg_ctl: on the PATH, or the newest of those that Debian keeps apart."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    if folders := sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name)):
        return folders[-1]
    raise NoPostgres(NoPostgres.__doc__)


@contextmanager
def running(*, durable: bool = False) -> Iterator[Path]:
    """The folder with the socket of a new server, user `sep2`; it is stopped and the folder removed at the end."""
    bin_folder = programs()
    folder = Path(tempfile.mkdtemp(prefix="sep2-postgres-", dir="/tmp"))
    # PostgreSQL refuses to run as root, and its own user may not enter root's temporary folders.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)

    def run(program: str, *arguments: str) -> None:
        command = [str(bin_folder / program), "-D", str(folder / "data"), *arguments]
        done = subprocess.run(
            command, user=user, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout.decode()}{done.stderr.decode()}")

    try:
        run("initdb", "-U", "sep2", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-k {folder} -c listen_addresses= -c max_connections=200 {'' if durable else FAST}"
        run("pg_ctl", "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield folder
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def stop(folder: Path) -> None:
    """Have the server of a folder end at once, as when its machine is started anew."""
    _control(folder, "-w", "-m", "immediate", "stop")


def start(folder: Path) -> None:
    """Start a server again that was stopped."""
    options = f"-k {folder} -c listen_addresses= -c max_connections=200 {FAST}"
    _control(folder, "-w", "-l", f"{folder}/log", "-o", options, "start")


def _control(folder: Path, *arguments: str) -> None:
    command = [str(programs() / "pg_ctl"), "-D", str(folder / "data"), *arguments]
    user = "postgres" if os.geteuid() == 0 else None
    subprocess.run(command, user=user, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


def address(folder: Path, database: str) -> str:
    """Where a database of that server is."""
    return f"postgresql://sep2@/{database}?host={folder}"
