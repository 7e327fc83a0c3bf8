"""Names that columns and words of meter files have in practice, and the quantities that they stand for."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from gridmodel.meter_data.mapping import Meaning
from gridmodel.meter_data.quantities import DIMENSION, ENERGY_OF, SI_UNIT, UNITS, Quality, Quantity
from gridmodel.readers.meant import LIKELY

WORD = re.compile(r"[a-z0-9/]+")
VOLTAGES = {
    "v": Quantity.VOLTAGE,
    "vavg": Quantity.VOLTAGE,
    "vmin": Quantity.LOWEST_VOLTAGE,
    "vmax": Quantity.HIGHEST_VOLTAGE,
    "voltage": Quantity.VOLTAGE,
    "volts": Quantity.VOLTAGE,
    "avgvoltage": Quantity.VOLTAGE,
    "minvoltage": Quantity.LOWEST_VOLTAGE,
    "maxvoltage": Quantity.HIGHEST_VOLTAGE,
}
WEATHER = {
    "tempc": (Quantity.TEMPERATURE, "c"),
    "temperature": (Quantity.TEMPERATURE, "c"),
    "temperaturec": (Quantity.TEMPERATURE, "c"),
    "airtemp": (Quantity.TEMPERATURE, "c"),
    "ghi": (Quantity.IRRADIANCE, "w/m2"),
    "ghiwm2": (Quantity.IRRADIANCE, "w/m2"),
    "windms": (Quantity.WIND, "m/s"),
    "windspeed": (Quantity.WIND, "m/s"),
    "cloudshare": (Quantity.CLOUD, "share"),
    "cloudpercent": (Quantity.CLOUD, "percent"),
    "cloudcover": (Quantity.CLOUD, "percent"),
}
WEATHER_WORDS = {
    Quantity.TEMPERATURE: ("temp", "temperature", "airtemp", "airtemperature", "temperature2m", "t2m", "drybulb"),
    Quantity.IRRADIANCE: ("ghi", "globalhorizontalirradiance", "irradiance", "solarirradiance", "shortwaveradiation"),
    Quantity.WIND: ("wind", "windspeed", "windspeed10m"),
    Quantity.CLOUD: ("cloud", "cloudcover", "clouds", "cloudiness", "totalcloudcover", "cloudshare"),
}
WITH_UNIT = re.compile(r"(?P<name>[^()\[\]]+?)\s*[(\[](?P<unit>[^()\[\]]+)[)\]]")
UNIT_WORDS = {
    "c": "c", "°c": "c", "degc": "c", "celsius": "c", "f": "f", "°f": "f", "degf": "f", "fahrenheit": "f", "k": "k",
    "w/m2": "w/m2", "w/m²": "w/m2", "w/m^2": "w/m2", "kw/m2": "kw/m2", "kw/m²": "kw/m2",
    "m/s": "m/s", "ms-1": "m/s", "km/h": "km/h", "kmh": "km/h", "kph": "km/h", "mph": "mph", "kn": "kn", "kt": "kn",
    "knots": "kn", "%": "percent", "percent": "percent", "share": "share", "0-1": "share", "okta": "okta",
    "oktas": "okta", "eighths": "okta",
}  # fmt: skip
OF_DIRECTION = {
    ("net", "W"): Quantity.NET,
    ("export", "W"): Quantity.EXPORT,
    ("import", "W"): Quantity.IMPORT,
    ("net", "var"): Quantity.NET_VAR,
    ("export", "var"): Quantity.EXPORT_VAR,
    ("import", "var"): Quantity.IMPORT_VAR,
}
PHASE = re.compile(r"(?:^|[_ .-])(?:phase|ph|l)?[_ .-]?([abc]|[123])$", re.I)


@lru_cache
def names() -> dict[str, Any]:
    """Names that columns and words have in practice."""
    return tomllib.loads((files("gridmodel") / "data" / "meter_columns.toml").read_text(encoding="utf-8"))


def plain(word: str) -> str:
    """A name in small letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


def meaning_of(said: str) -> Meaning | None:
    """The quantity and unit that a column's name or a word says; None where it says none."""
    name = plain(said)
    if name in WEATHER:
        return Meaning(*WEATHER[name])
    if (weather := _of_weather(said)) is not None:
        return weather
    for quantity, own in ENERGY_OF.items():
        if name == plain(own):
            return Meaning(quantity, own.rpartition("_")[2])
    phase_found = PHASE.search(said.strip())
    phase = (
        ""
        if phase_found is None
        else {"1": "a", "2": "b", "3": "c"}.get(phase_found[1].lower(), phase_found[1].lower())
    )
    words = WORD.findall(said.lower().replace("_", " ").replace(".", " "))
    bare = plain(said[: phase_found.start()]) if phase_found else name
    if bare in VOLTAGES or bare.removesuffix("v") in VOLTAGES:
        return Meaning(VOLTAGES.get(bare) or VOLTAGES[bare.removesuffix("v")], "v", phase=phase)
    unit = next((word for word in reversed(words) if word in UNITS and UNITS[word].dimension in ("W", "var")), "")
    if not unit:
        return Meaning(Quantity.CURRENT, "a", phase=phase) if bare in ("current", "amps", "ia", "currenta") else None
    direction = next(
        (kind for kind, known in names()["directions"].items() for word in words if word in known), "import"
    )
    found = OF_DIRECTION.get((direction, UNITS[unit].dimension))
    return None if found is None else Meaning(found, unit, phase=phase)


def _of_weather(said: str) -> Meaning | None:
    """The quantity and unit of a header such as `Wind speed (km/h)`; None where it names no weather."""
    found = WITH_UNIT.fullmatch(said.strip())
    if found is None:
        return None
    kind = next((one for one in WEATHER_WORDS if plain(found["name"]) in WEATHER_WORDS[one]), None)
    unit = UNIT_WORDS.get(found["unit"].lower().replace(" ", ""))
    if kind is None or unit is None or UNITS[unit].dimension != DIMENSION[kind]:
        return None
    return Meaning(kind, unit)


def meaning_of_word(word: str, column: str) -> Meaning | None:
    """What a word says of the values of a column, whose own name may say the unit."""
    for quantity in Quantity:
        if word.strip().lower() == quantity:
            return Meaning(quantity, SI_UNIT[DIMENSION[quantity]])
    return meaning_of(word) or meaning_of(f"{word} {column}")


def usual_quality(word: str) -> Quality | None:
    """How a word about a value's quality is usually meant; None where that is not known."""
    if not word:
        return Quality.MEASURED
    found = next((kind for kind, words in names()["qualities"].items() if plain(word) in words), None)
    return None if found is None else Quality[found.upper()]


def unused_columns(columns: Sequence[str], used: Collection[str]) -> str:
    """A sentence on columns that are not used, with the usual name that may be meant; "" where there are none."""
    usual = {plain(one): kind for kind, known in names()["columns"].items() for one in known}
    said = []
    for name in columns:
        if name not in used:
            near = difflib.get_close_matches(plain(name), usual, 1, LIKELY)
            said.append(f"{name} (did you mean {usual[near[0]]}?)" if near and plain(name) not in usual else name)
    return f"columns not used: {', '.join(said)}" if said else ""


def has_energy_unit(name: str) -> bool:
    """Whether a column's name says a unit of energy or power."""
    meaning = meaning_of(name)
    return meaning is not None and UNITS[meaning.unit].dimension in ("W", "var")
