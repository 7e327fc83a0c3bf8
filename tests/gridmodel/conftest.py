import os
from pathlib import Path

import pytest

from gridmodel import Feeder, read_feeder


@pytest.fixture(scope="session")
def lv28_folder() -> Path:
    """The folder of the published Australian feeder."""
    facts = os.environ.get("SEP2_FACTS")
    if not facts:
        pytest.skip("SEP2_FACTS names no folder of facts")
    return Path(facts, "data", "lv28")


@pytest.fixture(scope="session")
def lv28(lv28_folder: Path) -> Feeder:
    return read_feeder(lv28_folder)
