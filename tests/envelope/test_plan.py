"""A plan keeps every field of a problem, whatever is added to it later, and knows the feeder it was made for."""

import inspect
import json
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum
from importlib import import_module

import numpy as np
import pytest

from envelope import OperatingLimits, calculate
from envelope.field_rules import BadProblem
from envelope.problem import (
    Allocation,
    Credit,
    GroupLimit,
    Guarantee,
    Policy,
    Problem,
    Scenarios,
    ShareReference,
    TighteningLead,
    VoltVar,
    margins,
    reactive,
)
from envelope.problem import plan_file as plan
from envelope.problem.serialization import FILE_TYPES, from_plain, to_plain
from envelope.study.study import Study, problem_of
from gridmodel.flow.inverters import Curve
from gridmodel.readers.example_feeders import european_lv

STEPS, COUNT = 4, 55


@pytest.fixture(scope="module")
def problem():
    return problem_of(european_lv(), Study(steps=STEPS))


def same(one, other):
    """Equal in type and value, all the way down."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if is_dataclass(one):
        return type(one) is type(other) and all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


CLASSES = [
    kind
    for _, kind in inspect.getmembers(margins, inspect.isclass)
    if kind.__module__ == margins.__name__ and is_dataclass(kind) and hasattr(kind, "per_row")
]


def example_of(kind):
    """A margin with a value for every field, by the field's declared type and rule."""
    given = {}
    for k, f in enumerate(fields(kind)):
        if "Real" in str(f.type):
            axes = kind.RULES[f.name].shapes.split(" or ")[-1]
            shape = [{"K": 2, "T": STEPS, "C": COUNT}[axis] for axis in axes]
            given[f.name] = 1.0 + k + np.arange(float(np.prod(shape))).reshape(shape)
        elif str(f.type) == "float":
            given[f.name] = 0.5 + k
        elif str(f.type) == "str":
            given[f.name] = f"text {k}"
        elif f.default is MISSING:
            raise AssertionError(f"say here what {kind.__name__}.{f.name} may be")
    return kind(**given)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_margin_is_kept(kind):
    arrays = {}
    said = json.loads(json.dumps(to_plain(example_of(kind), arrays, "it")))
    assert same(from_plain(said, arrays), example_of(kind))


def other_than_usual(problem):
    """For every field of a problem a value that is not its default."""
    count, watts = len(problem.connection_id), np.arange(1.0, COUNT + 1)
    special = {
        "margins": tuple(map(example_of, CLASSES)),
        "groups": (GroupLimit("depot", problem.connection_id[:2], 9e3, 5e3),),
        "limits": OperatingLimits(210.0, 250.0, np.full(STEPS, 0.9), margin_v=0.2, margin_current=0.01, source="ours"),
        "guarantee": Guarantee.DECLARED_BAND,
        "declared_share": 0.8,
        "declared_by": "An engineer",
        "fleets": ("north",) * count,
        "allocation": Allocation.ALPHA_FAIR,
        "reference": ShareReference.EQUAL,
        "early": TighteningLead.ADOPTION,
        "alpha": 3.0,
        "max_min_floor": 0.7,
        "ceiling_import_w": np.full(STEPS, 500.0),
        "ceiling_export_w": np.full((STEPS, COUNT), np.inf),
        "floor_import_w": np.full((STEPS, COUNT), 400.0),
        "floor_export_w": np.full((STEPS, COUNT), 300.0),
        "weight_import": np.linspace(1.0, 2.0, STEPS),
        "weight_export": np.full((STEPS, COUNT), 3.0),
        "base_z": 1.5,
        "adoption_s": 77,
        "in_force_until": int(problem.step_start[0]) + 99,
        "source_v": problem.reduced.network.source.v * 1.01,
        "base_includes_devices": np.arange(count) % 2 == 0,
        "reactive": VoltVar(np.full(COUNT, 900.0), Credit.DECLARED, Curve(((0.9, 1.0), (1.1, -1.0)))),
        "scenarios": Scenarios(*np.arange(2.0 * 2 * STEPS * 3 * COUNT).reshape(2, 2, STEPS, 3, COUNT), share=0.9),
        "favour_import": watts,
        "favour_export": watts,
        "controls_import": np.arange(count) % 3 == 0,
        "controls_export": np.arange(count) % 5 == 0,
        "control_point": ("site",) * count,
        "flex_split": ("balanced",) * count,
    }
    given = {}
    for f in fields(problem):
        if f.name in special:
            given[f.name] = special[f.name]
        elif f.name.endswith("_w"):
            usual = getattr(problem, f.name)
            given[f.name] = watts if usual is None else usual + 1.0
    for name in ("base_load_lo_w", "base_load_hi_w"):
        given[name] = problem.base_load_w
    return given


