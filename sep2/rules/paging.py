"""List paging: which part of a list a client asked for (2030.5 4.6)."""

from collections.abc import Iterable
from typing import NamedTuple

from sep2.errors import BadRequest

LARGEST = 2**32 - 1
LATEST = 2**63 - 1


class BadQuery(BadRequest):
    """A query parameter is not an unsigned number."""


class Page(NamedTuple):
    """The part of a list to return: from the `start`-th item on, at most `limit` items, changed after `after`."""

    start: int = 0
    limit: int = 1
    after: int | None = None


def read(query: Iterable[tuple[str, str]], default_limit: int = 1, cap: int = 255) -> Page:
    """The page that `s`, `l` and `a` ask for; the first of repeated parameters counts, unknown ones are ignored."""
    found: dict[str, int] = {}
    for name, text in query:
        if name in ("s", "l", "a") and name not in found:
            found[name] = _unsigned(name, text)
    return Page(found.get("s", 0), min(found.get("l", default_limit), cap), found.get("a"))


def _unsigned(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise BadQuery(f"{name}: {text[:40]!r} is not an unsigned number")
    return min(int(text), LATEST if name == "a" else LARGEST)
