"""`sep2 measurements`: values of meters, SCADA and weather: imported, shown, exported and counted."""

from __future__ import annotations

from collections.abc import Callable

import typer

from envelope.command_line.measurement_import import import_files
from envelope.command_line.measurement_upkeep import erase_place, forget_days, show_imports
from envelope.command_line.measurement_view import export_values, show_coverage, show_place

app = typer.Typer(
    no_args_is_help=True, help="Measurements of meters, SCADA and weather: import, show, export, coverage."
)
COMMANDS: dict[str, Callable[..., None]] = {
    "import": import_files,
    "show": show_place,
    "export": export_values,
    "coverage": show_coverage,
    "imports": show_imports,
    "erase": erase_place,
    "forget": forget_days,
}
for name, verb in COMMANDS.items():
    app.command(name)(verb)
