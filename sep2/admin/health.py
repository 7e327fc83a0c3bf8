"""Whether the server runs, whether it is ready, and what it measures: for machines that watch it."""

import time
from collections import Counter

from aiohttp import web
from msgspec import Struct

from sep2.admin.access import Access
from sep2.errors import SepError
from sep2.rest.refusals import as_json
from sep2.server.app import State
from sep2.server.metrics import CONTENT_TYPE, Gauge
from sep2.store import alarm_states, counted
from sep2.store.connection import Outage


class Healthy(Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: str = "ok"


class Ready(Struct, frozen=True, kw_only=True):
    """Whether clients are served, and each thing that has to be so for it: `ok`, or what is wrong."""

    ready: bool
    checks: dict[str, str]


class Health:
    """What is answered to machines that watch the server."""

    def __init__(self, state: State, access: Access) -> None:
        self._state = state
        self._access = access

    def routes(self) -> list[web.RouteDef]:
        """What the application answers beside its table."""
        return [
            web.get("/healthz", self.show_health),
            web.get("/readyz", self.show_readiness),
            web.get("/metrics", self.show_metrics),
        ]

    async def show_health(self, http: web.Request) -> web.StreamResponse:
        """That the process answers; nothing else is looked at."""
        return as_json(Healthy())

    async def show_readiness(self, http: web.Request) -> web.StreamResponse:
        """Whether database, port and clock do what clients need; 503 where one of them does not."""
        checks = {
            "database": await self._database(),
            "listener": self._state.watch.shut_because() or "ok",
            "clock": "ok" if self._state.clock.is_trusted() else "the machine's clock has jumped",
        }
        ready = all(said == "ok" for said in checks.values())
        return as_json(Ready(ready=ready, checks=checks), 200 if ready else 503)

    async def _database(self) -> str:
        try:
            async with self._state.db.read() as db:
                await alarm_states.by_priority(db, 0)
        except SepError as problem:
            return problem.code
        return "ok"

    async def show_metrics(self, http: web.Request) -> web.StreamResponse:
        """Everything that the server counts, in the text format of Prometheus."""
        body = self._state.metrics.text(await self._gauges())
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    async def _gauges(self) -> list[Gauge]:
        state, now = self._state, self._state.clock.now()
        state.note_sessions()
        failed = _value("sep2_operator_logins_failed", "Logins that failed.", self._access.throttle.failed)
        found, began = [*_own(state), failed], time.perf_counter()
        try:
            async with state.db.read() as db:
                counts = await counted.everything(db, now)
                alarms = await alarm_states.by_priority(db, now)
        except Outage:
            return [*found, _value("sep2_database_up", "Whether the database can be read.", 0)]
        took_s = time.perf_counter() - began
        return [
            *found,
            _value("sep2_database_up", "Whether the database can be read.", 1),
            _value("sep2_database_read_seconds", "How long the counts of this page took.", took_s),
            Gauge(
                "sep2_alarms",
                "Alarms that stand.",
                {str(priority): n for priority, (n, _) in alarms.items()},
                "priority",
            ),
            *(_value(f"sep2_{name}", meaning, getattr(counts, name)) for name, meaning in counted.MEANINGS.items()),
        ]


def _own(state: State) -> list[Gauge]:
    """What this process knows without its database."""
    ticks = {"sweep": state.sweep.reached, **state.reached}
    now = state.clock.now()
    behind = {name.partition(":")[0]: max(0, now - at) for name, at in ticks.items() if at > 0}
    return [
        Gauge(
            "sep2_workers",
            "Worker processes, by what they do.",
            Counter(one.state for one in state.siblings()),
            "state",
        ),
        _value("sep2_clock_trusted", "Whether the machine's clock is followed.", state.clock.is_trusted()),
        Gauge("sep2_worker_behind_seconds", "How far work is behind the clock.", behind, "worker"),
        _value("sep2_certificate_ends_seconds", "When the server's certificate ends.", state.watch.own.not_after),
    ]


def _value(name: str, meaning: str, value: float) -> Gauge:
    return Gauge(name, meaning, {"": float(value)})
