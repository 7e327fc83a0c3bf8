"""The four limits, as options and as cells of a table."""

from typing import Annotated, Any

import typer

from sep2.admin import types as t
from sep2.cli.units import shown_power, watts


def _limit(option: str, example: str) -> Any:
    return typer.Option(option, parser=watts, metavar="POWER", help=f"At most so much, e.g. {example}.")


Import = Annotated[int | None, _limit("--import", "5kW")]
Export = Annotated[int | None, _limit("--export", "1.5kW")]
Generation = Annotated[int | None, _limit("--generation", "0")]
Load = Annotated[int | None, _limit("--load", "3kW")]

LIMIT_COLUMNS = ("import", "export", "generation", "load")


def limits_of(import_w: int | None, export_w: int | None, gen_w: int | None, load_w: int | None) -> t.Limits:
    """The limits that were given."""
    return t.Limits(import_w=import_w, export_w=export_w, gen_w=gen_w, load_w=load_w)


def limit_cells(limits: t.Limits) -> tuple[str, ...]:
    """Four limits as table cells."""
    return tuple(shown_power(w) for w in (limits.import_w, limits.export_w, limits.gen_w, limits.load_w))
