"""One client asks too much, and the figures of what others get beside it; a million spoiled bodies through the port."""

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.beside import NO_PACE, flooded, floods, fuzzed, served
from tests.server.conftest import people  # noqa: F401 - a fixture
from tests.server.world import People
from tests.trials.figures import record

SECONDS = float(os.environ.get("SEP2_FLOOD_S", "10"))
BODIES = int(os.environ.get("SEP2_FUZZ_BODIES", "1000000"))
CONNECTIONS = 8


@pytest.mark.timeout(600)
async def test_what_others_get_beside_one_who_asks_too_much(people: People, sqlite_url: str, tmp_path: Path) -> None:  # noqa: F811
    rows, busy = [], os.getloadavg()[0]
    for paced, more in (("without a pace", NO_PACE), ("with the default pace", "")):
        folder = tmp_path / paced.replace(" ", "-")
        folder.mkdir()
        url = f"sqlite:///{folder}/sep2.sqlite"
        shutil.copy(sqlite_url.removeprefix("sqlite:///"), folder / "sep2.sqlite")
        async with served(folder, people, url, devices=300, more=more) as utility:
            for name, (connections, asked) in floods(utility).items():
                beside, answers = await flooded(utility, connections, asked, SECONDS)
                assert set(answers) <= {"200", "201", "204", "400", "429"}, answers
                rows.append((f"{paced}, {name}", f"{sum(answers.values()) / SECONDS:,.0f} answers/s; {beside.said()}"))
            assert "Traceback" not in (folder / "log").read_text()
    record(
        "Shares",
        f"One aggregator asks too much for {SECONDS:.0f} s; meanwhile another asks for /dcap again and again, and an "
        "operator sends controls. Server (on SQLite), load and measurement share one machine.",
        [("processor cores", os.cpu_count()), ("what else ran: load average before", f"{busy:.1f}"), *rows],
    )


@pytest.mark.timeout(14_400)
async def test_a_million_spoiled_bodies(people: People, sqlite_url: str, tmp_path: Path) -> None:  # noqa: F811
    seed = random.SystemRandom().getrandbits(32)
    async with served(tmp_path, people, sqlite_url, more=NO_PACE) as utility:
        beside, answers = await fuzzed(utility, CONNECTIONS, BODIES, seed)
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log, f"seed {seed}"
    total = sum(answers.values())
    rows = [(f"answered {status}", f"{number:,}") for status, number in sorted(answers.items())]
    record(
        "Spoiled bodies through the port",
        "Documents of every kind, spoiled as bytes or as trees or left whole, sent to resources that take them and to "
        "others: each is answered in the words of 2030.5, none with a 5xx, and nothing is logged as a failure.",
        [("bodies", f"{total:,}"), *rows, ("beside it", beside.said())],
    )
