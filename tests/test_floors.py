"""The house stands: every module imports its own floor or a lower one, and stays small enough to be read."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = (
    "sep2.terminal",
    "sep2.errors",
    "sep2.wire",
    "sep2.rules",
    "sep2.settings",
    "sep2.clock",
    "sep2.store",
    "sep2.operations",
    "sep2.functions",
    "sep2.resources",
    "sep2.server",
    "sep2.rest",
    "sep2.partner",
    "sep2.admin",
    "sep2.desk",
    "sep2.cli",
)
UNDER_THE_ENGINE = ("sep2.errors", "sep2.rules", "sep2.settings", "sep2.clock", "sep2.store", "sep2.operations")
BESIDE = {
    "certs": {"sep2.terminal", "sep2.errors"},
    "sep2.client": {"sep2.errors", "sep2.wire", "sep2.rules", "sep2.clock", "certs"},
    "sep2.extension": {"sep2.errors", "sep2.rules", "sep2.settings", "sep2.clock", "sep2.store"},
    "gridmodel": {"sep2.terminal"},
    "envelope.extension": {"sep2.extension"},
}
"""What stands beside the floors, and what each may import besides itself."""
ENGINE_FLOORS = (
    ("envelope.field_rules",),
    ("envelope.problem",),
    # A packing knows no schedule, and a schedule not how its limits were shared out.
    # A forecast knows measurements only; a problem takes its paths.
    ("envelope.schedule", "envelope.allocation", "envelope.forecast"),
    # Methods without a network model have no constraints.
    ("envelope.constraints", "envelope.model_free"),
    # What judges a result may share nothing with what found it but the constraints.
    ("envelope.calculation", "envelope.verification"),
    ("envelope.search_by_trial",),
    ("envelope.engine",),
    ("envelope",),
    ("envelope.explanation", "envelope.medium_voltage"),
    # A round publishes a network that is calculated in parts, too.
    ("envelope.operation",),
    ("envelope.study",),
    # The demonstration shows what a study finds on its day.
    ("envelope.demo",),
    # Planning studies take the demonstration's cars and voltage criteria.
    ("envelope.planning",),
    ("envelope.command_line", "envelope.operator_pages"),
)
"""The rooms of the engine, from the ground up; rooms of one floor do not import each other."""
BESIDE_THE_ENGINE = {
    "envelope.operation": {"sep2.extension", *UNDER_THE_ENGINE},
    # Decisions that need a second person go through the operator API.
    "envelope.command_line": {"sep2.terminal", "sep2.rules", "sep2.settings", "sep2.cli"},
    "envelope.operator_pages": {"sep2.extension", "sep2.rest", *UNDER_THE_ENGINE},
    # The demonstration runs the commands of a server as its operator does, beside clients.
    "envelope.demo": {
        "certs",
        "sep2.terminal",
        "sep2.wire",
        "sep2.client",
        "sep2.extension",
        "sep2.cli",
        *UNDER_THE_ENGINE,
    },
}
"""What a room of the engine sees of the server beside its errors."""
ROOMS = tuple(room for floor in ENGINE_FLOORS for room in floor)
MODULES = [
    path for package in ("sep2", "envelope", "gridmodel", "certs") for path in sorted((ROOT / package).rglob("*.py"))
]
OURS = ("sep2", "envelope", "gridmodel", "certs")


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """The names of our own modules that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in OURS)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the floor"
            if node.module and node.module.split(".")[0] in OURS:
                yield from (_imported(node.module, alias.name) for alias in node.names)


def _imported(module: str, name: str) -> str:
    inner = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if inner.is_dir() or inner.with_suffix(".py").exists() else module


def place(module: str) -> str:
    """The floor of a module, or the package beside them that it belongs to."""
    found = [name for name in (*FLOORS, *BESIDE, *ROOMS) if module == name or module.startswith(f"{name}.")]
    assert found or module == "sep2", f"{module} stands on no floor"
    return max(found, key=len, default="sep2")


