"""What a region's rule guarantees to controllable loads is granted by the engine in any case."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envelope.engine import calculate
from envelope.operation.clients import Client, Sharing, clients_at, controllability_at, with_controllability
from envelope.operation.least_loads import parts_of_load, with_least_loads
from envelope.problem import Policy
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.devices import NewDevice, add_device
from sep2.rules.floors import least_load_w
from sep2.rules.limits import Limits
from sep2.store import devices
from tests.envelope.cases import START, street

FACTORS = (1.0, 0.8, 0.75)


@pytest.mark.parametrize(("loads", "least"), [(0, 0), (1, 4200), (2, 7560), (3, 10_500), (4, 13_650)])
def test_the_first_load_counts_whole_and_further_ones_by_a_factor(loads, least):
    assert least_load_w(4200, FACTORS, loads) == least


def test_a_limit_of_import_is_never_below_what_is_guaranteed():
    problem = street(customers=3, steps=4)
    plain = calculate(problem)
    least = int(plain.import_limit_w[:, 1].min()) + 300
    schedule = calculate(with_least_loads(problem, [0, least, 0]))
    assert (schedule.import_limit_w[:, 1] >= least).all()
    assert with_least_loads(problem, [0, 0, 0]) is problem
    of_device = replace(problem, control_point=("site", "device", "site"))
    firm = with_least_loads(of_device, [0, 1000, 0]).firm_import_w
    assert firm[1] == 1000 + max(0.0, problem.load_hi_w[:, 1].max())


async def test_it_is_read_from_the_register(database):
    problem = street(customers=2, steps=2)
    async with database.write() as db:
        client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), START - 60)
        for k, name in enumerate(problem.connection_id):
            await add_connection(db, NewConnection(name), START - 60)
            device = await add_device(db, NewDevice(f"{k}B" * 20, client, name), START - 60)
            await devices.update_one(db, device, least_load_w=4200 * k or None)
        found = controllability_at(problem, await clients_at(db, problem.connection_id), Sharing())
    assert found.least_load_w == (0, 4200)
    assert with_controllability(problem, found).firm_import_w.tolist() == [0.0, 4200.0]


watts = st.integers(0, 60_000)
several = st.lists(st.tuples(st.integers(1, 20_000), st.integers(0, 9000)), min_size=2, max_size=5)


@given(watts, watts, several, st.sampled_from(list(Policy)))
@settings(max_examples=60)
def test_parts_of_a_limit_add_up_grow_with_it_and_keep_what_is_guaranteed(one, other, devices, policy):
    less, more = sorted((one, other))
    size = np.array([max(size, least) for size, least in devices], dtype=float)
    least = np.array([least for _, least in devices], dtype=float)
    small, large = (parts_of_load(limit, size, least, policy) for limit in (less, more))
    assert sum(large) <= more
    assert all(after >= before for before, after in zip(small, large, strict=True))
    if more >= least.sum():
        assert all(part >= kept for part, kept in zip(large, least, strict=True))


def test_devices_behind_one_connection_share_by_it():
    clients = tuple(
        Client(number, f"{number}D" * 20, "csip-aus-1.2", False, 4000, None, least)
        for number, least in ((1, 4200), (2, 0))
    )
    shared = Sharing().parts(Limits(gen_w=1000, load_w=4200), clients)
    assert [one.load_w for one in shared] == [4200, 0]
    assert sum(one.gen_w for one in shared) == 1000


async def test_a_protected_connection_keeps_all_that_it_can_draw(database):
    """Its neighbours' import is limited further instead."""
    problem = street(customers=3, steps=4)
    async with database.write() as db:
        client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), START - 60)
        for k, name in enumerate(problem.connection_id):
            protected = "life_support" if k == 1 else "none"
            await add_connection(db, NewConnection(name, protected=protected), START - 60)
            await add_device(db, NewDevice(f"{k}B" * 20, client, name), START - 60)
        found = controllability_at(problem, await clients_at(db, problem.connection_id), Sharing())
    assert (found.imports, found.exports) == ((True, False, True), (True, True, True))
    plain, schedule = calculate(problem), calculate(with_controllability(problem, found))
    reach = problem.reach_import_w[:, 1]
    assert (plain.import_limit_w[:, 1] < reach).any()
    assert (schedule.import_limit_w[:, 1] >= np.floor(reach)).all()
    assert (schedule.import_limit_w[:, [0, 2]] <= plain.import_limit_w[:, [0, 2]]).all()
