"""`sep2 load` against a server that runs."""

import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from sep2.settings import read as read_settings
from tests.cli.conftest import Said, Sep2


def address(folder: Path) -> str:
    return f"https://localhost:{read_settings(folder).listen.port}"


@pytest.fixture
def load(sep2: Sep2, folder: Path) -> Sep2:
    def run(*words: str, env: dict[str, str] | None = None) -> Said:
        return sep2("load", address(folder), "--pki", str(folder / "pki"), *words, env=env)

    return run


def register(sep2: Sep2, folder: Path, *names: str) -> None:
    for name in names:
        made = sep2("client", "add", name, "--issue", str(folder / "pki"), "--connection", f"AT-{name}")
        assert made.status == 0, made.err


def test_each_request_is_answered_and_what_is_written_can_be_read(sep2: Sep2, folder: Path, load: Sep2) -> None:
    register(sep2, folder, "fleet-1", "fleet-2")
    rates = {"polls": 10, "walks": 2, "statuses": 6, "reconnects": 2}
    words = [word for kind, per_s in rates.items() for word in (f"--{kind}", str(per_s))]
    done = load("--client", "fleet-*", *words, "--storm", "--for", "1s", "--json")
    assert done.status == 0, done.err + done.out
    found = done.json
    each = {kind: (one["sent"], one["answered"]) for kind, one in found["kinds"].items()}
    wanted = {"poll": 10, "walk": 2, "status": 6, "reconnect": 4}
    assert each == {kind: (count, count) for kind, count in wanted.items()}
    assert (found["clients"], found["sent"], found["answered"], found["failed"]) == (2, 22, 22, {})
    assert found["stopped"] is False
    for times in (found["answering"], found["connecting"], *(one["answering"] for one in found["kinds"].values())):
        assert 0 < times["p50_ms"] <= times["p99_ms"] <= times["most_ms"]
    written = sep2("device-status", "list", "--client", "fleet-1", "--json")
    assert written.status == 0, written.err
    assert msgspec.json.decode(written.out)["items"], written.out


def test_a_load_that_is_interrupted_tells_what_it_has_measured(sep2: Sep2, folder: Path) -> None:
    register(sep2, folder, "ended-1")
    words = ("load", address(folder), "--pki", str(folder / "pki"), "--client", "ended-1", "--for", "1h", "--json")
    command = [sys.executable, "-c", "from sep2.cli import main; main()", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        # It says about every second how far it is.
        assert next(line for line in process.stderr if "answered" in line)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    found = msgspec.json.decode(out)
    assert found["stopped"] is True
    assert 0 < found["answered"] == found["sent"] < 36_000


def test_what_is_not_asked_for_is_refused(folder: Path, load: Sep2, sep2: Sep2) -> None:
    nobody = load("--client", "nobody-*")
    assert nobody.status == 2
    assert "0 clients of that name" in nobody.err
    words = ("--pki", str(folder / "pki"), "--client", "nobody")
    away = sep2("load", "https://utility.example:8443", *words)
    assert away.status == 2
    assert "is not this machine" in away.err
    assert sep2("load", "http://localhost:1", *words).status == 2
    assert load("--client", "nobody", "--for", "2h").status == 2
    assert "--notify" in load("--client", "nobody", "--subscriptions", "1").err


def test_there_are_no_more_clients_than_files_that_may_be_opened(tmp_path: Path) -> None:
    for number in range(60):
        for kind in ("key", "pem"):
            (tmp_path / f"c{number}.{kind}").touch()
    sep2 = 'exec "$0" -c "from sep2.cli import main; main()"'
    command = f"ulimit -n 250; {sep2} load https://localhost:1 --pki {tmp_path} --client 'c*'"
    done = subprocess.run(["bash", "-c", command, sys.executable], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "1 to 50 can be used" in " ".join(done.stderr.replace("│", " ").split())
