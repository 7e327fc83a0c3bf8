"""docs/engine.md leads through files that exist, to definitions that are there."""

import ast
import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "engine.md").read_text()
STOPS = re.findall(r"^\| (\d+) \| `([\w/]+\.py)` \| `(\w+)` \|", TEXT, re.MULTILINE)


def test_there_are_three_journeys_in_order():
    numbers = [int(number) for number, _, _ in STOPS]
    assert numbers.count(1) == 3
    assert all(after in (before + 1, 1) for before, after in itertools.pairwise(numbers))


@pytest.mark.parametrize(("path", "name"), sorted({(path, name) for _, path, name in STOPS}))
def test_a_stop_names_a_definition_of_its_file(path, name):
    tree = ast.parse((ROOT / "envelope" / path).read_text())
    defined = {getattr(node, "name", None) for node in ast.walk(tree)}
    targets = {
        node.target.id for node in tree.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    assert name in defined | targets


def test_every_file_that_is_named_exists():
    named = set(re.findall(r"`((?:tests/)?[\w/]+\.py)`", TEXT))
    assert named
    assert not [path for path in named if not (ROOT / path).exists() and not (ROOT / "envelope" / path).exists()]


def test_no_room_is_entered_twice_on_the_way_to_a_result():
    journeys, rooms = [], []
    for number, path, _ in STOPS:
        if number == "1":
            rooms = []
            journeys.append(rooms)
        room = path.split("/")[0]
        if not rooms or rooms[-1] != room:
            rooms.append(room)
    study, _, audit = journeys
    # A result is written where its figures and its file are: the only rooms that a study comes back to.
    assert len(study) - len(set(study)) <= 2
    assert len(audit) == len(set(audit))
