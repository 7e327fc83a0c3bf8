"""`sep2 forecast run`, `show` and `backtest`: what connections will draw, and how good such forecasts were."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from envelope.command_line.command_frame import refusals, stages
from envelope.command_line.measurement_options import DAY_S, Dir, Json, Places, StoreFolder, epoch_of, opened, utc
from envelope.forecast.backtesting import Backtest, backtest
from envelope.forecast.forecast_file import load, save
from envelope.forecast.history import Question, read_history
from envelope.forecast.joint_paths import Forecast, forecast
from envelope.forecast.models import MADE_HERE, Model
from envelope.forecast.own_paths import read_own
from envelope.forecast.scores import Score
from envelope.planning.plant import rated_va
from gridmodel.command_errors import writable
from gridmodel.commands import open_feeder
from gridmodel.errors import GridError
from gridmodel.meter_data.reading import NET
from gridmodel.meter_data.readings import upstream
from gridmodel.meter_data.series_index import known_series
from gridmodel.meter_data.store import Kind, MeasurementStore
from sep2.terminal import add_row, console, say, say_json

app = typer.Typer(no_args_is_help=True, help="Forecasts of what connections draw: joint paths, and their backtest.")
BAND = (0.05, 0.5, 0.95)
SHOWN = 24
At = Annotated[str, typer.Option("--at", help="Time at which it is made; default: now.")]
FeederOption = Annotated[
    str, typer.Option("--feeder", help="Forecast this feeder's connections, and sums of its transformers.")
]
Step = Annotated[int, typer.Option(help="Length of a step, s.")]
Hours = Annotated[int, typer.Option(help="Horizon, hours.")]
Location = Annotated[
    tuple[float, float] | None, typer.Option(help="Latitude and longitude, degrees: for the clear sky (pvlib).")
]


@app.command("run")
def run_forecast(
    places: Places = None,
    folder: Dir = Path(),
    store: StoreFolder = None,
    *,
    feeder: FeederOption = "",
    at: At = "",
    hours: Hours = 48,
    step: Step = 1800,
    paths: Annotated[int, typer.Option(help="Most joint paths; one for each past day.", min=7, max=365)] = 40,
    model: Annotated[Model, typer.Option(help="The model; auto takes the best of the past weeks.")] = Model.AUTO,
    location: Location = None,
    out: Annotated[Path, typer.Option(help="Write the forecast to this .npz file.")] = Path("forecast.npz"),
    as_json: Json = False,
) -> None:
    """Forecast the net import of connections as joint paths, from what had arrived by then."""
    with refusals(as_json):
        writable("--out", out, ".npz")
        found = opened(folder, store).store
        names, groups = _places(found, places, feeder)
        question = _question(at, (hours, step), location)
        with stages(as_json) as stage:
            stage("reading measurements")
            history = read_history(found, names, question)
            stage("forecasting")
            made = forecast(history, model, paths=paths)
        save(made, out)
    if as_json:
        say_json(json.dumps({"file": str(out), **_summary(made)}))
        return
    delay_h = history.delay * step / 3600
    how = f"by {made.model}, {len(made.path_w)} paths"
    say(f"Made at {utc(made.made_at)} UTC {how}; the last values are {delay_h:g} h old.")
    for line in made.said:
        say(f"  {line}")
    _print(made, groups)
    say(f"Written to {out}. Look at it: sep2 forecast show {out} --out forecast.png")


def _places(store: MeasurementStore, said: Sequence[str] | None, feeder: str) -> tuple[list[str], list[str]]:
    """Connections to forecast, and the transformer of each ("" where none is known)."""
    known = list(dict.fromkeys(one.series.place for one in known_series(store, Kind.AMI, None, tuple(NET))))
    if not known:
        raise GridError(f"{store.folder} has no power of any meter")
    if not feeder:
        names = list(said) if said else known
        if missing := sorted(set(names) - set(known)):
            raise GridError(f"no power is measured at {', '.join(missing[:3])}")
        return names, [""] * len(names)
    found, findings = open_feeder(feeder)
    if found is None:
        raise GridError(f"{feeder} cannot be used: {findings[0]}")
    pairs = zip(found.network.connections.id, upstream(found.network), strict=True)
    chosen = {name: group for name, group in pairs if name in known and (not said or name in said)}
    if not chosen:
        raise GridError(f"no power is measured at any connection of {feeder}")
    return list(chosen), list(chosen.values())


def _question(at: str, what: tuple[int, int], location: tuple[float, float] | None) -> Question:
    hours, step_s = what
    when = epoch_of("--at", at) if at else int(time.time())
    return Question(when - when % max(step_s, 1), hours * 3600, step_s, location=location)


def _summary(made: Forecast) -> dict[str, object]:
    total = made.summed(["all"] * len(made.places)).quantiles(BAND)[:, :, 0]
    bands = dict(zip(("p5_w", "p50_w", "p95_w"), np.round(total, 1).tolist(), strict=True))
    return {
        "made_at": made.made_at,
        "model": str(made.model),
        "paths": len(made.path_w),
        "places": len(made.places),
        "start": made.start.tolist(),
        "step_s": made.step_s,
        "said": list(made.said),
        "all": bands,
    }


def _print(made: Forecast, groups: Sequence[str]) -> None:
    """Print the day's course of all connections together, and the peak of each transformer."""
    total = made.summed(["all"] * len(made.places)).quantiles(BAND)[:, :, 0]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("from (UTC)", "5 %, W", "50 %, W", "95 %, W"):
        table.add_column(name, justify="left" if name.startswith("from") else "right")
    every = max(len(made.start) // SHOWN, 1)
    for k in range(0, len(made.start), every):
        add_row(table, utc(int(made.start[k])), *(f"{value:.0f}" for value in total[:, k]))
    console().print(table)
    if any(groups):
        sums = made.summed(groups)
        peak = np.quantile(sums.path_w.max(axis=1), BAND, axis=0, method="weibull")
        for k, name in enumerate(sums.places):
            say(f"transformer {name}: highest load {peak[1, k]:.0f} W ({peak[0, k]:.0f} to {peak[2, k]:.0f} W)")


@app.command("take")
def take_forecast(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV or Parquet: connection_id, start, net_w and, if several, path.")
    ],
    *,
    at: At = "",
    out: Annotated[Path, typer.Option(help="Write the forecast to this .npz file.")] = Path("forecast.npz"),
    as_json: Json = False,
) -> None:
    """Take a forecast of the utility's own, as if it had been made here."""
    with refusals(as_json):
        writable("--out", out, ".npz")
        made = read_own(file, epoch_of("--at", at) if at else int(time.time()))
        save(made, out)
    if as_json:
        say_json(json.dumps({"file": str(out), **_summary(made)}))
    else:
        size = f"{len(made.path_w)} paths of {len(made.start)} steps at {len(made.places)} connections"
        say(f"{size} are in {out}. Look at them: sep2 forecast show {out}")


