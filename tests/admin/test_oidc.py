"""Sign-in by the utility's provider: who comes back with a token of theirs is let in with the role of their groups."""

import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from sep2.admin.app import make
from sep2.clock import SteppedClock
from sep2.server.app import State
from sep2.settings import parse, resolved
from sep2.store import Database
from tests.admin.conftest import NOW, Operator

ROLES = {"der-view": "viewer", "der-engineers": "engineer"}


class Provider:
    """An OpenID Connect provider; `claims` is what it says next, over what is right."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "1"}, private=True)
        self.shown_key = self.key
        self.claims: dict[str, Any] = {}
        self.asked: dict[str, str] = {}
        self.issuer = self.unsigned = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discover)
        app.router.add_get("/keys", self._show_keys)
        app.router.add_post("/token", self._exchange)
        return app

    async def _discover(self, http: web.Request) -> web.Response:
        said = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", "token_endpoint": f"{self.issuer}/token"}
        return web.json_response(said | {"authorization_endpoint": f"{self.issuer}/authorize?tenant=1"})

    async def _show_keys(self, http: web.Request) -> web.Response:
        return web.json_response(KeySet([self.shown_key]).as_dict(private=False))

    async def _exchange(self, http: web.Request) -> web.Response:
        form = await http.post()
        verifier = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        if form["code"] != "the-code" or challenge != self.asked["code_challenge"] or form["client_secret"] != "hush":
            return web.json_response({"error": "invalid_grant"}, status=400)
        right = {
            **{"iss": self.issuer, "aud": "sep2", "sub": "user-7", "exp": int(time.time()) + 300},
            **{"nonce": self.asked["nonce"], "preferred_username": "Ada", "groups": ["der-view", "der-engineers", "x"]},
        }
        said = {name: value for name, value in (right | self.claims).items() if value is not None}
        return web.json_response(
            {"id_token": self.unsigned or jwt.encode({"alg": "ES256", "kid": "1"}, said, self.key)}
        )


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    one = Provider()
    async with TestServer(one.app()) as server:
        one.issuer = str(server.make_url("")).rstrip("/")
        yield one


@pytest.fixture
async def desk(provider: Provider, database: Database, folder: Path) -> AsyncIterator[Operator]:
    """An operator of a server with that provider."""
    (folder / "oidc.secret").write_text("hush\n")
    known = {"issuer": provider.issuer, "client_id": "sep2", "roles": ROLES, "client_secret_file": "oidc.secret"}
    settings = resolved(parse({"operator": {"oidc": known}}), folder)
    house = State(settings, database, SteppedClock(NOW))
    async with TestClient(TestServer(make(house))) as http:
        yield Operator(http, house)


async def _begun(desk: Operator, provider: Provider) -> str:
    """The cookie of a sign-in that has begun."""
    async with desk.http.get("/login/oidc", allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()
        to = urlsplit(answer.headers["Location"])
        provider.asked = {name: values[0] for name, values in parse_qs(to.query).items()}
        assert "SameSite=Lax" in answer.headers["Set-Cookie"]
        return answer.cookies["__Host-sep2-oidc"].value


async def _back(desk: Operator, cookie: str, **query: str) -> tuple[int, Any, str]:
    """How it is answered when the browser comes back: status, refusal, and the cookie of the session."""
    headers = {"Cookie": f"__Host-sep2-oidc={cookie}", "Sec-Fetch-Site": "cross-site"}
    headers |= {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    async with desk.http.get("/login/oidc/callback", params=query, headers=headers) as answer:
        text = await answer.text()
        found = answer.cookies.get("__Host-sep2")
        said = msgspec.json.decode(text) if answer.content_type == "application/json" else text
        return answer.status, said, found.value if found else ""


async def _signed_in(desk: Operator, provider: Provider) -> tuple[int, Any, str]:
    cookie = await _begun(desk, provider)
    return await _back(desk, cookie, state=provider.asked["state"], code="the-code")


async def _me(desk: Operator, cookie: str) -> tuple[int, Any]:
    async with desk.http.get("/me", headers={"Cookie": f"__Host-sep2={cookie}"}) as answer:
        return answer.status, await answer.json()


async def test_who_signs_in_there_has_the_highest_role_of_their_groups(desk: Operator, provider: Provider) -> None:
    status, page, cookie = await _signed_in(desk, provider)
    assert (status, 'url=/"' in page) == (200, True)
    status, me = await _me(desk, cookie)
    assert (status, me["operator"], me["role"]) == (200, "Ada", "engineer")
    provider.claims = {"groups": ["der-view"], "preferred_username": "Ada Lovelace"}
    _, _, again = await _signed_in(desk, provider)
    status, me = await _me(desk, again)
    assert (me["operator"], me["role"]) == ("Ada", "viewer")
    assert (await _me(desk, cookie))[0] == 401
    assert [one["name"] for one in (await desk.get("/operators"))["items"]] == ["Ada", "local"]


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("another issuer", {"iss": "https://evil.example"}, "sign_in_refused"),
    ("for another client", {"aud": "other"}, "sign_in_refused"),
    ("over", {"exp": 1}, "sign_in_refused"),
    ("of another sign-in", {"nonce": "x"}, "sign_in_refused"),
    ("without a nonce", {"nonce": None}, "sign_in_refused"),
    ("without an end", {"exp": None}, "sign_in_refused"),
    ("of no group", {"groups": None}, "no_role"),
    ("of strange groups", {"groups": ["x", 7, None]}, "no_role"),
    ("groups as text", {"groups": "der-engineers"}, "no_role"),
    ("with the name of a local operator", {"preferred_username": "LOCAL"}, "operator_taken"),
]


@pytest.mark.parametrize(("what", "claims", "code"), WRONG, ids=[what for what, *_ in WRONG])
async def test_a_token_that_is_not_for_this_sign_in_lets_nobody_in(
    desk: Operator, provider: Provider, what: str, claims: dict[str, Any], code: str
) -> None:
    provider.claims = claims
    status, refused, cookie = await _signed_in(desk, provider)
    assert (400 <= status < 500, refused["code"], cookie) == (True, code, ""), what
    assert (await desk.get("/audit"))["items"][0]["outcome"] == f"refused: {code}"


async def test_a_token_of_another_key_or_of_none_lets_nobody_in(desk: Operator, provider: Provider) -> None:
    provider.shown_key = ECKey.generate_key("P-256", {"kid": "1"}, private=True)
    _, refused, cookie = await _signed_in(desk, provider)
    assert (refused["code"], cookie) == ("sign_in_refused", "")
    provider.shown_key = provider.key
    status, _, cookie = await _signed_in(desk, provider)  # its keys are read anew
    assert (status, bool(cookie)) == (200, True)
    said = {"iss": provider.issuer, "aud": "sep2", "sub": "x", "groups": ["der-engineers"]}
    provider.unsigned = f"{_part({'alg': 'none'})}.{_part(said)}."
    _, refused, cookie = await _signed_in(desk, provider)
    assert (refused["code"], cookie) == ("sign_in_refused", "")


def _part(said: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


async def test_a_sign_in_is_for_one_browser_once_and_soon(desk: Operator, provider: Provider) -> None:
    cookie = await _begun(desk, provider)
    state = provider.asked["state"]
    for shown, said in (("", state), ("another", state), (cookie, "x" * 43)):
        _, refused, _ = await _back(desk, shown, state=said, code="the-code")
        assert refused["code"] == "sign_in_unknown"
    _, refused, _ = await _back(desk, cookie, state=state, code="the-code")
    assert refused["code"] == "sign_in_unknown"  # it was tried in another browser
    cookie = await _begun(desk, provider)
    _, refused, _ = await _back(desk, cookie, state=provider.asked["state"], error="access_denied")
    assert refused["code"] == "sign_in_refused"
    cookie = await _begun(desk, provider)
    _, refused, _ = await _back(desk, cookie, state=provider.asked["state"], code="another-code")
    assert refused["code"] == "provider_failed"
    cookie = await _begun(desk, provider)
    desk.house.dates = SteppedClock(desk.house.dates.now() + 601)
    _, refused, _ = await _back(desk, cookie, state=provider.asked["state"], code="the-code")
    assert refused["code"] == "sign_in_unknown"


async def test_a_password_beside_a_provider_is_an_alarm(desk: Operator) -> None:
    password = "correct horse battery"
    await desk.change("POST", "/operators", {"name": "break glass", "role": "admin", "password": password})
    async with desk.http.post("/login", json={"name": "break glass", "password": password}) as answer:
        assert answer.status == 200
    (alarm,) = (await desk.get("/alarms"))["items"]
    assert (alarm["code"], alarm["subject"]) == ("local_login", "break glass")


async def test_without_a_provider_there_is_no_such_sign_in(operator: Operator) -> None:
    async with operator.http.get("/login/oidc", allow_redirects=False) as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "no_provider")


async def test_a_provider_that_is_away_is_no_failure_of_ours(desk: Operator, provider: Provider) -> None:
    provider.issuer = "https://another.example"
    async with desk.http.get("/login/oidc", allow_redirects=False) as answer:
        assert (answer.status, (await answer.json())["code"]) == (502, "provider_failed")
