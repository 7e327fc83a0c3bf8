"""Probes of an engine's rounds: whether the last one of each feeder was good, is in time, and had its inputs."""

from sep2.admin import types as t
from sep2.operations.plans import Round, rounds
from sep2.rest.route import Request

FAULTS = {
    "failed": "the last round failed",
    "no clients": "nothing is registered",
    "waiting": "a round waits for a person",
}
"""How rounds end that need a person, in words."""


async def engine_probes(rq: Request) -> list[t.Probe]:
    """Rounds and inputs of the feeder that is worst; no engine has worked here: no probe."""
    found = await rounds(rq.db)
    if not found:
        return []
    faults = {feeder: _fault(made, rq.now) for feeder, made in found.items()}
    late = {feeder: "; ".join(made.late) for feeder, made in found.items()}
    oldest = max(max(0, rq.now - made.at) for made in found.values())
    stages = {made.stage for made in found.values()} - {""}
    return [
        _probe(
            "rounds", faults, f"{len(found)} feeders, {' and '.join(sorted(stages)) or 'nothing released yet'}", oldest
        ),
        _probe(
            "engine inputs", late, "; ".join(one for made in found.values() for one in made.inputs) or "none is live"
        ),
    ]


def _fault(made: Round, now: int) -> str:
    if made.due is not None and now > made.due:
        return f"the last round is {(now - made.at) // 60} min old"
    said = FAULTS.get(made.ended, "")
    return f"{said}: {made.why}" if said else ""


def _probe(name: str, faults: dict[str, str], well: str, age_s: int | None = None) -> t.Probe:
    bad = [f"{feeder}: {fault}" for feeder, fault in faults.items() if fault]
    return t.Probe(name=name, state="bad" if bad else "ok", detail="; ".join(bad) or well, age_s=age_s)
