"""HTTP POST to notification receivers: to checked addresses only, and reading no more of the answer than its head.

Libraries of HTTP refuse an answer that departs from the standard after its first line, such as a 204 with a body. A
receiver that sends one has taken the notification all the same.
"""

import asyncio
import contextlib
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from functools import partial
from types import MappingProxyType
from typing import NamedTuple, Self

from sep2.rules import media
from sep2.rules.receivers import DEFAULT_PORTS, Place, ReceiverRefused, place_of

KEPT = 256
"""Idle connections that are kept, to all receivers together."""
KEPT_S = 60
HEAD_BYTES = 16 * 1024
"""Of an answer's head at most."""
BODY_BYTES = 16 * 1024
"""A connection whose answer has a longer body is closed instead of read to its end."""
BODY_S = 0.5
"""How long the rest of an answer is waited for, once its status is known."""
RESOLVERS = 32
_XML = MappingProxyType({"Content-Type": media.XML, "Accept": media.XML})
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)(?:[ \r\n]|$)")
_PATH = re.compile(r"^[a-z]+://[^/?]*")


class Answer(NamedTuple):
    """What a receiver says."""

    status: int
    retry_after_s: int | None = None


class NoAnswer(Exception):
    """A receiver gave no answer; `sent` says whether it may have received the notification all the same."""

    def __init__(self, cause: BaseException, *, sent: bool) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}".rstrip(": "))
        self.sent = sent


class BadAnswer(OSError):
    """What came back does not begin as an answer of HTTP/1.1."""


