"""What extensions bring to the desk: pages of their own, and panels on the pages that are here."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from sep2.desk.door import Visit
from sep2.desk.page import Page
from sep2.desk.render import Renderer
from sep2.errors import Forbidden, SepError
from sep2.extension import SLOTS, Extension, Panel, resolve

log = logging.getLogger(__name__)

PATIENCE_S = 2.0
"""A panel that is not ready then is left out of its page."""


class Shown(NamedTuple):
    """A panel as it stands on a page; `fault` says why it is empty, where it could not be made."""

    title: str
    content: Markup
    fault: str = ""


class Panels:
    """The panels of all installed extensions, by the slot of a page."""

    def __init__(self, renderer: Renderer, extensions: Sequence[Extension]) -> None:
        self._renderer = renderer
        self._in: dict[str, list[tuple[str, Panel]]] = {slot: [] for slot in SLOTS}
        for one in extensions:
            for panel in one.panels:
                self._in[panel.slot].append((one.name, panel))

    async def of(self, slot: str, visit: Visit, about: str) -> list[Shown]:
        """The panels of a slot on a page about something; whatever becomes of one, the page stands."""
        found = [await self._one(name, panel, visit, about) for name, panel in self._in[slot]]
        return [one for one in found if one is not None]

    async def _one(self, name: str, panel: Panel, visit: Visit, about: str) -> Shown | None:
        try:
            show = await asyncio.to_thread(resolve, panel.handler)
            async with asyncio.timeout(PATIENCE_S):
                values = await show(visit, about)
            if values is None:
                return None
            return Shown(panel.title, self._renderer.part(f"{name}/{panel.template}", values))
        except Forbidden:
            return None
        except TimeoutError:
            return Shown(panel.title, Markup(), f"It was not ready within {PATIENCE_S:g} s.")
        except SepError as refusal:
            return Shown(panel.title, Markup(), str(refusal))
        except Exception as wrong:  # another package's code: whatever it does, the page stands
            log.exception("panel %s of extension %s failed", panel.title, name)
            return Shown(panel.title, Markup(), f"It failed: {type(wrong).__name__}.")


def pages_of(extensions: Sequence[Extension]) -> list[Page]:
    """The pages that extensions bring; their handlers are imported when a page is looked at."""
    return [
        Page(f"/desk/{page.path}", page.title, _brought(page.handler), f"{extension.name}/{page.template}")
        for extension in extensions
        for page in extension.pages
    ]


def _brought(home: str) -> Callable[[Visit], Awaitable[dict[str, Any]]]:
    async def show(visit: Visit) -> dict[str, Any]:
        handler = await asyncio.to_thread(resolve, home)
        found: dict[str, Any] = await handler(visit)
        return found

    return show
