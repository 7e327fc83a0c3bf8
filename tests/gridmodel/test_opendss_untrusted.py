"""An OpenDSS circuit is data: whatever stands in it, nothing runs, nothing is written, nothing outside is read."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from dss import DSS, DSSException
from typer.testing import CliRunner

from gridmodel.commands import app
from gridmodel.readers.opendss_engine import new_engine
from gridmodel.readers.opendss_words import Use, Words, language
from gridmodel.validate import check_folder
from tests.gridmodel.street import HEAD, TAIL, write

ENGINE = DSS.NewContext()
COMMANDS = [ENGINE.Executive.Command(k) for k in range(1, ENGINE.Executive.NumCommands + 1)]
OPTIONS = [ENGINE.Executive.Option(k) for k in range(1, ENGINE.Executive.NumOptions + 1)]
CLASSES = [name.lower() for name in ENGINE.Classes]
SECRET = "tower-bridge-0417"
WORDS = language()
ROW = HEAD.count("\n") + 1
"""of the first line that a test adds"""


def engine_properties(kind: str) -> list[str]:
    engine = new_engine(["New Circuit.x"])
    with suppress(DSSException):  # an element that lacks something is there all the same
        engine.Text.Command = f"New {kind}.probe"
    return list(engine.ActiveCircuit.ActiveDSSElement.AllPropertyNames)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A feeder's folder, one that it may not read, and a program that leaves a trace."""
    for name in ("feeder", "outside", "work"):
        (tmp_path / name).mkdir()
    outside = tmp_path / "outside"
    (outside / "secret.dss").write_text(f"New Load.{SECRET} bus1=corner.1 phases=1 kv=0.23 kw=1\n{SECRET}\n")
    (outside / "secret.csv").write_text(f"{SECRET},1\n0.5,2\n")
    (outside / "numbers.csv").write_text("0.4177\n0.4177\n")
    program = outside / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/outside/ran\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def contents(root: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(root)): p.read_bytes() if p.is_file() else None for p in sorted(root.rglob("*"))}


def is_harmless(place: Path, extra: str, head: str = HEAD) -> list:
    """Checks a circuit with these lines; its findings."""
    path = write(place / "feeder", extra, head)
    before = contents(place)
    feeder, findings = check_folder(path)
    assert contents(place) == before
    said = " ".join(map(str, findings))
    assert SECRET not in said
    assert "0.4177" not in said
    if feeder is not None:
        assert not any(SECRET in name for name in feeder.network.connections.id)
    return findings


def arguments(place: Path) -> list[str]:
    outside = place / "outside"
    return [
        "",
        f'"{outside / "secret.dss"}"',
        "../outside/secret.dss",
        f"touch {outside / 'ran'}",
        f"file={outside / 'written.csv'}",
        f"voltages ln nodes {outside / 'written.csv'}",
        f"Load.corner_shop file=({outside / 'secret.csv'})",
    ]


def test_every_command_and_option_of_the_engine_is_in_a_list():
    assert list(WORDS.commands.use) == COMMANDS
    assert list(WORDS.options.use) == OPTIONS
    assert {kind for kind in CLASSES if kind not in WORDS.class_use} == set()


@pytest.mark.parametrize("kind", [kind for kind in WORDS.properties if kind in CLASSES])
def test_every_property_of_the_engine_is_in_a_list(kind):
    assert [name.lower() for name in WORDS.properties[kind].use] == [n.lower() for n in engine_properties(kind)]


def left_out(words: Words) -> list[str]:
    return [word for word, use in words.use.items() if use is Use.SKIPPED]


def command_lines(place: Path, command: str) -> list[str]:
    return [f"{command} {argument}\n" for argument in arguments(place)]


def option_lines(place: Path, option: str) -> list[str]:
    values = (f'"{place / "outside" / "program.sh"}"', "yes", "../outside")
    return [f"Set {option}={value}\n" for value in values]


def setup(place: Path) -> str:
    outside = place / "outside"
    return f'Set editor="{outside / "program.sh"}" datapath="{outside}" recorder=yes showexport=yes\n'


@pytest.mark.parametrize("command", [word for word in COMMANDS if word not in left_out(WORDS.commands)])
def test_no_command_runs_writes_or_reads_outside(place, command):
    # Nothing is passed on after a fault, so that every line stands in a file of its own.
    for line in command_lines(place, command):
        is_harmless(place, setup(place) + line)


@pytest.mark.parametrize("option", [word for word in OPTIONS if word not in left_out(WORDS.options)])
def test_no_option_runs_writes_or_reads_outside(place, option):
    for line in option_lines(place, option):
        is_harmless(place, f"{line}Solve\nSolve mode=daily number=2\n")


