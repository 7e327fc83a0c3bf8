"""How another package adds commands and background work: one value, found by its entry point."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from sep2.errors import SepError

if TYPE_CHECKING:
    from sep2.clock import Clock
    from sep2.rules.market.screens import ReviewAsked, ScreenResult
    from sep2.settings import Settings
    from sep2.store.connection import Connection
    from sep2.store.database import Database

GROUP = "sep2.extensions"
log = logging.getLogger(__name__)
_IMPORTING = Lock()


class ExtensionError(SepError):
    """A part of an extension can not be loaded."""


class State(Protocol):
    """What a worker may use of the server that it runs in."""

    settings: "Settings"
    db: "Database"
    clock: "Clock"
    reached: dict[str, int]
    """The time up to which each worker has done what was due, by its name."""

    def wake(self) -> None:
        """Have the server look at what changed."""
        ...


class Visit(Protocol):
    """What the handler of a page or a panel may use: who looks, when, and the snapshot of the database."""

    state: Any
    query: Mapping[str, str]
    now: int

    @property
    def db(self) -> "Connection":
        """The snapshot that the whole page shows."""
        ...

    async def ask(self, handler: Any, asked: Any = None, **ids: str) -> Any:
        """What a route's handler answers to who looks; it refuses what their role may not see."""
        ...

    def may(self, handler: Any) -> bool:
        """Whether the role of who looks is enough for a change."""
        ...

    def needs(self, handler: Any) -> str:
        """The role that a change needs."""
        ...


class Screens(Protocol):
    """What an engine says about the network to the reviews of the market.

    It is called in a thread, may take its time, and changes nothing. Whatever it can not say it leaves out, or says
    `cannot_tell` with the cause.
    """

    def review(self, settings: "Settings", asked: "ReviewAsked") -> "Sequence[ScreenResult]":
        """What the screens `mapping`, `hosting_node` and `hosting_feeder` find of these DERs."""
        ...


@dataclass(frozen=True)
class Page:
    """A page of the desk that an extension brings."""

    path: str
    """below `/desk/`, such as `envelopes`"""
    title: str
    handler: str
    """async function of the visit that returns the values of the template"""
    template: str
    """a file in `templates/` of the extension's package"""


@dataclass(frozen=True)
class Panel:
    """A part of a page of the desk that an extension brings."""

    slot: str
    """where it stands: one of SLOTS"""
    title: str
    handler: str
    """async function of the visit and what the page is about; returns the template's values, or None to show nothing"""
    template: str


SLOTS = ("overview", "place", "connection", "client", "report")


@dataclass(frozen=True)
class Extension:
    """What a package adds. Every part is named as `module:attribute` and imported only when it is used."""

    name: str
    commands: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Command name to its Typer app; `demo` becomes `sep2 demo`."""
    workers: tuple[str, ...] = ()
    """Async functions that run inside the server as long as it does; each takes the server's state."""
    erasers: tuple[str, ...] = ()
    """Async functions that delete what the package keeps of a connection, when that is erased; each takes the settings
    and the connection's id, and returns how many values it deleted."""
    files: tuple[str, ...] = ()
    """What it keeps in the server's folder, by name; a copy for training gets them too."""
    summaries: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Command name to its line in `sep2 --help`, which never imports the command itself."""
    routes: str = ""
    """Routes of the operator API, below `/x/` and the extension's name."""
    paths: tuple[str, ...] = ()
    """Further paths that its routes may have."""
    templates: str = ""
    """The package whose folder `templates` holds the pages' and panels' templates."""
    pages: tuple[Page, ...] = ()
    panels: tuple[Panel, ...] = ()
    screens: str = ""
    """What looks at the network for the reviews of the market: a `Screens`."""


def load() -> list[Extension]:
    """The installed extensions by name; one that can not be imported is logged and left out."""
    found = []
    for point in entry_points(group=GROUP):
        try:
            extension = point.load()
        except Exception as wrong:  # another package's code: whatever it does, the server must start
            log.warning("extension %s is left out: %s: %s", point.name, type(wrong).__name__, wrong)
            continue
        if isinstance(extension, Extension):
            found.append(extension)
        else:
            log.warning("extension %s is left out: %s is no Extension", point.name, point.value)
    return sorted(found, key=lambda extension: extension.name)


def resolve(where: str) -> Any:
    """What `module:attribute` names."""
    module, _, attribute = where.partition(":")
    try:
        # Workers are loaded in threads, and two that import each other's modules at once would wait for each other.
        with _IMPORTING:
            return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as wrong:
        raise ExtensionError(f"{where}: {wrong}") from wrong
