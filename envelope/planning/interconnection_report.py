"""Tables, pictures and the report of an interconnection study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from envelope.planning.html_report import Picture, Report, Section, Table, figure_of, picture, write_csv
from envelope.planning.interconnection import SEARCHED, Interconnection, ReinforcementResult, SettingResult
from envelope.planning.limit_tables import HOURS, MONTHS, Curtailed
from envelope.planning.plant import Direction
from envelope.planning.settings import OVERSIZE
from gridmodel.arrays import Real

MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
GREEN, RED, GREY = "#1e8449", "#c0392b", "#7f8c8d"
NOT_STUDIED = (
    "Flicker and rapid voltage change.",
    "Protection: settings, coordination, desensitisation, reverse power relays.",
    "Islanding.",
    "Fault current and ratings of switchgear.",
    "Harmonics, and what happens in abnormal switching states.",
)
OUTPUTS = ("limits_8760", "limits_576", "limits_288", "limits_24", "settings", "reinforcements")


def write_interconnection(found: Interconnection, folder: Path, said: Sequence[str]) -> dict[str, str]:
    """Write the tables, send.sh and report.html; returns their paths by name. said: further assumptions."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = dict(zip(OUTPUTS, _tables(found), strict=True))
    files = {name: str(write_csv(folder / f"{name}.csv", *rows[name])) for name in OUTPUTS}
    commands = found.best.commands(found.hosting.plant.name)
    if commands:
        script = folder / "send.sh"
        head = f"# Sends the setting recommended by the study of {found.hosting.plant.name}: {found.best.name}."
        script.write_text("\n".join(["#!/bin/sh", "set -eu", head, *commands, ""]), encoding="utf-8")
        files["send"] = str(script)
    return files | {"report": str(_report(found, said, commands).write(folder / "report.html"))}


def _tables(found: Interconnection) -> list[tuple[Sequence[str], list[Sequence[Any]]]]:
    """Columns and rows of the CSV files."""
    tables, year = found.tables, found.hosting.year
    day = np.datetime64(year.first_day)
    hourly = [(f"{day + k // HOURS}T{k % HOURS:02d}:00", _watts(w)) for k, w in enumerate(tables.hourly_w)]
    days = (("minimum", tables.minimum_day_w), ("peak", tables.peak_day_w))
    at = [(m, h) for m in range(MONTHS) for h in range(HOURS)]
    return [
        (("hour_start", "limit_w"), list(hourly)),
        (("month", "day", "hour", "limit_w"), [(m + 1, k, h, _watts(w[m, h])) for k, w in days for m, h in at]),
        (("month", "hour", "limit_w"), [(m + 1, h, _watts(tables.by_month_w[m, h])) for m, h in at]),
        (("hour", "limit_w"), [(h, _watts(w)) for h, w in enumerate(tables.by_hour_w)]),
        (SettingResult._fields, list(found.settings)),
        (ReinforcementResult._fields, list(found.reinforcements)),
    ]


def _watts(limit_w: float) -> int | None:
    return None if np.isnan(limit_w) else int(limit_w)


def _report(found: Interconnection, said: Sequence[str], commands: Sequence[str]) -> Report:
    plant, direction = found.hosting.plant, found.hosting.direction
    what = "generation" if direction is Direction.EXPORT else "load"
    sections = [
        Section("Result", conclusion(found), pictures=[_heat(found), _duration(found)]),
        Section("Kinds of limits", table=_kinds(found)),
        Section("Limit binds because of", table=Table(("element", "part of the limited steps"), _binding(found), R1)),
        Section("Inverter settings tried", _advice(found), (), commands, [_bars(found)], _settings_table(found)),
        Section("Reinforcements", _bought(found), table=_reinforcements(found)),
        Section("24 values", ("kW, the least of all days studied at each hour.",), table=_profile(found)),
        Section(
            "The 288 values", ("kW by month and hour: California's Limited Generation Profile.",), table=_lgp(found)
        ),
        Section("What this rests on", points=[*_assumptions(found), *said]),
        Section("Not studied", points=NOT_STUDIED),
    ]
    title = f"Flexible interconnection of {kw(plant.size_w)} of {what} at {plant.node}"
    lead = f"Network {found.hosting.network.name}, {found.hosting.year.days} days, {plant.name}."
    return Report(title, lead, _cards(found), [one for one in sections if one.table is None or one.table.rows])


R1 = frozenset({1})


def kw(power_w: float) -> str:
    """Such as "1,200 kW"."""
    return f"{power_w / 1e3:,.6g} kW" if power_w < 1e6 else f"{power_w / 1e3:,.0f} kW"


def _down(power_w: float) -> str:
    """Kilowatts rounded down to a tenth."""
    return f"{np.floor(power_w / 100.0 + 1e-9) / 10.0:,.1f} kW"


