"""`sep2 schema`, `sep2 validate` and `sep2 wire`: the wire language explained, and documents checked."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sep2 import wire as w
from sep2.cli.show import print_table
from sep2.terminal import say, say_json
from sep2.wire.reference import about, page
from sep2.wire.xsd import BASE_FILE, EXTENSION_FILE, findings, schemas

schema_app = typer.Typer(add_completion=False)
validate_app = typer.Typer(add_completion=False)
app = typer.Typer(add_completion=False)

OfProfile = Annotated[w.Profile, typer.Option("--profile", help="The dialect of the peer.")]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON, and nothing else.")]


@schema_app.command("schema")
def schema(
    profile: OfProfile = w.Profile.CSIP,
    *,
    csipaus: Annotated[bool, typer.Option("--csipaus", help="Print the schema of the csipaus namespace.")] = False,
    into: Annotated[Path | None, typer.Option("--into", help="Write the files into this folder instead.")] = None,
) -> None:
    """Print the XML Schema of a profile, written from our own declarations."""
    if csipaus and into is not None:
        raise typer.BadParameter("--csipaus does nothing with --into: both files are written there")
    made = schemas(profile)
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            (into / name).write_text(text, encoding="utf-8")
        say(f"{' and '.join(made)} of {profile} lie in {into}.")
    elif csipaus and EXTENSION_FILE not in made:
        raise typer.BadParameter(f"the profile {profile} has no csipaus namespace")
    else:
        typer.echo(made[EXTENSION_FILE if csipaus else BASE_FILE], nl=False)


@validate_app.command("validate")
def validate(
    file: Annotated[Path, typer.Argument(help="The document; - is standard input.")],
    *,
    profile: OfProfile = w.Profile.CSIP,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse elements of foreign namespaces (level -S1).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check a document with the schema of a profile and with the codec, and say what is wrong with it."""
    data = sys.stdin.buffer.read() if str(file) == "-" else _read(file)
    wrong: list[str] = []
    kind = ""
    try:
        kind = type(w.decode(data, profile=profile, extensions=not strict)).__name__
        wrong = [f"schema: {line}" for line in findings(data, profile)]
    except w.WireError as refusal:
        wrong = [f"codec: {refusal}", *_schema_lines(data, profile)]
    if as_json:
        said = {"file": str(file), "profile": profile, "class": kind, "read": bool(kind), "findings": wrong}
        say_json(msgspec.json.encode(said).decode())
    else:
        for line in wrong:
            say(line)
        say(_verdict(kind, profile, wrong))
    if wrong:
        raise typer.Exit(1)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as wrong:
        raise typer.BadParameter(f"{file}: {wrong.strerror}", param_hint="FILE") from None


def _schema_lines(data: bytes, profile: w.Profile) -> list[str]:
    try:
        return [f"schema: {line}" for line in findings(data, profile)]
    except w.WireError:  # what the parser refuses has been said by the codec
        return []


def _verdict(kind: str, profile: w.Profile, wrong: list[str]) -> str:
    if not wrong:
        return f"This is a valid {kind} of {profile}."
    if kind:
        return f"The codec reads it as {kind}, by leniency; the schema of {profile} does not take it."
    return f"This is no valid document of {profile}."


@app.command("wire")
def wire(
    name: Annotated[str, typer.Argument(help="A class, simple type or list of codes, e.g. DERControl.")] = "",
    *,
    whole: Annotated[bool, typer.Option("--page", help="Print the whole reference, as docs/wire.md.")] = False,
    as_json: Json = False,
) -> None:
    """Show the fields of a class in document order, with types, bounds and units; or what a simple type carries."""
    if whole and (name or as_json):
        raise typer.BadParameter(
            f"{'NAME' if name else '--json'} does nothing with --page: that is the whole reference"
        )
    if as_json and not name:
        raise typer.BadParameter("--json does nothing without NAME")
    if whole:
        typer.echo(page(), nl=False)
        return
    if not name:
        say(", ".join(sorted(w.WIRE, key=str.lower)))
        say("sep2 wire NAME shows one of them.")
        return
    line, columns, rows = about(name)
    if as_json:
        table = [dict(zip(columns, row, strict=True)) for row in rows]
        say_json(msgspec.json.encode({"name": name, "about": line, "rows": table}).decode())
        return
    say(f"{name}: {line}")
    if rows:
        print_table(columns, rows)
