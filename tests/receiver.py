"""A client's notification receiver: it takes what a server posts, and answers as the test wants."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from aiohttp import web
from lxml import etree

from certs.identity import Files
from tests.raw import CCM8, XML
from tests.schema import assert_valid

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


class Notice(NamedTuple):
    """One notification."""

    path: str
    body: bytes

    @property
    def xml(self) -> etree._Element:
        """The Notification."""
        return etree.fromstring(self.body)

    @property
    def resource(self) -> etree._Element:
        """The representation inside."""
        found = self.xml.find("{*}Resource")
        assert found is not None
        return found

    @property
    def kind(self) -> str:
        """What is represented."""
        return self.resource.attrib[XSI_TYPE]

    def text(self, path: str) -> str | None:
        """The text at a path of names."""
        return self.xml.findtext("/".join("{*}" + name for name in path.split("/")))


class Receiver:
    """Listens for notifications; `answer` says what to do with the next one."""

    def __init__(self, port: int) -> None:
        self.uri = f"https://localhost:{port}/notify"
        self.port = port
        self.taken: list[Notice] = []
        """What was answered with success."""
        self.refused: list[Notice] = []
        self.answer: Callable[[Notice], int] = lambda notice: 204
        self.headers: dict[str, str] = {}
        self.hold = asyncio.Event()
        """While it is not set, answers wait."""
        self.hold.set()
        self._news = asyncio.Condition()

    @asynccontextmanager
    async def listening(self, files: Files, root: Path) -> AsyncIterator["Receiver"]:
        """Listen while the block runs; the server must show a certificate that leads to `root`."""
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        tls.set_ciphers(CCM8)
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(root)
        tls.load_cert_chain(*files)
        await web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=tls, reuse_address=True).start()
        try:
            yield self
        finally:
            self.hold.set()
            await runner.cleanup()

    async def wait(self, is_it: Callable[[Notice], bool] = lambda notice: True, *, since: int = 0) -> Notice:
        """The first notification, from the `since`-th on, of which that is true; the test's timeout ends it."""
        async with self._news:
            while True:
                for notice in self.taken[since:]:
                    if is_it(notice):
                        return notice
                await self._news.wait()

    async def wait_refused(self, count: int) -> None:
        """Return once that many were refused."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.refused) >= count)

    async def _take(self, request: web.Request) -> web.Response:
        assert request.headers["Content-Type"] == XML
        notice = Notice(request.path, await request.read())
        assert_valid(notice.body)
        await self.hold.wait()
        status = self.answer(notice)
        async with self._news:
            (self.taken if status < 300 else self.refused).append(notice)
            self._news.notify_all()
        return web.Response(status=status, headers=self.headers)
