"""Thousands of documents at the ends of their fields, over the served port on both databases."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.conftest import (  # noqa: F401 - fixtures
    on_either,
    on_postgres,
    on_sqlite,
    people,
    settled_postgres,
    settled_sqlite,
)
from tests.server.extremes import Writer
from tests.server.test_extremes import KINDS, write_all, writer  # noqa: F401 - a fixture
from tests.trials.figures import record_row

ROUNDS = 1000
MANY = settings(
    max_examples=ROUNDS, deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck)
)
AMONG = list(dict.fromkeys(kind.__name__ for kind in KINDS))


@MANY
@given(data=st.data())
def _written(writer: tuple[asyncio.Runner, Writer], data: st.DataObject) -> None:  # noqa: F811
    write_all(writer, data)


def test_extremes(writer: tuple[asyncio.Runner, Writer]) -> None:  # noqa: F811
    _written(writer)
    _, of = writer
    for name in AMONG:
        record_row(
            "Extremes",
            f"{ROUNDS} documents of each class that a client may write, and three times as many mirrors, with every "
            "field at the ends of its type, on each kind of database: refused with a reason, or read back equal over "
            "the served port. So many were taken on the last.",
            (name, of.taken[name]),
            AMONG,
        )
