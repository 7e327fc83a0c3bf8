"""The market's day: played whole, with the figures that it comes to, and evidence that stands by itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import REPOSITORY

PATIENCE_S = 600
pytestmark = pytest.mark.timeout(PATIENCE_S)
KWH = 1000


def test_a_markets_day_from_the_register_to_the_evidence(tmp_path: Path):
    folder = tmp_path / "market"
    words = ("demo", "market", "--json", "--dir", str(folder))
    command = [sys.executable, "-c", "from sep2.cli import main; main()", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    deliverable = found["deliverable_w"]
    # Two transformers of 500 kVA with twelve batteries of 50 kW each bind what eight of them can do.
    assert all(330_000 < watts < 350_000 for watts in deliverable.values())
    assert (found["first_verdict"], found["planned_w"]) == (
        "limit",
        sum(w // 1000 * 1000 for w in deliverable.values()),
    )
    assert (found["acknowledged_s"], found["named"], found["moved"]) == (40, ["DER B03"], 2)
    # 50 minutes of what seven batteries that obey were instructed beyond a share of 25 kW, less what flowed meanwhile.
    beyond_w = 7 * (found["planned_w"] / 16 - 25_000)
    assert beyond_w * 48 / 60 < found["lost_override_wh"] <= beyond_w * 50 / 60 + KWH
    assert found["lost_envelope_wh"] == 0
    assert 0.95 < found["delivered_share"] < 0.97
    assert found["firm_needed"] == 22
    # All 48 intervals of each battery, but for the ten in which the override held at feeder B.
    assert (found["tested"], found["kept"], found["each"]) == (16 * 48 - 8 * 10, 16 * 48 - 8 * 10, 48)
    # 12, 10 and 11 kW in the evenings before, moved by what was drawn before the event; the day of the event fed in.
    assert 11_000 <= found["baseline_w"] < 13_500
    assert found["baseline_limited_w"] < 1000
    assert found["metered_w"] == 4000
    assert found["evidence_verified"]
    assert found["same_pack"]
    script = [sys.executable, str(REPOSITORY / "examples" / "verify_evidence.py"), str(folder / "evidence.zip")]
    assert subprocess.run(script, check=False).returncode == 0
    assert (folder / "market-day.png").stat().st_size > 5000
