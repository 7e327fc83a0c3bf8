"""Published limits by an independent check: zero violations for every guarantee within its own sentence.

Circuits are written to OpenDSS from raw tables; limits are read from the published table, in whole watts, with late
clients and defaults; the worst corner is sought by greedy search in every five minutes of the day, and where the day's
deviations of demand, passive solar and head voltage come together. `tests/independent` has all of it.
"""

import os
from functools import cache
from pathlib import Path

import pytest

from envelope import EnvelopeSchedule, Guarantee, calculate
from envelope.problem import Allocation
from tests.independent import cases
from tests.independent.cases import Case, Made, Reading
from tests.independent.inverters import responding
from tests.independent.search import Box, Effort, Search, States
from tests.trials.figures import record_row

STOCK = (
    Made("create_kerber_dorfnetz", 88, seed=1),
    Made("create_kerber_dorfnetz", 88, seed=3),
    Made("create_kerber_vorstadtnetz_kabel_1", 100, seed=2),
    Made("create_kerber_landnetz_freileitung_2", 40, seed=1, export_w=4e3, import_w=5e3),
)
SERVICE = Made("US split-phase service", 8, seed=3)
POLICIES = (
    *((Guarantee.TWO_SIDED, a) for a in (Allocation.MAX_MIN, Allocation.PROPORTIONAL_FAIR, Allocation.ALPHA_FAIR)),
    (Guarantee.TWO_SIDED, Allocation.MAX_SUM),
    *((Guarantee.ONE_SIDED, a) for a in (Allocation.MAX_MIN, Allocation.PROPORTIONAL_FAIR, Allocation.MAX_SUM)),
    (Guarantee.COINCIDENT, Allocation.EQUAL),
    (Guarantee.DECLARED_BAND, Allocation.PROPORTIONAL_FAIR),
)
RESPONDING = {
    "volt-var": (Guarantee.TWO_SIDED, False),
    "volt-watt": (Guarantee.TWO_SIDED, True),
    "volt-watt, declared band": (Guarantee.DECLARED_BAND, True),
}
"""guarantees in which inverters respond, and whether by active power; OpenDSS has them under an InvControl"""
FEEDERS = (
    "LV28",
    "European LV",
    *(f"{what.network}, seed {what.seed}, {day}" for what in (*STOCK, SERVICE) for day in ("known day", "moving day")),
)
SAID = (
    "Worst against the limits by the independent check: volts over, volts under, percent of a rating beyond it "
    "(negative: inside), and in how many states of the day any is. *limits*: a guarantee that covers bands, with "
    "everyone anywhere between the published limits, within reach and each home's own band; *devices*: one that does "
    "not, with homes as they are that moment, their devices anywhere that the limits let them. Own: every five minutes "
    "of the day; extremes: each half-hour's deviations of demand, solar and head voltage at their worst together. "
    "Where what can not be refused is beyond a limit by itself, and the schedule says so, against that."
)
SAID_RESPONDING = (
    "The same, proportional fair, read as *limits*, with limits that count on inverters: volt-var as in Australia A, "
    "or volt-watt from 250 to 253 V. Voltages are those with every inverter on its curve (OpenDSS's InvControl "
    "confirms the worst), loads the larger of with and without."
)
EFFORT = Effort()


