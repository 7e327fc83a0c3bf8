"""Subscriptions, and the notifications that come of them (2030.5 8.7)."""

import json
import logging

import pytest

from sep2.operations import clients, devices, groups, rates
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.defaults import set_default
from sep2.rules.limits import Limits
from sep2.terminal import JsonFormatter, request_id
from tests.ports import free_port
from tests.raw import Raw, Reply, document
from tests.receiver import Receiver
from tests.server.world import NOW, World, serving


@pytest.fixture
async def receiver(people):
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as listening:
        yield listening


class Subscriber:
    """sunny, its receiver, and the feeder's program for `one`."""

    def __init__(self, world: World, raw: Raw, own: str, receiver: Receiver) -> None:
        self.world = world
        self.raw = raw
        self.own = own
        self.receiver = receiver
        self.device = f"/edev/{world.ids.devices['one']}"
        self.program = f"{self.device}/derp/{world.ids.groups['feeder']}"

    async def to(self, resource: str, *, limit: int = 100, uri: str = "") -> Reply:
        """The answer to a subscription."""
        said = (
            f"<subscribedResource>{resource}</subscribedResource><encoding>0</encoding><level>+S1</level>"
            f"<limit>{limit}</limit><notificationURI>{uri or self.receiver.uri}</notificationURI>"
        )
        return await self.raw.post(f"{self.own}/sub", document("Subscription", said))

    async def issue(self, start: int = NOW + 100, export_w: int = 1000, group: str = "feeder") -> int:
        async with self.world.state.db.write() as db:
            control = NewControl(start=start, duration=60, limits=Limits(export_w=export_w))
            issued = await issue_controls(db, self.world.ids.groups[group], [control], self.world.clock.now())
        return issued.created[0]


@pytest.fixture
async def sunny(world, receiver):
    raw = await world.as_("sunny")
    return Subscriber(world, raw, (await raw.get("/edev")).href("EndDevice"), receiver)


async def test_what_is_subscribed_to_may_be_an_absolute_uri_of_this_server(sunny):
    path, origin = f"{sunny.program}/derc", sunny.world.state.settings.listen.origin
    posted = await sunny.to(f"{origin}{path}")
    assert posted.status == 201
    assert (await sunny.raw.get(posted.location)).texts("subscribedResource") == [path]
    for elsewhere in (f"https://elsewhere.example:8443{path}", f"{origin}.example{path}", f"http{origin[5:]}{path}"):
        assert (await sunny.to(elsewhere)).status == 400


async def test_a_subscription_reads_as_it_was_posted(sunny):
    posted = await sunny.to(f"{sunny.program}/derc")
    assert posted.status == 201
    read = await sunny.raw.get(posted.location)
    assert {name: read.texts(name)[0] for name in ("subscribedResource", "encoding", "level", "limit")} == {
        "subscribedResource": f"{sunny.program}/derc",
        "encoding": "0",
        "level": "+S1",
        "limit": "100",
    }
    assert read.texts("notificationURI") == [sunny.receiver.uri]
    assert (await sunny.raw.get(f"{sunny.own}/sub?l=9")).number("all") == 1


