"""Routes that extensions bring to the operator API."""

import logging
from functools import cache

from sep2.extension import ExtensionError, load, resolve
from sep2.rest.route import Route

log = logging.getLogger(__name__)


@cache
def brought() -> tuple[Route, ...]:
    """The routes of all installed extensions; an extension that can not be loaded brings none."""
    homes = [(extension.name, extension.routes) for extension in load() if extension.routes]
    return tuple(route for name, home in homes for route in _of(name, home))


def _of(name: str, home: str) -> list[Route]:
    try:
        found: list[Route] = list(resolve(home))
    except ExtensionError as wrong:
        log.warning("routes of extension %s are left out: %s", name, wrong.detail)
        return []
    under = f"/x/{name}/"
    further = _further(name)
    assert all(route.path.startswith(under) or route.path in further for route in found), (
        f"routes of {name} are not below {under}"
    )
    return found


def _further(name: str) -> set[str]:
    """Paths of an extension that are not below its name."""
    return {path for extension in load() if extension.name == name for path in extension.paths}
