"""`sep2 demo market`: a day of two aggregators, two feeders and a system operator, and the evidence of it."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from envelope.demo.market import day, opening
from envelope.demo.market.day import Result
from envelope.demo.market.outcome import stamp
from envelope.demo.utility import command
from sep2.terminal import log_to, say_json

PACK, PICTURE, CLIENTS_LOG = "evidence.zip", "market-day.png", "clients.log"


def market(
    *,
    folder: Annotated[Path, typer.Option("--dir", help="The server's folder; created again each time.")] = Path(
        "sep2-demo"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON object, on the last line.")] = False,
) -> None:
    """Simulate a market's day: plans, an award, an override with notice, a move between services, and the evidence.

    Two aggregators with batteries on two feeders take part through the real server: registered and reviewed, they plan
    and answer over the market API, and their batteries follow 2030.5 controls.

    [bold]sep2 demo market --json[/]
    """
    began = time.monotonic()
    console = Console(stderr=as_json)
    log_to(logging.FileHandler(folder / CLIENTS_LOG, delay=True), logging.WARNING)
    found = asyncio.run(_played(folder, lambda line: console.print(line, highlight=False)))
    (folder / PACK).write_bytes(found.pack)
    is_good = _verified(folder / PACK)
    for line in sentences(found, is_good=is_good):
        console.print(line, highlight=False)
    console.print(f"Picture: {_draw(folder / PICTURE, found)}", highlight=False)
    if as_json:
        said = {**asdict(found), "evidence_verified": is_good, "seconds": round(time.monotonic() - began, 1)}
        del said["pack"], said["intervals"]
        say_json(json.dumps(said))
    if not (is_good and found.same_pack):
        raise typer.Exit(1)


async def _played(folder: Path, say: day.Say) -> Result:
    async with opening.open_house(folder) as house:
        say("D-20        North and South are registered with 24 batteries; the utility reviews them in 8 of 60 days.")
        return await day.play(house, say)


def sentences(found: Result, *, is_good: bool) -> list[str]:
    """Return what the day came to, in words."""
    named = ", ".join(found.named) or "nobody"
    return [
        f"Lost to the override: {found.lost_override_wh / 1000:.1f} kWh, to the envelope:"
        f" {found.lost_envelope_wh / 1000:.1f} kWh. Delivered of what was instructed: {found.delivered_share:.1%}.",
        f"Did not keep the override: {named}. Acknowledged after {found.acknowledged_s} s.",
        f"Firm capacity: cannot tell, 1 of {found.firm_needed} events that it takes.",
        f"North's batteries kept their bands of the plan in {found.kept} of {found.tested} intervals,"
        f" {found.each} of each; none is believed below 96.",
        f"Baseline of one site on the next evening: {found.baseline_w / 1000:.1f} kW drawn without the curtailed day,"
        f" {found.baseline_limited_w / 1000:.1f} kW with it; metered: {found.metered_w / 1000:.1f} kW.",
        f"Evidence: {PACK} is {'good' if is_good else 'NOT good'} by itself, and"
        f" {'the same, octet by octet,' if found.same_pack else 'NOT the same'} when it is made again.",
    ]


def _verified(pack: Path) -> bool:
    """Return whether a pack is good by what it says alone; the server has no part in that."""
    done = subprocess.run([*command("evidence", "verify", str(pack))], check=False, capture_output=True)
    return done.returncode == 0


def _draw(path: Path, found: Result) -> Path:
    """Draw plan, envelope, award and what was measured on one axis, and return the picture's file."""
    from matplotlib.figure import Figure

    midnight = stamp(opening.DAY)
    rows = found.intervals
    hours = [(one.start - midnight) / 3600 for one in rows]
    figure = Figure(figsize=(9.0, 4.5), layout="constrained")
    axes = figure.subplots()
    series: dict[str, tuple[list[float | None], dict[str, Any]]] = {
        "envelope": ([one.envelope_w for one in rows], {"color": "tab:green"}),
        "limit in force": ([one.limit_w for one in rows], {"color": "tab:red", "linestyle": ":"}),
        "plan": ([found.planned_w] * len(rows), {"color": "tab:orange", "linewidth": 3.5, "alpha": 0.5}),
        "award and dispatch": ([one.instructed_w for one in rows], {"color": "grey", "linestyle": "--"}),
        "measured": ([one.measured_w for one in rows], {"color": "tab:blue"}),
    }
    for label, (values, how) in series.items():
        watts = [math.nan if one is None else one / 1000 for one in values]
        axes.step(hours, watts, where="post", label=label, **how)
    begin, end = ((stamp(at) - midnight) / 3600 for at in (day.TRIP, day.RELEASE))
    axes.axvspan(begin, end, alpha=0.15, color="tab:red", label="override")
    axes.set_xlim(hours[0], hours[-1])
    axes.set_xlabel("hour of the day")
    axes.set_ylabel("kW")
    axes.set_title("North's batteries on the market's day")
    axes.legend(loc="lower right")
    axes.set_ylim(0.0, 1.1 * found.planned_w / 1000)
    figure.savefig(path, dpi=110)
    return path
