"""One grammar: what documents and help name can be typed, units and times are read as people write them."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from sep2.cli.app import app
from sep2.rules.alarm_kinds import KINDS
from tests.cli.conftest import REPOSITORY, Said, Sep2, lfdi_of, say

ROOT: Any = typer.main.get_command(app)
ROOT.import_own()
DOCUMENTS = ("README.md", "docs/operators.md")


def ok(done: Said) -> Said:
    assert done.status == 0, done.err or done.out
    return done


def named_in(text: str) -> list[str]:
    """The commands that a document shows: lines of shell blocks, and what stands in code marks."""
    blocks = "\n".join(re.findall(r"```(?:sh|console)?\n(.*?)```", text, re.DOTALL))
    lines = [line.strip().removeprefix("$ ") for line in blocks.splitlines()]
    marked = re.findall(r"`(sep2 [a-z][^`\n]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [line for line in [*lines, *marked] if line.startswith("sep2 ")]


def in_help(command: Any = ROOT) -> list[str]:
    """The commands that help shows as examples."""
    if hasattr(command, "commands"):
        return [line for one in command.commands.values() for line in in_help(one)]
    return re.findall(r"\[bold\](sep2 [^\[]*)\[/\]", command.help or "")


def check(line: str) -> None:
    """Every word of a command that is one of ours is known: the noun, the verb, and each option."""
    words = shlex.split(re.split(r"\s+#|\s&|\s&&|\s\||\s;|\s{2,}", line)[0].replace("…", ""), posix=True)[1:]
    command: Any = ROOT
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        assert words[0] in command.commands, f"{line}: there is no {words[0]}"
        is_ours = words[0] not in getattr(command, "_homes", {})
        command = command.commands[words[0]] if is_ours else command._imported(words[0])
        words = words[1:]
    known = {
        option
        for parameter in getattr(command, "params", ())
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for word in words:
        if re.match(r"--[a-z]", word):
            assert word.partition("=")[0] in {*known, "--help"}, f"{line}: {command.name} has no {word}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_can_be_typed(document: str) -> None:
    lines = named_in((REPOSITORY / document).read_text(encoding="utf-8"))
    assert len(lines) >= 5
    for line in lines:
        check(line)


def test_what_alarms_tell_people_to_do_can_be_typed() -> None:
    lines = [line for kind in KINDS.values() for line in named_in(kind.do)]
    assert len(lines) >= 20
    for line in lines:
        check(line)


def test_what_help_shows_can_be_typed() -> None:
    lines = in_help()
    assert len(lines) >= 30
    for line in lines:
        check(line)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("5mW", "milliwatts? write 5MW"),
        ("5mw", "write 5MW"),
        ("5kw", "write 5kW"),
        ("5KW", "write 5kW"),
        ("5w", "write 5W"),
    ],
)
def test_a_unit_is_written_as_it_is(sep2: Sep2, typed: str, meant: str) -> None:
    done = sep2("control", "send", "--connection", "X", "--export", typed)
    assert done.status == 2
    assert meant in re.sub(r"[\s│]+", " ", done.err)


def test_a_control_is_echoed_in_full_and_explained(sep2: Sep2, folder: Path) -> None:
    ok(sep2("client", "add", "Grammar", "--lfdi", lfdi_of("Grammar")))
    ok(sep2("connection", "add", "G1", "--firm-export", "5kW"))
    ok(sep2("device", "add", "--client", "Grammar", "--connection", "G1"))
    said = ok(
        sep2(
            "control",
            "send",
            "--connection",
            "G1",
            "--export",
            "1.5kW",
            "--max-power",
            "60%",
            "--for",
            "1h",
            "--anyway",
        )
    )
    assert re.search(r"It says: export at most 1.5 kW, opModMaxLimW 60%; from \S+ \S+Z until \S+ \S+Z\.", said.out)
    why = ok(sep2("why", "G1", "--at", "+10m")).out
    assert "Export at most 1.5 kW: control" in why
    assert "in its schedule (cancel it: sep2 control cancel" in why
    assert "Without that: the contract, or the utility's default: 5000 W." in why
    later = ok(sep2("why", "G1", "--at", "tomorrow 6:00")).out
    assert "Export at most 5 kW: its contract" in later
    refused = sep2("control", "send", "--connection", "G1", "--export", "5MW")
    assert (refused.status, "--anyway" in refused.err) == (1, True)
    refused = sep2("control", "send", "--connection", "G1", "--export", "1kW", "--for", "400d")
    assert (refused.status, "--anyway" in refused.err) == (1, True)


def test_a_default_is_shown_as_it_was_typed(sep2: Sep2) -> None:
    ok(sep2("group", "add", "typed", "--primacy", "70"))
    options = ("--max-power", "50%", "--power-factor", "0.95:absorb", "--droop", "0.036Hz:5%:5s", "--ramp-rate", "1%")
    shown = ok(sep2("default", "set", "--group", "typed", *options, "--enter-service", "delay=300s")).out
    for text in ("opModMaxLimW 50%", "opModFixedPFInjectW 0.95:absorb", "opModFreqDroop 0.036Hz:5%:5s", "setGradW 1%"):
        assert text in shown
    assert "setESDelay 300s" in shown


def test_a_refusal_is_json_too_and_says_how_it_ended(sep2: Sep2, folder: Path, tmp_path: Path) -> None:
    done = sep2("connection", "show", "NOWHERE", "--json")
    assert (done.status, done.json["code"]) == (1, "unknown_connection")
    assert done.json["hint"] == "`sep2 connection list` shows them."
    wrong = tmp_path / "token"
    wrong.write_text("not-the-token-of-this-server-at-all-0000000000")
    wrong.chmod(0o600)
    refused = say("client", "list", "--json", env={"SEP2_DIR": str(folder), "SEP2_TOKEN_FILE": str(wrong)})
    assert (refused.status, refused.json["code"]) == (4, "unauthorized")
    assert sep2("connection", "list", "--limit", "many").status == 2


def test_what_can_not_be_understood_is_said_plainly_and_as_json_too() -> None:
    said = say("client", "add", "Foo", "--profile", "bar")
    assert (said.status, "Value error" in said.err) == (2, False)
    assert "'bar' is not one of 'csip'" in said.err
    for words, field in (
        (("client", "add", "Foo", "--profile", "bar"), "--profile"),
        (("default", "set", "--connection", "NMI1", "--export", "much"), "--export"),
        (("place", "add", "T7"), "--kind"),
        (("control", "cancel", "latest", "--nothing"), ""),
    ):
        done = say(*words, "--json")
        assert (done.status, done.json["code"], done.json["field"]) == (2, "usage", field)
        assert done.json["hint"].startswith(f"sep2 {words[0]} {words[1]} --help")
