import os
from pathlib import Path

import pytest

from gridmodel import Feeder, Reduced, read_feeder, reduce


@pytest.fixture(scope="session")
def lv28() -> tuple[Feeder, Reduced]:
    """The published Australian feeder."""
    facts = os.environ.get("SEP2_FACTS")
    if not facts:
        pytest.skip("SEP2_FACTS names no folder of facts")
    feeder = read_feeder(Path(facts, "data", "lv28"))
    return feeder, reduce(feeder.network)
