"""Where operators send controls to: the place of a device, and the program there that is theirs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row

from sep2.errors import Conflict
from sep2.operations.curves import adopt_curve
from sep2.operations.groups import programs_of_device
from sep2.operations.modes import curve_ids
from sep2.rules.authority import MOST_PROGRAMS, Primacies, Role
from sep2.rules.floors import raised
from sep2.rules.limits import Limits
from sep2.rules.reach import not_carried
from sep2.store import curves, groups
from sep2.store.connection import Connection


class TooManyPrograms(Conflict):
    """A device would have to follow more programs than clients are known to (15); take it out of a group first."""


@dataclass(frozen=True)
class Place:
    """A connection, or a device that has programs of its own, with the devices that obey what is sent there."""

    name: str
    connection_id: int | None
    device_id: int | None
    devices: tuple[Row[Any], ...] = ()
    beside: bool = False
    """whether another device holds the limits of its connection"""
    subject: str = ""
    """the connection's id, where no device is there"""
    marked: str = "none"
    """as what the connection is marked, where no device is there"""

    @property
    def key(self) -> str:
        """What it is known by, whatever it is called."""
        return f"device {self.device_id}" if self.connection_id is None else f"connection {self.connection_id}"

    @property
    def least_load_w(self) -> int:
        """What rules guarantee to controllable loads there: those of the device, or all those of the connection."""
        column = "least_load_w" if self.connection_id is None else "site_least_w"
        return max((getattr(device, column) or 0 for device in self.devices), default=0)

    @property
    def connection_name(self) -> str:
        """The id of the connection that it is, or that its device is at; empty where it is at none."""
        return next((device.connection_name for device in self.devices if device.connection_name), self.subject)

    @property
    def protected(self) -> str:
        """As what its connection is marked; empty where it is not protected."""
        found = next((device.protected for device in self.devices if device.protected), self.marked)
        return "" if found == "none" else found

    @property
    def rating_w(self) -> int:
        """What is there to be held back, as far as it is known: what devices report, or else the contract."""
        known = [device.set_max_w or device.nameplate_w or 0 for device in self.devices]
        firm = [watts for device in self.devices for watts in (device.firm_export_w, device.firm_import_w) if watts]
        return sum(known) or max(firm, default=0)

    def is_reached(self, limits: Limits) -> bool:
        """Whether any device there is told these limits; where there is none, whoever comes will be."""
        return not self.devices or any(is_told(device, limits) for device in self.devices)

    def fits(self, limits: Limits) -> Limits:
        """Those of the limits that can be kept there: a device beside the holder does not see import and export.

        None of them is below what a rule guarantees to controllable loads.
        """
        kept = replace_net(limits) if self.beside else limits
        return raised(kept, self.least_load_w)


def replace_net(limits: Limits) -> Limits:
    """The same without bounds on import and export."""
    return limits._replace(import_w=None, export_w=None)


def places_of(devices: Iterable[Row[Any]]) -> list[Place]:
    """The places of some devices: the connection of one that holds its limits, else the device."""
    found: dict[tuple[int | None, int | None], Place] = {}
    for device in devices:
        if device.place_id is not None and device.holds_net_limit:
            place = Place(f"connection {device.connection_name}", device.place_id, None)
        else:
            place = Place(f"device {device.lfdi}", None, device.id, beside=device.place_id is not None)
        key = place.connection_id, place.device_id
        known = found.setdefault(key, place)
        found[key] = replace(known, devices=(*known.devices, device))
    return list(found.values())


async def programs_at(db: Connection, place: Place, now: int, primacies: Primacies) -> dict[Role, Row[Any]]:
    """The programs of a place by their role; a device without a connection is given the operators' on first use."""
    (found,) = await programs_at_each(db, [place], now, primacies)
    return found


async def programs_at_each(
    db: Connection, places: Sequence[Place], now: int, primacies: Primacies
) -> list[dict[Role, Row[Any]]]:
    """The same of several places, in their order."""
    for place in places:
        if place.device_id is not None:
            await programs_of_device(db, place.device_id, now, primacies=primacies)
    at_connections = await groups.at_connections(db, [one.connection_id for one in places if one.connection_id])
    counts = await groups.counts_of(db, [device.id for place in places for device in place.devices])
    found = []
    for place in places:
        rows = at_connections.get(place.connection_id or 0, [])
        if place.connection_id is None:
            rows = list(await groups.at_place(db, device_id=place.device_id))
        for device in place.devices:
            if counts.get(device.id, 0) > MOST_PROGRAMS:
                raise TooManyPrograms(f"device {device.lfdi}")
        found.append({Role(row.role): row for row in rows})
    return found


async def with_curves(db: Connection, group_id: int, modes: Mapping[str, Any], now: int) -> dict[str, Any]:
    """The same modes, with the curves that they link to made known in another program of the same place."""
    linked = curve_ids(modes)
    found = dict(modes)
    if not linked:
        return found
    target = await groups.one(db, group_id)
    for mode, number in linked.items():
        row = await curves.one(db, number)
        if row is None or target is None or row.device_group_id == group_id:
            continue
        home = await groups.one(db, row.device_group_id)
        if home is not None and _same_place(home, target):
            found[mode] = await adopt_curve(db, group_id, row, now)
    return found


def _same_place(one: Row[Any], other: Row[Any]) -> bool:
    places = [(row.connection_id, row.end_device_id) for row in (one, other)]
    return places[0] == places[1] and places[0] != (None, None)


def is_told(device: Row[Any], limits: Limits) -> bool:
    """Whether a device may speak to the server, and its profile carries at least one of some limits."""
    said = [name for name, watts in zip(Limits._fields, limits, strict=True) if watts is not None]
    return bool(device.enabled and device.client_enabled) and len(not_carried(device, limits)) < max(1, len(said))


def not_reached(limits: Limits, devices: Sequence[Row[Any]], told: Sequence[Place]) -> list[tuple[Row[Any], str]]:
    """The devices of a scope that can not be told all of some limits, each with why; told: the places that are."""
    reached = {device.id for place in told for device in place.devices}
    found = []
    for device in devices:
        if device.id not in reached:
            found.append((device, "another device holds the limits of its connection"))
        elif not (device.enabled and device.client_enabled):
            found.append((device, "its client is shut out"))
        elif lost := not_carried(device, limits):
            found.append((device, f"profile csip can not carry the {' and '.join(lost)} limit"))
    return found
