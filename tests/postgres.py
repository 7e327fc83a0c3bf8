"""A PostgreSQL server of our own, for the length of one test run."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.scratch import ON_DISK, quick

FAST = ("fsync=off", "full_page_writes=off", "deadlock_timeout=50ms", "dynamic_shared_memory_type=mmap")
"""Settings under which what was committed outlives a server that is stopped at once, but not its machine; and with
the last a server that is stopped at once leaves nothing behind in /dev/shm."""
FORGETFUL = ("synchronous_commit=off",)
"""Under this one the last commits are lost with the server."""


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
def running(*, durable: bool = False, restarts: bool = False) -> Iterator[Path]:
    """The folder with the socket of a new server, user `sep2`; it is stopped and the folder removed at the end.

    durable: set up as for use. restarts: what was committed is there again after `stop` and `start`.
    """
    bin_folder = programs()
    folder = Path(tempfile.mkdtemp(prefix="sep2-postgres-", dir=ON_DISK if durable else quick()))
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
        settings = ["listen_addresses=''", f"unix_socket_directories='{folder}'", "max_connections=200"]
        settings += () if durable else FAST if restarts else (*FAST, *FORGETFUL)
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.write("\n".join(["", *settings, ""]))
        run("pg_ctl", "-w", "-l", f"{folder}/log", "start")
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
    _control(folder, "-w", "-l", f"{folder}/log", "start")


def _control(folder: Path, *arguments: str) -> None:
    command = [str(programs() / "pg_ctl"), "-D", str(folder / "data"), *arguments]
    user = "postgres" if os.geteuid() == 0 else None
    subprocess.run(command, user=user, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


def address(folder: Path, database: str) -> str:
    """Where a database of that server is."""
    return f"postgresql://sep2@/{database}?host={folder}"
