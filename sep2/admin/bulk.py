"""Imports and exports of the register."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Row

from sep2.admin import commissioning
from sep2.admin import types as t
from sep2.admin.overrides import primacies_of
from sep2.operations.import_plan import Outcome, Terms
from sep2.operations.importing import take
from sep2.rest.route import Request, page
from sep2.rules.floors import least_load_w
from sep2.rules.sheets import SHEETS
from sep2.store import exports

LARGEST_IMPORT = 32 * 1024 * 1024
"""Octets; 200,000 rows have about so much."""
MOST_CHANGES, MOST_ERRORS = 1000, 1000


async def import_sheets(rq: Request, asked: t.NewImport) -> t.Imported:
    """What the sheets change, row by row; all of it at once, or nothing where a row is wrong."""
    given = {name: getattr(asked, name) for name in SHEETS}
    sheets = {name: (sheet.columns, sheet.rows) for name, sheet in given.items() if sheet is not None}
    utility = rq.state.settings.utility
    terms = Terms(
        asked.client,
        utility.profile,
        utility.registration,
        rq.state.settings.pen,
        primacies_of(rq),
        floors={name: partial(least_load_w, one.least_w, one.factors) for name, one in utility.floors.items()},
        floor=utility.floor,
    )
    last = await commissioning.last_known(rq)
    done = await take(rq.db, sheets, rq.now, terms, partial=asked.partial)
    await commissioning.open_new(rq, last)
    return _view(done)


def _view(done: Outcome) -> t.Imported:
    counts = {action: sum(one.action == action for one in done.changes) for action in ("add", "set", "remove")}
    return t.Imported(
        applied=done.applied,
        added=counts["add"],
        changed=counts["set"],
        removed=counts["remove"],
        unchanged=done.unchanged,
        wrong=len(done.wrong),
        errors=[t.RowError(**one._asdict()) for one in sorted(done.wrong)[:MOST_ERRORS]],
        changes=[
            t.RowChange(
                line=one.line,
                sheet=one.sheet,
                action=one.action,
                name=one.name,
                fields={column: list(values) for column, values in one.fields.items()},
            )
            for one in done.changes[:MOST_CHANGES]
        ],
        ignored=done.ignored,
    )


Cells = Callable[[Row[Any]], tuple[Any, ...]]
COLUMNS: Mapping[str, tuple[tuple[str, ...], Cells]] = {
    "clients": (
        ("name", "kind", "lfdi", "profile", "registration", "pen", "receivers"),
        lambda row: (
            row.name,
            row.kind,
            row.lfdi,
            row.profile,
            row.registration,
            row.pen,
            row.receiver_hosts,
        ),
    ),
    "places": (("place", "kind", "parent"), lambda row: (row.name, row.kind, row.parent_name)),
    "connections": (
        ("connection_id", "description", "place", "firm_import_w", "firm_export_w", "protected"),
        lambda row: (
            row.connection_id,
            row.description,
            row.place_name,
            row.firm_import_w,
            row.firm_export_w,
            row.protected,
        ),
    ),
    "devices": (
        (
            "device_id",
            "connection_id",
            "lfdi",
            "client",
            "control_point",
            "floor",
            "controllable_loads",
            "load_control_w",
        ),
        lambda row: (
            row.name,
            row.connection_name,
            row.lfdi,
            row.client_name,
            "site" if row.holds_net_limit else "device" if row.connection_name else "",
            row.floor_rule,
            row.controllable_loads,
            row.load_control_w,
        ),
    ),
}
"""The columns of each sheet as it is exported, and how a row fills them."""


def _exporting(noun: t.Noun) -> Any:
    columns, cells = COLUMNS[noun]

    async def export(rq: Request, asked: t.ExportQuery) -> t.Exported:
        found = await exports.LISTS[noun](rq.db, page(asked))
        rows = [["" if cell is None else str(cell) for cell in cells(row)] for row in found.rows]
        return t.Exported(columns=list(columns), rows=rows, next=found.next)

    export.__doc__ = f"The {noun} as an import takes them; what it gives, imported, changes nothing."
    export.__name__ = f"export_{noun}"
    return export


export_clients, export_places, export_connections, export_devices = map(_exporting, COLUMNS)  # type: ignore[arg-type]
