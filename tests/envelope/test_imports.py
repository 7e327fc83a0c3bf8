import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("said", "heavy"),
    [
        ("import envelope, envelope.extension", ("numpy", "pandapower", "highspy", "matplotlib", "pandas")),
        (
            "import envelope.engine, envelope.operation.cycle, envelope.operation.worker",
            ("pandapower", "highspy", "matplotlib", "pandas", "power_grid_model"),
        ),
    ],
)
def test_importing_the_engine_leaves_what_is_heavy_alone(said, heavy):
    asked = f"import sys; {said}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
