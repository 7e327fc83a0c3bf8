"""Solar output of a roof under a clear sky and under clouds."""

from dataclasses import dataclass

import numpy as np

from gridmodel.arrays import Real

DC_PER_AC = 1.15
"""Panels are sold larger than their inverter, which is why a clear noon is flat."""
SYSTEM_EFFICIENCY = 0.86


@dataclass(frozen=True, slots=True)
class Sky:
    """Latitude and day of the year, which determine the sun's path."""

    latitude_deg: float = 52.0
    day_of_year: int = 141


def elevation_and_azimuth(sky: Sky, solar_hour: Real) -> tuple[Real, Real]:
    """Return the sun's elevation, and its azimuth clockwise from north, radians."""
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + sky.day_of_year) / 365)
    latitude = np.radians(sky.latitude_deg)
    angle = np.radians(15.0) * (solar_hour - 12.0)
    up = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(angle)
    east = -np.cos(declination) * np.sin(angle)
    north = np.cos(latitude) * np.sin(declination) - np.sin(latitude) * np.cos(declination) * np.cos(angle)
    return np.arcsin(np.clip(up, -1.0, 1.0)), np.arctan2(east, north)


def clear_sky_pu(sky: Sky, solar_hour: Real, facing_deg: Real, tilt_deg: float = 30.0) -> Real:
    """Return clear-sky output of roofs facing `facing_deg` from north, (steps, roofs) per unit of inverter rating."""
    elevation, azimuth = elevation_and_azimuth(sky, solar_hour)
    height = np.maximum(np.sin(elevation), 0.0)
    # Meinel's clear sky: direct light in kW/m2 through an air mass of 1/height; a tenth of it arrives diffusely.
    direct = np.where(height > 0.01, 1.353 * 0.7 ** (np.maximum(height, 0.01) ** -0.678), 0.0)
    tilt = np.radians(tilt_deg)
    bearing = azimuth[:, None] - np.radians(facing_deg)[None, :]
    incidence = height[:, None] * np.cos(tilt) + np.cos(elevation)[:, None] * np.sin(tilt) * np.cos(bearing)
    on_panel = direct[:, None] * (np.maximum(incidence, 0.0) + 0.1 * (1 + np.cos(tilt)) / 2)
    return np.asarray(np.minimum(SYSTEM_EFFICIENCY * DC_PER_AC * on_panel, 1.0), dtype=float)


def cloud_factor(rng: np.random.Generator, steps: int) -> Real:
    """Return output over clear-sky output, (steps,): mostly 1, with periods of broken clouds."""
    slow = _smooth(rng.standard_normal(steps), 30)
    quick = _smooth(rng.standard_normal(steps), 3)
    cover = np.clip(0.8 * slow + 0.5 * quick - 0.5, 0.0, 1.0)
    return np.asarray(0.99 - 0.65 * cover, dtype=float)


def _smooth(noise: Real, width: int) -> Real:
    """Return noise averaged over `width` steps (the day wraps), at unit variance."""
    kernel = np.ones(width) / np.sqrt(width)
    wrapped = np.concatenate([noise, noise[: width - 1]])
    return np.convolve(wrapped, kernel, mode="valid")
