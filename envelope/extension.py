"""What the envelope engine adds to `sep2`: its commands, and the cycle as background work of the server."""

from sep2.extension import Extension

EXTENSION = Extension(
    name="envelope",
    commands={
        "envelope": "envelope.command_line.commands:app",
        "grid": "gridmodel.commands:app",
        "demo": "envelope.demo.commands:app",
    },
    workers=("envelope.operation.worker:work",),
    summaries={
        "envelope": "Operating envelopes: calculate, compare, explain.",
        "grid": "Feeders: check and show.",
        "demo": "A feeder's day, from envelopes to devices that keep them.",
    },
)
