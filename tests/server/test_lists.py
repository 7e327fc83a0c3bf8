"""Pages of lists over the wire (2030.5 4.6)."""

import asyncio

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sep2.operations.controls import NewControl, cancel_control, issue_controls
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.groups import NewGroup, assign, create_group
from sep2.rules.identifiers import managed_lfdi
from sep2.rules.limits import Limits
from tests.raw import Raw
from tests.server.world import NOW, World, copied, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

LARGE = 2**64


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(people, tmp_path_factory, sqlite_template):
    """A server whose lists are longer than a page."""
    async with serving(people, copied(sqlite_template, tmp_path_factory.mktemp("house"))) as world:
        async with world.state.db.write() as db:
            one, feeder = world.ids.devices["one"], world.ids.groups["feeder"]
            for number in range(20):
                await add_device(db, NewDevice(managed_lfdi(32473), world.ids.clients["sunny"]), NOW + number % 3)
            for number in range(7):
                group = await create_group(db, NewGroup(f"group {number}", primacy=10 + number % 3), NOW)
                await assign(db, group, one, NOW)
            spread = [(n * 7 % 20) * 60 for n in range(20)]
            controls = [NewControl(start=NOW + at, duration=60, limits=Limits(export_w=at)) for at in spread]
            await issue_controls(db, feeder, controls, NOW)
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def sunny(world: World) -> Raw:
    return await world.as_("sunny")


def lists(world: World) -> dict[str, int]:
    """Every list that is long, and its length."""
    one, feeder = world.ids.devices["one"], world.ids.groups["feeder"]
    return {
        "/edev": 23,
        f"/edev/{one}/fsa": 12,
        f"/edev/{one}/fsa/{feeder}/derp": 1,
        f"/edev/{one}/derp/{feeder}/derc": 20,
        f"/edev/{one}/derp/{feeder}/actderc": 1,
        f"/edev/{one}/der": 1,
        f"/edev/{one}/rsps": 1,
        f"/edev/{one}/rsps/1/rsp": 0,
        f"/edev/{one}/lel": 0,
        "/mup": 0,
    }


async def test_without_a_limit_one_item_is_given(world, sunny):
    for path, length in lists(world).items():
        listed = await sunny.get(path)
        assert (listed.status, listed.number("all"), listed.number("results")) == (200, length, min(1, length))


async def test_any_page_is_the_slice_of_the_whole(world, sunny):
    """Whatever `s` and `l` say, the page is what slicing says, and `all` is the length."""
    whole = {path: [item.attrib["href"] for item in (await sunny.get(f"{path}?l=255")).xml] for path in lists(world)}
    assert {path: len(items) for path, items in whole.items()} == lists(world)
    numbers = st.one_of(st.integers(0, 25), st.sampled_from([0, 1, 255, 256, 65535, 2**32, LARGE]))

    async def check(path: str, start: int, limit: int) -> None:
        listed = await sunny.get(f"{path}?s={start}&l={limit}")
        wanted = whole[path][start : start + min(limit, 255)]
        assert [item.attrib["href"] for item in listed.xml] == wanted
        assert (listed.status, listed.number("all"), listed.number("results")) == (200, len(whole[path]), len(wanted))

    loop = asyncio.get_running_loop()

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(path=st.sampled_from(sorted(whole)), start=numbers, limit=numbers)
    def every(path: str, start: int, limit: int) -> None:
        asyncio.run_coroutine_threadsafe(check(path, start, limit), loop).result(30)

    await asyncio.to_thread(every)


@pytest.mark.parametrize("size", [1, 3, 10])
async def test_walking_pages_meets_everything_once(world, sunny, size):
    """A client asks one page too many, and a repeated href ends its run."""
    for path, length in lists(world).items():
        met: list[str] = []
        while True:
            page = await sunny.get(f"{path}?s={len(met)}&l={size}")
            assert page.number("all") == length
            if not len(page.xml):
                break
            assert len(page.xml) == min(size, length - len(met))
            met += [item.attrib["href"] for item in page.xml]
        assert len(set(met)) == len(met) == length


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("s=0&l=2", 200),
        ("s=&l=2", 400),
        ("l=-1", 400),
        ("l=two", 400),
        ("s=1.5", 400),
        ("s=0x1", 400),
        ("a=yesterday", 400),
        ("l=%D9%A1", 400),
        ("l=2&l=9", 200),
        ("unknown=7&l=2", 200),
        ("l=2;s=1", 400),
        ("&&&", 200),
        ("", 200),
        ("l=99999999999999999999999999999", (200, 400)),
        ("%00=1", 200),
    ],
)
async def test_queries(sunny, query, status):
    """A bad query is a 400 with an Error, and never a 500."""
    listed = await sunny.get(f"/edev?{query}")
    assert listed.status in (status if isinstance(status, tuple) else (status,))
    assert listed.reason == 0 if listed.status == 400 else listed.number("all") == 23


async def test_a_query_on_what_is_no_list_is_ignored(sunny):
    for query in ("s=3&l=0", "l=two", "a="):
        assert (await sunny.get(f"/tm?{query}")).texts("currentTime") == [str(NOW)]


async def test_the_orders_of_lists(world, sunny):
    """Own entry, then latest changed; controls by start; programs by primacy."""
    one, feeder = world.ids.devices["one"], world.ids.groups["feeder"]
    devices = await sunny.get("/edev?l=255")
    assert devices.texts("EndDevice/lFDI")[0] == world.people.lfdi("sunny")
    changed = [int(text) for text in devices.texts("EndDevice/changedTime")][1:]
    assert changed == sorted(changed, reverse=True)
    starts = (await sunny.get(f"/edev/{one}/derp/{feeder}/derc?l=255")).texts("DERControl/interval/start")
    assert starts == [str(NOW + minute * 60) for minute in range(20)]
    mrids = (await sunny.get(f"/edev/{one}/fsa?l=255")).texts("FunctionSetAssignments/mRID")
    assert mrids == sorted(mrids, reverse=True)


async def test_controls_after_a_time(world, sunny):
    one, feeder = world.ids.devices["one"], world.ids.groups["feeder"]
    listed = await sunny.get(f"/edev/{one}/derp/{feeder}/derc?a={NOW + 60 * 16}&l=2")
    assert listed.texts("DERControl/interval/start") == [str(NOW + 60 * 17), str(NOW + 60 * 18)]
    assert (listed.number("all"), listed.number("results")) == (3, 2)


async def test_a_list_that_changes_between_pages(world, sunny):
    """Each page is consistent in itself, and nothing is answered with a failure."""
    one, group = world.ids.devices["two"], world.ids.groups["NMI2"]
    path = f"/edev/{one}/derp/{group}/derc"
    stop = asyncio.Event()

    async def change() -> None:
        for round_ in range(6):
            async with world.state.db.write() as db:
                fresh = [
                    NewControl(start=NOW + 9000 + round_ * 100 + n * 10, duration=10, limits=Limits(export_w=n))
                    for n in range(3)
                ]
                issued = await issue_controls(db, group, fresh, NOW)
            async with world.state.db.write() as db:
                await cancel_control(db, issued.created[0], NOW)
        stop.set()

    changing = asyncio.create_task(change())
    while not stop.is_set():
        for start in (0, 3, 9):
            page = await sunny.get(f"{path}?s={start}&l=3")
            assert page.status == 200
            assert page.number("results") == len(page.xml) == max(0, min(3, page.number("all") - start))
    await changing
    assert (await sunny.get(f"{path}?l=255")).number("all") == 18