@pytest.mark.parametrize(
    ("receivers", "uri", "status"),
    [
        ({"loopback": False}, "https://localhost:9/n", 400),
        ({"loopback": False, "hosts": ["localhost"]}, "https://localhost/n", 201),
        ({"loopback": False, "hosts": ["localhost"]}, "https://localhost:443/n", 201),
        ({"loopback": False, "hosts": ["localhost"]}, "https://localhost:9/n", 400),
        ({"loopback": False, "hosts": ["localhost:9"]}, "https://localhost:9/n", 201),
        ({"loopback": False, "hosts": ["localhost:9"]}, "https://localhost:10/n", 400),
        ({"http": True}, "http://localhost:9/n", 201),
        ({"private": True}, "https://192.168.1.5/n", 201),
        ({"private": True}, "https://169.254.169.254/n", 400),
        ({"private": True, "hosts": ["169.254.169.254"]}, "https://169.254.169.254/n", 400),
        ({"private": True}, "https://[fd00:ec2::254]/n", 400),
        ({"private": True}, "https://[fd00:ec2::253]/n", 201),
        ({"private": True}, "https://100.100.100.200/n", 400),
        ({"private": True}, "https://[64:ff9b::a9fe:a9fe]/n", 400),
        ({"hosts": ["[2001:db8::1]:9"]}, "https://[2001:db8::1]:9/n", 201),
        ({"hosts": ["2001:db8::1"]}, "https://[2001:db8::1]:9/n", 400),
        ({"private": True, "loopback": True}, "https://[::ffff:169.254.169.254]/n", 400),
        ({"private": True, "loopback": True}, "https://0.0.0.0/n", 400),
    ],
)
async def test_where_notifications_may_go(people, sqlite_url, receivers, uri, status):
    async with serving(people, sqlite_url, receivers=receivers) as world:
        raw = await world.as_("sunny")
        sunny = Subscriber(world, raw, (await raw.get("/edev")).href("EndDevice"), Receiver(0))
        assert (await sunny.to("/edev", uri=uri)).status == status


async def test_posted_twice_it_is_one(sunny):
    first, again = await sunny.to("/edev"), await sunny.to("/edev", limit=7)
    assert (first.status, again.status, again.location) == (201, 204, first.location)
    assert (await sunny.raw.get(first.location)).texts("limit") == ["7"]


async def test_a_deleted_one_is_gone(sunny):
    location = (await sunny.to(f"{sunny.program}/derc")).location
    assert (await sunny.raw.ask("DELETE", location)).status in (200, 204)
    assert (await sunny.raw.get(location)).status == 404
    assert (await sunny.raw.ask("DELETE", location)).status in (403, 404)
    await sunny.to("/edev")
    await sunny.issue()
    async with sunny.world.state.db.write() as db:
        await rates.set_poll_rate(db, "EndDeviceList", 42, NOW)
    await sunny.receiver.wait(lambda notice: notice.kind == "EndDeviceList")
    assert {notice.kind for notice in sunny.receiver.taken} == {"EndDeviceList"}


async def test_a_notification_is_the_get_again(sunny):
    """Same mRIDs, same creationTime, true `all`."""
    location = (await sunny.to(f"{sunny.program}/derc")).location
    await sunny.issue()
    notice = await sunny.receiver.wait()
    listed = await sunny.raw.get(f"{sunny.program}/derc?l=100")
    assert notice.kind == "DERControlList"
    assert notice.text("subscribedResource") == notice.resource.attrib["href"] == f"{sunny.program}/derc"
    assert notice.text("status") == "0"
    assert notice.text("subscriptionURI") == f"https://127.0.0.1:{sunny.world.port}{location}"
    assert [inside(control) for control in notice.resource] == [inside(control) for control in listed.xml]
    for attribute in ("all", "results", "subscribable"):
        assert notice.resource.attrib[attribute] == listed.xml.attrib[attribute]


def inside(control):
    return [(part.tag, part.text) for part in control.iter()]


@pytest.mark.parametrize(("limit", "results"), [(0, 0), (1, 1), (2, 2), (100, 3)])
async def test_the_limit_counts_items(sunny, limit, results):
    for number in range(3):
        await sunny.issue(NOW + 100 * (number + 1))
    await sunny.to(f"{sunny.program}/derc", limit=limit)
    await sunny.issue(NOW + 1000)
    notice = await sunny.receiver.wait()
    assert (notice.resource.attrib["all"], notice.resource.attrib["results"]) == (
        "4",
        str(min(results + (limit > 3), limit)),
    )


