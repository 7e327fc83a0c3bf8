"""`sep2 demo`: a feeder's day, from envelopes to devices that keep them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from envelope.demo import margins, picture, report, simulation, study
from envelope.demo import stay as staying
from envelope.demo.day import FIRST_HOUR, STEP_S, STEPS
from envelope.demo.market.command import market
from envelope.demo.scenario import Scenario, build_scenario
from envelope.demo.simulation import DaySettings, SimulatedDay
from envelope.demo.study import Run
from envelope.demo.terminal_view import TerminalView
from gridmodel.readers.example_feeders import US_SERVICE
from sep2.terminal import log_to, say_json, shown
from sep2.wire import Profile

app = typer.Typer(rich_markup_mode="rich")
app.command("market")(market)
PICTURE, CLIENTS_LOG = "day.png", "clients.log"


def step_at(text: str | None) -> int | None:
    """Return the step of the day at a time of the clock, HH:MM."""
    if text is None:
        return None
    try:
        at = time.strptime(text, "%H:%M")
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time of the day; write HH:MM") from None
    return ((at.tm_hour - FIRST_HOUR) * 3600 + at.tm_min * 60) // STEP_S % STEPS


def _folder_of(feeder: Path | None, *, us: bool) -> Path | None:
    """Return the folder of the feeder that was asked for; None for the IEEE European LV feeder."""
    if us and feeder is not None:
        raise typer.BadParameter("give one of --us and --feeder DIR")
    return US_SERVICE if us else feeder


Us = Annotated[
    bool,
    typer.Option("--us", help="Eight homes at a split-phase transformer, 120/240 V, with csip clients."),
]


Seed = Annotated[int, typer.Option(min=0, help="Seed of the generated homes and day.")]
Disobey = Annotated[float, typer.Option(min=0, max=50, help="Percentage of clients that ignore their limits.")]
Silent = Annotated[float, typer.Option(min=0, max=50, help="Percentage of clients that are silent from noon on.")]
ServerFolder = Annotated[Path, typer.Option("--dir", help="The server's folder; created again each time.")]
Speed = Annotated[float, typer.Option(min=0, help="Most seconds of the day per second; 0: no limit.")]
KillAt = Annotated[str | None, typer.Option(metavar="HH:MM", help="Kill and restart the server twice at that time.")]


@app.callback(invoke_without_command=True)
def demo(
    ctx: typer.Context,
    *,
    feeder: Annotated[
        Path | None, typer.Option(help="A feeder folder; docs/feeders.md.", show_default="the IEEE European LV feeder")
    ] = None,
    us: Us = False,
    seed: Seed = 7,
    disobey: Disobey = 0.0,
    silent: Silent = 0.0,
    kill_at: KillAt = None,
    speed: Speed = 0.0,
    folder: ServerFolder = Path("sep2-demo"),
    stay: Annotated[
        bool, typer.Option("--stay", help="Play the day until 14:00, then leave the server and its desk running.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Without the live view.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON object, on the last line.")] = False,
) -> None:
    """Simulate a feeder's day with a real server and real clients, and compare it with other ways to run the feeder.

    [bold]sep2 demo[/]  the IEEE European LV feeder, in about two minutes

    [bold]sep2 demo --us[/]  a street at 120/240 V; its chargers follow demand response

    [bold]sep2 demo --feeder DIR --disobey 10 --silent 10[/]  a feeder of your own; clients that disobey are named

    [bold]sep2 demo market[/]  a day of two aggregators and a system operator
    """
    if ctx.invoked_subcommand is not None:
        return
    began = time.monotonic()
    console = Console(stderr=as_json)
    log_to(logging.FileHandler(folder / CLIENTS_LOG, delay=True), logging.WARNING)  # and not into the live view
    settings = DaySettings(folder, seed, disobey, silent, step_at(kill_at), speed)
    scenario = build_scenario(_folder_of(feeder, us=us), seed, Profile.CSIP if us else Profile.CSIP_AUS_1_2)
    _show_changes(console, scenario)
    if stay:
        _stay(scenario, settings, console)
    else:
        played = _simulated(scenario, settings, None if once else console)
        if not _report(console, scenario, played, (settings, began if as_json else None)):
            raise typer.Exit(1)


def _show_changes(console: Console, scenario: Scenario) -> None:
    """Print what the demonstration changes of the feeder's own model, if anything."""
    if (changed := study.changes_table(scenario.feeder)) is not None:
        console.print(changed)


def _report(console: Console, scenario: Scenario, played: SimulatedDay, how: tuple[DaySettings, float | None]) -> bool:
    """Print the figures of the day and return whether they are right; how: settings, and the beginning for JSON."""
    settings, began = how
    runs = study.compare_runs(scenario.reduced, scenario.day, played.homes.powers())
    found = margins.of_day(scenario, played, runs["envelope"].figures) if played.rounds else None
    _print(console, report.sentences(scenario, played, runs), runs, found)
    console.print(Text(shown(f"Picture: {_draw(settings.folder, scenario, played, runs)}", 4000)), soft_wrap=True)
    if began is not None:
        seconds = round(time.monotonic() - began, 1)
        say_json(json.dumps(report.as_json(scenario, played, runs, found) | {"seconds": seconds}))
    return report.is_right(played, runs)


def _stay(scenario: Scenario, settings: DaySettings, console: Console) -> None:
    """Leave the day running until Ctrl-C."""

    def say(line: str) -> None:
        console.print(Text(line), soft_wrap=True)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(staying.keep_running(scenario, settings, lambda state: None, say))


def _print(console: Console, told: list[str], runs: dict[str, Run], found: margins.Margins | None) -> None:
    console.print(study.runs_table(runs))
    if found is not None:
        console.print(found.table())
        console.print(report.of_margins(found), highlight=False)
    for sentence in told:
        console.print(sentence, highlight=False)


def _simulated(scenario: Scenario, settings: DaySettings, console: Console | None) -> SimulatedDay:
    """Return the simulated day; console: where to show it live, None: nowhere."""
    if console is None:
        return asyncio.run(simulation.simulate(scenario, settings, lambda state: None))
    with TerminalView(scenario, console) as view:
        return asyncio.run(simulation.simulate(scenario, settings, view.show))


def _draw(folder: Path, scenario: Scenario, played: SimulatedDay, runs: dict[str, Run]) -> Path:
    import_w, export_w = played.homes.limits()
    title = f"{scenario.feeder.name}: one day, {int(scenario.day.flexible.sum())} connections with envelopes"
    return picture.draw(folder / PICTURE, picture.DayPicture(title, scenario.day, runs, import_w, export_w))
