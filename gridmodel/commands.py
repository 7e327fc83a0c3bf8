"""`sep2 grid check` and `sep2 grid show`: what is wrong with a feeder, and what it looks like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from gridmodel.command_errors import refusals, writable
from gridmodel.meter_data.readings import check_readings
from gridmodel.model.feeder import Feeder
from gridmodel.model.findings import Finding
from gridmodel.readers.example_feeders import european_lv
from gridmodel.summary import State, summarise
from gridmodel.validate import by_severity, check, check_folder
from sep2.terminal import add_row, console, say, say_json

EUROPEAN = "european-lv"
SAME = 1e-9
"""difference of admittances below which a written feeder is the one that was read"""
NAMED = 3
"""elements that are named of all that share a finding; `--json` has every one"""

app = typer.Typer(no_args_is_help=True, help="Feeder models: check them, look at them.")

FeederPath = Annotated[
    str,
    typer.Argument(metavar="FEEDER", help=f"A feeder folder, a network file (pandapower .json, .dss), or {EUROPEAN}."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Meters = Annotated[
    Path | None,
    typer.Option("--meters", help="Meter readings (ami.csv), or a folder of imported ones: check the map by them."),
]
FilesFrom = Annotated[
    Path | None,
    typer.Option("--files-from", help="Folder that an OpenDSS circuit may read files from; by default its own."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Write a one-line diagram to this PNG file.")]


def open_feeder(name: str, within: Path | None = None) -> tuple[Feeder | None, list[Finding]]:
    """A feeder by folder or by name, with its findings."""
    if name == EUROPEAN and not Path(name).exists():
        feeder = european_lv()
        return feeder, check(feeder)
    return check_folder(name, within)


@app.command("check")
def check_feeder(
    feeder: FeederPath, meters: Meters = None, files_from: FilesFrom = None, as_json: Json = False
) -> None:
    """Say what is missing, implausible or assumed in a feeder; exit code 1 if it cannot be used."""
    with refusals(as_json):
        found, findings = open_feeder(feeder, files_from)
        if found is not None and meters is not None:
            findings = by_severity([*findings, *_of_meters(meters, found)])
    errors = sum(f.severity == "error" for f in findings)
    _say_findings(feeder, found, findings, as_json=as_json)
    if not as_json:
        size = f"{len(found.network.connections)} connections" if found else "unreadable"
        verdict = "cannot be used" if errors else "can be used"
        say(f"{feeder} ({size}) {verdict}: {errors} errors, {len(findings) - errors} other findings.")
        if found is not None and not errors:
            say(f"Look at it: sep2 grid show {feeder} --out feeder.png")
    raise typer.Exit(1 if errors else 0)


def _of_meters(path: Path, feeder: Feeder) -> list[Finding]:
    """Findings of a file of readings, or of a folder of stored ones."""
    if not path.is_dir():
        return check_readings(path, feeder.network)
    from gridmodel.meter_data.stored_readings import check_store

    return check_store(path, feeder, lambda sentence: say(sentence, err=True) if sentence else None)


def _say_findings(name: str, feeder: Feeder | None, findings: list[Finding], *, as_json: bool) -> None:
    if not as_json:
        _print_findings(findings)
        return
    rows = [{key: getattr(f, key) for key in ("severity", "code", "element", "field", "detail")} for f in findings]
    usable = all(f.severity != "error" for f in findings)
    say_json(json.dumps({"feeder": feeder.name if feeder else name, "usable": usable, "findings": rows}))


def _print_findings(findings: list[Finding]) -> None:
    if not findings:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("", "what", "field", "finding"):
        # A path is folded, never cut: whoever reads it must find the file.
        table.add_column(name, overflow="fold")
    alike: dict[tuple[str, str, str], list[str]] = {}
    for f in findings:
        alike.setdefault((f.severity, f.field, f.detail), []).append(f.element)
    for (severity, field, detail), elements in alike.items():
        more = len(elements) - NAMED
        who = ", ".join(elements[:NAMED]) + (f" and {more} more" if more > 0 else "")
        add_row(table, severity, who, field, detail)
    console().print(table)


@app.command("show")
def show_feeder(feeder: FeederPath, out: Out = None, files_from: FilesFrom = None, as_json: Json = False) -> None:
    """Summarise a feeder and its hardest interval; with --out, draw it."""
    with refusals(as_json):
        writable("--out", out, ".png")
        found, findings = open_feeder(feeder, files_from)
        if found is None or any(f.severity == "error" for f in findings):
            _say_findings(feeder, found, findings, as_json=as_json)
            say(f"{feeder} cannot be used; see `sep2 grid check {feeder}`.", err=True)
            raise typer.Exit(1)
        summary, state = summarise(found)
        if out is not None:
            summary["picture"] = str(_drawn(found, out, summary["shown"], state))
    if as_json:
        say_json(json.dumps(summary))
        return
    table = Table(show_header=False)
    for key, value in summary.items():
        add_row(table, key.replace("_", " "), f"{value:.1f}" if isinstance(value, float) else str(value))
    console().print(table)
    say(f"Picture written to {out}." if out else "Add --out FILE.png for a one-line diagram.")


@app.command("convert")
def convert_feeder(
    feeder: FeederPath,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new or empty folder for the CSV tables.")],
    files_from: FilesFrom = None,
    as_json: Json = False,
) -> None:
    """Write a feeder as a folder of CSV tables, read it back and say whether it is the same network."""
    from gridmodel.writers.csv_folder import write_folder
    from gridmodel.writers.same_network import greatest_difference

    with refusals(as_json):
        found, findings = open_feeder(feeder, files_from)
        if found is None or any(f.severity == "error" for f in findings):
            _say_findings(feeder, found, findings, as_json=as_json)
            say(f"{feeder} cannot be used; see `sep2 grid check {feeder}`.", err=True)
            raise typer.Exit(1)
        write_folder(found, out, beside=Path(feeder))
        again, others = check_folder(out)
        difference = greatest_difference(found.network, again.network) if again else np.inf
    if as_json:
        say_json(json.dumps({"folder": str(out), "greatest_difference": float(difference), "findings": len(others)}))
    else:
        say(f"Written to {out}; read back, admittances differ by at most {difference:.1g} of a node's own.")
    raise typer.Exit(0 if difference < SAME else 1)


@app.command("diff")
def compare_feeders(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="The feeder as it was: as for `check`.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="A later extract of the same feeder.")],
    files_from: FilesFrom = None,
    as_json: Json = False,
) -> None:
    """Say what a later extract of a feeder changes, matched by id, and whose limits it reaches; exit code 1 if any."""
    from gridmodel.compare import compare

    with refusals(as_json):
        feeders = []
        for name in (before, after):
            found, findings = open_feeder(name, files_from)
            if found is None or any(f.severity == "error" for f in findings):
                _say_findings(name, found, findings, as_json=as_json)
                say(f"{name} cannot be used; see `sep2 grid check {name}`.", err=True)
                raise typer.Exit(2)
            feeders.append(found)
        result = compare(*feeders)
    if as_json:
        rows = [one._asdict() for one in result.differences]
        say_json(json.dumps({"differences": rows, "reached": result.reached, "untouched": result.untouched}))
    else:
        table = Table("what", "change", "field", "before", "after", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for one in result.differences:
            add_row(table, f"{one.kind} {one.id}", one.change, one.field, one.before, one.after)
        if result.differences:
            console().print(table)
        count = f"{len(result.reached)} of {len(result.reached) + len(result.untouched)} connections"
        say(f"{len(result.differences)} differences; they reach the limits of {count}.")
    raise typer.Exit(1 if result.differences else 0)


def _drawn(feeder: Feeder, out: Path, shown: str, state: State) -> Path:
    from gridmodel.diagram import draw

    title = f"{feeder.name}, {shown}"
    return draw(state.watched, out, voltages_v=state.voltages_v, currents_a=state.currents_a, title=title)
