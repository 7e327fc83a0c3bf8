"""The day's result as one JSON object and as sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.markup import escape

from envelope.demo.criteria import limits_of
from envelope.demo.margins import KNOWN, WITH, WITHOUT, Margins
from envelope.demo.scenario import Scenario
from envelope.demo.simulation import SimulatedDay
from envelope.demo.study import RUNS, Run, share_of_possible
from sep2.terminal import shown


def as_json(scenario: Scenario, played: SimulatedDay, runs: dict[str, Run], margins: Margins | None) -> dict[str, Any]:
    """Return the result; only `issue_to_adoption_s` differs between runs of the same options."""
    compliance, report = played.compliance, played.published.report
    ids, limits = scenario.day.connection_ids, limits_of(scenario.reduced)
    return {
        "feeder": scenario.feeder.name,
        "connections": int(scenario.day.flexible.sum()),
        "intervals": played.known.steps,
        "growth": {"pv_share": scenario.growth.pv_share, "ev_share": scenario.growth.ev_share},
        "controls_published": compliance.controls,
        "notifications_delivered": played.notified,
        "responses_received": compliance.responses,
        "readings_received": compliance.readings,
        "guarantee": played.published.schedule.guarantee,
        "limits": {"v_min_v": limits.v_min_v, "v_max_v": limits.v_max_v, "source": limits.source},
        "verified_worst": {
            "over_v": round(report.over_v, 3),
            "under_v": round(report.under_v, 3),
            "overload_percent": round(report.overload_percent, 2),
        },
        "share_of_reach": share_of_reach(played),
        "base": scenario.base.figures.as_json(),
        **{name: runs[name].figures.as_json() for name in RUNS},
        "share_of_possible": round(share_of_possible(runs), 3),
        "disobeying": list(compliance.disobeying),
        "silent": list(compliance.silent),
        "alarms": list(played.alarms),
        "notes": list(played.notes),
        "asked_to_disobey": sorted(ids[at] for at in played.roles.disobeying),
        "asked_to_be_silent": sorted(ids[at] for at in played.roles.silent),
        **({} if margins is None else {"margins": margins.as_json()}),
        "issue_to_adoption_s": adoption(played),
    }


def share_of_reach(played: SimulatedDay) -> dict[str, float]:
    """Return the part of the connections' capacity that the envelopes permit over the day, per direction."""
    found = {}
    for side in ("import", "export"):
        capacity = np.maximum(getattr(played.published.schedule, f"{side}_reach_w"), 0.0)
        limit = getattr(played.published.schedule, f"{side}_limit_w")
        found[side] = round(float(np.minimum(limit, capacity).sum() / max(capacity.sum(), 1.0)), 3)
    return found


def adoption(played: SimulatedDay) -> dict[str, float]:
    """Return the median and the 95th percentile of the time from a control's issue to its adoption, s."""
    if not played.adoption_s:
        return {"p50": 0.0, "p95": 0.0}
    p50, p95 = np.percentile(played.adoption_s, [50, 95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}


def is_right(played: SimulatedDay, runs: dict[str, Run]) -> bool:
    """Return whether every control was delivered, answered and obeyed, and the feeder stayed inside its limits."""
    inside = played.published.report.inside and not runs["envelope"].figures.breaks
    return played.compliance.complies and played.refused == 0 and not played.alarms and inside


def of_margins(margins: Margins) -> str:
    """Return what the forecast costs, and what its margins hold, as a sentence."""
    found, bare, known = (margins.judged[name] for name in (WITH, WITHOUT, KNOWN))
    return (
        f"{margins.rounds} rounds on {margins.paths} joint paths of the {margins.model} forecast curtail"
        f" {found.pv_curtailed_percent:.1f} % of the solar energy, {known.pv_curtailed_percent:.1f} % if the day were"
        f" known; customers could go beyond a limit of the network in {found.hours_beyond} hours, and in"
        f" {bare.hours_beyond} without the paths."
    )


def sentences(scenario: Scenario, played: SimulatedDay, runs: dict[str, Run]) -> list[str]:
    """Return the result in sentences, with rich's markup."""
    compliance, adopted = played.compliance, adoption(played)
    counts = f"{compliance.controls} controls, {played.notified} notifications, {compliance.responses} responses"
    delay = f"{adopted['p50']:.2f} s (P50), {adopted['p95']:.2f} s (P95)"
    found = played.published.report.sentence()
    growth = f"{scenario.growth.pv_share:.0%} of the homes have solar and {scenario.growth.ev_share:.0%} a car"
    lines = [
        f"{growth}: the least growth that exceeds a voltage and a transformer limit without envelopes.",
        f"{counts}, {compliance.readings} readings; from issue to adoption {delay}.",
        f"Guarantee: {played.published.schedule.guarantee}. {_plain(found[0].upper() + found[1:])}.",
    ]
    if runs["none"].figures.pv_available_kwh:
        lines.append(
            f"Solar energy used under envelopes: {share_of_possible(runs):.0%} of what perfect information would allow,"
            " with the whole day known before and all devices under one control."
        )
    for names, what in (
        (compliance.disobeying, "measured beyond their limits"),
        (compliance.silent, "not answering or not measured"),
    ):
        if names:
            lines.append(f"[bold red]{len(names)} {what}:[/] {_plain(', '.join(names))}")
    lines += [f"[bold red]Alarm:[/] {_plain(alarm)}" for alarm in played.alarms]
    lines += [f"Note: {_plain(note)}." for note in (*played.published.schedule.findings, *played.notes)]
    if is_right(played, runs):
        lines.append("[bold green]Everything published was delivered, answered and obeyed.[/]")
    return lines


def _plain(text: object) -> str:
    """Return text without markup."""
    return escape(shown(text, 4000))