def test_every_field_of_a_problem_is_kept_or_named_as_skipped(problem, tmp_path):
    given = other_than_usual(problem)
    rich = replace(problem, **given)
    plan.save(tmp_path / plan.FILE, plan.EUROPEAN_LV, rich)
    found = plan.load(tmp_path / plan.FILE).problem
    for f in fields(Problem):
        if f.name not in plan.SKIPPED:
            assert same(getattr(found, f.name), getattr(rich, f.name)), f.name
    required = {"step_start", "step_s", "base_load_var"}
    unsaid = {f.name for f in fields(Problem)} - {*given, *plan.SKIPPED, *required}
    assert not unsaid, "say above what this field may be"


def test_a_calculation_from_a_plan_is_that_of_the_problem(problem, tmp_path):
    kept = replace(problem, margins=(margins.HeadVoltageMargin(),), firm_import_w=np.full(COUNT, 1500.0))
    plan.save(tmp_path / plan.FILE, plan.EUROPEAN_LV, kept)
    one, other = calculate(plan.load(tmp_path / plan.FILE).problem), calculate(kept)
    assert np.array_equal(one.import_limit_w, other.import_limit_w)
    assert one.run_id == other.run_id


def test_a_plan_says_how_its_limits_are_published(problem, tmp_path):
    plan.save(tmp_path / plan.FILE, plan.EUROPEAN_LV, problem, hysteresis_w=50, randomize_relaxing_s=300)
    found = plan.load(tmp_path / plan.FILE)
    assert (found.hysteresis_w, found.randomize_relaxing_s, found.sharing) == (50, 300, "proportional")
    plan.save(tmp_path / plan.FILE, plan.EUROPEAN_LV, problem, sharing=Policy.PRIORITY)
    assert plan.load(tmp_path / plan.FILE).sharing is Policy.PRIORITY


def test_a_run_is_named_by_all_of_its_input(problem):
    from envelope.problem import run_id

    known = run_id(problem)
    assert run_id(replace(problem, in_force_export_w=np.ones(COUNT))) == known
    given = other_than_usual(problem)
    # A declared band goes with its declaration only.
    band = {name: given.pop(name) for name in ("guarantee", "declared_share", "declared_by")}
    named = {
        run_id(replace(problem, **band | {name: other})) for name, other in (("declared_share", 0.7), *band.items())
    }
    assert len(named | {known, run_id(replace(problem, guarantee=Guarantee.ONE_SIDED))}) == 4
    for name, value in given.items():
        earlier = name.startswith("in_force")
        assert (run_id(replace(problem, **{name: value})) == known) is earlier, name


def test_what_no_file_can_keep_is_refused_by_name(problem, tmp_path):
    class Ours:
        def per_row(self, rows, at_rest, limit): ...
        def said(self): ...

    with pytest.raises(BadProblem, match=r"margins\.0: a Ours"):
        plan.save(tmp_path / plan.FILE, plan.EUROPEAN_LV, replace(problem, margins=(Ours(),)))
    assert not (tmp_path / plan.FILE).exists()


@pytest.mark.parametrize("name", ["os:system", "system", "Problem", "Path"])
def test_a_file_makes_nothing_but_our_own_values(name):
    with pytest.raises(BadProblem, match="is no type that a file may hold"):
        from_plain({"made": name, "of": {}}, {})


@pytest.mark.parametrize("module", [margins, reactive])
def test_every_margin_and_policy_of_ours_can_be_kept(module):
    here = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__]
    ours = {kind.__name__ for kind in here if is_dataclass(kind) or issubclass(kind, Enum)}
    assert ours <= set(FILE_TYPES)


@pytest.mark.parametrize(("module", "name"), FILE_TYPES.values())
def test_what_a_file_may_hold_is_where_it_is_said_to_be(module, name):
    assert getattr(import_module(module), name).__module__ == module


def test_a_plan_of_another_version_is_refused_by_name(tmp_path):
    said = np.frombuffer(json.dumps({"feeder": "x"}).encode(), dtype=np.uint8)
    np.savez(tmp_path / "old.npz", said=said)
    with pytest.raises(BadProblem, match=r"old\.npz: was saved by another version"):
        plan.read(tmp_path / "old.npz")


def test_the_digest_changes_with_the_model_and_with_nothing_else(tmp_path):
    (tmp_path / "lines.csv").write_text("line_id,rating_a\nL1,160\n")
    before = plan.digest_of(str(tmp_path))
    (tmp_path / "picture.png").write_bytes(b"x")
    (tmp_path / ".lines.csv.swp").write_bytes(b"x")
    (tmp_path / "ami_2026.csv").write_bytes(b"x")
    assert plan.digest_of(str(tmp_path)) == before
    (tmp_path / "lines.csv").write_text("line_id,rating_a\nL1,120\n")
    assert plan.digest_of(str(tmp_path)) != before


def test_a_feeder_that_is_not_there_is_refused(problem, tmp_path):
    with pytest.raises(BadProblem, match="no such folder"):
        plan.save(tmp_path / plan.FILE, str(tmp_path / "nowhere"), problem)
