"""A small sample of the trials with many subscribers."""

import pytest

from tests.server import crowd
from tests.server.process import House


@pytest.fixture
async def house(people, database_url, tmp_path):
    made = House(tmp_path, people, database_url)
    yield made
    await made.stop()


async def test_all_are_told_of_one_change_once(house):
    await crowd.tell_all(house, 500, clients=5)


async def test_one_that_answers_is_told_beside_many_that_do_not(house):
    await crowd.tell_beside_silence(house, 100, changes=3, every_s=0.2)