def test_what_is_left_out_neither_runs_writes_nor_reads_outside(place):
    """All of it in one circuit, which is read to its end; each is named."""
    commands, options = left_out(WORDS.commands), left_out(WORDS.options)
    lines = [line for command in commands for line in command_lines(place, command)]
    lines += [line for option in options for line in option_lines(place, option)]
    findings = is_harmless(place, f"{setup(place)}{''.join(lines)}Solve\nSolve mode=daily number=2\n")
    assert all(f.severity != "error" for f in findings), [f for f in findings if f.severity == "error"]
    named = {f.element for f in findings if f.code == "not_followed"}
    assert named == {*(f"command {word}" for word in commands), *(f"option {word}" for word in options)}


DANGEROUS = [
    (kind, name)
    for kind, words in WORDS.properties.items()
    for name, use in words.use.items()
    if use in {Use.REFUSED, Use.FILE} or name.lower() in {"debugtrace", "action", "eventlog", "memorymapping", "dynout"}
]
NEEDS = {
    "generator": "bus1=yard phases=3 kv=0.4 kw=1",
    "storage": "bus1=yard phases=3 kv=0.4 kwrated=1",
    "pvsystem": "bus1=yard phases=3 kv=0.4 kva=1",
    "capcontrol": "capacitor=bank element=line.first type=kvar",
    "loadshape": "npts=2 interval=1 mult=(1 1)",
    "regcontrol": "transformer=tx winding=2 vreg=120",
    "swtcontrol": "switchedobj=line.first",
}


@pytest.mark.parametrize(("kind", "name"), DANGEROUS)
def test_no_property_loads_code_writes_or_reads_outside(place, kind, name):
    bank = "New Capacitor.bank bus1=yard phases=3 kv=0.4 kvar=2\n"
    outside = place / "outside"
    for value in (
        f'"{outside / "program.sh"}"',
        "yes",
        "DblSave",
        f"({outside / 'secret.csv'})",
        "../outside/secret.csv",
    ):
        findings = is_harmless(place, f"{bank}New {kind}.x {NEEDS[kind]} {name}={value}\nSolve\n")
        if WORDS.properties[kind].use[name] is Use.REFUSED:
            refused = next(f for f in findings if f.field == name)
            assert (refused.severity, refused.element.endswith(f"street.dss row {ROW + 1}")) == ("error", True)


@pytest.mark.parametrize("reference", ["file", "dblfile", "sngfile", "FILE", '"file"'])
@pytest.mark.parametrize("name", ["rmatrix", "kvs", "buses", "zipv", "mult"])
def test_an_array_reads_no_file_outside(place, reference, name):
    kind = {"rmatrix": "linecode", "kvs": "transformer", "buses": "transformer", "zipv": "load", "mult": "loadshape"}[
        name
    ]
    for opening, closing in ("()", "[]", "{}", '""'):
        if '"' in (opening + reference) and opening + reference != f"({reference}":
            continue
        value = f"{opening}{reference}={place / 'outside' / 'numbers.csv'}{closing}"
        findings = is_harmless(place, f"New {kind}.x {name}={value}\n")
        assert any(f.severity == "error" and f"row {ROW}" in f.element for f in findings)


@pytest.mark.parametrize("kind", sorted(WORDS.class_use))
def test_no_class_reads_outside(place, kind):
    names = ("csvfile", "csvf", "sngfile", "dblfile", "usermodel", "file", "mult")
    lines = [f"New {kind}.x{k} {n}={place / 'outside' / 'numbers.csv'}\nSolve\n" for k, n in enumerate(names)]
    is_harmless(place, "".join(lines))
    is_harmless(place, f"New {kind}.x ({place / 'outside' / 'numbers.csv'}) ../outside/secret.dss\n")


@pytest.mark.parametrize(
    "said",
    [
        "../outside/secret.dss",
        "..\\outside\\secret.dss",
        "{root}/outside/secret.dss",
        "link.dss",
        "linked/secret.dss",
        "sub/../../outside/secret.dss",
        "C:\\outside\\secret.dss",
        "\\\\host\\share\\secret.dss",
        "/etc/passwd",
        "",
    ],
)
@pytest.mark.parametrize("command", ["Redirect", "Compile", "BusCoords", "redir"])
def test_a_script_outside_the_folder_is_not_read(place, command, said):
    feeder = place / "feeder"
    (feeder / "sub").mkdir()
    (feeder / "link.dss").symlink_to(place / "outside" / "secret.dss")
    (feeder / "linked").symlink_to(place / "outside")
    findings = is_harmless(place, f'{command} "{said.format(root=place)}"\n')
    if command != "BusCoords":
        errors = [f for f in findings if f.severity == "error"]
        assert len(errors) == 1
        assert errors[0].element.endswith(f"street.dss row {ROW}")


