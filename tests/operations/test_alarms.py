"""What operators are told of limits that a device's profile can not carry, on both databases."""

import pytest

from sep2.operations.alarms import NO_IMPORT_CONTROL, SET_MAX_W, clear_alarm
from sep2.operations.clients import NewClient, register_client
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.defaults import set_default
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.documents import put_der_document
from sep2.operations.groups import NewGroup, assign, create_group
from sep2.rules.limits import Limits
from sep2.store import alarms, devices

NOW = 1_700_000_000
AMERICAN, OTHER, AUSTRALIAN = "AB" * 20, "AC" * 20, "AD" * 20


@pytest.fixture
async def group(database):
    """Two devices of a US client and one of an Australian."""
    async with database.write() as db:
        group_id = await create_group(db, NewGroup("feeder"), NOW)
        us = await register_client(db, NewClient("us", "CD" * 20, "aggregator", profile="csip"), NOW)
        au = await register_client(db, NewClient("au", "CE" * 20, "aggregator"), NOW)
        for lfdi, client in ((AMERICAN, us), (OTHER, us), (AUSTRALIAN, au)):
            await assign(db, group_id, await add_device(db, NewDevice(lfdi, client), NOW), NOW)
    return group_id


async def standing(database):
    async with database.read() as db:
        return sorted((row.code, row.subject) for row in await alarms.standing(db))


async def issue(database, group, limits, start):
    async with database.write() as db:
        await issue_controls(db, group, [NewControl(start=start, duration=60, limits=limits)], NOW)


async def test_only_those_who_can_not_be_told_and_each_once(database, group):
    await issue(database, group, Limits(import_w=1), NOW)
    await issue(database, group, Limits(import_w=2), NOW + 100)
    assert await standing(database) == [(NO_IMPORT_CONTROL, AMERICAN), (NO_IMPORT_CONTROL, OTHER)]
    async with database.write() as db:
        await clear_alarm(db, NO_IMPORT_CONTROL, OTHER, NOW)
        await set_default(db, group, Limits(load_w=3), now=NOW)
    assert await standing(database) == [(NO_IMPORT_CONTROL, AMERICAN), (NO_IMPORT_CONTROL, OTHER)]


async def test_a_percentage_needs_to_know_of_what(database, group):
    await issue(database, group, Limits(export_w=1), NOW)
    assert await standing(database) == [(SET_MAX_W, AMERICAN), (SET_MAX_W, OTHER)]
    async with database.write() as db:
        device = next(d for d in await devices.members(db, group) if d.lfdi == AMERICAN)
        await put_der_document(db, device.id, "DERSettings", b"<DERSettings/>", now=NOW, set_max_w=5000)
    assert await standing(database) == [(SET_MAX_W, OTHER)]
    await issue(database, group, Limits(gen_w=1), NOW + 100)
    assert await standing(database) == [(SET_MAX_W, OTHER)]
