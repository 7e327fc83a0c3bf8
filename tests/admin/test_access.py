"""Who is let in, and what each role may do: tokens, sessions, pages of others, brute force."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler

from sep2.admin.app import ACCESS, make
from sep2.admin.table import routes
from sep2.clock import SteppedClock
from sep2.rules.roles import ROLES
from sep2.server.app import State
from tests.admin.bodies import BODIES, NEW_CONTROLS
from tests.admin.conftest import NOW, Operator

PASSWORD = "correct horse battery"


async def _token(operator: Operator, role: str, **more: object) -> str:
    name = f"a {role}"
    await operator.ask("POST", "/operators", {"name": name, "role": role})
    made = await operator.change("POST", "/tokens", {"operator": name, "label": "test", **more})
    return str(made["token"])


async def test_every_route_is_open_to_its_role_and_those_above_only(operator: Operator) -> None:
    tokens = {role: await _token(operator, role) for role in ROLES}
    refused = 0
    for route in routes():
        path = "/".join("none" if part.startswith("{") else part for part in route.path.split("/"))
        body = msgspec.json.encode(BODIES.get(route.verb, {})) if route.changes else None
        query = "?dry_run=true" if route.changes else ""
        for word, role in ROLES.items():
            status, said = await operator.ask(route.method, path + query, token=tokens[word], data=body)
            is_refused = (status, said.get("code") if isinstance(said, dict) else "") == (403, "role_too_low")
            assert is_refused is (role < route.role), (route.verb, word, status, said)
            refused += is_refused
    found = await operator.get("/audit", limit="500")
    assert sum(entry["outcome"] == "refused: role_too_low" for entry in found["items"]) == min(refused, 500)
    assert {entry["operator"] for entry in found["items"]} >= {"a viewer", "a operator", "a engineer"}


async def test_a_token_does_no_more_than_it_is_for(operator: Operator) -> None:
    reads = await _token(operator, "admin", read_only=True)
    viewer = (await operator.change("POST", "/tokens", {"operator": "A ADMIN", "label": "v", "role": "viewer"}))[
        "token"
    ]
    assert (await operator.ask("GET", "/operators", token=reads))[0] == 200
    assert (await operator.ask("POST", "/connections", BODIES["add_connection"], token=reads))[0] == 403
    assert (await operator.ask("GET", "/operators", token=viewer))[0] == 403
    status, refused = await operator.ask("POST", "/tokens", {"operator": "a viewer", "label": "x", "role": "admin"})
    assert (status, refused["code"]) == (404, "unknown_operator")
    await _token(operator, "viewer")
    status, refused = await operator.ask("POST", "/tokens", {"operator": "a viewer", "label": "x", "role": "admin"})
    assert (status, refused["code"]) == (403, "role_too_high")


async def test_a_lowered_role_a_removed_token_and_a_removed_operator_hold_at_once(operator: Operator) -> None:
    token = await _token(operator, "engineer")
    assert (await operator.ask("POST", "/connections", BODIES["add_connection"], token=token))[0] == 200
    await operator.change("PUT", "/operators/a engineer", {"role": "viewer"})
    assert (await operator.ask("POST", "/groups", BODIES["create_group"], token=token))[0] == 403
    number = (await operator.get("/tokens"))["items"][0]["id"]
    await operator.change("DELETE", f"/tokens/{number}")
    assert (await operator.ask("GET", "/status", token=token))[0] == 401
    token = await _token(operator, "operator")
    await operator.change("DELETE", "/operators/a operator")
    assert (await operator.ask("GET", "/status", token=token))[0] == 401


async def test_a_token_ends_and_is_stored_nowhere(operator: Operator, house: State) -> None:
    now = house.dates.now()
    token = await _token(operator, "viewer", expires=now + 100)
    assert (await operator.ask("GET", "/me", token=token))[1]["role"] == "viewer"
    assert "last_used" in (await operator.get("/tokens"))["items"][0]
    house.dates = SteppedClock(now + 100)
    assert (await operator.ask("GET", "/status", token=token))[0] == 401
    for path in ("/audit?limit=500", "/tokens", "/operators"):
        assert token[20:] not in msgspec.json.encode(await operator.get(path)).decode()


async def test_an_answer_with_a_secret_is_not_given_twice(operator: Operator) -> None:
    body, key = {"operator": "local", "label": "x"}, {"Idempotency-Key": "k"}
    assert (await operator.ask("POST", "/tokens", body, headers=key))[0] == 200
    status, refused = await operator.ask("POST", "/tokens", body, headers=key)
    assert (status, refused["code"]) == (409, "answer_shown_once")
    assert (await operator.get("/tokens"))["total"] == 1
    tried = await operator.change("POST", "/tokens", body, dry_run="true")
    assert tried["token"] == "(hidden)"


async def test_somebody_with_the_role_admin_is_always_left(operator: Operator) -> None:
    for method, body in (("DELETE", None), ("PUT", {"role": "viewer"})):
        status, refused = await operator.ask(method, "/operators/LOCAL", body)
        assert (status, refused["code"]) == (409, "last_admin")
    await operator.change("POST", "/operators", {"name": "Ada", "role": "admin"})
    assert (await operator.ask("POST", "/operators", {"name": "ＡＤＡ", "role": "viewer"}))[1][
        "code"
    ] == "operator_taken"
    await operator.change("DELETE", "/operators/local")
    assert (await operator.ask("GET", "/status"))[0] == 401


class Browser:
    """Somebody with a session: its cookie and CSRF token."""

    def __init__(self, operator: Operator, cookie: str, csrf: str) -> None:
        self.operator = operator
        self.headers = {"Cookie": f"__Host-sep2={cookie}", "X-CSRF-Token": csrf}

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, object]:
        said = {name: value for name, value in (self.headers | headers).items() if value}
        data = None if body is None else msgspec.json.encode(body)
        async with self.operator.http.request(method, path, data=data, headers=said) as answer:
            return answer.status, msgspec.json.decode(await answer.read() or b"null")


async def _sign_in(operator: Operator, name: str, password: str = PASSWORD) -> Browser:
    async with operator.http.post("/login", json={"name": name, "password": password}) as answer:
        assert answer.status == 200, await answer.text()
        said = answer.headers["Set-Cookie"]
        assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"} <= set(said.split("; "))
        return Browser(operator, answer.cookies["__Host-sep2"].value, (await answer.json())["csrf"])


async def test_a_browser_signs_in_changes_and_signs_out(operator: Operator) -> None:
    await operator.change("POST", "/operators", {"name": "Ada", "role": "engineer", "password": PASSWORD})
    ada = await _sign_in(operator, "ada")
    status, me = await ada.ask("GET", "/me")
    assert (status, me["operator"], me["role"], me["csrf"]) == (200, "Ada", "engineer", ada.headers["X-CSRF-Token"])
    status, _ = await ada.ask("POST", "/connections", BODIES["add_connection"])
    assert status == 200
    assert (await operator.get("/audit"))["items"][0]["operator"] == "Ada"
    assert (await ada.ask("POST", "/logout"))[0] == 200
    assert (await ada.ask("GET", "/me"))[0] == 401
    verbs = [entry["verb"] for entry in (await operator.get("/audit"))["items"]]
    assert verbs[0] == "logout"
    assert "login" in verbs


async def test_a_page_of_others_changes_and_reads_nothing(operator: Operator) -> None:
    await operator.change("POST", "/operators", {"name": "Ada", "role": "engineer", "password": PASSWORD})
    ada = await _sign_in(operator, "Ada")
    ours = f"http://{operator.http.host}:{operator.http.port}"
    for code, headers in (
        ("wrong_csrf_token", {"X-CSRF-Token": ""}),
        ("wrong_csrf_token", {"X-CSRF-Token": "x" * 64}),
        ("wrong_origin", {"Origin": "https://evil.example"}),
        ("wrong_origin", {"Origin": "null"}),
        ("wrong_origin", {"Origin": ours.replace("http", "https")}),
        ("wrong_origin", {"Sec-Fetch-Site": "cross-site"}),
        ("wrong_origin", {"Sec-Fetch-Site": "same-site"}),
    ):
        status, refused = await ada.ask("POST", "/connections", BODIES["add_connection"], **headers)
        assert (status, refused["code"]) == (403, code), headers
    for host in ("evil.example", "evil.example:8444", "localhost.evil.example", "", "[", "127.0.0.1@evil.example"):
        status, refused = await operator.ask("GET", "/status", headers={"Host": host})
        assert (status, refused["code"]) == (421, "wrong_host"), host
    assert (await ada.ask("POST", "/connections", BODIES["add_connection"], Origin=ours))[0] == 200


async def test_no_answer_is_for_frames_caches_or_scripts(operator: Operator) -> None:
    for path in ("/status", "/nothing-here", "/login"):
        async with operator.http.get(path) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert "Server" not in answer.headers
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_sessions_end(operator: Operator, house: State) -> None:
    for name, role in (("Ada", "engineer"), ("Bo", "operator")):
        await operator.change("POST", "/operators", {"name": name, "role": role, "password": PASSWORD})
    ada, bo = await _sign_in(operator, "Ada"), await _sign_in(operator, "Bo")
    start = house.dates.now()
    house.dates = SteppedClock(start + 1900)
    assert [(await one.ask("GET", "/me"))[0] for one in (ada, bo)] == [401, 200]
    house.dates = SteppedClock(start + 12 * 3600 + 10)
    assert (await bo.ask("GET", "/me"))[0] == 401
    house.dates = SteppedClock(start)
    ada, bo = await _sign_in(operator, "Ada"), await _sign_in(operator, "Bo")
    number = (await operator.get("/sessions"))["items"][0]["id"]
    await operator.change("DELETE", f"/sessions/{number}")
    assert [(await one.ask("GET", "/me"))[0] for one in (ada, bo)] == [200, 401]
    await operator.change("PUT", "/operators/Ada", {"password": "another long password"})
    assert (await ada.ask("GET", "/me"))[0] == 401


async def test_a_link_signs_in_once_and_only_with_the_whole_role(operator: Operator, house: State) -> None:
    status, made = await operator.ask("POST", "/desk/links")
    assert status == 200
    async with operator.http.get(made["link"], allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        cookie = answer.cookies["__Host-sep2"].value
    assert (await Browser(operator, cookie, "").ask("GET", "/me"))[1]["operator"] == "local"
    async with operator.http.get(made["link"], allow_redirects=False) as answer:
        assert answer.status == 401
    _, made = await operator.ask("POST", "/desk/links")
    house.dates = SteppedClock(house.dates.now() + 61)
    async with operator.http.get(made["link"], allow_redirects=False) as answer:
        assert answer.status == 401
    for more in ({"role": "viewer"}, {"read_only": True}):
        body = {"operator": "local", "label": "x", **more}
        token = (await operator.change("POST", "/tokens", body))["token"]
        assert (await operator.ask("POST", "/desk/links", token=token))[0] == 403


async def test_guessing_is_slowed_down_and_told_to_operators(operator: Operator, house: State) -> None:
    await operator.change("POST", "/operators", {"name": "Ada", "role": "viewer", "password": PASSWORD})
    throttle = operator.http.server.app[ACCESS].throttle
    at = [1000.0]
    throttle.now = lambda: at[0]
    answers = []
    for _ in range(12):
        async with operator.http.post("/login", json={"name": "Ada", "password": "a wrong password"}) as answer:
            answers.append((answer.status, answer.headers.get("Retry-After")))
    assert answers[:5] == [(401, None)] * 5
    assert {status for status, _ in answers[5:]} == {429}
    assert 1 <= int(answers[5][1] or 0) <= 61
    async with operator.http.post("/login", json={"name": "Ada", "password": PASSWORD}) as answer:
        assert answer.status == 429
    assert (await operator.ask("GET", "/status"))[0] == 200
    async with house.db.write() as db:
        await throttle.tell(db, NOW)
    (alarm,) = (await operator.get("/alarms"))["items"]
    assert (alarm["code"], alarm["subject"], alarm["priority"]) == ("operator_logins", "127.0.0.1", 2)
    at[0] += 62
    assert (await _sign_in(operator, "Ada")).headers
    at[0] += 3601
    async with house.db.write() as db:
        await throttle.tell(db, NOW)
    assert (await operator.get("/alarms"))["total"] == 0
    refused = [entry for entry in (await operator.get("/audit"))["items"] if entry["outcome"] != "done"]
    assert {(entry["operator"], entry["verb"], entry["outcome"]) for entry in refused} == {
        ("Ada", "login", "refused: wrong_password")
    }
    assert len(refused) == 5


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "Ada of the long name"])
async def test_a_password_that_could_be_guessed_is_refused(operator: Operator, password: str) -> None:
    body = {"name": "Ada of the long name", "role": "viewer", "password": password}
    status, refused = await operator.ask("POST", "/operators", body)
    assert (status, refused["code"]) == (400, "bad_password")
    assert password not in msgspec.json.encode(await operator.get("/audit")).decode().replace(body["name"], "")


async def test_a_viewer_sees_no_pin(street: Operator) -> None:
    token = await _token(street, "operator")
    assert (await street.get("/devices/D1D1"))["pin"] is not None
    assert (await street.ask("GET", "/devices/D1D1", token=token))[1]["pin"] is None


async def test_what_holds_before_is_in_the_audit_log(street: Operator) -> None:
    await street.change("PUT", "/clients/Sunny", {"enabled": False})
    await street.change("POST", "/connections/NMI1/controls", NEW_CONTROLS)
    await street.change("PUT", "/poll-rates/Time", {"seconds": 60})
    rate, _, client = (await street.get("/audit", limit="3"))["items"]
    assert (client["detail"]["before"]["enabled"], client["detail"]["answered"]["enabled"]) == (True, False)
    assert rate["detail"]["before"] == {"resource": "Time", "seconds": 900}
    assert (await street.get("/audit", subject="/clients/Sunny"))["total"] == 1


@pytest.fixture
async def afar(house: State) -> AsyncIterator[Operator]:
    """An operator on another machine, where client certificates are asked for."""
    asked = msgspec.structs.replace(house.settings.operator, authorities=(Path("ca.pem"),))
    house.settings = msgspec.structs.replace(house.settings, operator=asked)
    app = make(house)

    @web.middleware
    async def from_afar(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await handler(request.clone(remote="203.0.113.9"))

    app.middlewares.insert(0, from_afar)
    async with TestClient(TestServer(app)) as http:
        yield Operator(http, house)


async def test_from_another_machine_a_certificate_is_needed_too(afar: Operator) -> None:
    status, refused = await afar.ask("GET", "/status")
    assert (status, refused["code"]) == (403, "certificate_missing")
    status, refused = await afar.ask("POST", "/login", {"name": "local", "password": "x"})
    assert (status, refused["code"]) == (403, "certificate_missing")
    assert (await afar.ask("GET", "/desk/open?link=x"))[1]["code"] == "not_here"
