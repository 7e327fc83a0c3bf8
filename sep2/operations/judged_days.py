"""Verdicts as they are stored: a row for every interval in which a limit was not kept, bits and sums for each day."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.rules.days import SLOT_S, LocalTime, from_octets, mask, to_octets
from sep2.rules.obedience import Direction, Judged, State
from sep2.store import judged
from sep2.store.connection import Connection

NOT_KEPT = (State.LATE, State.BREACH, State.OPTED_OUT)


class Verdicts(NamedTuple):
    """What was found, by device and direction, and of what time."""

    found: Mapping[tuple[int, Direction], Sequence[Judged]]
    window: Any
    """since and until, epoch seconds"""
    acted: Mapping[int, Sequence[Row[Any]]] = {}
    """by device: who acted for it before its present client, the earliest first"""


Key = tuple[int, str, int, int]
"""Device, direction, the beginning of the day, and the client that acted for it."""


class Acting(NamedTuple):
    """Who acts for some devices, and who did before."""

    devices: Mapping[int, Row[Any]]
    before: Mapping[int, Sequence[Row[Any]]]

    def at(self, device: int, start: int) -> int:
        """The client that acted for a device at a time."""
        former = next((one for one in self.before.get(device, ()) if start < one.until), None)
        return int((self.devices[device] if former is None else former).client_id)

    def name(self, device: int, client: int) -> str:
        """What that client is called, or was when it stopped."""
        present = self.devices[device]
        known = [present, *self.before.get(device, ())]
        return str(next((one for one in known if one.client_id == client), present).client_name)


async def day_rows(
    db: Connection, devices: Sequence[Row[Any]], verdicts: Verdicts, local: LocalTime
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of intervals and of days that are to stand, given what stands of these days already."""
    window, ids = verdicts.window, [device.id for device in devices]
    first, last = local.day_of(window.since), local.day_of(window.until - 1)
    known = {device.id: device for device in devices}
    acting = Acting(known, verdicts.acted)
    stored = {_key(row): row for row in await judged.days(db, ids, first, last)}
    before: dict[Key, list[Any]] = {}
    for row in await judged.rows(db, ids, first, last + 2 * 86_400):
        if not window.since <= row.start < window.until:
            key = row.end_device_id, row.direction, local.day_of(row.start), row.client_id
            before.setdefault(key, []).append(row)
    fresh: dict[Key, list[Judged]] = {}
    for (device, direction), several in verdicts.found.items():
        for one in several:
            client = acting.at(device, one.start)
            fresh.setdefault((device, direction.value, local.day_of(one.start), client), []).append(one)
    of_days = []
    for key in fresh.keys() | stored.keys():
        day = _Day(key, stored.get(key), before.get(key, ()), fresh.get(key, ()))
        if day.stored is not None or any(one.state is not State.EXEMPT for one in day.fresh):
            of_days.append(day.row(known[key[0]], window, acting.name(key[0], key[3])))
    found = [
        _row(device, direction, one) | {"client_id": acting.at(device, one.start)}
        for (device, direction), several in verdicts.found.items()
        for one in several
        if one.state in NOT_KEPT
    ]
    await judged.add_sums(db, _gained(of_days, stored, known))
    return found, of_days


def _key(row: Any) -> Key:
    """The key of a stored day; one of before clients were told apart is the present client's."""
    return row.end_device_id, row.direction, row.day, row.client_id


def _gained(
    of_days: Iterable[Mapping[str, Any]], stored: Mapping[Key, Row[Any]], devices: Mapping[int, Row[Any]]
) -> list[dict[str, Any]]:
    """By how much the sums of a day grow, by kind and name; where a device is, and its make, count as they are now."""
    grown: dict[tuple[str, int, str, str], dict[str, Any]] = {}
    for row in of_days:
        number, direction, day, client = row["end_device_id"], row["direction"], row["day"], row["client_id"]
        old, device = stored.get((number, direction, day, client)), devices[number]
        by = {name: row[name] - (0 if old is None else getattr(old, name)) for name in judged.SUMS}
        if not any(by.values()):
            continue
        names = {"total": "", "client": row["client_name"], "make": device.make or ""}
        if device.place_id is not None:
            names["place"] = str(device.place_id)
        for kind, name in names.items():
            sums = grown.setdefault((kind, day, name, direction), dict.fromkeys(judged.SUMS, 0))
            for one, value in by.items():
                sums[one] += value
    return [
        {"kind": kind, "day": day, "name": name, "direction": direction, **sums}
        for (kind, day, name, direction), sums in sorted(grown.items())
    ]


def _row(device: int, direction: Direction, one: Judged) -> dict[str, Any]:
    return {
        "end_device_id": device,
        "direction": direction.value,
        "start": one.start,
        "duration_s": one.duration_s,
        "state": one.state.value,
        "allowed_w": one.allowed_w,
        "measured_w": one.measured_w,
        "covered_s": one.covered_s,
        "binding": one.binding,
        "breach_wh": one.breach_wh,
        "control": "" if one.control is None or one.control < 0 else f"{one.control:032X}",
    }


class _Day(NamedTuple):
    """A day of a device, direction and client: what is stored, its rows outside the window, and what was found anew."""

    key: Key
    stored: Row[Any] | None
    before: Iterable[Any]
    fresh: Sequence[Judged]

    def row(self, device: Row[Any], window: Any, client_name: str) -> dict[str, Any]:
        """The day as it is to be stored, under the name of the client that acted for the device."""
        number, direction, day, client = self.key
        kept = [*self.before, *(one for one in self.fresh if one.state in NOT_KEPT)]
        bits = {name: self._bits(name, window) for name in judged.BITS}
        unknown = [one.reason for one in self.fresh if one.state is State.UNKNOWN]
        binding_ok_s = SLOT_S * bits["binding_bits"].bit_count()
        return {
            "end_device_id": number,
            "direction": direction,
            "day": day,
            "client_id": client,
            "lfdi": device.lfdi,
            "client_name": client_name,
            "connection_name": device.connection_name or "",
            "ok_s": SLOT_S * bits["ok_bits"].bit_count(),
            "unknown_s": SLOT_S * bits["unknown_bits"].bit_count(),
            **{f"{state.value}_s": sum(one.duration_s for one in kept if one.state == state) for state in NOT_KEPT},
            "binding_s": binding_ok_s + sum(one.duration_s for one in kept if one.binding),
            "binding_ok_s": binding_ok_s,
            "breach_wh": sum(one.breach_wh for one in kept),
            **{name: to_octets(value) for name, value in bits.items()},
            "reason": unknown[-1] if unknown else "" if self.stored is None else self.stored.reason,
        }

    def _bits(self, name: str, window: Any) -> int:
        day = self.key[2]
        old = 0 if self.stored is None else from_octets(bytes(getattr(self.stored, name)))
        bits = old & ~mask(day, window.since, window.until)
        for one in self.fresh:
            if _is_of(name, one):
                bits |= mask(day, one.start, one.start + one.duration_s)
        return bits


def _is_of(name: str, one: Judged) -> bool:
    if name == "unknown_bits":
        return one.state is State.UNKNOWN
    return one.state is State.OK and (name == "ok_bits" or one.binding)
