"""Page and panels of the engine: status, evaluation and decisions, verification, curtailed energy."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from envelope.operator_pages.balance import Balance, BalanceQuery, show_balance
from envelope.operator_pages.bodies import Decision, EngineStatus, Evaluation, OfFeeder
from envelope.operator_pages.models import ModelShown, TakeModel, show_model, take_model
from envelope.operator_pages.routes import (
    decide,
    evaluate_decision,
    show_curtailed,
    show_engine,
)
from sep2.errors import SepError
from sep2.extension import Visit

MOST_ROWS = 200
CHOICES = {
    "contract": ("Deactivate: contract limits instead", {"mode": "contract"}),
    "hold": ("Hold: the published schedule stays", {"mode": "hold"}),
    "active": ("Activate: publish envelopes", {"mode": "active"}),
    "abnormal": ("Topology abnormal: safe limits", {"abnormal": "declared by the operator"}),
    "normal": ("Topology normal again", {"abnormal": ""}),
    "safe-contract": ("Safe limits are the contract's", {"safe": "contract"}),
    "safe-defaults": ("Safe limits are the defaults", {"safe": "defaults"}),
    "shadow": ("Shadow: calculate, tell no client", {"stage": "shadow"}),
    "advise": ("Advise: a person publishes each round", {"stage": "advise"}),
    "publish": ("Publish: rounds go out by themselves", {"stage": "publish"}),
    "release": ("Publish the round that waits", {"approved": ""}),
}
"""Decisions by their name in the address."""


async def show_envelopes(visit: Visit) -> dict[str, Any]:
    """Return the values of the page: status, and the effect of a decision where one is asked for."""
    feeder = visit.query.get("feeder", "")
    status: EngineStatus = await visit.ask(show_engine, OfFeeder(feeder=feeder))
    found: dict[str, Any] = {
        "status": status,
        "feeder": feeder,
        "choices": [(name, label) for name, (label, said) in CHOICES.items() if _changes(status, said)],
        "chosen": "",
        "refused": "",
        "effect": None,
        "body": "",
        "digest": "",
        "reason": visit.query.get("reason", ""),
        "curtailed": await visit.ask(show_curtailed, OfFeeder(feeder=feeder)),
        "may": visit.may(decide),
        "needs": visit.needs(decide),
        "most": MOST_ROWS,
    }
    found |= await _model(visit, feeder)
    chosen = visit.query.get("evaluate", "")
    return found | (await _evaluated(visit, chosen, status) if chosen in CHOICES else {})


async def _model(visit: Visit, feeder: str) -> dict[str, Any]:
    """Return the network model in use, and what takes a later extract's instead."""
    model: ModelShown | None = await visit.ask(show_model, OfFeeder(feeder=feeder))
    reason = visit.query.get("take", "").strip()
    found = {"model": model, "take": reason, "take_body": "", "may_take": visit.may(take_model)}
    if model is None or model.extract is None or model.extract.problem or not reason:
        return found
    body = msgspec.json.encode(TakeModel(reason=reason, digest=model.extract.digest, feeder=feeder))
    return found | {"take_body": body.decode(), "needs_take": visit.needs(take_model)}


def _changes(status: EngineStatus, said: dict[str, str]) -> bool:
    """Return whether a decision would change anything."""
    if "approved" in said:
        return status.round is not None and bool(status.round.waiting)
    if "abnormal" in said:
        return bool(said["abnormal"]) != bool(status.abnormal)
    return any(getattr(status, name) != value for name, value in said.items())


async def _evaluated(visit: Visit, chosen: str, status: EngineStatus) -> dict[str, Any]:
    said: dict[str, Any] = CHOICES[chosen][1] | {"feeder": visit.query.get("feeder", "")}
    reason = visit.query.get("reason", "").strip()
    if said.get("abnormal"):
        said["abnormal"] = reason or said["abnormal"]
    if "approved" in said:
        said["approved"] = "" if status.round is None else status.round.waiting
    found = {"chosen": chosen, "label": CHOICES[chosen][0]}
    try:
        effect = await visit.ask(evaluate_decision, msgspec.convert(said, Evaluation))
    except SepError as refusal:
        return found | {"refused": str(refusal)}
    except Exception as wrong:  # a calculation may fail for any reason; the page says so
        return found | {"refused": f"it can not be evaluated: {wrong or type(wrong).__name__}"}
    if not reason:
        return found | {"effect": effect, "refused": "reason: is not filled in"}
    body = msgspec.json.encode(msgspec.convert(said | {"reason": reason}, Decision))
    return found | {
        "effect": effect,
        "body": body.decode(),
        "digest": hashlib.sha256(body + msgspec.json.encode((effect.tighter, effect.looser))).hexdigest()[:12],
    }


async def overview_card(visit: Visit, about: str) -> dict[str, Any]:
    """Return the values of the panel on the overview."""
    status: EngineStatus = await visit.ask(show_engine, OfFeeder())
    left = None if status.plan is None else status.plan.until - visit.now
    return {"status": status, "left_s": left, "is_active": status.mode == "active"}


async def place_panel(visit: Visit, about: str) -> dict[str, Any] | None:
    """Return the values of the panel on the page of a place, and on that of the whole network."""
    status: EngineStatus = await visit.ask(show_engine, OfFeeder())
    found: Balance | None = await visit.ask(show_balance, BalanceQuery(place=about)) if about else None
    balance = None if found is None or found.own_w is None else found
    return None if status.plan is None and balance is None else {"status": status, "balance": balance}


async def report_section(visit: Visit, about: str) -> dict[str, Any]:
    """Return the values of the panel on the page of reports."""
    return {"curtailed": await visit.ask(show_curtailed, OfFeeder()), "most": 20}
