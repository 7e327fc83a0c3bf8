"""What the envelope engine adds to `sep2`: its commands, its cycle as background work, and its part of the desk."""

from sep2.extension import Extension, Page, Panel

HERE = "envelope.operator_pages.pages"

EXTENSION = Extension(
    name="envelope",
    commands={
        "envelope": "envelope.command_line.commands:app",
        "grid": "gridmodel.commands:app",
        "measurements": "envelope.command_line.measurements:app",
        "forecast": "envelope.command_line.forecast:app",
        "study": "envelope.command_line.study:app",
        "demo": "envelope.demo.commands:app",
    },
    workers=(
        "envelope.operation.start:work",
        "envelope.operation.measurement_upkeep:work",
        "envelope.operation.measurement_spool:work",
    ),
    erasers=("envelope.operation.measurement_upkeep:erase_connection",),
    files=(
        *("envelope-plan.npz", "envelope-state.json", "envelope-forecast.npz", "envelope-model.json", "envelope-model"),
        *("envelope-calendar.csv", "envelope-ledger.csv", "envelope-plants.csv", "feeders"),
    ),
    routes="envelope.operator_pages.routes:TABLE",
    paths=("/measurements",),
    screens="envelope.operation.review_screens:SCREENS",
    templates="envelope.operator_pages",
    pages=(Page("envelopes", "Envelopes", f"{HERE}:show_envelopes", "envelopes.html"),),
    panels=(
        Panel("overview", "Envelopes", f"{HERE}:overview_card", "overview.html"),
        Panel("place", "Envelopes", f"{HERE}:place_panel", "place.html"),
        Panel("report", "Energy curtailed by envelopes", f"{HERE}:report_section", "report.html"),
    ),
    summaries={
        "envelope": "Operating envelopes: calculate, compare, explain.",
        "grid": "Feeders: check and show.",
        "forecast": "What connections will draw: joint paths, backtest.",
        "measurements": "Meters, SCADA and weather: import, show, export, coverage.",
        "study": "Planning studies: deferral of transformers, interconnection.",
        "demo": "A feeder's day, from envelopes to devices that keep them.",
    },
)
