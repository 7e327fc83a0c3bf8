"""HTTP/1.1 over TLS: aiohttp's protocol, made to answer as 2030.5 asks and to give up on silent peers.

aiohttp answers a malformed request in plain text, names itself, and never times out a peer that is slow to send; the
subclass below changes just that.
"""

import asyncio
import contextlib
import logging
import math
import ssl
from collections.abc import Callable
from typing import Any

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError, LineTooLong
from aiohttp.web_protocol import RequestHandler, RequestPayloadError

from certs import Peer
from certs.errors import BadCertificate
from certs.identifiers import lfdi_of
from sep2.errors import BadRequest, Forbidden, SepError
from sep2.server.answers import Answer, Asked, NoSuchMethod, refused
from sep2.server.bodies import LARGE
from sep2.server.front import Front
from sep2.server.sessions import Sessions, room
from sep2.server.tls import Tls
from sep2.settings import Limits

log = logging.getLogger("sep2.http")

LONGEST_URI = 4094
LONGEST_FIELD = 8190
MOST_FIELDS = 64
LARGEST_HEADER = 64 * 1024
"""Octets of one request's header that are kept before it is complete."""
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


class Garbled(BadRequest):
    """The body is not framed as its header says."""


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

    def __init__(
        self, front: Front, tls: Tls, limits: Limits, *, unregistered: Callable[[Peer, str], None] = lambda *_: None
    ) -> None:
        """`unregistered` hears of each request with a certificate that is no client's, and from which address."""
        super().__init__(
            self._answer,
            request_factory=_request,
            access_log=None,
            keepalive_timeout=limits.idle_s,
            auto_decompress=False,
            lingering_time=LINGER_S,
            max_line_size=LONGEST_URI,
            max_field_size=LONGEST_FIELD,
            max_headers=MOST_FIELDS,
        )
        self.front = front
        self.tls = tls
        self.limits = limits
        self.unregistered = unregistered
        self.sessions = Sessions(limits, room(limits.sessions))
        self.met: Callable[[Peer, ssl.SSLObject], None] = lambda peer, connection: None
        """Hears of each peer that was admitted, once per connection."""
        self.ending = False
        """Whether each connection ends with its next answer."""

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
            self.sessions.asks(protocol, lfdi)
            await self.front.paces.keep(lfdi)
            if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            async with contextlib.AsyncExitStack() as held:
                body = await self._body(request, lfdi, held) if request.body_exists else b""
                url = request.rel_url
                asked = Asked(request.method, url.raw_path, url.raw_query_string, request.headers, body, lfdi)
                answer = await self.front.answer(asked)
        except SepError as refusal:
            protocol.close_after_answer = isinstance(refusal, NotAdmitted | BodyTooLarge | Garbled | TooSlow)
            return _response(refused(refusal), close=protocol.close_after_answer or self.ending)
        if answer.unregistered:
            protocol.tell_unregistered()
        return _response(answer, close=self.ending)  # aiohttp leaves the body of an answer to HEAD out by itself

    async def _body(self, request: web.BaseRequest, lfdi: str, held: contextlib.AsyncExitStack) -> bytes:
        """The body; a large one is taken from the connection when it is its turn, which ends with `held`."""
        most = self.limits.body_bytes
        if (request.content_length or 0) > most:
            raise BodyTooLarge(f"more than {most} bytes")
        parts: list[bytes] = []
        size, is_large = 0, False
        loop, deadline_s = asyncio.get_running_loop(), self.limits.body_deadline_s
        try:
            async with asyncio.timeout(deadline_s) as left:
                async for part in request.content.iter_any():
                    size += len(part)
                    if size > most:
                        raise BodyTooLarge(f"more than {most} bytes")
                    parts.append(part)
                    if size > LARGE and not is_large:
                        is_large = True
                        left.reschedule(None)  # the peer is not slow while we do not read
                        await held.enter_async_context(self.front.bodies.receiving(lfdi))
                        left.reschedule(loop.time() + deadline_s)
        except TimeoutError:
            raise TooSlow from None
        except (RequestPayloadError, HttpProcessingError) as problem:
            raise Garbled(str(problem).split("\n", 1)[0][:80]) from None
        return b"".join(parts)