def allowed(module: str) -> set[str]:
    """The places that a module may import."""
    here = place(module)
    if here == "sep2":
        return set()  # it only says its version, which everyone may read
    if here in BESIDE:
        return {here, "sep2", *BESIDE[here]}
    if here in ROOMS:
        floor = next(k for k, rooms in enumerate(ENGINE_FLOORS) if here in rooms)
        below = {room for rooms in ENGINE_FLOORS[:floor] for room in rooms}
        return {here, "sep2", "sep2.errors", "gridmodel", *below, *BESIDE_THE_ENGINE.get(here, ())}
    lower = {"sep2", *FLOORS[: FLOORS.index(here) + 1]}
    # What stands beside wire is seen from every floor above it; a command may start a client.
    beside = (
        {"certs", "sep2.extension"}
        if here in ("sep2.server", "sep2.rest", "sep2.partner", "sep2.admin", "sep2.desk", "sep2.cli")
        else set()
    )
    return lower | beside | ({"sep2.client"} if here == "sep2.cli" else set())


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path):
    module = name_of(path)
    wrong = {name for name in imports(path) if place(name) not in allowed(module)}
    assert not wrong, f"{module} may not import {', '.join(sorted(wrong))}"


@pytest.mark.parametrize(
    ("module", "imported", "right"),
    [
        ("sep2.rules.events", "sep2.wire.types", True),
        ("sep2.wire.types", "sep2.rules.events", False),
        ("sep2.store.page", "sep2.operations.controls", False),
        ("sep2.operations.controls", "sep2.store.page", True),
        ("certs.authority", "sep2.errors", True),
        ("certs.authority", "sep2.wire", False),
        ("sep2.client.walk", "certs.tls", True),
        ("sep2.client.walk", "sep2.store", False),
        ("sep2.server.app", "certs.tls", True),
        ("sep2.admin.table", "sep2.rest.route", True),
        ("sep2.rest.front", "sep2.admin.table", False),
        ("sep2.store.page", "certs", False),
        ("sep2.server.app", "envelope.operation.cycle", False),
        ("gridmodel.flow", "sep2.errors", False),
        ("envelope.calculation.fitting", "envelope.verification.trial", False),
        ("envelope.verification.trial", "envelope.calculation.fitting", False),
        ("envelope.problem.problem", "envelope.constraints.linear", False),
        ("envelope.engine", "envelope.verification", True),
        ("envelope.constraints.linear", "sep2.rules.limits", False),
        ("envelope.operation.cycle", "sep2.operations.controls", True),
        ("envelope.operation.cycle", "sep2.server.app", False),
        ("envelope.operation.cycle", "sep2.client.walk", False),
        ("envelope.demo.clients", "sep2.client.walk", True),
    ],
)
def test_the_rule_itself(module, imported, right):
    assert (place(imported) in allowed(module)) is right


def exceptions() -> set[str]:
    """Longer files and functions of the engine and the network, by name, each with its reason."""
    return {
        "gridmodel.readers.pandapower",  # one reader, one format
        "gridmodel.readers.opendss",  # the same
        "envelope.allocation.kernels.fill",  # compiled: a call inside costs time
    }


@pytest.mark.parametrize(
    "path", [path for path in MODULES if name_of(path).startswith(("envelope", "gridmodel"))], ids=name_of
)
def test_engine_and_network_stay_small(path):
    name, text = name_of(path), path.read_text()
    assert len(text.splitlines()) < 340 or name in exceptions()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines < 45 or f"{name}.{node.name}" in exceptions(), f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda path: path.stem)
def test_a_file_can_be_read_in_one_sitting(path):
    text = path.read_text()
    assert len(text.splitlines()) < 400 or only_names(ast.parse(text))


def only_names(module):
    """Whether a module only says where names come from: a list to look things up in, not to be read."""
    return all(
        isinstance(node, ast.ImportFrom)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == ["__all__"])
        for node in module.body
    )


def test_help_is_light():
    """The command line answers --help without loading the database or the engine."""
    code = (
        "import sys\n"
        "from sep2.cli import main\n"
        "sys.argv = ['sep2', '--help']\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code\n"
        "print('heavy:', sorted({'pandapower', 'sqlalchemy', 'numpy', 'alembic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    assert done.stdout.splitlines()[-1] == "heavy: []"
