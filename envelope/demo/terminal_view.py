"""Live view of the simulated day in a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from envelope.demo.criteria import port_bands
from envelope.demo.day import FIRST_HOUR, STEP_S, STEPS
from envelope.demo.homes import Homes
from envelope.demo.scenario import Scenario
from envelope.demo.simulation import StepState
from envelope.problem import OperatingLimits
from gridmodel import currents, port_va, solve
from gridmodel.arrays import Complex
from sep2.terminal import add_row, shown

WIDTH = 46
SHOWN = 8
TOLERANCE_W = 1.0


class FeederMeters:
    """Transformer load and voltages of the feeder, by power flow."""

    def __init__(self, scenario: Scenario) -> None:
        reduced = scenario.reduced
        transformer = [k for k, b in enumerate(reduced.current_branch) if _is_transformer(scenario, int(b))]
        self._scenario = scenario
        self._reduced = reduced.watching(currents=np.array(transformer, dtype=np.intp))
        self._rating_a = self._reduced.rating_a
        self._unit = port_bands(reduced).unit

    def read(self, s_va: Complex, step: int) -> tuple[float, float, float]:
        """Return the load of the transformer's worst phase, %, and the lowest and highest voltage, V.

        Voltages as in `criteria.DayFlow`.
        """
        day, reduced = self._scenario.day, self._reduced
        source = None if day.source_v is None else day.source_v[step]
        flow = solve(reduced, port_va(reduced.network, s_va), source)
        percent = 100 * (currents(reduced, flow)[0] / self._rating_a).max()
        volts = np.abs(flow.v[0]) / self._unit
        return float(percent), float(volts.min()), float(volts.max())


class TerminalView:
    """Live view; `show` is called after every step."""

    def __init__(self, scenario: Scenario, console: Console) -> None:
        self._scenario = scenario
        self._meters = FeederMeters(scenario)
        self._live = Live(console=console, refresh_per_second=8, transient=True)
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._live.__enter__()
        self._live.update(
            Panel(Text(shown(f"Setting up {self._scenario.feeder.name}: a server, its certificates, its clients …")))
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, wrong, trace)

    def show(self, state: StepState) -> None:
        """Draw the state of a step."""
        self._live.update(self._panel(state))

    def _panel(self, state: StepState) -> RenderableType:
        step, homes = state.step, state.homes
        clock = (FIRST_HOUR * 3600 + (step + 1) * STEP_S) % 86_400
        seconds = time.monotonic() - self._began
        title = f"{self._scenario.feeder.name}  {clock // 3600:02d}:{clock % 3600 // 60:02d}"
        parts = Group(self._gauges(state), "", _powers(homes), _counters(state), "", _closest(homes))
        return Panel(
            parts, title=Text(shown(title)), subtitle=f"{(step + 1) / STEPS:.0%} of the day in {seconds:.0f} s"
        )

    def _gauges(self, state: StepState) -> Table:
        step = state.step
        percent, low_v, high_v = self._meters.read(state.homes.steps[-1].s_va, step)
        free = self._scenario.grown.flow
        free_percent = 100 * float(free.loading[step, free.is_transformer].max())
        free_v = free.voltage_v[step]
        made = Table.grid(padding=(0, 2))
        made.add_row("transformer", bar(percent, 160.0, 100.0), f"{percent:4.0f} %", _free(f"{free_percent:.0f} %"))
        made.add_row(
            "voltage",
            span(low_v, high_v, free.bands.limits),
            f"{low_v:.0f} … {high_v:.0f} V",
            _free(f"{free_v.min():.0f} … {free_v.max():.0f} V"),
        )
        return made


def _is_transformer(scenario: Scenario, branch: int) -> bool:
    return scenario.reduced.network.branches.kind[branch] == "transformer"


def _free(text: str) -> Text:
    return Text(f"without limits {text}", style="dim")


def bar(value: float, full: float, limit: float) -> Text:
    """Return a bar up to `full`, with a mark at `limit`; red above it."""
    filled, mark = (round(WIDTH * min(each / full, 1.0)) for each in (value, limit))
    cells = ["█"] * filled + ["·"] * (WIDTH - filled)
    return _marked(cells, (mark,), inside=value <= limit)


def span(low_v: float, high_v: float, limits: OperatingLimits) -> Text:
    """Return a bar of the customers' voltages, with marks at the limits."""
    lowest, highest = limits.v_min_v, limits.v_max_v
    beside = (highest - lowest) / 5
    first, last = lowest - beside, highest + beside

    def at(volts: float) -> int:
        return round((WIDTH - 1) * min(max((volts - first) / (last - first), 0.0), 1.0))

    cells = ["█" if at(low_v) <= k <= at(high_v) else "·" for k in range(WIDTH)]
    return _marked(cells, (at(lowest), at(highest)), inside=low_v >= lowest and high_v <= highest)


def _marked(cells: list[str], limits: Sequence[int], *, inside: bool) -> Text:
    """Return a bar with marks at its limits."""
    for limit in limits:
        cells[limit] = "┃"
    text = Text("".join(cells), style="green" if inside else "red")
    for limit in limits:
        text.stylize("bold white", limit, limit + 1)
    return text


def _powers(homes: Homes) -> Text:
    last = homes.steps[-1]
    sun, charge = last.pv_w.sum() / 1e3, last.charge_w.sum() / 1e3
    held_back = homes.day.pv_w[len(homes.steps) - 1].sum() / 1e3 - sun
    cars = int((last.charge_w > 0).sum())
    return Text(f"solar {sun:6.1f} kW, {held_back:5.1f} kW held back   {cars:3d} cars charge with {charge:6.1f} kW")


def _counters(state: StepState) -> Text:
    counts = f"{state.controls} controls stand   {state.notified} notifications delivered"
    return Text(f"{counts}   {state.answered} answers sent   {state.pending} waiting")


def _closest(homes: Homes) -> Table:
    """Return a table of the connections that use most of their limit, and of those that exceed it."""
    limits, net = homes.in_force[-1], homes.steps[-1].s_va.real
    import_w, export_w = limits.at_meter(homes.day.base_va[len(homes.steps) - 1].real)
    over = np.maximum(net - export_w, -net - import_w)
    limited = np.flatnonzero(np.isfinite(over))
    made = Table(box=None, padding=(0, 2), header_style="dim")
    for column in ("connection", "import limit", "export limit", "now"):
        made.add_column(column, justify="left" if column == "connection" else "right")
    for at in limited[np.argsort(-over[limited], kind="stable")][:SHOWN]:
        beyond = over[at] > TOLERANCE_W
        now = f"{abs(net[at]) / 1e3:.2f} kW {'out' if net[at] > 0 else 'in'}{'  over' if beyond else ''}"
        cells = (f"{each[at] / 1e3:.2f} kW" for each in (import_w, export_w))
        add_row(made, homes.day.connection_ids[at], *cells, now, style="red" if beyond else "")
    return made