class _Connection(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle_since: float

    def close(self) -> None:
        # What was not sent yet is nobody's any more; a peer that is silent would hold up a gentle end.
        self.writer.transport.abort()


class _Exchange(NamedTuple):
    answer: Answer
    reusable: bool


_Key = tuple[Place, ssl.SSLContext | None]


class Poster:
    """Connections to receivers, opened when needed and kept for a while."""

    def __init__(self, admit: Callable[[Place, str], None], timeout_s: float) -> None:
        """`admit` raises ReceiverRefused for an address that must not be connected to."""
        self._admit = admit
        self._timeout_s = timeout_s
        self._idle: dict[_Key, list[_Connection]] = {}
        self._resolving = ThreadPoolExecutor(RESOLVERS, "sep2-resolve")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close_idle(0)
        self._resolving.shutdown(wait=False, cancel_futures=True)

    async def post(
        self, uri: str, body: bytes, contexts: Sequence[ssl.SSLContext], headers: Mapping[str, str] = _XML
    ) -> Answer:
        """What the receiver answers; NoAnswer where it does not in time.

        Its certificate is judged by the first of the contexts that accepts it.
        """
        attempt = _Attempt()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(place_of(uri), _request(uri, body, headers), contexts, attempt)
        except TimeoutError:
            silence = TimeoutError(f"no answer within {self._timeout_s:g} s")
            raise NoAnswer(silence, sent=attempt.sent) from None
        except (OSError, EOFError, ReceiverRefused) as problem:
            raise NoAnswer(problem, sent=attempt.sent) from problem

    def close_idle(self, older_than_s: float = KEPT_S) -> None:
        """Close connections that nothing was sent on for so long."""
        then = time.monotonic() - older_than_s
        for key, kept in list(self._idle.items()):
            stays = [one for one in kept if one.idle_since > then and not one.reader.at_eof()]
            for one in kept:
                if one not in stays:
                    one.close()
            if stays:
                self._idle[key] = stays
            else:
                del self._idle[key]

    async def _post(
        self, place: Place, request: bytes, contexts: Sequence[ssl.SSLContext], attempt: "_Attempt"
    ) -> Answer:
        if place.scheme == "http":
            return await self._exchange((place, None), request, attempt)
        *first, last = contexts
        for context in first:
            with contextlib.suppress(ssl.SSLError):
                return await self._exchange((place, context), request, attempt)
        return await self._exchange((place, last), request, attempt)

    async def _exchange(self, key: _Key, request: bytes, attempt: "_Attempt") -> Answer:
        kept = await self._take(key)
        if kept is not None:
            # A receiver may close a connection that was idle at the moment it is used again: this says nothing of it.
            with contextlib.suppress(OSError, EOFError):
                return await self._use(key, kept, request, attempt)
        return await self._use(key, await self._connect(key), request, attempt)

    async def _use(self, key: _Key, connection: _Connection, request: bytes, attempt: "_Attempt") -> Answer:
        done: _Exchange | None = None
        try:
            attempt.sent = True
            connection.writer.write(request)
            await connection.writer.drain()
            done = await _read(connection.reader)
        finally:
            if done is None or not done.reusable or sum(map(len, self._idle.values())) >= KEPT:
                connection.close()
            else:
                self._idle.setdefault(key, []).append(connection._replace(idle_since=time.monotonic()))
        return done.answer

    async def _take(self, key: _Key) -> _Connection | None:
        while kept := self._idle.get(key):
            one = kept.pop()
            if time.monotonic() - one.idle_since < KEPT_S and await _is_quiet(one.reader):
                return one
            one.close()
        self._idle.pop(key, None)
        return None

    async def _connect(self, key: _Key) -> _Connection:
        """A connection to the first address of the host that takes one; each was checked."""
        place, context = key
        problem: OSError = OSError(f"{place.host} has no address")
        addresses = await self._addresses(place)
        for address in addresses:
            try:
                async with asyncio.timeout(self._timeout_s / len(addresses)):
                    return await self._open(address, place, context)
            except ssl.SSLError:
                raise
            except OSError as refused:
                problem = refused
        raise problem

    async def _open(self, address: str, place: Place, context: ssl.SSLContext | None) -> _Connection:
        name = None if context is None else place.host
        reader, writer = await asyncio.open_connection(
            address, place.port, limit=HEAD_BYTES, ssl=context, server_hostname=name
        )
        return _Connection(reader, writer, 0.0)

    async def _addresses(self, place: Place) -> list[str]:
        # Threads of its own: names that nobody resolves hold up nothing else of the server.
        look_up = partial(socket.getaddrinfo, place.host, place.port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._resolving, look_up)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            self._admit(place, address)
        return addresses


async def _is_quiet(reader: asyncio.StreamReader) -> bool:
    """Whether nothing more came on a connection, such as a body that its head did not announce, or its end."""
    try:
        async with asyncio.timeout(0):
            await reader.read(1)
    except TimeoutError:
        return True
    except OSError:
        pass
    return False


class _Attempt:
    """How far an attempt came."""

    sent = False


def _request(uri: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    place = place_of(uri)
    target = _PATH.sub("", uri, count=1) or "/"
    if target.startswith("?"):
        target = f"/{target}"
    host = f"[{place.host}]" if ":" in place.host else place.host
    port = "" if place.port == DEFAULT_PORTS[place.scheme] else f":{place.port}"
    said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {target} HTTP/1.1\r\nHost: {host}{port}\r\n{said}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


async def _read(reader: asyncio.StreamReader) -> _Exchange:
    """The answer, and whether its connection can be used again. What follows the first line may be anything."""
    status = 100
    while status < 200:
        found = _STATUS.match(line := await _line(reader))
        if found is None:
            raise BadAnswer(f"the answer begins with {line[:40]!r}" if line else "the receiver hung up")
        status = int(found[1])
        headers = await _headers(reader, wait_s=None if status < 200 else BODY_S)
    if headers is None:
        return _Exchange(Answer(status), reusable=False)
    reusable = headers.get(b"connection", b"").lower() != b"close" and await _skip_body(reader, status, headers)
    return _Exchange(Answer(status, _retry_after(headers)), reusable)


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:
        raise BadAnswer("the answer begins with a line that does not end") from None


async def _headers(reader: asyncio.StreamReader, wait_s: float | None) -> dict[bytes, bytes] | None:
    """The fields of a head by their name in lower case; None where they do not end, or are none."""
    found: dict[bytes, bytes] = {}
    size = 0
    try:
        async with asyncio.timeout(wait_s):
            while (line := await reader.readline()) not in (b"\r\n", b"\n"):
                name, colon, value = line.partition(b":")
                size += len(line)
                if not line.endswith(b"\n") or not colon or size > HEAD_BYTES:
                    return None
                found[name.strip().lower()] = value.strip()
    except (TimeoutError, ValueError, OSError):
        return None
    return found


async def _skip_body(reader: asyncio.StreamReader, status: int, headers: dict[bytes, bytes]) -> bool:
    """Whether the answer has been read to its end, after which the next one begins."""
    length = headers.get(b"content-length", b"0" if status in (204, 304) else b"")
    if b"transfer-encoding" in headers or not length.isdigit() or len(length) > 9:
        return False
    if status in (204, 304) or int(length) == 0:
        return int(length) == 0
    if int(length) > BODY_BYTES:
        return False
    try:
        async with asyncio.timeout(BODY_S):
            await reader.readexactly(int(length))
    except (TimeoutError, EOFError, OSError):
        return False
    return True


def _retry_after(headers: dict[bytes, bytes]) -> int | None:
    """The seconds of Retry-After; of a date, those from the answer's own date on."""
    said = headers.get(b"retry-after", b"").decode("latin-1")
    if said.isascii() and said.isdigit():
        return int(said[:9])
    try:
        until = parsedate_to_datetime(said)
        now = parsedate_to_datetime(headers.get(b"date", b"").decode("latin-1"))
        return max(0, int((until - now).total_seconds()))
    except (ValueError, TypeError):
        return None
