"""The review's rules: which events each state takes, what class a change has, what a decision needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sep2.rules.market.profiles import names, read_profile
from sep2.rules.market.register import DerFacts
from sep2.rules.market.reviewing import (
    DECIDED,
    FROM,
    Decided,
    Event,
    State,
    WrongState,
    changes_of,
    check,
    class_of,
    decision_faults,
    outcome_of,
    terms_of,
    unanswered,
)

PJM = read_profile("pjm")
TERMS = terms_of(PJM, "full", "small")
DER = DerFacts(
    edc_account="a",
    connection="C1",
    meter_id="m",
    device_type="battery",
    max_gen_w=5000,
    max_load_w=5000,
    import_agreement_w=5000,
    export_agreement_w=5000,
)


@given(st.sampled_from(State), st.sampled_from(Event))
def test_an_event_is_taken_in_its_states_only_and_a_refusal_names_both(state, event):
    if state in FROM[event]:
        check(state, event)
        return
    with pytest.raises(WrongState) as refused:
        check(state, event)
    assert event.value in str(refused.value)
    assert state.value in str(refused.value)


def test_nothing_is_decided_twice_and_only_what_is_decided_is_disputed():
    assert FROM[Event.DECIDE].isdisjoint(DECIDED)
    assert FROM[Event.DISPUTE] == DECIDED


@pytest.mark.parametrize(
    ("after", "changes", "how"),
    [
        ({"max_gen_w": 6000}, {"capability_up"}, "full"),
        ({"max_load_w": 4000}, {"capability_down"}, "notify"),
        ({"max_gen_w": 6000, "max_load_w": 4000}, {"capability_up", "capability_down"}, "full"),
        ({"meter_id": "n"}, {"meter_swap"}, "notify"),
        ({"firmware": "2"}, {"firmware"}, "notify"),
        ({"connection": "C2"}, {"add_member"}, "abbreviated"),
        ({"make": "other"}, set(), "notify"),
    ],
)
def test_a_change_has_the_class_of_the_market(after, changes, how):
    found = changes_of(DER, replace(DER, **after))
    assert found == changes
    assert class_of(PJM, found) == how


@pytest.mark.parametrize("market", names())
def test_the_terms_of_a_review_are_those_of_its_market(market):
    profile = read_profile(market)
    assert terms_of(profile, "full", "large").days == profile.review.days
    assert terms_of(profile, "abbreviated", "large").days == profile.change.abbreviated_days


def test_a_decision_names_every_der_once_with_reason_limit_and_evidence():
    decided = [Decided("A", "limited"), Decided("A", "ok"), Decided("C", "ok", limit_w=5)]
    found = {(one.path, one.code) for one in decision_faults(decided, ["A", "B"], {}, TERMS)}
    assert found == {
        ("C", "not_asked"),
        ("A", "decided_twice"),
        ("B", "not_decided"),
        ("A: reason", "reason_unknown"),
        ("A: evidence", "no_evidence"),
        ("A: limit_w", "no_limit"),
        ("C: limit_w", "limit_not_meant"),
    }


def test_a_failed_screen_is_answered_by_its_name_and_the_outcome_is_the_strictest():
    failed = {"A": {"mapping", "telemetry"}}
    assert unanswered([Decided("A", "ok", evidence=["telemetry: seen"])], failed) == ["A: mapping"]
    assert unanswered([Decided("A", "limited", 5, "network_limit", ["x"])], failed) == []
    assert outcome_of([Decided("A", "ok"), Decided("B", "rejected")]) is State.APPROVED_LIMITED
    assert outcome_of([Decided("A", "rejected")]) is State.REJECTED
