"""What each role sees on the desk: every page, and no button that it may not press."""

import re

import pytest

from sep2.admin.table import TABLE
from sep2.desk import app as desk
from sep2.rules.roles import ROLES
from tests.admin.conftest import *  # noqa: F403 — an operator, and a street
from tests.admin.conftest import Operator

QUERIES = {
    "/desk/client": "name=Sunny",
    "/desk/connection": "id=NMI1",
    "/desk/release": "id=latest",
    "/desk/progress": "id=latest",
    "/desk/alarm": "id=1",
    "/desk/approval": "id=latest",
    "/desk/override": "scope=connection&subject=NMI1&export=1&minutes=60&reason=overload",
    "/desk/control": "subject=NMI1&export=1&minutes=60",
    "/desk/backstop": "what=test&minutes=10",
}
BUTTON = re.compile(r'data-post="([^"?]+)')


@pytest.fixture
async def operator(house):
    from aiohttp.test_utils import TestClient, TestServer

    async with TestClient(TestServer(desk.make(house))) as http:
        yield Operator(http, house)


def role_of(path: str) -> int:
    """The role that pressing a button needs."""
    for route in TABLE:
        if route.method == "POST" and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path), path):
            return route.role
    assert path == "/logout", path
    return 0


async def test_every_page_is_open_to_every_role_and_has_no_button_that_it_may_not_press(street: Operator) -> None:
    asked = {"scope": "connection", "subject": "NMI1", "limits": {"export_w": 900}, "duration": 600, "reason": "test"}
    await street.change("POST", "/overrides", asked)
    await street.ask("POST", "/overrides", asked | {"limits": {"export_w": 800}}, params={"draft": "true"})
    await street.change("POST", "/groups", {"name": "first", "primacy": 1})
    pressed = set()
    for word, role in ROLES.items():
        await street.change("POST", "/operators", {"name": f"a {word}", "role": word})
        made = await street.change("POST", "/tokens", {"operator": f"a {word}", "label": "x"})
        for page in desk.PAGES:
            headers = {"Authorization": f"Bearer {made['token']}"}
            address = f"{page.path}?{QUERIES.get(page.path, '')}"
            async with street.http.get(address, headers=headers) as answer:
                text = await answer.text()
            if page.path == "/desk/release" and word == "viewer":
                assert answer.status == 403
                continue
            if not page.in_navigation and page.path not in QUERIES and answer.status in (400, 404):
                continue  # a page of one thing, which nobody has named here
            assert answer.status == 200, (address, word)
            for path in BUTTON.findall(text):
                assert role_of(path) <= role, (address, word, path)
                pressed.add((word, path))
    assert {"/overrides", "/backstops/test"} <= {path for word, path in pressed if word == "operator"}
    assert {path for word, path in pressed if word == "viewer"} == {"/logout"}
