"""HTTP over mutual TLS with one server: typed GET, PUT, POST and DELETE on hrefs."""

import asyncio
import copy
import ssl
from typing import Any, Self, TypeVar

import aiohttp
from cryptography.hazmat.primitives.serialization import Encoding
from yarl import URL

from certs.errors import BadCertificate
from certs.identifiers import lfdi_of
from certs.identity import Files, read_certificates
from certs.tls import admit, client_context
from certs.trust import Trust
from sep2 import wire as w
from sep2.errors import SepError

T = TypeVar("T")

MEDIA_TYPE = "application/sep+xml"
PAGE = 255
"""Items asked for at once: what clients of 2013, whose counts were of 8 bits, could take."""
IDLE_S = 850
"""A connection is not reused after so long: servers keep idle ones for 900 s at least."""
LONGEST_RETRY_S = 900
"""Who is told to come back later than this comes back by then: devices are to be heard of at every poll."""
RETRIED = frozenset({429, 500, 502, 503, 504})
"""Answers that say "not now"; any other refusal is for good."""


class Unreachable(SepError):
    """The server gives no answer."""

    status = 503


class Busy(Unreachable):
    """The server says "not now"."""

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Refused(SepError):
    """The server refuses the request, and would again."""

    def __init__(self, detail: str, answered: int, reason_code: int | None = None) -> None:
        super().__init__(detail)
        self.answered = answered
        """The status of the answer."""
        self.reason_code = reason_code
        """The reasonCode of the Error that came with it."""


class NotUnderstood(SepError):
    """The server's answer is not what it should be."""

    status = 502


