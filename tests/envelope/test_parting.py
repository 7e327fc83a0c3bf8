"""Parts of one whole: they fit whoever acts late, and also while they change hands."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from envelope.operation import group_state, handover, lead_time, net_to_device
from envelope.operation.clients import Client, Sharing
from envelope.problem import Policy
from envelope.schedule.device_limits import parts
from sep2.operations.defaults import set_default
from sep2.operations.groups import NewGroup, assign, create_group
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from sep2.store import connections, devices
from tests.envelope.cases import START
from tests.envelope.test_seen import days

ADOPTION_S = 300
sizes = st.lists(st.floats(0.0, 20_000.0) | st.just(np.inf), min_size=1, max_size=5)


@given(st.integers(0, 40_000), st.integers(0, 40_000), sizes, st.sampled_from(Policy))
@settings(max_examples=300, deadline=None)
def test_no_part_falls_as_the_limit_rises(one, other, size, policy):
    low, high = sorted((one, other))
    found = parts(np.array([low, high]), np.array(size), policy)
    assert np.all(found[0] <= found[1])
    assert np.all(found.sum(axis=1) <= [low, high])
    assert np.all(found >= 0)


def client(number, **changes):
    return Client(number, f"{number}D" * 20, "csip-aus-1.2", False, 4_000, None)._replace(**changes)


@given(days(), st.sampled_from(Policy), st.data())
@settings(deadline=None)
def test_parts_keep_the_net_limits_whoever_acts_late_or_falls_to_the_default(given_day, policy, data):
    """Each device on its own part of any moment within the time that taking one up may take, or on its default."""
    day, low, high = given_day
    clients = [client(k, set_max_w=data.draw(st.none() | st.integers(0, 50))) for k in range(3)]
    share = Sharing(policy)
    told = [share.parts(one.limits, clients) for one in lead_time.upcoming_intervals(day, 0, START, steps_ahead=2)]
    spans = lead_time.upcoming_intervals(day, 0, START, steps_ahead=2)
    default = share.parts(net_to_device.default_of(day, 0), clients)
    bound = day.export_binding.is_network[:, 0]
    late_s = day.early_s or 300
    for t, start in enumerate(day.step_start):
        over = late_s if bound[t] else 0
        within = [
            own for own, span in zip(told, spans, strict=True) if span.start < start + 300 and span.end + over > start
        ]
        gens = sum(max(own[k].gen_w for own in within) for k in range(3))
        loads = sum(max(own[k].load_w for own in within) for k in range(3))
        assert gens == 0 or gens - low[t] <= day.export_limit_w[t, 0]
        assert loads == 0 or loads + high[t] <= day.import_limit_w[t, 0]
        if bound[t]:
            mixed = sum(max(default[k].gen_w, *(own[k].gen_w for own in within)) for k in range(3))
            most = max(day.export_limit_w[t, 0], day.default_export_w[0])
            assert mixed == 0 or mixed - low[t] <= most


MOMENTS = range(START, START + 1500, 50)
lengths = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 30)), min_size=1, max_size=4)


def line_of(pieces, start=START):
    """Neighbouring intervals of these lengths and limits, from a moment on."""
    found = []
    for length, watts in pieces:
        found.append(Interval(start, start + 50 * length, Limits(gen_w=watts, load_w=watts)))
        start += 50 * length
    return [*found, Interval(start, START + 9_000, Limits(gen_w=5, load_w=5))]


def at(several, moment):
    return next(one.limits for one in several if one.start <= moment < one.end)


@given(
    lengths, st.lists(st.integers(0, 9), min_size=2, max_size=2), st.lists(st.integers(0, 9), min_size=2, max_size=2)
)
@settings(deadline=None)
def test_parts_that_change_hands_never_come_to_more_than_the_whole(pieces, before, after):
    """One client goes on with its old part for up to the adoption time while the other has its new one at once."""
    whole, default = line_of(pieces), Limits(gen_w=0, load_w=0)

    def of(size):
        policy = [client(k, set_max_w=watts) for k, watts in enumerate(size)]
        return [[i._replace(limits=Sharing().parts(i.limits, policy)[k]) for i in whole] for k in range(2)]

    old, new = of(before), of(after)
    eased = [handover.until_adopted(new[k], old[k], default, START + ADOPTION_S) for k in range(2)]
    for moment in MOMENTS:
        most = at(whole, moment).gen_w
        held = [[at(eased[k], moment).gen_w] for k in range(2)]
        if moment < START + ADOPTION_S:
            held = [[*own, at(old[k], moment).gen_w] for k, own in enumerate(held)]
        else:
            assert held == [[at(new[k], moment).gen_w] for k in range(2)]
        assert max(map(sum, product(*held))) <= most


def test_who_was_told_nothing_waits_until_the_others_have_let_go():
    new = [Interval(START, START + 900, Limits(gen_w=500, load_w=700))]
    assert handover.until_adopted(new, [], Limits(), START + 300) == [
        Interval(START, START + 300, Limits(gen_w=0, load_w=0)),
        Interval(START + 300, START + 900, Limits(gen_w=500, load_w=700)),
    ]


def test_a_default_is_loosened_only_once_a_tighter_one_beside_it_is_taken_up():
    was, less, more = (Limits(gen_w=w, load_w=w) for w in (100, 60, 140))
    first = [handover.DefaultChange(was, START - 9_000, less), handover.DefaultChange(was, START - 9_000, more)]
    assert handover.defaults_to_set(first, START, 300) == [less, was]
    then = [handover.DefaultChange(less, START, less), handover.DefaultChange(was, START - 9_000, more)]
    assert handover.defaults_to_set(then, START + 299, 300) == [less, was]
    assert handover.defaults_to_set(then, START + 300, 300) == [less, more]
    assert handover.defaults_to_set([handover.DefaultChange(Limits(), 0, less)] * 2, START, 300) == [less, less]


async def test_what_a_device_is_served_as_its_default_counts_and_not_only_what_its_own_group_says(at_hand):
    """Its part grows to no more than that at once, where another device's part has to be let go first."""
    async with at_hand.write() as db:
        group = (await connections.by_name(db, "c2")).device_group_id
        feeder = await create_group(db, NewGroup("feeder", primacy=20), START)
        device = await devices.by_lfdi(db, "1B" * 20)
        await assign(db, feeder, device.id, START)
        await set_default(db, feeder, Limits(gen_w=700, load_w=900), now=START)
        wanted = Limits(gen_w=2000, load_w=2000)
        counted = handover.DefaultChange(*await group_state.default_of(db, group), wanted)
    assert counted.was[2:] == (700, 900)
    beside = handover.DefaultChange(Limits(gen_w=3000, load_w=3000), 0, Limits(gen_w=1700, load_w=1700))
    assert handover.defaults_to_set([counted, beside], START, ADOPTION_S)[0] == Limits(gen_w=700, load_w=900)
