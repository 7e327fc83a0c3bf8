"""Customers who depend on their supply: which commands are not sent to them unless they are named."""

from collections.abc import Mapping
from typing import Any

from sep2.rules.limits import Limits

PROTECTED = ("none", "life_support", "critical")
"""What a connection may be marked as."""
DISCONNECTS = ("opModConnect", "opModEnergize")
"""Modes that take a device off the network where they are false."""


def disconnects(modes: Mapping[str, Any]) -> bool:
    """Whether these modes take a device off the network."""
    return any(modes.get(mode) is False for mode in DISCONNECTS)


def cuts_supply(limits: Limits, modes: Mapping[str, Any]) -> bool:
    """Whether a command bounds what a customer may draw, or takes them off the network."""
    return limits.import_w is not None or limits.load_w is not None or disconnects(modes)
