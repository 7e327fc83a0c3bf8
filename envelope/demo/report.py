"""The day's result: one JSON object, and the sentences a person reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.markup import escape

from envelope.demo.criteria import V_MAX_V, V_MIN_V
from envelope.demo.forecast import PER_INTERVAL
from envelope.demo.simulation import Played
from envelope.demo.street import Street
from envelope.demo.study import RUNS, Run
from sep2.terminal import shown


def as_json(street: Street, played: Played, runs: dict[str, Run], seconds: float) -> dict[str, Any]:
    """Everything that was found; only `seconds` and `issue_to_adoption_s` differ from one run to the next."""
    verdict, report = played.verdict, played.report
    ids = street.day.connection_ids
    return {
        "feeder": street.feeder.name,
        "connections": int(street.day.flexible.sum()),
        "intervals": street.day.base_va.shape[0] // PER_INTERVAL,
        "growth": {"pv_share": street.growth.pv_share, "ev_share": street.growth.ev_share},
        "controls_published": verdict.controls,
        "notifications_delivered": played.notified,
        "responses_received": verdict.responses,
        "readings_received": verdict.readings,
        "guarantee": played.schedule.guarantee,
        "limits": {"v_min_v": V_MIN_V, "v_max_v": V_MAX_V},
        "verified_worst": {
            "over_v": round(report.over_v, 3),
            "under_v": round(report.under_v, 3),
            "overload_percent": round(report.overload_percent, 2),
        },
        "share_of_reach": share_of_reach(played),
        "base": street.base.figures.as_json(),
        **{name: runs[name].figures.as_json() for name in RUNS},
        "disobeying": list(verdict.disobeying),
        "silent": list(verdict.silent),
        "alarms": list(played.alarms),
        "asked_to_disobey": sorted(ids[at] for at in played.cast.disobeying),
        "asked_to_be_silent": sorted(ids[at] for at in played.cast.silent),
        "issue_to_adoption_s": adoption(played),
        "seconds": round(seconds, 1),
    }


def share_of_reach(played: Played) -> dict[str, float]:
    """How much of what connections could reach the envelopes let them use, over the day."""
    found = {}
    for side in ("import", "export"):
        reach = np.maximum(getattr(played.schedule, f"{side}_reach_w"), 0.0)
        limit = getattr(played.schedule, f"{side}_limit_w")
        found[side] = round(float(np.minimum(limit, reach).sum() / max(reach.sum(), 1.0)), 3)
    return found


def adoption(played: Played) -> dict[str, float]:
    """Seconds from a control's issue until its client had it: half of them, and nearly all."""
    if not played.adoption_s:
        return {"p50": 0.0, "p95": 0.0}
    p50, p95 = np.percentile(played.adoption_s, [50, 95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}


def is_right(played: Played, runs: dict[str, Run]) -> bool:
    """Whether everything published was delivered, answered and obeyed, and kept the feeder inside its limits."""
    inside = played.report.inside and not runs["envelope"].figures.breaks
    return played.verdict.all_is_well and played.refused == 0 and not played.alarms and inside


def sentences(place: Street, played: Played, runs: dict[str, Run]) -> list[str]:
    """What happened, for people; rich's markup."""
    verdict, adopted = played.verdict, adoption(played)
    told = f"{verdict.controls} controls, {played.notified} notifications, {verdict.responses} responses"
    took = f"{adopted['p50']:.2f} s (P50), {adopted['p95']:.2f} s (P95)"
    found = played.report.sentence()
    bought = f"{place.growth.pv_share:.0%} of the homes have solar and {place.growth.ev_share:.0%} a car"
    said = [
        f"{bought}: what it takes for a voltage and a transformer limit to break without envelopes.",
        f"{told}, {verdict.readings} readings; from issue to adoption {took}.",
        f"Guarantee: {played.schedule.guarantee}. {_plain(found[0].upper() + found[1:])}.",
    ]
    for names, what in (
        (verdict.disobeying, "measured beyond their limits"),
        (verdict.silent, "not answering or not measured"),
    ):
        if names:
            said.append(f"[bold red]{len(names)} {what}:[/] {_plain(', '.join(names))}")
    said += [f"[bold red]Alarm:[/] {_plain(alarm)}" for alarm in played.alarms]
    said += [f"Note: {_plain(finding)}." for finding in played.schedule.findings]
    if is_right(played, runs):
        said.append("[bold green]Everything published was delivered, answered and obeyed.[/]")
    return said


def _plain(text: object) -> str:
    """What is no markup of ours."""
    return escape(shown(text, 4000))