def _cards(found: Interconnection) -> list[tuple[str, str]]:
    capacity = found.capacity
    first = next(iter(found.curtailed.values()))
    beyond = "≥ " if capacity.at_least else ""
    flexible = "≥ " if capacity.flexible_at_least else ""
    return [
        (f"{beyond}{_down(capacity.firm_w)}", "firm: never limited"),
        (
            f"{flexible}{_down(capacity.flexible_w)}",
            f"flexible: up to {found.plan.curtailment:.0%} of its energy lost",
        ),
        (f"{first.p50_percent:.1f} %", f"of the energy of {kw(found.hosting.plant.size_w)} curtailed, hourly limits"),
        (_down(found.tables.least_w), "fail-safe value: holds at every hour"),
    ]


def conclusion(found: Interconnection) -> list[str]:
    """The result in sentences."""
    capacity, size_w = found.capacity, found.hosting.plant.size_w
    why = f"{capacity.binding} binds on {capacity.when}" if capacity.when else "nothing binds up to there"
    least = "at least " if capacity.at_least else ""
    lines = [f"Without any limit {least}{_down(capacity.firm_w)} can connect here: {why}."]
    if size_w <= capacity.firm_w:
        lines.append(f"The {kw(size_w)} asked for fit without limits.")
    else:
        first = next(iter(found.curtailed.values()))
        lines.append(
            f"The {kw(size_w)} asked for fit with hourly limits: {first.p50_kwh:,.0f} kWh a year are curtailed"
            f" (P10 {first.p10_kwh:,.0f}, P90 {first.p90_kwh:,.0f}), {first.p50_percent:.1f} % of the energy; the"
            f" longest spell is {first.longest_h:g} hours."
        )
    broken = sum(one.broken_steps for one in found.verified.values())
    states = sum(one.states for one in found.verified.values())
    lines.append(
        f"Verified again after rounding down: {states:,} states by AC power flow, at each limit and at half of it;"
        f" {broken} steps beyond a limit."
    )
    if hours := found.hosting.hours_without():
        lines.append(
            f"Without this plant a limit is exceeded already in {hours:,.1f} hours of the days studied; there the"
            " plant may not make it worse."
        )
    return lines


def _heat(found: Interconnection) -> Picture:
    """The 288 values as a picture."""
    figure = figure_of(9.0, 3.6)
    axes = figure.add_subplot()
    top = found.hosting.plant.size_w / 1e3
    image = axes.imshow(found.tables.by_month_w / 1e3, aspect="auto", cmap="viridis", vmin=0.0, vmax=top)
    axes.set_yticks(range(MONTHS), MONTH_NAMES)
    axes.set_xticks(range(0, HOURS, 3))
    axes.set_xlabel("hour")
    figure.colorbar(image, ax=axes, label="kW permitted")
    return picture(figure, "Limit by month and hour of day (288 values).")


