"""The schedule against a second-by-second reading of the rules, and against whatever a server might say."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from sep2.client.schedule import Control, Program, Schedule
from sep2.wire import ResponseStatus as Answer

PROGRAMS = {10: 3, 20: 3, 30: 8}
MODES = ("opModExpLimW", "opModImpLimW", "opModGenLimW")
END = 60
TERMINAL = {*Answer} - {Answer.RECEIVED, Answer.STARTED}

controls = st.lists(
    st.builds(
        Control,
        mrid=st.integers(1, 2**64),
        program=st.sampled_from(sorted(PROGRAMS)),
        created=st.integers(-3, 3),
        start=st.integers(0, 40),
        duration=st.integers(1, 30),
        modes=st.dictionaries(st.sampled_from(MODES), st.integers(0, 9), min_size=1),
        reply_to=st.just("/r"),
        response_required=st.just(3),
        status=st.just(0),
        category=st.none(),
        randomize_start=st.just(0),
        randomize_duration=st.just(0),
    ),
    max_size=8,
    unique_by=lambda control: control.mrid,
)
randomized = controls.flatmap(
    lambda drawn: st.lists(
        st.tuples(st.integers(-8, 8), st.integers(-8, 8)), min_size=len(drawn), max_size=len(drawn)
    ).map(
        lambda bounds: [
            control._replace(randomize_start=rs, randomize_duration=rd)
            for control, (rs, rd) in zip(drawn, bounds, strict=True)
        ]
    )
)


def known(drawn: list[Control], *, seed: int = 0) -> Schedule:
    made = Schedule(Random(seed))
    made.assign([Program(mrid, primacy) for mrid, primacy in PROGRAMS.items()], -20)
    take(made, drawn, -20)
    return made


def take(to: Schedule, drawn: list[Control], now: int) -> None:
    for program in PROGRAMS:
        to.take(program, [control for control in drawn if control.program == program], now)


def by_the_second(drawn: list[Control]) -> list[dict[str, int]]:
    """Mode to mRID for every second, by going through the rules literally."""
    strongest_first = sorted(drawn, key=lambda c: (PROGRAMS[c.program], -c.created, -c.mrid))
    lost: dict[int, set[str]] = {control.mrid: set() for control in drawn}
    said = []
    for second in range(END):
        for place, winner in enumerate(strongest_first):
            if not winner.start <= second < winner.end:
                continue
            for loser in strongest_first[place + 1 :]:
                if winner.start < loser.end and loser.start < winner.end:
                    lost[loser.mrid] |= winner.modes.keys() - lost[winner.mrid]
        said.append(
            {
                mode: control.mrid
                for control in strongest_first
                if control.start <= second < control.end
                for mode in control.modes.keys() - lost[control.mrid]
            }
        )
    return said


@given(controls)
@settings(max_examples=60, deadline=None)
def test_every_second_obeys_what_the_rules_say(drawn):
    plan = known(drawn)
    seen = [{mode: setting.mrid for mode, setting in plan.limits(second).modes.items()} for second in range(END)]
    assert seen == by_the_second(drawn)


@given(randomized, st.lists(st.integers(-20, END + 60)), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_what_holds_does_not_depend_on_how_often_one_looks(drawn, looks, seed):
    often, seldom = known(drawn, seed=seed), known(drawn, seed=seed)
    for at in range(-20, END + 60):
        often.limits(at)
        if at in looks:
            assert seldom.limits(at) == often.limits(at)


@given(randomized)
@settings(max_examples=40, deadline=None)
def test_every_control_is_answered_in_order_and_ended_once(drawn):
    plan = known(drawn)
    for at in range(-20, END + 60):
        plan.advance(at)
    owed = plan.owed()
    for control in drawn:
        said = [answer for of, answer, _ in owed if of.mrid == control.mrid]
        assert said[0] is Answer.RECEIVED
        assert [answer in TERMINAL for answer in said].count(True) == 1
        assert said[-1] in TERMINAL
        assert said in (
            [Answer.RECEIVED, Answer.STARTED, said[-1]],
            [Answer.RECEIVED, said[-1]],
        )
    assert plan.next_change() is None


@given(randomized, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_whatever_a_server_says_no_control_ends_twice_or_speaks_after_its_end(drawn, chance):
    plan = known([])
    listed = list(drawn)
    for now in range(-20, END + 60, 3):
        if chance.random() < 0.3:
            listed = [c._replace(status=chance.choice([0, 1, 2, 3, 4])) for c in drawn if chance.random() < 0.8]
            take(plan, listed, now)
        if chance.random() < 0.1:
            plan.assign([Program(mrid, chance.randint(0, 9)) for mrid in PROGRAMS if chance.random() < 0.8], now)
        plan.limits(now)
        upcoming = plan.next_change()
        assert upcoming is None or upcoming > now
    owed = plan.owed()
    for control in drawn:
        said = [answer for of, answer, _ in owed if of.mrid == control.mrid]
        # What left a program and came back is a new acquaintance; within one it is answered once.
        rounds = said.count(Answer.RECEIVED) + said.count(Answer.REJECTED_EXPIRED)
        assert sum(answer in TERMINAL for answer in said) <= rounds
    assert [at for _, _, at in owed] == sorted(at for _, _, at in owed)
