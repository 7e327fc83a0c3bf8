"""examples/deploy is kept in step with the server: its files can be read, and say what the server's settings need."""

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from sep2.cli.crew import LATE_S
from sep2.server.sessions import OWN_FILES
from sep2.settings import Limits
from tests.cli.conftest import REPOSITORY, say

DEPLOY = REPOSITORY / "examples" / "deploy"
LIMITS = Limits()
PATIENCE_S = LIMITS.drain_s + LATE_S


def test_the_unit_lets_workers_drain_and_open_enough_files() -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "sep2.service")
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert int(service["TimeoutStopSec"]) > PATIENCE_S
    assert int(service["LimitNOFILE"]) >= LIMITS.sessions + OWN_FILES
    program, *words = service["ExecStart"].split()
    assert program.endswith("/sep2")
    assert_served(words)
    assert service["User"] != "root"
    assert service["StateDirectory"] == Path(words[1]).name


def test_systemd_reads_the_units(tmp_path: Path) -> None:
    """Where it is there; its programs and users are replaced by such as are on every machine."""
    units = ["sep2.service", "sep2-backup.service", "sep2-backup.timer"]
    for name in units:
        text = (DEPLOY / name).read_text()
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE)
        (tmp_path / name).write_text(re.sub(r"^(User|Group)=.*", r"\1=root", text, flags=re.MULTILINE))
        assert re.findall(r"^\[(Unit|Service|Timer|Install)\]$", text, re.MULTILINE)
    if analyze := shutil.which("systemd-analyze"):
        command = [analyze, "verify", "--man=no", *(str(tmp_path / name) for name in (units[0], units[2]))]
        done = subprocess.run(command, capture_output=True, check=False, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_servers_of_the_compose_file_have_no_rights_and_share_one_database() -> None:
    compose: Any = pytest.importorskip("yaml").safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    for name in ("a", "b"):
        server = services[name]
        assert server["read_only"]
        assert server["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in server["security_opt"]
        assert int(server["stop_grace_period"].removesuffix("s")) > PATIENCE_S
        assert server["ulimits"]["nofile"] >= LIMITS.sessions + OWN_FILES
        assert server["depends_on"]["database"]["condition"] == "service_healthy"
        assert server["build"]["dockerfile"] == str((DEPLOY / "Containerfile").relative_to(REPOSITORY))
    assert services["a"]["volumes"][0] != services["b"]["volumes"][0], "each has a folder of its own"
    known = compose["volumes"].keys()
    mounted = [one.split(":")[0] for service in services.values() for one in service.get("volumes", [])]
    assert {one for one in mounted if not one.startswith(".")} == known
    assert services["database"]["secrets"] == list(compose["secrets"])


def test_the_container_runs_without_root() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    (user,) = re.findall(r"^USER (\d+):\d+$", text, re.MULTILINE)
    assert int(user) > 0
    (said,) = re.findall(r"^CMD \[(.*)\]$", text, re.MULTILINE)
    assert_served([word.strip().strip('"') for word in said.split(",")])
    assert "STOPSIGNAL SIGTERM" in text


def test_the_balancer_passes_tls_on_and_ends_no_connection_before_the_server(tmp_path: Path) -> None:
    text = (DEPLOY / "haproxy.cfg").read_text()
    assert re.search(r"^\s*mode tcp$", text, re.MULTILINE)
    assert not re.search(r"\b(ssl|crt|mode http)\b", text.replace("# TLS", ""))
    for end in ("client", "server"):
        (seconds,) = re.findall(rf"^\s*timeout {end} (\d+)s$", text, re.MULTILINE)
        assert int(seconds) > LIMITS.idle_s
    if haproxy := shutil.which("haproxy"):
        file = tmp_path / "haproxy.cfg"
        file.write_text(re.sub(r"^(\s*server \w+) \w+:", r"\1 127.0.0.1:", text, flags=re.MULTILINE))
        done = subprocess.run([haproxy, "-c", "-f", str(file)], capture_output=True, check=False, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["backup.sh", "restore.sh"])
def test_the_scripts_are_those_of_a_plain_shell(name: str) -> None:
    file = DEPLOY / name
    assert file.stat().st_mode & 0o111
    assert subprocess.run(["sh", "-n", str(file)], check=False).returncode == 0
    assert file.read_text().splitlines()[0] == "#!/bin/sh"


def test_what_is_in_a_folder_is_never_overwritten(tmp_path: Path) -> None:
    """A database that is damaged may hold what its backup lacks."""
    (tmp_path / "PG_VERSION").write_text("15")
    done = subprocess.run([DEPLOY / "restore.sh", tmp_path, tmp_path], capture_output=True, check=False, text=True)
    assert done.returncode == 1
    assert "is not empty" in done.stderr


def test_a_time_is_reached_from_the_newest_backup_that_was_there_by_then(tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    for name in ("20261101T000000Z", "20261108T000000Z"):
        (backups / "base" / name).mkdir(parents=True)
        (backups / "base" / name / "PG_VERSION").write_text(name)

    def put_back(data: str, time: str) -> subprocess.CompletedProcess[str]:
        script = [DEPLOY / "restore.sh", backups, tmp_path / data, time]
        return subprocess.run(script, capture_output=True, check=False, text=True)

    for data, time, name in (
        ("a", "2026-11-07 12:00:00+00", "20261101T000000Z"),
        ("b", "2026-11-08 01:30:00+01", "20261108T000000Z"),
    ):
        assert put_back(data, time).returncode == 0
        assert (tmp_path / data / "PG_VERSION").read_text() == name
    done = put_back("c", "2026-10-31 00:00:00+00")
    assert (done.returncode, "is from before 2026-10-31" in done.stderr) == (1, True)
    assert not (tmp_path / "c").exists()


def assert_served(words: list[str]) -> None:
    """These words are a command that our command line knows."""
    assert words[0] == "serve"
    help_ = say("serve", "--help").out
    for word in words[1:]:
        assert word in help_ or not word.startswith("--"), word
