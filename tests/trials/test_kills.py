"""Hundreds of kills: the story of tests/server is told again and again while the server dies at random."""

import random
from collections import Counter

import pytest

from tests.ports import free_port
from tests.receiver import Receiver
from tests.server.conftest import people  # noqa: F401 - a fixture
from tests.server.process import House
from tests.server.story import Story
from tests.server.test_kill import tell_through_kills
from tests.trials.figures import record

STORIES, KILLS = 25, 4


@pytest.fixture(scope="module")
def told(request):
    """How many stories were told to their end, by kind of database; written down where nothing was lost in any."""
    count = Counter()
    yield count
    if not request.session.testsfailed:
        record(
            "Kills",
            "A story of subscribing, reporting, sending, answering, superseding and cancelling is told while the "
            "server process is killed at random moments and started again on the same database. In each story all that "
            "was acknowledged is there at the end, once.",
            [(f"stories on {kind}, {KILLS} kills in each", number) for kind, number in sorted(count.items())],
        )


@pytest.mark.parametrize("number", range(STORIES))
async def test_a_story_through_kills(people, told, database_url, tmp_path, number):  # noqa: F811
    house = House(tmp_path, people, database_url)
    await house.settle()
    await house.start()
    root = people.pki.folder / "root.pem"
    async with Receiver(free_port()).listening(people.files("sunny"), root) as receiver:
        story = Story(house, receiver)
        await tell_through_kills(story, random.Random(number), kills=KILLS)
        await story.leave()
    await house.stop()
    told[database_url.partition(":")[0]] += 1
