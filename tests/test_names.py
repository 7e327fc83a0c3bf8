"""Names and first lines of docstrings: the field's words, one meaning each, in whole sentences."""

import ast
import re
from collections import defaultdict
from importlib import import_module

import pytest

from tests.test_floors import MODULES, ROOMS, ROOT, name_of, tree_of
from tests.test_floors import forget_trees as forget_trees  # noqa: PLC0414 - a fixture

OLD = {
    "Allowed", "Asked", "Base", "Broken", "Case", "Circulation", "Coordinated", "Desk", "Early", "Fit", "Fleet",
    "Floor", "Forgone", "FreeReactive", "Head", "HeadBand", "Kept", "Least", "Line", "Looked", "Made",
    "Operating", "Premises", "Reference", "Relay", "Restrained", "Rows", "Safe", "Said", "Several", "Shown",
    "State", "Strained", "Tally", "Telling", "Texts", "Tightened", "TightenedLimits", "Told", "Unseen",
    "Values", "Verdict", "Wanted", "Watched", "Word", "ahead", "as_said", "at_kinks", "at_rest", "audit",
    "both_ways_w", "calmed", "counted", "eased", "everything", "favoured", "favours", "fit", "floored",
    "follow", "forgone", "granted", "guarantee_said", "held_steps", "judged", "looked", "making_up", "pack",
    "raised", "relieved", "restrain", "settle", "steps_led", "taken_w", "tightened", "told_at", "unnamed",
    "unpack", "with_control", "with_held",
}  # fmt: skip
OLD_MODULES = {
    "told", "seen", "unseen", "held", "plain", "strain", "probing", "watched", "answering", "horizon", "asked", "shown",
    "desk", "premises", "parting", "conductor", "judge", "fleet", "relay",
}  # fmt: skip
WORDS = re.compile(r"\b(whoever|nobody|somebody|anyway|in any case|of late|lest|what is told)\b|^What\b", re.IGNORECASE)
PUBLIC = {
    "envelope.problem": (
        "Problem",
        "OperatingLimits",
        "GroupLimit",
        "Guarantee",
        "Allocation",
        "ShareReference",
        "run_id",
    ),
    "envelope.schedule": ("EnvelopeSchedule", "Binding", "Infeasibility", "DeviceLimits", "Ledger", "verified_box"),
    "envelope.verification": ("VerificationReport", "Effort", "verify", "verify_wrong_phases"),
}


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def trees() -> dict[str, ast.Module]:
    """The modules of the engine's rooms by name."""
    return {name_of(path): tree_of(path) for path in MODULES if room_of(name_of(path)) in ROOMS}


Defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def is_error(node: ast.AST) -> bool:
    """Whether a class is an error: its docstring is its message, which clients know."""
    bases = getattr(node, "bases", [])
    return any(isinstance(base, ast.Name) and (base.id.endswith("Error") or base.id == "BadProblem") for base in bases)


def test_old_words_are_gone():
    found = {
        f"{module}: {node.name}"
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in OLD
    }
    assert not found
    assert not [module for module in trees() if module.rpartition(".")[2] in OLD_MODULES]


def test_no_module_hides_a_function_of_its_package():
    public = defaultdict(set)
    for module, tree in trees().items():
        public[module.rpartition(".")[0]] |= {n.name for n in tree.body if isinstance(n, Defined)}
    hidden = [module for module in trees() if module.rpartition(".")[2] in public[module.rpartition(".")[0]]]
    assert not hidden


def test_a_private_name_means_one_thing_in_a_room():
    homes = defaultdict(set)
    for module, tree in trees().items():
        for node in tree.body:
            if isinstance(node, Defined) and node.name.startswith("_"):
                homes[room_of(module), node.name].add(module)
    assert not {name: where for name, where in homes.items() if len(where) > 2}


def test_docstrings_begin_plainly():
    wrong = []
    for module, node in ((module, node) for module, tree in trees().items() for node in ast.walk(tree)):
        if isinstance(node, ast.Module | Defined) and not is_error(node) and (said := ast.get_docstring(node)):
            # A sentence may go on in the next line, and a first one may begin with a shape or a name in lower case.
            first = said.split("\n\n")[0].replace("\n", " ")
            if WORDS.search(first) or not first.endswith((".", ":")):
                wrong.append(f"{module}: {first}")
    assert not wrong


@pytest.mark.parametrize(("room", "names"), PUBLIC.items())
def test_a_room_hands_on_its_public_names(room, names):
    assert not [name for name in names if not hasattr(import_module(room), name)]


def test_array_types_are_defined_once():
    aliases = [
        f"{path}: {ast.unparse(node)}"
        for path in MODULES
        for node in tree_of(path).body
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("NDArray[")
    ]
    assert all(one.startswith(str(ROOT / "gridmodel" / "arrays.py")) for one in aliases), aliases


def test_what_is_not_there_has_one_code() -> None:
    """An operator's program looks for one code for each thing: `unknown_place`, wherever it is not found."""
    found = defaultdict(set)
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef) and "NotFound" in [getattr(base, "id", "") for base in node.bases]:
                found[re.sub("^(Unknown|NoSuch)", "", node.name)].add((name_of(path), node.name))
    assert {thing: where for thing, where in found.items() if len(where) > 1} == {}
