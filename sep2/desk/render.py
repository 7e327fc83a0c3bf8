"""Pages from templates: everything is escaped, what a template does not know is an error, scripts carry a nonce."""

import contextlib
import secrets
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from aiohttp import web
from jinja2 import BaseLoader, BytecodeCache, ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup

from sep2.desk import words
from sep2.desk.assets import Assets
from sep2.extension import Extension, ExtensionError, load, resolve
from sep2.rest import browsers
from sep2.rules.names import last_part
from sep2.server.app import State

_FILTERS = {
    "watts": words.watts,
    "span": words.span,
    "percent": words.percent,
    "utc": words.utc,
    "last_part": last_part,
    "segment": lambda text: quote(text, safe=""),
}


class _Compiled(BytecodeCache):
    """Compiled templates, kept for all servers of this process."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what was compiled from the same text."""
        known = self._known.get((bucket.key, bucket.checksum))
        if known is not None:
            bucket.bytecode_from_string(known)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled just now."""
        self._known[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


def compile_all(state: State) -> None:
    """Compile every template, and import what extensions show, so that nobody's first look at a page waits for it."""
    extensions = load()
    renderer = Renderer(state, Assets(), extensions)
    for name in renderer.names():
        renderer.ready(name)
    for one in extensions:
        for home in (*(panel.handler for panel in one.panels), *(page.handler for page in one.pages)):
            with contextlib.suppress(ExtensionError):
                resolve(home)


class Renderer:
    """Makes pages."""

    def __init__(self, state: State, assets: Assets, extensions: Sequence[Extension] = ()) -> None:
        clock = words.clock_of(state.settings)
        self._templates = Environment(
            loader=_loader(extensions),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=words.visible,
            bytecode_cache=_COMPILED,
        )
        self._templates.filters |= {**_FILTERS, "local": clock.local, "hour": clock.hour}
        self._templates.globals |= {
            "asset": assets.address,
            "mode": state.settings.mode,
            "paced": state.settings.clock != "system",
            "responses": words.RESPONSES,
            "statuses": words.STATUSES,
        }

    def names(self) -> list[str]:
        """Every template there is."""
        return self._templates.list_templates(extensions=["html"])

    def ready(self, template: str) -> None:
        """Compile a template."""
        self._templates.get_template(template)

    def page(self, template: str, values: dict[str, Any], status: int = 200, *, fragment: bool = False) -> web.Response:
        """A whole page with its headers; as a fragment for a page that is open already, without its scripts."""
        nonce = secrets.token_urlsafe(16)
        text = self._templates.get_template(template).render(nonce=nonce, fragment=fragment, **values)
        headers = {"Content-Security-Policy": browsers.page_policy(nonce)}
        return web.Response(text=text, content_type="text/html", charset="utf-8", status=status, headers=headers)

    def part(self, template: str, values: dict[str, Any]) -> Markup:
        """A part of a page, escaped like all of it."""
        text = self._templates.get_template(template).render(**values)
        return Markup(text)  # noqa: S704 - every value in it was escaped just now


def _loader(extensions: Sequence[Extension]) -> BaseLoader:
    """The desk's own templates, and those of each extension under its name."""
    brought = {one.name: PackageLoader(one.templates) for one in extensions if one.templates}
    return ChoiceLoader([PackageLoader("sep2.desk"), PrefixLoader(brought)])
