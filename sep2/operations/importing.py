"""Imports: sheets of clients, places, connections and devices, compared with what is registered, then applied at once.

A row that says what is there already changes nothing, an empty cell says nothing. All rows are looked at before
anything is changed: one that is wrong is told with its line, and nothing is done, unless the import may be partial.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sep2.operations import bulk, connections, devices, moves, naming, removal, territory, unlimited
from sep2.operations.bulk import DeviceRow
from sep2.operations.clients import NewClient, change_client, register_client
from sep2.operations.import_plan import Known, Outcome, Plan, Terms
from sep2.rules.names import key_of
from sep2.rules.sheets import SHEETS, read
from sep2.rules.territory import KINDS
from sep2.store import bulk as stored
from sep2.store import devices as stored_devices
from sep2.store import naming as stored_names
from sep2.store import territory as stored_places
from sep2.store.connection import Connection

Rows = Mapping[str, tuple[Sequence[str], Sequence[Sequence[str]]]]
"""Columns and rows of each sheet, by its name."""


async def take(db: Connection, sheets: Rows, now: int, terms: Terms, *, partial: bool = False) -> Outcome:
    """Import sheets; partial: also where some rows are wrong, all others."""
    done = Outcome()
    plan = Plan(terms, done)
    await _load(db, plan)
    for name in SHEETS:
        if name not in sheets:
            continue
        rows, wrong, ignored = read(name, *sheets[name])
        done.wrong += wrong
        if ignored:
            done.ignored[name] = ignored
        for row in rows:
            plan.look(name, row)
    plan.check_parents()
    if done.wrong and not partial:
        return done
    await _Applying(db, plan, now).all()
    done.applied = True
    return done


async def _load(db: Connection, plan: Plan) -> None:
    """Read what is registered."""
    places, sites = {}, {}
    for row in await stored.clients(db):
        said = {"kind": row.kind, "lfdi": row.lfdi, "profile": row.profile, "registration": row.registration}
        said |= {"pen": row.pen, "receivers": tuple(row.receiver_hosts.split())}
        plan.clients[key_of(row.name)] = Known(row.name, row, said)
    for row in await stored.places(db):
        places[row.id] = row.name
        plan.places[key_of(row.name)] = Known(row.name, row, {"kind": row.kind})
    for known in plan.places.values():
        known.said["parent"] = places.get(known.row.parent_id)
    for row in await stored.connections(db):
        sites[row.id] = row.connection_id
        said = {"description": row.description, "place": places.get(row.place_id)}
        said |= {"firm_import_w": row.firm_import_w, "firm_export_w": row.firm_export_w}
        said["protected"] = row.protected
        plan.connections[key_of(row.connection_id)] = Known(row.connection_id, row, said)
    by_lfdi = {known.said["lfdi"]: known.name for known in plan.clients.values()}
    for row in await stored.devices(db):
        if row.client_kind == "aggregator" and row.lfdi == row.client_lfdi:
            continue
        said = {"device_id": row.name, "connection_id": sites.get(row.connection_id)}
        said |= {"client": by_lfdi[row.client_lfdi], "control_point": "site" if row.holds_net_limit else "device"}
        said |= {"floor": row.floor_rule, "controllable_loads": row.controllable_loads}
        said["load_control_w"] = row.load_control_w
        plan.hold(Known(row.lfdi, row, said))


class _Applying:
    """A plan as it is applied, in one transaction."""

    def __init__(self, db: Connection, plan: Plan, now: int) -> None:
        self.db = db
        self.plan = plan
        self.now = now
        self.clients: dict[str, int] = {}
        self.sites: dict[str, int] = {}

    async def all(self) -> None:
        """Add from the widest to the narrowest, change, then remove in the other direction."""
        for change in (self._clients, self._places, self._connections, self._devices, self._removals):
            await change()
        if self.plan.new["devices"] or self.plan.new["connections"]:
            await unlimited.look_at_all(self.db, self.now)

    async def _clients(self) -> None:
        terms = self.plan.terms
        for known in self.plan.new["clients"]:
            said = known.said
            new = NewClient(
                name=known.name,
                lfdi=said["lfdi"],
                kind=said["kind"],
                profile=said.get("profile", terms.profile),
                registration=said.get("registration", terms.registration),
                pen=said.get("pen"),
                receiver_hosts=said["receivers"],
            )
            self.clients[known.name] = await register_client(self.db, new, self.now)
        for known, fresh in self.plan.sets["clients"]:
            columns = {("receiver_hosts" if name == "receivers" else name): value for name, value in fresh.items()}
            await change_client(self.db, known.row.id, columns, self.now)

    async def _places(self) -> None:
        order = list(KINDS)
        for known in sorted(self.plan.new["places"], key=lambda one: order.index(one.said["kind"])):
            parent = await self._place(known.said.get("parent"))
            await territory.add_place(self.db, territory.NewPlace(known.said["kind"], known.name, parent), self.now)
        for known, _ in self.plan.sets["places"]:
            await territory.move_place(self.db, known.row.id, await self._place(known.said.get("parent")), self.now)

    async def _place(self, name: str | None) -> int | None:
        row = None if name is None else await stored_places.by_name(self.db, name)
        return None if row is None else int(row.id)

    async def _connections(self) -> None:
        new, places = self.plan.new["connections"], dict[str, int | None]()
        for known in new:
            name = known.said.get("place")
            if name is not None and name not in places:
                places[name] = await self._place(name)
        rows = [
            {
                "connection_id": known.name,
                "description": known.said["description"],
                "firm_import_w": known.said["firm_import_w"],
                "firm_export_w": known.said["firm_export_w"],
                "protected": known.said["protected"],
                "place_id": places.get(known.said.get("place", "")),
            }
            for known in new
        ]
        self.sites = await bulk.add_connections(self.db, rows, self.now, self.plan.terms.primacies)
        for known, fresh in self.plan.sets["connections"]:
            await connections.change_connection(self.db, known.row.id, fresh, self.now)
        for name, several in self.plan.put.items():
            ids = [known.row.id for known in several]
            await territory.put_connections(self.db, ids, await self._place(name), self.now)

    async def _devices(self) -> None:
        places: dict[str, int | None] = {}
        rows = []
        for known in self.plan.new["devices"]:
            site = known.said["connection_id"]
            place = self.plan.connections[key_of(site)].said.get("place") if site is not None else None
            if place is not None and place not in places:
                places[place] = await self._place(place)
            rows.append(
                DeviceRow(
                    lfdi=known.name,
                    client_id=self._client(known.said["client"]),
                    name=known.said["device_id"],
                    connection=site,
                    connection_row=None if site is None else self._site(site),
                    place_id=None if place is None else places[place],
                    holds=known.said["control_point"] == "site",
                    beside=self.plan.terms.least(known.said) | {"load_control_w": known.said["load_control_w"]},
                )
            )
        await bulk.add_devices(self.db, rows, self.now)
        for known, fresh in self.plan.sets["devices"]:
            await self._change_device(known, fresh)

    def _client(self, name: str) -> int:
        known = self.plan.clients[key_of(name)]
        return self.clients[known.name] if known.row is None else int(known.row.id)

    def _site(self, name: str) -> int:
        known = self.plan.connections[key_of(name)]
        return self.sites[known.name] if known.row is None else int(known.row.id)

    async def _change_device(self, known: Known, fresh: Mapping[str, Any]) -> None:
        site = known.said["connection_id"]
        if fresh.keys() & {"connection_id", "control_point"} and site is not None:
            holds = known.said["control_point"] == "site"
            await devices.place_device(self.db, known.row.id, site, self.now, holds_net_limit=holds)
        if "device_id" in fresh:
            await naming.check(self.db, "device", fresh["device_id"], beside=known.row.id)
            await stored_names.rename(self.db, "device", known.row.id, fresh["device_id"])
        if fresh.keys() & {"floor", "controllable_loads"}:
            await stored_devices.update_one(self.db, known.row.id, **self.plan.terms.least(known.said))
        if "load_control_w" in fresh:
            load = {"load_control_w": fresh["load_control_w"]}
            await devices.set_device(self.db, known.row.id, load, self.now)
        if "client" in fresh:
            await moves.move_to_client(self.db, known.row.id, self._client(fresh["client"]), self.now)

    async def _removals(self) -> None:
        gone = self.plan.removals
        for known in gone["devices"]:
            await devices.remove_device(self.db, known.row.id, self.now)
        for known in gone["connections"]:
            await removal.remove_connection(self.db, known.row.id, self.now)
        for known in reversed(gone["places"]):
            await territory.remove_place(self.db, known.row.id, self.now)
        for known in gone["clients"]:
            await removal.remove_client(self.db, known.row.id, self.now)
