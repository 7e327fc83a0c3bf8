"""No statement grows with what clients have: not in the code, and not with 40,000 values of anything."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, select, update

from sep2.clock import SteppedClock
from sep2.resources import TABLE
from sep2.server.fanout import FanOut, subscribers
from sep2.store import (
    controls,
    curves,
    defaults,
    deliveries,
    devices,
    evidence,
    listing_controls,
    outbox,
    receivers,
    subscriptions,
    tables,
)
from sep2.store.many import among
from tests.test_floors import MODULES, name_of

MANY = 40_000
"""More than a statement may have parameters, on either database."""


def _names_in(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _queries(tree: ast.Module) -> set[str]:
    """The names that stand for something made of `select`, in a module: values, functions, members of a collection."""
    found = {"select"}
    while True:
        more = {name for node in ast.walk(tree) for name in _named_by(node, found)}
        if more <= found:
            return found
        found |= more


def _named_by(node: ast.AST, queries: set[str]) -> Iterator[str]:
    """The names that this gives to something that is made of these queries."""
    if isinstance(node, ast.Assign) and _names_in(node.value) & queries:
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.comprehension) and _names_in(node.iter) & queries and isinstance(node.target, ast.Name):
        yield node.target.id
    elif isinstance(node, ast.FunctionDef):
        returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value is not None]
        if any(_names_in(value) & queries for value in returned):
            yield node.name


def _is_ours(argument: ast.expr) -> bool:
    """Whether values are a constant of the module, whose number no client decides."""
    return isinstance(argument, ast.Name) and argument.id.isupper()


def lists_in_statements(source: str) -> Iterator[int]:
    """The lines at which a list of values is written into a statement, one parameter for each of them."""
    tree = ast.parse(source)
    queries = _queries(tree)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        argument = node.args[0]
        values = node.func.attr == "values" and isinstance(argument, ast.List | ast.ListComp | ast.GeneratorExp)
        listed = node.func.attr in ("in_", "not_in", "notin_") and not _is_ours(argument)
        inside = listed and not _names_in(argument) & queries
        if values or inside:
            yield node.lineno


@pytest.mark.parametrize("path", [path for path in MODULES if "sqlalchemy" in path.read_text()], ids=name_of)
def test_a_list_of_values_is_one_parameter(path: Path) -> None:
    """`among` is there for it."""
    assert list(lists_in_statements(path.read_text())) == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("query.where(t.c.id.in_(ids))", [1]),
        ("query.where(t.c.id.not_in([1, 2]))", [1]),
        ("query.where(t.c.id.in_(select(t.c.id)))", []),
        ("first = select(t.c.id)\nsome = first.limit(3)\nquery.where(t.c.id.in_(some))", []),
        ("insert(t).values([{} for one in rows])", [1]),
        ("insert(t).values(name=1)", []),
        ("query.where(among(t.c.id, ids))", []),
    ],
)
def test_the_look_itself(source: str, lines: list[int]) -> None:
    assert list(lists_in_statements(source)) == lines


@pytest.mark.parametrize(
    "statement",
    [
        lambda db, numbers, texts: controls.update_many(db, numbers, reason="why"),
        lambda db, numbers, texts: curves.mrids(db, numbers),
        lambda db, numbers, texts: defaults.at_connections(db, texts),
        lambda db, numbers, texts: deliveries.put(db, numbers, 0),
        lambda db, numbers, texts: devices.at_connections(db, texts),
        lambda db, numbers, texts: evidence.mirrored(db, texts, 0, 1),
        lambda db, numbers, texts: listing_controls.mrids(db, numbers),
        lambda db, numbers, texts: outbox.failed(db, numbers, "why", 3),
        lambda db, numbers, texts: outbox.remove(db, numbers),
        lambda db, numbers, texts: subscriptions.to_resource(db, "EndDevice", texts, None),
    ],
)
async def test_any_number_of_values(database, statement) -> None:
    async with database.write() as db:
        await statement(db, range(MANY), [f"NMI{number}" for number in range(MANY)])


async def test_a_change_of_many_controls_is_looked_up_in_few_words(database) -> None:
    """Where their devices are too many to be named, each control would be a term of the statement."""
    async with database.write() as db:
        await subscribers(db, TABLE, "DERControlList", {"derp": 1, "derc": list(range(MANY))})
        await subscribers(db, TABLE, "DERControl", {"derc": list(range(MANY))})


async def test_what_is_among_the_values(database) -> None:
    async with database.write() as db:
        await db.run(insert(tables.setting), [{"name": name, "value": ""} for name in ("a", 'b"', "[c]")])
        for values, found in ((["a", "[c]", "d"], {"a", "[c]"}), (['b"'], {'b"'}), ([], set())):
            rows = await db.all(select(tables.setting.c.name).where(among(tables.setting.c.name, values)))
            others = await db.all(select(tables.setting.c.name).where(~among(tables.setting.c.name, values)))
            assert {row.name for row in rows} == found
            assert {row.name for row in others} == {"a", 'b"', "[c]"} - found


async def test_a_change_that_concerns_40_000_subscriptions_is_one_for_all_of_them(database) -> None:
    """The notifier stopped for everybody where a change met more than 4,681 on PostgreSQL, or 35,714 on SQLite."""
    async with database.write() as db:
        owner = {"lfdi": "A" * 40, "name": "a", "kind": "aggregator", "profile": "csip", "registration": "out-of-band"}
        client = await db.add(insert(tables.client).values(**owner, enabled=True, created=0))
        device = await devices.add(
            db, lfdi="A" * 40, sfdi=1, client_id=client, holds_net_limit=False, pin=1, enabled=True, fsa_mrid="A",
            changed=0, registered=0,
        )  # fmt: skip
        receiver = await receivers.named(db, client, "h:443")
        said = {"client_id": client, "end_device_id": device, "receiver_id": receiver, "resource": "EndDeviceList"}
        said |= {"ids": "{}", "subscribed_resource": "/edev", "encoding": 0, "level": "", "item_limit": 1, "created": 0}
        await db.run(
            insert(tables.subscription), [{**said, "notification_uri": f"https://h/{number}"} for number in range(MANY)]
        )
        await outbox.changed(db, "EndDeviceList", client=client)
    fan_out = FanOut(database, SteppedClock(0), TABLE)
    assert await fan_out.once() == 1
    assert await fan_out.once() == 0
    async with database.read() as db:
        assert await deliveries.counts(db) == {"waiting": MANY, "dead": 0}


def test_values_are_looked_up_by_index() -> None:
    """Written as `… IN (…) = 1`, as SQLAlchemy would for SQLite, each such statement read its whole table."""
    control, member = tables.control, tables.member
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.connect() as connection:
        for statement in (
            select(control.c.mrid).where(among(control.c.id, [1, 2])).order_by(control.c.start),
            update(control).where(among(control.c.id, [1, 2])).values(reason=""),
            select(member.c.since).where(among(member.c.end_device_id, [1, 2])),
        ):
            compiled = statement.compile(engine)
            asked = tuple("[]" for _ in compiled.positiontup or ())
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", asked).all()
            found = [row[3] for row in plan if row[3].startswith(("SCAN", "SEARCH"))]
            assert found[0].startswith(("SEARCH control", "SEARCH member")), found
    engine.dispose()
