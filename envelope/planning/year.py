"""The days that a study stands on: base load of each connection, sun and head voltage, step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from envelope.field_rules import BadProblem
from envelope.study.study import DAY_S, Study, base_load_of, sine
from gridmodel.arrays import Complex, Index, Mask, Real
from gridmodel.model.feeder import Feeder

FIRST_DAY = date(2026, 1, 1)
"""of series without dates"""
YEAR_DAYS = 365
FLAT_STEPS = 24


@dataclass(frozen=True, eq=False)
class Year:
    """T steps of whole days at C connections. Watts drawn and var consumed are positive."""

    first_day: date
    step_s: int
    load_w: Real
    load_var: Real
    """(T, C) net import, solar already taken off"""
    sky: Real
    """(T,) part of its size that solar generation can reach, 0 to 1"""
    source_v: Complex | None
    """(T, 3) V phase-to-neutral at the head of the feeder; None: the network's own"""
    said: tuple[str, ...] = ()
    """what it stands on, as sentences"""
    repeats: Index | None = None
    """(T,) the step of which each one is a repetition; None: none is"""

    @property
    def per_day(self) -> int:
        """Steps of a day."""
        return DAY_S // self.step_s

    @property
    def days(self) -> int:
        """Number of days, D."""
        return len(self.load_w) // self.per_day

    @property
    def hours(self) -> float:
        """Length of a step, hours."""
        return self.step_s / 3600.0

    @property
    def distinct(self) -> Index:
        """(T,) position of the first step with the same values, by repetition of days."""
        return np.arange(len(self.load_w)) if self.repeats is None else self.repeats

    @property
    def month(self) -> Index:
        """(T,) month of each step, 0 to 11."""
        start = np.datetime64(self.first_day)
        months = (start + np.arange(self.days)).astype("datetime64[M]").astype(np.intp) % 12
        return np.repeat(months, self.per_day)

    @property
    def hour(self) -> Index:
        """(T,) hour of the day of each step, 0 to 23."""
        return np.tile(np.arange(self.per_day) * self.step_s // 3600, self.days)

    def at_steps(self, step_s: int) -> Year:
        """The same as means over longer steps; a step that is no multiple of the own one is refused."""
        if step_s == self.step_s:
            return self
        if step_s % self.step_s or DAY_S % step_s:
            raise BadProblem(f"--step: {step_s} s is no multiple of the series' {self.step_s} s that divides a day")
        many = step_s // self.step_s
        total = self.load_w.sum(axis=1).reshape(-1, many)
        short, long = float(np.abs(total).max()), float(np.abs(total.mean(axis=1)).max())
        factor = short / long if long > 0.0 else 1.0
        how = f"all homes' highest value over {self.step_s} s is {factor:.2f} times that over {step_s} s"

        def means(series: Real) -> Real:
            return np.asarray(series.reshape(-1, many, *series.shape[1:]).mean(axis=1))

        source = None if self.source_v is None else np.asarray(self.source_v.reshape(-1, many, 3).mean(axis=1))
        found = replace(self, step_s=step_s, load_w=means(self.load_w), load_var=means(self.load_var))
        repeats = None if self.repeats is None else self.repeats[::many] // many
        return replace(
            found,
            sky=means(self.sky),
            source_v=source,
            repeats=repeats,
            said=(*self.said, f"means over {step_s} s: {how}"),
        )

    def of_days(self, days: int) -> Year:
        """So many days: the first of them, or all of them again and again."""
        count = days * self.per_day
        if count == len(self.load_w):
            return self
        at = np.arange(count) % len(self.load_w)
        more = (
            (f"assumed: {_days(self.days)} of series repeat through the {days} days studied",)
            if days > self.days
            else ()
        )
        source = None if self.source_v is None else self.source_v[at]
        found = replace(self, load_w=self.load_w[at], load_var=self.load_var[at], sky=self.sky[at], source_v=source)
        return replace(found, said=(*self.said, *more), repeats=self.distinct[at])


def year_of(feeder: Feeder, days: int = YEAR_DAYS) -> Year:
    """The feeder's measured days, or else the loads of its file or an assumed demand, repeated to so many days."""
    if days < 1:
        raise BadProblem(f"--days: {days} is below 1")
    profile = feeder.profile
    if profile is None:
        base = base_load_of(feeder, Study(steps=FLAT_STEPS))
        found = Year(
            FIRST_DAY, DAY_S // FLAT_STEPS, base.load_w, base.load_var, sine(FLAT_STEPS), None, (base.sentence,)
        )
        return found.of_days(days)
    per_day = DAY_S // profile.step_s
    count = len(profile.demand_w) // per_day * per_day
    if not count:
        raise BadProblem(f"{feeder.name}: its series are shorter than a day")
    solar = profile.pv_w[:count]
    measured = Year(
        profile.first_day or FIRST_DAY,
        profile.step_s,
        profile.demand_w[:count] - solar,
        profile.demand_var[:count],
        _sky(solar, per_day),
        None if profile.source_v is None else profile.source_v[:count],
        _said_of(profile.first_day, count // per_day, solar),
    )
    return measured.of_days(days)


def _said_of(first_day: date | None, days: int, solar: Real) -> tuple[str, ...]:
    since = "the first taken as 1 January, as feeder.toml gives no first_day"
    said = [f"base load: {_days(days, 'measured ')}, {f'from {first_day}' if first_day else since}"]
    if not solar.any():
        said.append("assumed: the sun shines from six to six, most at noon: no solar generation was measured")
    return tuple(said)


def _days(count: int, kind: str = "") -> str:
    return f"{count} {kind}day{'' if count == 1 else 's'}"


def _sky(solar_w: Real, per_day: int) -> Real:
    """(T,) output of the measured solar systems over their highest; a sine by day where there are none."""
    days = len(solar_w) // per_day
    if not solar_w.any():
        return np.tile(sine(per_day), days)
    output = solar_w[:, solar_w.any(axis=0)].sum(axis=1)
    return np.asarray(output / output.max())


def year_of_profiles(feeder: Feeder, path: Path, days: int, power_factor: float) -> Year:
    """The days of a file of net import: CSV or Parquet with connection_id, start and net_w, or a forecast (.npz).

    Several paths follow each other as further days. Times are taken as the feeder's own clock.
    """
    from envelope.forecast.forecast_file import load
    from envelope.forecast.own_paths import read_own

    made = load(path) if path.suffix == ".npz" else read_own(path, 0)
    per_day = DAY_S // made.step_s
    if DAY_S % made.step_s or len(made.start) < per_day:
        raise BadProblem(f"{path}: {len(made.start)} steps of {made.step_s} s hold no whole day")
    first = int(made.start[0])
    skipped = -(first % DAY_S) % DAY_S // made.step_s
    kept = (len(made.start) - skipped) // per_day * per_day
    if kept <= 0:
        raise BadProblem(f"{path}: holds no whole day from midnight")
    paths = made.scenarios(feeder.network.connections.id, power_factor=power_factor)
    part = slice(skipped, skipped + kept)
    load_w, load_var = (values[:, part, 0].reshape(-1, values.shape[-1]) for values in (paths.load_w, paths.load_var))
    solar = None if paths.solar_w is None else paths.solar_w[:, part, 0].reshape(load_w.shape)
    start = datetime.fromtimestamp(first + skipped * made.step_s, UTC).date()
    said = f"base load: {len(load_w) // per_day} days of {path.name}, power factor {power_factor:g}"
    sky = np.tile(sine(per_day), len(load_w) // per_day) if solar is None else _sky(solar, per_day)
    return Year(start, made.step_s, load_w, load_var, sky, None, (said,)).of_days(days)


def year_of_store(feeder: Feeder, store: Path, since: int, days: int) -> Year:
    """Net import of a store of measurements from a midnight on; gaps take the same time of the nearest day known."""
    from gridmodel.meter_data.reading import Window, net_import_var, net_import_w
    from gridmodel.meter_data.store import MeasurementStore, require

    require()
    window = Window(since, since + days * DAY_S, 1800)
    names = feeder.network.connections.id
    opened = MeasurementStore(store)
    found = net_import_w(opened, names, window).value
    known = float(np.isfinite(found).mean())
    if not known:
        raise BadProblem(f"{store}: has no power of any connection of {feeder.name} in the {days} days from --from on")
    load_w, load_var = _filled_days(found, 48), net_import_var(opened, names, window).value
    load_var = np.where(np.isfinite(load_var), load_var, 0.2 * np.maximum(load_w, 0.0))
    start = datetime.fromtimestamp(since, UTC).date()
    said = f"base load: {days} days of measurements from {start}, {known:.1%} of the values known"
    return Year(start, 1800, load_w, load_var, np.tile(sine(48), days), None, (said,))


def _filled_days(values: Real, per_day: int) -> Real:
    """(T, C) with gaps as on the nearest day at that time, else the connection's mean, else 0."""
    days = values.reshape(-1, per_day, values.shape[1]).copy()
    for shift in range(1, len(days)):
        for by in (shift, -shift):
            if not np.isnan(days).any():
                break
            days = np.where(np.isnan(days), np.roll(days, by, axis=0), days)
    return np.nan_to_num(days.reshape(values.shape))


def longest_run(over: Mask) -> int:
    """Most steps in a row, of a series (T,) that begins again where it ends."""
    if over.all():
        return len(over)
    turned = np.roll(over, -int(np.argmin(over)))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], turned.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
