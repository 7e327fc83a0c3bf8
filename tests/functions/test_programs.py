"""Programs and their defaults as clients of either profile read them."""

import pytest
from sqlalchemy import update

from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.defaults import set_default
from sep2.rules.limits import Limits
from sep2.store.tables import client, default_control
from tests.raw import document
from tests.server.world import NOW, serving


async def test_a_version_that_has_run_its_course_begins_anew(world):
    """A default that follows an engine changes every few minutes; the wire counts to 65535."""
    group = world.ids.groups["feeder"]
    path = f"/edev/{world.ids.devices['one']}/derp/{group}/dderc"
    sunny = await world.as_("sunny")
    (before,) = (await sunny.get(path)).texts("version")
    async with world.state.db.write() as db:
        await db.run(update(default_control).values(version=65536 - int(before) + default_control.c.version - 1))
        await set_default(db, group, Limits(export_w=1), now=NOW)
    shown = await sunny.get(path)
    assert (shown.status, shown.texts("version")) == (200, ["0"])


@pytest.fixture
async def american(people, on_sqlite):
    """gale's clients speak csip, and `three` has said that it generates 5 kW at most."""
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids) as world:
        async with world.state.db.write() as db:
            await db.run(update(client).where(client.c.name == "gale").values(profile="csip"))
        gale = await world.as_("gale")
        power = "<setMaxW><multiplier>0</multiplier><value>5000</value></setMaxW>"
        settings = document("DERSettings", f"<setGradW>1</setGradW>{power}<updatedTime>{NOW}</updatedTime>")
        assert (await gale.put(f"/edev/{world.ids.devices['three']}/der/1/derg", settings)).status == 204
        yield world, gale


@pytest.mark.parametrize(
    ("why", "limits", "modes", "percent"),
    [
        ("an export limit is a share of setMaxW", Limits(export_w=1500), {}, ["3000"]),
        ("the tighter of export and generation counts", Limits(export_w=1500, gen_w=500), {}, ["1000"]),
        ("an import limit can not be said", Limits(import_w=1500), {}, []),
        ("what an operator says in percent is sent as it is", Limits(), {"opModMaxLimW": 2500}, ["2500"]),
        ("a tighter limit beside it counts", Limits(export_w=1000), {"opModMaxLimW": 2500}, ["2000"]),
        ("a looser limit beside it does not", Limits(export_w=4000), {"opModMaxLimW": 2500}, ["2500"]),
    ],
)
async def test_limits_in_percent(american, why, limits, modes, percent):
    world, gale = american
    async with world.state.db.write() as db:
        control = NewControl(start=NOW, duration=60, limits=limits, modes=modes)
        await issue_controls(db, world.ids.groups["feeder"], [control], NOW)
    program = f"/edev/{world.ids.devices['three']}/derp/{world.ids.groups['feeder']}"
    shown = await gale.get(f"{program}/derc")
    assert shown.texts("DERControl/DERControlBase/opModMaxLimW") == percent
