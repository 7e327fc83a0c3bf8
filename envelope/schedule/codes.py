"""Codes of a schedule: status of a limit, and bindings that are no constraint."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


STATUS = (
    "ok",
    "infeasible_base",
    "infeasible_firm",
    "no_import_control",
    "no_export_control",
    "no_control",
    "no_model",
    "no_model_infeasible_base",
)
BREACHED = 2
"""the last position in STATUS that says that the base load or the firm minimum breaches a limit"""
CAPACITY, NETWORK, NEXT, UNCONTROLLED, CEILING = -1, -2, -3, -4, -5
"""bindings that are no constraint: own capacity; the network, where no constraint can be named; a later interval of the
hull; no client that can be sent a limit; the most that the policy grants"""


def special_bindings(direction: str) -> dict[int, str]:
    """Names of bindings that are no constraint."""
    return {
        CAPACITY: "capacity",
        NETWORK: "network",
        NEXT: "next",
        UNCONTROLLED: f"no_{direction}_control",
        CEILING: "ceiling",
    }
