"""The guarded clock: what it tells through jumps of the wall clock, for any history of readings."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep2.clock import HOLDS_AFTER_S, MOST_APART_S, SLEW, Guard, SystemClock
from tests.machine import Machine

WALL = 1_800_000_000.0
HOUR, DAY = 3600.0, 86_400.0
JUMPS = st.one_of(
    st.just(0.0),
    st.sampled_from([HOUR, -HOUR, 100 * DAY, -100 * DAY, 6.0, -6.0, 4.0, -4.0]),
    st.floats(-2 * HOUR, 2 * HOUR),
)
HISTORIES = st.lists(st.tuples(st.floats(0.0, 30.0), st.one_of(st.just(0.0), st.just(0.0), JUMPS)), max_size=80)
"""Seconds that pass, and by how much the wall clock jumps at their end."""


@given(HISTORIES)
def test_time_never_freezes_goes_back_or_leaps_but_to_a_time_that_has_held(history):
    guard = Guard(WALL, 0.0)
    wall, monotonic = WALL, 0.0
    seen = [(0.0, WALL)]
    for passed_s, jump_s in history:
        monotonic += passed_s
        wall += passed_s + jump_s
        before = guard.told
        guard.look(wall, monotonic)
        seen.append((monotonic, wall))
        gone_s = guard.told - before
        assert (1 - SLEW) * passed_s - 1e-3 <= gone_s <= (1 + SLEW) * passed_s + 1e-3
        if guard.jumped_held_s >= HOLDS_AFTER_S:
            recent = [w - m for m, w in seen if m >= monotonic - HOLDS_AFTER_S + 1e-6]
            assert max(recent) - min(recent) <= 2 * MOST_APART_S + 1e-3
            guard.follow()
            assert guard.told == wall


@given(HISTORIES)
def test_a_wall_clock_that_runs_evenly_is_followed_in_the_end(history):
    machine = Machine(WALL)
    clock = machine.clock()
    for passed_s, jump_s in history:
        machine.run(passed_s)
        machine.set(jump_s)
        clock.now()
    for _ in range(30):
        machine.run(5)
        clock.now()
    assert abs(clock.now() - machine.wall) <= 1
    assert clock.is_trusted()


@given(st.lists(st.floats(0.1, 5.0), min_size=50, max_size=100), st.floats(-0.05, 0.05))
def test_a_wall_clock_that_drifts_is_followed_without_doubt(passing, rate):
    """As a time service slews it."""
    machine = Machine(WALL)
    clock = machine.clock()
    told = [clock.now()]
    for passed_s in passing:
        machine.run(passed_s)
        machine.set(rate * passed_s)
        told.append(clock.now())
        assert clock.is_trusted()
    assert all(later >= earlier for earlier, later in pairwise(told))
    assert abs(clock.now() - machine.wall) <= 1


@pytest.mark.parametrize(("by_s", "for_s"), [(HOUR, 2), (100 * DAY, 4), (-HOUR, 50), (-100 * DAY, 50)])
def test_a_jump_that_does_not_last_is_not_followed(by_s, for_s):
    machine = Machine(WALL)
    clock = machine.clock()
    machine.set(by_s)
    for second in range(for_s):
        machine.run(1)
        assert clock.now() == WALL + second + 1
        assert not clock.is_trusted()
    machine.set(-by_s)
    for second in range(for_s, 120):
        machine.run(1)
        assert clock.now() == WALL + second + 1
    assert clock.is_trusted()
    assert clock.held_s() == pytest.approx(119 - for_s)


@pytest.mark.parametrize("by_s", [HOUR, -HOUR, 100 * DAY, -6])
def test_a_jump_that_holds_for_a_minute_is_followed_in_one_step(by_s):
    machine = Machine(WALL)
    clock = machine.clock()
    machine.set(by_s)
    told = []
    for _ in range(70):
        machine.run(1)
        told.append(clock.now())
    assert [round(later - earlier) for earlier, later in pairwise(told)].count(1) == len(told) - 2
    assert told[-1] == machine.wall
    assert clock.is_trusted()
    assert clock.held_s() < 15


def test_two_looks_far_apart_prove_nothing_of_the_time_between():
    """A process that was stopped for ten minutes has not seen that the time held."""
    machine = Machine(WALL)
    clock = machine.clock()
    machine.set(HOUR)
    clock.now()
    machine.run(600)
    assert clock.now() == WALL + 600


def test_a_machine_that_was_suspended_is_followed_a_minute_later():
    """Its monotonic clock stood still."""
    machine = Machine(WALL)
    clock = machine.clock()
    machine.set(8 * HOUR)
    assert clock.now() == WALL
    for _ in range(61):
        machine.run(1)
        clock.now()
    assert clock.now() == machine.wall


async def test_who_sleeps_does_not_sleep_for_the_time_that_was_jumped_over():
    """Neither longer, while the wall clock is behind, nor for ever, when the time goes back."""
    machine = Machine(WALL)
    clock = machine.clock()
    sleeping = asyncio.create_task(clock.sleep_until(WALL + 10))
    await asyncio.sleep(0)
    machine.set(-HOUR)
    await machine.live(9, step_s=3)
    assert not sleeping.done()
    await machine.live(2)
    await asyncio.wait_for(sleeping, 60)
    far = asyncio.create_task(clock.sleep_until(clock.now() + 1000))
    await machine.live(70)
    await asyncio.wait_for(far, 60)
    assert clock.now() == machine.wall


async def test_who_worked_while_the_time_went_back_does_not_wait_for_the_time_of_before():
    machine = Machine(WALL)
    clock = machine.clock()
    again_at, steps = clock.now() + 1, clock.steps
    machine.set(-HOUR)
    await machine.live(70)
    assert clock.now() == machine.wall
    await asyncio.wait_for(clock.sleep_until(again_at, steps=steps), 60)


def test_what_the_machine_says_is_told():
    clock = SystemClock()
    assert clock.is_trusted()
    assert clock.held_s() < 60
