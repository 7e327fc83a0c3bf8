"""Nothing that a client, an operator or a file says reaches a terminal or a log as more than text."""

import ast
import io
import logging
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from certs.authority import Authority
from sep2.terminal import LogFormatter, say, say_json, shown
from tests.certs.forge import forge
from tests.cli.conftest import REPOSITORY, Sep2
from tests.cli.conftest import say as typed

NASTY = "[red]x[/]\x1b[2J\x9b31m\x07\u202e\u2066\x7f"
STEERS = set("\x1b\x9b\x07\u202e\u2066\x7f\x85\r")


def is_plain(text: str) -> bool:
    return not STEERS & set(text)


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("Zähler 7 – °C 漢字", "Zähler 7 – °C 漢字"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[2J\x9b\x85", r"\x1b[2J\x9b\x85"),
        ("\u202eb\u2066\u200f\u2028", r"\u202eb\u2066\u200f\u2028"),
        ("\ud800", r"\ud800"),
        ("x" * 200, "x" * 119 + "…"),
        (None, "None"),
    ],
)
def test_what_could_steer_a_terminal_is_an_escape(said: object, seen: str) -> None:
    assert shown(said) == seen


def test_a_name_is_a_name_in_sentences_tables_and_json(sep2: Sep2) -> None:
    name = "G [red]x[/] :smile: {x}"
    made = sep2("group", "create", name, "--level", "FD", "--primacy", "9")
    listed = sep2("group", "list")
    assert name in made.out
    assert name in listed.out
    as_json = sep2("group", "list", "--json")
    assert name in {group["name"] for group in as_json.json["items"]}
    refused = sep2("group", "create", "G\x9b31m\u202e", "--level", "FD", "--primacy", "9")
    assert refused.status == 1
    for one in (made, listed, as_json, refused, sep2("audit", "list"), sep2("audit", "list", "--json")):
        assert is_plain(one.out + one.err)


def test_a_refusal_is_one_line_and_its_hint(sep2: Sep2) -> None:
    done = sep2("group", "assign", "[red]no such\x9b31m\u202e", "1234")
    assert done.status == 1
    assert "[red]no such\\x9b31m\\u202e" in done.err
    assert done.err.endswith("\n`sep2 group list` shows them.\n")
    assert is_plain(done.err)
    assert done.err.count("\n") == 2


def test_a_document_is_quoted_as_text(tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    file.write_text(
        '<Time xmlns="urn:ieee:std:2030.5:ns"><x\x9b\u202e>[red]\u2028</x\x9b\u202e></Time>', encoding="utf-8"
    )
    for words in ((), ("--json",)):
        done = typed("validate", str(file), *words)
        assert done.status == 1
        assert done.out
        assert is_plain(done.out)
        assert "\u2028" not in done.out


def test_a_certificate_is_quoted_as_text(tmp_path: Path) -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"C {NASTY}")])
    file = tmp_path / "c.pem"
    file.write_bytes(forge(Authority.create("R"), subject=subject).certificate_pem)
    for words in ((), ("--json",)):
        done = typed("certs", "show", str(file), *words)
        assert done.status == 0
        assert "[red]x[/]" in done.out.replace("\n", "")
        assert is_plain(done.out)


def test_settings_are_quoted_as_text(tmp_path: Path) -> None:
    (tmp_path / "sep2.toml").write_text('mode = "\\u001b[2J\\nError: all is well"\n')
    done = typed("device", "list", "--dir", str(tmp_path))
    assert done.status == 1
    assert is_plain(done.err)
    assert done.err.count("\n") == 1


def test_a_feeder_is_quoted_as_text(tmp_path: Path) -> None:
    folder = tmp_path / f"f{NASTY.replace('/', '')}"
    folder.mkdir()
    done = typed("grid", "check", str(folder))
    assert done.status
    assert is_plain(done.out + done.err)


def test_a_record_is_one_line_and_a_traceback_is_set_in() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(LogFormatter("%(levelname)s %(message)s"))
    log = logging.Logger("test")
    log.addHandler(handler)
    log.error("from %s", f"a\nERROR fake {NASTY}")
    try:
        raise ValueError(f"b\nERROR fake {NASTY}")
    except ValueError:
        log.exception("failed")
    first, second, *rest = out.getvalue().splitlines()
    assert first.startswith("ERROR from a\\nERROR fake [red]x[/]\\x1b[2J")
    assert second == "ERROR failed"
    assert rest[0] == "Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in rest[1:])
    assert "raise ValueError" in out.getvalue()
    assert is_plain(out.getvalue())


def test_json_keeps_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"name": NASTY + "\n\u2028"}
    say_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
    said = capsys.readouterr().out
    assert is_plain(said)
    assert msgspec.json.decode(said) == value
    say("a\nb")
    assert capsys.readouterr().out == "a\\nb\n"


PRINTS = {("typer", "echo"), ("typer", "secho"), ("click", "echo"), ("table", "add_row"), ("made", "add_row")}
OURS_ALONE = {
    "sep2/terminal.py",  # it is the one that prints
    "sep2/cli/lazy.py",  # in red, what `shown` returned
    "sep2/cli/wire.py",  # our own schema and reference page, of many lines
    "envelope/demo/margins.py",  # figures, with markup of ours
    "envelope/demo/study.py",  # likewise
    "envelope/demo/terminal_view.py",
}


def test_commands_print_through_one_module() -> None:
    """So that no command can forget it."""
    found = set()
    for package in ("sep2", "certs", "gridmodel", "envelope"):
        for path in (REPOSITORY / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                function = node.func if isinstance(node, ast.Call) else None
                if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
                    if (function.value.id, function.attr) in PRINTS or function.attr == "basicConfig":
                        found.add(str(path.relative_to(REPOSITORY)))
                elif isinstance(function, ast.Name) and function.id == "print":
                    found.add(str(path.relative_to(REPOSITORY)))
    assert found <= OURS_ALONE