@app.command("show")
def show_forecast(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A forecast that was made (.npz).")],
    place: Annotated[str, typer.Argument(metavar="[PLACE]", help="One connection; else all together.")] = "",
    *,
    out: Annotated[Path | None, typer.Option(help="Draw to this PNG file.")] = None,
    as_json: Json = False,
) -> None:
    """Show a forecast: the course of all connections or of one, and its paths as a picture."""
    with refusals(as_json):
        writable("--out", out, ".png")
        made = load(file)
        if place and place not in made.places:
            raise GridError(f"{place} is not in this forecast of {len(made.places)} connections")
        shown = made.summed([(place or "all") if not place or name == place else "" for name in made.places])
        if out is not None:
            from envelope.forecast.picture import forecast_picture

            forecast_picture(shown, out)
    if as_json:
        say_json(json.dumps({"place": place or "all", **_summary(shown)}))
        return
    say(f"{place or 'all connections together'}, made at {utc(made.made_at)} UTC by {made.model}")
    _print(shown, [])
    say(f"Picture written to {out}." if out else "Add --out FILE.png for a picture.")


@app.command("backtest")
def backtest_forecasts(
    places: Places = None,
    folder: Dir = Path(),
    store: StoreFolder = None,
    *,
    feeder: FeederOption = "",
    at: At = "",
    days: Annotated[int, typer.Option(help="Forecasts that are tested, one a day.", min=1, max=365)] = 14,
    hours: Hours = 48,
    step: Step = 1800,
    location: Location = None,
    out: Annotated[Path | None, typer.Option(help="Write the scores to this .csv file.")] = None,
    as_json: Json = False,
) -> None:
    """Make past forecasts again, each from what had arrived by then, and compare them with what came."""
    with refusals(as_json):
        writable("--out", out, ".csv")
        found = opened(folder, store).store
        names, groups = _places(found, places, feeder)
        last = at or utc(_last(found, names) - hours * 3600)
        models = (*MADE_HERE, Model.AUTO)
        test = Backtest(_question(last, (hours, step), location), days, models, groups, _ratings(feeder, groups))
        with stages(as_json) as stage:
            scores = backtest(found, names, test, progress=stage)
        if out is not None:
            _write_scores(scores, out)
    if as_json:
        say_json(json.dumps({"days": days, "scores": [one.fields() for one in scores]}))
        return
    _print_scores(scores)
    for one in scores:
        if one.over is not None and one.model == Model.AUTO:
            say(one.over.sentence(one.level))
    ours = [one for one in scores if one.level == scores[0].level and one.model != Model.AUTO]
    best = min(ours, key=lambda one: one.pinball_w)
    say(f"Least pinball loss at connections: {best.model}. `sep2 forecast run` chooses by the past weeks by itself.")


def _ratings(feeder: str, groups: Sequence[str]) -> dict[str, float]:
    """Ratings of a feeder's transformers, W at power factor 1, by name."""
    found = open_feeder(feeder)[0] if feeder else None
    if found is None:
        return {}
    rated = {name: rated_va(found.network, name) for name in dict.fromkeys(groups) if name}
    return {name: va for name, va in rated.items() if va is not None}


def _last(store: MeasurementStore, names: Sequence[str]) -> int:
    """The end of what is measured."""
    return max(one.until for one in known_series(store, Kind.AMI, names)) // DAY_S * DAY_S


def _write_scores(scores: Sequence[Score], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(scores[0].fields()))
        out.writeheader()
        out.writerows(one.fields() for one in scores)


def _print_scores(scores: Sequence[Score]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("level", "model", "pinball, W", "MAE, W", "to persistence", "in the 90 % band", "in the highest 5 %"):
        table.add_column(name, justify="left" if name in ("level", "model") else "right")
    for one in scores:
        skill = f"{100 * (one.mae_w / one.persistence_mae_w - 1):+.0f} %"
        cells = f"{one.pinball_w:.1f}", f"{one.mae_w:.1f}", skill
        add_row(table, one.level, one.model, *cells, f"{one.coverage_90:.1%}", f"{one.coverage_90_highest:.1%}")
    console().print(table)
