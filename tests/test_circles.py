"""No module imports itself by way of others, whatever way the import is written."""

import ast

import pytest

from tests.test_floors import MODULES, imports, name_of
from tests.test_floors import forget_trees as forget_trees  # noqa: PLC0414 - a fixture

Graph = dict[str, set[str]]


def graph() -> Graph:
    """Each module with those that it imports, at the top, in a function or for types only."""
    names = {name_of(path) for path in MODULES}
    return {name_of(path): {name for name in imports(path) if name in names} - {name_of(path)} for path in MODULES}


def circles(found: Graph) -> list[set[str]]:
    """Strongly connected components of more than one module (Tarjan's algorithm, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    components = []
    for root in found:
        work = [(root, iter(found[root]))] if root not in index else []
        while work:
            node, others = work[-1]
            if node not in index:
                index[node] = low[node] = len(index)
                stack.append(node)
            following = next((other for other in others if other not in index or other in stack), None)
            if following is not None and following not in index:
                work.append((following, iter(found[following])))
                continue
            if following is not None:
                low[node] = min(low[node], index[following])
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[node])
            if low[node] == index[node]:
                at = stack.index(node)
                components.append(set(stack[at:]))
                del stack[at:]
    return [component for component in components if len(component) > 1]


def ties(component: set[str], found: Graph) -> list[str]:
    """The imports that tie a circle."""
    return [f"{one} imports {other}" for one in sorted(component) for other in sorted(found[one] & component)]


def test_no_import_circles():
    found = graph()
    tied = [ties(component, found) for component in circles(found)]
    assert not tied, tied


@pytest.mark.parametrize(
    ("arrows", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, [{"b", "c"}]),
        ({"a": {"b", "c"}, "b": {"a"}, "c": {"d"}, "d": {"c"}}, [{"a", "b"}, {"c", "d"}]),
    ],
)
def test_the_search_itself(arrows, expected):
    assert sorted(circles(arrows), key=min) == expected


def test_imports_inside_functions_count(tmp_path):
    path = tmp_path / "one.py"
    path.write_text("def f():\n    from envelope.engine import calculate\n")
    assert list(imports(path)) == ["envelope.engine"]
    assert ast.parse(path.read_text())
