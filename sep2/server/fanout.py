"""Which subscriptions a change concerns: matched on rows of the resource table and their ids, never on URLs."""

import asyncio
import itertools
import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.functions.fsa import ALL_GROUPS
from sep2.operations.alarms import NOTIFIER_STALLED, raise_alarm
from sep2.resources import Resource, Table
from sep2.rules.alarm_kinds import ACT_SOON
from sep2.store import clock_changes, deliveries, devices, groups, outbox, subscriptions, webhooks
from sep2.store.clock_changes import Span
from sep2.store.connection import Connection
from sep2.store.database import Database
from sep2.store.outbox import BY_CLOCK, Change, Ids

log = logging.getLogger("sep2.notify")

ANY = "%"
"""Stands for a number that the change does not say, as in SQL's LIKE."""
MANY = 200
"""Members of a group from which on they are not looked up one by one."""
MOST_PATTERNS = 50
"""Each is a term of a statement; where there would be more, more subscriptions are looked at, and told what changed."""
CHANGES_AT_ONCE = 100
CHUNK = 2000
"""Subscriptions in one transaction, so that nobody waits long for the database."""
TRIES = 3
"""Of a change that can not be turned into deliveries, before it is set aside."""
SET_ASIDE = "changes"
"""The subject of the alarm that says so."""

STATE = frozenset({"ActiveDERControlList", "DERControlList", "DefaultDERControl"})
"""Changes after which a group is asked for something else."""

Item = TypeVar("Item")
Options = dict[str, list[int]]
"""The values that a number in a path may have after a change; one that is not named may be any."""


class FanOut:
    """Turns changes into deliveries. A change is forgotten once all its subscribers have theirs."""

    def __init__(self, db: Database, clock: Clock, table: Table) -> None:
        self._db = db
        self._clock = clock
        self._table = table

    async def once(self) -> int:
        """How many changes were turned into deliveries; one that can not be is tried again later, then set aside."""
        async with self._db.read() as db:
            changes = await outbox.oldest(db, CHANGES_AT_ONCE)
        try:
            return await self._tell(changes)
        except Exception as problem:
            if _passes(problem):
                raise
        # One of them can not be told: which one is found by telling each by itself.
        return sum([await self._tell_or_fail(same) for same in _alike(changes)])

    async def _tell(self, changes: Sequence[Change]) -> int:
        told: dict[int, str] = {}
        async with self._db.read() as db:
            subscribed = await self._subscribed(db, changes)
        for same in _alike(changes):
            if not any(row.name in subscribed for row in _followers(self._table, same[0].kind)):
                continue
            async with self._db.read() as db:
                if same[0].kind == BY_CLOCK:
                    found = await subscribers_by_clock(db, self._table, _span(same[0]))
                else:
                    found = await subscribers(db, self._table, same[0].kind, same[0].ids)
            told |= dict.fromkeys(found, same[-1].request)
        await self._tell_systems(changes)
        now, ids = self._clock.now(), [change.id for change in changes]
        for chunk in _chunks(sorted(told)):
            async with self._db.write() as db:
                for request in {told[one] for one in chunk}:
                    await deliveries.put(db, [one for one in chunk if told[one] == request], now, request=request)
                if len(told) <= CHUNK:
                    await outbox.remove(db, ids)
            await asyncio.sleep(0)
        if ids and not 0 < len(told) <= CHUNK:
            async with self._db.write() as db:
                await outbox.remove(db, ids)
        return len(changes)

    async def _subscribed(self, db: Connection, changes: Sequence[Change]) -> set[str]:
        """The rows of the resource table that read differently now and that anybody subscribes to."""
        kinds = {change.kind for change in changes}
        rows = {row.name for kind in kinds for row in _followers(self._table, kind)}
        return await subscriptions.any_to(db, sorted(rows)) if rows else set()

    async def _tell_systems(self, changes: Sequence[Change]) -> None:
        """Have the utility's own systems told of the groups that are asked for something else."""
        said = {group for one in changes for group in _groups(one)}
        spans = [_span(one) for one in changes if one.kind == BY_CLOCK]
        async with self._db.read() as db:
            if not (said or spans) or not await webhooks.any_hears(db, "controls"):
                return
            for span in spans:
                said |= set(await clock_changes.groups(db, span))
        messages = [webhooks.Message("controls", "changed", f"group {group}") for group in sorted(said)]
        async with self._db.write() as db:
            await webhooks.tell(db, messages, self._clock.now())

    async def _tell_or_fail(self, changes: Sequence[Change]) -> int:
        try:
            return await self._tell(changes)
        except Exception as problem:
            if _passes(problem):
                raise
            log.exception("a change of %s could not be turned into notifications", changes[0].kind)
            await self._fail(changes, problem)
            return 0

    async def _fail(self, changes: Sequence[Change], problem: Exception) -> None:
        error = f"{type(problem).__name__}: {problem}"[:200]
        async with self._db.write() as db:
            if await outbox.failed(db, [change.id for change in changes], error, TRIES):
                number = await outbox.count_set_aside(db)
                detail = f"{number} set aside after {TRIES} attempts, see `sep2 subscription changes`; {error}"
                now = self._clock.now()
                # Everything else is told, so that this is less urgent than a notifier that stands still.
                await raise_alarm(db, NOTIFIER_STALLED, SET_ASIDE, detail, now=now, priority=ACT_SOON)