async def test_what_changes_is_told_to_whom_it_concerns(sunny, world):
    """A control for `one` alone is no news about the feeder, nor for gale."""
    await sunny.to(f"{sunny.program}/derc")
    own = f"{sunny.device}/derp/{world.ids.groups['NMI1']}/derc"
    await sunny.to(own)
    await sunny.issue(group="NMI1")
    notice = await sunny.receiver.wait()
    assert notice.text("subscribedResource") == own
    await sunny.issue(group="NMI3")
    await sunny.issue()
    await sunny.receiver.wait(since=1)
    assert [notice.text("subscribedResource") for notice in sunny.receiver.taken] == [own, f"{sunny.program}/derc"]


async def test_time_alone_is_news(sunny):
    """A control that begins, gives way or leaves its list changes it, though nobody wrote anything."""
    await sunny.issue(NOW + 100)
    await sunny.to(f"{sunny.program}/derc")
    for at, statuses in ((NOW + 100, ["1"]), (NOW + 170, [])):
        since = len(sunny.receiver.taken)
        sunny.world.advance(at)
        notice = await sunny.receiver.wait(since=since)
        found = notice.resource.findall("{*}DERControl/{*}EventStatus/{*}currentStatus")
        assert [status.text for status in found] == statuses


@pytest.mark.parametrize("what", ["default", "programs", "assignments", "devices", "program"])
async def test_other_resources(sunny, what):
    fsa = f"{sunny.device}/fsa"
    resource, kind = {
        "default": (f"{sunny.program}/dderc", "DefaultDERControl"),
        "programs": (f"{fsa}/{sunny.world.ids.groups['feeder']}/derp", "DERProgramList"),
        "assignments": (fsa, "FunctionSetAssignmentsList"),
        "devices": ("/edev", "EndDeviceList"),
        "program": (sunny.program, "DERProgram"),
    }[what]
    assert (await sunny.to(resource)).status == 201
    async with sunny.world.state.db.write() as db:
        if what == "default":
            await set_default(db, sunny.world.ids.groups["feeder"], Limits(export_w=1400), now=NOW)
        elif what in ("programs", "program"):
            await groups.set_primacy(db, sunny.world.ids.groups["feeder"], 7, NOW)
        elif what == "assignments":
            made = await groups.create_group(db, groups.NewGroup("new"), NOW)
            await groups.assign(db, made, sunny.world.ids.devices["one"], NOW)
        else:
            await rates.set_poll_rate(db, "EndDeviceList", 42, NOW)
            await sunny.world.state.refresh()
    notice = await sunny.receiver.wait(lambda notice: notice.kind == kind)
    assert notice.text("subscribedResource") == resource
    if what == "devices":
        await sunny.world.state.refresh()
        assert notice.resource.attrib["all"] == "3"


async def test_a_refused_notification_is_tried_again_for_long(sunny):
    """A failing receiver is retried for longer than five minutes, and the subscription stays."""
    location = (await sunny.to(f"{sunny.program}/derc")).location
    sunny.receiver.answer = lambda notice: 500
    await sunny.issue()
    for attempt, at in enumerate((NOW, NOW + 60, NOW + 300, NOW + 1800), 1):
        sunny.world.advance(at)
        await sunny.receiver.wait_refused(attempt)
        await sunny.world.settle()
    assert (await sunny.raw.get(location)).status == 200
    sunny.receiver.answer = lambda notice: 204
    sunny.world.advance(NOW + 7200)
    notice = await sunny.receiver.wait()
    assert notice.resource.attrib["all"] == "0"  # the newest state, not the one of two hours ago


