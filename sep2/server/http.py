"""HTTP/1.1 over TLS: aiohttp's protocol, made to answer as 2030.5 asks and to give up on silent peers.

aiohttp answers a malformed request in plain text, names itself, and never times out a peer that is slow to send; the
subclass below changes just that.
"""

import asyncio
import logging
import math
import ssl
from collections.abc import Callable
from typing import Any

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.web_protocol import RequestHandler

from certs import Peer
from certs.errors import BadCertificate
from sep2.errors import BadRequest, Forbidden, SepError
from sep2.server.front import Answer, Asked, Front, NoSuchMethod, refused
from sep2.server.tls import Tls
from sep2.settings import Limits

log = logging.getLogger("sep2.http")

LONGEST_URI = 4094
LONGEST_FIELD = 8190
LINGER_S = 1
"""How long a connection whose request was refused is read on, so that its peer sees the answer before the end."""


class UriTooLong(SepError):
    """The URI is longer than this server reads."""

    status = 414


class HeadersTooLarge(SepError):
    """A header is longer than this server reads."""

    status = 431


class BodyTooLarge(SepError):
    """The body is larger than this server reads."""

    status = 413


class TooSlow(SepError):
    """The body did not arrive in time."""

    status = 408


class NoSuchVersion(SepError):
    """This server speaks HTTP/1.1."""

    status = 505


class NotAdmitted(Forbidden):
    """This certificate is not admitted."""


class Http(web.Server):
    """What accepts connections; `front` answers."""

    def __init__(self, front: Front, tls: Tls, limits: Limits) -> None:
        super().__init__(
            self._answer,
            request_factory=_request,
            access_log=None,
            keepalive_timeout=limits.idle_s,
            auto_decompress=False,
            lingering_time=LINGER_S,
            max_line_size=LONGEST_URI,
            max_field_size=LONGEST_FIELD,
        )
        self.front = front
        self.tls = tls
        self.limits = limits
        self.met: Callable[[Peer, ssl.SSLObject], None] = lambda peer, connection: None
        """Hears of each peer that was admitted, once per connection."""

    def __call__(self) -> RequestHandler:
        """A protocol for one new connection."""
        return Protocol(self, loop=asyncio.get_running_loop(), **self._kwargs)

    def peers(self) -> "list[Protocol]":
        """The connections that are open."""
        return [one for one in self.connections if isinstance(one, Protocol)]

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        protocol = request.protocol
        assert isinstance(protocol, Protocol)
        try:
            lfdi = protocol.peer_lfdi()
            if hdrs.HOST not in request.headers:
                raise BadRequest("the Host header is missing")
            if request.version not in (HttpVersion10, HttpVersion11):
                raise NoSuchVersion
            if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await self._body(request) if request.body_exists else b""
        except SepError as refusal:
            protocol.close_after_answer = isinstance(refusal, NotAdmitted | BodyTooLarge | TooSlow)
            return _response(refused(refusal), close=protocol.close_after_answer)
        url = request.rel_url
        asked = Asked(request.method, url.raw_path, url.raw_query_string, request.headers, body, lfdi)
        answer = await self.front.answer(asked)
        return _response(answer)  # aiohttp leaves the body of an answer to HEAD out by itself

    async def _body(self, request: web.BaseRequest) -> bytes:
        most = self.limits.body_bytes
        if (request.content_length or 0) > most:
            raise BodyTooLarge(f"more than {most} bytes")
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.limits.body_deadline_s):
                async for part in request.content.iter_any():
                    size += len(part)
                    if size > most:
                        raise BodyTooLarge(f"more than {most} bytes")
                    parts.append(part)
        except TimeoutError:
            raise TooSlow from None
        return b"".join(parts)


class Protocol(RequestHandler):
    """One connection: who its peer is, and a deadline for each request's header."""

    __slots__ = ("_deadline", "close_after_answer", "expires", "lfdi")

    def __init__(self, manager: Http, **options: Any) -> None:
        super().__init__(manager, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self.lfdi: str | None = None
        """Of the peer's certificate; None before its first request."""
        self.expires = math.inf
        """When that certificate, or one above it, ends."""
        self.close_after_answer = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection in, or turn it away where there are too many."""
        super().connection_made(transport)
        server = self._manager
        assert isinstance(server, Http)
        if len(server.connections) > server.limits.sessions:
            log.warning("a connection was turned away: %d are open", server.limits.sessions)
            self.force_close()
            return
        self._expect_header()

    def data_received(self, data: bytes) -> None:
        """Read on; a header that has begun must be complete by its deadline."""
        before = self._request_count
        super().data_received(data)
        if self._request_count > before:
            self._stop_waiting()
        elif self._deadline is None and self._waiter is not None and not self._waiter.done():
            self._expect_header()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the deadline."""
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to what aiohttp could not read."""
        self.close_after_answer = True
        self.keep_alive(False)
        return _response(refused(_unreadable(status, exc, message or "")), close=True)

    def peer_lfdi(self) -> str:
        """The LFDI of the peer's certificate, looked at once per connection."""
        if self.lfdi is None:
            server, transport = self._manager, self.transport
            assert isinstance(server, Http)
            assert transport is not None
            connection = transport.get_extra_info("ssl_object")
            try:
                peer = server.tls.admit(connection)
            except BadCertificate as refusal:
                log.warning("%s is not admitted: %s", self.peername, refusal)
                raise NotAdmitted(str(refusal)) from None
            self.lfdi, self.expires = peer.lfdi, peer.expires
            server.met(peer, connection)
        return self.lfdi

    def end(self) -> None:
        """Close the connection, after the request that is being answered."""
        if self._waiter is not None and not self._waiter.done():
            self.force_close()
        else:
            self.close()

    def _expect_header(self) -> None:
        server = self._manager
        assert isinstance(server, Http)
        self._deadline = self._loop.call_later(server.limits.header_deadline_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        log.info("%s sent no complete request in time", self.peername)
        self.force_close()


def _request(message: Any, *rest: Any) -> web.BaseRequest:
    """A request that is answered as HTTP/1.1; aiohttp takes what it could not read for HTTP/1.0."""
    if message.version < HttpVersion11:
        message = message._replace(version=HttpVersion11)
    payload, protocol, writer, task = rest
    return web.BaseRequest(message, payload, protocol, writer, task, asyncio.get_running_loop())


class _Response(web.Response):
    """A response that does not say what software made it."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall(hdrs.SERVER, None)


def _response(answer: Answer, *, close: bool = False) -> web.Response:
    response = _Response(status=answer.status, body=answer.body, headers=answer.headers)
    if not answer.body:
        response.headers.popall(hdrs.CONTENT_TYPE, None)
    if close:
        response.force_close()
    return response


def _unreadable(status: int, exc: BaseException | None, message: str) -> SepError:
    if isinstance(exc, BadHttpMethod):
        return NoSuchMethod(message[:40])
    if isinstance(exc, LineTooLong):
        return UriTooLong() if str(exc.args[1]) == str(LONGEST_URI) else HeadersTooLarge()
    if status >= 500:
        log.error("a request failed: %s", message, exc_info=exc)
        return SepError()
    return BadRequest(message.splitlines()[0][:80] if message else "")
