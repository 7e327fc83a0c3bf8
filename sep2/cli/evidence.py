"""`sep2 evidence`: signed packs of what was settled, made by the server, checked without one."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sep2.admin.types import market_evidence as t
from sep2.cli.api import api, at
from sep2.cli.bulk import PATIENCE_S
from sep2.cli.market_times import day_or_moment, time_of
from sep2.cli.show import Limit, listed, show
from sep2.cli.units import When, shown_time
from sep2.cli.verb import verb
from sep2.rest.types import Listed
from sep2.terminal import say

evidence = typer.Typer(no_args_is_help=True, help="Evidence: signed packs of what was settled.")

Starts = Annotated[When, typer.Option("--from", parser=day_or_moment, metavar="TIME", help="From when on.")]
Ends = Annotated[When, typer.Option("--to", parser=day_or_moment, metavar="TIME", help="Until when.")]
COLUMNS = ("no.", "aggregation", "from", "to", "known at", "SHA-256 of the manifest")


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a pack says of itself, and what is wrong with it."""

    is_good: bool
    problems: list[str]
    start: int | None
    end: int | None
    as_of: int | None
    entries: int
    certificate_sha256: str


@verb(evidence, "pack", changes=True)
def pack_evidence(
    aggregation: Annotated[str, typer.Argument(metavar="AGGREGATION", help="Whose.")],
    *,
    start: Starts,
    end: Ends,
    as_of: Annotated[
        When | None,
        typer.Option("--as-of", parser=day_or_moment, metavar="TIME", help="As it was known then; settled last."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--to-file", metavar="FILE", help="Where the pack is written to.")] = None,
) -> None:
    """Make a signed pack of what was settled; the same bytes each time it is asked for as of the same time.

    [bold]sep2 evidence pack VPP1 --from 2027-06-01 --to 2027-06-02 --to-file day.zip[/]
    """
    server = api()
    body = t.NewEvidence(
        aggregation=aggregation,
        start=time_of(server, start) or 0,
        end=time_of(server, end) or 0,
        as_of=time_of(server, as_of),
    )
    made = server.change("POST", "/market/evidence", t.Evidence, body, patience_s=PATIENCE_S)
    written = ""
    if to is not None:
        try:
            to.write_bytes(server.get(at("market", "evidence", str(made.id)), t.EvidenceFile).content)
        except OSError as wrong:
            raise typer.BadParameter(f"{to} can not be written: {wrong}") from None
        written = f", written to {to}"
    show(made, f"Pack {made.id} as of {shown_time(made.as_of)}, manifest {made.manifest_sha256}{written}.")


@verb(evidence, "list")
def list_evidence(
    *,
    aggregation: Annotated[str | None, typer.Option(help="Only of this aggregation.")] = None,
    limit: Limit = 100,
) -> None:
    """Packs that were made, the newest first."""
    found = api().get("/market/evidence", Listed[t.Evidence], limit=limit, aggregation=aggregation)
    rows = [
        (str(one.id), one.aggregation, *map(shown_time, (one.start, one.end, one.as_of)), one.manifest_sha256)
        for one in found.items
    ]
    show(found, listed(found.total, len(found.items), "pack"), columns=COLUMNS, rows=rows)


@verb(evidence, "save")
def save_evidence(
    number: Annotated[int, typer.Argument(metavar="PACK", help="Its number.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where it is written to.")],
) -> None:
    """Write a pack to a file, as it was made."""
    found = api().get(at("market", "evidence", str(number)), t.EvidenceFile)
    try:
        file.write_bytes(found.content)
    except OSError as wrong:
        raise typer.BadParameter(f"{file} can not be written: {wrong}") from None
    say(f"Written to {file}, manifest {found.manifest_sha256}.")


@verb(evidence, "verify")
def verify_evidence(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="The pack.")],
    *,
    certificate: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The utility's certificate for evidence; else the pack's own."),
    ] = None,
) -> None:
    """Check a pack's files, its manifest and the signature; no server is needed.

    Its own certificate proves that nothing was changed since it was signed; --certificate also proves by whom.
    """
    # The library takes long to import, and only this command needs it.
    from sep2.rules.market.packs import verify

    trusted = None if certificate is None else certificate.read_bytes()
    found = verify(file.read_bytes(), trusted)
    about = found.manifest
    said = Verified(
        is_good=not found.problems,
        problems=found.problems,
        **{name: _number(about.get(name)) for name in ("start", "end", "as_of")},
        entries=len(about.get("entries", ())),
        certificate_sha256=found.certificate_sha256,
    )
    ending = "; ".join(found.problems) or f"whole and signed, by the certificate {found.certificate_sha256}"
    show(said, f"{file.name}: {ending}.")
    if found.problems:
        raise typer.Exit(1)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