async def subscribers(db: Connection, table: Table, kind: str, ids: Ids) -> set[int]:
    """The ids of the subscriptions to whatever reads differently after a change."""
    members = await _members(db, ids)
    if members is not None and not members:
        return set()
    options, told = _options(ids, members), set[int]()
    for row in table.followers(kind):
        found = await subscriptions.to_resource(db, row.name, _keys(row, options), await _client(db, row, ids))
        for chunk in _chunks(found):
            told |= {one.id for one in chunk if members is None or json.loads(one.ids).get("edev") in members}
            await asyncio.sleep(0)
    return told


LISTS, ENDS = "DERControlList", "ActiveDERControlList"
"""What reads differently once a control begins, gives way or leaves its list; and once one ends and is listed yet."""


def _followers(table: Table, kind: str) -> list[Resource]:
    """The subscribable rows that read differently after a change of a kind."""
    if kind != BY_CLOCK:
        return table.followers(kind)
    return list({row.name: row for what in (LISTS, ENDS) for row in table.followers(what)}.values())


def _span(change: Change) -> Span:
    said: Any = change.ids
    return Span(said["after"], said["until"], said["listed_s"])


async def subscribers_by_clock(db: Connection, table: Table, span: Span) -> set[int]:
    """The ids of the subscriptions to whatever reads differently by the clock alone."""
    lists, ends = ({row.name for row in table.followers(kind)} for kind in (LISTS, ENDS))
    told = set[int]()
    for chunk in _chunks(await clock_changes.subscribed(db, lists | ends, span)):
        for row in chunk:
            reads = (row.lists and row.resource in lists) or (row.ends and row.resource in ends)
            if reads and row.id not in told and _is_of(json.loads(row.ids), row.group_id, row.control_id):
                told.add(row.id)
        await asyncio.sleep(0)
    return told


def _is_of(ids: Mapping[str, int], group_id: int, control_id: int) -> bool:
    """Whether a path with these numbers shows a group, and of its controls this one, where it shows only one."""
    about = {"derp": (group_id,), "derc": (control_id,), "fsa": (group_id, ALL_GROUPS)}
    return all(number in about[name] for name, number in ids.items() if name in about)


def _groups(change: Change) -> set[int]:
    """The groups that a change asks something else of."""
    group = change.ids.get("derp") if change.kind in STATE else None
    return set(group) if isinstance(group, list) else set() if group is None else {group}


def _alike(changes: Sequence[Change]) -> list[list[Change]]:
    """Changes that concern the same subscriptions, together."""
    found: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        found.setdefault((change.kind, change.stored_ids), []).append(change)
    return list(found.values())


def _passes(problem: Exception) -> bool:
    """Whether a failure is the database's, which will pass, and not the change's."""
    return isinstance(problem, SepError) and problem.status == 503


def _chunks(items: Sequence[Item]) -> list[Sequence[Item]]:
    return [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]


async def _members(db: Connection, ids: Ids) -> set[int] | None:
    """The devices that a group's change is for; None where it is not for all of its group."""
    group = ids.get("derp")
    if not isinstance(group, int) or "edev" in ids:
        return None
    return set(await groups.member_ids(db, group))


def _options(ids: Ids, members: set[int] | None) -> Options:
    """What the change says, and what follows: a program is a FunctionSetAssignments too, and holds for its members."""
    options = {name: list(said) if isinstance(said, list) else [said] for name, said in ids.items()}
    if "derp" in ids:
        options["fsa"] = [*options["derp"], ALL_GROUPS]
    if members is not None and len(members) < MANY:
        options["edev"] = sorted(members)
    return options


def _keys(row: Resource, options: Options) -> list[str]:
    """The ids that subscriptions to this row may have, as they are stored."""
    names = sorted(row.ids)
    values = [[str(number) for number in options.get(name, ())] or [ANY] for name in names]
    if [ANY] in values and math.prod(map(len, values)) > MOST_PATTERNS:
        values = [numbers if len(numbers) == 1 else [ANY] for numbers in values]
    pairs = (zip(names, one, strict=True) for one in itertools.product(*values))
    return ["{" + ", ".join(f'"{name}": {number}' for name, number in pair) + "}" for pair in pairs]


async def _client(db: Connection, row: Resource, ids: Ids) -> int | None:
    """The client whose list it is, where the path does not say it."""
    device_id, client = ids.get("edev"), ids.get("client")
    of_client = client if isinstance(client, int) else None
    if row.ids or not isinstance(device_id, int):
        return of_client
    device = await devices.one(db, device_id)
    return device.client_id if device is not None else of_client if of_client is not None else -1
