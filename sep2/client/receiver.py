"""Where a server sends its notifications: an HTTPS listener with the client's own certificate (2030.5 8.7)."""

import logging
import socket
from collections.abc import Callable, Collection

from aiohttp import web

from certs.identifiers import lfdi_of
from certs.identity import Files
from certs.tls import server_context
from certs.trust import Trust
from sep2 import wire as w

PATH = "/notifications"
LARGEST_BYTES = 4 << 20
log = logging.getLogger(__name__)

Take = Callable[[w.Notification], bool]
"""What is done with a notification; whether it was awaited at all."""


class Receiver:
    """Listens for notifications of servers that have proven one of the identities in `senders`."""

    def __init__(
        self, files: Files, trust: Trust, *, host: str = "127.0.0.1", port: int = 0, public_uri: str = ""
    ) -> None:
        """`public_uri` is where the server reaches us, if that is not where we listen."""
        self._tls = server_context(files, trust)
        self._host, self._port = host, port
        self._public_uri = public_uri
        self._runner: web.AppRunner | None = None
        self._take: Take = lambda _: False
        self._profile = w.Profile.CSIP_AUS_1_2
        self._senders: Collection[str] = ()
        self.uri = ""
        """The notificationURI, once it listens."""

    async def start(self, take: Take, senders: Collection[str], profile: w.Profile) -> None:
        """Listen, and give what comes to `take`."""
        self._take, self._senders, self._profile = take, senders, profile
        app = web.Application(client_max_size=LARGEST_BYTES)
        app.router.add_post(PATH, self._receive)
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=900)
        await self._runner.setup()
        listening = socket.create_server((self._host, self._port), family=_family(self._host), backlog=512)
        await web.SockSite(self._runner, listening, ssl_context=self._tls).start()
        port = listening.getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.uri = self._public_uri or f"https://{host}:{port}{PATH}"

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        if not self._is_server(request):
            return web.Response(status=403)
        try:
            told = w.decode(await request.read(), w.Notification, profile=self._profile, ordered=False)
        except w.WireError as wrong:
            log.warning("a notification was not understood: %s", wrong)
            return web.Response(status=400)
        # 404 ends a subscription that nobody here asked for; 201 is what CSIP's test wants (errata 44).
        return web.Response(status=201 if self._take(told) else 404)

    def _is_server(self, request: web.Request) -> bool:
        """Every device of the PKI could connect; only the server that we talk to may tell us things."""
        secured = request.transport.get_extra_info("ssl_object") if request.transport else None
        return secured is not None and lfdi_of(secured.getpeercert(binary_form=True)) in self._senders


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
