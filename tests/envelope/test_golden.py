"""The golden day of the published LV28 study, with every line tested against its own rating."""

import numpy as np
import pytest

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


def test_maximum_export(published):
    level = published.search(10e3, exporting=True, who=the_worst) / 1e3
    assert level.min() == 4.0
    assert level.mean() == pytest.approx(9.9474, abs=11 * 0.5 / 288 / 16)
    assert np.all(level % 0.5 == 0.0)
