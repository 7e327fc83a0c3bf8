"""An aggregator in the market: what it asks and hands in over mutual TLS, with the certificate of its 2030.5 client."""

from __future__ import annotations

import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from certs.identity import Files
from envelope.demo.operator import OperatorRefused

BASE = "/market/v1"


class Party:
    """A client of the market API."""

    def __init__(self, pki: Path, name: str, host: str, port: int) -> None:
        context = ssl.create_default_context(cafile=str(pki / "root.pem"))
        files = Files.named(pki, name)
        context.load_cert_chain(files.chain, files.key)
        self.name = name
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
        self._origin = f"https://{host}:{port}{BASE}"
        self._posts = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def get(self, path: str) -> Any:
        """Return what is at a path."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: object) -> Any:
        """Return the answer to what is handed in, once."""
        self._posts += 1
        return await self._ask("POST", path, body)

    async def _ask(self, method: str, path: str, body: object) -> Any:
        headers = {"Idempotency-Key": f"{self.name} {self._posts}"}
        async with self._http.request(method, self._origin + path, json=body, headers=headers) as answer:
            content = await answer.json(content_type=None)
            if answer.status >= 400:
                raise OperatorRefused(f"{self.name}: {method} {path}: {answer.status} {content}")
            return content
