"""The market's pages: reviews by urgency, one review with its screens, and its decision from the page."""

import html
import re

import pytest

from sep2.desk import app as desk
from tests.admin.conftest import *  # noqa: F403 — an operator, and a street
from tests.admin.conftest import NOW, TOKEN, Operator
from tests.admin.market import der, grant_local, make_aggregation, make_parties


@pytest.fixture
async def operator(house):
    from aiohttp.test_utils import TestClient, TestServer

    async with TestClient(TestServer(desk.make(house))) as http:
        yield Operator(http, house)


HOSTILE = "<img src=x onerror=alert(1)>"


async def page(street: Operator, path: str) -> str:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with street.http.get(path, headers=headers) as answer:
        assert answer.status == 200, path
        return await answer.text()


async def test_a_review_is_found_read_and_decided_from_its_page(street: Operator):
    assert "No review waits." in await page(street, "/desk/market")
    await grant_local(street, "reviewer")
    await make_parties(street)
    await make_aggregation(street, HOSTILE)
    review = await street.change("POST", "/market/aggregations/" + HOSTILE.replace("/", "%2F") + "/submit")
    shown = await page(street, "/desk/market")
    assert html.escape(HOSTILE) in shown
    assert HOSTILE not in shown
    assert f'href="/desk/review?id={review["id"]}"' in shown
    one = await page(street, f"/desk/review?id={review['id']}")
    assert "▲ fail" in one
    assert "? cannot tell" in one
    assert "no EndDevice is registered for it" in one
    assert HOSTILE not in one
    query = "der=D1&outcome=limited&limit_w=40000&reason=network_limit&evidence=telemetry"
    looked_over = await page(street, f"/desk/review?id={review['id']}&{query}")
    bodies = [html.unescape(found) for found in re.findall(r'data-body="([^"]*)"', looked_over)]
    (body,) = [found for found in bodies if '"limited"' in found]
    assert '"limit_w":40000' in body
    path = f"/market/reviews/{review['id']}/decide"
    status, answer = await street.ask("POST", path, data=body)
    # What the page sends is what the API takes; D2, which a screen failed for, has no answer yet.
    assert (status, answer["code"]) == (409, "screens_unanswered")
    both = {
        "ders": [{"der": name, "outcome": "ok", "evidence": ["telemetry: commissioning test"]} for name in ("D1", "D2")]
    }
    await street.change("POST", path, both)
    decided = await page(street, f"/desk/review?id={review['id']}")
    assert "approved" in decided
    assert "sep2 review letter" in decided
    assert "data-post" not in decided.split("<main", 1)[-1] or "/decide" not in decided


async def test_the_participation_calendar_shows_who_has_a_der_in_which_hour(street: Operator):
    assert "No DER is committed on this day" in await page(street, "/desk/participation")
    await make_parties(street)
    await street.change("POST", "/market/ders", der(HOSTILE, 1))
    body = {"der": HOSTILE, "service": "local_energy", "holder": "local", "program": HOSTILE, "hold": True}
    start = NOW // 3600 * 3600 + 2 * 3600
    await street.change("POST", "/market/commitments", {**body, "start": start, "end": start + 3600})
    shown = await page(street, f"/desk/participation?day={start}")
    assert shown.count("<td>local_energy (local)</td>") == 1
    assert html.escape(HOSTILE) in shown
    assert HOSTILE not in shown
