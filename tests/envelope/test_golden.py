"""The golden day of the published LV28 study, with every line tested against its own rating."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.golden_opendss import Search
from tests.envelope.golden import Published, everyone, the_worst


@pytest.fixture(scope="module")
def published(lv28):
    return Published(*lv28)


def test_proportional_import_is_the_published_one_in_every_step(published):
    level = published.search(14e3, exporting=False, who=everyone)[:, 0] / 1e3
    assert level.min() == 12.5
    assert (level < 14.0).sum() == 14
    assert level.mean() == pytest.approx(13.9670, abs=5e-5)


def test_proportional_export_differs_by_no_more_than_eleven_single_steps(published):
    level = published.search(10e3, exporting=True, who=everyone)[:, 0] / 1e3
    assert level.min() == 5.0
    assert abs((level < 10.0).sum() - 68) <= 11
    assert level.mean() == pytest.approx(9.4688, abs=11 * 0.5 / 288)


@pytest.mark.parametrize(("most_w", "exporting"), [(14e3, False), (10e3, True)])
def test_opendss_finds_the_same_with_its_own_inverter_controls(published, most_w, exporting):
    """A part of the steps here; in `make bench` all 288, in both directions."""
    pytest.importorskip("dss")
    ours = published.search(most_w, exporting=exporting, who=everyone)[:, 0]
    steps = [*np.flatnonzero(ours < most_w)[::4], *range(0, 288, 48)]
    master = Path(os.environ["SEP2_FACTS"], "data", "lv28", "opendss", "Master.txt")
    theirs = Search(master, published.feeder).run(most_w, exporting=exporting, steps=steps)
    np.testing.assert_array_equal(theirs, ours[steps])


def test_maximum_export(published):
    level = published.search(10e3, exporting=True, who=the_worst) / 1e3
    assert level.min() == 4.0
    assert level.mean() == pytest.approx(9.9474, abs=11 * 0.5 / 288 / 16)
    assert np.all(level % 0.5 == 0.0)
