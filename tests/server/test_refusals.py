"""What callers get when they may not, or said it wrongly."""

from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from sep2.operations.clients import set_client_access
from sep2.operations.controls import NewControl, issue_controls
from sep2.rules.limits import Limits
from tests import raw
from tests.raw import AUS, SEP, Raw, Reply, document
from tests.server.world import NOW, World, copied, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

OLD = "http://zigbee.org/sep"
UNKNOWN_LFDI = "AB" * 20
BOMB = (
    '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    f'<DERStatus xmlns="{SEP}"><readingTime>&b;</readingTime></DERStatus>'
)
STATUS = document("DERStatus", f"<readingTime>{NOW}</readingTime>")


def settings(content: str = "", updated: int = NOW) -> str:
    return document(
        "DERSettings",
        "<setGradW>1</setGradW><setMaxW><multiplier>0</multiplier><value>5000</value></setMaxW>"
        f"{content}<updatedTime>{updated}</updatedTime>",
    )


def end_device(content: str) -> str:
    return document("EndDevice", f"{content}<changedTime>0</changedTime>")


def connection_point(name: str) -> str:
    inner = f"<csipaus:connectionPointId>{name}</csipaus:connectionPointId>"
    return f'<csipaus:ConnectionPoint xmlns:csipaus="{AUS}">{inner}</csipaus:ConnectionPoint>'


def mirror(lfdi: str, mrid: str = "0A") -> str:
    return document(
        "MirrorUsagePoint",
        f"<mRID>{mrid}</mRID><roleFlags>03</roleFlags><serviceCategoryKind>0</serviceCategoryKind><status>1</status>"
        f"<deviceLFDI>{lfdi}</deviceLFDI>",
    )


def response(lfdi: str, subject: str, status: int | None = 1) -> str:
    said = "" if status is None else f"<status>{status}</status>"
    return document(
        "DERControlResponse",
        f"<createdDateTime>{NOW}</createdDateTime><endDeviceLFDI>{lfdi}</endDeviceLFDI>{said}<subject>{subject}</subject>",
    )


def subscription(resource: str, uri: str = "https://localhost:9/n", **changed: Any) -> str:
    said = {"subscribedResource": resource, "encoding": 0, "level": "+S1", "limit": 100, "notificationURI": uri}
    return document("Subscription", "".join(f"<{name}>{value}</{name}>" for name, value in (said | changed).items()))


class Case(NamedTuple):
    """Somebody's request, and what is answered; braces in the text stand for ids of the world."""

    why: str
    who: str
    method: str
    path: str
    body: str = ""
    status: int | tuple[int, ...] = 404
    reason: int | None = None
    headers: dict[str, str] = {}  # noqa: RUF012


