"""What a message to a party says, as a sentence that people read: powers in kW, times in the utility's zone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sep2.rules.told_power import told_energy, told_power
from sep2.rules.told_times import told, told_span

Body = Mapping[str, Any]
LIMITS = {"export_w": "export", "import_w": "import", "gen_w": "generation", "load_w": "load"}
MOST_NAMED = 5


def words(kind: str, body: Body) -> str:
    """The sentence; the kind alone where it is not known here."""
    said = _WORDS.get(kind)
    try:
        return kind if said is None else said(body)
    except (AttributeError, KeyError, TypeError, ValueError):  # of an earlier version, which said something else
        return kind


def _notice(body: Body) -> str:
    by = body.get("answer_by")
    answer = f"; answer by {told(by)}" if by is not None else ""
    return (
        f"Override {body['override']} ({body['class']}, {body['reason']}), {told_span(body['start'], body['end'])}: "
        f"{_limits(body)}{_lost(body)}; notice {body['notice']}, {_sent(body['sent'])}{answer}."
    )


def _sent(count: int) -> str:
    return "sent once" if count == 1 else f"sent {count} times"


def _joined(body: Body) -> str:
    span = told_span(body["start"], body["end"])
    return f"Override {body['override']} holds for {_whom(body, 'joined')} too, {span}{_lost(body)}."


def _left(body: Body) -> str:
    return f"Override {body['override']} holds for {_whom(body, 'left')} no longer since {told(body['at'])}."


def _whom(body: Body, key: str) -> str:
    """The DERs by name, or how many there are for somebody who is not told."""
    if key in body:
        return _names(body[key])
    return "1 member" if body["members"] == 1 else f"{body['members']} members"


def _released(body: Body) -> str:
    why = f": {body['reason']}" if body["reason"] else ""
    return f"Override {body['override']} is released since {told(body['at'])}{why}."


def _ended(body: Body) -> str:
    return f"Override {body['override']} is over since {told(body['at'])}."


def _reason(body: Body) -> str:
    return f"Reason of the emergency, override {body['override']}: {body['reason_text']}."


def _override_dispute(body: Body) -> str:
    return f"The dispute about override {body['override']} is closed: {body['outcome']}."


def _verdict(body: Body) -> str:
    said = f"Plan {body['name']} version {body['version']}: {body['state'].replace('_', ' ')}"
    if body["state"] == "limit":
        powers = f"{told_power(body['min_w'])} to {told_power(body['max_w'])}"
        said += f", at {body['node']} from {told(body['start'])} on {powers}"
        said += f", bound by {body['binding']}" if body["binding"] else ""
    if body["cause"]:
        said += f" ({body['cause']})"
    return said + ("; too late to change offers." if body["is_too_late"] else ".")


def _dispatch(body: Body) -> str:
    target, can = told_power(body["target_w"]), told_power(body["deliverable_w"])
    beyond = body.get("beyond_limit")
    whose = f"; {len(beyond)} DERs can not do their part: {_names([one['der'] for one in beyond])}" if beyond else ""
    late = "; it came late" if body["is_late"] else ""
    head = f"{body['kind'].replace('_', ' ').capitalize()} {body['iso_dispatch_id']}"
    return f"{head}, {told_span(body['start'], body['end'])}: {target}, of which {can} are within limits{whose}{late}."


def _decided(body: Body) -> str:
    return f"Review {body['review']} of {body['aggregation']} is {body['outcome'].replace('_', ' ')}."


def _incomplete(body: Body) -> str:
    return f"Review {body['review']} is incomplete; missing: {', '.join(body['missing'])}."


def _review_dispute(body: Body) -> str:
    return f"The dispute about review {body['review']} is closed: {body['outcome']}."


_WORDS: Mapping[str, Callable[[Body], str]] = {
    "override_notice": _notice,
    "override_joined": _joined,
    "override_left": _left,
    "override_released": _released,
    "override_ended": _ended,
    "override_reason": _reason,
    "override_dispute_closed": _override_dispute,
    "plan_verdict": _verdict,
    "dispatch_beyond_limit": _dispatch,
    "dispatch_within_limits": _dispatch,
    "review_decided": _decided,
    "review_incomplete": _incomplete,
    "review_dispute_closed": _review_dispute,
}


def _limits(body: Body) -> str:
    said = [f"{LIMITS[name]} at most {told_power(watts)}" for name, watts in body["limits"].items()]
    return " and ".join(said) or "no limit"


def _lost(body: Body) -> str:
    watt_hours = body.get("lost_wh") or sum(one["lost_wh"] for one in body.get("ders", ()))
    return f", {told_energy(watt_hours)} of plans lost" if watt_hours else ""


def _names(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
