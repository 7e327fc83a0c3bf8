"""`sep2 load` against a server that runs."""

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


def test_each_request_is_answered_and_statuses_are_written(sep2: Sep2, folder: Path, load: Sep2) -> None:
    for name in ("fleet-1", "fleet-2"):
        made = sep2("client", "add", name, "--issue", str(folder / "pki"), "--connection", f"AT-{name}")
        assert made.status == 0, made.err
    done = load("--client", "fleet-*", "--rate", "20", "--for", "1s", "--json")
    assert done.status == 0, done.err + done.out
    found = done.json
    assert (found["clients"], found["sent"], found["answered"], found["failed"]) == (2, 20, 20, {})
    assert found["writes"] >= 2
    assert 0 < found["answering"]["p50_ms"] <= found["answering"]["p99_ms"] <= found["answering"]["most_ms"]
    written = sep2("device-status", "list", "--client", "fleet-1", "--json")
    assert written.status == 0, written.err
    assert msgspec.json.decode(written.out)["items"], written.out


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