MAY_NOT = [
    Case("nobody knows the certificate", "stranger", "GET", "/edev", status=404),
    Case("nobody knows the certificate", "stranger", "GET", "/dcap", status=404),
    Case("nobody knows the certificate", "stranger", "POST", "/mup", mirror(UNKNOWN_LFDI), status=404),
    Case("another aggregator's device", "gale", "GET", "/edev/{one}", status=404),
    Case("another aggregator's default", "gale", "GET", "/edev/{one}/derp/{feeder}/dderc", status=404),
    Case("another aggregator's controls", "gale", "GET", "/edev/{one}/derp/{feeder}/derc", status=404),
    Case("another aggregator's status", "gale", "PUT", "/edev/{one}/der/1/ders", STATUS, status=403),
    Case("another aggregator's place", "gale", "PUT", "/edev/{one}/cp", "{place}", status=403),
    Case("another aggregator's log", "gale", "POST", "/edev/{one}/lel", "{log}", status=403),
    Case("another aggregator's subscriptions", "gale", "GET", "/edev/{sunny}/sub", status=404),
    Case("a device that does not exist", "sunny", "GET", "/edev/999999", status=404),
    Case("a default of a device that does not exist", "sunny", "GET", "/edev/999999/derp/{feeder}/dderc", status=404),
    Case("controls of a device that does not exist", "sunny", "GET", "/edev/999999/derp/{feeder}/derc", status=404),
    Case("a program that the device is not in", "sunny", "GET", "/edev/{two}/derp/{feeder}", status=404),
    Case("a control of a program it is not in", "sunny", "GET", "/edev/{two}/derp/{NMI2}/derc/{control}", status=404),
    Case("a program that does not exist", "sunny", "GET", "/edev/{one}/derp/999999/derc", status=404),
    Case("registers although it is out-of-band", "roof", "POST", "/edev", "{itself}", status=403),
    Case("registers although it is out-of-band", "sunny", "POST", "/edev", "{managed}", status=403),
    Case("access was withdrawn", "leaver", "GET", "/edev", status=404),
    Case("access was withdrawn", "leaver", "GET", "/dcap", status=404),
    Case("an identity in a header", "stranger", "GET", "/edev", status=404, headers={"X_Peer_LFDI": "{sunny_lfdi}"}),
    Case("a mirror for another's device", "gale", "POST", "/mup", "{mirror}", status=(400, 403, 404)),
    Case("a mirror for nobody's device", "gale", "POST", "/mup", mirror(UNKNOWN_LFDI), status=(400, 403, 404)),
]
METHODS = [
    Case("written by the server only", "sunny", "PUT", "/edev/{one}/fsa", "{place}", status=405),
    Case("a list is not deleted", "sunny", "DELETE", "/edev/{one}/derp/{feeder}/derc", status=405),
    Case("nothing is posted to a time", "sunny", "POST", "/tm", STATUS, status=405),
    Case("2030.5 has no PATCH", "sunny", "PATCH", "/edev/{one}", status=405),
    Case("2030.5 has no FOO", "sunny", "FOO", "/dcap", status=501),
    Case("2030.5 has no OPTIONS", "sunny", "OPTIONS", "/dcap", status=405),
    Case("no such path", "sunny", "GET", "/nowhere", status=404),
    Case("no such path", "sunny", "GET", "/", status=404),
    Case("a number with a zero before it", "sunny", "GET", "/edev/0{one}", status=404),
    Case("a number that no database has", "sunny", "GET", "/edev/99999999999999999999", status=404),
    Case("another spelling", "sunny", "GET", "/edev/{one}/", status=404),
    Case("a path that climbs", "sunny", "GET", "/edev/{one}/../{three}", status=404),
    Case("digits of another script", "sunny", "GET", "/edev/%D9%A1", status=404),
]
MEDIA = [
    Case("EXI is not served", "sunny", "GET", "/dcap", status=406, headers={"Accept": "application/sep-exi"}),
    Case("XML is excluded", "sunny", "GET", "/dcap", status=406, headers={"Accept": "application/sep+xml;q=0"}),
    Case(
        "an EXI body",
        "sunny",
        "PUT",
        "/edev/{one}/der/1/ders",
        STATUS,
        415,
        headers={"Content_Type": "application/sep-exi"},
    ),
    Case("no content type", "sunny", "PUT", "/edev/{one}/der/1/ders", STATUS, 415, headers={"Content_Type": ""}),
    Case("no host", "sunny", "GET", "/dcap", status=400, reason=0, headers={"Host": ""}),
]
SAID_WRONGLY = [
    Case(why, "sunny", "PUT", f"/edev/{{one}}/der/1/{where}", body, status, reason)
    for why, where, body, status, reason in (
        ("not XML", "ders", "status: fine", 400, 0),
        ("nothing at all", "ders", "", 400, 0),
        ("half of it", "ders", STATUS[:-9], 400, 0),
        ("two documents", "ders", STATUS * 2, 400, 0),
        ("an entity bomb", "ders", BOMB, 400, 0),
        ("an external entity", "ders", BOMB.replace('"aaaaaaaaaa"', 'SYSTEM "file:///etc/passwd"'), 400, 0),
        ("as deep as a well", "ders", document("DERStatus", "<a>" * 200 + "</a>" * 200), 400, 0),
        ("another root", "dercap", STATUS, 400, 0),
        ("the namespace of the draft", "ders", STATUS.replace(SEP, OLD), 400, 0),
        ("no namespace", "ders", STATUS.replace(f'xmlns="{SEP}"', ""), 400, 0),
        (
            "an element that is not there",
            "ders",
            document("DERStatus", f"<colour>red</colour><readingTime>{NOW}</readingTime>"),
            400,
            0,
        ),
        (
            "the wrong order",
            "derg",
            settings()
            .replace("<setGradW>1</setGradW>", "")
            .replace("</updatedTime>", "</updatedTime><setGradW>1</setGradW>"),
            400,
            0,
        ),
        ("a required element left out", "derg", document("DERSettings", f"<updatedTime>{NOW}</updatedTime>"), 400, 0),
        ("no updatedTime", "derg", settings().replace(f"<updatedTime>{NOW}</updatedTime>", ""), 400, 0),
        (
            "twice what may be there once",
            "ders",
            document("DERStatus", f"<readingTime>{NOW}</readingTime>" * 2),
            400,
            0,
        ),
        ("a word for a number", "ders", document("DERStatus", "<readingTime>noon</readingTime>"), 400, (0, 1)),
        ("a number too large", "derg", settings("").replace(">1</setGradW>", ">65536</setGradW>"), 400, 1),
        ("a multiplier past Int8", "derg", settings().replace("<multiplier>0", "<multiplier>128"), 400, 1),
        ("a value past Int16", "derg", settings().replace(">5000<", ">32768<"), 400, 1),
        (
            "hex that is none",
            "derg",
            settings().replace("<setGradW>", "<modesEnabled>XY</modesEnabled><setGradW>"),
            400,
            (0, 1),
        ),
    )
]
ABOUT_EVENTS = [
    Case(why, "sunny", "POST", "/edev/{one}/rsps/1/rsp", body, 400, reason)
    for why, body, reason in (
        ("an event that nobody sent", response("{one_lfdi}", "FFFFFFFF"), 1),
        ("another tenant's device", response("{three_lfdi}", "{mrid}"), 1),
        ("a device that nobody knows", response(UNKNOWN_LFDI, "{mrid}"), 1),
        ("a device that never had the event", response("{two_lfdi}", "{mrid}"), 1),
        ("a status that is reserved", response("{one_lfdi}", "{mrid}", 15), 1),
        ("a subject that is no hex", response("{one_lfdi}", "tomorrow"), (0, 1)),
        ("a subject too long", response("{one_lfdi}", "0" * 34), (0, 1)),
    )
]
SUBSCRIBING = [
    Case(why, "sunny", "POST", "/edev/{sunny}/sub", body, 400, reason)
    for why, body, reason in (
        ("another tenant's device", subscription("/edev/{three}/derp/{feeder}/derc"), 1),
        ("what is not there", subscription("/edev/{one}/derp/{NMI2}/derc"), 1),
        ("what can not be subscribed to", subscription("/tm"), 1),
        ("an address of the inside", subscription("/edev", "https://169.254.169.254/latest"), 1),
        ("an address nobody allowed", subscription("/edev", "https://10.0.0.1/n"), 1),
        ("a host nobody allowed", subscription("/edev", "https://elsewhere.example/n"), 1),
        ("a hidden host", subscription("/edev", "https://localhost@elsewhere.example/n"), 1),
        ("plain http", subscription("/edev", "http://localhost:9/n"), 1),
        ("a file", subscription("/edev", "file:///etc/passwd"), 1),
        ("EXI", subscription("/edev", encoding=1), 1),
    )
]
REGISTERING = [
    Case("another's LFDI", "joiner", "POST", "/edev", end_device(f"<lFDI>{UNKNOWN_LFDI}</lFDI><sFDI>1</sFDI>"), 400, 1),
    Case("an LFDI that is none", "joiner", "POST", "/edev", end_device("<lFDI>XYZ</lFDI><sFDI>1</sFDI>"), 400, (0, 1)),
    Case("no connection of that name", "sunny", "PUT", "/edev/{one}/cp", "{nowhere}", 400, 1),
    Case("a connection that is held", "sunny", "PUT", "/edev/{one}/cp", "{held}", 409, (0, 1, None)),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(people, tmp_path_factory, sqlite_template) -> AsyncIterator[tuple[World, dict[str, Any]]]:
    """A server for every request here, since none of them changes anything; and what the braces stand for."""
    async with serving(people, copied(sqlite_template, tmp_path_factory.mktemp("house"))) as world:
        async with world.state.db.write() as db:
            control = NewControl(start=NOW + 100, duration=100, limits=Limits(export_w=1))
            issued = await issue_controls(db, world.ids.groups["feeder"], [control], NOW)
            await set_client_access(db, world.ids.clients["leaver"], False)
        yield world, await known(world, issued.created[0])


async def known(world: World, control: int) -> dict[str, Any]:
    """What the braces in the cases stand for."""
    sunny = await world.as_("sunny")
    listed = await sunny.get(f"/edev/{world.ids.devices['one']}/derp/{world.ids.groups['feeder']}/derc")
    own = (await sunny.get("/edev")).href("EndDevice").rsplit("/", 1)[1]
    lfdis = {f"{name}_lfdi": lfdi for name, lfdi in world.ids.lfdis.items()}
    return {
        **world.ids.devices,
        **world.ids.groups,
        **lfdis,
        "sunny": own,
        "sunny_lfdi": world.people.lfdi("sunny"),
        "control": control,
        "mrid": listed.texts("DERControl/mRID")[0],
        "place": connection_point("NMI9"),
        "nowhere": connection_point("NMI404"),
        "held": connection_point("NMI3"),
        "mirror": mirror(world.ids.lfdis["one"]),
        "itself": end_device(f"<lFDI>{world.people.lfdi('roof')}</lFDI><sFDI>1</sFDI>"),
        "managed": end_device(f"<lFDI>{'12' * 16}00032473</lFDI><sFDI>1</sFDI>"),
        "log": document(
            "LogEvent",
            f"<createdDateTime>{NOW}</createdDateTime><functionSet>0</functionSet><logEventCode>0</logEventCode>"
            "<logEventID>1</logEventID><logEventPEN>32473</logEventPEN><profileID>2</profileID>",
        ),
    }


async def ask(house: tuple[World, dict[str, Any]], case: Case) -> Reply:
    world, names = house
    client = await world.as_(case.who)
    filled: Callable[[str], str] = lambda text: text.format(**names)  # noqa: E731
    body = filled(case.body).encode()
    headers = {name: filled(value) for name, value in case.headers.items()}
    return await client.ask(case.method, filled(case.path), body, **headers)


def cases(*tables: list[Case]) -> Any:
    every = [case for table in tables for case in table]
    return pytest.mark.parametrize("case", every, ids=[f"{case.method} {case.why}" for case in every])


@cases(MAY_NOT, METHODS, MEDIA, SAID_WRONGLY, ABOUT_EVENTS, SUBSCRIBING, REGISTERING)
async def test_the_answer(house, case):
    reply = await ask(house, case)
    statuses = case.status if isinstance(case.status, tuple) else (case.status,)
    assert reply.status in statuses, reply.body
    reasons = case.reason if isinstance(case.reason, tuple) else (case.reason,)
    if reply.status == 400:
        assert reply.reason in reasons or case.reason is None
    if reply.status == 405:
        assert "GET" in reply.headers["allow"]


async def test_nothing_was_changed_by_any_of_it(house):
    """The other tests here run first; what a refused request left behind would show."""
    for case in (case for table in (MAY_NOT, SAID_WRONGLY, ABOUT_EVENTS, SUBSCRIBING, REGISTERING) for case in table):
        await ask(house, case)
    world, names = house
    sunny = await world.as_("sunny")
    assert (await sunny.get("/mup?l=9")).number("all") == 0
    assert (await sunny.get(f"/edev/{names['sunny']}/sub?l=9")).number("all") == 0
    assert (await sunny.get(f"/edev/{names['one']}/rsps/1/rsp?l=9")).number("all") == 0
    assert (await sunny.get(f"/edev/{names['one']}/lel?l=9")).number("all") == 0
    for kind in ("dercap", "derg", "ders", "dera"):
        assert (await sunny.get(f"/edev/{names['one']}/der/1/{kind}")).status == 404
    assert (await sunny.get(f"/edev/{names['one']}/cp")).texts("connectionPointId") == ["NMI1"]


async def test_a_refusal_leaves_the_connection_open(house):
    """One bad request is no reason to shut out a client that talks over one connection for days."""
    world, names = house
    sunny = await world.as_("sunny")
    for case in (*MAY_NOT[3:5], *METHODS[:4], *MEDIA[:4], *SAID_WRONGLY[:8]):
        headers = {name: value.format(**names) for name, value in case.headers.items()}
        await sunny.ask(case.method, case.path.format(**names), case.body.format(**names).encode(), **headers)
    assert (await sunny.get("/tm")).status == 200


async def test_in_band_the_unregistered_see_an_empty_house(house):
    """A joiner is authorised, but not registered yet: links work, lists are empty."""
    world, _ = house
    joiner = await world.as_("joiner")
    dcap = await joiner.get("/dcap")
    assert dcap.status == 200
    for link in ("EndDeviceListLink", "MirrorUsagePointListLink"):
        listed = await joiner.get(dcap.href(link))
        assert (listed.status, listed.number("all"), listed.number("results")) == (200, 0, 0)
    assert (await joiner.get(dcap.href("TimeLink"))).status == 200


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/*;q=0.3",
        "application/sep+xml;level=-S1",
        "application/sep+xml;level=+S1",
        "text/plain, application/sep+xml;q=0.9",
        "application/sep-exi, application/sep+xml",
    ],
)
async def test_accepted(house, accept):
    world, _ = house
    client = await world.as_("sunny")
    reply = await client.get("/dcap", Accept=accept)
    assert (reply.status, reply.headers["content-type"]) == (200, raw.XML)


async def test_a_head_is_a_get_without_its_body(house):
    world, _ = house
    client: Raw = await world.as_("sunny")
    head, got = await client.ask("HEAD", "/dcap"), await client.get("/dcap")
    assert (head.status, head.headers["content-length"]) == (200, str(len(got.body)))
