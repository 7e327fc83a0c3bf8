"""Settings of a server: `sep2.toml`, its fields, and how it is read."""

from sep2.settings.beside import Mail
from sep2.settings.fields import (
    FILE,
    POLLED,
    UTILITIES,
    Limits,
    Pace,
    ProfileName,
    Receivers,
    Registration,
    Retention,
    Settings,
    SettingsError,
    Utility,
)
from sep2.settings.reading import parse, read, read_token, resolved

__all__ = [
    "FILE",
    "POLLED",
    "UTILITIES",
    "Limits",
    "Mail",
    "Pace",
    "ProfileName",
    "Receivers",
    "Registration",
    "Retention",
    "Settings",
    "SettingsError",
    "Utility",
    "parse",
    "read",
    "read_token",
    "resolved",
]
