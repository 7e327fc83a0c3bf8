"""Which control wins, and what status each has when."""

from typing import NamedTuple

import pytest

from sep2.rules.events import Status, Window, earliest_start, latest_end, may_supersede, status, supersedes


class Facts(NamedTuple):
    """A control as it is stored, as far as its status goes."""

    earliest_start: int
    created: int
    cancelled: int | None = None
    cancelled_as: int | None = None
    successor_created: int | None = None
    successor_start: int | None = None


MORNING = Window(start=100, end=200, created=1, modes=frozenset({"opModExpLimW", "opModImpLimW"}))


@pytest.mark.parametrize(
    ("why", "changes", "wins"),
    [
        ("same hour, said later", {"created": 2}, True),
        ("only the last second is shared", {"created": 2, "start": 199, "end": 300}, True),
        ("starts as the other ends", {"created": 2, "start": 200, "end": 300}, False),
        ("ends as the other starts", {"created": 2, "start": 0, "end": 100}, False),
        ("said at the same time", {}, False),
        ("said earlier", {"created": 0}, False),
        ("asks for something else", {"created": 2, "modes": frozenset({"opModConnect"})}, False),
        ("asks for less", {"created": 2, "modes": frozenset({"opModExpLimW"})}, False),
        ("asks it of others", {"created": 2, "categories": 1}, False),
    ],
)
def test_supersedes(why, changes, wins):
    assert supersedes(MORNING._replace(**changes), MORNING) is wins


@pytest.mark.parametrize(
    ("why", "changes", "may"),
    [
        ("some of the modes", {"created": 2, "modes": frozenset({"opModExpLimW"})}, True),
        ("some of the devices", {"created": 2, "categories": 1}, True),
        ("all of both: it does", {"created": 2}, False),
        ("none of the modes", {"created": 2, "modes": frozenset({"opModConnect"})}, False),
        ("another hour", {"created": 2, "modes": frozenset({"opModExpLimW"}), "start": 200, "end": 300}, False),
    ],
)
def test_may_supersede(why, changes, may):
    assert may_supersede(MORNING._replace(**changes), MORNING) is may


def test_controls_for_other_categories_do_not_meet():
    assert not may_supersede(
        MORNING._replace(created=2, categories=2, modes=frozenset({"opModExpLimW"})), MORNING._replace(categories=1)
    )


@pytest.mark.parametrize(
    ("randomize_start", "randomize_duration", "starts", "ends"),
    [
        (None, None, 1000, 1600),
        (30, 60, 1000, 1690),
        (-30, -60, 970, 1600),
        (-30, 60, 970, 1660),
        (30, -60, 1000, 1630),
    ],
)
def test_randomization_is_one_sided(randomize_start, randomize_duration, starts, ends):
    assert earliest_start(1000, randomize_start) == starts
    assert latest_end(1000, 600, randomize_start, randomize_duration) == ends


SCHEDULED = Facts(earliest_start=1000, created=100)


@pytest.mark.parametrize(
    ("why", "facts", "now", "aus", "us"),
    [
        ("before its start", SCHEDULED, 999, (Status.SCHEDULED, 100), (Status.SCHEDULED, 100)),
        ("from its start on", SCHEDULED, 1000, (Status.ACTIVE, 1000), (Status.ACTIVE, 1000)),
        ("made after its start", Facts(1000, 1200), 1200, (Status.ACTIVE, 1200), (Status.ACTIVE, 1200)),
        (
            "cancelled before its successor took its place",
            SCHEDULED._replace(cancelled=500, cancelled_as=2, successor_created=400, successor_start=1000),
            2000,
            (Status.SUPERSEDED, 400),
            (Status.CANCELLED, 500),
        ),
        (
            "scheduled, with a successor",
            SCHEDULED._replace(successor_created=400, successor_start=1100),
            500,
            (Status.SUPERSEDED, 400),
            (Status.SCHEDULED, 100),
        ),
        (
            "its own start, before the successor's",
            SCHEDULED._replace(successor_created=400, successor_start=1100),
            1050,
            (Status.SUPERSEDED, 400),
            (Status.ACTIVE, 1000),
        ),
        (
            "active when the successor was made",
            SCHEDULED._replace(successor_created=1050, successor_start=1100),
            1099,
            (Status.ACTIVE, 1000),
            (Status.ACTIVE, 1000),
        ),
        (
            "the successor has started",
            SCHEDULED._replace(successor_created=1050, successor_start=1100),
            1100,
            (Status.SUPERSEDED, 1100),
            (Status.SUPERSEDED, 1100),
        ),
        (
            "the successor was cancelled before it started",
            SCHEDULED._replace(successor_created=1050, successor_start=None),
            1100,
            (Status.ACTIVE, 1000),
            (Status.ACTIVE, 1000),
        ),
    ],
)
def test_status(why, facts, now, aus, us):
    assert status(facts, now, superseded_at_once=True) == aus
    assert status(facts, now, superseded_at_once=False) == us
