"""A moment or a day as a whole: which sources are in force, the limits of a connection over a time, the probes."""

from sep2.admin import find, views
from sep2.admin import types as t
from sep2.admin.telemetry import DAY_S, BadPeriod
from sep2.operations import attention
from sep2.operations.judging_again import judged_until
from sep2.operations.limit_course import limit_course
from sep2.rest.route import Request
from sep2.rules.authority import Role
from sep2.store import alarm_states, counted, in_force_counts, outbox

LONGEST_S = 31 * DAY_S
BEHIND_S = 120
"""Background work that is further behind the clock than this does not keep up."""
OLDEST_S = 600
"""A notification that has waited longer than this is not delivered as it should be."""


async def show_in_force(rq: Request, asked: t.Nothing) -> t.InForceCounts:
    """How many connections hold limits of each source now."""
    found = await in_force_counts.by_role(rq.db, rq.now)
    total, reached = await in_force_counts.places(rq.db)
    controlled = sum(found.values())
    return t.InForceCounts(
        at=rq.now,
        override=found.get(Role.OVERRIDE, 0) + found.get(Role.WIDE_OVERRIDE, 0),
        schedule=found.get(Role.SCHEDULE, 0),
        envelope=found.get(Role.CONNECTION, 0) + found.get(Role.DEVICE, 0),
        group=found.get(Role.GROUP, 0),
        default=max(0, reached - controlled),
        unreached=total - reached,
    )


async def show_limits(rq: Request, asked: t.LimitsQuery) -> t.ConnectionLimits:
    """The limits of a connection over a time, each with its source, and those that are to come."""
    place = await find.connection(rq.db, rq.ids["connection"])
    since = rq.now - DAY_S if asked.since is None else asked.since
    until = rq.now + DAY_S if asked.until is None else asked.until
    if not since < until <= since + LONGEST_S:
        raise BadPeriod(f"from: {since} is not before until: {until}, or more than 31 days before it")
    runs: list[t.LimitRun] = []
    if place.device_lfdi is not None:
        device = await find.device(rq.db, place.device_lfdi)
        at_once = views.superseded_at_once(device.profile)
        found = await limit_course(rq.db, device.id, (since, until), at_once=at_once)
        runs = [t.LimitRun(**run._asdict()) for run in found]
    return t.ConnectionLimits(
        connection=place.connection_id,
        device=place.device_lfdi,
        since=since,
        until=until,
        now=rq.now,
        runs=runs,
    )


async def list_probes(rq: Request, asked: t.Nothing) -> list[t.Probe]:
    """What has to be so for all to be well, each as it was seen last."""
    return [
        t.Probe(name="database", state="ok", detail="it answers", age_s=None),
        _listener(rq),
        _clock(rq),
        _certificate(rq),
        *_workers(rq),
        await _notifier(rq),
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


def _certificate(rq: Request) -> t.Probe:
    left = (rq.state.watch.own.not_after - rq.state.dates.now()) // DAY_S
    return _probe("server certificate", "it has ended" if left < 0 else "", f"{left} days left")


def _workers(rq: Request) -> list[t.Probe]:
    ticks = {"sweep": rq.state.sweep.reached, **rq.state.reached}
    found = []
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
    counts = await counted.everything(rq.db, rq.now)
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