def test_a_script_in_the_folder_is_read_as_on_windows(place):
    sub = place / "feeder" / "Sub Folder"
    sub.mkdir()
    (sub / "More.DSS").write_text("Redirect ..\\LAST.dss\n")
    (place / "feeder" / "last.dss").write_text("New Load.last bus1=corner.3 phases=1 kv=0.23 kw=1\n")
    path = write(place / "feeder", 'redirect "SUB FOLDER\\more.dss"')
    feeder, findings = check_folder(path)
    assert "last" in feeder.network.connections.id
    assert all(f.severity == "note" for f in findings)


def test_a_wider_folder_may_be_named(place):
    (place / "outside" / "shared.dss").write_text("New Load.far bus1=corner.3 phases=1 kv=0.23 kw=1\n")
    path = write(place / "feeder", "Redirect ../outside/shared.dss")
    assert check_folder(path)[0] is None
    assert "far" in check_folder(path, place)[0].network.connections.id
    said = CliRunner().invoke(app, ["check", str(path), "--files-from", str(place), "--json"])
    assert json.loads(said.output)["usable"]
    assert any("is not in" in f.detail for f in check_folder(path, place / "outside")[1])


def test_scripts_that_name_one_another_end(place):
    (place / "feeder" / "round.dss").write_text("Redirect round.dss\n")
    findings = is_harmless(place, "Redirect round.dss")
    assert any("files name one another" in f.detail for f in findings)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("New Line.x bus1=corner bus2=z phases=1000000", "Phases is a whole number from 1 to 4"),
        ("New Transformer.x windings=1e9", "Windings is a whole number from 1 to 8"),
        ("New RegControl.x transformer=tx winding=-1", "Winding is a whole number from 1 to 8"),
        ("Transformer.tx.wdg=9 kv=1", "Wdg is a whole number from 1 to 8"),
        ("Set maxiterations=100000000", "maxiterations is a whole number from 1 to 10000"),
        ("BatchEdit Load.(a+)+$ kw=1", "a pattern is made of"),
        ("BatchEdit Load..*.*.*.*.* kw=1", "a pattern is made of"),
        ("New Load.x bus1=@lastfile", "variables are not understood"),
        ("var @x=../outside/secret.dss", "the command var is not run"),
    ],
)
def test_a_size_or_place_beyond_bounds_is_refused(place, line, said):
    findings = is_harmless(place, line)
    assert any(said in f.detail and f.element.endswith(f"row {ROW}") for f in findings)


def test_a_file_that_is_no_script_is_not_quoted(place):
    (place / "feeder" / "notes.txt").write_text(f"{SECRET}#%&$ {SECRET}\n'{SECRET}\n")
    assert is_harmless(place, "Redirect notes.txt")


def test_show_and_plot_are_named_and_nothing_else_happens(place):
    path = write(place / "feeder", "show voltages ln nodes\nPlot circuit\nshow losses", tail=TAIL + "Export Summary\n")
    feeder, findings = check_folder(path)
    assert feeder is not None
    skipped = {f.element: f.field.rpartition(" row ")[2] for f in findings if f.code == "not_followed"}
    assert skipped == {
        "command Show": f"{ROW}, and 1 more",
        "command Plot": f"{ROW + 1}",
        "command Export": f"{ROW + 6}",
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("New Line.back bus1=corner bus2=behind length=-20 units=m r1=0.1 x1=0.1", "line.back: Length is negative"),
        ("New Load.x bus1=corner.1 phases=1 kv=0.23 kw=1\x00 kw=2", "holds a zero byte"),
    ],
)
def test_what_no_circuit_can_mean_is_refused(place, line, said):
    feeder, findings = check_folder(write(place / "feeder", line))
    assert feeder is None
    assert any(said in f.detail for f in findings)


def test_a_rated_voltage_of_another_unit_is_named(place):
    path = write(place / "feeder", "New Load.x bus1=corner.1 phases=1 kv=230 kw=1")
    feeder, findings = check_folder(path)
    assert feeder is not None
    slips = [f for f in findings if f.code == "unit_slip"]
    assert [(f.element, f.field) for f in slips] == [("load.x", "kv")]
    assert "rated 230000 V to neutral at a bus of 2" in slips[0].detail
