"""What an import is to change: rows of sheets, compared with what is registered. Nothing is changed here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sep2.rules.authority import PRIMACIES, Primacies
from sep2.rules.identifiers import DOCUMENTATION_PEN, managed_lfdi
from sep2.rules.names import key_of
from sep2.rules.sheets import SHEETS, Row, Wrong
from sep2.rules.territory import KINDS, may_lie_below

NEW_SITE = {"description": "", "firm_import_w": None, "firm_export_w": None, "protected": "none"}
"""What a new connection is where its row does not say it."""


class Change(NamedTuple):
    """What a row does: to what, and for each column what was there before and what is then."""

    line: int
    sheet: str
    action: str
    name: str
    fields: dict[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Terms:
    """What is taken where a sheet does not say it: the client of devices, and what new clients speak."""

    client: str | None = None
    profile: str = "csip-aus-1.2"
    registration: str = "out-of-band"
    pen: int = DOCUMENTATION_PEN
    primacies: Primacies = PRIMACIES
    floors: Mapping[str, Callable[[int], int]] = field(default_factory=dict)
    """Least limits of controllable loads by the name of their rule: watts of so many."""
    floor: str = ""
    """The rule of new devices of which a sheet says none."""

    def least(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """What is stored of a device under its rule; one load, where nobody says how many."""
        rule, loads = said.get("floor"), said.get("controllable_loads")
        if not rule:
            return {"floor_rule": None, "controllable_loads": None, "least_load_w": None}
        count = 1 if loads is None else loads
        return {"floor_rule": rule, "controllable_loads": count, "least_load_w": self.floors[rule](count)}


@dataclass(slots=True)
class Outcome:
    """What an import does, or did: its changes, rows that are as they were, what is wrong, and columns not read."""

    changes: list[Change] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    unchanged: int = 0
    ignored: dict[str, list[str]] = field(default_factory=dict)
    applied: bool = False


class Bad(Exception):
    """A row can not be done."""

    def __init__(self, column: str, code: str, message: str) -> None:
        super().__init__(message)
        self.column, self.code, self.message = column, code, message


@dataclass(slots=True)
class Known:
    """What is registered, or will be: `row` is None for what the import adds."""

    name: str
    row: Any = None
    said: dict[str, Any] = field(default_factory=dict)


class Plan:
    """The register as it will be after the rows that were looked at, and what is to be done for that."""

    def __init__(self, terms: Terms, done: Outcome) -> None:
        self.terms = terms
        self.done = done
        self.clients: dict[str, Known] = {}
        self.places: dict[str, Known] = {}
        self.connections: dict[str, Known] = {}
        self.devices: dict[str, Known] = {}
        self.by_lfdi: dict[str, Known] = {}
        self.holders: dict[str, Known] = {}
        self.seen: set[tuple[str, str]] = set()
        self.new: dict[str, list[Known]] = {name: [] for name in SHEETS}
        self.sets: dict[str, list[tuple[Known, dict[str, Any]]]] = {name: [] for name in SHEETS}
        self.put: dict[str, list[Known]] = {}
        """connections by the place that they are to be at"""
        self._parents: list[tuple[int, Known]] = []
        self.removals: dict[str, list[Known]] = {name: [] for name in SHEETS}

    def hold(self, known: Known) -> None:
        """Know a device by its LFDI, its name, and the connection whose limits it holds."""
        self.by_lfdi[known.name] = known
        if known.said.get("device_id"):
            self.devices[key_of(known.said["device_id"])] = known
        if known.said.get("connection_id") and known.said["control_point"] == "site":
            self.holders[key_of(known.said["connection_id"])] = known

    def look(self, sheet: str, row: Row) -> None:
        """Plan what one row asks for."""
        try:
            {"clients": self._client, "places": self._place, "connections": self._site, "devices": self._device}[sheet](
                row
            )
        except Bad as bad:
            self.done.wrong.append(Wrong(row.line, sheet, bad.column, bad.code, bad.message))

    def _once(self, sheet: str, row: Row, key: str, column: str) -> None:
        if (sheet, key) in self.seen:
            raise Bad(column, "double_row", f"{key} is there twice")
        self.seen.add((sheet, key))

    def _found(self, sheet: str, row: Row, known: Known | None, named: tuple[str, str]) -> bool:
        """Whether the row is about something that is there; refuses where that contradicts its action.

        named: what the row calls it, and in which column.
        """
        name, column = named
        if row.action == "add" and known is not None:
            raise Bad(column, "taken", f"{name} is registered already")
        if row.action in ("set", "remove") and known is None:
            raise Bad(column, "unknown", f"{name} is not registered")
        if row.action == "remove" and known is not None:
            self.removals[sheet].append(known)
            self.done.changes.append(Change(row.line, sheet, "remove", name, {}))
        return known is not None

    def _differs(self, sheet: str, row: Row, known: Known, said: Mapping[str, Any]) -> dict[str, Any]:
        """What of a row differs from what is there; noted as a change."""
        fresh = {column: value for column, value in said.items() if known.said.get(column) != value}
        if fresh:
            fields = {column: (known.said.get(column), value) for column, value in fresh.items()}
            self.done.changes.append(Change(row.line, sheet, "set", known.name, fields))
            known.said |= fresh
        else:
            self.done.unchanged += 1
        return fresh

    def _added(self, sheet: str, row: Row, name: str, said: Mapping[str, Any]) -> None:
        fields = {column: (None, value) for column, value in said.items()}
        self.done.changes.append(Change(row.line, sheet, "add", name, fields))

    def _client(self, row: Row) -> None:
        name = row.cells["name"]
        self._once("clients", row, key_of(name), "name")
        known = self.clients.get(key_of(name))
        said = {column: value for column, value in row.cells.items() if column != "name"}
        if self._found("clients", row, known, (name, "name")):
            assert known is not None
            if row.action == "remove":
                return
            for column in ("kind", "lfdi"):
                if said.get(column, known.said[column]) != known.said[column]:
                    raise Bad(column, "fixed", f"{column} of {name} is {known.said[column]}, and is not set by imports")
            fresh = self._differs("clients", row, known, said)
            if fresh and known.row is not None:
                self.sets["clients"].append((known, fresh))
            return
        if "lfdi" not in said:
            raise Bad("lfdi", "missing_value", f"{name} is new, and needs the LFDI of its certificate")
        if any(one.said["lfdi"] == said["lfdi"] for one in self.clients.values()):
            raise Bad("lfdi", "taken", f"{said['lfdi']} is another client's")
        new = Known(name, None, {"kind": "aggregator", "receivers": (), **said})
        self.clients[key_of(name)] = new
        self.new["clients"].append(new)
        self._added("clients", row, name, said)

    def _place(self, row: Row) -> None:
        name = row.cells["place"]
        self._once("places", row, key_of(name), "place")
        known = self.places.get(key_of(name))
        said = {column: value for column, value in row.cells.items() if column != "place"}
        if self._found("places", row, known, (name, "place")):
            assert known is not None
            if row.action == "remove":
                return
            if said.get("kind", known.said["kind"]) != known.said["kind"]:
                raise Bad("kind", "fixed", f"{name} is a {known.said['kind']}, and stays one")
            fresh = self._differs("places", row, known, said)
            self._parents.append((row.line, known))
            if fresh and known.row is not None:
                self.sets["places"].append((known, fresh))
            return
        if "kind" not in said:
            raise Bad("kind", "missing_value", f"{name} is new, and needs a kind: {', '.join(KINDS)}")
        new = Known(name, None, dict(said))
        self._parents.append((row.line, new))
        self.places[key_of(name)] = new
        self.new["places"].append(new)
        self._added("places", row, name, said)

    def check_parents(self) -> None:
        """Note places whose parent is not there, or is of a kind that they can not lie below."""
        for line, known in self._parents:
            if known.said.get("parent") is None:
                continue
            parent = self.places.get(key_of(known.said["parent"]))
            kind = known.said["kind"]
            if parent is None:
                message = f"there is no place {known.said['parent']}"
                self.done.wrong.append(Wrong(line, "places", "parent", "unknown_place", message))
            elif not may_lie_below(kind, parent.said["kind"]):
                message = f"a {kind} does not lie below a {parent.said['kind']}"
                self.done.wrong.append(Wrong(line, "places", "parent", "bad_place", message))

    def _site(self, row: Row) -> None:
        name = row.cells["connection_id"]
        self._once("connections", row, key_of(name), "connection_id")
        known = self.connections.get(key_of(name))
        said = {column: value for column, value in row.cells.items() if column != "connection_id"}
        if "transformer_id" in said:
            said.setdefault("place", said.pop("transformer_id"))
            said.pop("transformer_id", None)
            self._transformer(row, said["place"])
        if self._found("connections", row, known, (name, "connection_id")) and row.action == "remove":
            return
        if "place" in said:
            place = self.places.get(key_of(said["place"]))
            if place is None:
                raise Bad("place", "unknown_place", f"there is no place {said['place']}")
            said["place"] = place.name
        if known is None:
            new = Known(name, None, {**NEW_SITE, **said})
            self.connections[key_of(name)] = new
            self.new["connections"].append(new)
            self._added("connections", row, name, said)
            return
        fresh = self._differs("connections", row, known, said)
        if "place" in fresh:
            self.put.setdefault(fresh.pop("place"), []).append(known)
        if fresh:
            self.sets["connections"].append((known, fresh))

    def _transformer(self, row: Row, name: str) -> None:
        """A transformer that only its connections name is a place as well."""
        if key_of(name) not in self.places:
            new = Known(name, None, {"kind": "transformer"})
            self.places[key_of(name)] = new
            self.new["places"].append(new)
            self._added("places", row, name, new.said)

    def _device(self, row: Row) -> None:
        cells = dict(row.cells)
        known = self._same_device(cells)
        if cells.get("floor", "") not in ("", *self.terms.floors):
            raise Bad("floor", "unknown_floor", f"the settings know no rule {cells['floor']}")
        if "controllable_loads" in cells and not (cells.get("floor") or (known and known.said["floor"])):
            raise Bad("controllable_loads", "missing_value", "says how many, and no floor")
        name = cells.get("device_id") or cells.get("lfdi") or cells.get("connection_id") or ""
        column = "device_id" if "device_id" in cells else "lfdi" if "lfdi" in cells else "connection_id"
        if self._found("devices", row, known, (name, column)):
            assert known is not None
            self._once("devices", row, known.name, column)
            if row.action != "remove":
                self._change_device(row, known, cells)
            return
        said = self._new_device(cells)
        known = Known(cells.get("lfdi") or managed_lfdi(self._pen(said["client"])), None, said)
        self._once("devices", row, known.name, column)
        self.hold(known)
        self.new["devices"].append(known)
        self._added("devices", row, known.name, {key: value for key, value in said.items() if value is not None})

    def _same_device(self, cells: Mapping[str, Any]) -> Known | None:
        """The device that a row is about: by its LFDI, else by its name, else the one that holds its connection."""
        if "lfdi" in cells:
            return self.by_lfdi.get(cells["lfdi"])
        if "device_id" in cells:
            return self.devices.get(key_of(cells["device_id"]))
        found = self.holders.get(key_of(cells["connection_id"]))
        return found if found is not None and cells.get("control_point", "site") == "site" else None

    def _change_device(self, row: Row, known: Known, cells: Mapping[str, Any]) -> None:
        said = {column: value for column, value in cells.items() if column != "lfdi"}
        if "client" in said:
            said["client"] = self._client_named(said["client"]).name
        if "connection_id" in said:
            said["connection_id"] = self._site_named(said["connection_id"]).name
        holds = said.get("control_point", known.said["control_point"])
        self._check_holder(known, said.get("connection_id", known.said["connection_id"]), holds)
        if "device_id" in said and self.devices.get(key_of(said["device_id"]), known) is not known:
            raise Bad("device_id", "taken", f"another device is called {said['device_id']}")
        fresh = self._differs("devices", row, known, said)
        self.hold(known)
        if fresh and known.row is not None:
            self.sets["devices"].append((known, fresh))

    def _new_device(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        said = {"device_id": cells.get("device_id"), "connection_id": None}
        said["floor"] = cells.get("floor") or self.terms.floor or None
        said["controllable_loads"] = cells.get("controllable_loads", 1 if said["floor"] else None)
        said["load_control_w"] = cells.get("load_control_w")
        client = cells.get("client") or self.terms.client
        if client is None:
            raise Bad("client", "missing_value", "says no client (or aggregator_id) that acts for the device")
        said["client"] = self._client_named(client).name
        if "connection_id" in cells:
            said["connection_id"] = self._site_named(cells["connection_id"]).name
        taken = said["connection_id"] is not None and key_of(said["connection_id"]) in self.holders
        said["control_point"] = cells.get("control_point", "device" if taken else "site")
        self._check_holder(None, said["connection_id"], said["control_point"])
        if said["device_id"] is not None and key_of(said["device_id"]) in self.devices:
            raise Bad("device_id", "taken", f"another device is called {said['device_id']}")
        return said

    def _check_holder(self, known: Known | None, connection: str | None, control_point: Any) -> None:
        holder = None if connection is None else self.holders.get(key_of(connection))
        if control_point == "site" and holder is not None and holder is not known:
            raise Bad("connection_id", "connection_taken", f"{holder.name} holds the limits of {connection}")

    def _client_named(self, said: str) -> Known:
        found = self.clients.get(key_of(said))
        if found is None:
            found = next((one for one in self.clients.values() if one.said["lfdi"] == said.upper()), None)
        if found is None:
            raise Bad("client", "unknown_client", f"there is no client {said[:60]}")
        return found

    def _site_named(self, said: str) -> Known:
        found = self.connections.get(key_of(said))
        if found is None:
            raise Bad("connection_id", "unknown_connection", f"there is no connection {said}")
        return found

    def _pen(self, client: str) -> int:
        return self.clients[key_of(client)].said.get("pen") or self.terms.pen
