"""A run that cannot be verified names its cause, in the alarm and in one line of the log."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.devices import NewDevice, add_device
from sep2.store import open_database
from tests.envelope.cases import START
from tests.envelope.rounds import alarms_of

LOGGER = "envelope.operation.cycle"


@pytest.fixture
async def one_client(sqlite_url, problem):
    """Three connections, of which only c2 has a client."""
    opened = await open_database(sqlite_url)
    async with opened.write() as db:
        for name in problem.connection_id:
            await add_connection(db, NewConnection(name), START - 60)
        client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), START - 60)
        await add_device(db, NewDevice("AB" * 20, client, "c2"), START - 60)
    yield opened
    await opened.close()


def tracebacks(caplog):
    return [record for record in caplog.records if record.name == LOGGER and record.exc_info]


async def test_connections_without_a_client_are_named_where_no_power_flow_has_a_solution(
    one_client, told, problem, caplog
):
    told.problem = replace(problem, flex_load_w=np.full_like(problem.flex_load_w, 500_000.0))
    with caplog.at_level(logging.WARNING, LOGGER):
        out = await told.cycle(one_client).run_once(START)
    detail = (await alarms_of(one_client))["envelope_unverified"]
    assert out.failure == detail
    assert ": 2 of 3 connections cannot be limited and count with their whole capacity, for which" in detail
    assert "register their clients (sep2 device add --connection ID)" in detail
    assert "no_client: nobody is registered at c1, c3" in detail
    assert "inf" not in detail
    assert detail in caplog.text
    assert tracebacks(caplog) == []


async def test_a_refusal_is_one_line_and_a_fault_is_logged_with_its_traceback(one_client, told, caplog):
    told.operating = None  # a fault of the program
    with caplog.at_level(logging.WARNING, LOGGER):
        out = await told.cycle(one_client).run_once(START)
    assert out.failure
    assert len(tracebacks(caplog)) == 1
