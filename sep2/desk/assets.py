"""Style sheets and scripts, under names that change with their content, so that browsers may keep them."""

import gzip
import hashlib
from importlib.resources import files
from typing import NamedTuple

from aiohttp import web

from sep2.errors import NotFound

UNDER = "/desk/static/"
KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
FOLDERS = ("static", "vendor")


class Asset(NamedTuple):
    """A file as it is sent."""

    kind: str
    packed: bytes
    plain: bytes


class Assets:
    """What pages load beside themselves, all of it from this server."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}
        self._found: dict[str, Asset] = {}
        for folder in FOLDERS:
            for file in files("sep2.desk").joinpath(folder).iterdir():
                stem, _, ending = file.name.rpartition(".")
                if ending in KINDS:
                    self._add(file.name, f"{stem}.{{}}.{ending}", file.read_bytes())

    def _add(self, name: str, pattern: str, plain: bytes) -> None:
        address = pattern.format(hashlib.sha256(plain).hexdigest()[:12])
        kind = KINDS[name.rpartition(".")[2]]
        self._addresses[name] = UNDER + address
        self._found[address] = Asset(kind, gzip.compress(plain, mtime=0), plain)

    def address(self, name: str) -> str:
        """Where a page finds the file of that name."""
        return self._addresses[name]

    async def send(self, http: web.Request) -> web.Response:
        """The file of an address."""
        found = self._found.get(http.match_info["name"])
        if found is None:
            raise NotFound
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
        packs = "gzip" in http.headers.get("Accept-Encoding", "")
        if packs:
            headers["Content-Encoding"] = "gzip"
        body = found.packed if packs else found.plain
        return web.Response(body=body, content_type=found.kind, charset="utf-8", headers=headers)
