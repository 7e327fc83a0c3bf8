"""A utility server of another make: it serves what a test puts into it, as oddly as the test wants."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from certs.tls import server_context
from sep2 import wire as w
from tests.ports import free_port
from tests.server.world import People

AUS = w.Profile.CSIP_AUS_1_2


class Utility:
    """Resources by path. Lists are paged, POST answers 201, PUT 204, and everything is written down."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.port = free_port()
        self.resources: dict[str, Any] = {}
        self.asked: list[tuple[str, str]] = []
        self.posted: list[tuple[str, Any]] = []
        self.page_cap = 255
        self.answers: list[web.Response] = []
        """Given instead of what is asked for, one by one."""
        self.before: Callable[[str, str], None] = lambda method, path: None
        """Called before each answer."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Utility"]:
        """Listen while the block runs."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        tls = server_context(self.people.files("server"), self.people.pki.trust())
        await web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=tls).start()
        yield self
        await runner.cleanup()

    def sent(self, kind: type[Any]) -> list[Any]:
        """What was posted or put of one class."""
        return [body for _, body in self.posted if isinstance(body, kind)]

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path_qs))
        self.before(request.method, request.path)
        if self.answers:
            return self.answers.pop(0)
        if request.method == "GET":
            return self._get(request)
        if request.method in ("POST", "PUT"):
            self.posted.append((request.path, w.decode(await request.read(), profile=AUS)))
        if request.method == "POST":
            return web.Response(status=201, headers={"Location": f"{request.path}/{len(self.posted)}"})
        return web.Response(status=204)

    def _get(self, request: web.Request) -> web.Response:
        found = self.resources.get(request.path)
        if callable(found):
            found = found()
        if found is None:
            return web.Response(status=404)
        if isinstance(found, w.List | w.SubscribableList):
            found = self._page(found, int(request.query.get("s", 0)), int(request.query.get("l", 1)))
        return web.Response(body=w.encode(found, AUS), content_type="application/sep+xml")

    def _page(self, found: Any, start: int, limit: int) -> Any:
        name = type(found).__name__.removesuffix("List")
        items = getattr(found, name)
        page = items[start : start + min(limit, self.page_cap)]
        more = {"pollRate": found.pollRate} if hasattr(found, "pollRate") else {}
        return type(found)(href=found.href, all=len(items), **{name: page}, **more)


def control(number: int, start: int, duration: int, export_w: int, **more: Any) -> w.DERControl:
    """A DERControl at /derc/{number}."""
    said = {
        "href": f"/derc/{number}",
        "replyTo": "/rsps/1/rsp",
        "responseRequired": w.HexBinary("03"),
        "mRID": w.HexBinary(number, 16),
        "creationTime": start - 1000,
        "EventStatus": w.EventStatus(currentStatus=0, dateTime=start - 1000, potentiallySuperseded=False),
        "interval": w.DateTimeInterval(duration=duration, start=start),
        "DERControlBase": w.DERControlBase(opModExpLimW=w.ActivePower(multiplier=0, value=export_w)),
    }
    return w.DERControl(**(said | more))


def status(of: w.DERControl, current: int) -> None:
    """Set the status of a control."""
    of.EventStatus.currentStatus = current


def one_program(utility: Utility, *lfdis: str) -> w.DERControlList:
    """Every device in one program whose lists they share; returns the list of its controls."""
    controls = w.DERControlList(href="/derc", all=0, DERControl=[])
    fsa = w.FunctionSetAssignments(
        href="/fsa/1", mRID=w.HexBinary(0xF, 16), DERProgramListLink=w.DERProgramListLink(href="/derp", all=1)
    )
    program = w.DERProgram(
        href="/derp/1",
        mRID=w.HexBinary(0xA, 16),
        primacy=5,
        DefaultDERControlLink=w.DefaultDERControlLink(href="/dderc"),
        DERControlListLink=w.DERControlListLink(href="/derc", all=0),
    )
    default = w.DefaultDERControl(
        href="/dderc",
        mRID=w.HexBinary(0xD, 16),
        DERControlBase=w.DERControlBase(opModExpLimW=w.ActivePower(multiplier=2, value=15)),
    )
    devices = [
        w.EndDevice(
            href=f"/edev/{n}",
            lFDI=w.HexBinary(lfdi),
            sFDI=1,
            changedTime=0,
            FunctionSetAssignmentsListLink=w.FunctionSetAssignmentsListLink(href="/fsa", all=1),
            SubscriptionListLink=w.SubscriptionListLink(href="/sub", all=0) if n == 0 else None,
        )
        for n, lfdi in enumerate(lfdis)
    ]
    utility.resources |= {
        "/dcap": w.DeviceCapability(
            href="/dcap", TimeLink=w.TimeLink(href="/tm"), EndDeviceListLink=w.EndDeviceListLink(href="/edev", all=1)
        ),
        "/edev": w.EndDeviceList(href="/edev", all=1, pollRate=600, EndDevice=devices),
        "/fsa": w.FunctionSetAssignmentsList(href="/fsa", all=1, pollRate=600, FunctionSetAssignments=[fsa]),
        "/derp": w.DERProgramList(href="/derp", all=1, pollRate=600, DERProgram=[program]),
        "/derc": controls,
        "/dderc": default,
    }
    return controls


def clock(now: int) -> w.Time:
    """The Time resource."""
    return w.Time(
        href="/tm", currentTime=now, dstEndTime=0, dstOffset=0, dstStartTime=0, quality=w.TimeQuality(7), tzOffset=0
    )
