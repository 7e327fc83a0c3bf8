"""A utility to ask: an aggregator with 300 devices, controls, and the requests that its client sends."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from certs.identity import Files
from certs.pki import open_pki
from sep2 import wire as w
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.mirrors import NewMirror, NewSeries, Poster, put_mirror
from sep2.resources import TABLE
from sep2.rules.identifiers import managed_lfdi
from sep2.rules.limits import Limits
from sep2.store import Database, controls, groups
from sep2.store import devices as devices_stored
from sep2.store.connection import Connection

DEVICES = 300
FEW, MANY = 24, 100
"""Controls of the first and of the second device."""
READINGS = 12
PROFILE = w.Profile.CSIP_AUS_1_3
PERIOD_S = 300
Body = Callable[[int], bytes]


class Asked(NamedTuple):
    """One kind of request; `body` gives the body of the n-th of them, no two of which are equal."""

    name: str
    path: str
    method: str = "GET"
    body: Body | None = None
    most: float = 3.0
    """How many times as much as a bare handler it may take."""


async def fill(database: Database, folder: Path) -> tuple[Files, list[Asked]]:
    """The client's certificate and key, and its requests."""
    pki = open_pki(folder / "pki")
    identity = pki.issuer.issue_device("bench")
    now = int(time.time())
    async with database.write() as db:
        client = await register_client(db, NewClient("bench", identity.lfdi, "aggregator"), now)
        own = await _entry(db, identity.lfdi, client, now)
        devices = [await _device(db, number, client, now) for number in range(DEVICES)]
        programs = [
            await _issue(db, device.connection, count, now) for device, count in zip(devices, (FEW, MANY), strict=False)
        ]
        mirror = await _mirror(db, client, devices[0].id, now)
    async with database.read() as db:
        control = (await controls.not_over(db, programs[0], now))[0]
    of = _Of(own, mirror, programs, control.mrid, now)
    return pki.save(identity, "bench"), _requests(of, devices)


class _Device(NamedTuple):
    lfdi: str
    id: int
    connection: int


class _Of(NamedTuple):
    """What the requests are about: numbers of the client's own entry, its mirror and programs; a control's mRID."""

    entry: int
    mirror: int
    programs: list[int]
    control: str
    now: int


async def _entry(db: Connection, lfdi: str, client: int, now: int) -> int:
    known = await devices_stored.by_lfdi(db, lfdi)
    return known.id if known is not None else await add_device(db, NewDevice(lfdi, client, None), now)


async def _device(db: Connection, number: int, client: int, now: int) -> _Device:
    place = await add_connection(db, NewConnection(f"NMI{number}"), now)
    lfdi = managed_lfdi(32473)
    return _Device(lfdi, await add_device(db, NewDevice(lfdi, client, f"NMI{number}"), now), place)


async def _issue(db: Connection, place: int, count: int, now: int) -> int:
    group = await groups.of_connection(db, place)
    assert group is not None
    limits = [Limits(import_w=7000 + number, export_w=1500 + number) for number in range(count)]
    # All in the future, and for long: none begins or ends while it is measured.
    new = [
        NewControl(start=now + 86_400 + number * PERIOD_S, duration=PERIOD_S, limits=both)
        for number, both in enumerate(limits)
    ]
    await issue_controls(db, group.id, new, now, most_ahead=MANY)
    return int(group.id)


async def _mirror(db: Connection, client: int, device: int, now: int) -> int:
    kind = w.ReadingType(uom=38, intervalLength=PERIOD_S)
    series = NewSeries(mrid=_SERIES, reading_type=w.encode(kind, PROFILE), interval_s=PERIOD_S, uom=38)
    new = NewMirror(
        poster=Poster(client, PERIOD_S), end_device_id=device, mrid="B" * 32, description="", version=None,
        role_flags=3, service_kind=0, status=1, series=[series],
    )  # fmt: skip
    return (await put_mirror(db, new, now))[0]


_SERIES = "C" * 32


