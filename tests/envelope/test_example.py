"""The example does what it says, on a short day."""

import importlib.util
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "envelopes.py"


def test_the_example_runs(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("envelopes", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.main(tmp_path, steps=4, days=2)
    said = capsys.readouterr().out
    assert "inside the limits" in said
    assert "LOAD53 may export" in said
    assert "a head voltage 0.5 % " in said
    assert "of the name plate" in said
    made = {"day.png", "why.png", "policies.png", "limits.parquet", "ledger-0.csv", "ledger-2.csv"}
    assert made <= {path.name for path in tmp_path.iterdir()}
