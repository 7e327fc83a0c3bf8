"""What the envelope engine adds to `sep2`: its commands, and the cycle as background work of the server."""

from sep2.extension import Extension

EXTENSION = Extension(
    name="envelope",
    commands={
        "envelope": "envelope.command_line.commands:app",
        "grid": "gridmodel.commands:app",
        "measurements": "envelope.command_line.measurements:app",
        "forecast": "envelope.command_line.forecast:app",
        "demo": "envelope.demo.commands:app",
    },
    workers=("envelope.operation.worker:work", "envelope.operation.measurement_upkeep:work"),
    erasers=("envelope.operation.measurement_upkeep:erase_connection",),
    summaries={
        "envelope": "Operating envelopes: calculate, compare, explain.",
        "grid": "Feeders: check and show.",
        "forecast": "What connections will draw: joint paths, backtest.",
        "measurements": "Meters, SCADA and weather: import, show, export, coverage.",
        "demo": "A feeder's day, from envelopes to devices that keep them.",
    },
)
