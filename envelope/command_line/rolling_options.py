"""Options of a plan that goes on by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from envelope.problem.plan_file import Rolling

PANEL = "Plan that goes on by itself"


@dataclass(frozen=True)
class RollingOptions:
    """How the rounds of a plan go on."""

    rolling: Annotated[
        bool,
        typer.Option(
            "--rolling",
            help="With --plan: each round begins at its step, with a forecast of what is measured as base load.",
            rich_help_panel=PANEL,
        ),
    ] = False
    paths: Annotated[
        int, typer.Option(help="Joint paths of the forecast, at most.", min=7, max=100, rich_help_panel=PANEL)
    ] = 20
    location: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Latitude and longitude, degrees: for the forecast's clear sky.", rich_help_panel=PANEL),
    ] = None
    spread: Annotated[
        float,
        typer.Option(
            help="Spread paths of base load so many times about their mean: for what means of a step do not show.",
            min=1.0,
            max=3.0,
            rich_help_panel=PANEL,
        ),
    ] = 1.0
    newer_devices: Annotated[
        bool,
        typer.Option(
            "--newer-devices",
            help="The devices that limits bound are newer than the measured history, which is without them.",
            rich_help_panel=PANEL,
        ),
    ] = False

    @property
    def plan(self) -> Rolling | None:
        """How the plan goes on; None: it does not."""
        return Rolling(self.paths, self.location, self.spread, self.newer_devices) if self.rolling else None