class Protocol(RequestHandler):
    """One connection: who its peer is, a deadline for each request's header, and one for a peer that does not read."""

    __slots__ = ("_deadline", "_header", "_owner", "_stuck", "_unread", "close_after_answer", "expires", "lfdi")

    def __init__(self, manager: Http, **options: Any) -> None:
        super().__init__(manager, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self._unread = 0
        """Octets that waited for the peer when it was last looked at."""
        self._header = 0
        """Octets of a header that is not complete."""
        self._owner = ""
        """The LFDI under which the connection is counted."""
        self.lfdi: str | None = None
        """Of the peer's certificate; None before its first request."""
        self.expires = math.inf
        """When that certificate, or one above it, ends."""
        self.close_after_answer = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection in, or turn it away where there are too many."""
        super().connection_made(transport)
        certificate = transport.get_extra_info("ssl_object").getpeercert(True)
        self._owner = lfdi_of(certificate) if certificate else ""
        if not self._http.sessions.enter(self, self._owner):
            self.force_close()
            return
        self._expect_header()

    def data_received(self, data: bytes) -> None:
        """Read on; a header that has begun must be complete by its deadline."""
        before = self._request_count
        super().data_received(data)
        if self._request_count > before:
            self._header = 0
            self._stop_waiting()
            return
        if self.idle:
            self._header += len(data)
            if self._header > LARGEST_HEADER:
                log.info("%s sent a header of more than %d octets", self.peername, LARGEST_HEADER)
                self.force_close()
            elif self._deadline is None:
                self._expect_header()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection and its deadlines."""
        self._stop_waiting()
        self._stop_watching()
        if self._manager is not None:
            self._http.sessions.leave(self, self._owner)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The peer reads more slowly than it is answered: it has until the deadline to take some of it."""
        super().pause_writing()
        self._watch()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; what the peer does not take of it has the same deadline."""
        done = await super().finish_response(request, resp, start_time)
        self._watch()
        return done

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to what aiohttp could not read; a peer that has hung up gets none."""
        if isinstance(exc, ConnectionError):
            raise exc
        self.close_after_answer = True
        self.keep_alive(False)
        return _response(refused(_unreadable(status, exc, message or "")), close=True)

    def peer_lfdi(self) -> str:
        """The LFDI of the peer's certificate, looked at once per connection."""
        if self.lfdi is None:
            if self.transport is None:
                raise ConnectionResetError("the peer has hung up")
            connection = self.transport.get_extra_info("ssl_object")
            try:
                peer = self._http.tls.admit(connection)
            except BadCertificate as refusal:
                log.warning("%s is not admitted: %s", self.peername, refusal)
                raise NotAdmitted(str(refusal)) from None
            self.lfdi, self.expires = peer.lfdi, peer.expires
            cipher = connection.cipher()
            address = str(self.peername[0]) if self.peername else ""
            self._http.front.seen.connected(peer.lfdi, address, cipher[0] if cipher else "")
            self._http.met(peer, connection)
        return self.lfdi

    def end(self) -> None:
        """Close the connection, after the request that is being answered."""
        if self._waiter is not None and not self._waiter.done():
            self.force_close()
        else:
            self.close()

    def tell_unregistered(self) -> None:
        """The peer's certificate is no client's."""
        transport, peer = self.transport, self.peername
        if transport is not None:
            with contextlib.suppress(BadCertificate):  # its CA was withdrawn just now
                known = self._http.tls.admit(transport.get_extra_info("ssl_object"))
                self._http.unregistered(known, str(peer[0]) if peer else "unknown")

    @property
    def idle(self) -> bool:
        """Whether no request is being read or answered."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def _http(self) -> Http:
        assert isinstance(self._manager, Http)
        return self._manager

    def _expect_header(self) -> None:
        self._deadline = self._loop.call_later(self._http.limits.header_deadline_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        log.info("%s sent no complete request in time", self.peername)
        self.force_close()

    def _watch(self) -> None:
        """Look again after the deadline at what waits for the peer to read it, if anything does."""
        if self._stuck is None and self.transport is not None and self._manager is not None:
            self._unread = self.transport.get_write_buffer_size()
            if self._unread:
                self._stuck = self._loop.call_later(self._http.limits.write_deadline_s, self._look_again)

    def _look_again(self) -> None:
        self._stuck = None
        if self.transport is None:
            return
        before = self._unread
        if 0 < before <= self.transport.get_write_buffer_size():
            log.info("%s reads nothing of what it asked for", self.peername)
            self.transport.abort()
            return
        self._watch()

    def _stop_watching(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None


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
    if isinstance(exc, ConnectionError):  # the peer hung up in the middle of a body: nobody reads the answer
        return BadRequest()
    if isinstance(exc, LineTooLong):
        return UriTooLong() if str(exc.args[1]) == str(LONGEST_URI) else HeadersTooLarge()
    if status >= 500:
        log.error("a request failed: %s", message, exc_info=exc)
        return SepError()
    return BadRequest(message.splitlines()[0][:80] if message else "")