@cache
def case_of(name: str, folder: Path) -> Case:
    if name in {"LV28", "European LV"}:
        facts = os.environ.get("SEP2_FACTS")
        if not facts and name == "LV28":
            pytest.skip("SEP2_FACTS names no folder of facts")
        return cases.demonstration(Path(str(facts)) if name == "LV28" else None)
    what = next(made for made in (*STOCK, SERVICE) if name.startswith(f"{made.network}, seed {made.seed},"))
    feeder = cases.us_service() if what is SERVICE else cases.pandapower_feeder(what, folder)
    return (cases.known if name.endswith("known day") else cases.moving)(what, feeder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feeders")


def looks(case: Case) -> dict[str, States]:
    """What is looked into: where nothing moves, the day is all there is."""
    return {"own": case.day} | ({} if case.extremes is None else {"extremes": case.extremes})


@cache
def scheduled(
    name: str, guarantee: Guarantee, allocation: Allocation, reading: Reading, folder: Path
) -> tuple[Case, EnvelopeSchedule]:
    """The case with its policy, and the engine's answer."""
    case = case_of(name, folder).under(guarantee, allocation, reading)
    return case, calculate(case.problem)


@pytest.mark.parametrize("name", FEEDERS)
def test_the_day_alone_breaks_no_limit(name, folder):
    """Else no limit could mend it, and the figures below would say nothing of limits."""
    case = case_of(name, folder)
    for states in looks(case).values():
        rest = Box(states.own_va.real, states.own_va.real, together=True)
        limits = case.problem.limits
        found = Search(case.circuit, states, (limits.v_min_v, limits.v_max_v), EFFORT)
        found.run(rest)
        assert [each.said(k) for k, each in enumerate(found.worst) if each.beyond > 0.0] == []


@pytest.mark.parametrize("reading", Reading)
@pytest.mark.parametrize(("guarantee", "allocation"), POLICIES)
@pytest.mark.parametrize("name", FEEDERS)
def test_no_state_of_the_day_breaks_a_limit(name, guarantee, allocation, reading, folder, tmp_path):
    case, schedule = scheduled(name, guarantee, allocation, reading, folder)
    limits = case.limits_of(schedule, tmp_path / "limits.csv")
    figures, broken = [], []
    for title, states in looks(case).items():
        found, beyond = case.beyond(schedule, limits, states, reading, EFFORT)
        assert found.confirmed() == pytest.approx([worst.beyond for worst in found.worst], abs=2e-3)
        figures.append("{} {:+.3f} V, {:+.3f} V, {:+.2f} %".format(title, *beyond.max(axis=1)))
        figures[-1] += f" ({int((beyond > 0.0).any(axis=0).sum())} of {len(states.step)})"
        broken += [f"{title}: {each.said(k)}" for k, each in enumerate(found.worst) if beyond[k].max() > 0.0]
    named = [f"{feeder}, {g}, {a}, {r}" for feeder in FEEDERS for g, a in POLICIES for r in Reading]
    value = ("**beyond**: " if broken else "") + "; ".join(figures)
    record_row("Independent check", SAID, (f"{name}, {guarantee}, {allocation}, {reading}", value), named)
    assert not broken, "\n".join([schedule.guarantee, *broken])


@pytest.mark.parametrize("response", RESPONDING)
@pytest.mark.parametrize("name", [one for one in FEEDERS if "known" not in one and not one.startswith(SERVICE.network)])
def test_no_state_of_the_day_breaks_a_limit_with_inverters_on_their_curves(name, response, folder, tmp_path):
    guarantee, watts = RESPONDING[response]
    given = case_of(name, folder).under(guarantee, Allocation.PROPORTIONAL_FAIR, Reading.LIMITS)
    case = responding(given, watts=watts)
    schedule = calculate(case.problem)
    limits = case.limits_of(schedule, tmp_path / "limits.csv")
    figures, broken = [], []
    for title, states in looks(case).items():
        found, beyond = case.beyond(schedule, limits, states, Reading.LIMITS, EFFORT)
        assert found.confirmed() == pytest.approx([worst.beyond for worst in found.worst], abs=2e-2)
        figures.append("{} {:+.3f} V, {:+.3f} V, {:+.2f} %".format(title, *beyond.max(axis=1)))
        figures[-1] += f" ({int((beyond > 0.0).any(axis=0).sum())} of {len(states.step)})"
        broken += [f"{title}: {each.said(k)}" for k, each in enumerate(found.worst) if beyond[k].max() > 0.0]
    said = "credit given up; " if any("not_credited" in one or "not_used" in one for one in schedule.findings) else ""
    named = [f"{feeder}, {each}" for feeder in FEEDERS for each in RESPONDING]
    value = ("**beyond**: " if broken else "") + said + "; ".join(figures)
    record_row("Independent check, inverters on their curves", SAID_RESPONDING, (f"{name}, {response}", value), named)
    assert not broken, "\n".join([schedule.guarantee, *broken])
