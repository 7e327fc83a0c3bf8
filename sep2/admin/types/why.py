"""Why a connection is limited at a moment, as the operator API says it."""

from typing import Any

from msgspec import Struct

from sep2.rest.types import Asked, Epoch


class WhyQuery(Asked, frozen=True, kw_only=True):
    """The moment that is asked about; without, it is now."""

    at: Epoch | None = None


class WhyMode(Struct, frozen=True, kw_only=True):
    """One limit or mode at that moment, who says so, and what others would say in its place."""

    mode: str
    value: Any
    source: str
    """override, schedule, envelope, group, default or contract"""
    group: str
    control: str | None
    until: int | None
    reason: str
    binding: str
    """of an envelope: the constraint that binds it, such as `over-voltage at node n12, phase b`, or `capacity`"""
    override: int | None
    operator: str
    below: list[str]
    """what else says something of it, the most important first"""
    unsupported: str = ""
    """why the device is not told it, or can not do it; empty where nothing speaks against it"""


class DeviceWhy(Struct, frozen=True, kw_only=True):
    """All that is in force for a device beside the one that holds the connection's limits."""

    device: str
    name: str
    modes: list[WhyMode]
    next_change: int | None


class Why(Struct, frozen=True, kw_only=True):
    """All that is in force at a connection at a moment, and when the next change is."""

    connection_id: str
    device: str | None
    """the one that holds the connection's limits"""
    at: int
    modes: list[WhyMode]
    next_change: int | None
    others: list[DeviceWhy] = []
    """the first of the other devices there, which have limits of their own"""
    other_devices: int = 0
    """how many there are"""
