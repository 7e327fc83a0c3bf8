"""Programs and their defaults as clients of either profile read them."""

from sqlalchemy import update

from sep2.operations.defaults import set_default
from sep2.rules.limits import Limits
from sep2.store.tables import default_control
from tests.server.world import NOW


async def test_a_version_that_has_run_its_course_begins_anew(world):
    """A default that follows an engine changes every few minutes; the wire counts to 65535."""
    group = world.ids.groups["feeder"]
    async with world.state.db.write() as db:
        await db.run(update(default_control).values(version=65535))
        await set_default(db, group, Limits(export_w=1), now=NOW)
    sunny = await world.as_("sunny")
    shown = await sunny.get(f"/edev/{world.ids.devices['one']}/derp/{group}/dderc")
    assert (shown.status, shown.texts("version")) == (200, ["0"])
