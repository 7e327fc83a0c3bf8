"""Power that meters post counts by the sign that was proven, and not before."""

import pytest

from sep2.rules.metering import ReadingSign
from sep2.store import alarms
from tests.envelope.cases import START
from tests.envelope.rounds import alarms_of, mirrored


@pytest.mark.parametrize(("sign", "direction"), [(ReadingSign.AS_POSTED, "export"), (ReadingSign.REVERSED, "import")])
async def test_power_counts_by_the_sign_that_was_proven(registered, told, sign, direction):
    rounds = told.cycle(registered, mirrors=True)
    await mirrored(registered, (38, 19, 30_000), sign=ReadingSign.UNPROVEN)
    await rounds.run_once(START + 300)
    assert await alarms_of(registered) == {}
    await mirrored(registered, (38, 19, 30_000), sign=sign)
    await rounds.run_once(START + 310)
    async with registered.read() as db:
        (alarm,) = await alarms.standing(db)
    assert alarm.detail.startswith(f"{direction} of 30000 W")
