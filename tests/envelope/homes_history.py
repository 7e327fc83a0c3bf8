"""Months of generated homes and weather in a store: habits, weekends, clouds, solar on some roofs, late readings."""

import numpy as np

from gridmodel.meter_data import series_index
from gridmodel.meter_data.staging import Series, Staging, Values
from gridmodel.meter_data.store import Kind

DAY_S, STEP_S = 86_400, 1800
SINCE = 1_767_571_200  # 2026-01-05 00:00 UTC, a Monday


def put(store, kind, columns, arrived, *, start=SINCE, step_s=STEP_S):
    """Series from `start` on: (place, quantity) to (T,) values; arrived: (T,) or one time."""
    count = len(next(iter(columns.values())))
    names = tuple(Series(place, "", quantity, "") for place, quantity in columns)
    value = np.concatenate([np.asarray(one, dtype=float) for one in columns.values()])
    at = np.tile(start + step_s * np.arange(count), len(names))
    times = np.tile(np.broadcast_to(arrived, (count,)), len(names)).astype(np.int64)
    found = Values(
        names, np.repeat(np.arange(len(names)), count), at, np.full(len(at), step_s), value,
        np.zeros(len(at), np.uint8), times,
    )  # fmt: skip
    with Staging(store, kind) as staging, store.writing():
        staging.add(found, 0)
        series_index.widen(store, kind, staging.spans)
        staging.write("test")


def homes(days, count, seed=1):
    """(T, C) net import of homes, W, and (T,) irradiance, W/m2; the first half of the homes has solar of 4 kW."""
    rng = np.random.default_rng(seed)
    hour = np.arange(days * 48) / 2 % 24
    day = np.arange(days * 48) // 48
    clear = 900 * np.maximum(np.sin((hour - 6) / 12 * np.pi), 0.0)
    cloud = rng.beta(2, 1, days)[day]
    sun = clear * cloud
    is_weekend = (day + 0) % 7 >= 5
    shape = (
        250
        + 600 * np.exp(-(((hour - 18.5) / 2) ** 2))
        + 300 * np.exp(-(((hour - np.where(is_weekend, 10, 7)) / 1.5) ** 2))
    )
    size = rng.uniform(0.6, 1.8, count)
    shared = np.repeat(rng.normal(0, 0.12, days * 4), 12)
    noise = rng.gamma(2.0, 0.5, (days * 48, count))
    load = shape[:, None] * size * noise * (1 + shared[:, None])
    solar = np.where(np.arange(count) < count // 2, 4.0, 0.0) * sun[:, None]
    return load - solar, sun


def fill(store, days, count, *, late_s=6 * 3600, weather=True):
    """Homes h00, h01 …, whose readings of a day arrive `late_s` after its end; weather measured, and forecast daily."""
    net, sun = homes(days, count)
    step = np.arange(days * 48)
    arrived = SINCE + (step // 48 + 1) * DAY_S + late_s
    put(store, Kind.AMI, {(f"h{k:02d}", "net_w"): net[:, k] for k in range(count)}, arrived)
    if weather:
        put(store, Kind.WEATHER, {("site", "ghi_w_m2"): sun}, SINCE + (step + 1) * STEP_S)
        rng = np.random.default_rng(9)
        foreseen = sun * np.repeat(rng.normal(1.0, 0.15, days), 48)
        # Two days ahead, issued at the midnight before each.
        put(store, Kind.WEATHER, {("site", "ghi_w_m2"): foreseen}, SINCE + (step // 48) * DAY_S)
        following = np.roll(foreseen, 0)[48:]
        put(
            store,
            Kind.WEATHER,
            {("site", "ghi_w_m2"): following},
            SINCE + (step[48:] // 48 - 1) * DAY_S,
            start=SINCE + DAY_S,
        )
    return net
