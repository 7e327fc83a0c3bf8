"""A page of the desk: where it is, what it is called, what asks for its values, and its template."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Page:
    """A page of the desk.

    A handler takes the visit and, where it has a second parameter, the query in its type.
    """

    path: str
    title: str
    handler: Callable[..., Awaitable[dict[str, Any]]]
    template: str
    in_navigation: bool = True
    slot: str = ""
    """Where extensions add panels, if they may; the handler's value `about` says what the page is about."""