def _duration(found: Interconnection) -> Picture:
    figure = figure_of(9.0, 3.2)
    axes = figure.add_subplot()
    size_w = found.hosting.plant.size_w
    percent = np.linspace(0.0, 100.0, len(found.limit_w))
    axes.plot(percent, np.sort(found.limit_w)[::-1] / 1e3, color=GREEN, label="permitted")
    axes.plot(percent, np.sort(found.hosting.available)[::-1] * size_w / 1e3, color=GREY, label="available")
    axes.axhline(found.tables.least_w / 1e3, color=RED, linewidth=0.9, label="fail-safe value")
    axes.set_xlabel("% of the time")
    axes.set_ylabel("kW")
    axes.set_ylim(bottom=0.0)
    axes.legend(fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return picture(figure, "How long which power is permitted, and available.")


def _kinds(found: Interconnection) -> Table:
    columns = (
        "limits", "curtailed P10, kWh", "P50", "P90", "% of energy", "hours a year", "longest spell, h", "verified",
    )  # fmt: skip
    rows = []
    for name, one in found.curtailed.items():
        proof = found.verified[name]
        said = "inside" if not proof.broken_steps else f"{proof.broken_steps} steps beyond"
        rows.append((name, *_curtailed_cells(one), said))
    return Table(columns, rows, frozenset(range(1, 7)))


def _curtailed_cells(one: Curtailed) -> tuple[str, ...]:
    energies = (f"{value:,.0f}" for value in (one.p10_kwh, one.p50_kwh, one.p90_kwh))
    return (*energies, f"{one.p50_percent:.2f}", f"{one.hours:,.0f}", f"{one.longest_h:g}")


def _binding(found: Interconnection) -> list[tuple[str, str]]:
    return [(name, f"{part:.0%}") for name, part in found.binding]


def _settings_table(found: Interconnection) -> Table:
    columns = ("setting", "curtailed, kWh a year", "% of energy", "least limit", "hours limited", "verified")
    rows = [
        (
            one.setting, f"{one.curtailed_kwh:,.0f}", f"{one.curtailed_percent:.2f}", kw(one.least_limit_w),
            f"{one.limited_hours:,.0f}", "inside" if one.verified else "beyond limits",
        )
        for one in found.settings
    ]  # fmt: skip
    return Table(columns, rows, frozenset(range(1, 5)))


def _advice(found: Interconnection) -> list[str]:
    kept = "Its limits count on inverters that keep it: without it, those of power factor 1 hold."
    if found.best.commands(found.hosting.plant.name):
        return [f"Recommended: {found.best.name}. {kept} send.sh sends it:"]
    return [f"Recommended: {found.best.name}: there is nothing to send."]


def _bars(found: Interconnection) -> Picture:
    figure = figure_of(9.0, 0.8 + 0.32 * len(found.settings))
    axes = figure.add_subplot()
    shown = list(found.settings)[::-1]
    colours = [GREEN if one.setting == found.best.name else GREY for one in shown]
    axes.barh(range(len(shown)), [one.curtailed_percent for one in shown], color=colours)
    axes.set_yticks(range(len(shown)), [one.setting for one in shown], fontsize=9)
    axes.set_xlabel("% of the energy curtailed")
    axes.spines[["top", "right"]].set_visible(False)
    return picture(figure, "Curtailed energy with each setting, limits by the hour.")


def _bought(found: Interconnection) -> list[str]:
    if not found.reinforcements:
        return []
    best = max(found.reinforcements, key=lambda one: one.firm_w)
    more_w = max(best.firm_w - found.capacity.firm_w, 0.0)
    return [f"Most is bought by {best.what}: {_down(more_w)} more of firm capacity."]


def _reinforcements(found: Interconnection) -> Table:
    columns = ("reinforcement", "firm", "at any hour", "curtailed, kWh a year", "% of energy")
    rows = [
        (
            one.what,
            _down(one.firm_w),
            _down(one.any_hour_w),
            f"{one.curtailed_kwh:,.0f}",
            f"{one.curtailed_percent:.2f}",
        )
        for one in found.reinforcements
    ]
    return Table(columns, rows, frozenset(range(1, 5)))


def _profile(found: Interconnection) -> Table:
    halves = (range(12), range(12, 24))
    rows = []
    for half in halves:
        rows.append(("hour", *(str(hour) for hour in half)))
        rows.append(("kW", *_cells(found.tables.by_hour_w[half.start : half.stop])))
    return Table([""] * 13, rows, frozenset(range(1, 13)))


def _lgp(found: Interconnection) -> Table:
    rows = [(MONTH_NAMES[m], *_cells(found.tables.by_month_w[m])) for m in range(MONTHS)]
    return Table(("", *(str(hour) for hour in range(HOURS))), rows, frozenset(range(1, HOURS + 1)))


def _cells(power_w: Real) -> list[str]:
    return ["–" if np.isnan(one) else f"{one / 1e3:g}" for one in power_w]


def _assumptions(found: Interconnection) -> list[str]:
    hosting, limits = found.hosting, found.hosting.limits
    queue = hosting.ahead
    rule = (
        "all are limited by the same part of their size" if queue.pro_rata else "they come first (last in, first out)"
    )
    ahead = ", ".join(f"{one.name} {kw(one.size_w)} at {one.node}" for one in queue.plants)
    return [
        f"Limits: voltage criterion {limits.source} at all connections with {limits.margin_v:g} V kept free, and the"
        f" ratings of all lines and transformers with {limits.margin_current:.1%} kept free. Where customers alone are"
        " beyond one, the plant may not make it worse.",
        f"Queue: {f'{ahead}; {rule}' if queue.plants else 'nobody is ahead of this plant'}.",
        f"Capacity was searched up to {SEARCHED:g} times the size asked for; limits are the least of each hour's steps,"
        f" rounded down to {kw(found.plan.round_w)}.",
        "The 576-hour table has, per month, the day on which the customers draw least and that on which they draw most;"
        " it shows the spread and is no schedule. The 288 and 24 values are the least of all days.",
        "P10, P50 and P90: 500 years drawn day by day from the days studied, within each month.",
        f"Settings: inverters of {OVERSIZE:g} VA per W, var before watts; curves in per unit of the nominal voltage"
        f"{f' ({found.best.source})' if found.best.source else ''}. Elsewhere power factor 1.",
        "A reinforcement: twice the conductor, or the next transformer at equal per-unit impedance.",
        "Fail-safe value: the least hourly limit; what the plant holds as its default when it hears nothing.",
    ]


def as_plain(found: Interconnection) -> dict[str, Any]:
    """The result as plain values."""
    kinds = {
        name: one._asdict() | {"broken_steps": found.verified[name].broken_steps}
        for name, one in found.curtailed.items()
    }
    return {
        "capacity": found.capacity._asdict(),
        "fail_safe_w": found.tables.least_w,
        "limits": kinds,
        "binding": found.binding,
        "hours_beyond_without": found.hosting.hours_without(),
        "settings": [one._asdict() for one in found.settings],
        "recommended": found.best.name,
        "send": found.best.commands(found.hosting.plant.name),
        "reinforcements": [one._asdict() for one in found.reinforcements],
    }