class Lines(logging.Handler):
    """The lines of a log in JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.said: list[dict[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(json.loads(self.format(record)))


async def test_a_notification_is_logged_with_the_request_that_made_it(sunny):
    """From the change over the delivery to the log line: one id."""
    lines = Lines()
    logging.getLogger("sep2.notify").addHandler(lines)
    await sunny.to(f"{sunny.program}/derc")
    sunny.receiver.answer = lambda notice: 500
    token = request_id.set("the-request")
    try:
        await sunny.issue()
        await sunny.receiver.wait_refused(1)
        await sunny.world.settle()
    finally:
        request_id.reset(token)
        logging.getLogger("sep2.notify").removeHandler(lines)
    assert [line["request"] for line in lines.said if "was not told" in line["message"]] == ["the-request"]


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_receiver_that_does_not_know_us_ends_the_subscription(sunny, status):
    location = (await sunny.to(f"{sunny.program}/derc")).location
    sunny.receiver.answer = lambda notice: status
    await sunny.issue()
    await sunny.receiver.wait_refused(1)
    await sunny.world.settle()
    assert (await sunny.raw.get(location)).status == 404


async def test_a_redirect_is_not_followed(sunny, people):
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as elsewhere:
        sunny.receiver.headers = {"Location": elsewhere.uri}
        sunny.receiver.answer = lambda notice: 307
        location = (await sunny.to(f"{sunny.program}/derc")).location
        await sunny.issue()
        await sunny.receiver.wait_refused(1)
        await sunny.world.settle()
        sunny.world.advance(NOW + 60)
        await sunny.receiver.wait_refused(2)
        assert elsewhere.taken == []
        assert (await sunny.raw.get(location)).status == 200


async def test_the_right_to_read_is_looked_at_again(sunny):
    """What a subscriber may no longer read is not sent to it; it is told that it ended."""
    await sunny.to(f"{sunny.program}/derc")
    async with sunny.world.state.db.write() as db:
        await groups.unassign(db, sunny.world.ids.groups["feeder"], sunny.world.ids.devices["one"], NOW)
    await sunny.issue()
    notice = await sunny.receiver.wait()
    assert notice.xml.find("{*}Resource") is None
    assert notice.text("status") == "4"


async def test_who_lost_access_is_told_nothing(sunny):
    await sunny.to(f"{sunny.program}/derc")
    async with sunny.world.state.db.write() as db:
        await clients.set_client_access(db, sunny.world.ids.clients["sunny"], False)
    await sunny.issue()
    await sunny.world.settle()
    assert all(notice.xml.find("{*}Resource") is None for notice in sunny.receiver.taken)


async def test_a_silent_receiver_holds_nobody_up(sunny, people):
    """One that never answers does not keep others waiting."""
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as silent:
        silent.hold.clear()
        for resource in ("/edev", f"{sunny.program}/derc", f"{sunny.program}/dderc", f"{sunny.device}/fsa"):
            await sunny.to(resource, uri=silent.uri)
        await sunny.to(f"{sunny.program}/derc")
        for number in range(3):
            await sunny.issue(NOW + 100 * (number + 1))
            notice = await sunny.receiver.wait(lambda notice, n=number: notice.resource.attrib["all"] == str(n + 1))
            assert notice.kind == "DERControlList"


async def test_many_changes_are_told_as_the_newest_state(sunny):
    """Nothing is dropped; what came while one was under way is in the next."""
    await sunny.to(f"{sunny.program}/derc")
    sunny.receiver.hold.clear()
    for number in range(20):
        await sunny.issue(NOW + 100 + number * 60, 1000 + number)
    sunny.receiver.hold.set()
    await sunny.receiver.wait(lambda notice: notice.resource.attrib["all"] == "20")
    assert len(sunny.receiver.taken) < 20


async def test_a_device_that_is_removed_ends_what_it_had(sunny):
    await sunny.to(f"{sunny.program}/derc")
    async with sunny.world.state.db.write() as db:
        await devices.remove_device(db, sunny.world.ids.devices["one"], NOW)
    assert (await sunny.raw.get(sunny.device)).status == 404
    await sunny.issue(group="NMI2")
    await sunny.world.settle()
    assert all(notice.text("status") != "0" for notice in sunny.receiver.taken)
