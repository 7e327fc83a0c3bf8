"""Messages to parties in words: what matters of each kind, with powers in kW and times that people read."""

import pytest

from sep2.rules.market.message_words import words

AT = {"start": 1_800_000_000, "end": 1_800_003_600}
DISPATCH = {
    "iso_dispatch_id": "I-1",
    "kind": "award",
    "target_w": 1_000_000,
    "deliverable_w": 430_000,
    "is_late": True,
    "beyond_limit": [{"der": f"D{n}"} for n in range(7)],
    **AT,
}
NOTICE = {
    "override": 12,
    "class": "emergency",
    "reason": "overload",
    "limits": {"export_w": 40_000},
    "lost_wh": 191_700,
    "notice": 1,
    "sent": 2,
    "answer_by": 1_800_000_060,
    **AT,
}
VERDICT = {
    "name": "today",
    "version": 2,
    "state": "limit",
    "cause": "override",
    "node": "N17",
    "start": 1_800_000_000,
    "min_w": -100_000,
    "max_w": 9000,
    "binding": "override 12",
    "is_too_late": False,
}


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (
            "override_notice",
            NOTICE,
            "Override 12 (emergency, overload), from 2027-01-15 08:00:00Z to 2027-01-15 09:00:00Z: "
            "export at most 40 kW, 191.7 kWh of plans lost; notice 1, sent 2 times; answer by 2027-01-15 08:01:00Z.",
        ),
        (
            "override_joined",
            {"override": 12, "joined": ["D3"], "ders": [{"lost_wh": 0}], **AT},
            "Override 12 holds for D3 too, from 2027-01-15 08:00:00Z to 2027-01-15 09:00:00Z.",
        ),
        (
            "override_left",
            {"override": 12, "left": ["D3", "D4"], "members": 2, "at": 1_800_000_000},
            "Override 12 holds for D3, D4 no longer since 2027-01-15 08:00:00Z.",
        ),
        (
            "override_left",
            {"override": 12, "members": 2, "at": 1_800_000_000},
            "Override 12 holds for 2 members no longer since 2027-01-15 08:00:00Z.",
        ),
        (
            "override_released",
            {"override": 12, "at": 1_800_000_000, "reason": "line L4 is back"},
            "Override 12 is released since 2027-01-15 08:00:00Z: line L4 is back.",
        ),
        (
            "dispatch_beyond_limit",
            DISPATCH,
            "Award I-1, from 2027-01-15 08:00:00Z to 2027-01-15 09:00:00Z: 1 MW, of which 430 kW are within limits; "
            "7 DERs can not do their part: D0, D1, D2, D3, D4 and 2 more; it came late.",
        ),
        (
            "plan_verdict",
            VERDICT,
            "Plan today version 2: limit, at N17 from 2027-01-15 08:00:00Z on -100 kW to 9 kW, bound by override 12 "
            "(override).",
        ),
        ("plan_verdict", {**VERDICT, "state": "ok", "cause": "", "binding": ""}, "Plan today version 2: ok."),
        (
            "review_incomplete",
            {"review": 3, "missing": ["D1: no_consent"]},
            "Review 3 is incomplete; missing: D1: no_consent.",
        ),
        ("override_notice", {"override": 12}, "override_notice"),
        ("of a later version", {}, "of a later version"),
    ],
)
def test_a_message_is_a_sentence(kind: str, body: dict[str, object], said: str):
    assert words(kind, body) == said
