"""Every field of every document that clients may write, at its ends: refused, or read back; never an error of ours."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sep2 import wire as w
from sep2.operations.controls import NewControl, issue_controls
from sep2.rules.limits import Limits
from tests.raw import document
from tests.server.conftest import Settled
from tests.server.extremes import PLACES, Writer, written
from tests.server.test_refusals import settings as der_settings
from tests.server.world import NOW, People, World, serving

KINDS = [
    *PLACES,
    w.EndDevice,
    w.ConnectionPoint,
    w.LogEvent,
    w.DERControlResponse,
    w.Subscription,
    *[w.MirrorUsagePoint] * 3,
]
SOME = settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def writer(people: People, on_either: Settled) -> Iterator[tuple[asyncio.Runner, Writer]]:
    """Somebody who writes to a server, and the loop that both run in."""
    with asyncio.Runner() as runner:
        running = serving(people, on_either.url, ids=on_either.ids)
        world = runner.run(_enter(running))
        yield runner, runner.run(_writer(world))
        runner.run(running.__aexit__(None, None, None))


async def _enter(running) -> World:  # type: ignore[no-untyped-def]
    return await running.__aenter__()  # type: ignore[no-any-return]


async def _writer(world: World) -> Writer:
    async with world.state.db.write() as db:
        control = NewControl(start=NOW + 100, duration=60, limits=Limits(export_w=1))
        await issue_controls(db, world.ids.groups["feeder"], [control], NOW)
    raw = await world.as_("sunny")
    program = f"/edev/{world.ids.devices['one']}/derp/{world.ids.groups['feeder']}"
    return Writer(world, raw, (await raw.get(f"{program}/derc")).texts("DERControl/mRID")[0])


@SOME
@given(data=st.data())
def test_extremes_are_refused_or_read_back(writer: tuple[asyncio.Runner, Writer], data: st.DataObject) -> None:
    write_all(writer, data)


def write_all(writer: tuple[asyncio.Runner, Writer], data: st.DataObject) -> None:
    """Write one document of each kind."""
    runner, of = writer
    for kind in KINDS:
        runner.run(of.write(data.draw(written(kind))))


HOSTILE = (
    "&#0;",
    "&#xD800;",
    "&#xFFFE;",
    "\ufffe",
    str(2**63),
    str(-(2**63) - 1),
    str(10**400),
    "5e-128",
    "NaN",
    "1_0",
    "٣",
    "-0",
    "+7",
    " 7 ",
    "0x7",
    "é" * 33,
    "",
)


async def test_text_that_is_no_value_is_refused_or_read_back(either_world: World) -> None:
    """In each field of a DERSettings, a LogEvent, a reading and a place."""
    sunny = await either_world.as_("sunny")
    device = f"/edev/{either_world.ids.devices['one']}"
    log = (
        f"<createdDateTime>{NOW}</createdDateTime><details>d</details><extendedData>1</extendedData>"
        "<functionSet>1</functionSet><logEventCode>1</logEventCode><logEventID>1</logEventID>"
        "<logEventPEN>1</logEventPEN><profileID>2</profileID>"
    )
    for said in HOSTILE:
        bodies = [
            ("PUT", f"{device}/der/1/derg", der_settings().replace(">5000<", f">{said}<")),
            ("PUT", f"{device}/der/1/derg", der_settings(updated=said)),  # type: ignore[arg-type]
            *(
                ("POST", f"{device}/lel", document("LogEvent", log.replace(f"{tail}>{value}<", f"{tail}>{said}<")))
                for tail, value in (("details", "d"), ("extendedData", 1), ("logEventPEN", 1), ("createdDateTime", NOW))
            ),
        ]
        for method, path, body in bodies:
            answer = await sunny.ask(method, path, body.encode())
            assert answer.status in (201, 204, 400), (said, path)
            if answer.status != 400:
                place = answer.headers.get("location", path)
                assert (await sunny.get(place)).status == 200, (said, place)
    assert (await sunny.get(f"{device}/lel?l=255")).status == 200
