"""A plan that rolls: rounds make tomorrow by themselves, from what is measured, and publish only what changed."""

import pytest

from tests.envelope.rolling import DAY_S, HOMES, NOW, STEP_S, at_work, gaps


def said(row):
    return row.start, row.duration, row.import_limit_w, row.export_limit_w


def is_run(mark):
    return bool(mark) and not mark.startswith("safe ")


@pytest.fixture
async def office(sqlite_url, tmp_path):
    async with at_work(sqlite_url, tmp_path) as made:
        yield made


async def test_a_rolling_day_has_no_gap_no_second_control_and_mints_only_what_changed(office):
    await office.until(lambda: _published(office))
    before = {name: await office.controls_of(name) for name in HOMES}
    minted = 0
    for step in range(1, 7):
        now = NOW + step * STEP_S
        await office.move(now)
        for name in HOMES:
            rows = await office.controls_of(name)
            none, two = gaps(rows, now, now + DAY_S)
            assert (none, two) == ([], []), (step, name)
            known = {row.mrid for row in before[name]}
            fresh = [row for row in rows if row.mrid not in known]
            standing = {(row.start, row.duration, row.import_limit_w, row.export_limit_w) for row in before[name]}
            assert not [
                row for row in fresh if (row.start, row.duration, row.import_limit_w, row.export_limit_w) in standing
            ]
            minted += len(fresh)
            before[name] = rows
    assert minted < 6 * sum(map(len, before.values()))
    assert await office.alarms() == {}


async def _published(office):
    return is_run(await office.run_mark())
