"""Rooms can be used without those that they must not know: what is imported is looked at in a process of its own."""

import subprocess
import sys

import pytest

HEAVY = ("numba", "pandas", "highspy")
AUDIT = """
from tests.envelope.cases import street
from envelope.problem import run_id
from envelope.schedule import EnvelopeSchedule, verified_box
from envelope.verification import Effort, verify
from envelope.model_free.methods import Unmodelled
"""


def loaded(code: str) -> set[str]:
    """Modules that are loaded once this has run."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("room", ["envelope.problem", "envelope.schedule"])
def test_data_is_read_without_what_calculates(room):
    found = loaded(f"import {room}")
    assert room in found
    assert not found & set(HEAVY)


def test_an_auditor_verifies_without_the_calculation():
    found = loaded(AUDIT)
    assert "envelope.verification.trial" in found
    assert not [name for name in found if name.startswith(("envelope.calculation", "envelope.engine"))]
