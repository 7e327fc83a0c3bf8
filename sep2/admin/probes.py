"""Whether all is well: each thing that has to be so for it, looked at or said to be unknown."""

from sep2.admin import types as t
from sep2.admin.engine_probes import engine_probes
from sep2.operations import attention
from sep2.operations.alarms import CERTIFICATE_EXPIRING, PLAN_ENDING
from sep2.operations.judging_again import judged_until
from sep2.operations.plans import planned_until
from sep2.rest.route import Request
from sep2.rules.alarm_kinds import THIS_DAY
from sep2.rules.silence import named
from sep2.server.causes import LOW
from sep2.store import alarm_states, alarms, counted, outbox, webhooks

DAY_S = 86_400
BEHIND_S = 120
"""Background work that is further behind the clock than this does not keep up."""
OLDEST_S = 600
"""A notification that has waited longer than this is not delivered as it should be."""
LOOKED_S = 180
"""What was looked at longer ago than this is unknown."""


async def list_probes(rq: Request, asked: t.Nothing) -> list[t.Probe]:
    """What has to be so for all to be well, each as it was seen last; what nobody has looked at lately is unknown."""
    return [
        _database(rq),
        _disk(rq),
        _listener(rq),
        _clock(rq),
        *await _certificates(rq),
        *_workers(rq),
        await _plans(rq),
        *await engine_probes(rq),
        await _notifier(rq),
        await _receivers(rq),
        *await _looked_at(rq),
        await _alarms(rq),
    ]


def _probe(name: str, fault: str, well: str) -> t.Probe:
    return t.Probe(name=name, state="bad" if fault else "ok", detail=fault or well, age_s=None)


def _listener(rq: Request) -> t.Probe:
    listen = rq.state.settings.listen
    return _probe("2030.5 port", rq.state.watch.shut_because(), f"clients are served at port {listen.port}")


def _clock(rq: Request) -> t.Probe:
    fault = "" if rq.state.clock.is_trusted() else "the machine's clock has jumped; confirm it where it is right"
    return _probe("clock", fault, f"{rq.state.settings.clock} clock")


def _database(rq: Request) -> t.Probe:
    fault = "; ".join(rq.state.front.outages.faults())
    return _probe("database", fault, "it answers, and nothing was refused for 2 minutes")


def _disk(rq: Request) -> t.Probe:
    causes = rq.state.causes
    if causes.folder is None:
        return _probe("disk", "", "the database is on a machine of its own")
    if causes.free is None or causes.looked_at is None or abs(rq.now - causes.looked_at) > LOOKED_S:
        return t.Probe(name="disk", state="unknown", detail="not looked at lately", age_s=None)
    said = f"{causes.free:.0%} is free"
    return _probe("disk", said if causes.free < LOW else "", said)


async def _certificates(rq: Request) -> list[t.Probe]:
    """The server's own, and those of CAs and clients: bad where one ends within a month."""
    watch = rq.state.watch
    left = (watch.own.not_after - rq.state.dates.now()) // DAY_S
    own = _probe("server certificate", "it has ended" if left < 0 else "", f"{left} days left")
    if watch.looked_at is None or abs(rq.state.dates.now() - watch.looked_at) > LOOKED_S:
        return [own, t.Probe(name="certificates", state="unknown", detail="not looked at lately", age_s=None)]
    rows = await alarms.standing_of(rq.db, CERTIFICATE_EXPIRING)
    soon = sum(row.priority < THIS_DAY for row in rows)
    fault = f"{soon} end within a month or have ended" if soon else ""
    return [own, _probe("certificates", fault, f"{len(rows)} end within 90 days")]


async def _plans(rq: Request) -> t.Probe:
    """Whether what is planned goes on for long enough; nothing planned is no fault."""
    planned = await planned_until(rq.db)
    if not planned:
        return _probe("plan", "", "no engine has published anything here")
    feeder = min(planned, key=lambda name: planned[name])
    left = planned[feeder] - rq.now
    said = f"{feeder}: {max(0, left) // 60} min of its plan are left"
    return _probe("plan", said if await alarms.standing_of(rq.db, PLAN_ENDING) else "", said)


async def _receivers(rq: Request) -> t.Probe:
    failing = await webhooks.failing(rq.db)
    return _probe("receivers", f"not told: {named(failing)}" if failing else "", "all receivers are told")


def _workers(rq: Request) -> list[t.Probe]:
    ticks = {"sweep": rq.state.sweep.reached, **rq.state.reached}
    found = [
        t.Probe(name=name, state="bad", detail=fault, age_s=None) for name, fault in rq.state.workers.faults.items()
    ]
    for name, at in sorted(ticks.items()):
        short = name.partition(":")[0]
        if at <= 0:
            found.append(t.Probe(name=short, state="unknown", detail="it has not begun yet", age_s=None))
            continue
        behind = max(0, rq.now - at)
        state = t.Probe(name=short, state="ok", detail="it keeps up", age_s=behind)
        if behind > BEHIND_S:
            state = t.Probe(name=short, state="bad", detail=f"it is {behind} s behind the clock", age_s=behind)
        found.append(state)
    return found


async def _notifier(rq: Request) -> t.Probe:
    counts = await counted.notifications(rq.db, rq.now)
    aside = await outbox.count_set_aside(rq.db)
    faults = [f"{aside} changes are set aside"] if aside else []
    faults += [f"{counts.deliveries_dead} notifications were given up"] if counts.deliveries_dead else []
    if counts.delivery_oldest_seconds > OLDEST_S:
        faults.append(f"the oldest notification waits for {counts.delivery_oldest_seconds} s")
    return _probe("notifier", "; ".join(faults), f"{counts.deliveries_waiting} notifications wait")


async def _looked_at(rq: Request) -> list[t.Probe]:
    """Whether silence and limits were looked at in their own period; if not, both are unknown."""
    known = await attention.attention(rq.db, rq.now, rq.state.judge.settles_after_s)
    silent = f"{len(known.silent_clients)} clients and {len(known.silent_devices)} devices are silent"
    broken = f"{len(known.disobeying)} connections are beyond a limit"
    judged = await judged_until(rq.db)
    age = None if judged is None else max(0, rq.now - judged)
    found = []
    for name, names, said, age_s in (
        ("clients", [*known.silent_clients, *known.silent_devices], silent, None),
        ("limits", known.disobeying, broken, age),
    ):
        if name in known.not_looked_at:
            found.append(t.Probe(name=name, state="unknown", detail="not looked at lately", age_s=age_s))
        else:
            found.append(t.Probe(name=name, state="bad" if names else "ok", detail=said, age_s=age_s))
    return found


async def _alarms(rq: Request) -> t.Probe:
    found = {priority: n for priority, (n, _) in (await alarm_states.by_priority(rq.db, rq.now)).items()}
    urgent = found[1] + found[2]
    fault = f"{found[1]} alarms of priority 1 and {found[2]} of priority 2 stand" if urgent else ""
    return _probe("alarms", fault, f"{found[3]} of priority 3 stand")
