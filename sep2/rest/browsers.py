"""What browsers are told and asked for: headers of every answer, the Host and Origin of requests, CSRF tokens."""

import hmac
from collections.abc import Collection
from urllib.parse import urlsplit

from aiohttp import web

from sep2.errors import Forbidden, SepError
from sep2.rest.callers import Caller

CSRF = "X-CSRF-Token"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer that says nothing else; what is JSON loads and shows nothing."""


class WrongHost(SepError):
    """This server is not the host that the request is for."""

    status = 421


class WrongOrigin(Forbidden):
    """Requests from pages of another origin are not answered."""


class WrongCsrfToken(Forbidden):
    """A change by a session needs its token in the header X-CSRF-Token."""


def page_policy(nonce: str) -> str:
    """The Content-Security-Policy of a page whose scripts carry this nonce: nothing from elsewhere, nothing inline."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        "trusted-types htmx"
    )


async def add_headers(_: web.Request, answer: web.StreamResponse) -> None:
    """Complete the headers of an answer that is about to be sent; those that it has stay."""
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers.pop("Server", None)


def check_host(http: web.Request, names: Collection[str]) -> None:
    """Refuse a request for a host name that is none of ours: a page elsewhere may have had its name point here."""
    try:
        host = urlsplit(f"//{http.headers.get('Host', '')}").hostname
    except ValueError:
        host = None
    if host not in names:
        raise WrongHost(http.headers.get("Host", "")[:80])


def check_origin(http: web.Request) -> None:
    """Refuse what a page of another origin asks for; programs send no Origin."""
    said = http.headers.get("Origin")
    if said is not None and said != f"{http.scheme}://{http.headers.get('Host', '')}":
        raise WrongOrigin(said[:80])
    site = http.headers.get("Sec-Fetch-Site", "same-origin")
    if site not in ("same-origin", "none") and not _is_followed_link(http):
        raise WrongOrigin(site[:80])


def _is_followed_link(http: web.Request) -> bool:
    """Whether a person follows a link from elsewhere: that page sees nothing, and no cookie of ours comes with it."""
    mode, shown_in = http.headers.get("Sec-Fetch-Mode"), http.headers.get("Sec-Fetch-Dest")
    return http.method in ("GET", "HEAD") and (mode, shown_in) == ("navigate", "document")


def check_csrf(http: web.Request, caller: Caller) -> None:
    """Refuse a change by a session that does not come from a page of ours."""
    shown = http.headers.get(CSRF, "").encode(errors="replace")
    if caller.session is not None and not hmac.compare_digest(shown, caller.csrf.encode()):
        raise WrongCsrfToken
