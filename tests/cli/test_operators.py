"""Operators, tokens and the audit log at the command line, over TLS, with security events as syslog."""

import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Said, say, serving
from tests.ports import free_ports
from tests.self_signed import self_signed


@pytest.fixture(scope="module")
def syslog() -> Iterator[socket.socket]:
    """A log server that takes datagrams."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(120)
        yield server


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, syslog: socket.socket) -> Iterator[Path]:
    """The folder of a server that speaks TLS to operators."""
    made = tmp_path_factory.mktemp("secure") / "utility"
    port, operator_port = free_ports(2)
    done = say("init", str(made), "--port", str(port), "--operator-port", str(operator_port))
    assert done.status == 0, done.err
    self_signed(made, "operators")
    more = (
        f'certificate = "operators.pem"\nkey = "operators.key"\nsyslog = "udp://127.0.0.1:{syslog.getsockname()[1]}"\n'
    )
    settings = made / "sep2.toml"
    settings.write_text(re.sub(r"(\[operator\][^\n]*\n)", lambda found: found[1] + more, settings.read_text()))
    with serving(made):
        yield made


def _events(syslog: socket.socket, until: str) -> list[str]:
    """The messages of the log server up to the first of that kind."""
    found = [syslog.recv(4096).decode()]
    while f" {until} [" not in found[-1]:
        found.append(syslog.recv(4096).decode())
    return found


def test_an_operator_works_over_tls_with_a_token_of_their_own(secure: Path, tmp_path: Path) -> None:
    def run(*words: str, token: Path | None = None, status: int = 0) -> Said:
        env = {"SEP2_DIR": str(secure)} | ({} if token is None else {"SEP2_TOKEN_FILE": str(token)})
        done = say(*words, env=env)
        assert done.status == status, done.err
        return done

    assert "local, admin" in run("operator", "show").out
    assert "operator add Ada" in run("operator", "add", "--help").out
    run("operator", "add", "Ada", "--role", "operator")
    text = run("token", "add", "Ada", "--label", "laptop", "--json").json["token"]
    file = tmp_path / "ada.token"
    file.write_text(text + "\n")
    assert "You are Ada, operator" in run("operator", "show", token=file).out
    refused = run("connection", "add", "NMI7", token=file, status=4)
    assert "needs engineer, and Ada is operator" in refused.err
    run("operator", "set", "Ada", "--role", "engineer")
    text, said = run("token", "add", "Ada", "--label", "desk").out.splitlines()
    assert text.startswith("sep2_")
    assert "keep it in a file" in said
    assert run("operator", "list").out.count("Ada") == 1
    one = run("token", "list", "--operator", "Ada", "--json").json["items"]
    assert {(token["label"], token["last_used"] is not None) for token in one} == {("laptop", True), ("desk", False)}
    link = run("desk", "open", "--no-browser", "--json").json["link"]
    context = ssl.create_default_context(cafile=secure / "operators.pem")
    with urllib.request.urlopen(link, context=context, timeout=120) as page:
        assert page.status == 200
    (session,) = run("session", "list", "--json").json["items"]
    assert session["operator"] == "local"
    run("session", "end", str(session["id"]))
    assert run("session", "list", "--json").json["items"] == []
    assert run("state").last_line == "No connections."
    listed = run("audit", "list", "--operator", "Ada").out
    assert "refused: role_too_low" in listed
    assert "The audit log is whole" in run("audit", "verify").last_line
    for token in one:
        run("token", "remove", token["id"])
    run("status", token=file, status=4)
    run("operator", "remove", "Ada")
    run("operator", "remove", "local", status=1)


def test_security_events_are_rfc_5424(secure: Path, syslog: socket.socket) -> None:
    env = {"SEP2_DIR": str(secure)}
    assert say("operator", "add", 'Bo "]\\', "--role", "viewer", env=env).status == 0
    found = _events(syslog, "operator_added")
    while "Bo" not in found[-1]:
        found += _events(syslog, "operator_added")
    head = r"<86>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ sep2 \d+ operator_added "
    assert re.fullmatch(
        head + r'\[sep2@32473 operator="Bo \\"\\\]\\\\" role="viewer" by="local"\] operator_added', found[-1]
    )


def test_nothing_older_than_tls_1_3_and_no_plain_http(secure: Path) -> None:
    port = int(re.search(r"\[operator\][^\[]*?port = (\d+)", (secure / "sep2.toml").read_text())[1])  # type: ignore[index]
    context = ssl.create_default_context(cafile=secure / "operators.pem")
    with (
        socket.create_connection(("127.0.0.1", port), 10) as line,
        context.wrap_socket(line, server_hostname="127.0.0.1") as made,
    ):
        assert made.version() == "TLSv1.3"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", port), 10) as line, pytest.raises(ssl.SSLError):
        context.wrap_socket(line, server_hostname="127.0.0.1")


def test_a_server_with_another_certificate_is_not_spoken_to(secure: Path, tmp_path: Path) -> None:
    self_signed(tmp_path, "operators")
    for file in ("sep2.toml", "operator.token"):
        (tmp_path / file).write_text((secure / file).read_text())
    done = say("status", env={"SEP2_DIR": str(tmp_path)})
    assert done.status == 1
    assert "another certificate" in done.err


def test_a_long_list_is_shown_whole(secure: Path, tmp_path: Path) -> None:
    env = {"SEP2_DIR": str(secure)}
    sheet = tmp_path / "connections.csv"
    sheet.write_text("\n".join(["connection_id", *(f"L{number:04}" for number in range(510))]))
    assert say("import", str(sheet), env=env).status == 0
    done = say("connection", "list", "--limit", "505", "--json", env=env)
    assert [one["connection_id"] for one in done.json["items"]] == [f"L{number:04}" for number in range(505)]
    assert done.json["total"] == 510
    assert say("connection", "list", "--limit", "600", env=env).last_line == "510 connections."