class Session:
    """A few kept-alive connections to one server. What it repeats is safe to repeat: every request of ours is.

    GET, PUT and DELETE are by nature; a Response, a reading, a MirrorUsagePoint and a Subscription are identified by
    what they say, so that the server takes the second for the first.
    """

    def __init__(
        self,
        server: str,
        files: Files,
        trust: Trust,
        *,
        profile: w.Profile = w.Profile.CSIP_AUS_1_2,
        connections: int = 8,
        timeout_s: float = 30.0,
    ) -> None:
        """`server` is the https address of the server; `files` hold our certificate, `trust` says whose we accept."""
        self.profile = profile
        self.files, self.trust = files, trust
        self.lfdi = lfdi_of(read_certificates(files.chain)[0].public_bytes(Encoding.DER))
        """Our own identity, as our certificate proves it."""
        self.server_lfdis: set[str] = set()
        """The identities the server has proven; its notifications come from one of them."""
        self._base = URL(server)
        self._accept = {"Accept": f"{MEDIA_TYPE}; level={level(profile)}"}
        self._sending = self._accept | {"Content-Type": MEDIA_TYPE}
        self._timeout_s = timeout_s
        self._context = self._tls()
        self._http = self._opened(connections)

    def _opened(self, connections: int) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=self._context, keepalive_timeout=IDLE_S),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s, connect=min(10.0, self._timeout_s)),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def beside(self) -> Self:
        """The same client over connections of its own, none of which is open yet."""
        other = copy.copy(self)
        other._http = self._opened(1)
        return other

    def _tls(self) -> ssl.SSLContext:
        """A context that looks at the server's certificate as 2030.5 wants it, beyond what OpenSSL does."""
        session = self

        class Looking(ssl.SSLObject):
            def do_handshake(self) -> None:
                super().do_handshake()
                try:
                    session.server_lfdis.add(admit(self, session.trust).lfdi)
                except BadCertificate as bad:
                    raise ssl.SSLCertVerificationError(1, str(bad)) from None

        context = client_context(self.files, self.trust)
        context.sslobject_class = Looking
        return context

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def get(
        self,
        href: str,
        expected: type[T],
        *,
        s: int | None = None,
        l: int | None = None,  # noqa: E741  the standard's name
        a: int | None = None,
    ) -> T:
        """The resource, or the part of a list that `s`, `l` and `a` ask for (2030.5 4.6)."""
        asked = [(name, str(value)) for name, value in (("s", s), ("l", l), ("a", a)) if value is not None]
        body, _ = await self._exchange("GET", self._url(href, asked), None)
        try:
            found = w.decode(body, expected, profile=self.profile, ordered=False)
        except w.WireError as wrong:
            raise NotUnderstood(f"GET {href}: {wrong}") from None
        assert isinstance(found, expected)
        return found

    async def whole(self, href: str, expected: type[T]) -> T:
        """A list with all its items, in as many pages as it takes."""
        for _ in range(3):
            first: Any = await self.get(href, expected, s=0, l=PAGE)
            name = item_name(expected)
            items = list(getattr(first, name))
            total, page = first.all, first
            while len(items) < page.all and page.results:
                page = await self.get(href, expected, s=len(items), l=PAGE)
                items += getattr(page, name)
            # A list that changed while it was read may have shifted an item past us: read it again.
            if page.all == total == len(items) == len({item.href or id(item) for item in items}):
                break
        setattr(first, name, items)
        first.all = first.results = len(items)
        return first  # type: ignore[no-any-return]

    async def items(self, href: str, expected: type[Any]) -> list[Any]:
        """The items of a whole list."""
        return list(getattr(await self.whole(href, expected), item_name(expected)))

    async def post(self, href: str, body: object) -> str:
        """Add to a list; the Location of what came of it, empty if the server names none."""
        _, location = await self._exchange("POST", self._url(href), w.encode(body, self.profile))
        return location

    async def put(self, href: str, body: object) -> None:
        """Replace a resource."""
        await self._exchange("PUT", self._url(href), w.encode(body, self.profile))

    async def delete(self, href: str) -> None:
        """Remove a resource; that it is gone already is fine."""
        try:
            await self._exchange("DELETE", self._url(href), None)
        except Refused as refused:
            if refused.answered not in (404, 410):
                raise

    def _url(self, href: str, query: list[tuple[str, str]] | None = None) -> URL:
        url = self._base.join(URL(href, encoded=True))
        if url.origin() != self._base.origin():
            # Our certificate and our readings are for this server only.
            raise NotUnderstood(f"{href} leads to another server")
        return url.with_query(query) if query else url

    async def _exchange(self, method: str, url: URL, body: bytes | None) -> tuple[bytes, str]:
        """Ask, and once more over a fresh connection when a kept one turns out to be closed."""
        try:
            try:
                return await self._ask(method, url, body)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as wrong:
                if isinstance(wrong, aiohttp.ClientConnectorError):
                    raise
                return await self._ask(method, url, body)
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError) as wrong:
            raise Unreachable(f"{method} {url.path}: {type(wrong).__name__} {wrong}".rstrip()) from wrong

    async def _ask(self, method: str, url: URL, body: bytes | None) -> tuple[bytes, str]:
        headers = self._accept if body is None else self._sending
        asked = self._http.request(method, url, data=body, headers=headers, allow_redirects=method == "GET")
        async with asked as answer:
            said = await answer.read()
            if answer.status >= 300:
                raise self._refusal(f"{method} {url.path}", answer, said)
            return said, answer.headers.get("Location", "")

    def _refusal(self, asked: str, answer: aiohttp.ClientResponse, said: bytes) -> SepError:
        if answer.status in RETRIED:
            return Busy(f"{asked}: {answer.status}", _retry_after(answer.headers.get("Retry-After", "")))
        try:
            error = w.decode(said, w.Error, profile=self.profile, ordered=False)
        except w.WireError:
            error = None
        reason = int(error.reasonCode) if isinstance(error, w.Error) else None
        explained = "" if reason is None else f", reasonCode {reason}"
        return Refused(f"{asked}: {answer.status}{explained}", answer.status, reason)


def _retry_after(said: str) -> int:
    """The seconds of a Retry-After; dates count as none, and no server silences a client for long."""
    if not (said.isascii() and said.isdigit()):
        return 0
    return LONGEST_RETRY_S if len(said) > len(str(LONGEST_RETRY_S)) else min(int(said), LONGEST_RETRY_S)


def level(profile: w.Profile) -> str:
    """What we can take: extensions only where the profile has them (2030.5 5.7)."""
    return "+S1" if profile.extension else "-S1"


def item_name(of: type[Any]) -> str:
    """The element that holds a list's items: every list of 2030.5 has one."""
    return of.__name__.removesuffix("List")
