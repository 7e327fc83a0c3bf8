"""The operator API with the desk's pages beside it, as one application."""

from collections.abc import Awaitable, Callable
from typing import get_type_hints
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sep2.admin import app as admin
from sep2.desk.assets import UNDER, Assets
from sep2.desk.door import Visit
from sep2.desk.frame import frame_of
from sep2.desk.news import News
from sep2.desk.page import Page
from sep2.desk.pages import (
    aggregation,
    alarms,
    authority,
    changing,
    clients,
    commissioning,
    connection,
    device,
    looking,
    market,
    network,
    overview,
    participation,
    plans,
    sheets,
    shift,
    watching,
)
from sep2.desk.panels import Panels, pages_of
from sep2.desk.render import Renderer
from sep2.errors import SepError
from sep2.extension import load
from sep2.rest import decoding
from sep2.rest.callers import Unauthorized, caller_of
from sep2.server.app import State

SIGN_IN = "/desk/sign-in"
LINK = "/desk/open"


PAGES = (
    Page("/desk", "Overview", overview.show, "overview.html", slot="overview"),
    Page("/desk/network", "Network", network.show, "network.html", slot="place"),
    Page("/desk/clients", "Clients", clients.show_list, "clients.html"),
    Page("/desk/client", "Client", clients.show_one, "client.html", in_navigation=False, slot="client"),
    Page("/desk/device", "Device", device.show, "device.html", in_navigation=False),
    Page("/desk/connections", "Connections", clients.show_connections, "connections.html"),
    Page("/desk/connection", "Connection", connection.show, "connection.html", in_navigation=False, slot="connection"),
    Page("/desk/why", "Why", connection.show_why, "why.html", in_navigation=False),
    Page("/desk/overrides", "Overrides", watching.show_overrides, "overrides.html"),
    Page("/desk/override", "New override", sheets.show_override, "override.html", in_navigation=False),
    Page("/desk/approvals", "Approvals", authority.show_approvals, "approvals.html"),
    Page("/desk/approval", "Request", authority.show_approval, "approval.html", in_navigation=False),
    Page("/desk/backstop", "Backstop", authority.show_backstop, "backstop.html"),
    Page("/desk/progress", "Override", authority.show_progress, "progress.html", in_navigation=False),
    Page("/desk/shift", "Shift log", shift.show_shift, "shift.html"),
    Page("/desk/commissioning", "Commissioning", commissioning.show, "commissioning.html"),
    Page("/desk/release", "Release an override", sheets.show_release, "release.html", in_navigation=False),
    Page("/desk/control", "New control", sheets.show_control, "control.html", in_navigation=False),
    Page("/desk/change", "Change", changing.show, "change.html", in_navigation=False),
    Page("/desk/changes", "All changes", changing.show_all, "changes.html"),
    Page("/desk/controls", "Controls", looking.show_controls, "controls.html"),
    Page("/desk/market", "Market", market.show_market, "market.html"),
    Page("/desk/aggregation", "Aggregation", aggregation.show_aggregation, "aggregation.html", in_navigation=False),
    Page("/desk/plan", "Plan", plans.show_plan, "plan.html", in_navigation=False),
    Page("/desk/review", "Review", market.show_review, "review.html", in_navigation=False),
    Page(
        "/desk/market-override",
        "Override of an aggregation",
        market.show_notices,
        "market_override.html",
        in_navigation=False,
    ),
    Page("/desk/participation", "Participation", participation.show_participation, "participation.html"),
    Page("/desk/reports", "Reports", looking.show_report, "reports.html", slot="report"),
    Page("/desk/search", "Search", looking.show_search, "search.html", in_navigation=False),
    Page("/desk/alarms", "Alarms", alarms.show_list, "alarms.html"),
    Page("/desk/alarm", "Alarm", alarms.show_one, "alarm.html", in_navigation=False),
    Page("/desk/deliveries", "Deliveries", watching.show_deliveries, "deliveries.html"),
    Page("/desk/audit", "Audit", watching.show_audit, "audit.html"),
    Page("/desk/health", "Health", watching.show_health, "health.html"),
)


def make(state: State) -> web.Application:
    """The application that answers operators, in a browser and elsewhere."""
    desk = Desk(state)
    app = admin.make(state, desk.as_pages())
    app.router.add_get("/", desk.go_to_overview)
    app.router.add_get(SIGN_IN, desk.sign_in)
    app.router.add_get(UNDER + "{name}", desk.assets.send)
    app.router.add_get("/desk/events", desk.news.stream)
    for page in desk.pages:
        app.router.add_get(page.path, desk.showing(page))
    app.on_shutdown.append(desk.close)
    return app


class Desk:
    """What all pages share."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.assets = Assets()
        self.news = News(state)
        extensions = load()
        self.pages = (*PAGES, *pages_of(extensions))
        self._renderer = Renderer(state, self.assets, extensions)
        self._panels = Panels(self._renderer, extensions)

    async def close(self, _: web.Application) -> None:
        """End the streams of news."""
        self.news.close()

    async def go_to_overview(self, http: web.Request) -> web.Response:
        """The first page."""
        return web.Response(status=303, headers={"Location": "/desk"})

    async def sign_in(self, http: web.Request) -> web.Response:
        """The page that asks for name and password."""
        return self._renderer.page("sign_in.html", {"title": "Sign in", "next": _own(http.query.get("next", ""))})

    def showing(self, page: Page) -> Callable[[web.Request], Awaitable[web.Response]]:
        """What aiohttp calls for a page."""
        kinds = [kind for name, kind in get_type_hints(page.handler).items() if name == "asked"]

        async def answer(http: web.Request) -> web.Response:
            asked = [decoding.query(http, kind) for kind in kinds]
            async with self._state.db.read() as db:
                visit = Visit(self._state, db, caller_of(http), http.query)
                values = await page.handler(visit, *asked)
                panels = await self._panels.of(page.slot, visit, values["about"]) if page.slot else []
                frame = await frame_of(visit)
            shown = {"title": page.title, "page": page, "pages": self.pages, "frame": frame, "here": http.path_qs}
            shown["panels"] = panels
            return self._renderer.page(page.template, shown | values, fragment="HX-Request" in http.headers)

        return answer

    def as_pages(self) -> Middleware:
        """The middleware that answers refusals of pages as pages, and asks who is not signed in to be."""

        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not _is_page(request):
                return await handler(request)
            try:
                return await handler(request)
            except Unauthorized as refusal:
                return self._unknown(request, refusal)
            except SepError as refusal:
                return self._refused(refusal.status, str(refusal))
            except web.HTTPNotFound:
                return self._refused(404, "There is no such page.")

        return answer

    def _unknown(self, http: web.Request, refusal: Unauthorized) -> web.Response:
        if http.path == LINK:
            return self._refused(refusal.status, str(refusal))
        return web.Response(status=303, headers={"Location": f"{SIGN_IN}?next={quote(http.path_qs, safe='')}"})

    def _refused(self, status: int, message: str) -> web.Response:
        return self._renderer.page("refused.html", {"title": "Refused", "status": status, "message": message}, status)


def _is_page(http: web.Request) -> bool:
    return http.method == "GET" and (http.path in ("/", "/desk") or http.path.startswith("/desk/"))


def _own(address: str) -> str:
    """An address of the desk's; any other becomes the first page's."""
    return address if address.startswith("/desk") and "\\" not in address else "/desk"
