"""The market's day: plans, an award, an override with notice, a move to another service, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from envelope.demo.market import outcome
from envelope.demo.market.network import FEEDERS, RATED_W
from envelope.demo.market.opening import DAY, House, members_of
from envelope.demo.market.outcome import HOURS, Outcome, stamp
from envelope.demo.registration import prove_meters

Say = Callable[[str], None]
FIRST_BID_W = 395_000
"""What North bids at each feeder at first."""
EVENT_FROM, EVENT_UNTIL = (DAY + timedelta(hours=hour) for hour in HOURS)
TRIP, RELEASE = DAY + timedelta(hours=17, minutes=10), DAY + timedelta(hours=18)
LEFT_W = 200_000
"""What the rest of feeder B can take from North while a part of it is out."""
DISOBEYS = "B03"
LOCAL = ("A09", "A10")
"""South's batteries that serve the utility's own program from 18:00 on."""
PATIENCE = 3000
"""How often a plan is looked at before its verdict counts as missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Outcome):
    """Figures of the day."""

    deliverable_w: dict[str, int]
    """North's members at each feeder, as it was told before it planned"""
    first_verdict: str
    planned_w: int
    override: int
    acknowledged_s: int
    moved: int


async def play(house: House, say: Say) -> Result:
    """Play the day before, the day, and the day after; say what happens as it does."""
    await outcome.play_earlier(house)
    deliverable = await _deliverable(house)
    said = ", ".join(f"{name} {watts / 1000:.0f} kW" for name, watts in deliverable.items())
    say(f"D-1 08:00  The engine's limits leave North's batteries: {said}.")
    first = await _plan(house, dict.fromkeys(FEEDERS, FIRST_BID_W))
    step = next(one for node in first["nodes"] for one in node["steps"] if one["state"] == "limit")
    say(
        f"D-1 09:00  North bids {2 * FIRST_BID_W / 1000:.0f} kW: {first['state']}, at most"
        f" {step['max_w'] / 1000:.0f} kW at a feeder ({step['binding'] or 'reach'})."
    )
    bid = {name: watts // 1000 * 1000 for name, watts in deliverable.items()}
    second, planned = await _plan(house, bid), sum(bid.values())
    say(f"D-1 09:20  North bids {planned / 1000:.0f} kW instead: {second['state']}.")
    await house.pass_until(DAY - timedelta(hours=10, minutes=30))
    await _instruct(house, "award", planned)
    say(f"D-1 13:30  The system operator awards {planned / 1000:.0f} kW from 16:00 to 20:00.")
    held = await _commit(house)
    await outcome.play_afternoon(house, -1)
    await house.pass_until(EVENT_FROM - timedelta(hours=2))
    await house.pass_until(EVENT_FROM - timedelta(minutes=90))
    # Verdicts are found in the background. One that was found right after hours had passed at once, with no reading
    # of these yet, could not tell; only the bands of a plan that stands accepted at a round count and are judged.
    await _verdict(house, second["id"], {"ok"})
    number, waited_s = await _until_override(house, planned, say)
    await house.pass_until(RELEASE, step_s=300)
    await house.ask("POST", f"/overrides/{number}/release", {"reason": "feeder B is whole again"})
    say("D   18:00  The override is released; batteries go back to what was awarded.")
    moved = await _move(house, held)
    say(f"D   18:00  {moved} of South's batteries serve the utility's own program until 20:00.")
    await house.pass_until(EVENT_UNTIL, step_s=300)
    house.batteries.target_w[:] = 0.0
    house.batteries.play(house.clients.clock.now())
    await house.pass_until(EVENT_UNTIL + timedelta(minutes=30), step_s=1800)
    return await _after(house, (deliverable, first["state"], planned), (number, waited_s, moved))


async def _deliverable(house: House) -> dict[str, int]:
    await house.pass_until(DAY - timedelta(hours=18))
    await house.pass_until(DAY - timedelta(hours=16), step_s=1800)
    await prove_meters(house.server)
    path = f"/aggregations/North VPP/deliverable?level=iso_node&start={stamp(EVENT_FROM)}&end={stamp(EVENT_UNTIL)}"
    found = await house.parties["North"].get(path)
    return {one["node"]: min(int(each["max_w"]) for each in one["spans"]) for one in found["nodes"]}


async def _plan(house: House, watts: dict[str, int]) -> dict[str, Any]:
    """Hand in North's plan for the hours of the event, and return it with its verdict."""
    starts = range(stamp(EVENT_FROM), stamp(EVENT_UNTIL), 1800)
    nodes = [
        {"node": node, "steps": [{"start": at, "low_w": 0, "plan_w": most, "high_w": most} for at in starts]}
        for node, most in watts.items()
    ]
    north = house.parties["North"]
    body = {"step_s": 1800, "name": "evening", "basis": "bid", "nodes": nodes}
    made = await north.post("/aggregations/North VPP/plans", body)
    return await _verdict(house, made["id"], {"ok", "limit", "cannot_tell"})


async def _verdict(house: House, plan: int, states: Collection[str]) -> dict[str, Any]:
    """Return North's plan once its verdict is one of these."""
    for _ in range(PATIENCE):
        shown: dict[str, Any] = await house.parties["North"].get(f"/plans/{plan}")
        if shown["state"] in states:
            return shown
        await asyncio.sleep(0.02)
    raise TimeoutError(f"the verdict on the plan is {shown['state']}")


async def _instruct(house: House, kind: str, watts: int) -> None:
    """Hand the utility its copy of what the system operator tells North for the hours of the event."""
    told = {"iso_dispatch_id": f"{kind}-1", "iso_resource_id": "R-NORTH", "issued_at": house.clients.clock.now()}
    told |= {"kind": kind, "start": stamp(EVENT_FROM), "end": stamp(EVENT_UNTIL), "target_w": watts}
    await house.ask("POST", "/market/dispatches", {"dispatches": [told], "source": "ISO"})


async def _commit(house: House) -> list[int]:
    """Have South's batteries held for the wholesale market in the evening; return the numbers of the commitments."""
    span = {"start": stamp(EVENT_FROM), "end": stamp(EVENT_UNTIL)}
    found = []
    for name in LOCAL:
        body = {"der": f"DER {name}", "service": "energy", "aggregation": "South VPP", **span, "hold": True}
        found.append((await house.ask("POST", "/market/commitments", body))["id"])
    return found


async def _until_override(house: House, planned: int, say: Say) -> tuple[int, int]:
    """Play until feeder B is overloaded; return the number of the override, and how long North took to answer."""
    await house.pass_until(EVENT_FROM, step_s=1800)
    await _instruct(house, "dispatch", planned)
    batteries = house.batteries
    _set_targets(house, planned)
    batteries.disobeys[batteries.names.index(DISOBEYS)] = True
    batteries.play(house.clients.clock.now())
    await house.pass_until(TRIP - timedelta(minutes=10), step_s=1800)
    await house.pass_until(TRIP, step_s=300)
    body: dict[str, Any] = {
        "aggregation": "North VPP",
        "notice": "emergency",
        "limits": {"export_w": LEFT_W},
        "node": "B",
    }
    body |= {
        "start": stamp(TRIP),
        "end": stamp(RELEASE + timedelta(hours=1)),
        "reason": "overload",
        "binding": "line B2",
    }
    sent = await house.ask("POST", "/market/overrides", body)
    say(f"D   17:10  Line B2 is overloaded: North's batteries there may feed {LEFT_W / 1000:.0f} kW in all, at once.")
    north = house.parties["North"]
    await house.pass_until(TRIP + timedelta(seconds=40))
    await north.post(f"/overrides/{sent['id']}/answer", {"answer": "ack", "expected_w": planned // 2 + LEFT_W})
    waited = house.clients.clock.now() - stamp(TRIP)
    say(f"D   17:10  North has acknowledged after {waited} s.")
    return int(sent["id"]), waited


def _set_targets(house: House, planned: int) -> None:
    """Spread what was awarded over North's batteries."""
    own = members_of("North")
    for name in own:
        house.batteries.target_w[house.batteries.names.index(name)] = min(planned / len(own), RATED_W)


async def _move(house: House, held: Sequence[int]) -> int:
    """Move commitments of South to the utility's own program."""
    south = house.parties["South"]
    span = {"start": stamp(EVENT_FROM + timedelta(hours=3)), "end": stamp(EVENT_UNTIL)}
    for number in held:
        body = {"commitment": number, "service": "local_energy", "holder": "local", "program": "Evening", **span}
        await south.post("/commitments:move", body)
    return len(held)


async def _after(house: House, before: tuple[dict[str, int], str, int], event: tuple[int, int, int]) -> Result:
    """Settle what came of the evening, and look at it."""
    await house.pass_until(DAY + timedelta(hours=24, minutes=30))
    found = await outcome.look(house, (EVENT_FROM, EVENT_UNTIL), (TRIP, RELEASE))
    deliverable, verdict, planned = before
    number, waited_s, moved = event
    return Result(
        **{field.name: getattr(found, field.name) for field in fields(found)},
        deliverable_w=deliverable,
        first_verdict=verdict,
        planned_w=planned,
        override=number,
        acknowledged_s=waited_s,
        moved=moved,
    )
