"""Spoiled documents are read or refused, nothing else; the trials try many more."""

import random

import pytest

from tests.wire.spoil import survive


@pytest.mark.parametrize("seed", range(8))
def test_spoiled_documents_are_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    read = sum(survive(chance) for _ in range(400))
    assert 0 < read < 400
