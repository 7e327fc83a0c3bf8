"""Powers and energies in sentences that people read."""

SIZES = ((1_000_000, "M"), (1000, "k"))


def told_power(watts: float) -> str:
    """W as 1.5 kW or 2 MW."""
    return _told(watts, "W")


def told_energy(watt_hours: float) -> str:
    """Wh as 1.5 kWh or 2 MWh."""
    return _told(watt_hours, "Wh")


def _told(value: float, unit: str) -> str:
    for size, prefix in SIZES:
        if abs(value) >= size:
            return f"{round(value / size, 3):g} {prefix}{unit}"
    return f"{round(value, 3):g} {unit}"
