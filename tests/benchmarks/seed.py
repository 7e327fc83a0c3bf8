"""A large utility in a database: devices, clients, places, controls, what was heard, judged and changed."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Table, Text, cast, func, insert, literal, select, text

from sep2.rules.chain import digest
from sep2.rules.names import key_of
from sep2.store import Database
from sep2.store.judged import SUMS
from sep2.store.judged_tables import judged, judged_day, judged_sum
from sep2.store.operator_tables import audit, audit_detail
from sep2.store.override_tables import override
from sep2.store.postgres import PostgresDatabase
from sep2.store.seen_tables import client_seen, device_seen
from sep2.store.tables import (
    alarm,
    client,
    connection,
    control,
    default_control,
    device_group,
    end_device,
    member,
    place,
)

AT_ONCE = 5000
DAY_S, STEP_S = 86_400, 1800
PROGRAMS = {"connection": 4, "override": 1, "wide-override": 2, "schedule": 3}
"""Of each connection, by role, with their primacy."""
NOTHING = {"modes": "{}"}


class Size(NamedTuple):
    """How much there is of everything."""

    devices: int = 100_000
    clients: int = 10_000
    transformers: int = 2000
    feeders: int = 100
    controls_each: int = 6
    days: int = 30
    alarms: int = 1_000_000
    standing: int = 200
    changes: int = 100_000


async def fill(database: Database, size: Size, now: int) -> None:
    """Put a utility of that size into an empty database, the same each time."""
    for table, rows in _tables(size, now):
        for part in _parts(rows):
            async with database.write() as db:
                await db.run(insert(table), part)
    columns = [column for column in judged_day.c if column.name != "day"]
    today = now // DAY_S * DAY_S
    for back in range(1, size.days):
        # A day like today, by one statement: the database copies faster than we could write.
        earlier = select(literal(today - back * DAY_S), *columns).where(judged_day.c.day == today)
        async with database.write() as db:
            await db.run(insert(judged_day).from_select(["day", *(column.name for column in columns)], earlier))
    await _sum_up(database)
    if isinstance(database, PostgresDatabase):
        await _go_on_counting(database)


async def _go_on_counting(database: Database) -> None:
    """Have PostgreSQL give ids beyond those that were given here; and know how much there is, as autovacuum would."""
    named = (client, place, connection, end_device, device_group, audit)
    async with database.write() as db:
        for table in named:
            sequence = func.pg_get_serial_sequence(table.name, "id")
            await db.one(select(func.setval(sequence, select(func.max(table.c.id)).scalar_subquery())))
        await db.run(text("ANALYZE"))


async def _sum_up(database: Database) -> None:
    """The sums that judging would have kept."""
    d = judged_day
    sums = [func.sum(d.c[name]).label(name) for name in SUMS]
    names = {
        "total": (literal(""), []),
        "client": (d.c.client_name, [d.c.client_name]),
        "make": (end_device.c.make, [end_device.c.make]),
        "place": (cast(connection.c.place_id, Text), [connection.c.place_id]),
    }
    for kind, (name, by) in names.items():
        query = select(literal(kind), d.c.day, name, d.c.direction, *sums).select_from(d)
        if kind in ("make", "place"):
            query = query.join(end_device, end_device.c.id == d.c.end_device_id)
            query = query.join(connection, connection.c.id == end_device.c.connection_id)
        async with database.write() as db:
            columns = ["kind", "day", "name", "direction", *SUMS]
            await db.run(insert(judged_sum).from_select(columns, query.group_by(d.c.day, d.c.direction, *by)))


def _parts(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    several = iter(rows)
    while part := [dict(one) for one in islice(several, AT_ONCE)]:
        yield part


def _tables(size: Size, now: int) -> Iterator[tuple[Table, Iterable[Mapping[str, Any]]]]:
    numbers = range(1, size.devices + 1)
    yield client, (_client(n, now) for n in range(1, size.clients + 1))
    yield device_group, _groups(size, now)
    yield place, _places(size, now)
    yield connection, (_connection(n, size, now) for n in numbers)
    yield end_device, (_device(n, size, now) for n in numbers)
    yield device_group, _own_groups(size, now)
    yield (
        default_control,
        (
            {"device_group_id": n, "mrid": f"{n:032X}", "changed": now, **NOTHING}
            for n in range(1, _last_group(size) + 1)
        ),
    )
    yield member, _members(size, now)
    yield control, _controls(size, now)
    yield (
        client_seen,
        (
            {"client_id": n, "server": "s", "last_request": now - n % 900, "last_post": now - n % 1800, "requests": 10}
            for n in range(1, size.clients + 1)
        ),
    )
    yield (
        device_seen,
        (
            {"end_device_id": n, "server": "s", "last_request": now - n % 900, "last_post": now - n % 1800}
            for n in numbers
        ),
    )
    yield judged_day, _days(size, now)
    yield judged, _broken(size, now)
    yield override, (_override(n, now) for n in range(1, 1001))
    yield alarm, _alarms(size, now)
    yield audit, _audit(size, now)
    yield audit_detail, ({"audit_id": n, "detail": '{"asked": {}}'} for n in range(1, size.changes + 1))


def _client(n: int, now: int) -> dict[str, Any]:
    name = f"Aggregator {n}"
    return {
        "id": n, "lfdi": f"C{n:039X}", "name": name, "name_key": key_of(name), "kind": "aggregator",
        "profile": "csip-aus-1.2", "registration": "out-of-band", "enabled": True, "created": now - 30 * DAY_S,
    }  # fmt: skip


def _wide(size: Size) -> int:
    """How many groups belong to places."""
    return 1 + size.feeders + size.transformers


def _last_group(size: Size) -> int:
    return _wide(size) + len(PROGRAMS) * size.devices


def _group(n: int, name: str, now: int) -> dict[str, Any]:
    return {
        "id": n, "name": name, "name_key": key_of(name), "level": "SP", "primacy": 4, "created": now,
        "program_mrid": f"A{n:031X}", "fsa_mrid": f"B{n:031X}", "role": "group", "connection_id": None,
    }  # fmt: skip


def _groups(size: Size, now: int) -> Iterator[dict[str, Any]]:
    for n, (kind, name, _) in enumerate(_tree(size), 1):
        yield _group(n, f"{kind} {name}", now) | {"primacy": 90 - n % 3, "level": "FD"}


def _tree(size: Size) -> Iterator[tuple[str, str, int | None]]:
    """Kind, name and the number of the parent of each place."""
    yield "system", "Utility", None
    for n in range(1, size.feeders + 1):
        yield "feeder", f"FD{n}", 1
    for n in range(1, size.transformers + 1):
        yield "transformer", f"TX{n}", 2 + n % size.feeders


def _places(size: Size, now: int) -> Iterator[dict[str, Any]]:
    for n, (kind, name, parent) in enumerate(_tree(size), 1):
        yield {
            "id": n, "kind": kind, "name": name, "name_key": key_of(name), "parent_id": parent,
            "device_group_id": n, "created": now,
        }  # fmt: skip


def _connection(n: int, size: Size, now: int) -> dict[str, Any]:
    name = f"NMI{n:07}"
    return {
        "id": n, "connection_id": name, "name_key": key_of(name), "description": f"Street {n}", "created": now,
        "firm_export_w": 1500, "firm_import_w": 5000, "place_id": 2 + size.feeders + n % size.transformers,
    }  # fmt: skip


def _device(n: int, size: Size, now: int) -> dict[str, Any]:
    return {
        "id": n, "lfdi": f"D{n * 2_654_435_761 % 2**60:039X}", "sfdi": n, "client_id": 1 + n % size.clients,
        "connection_id": n, "holds_net_limit": True, "pin": 0, "enabled": True, "fsa_mrid": f"F{n:031X}",
        "set_max_w": 5000, "changed": now, "registered": now, "make": f"Maker {n % 20}",
    }  # fmt: skip


def _own_groups(size: Size, now: int) -> Iterator[dict[str, Any]]:
    number = _wide(size)
    for role, primacy in PROGRAMS.items():
        for n in range(1, size.devices + 1):
            number += 1
            name = f"{role} of connection NMI{n:07}"
            yield _group(number, name, now) | {"role": role, "primacy": primacy, "connection_id": n}


def _members(size: Size, now: int) -> Iterator[dict[str, Any]]:
    first = _wide(size)
    for n in range(1, size.devices + 1):
        transformer = 2 + size.feeders + n % size.transformers
        feeder = 2 + (n % size.transformers + 1) % size.feeders
        for group in (1, feeder, transformer, *(first + k * size.devices + n for k in range(len(PROGRAMS)))):
            yield {"device_group_id": group, "end_device_id": n, "since": now - DAY_S}


def _controls(size: Size, now: int) -> Iterator[dict[str, Any]]:
    first, number = _wide(size), 0
    for n in range(1, size.devices + 1):
        for k in range(size.controls_each):
            number += 1
            start = now + (k - 1) * STEP_S
            yield {
                "device_group_id": first + n, "mrid": f"{number * 2_654_435_761 % 2**96:032X}", "created": now - 60,
                "start": start, "duration": STEP_S, "earliest_start": start, "latest_end": start + STEP_S,
                "export_limit_w": 1500 + 100 * k, "import_limit_w": 5000, "response_required": 3,
                "source": "envelope", **NOTHING,
            }  # fmt: skip


def _days(size: Size, now: int) -> Iterator[dict[str, Any]]:
    """Today; days before it are copies."""
    for n in range(1, size.devices + 1):
        for direction in ("export", "import"):
            yield {
                "end_device_id": n, "direction": direction, "day": now // DAY_S * DAY_S, "lfdi": "",
                "client_id": 1 + n % size.clients,
                "client_name": f"Aggregator {1 + n % size.clients}", "connection_name": f"NMI{n:07}",
                "ok_s": 80_000, "late_s": 0, "breach_s": 300 if n % 50 == 0 else 0, "opted_out_s": 0,
                "unknown_s": 6000, "binding_s": 9000, "binding_ok_s": 8700, "breach_wh": 12.5 if n % 50 == 0 else 0,
                "ok_bits": b"\xff" * 36, "unknown_bits": b"\x01" * 36, "binding_bits": b"\x03" * 36,
            }  # fmt: skip


def _broken(size: Size, now: int) -> Iterator[dict[str, Any]]:
    today = now // DAY_S * DAY_S
    for n in range(50, size.devices + 1, 50):
        yield {
            "end_device_id": n, "direction": "export", "start": today + n % 200 * 300, "duration_s": 300,
            "state": "breach", "allowed_w": 1500.0, "measured_w": 1700.0, "covered_s": 300, "binding": True,
            "breach_wh": 12.5,
        }  # fmt: skip


def _override(n: int, now: int) -> dict[str, Any]:
    start = now - n * 3600
    return {
        "scope": "connection", "subject": f"NMI{n:07}", "export_limit_w": 500, "start": start, "end": start + 7200,
        "reason": "overload", "operator": "Ada", "created": start, **NOTHING,
    }  # fmt: skip


def _alarms(size: Size, now: int) -> Iterator[dict[str, Any]]:
    for n in range(size.alarms):
        stands = n < size.standing
        yield {
            "code": "limit_breach", "subject": f"NMI{n % size.devices:07}", "detail": "export", "priority": 1 + n % 3,
            "raised": now - n % (30 * DAY_S), "cleared": None if stands else now - n % DAY_S,
        }  # fmt: skip


def _audit(size: Size, now: int) -> Iterator[dict[str, Any]]:
    for n in range(1, size.changes + 1):
        yield {
            "id": n, "at": now - size.changes + n, "operator": "Ada", "verb": "change_connection",
            "subject": f"/connections/NMI{n % size.devices:07}", "detail_digest": digest("{}"), "hash": "",
        }  # fmt: skip