def _requests(of: _Of, devices: list[_Device]) -> list[Asked]:
    few, many = devices[:2]
    at = {"edev": few.id, "der": 1, "rsps": 1, "derp": of.programs[0], "fsa": 1, "mup": of.mirror}
    path = {name: TABLE.href(name, at) for name in _NAMES}
    of_many = TABLE.href("DERControlList", {"edev": many.id, "derp": of.programs[1]})
    subscribed = TABLE.href("SubscriptionList", {"edev": of.entry})
    answered, now = w.HexBinary(of.control), of.now
    return [
        Asked("GET /dcap", "/dcap"),
        Asked("GET one EndDevice", path["EndDevice"]),
        Asked("GET FSA list", path["FunctionSetAssignmentsList"]),
        Asked("GET DERProgramList", path["DERProgramList"]),
        Asked("GET DefaultDERControl", path["DefaultDERControl"]),
        Asked("GET EndDeviceList, 10", "/edev?l=10"),
        Asked("GET EndDeviceList, 100", "/edev?l=100"),
        Asked(f"GET DERControlList, {FEW}", f"{path['DERControlList']}?l={FEW}"),
        Asked(f"GET DERControlList, {MANY}", f"{of_many}?l={MANY}"),
        Asked("GET /tm", "/tm"),
        Asked("connect, GET /dcap, close", "/dcap", "CONNECT", most=1.5),
        Asked("PUT DERStatus", path["DERStatus"], "PUT", _status(now), most=12),
        Asked("POST 1 reading", path["MirrorUsagePoint"], "POST", _readings(1, now), most=12),
        Asked(f"POST {READINGS} readings", path["MirrorUsagePoint"], "POST", _readings(READINGS, now), most=12),
        Asked("POST response", path["ResponseList"], "POST", _response(answered, few.lfdi, now), most=12),
        Asked("POST subscription", subscribed, "POST", _subscription(path["DERControlList"]), most=12),
    ]


_NAMES = (
    "EndDevice", "FunctionSetAssignmentsList", "DERProgramList", "DefaultDERControl", "DERControlList", "DERStatus",
    "MirrorUsagePoint", "ResponseList",
)  # fmt: skip


def _status(now: int) -> Body:
    return lambda n: w.encode(w.DERStatus(readingTime=now + n), PROFILE)


def _readings(count: int, now: int) -> Body:
    """Readings of one set, or one that stands by itself."""
    begin = now // PERIOD_S * PERIOD_S - 365 * 86_400

    def body(n: int) -> bytes:
        start = begin + n * count * PERIOD_S
        spans = [w.DateTimeInterval(duration=PERIOD_S, start=start + k * PERIOD_S) for k in range(count)]
        each = [w.Reading(localID=w.HexBinary(k, 2), timePeriod=one, value=n + k) for k, one in enumerate(spans)]
        mrid = w.HexBinary(_SERIES)
        if count == 1:
            return w.encode(w.MirrorMeterReading(mRID=mrid, Reading=each[0]), PROFILE)
        whole = w.DateTimeInterval(duration=count * PERIOD_S, start=start)
        of_set = w.MirrorReadingSet(mRID=w.HexBinary("D" * 32), timePeriod=whole, Reading=tuple(each))
        return w.encode(w.MirrorMeterReading(mRID=mrid, MirrorReadingSet=(of_set,)), PROFILE)

    return body


def _response(subject: w.HexBinary, lfdi: str, now: int) -> Body:
    def body(n: int) -> bytes:
        said = w.DERControlResponse(createdDateTime=now + n, endDeviceLFDI=w.HexBinary(lfdi), status=1, subject=subject)
        return w.encode(said, PROFILE)

    return body


def _subscription(path: str) -> Body:
    def body(n: int) -> bytes:
        # Ten receivers in turn: the first ten subscriptions are new, the others say the same with another limit.
        said = w.Subscription(
            subscribedResource=path, encoding=0, level="-S1", limit=1 + n % 99,
            notificationURI=f"https://127.0.0.1:9{n % 10:03}/told",
        )  # fmt: skip
        return w.encode(said, PROFILE)

    return body
