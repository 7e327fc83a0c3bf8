"""Sign-in by the utility's OpenID Connect provider: authorization code with PKCE, groups to roles."""

import hashlib
import json
import secrets
import ssl
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sep2.errors import BadRequest, Forbidden, SepError
from sep2.rules.roles import ROLES, OperatorRole
from sep2.settings.fields import Oidc

CALLBACK = "/login/oidc/callback"
COOKIE = "__Host-sep2-oidc"
GOOD_FOR_S = 600
MOST_UNDER_WAY = 1000
KNOWN_FOR_S = 3600
PATIENCE_S = 10
LARGEST = 1024 * 1024
LEEWAY_S = 60
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class ProviderFailed(SepError):
    """The sign-in provider can not be used just now."""

    status = 502


class SignInUnknown(BadRequest):
    """This sign-in was not begun in this browser, or ten minutes ago; begin anew at /login/oidc."""


class SignInRefused(Forbidden):
    """The sign-in provider did not say who you are."""


class NoRole(Forbidden):
    """None of your groups has a role here (operator.oidc.roles)."""


class Begun(NamedTuple):
    """A sign-in that has begun: where the browser goes, and the cookie by which it is known again."""

    url: str
    cookie: str


class Who(NamedTuple):
    """Whom the provider signed in; the subject is theirs for ever, the name may change."""

    subject: str
    name: str
    role: OperatorRole


class _UnderWay(NamedTuple):
    cookie: str
    """Its digest."""
    nonce: str
    verifier: str
    redirect: str
    until: int


class Provider:
    """The utility's provider."""

    def __init__(self, settings: Oidc) -> None:
        self._settings = settings
        self._under_way: dict[str, _UnderWay] = {}
        self._known: tuple[int, dict[str, Any]] | None = None
        self._keys: tuple[int, KeySet] | None = None
        self._context = ssl.create_default_context()
        for file in settings.authorities:
            self._context.load_verify_locations(file)

    async def begin(self, http: web.Request, now: int) -> Begun:
        """Send a browser to the provider."""
        endpoint = (await self._discovered(now))["authorization_endpoint"]
        state, cookie, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
        redirect = f"{http.scheme}://{http.host}{CALLBACK}"
        self._under_way = {key: one for key, one in self._under_way.items() if one.until > now}
        if len(self._under_way) >= MOST_UNDER_WAY:
            self._under_way.pop(next(iter(self._under_way)))
        self._under_way[state] = _UnderWay(_digest(cookie), nonce, verifier, redirect, now + GOOD_FOR_S)
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect,
            "scope": " ".join(self._settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": _digest(verifier),
            "code_challenge_method": "S256",
        }
        return Begun(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", cookie)

    async def finish(self, http: web.Request, now: int) -> Who:
        """Whom the provider sends back."""
        begun = self._under_way.pop(http.query.get("state", ""), None)
        shown = http.cookies.get(COOKIE, "")
        if begun is None or begun.until <= now or not secrets.compare_digest(begun.cookie, _digest(shown)):
            raise SignInUnknown
        if "code" not in http.query:
            raise SignInRefused(http.query.get("error", "")[:60])
        return self._who(await self._claims(http.query["code"], begun, now))

    def _who(self, claims: Mapping[str, Any]) -> Who:
        settings = self._settings
        groups = claims.get(settings.groups_claim, [])
        found = [ROLES[settings.roles[one]] for one in _texts(groups) if one in settings.roles]
        name = claims.get(settings.name_claim) or claims["sub"]
        if not found or not isinstance(name, str):
            raise NoRole(str(name)[:80])
        return Who(f"{settings.issuer} {claims['sub']}"[:400], name, max(found))

    async def _claims(self, code: str, begun: _UnderWay, now: int) -> Mapping[str, Any]:
        """The claims of the ID token that a code is exchanged for, once its signature and what it says are checked."""
        settings, known = self._settings, await self._discovered(now)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": begun.redirect,
            "client_id": settings.client_id,
            "code_verifier": begun.verifier,
        }
        if settings.client_secret_file is not None:
            form["client_secret"] = settings.client_secret_file.read_text(encoding="utf-8").strip()
        answer = await self._ask("POST", known["token_endpoint"], form)
        for keys in (await self._key_set(known, now), None):
            try:
                token = jwt.decode(answer["id_token"], keys or await self._fresh(known, now), algorithms=ALGORITHMS)
                break
            except (JoseError, ValueError, KeyError, TypeError) as wrong:
                # The provider may have changed its keys since they were read.
                problem = wrong
        else:
            raise SignInRefused(f"its ID token can not be verified: {problem}"[:200])
        self._check(token.claims, begun, now)
        return token.claims

    def _check(self, claims: Mapping[str, Any], begun: _UnderWay, now: int) -> None:
        rules = jwt.JWTClaimsRegistry(
            now=now,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "value": self._settings.client_id},
            sub={"essential": True},
            exp={"essential": True},
            nonce={"essential": True, "value": begun.nonce},
        )
        try:
            rules.validate(dict(claims))
        except JoseError as wrong:
            raise SignInRefused(f"its ID token is not for this sign-in: {wrong}"[:200]) from None

    async def _discovered(self, now: int) -> dict[str, Any]:
        if self._known is None or self._known[0] <= now:
            issuer = self._settings.issuer
            found = await self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != issuer:
                raise ProviderFailed(f"it calls itself {str(found.get('issuer'))[:80]!r}, not {issuer!r}")
            self._known = now + KNOWN_FOR_S, found
        return self._known[1]

    async def _key_set(self, known: Mapping[str, Any], now: int) -> KeySet:
        if self._keys is None or self._keys[0] <= now:
            return await self._fresh(known, now)
        return self._keys[1]

    async def _fresh(self, known: Mapping[str, Any], now: int) -> KeySet:
        found = KeySet.import_key_set(await self._ask("GET", known["jwks_uri"]))  # type: ignore[arg-type]
        self._keys = now + KNOWN_FOR_S, found
        return found

    async def _ask(self, method: str, url: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON object that the provider answers; redirects are not followed."""
        timeout, accept = aiohttp.ClientTimeout(total=PATIENCE_S), {"Accept": "application/json"}
        more: dict[str, Any] = {"ssl": self._context, "allow_redirects": False, "headers": accept}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(method, url, data=form, **more) as answer,
            ):
                body = await _limited(answer)
                if answer.status != 200:
                    raise ProviderFailed(f"{url[:200]} answers {answer.status}")
        except (aiohttp.ClientError, TimeoutError, OSError) as wrong:
            raise ProviderFailed(f"{url[:200]}: {type(wrong).__name__}") from None
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ProviderFailed(f"{url[:200]} answers no JSON object")
        return found


async def _limited(answer: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in answer.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > LARGEST:
            raise ProviderFailed(f"{str(answer.url)[:200]} answers more than {LARGEST} octets")
    return body


def _digest(text: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
