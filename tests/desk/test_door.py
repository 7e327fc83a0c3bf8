"""What the desk refuses, and what it brings along: no browser is needed for that."""

import hashlib
import re
import tomllib
from collections.abc import AsyncIterator
from importlib.resources import files

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sep2.admin.app import ACCESS
from sep2.desk.app import PAGES, make
from sep2.desk.words import span, visible, watts
from sep2.server.app import State
from tests.admin.conftest import Operator, folder, folder_template, house  # noqa: F401

VENDOR = files("sep2.desk").joinpath("vendor")


@pytest.fixture
async def desk(house: State) -> AsyncIterator[Operator]:  # noqa: F811
    async with TestClient(TestServer(make(house))) as http:
        yield Operator(http, house)


async def _cookie(desk: Operator) -> dict[str, str]:
    link = desk.http.app[ACCESS].link("local")  # type: ignore[union-attr]
    async with desk.http.get(f"/desk/open?link={link}", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def test_what_is_vendored_is_what_was_published() -> None:
    listed = tomllib.loads(VENDOR.joinpath("versions.toml").read_text())
    there = {one.name for one in VENDOR.iterdir() if one.name.endswith((".js", ".css"))}
    assert listed.keys() == there
    for name, said in listed.items():
        assert hashlib.sha256(VENDOR.joinpath(name).read_bytes()).hexdigest() == said["sha256"], name
        assert said["version"]
        assert said["licence"] in ("0BSD", "MIT")
    assert {"htmx.LICENSE.txt", "uPlot.LICENSE.txt"} <= {one.name for one in VENDOR.iterdir()}


def test_templates_trust_no_value_and_name_no_other_host() -> None:
    for folder_ in ("templates", "static"):
        for file in files("sep2.desk").joinpath(folder_).iterdir():
            text = file.read_text()
            assert not re.search(r"\|\s*safe|autoescape|\bstyle=|\son\w+=", text) or file.name.endswith(".js"), (
                file.name
            )
            assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), file.name


async def test_pages_carry_the_policy_and_a_nonce_of_their_own(desk: Operator) -> None:
    cookie = await _cookie(desk)
    seen = set()
    for page in PAGES:
        if not page.in_navigation:
            continue
        async with desk.http.get(page.path, headers=cookie) as answer:
            assert answer.status == 200, await answer.text()
            policy, text = answer.headers["Content-Security-Policy"], await answer.text()
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        (nonce,) = re.findall(r"'nonce-([^']+)'", policy)
        assert text.count("<script") == text.count(f'<script nonce="{nonce}"')
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"
        seen.add(nonce)
    assert len(seen) == len([page for page in PAGES if page.in_navigation])


async def test_requests_of_other_pages_are_refused(desk: Operator) -> None:
    cookie = await _cookie(desk)
    origin = str(desk.http.make_url("/")).rstrip("/")
    for headers, status in (
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Origin": origin}, 403),  # without the session's token
    ):
        async with desk.http.post("/alarms/1/clear", headers=cookie | headers, data=b"{}") as answer:
            assert answer.status == status, headers
    async with desk.http.get("/desk", headers=cookie | {"Host": "evil.example"}) as answer:
        assert answer.status == 421
    async with desk.http.get("/desk", headers=cookie | {"Sec-Fetch-Site": "cross-site"}) as answer:
        assert answer.status == 403


async def test_only_what_is_listed_is_sent(desk: Operator) -> None:
    for path in ("/desk/static/..%2f..%2fapp.py", "/desk/static/app.py", "/desk/static/versions.toml", "/desk/static/"):
        async with desk.http.get(path, allow_redirects=False) as answer:
            assert answer.status == 404, path
    async with desk.http.get("/desk/sign-in?next=//evil.example") as answer:
        text = await answer.text()
        assert 'data-next="/desk"' in text
        (script,) = re.findall(r'src="(/desk/static/desk\.[0-9a-f]{12}\.js)"', text)
    async with desk.http.get(script) as answer:
        assert answer.headers["Cache-Control"].endswith("immutable")
        assert answer.headers["Content-Type"].startswith("text/javascript")


async def test_a_link_signs_in_once(desk: Operator) -> None:
    link = desk.http.app[ACCESS].link("local")  # type: ignore[union-attr]
    async with desk.http.get(f"/desk/open?link={link}", allow_redirects=False) as answer:
        assert answer.status == 303
    async with desk.http.get(f"/desk/open?link={link}", allow_redirects=False) as answer:
        assert answer.status == 401
        assert "sep2 desk open" in await answer.text()


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "?"), (0, "0 W"), (850, "850 W"), (2100, "2.1 kW"), (-1_500_000, "-1.5 MW"), (1000, "1 kW")],
)
def test_power_is_written_with_its_unit(value: float | None, said: str) -> None:
    assert watts(value) == said


def test_time_and_text_are_written_for_people() -> None:
    assert [span(one) for one in (None, 0, 59, 60, 3660, 90_000)] == [
        "?",
        "0 s",
        "59 s",
        "1 min",
        "1 h 1 min",
        "1 d 1 h",
    ]
    assert visible("a\u202eb\x9bc\x00") == "a\ufffdb\ufffdc\ufffd"
    assert visible("Zoë 日本") == "Zoë 日本"
